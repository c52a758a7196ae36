//! Random numbers that are secure, seeded or none.

use super::{guest, permissions};
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::Outcome;
use serde_json::{Value, json};
use std::collections::HashSet;

fn random() -> Vec<u8> {
    guest(
        "import wasi:random/random@0.2.12;
         import wasi:random/insecure@0.2.12;
         import wasi:random/insecure-seed@0.2.12;
         export get-random-u64: func() -> u64;
         export get-random-bytes: func(length: u64) -> list<u8>;
         export get-insecure-random-u64: func() -> u64;
         export get-insecure-random-bytes: func(length: u64) -> list<u8>;
         export insecure-seed: func() -> tuple<u64, u64>;
         export first: func() -> tuple<tuple<u64, u64>, u64>;",
        r#"
        (import "wasi:random/random@0.2.12" "get-random-u64" (func $word (result i64)))
        (import "wasi:random/random@0.2.12" "get-random-bytes" (func $bytes (param i64 i32)))
        (import "wasi:random/insecure@0.2.12" "get-insecure-random-u64" (func $insecure-word (result i64)))
        (import "wasi:random/insecure@0.2.12" "get-insecure-random-bytes" (func $insecure-bytes (param i64 i32)))
        (import "wasi:random/insecure-seed@0.2.12" "insecure-seed" (func $seed (param i32)))
        "#,
        r#"
        (func (export "get-random-u64") (result i64) (call $word))
        (func (export "get-insecure-random-u64") (result i64) (call $insecure-word))
        (func (export "get-random-bytes") (param i64) (result i32) (call $bytes (local.get 0) (i32.const 16)) (i32.const 16))
        (func (export "get-insecure-random-bytes") (param i64) (result i32) (call $insecure-bytes (local.get 0) (i32.const 16)) (i32.const 16))
        (func (export "insecure-seed") (result i32) (call $seed (i32.const 16)) (i32.const 16))
        (func (export "first") (result i32)
          (call $seed (i32.const 16)) (i64.store (i32.const 32) (call $word)) (i32.const 16))
        "#,
    )
}

/// Every function with arguments for it, and how a denial calls it.
fn sources() -> [(&'static str, Value, &'static str); 5] {
    [
        ("get_random_u64", Value::Null, "random secure"),
        ("get_random_bytes", json!({"length": 16}), "random secure"),
        ("get_insecure_random_u64", Value::Null, "random insecure"),
        (
            "get_insecure_random_bytes",
            json!({"length": 16}),
            "random insecure",
        ),
        ("insecure_seed", Value::Null, "random seed"),
    ]
}

#[test]
fn s138_without_random_numbers_the_first_one_ends_the_call() {
    let fixture = Fixture::new();
    fixture.install("evil", &random(), &permissions("random: none"));
    for (function, arguments, subject) in sources() {
        let report = fixture.call(&format!("evil_{function}"), arguments);
        assert_eq!(reason(&report), "denied.random", "{function}");
        let Outcome::Refused { message, .. } = &report.outcome else {
            panic!("{:?}", report.outcome);
        };
        assert_eq!(message, &format!("{subject} is not granted"));
        assert_eq!(report.denials.len(), 1);
        assert_eq!(report.denials[0].subject, subject);
        assert!(!fixture.records.all().pop().unwrap().seeded);
    }
    fixture.ping();
}

#[test]
fn s138_strict_starts_from_no_random_numbers() {
    let fixture = Fixture::with(|builder| builder.strict(true));
    fixture.install("evil", &random(), "");
    fixture.install("given", &random(), &permissions("random: secure"));
    for (function, arguments, _) in sources() {
        let report = fixture.call(&format!("evil_{function}"), arguments.clone());
        assert_eq!(reason(&report), "denied.random", "{function}");
        result(&fixture.call(&format!("given_{function}"), arguments));
    }
}

#[test]
fn s138_a_seed_repeats_itself_and_is_on_record() {
    let fixture = Fixture::new();
    fixture.install("evil", &random(), &permissions("random: { seed: 42 }"));
    fixture.install("other", &random(), &permissions("random: { seed: 43 }"));
    for (function, arguments, _) in sources() {
        let mut seen = Vec::new();
        for component in ["evil", "evil", "other"] {
            let report = fixture.call(&format!("{component}_{function}"), arguments.clone());
            seen.push(result(&report));
            assert!(fixture.records.all().pop().unwrap().seeded, "{component}");
        }
        assert_eq!(seen[0], seen[1], "{function}");
        assert_ne!(seen[0], seen[2], "{function}");
    }
    fixture.ping();
    assert!(!fixture.records.all().pop().unwrap().seeded);
}

#[test]
fn s139_a_thousand_instances_share_no_random_number() {
    let fixture = Fixture::new();
    fixture.install("evil", &random(), "");
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let first = result(&fixture.call("evil_first", Value::Null));
        assert!(seen.insert(first[0].to_string()), "a seed came twice");
        assert!(seen.insert(first[1].to_string()), "a number came twice");
    }
    for (function, arguments, _) in sources() {
        let tool = format!("evil_{function}");
        let (one, two) = (
            fixture.call(&tool, arguments.clone()),
            fixture.call(&tool, arguments),
        );
        assert_ne!(result(&one), result(&two), "{function}");
    }
    let bytes = result(&fixture.call("evil_get_random_bytes", json!({"length": 65_536})));
    assert_eq!(bytes.as_str().unwrap().len(), 65_536_usize.div_ceil(3) * 4);
    assert!(!fixture.records.all().pop().unwrap().seeded);
}
