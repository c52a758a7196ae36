use std::time::{Duration, Instant};

use super::*;

fn refused(text: &str) -> PolicyError {
    let started = Instant::now();
    let error = read(text).map(|_| ()).unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "slow: {:?}",
        error
    );
    assert_eq!(error.kind, PolicyErrorKind::Syntax);
    error
}

#[test]
fn s145_bombs_and_exotic_yaml_are_refused() {
    let mut laughs = String::from("a: &a [lol, lol]\n");
    for (level, previous) in ('b'..='z').zip('a'..) {
        laughs.push_str(&format!(
            "{level}: &{level} [*{previous}, *{previous}, *{previous}]\n"
        ));
    }
    assert!(refused(&laughs).message.contains("anchors and aliases"));
    assert!(
        refused(&format!("a: &x 1\nb: [{}]\n", "*x,".repeat(60_000)))
            .message
            .contains("anchors")
    );
    assert!(
        refused(&format!("a: \"{}\"\n", "x".repeat(10_000_000)))
            .message
            .contains("256 KiB")
    );
    refused(&format!("a: {}", "[".repeat(10_000)));
    refused(&format!("a: {}1{}", "[".repeat(10_000), "]".repeat(10_000)));
    assert!(
        refused(&format!("a: {}1{}", "[".repeat(20), "]".repeat(20)))
            .message
            .contains("nested deeper")
    );
    assert!(
        refused(&format!("a: [{}]", "1,".repeat(100_000)))
            .message
            .contains("too large or too complex")
    );
    assert_eq!(
        refused("a: 1\nb: 2\na: 3\n").message,
        "the key \"a\" is given twice"
    );
    assert_eq!(
        (
            refused("a: 1\nb: 2\na: 3\n").line,
            refused("a: 1\nb: 2\na: 3\n").column
        ),
        (3, 1)
    );
    assert!(
        refused("base: {a: 1}\n<<: {b: 2}\n")
            .message
            .contains("merge keys")
    );
    for tagged in [
        "a: !include /etc/passwd\n",
        "!foo a: 1\n",
        "a: !!str 5\n",
        "!!str a: 5\n",
        "a: !!binary aGk=\n",
        "a: !!python/object:os.system x\n",
    ] {
        assert!(
            refused(tagged).message.contains("tags"),
            "{tagged}: {:?}",
            refused(tagged)
        );
    }
    assert!(refused("a: 1\n---\nb: 2\n").message.contains("second one"));
    assert!(
        refused("\u{feff}a: 1\n")
            .message
            .contains("byte-order mark")
    );
    let utf16: String = "a: 1\n"
        .chars()
        .flat_map(|character| [character, '\0'])
        .collect();
    refused(&utf16);
    refused("a:\n\t- b\n");
    refused("a: \"open\n");
    refused("? {a: 1}\n: 2\n");
    refused("null: 1\n");
    refused("a: *unknown\n");
}

#[test]
fn s145_nothing_is_interpolated() {
    let node = read("a: ${HOME}\nb: \"$PATH\"\n").unwrap();
    assert!(
        matches!(&node.entry("a").unwrap().node.value, Value::Scalar(text) if text == "${HOME}")
    );
    assert!(matches!(&node.entry("b").unwrap().node.value, Value::Scalar(text) if text == "$PATH"));
}

#[test]
fn s146_scalars_keep_their_text() {
    for text in [
        "on",
        "off",
        "no",
        "y",
        "0o17",
        "1e3",
        "1_000",
        ".inf",
        "-1",
        "2026-11-21",
        "1.0",
        "0x1F",
        "true",
        "1e999",
        "007",
    ] {
        let node = read(&format!("a: {text}   # comment\n")).unwrap();
        assert!(
            matches!(&node.entry("a").unwrap().node.value, Value::Scalar(found) if found == text),
            "{text}: {node:?}"
        );
    }
}

#[test]
fn s147_nothing_is_null() {
    for text in [
        "",
        "\n\n",
        "# only a comment\n",
        "---\n",
        "~\n",
        "null\n",
        "---\n...\n",
    ] {
        assert!(matches!(read(text).unwrap().value, Value::Null), "{text:?}");
    }
}

#[test]
fn nodes_know_their_places() {
    let text = "é: 1\nb:\n  - x: \"q\"  # c\n    y: [read]\n";
    let node = read(text).unwrap();
    let list = &node.entry("b").unwrap().node;
    assert_eq!(list.place, Place { line: 3, column: 3 });
    let Value::List(items) = &list.value else {
        return assert!(matches!(list.value, Value::List(_)));
    };
    let x = items.first().unwrap().entry("x").unwrap();
    assert_eq!(x.place, Place { line: 3, column: 5 });
    assert_eq!(text.get(x.node.span.clone()), Some("\"q\""));
}

#[test]
fn messages_hold_no_control_characters() {
    for text in [
        "\"\\u001b[31m\": 1\n\"\\u001b[31m\": 2\n",
        "a: \u{1b}[31m\n",
        "a: !\u{1b}x 1\n",
    ] {
        if let Err(error) = read(text) {
            assert!(!error.message.contains('\u{1b}'), "{:?}", error.message);
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-b:\\- \\[\\]{}'\"&*!|>#%@\n\t,?]{0,60}") {
        let _ = read(&text);
    }
}
