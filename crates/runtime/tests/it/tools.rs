//! Rules of single tools: what is decided for one, and what bounds its calls, is its own.
//! (Files and requests of single tools are in `files::tools` and `egress::tools`.)

use crate::common::{component, wasi_component};
use crate::fixture::{Fixture, reason, result};
use casemate_policy::{ComponentName, Policy};
use casemate_runtime::{Annotations, InstallError};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Two tools of one component with everything twice: variables, clocks, random numbers, memory, time and results.
fn twins() -> Vec<u8> {
    let functions = |prefix: &str| {
        format!(
            r#"
        (func (export "{prefix}-variables") (result i32)
          (call $variables (i32.const 16)) (i32.const 16))
        (func (export "{prefix}-date") (result i64)
          (call $date (i32.const 16)) (i64.load (i32.const 16)))
        (func (export "{prefix}-dice") (result i64) (call $dice))
        (func (export "{prefix}-grow") (param i32) (result i32)
          (if (i32.eq (memory.grow (local.get 0)) (i32.const -1)) (then unreachable))
          memory.size)
        (func (export "{prefix}-spin") (loop br 0))
        (func (export "{prefix}-sleep") (param i64) (call $block (call $wait (local.get 0))))
        (func (export "{prefix}-text") (param i32) (result i32)
          (memory.fill (i32.const 65536) (i32.const 120) (local.get 0))
          (i32.store (i32.const 16) (i32.const 65536)) (i32.store (i32.const 20) (local.get 0))
          (i32.const 16))"#
        )
    };
    let world = |prefix: &str| {
        format!(
            "export {prefix}-variables: func() -> list<tuple<string, string>>;
             export {prefix}-date: func() -> u64;
             export {prefix}-dice: func() -> u64;
             export {prefix}-grow: func(pages: u32) -> u32;
             export {prefix}-spin: func();
             export {prefix}-sleep: func(nanoseconds: u64);
             export {prefix}-text: func(bytes: u32) -> string;"
        )
    };
    wasi_component(
        &format!(
            "package test:twins; world twins {{
              import wasi:cli/environment@0.2.12;
              import wasi:clocks/wall-clock@0.2.12;
              import wasi:clocks/monotonic-clock@0.2.12;
              import wasi:io/poll@0.2.12;
              import wasi:random/random@0.2.12;
              {} {} }}",
            world("one"),
            world("two")
        ),
        "twins",
        &format!(
            r#"(module
            (import "wasi:cli/environment@0.2.12" "get-environment" (func $variables (param i32)))
            (import "wasi:clocks/wall-clock@0.2.12" "now" (func $date (param i32)))
            (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $wait (param i64) (result i32)))
            (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
            (import "wasi:random/random@0.2.12" "get-random-u64" (func $dice (result i64)))
            (memory (export "memory") 8)
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (global.get $next))
              (global.set $next (i32.and (i32.const -8)
                (i32.add (i32.const 7) (i32.add (global.get $next) (local.get 3)))))
              (local.get $at))
            {} {})"#,
            functions("one"),
            functions("two")
        ),
    )
}

/// `twins` with these lines below `permissions`.
fn served(permissions: &str) -> Fixture {
    let variables = ["A", "B"].map(|key| (key.to_owned(), format!("value of {key}")));
    let variables: BTreeMap<String, String> = variables.into();
    let fixture = Fixture::with(|builder| builder.environment(variables));
    fixture.install("twins", &twins(), &format!("permissions:\n{permissions}"));
    fixture
}

#[test]
fn variables_clocks_and_random_numbers_are_those_of_the_tool() {
    let fixture = served(
        r#"
  environment:
    allow: [{ key: "A" }, { key: "B" }]
  tools:
    two-variables:
      environment:
        allow: [{ key: "B" }, { key: "C" }]
    two-date: { clocks: none }
    twins_two_dice: { random: { seed: 7 } }
"#,
    );
    let both = json!([["A", "value of A"], ["B", "value of B"]]);
    assert_eq!(
        result(&fixture.call("twins_one_variables", Value::Null)),
        both
    );
    let report = fixture.call("twins_two_variables", Value::Null);
    assert_eq!(result(&report), json!([["B", "value of B"]]));
    let report = fixture.call("twins_one_date", Value::Null);
    assert!(result(&report).as_u64().unwrap() > 1_700_000_000);
    let report = fixture.call("twins_two_date", Value::Null);
    assert_eq!(reason(&report), "denied.clock");
    let dice = |tool: &str| result(&fixture.call(tool, Value::Null));
    assert_eq!(dice("twins_two_dice"), dice("twins_two_dice"));
    assert_ne!(dice("twins_one_dice"), dice("twins_one_dice"));
    // Each record has the policy of the component, and says whose numbers were not random.
    let records = fixture.records.all();
    let policy = records[0].policy.clone();
    assert!(policy.is_some());
    for record in &records {
        assert_eq!(record.policy, policy);
        assert_eq!(record.seeded, record.tool == "twins_two_dice");
    }
}

