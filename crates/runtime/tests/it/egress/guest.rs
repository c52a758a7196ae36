//! A guest that sends the request it is told to, and tells what came back.

use crate::common::component;
use crate::fixture::{Fixture, result};
use casemate_runtime::CallReport;
use serde_json::{Value, json};

const WIT: &str = "package test:evil;
package wasi:io@0.2.12 {
  interface error { resource error; }
  interface poll { resource pollable { block: func(); } }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource input-stream { blocking-read: func(len: u64) -> result<list<u8>, stream-error>; }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
  }
}
package wasi:clocks@0.2.12 {
  interface monotonic-clock { now: func() -> u64; }
}
package wasi:http@0.2.12 {
  interface types {
    use wasi:io/poll@0.2.12.{pollable};
    use wasi:io/error@0.2.12.{error as io-error};
    use wasi:io/streams@0.2.12.{input-stream, output-stream};
    variant method { get, head, post, put, delete, connect, options, trace, patch, other(string) }
    variant scheme { HTTP, HTTPS, other(string) }
    record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
    record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
    record field-size-payload { field-name: option<string>, field-size: option<u32> }
    variant error-code {
      DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable,
      destination-IP-prohibited, destination-IP-unroutable, connection-refused, connection-terminated,
      connection-timeout, connection-read-timeout, connection-write-timeout, connection-limit-reached,
      TLS-protocol-error, TLS-certificate-error, TLS-alert-received(TLS-alert-received-payload),
      HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
      HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
      HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
      HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload),
      HTTP-response-incomplete, HTTP-response-header-section-size(option<u32>),
      HTTP-response-header-size(field-size-payload), HTTP-response-body-size(option<u64>),
      HTTP-response-trailer-section-size(option<u32>), HTTP-response-trailer-size(field-size-payload),
      HTTP-response-transfer-coding(option<string>), HTTP-response-content-coding(option<string>),
      HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected,
      configuration-error, internal-error(option<string>),
    }
    variant header-error { invalid-syntax, forbidden, immutable }
    http-error-code: func(err: borrow<io-error>) -> option<error-code>;
    resource fields {
      from-list: static func(entries: list<tuple<string, list<u8>>>) -> result<fields, header-error>;
      entries: func() -> list<tuple<string, list<u8>>>;
    }
    resource outgoing-request {
      constructor(headers: fields);
      set-method: func(method: method) -> result;
      set-scheme: func(scheme: option<scheme>) -> result;
      set-authority: func(authority: option<string>) -> result;
      set-path-with-query: func(path-with-query: option<string>) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource outgoing-body {
      write: func() -> result<output-stream>;
      finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
    }
    resource request-options {
      constructor();
      set-connect-timeout: func(duration: option<u64>) -> result;
      set-first-byte-timeout: func(duration: option<u64>) -> result;
      set-between-bytes-timeout: func(duration: option<u64>) -> result;
    }
    resource incoming-body { %stream: func() -> result<input-stream>; }
    resource incoming-response {
      status: func() -> u16;
      headers: func() -> fields;
      consume: func() -> result<incoming-body>;
    }
    resource future-incoming-response {
      subscribe: func() -> pollable;
      get: func() -> option<result<result<incoming-response, error-code>>>;
    }
  }
  interface outgoing-handler {
    use types.{outgoing-request, request-options, future-incoming-response, error-code};
    handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
  }
}
world evil {
  import wasi:io/error@0.2.12;
  import wasi:io/poll@0.2.12;
  import wasi:io/streams@0.2.12;
  import wasi:clocks/monotonic-clock@0.2.12;
  import wasi:http/types@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  record reply {
    phase: u32, code: u32, status: u32,
    headers: list<tuple<string, list<u8>>>, body: list<u8>,
    received: u64, waited: u64, idle: u64,
  }
  export fetch: func(verb: string, scheme: u32, authority: string, path: string,
    headers: list<tuple<string, string>>, upload: u64, mode: u32, connect: u64, first: u64, between: u64) -> reply;
  export many: func(scheme: u32, authority: string, path: string, count: u32) -> u32;
  export chain: func(scheme: u32, authority: string, path: string, count: u32) -> u32;
  export flood: func(scheme: u32, authority: string, path: string, count: u32, kept: u32) -> u32;
}";

