//! Which requests leave at all (cases S078 to S084, S095, S096, S110).

use super::guest::Ask;
use super::server::{Server, response};
use super::world::{World, home, host, installed, plain};
use crate::fixture::Fixture;
use std::sync::Arc;

fn hello() -> Server {
    Server::answering(response("200 OK", "", "hello"))
}

/// A world in which every name of these tests leads to one server, on every port that they use.
fn everywhere(server: &Server) -> Arc<World> {
    let mut world = World::default();
    for name in [
        "api.example.com",
        "api.example.com.evil.com",
        "evilapi.example.com",
        "example.com",
        "a.example.com",
        "a.b.example.com",
        "aexample.com",
        "evil.com",
        "good.com",
        "localhost",
    ] {
        world = world.name(name, &["9.9.9.1"]);
    }
    for port in [80, 443, 8080, 8443] {
        world = world.place(&format!("9.9.9.1:{port}"), server.address);
    }
    Arc::new(world)
}

#[test]
fn s078_without_a_rule_nothing_leaves() {
    let server = hello();
    let world = everywhere(&server);
    let fixture = home(&world, "");
    for (ask, subject) in [
        (
            Ask::https("api.example.com", "/v1/x?key=value"),
            "network api.example.com:443",
        ),
        (
            Ask::http("api.example.com", "/"),
            "network api.example.com:80",
        ),
        (
            Ask::without_scheme("api.example.com", "/"),
            "network api.example.com:443",
        ),
        (Ask::http("[::1]:6379", "/"), "network [::1]:6379"),
        (
            Ask::http("169.254.169.254", "/latest/meta-data"),
            "network 169.254.169.254:80",
        ),
    ] {
        let reply = ask.send(&fixture);
        reply.denied("denied.network.host");
        assert_eq!(reply.refusals(), [format!("denied.network.host {subject}")]);
        let record = fixture.records.all().pop().unwrap();
        assert_eq!(record.denials[0].subject, subject);
        // What was asked for, not what was sent with it.
        let told = format!("{:?} {record:?}", reply.report.denials);
        assert!(!told.contains("key=value"), "{told}");
    }
    world.is_untouched();
    assert_eq!(server.connections(), 0);
    fixture.ping();
}

#[test]
fn s078_a_request_that_is_none_is_an_error_of_its_own() {
    let world = Arc::new(World::default());
    let fixture = home(&world, &plain("host"));
    for authority in [
        "",
        "a b",
        "host:port",
        "\r\nHost: x",
        "a\u{0}b",
        "host:99999",
    ] {
        let reply = Ask::http(authority, "/").send(&fixture);
        assert_ne!(reply.outcome(), "ok", "{authority:?}");
        assert!(reply.refusals().len() <= 1);
    }
    world.is_untouched();
    fixture.ping();
}

