//! A legacy signature and an encrypted key that the Rust crate `sigstore` made (`tests/data/sigstore-rs`).
//!
//! `clients/signatures/legacy` has the crate itself on the other side, in both directions; it takes too long to build for every run.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_artifact::{KeyError, SigningKey, sign};
use casemate_policy::Signer;

use super::*;

const KEY: &str = "{ key: keys/public.pub }";
const PASSWORD: &str = "of-the-vectors";

fn vector(name: &str) -> Vec<u8> {
    data(&format!("../sigstore-rs/{name}"))
}

fn text(name: &str) -> String {
    String::from_utf8(vector(name)).unwrap()
}

fn signature() -> Vec<u8> {
    STANDARD.decode(vector("signature.txt")).unwrap()
}

fn manifest() -> Digest {
    sha256(b"the manifest")
}

fn legacy(payload: Vec<u8>, signature: Vec<u8>) -> Evidence {
    Evidence::new(vec![SignatureItem::Legacy {
        payload,
        signature,
        certificate: None,
        chain: None,
        bundle: None,
    }])
}

/// A verifier whose policy asks for this key everywhere.
fn asking_for(public: &str) -> (TempDir, Verifier) {
    let (directory, home) = trusting(KEY);
    write_key(&home, "public.pub", public);
    let verifier = Verifier::load(&home, None).unwrap();
    (directory, verifier)
}

fn refused(verification: &Verification) -> bool {
    verification.verified().is_empty() && matches!(verification.verdict(), Verdict::Refused { .. })
}

#[test]
fn a_signature_of_the_crate_sigstore_is_trusted() {
    let (_directory, verifier) = asking_for(&text("public.pub"));
    let evidence = legacy(vector("payload.json"), signature());
    let verification = verifier.verify(REPOSITORY, &manifest(), &evidence);
    let Verdict::Trusted { signer, .. } = verification.verdict() else {
        panic!("{verification:?}");
    };
    let key = SigningKey::from_pem(&text("private.key"), Some(PASSWORD)).unwrap();
    let fingerprint = *key.public().fingerprint();
    assert_eq!(*signer, Signer::Key { fingerprint });
}

#[test]
fn s170_a_signature_of_the_crate_sigstore_is_for_one_artifact_and_key() {
    let evidence = legacy(vector("payload.json"), signature());
    let (_directory, verifier) = asking_for(&text("public.pub"));
    let another = verifier.verify(REPOSITORY, &sha256(b"another manifest"), &evidence);
    assert!(refused(&another), "{another:?}");
    assert!(rejected(&another).1.contains("another artifact"));
    let elsewhere = verifier.verify("ghcr.io/example/other", &manifest(), &evidence);
    assert!(refused(&elsewhere), "{elsewhere:?}");
    assert!(rejected(&elsewhere).1.contains("another repository"));
    let stranger = SigningKey::generate().unwrap().public().to_pem().unwrap();
    let (_directory, verifier) = asking_for(&stranger);
    let stranger = verifier.verify(REPOSITORY, &manifest(), &evidence);
    assert!(refused(&stranger), "{stranger:?}");
}

#[test]
fn s170_a_signature_of_the_crate_sigstore_is_refused_with_any_byte_changed_or_cut_off() {
    let (_directory, verifier) = asking_for(&text("public.pub"));
    let (payload, signature) = (vector("payload.json"), signature());
    let refuses = |payload: &[u8], signature: &[u8]| {
        let evidence = legacy(payload.to_vec(), signature.to_vec());
        let verification = verifier.verify(REPOSITORY, &manifest(), &evidence);
        assert!(refused(&verification), "{verification:?}");
    };
    for at in 0..payload.len() {
        let mut changed = payload.clone();
        changed[at] ^= 1 << (at % 8);
        refuses(&changed, &signature);
        refuses(&payload[..at], &signature);
    }
    for at in 0..signature.len() {
        let mut changed = signature.clone();
        changed[at] ^= 1 << (at % 8);
        refuses(&payload, &changed);
        refuses(&payload, &signature[..at]);
    }
    // The same meaning in other bytes is another payload.
    refuses(&[&payload[..], b"\n"].concat(), &signature);
    refuses(&payload, &[&signature[..], &[0]].concat());
}

#[test]
fn a_key_that_the_crate_sigstore_encrypted_signs() {
    let sealed = text("private.key");
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"));
    let wrong = SigningKey::from_pem(&sealed, Some("of-the-vector")).unwrap_err();
    assert_eq!(wrong, KeyError::WrongPassword);
    let key = SigningKey::from_pem(&sealed, Some(PASSWORD)).unwrap();
    let signed = sign(&key, REPOSITORY, &manifest(), &BTreeMap::new()).unwrap();
    let (_directory, verifier) = asking_for(&text("public.pub"));
    let verification = verifier.verify(REPOSITORY, &manifest(), &signed.evidence());
    assert_eq!(verification.verified().len(), 2, "{verification:?}");
    assert!(matches!(verification.verdict(), Verdict::Trusted { .. }));
}
