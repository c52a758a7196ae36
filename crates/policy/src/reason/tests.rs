use std::collections::BTreeSet;

use super::*;

#[test]
fn every_reason_reads_back() {
    let mut words = BTreeSet::new();
    for reason in Reason::all() {
        assert_eq!(reason.as_str().parse::<Reason>().unwrap(), reason);
        assert!(words.insert(reason.as_str()), "{reason} twice");
    }
    assert_eq!(words.len(), 32 + 16);
    for text in [
        "",
        "denied",
        "denied.storage",
        "DENIED.DNS",
        "trap",
        "trap.",
        "denied.dns ",
    ] {
        assert!(text.parse::<Reason>().is_err(), "{text}");
    }
}

#[test]
fn denials_are_those_a_grant_could_change() {
    assert!(Reason::StorageLink.is_denial());
    assert!(Reason::Random.is_denial());
    assert!(!Reason::LimitCpu.is_denial());
    assert!(!Reason::Trap(TrapKind::Unreachable).is_denial());
    assert!(!Reason::Cancelled.is_denial());
}
