//! Each limit that runs out is named, with what was used and what was allowed, in the result, the
//! report and the record alike.

use crate::common::component;
use crate::fixture::{Fixture, result};
use crate::resources::{
    futures_join, limits, many_memories, run, spinner, with_clock, with_random,
};
use casemate_policy::{PolicyEdit, Reason};
use casemate_runtime::{CallReport, LimitReached, Outcome, Unit};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The limit that ended a call, after it was seen to be the same wherever it is told.
fn limit(fixture: &Fixture, report: &CallReport) -> LimitReached {
    let limit = report
        .limit
        .unwrap_or_else(|| panic!("no limit: {:?} {:?}", report.outcome, report.detail));
    let Outcome::Failed { reason, message } = &report.outcome else {
        panic!("{:?}", report.outcome);
    };
    assert_eq!(*reason, limit.reason);
    assert!(message.starts_with(&limit.to_string()), "{message}");
    assert!(limit.used >= limit.allowed, "{limit:?}");
    let records = fixture.records.all();
    let record = records
        .iter()
        .find(|record| record.call == report.id)
        .unwrap();
    assert_eq!(record.limit, Some(limit));
    assert_eq!(record.usage, report.usage);
    assert!(record.usage.wall_us > 0);
    let line = serde_json::to_value(record).unwrap();
    assert_eq!(line["limit"]["used"], limit.used);
    assert_eq!(line["limit"]["allowed"], limit.allowed);
    limit
}

fn only_call(wasm: &[u8], policy: &str) -> LimitReached {
    let fixture = Fixture::new();
    fixture.install("evil", wasm, policy);
    let report = fixture.call("evil_run", Value::Null);
    let limit = limit(&fixture, &report);
    fixture.ping();
    limit
}

