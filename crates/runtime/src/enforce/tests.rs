#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;

#[test]
fn what_one_call_leaves_in_its_record_is_bounded() {
    let trail = Trail::default();
    for number in 0..10_000 {
        let subject = format!("storage read /{number}{}", "ä".repeat(5_000));
        trail.refused(Reason::StorageRead, subject, "why");
    }
    let limit = LimitReached::count(Reason::LimitHandles, "open files", 129, 128);
    trail.limited("storage read /a".to_owned(), limit);
    trail.limited("storage read /a".to_owned(), limit);
    let denials = trail.denials(true);
    assert_eq!(denials.len(), MAX_DENIALS + 2);
    let bytes: usize = denials.iter().map(|denial| denial.subject.len()).sum();
    assert!(bytes <= (MAX_SUBJECT + 3) * denials.len(), "{bytes}");
    assert!(denials[0].subject.ends_with("ä…"), "{}", denials[0].subject);
    let counted: u64 = denials.iter().map(|denial| denial.count).sum();
    assert_eq!(counted, 10_002);
    // One more of a kind that has no entry of its own any more.
    let last = denials.last();
    assert_eq!(last.map(|denial| denial.subject.as_str()), Some(OTHERS));
    assert_eq!(last.and_then(|denial| denial.limit), Some(limit));
}