const WAT: &str = r#"(module
  (import "wasi:http/types@0.2.12" "[static]fields.from-list" (func $from_list (param i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]fields.entries" (func $entries (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-method" (func $set_method (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme" (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority" (func $set_authority (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query" (func $set_path (param i32 i32 i32 i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-request.body" (func $body (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[constructor]request-options" (func $options (result i32)))
  (import "wasi:http/types@0.2.12" "[method]request-options.set-connect-timeout" (func $set_connect (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]request-options.set-first-byte-timeout" (func $set_first (param i32 i32 i64) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]request-options.set-between-bytes-timeout" (func $set_between (param i32 i32 i64) (result i32)))
  (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.status" (func $status (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.headers" (func $headers (param i32) (result i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-response.consume" (func $consume (param i32 i32)))
  (import "wasi:http/types@0.2.12" "[method]incoming-body.stream" (func $stream (param i32 i32)))
  (import "wasi:http/types@0.2.12" "http-error-code" (func $error_code (param i32 i32)))
  (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $put (param i32 i32 i32 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]output-stream" (func $drop_output (param i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]outgoing-body" (func $drop_body (param i32)))
  (import "wasi:http/types@0.2.12" "[resource-drop]future-incoming-response" (func $drop_future (param i32)))
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop_pollable (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
  (memory (export "memory") 64)
  (global $next (mut i32) (i32.const 196608))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))

  ;; The reply is at 1024, what imports return at 64, what is uploaded at 8192, the body at 65536.
  (func $reply (param $phase i32) (param $code i32) (result i32)
    (i32.store (i32.const 1024) (local.get $phase))
    (i32.store (i32.const 1028) (local.get $code))
    (i32.const 1024))

  (func $of_options (param $connect i64) (param $first i64) (param $between i64) (result i32)
    (local $o i32)
    (local.set $o (call $options))
    (if (i64.ne (local.get $connect) (i64.const 1)) (then
      (drop (call $set_connect (local.get $o) (i32.const 1) (local.get $connect)))))
    (if (i64.ne (local.get $first) (i64.const 1)) (then
      (drop (call $set_first (local.get $o) (i32.const 1) (local.get $first)))))
    (if (i64.ne (local.get $between) (i64.const 1)) (then
      (drop (call $set_between (local.get $o) (i32.const 1) (local.get $between)))))
    (local.get $o))

  ;; 0, or the phase in which it was refused; the handle is at 48.
  (func $prepare (param $m i32) (param $mn i32) (param $s i32) (param $a i32) (param $an i32)
                 (param $p i32) (param $pn i32) (param $h i32) (param $hn i32) (result i32)
    (local $r i32)
    (call $from_list (local.get $h) (local.get $hn) (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then
      (i32.store (i32.const 48) (i32.load8_u (i32.const 68)))
      (return (i32.const 1))))
    (local.set $r (call $request (i32.load (i32.const 68))))
    (i32.store (i32.const 48) (i32.const 0))
    (if (call $set_method (local.get $r) (i32.const 9) (local.get $m) (local.get $mn)) (then (return (i32.const 2))))
    (if (call $set_scheme (local.get $r) (i32.lt_u (local.get $s) (i32.const 2)) (local.get $s) (i32.const 0) (i32.const 0))
      (then (return (i32.const 3))))
    (if (call $set_authority (local.get $r) (i32.const 1) (local.get $a) (local.get $an)) (then (return (i32.const 4))))
    (if (call $set_path (local.get $r) (i32.const 1) (local.get $p) (local.get $pn)) (then (return (i32.const 5))))
    (i32.store (i32.const 48) (local.get $r))
    (i32.const 0))

  ;; Whether all of it was taken.
  (func $upload (param $b i32) (param $n i64) (param $mode i32) (result i32)
    (local $o i32) (local $now i32)
    (call $write (local.get $b) (i32.const 64))
    (local.set $o (i32.load (i32.const 68)))
    (memory.fill (i32.const 8192) (i32.const 120) (i32.const 4096))
    (block $done
      (loop $more
        (br_if $done (i64.eqz (local.get $n)))
        (local.set $now (i32.const 4096))
        (if (i64.lt_u (local.get $n) (i64.const 4096)) (then (local.set $now (i32.wrap_i64 (local.get $n)))))
        (call $put (local.get $o) (i32.const 8192) (local.get $now) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then (call $drop_output (local.get $o)) (return (i32.const 0))))
        (local.set $n (i64.sub (local.get $n) (i64.extend_i32_u (local.get $now))))
        (br $more)))
    (if (i32.and (local.get $mode) (i32.const 1)) (then (return (i32.const 1))))
    (call $drop_output (local.get $o))
    (call $finish (local.get $b) (i32.const 0) (i32.const 0) (i32.const 64))
    (i32.eqz (i32.load8_u (i32.const 64))))

  ;; 0, or 8 with the code of the error at 1028.
  (func $download (param $s i32) (result i32)
    (local $saved i32) (local $at i32) (local $n i32)
    (local.set $saved (global.get $next))
    (block $end
      (loop $more
        (global.set $next (local.get $saved))
        (call $read (local.get $s) (i64.const 65536) (i32.const 64))
        (br_if $end (i32.load8_u (i32.const 64)))
        (local.set $at (i32.load (i32.const 68)))
        (local.set $n (i32.load (i32.const 72)))
        (i64.store (i32.const 1056) (i64.add (i64.load (i32.const 1056)) (i64.extend_i32_u (local.get $n))))
        ;; As much as there is room for is kept.
        (if (i32.gt_u (local.get $n) (i32.sub (i32.const 65536) (i32.load (i32.const 1048)))) (then
          (local.set $n (i32.sub (i32.const 65536) (i32.load (i32.const 1048))))))
        (memory.copy (i32.add (i32.const 65536) (i32.load (i32.const 1048))) (local.get $at) (local.get $n))
        (i32.store (i32.const 1048) (i32.add (i32.load (i32.const 1048)) (local.get $n)))
        (br $more)))
    (global.set $next (local.get $saved))
    (if (i32.load8_u (i32.const 68)) (then (return (i32.const 0))))
    (call $error_code (i32.load (i32.const 72)) (i32.const 128))
    (i32.store (i32.const 1028) (i32.const 99))
    (if (i32.load8_u (i32.const 128)) (then (i32.store (i32.const 1028) (i32.load8_u (i32.const 136)))))
    (i32.const 8))

  (func (export "fetch") (param $m i32) (param $mn i32) (param $s i32) (param $a i32) (param $an i32)
      (param $p i32) (param $pn i32) (param $h i32) (param $hn i32) (param $n i64) (param $mode i32)
      (param $connect i64) (param $first i64) (param $between i64) (result i32)
    (local $r i32) (local $b i32) (local $f i32) (local $t i64) (local $i i32)
    (i32.store (i32.const 1044) (i32.const 65536))
    (local.set $i (call $prepare (local.get $m) (local.get $mn) (local.get $s) (local.get $a) (local.get $an)
      (local.get $p) (local.get $pn) (local.get $h) (local.get $hn)))
    (if (local.get $i) (then (return (call $reply (local.get $i) (i32.load (i32.const 48))))))
    (local.set $r (i32.load (i32.const 48)))
    (if (i64.ne (local.get $n) (i64.const 0)) (then
      (call $body (local.get $r) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (call $reply (i32.const 10) (i32.const 0)))))
      (local.set $b (i32.load (i32.const 68)))))
    (call $handle (local.get $r) (i32.const 1) (call $of_options (local.get $connect) (local.get $first) (local.get $between))
      (i32.const 64))
    (if (i32.load8_u (i32.const 64)) (then (return (call $reply (i32.const 6) (i32.load8_u (i32.const 72))))))
    (local.set $f (i32.load (i32.const 72)))
    (if (i64.ne (local.get $n) (i64.const 0)) (then
      (drop (call $upload (local.get $b) (local.get $n) (local.get $mode)))))
    ;; Computing moves no clock.
    (local.set $t (call $now))
    (local.set $i (i32.const 20000000))
    (loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (i64.store (i32.const 1072) (i64.sub (call $now) (local.get $t)))
    (local.set $t (call $now))
    (call $block (call $subscribe (local.get $f)))
    (i64.store (i32.const 1064) (i64.sub (call $now) (local.get $t)))
    (call $get (local.get $f) (i32.const 64))
    (if (i32.load8_u (i32.const 80)) (then (return (call $reply (i32.const 7) (i32.load8_u (i32.const 88))))))
    (local.set $r (i32.load (i32.const 88)))
    (i32.store (i32.const 1032) (call $status (local.get $r)))
    (call $entries (call $headers (local.get $r)) (i32.const 1036))
    (if (i32.and (local.get $mode) (i32.const 2)) (then (return (call $reply (i32.const 0) (i32.const 0)))))
    (call $consume (local.get $r) (i32.const 64))
    (call $stream (i32.load (i32.const 68)) (i32.const 64))
    (local.set $i (call $download (i32.load (i32.const 68))))
    (i32.store (i32.const 1024) (local.get $i))
    (i32.const 1024))

  ;; That many requests at once; what became of the last one.
  (func (export "many") (param $s i32) (param $a i32) (param $an i32) (param $p i32) (param $pn i32) (param $n i32) (result i32)
    (local $f i32)
    (i32.store (i32.const 56) (i32.const 0x544547)) ;; "GET"
    (loop $more
      (drop (call $prepare (i32.const 56) (i32.const 3) (local.get $s) (local.get $a) (local.get $an)
        (local.get $p) (local.get $pn) (i32.const 0) (i32.const 0)))
      (call $handle (i32.load (i32.const 48)) (i32.const 0) (i32.const 0) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 72))))))
      (local.set $f (i32.load (i32.const 72)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $block (call $subscribe (local.get $f)))
    (call $get (local.get $f) (i32.const 64))
    (if (i32.load8_u (i32.const 80)) (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 88))))))
    (call $status (i32.load (i32.const 88))))

  ;; That many requests one after the other, each read to its end and kept; what became of the last one.
  (func (export "chain") (param $s i32) (param $a i32) (param $an i32) (param $p i32) (param $pn i32) (param $n i32) (result i32)
    (local $f i32)
    (i32.store (i32.const 56) (i32.const 0x544547))
    (loop $more
      (drop (call $prepare (i32.const 56) (i32.const 3) (local.get $s) (local.get $a) (local.get $an)
        (local.get $p) (local.get $pn) (i32.const 0) (i32.const 0)))
      (call $handle (i32.load (i32.const 48)) (i32.const 0) (i32.const 0) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 72))))))
      (local.set $f (i32.load (i32.const 72)))
      (call $block (call $subscribe (local.get $f)))
      (call $get (local.get $f) (i32.const 64))
      (if (i32.load8_u (i32.const 80)) (then (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 88))))))
      (local.set $f (i32.load (i32.const 88)))
      (call $consume (local.get $f) (i32.const 64))
      (call $stream (i32.load (i32.const 68)) (i32.const 64))
      (drop (call $download (i32.load (i32.const 68))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $status (local.get $f)))

  ;; That many requests, each with a body that is begun and never finished, of which the first $k are
  ;; kept and the others waited for; how many of those had one too many before them.
  (func (export "flood") (param $s i32) (param $a i32) (param $an i32) (param $p i32) (param $pn i32) (param $n i32) (param $k i32) (result i32)
    (local $b i32) (local $f i32) (local $o i32) (local $refused i32)
    (i32.store (i32.const 56) (i32.const 0x54534f50)) ;; "POST"
    (loop $more
      (drop (call $prepare (i32.const 56) (i32.const 4) (local.get $s) (local.get $a) (local.get $an)
        (local.get $p) (local.get $pn) (i32.const 0) (i32.const 0)))
      (call $body (i32.load (i32.const 48)) (i32.const 64))
      (local.set $b (i32.load (i32.const 68)))
      (call $handle (i32.load (i32.const 48)) (i32.const 0) (i32.const 0) (i32.const 64))
      (local.set $f (i32.load (i32.const 72)))
      (if (local.get $k)
        (then
          (local.set $k (i32.sub (local.get $k) (i32.const 1)))
          (call $write (local.get $b) (i32.const 64))
          (call $put (i32.load (i32.const 68)) (i32.const 8192) (i32.const 5) (i32.const 64)))
        (else
          (local.set $o (call $subscribe (local.get $f)))
          (call $block (local.get $o))
          (call $drop_pollable (local.get $o))
          (call $get (local.get $f) (i32.const 64))
          ;; connection-limit-reached
          (if (i32.and (i32.load8_u (i32.const 80)) (i32.eq (i32.load8_u (i32.const 88)) (i32.const 11)))
            (then (local.set $refused (i32.add (local.get $refused) (i32.const 1)))))
          (call $drop_future (local.get $f))
          (call $drop_body (local.get $b))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $refused))
)"#;

/// Codes of `wasi:http`, in their order.
const CODES: [&str; 39] = [
    "DNS-timeout",
    "DNS-error",
    "destination-not-found",
    "destination-unavailable",
    "destination-IP-prohibited",
    "destination-IP-unroutable",
    "connection-refused",
    "connection-terminated",
    "connection-timeout",
    "connection-read-timeout",
    "connection-write-timeout",
    "connection-limit-reached",
    "TLS-protocol-error",
    "TLS-certificate-error",
    "TLS-alert-received",
    "HTTP-request-denied",
    "HTTP-request-length-required",
    "HTTP-request-body-size",
    "HTTP-request-method-invalid",
    "HTTP-request-URI-invalid",
    "HTTP-request-URI-too-long",
    "HTTP-request-header-section-size",
    "HTTP-request-header-size",
    "HTTP-request-trailer-section-size",
    "HTTP-request-trailer-size",
    "HTTP-response-incomplete",
    "HTTP-response-header-section-size",
    "HTTP-response-header-size",
    "HTTP-response-body-size",
    "HTTP-response-trailer-section-size",
    "HTTP-response-trailer-size",
    "HTTP-response-transfer-coding",
    "HTTP-response-content-coding",
    "HTTP-response-timeout",
    "HTTP-upgrade-failed",
    "HTTP-protocol-error",
    "loop-detected",
    "configuration-error",
    "internal-error",
];

pub(crate) fn guest() -> Vec<u8> {
    component(WIT, "evil", WAT)
}

/// The same function as two tools, `fetch` and `again`.
pub(super) fn guest_with_two_tools() -> Vec<u8> {
    let start = WIT.find("export fetch:").unwrap();
    let end = start + WIT[start..].find(';').unwrap() + 1;
    let again = WIT[start..end].replace("export fetch:", "export again:");
    let wit = format!("{}{again}{}", &WIT[..start], &WIT[start..]);
    let wat = WAT.replace(
        r#"(export "fetch")"#,
        r#"(export "fetch") (export "again")"#,
    );
    component(&wit, "evil", &wat)
}

/// A timeout that is not set.
const UNSET: u64 = 1;
/// The body of the request is begun and never finished.
const UNFINISHED: u32 = 1;
/// The body of the response is not read.
const UNREAD: u32 = 2;

/// A request that the guest is told to send.
#[derive(Clone)]
pub(super) struct Ask {
    method: String,
    scheme: u32,
    authority: String,
    path: String,
    headers: Vec<(String, String)>,
    upload: u64,
    mode: u32,
    timeouts: [u64; 3],
}

impl Ask {
    fn new(scheme: u32, authority: &str, path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            scheme,
            authority: authority.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            upload: 0,
            mode: 0,
            timeouts: [UNSET; 3],
        }
    }

    pub(super) fn http(authority: &str, path: &str) -> Self {
        Self::new(0, authority, path)
    }

    pub(super) fn https(authority: &str, path: &str) -> Self {
        Self::new(1, authority, path)
    }

    /// No scheme is set.
    pub(super) fn without_scheme(authority: &str, path: &str) -> Self {
        Self::new(3, authority, path)
    }

    pub(super) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body of that many bytes `x`.
    pub(super) fn upload(mut self, bytes: u64) -> Self {
        self.method = "POST".to_owned();
        self.upload = bytes;
        self
    }

    pub(super) fn unfinished(mut self) -> Self {
        self.mode |= UNFINISHED;
        self
    }

    pub(super) fn unread(mut self) -> Self {
        self.mode |= UNREAD;
        self
    }

    /// Nanoseconds for connecting, the first byte and between bytes.
    pub(super) fn timeouts(mut self, timeouts: [u64; 3]) -> Self {
        self.timeouts = timeouts;
        self
    }

    pub(super) fn arguments(&self) -> Value {
        let [connect, first, between] = self.timeouts.map(|time| time.to_string());
        json!({
            "verb": self.method, "scheme": self.scheme, "authority": self.authority, "path": self.path,
            "headers": self.headers, "upload": self.upload, "mode": self.mode,
            "connect": connect, "first": first, "between": between,
        })
    }

    pub(super) fn send(&self, fixture: &Fixture) -> Reply {
        Reply::of(fixture.call("evil_fetch", self.arguments()))
    }
}