#[test]
fn memory_that_was_asked_for_and_memory_that_was_allowed() {
    let grows = run(r#"(module (memory 16)
        (func (export "run") (result i32)
          (if (i32.eq (memory.grow (i32.const 240)) (i32.const -1)) (then unreachable)) i32.const 0))"#);
    assert_eq!(
        only_call(&grows, &limits(r#"memory: "8Mi""#)).to_string(),
        "16 MiB of memory used, 8 MiB allowed"
    );
    let declares = run(r#"(module (memory 512) (func (export "run") (result i32) i32.const 0))"#);
    assert_eq!(
        only_call(&declares, &limits(r#"memory: "8Mi""#)).to_string(),
        "32 MiB of memory used, 8 MiB allowed"
    );
}

#[test]
fn tables_are_bounded_as_memory_and_each_by_its_elements() {
    let grows = |elements: u32| {
        run(&format!(
            r#"(module (table $t 1 funcref)
            (func (export "run") (result i32)
              (if (i32.eq (table.grow $t (ref.null func) (i32.const {elements})) (i32.const -1)) (then unreachable))
              i32.const 0))"#
        ))
    };
    assert_eq!(
        only_call(&grows(9_999), &limits(r#"memory: "64Ki""#)).to_string(),
        "156.2 KiB of memory used, 64 KiB allowed"
    );
    assert_eq!(
        only_call(&grows(20_000), "").to_string(),
        "20,001 elements in one table, 20,000 allowed"
    );
}

/// A component that is `count` instances of a module with `body`, and an export that returns 7.
fn instances(count: usize, body: &str) -> Vec<u8> {
    let many = "(core instance (instantiate $m))".repeat(count);
    wat::parse_str(format!(
        r#"(component
          (core module $m {body})
          (core module $run (func (export "run") (result i32) i32.const 7))
          {many}
          (core instance $i (instantiate $run))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#
    ))
    .unwrap()
}

#[test]
fn instances_memories_and_tables_of_a_component_are_counted() {
    for (name, wasm, words) in [
        (
            "instances",
            instances(300, ""),
            "301 core instances, 256 allowed",
        ),
        (
            "memories",
            instances(65, "(memory 0)"),
            "65 memories, 64 allowed",
        ),
        (
            "tables",
            instances(65, "(table 0 funcref) (table 0 funcref)"),
            "130 tables, 128 allowed",
        ),
    ] {
        let fixture = Fixture::new();
        let error = fixture.try_install(name, &wasm, None).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        fixture.ping();
    }
    // As many as are allowed.
    for (name, wasm) in [
        ("instances", instances(255, "")),
        ("memories", instances(64, "(memory 0)")),
        (
            "tables",
            instances(64, "(table 0 funcref) (table 0 funcref)"),
        ),
    ] {
        let fixture = Fixture::new();
        fixture.install(name, &wasm, "");
        let report = fixture.call(&format!("{name}_run"), Value::Null);
        assert_eq!(result(&report), json!(7));
    }
}

#[test]
fn the_pool_of_all_calls_is_named_when_it_is_empty() {
    // Eight calls hold 64 memories each, and so all 512 of them; the sleepers are waited for by polling.
    let mut holder = String::from(
        r#"(component
        (import "wasi:io/poll@0.2.12" (instance $poll
          (export "pollable" (type $p (sub resource)))
          (export "[method]pollable.block" (func (param "self" (borrow $p))))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.12" (instance $clock
          (alias outer 1 $pollable (type $q))
          (export "pollable" (type $r (eq $q)))
          (export "subscribe-duration" (func (param "when" u64) (result (own $r))))))
        (core func $block (canon lower (func $poll "[method]pollable.block")))
        (core func $sleep (canon lower (func $clock "subscribe-duration")))
        (core module $m (memory 1))"#,
    );
    holder.push_str(&"(core instance (instantiate $m))".repeat(64));
    holder.push_str(
        r#"(core module $run
          (import "" "block" (func $block (param i32)))
          (import "" "sleep" (func $sleep (param i64) (result i32)))
          (func (export "run") (result i32) (call $block (call $sleep (i64.const -1))) i32.const 7))
        (core instance $i (instantiate $run (with "" (instance
          (export "block" (func $block)) (export "sleep" (func $sleep))))))
        (func (export "run") (result u32) (canon lift (core func $i "run"))))"#,
    );
    let holder = wat::parse_str(&holder).unwrap();
    let fixture = Fixture::new();
    fixture.install("holder", &holder, "");
    fixture.install("other", &many_memories(1), "");
    // Loaded, so that a call has all it needs in its first slice.
    fixture.runtime.warm();
    let report = fixture.block_on(async {
        let cancel = CancellationToken::new();
        let holders = futures_join(
            (0..8).map(|_| fixture.calling("holder_run", Value::Null, cancel.clone())),
        );
        let other = async {
            // All of them have their memories in their first slice, which the join polls first.
            let report = fixture
                .calling("other_run", Value::Null, CancellationToken::new())
                .await;
            cancel.cancel();
            report
        };
        let (held, report) = tokio::join!(holders, other);
        for report in held {
            assert_eq!(report.outcome, Outcome::Cancelled);
            assert_eq!(report.usage.memory, 64 << 16);
        }
        report
    });
    let limit = limit(&fixture, &report);
    assert_eq!(limit.reason, Reason::LimitConcurrency);
    assert_eq!(
        limit.to_string(),
        "more than the 512 memories of all calls together allowed"
    );
    fixture.ping();
}

#[test]
fn processor_time_and_time_are_told_apart() {
    let limit = only_call(&spinner(), &limits(r#"cpu-time: "50ms""#));
    assert_eq!(limit.reason, Reason::LimitCpu);
    assert_eq!(
        (limit.resource, limit.unit),
        ("processor time", Unit::Microseconds)
    );
    assert_eq!(limit.allowed, 50_000);
    assert!(limit.used > 50_000, "{limit:?}");
    let sleeper = with_clock("(call $block (call $sleep (i64.const -1))) i32.const 0", "");
    let limit = only_call(&sleeper, &crate::resources::limits(r#"time: "50ms""#));
    assert_eq!(limit.reason, Reason::LimitTime);
    assert_eq!((limit.resource, limit.unit), ("time", Unit::Microseconds));
    assert_eq!(limit.allowed, 50_000);
    assert!(limit.used > 50_000, "{limit:?}");
}

/// Returns `length` bytes of text.
fn answers(length: u32, pages: u32) -> Vec<u8> {
    component(
        "package test:evil; world evil { export run: func() -> string; }",
        "evil",
        &format!(
            r#"(module (memory (export "memory") {pages})
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "run") (result i32)
              (memory.fill (i32.const 16) (i32.const 120) (i32.const {length}))
              (i32.store (i32.const 8) (i32.const 16)) (i32.store (i32.const 12) (i32.const {length}))
              i32.const 8))"#
        ),
    )
}

#[test]
fn a_result_says_how_long_it_was() {
    // {"result":"…"} has 13 bytes beside the text.
    assert_eq!(
        only_call(&answers(2_048, 1), &limits(r#"output: "1Ki""#)).to_string(),
        "2.0 KiB of result used, 1 KiB allowed"
    );
    let limit = only_call(&answers(64 << 20, 1_100), &limits(r#"output: "1Ki""#));
    assert_eq!(limit.reason, Reason::LimitOutput);
    assert_eq!(
        limit.to_string(),
        "more than the 8.0 MiB of data that crosses the sandbox at once allowed"
    );
}

#[test]
fn random_numbers_at_once() {
    let huge = with_random("(call $random (i64.const 1000000) (i32.const 0)) i32.const 0");
    assert_eq!(
        only_call(&huge, "").to_string(),
        "976.5 KiB of random numbers at once used, 64 KiB allowed"
    );
}

#[test]
fn handles_of_each_kind_are_counted() {
    let flood = with_clock(
        "(loop $l (drop (call $sleep (i64.const 1000000))) br $l) i32.const 0",
        "",
    );
    let limit = only_call(&flood, "");
    assert_eq!(limit.reason, Reason::LimitHandles);
    assert_eq!(limit.to_string(), "4,097 handles, 4,096 allowed");
    let poll = with_clock(
        "(local.set $p (call $sleep (i64.const 0)))
         (loop $l
            (i32.store (i32.mul (local.get $i) (i32.const 4)) (local.get $p))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 3000))))
         (call $poll (i32.const 0) (i32.const 3000) (i32.const 2000000))
         i32.const 0",
        "(local $p i32) (local $i i32)",
    );
    let limit = only_call(&poll, "");
    assert_eq!(limit.reason, Reason::LimitHandles);
    assert_eq!(
        limit.to_string(),
        "3,000 pollables in one poll, 2,048 allowed"
    );
    // Handles of the component's own, of which the host knows nothing.
    let own = wat::parse_str(
        r#"(component
          (type $r (resource (rep i32)))
          (core func $new (canon resource.new $r))
          (core module $m (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (result i32)
              (loop $l (drop (call $new (i32.const 1))) br $l) i32.const 0))
          (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
          (func (export "run") (result u32) (canon lift (core func $i "run"))))"#,
    )
    .unwrap();
    let limit = only_call(&own, "");
    assert_eq!(limit.reason, Reason::LimitHandles);
    assert_eq!(
        limit.to_string(),
        "4,097 handles of the component, 4,096 allowed"
    );
}

#[test]
fn a_call_without_a_turn_says_what_it_waited_for() {
    let fixture = Fixture::new();
    let sleeper = with_clock("(call $block (call $sleep (i64.const -1))) i32.const 0", "");
    fixture.install("sleep", &sleeper, &limits("concurrency: 1"));
    let report = fixture.block_on(async {
        let cancel = CancellationToken::new();
        let first = fixture.calling("sleep_run", Value::Null, cancel.clone());
        let second = async {
            // A change of other limits makes no second place.
            let shorter = PolicyEdit::Limit {
                key: "time".to_owned(),
                value: "200ms".to_owned(),
            };
            let name = "sleep".parse().unwrap();
            fixture.runtime.change_policy(&name, &shorter).unwrap();
            let report = fixture
                .calling("sleep_run", Value::Null, CancellationToken::new())
                .await;
            cancel.cancel();
            report
        };
        tokio::join!(first, second).1
    });
    let limit = limit(&fixture, &report);
    assert_eq!(limit.reason, Reason::LimitConcurrency);
    assert_eq!(
        limit.to_string(),
        "more than the 1 calls of the component at the same time allowed"
    );
    let Outcome::Failed { message, .. } = &report.outcome else {
        panic!("{:?}", report.outcome)
    };
    assert!(message.ends_with("no turn came within 200 ms"), "{message}");
    assert_eq!(report.usage.memory, 0);
}

#[test]
fn a_full_queue_answers_at_once() {
    let fixture = Fixture::new();
    let sleeper = with_clock("(call $block (call $sleep (i64.const -1))) i32.const 0", "");
    fixture.install("sleep", &sleeper, &limits("concurrency: 1"));
    fixture.block_on(async {
        let cancel = CancellationToken::new();
        // One runs and 256 wait.
        let held = futures_join(
            (0..257).map(|_| fixture.calling("sleep_run", Value::Null, cancel.clone())),
        );
        let last = async {
            let report = fixture
                .calling("sleep_run", Value::Null, CancellationToken::new())
                .await;
            cancel.cancel();
            report
        };
        let (_, report) = tokio::join!(held, last);
        let limit = limit(&fixture, &report);
        assert_eq!(limit.reason, Reason::LimitConcurrency);
        assert_eq!(limit.to_string(), "257 waiting calls, 256 allowed");
        assert!(Duration::from_micros(report.usage.wall_us) < Duration::from_secs(5));
    });
}

#[test]
fn a_call_that_nobody_waits_for_has_its_usage_on_record() {
    let fixture = Fixture::new();
    fixture.install("spin", &spinner(), "");
    fixture.block_on(async {
        let call = fixture.calling("spin_run", Value::Null, CancellationToken::new());
        let dropped = tokio::time::timeout(Duration::from_millis(100), call).await;
        assert!(dropped.is_err());
        while fixture.records.all().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let [record] = &fixture.records.all()[..] else {
        panic!("one record")
    };
    assert_eq!(record.outcome, "cancelled");
    assert!(record.usage.cpu_us > 0, "{:?}", record.usage);
    assert!(record.usage.wall_us >= 100_000, "{:?}", record.usage);
}
