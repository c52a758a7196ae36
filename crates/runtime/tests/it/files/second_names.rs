//! Links that a guest makes: with the right to, and only such that stay where they are made.

use super::{MARKER, Site, answer, at, opening, reading, seen, text, with};
use casemate_runtime::CallReport;
use serde_json::{Value, json};

const LINK: &str = "denied.storage.link";

/// A workspace in which links may be made, but for a secret and a part that is read-only.
const LINKING: &str = r#"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read", "write", "symlink"]
    deny:
      - uri: "fs://workspace/secret/**"
      - uri: "fs://workspace/fixed/**"
        access: ["write"]
"#;

fn linking() -> Site {
    let site = Site::new(LINKING);
    for (path, content) in [("secret/key", MARKER), ("fixed/file", "fixed")] {
        let path = site.host("ws").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    site
}

fn symlink(target: &str, path: &str) -> Value {
    with(at(path), "target", target)
}

fn moving(from: &str, to: &str) -> Value {
    json!({"mount": 0, "path": from, "to-mount": 0, "to": to})
}

fn hard(from: &str, to: &str) -> Value {
    with(moving(from, to), "how", json!([]))
}

fn reasons(report: &CallReport) -> Vec<&'static str> {
    let denials = report.denials.iter();
    denials.map(|denial| denial.reason.as_str()).collect()
}

/// Where the host itself arrives when it follows a path of the workspace.
fn host_follows(site: &Site, path: &str) -> std::path::PathBuf {
    site.host("ws").join(path).canonicalize().unwrap()
}

#[test]
fn s053_with_the_right_a_link_is_made_that_stays_inside() {
    let site = linking();
    for (target, path, leads_to) in [
        ("notes.txt", "one", "notes"),
        ("../notes.txt", "sub/two", "notes"),
        ("../../sub/inner.txt", "sub/deep/three", "inner"),
        ("./sub//inner.txt", "four", "inner"),
        ("one", "again", "notes"),
        ("fixed/file", "to-fixed", "fixed"),
    ] {
        let report = site.call("symlink-at", symlink(target, path));
        assert_eq!(
            answer(&report),
            Ok(Value::Null),
            "{target} {:?}",
            report.denials
        );
        assert_eq!(report.usage.files, 1);
        assert_eq!(text(&site.allowed("read", reading(path))), leads_to);
        // The host arrives where the guest does.
        assert!(host_follows(&site, path).starts_with(site.host("ws").canonicalize().unwrap()));
        assert_eq!(site.allowed("readlink-at", at(path)), json!(target));
    }
    site.allowed("symlink-at", symlink("sub", "to-sub"));
    assert_eq!(
        text(&site.allowed("read", reading("to-sub/inner.txt"))),
        "inner"
    );
    // What is not there yet may be named, as by any program.
    site.allowed("symlink-at", symlink("later.txt", "to-later"));
    site.fails("read", reading("to-later"), "no-entry");
    // A link gives no right: the file that it leads to is judged.
    let write = with(
        opening("to-fixed", &[], &["write"]),
        "bytes",
        super::base64("x"),
    );
    let denied = (
        "denied.storage.write",
        "storage write /workspace/fixed/file",
    );
    site.refused("write", write, "not-permitted", denied);
    // A name that is taken stays what it is.
    site.fails("symlink-at", symlink("notes.txt", "conf.toml"), "exist");
    site.fails("symlink-at", symlink("notes.txt", "sub"), "exist");
    site.fails("symlink-at", symlink("", "empty"), "no-entry");
}

