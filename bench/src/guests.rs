//! The component that is measured: a string goes in and comes out.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const WIT: &str = "package bench:echo; world echo { export echo: func(text: string) -> string; }";

const WAT: &str = r#"
(module
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "echo") (param i32 i32) (result i32)
    (i32.store (i32.const 16) (local.get 0))
    (i32.store (i32.const 20) (local.get 1))
    i32.const 16))
"#;

/// The component's bytes.
pub(crate) fn echo() -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("echo.wit", WIT)?;
    let world = resolve.select_world(&[package], Some("echo"))?;
    let mut module = wat::parse_str(WAT)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}

/// The WASI packages that a guest with files imports from, each after what it uses.
const WASI: [(&str, &str); 3] = [
    (
        "io.wit",
        include_str!("../../crates/runtime/wit/deps/io.wit"),
    ),
    (
        "clocks.wit",
        include_str!("../../crates/runtime/wit/deps/clocks.wit"),
    ),
    (
        "filesystem.wit",
        include_str!("../../crates/runtime/wit/deps/filesystem.wit"),
    ),
];

const FILES_WIT: &str = "package bench:files;
world files {
  import wasi:filesystem/preopens@0.2.12;
  import wasi:filesystem/types@0.2.12;
  import wasi:io/streams@0.2.12;
  export read-files: func(times: u32) -> u32;
  export read-deep-files: func(times: u32) -> u32;
  export stream-files: func(times: u32) -> u32;
  export list-entries: func(times: u32) -> u32;
}";

/// Each export returns how often all went well, or how many entries there were.
const FILES_WAT: &str = r#"
(module
  (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.open-at" (func $open-at (param i32 i32 i32 i32 i32 i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read" (func $read (param i32 i64 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-via-stream" (func $read-via-stream (param i32 i64 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]descriptor.read-directory" (func $read-directory (param i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[method]directory-entry-stream.read-directory-entry" (func $entry (param i32 i32)))
  (import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor" (func $drop (param i32)))
  (import "wasi:filesystem/types@0.2.12" "[resource-drop]directory-entry-stream" (func $drop-entries (param i32)))
  (import "wasi:io/streams@0.2.12" "[method]input-stream.blocking-read" (func $blocking-read (param i32 i64 i32)))
  (import "wasi:io/streams@0.2.12" "[resource-drop]input-stream" (func $drop-stream (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "file")
  (data (i32.const 32) "one/two/three/four/file")
  (data (i32.const 64) "many")
  (global $next (mut i32) (i32.const 16384))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.and (i32.const -8)
      (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))
    (local.get $at))
  (func $mount (result i32)
    (call $directories (i32.const 1024))
    (i32.load (i32.load (i32.const 1024))))
  (func $open (param $base i32) (param $p i32) (param $n i32) (result i32)
    (call $open-at (local.get $base) (i32.const 1) (local.get $p) (local.get $n) (i32.const 0) (i32.const 1) (i32.const 1024))
    (if (i32.load8_u (i32.const 1024)) (then unreachable))
    (i32.load (i32.const 1028)))
  (func $read-all (param $p i32) (param $n i32) (param $times i32) (result i32)
    (local $base i32) (local $d i32) (local $count i32) (local $heap i32)
    (local.set $base (call $mount))
    (local.set $heap (global.get $next))
    (loop $again
      (global.set $next (local.get $heap))
      (local.set $d (call $open (local.get $base) (local.get $p) (local.get $n)))
      (call $read (local.get $d) (i64.const 4096) (i64.const 0) (i32.const 1024))
      (call $drop (local.get $d))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (if (i32.eq (i32.load (i32.const 1032)) (i32.const 4096)) (then
        (local.set $count (i32.add (local.get $count) (i32.const 1)))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $count))
  (func (export "read-files") (param i32) (result i32)
    (call $read-all (i32.const 16) (i32.const 4) (local.get 0)))
  (func (export "read-deep-files") (param i32) (result i32)
    (call $read-all (i32.const 32) (i32.const 23) (local.get 0)))
  (func (export "stream-files") (param $times i32) (result i32)
    (local $base i32) (local $d i32) (local $s i32) (local $count i32) (local $heap i32)
    (local.set $base (call $mount))
    (local.set $heap (global.get $next))
    (loop $again
      (global.set $next (local.get $heap))
      (local.set $d (call $open (local.get $base) (i32.const 16) (i32.const 4)))
      (call $read-via-stream (local.get $d) (i64.const 0) (i32.const 1024))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (local.set $s (i32.load (i32.const 1028)))
      (call $blocking-read (local.get $s) (i64.const 4096) (i32.const 1024))
      (call $drop-stream (local.get $s))
      (call $drop (local.get $d))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (if (i32.eq (i32.load (i32.const 1032)) (i32.const 4096)) (then
        (local.set $count (i32.add (local.get $count) (i32.const 1)))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $count))
  (func (export "list-entries") (param $times i32) (result i32)
    (local $base i32) (local $d i32) (local $s i32) (local $count i32) (local $heap i32)
    (local.set $base (call $mount))
    (local.set $heap (global.get $next))
    (loop $again
      (local.set $count (i32.const 0))
      (call $open-at (local.get $base) (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 2) (i32.const 1) (i32.const 1024))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (local.set $d (i32.load (i32.const 1028)))
      (call $read-directory (local.get $d) (i32.const 1024))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (local.set $s (i32.load (i32.const 1028)))
      (block $end (loop $more
        (global.set $next (local.get $heap))
        (call $entry (local.get $s) (i32.const 1024))
        (if (i32.load8_u (i32.const 1024)) (then unreachable))
        (br_if $end (i32.eqz (i32.load8_u (i32.const 1028))))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br $more)))
      (call $drop-entries (local.get $s))
      (call $drop (local.get $d))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (local.get $count))
)
"#;

/// A component that reads and lists files over and over.
pub(crate) fn files() -> anyhow::Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    for (name, text) in WASI {
        resolve.push_str(name, text)?;
    }
    let package = resolve.push_str("files.wit", FILES_WIT)?;
    let world = resolve.select_world(&[package], Some("files"))?;
    let mut module = wat::parse_str(FILES_WAT)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().module(&module)?.encode()
}
