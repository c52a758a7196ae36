//! What is taken back while calls run (case S159).

use crate::fixture::{Fixture, result};
use casemate_policy::{ComponentName, Permission, PolicyEdit};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Waits, and then counts the variables that it sees.
fn guest() -> Vec<u8> {
    crate::common::wasi_component(
        "package test:evil; world evil {
            import wasi:io/poll@0.2.12;
            import wasi:clocks/monotonic-clock@0.2.12;
            import wasi:cli/environment@0.2.12;
            export count: func(nanoseconds: u64) -> u32; }",
        "evil",
        r#"(module
            (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $wait (param i64) (result i32)))
            (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
            (import "wasi:cli/environment@0.2.12" "get-environment" (func $environment (param i32)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "count") (param i64) (result i32)
              (call $block (call $wait (local.get 0)))
              (call $environment (i32.const 16)) (i32.load (i32.const 20))))"#,
    )
}

#[test]
fn s159_what_is_revoked_while_a_hundred_calls_run_is_denied_to_the_next_hundred() {
    let variables = BTreeMap::from([("TOKEN".to_owned(), "CANARY".to_owned())]);
    let fixture = Fixture::with(|builder| builder.environment(variables));
    fixture.install(
        "evil",
        &guest(),
        "permissions:\n  environment:\n    allow:\n      - key: \"TOKEN\"\n  resources: { limits: { concurrency: 100 } }\n",
    );
    fixture.runtime.warm();
    let name: ComponentName = "evil".parse().unwrap();
    let before = fixture.runtime.catalog();
    // What a server that has not heard of the change yet still holds.
    let stale = before.tool("evil_count").unwrap().clone();
    let policy = |records: &[casemate_runtime::AuditRecord]| {
        records
            .iter()
            .map(|record| record.policy.clone())
            .collect::<Vec<_>>()
    };
    let (running, told) = fixture.block_on(async {
        let arguments = || json!({"nanoseconds": 500_000_000});
        let running = crate::resources::futures_join(
            (0..100).map(|_| fixture.calling("evil_count", arguments(), CancellationToken::new())),
        );
        let revoke = async {
            // All hundred were polled once: 64 run, as many as run at once, and the others wait.
            let key = Permission::Environment("TOKEN".to_owned());
            fixture
                .runtime
                .change_policy(&name, &PolicyEdit::Revoke(key))
                .unwrap();
            assert_eq!(fixture.records.all().len(), 0);
            fixture.runtime.catalog()
        };
        tokio::join!(running, revoke)
    });
    assert!(!Arc::ptr_eq(&before, &told));
    let counts: Vec<Value> = running.iter().map(result).collect();
    // A call keeps what it began with; one that had not begun has what is in force when it does.
    let kept = counts.iter().filter(|count| **count == json!(1)).count();
    let denied = counts.iter().filter(|count| **count == json!(0)).count();
    assert_eq!((kept, denied), (64, 36));
    // The record of each has the policy that it ran under.
    let records = fixture.records.all();
    let policies = policy(&records);
    let first = policies
        .iter()
        .filter(|policy| **policy == policies[0])
        .count();
    assert_eq!(first, 64);
    assert!(policies.iter().all(Option::is_some));

    // The next hundred, through the new catalog, through what was held, and at once.
    let next = fixture.block_on(crate::resources::futures_join((0..100).map(|index| {
        let (fixture, stale) = (&fixture, stale.clone());
        async move {
            let arguments = json!({"nanoseconds": 0});
            if index % 2 == 0 {
                return fixture
                    .calling("evil_count", arguments, CancellationToken::new())
                    .await;
            }
            let arguments = stale.parse_args(arguments).unwrap();
            stale
                .call("stale", arguments, CancellationToken::new())
                .await
                .unwrap()
        }
    })));
    for report in &next {
        assert_eq!(result(report), json!(0));
    }
    // Granted again, it is there again.
    let key = Permission::Environment("TOKEN".to_owned());
    fixture
        .runtime
        .change_policy(&name, &PolicyEdit::Grant(key))
        .unwrap();
    let report = fixture.call("evil_count", json!({"nanoseconds": 0}));
    assert_eq!(result(&report), json!(1));
}

#[test]
fn s159_a_component_that_is_removed_runs_no_more() {
    let fixture = Fixture::new();
    fixture.install("evil", &guest(), "");
    fixture.runtime.warm();
    let catalog = fixture.runtime.catalog();
    let tool = catalog.tool("evil_count").unwrap().clone();
    fixture.runtime.remove(&"evil".parse().unwrap()).unwrap();
    let report = fixture.block_on(async {
        let arguments = tool.parse_args(json!({"nanoseconds": 0})).unwrap();
        tool.call("stale", arguments, CancellationToken::new())
            .await
            .unwrap()
    });
    assert_eq!(report.outcome.label(), "failed");
    assert_eq!(crate::fixture::reason(&report), "invalid.component");
    assert_eq!(report.usage.memory, 0);
    assert_eq!(fixture.records.all().len(), 1);
}