#[test]
fn s079_a_name_is_that_name_in_any_case_and_no_other() {
    let server = hello();
    let world = everywhere(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for name in ["api.example.com", "API.EXAMPLE.COM", "api.example.com."] {
        let reply = Ask::http(name, "/").send(&fixture);
        assert_eq!(reply.answered().body, b"hello", "{name}");
    }
    for name in [
        "api.example.com.evil.com",
        "evilapi.example.com",
        "example.com",
    ] {
        Ask::http(name, "/")
            .send(&fixture)
            .denied("denied.network.host");
    }
    // Looked up as the rule spells it, once for each connection.
    assert_eq!(world.lookups(), ["api.example.com"; 3]);
    assert_eq!(world.dials(), ["9.9.9.1:80"; 3]);
    for head in server.heads() {
        assert!(head.contains("\r\nhost: api.example.com\r\n"), "{head}");
    }
}

#[test]
fn s080_a_star_is_one_label() {
    let server = hello();
    let world = everywhere(&server);
    let fixture = home(&world, &plain("*.example.com"));
    assert_eq!(
        Ask::http("a.example.com", "/")
            .send(&fixture)
            .answered()
            .body,
        b"hello"
    );
    for name in [
        "example.com",
        "a.b.example.com",
        ".example.com",
        "aexample.com",
    ] {
        Ask::http(name, "/")
            .send(&fixture)
            .denied("denied.network.host");
    }
    assert_eq!(world.lookups(), ["a.example.com"]);
}

#[test]
fn s082_a_rule_without_more_is_https_on_443() {
    let server = Server::plain(|visit| {
        let mut first = [0];
        visit.wire.read_exact(&mut first).unwrap();
        visit.say(response("200 OK", "", "hello"));
    });
    let world = everywhere(&server);
    let fixture = home(&world, &host("api.example.com"));
    let refused = [
        (Ask::http("api.example.com", "/"), "denied.network.scheme"),
        (
            Ask::http("api.example.com:443", "/"),
            "denied.network.scheme",
        ),
        (
            Ask::https("api.example.com:8443", "/"),
            "denied.network.port",
        ),
        (Ask::https("api.example.com:0", "/"), "denied.network.port"),
        (
            Ask::https("api.example.com:0443", "/"),
            "denied.network.port",
        ),
    ];
    for (ask, reason) in refused {
        ask.send(&fixture).denied(reason);
    }
    for authority in ["api.example.com:65536", "api.example.com:443443"] {
        assert_ne!(Ask::https(authority, "/").send(&fixture).outcome(), "ok");
    }
    world.is_untouched();
    // Both ways to say 443 are the same; this server speaks no TLS.
    for authority in ["api.example.com", "api.example.com:443"] {
        let reply = Ask::https(authority, "/").send(&fixture);
        assert_eq!(reply.outcome(), "TLS-protocol-error");
    }
    assert_eq!(world.dials(), ["9.9.9.1:443"; 2]);
}

#[test]
fn wassette_04_ports_are_part_of_a_rule() {
    let server = hello();
    let world = everywhere(&server);
    let rule = "      - { host: \"api.example.com\", schemes: [http], ports: [8080] }";
    let fixture = home(&world, rule);
    let reply = Ask::http("api.example.com:8080", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    assert!(server.heads()[0].contains("\r\nhost: api.example.com:8080\r\n"));
    for authority in [
        "api.example.com",
        "api.example.com:80",
        "api.example.com:8443",
    ] {
        Ask::http(authority, "/")
            .send(&fixture)
            .denied("denied.network.port");
    }
    assert_eq!(world.dials(), ["9.9.9.1:8080"]);
}

#[test]
fn s083_user_information_is_refused() {
    let server = hello();
    let world = everywhere(&server);
    let rules = format!("{}\n{}", plain("good.com"), plain("evil.com"));
    let fixture = home(&world, &rules);
    for authority in [
        "good.com@evil.com",
        "good.com:80@evil.com",
        "user:secret@good.com",
        "secret@good.com",
        "@good.com",
    ] {
        let reply = Ask::http(authority, "/").send(&fixture);
        if reply.outcome() != "no-authority" {
            reply.denied("denied.network.host");
        }
        let told = format!("{:?} {:?}", reply.report.denials, fixture.records.all());
        assert!(!told.contains("secret"), "{authority}: {told}");
    }
    world.is_untouched();
}

#[test]
fn s084_s110_an_address_is_judged_and_has_one_spelling() {
    let server = hello();
    let world = World::default()
        .name("localhost", &["127.0.0.2"])
        .name("0x7f000001", &["127.0.0.1"])
        .place("127.0.0.1:80", server.address)
        .place("9.9.9.1:80", server.address)
        .place("[2620:fe::9]:80", server.address)
        .place("0.0.0.0:80", server.address);
    let world = Arc::new(world);
    let rules = [
        plain("127.0.0.1"),
        plain("9.9.9.1"),
        plain("[2620:fe::9]"),
        plain("**.example.com"),
        plain("localhost"),
    ];
    let fixture = home(&world, &rules.join("\n"));
    for authority in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "127.0.0.01",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:169.254.169.254]",
        "[0:0:0:0:0:0:0:1]",
        "9.9.9.2",
        "0.0.0.0",
    ] {
        let reply = Ask::http(authority, "/").send(&fixture);
        if reply.outcome() != "no-authority" {
            reply.denied("denied.network.host");
        }
    }
    world.is_untouched();
    // Each as its rule spells it, without any lookup.
    for authority in ["127.0.0.1", "9.9.9.1", "[2620:fe::9]"] {
        let reply = Ask::http(authority, "/").send(&fixture);
        assert_eq!(reply.answered().body, b"hello", "{authority}");
        let head = server.heads().pop().unwrap();
        assert!(
            head.contains(&format!("\r\nhost: {authority}\r\n")),
            "{head}"
        );
    }
    assert_eq!(world.lookups(), [] as [&str; 0]);
    // A name is no way to an address that no rule names.
    let reply = Ask::http("localhost", "/").send(&fixture);
    assert_eq!(reply.outcome(), "destination-IP-prohibited");
    assert_eq!(world.dials().len(), 3);
}

#[test]
fn s096_a_method_is_that_method_in_capitals() {
    let server = hello();
    let world = everywhere(&server);
    let rule = "      - { host: \"api.example.com\", schemes: [http], methods: [GET] }";
    let fixture = home(&world, rule);
    for method in [
        "POST", "get", "Get", "CONNECT", "TRACE", "M-SEARCH", "HEAD", "GETS",
    ] {
        Ask::http("api.example.com", "/")
            .method(method)
            .send(&fixture)
            .denied("denied.network.method");
    }
    for method in ["GET ", "G T", "GET\r\nX: y", ""] {
        let reply = Ask::http("api.example.com", "/")
            .method(method)
            .send(&fixture);
        assert_eq!(reply.outcome(), "no-method", "{method:?}");
    }
    world.is_untouched();
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    assert!(server.heads()[0].starts_with("GET / HTTP/1.1\r\n"));

    // No rule makes a tunnel.
    let fixture = home(&world, &plain("api.example.com"));
    for method in ["CONNECT", "TRACE"] {
        Ask::http("api.example.com", "/")
            .method(method)
            .send(&fixture)
            .denied("denied.network.method");
    }
    let reply = Ask::http("api.example.com", "/")
        .method("M-SEARCH")
        .send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
}

