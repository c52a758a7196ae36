//! Every type of WIT, in and out through a call of a real guest.
//!
//! The guest gives back what it is given. A single core value goes in and out as it is. For
//! everything else the function has so many parameters that the canonical ABI passes a pointer
//! to all of them in memory: the first one lies at its start, and the same pointer is returned.

mod neighbours;
mod table;

use crate::common::component;
use crate::fixture::{Fixture, reason};
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use table::{Case, DECLARATIONS, FAILING, Passing, cases};

/// Memory, and an allocator that grows it.
const MEMORY: &str = r#"
(memory (export "memory") 1)
(global $next (mut i32) (i32.const 4096))
(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.const -8) (i32.add (i32.const 7) (global.get $next))))
  (global.set $next (i32.add (local.get $at) (local.get 3)))
  (block $done (loop $grow
    (br_if $done (i32.ge_u (i32.shl (memory.size) (i32.const 16)) (global.get $next)))
    (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
    (br $grow)))
  (local.get $at))
"#;

/// One function for each case, `echo-0`, `echo-1`, ….
fn guest(cases: &[Case]) -> Vec<u8> {
    let padding = vec!["u64"; 16].join(", ");
    let mut wit = format!(
        "package test:types; world types {{ {DECLARATIONS} type padding = tuple<{padding}>;\n"
    );
    let mut wat = format!("(module {MEMORY}");
    for (number, case) in cases.iter().enumerate() {
        let ty = case.ty;
        match case.passing {
            Passing::Flat(core) => {
                writeln!(wit, "export echo-{number}: func(value: {ty}) -> {ty};").unwrap();
                writeln!(
                    wat,
                    r#"(func (export "echo-{number}") (param {core}) (result {core}) local.get 0)"#
                )
                .unwrap();
            }
            Passing::Pointer => {
                writeln!(
                    wit,
                    "export echo-{number}: func(value: {ty}, padding: padding) -> {ty};"
                )
                .unwrap();
                writeln!(
                    wat,
                    r#"(func (export "echo-{number}") (param i32) (result i32) local.get 0)"#
                )
                .unwrap();
            }
            Passing::Own(body) => {
                writeln!(wit, "export echo-{number}: func(value: {ty}) -> {ty};").unwrap();
                writeln!(wat, r#"(func (export "echo-{number}") {body})"#).unwrap();
            }
        }
    }
    wit.push('}');
    wat.push(')');
    component(&wit, "types", &wat)
}

fn arguments(case: &Case, value: &Value) -> Value {
    match case.passing {
        Passing::Pointer => json!({"value": value, "padding": vec![0; 16]}),
        Passing::Flat(_) | Passing::Own(_) => json!({"value": value}),
    }
}

/// Calls a tool and holds what it takes and gives against its schemas.
fn call(fixture: &Fixture, tool: &str, arguments: &Value) -> CallReport {
    let catalog = fixture.runtime.catalog();
    let spec = catalog.tool(tool).unwrap().spec().clone();
    let valid = |schema: &Map<String, Value>, value: &Value| {
        let schema = Value::Object(schema.clone());
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        if let Err(error) = validator.validate(value) {
            panic!("{tool}: {value} {error}\n{schema:#}");
        }
    };
    valid(&spec.input_schema, arguments);
    let report = fixture.call(tool, arguments.clone());
    match &report.outcome {
        Outcome::Returned(value) | Outcome::ToolError(value) => valid(&spec.output_schema, value),
        other => panic!("{tool} {arguments}: {other:?} {:?}", report.detail),
    }
    assert_eq!(report.denials, []);
    report
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let cases = cases();
    let fixture = Fixture::new();
    fixture.install("types", &guest(&cases), "");
    let mut calls = 0;
    for (number, case) in cases.iter().enumerate() {
        for (given, expected) in &case.values {
            let arguments = arguments(case, given);
            let report = call(&fixture, &format!("types_echo_{number}"), &arguments);
            assert_eq!(report.outcome, *expected, "{} {given}", case.ty);
            calls += 1;
        }
    }
    assert!(calls > 150, "{calls}");
    assert_eq!(fixture.records.all().len(), calls);
}

#[test]
fn what_is_not_of_the_type_never_reaches_the_guest() {
    let cases = cases();
    let fixture = Fixture::new();
    fixture.install("types", &guest(&cases), "");
    let catalog = fixture.runtime.catalog();
    for (ty, given, message) in FAILING {
        let number = cases.iter().position(|case| case.ty == *ty).unwrap();
        let tool = catalog.tool(&format!("types_echo_{number}")).unwrap();
        let given: Value = serde_json::from_str(given).unwrap();
        let arguments = arguments(&cases[number], &given);
        let error = tool.parse_args(arguments.clone()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{ty} {given}: {error}");
        let schema = Value::Object((*tool.spec().input_schema).clone());
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        // A schema counts the digits of a 64-bit integer and names an encoding, no more.
        let text = ["u64", "list<u8>"].contains(ty) && given.is_string();
        assert!(
            text || !validator.is_valid(&arguments),
            "{ty} {given}: the schema allows it"
        );
    }
    assert!(fixture.records.all().is_empty());
}

/// Values that a guest makes up, which no argument could be.
#[test]
fn a_guest_that_breaks_the_rules_of_its_types_is_stopped() {
    let fixture = Fixture::new();
    for (name, ty, wat) in [
        ("text", "string", bad_memory("\\ff\\fe\\fd\\fc", 16, 4)),
        ("beyond", "string", bad_memory("", 65_530, 100)),
        ("wrapped", "list<u64>", bad_memory("", 16, u32::MAX)),
        ("unaligned", "list<u64>", bad_memory("", 17, 1)),
        ("character", "char", "(func (export \"run\") (result i32) (i32.const 0xd800))".to_owned()),
        ("large", "char", "(func (export \"run\") (result i32) (i32.const 0x110000))".to_owned()),
        ("enum", "side", "(func (export \"run\") (result i32) (i32.const 9))".to_owned()),
        ("pointer", "point", "(func (export \"run\") (result i32) (i32.const -4))".to_owned()),
        ("variant", "shape", "(func (export \"run\") (result i32) (i32.store8 (i32.const 16) (i32.const 200)) (i32.const 16))".to_owned()),
    ] {
        let bytes = component(
            &format!("package test:evil; world evil {{ {DECLARATIONS} export run: func() -> {ty}; }}"),
            "evil",
            &format!("(module {MEMORY} {wat})"),
        );
        fixture.install(name, &bytes, "");
        let report = fixture.call(&format!("{name}_run"), Value::Null);
        assert!(reason(&report).starts_with("trap."), "{name}: {:?}", report.outcome);
        fixture.ping();
    }
}

/// A function that returns a pointer and a length, over memory that starts with `data`.
fn bad_memory(data: &str, pointer: u32, length: u32) -> String {
    format!(
        r#"(data (i32.const 16) "{data}") (func (export "run") (result i32)
          (i32.store (i32.const 8) (i32.const {pointer})) (i32.store (i32.const 12) (i32.const {length}))
          (i32.const 8))"#
    )
}
