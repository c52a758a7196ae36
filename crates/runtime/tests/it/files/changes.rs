//! Read-only means read-only, and what is no file is not opened.

use super::{READ_ONLY, READ_WRITE, Site, at, base64, opening, reading, seen, text, with};
use crate::fixture::reason;
use casemate_runtime::Outcome;
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use std::time::{Duration, Instant};

const WRITE: &str = "denied.storage.write";
const LINK: &str = "denied.storage.link";

#[test]
fn s060_nothing_changes_under_a_read_only_rule() {
    let site = Site::new(READ_ONLY);
    let denied = |function: &str, arguments, path: &str| {
        let subject = format!("storage write /workspace/{path}");
        site.refused(function, arguments, "not-permitted", (WRITE, &subject));
    };
    let notes = |open: &[&str], purpose: &[&str]| opening("notes.txt", open, purpose);
    // Every way to open that would create, truncate or write.
    for purpose in [
        &["write"][..],
        &["read", "write"],
        &["write", "mutate-directory"],
    ] {
        for open in [&[][..], &["create"], &["truncate"], &["create", "truncate"]] {
            denied("open", notes(open, purpose), "notes.txt");
            denied("open", opening("new.txt", &["create"], purpose), "new.txt");
        }
    }
    for purpose in [
        &[][..],
        &["read"],
        &["mutate-directory"],
        &["data-integrity-sync"],
    ] {
        denied("open", notes(&["truncate"], purpose), "notes.txt");
        denied("open", notes(&["create", "truncate"], purpose), "notes.txt");
        denied("open", opening("new.txt", &["create"], purpose), "new.txt");
        denied(
            "open",
            opening("new.txt", &["create", "exclusive"], purpose),
            "new.txt",
        );
        denied(
            "open",
            notes(&["create", "exclusive"], purpose),
            "notes.txt",
        );
        denied(
            "open",
            opening("sub/new.txt", &["create", "truncate"], purpose),
            "sub/new.txt",
        );
        denied(
            "open",
            opening("inside", &["truncate"], purpose),
            "sub/inner.txt",
        );
        denied("open", opening("dangling", &["create"], purpose), "missing");
    }
    // Every function that writes, on a handle that could be had: one for reading.
    let bytes = base64("changed");
    for open in [&[][..], &["create"]] {
        let handle = || notes(open, &["read"]);
        for function in ["write", "write-via-stream", "append-via-stream"] {
            site.fails(
                function,
                with(handle(), "bytes", bytes.as_str()),
                "bad-descriptor",
            );
        }
        site.fails("set-size", with(handle(), "size", 0), "bad-descriptor");
        site.fails("set-times", handle(), "bad-descriptor");
        // These have no effect that anyone could see.
        site.allowed("advise", handle());
        site.allowed("sync", handle());
        site.allowed("sync-data", handle());
    }
    for path in ["notes.txt", "sub", "relative"] {
        denied("set-times-at", seen(path, false), path);
    }
    denied("set-times-at", seen("inside", true), "sub/inner.txt");
    for path in ["new", "sub/new", "notes.txt", "sub"] {
        denied("create-directory-at", at(path), path);
    }
    for path in ["notes.txt", "sub/inner.txt", "inside", "sub", "missing"] {
        denied("unlink-file-at", at(path), path);
    }
    for path in ["sub/deep", "sub", "notes.txt", "missing"] {
        denied("remove-directory-at", at(path), path);
    }
    let between = |function: &str, word: &str, from: &str, to: &str| {
        let subject = format!("storage {word} /workspace/{from} -> /workspace/{to}");
        let mut arguments = json!({"mount": 0, "path": from, "to-mount": 0, "to": to});
        if word == "link" {
            arguments = with(arguments, "how", json!([]));
        }
        site.refused(function, arguments, "not-permitted", (LINK, &subject));
    };
    for (from, to) in [
        ("notes.txt", "new.txt"),
        ("notes.txt", "conf.toml"),
        ("sub", "new"),
        ("notes.txt", "notes.txt"),
    ] {
        between("rename-at", "rename", from, to);
        between("link-at", "link", from, to);
    }
    site.refused(
        "symlink-at",
        with(at("new"), "target", "notes.txt"),
        "not-permitted",
        (LINK, "storage symlink /workspace/new -> /workspace/new"),
    );
    assert_eq!(
        text(&site.allowed("read", notes(&["create"], &["read"]))),
        "notes"
    );
}

