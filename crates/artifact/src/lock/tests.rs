//! The text of the lock: what is written reads back, and everything else is refused with its place.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const PATH: &str = "/home/casemate.lock";

fn parse(text: &str) -> Result<Lock, LockError> {
    Lock::parse(text, Path::new(PATH))
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn entry() -> LockEntry {
    LockEntry {
        digest: digest(1),
        source: "file:///opt/tool.wasm".to_owned(),
        tools: digest(2),
        tenant: Tenant::local(),
        docs: Some(digest(3)),
        added: "2026-11-22T06:00:00Z".to_owned(),
    }
}

fn lock(names: &[&str]) -> Lock {
    Lock {
        components: names
            .iter()
            .map(|name| (name.parse().unwrap(), entry()))
            .collect(),
    }
}

#[test]
fn the_text_is_readable_and_in_the_order_of_names() {
    let text = lock(&["zeta", "alpha"]).print().unwrap();
    let expected = format!(
        "{HEADER}version = 1\n\n[components.alpha]\ndigest = \"{0}\"\nsource = \"file:///opt/tool.wasm\"\n\
         tools = \"{1}\"\ntenant = \"local\"\ndocs = \"{2}\"\nadded = \"2026-11-22T06:00:00Z\"\n\n[components.zeta]\n",
        digest(1),
        digest(2),
        digest(3)
    );
    assert!(text.starts_with(&expected), "{text}");
    assert_eq!(lock(&["alpha", "zeta"]).print().unwrap(), text);
}

#[test]
fn an_empty_lock_round_trips() {
    assert_eq!(
        parse(&Lock::default().print().unwrap()).unwrap(),
        Lock::default()
    );
}

#[test]
fn s249_another_version_is_refused_by_number() {
    let error =
        parse("version = 2\nfuture = true\n[components.x]\nanything = [1, 2]\n").unwrap_err();
    assert!(
        matches!(
            error,
            LockError::FutureVersion {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains(PATH) && message.contains("version 2") && message.contains("version 1"),
        "{message}"
    );
    assert_eq!(error.hint().as_deref(), Some("upgrade casemate"));
    for text in [
        "version = 0",
        "version = -1",
        "version = \"1\"",
        "version = 1.0",
        "",
        "[components]",
    ] {
        assert!(
            matches!(parse(text), Err(LockError::Malformed { .. })),
            "{text}"
        );
    }
}

#[test]
fn what_is_unknown_or_wrong_is_refused_with_its_place() {
    let good = lock(&["alpha"]).print().unwrap();
    for (from, to, says) in [
        ("tenant =", "tennant =", "tennant"),
        ("version = 1", "version = 1\nextra = 1", "extra"),
        ("sha256:01", "sha256:0G", "digest"),
        ("sha256:02", "md5:02", "tools"),
        ("\"local\"", "\"Local\"", "tenant"),
        ("file:///opt", "file:///\\u001b[31m", "control character"),
        ("2026-11-22T06:00:00Z", "", "empty"),
        (
            "[components.alpha]",
            "[components.alpha]\nadded = \"x\"",
            "duplicate",
        ),
        ("[components.alpha]", "[components.alpha", "alpha"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let message = parse(&text).unwrap_err().to_string();
        assert!(message.starts_with(PATH), "{message}");
        assert!(
            message.contains(says) || message.contains("line "),
            "{from}: {message}"
        );
    }
    let error = parse(&good.replacen("tenant =", "tennant =", 1)).unwrap_err();
    assert!(error.to_string().contains(", line "), "{error}");
    assert!(error.to_string().contains("tennant"), "{error}");
}

#[test]
fn s157_a_name_that_could_leave_the_directory_is_refused() {
    let good = lock(&["alpha"]).print().unwrap();
    let long = format!("\"{}\"", "a".repeat(300));
    for name in [
        "\"../../x\"",
        "\"a/../b\"",
        "\"a\\u0000\"",
        &long,
        "\".\"",
        "\"..\"",
        "\"-rf\"",
        "\"x.policy.yaml\"",
        "\"аlpha\"",
        "\"\"",
    ] {
        let text = good.replacen("components.alpha", &format!("components.{name}"), 1);
        assert!(
            matches!(parse(&text), Err(LockError::Malformed { .. })),
            "{name}"
        );
    }
}

#[test]
fn an_entry_that_could_not_be_read_again_is_not_written() {
    for (source, added) in [
        ("", "x"),
        ("a\nb", "x"),
        ("x", ""),
        ("x", "\u{7}"),
        ("x", &*"9".repeat(65)),
        (&*"y".repeat(20_000), "x"),
    ] {
        let mut lock = lock(&["alpha"]);
        for entry in lock.components.values_mut() {
            (entry.source, entry.added) = (source.to_owned(), added.to_owned());
        }
        assert!(
            matches!(lock.print(), Err(LockError::Refused { .. })),
            "{source:.10} {added:.10}"
        );
    }
}

prop_compose! {
    fn any_entry()(
        bytes in any::<[u8; 32]>(), tools in any::<[u8; 32]>(),
        docs in proptest::option::of(any::<[u8; 32]>()),
        source in "\\PC{1,60}", added in "\\PC{1,16}", tenant in "[a-z][a-z0-9-]{0,31}",
    ) -> LockEntry {
        LockEntry {
            digest: Digest::from_bytes(bytes),
            source,
            tools: Digest::from_bytes(tools),
            tenant: tenant.parse().unwrap(),
            docs: docs.map(Digest::from_bytes),
            added,
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        entries in proptest::collection::btree_map("[a-z][a-z0-9-]{0,31}", any_entry(), 0..6),
    ) {
        let entries = entries.into_iter();
        let lock = Lock { components: entries.map(|(name, entry)| (name.parse().unwrap(), entry)).collect() };
        prop_assert_eq!(parse(&lock.print().unwrap()).unwrap(), lock);
    }

    #[test]
    fn a_damaged_lock_is_read_or_refused(
        at in 0..400_usize, byte in any::<u8>(), cut in 0..400_usize,
    ) {
        let mut bytes = lock(&["alpha"]).print().unwrap().into_bytes();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut.max(at));
        if let Ok(text) = String::from_utf8(bytes) {
            // Either is fine; a panic is not.
            let _ = parse(&text);
        }
    }
}
