//! What rules of different shapes let a guest see and do.

use super::{
    READ_ONLY, READ_WRITE, Site, answer, at, base64, names, opening, reading, seen, text, with,
};
use crate::fixture::Fixture;
use serde_json::{Value, json};

const READ: &str = "denied.storage.read";
const WRITE: &str = "denied.storage.write";

fn storage(rules: &[(&str, &str)]) -> String {
    let mut policy = "permissions:\n  storage:\n    allow:\n".to_owned();
    for (uri, access) in rules {
        policy.push_str(&format!(
            "      - uri: \"{uri}\"\n        access: [{access}]\n"
        ));
    }
    policy
}

fn mounts(site: &Site) -> Vec<String> {
    let mounts = site.allowed("mounts", Value::Null);
    let mounts = mounts.as_array().unwrap().iter();
    mounts
        .map(|mount| mount[1].as_str().unwrap().to_owned())
        .collect()
}

fn write(path: &str, text: &str) -> Value {
    with(
        opening(path, &["create"], &["write"]),
        "bytes",
        base64(text),
    )
}

#[test]
fn a_subtree_is_read_and_written() {
    let site = Site::new(READ_WRITE);
    assert_eq!(mounts(&site), ["/workspace"]);
    assert_eq!(
        text(&site.allowed("read", reading("sub/deep/x.txt"))),
        "deep"
    );
    assert_eq!(
        text(&site.allowed("read-via-stream", reading("sub/deep/x.txt"))),
        "deep"
    );
    assert_eq!(site.allowed("write", write("new.txt", "hello")), json!(5));
    site.allowed(
        "append-via-stream",
        with(
            opening("new.txt", &[], &["write"]),
            "bytes",
            base64(", you"),
        ),
    );
    assert_eq!(site.content("ws/new.txt"), "hello, you");
    site.allowed(
        "write-via-stream",
        with(
            opening("new.txt", &[], &["write"]),
            "bytes",
            base64("HELLO"),
        ),
    );
    assert_eq!(site.content("ws/new.txt"), "HELLO, you");
    site.allowed(
        "set-size",
        with(opening("new.txt", &[], &["write"]), "size", 5),
    );
    assert_eq!(site.content("ws/new.txt"), "HELLO");
    site.allowed("create-directory-at", at("made"));
    site.allowed(
        "rename-at",
        json!({"mount": 0, "path": "new.txt", "to-mount": 0, "to": "made/moved.txt"}),
    );
    assert_eq!(site.content("ws/made/moved.txt"), "HELLO");
    site.fails("remove-directory-at", at("made"), "not-empty");
    site.allowed("set-times-at", seen("made/moved.txt", false));
    site.allowed("set-times", opening("made/moved.txt", &[], &["write"]));
    assert_eq!(
        site.allowed("stat", reading("made/moved.txt"))["size"],
        json!(5)
    );
    site.allowed("sync", opening("made/moved.txt", &[], &["write"]));
    let hash = site.allowed("metadata-hash", reading("made/moved.txt"));
    assert_eq!(
        site.allowed("metadata-hash-at", seen("made/moved.txt", false)),
        hash
    );
    assert_ne!(
        site.allowed("metadata-hash-at", seen("notes.txt", false)),
        hash
    );
    site.allowed("unlink-file-at", at("made/moved.txt"));
    site.allowed("remove-directory-at", at("made"));
    assert!(!site.host("ws/made").exists());
    site.allowed(
        "write",
        with(opening("notes.txt", &["truncate"], &["write"]), "bytes", ""),
    );
    assert_eq!(site.content("ws/notes.txt"), "");
}

