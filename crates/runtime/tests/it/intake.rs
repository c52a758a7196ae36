//! What a component's bytes carry beside code (cases S018, S226, S228).

use crate::common::{component, with_custom_section};
use crate::fixture::{Fixture, reason};
use casemate_runtime::{JsonLines, Outcome};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const EVIL_NAME: &str = "f\\n{\\22level\\22:\\22error\\22}\\1b[31m";

/// Traps inside a function whose name is made to be logged.
fn traps_with_evil_names() -> Vec<u8> {
    component(
        "package test:trap; world trap { export run: func() -> u32; }",
        "trap",
        &format!(
            r#"(module (func $inner (@name "{EVIL_NAME}") (result i32) unreachable)
            (func (export "run") (result i32) call $inner))"#
        ),
    )
}

#[test]
fn s018_debug_sections_are_never_parsed() {
    let fixture = Fixture::new();
    let mut bytes = traps_with_evil_names();
    for name in [".debug_info", ".debug_line", ".debug_str"] {
        bytes = with_custom_section(&bytes, name, &vec![0xff; 6 << 20]);
    }
    fixture.install("trap", &bytes, "");
    let first = Instant::now();
    assert_eq!(
        reason(&fixture.call("trap_run", Value::Null)),
        "trap.unreachable"
    );
    let first = first.elapsed();
    assert!(first < Duration::from_secs(2), "{first:?}");
    let started = Instant::now();
    fixture.call("trap_run", Value::Null);
    assert!(started.elapsed() < Duration::from_millis(100));
}

#[test]
fn s228_names_of_guest_functions_reach_nobody() {
    let fixture = Fixture::new();
    fixture.install("trap", &traps_with_evil_names(), "");
    let report = fixture.call("trap_run", Value::Null);
    let Outcome::Failed { message, .. } = &report.outcome else {
        panic!("{report:?}");
    };
    assert!(!message.contains("level"), "{message}");
    // The author may see where it trapped, as inert text on one line.
    let detail = report.detail.clone().unwrap();
    assert!(
        detail.len() <= 4_096 && detail.contains("unreachable"),
        "{detail}"
    );
    assert!(!detail.contains(|c: char| c.is_control()), "{detail:?}");
}

#[test]
fn s226_each_audit_record_stays_one_line_of_json() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("calls.jsonl");
    let sink = Arc::new(JsonLines::open(&log).unwrap());
    let fixture = Fixture::in_directory(directory, |builder| builder.audit(sink));
    fixture.install("trap", &traps_with_evil_names(), "");
    let catalog = fixture.runtime.catalog();
    let tool = catalog.tool("trap_run").unwrap();
    let caller = "evil\n{\"call\":\"forged\"}\u{1b}[2J\u{202e}";
    for _ in 0..3 {
        let arguments = tool.parse_args(Value::Null).unwrap();
        fixture
            .block_on(tool.call(caller, arguments, CancellationToken::new()))
            .unwrap();
    }
    let text = std::fs::read_to_string(log).unwrap();
    assert_eq!(text.lines().count(), 3);
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["tool"], "trap_run");
        let caller = record["caller"].as_str().unwrap();
        assert!(!caller.contains(|c: char| c.is_control()), "{caller:?}");
        assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'));
    }
}
