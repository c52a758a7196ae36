//! A guest that takes its steps with sockets from a list, and tells what came of each.

use crate::common::wasi_component;
use crate::fixture::{Fixture, result};
use base64::Engine as _;
use casemate_runtime::CallReport;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

const WIT: &str = "package test:evil;
world evil {
  import wasi:io/poll@0.2.12;
  import wasi:io/streams@0.2.12;
  import wasi:clocks/monotonic-clock@0.2.12;
  import wasi:sockets/instance-network@0.2.12;
  import wasi:sockets/ip-name-lookup@0.2.12;
  import wasi:sockets/tcp-create-socket@0.2.12;
  import wasi:sockets/tcp@0.2.12;
  import wasi:sockets/udp-create-socket@0.2.12;
  record step { op: u32, slot: u32, value: u64, data: list<u8> }
  record seen { code: u32, value: u64, data: list<u8> }
  export run: func(steps: list<step>) -> list<seen>;
}";

const WAT: &str = r#"(module
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $blocking_read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $put (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.check-write" (func $check_write (param i32 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]input-stream" (func $drop_input (param i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_output (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
  (import "wasi:sockets/instance-network@0.2.12" "instance-network" (func $network (result i32)))
  (import "wasi:sockets/ip-name-lookup@0.2.12" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
  (import "wasi:sockets/ip-name-lookup@0.2.12" "[method]resolve-address-stream.resolve-next-address" (func $next_address (param i32 i32)))
  (import "wasi:sockets/ip-name-lookup@0.2.12" "[method]resolve-address-stream.subscribe" (func $lookup_subscribe (param i32) (result i32)))
  (import "wasi:sockets/ip-name-lookup@0.2.12" "[resource-drop]resolve-address-stream" (func $drop_lookup (param i32)))
  (import "wasi:sockets/udp-create-socket@0.2.12" "create-udp-socket" (func $udp (param i32 i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.12" "create-tcp-socket" (func $tcp (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.start-bind" (func $start_bind (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.finish-bind" (func $finish_bind (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.start-connect" (func $start_connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.finish-connect" (func $finish_connect (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.start-listen" (func $start_listen (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.finish-listen" (func $finish_listen (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.accept" (func $accept (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.local-address" (func $local_address (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.remote-address" (func $remote_address (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.is-listening" (func $is_listening (param i32) (result i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.address-family" (func $family (param i32) (result i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-listen-backlog-size" (func $set_backlog (param i32 i64 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.keep-alive-enabled" (func $keep_alive (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-keep-alive-enabled" (func $set_keep_alive (param i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.keep-alive-idle-time" (func $idle (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-keep-alive-idle-time" (func $set_idle (param i32 i64 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.keep-alive-interval" (func $interval (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-keep-alive-interval" (func $set_interval (param i32 i64 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.keep-alive-count" (func $probes (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-keep-alive-count" (func $set_probes (param i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.hop-limit" (func $hops (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-hop-limit" (func $set_hops (param i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.receive-buffer-size" (func $receive_buffer (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-receive-buffer-size" (func $set_receive_buffer (param i32 i64 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.send-buffer-size" (func $send_buffer (param i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.set-send-buffer-size" (func $set_send_buffer (param i32 i64 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.subscribe" (func $socket_subscribe (param i32) (result i32)))
  (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.shutdown" (func $shutdown (param i32 i32 i32)))
  (import "wasi:sockets/tcp@0.2.12" "[resource-drop]tcp-socket" (func $drop_socket (param i32)))
  (memory (export "memory") 128)
  (global $next (mut i32) (i32.const 196608))
  ;; The handle of the network, asked for once.
  (global $net (mut i32) (i32.const 0))
  ;; Of the step at hand: its code, number and bytes.
  (global $code (mut i32) (i32.const 0))
  (global $value (mut i64) (i64.const 0))
  (global $at (mut i32) (i32.const 0))
  (global $n (mut i32) (i32.const 0))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  ;; What imports return is at 64. 0, or the error at that place and one.
  (func $result (param $at i32)
    (global.set $code (i32.const 0))
    (if (i32.load8_u (i32.const 64)) (then
      (global.set $code (i32.add (i32.const 1) (i32.load8_u (local.get $at)))))))
  (func $failed (result i32) (i32.load8_u (i32.const 64)))
  ;; Bytes that are kept.
  (func $keep (param $from i32) (param $n i32)
    (global.set $at (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $n)))
    (global.set $n (local.get $n))
    (memory.copy (global.get $at) (local.get $from) (local.get $n)))
  ;; Waits, and tells by how much the clock moved.
  (func $wait (param $pollable i32)
    (local $t i64)
    (local.set $t (call $now))
    (call $block (local.get $pollable))
    (call $drop_pollable (local.get $pollable))
    (global.set $value (i64.sub (call $now) (local.get $t))))
  (func $byte (param $at i32) (result i32) (i32.load8_u (local.get $at)))
  (func $short (param $at i32) (result i32)
    (i32.or (i32.shl (i32.load8_u (local.get $at)) (i32.const 8)) (i32.load8_u offset=1 (local.get $at))))
  ;; Port and, in the upper half, the scope.
  (func $connect (param $socket i32) (param $to i64) (param $p i32) (param $n i32)
    (if (i32.eq (local.get $n) (i32.const 4))
      (then (call $start_connect (local.get $socket) (global.get $net) (i32.const 0)
        (i32.and (i32.wrap_i64 (local.get $to)) (i32.const 65535))
        (call $byte (local.get $p)) (call $byte (i32.add (local.get $p) (i32.const 1)))
        (call $byte (i32.add (local.get $p) (i32.const 2))) (call $byte (i32.add (local.get $p) (i32.const 3)))
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))
      (else (call $start_connect (local.get $socket) (global.get $net) (i32.const 1)
        (i32.and (i32.wrap_i64 (local.get $to)) (i32.const 65535)) (i32.const 7)
        (call $short (local.get $p)) (call $short (i32.add (local.get $p) (i32.const 2)))
        (call $short (i32.add (local.get $p) (i32.const 4))) (call $short (i32.add (local.get $p) (i32.const 6)))
        (call $short (i32.add (local.get $p) (i32.const 8))) (call $short (i32.add (local.get $p) (i32.const 10)))
        (call $short (i32.add (local.get $p) (i32.const 12))) (call $short (i32.add (local.get $p) (i32.const 14)))
        (i32.wrap_i64 (i64.shr_u (local.get $to) (i64.const 32))) (i32.const 64)))))
  (func $bind (param $socket i32) (param $to i64) (param $p i32) (param $n i32)
    (if (i32.eq (local.get $n) (i32.const 4))
      (then (call $start_bind (local.get $socket) (global.get $net) (i32.const 0)
        (i32.and (i32.wrap_i64 (local.get $to)) (i32.const 65535))
        (call $byte (local.get $p)) (call $byte (i32.add (local.get $p) (i32.const 1)))
        (call $byte (i32.add (local.get $p) (i32.const 2))) (call $byte (i32.add (local.get $p) (i32.const 3)))
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64)))
      (else (call $start_bind (local.get $socket) (global.get $net) (i32.const 1)
        (i32.and (i32.wrap_i64 (local.get $to)) (i32.const 65535)) (i32.const 0)
        (call $short (local.get $p)) (call $short (i32.add (local.get $p) (i32.const 2)))
        (call $short (i32.add (local.get $p) (i32.const 4))) (call $short (i32.add (local.get $p) (i32.const 6)))
        (call $short (i32.add (local.get $p) (i32.const 8))) (call $short (i32.add (local.get $p) (i32.const 10)))
        (call $short (i32.add (local.get $p) (i32.const 12))) (call $short (i32.add (local.get $p) (i32.const 14)))
        (i32.wrap_i64 (i64.shr_u (local.get $to) (i64.const 32))) (i32.const 64)))))
  ;; 16 bytes from an IPv6 address in memory, whose groups are little endian.
  (func $swap (param $from i32)
    (local $i i32)
    (loop $l
      (i32.store8 (i32.add (i32.const 256) (local.get $i)) (i32.load8_u offset=1 (i32.add (local.get $from) (local.get $i))))
      (i32.store8 (i32.add (i32.const 257) (local.get $i)) (i32.load8_u (i32.add (local.get $from) (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 2))) (i32.const 16)))))
  (func $address
    (call $result (i32.const 68))
    (if (call $failed) (then (return)))
    (global.set $value (i64.extend_i32_u (i32.load16_u (i32.const 72))))
    (if (i32.load8_u (i32.const 68))
      (then (call $swap (i32.const 80)) (call $keep (i32.const 256) (i32.const 16)))
      (else (call $keep (i32.const 74) (i32.const 4)))))
  (func $found
    (call $result (i32.const 66))
    (if (call $failed) (then (return)))
    (if (i32.eqz (i32.load8_u (i32.const 66))) (then (return)))
    (global.set $value (i64.const 1))
    (if (i32.load8_u (i32.const 68))
      (then (call $swap (i32.const 70)) (call $keep (i32.const 256) (i32.const 16)))
      (else (call $keep (i32.const 70) (i32.const 4)))))
  ;; Bytes that were read.
  (func $bytes
    (call $result (i32.const 68))
    (if (call $failed) (then (return)))
    (global.set $at (i32.load (i32.const 68)))
    (global.set $n (i32.load (i32.const 72)))
    (global.set $value (i64.extend_i32_u (global.get $n))))
  (func $upload (param $o i32) (param $n i64)
    (local $now i64)
    (loop $more
      (if (i64.eqz (local.get $n)) (then (return)))
      (local.set $now (i64.const 4096))
      (if (i64.lt_u (local.get $n) (local.get $now)) (then (local.set $now (local.get $n))))
      (call $put (local.get $o) (i32.const 65536) (i32.wrap_i64 (local.get $now)) (i32.const 64))
      (call $result (i32.const 68))
      (if (call $failed) (then (return)))
      (global.set $value (i64.add (global.get $value) (local.get $now)))
      (local.set $n (i64.sub (local.get $n) (local.get $now)))
      (br $more)))
  (func $drain (param $s i32)
    (local $saved i32)
    (local.set $saved (global.get $next))
    (loop $more
      (global.set $next (local.get $saved))
      (call $blocking_read (local.get $s) (i64.const 65536) (i32.const 64))
      (call $result (i32.const 68))
      (if (call $failed) (then (return)))
      (global.set $value (i64.add (global.get $value) (i64.extend_i32_u (i32.load (i32.const 72)))))
      (br $more)))
  ;; That many sockets on their way to one place, none of which is waited for.
  (func $burst (param $count i32) (param $to i64) (param $p i32) (param $n i32)
    (loop $more
      (call $tcp (i32.eq (local.get $n) (i32.const 16)) (i32.const 64))
      (call $result (i32.const 68))
      (if (call $failed) (then (return)))
      (call $connect (i32.load (i32.const 68)) (local.get $to) (local.get $p) (local.get $n))
      (call $result (i32.const 65))
      (if (call $failed) (then (return)))
      (global.set $value (i64.add (global.get $value) (i64.const 1)))
      (br_if $more (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
  ;; That many lookups of one name, each kept, or waited for and dropped; the code is that of the first that was refused.
  (func $lookups (param $wait i32) (param $count i64) (param $p i32) (param $n i32)
    (local $first i32)
    (loop $more
      (call $resolve (global.get $net) (local.get $p) (local.get $n) (i32.const 64))
      (call $result (i32.const 68))
      (if (call $failed)
        (then (if (i32.eqz (local.get $first)) (then (local.set $first (global.get $code)))))
        (else
          (i32.store (i32.const 320) (i32.add (i32.load (i32.const 320)) (i32.const 1)))
          (if (local.get $wait) (then
            (call $wait (call $lookup_subscribe (i32.load (i32.const 68))))
            (call $drop_lookup (i32.load (i32.const 68)))))))
      (local.set $count (i64.sub (local.get $count) (i64.const 1)))
      (br_if $more (i64.ne (local.get $count) (i64.const 0))))
    (global.set $value (i64.extend_i32_u (i32.load (i32.const 320))))
    (global.set $code (local.get $first)))
  (func $set (param $s i32) (param $which i32) (param $v i64)
    (local $w i32)
    (local.set $w (i32.wrap_i64 (local.get $v)))
    (if (i32.eq (local.get $which) (i32.const 0)) (then (call $set_keep_alive (local.get $s) (local.get $w) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 1)) (then (call $set_idle (local.get $s) (local.get $v) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 2)) (then (call $set_interval (local.get $s) (local.get $v) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 3)) (then (call $set_probes (local.get $s) (local.get $w) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 4)) (then (call $set_hops (local.get $s) (local.get $w) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 5)) (then (call $set_receive_buffer (local.get $s) (local.get $v) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 6)) (then (call $set_send_buffer (local.get $s) (local.get $v) (i32.const 64))))
    (if (i32.eq (local.get $which) (i32.const 7)) (then (call $set_backlog (local.get $s) (local.get $v) (i32.const 64))))
    (call $result (i32.const 65)))
  (func $get (param $s i32) (param $which i32)
    (if (i32.eq (local.get $which) (i32.const 0)) (then (call $keep_alive (local.get $s) (i32.const 64))
      (global.set $value (i64.load8_u (i32.const 65)))))
    (if (i32.eq (local.get $which) (i32.const 1)) (then (call $idle (local.get $s) (i32.const 64))
      (global.set $value (i64.load (i32.const 72)))))
    (if (i32.eq (local.get $which) (i32.const 2)) (then (call $interval (local.get $s) (i32.const 64))
      (global.set $value (i64.load (i32.const 72)))))
    (if (i32.eq (local.get $which) (i32.const 3)) (then (call $probes (local.get $s) (i32.const 64))
      (global.set $value (i64.load32_u (i32.const 68)))))
    (if (i32.eq (local.get $which) (i32.const 4)) (then (call $hops (local.get $s) (i32.const 64))
      (global.set $value (i64.load8_u (i32.const 65)))))
    (if (i32.eq (local.get $which) (i32.const 5)) (then (call $receive_buffer (local.get $s) (i32.const 64))
      (global.set $value (i64.load (i32.const 72)))))
    (if (i32.eq (local.get $which) (i32.const 6)) (then (call $send_buffer (local.get $s) (i32.const 64))
      (global.set $value (i64.load (i32.const 72)))))
    (global.set $code (i32.load8_u (i32.const 64))))

  ;; A slot has a socket, its input, its output and a lookup.
  (func $step (param $op i32) (param $slot i32) (param $v i64) (param $p i32) (param $n i32)
    (local $here i32) (local $s i32)
    (local.set $here (i32.add (i32.const 4096) (i32.mul (local.get $slot) (i32.const 16))))
    (local.set $s (i32.load (local.get $here)))
    (global.set $code (i32.const 0)) (global.set $value (i64.const 0))
    (global.set $at (i32.const 1)) (global.set $n (i32.const 0))
    (i32.store (i32.const 320) (i32.const 0))
    (if (i32.eq (local.get $op) (i32.const 0)) (then
      (call $tcp (i32.wrap_i64 (local.get $v)) (i32.const 64)) (call $result (i32.const 68))
      (i32.store (local.get $here) (i32.load (i32.const 68)))))
    (if (i32.eq (local.get $op) (i32.const 1)) (then
      (call $connect (local.get $s) (local.get $v) (local.get $p) (local.get $n)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 2)) (then
      (call $finish_connect (local.get $s) (i32.const 64)) (call $result (i32.const 68))
      (if (i32.eqz (call $failed)) (then
        (i32.store offset=4 (local.get $here) (i32.load (i32.const 68)))
        (i32.store offset=8 (local.get $here) (i32.load (i32.const 72)))))))
    (if (i32.eq (local.get $op) (i32.const 3)) (then (call $wait (call $socket_subscribe (local.get $s)))))
    (if (i32.eq (local.get $op) (i32.const 4)) (then
      (call $resolve (global.get $net) (local.get $p) (local.get $n) (i32.const 64)) (call $result (i32.const 68))
      (i32.store offset=12 (local.get $here) (i32.load (i32.const 68)))))
    (if (i32.eq (local.get $op) (i32.const 5)) (then (call $wait (call $lookup_subscribe (i32.load offset=12 (local.get $here))))))
    (if (i32.eq (local.get $op) (i32.const 6)) (then (call $next_address (i32.load offset=12 (local.get $here)) (i32.const 64)) (call $found)))
    (if (i32.eq (local.get $op) (i32.const 7)) (then
      (call $put (i32.load offset=8 (local.get $here)) (local.get $p) (local.get $n) (i32.const 64)) (call $result (i32.const 68))))
    (if (i32.eq (local.get $op) (i32.const 8)) (then
      (call $blocking_read (i32.load offset=4 (local.get $here)) (local.get $v) (i32.const 64)) (call $bytes)))
    (if (i32.eq (local.get $op) (i32.const 9)) (then
      (call $shutdown (local.get $s) (i32.wrap_i64 (local.get $v)) (i32.const 64)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 10)) (then (call $local_address (local.get $s) (i32.const 64)) (call $address)))
    (if (i32.eq (local.get $op) (i32.const 11)) (then (call $remote_address (local.get $s) (i32.const 64)) (call $address)))
    (if (i32.eq (local.get $op) (i32.const 12)) (then (call $drop_socket (local.get $s))))
    (if (i32.eq (local.get $op) (i32.const 13)) (then (call $drop_input (i32.load offset=4 (local.get $here)))))
    (if (i32.eq (local.get $op) (i32.const 14)) (then (call $drop_output (i32.load offset=8 (local.get $here)))))
    (if (i32.eq (local.get $op) (i32.const 15)) (then (call $drop_lookup (i32.load offset=12 (local.get $here)))))
    (if (i32.eq (local.get $op) (i32.const 16)) (then
      (call $bind (local.get $s) (local.get $v) (local.get $p) (local.get $n)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 17)) (then (call $finish_bind (local.get $s) (i32.const 64)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 18)) (then (call $start_listen (local.get $s) (i32.const 64)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 19)) (then (call $accept (local.get $s) (i32.const 64)) (call $result (i32.const 68))))
    (if (i32.eq (local.get $op) (i32.const 20)) (then (call $finish_listen (local.get $s) (i32.const 64)) (call $result (i32.const 65))))
    (if (i32.eq (local.get $op) (i32.const 21)) (then
      (global.set $value (i64.extend_i32_u (i32.add (call $is_listening (local.get $s)) (i32.mul (i32.const 2) (call $family (local.get $s))))))))
    (if (i32.eq (local.get $op) (i32.const 22)) (then (call $udp (i32.wrap_i64 (local.get $v)) (i32.const 64)) (call $result (i32.const 68))))
    (if (i32.eq (local.get $op) (i32.const 23)) (then (call $wait (call $after (local.get $v)))))
    (if (i32.eq (local.get $op) (i32.const 24)) (then (global.set $value (call $now))))
    (if (i32.eq (local.get $op) (i32.const 25)) (then (unreachable)))
    (if (i32.eq (local.get $op) (i32.const 26)) (then
      (call $check_write (i32.load offset=8 (local.get $here)) (i32.const 64)) (call $result (i32.const 72))
      (if (i32.eqz (call $failed)) (then (global.set $value (i64.load (i32.const 72)))))))
    (if (i32.eq (local.get $op) (i32.const 27)) (then
      (call $read (i32.load offset=4 (local.get $here)) (local.get $v) (i32.const 64)) (call $bytes)))
    (if (i32.eq (local.get $op) (i32.const 28)) (then (call $upload (i32.load offset=8 (local.get $here)) (local.get $v))))
    (if (i32.eq (local.get $op) (i32.const 29)) (then (call $drain (i32.load offset=4 (local.get $here)))))
    (if (i32.eq (local.get $op) (i32.const 30)) (then (call $set (local.get $s) (i32.load8_u (local.get $p)) (local.get $v))))
    (if (i32.eq (local.get $op) (i32.const 31)) (then (call $get (local.get $s) (i32.load8_u (local.get $p)))))
    (if (i32.eq (local.get $op) (i32.const 32)) (then
      (call $write (i32.load offset=8 (local.get $here)) (i32.const 65536) (i32.wrap_i64 (local.get $v)) (i32.const 64)) (call $result (i32.const 68))))
    (if (i32.eq (local.get $op) (i32.const 33)) (then
      (loop $l (br_if $l (i64.ne (local.tee $v (i64.sub (local.get $v) (i64.const 1))) (i64.const 0))))))
    (if (i32.eq (local.get $op) (i32.const 34)) (then
      (call $burst (local.get $slot) (local.get $v) (local.get $p) (local.get $n))))
    (if (i32.eq (local.get $op) (i32.const 35)) (then
      (call $lookups (local.get $slot) (local.get $v) (local.get $p) (local.get $n)))))

  (func (export "run") (param $steps i32) (param $count i32) (result i32)
    (local $out i32) (local $i i32) (local $to i32)
    (global.set $net (call $network))
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
    (local.set $out (call $realloc (i32.const 0) (i32.const 0) (i32.const 8) (i32.mul (local.get $count) (i32.const 24))))
    (block $done (loop $more
      (br_if $done (i32.eq (local.get $i) (local.get $count)))
      (call $step
        (i32.load (local.get $steps)) (i32.load offset=4 (local.get $steps)) (i64.load offset=8 (local.get $steps))
        (i32.load offset=16 (local.get $steps)) (i32.load offset=20 (local.get $steps)))
      (local.set $to (i32.add (local.get $out) (i32.mul (local.get $i) (i32.const 24))))
      (i32.store (local.get $to) (global.get $code))
      (i64.store offset=8 (local.get $to) (global.get $value))
      (i32.store offset=16 (local.get $to) (global.get $at))
      (i32.store offset=20 (local.get $to) (global.get $n))
      (local.set $steps (i32.add (local.get $steps) (i32.const 24)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
    (i32.store (i32.const 16) (local.get $out))
    (i32.store (i32.const 20) (local.get $count))
    (i32.const 16))
)"#;

pub(crate) fn guest() -> Vec<u8> {
    wasi_component(WIT, "evil", WAT)
}

/// Codes of `wasi:sockets`, in their order.
const CODES: [&str; 21] = [
    "unknown",
    "access-denied",
    "not-supported",
    "invalid-argument",
    "out-of-memory",
    "timeout",
    "concurrency-conflict",
    "not-in-progress",
    "would-block",
    "invalid-state",
    "new-socket-limit",
    "address-not-bindable",
    "address-in-use",
    "remote-unreachable",
    "connection-refused",
    "connection-reset",
    "connection-aborted",
    "datagram-too-large",
    "name-unresolvable",
    "temporary-resolver-failure",
    "permanent-resolver-failure",
];

/// Errors of a stream, in their order.
const STREAM: [&str; 2] = ["last-operation-failed", "closed"];

/// Options of a socket, in the guest's order.
pub(super) const OPTIONS: [&str; 8] = [
    "keep-alive",
    "idle",
    "interval",
    "probes",
    "hops",
    "receive-buffer",
    "send-buffer",
    "backlog",
];

/// One step: what is done in which slot, with a number and bytes.
#[derive(Clone, Debug)]
pub(super) struct Step {
    op: u32,
    slot: u32,
    value: u64,
    data: Vec<u8>,
}

fn step(op: u32, slot: u32, value: u64, data: impl Into<Vec<u8>>) -> Step {
    Step {
        op,
        slot,
        value,
        data: data.into(),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// An address as the guest takes it: port and scope, and its bytes.
fn place(address: &str) -> (u64, Vec<u8>) {
    let address: SocketAddr = address.parse().unwrap();
    let scope = match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => u64::from(address.scope_id()),
    };
    (
        u64::from(address.port()) | scope << 32,
        octets(address.ip()),
    )
}

pub(super) fn create(slot: u32, ipv6: bool) -> Step {
    step(0, slot, u64::from(ipv6), [])
}
pub(super) fn create_udp(ipv6: bool) -> Step {
    step(22, 0, u64::from(ipv6), [])
}
pub(super) fn start_connect(slot: u32, address: &str) -> Step {
    let (to, data) = place(address);
    step(1, slot, to, data)
}
pub(super) fn finish_connect(slot: u32) -> Step {
    step(2, slot, 0, [])
}
/// Waits for the socket; the value is by how much the clock moved.
pub(super) fn wait(slot: u32) -> Step {
    step(3, slot, 0, [])
}
pub(super) fn look_up(slot: u32, name: &str) -> Step {
    step(4, slot, 0, name)
}
pub(super) fn wait_lookup(slot: u32) -> Step {
    step(5, slot, 0, [])
}
pub(super) fn next_address(slot: u32) -> Step {
    step(6, slot, 0, [])
}
pub(super) fn write(slot: u32, data: &[u8]) -> Step {
    step(7, slot, 0, data)
}
pub(super) fn read(slot: u32, most: u64) -> Step {
    step(8, slot, most, [])
}
pub(super) fn shut_down(slot: u32, how: &str) -> Step {
    let how = ["receive", "send", "both"]
        .iter()
        .position(|own| *own == how);
    step(9, slot, how.unwrap() as u64, [])
}
pub(super) fn local_address(slot: u32) -> Step {
    step(10, slot, 0, [])
}
pub(super) fn remote_address(slot: u32) -> Step {
    step(11, slot, 0, [])
}
pub(super) fn drop_socket(slot: u32) -> Step {
    step(12, slot, 0, [])
}
pub(super) fn drop_input(slot: u32) -> Step {
    step(13, slot, 0, [])
}
pub(super) fn drop_output(slot: u32) -> Step {
    step(14, slot, 0, [])
}
pub(super) fn drop_lookup(slot: u32) -> Step {
    step(15, slot, 0, [])
}
pub(super) fn start_bind(slot: u32, address: &str) -> Step {
    let (to, data) = place(address);
    step(16, slot, to, data)
}
pub(super) fn finish_bind(slot: u32) -> Step {
    step(17, slot, 0, [])
}
pub(super) fn start_listen(slot: u32) -> Step {
    step(18, slot, 0, [])
}
pub(super) fn accept(slot: u32) -> Step {
    step(19, slot, 0, [])
}
pub(super) fn finish_listen(slot: u32) -> Step {
    step(20, slot, 0, [])
}
/// 1 for a socket that listens, and 2 more for one of IPv6.
pub(super) fn kind(slot: u32) -> Step {
    step(21, slot, 0, [])
}
pub(super) fn sleep(nanoseconds: u64) -> Step {
    step(23, 0, nanoseconds, [])
}
pub(super) fn now() -> Step {
    step(24, 0, 0, [])
}
pub(super) fn trap() -> Step {
    step(25, 0, 0, [])
}
pub(super) fn check_write(slot: u32) -> Step {
    step(26, slot, 0, [])
}
/// Reads what is there without waiting.
pub(super) fn read_now(slot: u32, most: u64) -> Step {
    step(27, slot, most, [])
}
pub(super) fn upload(slot: u32, bytes: u64) -> Step {
    step(28, slot, bytes, [])
}
pub(super) fn drain(slot: u32) -> Step {
    step(29, slot, 0, [])
}
fn option(name: &str) -> [u8; 1] {
    let at = OPTIONS.iter().position(|own| *own == name).unwrap();
    [u8::try_from(at).unwrap()]
}
pub(super) fn set(slot: u32, name: &str, value: u64) -> Step {
    step(30, slot, value, option(name))
}
pub(super) fn get(slot: u32, name: &str) -> Step {
    step(31, slot, 0, option(name))
}
/// Writes that many bytes without waiting.
pub(super) fn write_now(slot: u32, bytes: u64) -> Step {
    step(32, slot, bytes, [])
}
pub(super) fn spin(times: u64) -> Step {
    step(33, 0, times, [])
}
/// That many sockets on their way to one address, which nobody waits for.
pub(super) fn burst(count: u32, address: &str) -> Step {
    let (to, data) = place(address);
    step(34, count, to, data)
}
/// That many lookups of a name, kept, or each waited for and dropped.
pub(super) fn lookups(count: u64, name: &str, waiting: bool) -> Step {
    step(35, u32::from(waiting), count, name)
}
/// A socket of the address's family, connected.
pub(super) fn connect(slot: u32, address: &str) -> [Step; 4] {
    let ipv6 = address.parse::<SocketAddr>().unwrap().is_ipv6();
    [
        create(slot, ipv6),
        start_connect(slot, address),
        wait(slot),
        finish_connect(slot),
    ]
}
/// A name, looked up until the answer is there.
pub(super) fn resolve(slot: u32, name: &str) -> [Step; 2] {
    [look_up(slot, name), wait_lookup(slot)]
}

pub(super) fn arguments(steps: &[Step]) -> Value {
    let steps = steps.iter().map(|step| {
        let data = base64::engine::general_purpose::STANDARD.encode(&step.data);
        json!({"op": step.op, "slot": step.slot, "value": step.value.to_string(), "data": data})
    });
    json!({"steps": steps.collect::<Vec<_>>()})
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) code: u64,
    pub(super) value: u64,
    pub(super) data: Vec<u8>,
}

impl Seen {
    pub(super) fn is_ok(&self) -> bool {
        self.code == 0
    }

    /// `ok` or the code of `wasi:sockets`.
    pub(super) fn outcome(&self) -> &'static str {
        match usize::try_from(self.code).unwrap() {
            0 => "ok",
            code => CODES[code - 1],
        }
    }

    /// `ok` or the error of a stream.
    pub(super) fn of_stream(&self) -> &'static str {
        match usize::try_from(self.code).unwrap() {
            0 => "ok",
            code => STREAM[code - 1],
        }
    }

    /// An address, without its port.
    pub(super) fn address(&self) -> Option<IpAddr> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.data.as_slice()) {
            return Some(octets.into());
        }
        let octets = <[u8; 16]>::try_from(self.data.as_slice()).ok()?;
        Some(octets.into())
    }
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) report: CallReport,
    pub(super) seen: Vec<Seen>,
}

pub(super) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

impl Told {
    pub(super) fn of(report: CallReport) -> Self {
        let value = result(&report);
        let seen = value.as_array().unwrap().iter().map(|seen| Seen {
            code: number(&seen["code"]),
            value: number(&seen["value"]),
            data: base64::engine::general_purpose::STANDARD
                .decode(seen["data"].as_str().unwrap())
                .unwrap(),
        });
        Self {
            seen: seen.collect(),
            report,
        }
    }

    /// What came of each step, in the words of `wasi:sockets`.
    pub(super) fn outcomes(&self) -> Vec<&'static str> {
        self.seen.iter().map(Seen::outcome).collect()
    }

    pub(super) fn last(&self) -> &Seen {
        self.seen.last().unwrap()
    }

    /// The refusals on record, `reason subject`.
    pub(super) fn refusals(&self) -> Vec<String> {
        refusals(&self.report)
    }

    /// Every step did well, and nothing was refused.
    #[track_caller]
    pub(super) fn well(&self) -> &Self {
        assert!(
            self.seen.iter().all(Seen::is_ok),
            "{:?} {:?}",
            self.outcomes(),
            self.report.denials
        );
        assert_eq!(self.refusals(), [] as [&str; 0]);
        self
    }
}

pub(super) fn refusals(report: &CallReport) -> Vec<String> {
    let denials = report.denials.iter();
    denials
        .map(|denial| {
            assert!(!denial.explanation.is_empty());
            format!("{} {}", denial.reason, denial.subject)
        })
        .collect()
}

/// One call of the guest that takes these steps.
pub(super) fn run(fixture: &Fixture, steps: &[Step]) -> Told {
    Told::of(fixture.call("evil_run", arguments(steps)))
}