#[test]
fn what_a_handle_tells_of_itself_is_what_was_granted() {
    let flags = |site: &Site, path: &str, open: &[&str], purpose: &[&str]| {
        site.allowed("get-flags", opening(path, open, purpose))
    };
    for (policy, mutable) in [(READ_ONLY, false), (READ_WRITE, true)] {
        let site = Site::new(policy);
        assert_eq!(flags(&site, "notes.txt", &[], &["read"]), json!(["read"]));
        assert_eq!(
            flags(&site, "sub", &["directory"], &["read"]),
            json!(["read"])
        );
        if mutable {
            assert_eq!(
                flags(&site, "notes.txt", &[], &["read", "write"]),
                json!(["read", "write"])
            );
            assert_eq!(flags(&site, "notes.txt", &[], &["write"]), json!(["write"]));
        }
        for (path, kind, is_mount) in [
            ("notes.txt", "regular-file", false),
            ("inside", "regular-file", false),
            ("sub", "directory", false),
            (".", "directory", true),
            ("sub/..", "directory", true),
        ] {
            assert_eq!(site.allowed("get-type", reading(path)), json!(kind));
            assert_eq!(site.allowed("is-mount", reading(path)), json!(is_mount));
        }
    }
}

#[test]
fn a_stream_that_failed_tells_a_code_and_nothing_of_the_host() {
    let site = Site::new(READ_WRITE);
    let handle = || reading("notes.txt");
    assert_eq!(
        site.allowed("explain-failure", handle()),
        json!("the operation failed")
    );
    assert_eq!(site.allowed("code-of-failure", handle()), json!("invalid"));
    assert_eq!(site.content("ws/notes.txt"), "notes");
}

