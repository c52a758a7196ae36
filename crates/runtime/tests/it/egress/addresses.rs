//! Where a permitted name may lead (cases S085 to S088, S090, S105).

use super::guest::Ask;
use super::server::{Server, response};
use super::world::{GENEROUS, World, home, installed, plain, with_deadlines};
use crate::fixture::Fixture;
use casemate_runtime::{Deadlines, Network, ResolveError, TrustRoots};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name is permitted, the address is not.
#[track_caller]
fn prohibited(fixture: &Fixture) {
    leads_inside(fixture, "api.example.com");
}

#[track_caller]
fn leads_inside(fixture: &Fixture, name: &str) {
    let reply = Ask::http(name, "/").send(fixture);
    assert_eq!(reply.outcome(), "destination-IP-prohibited", "{name}");
    let [refusal] = &reply.refusals()[..] else {
        panic!("{:?}", reply.refusals());
    };
    assert!(refusal.starts_with("denied.network.address "), "{refusal}");
    assert_eq!(reply.report.usage.sent, 0);
}

#[test]
fn s086_s090_wassette_04_a_name_that_leads_inside_is_refused() {
    let addresses = [
        "127.0.0.1",
        "10.0.0.5",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.251",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "ff02::1",
    ];
    let name = |number: usize| format!("host{number}.example.com");
    let world = addresses
        .iter()
        .enumerate()
        .fold(World::default(), |world, (number, address)| {
            world.name(&name(number), &[address])
        });
    let world = Arc::new(world);
    let fixture = home(&world, &plain("*.example.com"));
    for number in 0..addresses.len() {
        leads_inside(&fixture, &name(number));
    }
    assert_eq!(world.lookups().len(), addresses.len());
    assert_eq!(world.dials(), [] as [&str; 0]);
}

#[test]
fn s086_s090_a_name_leads_inside_where_its_rule_has_a_range_and_only_there() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let outside = Server::silent();
    let ranged = "      - { host: \"api.example.com\", schemes: [http], cidr: \"10.1.0.0/16\" }";
    for (address, rules, reached) in [
        ("10.1.0.5", ranged.to_owned(), true),
        ("10.1.0.5", plain("api.example.com"), false),
        ("10.2.0.5", ranged.to_owned(), false),
        ("9.9.9.1", ranged.to_owned(), false),
        ("::ffff:10.1.0.5", ranged.to_owned(), false),
        ("64:ff9b::a01:5", ranged.to_owned(), false),
        // Of another name, of no name, and denied.
        (
            "10.1.0.5",
            format!(
                "{}\n{}",
                plain("api.example.com"),
                ranged.replace("api", "db")
            ),
            false,
        ),
        (
            "10.1.0.5",
            format!(
                "{}\n      - {{ cidr: \"10.1.0.0/16\", schemes: [http] }}",
                plain("api.example.com")
            ),
            false,
        ),
        (
            "10.1.0.5",
            format!("{ranged}\n    deny:\n      - cidr: \"10.1.0.0/24\""),
            false,
        ),
        (
            "169.254.169.254",
            ranged.replace("10.1.0.0", "169.254.0.0"),
            false,
        ),
        (
            "169.254.1.1",
            ranged.replace("10.1.0.0", "169.254.0.0"),
            true,
        ),
    ] {
        let world = World::default()
            .name("api.example.com", &[address])
            .place("10.1.0.5:80", server.address)
            .place("169.254.1.1:80", server.address)
            .place("9.9.9.1:80", outside.address);
        let world = Arc::new(world);
        let fixture = home(&world, &rules);
        if reached {
            let reply = Ask::http("api.example.com", "/").send(&fixture);
            assert_eq!(reply.answered().body, b"hello", "{address}");
            assert_eq!(world.dials(), [format!("{address}:80")]);
        } else {
            prohibited(&fixture);
            assert_eq!(world.dials(), [] as [&str; 0], "{address} {rules}");
        }
    }
    assert_eq!(outside.connections(), 0);
}

#[test]
fn s087_an_answer_that_leads_to_both_sides_needs_an_entry_for_each() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let ranged = "      - { host: \"api.example.com\", schemes: [http], cidr: \"10.1.0.0/16\" }";
    for (rules, reached) in [
        (ranged.to_owned(), false),
        (format!("{ranged}\n{}", plain("api.example.com")), true),
    ] {
        let world = World::default()
            .name("api.example.com", &["10.1.0.5", "9.9.9.1"])
            .place("10.1.0.5:80", server.address)
            .place("9.9.9.1:80", server.address);
        let world = Arc::new(world);
        let fixture = home(&world, &rules);
        if reached {
            let reply = Ask::http("api.example.com", "/").send(&fixture);
            assert_eq!(reply.answered().body, b"hello");
            assert_eq!(world.dials(), ["10.1.0.5:80"]);
        } else {
            prohibited(&fixture);
            assert_eq!(world.dials(), [] as [&str; 0]);
        }
    }
}

#[test]
fn a_range_alone_is_asked_for_by_address() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let world = World::default()
        .place("10.1.0.5:80", server.address)
        .place("10.2.0.5:80", server.address);
    let world = Arc::new(world);
    let fixture = home(&world, "      - { cidr: \"10.1.0.0/16\", schemes: [http] }");
    let reply = Ask::http("10.1.0.5", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    Ask::http("10.2.0.5", "/")
        .send(&fixture)
        .denied("denied.network.host");
    assert_eq!(world.lookups(), [] as [&str; 0]);
    assert_eq!(world.dials(), ["10.1.0.5:80"]);
}

