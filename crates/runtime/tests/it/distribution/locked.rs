//! What is installed is asked again at every load: bytes, manifest, signatures, and the rules of now.

use super::{Build, POLICY, Shop, problem_of};
use casemate_artifact::{LockFile, Silent};
use casemate_policy::{Digest, Reason};
use casemate_runtime::compile::{CompileError, Compiler, InProcess};
use casemate_runtime::{InstallError, InstallRequest, Runtime};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Changes the text of the lock, as a person with an editor does.
fn edit_lock(shop: &Shop, edit: impl FnOnce(&str) -> String) {
    let file = shop.fixture.home.lock_file();
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = edit(&text);
    assert_ne!(edited, text);
    std::fs::write(file, edited).unwrap();
}

#[test]
fn s165_an_unsigned_artifact_is_refused_before_anything_is_compiled_and_nothing_is_left() {
    struct Counting(Arc<AtomicUsize>);
    impl Compiler for Counting {
        fn compile(
            &self,
            engine: &wasmtime::Engine,
            bytes: &[u8],
        ) -> Result<Vec<u8>, CompileError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            InProcess.compile(engine, bytes)
        }
    }
    let shop = Shop::new();
    shop.trust("require");
    shop.publish("1", BUILD);
    let compiled = Arc::new(AtomicUsize::new(0));
    let runtime = Runtime::builder(shop.fixture.home.clone())
        .sources(shop.registry.sources())
        .compiler(Arc::new(Counting(Arc::clone(&compiled))))
        .open()
        .unwrap();
    let error = runtime
        .plan_install(shop.request(":1"), &Silent)
        .err()
        .unwrap();
    let InstallError::Verification {
        reason, expected, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(*reason, Reason::VerifySignature);
    assert!(
        expected.iter().any(|who| who.contains("keys/acme.pub")),
        "{expected:?}"
    );
    assert!(error.to_string().contains("keys/acme.pub"), "{error}");
    assert_eq!(compiled.load(Ordering::SeqCst), 0);
    assert!(!shop.fixture.home.lock_file().exists());
    let stored = std::fs::read_dir(shop.fixture.home.components_dir()).unwrap();
    assert_eq!(stored.count(), 0);

    // By choice of a person it is taken, and the lock says so until it is replaced.
    let request = InstallRequest {
        skip_verification: true,
        ..shop.request(":1")
    };
    let plan = runtime.plan_install(request, &Silent).unwrap();
    assert!(plan.verification_skipped());
    assert_eq!(plan.verification().refusal(), Some(Reason::VerifySignature));
    runtime.install(plan, None).unwrap();
    assert_eq!(compiled.load(Ordering::SeqCst), 1);
    assert!(shop.entry().verification_skipped);
    assert!(runtime.catalog().tool("tool_tell").is_some());
    shop.publish("1", Build { answer: 2, ..BUILD });
    let error = shop.update().err().unwrap();
    assert!(
        matches!(error, InstallError::Verification { .. }),
        "{error}"
    );
}

#[test]
fn to_skip_what_is_not_refused_is_not_noted() {
    let shop = Shop::new();
    shop.publish("1", BUILD);
    let request = InstallRequest {
        skip_verification: true,
        ..shop.request(":1")
    };
    let plan = shop.runtime().plan_install(request, &Silent).unwrap();
    assert!(!plan.verification_skipped());
    shop.runtime().install(plan, None).unwrap();
    shop.trust("require");
    assert_eq!(shop.problem().reason, "verify.signature");
}

#[test]
fn s185_a_rule_that_is_tightened_after_install_holds_at_the_next_load() {
    let shop = Shop::new();
    shop.publish("1", BUILD);
    shop.install(":1", None);
    shop.fixture.install("ping", &crate::ping(), "");
    assert_eq!(shop.served().0, json!(1));
    shop.trust("require");
    // A running server sees the file, and what is compiled and inspected is no way around it.
    assert!(shop.runtime().refresh().unwrap());
    let problem = shop.problem();
    assert_eq!(problem.reason, "verify.signature");
    assert!(problem.message.contains("keys/acme.pub"), "{problem:?}");
    assert!(!problem.serving_previous);
    // No rule is about files of this machine.
    shop.fixture.ping();

    shop.trust("warn");
    shop.runtime().refresh().unwrap();
    assert_eq!(shop.served().0, json!(1));

    // With a signature that was kept, and nothing else, it holds offline.
    shop.trust("require");
    assert_eq!(shop.problem().reason, "verify.signature");
    let manifest = shop.entry().manifest.unwrap();
    shop.sign(&manifest);
    let plan = shop.update().unwrap().unwrap();
    shop.runtime().install(plan, None).unwrap();
    let offline = Runtime::builder(shop.fixture.home.clone()).open().unwrap();
    assert_eq!(offline.catalog().problems(), []);
    // Another key under the same name of file.
    let other = casemate_artifact::SigningKey::generate().unwrap();
    let file = shop.fixture.home.keys_dir().join("acme.pub");
    std::fs::write(file, other.public().to_pem().unwrap()).unwrap();
    assert!(shop.runtime().refresh().unwrap());
    assert!(shop.problem().reason.starts_with("verify."));
}