#[test]
fn s072_files_that_a_guest_makes_are_plain() {
    use std::os::unix::fs::MetadataExt as _;
    let site = Site::new(READ_WRITE);
    site.allowed("write", write("made.txt", "x"));
    site.allowed("create-directory-at", at("made"));
    let mode = |path: &str| std::fs::metadata(site.host(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("ws/made.txt") & !0o644, 0, "{:o}", mode("ws/made.txt"));
    assert_eq!(mode("ws/made") & !0o755, 0, "{:o}", mode("ws/made"));
}

#[test]
fn s058_one_file_is_one_file() {
    let site = Site::new(&storage(&[("fs://workspace/conf.toml", "read")]));
    assert_eq!(mounts(&site), ["/workspace"]);
    assert_eq!(text(&site.allowed("read", reading("conf.toml"))), "conf");
    assert_eq!(
        site.allowed("stat-at", seen("conf.toml", true))["size"],
        json!(4)
    );
    assert_eq!(
        names(&site.allowed("list-mount", json!({"mount": 0}))),
        ["conf.toml"]
    );
    assert_eq!(
        site.allowed("stat-at", seen(".", true))["type"],
        "directory"
    );
    for path in [
        "notes.txt",
        "sub",
        "sub/inner.txt",
        "inside",
        "self",
        "relative",
        "missing",
        "missing/x",
    ] {
        // Through a directory that is hidden a walk stops at the directory.
        let stop = match path {
            "sub/inner.txt" => "sub",
            "missing/x" => "missing",
            path => path,
        };
        let subject = format!("storage read /workspace/{stop}");
        site.refused("stat-at", seen(path, false), "no-entry", (READ, &subject));
        site.refused(
            "metadata-hash-at",
            seen(path, false),
            "no-entry",
            (READ, &subject),
        );
        site.refused("readlink-at", at(path), "no-entry", (READ, &subject));
        site.refused(
            "read",
            with(reading(path), "how", json!([])),
            "no-entry",
            (READ, &subject),
        );
    }
    for path in ["conf.toml", "notes.txt", "new.txt"] {
        let code = if path == "conf.toml" {
            "not-permitted"
        } else {
            "no-entry"
        };
        let subject = format!("storage write /workspace/{path}");
        site.refused("write", write(path, "x"), code, (WRITE, &subject));
        site.refused("unlink-file-at", at(path), code, (WRITE, &subject));
        site.refused("set-times-at", seen(path, false), code, (WRITE, &subject));
        site.refused("create-directory-at", at(path), code, (WRITE, &subject));
    }
    let rename = json!({"mount": 0, "path": "conf.toml", "to-mount": 0, "to": "new.toml"});
    let subject = "storage rename /workspace/conf.toml -> /workspace/new.toml";
    site.refused(
        "rename-at",
        rename,
        "no-entry",
        ("denied.storage.link", subject),
    );
}

#[test]
fn s069_a_denied_path_answers_like_an_absent_one() {
    let site = Site::new(&storage(&[("fs://workspace/sub/deep/**", "read")]));
    assert_eq!(mounts(&site), ["/workspace/sub/deep"]);
    let site = Site::new(&storage(&[
        ("fs://workspace/conf.toml", "read"),
        ("fs://workspace/sub/deep/**", "read"),
    ]));
    assert_eq!(
        names(&site.allowed("list-mount", json!({"mount": 0}))),
        ["conf.toml", "sub"]
    );
    let listing = site.allowed("list", opening("sub", &["directory"], &["read"]));
    assert_eq!(names(&listing), ["deep"]);
    type Arguments<'a> = &'a dyn Fn(&str) -> Value;
    let told = |function: &str, arguments: Arguments<'_>, path: &str| {
        site.ask(function, arguments(path)).unwrap_err()
    };
    let every: [(&str, Arguments<'_>); 9] = [
        ("read", &reading),
        ("write", &|path| write(path, "x")),
        ("stat-at", &|path| seen(path, true)),
        ("stat-at", &|path| seen(path, false)),
        ("metadata-hash-at", &|path| seen(path, true)),
        ("readlink-at", &at),
        ("unlink-file-at", &at),
        (
            "rename-at",
            &|path| json!({"mount": 0, "path": path, "to-mount": 0, "to": "sub/deep/y"}),
        ),
        (
            "rename-at",
            &|path| json!({"mount": 0, "path": "sub/deep/x.txt", "to-mount": 0, "to": path}),
        ),
    ];
    for (there, absent) in [
        ("notes.txt", "absent.txt"),
        ("sub/inner.txt", "sub/absent.txt"),
        ("notes.txt/x", "absent.txt/x"),
        ("notes.txt/", "absent.txt/"),
    ] {
        for (function, arguments) in every {
            assert_eq!(
                told(function, arguments, there),
                told(function, arguments, absent),
                "{function} {there}"
            );
        }
    }
}

#[test]
fn a_root_that_is_not_bound_is_there_and_says_so() {
    let fixture = Fixture::new();
    fixture.install("evil", &super::guest::guest(), READ_WRITE);
    let site = Site { fixture };
    assert_eq!(mounts(&site), ["/workspace"]);
    for (function, arguments) in [
        ("read", reading("notes.txt")),
        ("stat-at", seen("notes.txt", true)),
        ("list-mount", json!({"mount": 0})),
        ("write", write("new.txt", "x")),
    ] {
        let report = site.call(function, arguments);
        answer(&report).unwrap_err();
        let [denial] = report.denials.as_slice() else {
            panic!("{function}: {:?}", report.denials);
        };
        assert_eq!(denial.reason.as_str(), READ);
        assert_eq!(denial.subject, "storage read /workspace");
        assert!(
            denial.explanation.contains("not bound"),
            "{}",
            denial.explanation
        );
        assert_eq!(
            denial.remedy.as_ref().unwrap().to_string(),
            "start with --workspace DIR"
        );
    }
}

#[test]
fn the_example_of_the_mission_is_enforced_line_by_line() {
    let site = Site::new(&storage(&[
        ("fs://workspace/**", "\"read\", \"write\""),
        ("fs://config/app.yaml", "\"read\""),
    ]));
    assert_eq!(mounts(&site), ["/config", "/workspace"]);
    let in_config = |arguments: Value| arguments;
    let in_workspace = |arguments: Value| with(arguments, "mount", 1);
    assert_eq!(
        text(&site.allowed("read", in_config(reading("app.yaml")))),
        "app"
    );
    assert_eq!(
        names(&site.allowed("list-mount", json!({"mount": 0}))),
        ["app.yaml"]
    );
    let refused = |function: &str, arguments, code, reason, subject| {
        site.refused(function, in_config(arguments), code, (reason, subject));
    };
    refused(
        "read",
        reading("other.yaml"),
        "no-entry",
        READ,
        "storage read /config/other.yaml",
    );
    refused(
        "write",
        write("app.yaml", "x"),
        "not-permitted",
        WRITE,
        "storage write /config/app.yaml",
    );
    assert_eq!(
        text(&site.allowed("read", in_workspace(reading("notes.txt")))),
        "notes"
    );
    site.allowed("write", in_workspace(write("new.txt", "x")));
    site.refused(
        "read",
        in_workspace(reading("../config/other.yaml")),
        "not-permitted",
        (READ, "storage read /config/other.yaml"),
    );
    // Nothing moves from one rule to another.
    for (mount, path, to_mount, to, subject) in [
        (
            1,
            "notes.txt",
            0,
            "app.yaml",
            "/workspace/notes.txt -> /config/app.yaml",
        ),
        (
            0,
            "app.yaml",
            1,
            "app.yaml",
            "/config/app.yaml -> /workspace/app.yaml",
        ),
    ] {
        let arguments = json!({"mount": mount, "path": path, "to-mount": to_mount, "to": to});
        let denied = ("denied.storage.link", format!("storage rename {subject}"));
        site.refused(
            "rename-at",
            arguments,
            "not-permitted",
            (denied.0, &denied.1),
        );
    }
}

#[test]
fn s061_nothing_moves_between_what_is_read_and_what_is_written() {
    let site = Site::new(&storage(&[
        ("fs://workspace/sub/**", "read"),
        ("fs://workspace/out/**", "read, write"),
    ]));
    std::fs::create_dir(site.host("ws/out")).unwrap();
    std::fs::write(site.host("ws/out/own.txt"), "own").unwrap();
    assert_eq!(mounts(&site), ["/workspace/out", "/workspace/sub"]);
    for (mount, path, to_mount, to, subject) in [
        (
            1,
            "inner.txt",
            0,
            "taken.txt",
            "/workspace/sub/inner.txt -> /workspace/out/taken.txt",
        ),
        (
            1,
            "deep",
            0,
            "taken",
            "/workspace/sub/deep -> /workspace/out/taken",
        ),
        (
            0,
            "own.txt",
            1,
            "planted.txt",
            "/workspace/out/own.txt -> /workspace/sub/planted.txt",
        ),
        (
            0,
            "own.txt",
            1,
            "inner.txt",
            "/workspace/out/own.txt -> /workspace/sub/inner.txt",
        ),
    ] {
        let arguments = json!({"mount": mount, "path": path, "to-mount": to_mount, "to": to});
        let rename = format!("storage rename {subject}");
        site.refused(
            "rename-at",
            arguments.clone(),
            "not-permitted",
            ("denied.storage.link", &rename),
        );
        let link = format!("storage link {subject}");
        let arguments = with(arguments, "how", json!([]));
        site.refused(
            "link-at",
            arguments,
            "not-permitted",
            ("denied.storage.link", &link),
        );
    }
    let arguments = json!({"mount": 0, "path": "own.txt", "to-mount": 0, "to": "renamed.txt"});
    site.allowed("rename-at", arguments);
    assert_eq!(site.content("ws/out/renamed.txt"), "own");
}

#[test]
fn what_may_only_be_written_is_not_read() {
    let site = Site::new(&storage(&[("fs://workspace/sub/**", "write")]));
    let subject = "storage read /workspace/sub/inner.txt";
    for arguments in [
        reading("inner.txt"),
        opening("inner.txt", &[], &["read", "write"]),
        opening("inner.txt", &["create"], &["read", "write"]),
        opening("inner.txt", &["truncate"], &["read", "write"]),
    ] {
        site.refused("read", arguments, "not-permitted", (READ, subject));
    }
    let new = "storage read /workspace/sub/new.txt";
    site.refused(
        "read",
        opening("new.txt", &["create"], &["read", "write"]),
        "not-permitted",
        (READ, new),
    );
    assert_eq!(site.allowed("write", write("new.txt", "kept")), json!(4));
    assert_eq!(site.content("ws/sub/new.txt"), "kept");
    // A file opened for writing only is not read through its handle either.
    site.fails(
        "read",
        opening("inner.txt", &[], &["write"]),
        "bad-descriptor",
    );
    site.fails(
        "read-via-stream",
        opening("inner.txt", &[], &["write"]),
        "bad-descriptor",
    );
}

#[test]
fn an_absolute_rule_shows_the_same_path() {
    let data = tempfile::tempdir().unwrap();
    let base = data.path().to_str().unwrap().to_owned();
    std::fs::create_dir_all(data.path().join("data/in")).unwrap();
    std::fs::write(data.path().join("data/in/a.txt"), "a").unwrap();
    std::fs::write(data.path().join("one.txt"), "one").unwrap();
    std::fs::write(data.path().join("two.txt"), super::MARKER).unwrap();
    let site = Site::new(&storage(&[(&format!("fs://{base}/data/**"), "read")]));
    assert_eq!(mounts(&site), [format!("{base}/data")]);
    assert_eq!(text(&site.allowed("read", reading("in/a.txt"))), "a");
    let subject = format!("storage read {base}/two.txt");
    site.refused(
        "read",
        reading("../two.txt"),
        "not-permitted",
        (READ, &subject),
    );
    let subject = format!("storage write {base}/data/in/a.txt");
    site.refused(
        "write",
        write("in/a.txt", "x"),
        "not-permitted",
        (WRITE, &subject),
    );
    site.install(
        "one",
        &storage(&[(&format!("fs://{base}/one.txt"), "read")]),
    );
    assert_eq!(text(&site.allowed("one:read", reading("one.txt"))), "one");
    let subject = format!("storage read {base}/two.txt");
    site.refused("one:read", reading("two.txt"), "no-entry", (READ, &subject));
    assert_eq!(
        names(&site.allowed("one:list-mount", json!({"mount": 0}))),
        ["one.txt"]
    );
}

#[test]
fn s062_a_rule_ends_at_whole_names() {
    let site = Site::new(&storage(&[
        ("fs://workspace/sub/**", "read"),
        ("fs://workspace/conf.toml", "read"),
    ]));
    for name in ["sub-evil", "subx", "sub.txt", "conf.toml.bak", "conf"] {
        std::fs::write(site.host("ws").join(name), "x").unwrap();
    }
    assert_eq!(mounts(&site), ["/workspace"]);
    assert_eq!(
        text(&site.allowed("read", reading("sub/inner.txt"))),
        "inner"
    );
    for name in ["sub-evil", "subx", "sub.txt", "conf.toml.bak", "conf"] {
        let subject = format!("storage read /workspace/{name}");
        site.refused("read", reading(name), "no-entry", (READ, &subject));
    }
    // A rule for a path without `/**` is a rule for that one file, also where a folder is there.
    site.install("exact", &storage(&[("fs://workspace/sub", "read")]));
    let subject = "storage read /workspace/sub/inner.txt";
    site.refused(
        "exact:read",
        reading("sub/inner.txt"),
        "no-entry",
        (READ, subject),
    );
    site.install("ro", READ_ONLY);
    assert_eq!(
        text(&site.allowed("ro:read", reading("sub/inner.txt"))),
        "inner"
    );
}
