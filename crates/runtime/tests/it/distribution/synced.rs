//! On another machine, with the same registry: the same tools, or an error that says what differs.

use super::{Build, POLICY, Shop, name};
use crate::fixture::{Fixture, result};
use casemate_artifact::{LockFile, SigningKey, Silent};
use casemate_policy::ComponentName;
use casemate_runtime::{LockedPart, SyncError, SyncOutcome};
use serde_json::{Value, json};

const BUILD: Build<'static> = Build {
    answer: 1,
    words: "Tells the time.",
    version: Some("1.0.0"),
    request: Some(POLICY),
    asks: false,
};

fn signed() -> Shop {
    let shop = Shop::new();
    shop.trust("require");
    let manifest = shop.publish("1", BUILD);
    shop.sign(&manifest);
    shop.install(":1", Some(POLICY));
    shop
}

fn sync(fixture: &Fixture) -> Vec<(ComponentName, SyncOutcome)> {
    let plan = fixture.runtime.plan_sync().unwrap();
    fixture.runtime.sync(plan, &Silent).unwrap()
}

fn failed(fixture: &Fixture) -> SyncError {
    let before = tree(fixture);
    let mut outcomes = sync(fixture);
    assert_eq!(outcomes.len(), 1);
    assert_eq!(tree(fixture), before, "something was left behind");
    assert!(fixture.runtime.catalog().tool("tool_tell").is_none());
    match outcomes.pop() {
        Some((_, SyncOutcome::Failed(error))) => {
            assert!(error.hint(&name()).is_some(), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

/// What is in the lock and in the store.
fn tree(fixture: &Fixture) -> Vec<(String, u64)> {
    let mut files: Vec<(String, u64)> = std::fs::read_dir(fixture.home.components_dir())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, entry.metadata().unwrap().len())
        })
        .collect();
    files.sort();
    let lock = std::fs::read_to_string(fixture.home.lock_file()).unwrap();
    files.push((lock, 0));
    files
}

#[test]
fn another_machine_gets_the_same_tools_and_the_lock_is_not_touched() {
    let shop = signed();
    // The tag has moved on; the lock has not.
    let newer = shop.publish("1", Build { answer: 2, ..BUILD });
    shop.sign(&newer);
    let elsewhere = shop.elsewhere();
    assert!(elsewhere.runtime.catalog().tool("tool_tell").is_none());
    let plan = elsewhere.runtime.plan_sync().unwrap();
    let [entry] = plan.entries() else {
        panic!("{plan:?}");
    };
    assert_eq!(
        entry.missing,
        [
            LockedPart::Bytes,
            LockedPart::Manifest,
            LockedPart::Signatures,
            LockedPart::Docs,
            LockedPart::Request
        ]
    );
    let lock = std::fs::read(elsewhere.home.lock_file()).unwrap();
    let outcomes = sync(&elsewhere);
    assert!(matches!(
        outcomes.as_slice(),
        [(_, SyncOutcome::Installed(Some(_)))]
    ));
    assert_eq!(std::fs::read(elsewhere.home.lock_file()).unwrap(), lock);
    assert_eq!(elsewhere.runtime.catalog().problems(), []);
    assert_eq!(result(&elsewhere.call("tool_tell", Value::Null)), json!(1));
    let words = |fixture: &Fixture| {
        let catalog = fixture.runtime.catalog();
        catalog
            .tool("tool_tell")
            .unwrap()
            .spec()
            .description
            .clone()
    };
    assert_eq!(words(&elsewhere), words(&shop.fixture));
    let again = sync(&elsewhere);
    assert!(matches!(again.as_slice(), [(_, SyncOutcome::UpToDate)]));

    // What was damaged is mended.
    let digest = shop.entry().digest;
    let file = elsewhere
        .home
        .components_dir()
        .join(format!("sha256-{}.wasm", digest.hex()));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "damaged").unwrap();
    assert!(matches!(
        sync(&elsewhere).as_slice(),
        [(_, SyncOutcome::Installed(None))]
    ));
}

