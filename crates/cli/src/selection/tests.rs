use super::*;
use crate::error::ExitStatus;

#[test]
fn patterns_are_those_of_a_shell() {
    for (text, name, matches) in [
        ("notes_*", "notes_read_lines", true),
        ("notes_*", "note", false),
        ("*_{read,save}_*", "notes_save_note", true),
        ("notes_read_lines", "notes_read_lines", true),
        ("notes_read", "notes_read_lines", false),
        ("notes_?ead_lines", "notes_read_lines", true),
        ("[!n]*", "notes_read_lines", false),
        ("*", "anything", true),
        ("", "anything", false),
        ("NOTES_*", "notes_read_lines", false),
    ] {
        assert_eq!(
            pattern(text).unwrap().is_match(name),
            matches,
            "{text} {name}"
        );
    }
    for text in ["[", "a{b", &"x".repeat(300)] {
        assert_eq!(pattern(text).unwrap_err().shown().status, ExitStatus::Usage);
    }
}
