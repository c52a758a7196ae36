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