#[test]
fn signatures_that_came_since_do_not_matter_unless_they_are_too_many() {
    let shop = signed();
    let manifest = shop.entry().manifest.unwrap();
    for _ in 0..2 {
        shop.sign_with(&SigningKey::generate().unwrap(), &manifest);
    }
    let elsewhere = shop.elsewhere();
    assert!(matches!(
        sync(&elsewhere).as_slice(),
        [(_, SyncOutcome::Installed(_))]
    ));
    assert_eq!(elsewhere.runtime.catalog().problems(), []);
    shop.sign_with(&SigningKey::generate().unwrap(), &manifest);
    let error = failed(&shop.elsewhere());
    assert!(
        matches!(
            error,
            SyncError::Differs {
                what: "signatures",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn s188_what_the_registry_no_longer_has_is_named() {
    let shop = signed();
    let manifest = shop.entry().manifest.unwrap().to_string();
    shop.registry.remove_manifest(super::REPOSITORY, &manifest);
    shop.registry.remove_manifest(super::REPOSITORY, "1");
    let error = failed(&shop.elsewhere());
    assert!(matches!(error, SyncError::Absent { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains(&manifest) && message.contains("casemate.lock"),
        "{message}"
    );
    assert!(message.contains(super::REPOSITORY), "{message}");
}

#[test]
fn whatever_differs_from_the_lock_is_an_error_and_changes_nothing() {
    let zeros = format!("sha256:{}", "0".repeat(64));
    let table: [(&str, &str); 5] = [
        ("digest", "digest"),
        ("tools", "tools"),
        ("evidence", "signatures"),
        ("request", "request"),
        ("docs", "docs"),
    ];
    for (key, what) in table {
        let shop = signed();
        let elsewhere = shop.elsewhere();
        let file = elsewhere.home.lock_file();
        let text: String = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(|line| match line.starts_with(&format!("{key} = ")) {
                true => format!("{key} = \"{zeros}\"\n"),
                false => format!("{line}\n"),
            })
            .collect();
        std::fs::write(&file, text).unwrap();
        let error = failed(&elsewhere);
        let SyncError::Differs {
            what: differs,
            locked,
            ..
        } = &error
        else {
            panic!("{key}: {error}");
        };
        assert_eq!((*differs, locked), (what, &zeros), "{key}");
        assert!(error.is_verification());
    }
    // A manifest of that digest there is none.
    let shop = signed();
    let elsewhere = shop.elsewhere();
    let manifest = shop.entry().manifest.unwrap().to_string();
    let text = std::fs::read_to_string(elsewhere.home.lock_file()).unwrap();
    std::fs::write(elsewhere.home.lock_file(), text.replace(&manifest, &zeros)).unwrap();
    let error = failed(&elsewhere);
    assert!(matches!(error, SyncError::Absent { .. }), "{error}");
    // The rules of this machine are others.
    let shop = signed();
    let elsewhere = shop.elsewhere();
    let other = SigningKey::generate().unwrap();
    let key = elsewhere.home.keys_dir().join("acme.pub");
    std::fs::write(key, other.public().to_pem().unwrap()).unwrap();
    let error = failed(&elsewhere);
    assert!(matches!(error, SyncError::Locked(_)), "{error}");
}

#[test]
fn a_local_file_is_synced_if_it_is_still_the_same() {
    let shop = Shop::new();
    let file = shop.fixture.path().join("tool.wasm");
    std::fs::write(&file, BUILD.wasm()).unwrap();
    let reference = casemate_artifact::Reference::File(file.clone());
    let request = casemate_runtime::InstallRequest::new(reference);
    let plan = shop.runtime().plan_install(request, &Silent).unwrap();
    shop.runtime().install(plan, None).unwrap();
    let elsewhere = shop.elsewhere();
    assert!(matches!(
        sync(&elsewhere).as_slice(),
        [(_, SyncOutcome::Installed(_))]
    ));
    std::fs::write(&file, Build { answer: 2, ..BUILD }.wasm()).unwrap();
    let error = failed(&shop.elsewhere());
    assert!(
        matches!(error, SyncError::Differs { what: "digest", .. }),
        "{error}"
    );
    std::fs::remove_file(&file).unwrap();
    let error = failed(&shop.elsewhere());
    assert!(matches!(error, SyncError::Absent { .. }), "{error}");
}

#[test]
fn what_was_replaced_elsewhere_is_fetched_to_go_back_to_it() {
    let shop = signed();
    let second = shop.publish("1", Build { answer: 2, ..BUILD });
    shop.sign(&second);
    let plan = shop.update().unwrap().unwrap();
    shop.runtime().install(plan, None).unwrap();
    let elsewhere = shop.elsewhere();
    sync(&elsewhere);
    assert_eq!(result(&elsewhere.call("tool_tell", Value::Null)), json!(2));
    let plan = elsewhere.runtime.plan_rollback(&name()).unwrap();
    elsewhere.runtime.install(plan, None).unwrap();
    assert_eq!(result(&elsewhere.call("tool_tell", Value::Null)), json!(1));
    assert_eq!(LockFile::load(&elsewhere.home).unwrap().components.len(), 1);
}
