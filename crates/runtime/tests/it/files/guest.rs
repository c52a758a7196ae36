//! A guest with one function for each thing that can be done to a file system.
//!
//! Most functions hand their parameters to one WASI function and its answer back, so the
//! types of its exports are WASI's own. `mount` is the index of the directory among those that
//! the guest is given.

use crate::common::wasi_component;
use std::fmt::Write as _;

/// Where WASI's answer is put, which is also the function's own answer.
const ANSWER: &str = "(i32.const 1024)";

/// Functions that open a file first: name, answer, further parameters in WIT and WAT, and what
/// they do with the descriptor `$d`.
const OPENING: [(&str, &str, &str, &str, &str); 23] = [
    ("open", "u32", "", "", ""),
    (
        "stat",
        "descriptor-stat",
        "",
        "",
        "(call $stat (local.get $d) (i32.const 1024))",
    ),
    (
        "read",
        "tuple<list<u8>, bool>",
        "",
        "",
        "(call $read (local.get $d) (i64.const 65536) (i64.const 0) (i32.const 1024))",
    ),
    (
        "read-via-stream",
        "list<u8>",
        "",
        "",
        "(call $read-via-stream (local.get $d) (i64.const 0) (i32.const 1024))
         (if (i32.eqz (i32.load8_u (i32.const 1024))) (then
           (call $blocking-read (i32.load (i32.const 1028)) (i64.const 65536) (i32.const 2048))
           (i64.store (i32.const 1028) (i64.const 0))
           (if (i32.eqz (i32.load8_u (i32.const 2048))) (then
             (i64.store (i32.const 1028) (i64.load (i32.const 2052)))))))",
    ),
    (
        "write",
        "u64",
        ", bytes: list<u8>",
        "(param $b i32) (param $l i32)",
        "(call $write (local.get $d) (local.get $b) (local.get $l) (i64.const 0) (i32.const 1024))",
    ),
    (
        "write-via-stream",
        "u32",
        ", bytes: list<u8>",
        "(param $b i32) (param $l i32)",
        "(call $write-via-stream (local.get $d) (i64.const 0) (i32.const 1024))
         (call $send (local.get $b) (local.get $l))",
    ),
    (
        "append-via-stream",
        "u32",
        ", bytes: list<u8>",
        "(param $b i32) (param $l i32)",
        "(call $append-via-stream (local.get $d) (i32.const 1024))
         (call $send (local.get $b) (local.get $l))",
    ),
    (
        "write-at",
        "u64",
        ", offset: u64, bytes: list<u8>",
        "(param $at i64) (param $b i32) (param $l i32)",
        "(call $write (local.get $d) (local.get $b) (local.get $l) (local.get $at) (i32.const 1024))",
    ),
    // Appends 4,096 bytes so many times, whatever is answered.
    (
        "append-for-long",
        "u32",
        ", times: u32",
        "(param $times i32)",
        "(call $append-via-stream (local.get $d) (i32.const 1024))
         (if (i32.eqz (i32.load8_u (i32.const 1024))) (then (loop $again
           (call $flush (i32.load (i32.const 1028)) (i32.const 0) (i32.const 4096) (i32.const 2048))
           (local.set $times (i32.sub (local.get $times) (i32.const 1)))
           (br_if $again (local.get $times)))))",
    ),
    // How many entries a directory has, without keeping them.
    ("count", "u32", "", "", "(call $counted (local.get $d))"),
    // What is told of a stream that failed: it reads where no file can reach.
    (
        "explain-failure",
        "string",
        "",
        "",
        "(call $fail (local.get $d)) (call $to-debug-string (i32.load (i32.const 2056)) (i32.const 1028))",
    ),
    (
        "code-of-failure",
        "option<error-code>",
        "",
        "",
        "(call $fail (local.get $d)) (call $filesystem-error-code (i32.load (i32.const 2056)) (i32.const 1025))",
    ),
    (
        "set-size",
        "_",
        ", size: u64",
        "(param $size i64)",
        "(call $set-size (local.get $d) (local.get $size) (i32.const 1024))",
    ),
    (
        "set-times",
        "_",
        "",
        "",
        "(call $set-times (local.get $d) (i32.const 2) (i64.const 1000000000) (i32.const 0)
           (i32.const 2) (i64.const 1000000000) (i32.const 0) (i32.const 1024))",
    ),
    (
        "advise",
        "_",
        "",
        "",
        "(call $advise (local.get $d) (i64.const 0) (i64.const 10) (i32.const 4) (i32.const 1024))",
    ),
    (
        "sync",
        "_",
        "",
        "",
        "(call $sync (local.get $d) (i32.const 1024))",
    ),
    (
        "sync-data",
        "_",
        "",
        "",
        "(call $sync-data (local.get $d) (i32.const 1024))",
    ),
    (
        "get-flags",
        "descriptor-flags",
        "",
        "",
        "(call $get-flags (local.get $d) (i32.const 1024))",
    ),
    (
        "get-type",
        "descriptor-type",
        "",
        "",
        "(call $get-type (local.get $d) (i32.const 1024))",
    ),
    // Whether what was opened is the first mount.
    (
        "is-mount",
        "bool",
        "",
        "",
        "(i32.store16 (i32.const 1024) (i32.shl
           (call $is-same-object (local.get $d) (call $mount (i32.const 0))) (i32.const 8)))",
    ),
    (
        "metadata-hash",
        "metadata-hash-value",
        "",
        "",
        "(call $metadata-hash (local.get $d) (i32.const 1024))",
    ),
    (
        "list",
        "list<directory-entry>",
        "",
        "",
        "(call $entries (local.get $d))",
    ),
    // Opens and reads `below` from the directory that was opened, not from the mount.
    (
        "read-below",
        "tuple<list<u8>, bool>",
        ", below: string",
        "(param $b i32) (param $l i32)",
        "(call $open-at (local.get $d) (i32.const 1) (local.get $b) (local.get $l)
           (i32.const 0) (i32.const 1) (i32.const 1024))
         (if (i32.eqz (i32.load8_u (i32.const 1024))) (then
           (call $read (i32.load (i32.const 1028)) (i64.const 65536) (i64.const 0) (i32.const 1024))))",
    ),
];

