//! The artifact room from outside: real files in temporary directories.
//!
//! Tests that hold a case of the catalogue of attacks begin with its number.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod crash;
mod credentials;
mod disk;
mod fetch;
mod gc;
mod home;
mod lock;
mod oci;
mod policies;
mod push;
mod signatures;
mod store;

use std::path::Path;

use casemate_artifact::{Home, Lock, LockEntry, LockError, LockFile, VerifiedArtifact, sha256};
use tempfile::TempDir;

/// A home that exists, and the directory that goes away with it.
fn home() -> (TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::single(directory.path().join("home"));
    home.create().unwrap();
    (directory, home)
}

fn artifact(content: &str) -> VerifiedArtifact {
    VerifiedArtifact::from_memory(content.as_bytes().to_vec())
}

fn entry(artifact: &VerifiedArtifact) -> LockEntry {
    LockEntry::new(
        *artifact.digest(),
        "file:///opt/tool.wasm".to_owned(),
        sha256(b"tools"),
        "2026-11-22T06:00:00Z".to_owned(),
    )
}

/// Stores an artifact and binds a name to it.
fn install(home: &Home, name: &str, content: &str) -> LockEntry {
    let artifact = artifact(content);
    home.store().put(&artifact).unwrap();
    let entry = entry(&artifact);
    bind(home, name, &entry).unwrap();
    entry
}

fn bind(home: &Home, name: &str, entry: &LockEntry) -> Result<(), LockError> {
    LockFile::update(home, |lock: &mut Lock| {
        lock.components.insert(name.parse().unwrap(), entry.clone());
        Ok(())
    })
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(target_os = "linux")]
fn make_fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}
