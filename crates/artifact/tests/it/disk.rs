//! A disk that takes no more: typed errors, and the old state stays.

use std::path::Path;
use std::process::{Command, Stdio};

use casemate_artifact::{
    Home, LockError, LockFile, PolicyFileError, StoreError, read_policy_file, write_atomic,
    write_policy_file,
};
use casemate_policy::ComponentName;

use crate::{artifact, entry, install, names};

/// Only in a directory with this file does the child below do anything.
const MARKER: &str = "full-disk-harness";

/// A child of the test below, in which no file can grow beyond a few kilobytes.
#[test]
fn child_on_a_full_disk() {
    if !Path::new(MARKER).exists() {
        return;
    }
    let home = Home::single("home");
    let tool: ComponentName = "tool".parse().unwrap();
    let large = "x".repeat(200_000);

    let error = home.store().put(&artifact(&large)).unwrap_err();
    assert!(
        matches!(
            &error,
            StoreError::Io {
                action: "write",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("make room"), "{error}");

    let error = write_policy_file(&home, &tool, &large).unwrap_err();
    assert!(
        matches!(
            &error,
            PolicyFileError::Io {
                action: "write",
                ..
            }
        ),
        "{error}"
    );

    let small = artifact("small");
    home.store().put(&small).unwrap();
    let mut bulky = entry(&small);
    bulky.source = format!("file:///{}", "y".repeat(10_000));
    let error = LockFile::update(&home, |lock| {
        for name in ["a", "b", "c", "d"] {
            lock.components.insert(name.parse().unwrap(), bulky.clone());
        }
        Ok::<_, LockError>(())
    })
    .unwrap_err();
    assert!(
        matches!(
            &error,
            LockError::Io {
                action: "write",
                ..
            }
        ),
        "{error}"
    );
    assert!(std::error::Error::source(&error).is_some());

    write_atomic(Path::new("done"), b"done", 0o600).unwrap();
}

#[test]
fn s243_a_disk_that_takes_no_more_leaves_the_state_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(MARKER), "").unwrap();
    let home = Home::single(directory.path().join("home"));
    home.create().unwrap();
    let tool: ComponentName = "tool".parse().unwrap();
    let entry = install(&home, "tool", "content");
    write_policy_file(&home, &tool, "version: \"1.0\"\n").unwrap();
    let lock = std::fs::read(home.lock_file()).unwrap();

    // The limit on file sizes fails a write half way, as a full disk does, and needs no rights to
    // set up.
    let run = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "disk::child_on_a_full_disk", "--test-threads=1"])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        // By a pipe: what this test prints may go to a file, which the limit would be about too.
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    assert_eq!(
        std::fs::read(directory.path().join("done")).unwrap(),
        b"done"
    );

    assert_eq!(std::fs::read(home.lock_file()).unwrap(), lock);
    home.store().load(&entry).unwrap();
    assert_eq!(
        read_policy_file(&home, &tool).unwrap().unwrap().text,
        "version: \"1.0\"\n"
    );
    // Failed writers clean up behind themselves.
    assert_eq!(names(&home.components_dir()).len(), 2);
    assert_eq!(names(&home.policies_dir()), ["tool.yaml"]);
}
