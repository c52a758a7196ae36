//! The lock file: whole or absent, one writer at a time, nothing named that is not there.

use std::fmt::Write;

use casemate_artifact::{Home, Lock, LockError, LockFile, manifest_names, sha256};

use crate::{artifact, bind, entry, home, install, mode, names, set_mode};

#[test]
fn it_starts_empty_and_keeps_what_was_bound() {
    let (_directory, home) = home();
    assert_eq!(LockFile::load(&home).unwrap(), Lock::default());
    let one = install(&home, "one", "1");
    let two = install(&home, "two", "2");
    let lock = LockFile::load(&home).unwrap();
    assert_eq!(
        lock.components.into_values().collect::<Vec<_>>(),
        [one, two]
    );
    assert_eq!(mode(&home.lock_file()), 0o600);
    assert!(
        !names(home.config_dir())
            .iter()
            .any(|name| name.starts_with(".casemate-tmp-"))
    );
}

#[test]
fn a_failed_or_empty_change_writes_nothing() {
    let (_directory, home) = home();
    install(&home, "one", "1");
    let before = std::fs::read(home.lock_file()).unwrap();
    let stamp = home.stamp();
    let failed = LockFile::update(&home, |lock| {
        lock.components.clear();
        Err::<(), _>(LockError::Refused {
            reason: "second thoughts".into(),
        })
    });
    assert!(failed.is_err());
    LockFile::update(&home, |_| Ok::<_, LockError>(())).unwrap();
    assert_eq!(std::fs::read(home.lock_file()).unwrap(), before);
    assert_eq!(home.stamp(), stamp);
}

#[test]
fn nothing_is_named_whose_bytes_are_not_there() {
    let (_directory, home) = home();
    let absent = entry(&artifact("never stored"));
    let error = bind(&home, "tool", &absent).unwrap_err();
    assert!(matches!(error, LockError::NotStored { .. }), "{error}");
    let mut no_docs = install(&home, "other", "stored");
    no_docs.docs = Some(sha256(b"no docs"));
    assert!(matches!(
        bind(&home, "other", &no_docs),
        Err(LockError::NotStored { .. })
    ));
    assert_eq!(LockFile::load(&home).unwrap().components.len(), 1);

    // An entry that came with the repository, and whose bytes are yet to be fetched, does not stop
    // other changes.
    let text = std::fs::read_to_string(home.lock_file()).unwrap();
    let foreign = text
        .replace("[components.other]", "[components.foreign]")
        .replacen("version = 2\n", "", 1);
    let foreign = foreign.replace(
        &sha256(b"stored").to_string(),
        &sha256(b"elsewhere").to_string(),
    );
    std::fs::write(home.lock_file(), format!("{text}\n{foreign}")).unwrap();
    install(&home, "third", "3");
    assert_eq!(LockFile::load(&home).unwrap().components.len(), 3);
}

#[test]
fn s249_a_lock_from_the_future_or_with_unknown_keys_is_left_alone() {
    let (_directory, home) = home();
    let good = install(&home, "tool", "1");
    let text = std::fs::read_to_string(home.lock_file()).unwrap();
    for (other, says) in [
        (text.replacen("version = 2", "version = 3", 1), "version 3"),
        (
            text.replacen("tenant", "signer = \"x\"\ntenant", 1),
            "signer",
        ),
        (
            text.replacen("tenant", "signers = \"x\"\ntenant", 1),
            "signers",
        ),
        ("garbage \u{0}".to_owned(), "line 1"),
    ] {
        std::fs::write(home.lock_file(), &other).unwrap();
        for error in [
            LockFile::load(&home).unwrap_err(),
            bind(&home, "another", &good).unwrap_err(),
        ] {
            assert!(error.to_string().contains(says), "{error}");
            assert!(
                error.to_string().contains("casemate.lock") && error.hint().is_some(),
                "{error}"
            );
        }
        assert_eq!(std::fs::read_to_string(home.lock_file()).unwrap(), other);
    }
    std::fs::write(home.lock_file(), b"version = 1\n# \xff\n").unwrap();
    assert!(matches!(
        LockFile::load(&home),
        Err(LockError::Malformed { .. })
    ));
}

#[test]
fn what_cannot_be_trusted_is_not_an_empty_lock() {
    let (directory, home) = home();
    install(&home, "tool", "1");
    set_mode(&home.lock_file(), 0o666);
    let error = LockFile::load(&home).unwrap_err();
    assert!(
        matches!(error, LockError::WorldWritable { mode: 0o666, .. }),
        "{error}"
    );
    assert!(error.hint().unwrap().starts_with("chmod o-w "));
    std::fs::remove_file(home.lock_file()).unwrap();

    std::os::unix::fs::symlink(directory.path().join("nowhere"), home.lock_file()).unwrap();
    assert!(matches!(
        LockFile::load(&home),
        Err(LockError::NotRegular { .. })
    ));
    std::fs::remove_file(home.lock_file()).unwrap();

    std::fs::create_dir(home.lock_file()).unwrap();
    assert!(matches!(
        LockFile::load(&home),
        Err(LockError::NotRegular { .. })
    ));
    std::fs::remove_dir(home.lock_file()).unwrap();

    std::fs::File::create(home.lock_file())
        .unwrap()
        .set_len(8 << 30)
        .unwrap();
    assert!(matches!(
        LockFile::load(&home),
        Err(LockError::TooLarge { .. })
    ));
}

