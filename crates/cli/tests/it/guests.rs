//! Hostile and odd components, written as text where the test can be read.

use crate::sandbox::Sandbox;

/// Writes a component as `work/NAME.wasm` and returns its path.
pub(crate) fn write(sandbox: &Sandbox, name: &str, text: &str) -> String {
    let file = format!("work/{name}.wasm");
    std::fs::write(sandbox.path(&file), wat::parse_str(text).unwrap()).unwrap();
    sandbox.text(&file)
}

/// Returns what `wasi:cli/environment` shows it.
pub(crate) const ENVIRONMENT: &str = r#"(component
  (import "wasi:cli/environment@0.2.0" (instance $env
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (core module $libc
    (memory (export "memory") 4)
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (local.get 3)))))
  (core instance $libc (instantiate $libc))
  (core func $variables (canon lower (func $env "get-environment")
    (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core func $arguments (canon lower (func $env "get-arguments")
    (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $main
    (import "host" "variables" (func $variables (param i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (func (export "variables") (result i32) (call $variables (i32.const 16)) (i32.const 16))
    (func (export "arguments") (result i32) (call $arguments (i32.const 16)) (i32.const 16)))
  (core instance $main (instantiate $main (with "host" (instance
    (export "variables" (func $variables))
    (export "arguments" (func $arguments))))))
  (func (export "variables") (result (list (tuple string string)))
    (canon lift (core func $main "variables") (memory $libc "memory")))
  (func (export "arguments") (result (list string))
    (canon lift (core func $main "arguments") (memory $libc "memory"))))"#;

/// Returns text that would clear the screen, set the clipboard, overwrite its line and hide.
pub(crate) const ESCAPES: &str = r#"(component
  (core module $main
    (memory (export "memory") 1)
    (data (i32.const 64) "\1b[2J\1b]52;c;aGk=\07x\0dy\c2\9b31mz\e2\80\ae\00")
    (func (export "say") (result i32)
      (i32.store (i32.const 0) (i32.const 64))
      (i32.store (i32.const 4) (i32.const 28))
      (i32.const 0)))
  (core instance $main (instantiate $main))
  (func (export "say") (result string)
    (canon lift (core func $main "say") (memory $main "memory"))))"#;

/// Traps.
pub(crate) const TRAP: &str = r#"(component
  (core module $main (func (export "run") unreachable))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))"#;

/// Never returns.
pub(crate) const SPIN: &str = r#"(component
  (core module $main (func (export "run") (loop (br 0))))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))"#;

/// Imports what no host has.
pub(crate) const UNKNOWN_IMPORT: &str = r#"(component
  (import "acme:database/query@1.0.0" (instance (export "run" (func))))
  (core module $main (func (export "run")))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))"#;

/// A module of the time before components.
pub(crate) const CORE_MODULE: &str = r#"(module (func (export "run")))"#;

/// Writes to its standard error and then traps (`fail`), or writes 150 lines of it and returns (`chatter`).
pub(crate) const TALKS: &str = r#"(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $stream (sub resource)))
    (alias outer 1 $error (type $outer))
    (export "error" (type $cause (eq $outer)))
    (type $failures (variant (case "last-operation-failed" (own $cause)) (case "closed")))
    (export "stream-error" (type $failure (eq $failures)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $failure)))))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $stream (type $outer))
    (export "output-stream" (type $stream (eq $outer)))
    (export "get-stderr" (func (result (own $stream))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory "memory")))
  (core func $stderr (canon lower (func $stderr "get-stderr")))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "stderr" (func $stderr (result i32)))
    (data (i32.const 64) "panicked at src/lib.rs:7\0aok: forged\1b[2J\09\e2\80\ae\0a\0alast\0a")
    (func $panic unreachable)
    (func $"work\0aok: forged" (call $panic))
    (func (export "fail")
      (call $write (call $stderr) (i32.const 64) (i32.const 50) (i32.const 0))
      (call $"work\0aok: forged"))
    (func (export "chatter") (local $stream i32) (local $left i32)
      (local.set $stream (call $stderr))
      (local.set $left (i32.const 150))
      (loop $again
        (call $write (local.get $stream) (i32.const 64) (i32.const 25) (i32.const 0))
        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "write" (func $write))
    (export "stderr" (func $stderr))))))
  (func (export "fail") (canon lift (core func $main "fail")))
  (func (export "chatter") (canon lift (core func $main "chatter"))))"#;

/// A component of more than one MiB, most of it data.
pub(crate) fn large() -> String {
    format!(
        r#"(component
  (core module $main
    (memory 40)
    (data (i32.const 0) "{}")
    (func (export "run")))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))"#,
        "0123456789abcdef".repeat(100_000)
    )
}
