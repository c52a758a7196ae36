//! What a guest finds around it: variables, streams, clocks, random numbers, an exit
//! (cases S129, S130, S133, S134, S136–S141, S143, S228).

mod clocks;
mod environment;
mod random;
mod streams;

use crate::common::wasi_component;

/// Memory and an allocator that starts over at each call of a test's function.
const MEMORY: &str = r#"
(memory (export "memory") 40)
(global $next (mut i32) (i32.const 65536))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (global.get $next))
  (global.set $next (i32.and (i32.const -8)
    (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))
  (local.get $at))
"#;

/// A component with these lines in its world, and a core module of imports and functions.
fn guest(world: &str, imports: &str, functions: &str) -> Vec<u8> {
    wasi_component(
        &format!("package test:evil; world evil {{ {world} }}"),
        "evil",
        &format!("(module {imports} {MEMORY} {functions})"),
    )
}

/// A function without parameters that returns what one WASI function puts into memory.
fn handed_on(name: &str) -> String {
    format!(
        r#"(func (export "{name}") (result i32) (call ${name} (i32.const 1024)) (i32.const 1024))"#
    )
}

fn permissions(lines: &str) -> String {
    format!("permissions:\n  {lines}\n")
}