#[test]
fn a_linked_lock_stays_a_link() {
    let (directory, home) = home();
    let repository = directory.path().join("dotfiles");
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(repository.join("my.lock"), "version = 1\n").unwrap();
    set_mode(&repository.join("my.lock"), 0o644);
    std::os::unix::fs::symlink(repository.join("my.lock"), home.lock_file()).unwrap();
    install(&home, "tool", "1");
    assert!(
        std::fs::symlink_metadata(home.lock_file())
            .unwrap()
            .is_symlink()
    );
    assert!(
        std::fs::read_to_string(repository.join("my.lock"))
            .unwrap()
            .contains("[components.tool]")
    );
    assert_eq!(mode(&repository.join("my.lock")), 0o644);
}

#[test]
fn writers_wait_for_each_other() {
    let (_directory, home) = home();
    let artifact = artifact("shared");
    home.store().put(&artifact).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let (home, artifact) = (&home, &artifact);
            scope.spawn(move || {
                for number in 0..8 {
                    bind(home, &format!("w{writer}-{number}"), &entry(artifact)).unwrap();
                }
            });
        }
        for _ in 0..200 {
            // A reader takes no lock and sees a whole file each time.
            LockFile::load(&home).unwrap();
        }
    });
    assert_eq!(LockFile::load(&home).unwrap().components.len(), 48);
}

#[test]
fn the_write_lock_ends_with_a_panic() {
    let (_directory, home) = home();
    let panicked = std::panic::catch_unwind(|| {
        LockFile::update(&home, |_| -> Result<(), LockError> {
            std::panic::resume_unwind(Box::new("stop"))
        })
    });
    assert!(panicked.is_err());
    install(&home, "tool", "1");
}

#[test]
fn a_lock_beyond_the_bound_is_not_written() {
    let (_directory, home) = home();
    let artifact = artifact("shared");
    home.store().put(&artifact).unwrap();
    let mut large = entry(&artifact);
    large.source = format!("file:///{}", "x".repeat(12_000));
    let error = LockFile::update(&home, |lock| {
        for number in 0..400 {
            let mut name = String::from("n");
            write!(name, "{number}").unwrap();
            lock.components.insert(name.parse().unwrap(), large.clone());
        }
        Ok::<_, LockError>(())
    })
    .unwrap_err();
    assert!(matches!(error, LockError::TooLarge { .. }), "{error}");
    assert_eq!(LockFile::load(&home).unwrap(), Lock::default());
}

#[test]
fn configuration_and_data_may_lie_apart() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(
        directory.path().join("a/config"),
        directory.path().join("b/data"),
    );
    let entry = install(&home, "tool", "1");
    home.store().load(&entry).unwrap();
    assert_eq!(
        names(&directory.path().join("a/config")),
        [".lock", "casemate.lock"]
    );
    assert_eq!(names(&directory.path().join("b/data")), ["components"]);
    assert_eq!(mode(&directory.path().join("a/config")), 0o700);
}

#[test]
fn a_policy_is_noted_only_where_the_lock_knows_what_was_changed() {
    let (_directory, home) = home();
    let name = "tool".parse().unwrap();
    install(&home, "tool", "1");
    let (first, second, third) = (sha256(b"1"), sha256(b"2"), sha256(b"3"));
    let locked = || {
        let lock = LockFile::load(&home).unwrap();
        lock.components.get(&name).unwrap().policy
    };
    assert!(LockFile::note_policy(&home, &name, None, Some(first)).unwrap());
    assert_eq!(locked(), Some(first));
    // A hand wrote `second`; what is made of that is not what the lock knows.
    assert!(!LockFile::note_policy(&home, &name, Some(second), Some(third)).unwrap());
    assert!(!LockFile::note_policy(&home, &name, None, Some(third)).unwrap());
    assert_eq!(locked(), Some(first));
    assert!(LockFile::note_policy(&home, &name, Some(first), None).unwrap());
    assert_eq!(locked(), None);
    let other = "other".parse().unwrap();
    assert!(!LockFile::note_policy(&home, &other, None, Some(first)).unwrap());
}

#[test]
fn a_manifest_names_one_component_or_none() {
    let (digest, other) = (sha256(b"component"), sha256(b"another"));
    let layer = |media_type: &str, digest: &casemate_policy::Digest| {
        format!("{{\"mediaType\":\"{media_type}\",\"digest\":\"{digest}\",\"size\":9}}")
    };
    let manifest = |layers: &[String]| format!("{{\"layers\":[{}]}}", layers.join(","));
    let wasm = layer("application/wasm", &digest);
    let text = layer("application/vnd.casemate.wit.v1+text", &other);
    for (layers, names) in [
        (vec![wasm.clone()], true),
        (vec![text.clone(), wasm.clone()], true),
        (vec![layer("application/wasm; v=1", &digest)], true),
        (vec![layer("application/wasm", &other)], false),
        (vec![wasm.clone(), layer("application/wasm", &other)], false),
        (vec![wasm.clone(), wasm.clone()], false),
        (vec![layer("text/plain", &digest)], false),
        (vec![text], false),
        (vec![], false),
    ] {
        let manifest = manifest(&layers);
        assert_eq!(
            manifest_names(manifest.as_bytes(), &digest),
            names,
            "{manifest}"
        );
    }
    for text in [
        "",
        "{}",
        "[]",
        "{\"layers\":{}}",
        "{\"layers\":[{}]}",
        &"[".repeat(100_000),
    ] {
        assert!(!manifest_names(text.as_bytes(), &digest), "{text:.20}");
    }
}
