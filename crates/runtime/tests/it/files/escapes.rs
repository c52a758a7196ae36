//! Paths that lead out of what is granted.

use super::{READ_WRITE, Site, at, base64, names, opening, reading, seen, text, with};
use crate::fixture::reason;
use serde_json::{Value, json};

const READ: &str = "denied.storage.read";

#[test]
fn s049_without_a_grant_there_is_nothing_to_open() {
    let site = Site::new("");
    let before = super::snapshot(site.fixture.path());
    assert_eq!(site.allowed("mounts", Value::Null), json!([]));
    // No handle exists, so every number is a mistake that ends the call.
    for handle in 0..=16 {
        let report = site.call("guess", json!({"handle": handle}));
        assert_eq!(
            reason(&report),
            "trap.other",
            "{handle}: {:?}",
            report.detail
        );
        // A call that fails after it looked for folders says that it has none.
        assert_eq!(report.denials, []);
    }
    let report = site.call("stat-at", seen("notes.txt", true));
    assert_eq!(reason(&report), "trap.unreachable");
    assert_eq!(report.denials[0].reason.as_str(), READ);
    assert_eq!(super::snapshot(site.fixture.path()), before);
    site.fixture.ping();
}

#[test]
fn s049_a_handle_of_another_call_or_kind_is_a_mistake() {
    let site = Site::new(READ_WRITE);
    site.allowed("open", reading("notes.txt"));
    for handle in [0, 1, 2, 3, 100, u32::MAX] {
        let report = site.call("guess", json!({"handle": handle}));
        assert!(reason(&report).starts_with("trap."), "{handle}");
    }
    site.fixture.ping();
}

/// Paths out of `/workspace`, the code for them, and what they aim at.
const OUT: [(&str, &str); 14] = [
    ("..", "/"),
    ("../", "/"),
    ("../outside.txt", "/outside.txt"),
    ("../outside/marker.txt", "/outside/marker.txt"),
    ("../ws-evil/x", "/ws-evil/x"),
    ("sub/../../outside.txt", "/outside.txt"),
    ("sub/../../x", "/x"),
    ("sub/deep/../../../x", "/x"),
    ("./../x", "/x"),
    ("sub//..//..//x", "/x"),
    ("/etc/passwd", "/etc/passwd"),
    ("/ws/x", "/ws/x"),
    ("//etc/passwd", "/etc/passwd"),
    ("/proc/self/environ", "/proc/self/environ"),
];

#[test]
fn s050_paths_out_of_a_directory_are_refused_for_every_operation() {
    let site = Site::new(READ_WRITE);
    for (path, target) in OUT {
        let subject = format!("storage read {target}");
        let refused = |function: &str, arguments: Value| {
            site.refused(function, arguments, "not-permitted", (READ, &subject));
        };
        refused("read", reading(path));
        refused("list", opening(path, &["directory"], &["read"]));
        refused(
            "write",
            with(opening(path, &["create"], &["write"]), "bytes", base64("x")),
        );
        refused("stat-at", seen(path, true));
        refused("stat-at", seen(path, false));
        refused("metadata-hash-at", seen(path, true));
        refused("set-times-at", seen(path, false));
        refused("create-directory-at", at(path));
        refused("remove-directory-at", at(path));
        refused("unlink-file-at", at(path));
        refused("readlink-at", at(path));
        refused("symlink-at", with(at(path), "target", "notes.txt"));
        for (from, to) in [(path, "new.txt"), ("notes.txt", path)] {
            let arguments = json!({"mount": 0, "path": from, "to-mount": 0, "to": to});
            refused("rename-at", arguments.clone());
            refused("link-at", with(arguments, "how", json!([])));
        }
    }
}

#[test]
fn s050_a_directory_handle_is_not_left_either() {
    let site = Site::new(READ_WRITE);
    let below = |directory: &str, path: &str| {
        with(opening(directory, &["directory"], &["read"]), "below", path)
    };
    assert_eq!(
        text(&site.allowed("read-below", below("sub", "inner.txt"))),
        "inner"
    );
    assert_eq!(
        text(&site.allowed("read-below", below("sub", "deep/../inner.txt"))),
        "inner"
    );
    assert_eq!(
        text(&site.allowed("read-below", below("sub/deep/..", "inner.txt"))),
        "inner"
    );
    for (path, target) in [
        // Granted, but not below the handle.
        ("../notes.txt", "/workspace/notes.txt"),
        ("deep/../../notes.txt", "/workspace/notes.txt"),
        ("/workspace/notes.txt", "/workspace/notes.txt"),
        ("../../outside/marker.txt", "/outside/marker.txt"),
    ] {
        let subject = format!("storage read {target}");
        site.refused(
            "read-below",
            below("sub", path),
            "not-permitted",
            (READ, &subject),
        );
    }
}

