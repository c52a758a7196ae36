//! What tools really call of their imports, against what the bytes say that they can.

use crate::common::wasi_component;
use crate::fixture::Fixture;
use casemate_runtime::inspect::reached::{Reachability, Reached};
use casemate_runtime::inspect::{Capability, InspectedComponent, IntakeLimits, inspect};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const NOTES: &[u8] = include_bytes!("../../../../examples/rust/notes.wasm");
const CHECKSUMS: &[u8] = include_bytes!("../../../../examples/c/checksums.wasm");

fn look(bytes: &[u8]) -> (InspectedComponent, Reached) {
    let limits = IntakeLimits::default();
    let inspected = inspect(bytes, None, &limits).unwrap();
    let reached = Reached::of(bytes, &inspected, &limits);
    (inspected, reached)
}

/// Remembers which functions of the host are called: the bindings of streams open a span for each of theirs.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<BTreeSet<(String, String)>>>);

#[derive(Default)]
struct Fields {
    module: String,
    function: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "module" => value.clone_into(&mut self.module),
            "function" => value.clone_into(&mut self.function),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subscriber for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "wit-bindgen import"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        span.record(&mut fields);
        self.0
            .lock()
            .unwrap()
            .insert((fields.module, fields.function));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Every function that was called is one that was found reachable; how many there were.
fn all_were_reachable(calls: &Calls, reached: &Reached) -> usize {
    let called = std::mem::take(&mut *calls.0.lock().unwrap());
    for (module, function) in &called {
        // The bindings give the interface's own name, and resources' drops as `[drop]name`, which are no imported functions.
        if function.starts_with("[drop]") || function.starts_with("[resource-drop]") {
            continue;
        }
        let found = reached.functions().iter().find(|found| {
            let interface = found.interface.split('@').next().unwrap();
            interface.ends_with(&format!("/{module}")) && found.function == *function
        });
        let found = found.unwrap_or_else(|| panic!("{module} {function} is not imported"));
        assert_eq!(found.reach, Reachability::Reachable, "{module} {function}");
    }
    called.len()
}

/// In a process of its own, since a subscriber is the whole process's.
#[test]
fn what_the_examples_call_was_found_reachable() {
    const TEST: &str = "reached::what_the_examples_call_was_found_reachable";
    if !std::env::args().any(|argument| argument == "--exact") {
        let mut child = Command::new(std::env::current_exe().unwrap());
        let output = child
            .args([TEST, "--exact", "--nocapture"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}\n{errors}");
        assert!(told.contains("test result: ok. 1 passed"), "{told}");
        return;
    }
    let calls = Calls::default();
    tracing::subscriber::set_global_default(calls.clone()).unwrap();
    let fixture = Fixture::with_workspace();
    std::fs::write(fixture.workspace().join("a.md"), "tea\n").unwrap();
    let policy = "permissions:\n  storage:\n    allow:\n      - uri: fs://workspace/**\n        access: [read, write]\n  clocks: full\n";

    fixture.install("notes", NOTES, policy);
    let (_, reached) = look(NOTES);
    for (tool, arguments) in [
        (
            "search_text",
            json!({"folder": "/workspace", "pattern": "tea"}),
        ),
        (
            "read_lines",
            json!({"path": "/workspace/a.md", "first": 1, "last": 1}),
        ),
        (
            "save_note",
            json!({"path": "/workspace/b.md", "text": "mint"}),
        ),
        (
            "append_line",
            json!({"path": "/workspace/b.md", "line": "sage"}),
        ),
        ("current_time", json!({"zone": "UTC"})),
        ("list_zones", json!({"filter": "berlin"})),
    ] {
        let report = fixture.call(&format!("notes_{tool}"), arguments);
        assert_eq!(report.outcome.label(), "ok", "{:?}", report.outcome);
    }
    let notes = all_were_reachable(&calls, &reached);
    assert!(notes >= 2, "{notes} functions were called");

    fixture.install("checksums", CHECKSUMS, policy);
    let (_, reached) = look(CHECKSUMS);
    for (tool, arguments) in [
        (
            "compute",
            json!({"path": "/workspace/a.md", "algorithm": "sha256"}),
        ),
        (
            "dump_bytes",
            json!({"path": "/workspace/a.md", "offset": 0, "length": 4}),
        ),
    ] {
        let report = fixture.call(&format!("checksums_{tool}"), arguments);
        assert_eq!(report.outcome.label(), "ok", "{:?}", report.outcome);
    }
    let checksums = all_were_reachable(&calls, &reached);
    assert!(checksums >= 1, "{checksums} functions were called");
}

/// What an adapter brings along and the program does not use.
#[test]
fn imports_that_no_tool_can_call_are_told_apart() {
    let wit = "package a:b; world w {
        import wasi:sockets/instance-network@0.2.12;
        import wasi:cli/environment@0.2.12;
        import wasi:filesystem/preopens@0.2.12;
        import wasi:random/random@0.2.12;
        import wasi:clocks/monotonic-clock@0.2.12;
        export draw: func() -> u64; }";
    let bytes = wasi_component(
        wit,
        "w",
        r#"(module
          (import "wasi:sockets/instance-network@0.2.12" "instance-network" (func $network (result i32)))
          (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
          (import "wasi:filesystem/preopens@0.2.12" "get-directories" (func $directories (param i32)))
          (import "wasi:random/random@0.2.12" "get-random-u64" (func $random (result i64)))
          (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
          (memory (export "memory") 1)
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $directories (i32.const 0)) i32.const 8)
          (func $unused (drop (call $network)) (call $environment (i32.const 16)))
          (func $start (drop (call $now)))
          (start $start)
          (func (export "draw") (result i64) call $random))"#,
    );
    let (inspected, reached) = look(&bytes);
    let words: Vec<String> = reached
        .capabilities()
        .iter()
        .map(|one| format!("{} {}", one.capability.as_str(), one.reach.as_str()))
        .collect();
    // The directories are never asked for: the function that would is called to lower what only the environment needs.
    assert_eq!(
        words,
        [
            "files no",
            "sockets no",
            "environment no",
            "clocks yes",
            "random yes"
        ]
    );
    assert_eq!(inspected.tools().len(), 1);
    let fixture = Fixture::new();
    fixture.install("a", &bytes, "");
    let report = fixture.call("a_draw", Value::Null);
    assert_eq!(report.outcome.label(), "ok");
    assert_eq!(reached.capability(Capability::Http), None);
}
