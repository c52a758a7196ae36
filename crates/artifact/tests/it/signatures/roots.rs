//! Trust roots: the pinned one, and files that are none.

use casemate_artifact::{RootError, TrustError};
use serde_json::{Value, json};

use super::*;

fn staging() -> Value {
    serde_json::from_slice(&data("staging.root.json")).unwrap()
}

/// Loads a verifier with this text as its trust root.
fn load(text: &str) -> Result<Verifier, TrustError> {
    let (directory, home) = trusting("");
    let path = directory.path().join("root.json");
    std::fs::write(&path, text).unwrap();
    Verifier::load(&home, Some(&path))
}

fn refused(root: &Value) -> RootError {
    match load(&root.to_string()) {
        Err(TrustError::Root { source, path }) => {
            assert!(path.ends_with("root.json"));
            source
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

/// Ends every validity of these authorities.
fn end(root: &mut Value, kind: &str, at: &str) {
    for authority in root[kind].as_array_mut().unwrap() {
        let place = match authority.get("publicKey").is_some() {
            true => &mut authority["publicKey"],
            false => authority,
        };
        place["validFor"] = json!({ "start": "2020-01-01T00:00:00Z", "end": at });
    }
}

#[test]
fn s190_the_pinned_root_works_without_any_network() {
    let (_directory, home) = trusting("");
    let verifier = Verifier::load(&home, None).unwrap();
    let manifest = sha256(&data("cosign-v3-blob.txt"));
    let verification = verifier.verify(
        REPOSITORY,
        &manifest,
        &bundle(data("cosign-v3-blob.sigstore.json")),
    );
    assert!(
        matches!(verification.verdict(), Verdict::Signed(_)),
        "{verification:?}"
    );
}

#[test]
fn s190_an_expired_root_is_refused_at_load() {
    load(&staging().to_string()).unwrap();
    for (kind, name) in [
        ("certificateAuthorities", "certificate authority"),
        ("tlogs", "transparency log"),
        ("ctlogs", "certificate transparency log"),
    ] {
        let mut root = staging();
        end(&mut root, kind, "2021-01-01T00:00:00Z");
        assert_eq!(refused(&root), RootError::Expired(name));
        let mut root = staging();
        end(&mut root, kind, "2999-01-01T00:00:00Z");
        load(&root.to_string()).unwrap();
    }
}

#[test]
fn s190_what_is_no_trust_root_is_refused_at_load() {
    for text in [
        "",
        "garbage",
        "null",
        "[]",
        "{}",
        "{\"mediaType\":\"application/vnd.dev.sigstore.trustedroot+json;version=0.1\"}",
    ] {
        let Err(error) = load(text) else {
            panic!("accepted: {text:?}");
        };
        assert!(matches!(error, TrustError::Root { .. }), "{error}");
        assert!(
            error.hint().unwrap().contains("trusted_root.json"),
            "{error}"
        );
    }
    // TUF's own root, whatever its threshold and signatures, is not a list of authorities.
    for name in ["tuf-root.json", "cosign-v3-blob.sigstore.json"] {
        let root: Value = serde_json::from_slice(&data(name)).unwrap();
        assert!(matches!(refused(&root), RootError::Content(_)), "{name}");
    }
    for kind in ["certificateAuthorities", "tlogs", "ctlogs"] {
        let mut root = staging();
        root[kind] = json!([]);
        assert!(matches!(refused(&root), RootError::Incomplete(_)), "{kind}");
    }
    let mut root = staging();
    root["tlogs"][0]["publicKey"]["rawBytes"] = json!("MAA=");
    assert!(matches!(refused(&root), RootError::Content(_)));
    let mut root = staging();
    root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = json!("MAA=");
    assert!(matches!(refused(&root), RootError::Content(_)));
    assert!(load(&format!("{{\"a\":{}", "[".repeat(100_000))).is_err());
    assert!(
        load(&" ".repeat(300_000))
            .unwrap_err()
            .to_string()
            .contains("too large")
    );
    let (_directory, home) = trusting("");
    let missing = home.config_dir().join("no.json");
    assert!(matches!(
        Verifier::load(&home, Some(&missing)),
        Err(TrustError::Missing { .. })
    ));
}

#[test]
fn s190_an_older_root_refuses_what_only_a_newer_one_knows() {
    // Rolled back: the log that made the entry and the authority that made the timestamp are not in it yet.
    let name = "staging-rekor-v2.txt.sigstore.json";
    let manifest = sha256(&data("staging-rekor-v2.txt"));
    let verify = |root: &Value| {
        load(&root.to_string())
            .unwrap()
            .verify(REPOSITORY, &manifest, &bundle(data(name)))
    };
    assert!(matches!(verify(&staging()).verdict(), Verdict::Signed(_)));
    let mut older = staging();
    older["timestampAuthorities"] = json!([]);
    rejected(&verify(&older));
    let mut older = staging();
    older["tlogs"].as_array_mut().unwrap().truncate(1);
    rejected(&verify(&older));
}

#[test]
fn s173_a_time_outside_of_an_authoritys_validity_is_refused() {
    let name = "staging-rekor-v2.txt.sigstore.json";
    let manifest = sha256(&data("staging-rekor-v2.txt"));
    let verify = |root: &Value| {
        load(&root.to_string())
            .unwrap()
            .verify(REPOSITORY, &manifest, &bundle(data(name)))
    };
    // The timestamp authority was no longer valid when it stamped.
    let mut root = staging();
    end(&mut root, "timestampAuthorities", "2025-01-01T00:00:00Z");
    let verification = verify(&root);
    let (reason, why) = rejected(&verification);
    assert_eq!(reason, Reason::VerifyExpired, "{why}");
    // No certificate authority was valid yet at that time.
    let mut root = staging();
    for authority in root["certificateAuthorities"].as_array_mut().unwrap() {
        authority["validFor"] = json!({ "start": "2026-01-01T00:00:00Z" });
    }
    let verification = verify(&root);
    assert_eq!(rejected(&verification).0, Reason::VerifyExpired);
}