const IMPORTS: &str = r#"
(import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.stat" (func $stat (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.stat-at" (func $stat-at (param i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.read" (func $read (param i32 i64 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.write" (func $write (param i32 i32 i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-via-stream" (func $read-via-stream (param i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.write-via-stream" (func $write-via-stream (param i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.append-via-stream" (func $append-via-stream (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-size" (func $set-size (param i32 i64 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-times" (func $set-times (param i32 i32 i64 i32 i32 i64 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.set-times-at" (func $set-times-at (param i32 i32 i32 i32 i32 i64 i32 i32 i64 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.advise" (func $advise (param i32 i64 i64 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.sync" (func $sync (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.sync-data" (func $sync-data (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.get-flags" (func $get-flags (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.get-type" (func $get-type (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.is-same-object" (func $is-same-object (param i32 i32) (result i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.metadata-hash" (func $metadata-hash (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.metadata-hash-at" (func $metadata-hash-at (param i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-directory" (func $read-directory (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]directory-entry-stream.read-directory-entry" (func $entry (param i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.create-directory-at" (func $create-directory-at (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.remove-directory-at" (func $remove-directory-at (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.unlink-file-at" (func $unlink-file-at (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.readlink-at" (func $readlink-at (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.symlink-at" (func $symlink-at (param i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.link-at" (func $link-at (param i32 i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[method]descriptor.rename-at" (func $rename-at (param i32 i32 i32 i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor" (func $drop (param i32)))
(import "wasi:io/streams@0.2.12" "[method]output-stream.blocking-write-and-flush" (func $flush (param i32 i32 i32 i32)))
(import "wasi:filesystem/types@0.2.12" "filesystem-error-code" (func $filesystem-error-code (param i32 i32)))
(import "wasi:io/error@0.2.12" "[method]error.to-debug-string" (func $to-debug-string (param i32 i32)))
(import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $blocking-read (param i32 i64 i32)))
"#;

const SHARED: &str = r#"
(memory (export "memory") 2)
(global $next (mut i32) (i32.const 65536))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $next))
  (global.set $next (i32.and (i32.const -8)
    (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))
  (block $done (loop $grow
    (br_if $done (i32.ge_u (i32.shl (memory.size) (i32.const 16)) (global.get $next)))
    (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
    (br $grow)))
  (local.get $at))
(func $mount (param $index i32) (result i32)
  (call $directories (i32.const 16))
  (if (i32.ge_u (local.get $index) (i32.load (i32.const 20))) (then unreachable))
  (i32.load (i32.add (i32.load (i32.const 16)) (i32.mul (local.get $index) (i32.const 12)))))
;; A descriptor or -1, with the code of the error where every type of answer has it.
(func $open (param $m i32) (param $how i32) (param $p i32) (param $n i32) (param $of i32) (param $df i32) (result i32)
  (call $open-at (call $mount (local.get $m)) (local.get $how) (local.get $p) (local.get $n)
    (local.get $of) (local.get $df) (i32.const 1024))
  (if (result i32) (i32.load8_u (i32.const 1024)) (then
    (i32.store8 (i32.const 1025) (i32.load8_u (i32.const 1028)))
    (i32.store8 (i32.const 1032) (i32.load8_u (i32.const 1028)))
    (i32.const -1)) (else (i32.load (i32.const 1028)))))
;; Writes to the stream in the answer; a failure is told as `io`.
(func $send (param $b i32) (param $l i32)
  (if (i32.eqz (i32.load8_u (i32.const 1024))) (then
    (call $flush (i32.load (i32.const 1028)) (local.get $b) (local.get $l) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then
      (i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1028) (i32.const 13)))))))
;; Leaves the error of a stream at 2056.
(func $fail (param $d i32)
  (call $read-via-stream (local.get $d) (i64.const -1) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (unreachable)))
  (call $blocking-read (i32.load (i32.const 1028)) (i64.const 16) (i32.const 2048))
  (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then (unreachable)))
  (if (i32.load8_u (i32.const 2052)) (then (unreachable))))
;; All entries of a directory, at most 2,700.
(func $entries (param $d i32) (local $s i32) (local $count i32) (local $at i32)
  (call $read-directory (local.get $d) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (return)))
  (local.set $s (i32.load (i32.const 1028)))
  (block $end (loop $more
    (call $entry (local.get $s) (i32.const 2048))
    (if (i32.load8_u (i32.const 2048)) (then
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store8 (i32.const 1028) (i32.load8_u (i32.const 2052)))
      (return)))
    (br_if $end (i32.eqz (i32.load8_u (i32.const 2052))))
    (if (i32.ge_u (local.get $count) (i32.const 2700)) (then unreachable))
    (local.set $at (i32.add (i32.const 32768) (i32.mul (local.get $count) (i32.const 12))))
    (memory.copy (local.get $at) (i32.const 2056) (i32.const 12))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br $more)))
  (i32.store (i32.const 1028) (i32.const 32768))
  (i32.store (i32.const 1032) (local.get $count)))
;; Counts the entries of a directory.
(func $counted (param $d i32) (local $s i32) (local $count i32) (local $heap i32)
  (call $read-directory (local.get $d) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (return)))
  (local.set $s (i32.load (i32.const 1028)))
  (local.set $heap (global.get $next))
  (block $end (loop $more
    (global.set $next (local.get $heap))
    (call $entry (local.get $s) (i32.const 2048))
    (br_if $end (i32.load8_u (i32.const 2048)))
    (br_if $end (i32.eqz (i32.load8_u (i32.const 2052))))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br $more)))
  (i32.store (i32.const 1028) (local.get $count)))
;; Writes a number as eight digits at 512.
(func $digits (param $number i32) (local $at i32)
  (local.set $at (i32.const 520))
  (loop $again
    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
    (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
    (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
    (br_if $again (i32.gt_u (local.get $at) (i32.const 512)))))
;; Makes directories or files with numbers as names; how often that went well.
(func (export "make-many") (param $m i32) (param $files i32) (param $times i32) (result i32)
  (local $base i32) (local $count i32)
  (local.set $base (call $mount (local.get $m)))
  (block $end (loop $again
    (br_if $end (i32.eqz (local.get $times)))
    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
    (call $digits (local.get $times))
    (if (local.get $files)
      (then
        (call $open-at (local.get $base) (i32.const 0) (i32.const 512) (i32.const 8) (i32.const 1) (i32.const 2) (i32.const 1024))
        (if (i32.eqz (i32.load8_u (i32.const 1024))) (then (call $drop (i32.load (i32.const 1028))))))
      (else (call $create-directory-at (local.get $base) (i32.const 512) (i32.const 8) (i32.const 1024))))
    (br_if $again (i32.load8_u (i32.const 1024)))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br $again)))
  (local.get $count))
;; Opens a file, says so by a directory 00000000, and holds it until a sign appears; then the code of reading it on, and of opening it again, 255 for well.
(func (export "linger") (param $m i32) (param $p i32) (param $n i32) (param $sp i32) (param $sn i32) (result i32)
  (local $base i32) (local $held i32) (local $heap i32)
  (local.set $base (call $mount (local.get $m)))
  (call $open-at (local.get $base) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then unreachable))
  (local.set $held (i32.load (i32.const 1028)))
  (local.set $heap (global.get $next))
  (call $digits (i32.const 0))
  (call $create-directory-at (local.get $base) (i32.const 512) (i32.const 8) (i32.const 1024))
  (loop $again
    (call $stat-at (local.get $base) (i32.const 1) (local.get $sp) (local.get $sn) (i32.const 2048))
    (br_if $again (i32.load8_u (i32.const 2048))))
  (i32.store (i32.const 16) (i32.const 255))
  (i32.store (i32.const 20) (i32.const 255))
  (call $read (local.get $held) (i64.const 64) (i64.const 0) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (i32.store (i32.const 16) (i32.load8_u (i32.const 1028)))))
  (call $open-at (local.get $base) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 1024))
  (if (i32.load8_u (i32.const 1024)) (then (i32.store (i32.const 20) (i32.load8_u (i32.const 1028)))))
  (i32.const 16))
(func (export "mounts") (result i32) (call $directories (i32.const 1024)) (i32.const 1024))
(func (export "guess") (param i32) (result i32) (call $stat (local.get 0) (i32.const 1024)) (i32.const 1024))
(func (export "set-times-at") (param i32 i32 i32 i32) (result i32)
  (call $set-times-at (call $mount (local.get 0)) (local.get 1) (local.get 2) (local.get 3)
    (i32.const 2) (i64.const 1000000000) (i32.const 0) (i32.const 2) (i64.const 1000000000) (i32.const 0) (i32.const 1024))
  (i32.const 1024))
(func (export "list-mount") (param i32) (result i32)
  (call $entries (call $mount (local.get 0))) (i32.const 1024))
(func (export "symlink-at") (param i32 i32 i32 i32 i32) (result i32)
  (call $symlink-at (call $mount (local.get 0)) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (i32.const 1024))
  (i32.const 1024))
(func (export "link-at") (param i32 i32 i32 i32 i32 i32 i32) (result i32)
  (call $link-at (call $mount (local.get 0)) (local.get 1) (local.get 2) (local.get 3)
    (call $mount (local.get 4)) (local.get 5) (local.get 6) (i32.const 1024))
  (i32.const 1024))
(func (export "rename-at") (param i32 i32 i32 i32 i32 i32) (result i32)
  (call $rename-at (call $mount (local.get 0)) (local.get 1) (local.get 2)
    (call $mount (local.get 3)) (local.get 4) (local.get 5) (i32.const 1024))
  (i32.const 1024))
;; Opens a file many times without closing it; how often that went well.
(func (export "hold") (param $m i32) (param $p i32) (param $n i32) (param $times i32) (result i32)
  (local $count i32) (local $base i32)
  (local.set $base (call $mount (local.get $m)))
  (block $end (loop $again
    (br_if $end (i32.eqz (local.get $times)))
    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
    (call $open-at (local.get $base) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 1024))
    (br_if $end (i32.load8_u (i32.const 1024)))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br $again)))
  (local.get $count))
;; Opens, reads and closes a file many times: how often that went well, and with a leading X.
(func (export "hammer") (param $m i32) (param $p i32) (param $n i32) (param $times i32) (result i32)
  (local $base i32) (local $d i32) (local $read i32) (local $marked i32) (local $heap i32)
  (local.set $base (call $mount (local.get $m)))
  (local.set $heap (global.get $next))
  (block $end (loop $again
    (br_if $end (i32.eqz (local.get $times)))
    (local.set $times (i32.sub (local.get $times) (i32.const 1)))
    (global.set $next (local.get $heap))
    (call $open-at (local.get $base) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 1024))
    (br_if $again (i32.load8_u (i32.const 1024)))
    (local.set $d (i32.load (i32.const 1028)))
    (call $read (local.get $d) (i64.const 64) (i64.const 0) (i32.const 1024))
    (call $drop (local.get $d))
    (br_if $again (i32.load8_u (i32.const 1024)))
    (local.set $read (i32.add (local.get $read) (i32.const 1)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 1028))) (i32.const 88)) (then
      (local.set $marked (i32.add (local.get $marked) (i32.const 1)))))
    (br $again)))
  (i32.store (i32.const 1024) (local.get $read))
  (i32.store (i32.const 1028) (local.get $marked))
  (i32.const 1024))
"#;

const WORLD: &str = "package test:evil;
world evil {
  import wasi:filesystem/preopens@0.2.12;
  import wasi:filesystem/types@0.2.12;
  import wasi:io/error@0.2.12;
  import wasi:io/streams@0.2.12;
  use wasi:filesystem/types@0.2.12.{descriptor-stat, error-code, path-flags, open-flags,
    descriptor-flags, descriptor-type, directory-entry, metadata-hash-value};
  export mounts: func() -> list<tuple<u32, string>>;
  export guess: func(handle: u32) -> result<descriptor-stat, error-code>;
  export stat-at: func(mount: u32, how: path-flags, path: string) -> result<descriptor-stat, error-code>;
  export metadata-hash-at: func(mount: u32, how: path-flags, path: string) -> result<metadata-hash-value, error-code>;
  export set-times-at: func(mount: u32, how: path-flags, path: string) -> result<_, error-code>;
  export create-directory-at: func(mount: u32, path: string) -> result<_, error-code>;
  export remove-directory-at: func(mount: u32, path: string) -> result<_, error-code>;
  export unlink-file-at: func(mount: u32, path: string) -> result<_, error-code>;
  export readlink-at: func(mount: u32, path: string) -> result<string, error-code>;
  export list-mount: func(mount: u32) -> result<list<directory-entry>, error-code>;
  export symlink-at: func(mount: u32, target: string, path: string) -> result<_, error-code>;
  export link-at: func(mount: u32, how: path-flags, path: string, to-mount: u32, to: string) -> result<_, error-code>;
  export rename-at: func(mount: u32, path: string, to-mount: u32, to: string) -> result<_, error-code>;
  export hold: func(mount: u32, path: string, times: u32) -> u32;
  export make-many: func(mount: u32, files: bool, times: u32) -> u32;
  export linger: func(mount: u32, path: string, sign: string) -> tuple<u32, u32>;
  export hammer: func(mount: u32, path: string, times: u32) -> tuple<u32, u32>;
";

/// The component.
pub(crate) fn guest() -> Vec<u8> {
    let mut wit = WORLD.to_owned();
    let mut wat = format!("(module {IMPORTS} {SHARED}");
    for name in ["stat-at", "metadata-hash-at"] {
        write!(
            wat,
            r#"(func (export "{name}") (param i32 i32 i32 i32) (result i32)
              (call ${name} (call $mount (local.get 0)) (local.get 1) (local.get 2) (local.get 3) {ANSWER}) {ANSWER})"#
        )
        .unwrap();
    }
    for name in [
        "create-directory-at",
        "remove-directory-at",
        "unlink-file-at",
        "readlink-at",
    ] {
        write!(
            wat,
            r#"(func (export "{name}") (param i32 i32 i32) (result i32)
              (call ${name} (call $mount (local.get 0)) (local.get 1) (local.get 2) {ANSWER}) {ANSWER})"#
        )
        .unwrap();
    }
    for (name, answer, more_wit, more_wat, act) in OPENING {
        writeln!(
            wit,
            "export %{name}: func(mount: u32, how: path-flags, path: string, %open: open-flags, %for: descriptor-flags{more_wit}) -> result<{answer}, error-code>;"
        )
        .unwrap();
        write!(
            wat,
            r#"(func (export "{name}") (param $m i32) (param $how i32) (param $p i32) (param $n i32)
              (param $of i32) (param $df i32) {more_wat} (result i32) (local $d i32)
              (local.set $d (call $open (local.get $m) (local.get $how) (local.get $p) (local.get $n)
                (local.get $of) (local.get $df)))
              (if (i32.ne (local.get $d) (i32.const -1)) (then {act})) {ANSWER})"#
        )
        .unwrap();
    }
    wit.push('}');
    wat.push(')');
    wasi_component(&wit, "evil", &wat)
}
