//! References as people type them.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn parse(text: &str) -> Result<String, ReferenceError> {
    Reference::parse(text, Path::new("/base/dir"))
        .map(|Reference::File(path)| path.to_str().unwrap().to_owned())
}

#[test]
fn paths_and_file_urls() {
    for (text, path) in [
        ("tool.wasm", "/base/dir/tool.wasm"),
        ("./tool.wasm", "/base/dir/./tool.wasm"),
        ("../tool.wasm", "/base/dir/../tool.wasm"),
        ("/opt/tool.wasm", "/opt/tool.wasm"),
        ("a dir/tööl.wasm", "/base/dir/a dir/tööl.wasm"),
        ("ghcr.io/acme/tool:1.0", "/base/dir/ghcr.io/acme/tool:1.0"),
        ("file:///opt/tool.wasm", "/opt/tool.wasm"),
        ("FILE:///opt/tool.wasm", "/opt/tool.wasm"),
        ("file://localhost/opt/tool.wasm", "/opt/tool.wasm"),
        ("file:/opt/tool.wasm", "/opt/tool.wasm"),
        ("file:///opt/a%20b%3F.wasm", "/opt/a b?.wasm"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(path), "{text}");
    }
}

#[test]
fn other_transports_are_named() {
    for text in [
        "oci://ghcr.io/acme/tool:1",
        "oci:ghcr.io/acme/tool",
        "https://x.org/a.wasm",
        "HTTP://x.org/a.wasm",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ReferenceError::NotInThisRelease { .. }),
            "{text}: {error}"
        );
        assert!(error.to_string().contains("not in this release"), "{error}");
        assert!(error.hint().is_some());
    }
    assert!(matches!(
        parse("ftp://x/a.wasm"),
        Err(ReferenceError::UnknownScheme { .. })
    ));
}

#[test]
fn what_names_no_file_is_refused() {
    for text in [
        "file://server/share/a.wasm",
        "file:a.wasm",
        "file:///a.wasm?x=1",
        "file:///a.wasm#x",
        "file:///a%00b",
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ReferenceError::FileUrl { .. }),
            "{text}: {error}"
        );
    }
    assert_eq!(parse("  "), Err(ReferenceError::Empty));
    assert!(matches!(
        parse("a\0b"),
        Err(ReferenceError::ControlCharacter { .. })
    ));
    assert!(matches!(
        parse("a\u{1b}[31mb"),
        Err(ReferenceError::ControlCharacter { .. })
    ));
    assert!(matches!(
        parse(&"x".repeat(5000)),
        Err(ReferenceError::TooLong { length: 5000 })
    ));
}

#[test]
fn a_source_reads_back_as_the_same_file() {
    for path in ["/opt/a b.wasm", "/opt/ü?#%.wasm", "/opt/x:y.wasm"] {
        let source = source_of_file(Path::new(path));
        assert!(source.starts_with("file:///opt/"), "{source}");
        assert_eq!(parse(&source).as_deref(), Ok(path));
    }
}
