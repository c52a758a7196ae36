//! Lookups by the product's own resolver, against a name server of the test (cases S088, S091).

use super::guest::Ask;
use super::server::{Server, response};
use super::world::{GENEROUS, World, installed, plain};
use crate::fixture::Fixture;
use crate::name_server::{A, AAAA, CNAME, NameServer, a, wire_name};
use casemate_runtime::{Dns, Network, ResolveError, Resolver, TrustRoots};
use std::sync::Arc;
use std::time::Duration;

/// A home that resolves with the product's resolver and connects in the table of `world`.
fn resolving(server: &NameServer, world: &Arc<World>, rules: &str) -> Fixture {
    let network = Network::new(
        Arc::new(Dns::servers(&[server.address])),
        Arc::clone(world) as _,
        TrustRoots::lazy(Vec::new),
        GENEROUS,
    );
    installed(Fixture::with(|builder| builder.network(network)), rules)
}

#[test]
fn s088_s091_each_connection_asks_once_for_the_whole_name() {
    let web = Server::answering(response("200 OK", "", "hello"));
    let world = Arc::new(World::default().place("9.9.9.1:80", web.address));
    let names = NameServer::start(|name, kind, _| {
        let records = match (name, kind) {
            ("api.example.com.", A) => vec![a("api.example.com", [9, 9, 9, 1])],
            ("api.", A) => vec![a("api", [9, 9, 9, 1])],
            _ => Vec::new(),
        };
        Some((0, records))
    });
    let rules = format!("{}\n{}", plain("api.example.com"), plain("api"));
    let fixture = resolving(&names, &world, &rules);
    for name in ["api.example.com", "API.example.com.", "api"] {
        let reply = Ask::http(name, "/").send(&fixture);
        assert_eq!(reply.answered().body, b"hello", "{name}");
    }
    // Nothing appended, nothing kept although the answers were good for a minute.
    let asked = |name: &str| [(name.to_owned(), A), (name.to_owned(), AAAA)];
    let expected = [
        asked("api.example.com."),
        asked("api.example.com."),
        asked("api."),
    ]
    .concat();
    assert_eq!(names.questions(), expected);
}

#[test]
fn s088_a_name_that_is_bound_anew_is_refused() {
    let web = Server::answering(response("200 OK", "", "hello"));
    let inside = Server::silent();
    let world = World::default()
        .place("9.9.9.1:80", web.address)
        .place("127.0.0.1:80", inside.address);
    let world = Arc::new(world);
    let names = NameServer::start(|_, kind, before| {
        let address = if before < 2 {
            [9, 9, 9, 1]
        } else {
            [127, 0, 0, 1]
        };
        let records = match kind {
            A => vec![a("api.example.com", address)],
            _ => Vec::new(),
        };
        Some((0, records))
    });
    let fixture = resolving(&names, &world, &plain("api.example.com"));
    let ask = Ask::http("api.example.com", "/");
    assert_eq!(ask.send(&fixture).answered().body, b"hello");
    let reply = ask.send(&fixture);
    assert_eq!(reply.outcome(), "destination-IP-prohibited");
    assert!(reply.refusals()[0].starts_with("denied.network.address "));
    assert_eq!(names.questions().len(), 4);
    assert_eq!(world.dials(), ["9.9.9.1:80"]);
    assert_eq!(inside.connections(), 0);
}

#[test]
fn s090_an_alias_and_the_other_family_are_judged_by_where_they_lead() {
    let world = Arc::new(World::default());
    let names = NameServer::start(|name, kind, _| {
        let records = match (name, kind) {
            ("alias.example.com.", A) => vec![
                ("alias.example.com", CNAME, wire_name("db.internal")),
                a("db.internal", [10, 0, 0, 5]),
            ],
            ("six.example.com.", A) => vec![a("six.example.com", [9, 9, 9, 1])],
            ("six.example.com.", AAAA) => {
                let inside = "fd00::1".parse::<std::net::Ipv6Addr>().unwrap();
                vec![("six.example.com", AAAA, inside.octets().to_vec())]
            }
            _ => Vec::new(),
        };
        Some((0, records))
    });
    let fixture = resolving(&names, &world, &plain("*.example.com"));
    for name in ["alias.example.com", "six.example.com"] {
        let reply = Ask::http(name, "/").send(&fixture);
        assert_eq!(reply.outcome(), "destination-IP-prohibited", "{name}");
    }
    assert_eq!(world.dials(), [] as [&str; 0]);
}

#[test]
fn what_a_name_server_says_is_told_in_its_words() {
    const NXDOMAIN: u8 = 3;
    const REFUSED: u8 = 5;
    let names = NameServer::start(|name, _, _| match name {
        "none.example.com." => Some((0, Vec::new())),
        "unknown.example.com." => Some((NXDOMAIN, Vec::new())),
        "refused.example.com." => Some((REFUSED, Vec::new())),
        _ => None,
    });
    let dns = Dns::servers(&[names.address]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = |word: &str| Err(ResolveError::Answer(word.to_owned()));
    for (name, expected) in [
        ("none.example.com", answer("NOERROR")),
        ("unknown.example.com", answer("NXDOMAIN")),
        ("refused.example.com", answer("REFUSED")),
    ] {
        assert_eq!(runtime.block_on(dns.resolve(name)), expected, "{name}");
    }
    // One that says nothing is not waited for longer than a lookup may take.
    let begun = std::time::Instant::now();
    let silence = runtime.block_on(dns.resolve("silent.example.com"));
    assert_eq!(silence, Err(ResolveError::Timeout));
    assert!(begun.elapsed() < casemate_runtime::MAX_LOOKUP_TIME + Duration::from_secs(5));
}

#[test]
fn an_address_or_a_hosts_file_is_no_answer() {
    let names = NameServer::start(|_, _, _| Some((3, Vec::new())));
    let dns = Dns::servers(&[names.address]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Whatever the policy would have made of them, here they are names.
    for name in ["127.0.0.1", "9.9.9.1"] {
        let answer = runtime.block_on(dns.resolve(name));
        assert_eq!(answer, Err(ResolveError::Answer("NXDOMAIN".to_owned())));
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let own = hosts
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    for name in own.flat_map(|line| line.split_whitespace().skip(1)) {
        let answer = runtime.block_on(dns.resolve(name));
        let addresses = answer.unwrap_or_default();
        // RFC 6761: `localhost` is the loopback, whoever is asked; nothing else is known here.
        assert!(
            addresses.is_empty() || name.ends_with("localhost"),
            "{name}: {addresses:?}"
        );
        assert!(addresses.iter().all(|address| address.is_loopback()));
    }
}

#[test]
fn an_answer_that_is_too_long_for_a_datagram_comes_by_tcp() {
    let names = NameServer::start(|name, kind, _| {
        let records = match (name, kind) {
            ("many.example.com.", A) => (0..=255)
                .map(|last| a("many.example.com", [9, 9, 9, last]))
                .collect(),
            _ => Vec::new(),
        };
        Some((0, records))
    });
    let dns = Dns::servers(&[names.address]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let found = runtime.block_on(dns.resolve("many.example.com")).unwrap();
    assert_eq!(found.len(), 256);
    assert_eq!(names.by_tcp(), 1);
}
