//! What a later step of the way enforces is decided here already; these read the whole language, enforced or not.

mod raw;
mod tools;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::*;
use crate::denial::{Denial, Permitted, Remedy};
use crate::identity::Digest;
use crate::operation::{Operation, SocketAction};

fn policy(text: &str) -> Policy {
    match Policy::unenforced(text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn admit(policy: &Policy, ceiling: Option<&Policy>) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let admission = Admission {
        ceiling,
        strict: false,
        bound_roots: &BTreeSet::from(["w".parse().unwrap(), "c".parse().unwrap()]),
        tenant: Tenant::local(),
    };
    policy.admit(&identity, &admission)
}

/// Writes a policy with these entries for the network, and whatever follows under `permissions`.
fn network(allow: &[&str], deny: &[&str]) -> Policy {
    let mut text = String::from("version: \"1.0\"\npermissions:\n  network:\n    allow:\n");
    for entry in allow {
        text.push_str(&format!("      - {{ {entry} }}\n"));
    }
    text.push_str("    deny:\n");
    for entry in deny {
        text.push_str(&format!("      - {{ {entry} }}\n"));
    }
    policy(&text)
}

fn lookup(grant: &Grant, name: &str) -> Result<(), Denial> {
    let host = crate::http::lookup_name(name)?.to_plain();
    grant
        .decide(&Operation::Lookup { name: &host })
        .map(|permit| {
            assert_eq!(*permit.granted(), Permitted::Lookup);
            assert!(permit.rule().is_some());
        })
}

fn connect(grant: &Grant, name: Option<&str>, address: &str) -> Result<(), Denial> {
    let address: SocketAddr = address.parse().unwrap();
    let operation = Operation::TcpConnect {
        name,
        address,
        own: false,
    };
    grant.decide(&operation).map(|permit| {
        assert_eq!(*permit.granted(), Permitted::Connect);
        assert!(permit.rule().is_some());
    })
}

/// Answers `allowed` or the reason.
fn word(answer: Result<(), Denial>) -> String {
    match answer {
        Ok(()) => "allowed".to_owned(),
        Err(denial) => denial.reason().to_string(),
    }
}