#[test]
fn a_trust_policy_that_is_broken_stops_what_a_rule_could_be_about_and_nothing_else() {
    let shop = signed();
    shop.fixture.install("ping", &crate::ping(), "");
    let good = std::fs::read_to_string(shop.fixture.home.trust_file()).unwrap();
    for broken in [
        "version: \"1.0\"\nrules:\n  - match: [",
        "version: \"1.0\"\nrule: []\n",
        "",
    ] {
        shop.write_trust(&good);
        shop.runtime().reload().unwrap();
        assert_eq!(shop.served().0, json!(1));
        shop.write_trust(broken);
        if broken.is_empty() {
            // No rules: the signature of a key that nobody names is not known to be one.
            shop.runtime().reload().unwrap();
            assert_eq!(shop.served().0, json!(1));
            continue;
        }
        let problem = shop.problem();
        assert_eq!(problem.reason, "verify.signature");
        assert!(problem.message.contains("trust.yaml"), "{problem:?}");
        shop.fixture.ping();
        assert!(matches!(shop.plan(":1"), Err(InstallError::Trust(_))));
    }
    shop.write_trust(&good);
    std::fs::remove_file(shop.fixture.home.keys_dir().join("acme.pub")).unwrap();
    assert!(shop.problem().message.contains("acme.pub"));
}

#[test]
fn altered_evidence_and_manifests_are_refused() {
    type Digests = fn(&casemate_artifact::LockEntry) -> Digest;
    let table: [(&str, &str, Digests); 2] = [
        ("manifest", "manifest.json", |entry| entry.manifest.unwrap()),
        ("evidence", "sig.json", |entry| entry.evidence.unwrap()),
    ];
    for (what, extension, digest) in table {
        let shop = signed();
        let file = shop.stored(&digest(&shop.entry()), extension);
        let good = std::fs::read(&file).unwrap();
        for bad in [
            good.iter().copied().chain([b' ']).collect::<Vec<u8>>(),
            b"{}".to_vec(),
            Vec::new(),
        ] {
            std::fs::write(&file, bad).unwrap();
            let problem = shop.problem();
            assert_eq!(problem.reason, "verify.digest", "{what}");
        }
        std::fs::remove_file(&file).unwrap();
        let problem = shop.problem();
        assert_eq!(problem.reason, "verify.signature", "{what}");
        assert!(problem.hint.unwrap().contains("casemate sync"));
        std::fs::write(&file, good).unwrap();
        shop.runtime().reload().unwrap();
        assert_eq!(shop.served().0, json!(1));
    }
}

#[test]
fn a_lock_that_is_edited_by_hand_binds_nothing_together_that_does_not_belong_together() {
    let shop = signed();
    let good = std::fs::read_to_string(shop.fixture.home.lock_file()).unwrap();
    let first = shop.entry();
    let second = shop.publish("2", Build { answer: 2, ..BUILD });
    shop.sign(&second);
    shop.install(":2", None);
    let other = shop.entry();
    let restore = || std::fs::write(shop.fixture.home.lock_file(), &good).unwrap();
    let text = |digest: Option<Digest>| digest.unwrap().to_string();

    // Bytes under the manifest of others, and the other way round.
    for (from, to, reason) in [
        (
            first.digest.to_string(),
            other.digest.to_string(),
            "verify.digest",
        ),
        (text(first.manifest), text(other.manifest), "verify.digest"),
        (
            text(first.evidence),
            text(other.evidence),
            "verify.signature",
        ),
    ] {
        restore();
        edit_lock(&shop, |lock| lock.replace(&from, &to));
        let problem = shop.problem();
        assert_eq!(problem.reason, reason, "{problem:?}");
    }
    // Without its manifest or its signatures it is unsigned, whatever else the entry says.
    for key in ["manifest = ", "evidence = "] {
        restore();
        edit_lock(&shop, |lock| {
            let lines = lock.lines().filter(|line| !line.starts_with(key));
            lines.map(|line| format!("{line}\n")).collect()
        });
        assert_eq!(shop.problem().reason, "verify.signature", "{key}");
    }
    // A source that no rule could be found for.
    restore();
    edit_lock(&shop, |lock| {
        lock.replace("source = \"oci://", "source = \"oci:/")
    });
    assert_eq!(shop.problem().reason, "verify.signature");
    // What is no lock at all changes nothing that is served.
    restore();
    shop.runtime().reload().unwrap();
    for (from, to) in [
        ("manifest = \"sha256:", "manifest = \"sha256:zz"),
        ("signer = \"key ", "signer = \"yek "),
        ("version = 2", "version = 3"),
        ("evidence = ", "evidences = "),
    ] {
        restore();
        edit_lock(&shop, |lock| lock.replacen(from, to, 1));
        shop.runtime().reload().unwrap_err();
        assert_eq!(shop.served().0, json!(1), "{from}");
    }
    restore();
    let skipped = "verification-skipped = true\ntools = ";
    edit_lock(&shop, |lock| lock.replacen("tools = ", skipped, 1));
    assert!(LockFile::load(&shop.fixture.home).is_ok());
}

#[test]
fn a_signature_that_the_registry_has_lost_is_missed_at_add_and_not_at_load() {
    let shop = Shop::new();
    shop.trust("require");
    let manifest = shop.publish("1", BUILD);
    shop.sign(&manifest);
    shop.install(":1", None);
    // The referrers are gone from the registry, by both ways of asking.
    let fallback = format!("sha256-{}", manifest.hex());
    shop.registry.set_referrers(false);
    shop.registry.remove_manifest(super::REPOSITORY, &fallback);
    let error = shop.plan(":1").err().unwrap();
    let InstallError::Verification { reason, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*reason, Reason::VerifySignature);
    shop.runtime().reload().unwrap();
    assert_eq!(shop.served().0, json!(1));
    // Elsewhere there is nothing to verify with, and so nothing is installed.
    let elsewhere = shop.elsewhere();
    let plan = elsewhere.runtime.plan_sync().unwrap();
    let outcomes = elsewhere.runtime.sync(plan, &Silent).unwrap();
    assert!(matches!(
        outcomes.as_slice(),
        [(_, casemate_runtime::SyncOutcome::Failed(error))] if error.is_verification()
    ));
    problem_of(&elsewhere);
}