#[test]
fn s050_the_spelling_of_a_path_does_not_matter() {
    let site = Site::new(READ_WRITE);
    for path in [
        "sub/inner.txt",
        "./sub/./inner.txt",
        "sub//inner.txt",
        "sub/deep/../inner.txt",
        "sub/../sub/inner.txt",
        "././sub/deep/.././inner.txt",
    ] {
        assert_eq!(
            text(&site.allowed("read", reading(path))),
            "inner",
            "{path}"
        );
    }
    for (path, code) in [
        ("", "no-entry"),
        ("missing", "no-entry"),
        ("missing/x", "no-entry"),
        ("missing/../notes.txt", "no-entry"),
        ("notes.txt/", "not-directory"),
        ("notes.txt/.", "not-directory"),
        ("notes.txt/..", "not-directory"),
        ("notes.txt/x", "not-directory"),
        ("notes.txt/../notes.txt", "not-directory"),
        ("missing/", "no-entry"),
        ("NOTES.TXT", "no-entry"),
        ("notes.txt ", "no-entry"),
        ("sub\\inner.txt", "no-entry"),
        ("%2e%2e/outside/marker.txt", "no-entry"),
        ("..%2foutside", "no-entry"),
        ("~/notes.txt", "no-entry"),
        ("$HOME", "no-entry"),
    ] {
        site.fails("read", reading(path), code);
        site.fails("stat-at", seen(path, true), code);
    }
    assert_eq!(
        site.allowed("stat-at", seen("sub/..", true))["type"],
        "directory"
    );
    assert_eq!(
        site.allowed("stat-at", seen(".", true))["type"],
        "directory"
    );
}

#[test]
fn s065_odd_names_and_lengths_are_errors_or_plain_names() {
    let site = Site::new(READ_WRITE);
    let component = "n".repeat(256);
    let many = vec!["d"; 5_000].join("/");
    let long = "p".repeat(100 * 1024);
    for (path, code) in [
        ("notes.txt\0", "invalid"),
        ("sub/\0/inner.txt", "invalid"),
        ("\0", "invalid"),
        (component.as_str(), "name-too-long"),
        (many.as_str(), "name-too-long"),
        (long.as_str(), "name-too-long"),
    ] {
        site.fails("read", reading(path), code);
        site.fails("stat-at", seen(path, false), code);
        site.fails("create-directory-at", at(path), code);
        site.fails(
            "write",
            with(opening(path, &["create"], &["write"]), "bytes", ""),
            code,
        );
        let rename = json!({"mount": 0, "path": "notes.txt", "to-mount": 0, "to": path});
        site.fails("rename-at", rename, code);
    }
    let longest = "n".repeat(255);
    let odd = [
        "-rf",
        "[a]*?{b}\\",
        "line\nbreak",
        "\u{1b}[31m",
        "**",
        "ü",
        longest.as_str(),
    ];
    for name in odd {
        let arguments = with(
            opening(name, &["create"], &["write"]),
            "bytes",
            base64("odd"),
        );
        assert_eq!(site.allowed("write", arguments), json!(3), "{name:?}");
        assert_eq!(text(&site.allowed("read", reading(name))), "odd");
    }
    // What is not UTF-8 has no name in WASI; the rest of the listing is still there.
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = std::ffi::OsStr::from_bytes(b"bad-\xff-name");
    std::fs::write(site.host("ws/sub").join(bytes), "x").unwrap();
    let listing = site.allowed("list", opening("sub", &["directory"], &["read"]));
    assert_eq!(names(&listing), ["back", "deep", "inner.txt"]);
    for name in odd {
        assert!(names(&site.allowed("list-mount", json!({"mount": 0}))).contains(&name.to_owned()));
    }
}

#[test]
fn s065_a_refused_name_is_safe_to_show() {
    let site = Site::new(
        "permissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/sub/**\"\n        access: [\"read\"]\n",
    );
    let report = site.call("read", reading("../a\n\u{1b}[31mcasemate: granted\u{7}"));
    assert_eq!(report.denials.len(), 1);
    let subject = &report.denials[0].subject;
    assert!(!subject.chars().any(char::is_control), "{subject:?}");
}
