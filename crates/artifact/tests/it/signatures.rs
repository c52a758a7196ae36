//! Signatures: genuine ones of Sigstore's public instances, ones of our own keys, and what is made of them to deceive.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod genuine;
mod key_files;
mod keys;
mod own;
mod roots;
mod sigstore_rs;

use std::path::{Path, PathBuf};

use casemate_artifact::{Evidence, Home, SignatureItem, Verdict, Verification, Verifier, sha256};
use casemate_policy::{Digest, Reason};
use tempfile::TempDir;

const REPOSITORY: &str = "ghcr.io/example/search";

/// A file of `tests/data/sigstore`.
fn data(name: &str) -> Vec<u8> {
    std::fs::read(data_file(name)).unwrap()
}

fn data_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/sigstore")
        .join(name)
}

fn bundle(json: impl Into<Vec<u8>>) -> Evidence {
    Evidence::new(vec![SignatureItem::Bundle { json: json.into() }])
}

/// A home whose trust policy has these signers for every repository; none, and there is no policy.
fn trusting(signers: &str) -> (TempDir, Home) {
    let (directory, home) = crate::home();
    if !signers.is_empty() {
        write_policy(&home, signers);
    }
    (directory, home)
}

fn write_policy(home: &Home, signers: &str) {
    let text = format!("version: \"1.0\"\nrules:\n  - match: \"**\"\n    signers: [{signers}]\n");
    std::fs::write(home.trust_file(), text).unwrap();
}

fn write_key(home: &Home, name: &str, pem: &str) {
    std::fs::create_dir_all(home.keys_dir()).unwrap();
    std::fs::write(home.keys_dir().join(name), pem).unwrap();
}

/// Verifies evidence under a policy with these signers for everything, against the root in the file or the pinned one.
fn verify(signers: &str, root: Option<&str>, of: &Digest, evidence: &Evidence) -> Verification {
    let (_directory, home) = trusting(signers);
    let root = root.map(data_file);
    let verifier = Verifier::load(&home, root.as_deref()).unwrap();
    verifier.verify(REPOSITORY, of, evidence)
}

/// Why the only signature does not hold, which must also leave the artifact unsigned.
fn rejected(verification: &Verification) -> (Reason, &str) {
    assert!(verification.verified().is_empty(), "{verification:?}");
    match verification.verdict() {
        Verdict::Unsigned | Verdict::Refused { .. } => {}
        other => panic!("{other:?}"),
    }
    let [rejected] = verification.rejected() else {
        panic!("{verification:?}");
    };
    (rejected.reason, &rejected.why)
}
