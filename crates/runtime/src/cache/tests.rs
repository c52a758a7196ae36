//! The cache of native code (cases S186, S187, S249).

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{MAGIC, NativeCache};
use casemate_policy::Digest;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use wasmtime::Engine;

struct Fixture {
    directory: tempfile::TempDir,
    engine: Engine,
    digest: Digest,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            directory: tempfile::tempdir().unwrap(),
            engine: Engine::default(),
            digest: Digest::from_bytes([7; 32]),
        };
        let (authentic, written) =
            fixture
                .cache()
                .put(&fixture.engine, &fixture.digest, b"native code");
        written.unwrap();
        assert_eq!(authentic.unwrap().as_slice(), b"native code");
        assert!(fixture.hit());
        fixture
    }

    fn cache(&self) -> NativeCache {
        NativeCache::open(self.directory.path()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.cache().path(&self.digest)
    }

    fn hit(&self) -> bool {
        self.cache().get(&self.engine, &self.digest).is_some()
    }
}

#[test]
fn s186_wassette_08_a_changed_byte_anywhere_is_never_loaded() {
    let fixture = Fixture::new();
    let good = std::fs::read(fixture.file()).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        if let Some(byte) = bad.get_mut(index) {
            *byte ^= 1;
        }
        std::fs::write(fixture.file(), &bad).unwrap();
        assert!(!fixture.hit(), "byte {index}");
    }
    for length in 0..good.len() {
        std::fs::write(fixture.file(), good.get(..length).unwrap()).unwrap();
        assert!(!fixture.hit(), "cut at {length}");
    }
    std::fs::write(fixture.file(), &good).unwrap();
    assert!(fixture.hit());
}

#[test]
fn s186_wassette_08_code_that_another_key_made_is_never_loaded() {
    let fixture = Fixture::new();
    let other = tempfile::tempdir().unwrap();
    let (_, written) = NativeCache::open(other.path()).unwrap().put(
        &fixture.engine,
        &fixture.digest,
        b"evil code",
    );
    written.unwrap();
    let evil = std::fs::read(
        other
            .path()
            .join(format!("{}.native", fixture.digest.hex())),
    )
    .unwrap();
    assert!(evil.starts_with(MAGIC));
    std::fs::write(fixture.file(), evil).unwrap();
    assert!(!fixture.hit());
}

#[test]
fn s186_code_of_another_component_is_never_loaded() {
    let fixture = Fixture::new();
    let other = Digest::from_bytes([8; 32]);
    std::fs::copy(fixture.file(), fixture.cache().path(&other)).unwrap();
    assert!(fixture.cache().get(&fixture.engine, &other).is_none());
}

#[test]
fn s186_a_file_that_others_could_have_written_is_ignored() {
    let fixture = Fixture::new();
    let file = fixture.file();
    let set =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o666, 0o622, 0o640, 0o604] {
        set(mode);
        assert!(!fixture.hit(), "{mode:o}");
    }
    set(0o600);
    assert!(fixture.hit());
    // A second name for the file.
    let link = fixture.directory.path().join("link");
    std::fs::hard_link(&file, &link).unwrap();
    assert!(!fixture.hit());
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&link, &file).unwrap();
    assert!(!fixture.hit());
}

#[test]
fn s186_without_its_key_nothing_is_loaded() {
    let fixture = Fixture::new();
    let key = fixture.directory.path().join("key");
    std::fs::remove_file(&key).unwrap();
    assert!(!fixture.hit());
    let fixture = Fixture::new();
    let key = fixture.directory.path().join("key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!fixture.hit());
}

#[test]
fn s187_the_checked_buffer_is_the_loaded_one() {
    let fixture = Fixture::new();
    let authentic = fixture
        .cache()
        .get(&fixture.engine, &fixture.digest)
        .unwrap();
    // Whatever happens to the file now, the proof holds the bytes that were checked.
    std::fs::write(fixture.file(), b"swapped").unwrap();
    assert_eq!(authentic.as_slice(), b"native code");
}

#[test]
fn s249_code_for_another_engine_is_never_loaded() {
    let fixture = Fixture::new();
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let other = Engine::new(&config).unwrap();
    assert!(fixture.cache().get(&other, &fixture.digest).is_none());
}
