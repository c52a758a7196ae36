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
