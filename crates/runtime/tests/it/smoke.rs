//! The ordinary way: install, call, see the result and the record.

use crate::common::component;
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::Outcome;
use serde_json::json;

/// Memory, a bump allocator, and `echo`: the string that came in goes out.
pub(crate) const ECHO: &str = r#"
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    global.get $next
    local.set $at
    global.get $next
    local.get 3
    i32.add
    i32.const 7
    i32.add
    i32.const -8
    i32.and
    global.set $next
    (block $done
      (loop $grow
        memory.size
        i32.const 16
        i32.shl
        global.get $next
        i32.ge_u
        br_if $done
        i32.const 1
        memory.grow
        i32.const -1
        i32.eq
        if unreachable end
        br $grow))
    local.get $at)
  (func (export "echo") (param i32 i32) (result i32)
    i32.const 16
    local.get 0
    i32.store
    i32.const 20
    local.get 1
    i32.store
    i32.const 16))
"#;

pub(crate) fn echo() -> Vec<u8> {
    component(
        "package test:echo; world echo { export echo: func(text: string) -> string; }",
        "echo",
        ECHO,
    )
}

#[test]
fn a_component_is_installed_called_and_recorded() {
    let fixture = Fixture::new();
    fixture.install("echo", &echo(), "");
    let report = fixture.call("echo_echo", json!({"text": "hello"}));
    assert_eq!(result(&report), json!("hello"));
    assert_eq!(report.denials, []);
    assert!(report.usage.memory >= 65_536);
    let record = fixture.records.all().remove(0);
    assert_eq!(record.component, "echo");
    assert_eq!(record.outcome, "ok");
    assert_eq!(record.caller, "test");
}

#[test]
fn arguments_are_checked_before_anything_starts() {
    let fixture = Fixture::new();
    fixture.install("echo", &echo(), "");
    let catalog = fixture.runtime.catalog();
    let tool = catalog.tool("echo_echo").unwrap();
    for (arguments, message) in [
        (json!({"text": 1}), "arguments.text: expected string"),
        (json!({}), "arguments.text: missing"),
        (
            json!({"text": "a", "more": 1}),
            "arguments: unknown key \"more\"",
        ),
        (json!([]), "arguments: expected object"),
    ] {
        let error = tool.parse_args(arguments).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert!(fixture.records.all().is_empty());
}

#[test]
fn a_restart_finds_what_was_installed_and_compiles_nothing() {
    let fixture = Fixture::new();
    fixture.install("echo", &echo(), "");
    struct Never;
    impl casemate_runtime::compile::Compiler for Never {
        fn compile(
            &self,
            _engine: &wasmtime::Engine,
            _component: &[u8],
        ) -> Result<Vec<u8>, casemate_runtime::compile::CompileError> {
            panic!("compiled again");
        }
    }
    let again = casemate_runtime::Runtime::builder(fixture.home.clone())
        .compiler(std::sync::Arc::new(Never))
        .open()
        .unwrap();
    let catalog = again.catalog();
    let tool = catalog.tool("echo_echo").unwrap();
    let arguments = tool.parse_args(json!({"text": "again"})).unwrap();
    let report = fixture
        .block_on(tool.call(
            "test",
            arguments,
            tokio_util::sync::CancellationToken::new(),
        ))
        .unwrap();
    assert_eq!(
        report.outcome,
        Outcome::Returned(json!({"result": "again"}))
    );
    assert_eq!(reason(&report), "none");
}
