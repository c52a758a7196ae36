//! Requests and network rules, beside the plain reading of both.
//!
//! Input, line by line: `METHOD SCHEME AUTHORITY PATH`; addresses that the name leads to, separated by spaces; then rules, `+`
//! or `-` for allow or deny and keys: `+host=*.a.example cidr=10.0.0.0/8 schemes=http,https ports=80 methods=GET paths=/v1/**`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use casemate_policy::{
    Admission, ArtifactIdentity, Denial, Digest, HttpHost, HttpTarget, Policy, Reason, Tenant,
    lookup_name,
};

use super::model::{self, NetworkRule, Request, World};

const MAX_RULES: usize = 6;
const MAX_ADDRESSES: usize = 4;
/// The plain reading takes exponential time.
const MAX_STARS: usize = 8;
const MAX_LINE: usize = 300;

pub fn check(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = data.split('\n').filter(|line| line.len() <= MAX_LINE);
    let target = lines.next().and_then(target);
    let addresses: Vec<IpAddr> = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|address| address.parse().ok())
        .take(MAX_ADDRESSES)
        .collect();
    let mut world = World {
        policy: model::Policy::default(),
        ceiling: None,
        bound: Vec::new(),
    };
    for line in lines.take(MAX_RULES) {
        let Some((allow, rule)) = rule(line) else {
            continue;
        };
        let list = if allow {
            &mut world.policy.network_allow
        } else {
            &mut world.policy.network_deny
        };
        list.push(rule);
    }
    let policy = match Policy::parse(&world.policy.yaml()) {
        Ok(policy) => policy,
        Err(error) => panic!("each loads alone: {error}\n{}", world.policy.yaml()),
    };
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let bound_roots = BTreeSet::new();
    let admission = Admission {
        ceiling: None,
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    let grant = policy.admit(&identity, &admission);
    let Some(target) = target else { return };
    let request = Request {
        scheme: target.scheme().as_str().to_owned(),
        host: match target.host() {
            HttpHost::Name(name) => name.clone(),
            HttpHost::Address(address) => address.to_string(),
        },
        port: target.port(),
        method: target.method().to_owned(),
        path: target.path().to_owned(),
    };
    let sent = grant.decide(&target.operation());
    assert_eq!(
        sent.is_ok(),
        world.sends(&request),
        "{request:?} {sent:?}\n{}",
        world.policy.yaml()
    );
    for address in addresses {
        for own in [false, true] {
            let connected =
                grant.decide(&target.connect(SocketAddr::new(address, target.port()), own));
            let expected = world.connects(&request, address, own);
            assert_eq!(
                connected.is_ok(),
                expected,
                "{request:?} {address} {connected:?}\n{}",
                world.policy.yaml()
            );
            // Nothing is connected to for a request that could not be sent.
            assert!(sent.is_ok() || connected.is_err());
        }
    }
}

/// Reads what a guest could want looked up.
fn lookup(text: &str) {
    match lookup_name(text) {
        Ok(host) => {
            is_canonical(&host);
            let again = match &host {
                HttpHost::Name(name) => lookup_name(name),
                HttpHost::Address(address) => lookup_name(&address.to_string()),
            };
            assert_eq!(again.as_ref(), Ok(&host), "{text:?}");
        }
        Err(denial) => {
            assert_eq!(denial.reason(), Reason::Dns);
            is_shown(&denial);
        }
    }
}

fn is_shown(denial: &Denial) {
    assert!(denial.remedy().is_none(), "{denial:?}");
    for text in [denial.subject(), denial.explanation()] {
        let shown = text.len() <= 4096 && !text.chars().any(char::is_control);
        assert!(shown, "{text:?}");
    }
}

fn is_canonical(host: &HttpHost) {
    match host {
        HttpHost::Name(name) => {
            let plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
            };
            assert!(name.bytes().all(plain) && name.len() <= 253, "{name:?}");
            let labels = || name.split('.');
            assert!(
                labels().all(|label| (1..=63).contains(&label.len())),
                "{name:?}"
            );
            // What a resolver would take for an address is not a name.
            let last = labels().next_back().unwrap_or_default();
            let hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = last.bytes().all(|byte| byte.is_ascii_digit())
                || last.strip_prefix("0x").is_some_and(hexadecimal);
            assert!(!number, "{name:?}");
        }
        HttpHost::Address(address) => assert_eq!(address.to_canonical(), *address),
    }
}

/// Reads a request; what is taken has one spelling, and is read back as the same.
fn target(line: &str) -> Option<HttpTarget> {
    let mut words = line.splitn(4, ' ');
    let (method, scheme, authority) = (words.next()?, words.next()?, words.next()?);
    lookup(authority);
    let path = words.next().unwrap_or_default();
    let target = match HttpTarget::parse(scheme, authority, method, path) {
        Ok(target) => target,
        Err(denial) => {
            assert!(denial.reason().is_denial());
            is_shown(&denial);
            return None;
        }
    };
    assert!(["http", "https"].contains(&scheme) && target.scheme().as_str() == scheme);
    assert!(
        !authority.contains(['@', '%', '/', '\\', '?', '#', '*'])
            && !authority.chars().any(char::is_whitespace),
        "{authority:?}"
    );
    assert!(target.port() != 0 && target.path().starts_with('/') && target.path().len() <= 8192);
    assert!(
        !target.path().contains(['?', '#'])
            && target.path().bytes().all(|byte| byte.is_ascii_graphic())
    );
    assert!(!["CONNECT", "TRACE"].contains(&target.method()));
    is_canonical(target.host());
    let again = HttpTarget::parse(scheme, &target.authority(), target.method(), target.path());
    assert_eq!(again.as_ref(), Ok(&target));
    Some(target)
}

/// Reads a rule that the language takes and that is already in its one spelling.
fn rule(line: &str) -> Option<(bool, NetworkRule)> {
    let allow = match line.get(..1)? {
        "+" => true,
        "-" => false,
        _ => return None,
    };
    let mut rule = NetworkRule::default();
    let list = |value: &str| Some(value.split(',').map(str::to_owned).collect::<Vec<_>>());
    for word in line.get(1..)?.split(' ') {
        let (key, value) = word.split_once('=')?;
        match key {
            "host" => rule.host = Some(value.to_owned()),
            "cidr" => rule.cidr = Some(value.to_owned()),
            "schemes" => rule.schemes = list(value),
            "ports" => {
                rule.ports = Some(
                    value
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>()
                        .ok()?,
                )
            }
            "methods" => rule.methods = list(value),
            "paths" => rule.paths = list(value),
            _ => return None,
        }
    }
    let mut alone = model::Policy::default();
    let own = if allow {
        &mut alone.network_allow
    } else {
        &mut alone.network_deny
    };
    own.push(rule.clone());
    Policy::parse(&alone.yaml()).ok()?;
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.*:".contains(&byte);
    if let Some(host) = &rule.host {
        let address: Option<IpAddr> = host.parse().ok();
        let usual = address.is_none_or(|address| address.to_string() == *host);
        if !usual || !host.bytes().all(plain) || host.ends_with('.') || host.contains("xn--") {
            return None;
        }
    }
    let stars = rule
        .paths
        .iter()
        .flatten()
        .map(|path| path.matches('*').count())
        .max();
    (stars.unwrap_or_default() <= MAX_STARS).then_some((allow, rule))
}
