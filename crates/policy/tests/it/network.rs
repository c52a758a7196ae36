//! Outgoing requests: how targets are read, what rules mean for them, and which addresses are reached.

mod addresses;
mod paths;
mod ranges;
mod rules;
mod targets;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use casemate_policy::{
    Denial, Grant, HttpHost, HttpScheme, HttpTarget, Operation, Origin, Permission, Permitted,
    Policy, PolicyEdit, PolicyErrorKind, Remedy, edit,
};
use proptest::prelude::*;

use crate::{admit, policy};

fn rules(allow: &[&str], deny: &[&str]) -> String {
    let mut text = String::from("version: \"1.0\"\npermissions:\n  network:\n    allow:\n");
    for entry in allow {
        text.push_str(&format!("      - {{ {entry} }}\n"));
    }
    text.push_str("    deny:\n");
    for entry in deny {
        text.push_str(&format!("      - {{ {entry} }}\n"));
    }
    text
}

fn grant(allow: &[&str], deny: &[&str]) -> Grant {
    admit(&policy(&rules(allow, deny)), None, &[])
}

fn get(scheme: &str, authority: &str) -> Result<HttpTarget, Denial> {
    HttpTarget::parse(scheme, authority, "GET", "/")
}

/// Answers `allowed` or the reason, as it is for a guest: the target is read, then judged.
fn ask(grant: &Grant, scheme: &str, authority: &str, method: &str) -> String {
    let decision = HttpTarget::parse(scheme, authority, method, "/v1?q")
        .and_then(|target| grant.decide(&target.operation()).map(|_| ()));
    match decision {
        Ok(()) => "allowed".to_owned(),
        Err(denial) => denial.reason().to_string(),
    }
}

fn connect(grant: &Grant, authority: &str, address: &str) -> Result<(), Denial> {
    let (scheme, authority) = authority.split_once("://").unwrap_or(("https", authority));
    let target = get(scheme, authority).unwrap();
    let address = SocketAddr::new(address.parse().unwrap(), target.port());
    grant.decide(&target.connect(address, false)).map(|permit| {
        assert_eq!(*permit.granted(), Permitted::Connect);
        assert!(permit.rule().is_some());
    })
}

fn reached(grant: &Grant, authority: &str, address: &str) -> String {
    match connect(grant, authority, address) {
        Ok(()) => "allowed".to_owned(),
        Err(denial) => denial.reason().to_string(),
    }
}

const HOST: &str = "denied.network.host";
const SCHEME: &str = "denied.network.scheme";
const PORT: &str = "denied.network.port";
const METHOD: &str = "denied.network.method";
const PATH: &str = "denied.network.path";
const ADDRESS: &str = "denied.network.address";
