//! What goes wrong in servers like this one, shown absent: each test is named after the defect.
//!
//! Those that need a client or a command line are in the tests of `mcp` and `cli`.

use crate::common::{component, wasi_component};
use crate::fixture::{Fixture, reason, result};
use crate::smoke::echo;
use casemate_artifact::{Reference, Silent};
use casemate_policy::ComponentName;
use casemate_runtime::{InstallError, InstallRequest, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Returns how many variables the guest sees.
fn counts_variables() -> Vec<u8> {
    wasi_component(
        "package test:env; world env { import wasi:cli/environment@0.2.12; export count: func() -> u32; }",
        "env",
        r#"(module
            (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "count") (result i32)
              (call $environment (i32.const 16)) (i32.load (i32.const 20))))"#,
    )
}

#[test]
fn wassette_01_without_a_policy_the_guest_sees_no_environment() {
    let environment = BTreeMap::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "CANARY".to_owned())]);
    let fixture = Fixture::with(|builder| builder.environment(environment));
    fixture.install("env", &counts_variables(), "");
    assert_eq!(result(&fixture.call("env_count", Value::Null)), json!(0));
    // Granting and taking back leads back to nothing.
    let name: ComponentName = "env".parse().unwrap();
    let key = || casemate_policy::Permission::Environment("AWS_SECRET_ACCESS_KEY".to_owned());
    let change = |edit| fixture.runtime.change_policy(&name, &edit).unwrap();
    change(casemate_policy::PolicyEdit::Grant(key()));
    assert_eq!(result(&fixture.call("env_count", Value::Null)), json!(1));
    change(casemate_policy::PolicyEdit::Revoke(key()));
    assert_eq!(result(&fixture.call("env_count", Value::Null)), json!(0));
}

#[test]
fn wassette_02_a_policy_that_does_not_parse_grants_nothing() {
    let fixture = Fixture::new();
    fixture.install("env", &counts_variables(), "");
    let policy = fixture.home.policy_file(&"env".parse().unwrap());
    for text in [
        "version: \"1.0\"\npermissions:\n  resources:\n    limits: { memory: lots }\n",
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs:///d/***\"\n        access: [read]\n",
        "permissions: [",
        "\u{0}",
    ] {
        std::fs::create_dir_all(policy.parent().unwrap()).unwrap();
        std::fs::write(&policy, text).unwrap();
        let again = casemate_runtime::Runtime::builder(fixture.home.clone())
            .open()
            .unwrap();
        assert!(again.catalog().tool("env_count").is_none());
        assert_eq!(again.catalog().problems()[0].reason, "invalid.policy");
    }
    // And no command writes such a file: what an edit makes is parsed before it is kept.
    std::fs::remove_file(&policy).unwrap();
    let edit = casemate_policy::PolicyEdit::Limit {
        key: "memory".to_owned(),
        value: "lots".to_owned(),
    };
    assert!(
        fixture
            .runtime
            .change_policy(&"env".parse().unwrap(), &edit)
            .is_err()
    );
    assert!(!policy.exists());
}

#[test]
fn wassette_06_no_name_leads_out_of_the_home() {
    for name in [
        "../../../../vic/victim",
        "..",
        ".",
        "/etc/passwd",
        "a/b",
        "a.b",
        "A",
        "",
        "-a",
    ] {
        assert!(name.parse::<ComponentName>().is_err(), "{name}");
    }
}

#[test]
fn wassette_09_a_loop_ends_and_memory_has_a_limit_by_default() {
    let fixture = Fixture::new();
    let bomb = component(
        "package test:bomb; world bomb { export fill: func() -> u32; }",
        "bomb",
        r#"(module (memory 1) (func (export "fill") (result i32)
            (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) memory.size))"#,
    );
    fixture.install("bomb", &bomb, "");
    let report = fixture.call("bomb_fill", Value::Null);
    // 256 MiB in pages of 64 KiB, reached in steps of 16 from the first.
    assert_eq!(result(&report), json!(4081));
    assert_eq!(
        fixture
            .runtime
            .catalog()
            .grant(&"bomb".parse().unwrap())
            .unwrap()
            .limits()
            .cpu,
        Duration::from_secs(10)
    );
}

#[test]
fn wassette_11_long_text_in_any_alphabet_is_only_text() {
    let fixture = Fixture::new();
    fixture.install("echo", &echo(), "");
    for filler in 195..205 {
        let text = format!("{}äöü€😀", "a".repeat(filler));
        let report = fixture.call("echo_echo", json!({ "text": text }));
        assert_eq!(result(&report), json!(text));
    }
}

#[test]
fn wassette_13_a_failed_load_leaves_nothing_and_destroys_nothing() {
    let fixture = Fixture::new();
    fixture.install("echo", &echo(), "");
    let before = tree(fixture.home.config_dir());
    let file = fixture.path().join("bad.wasm");
    let good = echo();
    for bytes in [
        &good[..good.len() / 2],
        b"\0asm\x01\0\0\0",
        b"(component)",
        b"",
    ] {
        std::fs::write(&file, bytes).unwrap();
        let plan = fixture.runtime.plan_install(
            InstallRequest::new(Reference::File(file.clone())).named("echo".parse().unwrap()),
            &Silent,
        );
        assert!(plan.is_err());
    }
    // Valid up to its function bodies: refused by the compiler, after the inspection.
    let mut bad = component(
        "package test:echo; world echo { export echo: func() -> u32; }",
        "echo",
        r#"(module (func (export "echo") (result i32) i32.const 77))"#,
    );
    let at = bad
        .windows(3)
        .position(|window| window == [0x41, 0xcd, 0x00])
        .unwrap();
    bad[at] = 0x42;
    let error = fixture.try_install("echo", &bad, None).unwrap_err();
    assert!(matches!(error, InstallError::Prepare(_)), "{error:?}");
    assert_eq!(tree(fixture.home.config_dir()), before);
    assert_eq!(
        result(&fixture.call("echo_echo", json!({"text": "still"}))),
        json!("still")
    );
}

