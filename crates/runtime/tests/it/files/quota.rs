//! What a call writes and creates is counted, and ends it before it is too much.

use super::{Site, at, base64, opening, with};
use crate::fixture::{reason, result};
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;

/// A workspace in which a call may write 1 MiB and make ten things.
fn narrow() -> Site {
    let rules = super::READ_WRITE;
    Site::new(&format!(
        "{rules}  resources:\n    limits: {{ written: 1Mi, files: 10, open-files: 4 }}\n"
    ))
}

fn writing(path: &str) -> Value {
    opening(path, &["create"], &["write"])
}

/// The call ended on the quota, and its record says so with the same usage as the report.
fn exhausted(site: &Site, function: &str, arguments: Value, message: &str) -> CallReport {
    let report = site.call(function, arguments);
    assert_eq!(reason(&report), "limit.storage", "{report:?}");
    match &report.outcome {
        Outcome::Failed { message: told, .. } => assert!(told.contains(message), "{told}"),
        other => panic!("{other:?}"),
    }
    let record = site.fixture.records.all().pop().unwrap();
    assert_eq!(record.reason.as_deref(), Some("limit.storage"));
    assert_eq!(record.usage, report.usage);
    report
}

/// Blocks that a file takes on the disk, in bytes, and its size.
fn taken(site: &Site, path: &str) -> (u64, u64) {
    let metadata = std::fs::metadata(site.host(path)).unwrap();
    (metadata.blocks() * 512, metadata.size())
}

#[test]
fn s042_a_file_grows_to_the_quota_and_not_beyond_however_it_is_done() {
    let site = narrow();
    // By its size alone.
    for size in [(1_u64 << 20) + 1, 1 << 40, 1 << 62, u64::MAX] {
        let arguments = with(writing("big"), "size", size);
        let report = exhausted(&site, "set-size", arguments, "allowed");
        assert_eq!(report.usage.written, 0);
        assert_eq!(taken(&site, "ws/big"), (0, 0));
    }
    // By a few bytes far away, at once and by a stream's way to the end.
    for offset in [1_u64 << 20, 1 << 40, (1 << 62) - 1, u64::MAX - 1] {
        let arguments = with(writing("sparse"), "bytes", base64("far"));
        exhausted(
            &site,
            "write-at",
            with(arguments, "offset", offset),
            "allowed",
        );
        assert_eq!(taken(&site, "ws/sparse"), (0, 0));
    }
    // By appending without end, by a guest that looks at no answer.
    let arguments = with(writing("log"), "times", 1_000_000);
    let report = exhausted(&site, "append-for-long", arguments, "allowed");
    assert_eq!(report.usage.written, 1 << 20);
    assert_eq!(taken(&site, "ws/log").1, 1 << 20);
    site.fixture.ping();
}

#[test]
fn s042_up_to_the_quota_all_is_as_before() {
    let site = narrow();
    let size = |size: u64| with(writing("file"), "size", size);
    site.allowed("set-size", size(1 << 20));
    assert_eq!(taken(&site, "ws/file").1, 1 << 20);
    // What is there already is not grown, and each call has its own quota.
    let report = site.call("set-size", size(1 << 20));
    assert_eq!((report.usage.written, report.usage.files), (0, 0));
    site.allowed("set-size", size(10));
    let at_ten = with(
        with(writing("file"), "bytes", base64("0123456789")),
        "offset",
        10,
    );
    let report = site.call("write-at", at_ten);
    assert_eq!(result(&report), json!(10));
    assert_eq!(report.usage.written, 10);
    // A gap counts as the bytes that it makes the file longer by.
    let far = with(with(writing("file"), "bytes", base64("x")), "offset", 1_020);
    assert_eq!(site.call("write-at", far).usage.written, 1_001);
    // Writing nothing far away makes no file longer.
    let nothing = with(
        with(writing("file"), "bytes", base64("")),
        "offset",
        1_u64 << 50,
    );
    assert_eq!(site.call("write-at", nothing).usage.written, 0);
    assert_eq!(taken(&site, "ws/file").1, 1_021);
}

#[test]
fn s042_what_is_created_is_counted() {
    let site = narrow();
    for (files, made) in [(false, "directories"), (true, "files")] {
        let many = |times: u32| json!({"mount": 0, "files": files, "times": times});
        let report = exhausted(&site, "make-many", many(11), "11 files created, 10 allowed");
        assert_eq!(report.usage.files, 10, "{made}");
        // Ten are there, the eleventh is not.
        let names = (0..=10).map(|number| format!("{number:08}"));
        let there = names.filter(|name| site.host("ws").join(name).exists());
        assert_eq!(there.count(), 10, "{made}");
        // What could not be made is not counted.
        if !files {
            let report = site.call("make-many", many(10));
            assert_eq!(report.usage.files, 1);
        }
        for number in 0..=10 {
            let path = site.host("ws").join(format!("{number:08}"));
            let _gone = std::fs::remove_dir(&path).or_else(|_| std::fs::remove_file(&path));
        }
    }
    let report = site.call("create-directory-at", at("sub"));
    assert_eq!(report.usage.files, 0);
}

#[test]
fn s031_files_open_at_once_have_the_bound_of_the_policy() {
    let site = narrow();
    let hold = |times: u32| json!({"mount": 0, "path": "notes.txt", "times": times});
    assert_eq!(result(&site.call("hold", hold(4))), json!(4));
    let report = site.call("hold", hold(5));
    assert_eq!(reason(&report), "limit.handles");
    match &report.outcome {
        Outcome::Failed { message, .. } => {
            assert!(message.contains("5 open files, 4 allowed"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
