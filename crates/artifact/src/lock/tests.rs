//! The text of the lock: what is written reads back, and everything else is refused with its place.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use proptest::prelude::*;

use super::wire::HEADER;
use super::*;

const PATH: &str = "/home/casemate.lock";

fn parse(text: &str) -> Result<Lock, LockError> {
    Lock::parse(text, Path::new(PATH))
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn entry() -> LockEntry {
    let mut entry = LockEntry::new(
        digest(1),
        "file:///opt/tool.wasm".to_owned(),
        digest(2),
        "2026-11-22T06:00:00Z".to_owned(),
    );
    entry.docs = Some(digest(3));
    entry
}

fn keyless() -> Signer {
    "uri https://github.com/example/tools/.github/workflows/release.yml@refs/tags/v1 \
     issuer https://token.actions.githubusercontent.com"
        .parse()
        .unwrap()
}

/// An entry with something in every field.
fn full() -> LockEntry {
    let mut older = entry();
    older.digest = digest(8);
    older.signer = Some(Signer::Key {
        fingerprint: digest(9),
    });
    LockEntry {
        manifest: Some(digest(4)),
        evidence: Some(digest(5)),
        signer: Some(keyless()),
        verification_skipped: true,
        version: Some("1.2.0".to_owned()),
        policy: Some(digest(6)),
        request: Some(digest(10)),
        ..entry()
    }
    .replacing(older, Some(digest(7)), true)
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
        "{HEADER}version = 2\n\n[components.alpha]\ndigest = \"{0}\"\nsource = \"file:///opt/tool.wasm\"\n\
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
        parse("version = 3\nfuture = true\n[components.x]\nanything = [1, 2]\n").unwrap_err();
    assert!(
        matches!(
            error,
            LockError::FutureVersion {
                found: 3,
                supported: 2,
                ..
            }
        ),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains(PATH) && message.contains("version 3") && message.contains("version 2"),
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
        ("version = 2", "version = 2\nextra = 1", "extra"),
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
fn everything_an_entry_says_is_written_and_read_back() {
    let name: ComponentName = "alpha".parse().unwrap();
    let lock = Lock {
        components: [(name, full())].into(),
    };
    let text = lock.print().unwrap();
    for line in [
        format!("manifest = \"{}\"", digest(4)),
        format!("evidence = \"{}\"", digest(5)),
        format!("signer = \"{}\"", keyless()),
        "verification-skipped = true".to_owned(),
        "version = \"1.2.0\"".to_owned(),
        format!("policy = \"{}\"", digest(6)),
        format!("request = \"{}\"", digest(10)),
        "[[components.alpha.previous]]".to_owned(),
        format!("policy-text = \"{}\"", digest(7)),
        "rolled-back = true".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(parse(&text).unwrap(), lock);
}

#[test]
fn version_1_is_read_and_written_as_version_2() {
    let old = format!(
        "version = 1\n\n[components.alpha]\ndigest = \"{0}\"\nsource = \"file:///opt/tool.wasm\"\n\
         tools = \"{1}\"\ntenant = \"local\"\ndocs = \"{2}\"\nadded = \"2026-11-22T06:00:00Z\"\n",
        digest(1),
        digest(2),
        digest(3)
    );
    assert_eq!(parse(&old).unwrap(), lock(&["alpha"]));
    let new = parse(&old).unwrap().print().unwrap();
    assert!(new.contains("\nversion = 2\n"), "{new}");
    // A key that version 1 does not have is not taken for one of version 2.
    for (key, value) in [
        ("manifest", format!("\"{}\"", digest(4))),
        ("signer", format!("\"{}\"", keyless())),
        ("verification-skipped", "true".to_owned()),
        ("policy", format!("\"{}\"", digest(6))),
    ] {
        let message = parse(&format!("{old}{key} = {value}\n"))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("line 10, column ") && message.contains(key),
            "{message}"
        );
    }
}

#[test]
fn a_hand_edited_entry_is_refused_at_the_value_that_is_wrong() {
    let name: ComponentName = "alpha".parse().unwrap();
    let good = Lock {
        components: [(name, full())].into(),
    };
    let good = good.print().unwrap();
    let (manifest, key) = (digest(4).to_string(), digest(9).to_string());
    let cut = manifest.get(..70).unwrap();
    for (from, to, says) in [
        (&*manifest, "sha256:04", "components.alpha.manifest: "),
        (&manifest, cut, "components.alpha.manifest: "),
        (
            "signer = \"uri ",
            "signer = \"url ",
            "components.alpha.signer: ",
        ),
        (
            " issuer https",
            " issued https",
            "components.alpha.signer: ",
        ),
        (&key, "sha256:zz", "components.alpha.previous.0.signer: "),
        ("\"1.2.0\"", "\"1\\n2\"", "components.alpha.version: "),
        ("\"1.2.0\"", "\"\"", "components.alpha.version: "),
        (
            "verification-skipped = true",
            "verification-skipped = 1",
            "invalid type",
        ),
        (
            "verification-skipped",
            "verification_skipped",
            "unknown field",
        ),
        (
            "[[components.alpha.previous]]",
            "rolled-back = true\n[[components.alpha.previous]]",
            "components.alpha.rolled-back: ",
        ),
        (
            "rolled-back = true",
            "rolled-back = true\n[[components.alpha.previous.previous]]\ndigest = \"\"\nsource = \"\"\n\
             tools = \"\"\ntenant = \"\"\nadded = \"\"",
            "components.alpha.previous.0.previous: ",
        ),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from}");
        let message = parse(&text).unwrap_err().to_string();
        assert!(message.contains(says), "{from}: {message}");
        let changed = text
            .lines()
            .zip(good.lines())
            .position(|(new, old)| new != old);
        let place = changed.unwrap_or(good.lines().count()) + 1;
        assert!(
            message.contains(&format!("line {place}, column ")),
            "{place}: {message}"
        );
    }
}

#[test]
fn what_was_replaced_is_kept_newest_first_and_bounded() {
    let of = |number: u8| {
        let mut entry = entry();
        entry.digest = digest(number);
        entry
    };
    let mut present = of(10);
    for number in 11..20 {
        present = of(number).replacing(present, Some(digest(number - 1)), false);
    }
    let kept: Vec<Digest> = present
        .previous
        .iter()
        .map(|replaced| replaced.entry.digest)
        .collect();
    assert_eq!(kept, [18, 17, 16, 15, 14].map(digest));
    assert!(
        present
            .previous
            .iter()
            .all(|replaced| replaced.entry.previous.is_empty())
    );
    // What returns leaves the list, and the same bytes again add nothing to it.
    let returned = of(17).replacing(present.clone(), None, true);
    let kept: Vec<Digest> = returned
        .previous
        .iter()
        .map(|replaced| replaced.entry.digest)
        .collect();
    assert_eq!(kept, [19, 18, 16, 15, 14].map(digest));
    assert_eq!(
        of(19).replacing(present.clone(), None, false).previous,
        present.previous
    );

    let mut six = present.clone();
    six.previous.extend(present.previous.first().cloned());
    let lock = Lock {
        components: [("alpha".parse().unwrap(), six)].into(),
    };
    assert!(matches!(lock.print(), Err(LockError::Refused { .. })));
    let lock = Lock {
        components: [("alpha".parse().unwrap(), present)].into(),
    };
    let text = lock.print().unwrap();
    let table = text.rfind("[[components.alpha.previous]]").unwrap();
    let message = parse(&format!("{text}\n{}", text.get(table..).unwrap()))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("at most 5") && message.contains(", line "),
        "{message}"
    );
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
        manifest in proptest::option::of(any::<[u8; 32]>()),
        policy in proptest::option::of(any::<[u8; 32]>()),
        signed in any::<bool>(), verification_skipped in any::<bool>(),
        version in proptest::option::of("\\PC{1,30}"),
        source in "\\PC{1,60}", added in "\\PC{1,16}", tenant in "[a-z][a-z0-9-]{0,31}",
    ) -> LockEntry {
        let tools = Digest::from_bytes(tools);
        LockEntry {
            tenant: tenant.parse().unwrap(),
            docs: docs.map(Digest::from_bytes),
            manifest: manifest.map(Digest::from_bytes),
            evidence: manifest.map(Digest::from_bytes),
            policy: policy.map(Digest::from_bytes),
            request: policy.map(Digest::from_bytes),
            signer: signed.then(keyless),
            verification_skipped,
            version,
            ..LockEntry::new(Digest::from_bytes(bytes), source, tools, added)
        }
    }
}

prop_compose! {
    fn any_chain()(entries in proptest::collection::vec((any_entry(), any::<bool>()), 1..9)) -> LockEntry {
        let mut entries = entries.into_iter();
        let (first, _) = entries.next().unwrap();
        entries.fold(first, |old, (new, rolled_back)| {
            let text = old.policy;
            new.replacing(old, text, rolled_back)
        })
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        entries in proptest::collection::btree_map("[a-z][a-z0-9-]{0,31}", any_chain(), 0..6),
    ) {
        let entries = entries.into_iter();
        let lock = Lock { components: entries.map(|(name, entry)| (name.parse().unwrap(), entry)).collect() };
        prop_assert_eq!(parse(&lock.print().unwrap()).unwrap(), lock);
    }

    #[test]
    fn a_damaged_lock_is_read_or_refused(
        at in 0..2500_usize, byte in any::<u8>(), cut in 0..2500_usize,
    ) {
        let name = "alpha".parse().unwrap();
        let lock = Lock { components: [(name, full())].into() };
        let mut bytes = lock.print().unwrap().into_bytes();
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
