//! Collection removes what nothing names, and nothing else.

use std::time::{Duration, SystemTime};

use casemate_artifact::{GcError, GcReport, Lock, LockError, LockFile, gc};

use crate::{artifact, bind, home, install, names, set_mode};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn only_what_no_entry_names_is_removed() {
    let (_directory, home) = home();
    let mut kept = install(&home, "kept", "kept");
    kept.docs = Some(home.store().put_docs("kept docs").unwrap());
    bind(&home, "kept", &kept).unwrap();
    let orphan = artifact("orphan");
    home.store().put(&orphan).unwrap();
    let orphan_docs = home.store().put_docs("orphan docs").unwrap();
    std::fs::write(home.components_dir().join("notes.txt"), "mine").unwrap();
    std::fs::create_dir(home.components_dir().join(".casemate-tmp-directory")).unwrap();
    let temporary = [
        home.components_dir().join(".casemate-tmp-abc"),
        home.policies_dir().join(".casemate-tmp-def"),
        home.config_dir().join(".casemate-tmp-ghi"),
    ];
    for path in &temporary {
        std::fs::write(path, "half").unwrap();
    }

    let young = gc(&home, HOUR, SystemTime::now()).unwrap();
    assert_eq!(young, GcReport::default());

    let report = gc(&home, HOUR, SystemTime::now() + HOUR * 2).unwrap();
    assert_eq!(report.components, [*orphan.digest()]);
    assert_eq!(report.docs, [orphan_docs]);
    assert_eq!(report.temporary.len(), 3);
    assert_eq!(report.bytes, 6 + 11 + 3 * 4);
    assert!(temporary.iter().all(|path| !path.exists()));
    home.store().load(&kept).unwrap();
    assert_eq!(
        home.store().get_docs(&kept.docs.unwrap()).unwrap(),
        "kept docs"
    );
    assert_eq!(names(&home.components_dir()).len(), 4);
    assert_eq!(
        gc(&home, HOUR, SystemTime::now() + HOUR * 2).unwrap(),
        GcReport::default()
    );
}

#[test]
fn what_an_entry_and_those_before_it_name_is_kept() {
    let (_directory, home) = home();
    let store = home.store();
    let mut old = install(&home, "tool", "old");
    old.manifest = Some(store.put_manifest(b"{}").unwrap());
    old.evidence = Some(store.put_evidence(b"[]").unwrap());
    old.docs = Some(store.put_docs("old docs").unwrap());
    let policy = store.put_policy("version: \"1.0\"\n").unwrap();
    let new = install(&home, "other", "new").replacing(old, Some(policy), false);
    bind(&home, "tool", &new).unwrap();
    let orphans = [
        store.put_manifest(b"orphan").unwrap(),
        store.put_evidence(b"orphan of another sort").unwrap(),
        store.put_policy("orphan: policy").unwrap(),
    ];

    let report = gc(&home, HOUR, SystemTime::now() + HOUR * 2).unwrap();
    let mut removed = report.records;
    removed.sort();
    let mut expected = orphans;
    expected.sort();
    assert_eq!(removed, expected);
    assert!(report.components.is_empty() && report.docs.is_empty());
    let replaced = new.previous.first().unwrap();
    store.load(&replaced.entry).unwrap();
    assert_eq!(store.get_policy(&policy).unwrap(), "version: \"1.0\"\n");
    assert_eq!(
        store
            .get_manifest(&replaced.entry.manifest.unwrap())
            .unwrap(),
        b"{}"
    );
    assert_eq!(
        store
            .get_evidence(&replaced.entry.evidence.unwrap())
            .unwrap(),
        b"[]"
    );
    store.get_docs(&replaced.entry.docs.unwrap()).unwrap();
}

#[test]
fn what_is_removed_from_the_lock_is_collected_later() {
    let (_directory, home) = home();
    install(&home, "tool", "1");
    LockFile::update(&home, |lock: &mut Lock| {
        lock.components.clear();
        Ok::<_, LockError>(())
    })
    .unwrap();
    assert_eq!(
        gc(&home, Duration::ZERO, SystemTime::now() + HOUR)
            .unwrap()
            .components
            .len(),
        1
    );
}

#[test]
fn storing_again_makes_old_bytes_young() {
    let (_directory, home) = home();
    let artifact = artifact("old");
    home.store().put(&artifact).unwrap();
    let path = home
        .components_dir()
        .join(names(&home.components_dir()).first().unwrap());
    set_mode(&path, 0o600);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - HOUR * 5).unwrap();
    set_mode(&path, 0o400);
    home.store().put(&artifact).unwrap();
    assert_eq!(
        gc(&home, HOUR, SystemTime::now()).unwrap(),
        GcReport::default()
    );
}

#[test]
fn a_lock_that_cannot_be_read_stops_it() {
    let (_directory, home) = home();
    home.store().put(&artifact("orphan")).unwrap();
    std::fs::write(home.lock_file(), "version = 3\n").unwrap();
    let error = gc(&home, Duration::ZERO, SystemTime::now() + HOUR).unwrap_err();
    assert!(
        matches!(error, GcError::Lock(_)) && error.hint().is_some(),
        "{error}"
    );
    assert_eq!(names(&home.components_dir()).len(), 1);
}