#[test]
fn limits_of_a_tool_are_in_force_for_its_calls_alone() {
    let fixture = served(
        r#"
  tools:
    two-grow: { resources: { limits: { memory: "1Mi" } } }
    two-spin: { resources: { limits: { cpu-time: "50ms" } } }
    one-spin: { resources: { limits: { cpu-time: "100ms" } } }
    two-sleep: { resources: { limits: { time: "50ms" } } }
    two-text: { resources: { limits: { output: "1Ki" } } }
"#,
    );
    let call = |tool: &str, arguments: Value| fixture.call(&format!("twins_{tool}"), arguments);
    let pages = json!({"pages": 32});
    assert_eq!(result(&call("one_grow", pages.clone())), json!(40));
    let report = call("two_grow", pages);
    assert_eq!(
        report.limit.unwrap().to_string(),
        "2.5 MiB of memory used, 1 MiB allowed"
    );
    for (tool, allowed) in [("one_spin", 100_000), ("two_spin", 50_000)] {
        let limit = call(tool, Value::Null).limit.unwrap();
        assert_eq!(
            (limit.reason.as_str(), limit.allowed),
            ("limit.cpu", allowed)
        );
    }
    let nanoseconds = json!({"nanoseconds": 100_000_000});
    assert_eq!(result(&call("one_sleep", nanoseconds.clone())), Value::Null);
    assert_eq!(reason(&call("two_sleep", nanoseconds)), "limit.time");
    let bytes = json!({"bytes": 2_000});
    assert_eq!(
        result(&call("one_text", bytes.clone()))
            .as_str()
            .unwrap()
            .len(),
        2_000
    );
    let report = call("two_text", bytes);
    assert_eq!(
        report.limit.unwrap().to_string(),
        "1.9 KiB of result used, 1 KiB allowed"
    );
}

#[test]
fn a_tool_has_no_more_than_its_component() {
    let fixture = served(
        r#"
  resources: { limits: { memory: "1Mi", time: "50ms" } }
  clocks: none
  tools:
    two-grow: { resources: { limits: { memory: "1Gi" } } }
    two-sleep: { clocks: full, resources: { limits: { time: "1h" } } }
"#,
    );
    let report = fixture.call("twins_two_grow", json!({"pages": 32}));
    assert_eq!(reason(&report), "limit.memory");
    let report = fixture.call("twins_two_sleep", json!({"nanoseconds": "1000000000000"}));
    assert_eq!(reason(&report), "denied.clock");
}

#[test]
fn a_tool_has_places_of_its_own_within_its_components() {
    let fixture = served(
        r#"
  tools:
    two-sleep: { resources: { limits: { concurrency: 1 } } }
"#,
    );
    fixture.runtime.warm();
    let sleep = |tool: &'static str| {
        let arguments = json!({"nanoseconds": 200_000_000});
        fixture.calling(tool, arguments, CancellationToken::new())
    };
    let started = Instant::now();
    let times = |reports: Vec<casemate_runtime::CallReport>| -> Vec<Duration> {
        let times = reports.iter().map(|report| {
            assert_eq!(result(report), Value::Null);
            Duration::from_micros(report.usage.wall_us)
        });
        times.collect()
    };
    let reports = fixture.block_on(crate::resources::futures_join(
        (0..3).map(|_| sleep("twins_two_sleep")),
    ));
    assert!(started.elapsed() >= Duration::from_millis(600));
    let mut waited = times(reports);
    waited.sort();
    // One after the other.
    assert!(waited[1] >= Duration::from_millis(400), "{waited:?}");
    assert!(waited[2] >= Duration::from_millis(600), "{waited:?}");
    // The other tool's calls do not wait for them: with its own they would take 800 ms.
    let mixed = fixture.block_on(async {
        let narrow = crate::resources::futures_join((0..3).map(|_| sleep("twins_two_sleep")));
        let wide = async {
            let reports =
                crate::resources::futures_join((0..3).map(|_| sleep("twins_one_sleep"))).await;
            (reports, fixture.records.all())
        };
        let ((wide, records), _) = tokio::join!(wide, narrow);
        for report in &wide {
            assert_eq!(result(report), Value::Null);
        }
        records
    });
    // When the three were done, the narrow ones were not.
    let done = |tool: &str| {
        let before = 3;
        let of = mixed.iter().filter(|record| record.tool == tool).count();
        of - if tool == "twins_two_sleep" { before } else { 0 }
    };
    assert_eq!(done("twins_one_sleep"), 3);
    assert!(done("twins_two_sleep") < 3, "{}", done("twins_two_sleep"));
}