#[test]
fn s053_no_link_is_made_that_leads_out() {
    let site = linking();
    for (target, path) in [
        ("../../../../etc/passwd", "evil"),
        ("/etc/passwd", "evil"),
        ("/workspace/notes.txt", "evil"),
        ("..", "evil"),
        ("../outside/marker.txt", "evil"),
        ("../../outside/marker.txt", "sub/evil"),
        // `..` behind a name: the name can become a link that leads elsewhere.
        ("sub/../notes.txt", "evil"),
        ("sub/../../outside/marker.txt", "evil"),
        ("../sub/..", "sub/evil"),
    ] {
        let subject = format!("storage read /workspace/{path}");
        site.refused(
            "symlink-at",
            symlink(target, path),
            "not-permitted",
            (LINK, &subject),
        );
    }
    // Over a link of the host that leads out, and to what is denied.
    let denied = (
        "denied.storage.link",
        "storage read /workspace/relative-dir",
    );
    site.refused(
        "symlink-at",
        symlink("relative-dir/marker.txt", "evil"),
        "not-permitted",
        denied,
    );
    for (target, path) in [
        ("secret/key", "evil"),
        ("../secret/key", "sub/evil"),
        ("secret", "evil"),
    ] {
        let report = site.call("symlink-at", symlink(target, path));
        assert_eq!(answer(&report), Err("no-entry".to_owned()), "{target}");
        assert!(reasons(&report).contains(&LINK), "{:?}", report.denials);
        assert_eq!(
            site.host("ws")
                .join(path)
                .symlink_metadata()
                .err()
                .map(|error| error.kind()),
            Some(std::io::ErrorKind::NotFound)
        );
    }
    // Where nothing is written, no link is made; a target that exists and one that does not answer alike.
    for target in ["file", "none"] {
        let subject = "storage symlink /workspace/fixed/evil -> /workspace/fixed/evil";
        site.refused(
            "symlink-at",
            symlink(target, "fixed/evil"),
            "not-permitted",
            (LINK, subject),
        );
    }
    for bad in ["a\0b", &"x/".repeat(3_000)] {
        assert!(site.ask("symlink-at", symlink(bad, "evil")).is_err());
        assert!(!site.host("ws/evil").exists());
    }
}

#[test]
fn s053_no_move_makes_a_link_lead_out() {
    let site = linking();
    site.allowed("symlink-at", symlink("../../notes.txt", "sub/deep/link"));
    let subject = |path: &str| format!("storage read /workspace/{path}");
    let refused = |from: &str, to: &str| {
        site.refused(
            "rename-at",
            moving(from, to),
            "not-permitted",
            (LINK, &subject(from)),
        );
    };
    // The link itself to a place with fewer directories above it, and each directory that holds it.
    refused("sub/deep/link", "link");
    refused("sub/deep/link", "sub/link");
    refused("sub/deep", "deep");
    // As deep as before or deeper it is moved, and still leads to a place in the workspace.
    site.allowed("create-directory-at", at("other"));
    site.allowed("rename-at", moving("sub/deep", "other/deep"));
    assert_eq!(
        text(&site.allowed("read", reading("other/deep/link"))),
        "notes"
    );
    site.allowed("create-directory-at", at("sub/new"));
    site.allowed("rename-at", moving("other/deep/link", "sub/new/moved"));
    assert_eq!(
        host_follows(&site, "sub/new/moved"),
        host_follows(&site, "notes.txt")
    );
}

#[test]
fn s053_a_link_that_would_lead_out_from_its_new_place_is_not_moved() {
    let site = linking();
    site.allowed("symlink-at", symlink("../notes.txt", "sub/link"));
    let denied = (LINK, "storage read /workspace/sub/link");
    site.refused(
        "rename-at",
        moving("sub/link", "link"),
        "not-permitted",
        denied,
    );
    site.allowed("rename-at", moving("sub/link", "sub/deep/link"));
    // It now leads to `sub/notes.txt`, which is not there: inside all the same.
    site.fails("read", reading("sub/deep/link"), "no-entry");
}

#[test]
fn s055_a_hard_link_takes_reading_and_writing_at_both_names() {
    let site = linking();
    let report = site.call("link-at", hard("notes.txt", "sub/hard"));
    assert_eq!(answer(&report), Ok(Value::Null), "{:?}", report.denials);
    assert_eq!(report.usage.files, 1);
    assert_eq!(text(&site.allowed("read", reading("sub/hard"))), "notes");
    assert_eq!(
        site.allowed("stat-at", seen("notes.txt", false))["link-count"],
        json!(2)
    );
    // Nothing that may only be read gets a name under which it is written, and nothing denied a name at all.
    for (from, to, code) in [
        ("fixed/file", "hard", "not-permitted"),
        ("notes.txt", "fixed/hard", "not-permitted"),
        ("secret/key", "hard", "no-entry"),
        ("secret/none", "hard", "no-entry"),
        ("notes.txt", "secret/hard", "no-entry"),
    ] {
        let report = site.call("link-at", hard(from, to));
        assert_eq!(answer(&report), Err(code.to_owned()), "{from} {to}");
        assert!(!report.denials.is_empty(), "{from} {to}");
    }
    assert!(!site.host("ws/hard").exists());
    // Only of files: a link's or directory's second name would be at another depth.
    for from in ["inside", "sub", "absolute"] {
        let subject = format!("storage read /workspace/{from}");
        site.refused(
            "link-at",
            hard(from, "hard"),
            "not-permitted",
            (LINK, &subject),
        );
    }
    site.fails("link-at", hard("missing", "hard"), "no-entry");
    site.fails("link-at", hard("notes.txt", "conf.toml"), "exist");
}
