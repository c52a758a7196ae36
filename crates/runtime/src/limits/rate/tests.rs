#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// The rate in the policy of a component.
fn rate(text: &str) -> Rate {
    let text = format!(
        "version: \"1.0\"\npermissions:\n  resources:\n    limits: {{ rate: \"{text}\" }}\n"
    );
    casemate_policy::Policy::parse(&text)
        .unwrap()
        .limits()
        .rate
        .unwrap()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn no_stretch_of_time_has_more_calls_than_the_rate() {
    let paced = Paced::at(rate("3/m"), None);
    let start = paced.origin;
    let at = |seconds: u32| paced.take(start + SECOND * seconds);
    assert_eq!(at(0), Ok(()));
    assert_eq!(at(50), Ok(()));
    assert_eq!(at(55), Ok(()));
    let early = at(59).unwrap_err();
    assert_eq!(early.limit.to_string(), "4 calls in a minute, 3 allowed");
    assert_eq!(early.limit.reason, Reason::LimitRate);
    assert_eq!(early.wait, SECOND);
    // The first one is a minute old; the two others still count.
    assert_eq!(at(60), Ok(()));
    assert_eq!(at(61).unwrap_err().wait, SECOND * 49);
    assert_eq!(at(110), Ok(()));
    assert_eq!(at(111).unwrap_err().wait, SECOND * 4);
}

#[test]
fn a_call_that_is_refused_does_not_count() {
    let paced = Paced::at(rate("1/s"), None);
    let start = paced.origin;
    assert_eq!(paced.take(start), Ok(()));
    for millisecond in 1..1_000 {
        let early = paced.take(start + Duration::from_millis(millisecond));
        assert_eq!(
            early.unwrap_err().limit.to_string(),
            "2 calls in a second, 1 allowed"
        );
    }
    assert_eq!(paced.take(start + SECOND), Ok(()));
    paced.give_back();
    assert_eq!(paced.take(start + SECOND), Ok(()));
}

#[test]
fn another_rate_does_not_forget_the_calls_that_there_were() {
    let paced = Paced::at(rate("5/m"), None);
    let start = paced.origin;
    for second in 0..5 {
        assert_eq!(paced.take(start + SECOND * second), Ok(()));
    }
    let lower = Paced::at(rate("2/m"), Some(&paced));
    let early = lower.take(start + SECOND * 10).unwrap_err();
    assert_eq!(early.limit.to_string(), "6 calls in a minute, 2 allowed");
    // Four of five have to be older than a minute.
    assert_eq!(early.wait, SECOND * 53);
    let higher = Paced::at(rate("6/m"), Some(&lower));
    assert_eq!(higher.take(start + SECOND * 10), Ok(()));
    assert!(higher.take(start + SECOND * 10).is_err());
    // Whoever still holds the earlier one counts with it.
    assert!(paced.take(start + SECOND * 10).is_err());
}
