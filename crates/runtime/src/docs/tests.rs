#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn words(written: Option<&Written>) -> Option<&str> {
    written.and_then(Written::clean)
}

#[test]
fn plain_text_drops_what_acts_or_hides() {
    let table = [
        ("plain\ttext\r\nnext", "plain text\nnext"),
        ("\u{1b}[31mred\u{1b}[0m", "red"),
        ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\!", "link!"),
        ("\u{9b}2Jgone", "gone"),
        ("\u{1b}]0;title without end\nnext", "next"),
        ("\u{1b}(Babc\u{1b}cdef", "abcdef"),
        ("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{ad}f", "abcdef"),
        ("tag\u{e0041}\u{e007f}s", "tags"),
        ("nul\0bel\u{7}del\u{7f}c1\u{85}", "nulbeldelc1"),
        ("private\u{e000}use\u{ffff}\u{1fffe}", "privateuse"),
        ("line\u{2028}separator\u{2029}", "lineseparator"),
        ("naïve 日本語 🦀", "naïve 日本語 🦀"),
        ("  margins  ", "margins"),
        ("\u{1b}", ""),
    ];
    for (given, shown) in table {
        assert_eq!(plain_text(given, 1_000), shown, "{given:?}");
    }
}

#[test]
fn plain_text_is_bounded_at_characters() {
    assert_eq!(plain_text("abcdef", 6), "abcdef");
    assert_eq!(plain_text("abcdefg", 6), "abc…");
    assert_eq!(plain_text("日本語日本語", 10), "日本…");
    assert_eq!(plain_text("abc", 2), "");
    assert!(plain_text(&"x".repeat(1_000_000), MAX_DOCS_BYTES).len() <= MAX_DOCS_BYTES);
}

#[test]
fn several_files_of_wit_are_one_text() {
    let first = "package a:b;\n/// One.\ninterface i {\n  /// F.\n  f: func();\n}\n";
    let second = "package a:b;\nworld w {\n  export i;\n  /// G.\n  export g: func();\n}\n";
    let other =
        "package c:d@2.0.0;\n/// Other.\ninterface i {\n  /// Another f.\n  f: func();\n}\n";
    let text = bundle_wit([("i.wit", first), ("w.wit", second)]);
    let docs = Docs::read(Some(&text), &[]);
    assert_eq!(words(docs.function(Some("a:b/i"), "f")), Some("F."));
    assert_eq!(words(docs.function(None, "g")), Some("G."));
    assert_eq!(words(docs.interface(Some("a:b/i@1.0.0"))), Some("One."));
    assert!(docs.warnings().is_empty(), "{:?}", docs.warnings());

    // A dependency in the same directory tree is another package.
    let text = bundle_wit([
        ("i.wit", first),
        ("w.wit", second),
        ("deps/other.wit", other),
    ]);
    let docs = Docs::read(Some(&text), &[]);
    assert_eq!(words(docs.function(Some("a:b/i"), "f")), Some("F."));
    assert_eq!(
        words(docs.function(Some("c:d/i@2.0.0"), "f")),
        Some("Another f.")
    );
}

#[test]
fn inline_interfaces_are_known_by_their_export() {
    let text = "package a:b; world w { export tools: interface {
        /// A place.
        record point {
          /// Right
          x: u8 }
        /// Goes there.
        go: func(to: point); } }";
    let docs = Docs::read(Some(text), &[]);
    assert_eq!(
        words(docs.function(Some("tools"), "go")),
        Some("Goes there.")
    );
    let point = docs.ty(Some("tools"), "point").unwrap();
    assert_eq!(words(point.docs.as_ref()), Some("A place."));
    assert_eq!(words(point.items.get("x")), Some("Right"));
}

#[test]
fn parameters_are_read_from_lists() {
    let docs = "Finds.\n\n- path: where to look\n* `max-hits`: how many\n- `mode` - fast or slow\n@param depth how deep\n- pathological: no\n- empty:";
    assert_eq!(
        parameter_docs(docs, "path").as_deref(),
        Some("where to look")
    );
    assert_eq!(
        parameter_docs(docs, "max-hits").as_deref(),
        Some("how many")
    );
    assert_eq!(
        parameter_docs(docs, "mode").as_deref(),
        Some("fast or slow")
    );
    assert_eq!(parameter_docs(docs, "depth").as_deref(), Some("how deep"));
    assert_eq!(parameter_docs(docs, "empty"), None);
    assert_eq!(parameter_docs(docs, "max"), None);
}

#[test]
fn hostile_wit_is_a_warning() {
    let deep = format!(
        "package a:b; interface i {{ f: func(x: {}u8{}); }}",
        "list<".repeat(150_000),
        ">".repeat(150_000)
    );
    let long = format!("package a:b; // {}", "x".repeat(MAX_WIT_BYTES));
    let packages = format!(
        "package a:b; {}{}",
        "package c:d {".repeat(50_000),
        "}".repeat(50_000)
    );
    for text in [
        deep,
        long,
        packages,
        "package a:b; interface i { type a = b; type b = a; }".to_owned(),
    ] {
        let docs = Docs::read(Some(&text), &[]);
        assert_eq!(docs.warnings().len(), 1, "{:?}", docs.warnings());
    }
}