#[test]
fn annotations_are_those_of_the_tool() {
    let fixture = served(
        r#"
  storage:
    allow: [{ uri: "fs:///srv/shared/**", access: [read, write] }]
  network:
    allow: [{ host: "example.com" }]
  tools:
    two-date: { network: { allow: [] }, storage: { allow: [] } }
    two-dice: { network: { allow: [] } }
"#,
    );
    let catalog = fixture.runtime.catalog();
    let annotations = |tool: &str| catalog.tool(tool).unwrap().spec().annotations;
    let everything = Annotations {
        read_only: false,
        destructive: true,
        open_world: true,
    };
    assert_eq!(annotations("twins_one_date"), everything);
    assert_eq!(
        annotations("twins_two_date"),
        Annotations {
            read_only: true,
            destructive: false,
            open_world: false,
        }
    );
    assert_eq!(
        annotations("twins_two_dice"),
        Annotations {
            open_world: false,
            ..everything
        }
    );
}

const UNKNOWN: &str = "version: \"1.0\"
permissions:
  tools:
    one-date: { clocks: none }
    two-dat: { clocks: none }
";

#[test]
fn a_policy_for_a_tool_that_there_is_not_is_broken() {
    let fixture = Fixture::new();
    // It is not installed with a component…
    let error = fixture
        .try_install("twins", &twins(), Some(UNKNOWN))
        .unwrap_err();
    let InstallError::Policy(error) = error else {
        panic!("{error}")
    };
    assert_eq!((error.line, error.column), (5, 5));
    assert_eq!(error.hint.as_deref(), Some("did you mean \"two-date\"?"));
    assert!(fixture.runtime.catalog().tools().next().is_none());
    // …it does not take the place of one that is in force…
    fixture.install(
        "twins",
        &twins(),
        "permissions:\n  tools:\n    two-date: { clocks: none }\n",
    );
    let name: ComponentName = "twins".parse().unwrap();
    std::fs::write(fixture.home.policy_file(&name), UNKNOWN).unwrap();
    fixture.runtime.reload().unwrap();
    let catalog = fixture.runtime.catalog();
    let [problem] = catalog.problems() else {
        panic!("{:?}", catalog.problems())
    };
    assert_eq!(problem.reason, "invalid.policy");
    assert!(problem.serving_previous);
    assert!(
        problem.message.ends_with(
            "line 5, column 5: permissions.tools: the component has no tool \"two-dat\""
        ),
        "{}",
        problem.message
    );
    assert_eq!(
        reason(&fixture.call("twins_two_date", Value::Null)),
        "denied.clock"
    );
    assert_ne!(
        reason(&fixture.call("twins_one_date", Value::Null)),
        "denied.clock"
    );
    // …and with it nothing is served at a start. Looked at alone it is as wrong.
    let again = casemate_runtime::Runtime::builder(fixture.home.clone())
        .open()
        .unwrap();
    assert!(again.catalog().tool("twins_one_date").is_none());
    assert_eq!(again.catalog().problems()[0].reason, "invalid.policy");
    assert!(!again.catalog().problems()[0].serving_previous);
    let policy = Policy::parse(UNKNOWN).unwrap();
    assert_eq!(again.unknown_tool(&name, &policy), Some(error));
    assert_eq!(again.unknown_tool(&name, &Policy::empty()), None);
    assert_eq!(
        again.unknown_tool(&"nobody".parse().unwrap(), &policy),
        None
    );
}

#[test]
fn a_tool_is_found_by_each_of_its_names() {
    let wit = "package test:two; interface dates { today: func() -> u32; } world two { export dates; export now: func() -> u32; }";
    let wat = r#"(module (func (export "now") (result i32) i32.const 1)
        (func (export "test:two/dates#today") (result i32) i32.const 2))"#;
    let fixture = Fixture::new();
    let policy = "permissions:\n  tools:\n    \"test:two/dates#today\": { clocks: none }\n    now: { random: none }\n";
    fixture.install("two", &component(wit, "two", wat), policy);
    let catalog = fixture.runtime.catalog();
    let name: ComponentName = "two".parse().unwrap();
    for word in ["today", "test:two/dates#today", "two_today"] {
        let tool = catalog.tool_of(&name, word).unwrap();
        assert_eq!(tool.spec().name, "two_today");
        assert_eq!(tool.grant().clocks().to_string(), "none");
        assert_eq!(tool.grant().random().to_string(), "secure");
    }
    assert_eq!(
        catalog
            .tool_of(&name, "now")
            .unwrap()
            .grant()
            .random()
            .to_string(),
        "none"
    );
    assert!(catalog.tool_of(&name, "tomorrow").is_none());
    assert!(catalog.tool_of(&"other".parse().unwrap(), "now").is_none());
    // What is said of none of the tools is as it was.
    assert_eq!(catalog.grant(&name).unwrap().random().to_string(), "secure");
}
