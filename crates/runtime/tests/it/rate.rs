//! Calls per time: of a component, of a tool, and across changes of the policy.

use crate::common::component;
use crate::fixture::{Fixture, reason, result};
use casemate_policy::{ComponentName, PolicyEdit};
use casemate_runtime::Outcome;
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn twins() -> Vec<u8> {
    component(
        "package test:twins; world twins { export one: func() -> u32; export two: func() -> u32; }",
        "twins",
        r#"(module (func (export "one") (result i32) i32.const 1)
            (func (export "two") (result i32) i32.const 2))"#,
    )
}

fn served(permissions: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.install("twins", &twins(), &format!("permissions:\n{permissions}"));
    fixture
}

fn change(fixture: &Fixture, key: &str, value: &str) {
    let name: ComponentName = "twins".parse().unwrap();
    let edit = PolicyEdit::Limit {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    fixture.runtime.change_policy(&name, &edit).unwrap();
}

#[test]
fn a_call_over_the_rate_is_answered_at_once_and_starts_no_guest() {
    let fixture = served("  resources: { limits: { rate: \"3/h\" } }\n");
    for tool in ["twins_one", "twins_two", "twins_one"] {
        assert_eq!(fixture.call(tool, Value::Null).outcome.label(), "ok");
    }
    for _ in 0..3 {
        let report = fixture.call("twins_two", Value::Null);
        assert_eq!(reason(&report), "limit.rate");
        let limit = report.limit.unwrap();
        assert_eq!(limit.to_string(), "4 calls in an hour, 3 allowed");
        let Outcome::Failed { message, .. } = &report.outcome else {
            panic!("{:?}", report.outcome)
        };
        let (told, wait) = message
            .split_once("; the next one is let through in ")
            .unwrap();
        assert_eq!(told, limit.to_string());
        let wait: u64 = wait.strip_suffix(" s").unwrap().parse().unwrap();
        let wait = Duration::from_secs(wait);
        assert!(wait <= Duration::from_secs(3_600), "{wait:?}");
        assert!(wait > Duration::from_secs(3_000), "{wait:?}");
        // No memory, no time of a guest; on record all the same.
        assert_eq!((report.usage.memory, report.usage.cpu_us), (0, 0));
        let record = fixture.records.all().pop().unwrap();
        assert_eq!(record.call, report.id);
        assert_eq!(record.limit, Some(limit));
    }
    fixture.ping();
}

#[test]
fn calls_are_let_through_again_when_the_period_is_over() {
    let fixture = served("  resources: { limits: { rate: \"2/s\" } }\n");
    let mut refused = 0;
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let mut served = 0;
    while served < 6 {
        assert!(std::time::Instant::now() < deadline);
        let report = fixture.call("twins_one", Value::Null);
        match report.limit {
            None => served += 1,
            Some(limit) => {
                refused += 1;
                assert_eq!(limit.resource, "calls in a second");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_tool_has_a_rate_of_its_own_and_counts_for_its_component() {
    let fixture = served(
        "  resources: { limits: { rate: \"4/h\" } }\n  tools:\n    two: { resources: { limits: { rate: \"1/h\" } } }\n",
    );
    let call = |tool: &str| {
        let report = fixture.call(tool, Value::Null);
        report.limit.map(|limit| limit.to_string())
    };
    assert_eq!(call("twins_two"), None);
    // Over its own rate: that does not count for the component.
    for _ in 0..10 {
        assert_eq!(
            call("twins_two").as_deref(),
            Some("2 calls in an hour, 1 allowed")
        );
    }
    for _ in 0..3 {
        assert_eq!(call("twins_one"), None);
    }
    assert_eq!(
        call("twins_one").as_deref(),
        Some("5 calls in an hour, 4 allowed")
    );
}

#[test]
fn a_rate_of_one_tool_is_of_that_tool_alone() {
    let fixture = served("  tools:\n    two: { resources: { limits: { rate: \"1/h\" } } }\n");
    assert_eq!(result(&fixture.call("twins_two", Value::Null)), json!(2));
    assert_eq!(
        reason(&fixture.call("twins_two", Value::Null)),
        "limit.rate"
    );
    for _ in 0..5 {
        assert_eq!(result(&fixture.call("twins_one", Value::Null)), json!(1));
    }
}

#[test]
fn a_change_of_the_policy_does_not_give_the_calls_back() {
    let fixture = served("  resources: { limits: { rate: \"2/h\" } }\n");
    let refused = || reason(&fixture.call("twins_one", Value::Null)) == "limit.rate";
    assert!(!refused());
    assert!(!refused());
    assert!(refused());
    // Other limits, the same bytes installed anew, another rate, and there and back.
    change(&fixture, "memory", "1Mi");
    assert!(refused());
    fixture.try_install("twins", &twins(), None).unwrap();
    assert!(refused());
    change(&fixture, "rate", "1/h");
    assert!(refused());
    change(&fixture, "rate", "3/h");
    assert!(!refused());
    assert!(refused());
    change(&fixture, "rate", "2/h");
    assert!(refused());
}

#[test]
fn calls_at_the_same_time_do_not_pass_the_rate() {
    let fixture = served("  resources: { limits: { rate: \"5/h\" } }\n");
    let reports =
        fixture.block_on(crate::resources::futures_join((0..40).map(|_| {
            fixture.calling("twins_one", Value::Null, CancellationToken::new())
        })));
    let served = reports.iter().filter(|report| report.limit.is_none());
    assert_eq!(served.count(), 5);
}
