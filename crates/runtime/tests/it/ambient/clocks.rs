//! Clocks that are none, frozen, coarse or full.

use super::{guest, permissions};
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MS: u64 = 1_000_000;
/// What the monotonic clock shows when a call starts.
const START: u64 = 1_000 * MS;

fn clocks() -> Vec<u8> {
    guest(
        "import wasi:io/poll@0.2.12;
         import wasi:clocks/monotonic-clock@0.2.12;
         import wasi:clocks/wall-clock@0.2.12;
         use wasi:clocks/wall-clock@0.2.12.{datetime};
         export wall: func() -> datetime;
         export wall-resolution: func() -> datetime;
         export resolution: func() -> u64;
         export now: func() -> u64;
         export busy: func(turns: u32) -> tuple<u64, u64>;
         export sleep: func(nanoseconds: u64) -> tuple<u64, u64>;
         export until: func(instant: u64) -> u64;
         export spin: func(nanoseconds: u64, turns: u32) -> tuple<u64, u64>;
         export ready: func(nanoseconds: u64) -> bool;
         export walls: func(nanoseconds: u64) -> tuple<datetime, datetime>;",
        r#"
        (import "wasi:clocks/monotonic-clock@0.2.12" "now" (func $now (result i64)))
        (import "wasi:clocks/monotonic-clock@0.2.12" "resolution" (func $resolution (result i64)))
        (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $duration (param i64) (result i32)))
        (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-instant" (func $instant (param i64) (result i32)))
        (import "wasi:clocks/wall-clock@0.2.12" "now" (func $wall (param i32)))
        (import "wasi:clocks/wall-clock@0.2.12" "resolution" (func $wall-resolution (param i32)))
        (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
        (import "wasi:io/poll@0.2.12" "[method]pollable.ready" (func $ready (param i32) (result i32)))
        "#,
        r#"
        (func (export "wall") (result i32) (call $wall (i32.const 16)) (i32.const 16))
        (func (export "wall-resolution") (result i32) (call $wall-resolution (i32.const 16)) (i32.const 16))
        (func (export "resolution") (result i64) (call $resolution))
        (func (export "now") (result i64) (call $now))
        (func (export "busy") (param $turns i32) (result i32)
          (i64.store (i32.const 16) (call $now))
          (loop $l (br_if $l (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
          (i64.store (i32.const 24) (call $now))
          (i32.const 16))
        (func (export "sleep") (param i64) (result i32)
          (i64.store (i32.const 16) (call $now))
          (call $block (call $duration (local.get 0)))
          (i64.store (i32.const 24) (call $now))
          (i32.const 16))
        (func (export "until") (param i64) (result i64)
          (call $block (call $instant (local.get 0)))
          (call $now))
        ;; How often a deadline was there without waiting, and how far the clock came.
        (func (export "spin") (param i64) (param $turns i32) (result i32)
          (local $deadline i32) (local $from i64)
          (local.set $from (call $now))
          (local.set $deadline (call $duration (local.get 0)))
          (i64.store (i32.const 16) (i64.const 0))
          (loop $l
            (i64.store (i32.const 16) (i64.add (i64.load (i32.const 16))
              (i64.extend_i32_u (call $ready (local.get $deadline)))))
            (br_if $l (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
          (i64.store (i32.const 24) (i64.sub (call $now) (local.get $from)))
          (i32.const 16))
        (func (export "ready") (param i64) (result i32) (local $deadline i32)
          (local.set $deadline (call $duration (local.get 0)))
          (call $block (local.get $deadline))
          (call $ready (local.get $deadline)))
        (func (export "walls") (param i64) (result i32)
          (call $wall (i32.const 16))
          (call $block (call $duration (local.get 0)))
          (call $wall (i32.const 32))
          (i32.const 16))
        "#,
    )
}

/// A guest whose clock is as `mode` says, or as it is when nothing is said.
fn with(mode: &str) -> Fixture {
    let fixture = Fixture::new();
    let policy = if mode.is_empty() {
        String::new()
    } else {
        permissions(&format!("clocks: {mode}"))
    };
    fixture.install("evil", &clocks(), &policy);
    fixture
}

fn call(fixture: &Fixture, function: &str, arguments: Value) -> Value {
    let report = fixture.call(&format!("evil_{function}"), arguments);
    assert_eq!(report.denials, []);
    result(&report)
}

fn pair(value: &Value) -> (u64, u64) {
    (value[0].as_u64().unwrap(), value[1].as_u64().unwrap())
}

/// Nanoseconds since the epoch.
fn nanoseconds(datetime: &Value) -> u64 {
    let seconds = datetime["seconds"].as_u64().unwrap();
    seconds * 1_000 * MS + datetime["nanoseconds"].as_u64().unwrap()
}

fn refused(report: &CallReport, subject: &str) {
    assert_eq!(reason(report), "denied.clock");
    assert_eq!(
        report.outcome,
        Outcome::Refused {
            reason: casemate_policy::Reason::Clock,
            message: format!("{subject} is not granted"),
        }
    );
    assert_eq!(report.denials.len(), 1);
    assert_eq!(report.denials[0].subject, subject);
}

#[test]
fn s136_without_a_clock_the_first_look_ends_the_call() {
    let fixture = with("none");
    for (function, arguments, subject) in [
        ("wall", Value::Null, "clock wall"),
        ("wall_resolution", Value::Null, "clock wall"),
        ("now", Value::Null, "clock monotonic"),
        ("resolution", Value::Null, "clock monotonic"),
        ("until", json!({"instant": 0}), "clock wait"),
        ("ready", json!({"nanoseconds": 0}), "clock wait"),
        ("sleep", json!({"nanoseconds": 1}), "clock monotonic"),
    ] {
        refused(
            &fixture.call(&format!("evil_{function}"), arguments),
            subject,
        );
    }
    fixture.ping();
}

#[test]
fn s136_strict_starts_from_no_clock_and_a_policy_may_give_one() {
    let fixture = Fixture::with(|builder| builder.strict(true));
    fixture.install("evil", &clocks(), "");
    refused(&fixture.call("evil_now", Value::Null), "clock monotonic");
    fixture.install("given", &clocks(), &permissions("clocks: full"));
    assert!(matches!(
        fixture.call("given_now", Value::Null).outcome,
        Outcome::Returned(_)
    ));
}

#[test]
fn s136_the_clock_stands_still_while_the_guest_computes() {
    for mode in ["", "frozen"] {
        let fixture = with(mode);
        let started = Instant::now();
        let (before, after) = pair(&call(&fixture, "busy", json!({"turns": 50_000_000})));
        assert!(started.elapsed() > Duration::from_millis(5));
        assert_eq!(before, after);
        assert_eq!(
            call(&fixture, "now", Value::Null),
            json!(START),
            "no time before the call either"
        );
    }
}

#[test]
fn the_monotonic_clock_never_shows_zero() {
    // Go's runtime ends a guest with "nanotime returning zero"; found with a component of Go 1.27.
    for mode in ["frozen", "coarse", "full"] {
        let fixture = with(mode);
        let now = call(&fixture, "now", Value::Null).as_u64().unwrap();
        assert!(now >= START, "{mode}: {now}");
        // The same clock judges the moments that a guest waits for: this one has passed, …
        assert!(
            call(&fixture, "until", json!({"instant": 0}))
                .as_u64()
                .unwrap()
                >= START
        );
        // … and this one is 30 ms away, not a second.
        let started = Instant::now();
        let then = call(&fixture, "until", json!({"instant": START + 30 * MS}));
        assert!(then.as_u64().unwrap() >= START + 30 * MS, "{mode}: {then}");
        assert!(started.elapsed() < Duration::from_millis(900), "{mode}");
    }
}

#[test]
fn s136_a_frozen_clock_moves_on_by_what_was_waited() {
    let fixture = with("frozen");
    for wait in [1, 50] {
        let started = Instant::now();
        let (before, after) = pair(&call(&fixture, "sleep", json!({"nanoseconds": wait * MS})));
        let real = u64::try_from(started.elapsed().as_nanos()).unwrap();
        assert!(after - before >= wait * MS, "{wait} ms: {}", after - before);
        assert!(
            after - before <= real,
            "{wait} ms: {} of {real}",
            after - before
        );
    }
    // A deadline that was waited for is there; one that has passed takes no time.
    assert_eq!(
        call(&fixture, "ready", json!({"nanoseconds": 3 * MS})),
        json!(true)
    );
    assert_eq!(call(&fixture, "until", json!({"instant": 0})), json!(START));
    assert_eq!(
        call(&fixture, "sleep", json!({"nanoseconds": 0})),
        json!([START, START])
    );
    let walls = call(&fixture, "walls", json!({"nanoseconds": 50 * MS}));
    assert!(nanoseconds(&walls[1]) - nanoseconds(&walls[0]) >= 50 * MS);
}

#[test]
fn s136_asking_a_deadline_again_and_again_tells_no_time() {
    let fixture = with("frozen");
    let started = Instant::now();
    let (ready, moved) = pair(&call(
        &fixture,
        "spin",
        json!({"nanoseconds": MS, "turns": 30_000}),
    ));
    assert!(
        started.elapsed() > Duration::from_millis(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!((ready, moved), (0, 0));
    // It ends with the processor time of the call, not with the deadline.
    let policy =
        "permissions:\n  clocks: frozen\n  resources:\n    limits: { cpu-time: \"200ms\" }\n";
    fixture.install("spins", &clocks(), policy);
    let report = fixture.call(
        "spins_spin",
        json!({"nanoseconds": MS, "turns": 4_000_000_000_u32}),
    );
    assert_eq!(reason(&report), "limit.cpu");
    fixture.ping();
}

#[test]
fn s136_a_coarse_clock_moves_in_steps() {
    let fixture = with("coarse");
    assert_eq!(call(&fixture, "resolution", Value::Null), json!(10 * MS));
    assert_eq!(
        nanoseconds(&call(&fixture, "wall_resolution", Value::Null)),
        10 * MS
    );
    for _ in 0..5 {
        let (before, after) = pair(&call(&fixture, "busy", json!({"turns": 20_000_000})));
        assert_eq!((before % (10 * MS), after % (10 * MS)), (0, 0));
    }
    let (before, after) = pair(&call(&fixture, "sleep", json!({"nanoseconds": 25 * MS})));
    assert_eq!((before % (10 * MS), after % (10 * MS)), (0, 0));
    assert!(after - before >= 30 * MS, "the next step after 25 ms");
    assert_eq!(
        call(&fixture, "ready", json!({"nanoseconds": 1})),
        json!(true)
    );
    assert_eq!(
        nanoseconds(&call(&fixture, "wall", Value::Null)) % (10 * MS),
        0
    );
    // A deadline comes with a step of the clock, and never before it.
    let (ready, moved) = pair(&call(
        &fixture,
        "spin",
        json!({"nanoseconds": MS, "turns": 200_000}),
    ));
    assert!(
        moved % (10 * MS) == 0 && (ready == 0 || moved >= 10 * MS),
        "{ready} {moved}"
    );
}

#[test]
fn s136_a_full_clock_runs() {
    let fixture = with("full");
    let (before, after) = pair(&call(&fixture, "busy", json!({"turns": 20_000_000})));
    assert!(after > before);
    let (before, after) = pair(&call(&fixture, "sleep", json!({"nanoseconds": 20 * MS})));
    assert!(after - before >= 20 * MS);
    assert_eq!(call(&fixture, "resolution", Value::Null), json!(1));
    assert_eq!(
        call(&fixture, "ready", json!({"nanoseconds": MS})),
        json!(true)
    );
}

#[test]
fn every_clock_but_none_tells_the_date() {
    for mode in ["", "frozen", "coarse", "full"] {
        let fixture = with(mode);
        let told = Duration::from_nanos(nanoseconds(&call(&fixture, "wall", Value::Null)));
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(
            told <= real && real - told < Duration::from_secs(60),
            "{mode}: {told:?}"
        );
    }
}

#[test]
fn s137_a_long_sleep_ends_at_the_time_limit_under_every_clock() {
    for mode in ["frozen", "coarse", "full"] {
        let fixture = Fixture::new();
        let policy = format!(
            "permissions:\n  clocks: {mode}\n  resources:\n    limits: {{ time: \"200ms\" }}\n"
        );
        fixture.install("evil", &clocks(), &policy);
        for nanoseconds in [json!(3_600_000 * MS), json!(u64::MAX.to_string())] {
            let started = Instant::now();
            let report = fixture.call("evil_sleep", json!({"nanoseconds": nanoseconds}));
            assert_eq!(reason(&report), "limit.time", "{mode}");
            assert!(started.elapsed() < Duration::from_secs(2), "{mode}");
        }
        fixture.ping();
    }
}
