//! References as people type them.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<String, ReferenceError> {
    Reference::parse(text, Path::new("/base/dir")).map(|reference| match reference {
        Reference::File(path) => path.to_str().unwrap().to_owned(),
        other => other.to_string(),
    })
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
    for (text, canonical) in [
        ("oci://ghcr.io/acme/tool:1", "oci://ghcr.io/acme/tool:1"),
        ("https://X.org/a.wasm", "https://x.org/a.wasm"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(canonical));
    }
    for text in ["oci:ghcr.io/acme/tool", "HTTP://x.org/a.wasm"] {
        let error = parse(text).unwrap_err();
        assert!(error.hint().is_some(), "{text}: {error}");
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

/// What a text is brought to; the error in its place.
fn oci(text: &str) -> Result<String, OciReferenceError> {
    text.parse::<OciReference>()
        .map(|reference| reference.to_string())
}

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn references_to_registries_have_one_spelling() {
    for (text, canonical) in [
        ("oci://ghcr.io/a/b", "oci://ghcr.io/a/b:latest"),
        ("oci://ghcr.io/a/b:1.0-RC_1", "oci://ghcr.io/a/b:1.0-RC_1"),
        ("oci://ghcr.io:443/a", "oci://ghcr.io/a:latest"),
        ("oci://ghcr.io:8443/a", "oci://ghcr.io:8443/a:latest"),
        ("oci://127.0.0.1:443/a", "oci://127.0.0.1:443/a:latest"),
        ("oci://127.0.0.1:5000/a", "oci://127.0.0.1:5000/a:latest"),
        ("oci://[::1]:5000/a/b:x", "oci://[::1]:5000/a/b:x"),
        ("oci://[2001:db8::1]/a", "oci://[2001:db8::1]/a:latest"),
        ("oci://localhost/a", "oci://localhost/a:latest"),
        ("oci://registry:5000/a", "oci://registry:5000/a:latest"),
        ("oci://docker.io/a/b__c", "oci://docker.io/a/b__c:latest"),
        ("oci://r.io/a---b.c_d", "oci://r.io/a---b.c_d:latest"),
    ] {
        assert_eq!(oci(text).as_deref(), Ok(canonical), "{text}");
        assert_eq!(oci(canonical).as_deref(), Ok(canonical), "{canonical}");
    }
    let pinned = format!("oci://ghcr.io/a/b@{DIGEST}");
    assert_eq!(oci(&pinned), Ok(pinned.clone()));
    let both = format!("oci://ghcr.io/a/b:1@{DIGEST}");
    assert_eq!(oci(&both), Ok(both.clone()));
    let reference: OciReference = both.parse().unwrap();
    assert_eq!(reference.repository_name(), "ghcr.io/a/b");
    assert_eq!(reference.tag(), Some("1"));
    assert_eq!(reference.digest().unwrap().to_string(), DIGEST);
    assert_eq!(reference.component_name().unwrap().as_str(), "b");
    let reference: OciReference = pinned.parse().unwrap();
    assert_eq!(reference.tag(), None);
}

#[test]
fn references_that_no_registry_has_are_refused() {
    let long_tag = format!("oci://r.io/a:{}", "x".repeat(129));
    let long_name = format!("oci://r.io/{}", "x".repeat(251));
    let short_digest = format!("oci://r.io/a@{}", &DIGEST[..70]);
    let capital_digest = format!("oci://r.io/a@{}", DIGEST.replace('a', "A"));
    for text in [
        "oci://",
        "oci://ghcr.io",
        "oci://ghcr.io/",
        "oci:///a",
        "oci:ghcr.io/a",
        "OCI://ghcr.io/a",
        "oci://acme/tool",
        "oci://GHCR.io/a",
        "oci://ghcr.io./a",
        "oci://ghcr.io/A",
        "oci://ghcr.io/a/B",
        "oci://ghcr.io/a//b",
        "oci://ghcr.io/a/",
        "oci://ghcr.io//a",
        "oci://ghcr.io/../a",
        "oci://ghcr.io/a/..",
        "oci://ghcr.io/.a",
        "oci://ghcr.io/a.",
        "oci://ghcr.io/a..b",
        "oci://ghcr.io/a___b",
        "oci://ghcr.io/a._b",
        "oci://ghcr.io/-a",
        "oci://ghcr.io/a:",
        "oci://ghcr.io/a:-x",
        "oci://ghcr.io/a:.x",
        "oci://ghcr.io/a:x:y",
        "oci://ghcr.io/a:x/b",
        "oci://ghcr.io/a@",
        "oci://ghcr.io/a@sha512:00",
        "oci://ghcr.io/a@latest",
        "oci://user@ghcr.io/a",
        "oci://user:word@ghcr.io/a",
        "oci://ghcr.io/a?x=1",
        "oci://ghcr.io/a#x",
        "oci://ghcr.io/a%2fb",
        "oci://ghcr.io/a b",
        "oci://ghcr.io/\u{e4}",
        "oci://gh\u{430}r.io/a",
        "oci://ghcr.io:0/a",
        "oci://ghcr.io:/a",
        "oci://ghcr.io:05000/a",
        "oci://ghcr.io:+5000/a",
        "oci://ghcr.io:65536/a",
        "oci://127.1/a",
        "oci://2130706433:5000/a",
        "oci://0x7f.0.0.1/a",
        "oci://::1/a",
        "oci://[::1/a",
        "oci://[0:0:0:0:0:0:0:1]:5000/a",
        "oci://[::ffff:127.0.0.1]:5000/a",
        "oci://[127.0.0.1]:5000/a",
        "oci://[fe80::1%25eth0]/a",
        &long_tag,
        &long_name,
        &short_digest,
        &capital_digest,
    ] {
        let error = parse(text).unwrap_err();
        assert!(
            matches!(error, ReferenceError::Oci { .. }),
            "{text}: {error}"
        );
        assert!(error.hint().is_some(), "{text}");
    }
    assert!(oci(&format!("oci://r.io/a:{}", "x".repeat(128))).is_ok());
}

#[test]
fn s156_references_that_differ_stay_different() {
    let at = format!("oci://ghcr.io/a/b@{DIGEST}");
    let tagged = format!("oci://ghcr.io/a/b:1@{DIGEST}");
    let hashed = format!("https://ghcr.io/a/b#{DIGEST}");
    let texts = [
        "oci://ghcr.io/a/b_c",
        "oci://ghcr.io/a_b/c",
        "oci://ghcr.io/a-b/c",
        "oci://ghcr.io/a/b-c",
        "oci://ghcr.io/a.b/c",
        "oci://ghcr.io/a/b/c",
        "oci://ghcr.io/a/b__c",
        "oci://example.com/a/b_c",
        "oci://ghcr.io:8443/a/b_c",
        "oci://127.0.0.1/a/b_c",
        "oci://127.0.0.1:443/a/b_c",
        "oci://[::1]/a/b_c",
        "oci://localhost/a/b_c",
        "oci://ghcr.io/a/b",
        "oci://ghcr.io/a/b:v1",
        "oci://ghcr.io/a/b:V1",
        "oci://ghcr.io/a/b:1",
        "oci://docker.io/a/b",
        &at,
        &tagged,
        "https://ghcr.io/a/b",
        "https://ghcr.io/a/b:1",
        "https://ghcr.io/a/B",
        "https://ghcr.io/a/b?x",
        &hashed,
        "file:///ghcr.io/a/b_c",
        "file:///ghcr.io/a_b/c",
        "a/b_c",
        "a_b/c",
        "file:///a/tool.wasm",
        "file:///b/tool.wasm",
    ];
    let mut seen = std::collections::BTreeMap::new();
    let mut references = std::collections::HashSet::new();
    for text in texts {
        let reference = Reference::parse(text, Path::new("/base")).unwrap();
        let other = seen.insert(reference.to_string(), text);
        assert_eq!(other, None, "{text} is the same as another");
        assert!(references.insert(reference), "{text}");
    }
    // One artifact, two spellings: these are the same on purpose.
    for (left, right) in [
        ("oci://ghcr.io/a", "oci://ghcr.io/a:latest"),
        ("oci://ghcr.io/a", "oci://ghcr.io:443/a"),
        ("https://ghcr.io/a", "https://GHCR.io:443/x/../a"),
    ] {
        assert_eq!(parse(left), parse(right));
    }
}

#[test]
fn files_behind_urls() {
    let reference: HttpsReference = format!("https://example.com:8443/d/My_Tool.wasm?v=1#{DIGEST}")
        .parse()
        .unwrap();
    assert_eq!(reference.place(), "example.com:8443/d/My_Tool.wasm");
    assert_eq!(reference.digest().unwrap().to_string(), DIGEST);
    assert_eq!(reference.component_name().unwrap().as_str(), "my-tool");
    assert_eq!(
        reference.to_string(),
        format!("https://example.com:8443/d/My_Tool.wasm?v=1#{DIGEST}")
    );
    for text in [
        "https://",
        "https://user@example.com/a.wasm",
        "https://user:word@example.com/a.wasm",
        "https://example.com/a.wasm#x",
        "https://example.com/a.wasm#sha256:00",
        "https://example.com/a.wasm#",
        "https://exa mple.com/a",
        "http://example.com/a.wasm",
        "http://127.0.0.1/a.wasm",
    ] {
        let error = parse(text).unwrap_err();
        assert!(matches!(error, ReferenceError::Https { .. }), "{text}");
        assert!(error.hint().is_some(), "{text}");
    }
    for nameless in ["https://example.com/", "https://example.com/1.wasm"] {
        let reference: HttpsReference = nameless.parse().unwrap();
        assert_eq!(reference.component_name(), None, "{nameless}");
    }
    let nameless: OciReference = "oci://ghcr.io/a/1st".parse().unwrap();
    assert_eq!(nameless.component_name(), None);
}

/// A text that may be a reference, more often than chance has it.
fn likely() -> impl Strategy<Value = String> {
    let host = proptest::sample::select(vec![
        "ghcr.io",
        "GHCR.io",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "acme",
        "a.b.",
        "1.2",
        "xn--a.b",
        "",
    ]);
    let port = proptest::sample::select(vec!["", ":5000", ":443", ":0", ":x", ":99999"]);
    let scheme = proptest::sample::select(vec!["oci://", "https://", "oci:", "http://", ""]);
    let tag = proptest::sample::select(vec!["", ":1", ":V", ":-", ":a:b"]);
    let digest = proptest::sample::select(vec!["", "@", "#", "?"]);
    let hash = proptest::sample::select(vec!["", DIGEST, "sha256:0"]);
    let path = "[a-cA ._/%-]{0,8}";
    (scheme, host, port, path, tag, digest, hash).prop_map(
        |(scheme, host, port, path, tag, digest, hash)| {
            format!("{scheme}{host}{port}/{path}{tag}{digest}{hash}")
        },
    )
}

proptest! {
    #[test]
    fn a_reference_reads_back_as_itself(text in prop_oneof![likely(), "\\PC{0,60}"]) {
        let Ok(reference) = Reference::parse(&text, Path::new("/base")) else {
            return Ok(());
        };
        let shown = reference.to_string();
        // A file's path may hold what a URL escapes, or begin so that it is resolved.
        if let Reference::File(_) = reference {
            return Ok(());
        }
        prop_assert!(!shown.chars().any(|letter| letter.is_control() || letter.is_whitespace()));
        let again = Reference::parse(&shown, Path::new("/elsewhere")).unwrap();
        prop_assert_eq!(again.to_string(), shown);
        prop_assert_eq!(&again, &reference);
        if let Reference::Oci(own) = &reference {
            prop_assert!(own.tag().is_some() || own.digest().is_some());
            prop_assert!(own.repository_name().starts_with(&own.registry().to_string()));
        }
    }
}
