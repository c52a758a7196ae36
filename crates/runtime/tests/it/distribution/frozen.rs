//! A frozen server runs exactly what is locked, or does not start.

use super::{Build, POLICY, Shop, name};
use casemate_policy::{Permission, PolicyEdit};
use casemate_runtime::{FrozenDifference, FrozenPart, OpenError, Runtime};

const BUILD: Build<'static> = Build {
    answer: 1,
    words: "Tells the time.",
    version: None,
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

fn frozen(shop: &Shop) -> Result<Runtime, OpenError> {
    Runtime::builder(shop.fixture.home.clone())
        .frozen(true)
        .open()
}

fn differences(shop: &Shop) -> Vec<FrozenDifference> {
    match frozen(shop) {
        Err(OpenError::Frozen(differences)) => differences,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it opens"),
    }
}

#[test]
fn every_kind_of_difference_is_named_and_it_does_not_open() {
    type Change = fn(&Shop);
    let table: [(&str, Change, &[FrozenPart]); 13] = [
        (
            "bytes altered",
            |shop| std::fs::write(shop.stored(&shop.entry().digest, "wasm"), "x").unwrap(),
            &[FrozenPart::Bytes],
        ),
        (
            "bytes missing",
            |shop| std::fs::remove_file(shop.stored(&shop.entry().digest, "wasm")).unwrap(),
            &[FrozenPart::Bytes],
        ),
        (
            "manifest altered",
            |shop| {
                let file = shop.stored(&shop.entry().manifest.unwrap(), "manifest.json");
                std::fs::write(file, "{}").unwrap();
            },
            &[FrozenPart::Provenance],
        ),
        (
            "signatures missing",
            |shop| {
                let file = shop.stored(&shop.entry().evidence.unwrap(), "sig.json");
                std::fs::remove_file(file).unwrap();
            },
            &[FrozenPart::Provenance],
        ),
        (
            "docs altered",
            |shop| {
                let file = shop.stored(&shop.entry().docs.unwrap(), "wit");
                std::fs::write(file, "package a:b;").unwrap();
            },
            &[FrozenPart::Docs, FrozenPart::Tools],
        ),
        (
            "request missing",
            |shop| {
                let file = shop.stored(&shop.entry().request.unwrap(), "yaml");
                std::fs::remove_file(file).unwrap();
            },
            &[FrozenPart::Request],
        ),
        (
            "tools hash",
            |shop| {
                let file = shop.fixture.home.lock_file();
                let tools = shop.entry().tools.to_string();
                let zeros = format!("sha256:{}", "0".repeat(64));
                let text = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, text.replace(&tools, &zeros)).unwrap();
            },
            &[FrozenPart::Tools],
        ),
        (
            "policy edited",
            |shop| {
                let file = shop.fixture.home.policy_file(&name());
                std::fs::write(file, format!("{POLICY}# by hand\n")).unwrap();
            },
            &[FrozenPart::Policy],
        ),
        (
            "policy invalid",
            |shop| {
                std::fs::write(shop.fixture.home.policy_file(&name()), "permissions: [").unwrap()
            },
            &[FrozenPart::Policy],
        ),
        (
            "policy gone",
            |shop| std::fs::remove_file(shop.fixture.home.policy_file(&name())).unwrap(),
            &[FrozenPart::Policy],
        ),
        (
            "another key",
            |shop| {
                let other = casemate_artifact::SigningKey::generate().unwrap();
                let file = shop.fixture.home.keys_dir().join("acme.pub");
                std::fs::write(file, other.public().to_pem().unwrap()).unwrap();
            },
            &[FrozenPart::Provenance],
        ),
        (
            "trust policy broken",
            |shop| shop.write_trust("rules: ["),
            &[FrozenPart::Provenance],
        ),
        (
            "two at once",
            |shop| {
                std::fs::write(shop.stored(&shop.entry().digest, "wasm"), "x").unwrap();
                std::fs::remove_file(shop.fixture.home.policy_file(&name())).unwrap();
            },
            &[FrozenPart::Bytes, FrozenPart::Policy],
        ),
    ];
    for (what, change, parts) in table {
        let shop = signed();
        frozen(&shop).unwrap();
        change(&shop);
        let found = differences(&shop);
        let named: Vec<FrozenPart> = found.iter().map(|found| found.part).collect();
        assert_eq!(named, parts, "{what}: {found:?}");
        for difference in found {
            assert_eq!(difference.component, name(), "{what}");
            assert!(difference.hint.contains("casemate") || difference.hint.contains("trust.yaml"));
            assert!(difference.to_string().starts_with("tool, "), "{difference}");
        }
    }
}

#[test]
fn what_casemate_writes_is_locked_and_what_a_hand_writes_is_locked_on_request() {
    let shop = signed();
    let edit = |key: &str| PolicyEdit::Grant(Permission::Environment(key.to_owned()));
    shop.runtime()
        .change_policy(&name(), &edit("OTHER"))
        .unwrap();
    frozen(&shop).unwrap();

    let file = shop.fixture.home.policy_file(&name());
    let by_hand = format!("{}# by hand\n", shop.policy().unwrap());
    std::fs::write(&file, by_hand).unwrap();
    assert_eq!(differences(&shop).len(), 1);
    // A change by Casemate afterwards does not lock what the hand wrote.
    shop.runtime()
        .change_policy(&name(), &edit("THIRD"))
        .unwrap();
    assert_eq!(differences(&shop).len(), 1);
    let locked = shop.runtime().lock_policy(&name()).unwrap();
    assert_ne!(locked.before, locked.after);
    frozen(&shop).unwrap();
    let again = shop.runtime().lock_policy(&name()).unwrap();
    assert_eq!(again.before, again.after);

    std::fs::write(&file, "permissions: [").unwrap();
    shop.runtime().lock_policy(&name()).unwrap_err();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(shop.runtime().lock_policy(&name()).unwrap().after, None);
    frozen(&shop).unwrap();
}

#[test]
fn no_change_is_taken_over_while_it_runs() {
    let shop = signed();
    let runtime = frozen(&shop).unwrap();
    let mut catalogs = runtime.catalogs();
    catalogs.mark_unchanged();
    let edit = PolicyEdit::Grant(Permission::Environment("OTHER".to_owned()));
    shop.runtime().change_policy(&name(), &edit).unwrap();
    shop.runtime().remove(&name()).unwrap();
    assert!(!runtime.refresh().unwrap());
    runtime.reload().unwrap();
    assert!(!catalogs.has_changed().unwrap());
    assert!(runtime.catalog().tool("tool_tell").is_some());
}
