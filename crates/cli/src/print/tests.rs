use super::{Page, inert, json_line};
use serde_json::json;

#[test]
fn s225_control_characters_of_others_are_escaped() {
    for (text, shown) in [
        ("plain é 漢", "plain é 漢"),
        ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
        ("\u{1b}]52;c;aGk=\u{7}", "\\u{1b}]52;c;aGk=\\u{7}"),
        ("\u{9b}31m", "\\u{9b}31m"),
        ("over\rwritten", "over\\rwritten"),
        ("two\nlines", "two\\nlines"),
        ("\u{202e}abc", "\\u{202e}abc"),
        ("a\u{200b}b", "a\\u{200b}b"),
        ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
    ] {
        assert_eq!(inert(text), shown);
    }
    let mut page = Page::default();
    page.text("a\u{1b}b\nc\td");
    assert_eq!(page.0, "a\\u{1b}b\nc d");
}

#[test]
fn json_keeps_the_value_and_loses_the_effect() {
    let value = json!({"a": "\u{1b}[1m\u{9b}\u{202e}\u{e0041}\u{7f}é", "\u{85}": 1});
    let line = json_line(&value).unwrap();
    assert_eq!(
        line,
        r#"{"a":"\u001b[1m\u009b\u202e\udb40\udc41\u007fé","\u0085":1}"#
    );
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read, value);
}