/// What the guest saw.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) report: CallReport,
    phase: u64,
    code: u64,
    pub(super) status: u64,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes of the body, also those that were not kept.
    pub(super) received: u64,
    /// Nanoseconds for which the guest's clock moved while it waited for the response…
    pub(super) waited: u64,
    /// …and while it computed.
    pub(super) computed: u64,
}

fn bytes(value: &Value) -> Vec<u8> {
    use base64::Engine as _;
    let text = value.as_str().unwrap();
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .unwrap()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

impl Reply {
    pub(super) fn of(report: CallReport) -> Self {
        let value = result(&report);
        let headers = value["headers"].as_array().unwrap().iter().map(|entry| {
            let text = String::from_utf8_lossy(&bytes(&entry[1])).into_owned();
            (entry[0].as_str().unwrap().to_owned(), text)
        });
        Self {
            phase: number(&value["phase"]),
            code: number(&value["code"]),
            status: number(&value["status"]),
            headers: headers.collect(),
            body: bytes(&value["body"]),
            received: number(&value["received"]),
            waited: number(&value["waited"]),
            computed: number(&value["idle"]),
            report,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// What ended the request: `ok`, a code of WASI in front of the response, `body:` and a code
    /// within it, or what could not even be said.
    pub(super) fn outcome(&self) -> String {
        let code = || {
            let at = usize::try_from(self.code).unwrap();
            CODES.get(at).copied().unwrap_or("none")
        };
        match self.phase {
            0 => "ok".to_owned(),
            1 => format!(
                "header:{}",
                ["invalid-syntax", "forbidden", "immutable"][self.code as usize]
            ),
            2 => "no-method".to_owned(),
            3 => "no-scheme".to_owned(),
            4 => "no-authority".to_owned(),
            5 => "no-path".to_owned(),
            6 => format!("handle:{}", code()),
            7 => code().to_owned(),
            8 => format!("body:{}", code()),
            phase => format!("phase {phase}"),
        }
    }

    /// The refusals on record, `reason subject`.
    pub(super) fn refusals(&self) -> Vec<String> {
        let denials = self.report.denials.iter();
        denials
            .map(|denial| {
                assert!(!denial.explanation.is_empty());
                format!("{} {}", denial.reason, denial.subject)
            })
            .collect()
    }

    /// The response arrived, and nothing was refused.
    pub(super) fn answered(&self) -> &Self {
        assert_eq!(self.outcome(), "ok", "{:?}", self.report.denials);
        assert_eq!(self.refusals(), [] as [&str; 0]);
        self
    }

    /// Refused before anything of it left, with this reason.
    #[track_caller]
    pub(super) fn denied(&self, reason: &str) {
        assert_eq!(self.outcome(), "HTTP-request-denied");
        let [refusal] = &self.refusals()[..] else {
            panic!("{:?}", self.refusals());
        };
        assert_eq!(refusal.split(' ').next(), Some(reason), "{refusal}");
    }
}