/// Every file below a directory with its bytes.
fn tree(directory: &std::path::Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn wassette_14_equal_tool_names_are_refused_with_both_culprits() {
    let named = |function: &str| {
        component(
            &format!("package test:names; world names {{ export {function}: func() -> u32; }}"),
            "names",
            &format!(r#"(module (func (export "{function}") (result i32) i32.const 1))"#),
        )
    };
    let fixture = Fixture::new();
    fixture.install("a", &named("b-c"), "");
    let error = fixture.try_install("a-b", &named("c"), None).unwrap_err();
    assert!(matches!(error, InstallError::Taken { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("a_b_c") && text.contains(" a"), "{text}");
    assert_eq!(result(&fixture.call("a_b_c", Value::Null)), json!(1));
}

#[test]
fn wassette_14_a_running_server_sees_what_the_command_line_changes() {
    let fixture = Fixture::new();
    let server = std::sync::Arc::new(
        casemate_runtime::Runtime::builder(fixture.home.clone())
            .open()
            .unwrap(),
    );
    let stop = CancellationToken::new();
    fixture.block_on(async {
        let watching = tokio::spawn(std::sync::Arc::clone(&server).watch(stop.clone()));
        let mut catalogs = server.catalogs();
        fixture.install("echo", &echo(), "");
        let started = Instant::now();
        tokio::time::timeout(Duration::from_secs(5), catalogs.changed())
            .await
            .unwrap()
            .unwrap();
        assert!(started.elapsed() < Duration::from_secs(1));
        assert!(catalogs.borrow_and_update().tool("echo_echo").is_some());
        fixture.runtime.remove(&"echo".parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(1), catalogs.changed())
            .await
            .unwrap()
            .unwrap();
        assert!(catalogs.borrow().tool("echo_echo").is_none());
        stop.cancel();
        watching.await.unwrap();
    });
}

#[test]
fn wassette_15_what_the_schema_says_is_what_is_taken_and_given() {
    let fixture = Fixture::new();
    let odd = component(
        "package test:odd; world odd {
            flags colours { red, green }
            export paint: func(chosen: colours, also: option<u8>) -> colours;
            export nan: func() -> f64;
            export fail: func() -> result<u32, string>; }",
        "odd",
        r#"(module (memory (export "memory") 1)
            (func (export "paint") (param i32 i32 i32) (result i32) local.get 0)
            (func (export "nan") (result f64) f64.const nan)
            (func (export "fail") (result i32)
              (i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 80))
              (i32.store (i32.const 72) (i32.const 3)) (i32.store (i32.const 80) (i32.const 0x626f6e)) i32.const 64))"#,
    );
    fixture.install("odd", &odd, "");
    let validated = |tool: &str, arguments: Value| {
        let catalog = fixture.runtime.catalog();
        let spec = catalog.tool(tool).unwrap().spec().clone();
        let input =
            jsonschema::validator_for(&Value::Object((*spec.input_schema).clone())).unwrap();
        assert!(input.is_valid(&arguments));
        let report = fixture.call(tool, arguments);
        let (Outcome::Returned(value) | Outcome::ToolError(value)) = &report.outcome else {
            panic!("{report:?}");
        };
        let output =
            jsonschema::validator_for(&Value::Object((*spec.output_schema).clone())).unwrap();
        assert!(output.is_valid(value), "{value}");
        report.outcome
    };
    // An option may be left out, flags are a list of names.
    assert_eq!(
        validated("odd_paint", json!({"chosen": ["green"]})),
        Outcome::Returned(json!({"result": ["green"]}))
    );
    assert_eq!(
        validated("odd_nan", json!({})),
        Outcome::Returned(json!({"result": "NaN"}))
    );
    assert_eq!(
        validated("odd_fail", json!({})),
        Outcome::ToolError(json!({"error": "nob"}))
    );
    let catalog = fixture.runtime.catalog();
    let schema = Value::Object((*catalog.tool("odd_paint").unwrap().spec().input_schema).clone());
    assert_eq!(schema.pointer("/required"), Some(&json!(["chosen"])));
    let also = schema.pointer("/properties/also").unwrap().to_string();
    assert!(also.contains("integer") && also.contains("255"), "{also}");
}

#[test]
fn act_03_calls_run_side_by_side_and_share_nothing() {
    let fixture = Fixture::new();
    let sleeper = wasi_component(
        "package test:nap; world nap { import wasi:io/poll@0.2.12; import wasi:clocks/monotonic-clock@0.2.12; export nap: func() -> u32; }",
        "nap",
        r#"(module
            (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $sleep (param i64) (result i32)))
            (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "nap") (result i32)
              (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
              (call $block (call $sleep (i64.const 300000000)))
              (i32.load (i32.const 0))))"#,
    );
    fixture.install("nap", &sleeper, "");
    let started = Instant::now();
    fixture.block_on(async {
        let call = || fixture.calling("nap_nap", Value::Null, CancellationToken::new());
        let (one, two, three, four) = tokio::join!(call(), call(), call(), call());
        for report in [one, two, three, four] {
            assert_eq!(result(&report), json!(1));
        }
    });
    assert!(
        started.elapsed() < Duration::from_millis(900),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(reason(&fixture.call("nap_nap", Value::Null)), "none");
}
