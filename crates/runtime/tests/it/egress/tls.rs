//! Whom a guest's TLS connection trusts (case S098).

use super::guest::Ask;
use super::server::{Authority, Hellos, Server, response, self_signed, tls};
use super::world::{GENEROUS, World, host, with_roots};
use crate::fixture::Fixture;
use std::sync::Arc;

struct Place {
    server: Server,
    hellos: Hellos,
    fixture: Fixture,
}

/// A TLS server with this configuration as `api.example.com`, `9.9.9.1` and `[2620:fe::9]`.
fn place(authority: &Authority, config: rustls::ServerConfig) -> Place {
    let (server, hellos) = tls(config, response("200 OK", "", "secret"));
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:443", server.address)
        .place("[2620:fe::9]:443", server.address);
    let rules = [
        host("api.example.com"),
        host("9.9.9.1"),
        host("[2620:fe::9]"),
    ]
    .join("\n");
    let fixture = with_roots(&Arc::new(world), &rules, GENEROUS, vec![authority.root()]);
    Place {
        server,
        hellos,
        fixture,
    }
}

#[test]
fn s098_a_certificate_for_the_host_is_accepted_and_the_host_is_asked_for() {
    let authority = Authority::new();
    let place = place(&authority, authority.certify(&["api.example.com"], |_| {}));
    for name in ["api.example.com", "API.example.com.:443"] {
        let reply = Ask::https(name, "/").send(&place.fixture);
        assert_eq!(reply.answered().body, b"secret");
    }
    let hello = (
        Some("api.example.com".to_owned()),
        Some(b"http/1.1".to_vec()),
    );
    assert_eq!(place.hellos.all(), [hello.clone(), hello]);
    assert!(place.server.heads()[0].contains("\r\nhost: api.example.com\r\n"));
}

#[test]
fn s098_an_address_has_to_be_one_of_the_certificate() {
    let authority = Authority::new();
    let config = authority.certify(&["9.9.9.1", "2620:fe::9"], |_| {});
    let own = place(&authority, config);
    for address in ["9.9.9.1", "[2620:fe::9]"] {
        let reply = Ask::https(address, "/").send(&own.fixture);
        assert_eq!(reply.answered().body, b"secret", "{address}");
    }
    // An address is not said in a server's name.
    assert!(own.hellos.all().iter().all(|(name, _)| name.is_none()));
    let other = place(&authority, authority.certify(&["api.example.com"], |_| {}));
    let reply = Ask::https("9.9.9.1", "/").send(&other.fixture);
    assert_eq!(reply.outcome(), "TLS-certificate-error");
}

#[test]
fn s098_a_certificate_that_proves_nothing_is_refused_and_nothing_is_sent() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let past = rcgen::date_time_ymd(2001, 1, 1);
    let configs = [
        ("self-signed", self_signed("api.example.com")),
        (
            "of an authority unknown here",
            stranger.certify(&["api.example.com"], |_| {}),
        ),
        (
            "of another host",
            authority.certify(&["example.com", "other.example.com"], |_| {}),
        ),
        (
            "of the address only",
            authority.certify(&["9.9.9.1"], |_| {}),
        ),
        (
            "expired",
            authority.certify(&["api.example.com"], |params| {
                params.not_before = rcgen::date_time_ymd(2000, 1, 1);
                params.not_after = past;
            }),
        ),
        (
            "not yet valid",
            authority.certify(&["api.example.com"], |params| {
                params.not_before = rcgen::date_time_ymd(4000, 1, 1);
                params.not_after = rcgen::date_time_ymd(4001, 1, 1);
            }),
        ),
    ];
    for (what, config) in configs {
        let place = place(&authority, config);
        let reply = Ask::https("api.example.com", "/")
            .header("authorization", "Bearer mine")
            .send(&place.fixture);
        assert_eq!(reply.outcome(), "TLS-certificate-error", "{what}");
        // No second try without TLS, and not a byte of the request.
        place.server.wait_closed(1);
        assert_eq!(place.server.connections(), 1, "{what}");
        assert_eq!(place.server.heads(), [] as [&str; 0], "{what}");
        assert_eq!(reply.report.usage.sent, 0, "{what}");
    }
}

#[test]
fn s098_without_roots_nobody_is_trusted() {
    let authority = Authority::new();
    let (server, _) = tls(
        authority.certify(&["api.example.com"], |_| {}),
        response("200 OK", "", "secret"),
    );
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:443", server.address);
    let fixture = with_roots(&Arc::new(world), &host("api.example.com"), GENEROUS, vec![]);
    let reply = Ask::https("api.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "TLS-certificate-error");
}

#[test]
fn s098_an_old_version_or_none_is_refused() {
    // The answer to any hello: TLS 1.0, then plain HTTP as from a server without TLS.
    let old_hello = [
        &[
            0x16, 0x03, 0x01, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x01,
        ][..],
        &[7; 32],
        &[0x00, 0x00, 0x2f, 0x00],
    ]
    .concat();
    for answer in [old_hello, response("200 OK", "", "plain").into_bytes()] {
        let server = Server::plain(move |visit| {
            let mut first = [0];
            let _ = visit.wire.read(&mut first);
            visit.say(&answer);
            visit.drain();
        });
        let world = World::default()
            .name("api.example.com", &["9.9.9.1"])
            .place("9.9.9.1:443", server.address);
        let fixture = with_roots(&Arc::new(world), &host("api.example.com"), GENEROUS, vec![]);
        let reply = Ask::https("api.example.com", "/").send(&fixture);
        assert_eq!(reply.outcome(), "TLS-protocol-error");
        assert_eq!(server.connections(), 1);
    }
    // A server that turns the client away says why.
    let server = Server::plain(|visit| {
        let mut first = [0];
        let _ = visit.wire.read(&mut first);
        visit.say([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]);
        visit.drain();
    });
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:443", server.address);
    let fixture = with_roots(&Arc::new(world), &host("api.example.com"), GENEROUS, vec![]);
    let reply = Ask::https("api.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "TLS-alert-received");
}
