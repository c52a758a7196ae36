#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn brackets_within_text_nest_nothing() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(!is_too_deep(deep(MAX_DEPTH).as_bytes()));
    assert!(is_too_deep(deep(MAX_DEPTH + 1).as_bytes()));
    let text = format!("{{\"a\": \"{}\", \"b\\\"{{\": 1}}", "[".repeat(100));
    assert!(!is_too_deep(text.as_bytes()));
    let many = "[]".repeat(100);
    assert!(!is_too_deep(many.as_bytes()));
}