#[test]
fn the_directory_of_a_grant_cannot_be_changed_itself() {
    let site = Site::new(READ_WRITE);
    for path in [".", "sub/..", "./"] {
        for function in [
            "create-directory-at",
            "remove-directory-at",
            "unlink-file-at",
        ] {
            site.refused(
                function,
                at(path),
                "not-permitted",
                (WRITE, "storage write /workspace"),
            );
        }
        site.refused(
            "set-times-at",
            seen(path, false),
            "not-permitted",
            (WRITE, "storage write /workspace"),
        );
        let rename = json!({"mount": 0, "path": path, "to-mount": 0, "to": "sub/new"});
        let subject = "storage rename /workspace -> /workspace/sub/new";
        site.refused("rename-at", rename, "not-permitted", (LINK, subject));
    }
    site.fails(
        "open",
        opening("sub", &["create"], &["read"]),
        "is-directory",
    );
    site.fails("open", opening("sub", &[], &["write"]), "is-directory");
    site.fails(
        "open",
        opening("sub", &["truncate"], &["read"]),
        "is-directory",
    );
    site.fails("read", opening("sub", &[], &["read"]), "is-directory");
    site.fails("list", reading("notes.txt"), "not-directory");
    site.fails(
        "open",
        opening("notes.txt", &["directory"], &["read"]),
        "not-directory",
    );
    site.fails(
        "open",
        opening("notes.txt", &["create", "exclusive"], &["write"]),
        "exist",
    );
    site.fails("create-directory-at", at("sub"), "exist");
    site.fails("unlink-file-at", at("sub"), "is-directory");
    site.fails("remove-directory-at", at("notes.txt"), "not-directory");
}

#[test]
fn pipes_sockets_and_devices_are_refused_at_once() {
    let site = Site::new(READ_WRITE);
    let mode = Mode::from_raw_mode(0o666);
    let special = |name: &str, kind, device| {
        rustix::fs::mknodat(CWD, site.host("ws").join(name), kind, mode, device).is_ok()
    };
    assert!(special("pipe", FileType::Fifo, 0));
    let _socket = std::os::unix::net::UnixListener::bind(site.host("ws/socket")).unwrap();
    let mut kinds = vec![("pipe", "fifo"), ("socket", "socket")];
    // Only root can make devices; where it can, an endless one and a terminal.
    if special("zero", FileType::CharacterDevice, rustix::fs::makedev(1, 5)) {
        kinds.push(("zero", "character-device"));
    }
    if special("tty", FileType::CharacterDevice, rustix::fs::makedev(5, 0)) {
        kinds.push(("tty", "character-device"));
    }
    if special("loop", FileType::BlockDevice, rustix::fs::makedev(7, 0)) {
        kinds.push(("loop", "block-device"));
    }
    std::os::unix::fs::symlink("pipe", site.host("ws/to-pipe")).unwrap();
    kinds.push(("to-pipe", "fifo"));
    for (name, kind) in kinds {
        let target = name.trim_start_matches("to-");
        let subject = format!("storage read /workspace/{target}");
        let started = Instant::now();
        for (open, purpose) in [
            (&[][..], &["read"][..]),
            (&[], &["write"]),
            (&[], &["read", "write"]),
            (&["create"], &["write"]),
            (&["create", "truncate"], &["read", "write"]),
            (&[], &[]),
        ] {
            let arguments = opening(name, open, purpose);
            site.refused(
                "open",
                arguments,
                "not-permitted",
                ("denied.storage.read", &subject),
            );
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{name}");
        let report = site.call("open", opening(name, &[], &["read"]));
        assert_eq!(report.denials[0].remedy, None, "no rule would open {name}");
        assert_eq!(site.allowed("stat-at", seen(name, true))["type"], kind);
    }
    site.fixture.ping();
}

#[test]
fn s031_open_files_have_a_bound() {
    let site = Site::new(READ_ONLY);
    let hold = |times: u32| json!({"mount": 0, "path": "notes.txt", "times": times});
    assert_eq!(
        site.call("hold", hold(128)).outcome,
        Outcome::Returned(json!({"result": 128}))
    );
    let before = descriptors();
    let report = site.call("hold", hold(129));
    assert_eq!(reason(&report), "limit.handles", "{:?}", report.detail);
    // Closing gives the place back, and the end of a call closes everything.
    let report = site.call("hammer", hold(1_000));
    assert_eq!(
        report.outcome,
        Outcome::Returned(json!({"result": [1_000, 0]}))
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    while descriptors() > before + 64 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(
        descriptors() <= before + 64,
        "{} after {before}",
        descriptors()
    );
}

/// Descriptors that this process has open; tests beside this one have some too.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_path_has_a_depth_and_what_is_deeper_is_reached_from_below() {
    let site = Site::new(READ_WRITE);
    let directory = |depth: usize| vec!["d"; depth].join("/");
    std::fs::create_dir_all(site.host("ws").join(directory(100))).unwrap();
    for depth in [64, 100] {
        let path = format!("{}/leaf.txt", directory(depth));
        std::fs::write(site.host("ws").join(path), "leaf").unwrap();
    }
    assert_eq!(
        text(&site.allowed("read", reading(&format!("{}/leaf.txt", directory(64))))),
        "leaf"
    );
    site.fails(
        "read",
        reading(&format!("{}/leaf.txt", directory(65))),
        "name-too-long",
    );
    let below = opening(&directory(60), &["directory"], &["read"]);
    let below = with(below, "below", format!("{}/leaf.txt", directory(40)));
    assert_eq!(text(&site.allowed("read-below", below)), "leaf");
}
