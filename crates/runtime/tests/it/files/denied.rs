//! Deny rules and patterns: what is denied is absent, wherever it is reached from.

use super::{Site, at, base64, names, opening, reading, seen, snapshot, text, with};
use casemate_runtime::CallReport;
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

const READ: &str = "denied.storage.read";
const WRITE: &str = "denied.storage.write";
const LINK: &str = "denied.storage.link";

/// Everything but a secret, with a part that is read-only and names that are denied everywhere.
const GUARDED: &str = r#"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read", "write"]
    deny:
      - uri: "fs://workspace/secret/**"
      - uri: "fs://workspace/docs/**"
        access: ["write"]
      - uri: "fs://workspace/pub/*.key"
"#;

fn guarded() -> Site {
    let site = Site::new(GUARDED);
    for (path, text) in [
        ("secret/key", "SECRET"),
        ("secret/deep/key", "SECRET"),
        ("docs/page.md", "page"),
        ("pub/a.txt", "public"),
        ("pub/b.key", "SECRET"),
        ("pub/inner/c.key", "other"),
    ] {
        let path = site.host("ws").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    site
}

fn write(path: &str) -> Value {
    with(opening(path, &["create"], &["write"]), "bytes", base64("x"))
}

fn moving(from: &str, to: &str) -> Value {
    json!({"mount": 0, "path": from, "to-mount": 0, "to": to})
}

fn linking(from: &str, to: &str) -> Value {
    with(moving(from, to), "how", json!([]))
}

fn listed(site: &Site, path: &str) -> Vec<String> {
    names(&site.allowed("list", opening(path, &["directory"], &["read"])))
}

/// What a person and a model are told of a call, without its name.
fn told(report: &CallReport, path: &str) -> String {
    let denials: Vec<String> = report
        .denials
        .iter()
        .map(|denial| {
            format!(
                "{} {} {}",
                denial.reason, denial.subject, denial.explanation
            )
        })
        .collect();
    format!("{:?} {denials:?}", report.outcome).replace(path, "PATH")
}

#[test]
fn s054_links_into_a_denied_place_lead_nowhere() {
    let site = guarded();
    site.refused(
        "symlink-at",
        with(at("pub/l"), "target", "../secret/key"),
        "not-permitted",
        (LINK, "storage symlink /workspace/pub/l -> /workspace/pub/l"),
    );
    // The same made by the host, and one over two steps, to a directory, and named like something denied.
    let link = |target: &str, path: &str| symlink(target, site.host("ws").join(path)).unwrap();
    link("../secret/key", "pub/l");
    link("l", "pub/again");
    link("../secret", "pub/dir");
    link("pub/dir/../secret", "around");
    link("a.txt", "pub/alias.key");
    let secret = |path: &str| format!("storage read /workspace/{path}");
    for (path, judged) in [
        ("pub/l", "secret"),
        ("pub/again", "secret"),
        ("pub/dir", "secret"),
        ("pub/dir/key", "secret"),
        ("pub/dir/none", "secret"),
        ("pub/dir/../notes.txt", "secret"),
        ("around/key", "secret"),
    ] {
        site.refused("read", reading(path), "no-entry", (READ, &secret(judged)));
        site.refused(
            "stat-at",
            seen(path, true),
            "no-entry",
            (READ, &secret(judged)),
        );
    }
    // A link is judged by its own name too: a denied one is absent, though it leads to what is allowed.
    site.refused(
        "read",
        reading("pub/alias.key"),
        "no-entry",
        (READ, &secret("pub/alias.key")),
    );
    site.refused(
        "readlink-at",
        at("pub/alias.key"),
        "no-entry",
        (READ, &secret("pub/alias.key")),
    );
    // A hard link that the host made is a name of its own (S057).
    std::fs::hard_link(site.host("ws/secret/key"), site.host("ws/pub/hard")).unwrap();
    assert_eq!(text(&site.allowed("read", reading("pub/hard"))), "SECRET");
    // And the way back: a name in the denied place for something that is allowed.
    std::fs::hard_link(site.host("ws/pub/a.txt"), site.host("ws/secret/a.txt")).unwrap();
    site.refused(
        "read",
        reading("secret/a.txt"),
        "no-entry",
        (READ, &secret("secret")),
    );
}

#[test]
fn s055_no_hard_link_into_or_out_of_a_denied_place() {
    let site = guarded();
    for (from, to, code) in [
        ("pub/b.key", "pub/h", "no-entry"),
        ("pub/a.txt", "pub/h.key", "no-entry"),
        ("pub/a.txt", "docs/h", "not-permitted"),
        ("docs/page.md", "pub/h", "not-permitted"),
    ] {
        let subject = format!("storage link /workspace/{from} -> /workspace/{to}");
        site.refused("link-at", linking(from, to), code, (LINK, &subject));
    }
    site.refused(
        "link-at",
        linking("secret/key", "pub/h"),
        "no-entry",
        (READ, "storage read /workspace/secret"),
    );
}

#[test]
fn s056_s061_nothing_moves_around_a_denied_place() {
    let site = guarded();
    for (from, to, code) in [
        ("secret", "pub/s", "no-entry"),
        ("pub/inner", "secret", "no-entry"),
        ("pub/b.key", "pub/s", "no-entry"),
        ("pub/a.txt", "pub/b.key", "no-entry"),
        ("pub/a.txt", "pub/new.key", "no-entry"),
        // Above something denied, now or afterwards.
        ("pub", "open", "not-permitted"),
        ("sub", "pub", "not-permitted"),
        // Read-only stays read-only, from either side.
        ("docs", "papers", "not-permitted"),
        ("docs/page.md", "page.md", "not-permitted"),
        ("notes.txt", "docs/page.md", "not-permitted"),
        ("sub", "docs", "not-permitted"),
    ] {
        let subject = format!("storage rename /workspace/{from} -> /workspace/{to}");
        site.refused("rename-at", moving(from, to), code, (LINK, &subject));
    }
    for path in ["docs/page.md", "docs/new"] {
        let subject = format!("storage write /workspace/{path}");
        site.refused("write", write(path), "not-permitted", (WRITE, &subject));
        site.refused(
            "unlink-file-at",
            at(path),
            "not-permitted",
            (WRITE, &subject),
        );
        site.refused(
            "create-directory-at",
            at(path),
            "not-permitted",
            (WRITE, &subject),
        );
    }
    assert_eq!(text(&site.allowed("read", reading("docs/page.md"))), "page");
    assert_eq!(listed(&site, "docs"), ["page.md"]);
    // What has nothing to do with it moves.
    site.allowed("rename-at", moving("pub/inner", "moved"));
    site.allowed("rename-at", moving("pub/a.txt", "pub/b.txt"));
    assert_eq!(site.content("ws/moved/c.key"), "other");
    assert_eq!(site.content("ws/secret/key"), "SECRET");
}

#[test]
fn a_directory_is_not_removed_where_its_emptiness_would_tell() {
    let site = guarded();
    std::fs::remove_file(site.host("ws/pub/a.txt")).unwrap();
    std::fs::remove_dir_all(site.host("ws/pub/inner")).unwrap();
    let subject = "storage write /workspace/pub";
    // Seen as empty, with and without the hidden file in it.
    assert_eq!(listed(&site, "pub"), [""; 0]);
    site.refused(
        "remove-directory-at",
        at("pub"),
        "not-permitted",
        (WRITE, subject),
    );
    std::fs::remove_file(site.host("ws/pub/b.key")).unwrap();
    site.refused(
        "remove-directory-at",
        at("pub"),
        "not-permitted",
        (WRITE, subject),
    );
    site.allowed("create-directory-at", at("made"));
    site.allowed("remove-directory-at", at("made"));
    // The numbers of a directory do not tell either.
    std::fs::create_dir_all(site.host("ws/full/x/y")).unwrap();
    std::fs::create_dir_all(site.host("ws/empty")).unwrap();
    for key in ["size", "link-count"] {
        assert_eq!(
            site.allowed("stat-at", seen("full", true))[key],
            site.allowed("stat-at", seen("empty", true))[key],
            "{key}"
        );
    }
}

#[test]
fn s069_what_a_rule_denies_is_absent_in_every_answer_and_listing() {
    let site = guarded();
    assert_eq!(listed(&site, "pub"), ["a.txt", "inner"]);
    let top = names(&site.allowed("list-mount", json!({"mount": 0})));
    assert!(!top.contains(&"secret".to_owned()), "{top:?}");
    assert!(top.contains(&"docs".to_owned()), "{top:?}");
    assert_eq!(
        text(&site.allowed("read", reading("pub/inner/c.key"))),
        "other"
    );
    symlink("a.txt", site.host("ws/pub/link.key")).unwrap();
    std::fs::create_dir(site.host("ws/pub/dir.key")).unwrap();
    let existing = ["pub/b.key", "pub/link.key", "pub/dir.key"];
    type Arguments<'a> = &'a dyn Fn(&str) -> Value;
    let every: [(&str, Arguments<'_>); 17] = [
        ("read", &reading),
        ("open", &|path| opening(path, &[], &[])),
        ("open", &|path| opening(path, &["directory"], &["read"])),
        ("open", &|path| opening(path, &["truncate"], &["read"])),
        ("open", &|path| {
            opening(path, &["create", "exclusive"], &["write"])
        }),
        ("write", &write),
        ("list", &|path| opening(path, &["directory"], &["read"])),
        ("stat-at", &|path| seen(path, true)),
        ("stat-at", &|path| seen(path, false)),
        ("metadata-hash-at", &|path| seen(path, true)),
        ("set-times-at", &|path| seen(path, false)),
        ("readlink-at", &at),
        ("unlink-file-at", &at),
        ("remove-directory-at", &at),
        ("create-directory-at", &at),
        ("rename-at", &|path| moving(path, "pub/y")),
        ("rename-at", &|path| moving("pub/a.txt", path)),
    ];
    let before = snapshot(site.fixture.path());
    for there in existing {
        for (function, arguments) in every {
            let absent = "pub/none.key";
            let report = site.call(function, arguments(there));
            assert_eq!(
                told(&report, there),
                told(&site.call(function, arguments(absent)), absent),
                "{function} {there}"
            );
            assert_eq!(
                super::answer(&report),
                Err("no-entry".to_owned()),
                "{function} {there}"
            );
        }
    }
    // Below something denied, too.
    for (there, absent) in [
        ("secret/key", "secret/none"),
        ("pub/b.key/x", "pub/none.key/x"),
    ] {
        for (function, arguments) in every {
            let answers = [there, absent].map(|path| site.ask(function, arguments(path)));
            assert_eq!(answers[0], answers[1], "{function} {there}");
            assert!(answers[0].is_err(), "{function} {there}");
        }
    }
    assert_eq!(snapshot(site.fixture.path()), before);
}

#[test]
fn s062_s063_patterns_reach_what_they_match() {
    let policy = "permissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**/*.txt\"\n        access: [read]\n      - uri: \"fs://workspace/out-*/**\"\n        access: [read, write]\n    deny:\n      - uri: \"fs://workspace/**/private*\"\n";
    let site = Site::new(policy);
    for (path, text) in [
        ("a[1].txt", "odd"),
        ("*.txt", "star"),
        ("-n\n.txt", "dash"),
        ("sub/private.txt", "SECRET"),
        ("private/x.txt", "SECRET"),
        ("out-1/made", "made"),
        ("out-1/private-x/made", "SECRET"),
        ("out/made", "not"),
    ] {
        let path = site.host("ws").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for (path, expected) in [
        ("notes.txt", "notes"),
        ("sub/inner.txt", "inner"),
        ("sub/deep/x.txt", "deep"),
        ("a[1].txt", "odd"),
        ("*.txt", "star"),
        ("-n\n.txt", "dash"),
        ("out-1/made", "made"),
    ] {
        assert_eq!(
            text(&site.allowed("read", reading(path))),
            expected,
            "{path}"
        );
    }
    for path in ["sub/private.txt", "private", "out-1/private-x"] {
        let subject = format!("storage read /workspace/{path}");
        site.refused("read", reading(path), "no-entry", (READ, &subject));
    }
    for path in ["conf.toml", "out/made"] {
        let subject = format!("storage read /workspace/{path}");
        // Any name could be a directory on the way to a .txt, so it may be looked at and not read.
        site.refused("read", reading(path), "not-permitted", (READ, &subject));
    }
    assert_eq!(listed(&site, "sub"), ["back", "deep", "inner.txt"]);
    assert_eq!(listed(&site, "out-1"), ["made"]);
    site.allowed("write", write("out-1/new"));
}

#[test]
fn a_pattern_without_depth_hides_what_it_does_not_match() {
    let policy = "permissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/*.txt\"\n        access: [read]\n";
    let site = Site::new(policy);
    assert_eq!(
        names(&site.allowed("list-mount", json!({"mount": 0}))),
        ["notes.txt"]
    );
    for path in ["conf.toml", "sub", "missing"] {
        let subject = format!("storage read /workspace/{path}");
        site.refused("stat-at", seen(path, true), "no-entry", (READ, &subject));
    }
    site.refused(
        "read",
        reading("sub/inner.txt"),
        "no-entry",
        (READ, "storage read /workspace/sub"),
    );
}
