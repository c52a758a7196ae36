//! Files that decide what is allowed, in every state but the good one.

use crate::sandbox::{Run, Sandbox};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

const READ: &str = r#"{"path": "/workspace/a.txt", "first": 1}"#;
const ALLOWED: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n";
/// Somebody else on the machine.
const STRANGER: u32 = 12_345;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn call(sandbox: &Sandbox) -> Run {
    sandbox.run(&["call", "notes_read_lines", READ, "--workspace", "."])
}

/// The policy is refused with these words and this hint, whoever asks for it, and the call did not read the file.
#[track_caller]
fn refused(sandbox: &Sandbox, words: &str, hint: &str) {
    for arguments in [
        &["policy", "check", "notes"][..],
        &["policy", "show", "notes"],
        &["policy", "explain", "notes", "env", "REGION"],
        &["grant", "notes", "env", "REGION"],
        &["call", "notes_read_lines", READ, "--workspace", "."],
    ] {
        let run = sandbox.run(arguments).exits(2);
        assert!(run.err.contains(words), "{arguments:?} {}", run.shown());
        assert!(!run.out.contains("harbour"), "{}", run.shown());
    }
    let doctor = sandbox.run(&["doctor"]).exits(1);
    assert!(doctor.out.contains(hint), "{hint}: {}", doctor.shown());
}

#[test]
fn s149_a_policy_that_others_could_have_written_is_refused() {
    let sandbox = Sandbox::with_notes();
    let path = sandbox.path("home/policies/notes.yaml");
    sandbox.policy(ALLOWED);
    call(&sandbox).exits(0);
    set_mode(&path, 0o666);
    refused(&sandbox, "every user (mode 0666)", "chmod o-w");
    set_mode(&path, 0o644);
    if is_root() {
        std::os::unix::fs::chown(&path, Some(STRANGER), None).unwrap();
        refused(&sandbox, "another user (uid 12345)", "chown \"$(id -u)\"");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    set_mode(&sandbox.path("home/policies"), 0o777);
    refused(&sandbox, "every user (mode 0777)", "chmod o-w");
    set_mode(&sandbox.path("home/policies"), 0o755);
    call(&sandbox).exits(0);
}

#[test]
fn s149_a_link_into_a_directory_for_everybody_is_judged_by_where_it_leads() {
    let sandbox = Sandbox::with_notes();
    let path = sandbox.path("home/policies/notes.yaml");
    sandbox.policy("");
    std::fs::remove_file(&path).unwrap();
    // In /tmp itself, under a name of this test's own.
    let shared = tempfile::Builder::new()
        .prefix("casemate-shared-")
        .suffix(".yaml")
        .tempfile_in("/tmp")
        .unwrap();
    std::fs::write(shared.path(), ALLOWED).unwrap();
    std::os::unix::fs::symlink(shared.path(), &path).unwrap();
    // Nobody else can change or replace what is ours in a directory with the sticky bit.
    call(&sandbox).exits(0);
    set_mode(shared.path(), 0o666);
    refused(&sandbox, "every user (mode 0666)", "chmod o-w");
    set_mode(shared.path(), 0o600);
    if is_root() {
        std::os::unix::fs::chown(shared.path(), Some(STRANGER), None).unwrap();
        refused(&sandbox, "another user (uid 12345)", "chown \"$(id -u)\"");
    }
    let open = sandbox.path("open");
    std::fs::create_dir(&open).unwrap();
    set_mode(&open, 0o777);
    std::fs::write(open.join("notes.yaml"), ALLOWED).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(open.join("notes.yaml"), &path).unwrap();
    refused(&sandbox, "open can be written by every user", "chmod o-w");
}

#[test]
fn s149_what_a_group_may_write_is_in_force_and_told() {
    let sandbox = Sandbox::with_notes();
    let path = sandbox.path("home/policies/notes.yaml");
    sandbox.policy(ALLOWED);
    set_mode(&path, 0o664);
    call(&sandbox).exits(0);
    for arguments in [&["policy", "check", "notes"], &["policy", "show", "notes"]] {
        let run = sandbox.run(arguments).exits(0);
        let warning = "everybody in its group (mode 0664)";
        assert!(run.err.contains(warning), "{}", run.shown());
    }
    let doctor = sandbox.run(&["doctor"]).exits(0);
    assert!(
        doctor.out.contains("advice: ") && doctor.out.contains("chmod g-w"),
        "{}",
        doctor.shown()
    );
    let served = sandbox.run_with_input(&["serve"], b"").exits(0);
    assert!(served.err.contains("mode 0664"), "{}", served.shown());
}

/// Every file of the test's own directory for somebody else.
fn hand_over(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            hand_over(&path);
        }
        std::os::unix::fs::lchown(&path, Some(STRANGER), None).unwrap();
    }
    std::os::unix::fs::lchown(directory, Some(STRANGER), None).unwrap();
}

#[test]
fn what_cannot_be_read_is_no_empty_policy() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(ALLOWED);
    set_mode(&sandbox.path("home/policies/notes.yaml"), 0o000);
    // Root reads everything, so then it is somebody else who asks, with a home of his own.
    if is_root() {
        hand_over(&sandbox.path(""));
    }
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        if is_root() {
            command.uid(STRANGER).gid(STRANGER);
        }
        Run::of(&command.output().unwrap())
    };
    for arguments in [
        &["policy", "check", "notes"][..],
        &["policy", "explain", "notes", "env", "REGION"],
        &["call", "notes_read_lines", READ, "--workspace", "."],
    ] {
        let run = run(arguments);
        assert!(
            [1, 2].contains(&run.code) && run.err.contains("Permission denied"),
            "{arguments:?} {}",
            run.shown()
        );
    }
}

#[test]
fn s150_paths_that_another_program_would_expand_are_refused() {
    let sandbox = Sandbox::with_notes();
    for (uri, words) in [
        ("fs://~/notes/**", "~"),
        ("fs:///~/notes", "~"),
        ("fs://$HOME/**", "$"),
        ("fs:///home/$USER/**", "$"),
        ("notes/**", "fs://"),
        ("./notes", "fs://"),
        ("fs://./notes", "."),
        ("fs://workspace/../etc/**", ".."),
        ("fs://workspace/a/..", ".."),
        ("fs://../**", ".."),
        ("fs:///", "/"),
        ("fs://", "fs://"),
        ("fs://workspace//a", "empty"),
        ("file:///etc/passwd", "fs://"),
    ] {
        sandbox.policy(&ALLOWED.replace("fs://workspace/**", uri));
        let run = sandbox.run(&["policy", "check", "notes"]).exits(2);
        assert!(
            run.err.contains("notes.yaml: line 5, column ") && run.err.contains(words),
            "{uri}: {}",
            run.shown()
        );
        let run = call(&sandbox).exits(2);
        assert!(!run.out.contains("harbour"), "{uri}: {}", run.shown());
    }
    // What is relative is relative to a named root, and one that nobody bound denies.
    sandbox.policy(ALLOWED);
    call(&sandbox).exits(0);
    let run = sandbox.run(&["call", "notes_read_lines", READ]).exits(3);
    assert!(run.err.contains("not bound"), "{}", run.shown());
}