#[test]
fn s095_a_path_that_has_two_readings_does_not_leave_where_a_rule_is_about_paths() {
    let server = hello();
    let world = everywhere(&server);
    let rule =
        "      - { host: \"api.example.com\", schemes: [http], paths: [\"/v1/**\", \"/status\"] }";
    let fixture = home(&world, rule);
    for path in [
        "/admin",
        "/v1",
        "/v10/x",
        "/V1/x",
        "/",
        "/status/",
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/%2E./admin",
        "/v1/..;/admin",
        "/v1/..%3B/admin",
        "/v1%2fadmin",
        "/v1/..%2Fadmin",
        "/v1\\..\\admin",
        "/v1/..%5cadmin",
        "//admin",
        "/v1//admin",
        "/v1/%61",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/%252e%252e/admin",
        "*",
        "http://evil/",
        "/v1?/../",
        "/v1#/x",
        "/v1/x y",
        "/v1/\u{e4}",
    ] {
        let reply = Ask::http("api.example.com", path).send(&fixture);
        // Some of them are no paths for the interface either.
        if reply.outcome() != "no-path" {
            reply.denied("denied.network.path");
        }
    }
    world.is_untouched();
    for path in [
        "/v1/x",
        "/v1/",
        "/v1/a%20b/c?next=/../%2e%2e;",
        "/status",
        "/status?//",
    ] {
        let reply = Ask::http("api.example.com", path).send(&fixture);
        assert_eq!(reply.answered().body, b"hello", "{path}");
        let head = server.heads().pop().unwrap();
        assert!(
            head.starts_with(&format!("GET {path} HTTP/1.1\r\n")),
            "{head}"
        );
    }
}

#[test]
fn without_a_network_what_a_rule_allows_is_refused_and_says_so() {
    let fixture = installed(Fixture::new(), &plain("api.example.com"));
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    reply.denied("denied.network.host");
    let explanation = &reply.report.denials[0].explanation;
    assert!(explanation.contains("without a network"), "{explanation}");
    fixture.ping();
}

/// `api.example.com` with the Cyrillic letter U+0430 in front, and with only such letters.
const LOOKALIKES: [(&str, &str); 3] = [
    ("\u{430}pi.example.com", "xn--pi-6kc.example.com"),
    (
        "\u{430}\u{440}\u{456}.example.com",
        "xn--80a6a1d.example.com",
    ),
    ("api.ex\u{430}mple.com", "api.xn--exmple-4nf.com"),
];

#[test]
fn s109_a_name_that_looks_like_the_one_of_a_rule_is_another_name() {
    let server = hello();
    let world = everywhere(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for (looks, is) in LOOKALIKES {
        // As it looks it is no authority of a request at all.
        let reply = Ask::http(looks, "/").send(&fixture);
        assert_eq!(reply.outcome(), "no-authority", "{looks}");
        let escaped: String = looks
            .chars()
            .map(|character| match character.is_ascii() {
                true => character.to_string(),
                false => format!("%D0%{:02X}", character.to_string().as_bytes()[1]),
            })
            .collect();
        let reply = Ask::http(&escaped, "/").send(&fixture);
        assert_ne!(reply.outcome(), "ok", "{escaped}");
        // As it is written, the refusal shows what it is.
        let reply = Ask::http(is, "/").send(&fixture);
        reply.denied("denied.network.host");
        let subject = format!("denied.network.host network {is}:80");
        assert_eq!(reply.refusals(), [subject]);
        assert!(format!("{:?}", reply.report.denials).is_ascii());
    }
    world.is_untouched();
}

#[test]
fn s109_a_rule_with_a_name_that_looks_like_another_is_for_what_it_is() {
    let server = hello();
    for (looks, is) in LOOKALIKES {
        let world = World::default()
            .name("api.example.com", &["9.9.9.1"])
            .name(is, &["9.9.9.1"])
            .place("9.9.9.1:80", server.address);
        let world = Arc::new(world);
        let fixture = home(&world, &plain(looks));
        Ask::http("api.example.com", "/")
            .send(&fixture)
            .denied("denied.network.host");
        let reply = Ask::http(is, "/").send(&fixture);
        assert_eq!(reply.answered().body, b"hello", "{is}");
        assert_eq!(world.lookups(), [is]);
    }
    for head in server.heads() {
        assert!(head.is_ascii() && head.contains("xn--"), "{head}");
    }
}