#[test]
fn s087_one_address_inside_spoils_the_whole_answer() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let inside = Server::silent();
    let world = World::default()
        .answers(
            "api.example.com",
            &[
                &["9.9.9.1", "127.0.0.1"],
                &["127.0.0.1", "9.9.9.1"],
                &["9.9.9.1", "9.9.9.2", "::1"],
                &["9.9.9.1"],
            ],
        )
        .place("9.9.9.1:80", server.address)
        .place("127.0.0.1:80", inside.address);
    let world = Arc::new(world);
    let fixture = home(&world, &plain("api.example.com"));
    for _ in 0..3 {
        prohibited(&fixture);
    }
    assert_eq!(world.dials(), [] as [&str; 0]);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    assert_eq!(inside.connections(), 0);
}

#[test]
fn s088_an_answer_that_changes_is_judged_again_and_the_first_one_is_used_once() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let inside = Server::silent();
    let world = World::default()
        .answers("api.example.com", &[&["9.9.9.1"], &["127.0.0.1"]])
        .place("9.9.9.1:80", server.address)
        .place("127.0.0.1:80", inside.address);
    let world = Arc::new(world);
    let fixture = home(&world, &plain("api.example.com"));
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    prohibited(&fixture);
    prohibited(&fixture);
    assert_eq!(world.lookups().len(), 3);
    assert_eq!(world.dials(), ["9.9.9.1:80"]);
    assert_eq!(inside.connections(), 0);
}

#[test]
fn the_next_address_is_tried_where_one_does_not_answer() {
    let server = Server::answering(response("200 OK", "", "hello"));
    // Bound and closed again: nobody is there.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::default()
        .name("api.example.com", &["9.9.9.1", "9.9.9.2", "9.9.9.3"])
        .name("gone.example.com", &["9.9.9.1"])
        .place("9.9.9.1:80", gone)
        .place("9.9.9.3:80", server.address);
    let world = Arc::new(world);
    let deadlines = Deadlines {
        connect: Duration::from_secs(6),
        ..GENEROUS
    };
    let rules = format!(
        "{}\n{}",
        plain("api.example.com"),
        plain("gone.example.com")
    );
    let fixture = with_deadlines(&world, &rules, deadlines);
    let begun = Instant::now();
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    assert_eq!(world.dials(), ["9.9.9.1:80", "9.9.9.2:80", "9.9.9.3:80"]);
    // The one that never answers had its part of the time, not all of it.
    assert!(begun.elapsed() < deadlines.connect);
    let reply = Ask::http("gone.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "connection-refused");
}

#[test]
fn of_a_long_answer_all_are_judged_and_sixteen_tried() {
    let many: Vec<String> = (1..=40).map(|last| format!("9.9.9.{last}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    let world = Arc::new(World::default().name("api.example.com", &many));
    let deadlines = Deadlines {
        connect: Duration::from_millis(200),
        ..GENEROUS
    };
    let fixture = with_deadlines(&world, &plain("api.example.com"), deadlines);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "connection-timeout");
    assert_eq!(world.dials().len(), casemate_runtime::MAX_ADDRESSES);
    many.push("127.0.0.1");
    let world = Arc::new(World::default().name("api.example.com", &many));
    prohibited(&home(&world, &plain("api.example.com")));
    assert_eq!(world.dials(), [] as [&str; 0]);
}

#[test]
fn a_name_without_addresses_is_an_error_of_the_lookup() {
    let world = World::default()
        .name("none.example.com", &[])
        .failing("late.example.com", ResolveError::Timeout)
        .failing(
            "broken.example.com",
            ResolveError::Failed("/etc/resolv.conf: no".to_owned()),
        );
    let world = Arc::new(world);
    let fixture = home(&world, &plain("*.example.com"));
    for (name, outcome) in [
        ("none.example.com", "DNS-error"),
        ("unknown.example.com", "DNS-error"),
        ("broken.example.com", "DNS-error"),
        ("late.example.com", "DNS-timeout"),
    ] {
        let reply = Ask::http(name, "/").send(&fixture);
        assert_eq!(reply.outcome(), outcome, "{name}");
        assert_eq!(reply.refusals(), [] as [&str; 0]);
    }
    assert_eq!(world.dials(), [] as [&str; 0]);
}

#[test]
fn s105_where_this_process_listens_no_guest_gets() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let port = server.address.port();
    let rule = format!("      - {{ host: \"127.0.0.1\", schemes: [http], ports: [{port}] }}");
    let system = || Network::system(TrustRoots::lazy(Vec::new));
    let fixture = installed(Fixture::with(|builder| builder.network(system())), &rule);
    let ask = Ask::http(&format!("127.0.0.1:{port}"), "/");
    // Really over the machine's own network.
    assert_eq!(ask.send(&fixture).answered().body, b"hello");
    fixture.runtime.listens_on(server.address);
    let reply = ask.send(&fixture);
    assert_eq!(reply.outcome(), "destination-IP-prohibited");
    assert!(reply.refusals()[0].starts_with("denied.network.address "));
    assert_eq!(server.connections(), 1);
}
