//! The crate from outside: documents to policies or errors, policies to decisions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod decisions;
mod documents;
mod fuzzed;
mod links;
mod network;
mod properties;
mod reference;
mod storage;
mod trust;

use std::collections::BTreeSet;

use casemate_policy::{
    Admission, ArtifactIdentity, Digest, Grant, Operation, Policy, RootName, StorageAccess, Tenant,
    VirtualPath,
};

/// The example that the project started from, word by word.
const SEED: &str = include_str!("../seed.yaml");

fn policy(text: &str) -> Policy {
    match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn roots(names: &[&str]) -> BTreeSet<RootName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn identity() -> ArtifactIdentity {
    ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None)
}

fn admit(policy: &Policy, ceiling: Option<&Policy>, bound: &[&str]) -> Grant {
    let admission = Admission {
        ceiling,
        strict: false,
        bound_roots: &roots(bound),
        tenant: Tenant::local(),
    };
    policy.admit(&identity(), &admission)
}

/// Answers `allowed` or the stable reason.
fn verdict(grant: &Grant, operation: &Operation<'_>) -> String {
    match grant.decide(operation) {
        Ok(_) => "allowed".to_owned(),
        Err(denial) => {
            assert!(denial.reason().is_denial());
            denial.reason().to_string()
        }
    }
}

fn storage(grant: &Grant, access: StorageAccess, path: &str) -> String {
    let path = VirtualPath::parse(path).unwrap();
    verdict(
        grant,
        &Operation::Storage {
            path: &path,
            access,
            own: false,
        },
    )
}
