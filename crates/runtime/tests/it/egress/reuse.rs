//! Which requests go out over a connection that an earlier one has left open (case S089).

use super::guest::{Ask, Reply, guest};
use super::server::{Authority, Server, Visit, response, tls_serving};
use super::world::{GENEROUS, World, home, host, installed, plain};
use crate::fixture::Fixture;
use casemate_runtime::{Network, TrustRoots};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Longer than a busy machine needs to close a connection, and less than one is kept.
const PROMPTLY: Duration = Duration::from_secs(8);

/// Answers each request of a connection with the number of the connection's requests so far.
fn patient() -> Server {
    Server::plain(answer_all)
}

fn answer_all(visit: &mut Visit<'_>) {
    let mut number = 0;
    while visit.next_head().is_some() {
        number += 1;
        visit.say(response("200 OK", "", &number.to_string()));
    }
}

fn leading_to(server: &Server) -> Arc<World> {
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .name("other.example.com", &["9.9.9.1"])
        .place("9.9.9.1:80", server.address)
        .place("9.9.9.1:8080", server.address);
    Arc::new(world)
}

fn ask() -> Ask {
    Ask::http("api.example.com", "/")
}

/// Asks until the answer came over a connection that was there before.
///
/// A connection is put back when its response is behind it, which no call waits for, so the next
/// request may be faster; not for ever.
#[track_caller]
fn reused(fixture: &Fixture, ask: &Ask) -> Reply {
    let begun = Instant::now();
    loop {
        let reply = ask.send(fixture);
        if reply.answered().body != b"1" {
            return reply;
        }
        assert!(begun.elapsed() < PROMPTLY, "no connection is used again");
    }
}

/// The connections of the server have ended before they would by themselves.
#[track_caller]
fn closed_promptly(server: &Server, connections: usize) {
    let begun = Instant::now();
    server.wait_closed(connections);
    assert!(begun.elapsed() < PROMPTLY, "{:?}", begun.elapsed());
}

#[test]
fn s089_a_connection_is_used_again_and_looked_up_once() {
    let server = patient();
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for _ in 0..20 {
        ask().send(&fixture).answered();
    }
    reused(&fixture, &ask());
    // One lookup and one check for each connection, whatever goes over it.
    assert_eq!(world.lookups().len(), server.connections());
    assert_eq!(world.dials().len(), server.connections());
    assert!(server.connections() < 20, "{}", server.connections());
    // No request of them says that the connection ends with it, and the traffic is each one's own.
    let head = server.heads().pop().unwrap();
    assert!(!head.contains("connection:"), "{head}");
    let reply = reused(&fixture, &ask());
    let head = server.heads().pop().unwrap();
    assert_eq!(reply.report.usage.sent, head.len() as u64);
    let length = response("200 OK", "", &String::from_utf8_lossy(&reply.body)).len();
    assert_eq!(reply.report.usage.received, length as u64);
}

#[test]
fn s089_a_name_that_flips_is_judged_when_a_new_connection_is_made() {
    let inside = Server::silent();
    let server = patient();
    let world = World::default()
        .answers("api.example.com", &[&["9.9.9.1"], &["127.0.0.1"]])
        .place("9.9.9.1:80", server.address)
        .place("127.0.0.1:80", inside.address);
    let world = Arc::new(world);
    let network = Network::new(
        Arc::clone(&world) as _,
        Arc::clone(&world) as _,
        TrustRoots::lazy(Vec::new),
        GENEROUS,
    );
    let network = network.with_kept_time(Duration::from_millis(300));
    let fixture = installed(
        Fixture::with(|builder| builder.network(network)),
        &plain("api.example.com"),
    );
    assert_eq!(ask().send(&fixture).answered().body, b"1");
    // When its time is over it is closed, whoever would still have used it.
    closed_promptly(&server, 1);
    for _ in 0..3 {
        let reply = ask().send(&fixture);
        assert_eq!(reply.outcome(), "destination-IP-prohibited");
    }
    assert_eq!(world.lookups().len(), 4);
    assert_eq!(world.dials(), ["9.9.9.1:80"]);
    assert_eq!(inside.connections(), 0);
}

#[test]
fn s089_a_request_is_judged_whatever_is_open() {
    let server = patient();
    let world = leading_to(&server);
    let rule = "      - { host: \"api.example.com\", schemes: [http], paths: [\"/v1/**\"] }";
    let fixture = home(&world, rule);
    let allowed = Ask::http("api.example.com", "/v1/x");
    reused(&fixture, &allowed);
    let requests = server.heads().len();
    for (ask, reason) in [
        (Ask::http("api.example.com", "/v2/x"), "path"),
        (Ask::http("api.example.com:8080", "/v1/x"), "port"),
        (Ask::http("other.example.com", "/v1/x"), "host"),
    ] {
        ask.send(&fixture)
            .denied(&format!("denied.network.{reason}"));
    }
    // Where the connection leads is judged again as well.
    fixture.runtime.listens_on("9.9.9.1:80".parse().unwrap());
    let reply = allowed.send(&fixture);
    assert_eq!(reply.outcome(), "destination-IP-prohibited");
    assert_eq!(server.heads().len(), requests);
}

#[test]
fn s089_another_place_has_another_connection() {
    let server = patient();
    let world = leading_to(&server);
    let rule = "      - { host: \"*.example.com\", schemes: [http], ports: [80, 8080] }";
    let fixture = home(&world, rule);
    reused(&fixture, &ask());
    for place in ["other.example.com", "api.example.com:8080"] {
        let reply = Ask::http(place, "/").send(&fixture);
        assert_eq!(reply.answered().body, b"1", "{place}");
    }
}

#[test]
fn s089_another_component_has_another_connection() {
    let server = patient();
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    // The same bytes and the same policy under another name.
    let policy = format!(
        "permissions:\n  network:\n    allow:\n{}\n",
        plain("api.example.com")
    );
    fixture.install("other", &guest(), &policy);
    reused(&fixture, &ask());
    let report = fixture.call("other_fetch", ask().arguments());
    assert_eq!(Reply::of(report).answered().body, b"1");
}

#[test]
fn s089_another_policy_has_another_connection_and_the_old_one_is_closed() {
    let server = patient();
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    reused(&fixture, &ask());
    let before = server.connections();
    // Nothing that matters to the request is another, and still it is another policy.
    let policy = format!(
        "version: \"1.0\"\npermissions:\n  network:\n    allow:\n{}\n{}\n",
        plain("api.example.com"),
        plain("other.example.com")
    );
    let file = fixture.home.policy_file(&"evil".parse().unwrap());
    std::fs::write(file, policy).unwrap();
    fixture.runtime.reload().unwrap();
    closed_promptly(&server, before);
    assert_eq!(ask().send(&fixture).answered().body, b"1");
    assert_eq!(server.connections(), before + 1);
}

#[test]
fn s089_the_connections_of_a_component_that_is_removed_are_closed() {
    let server = patient();
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    reused(&fixture, &ask());
    fixture.runtime.remove(&"evil".parse().unwrap()).unwrap();
    closed_promptly(&server, server.connections());
}

#[test]
fn what_is_left_of_a_response_is_nobodys() {
    // Half of a body is not read; more comes than was announced; something comes later.
    let server = Server::plain(|visit| {
        while let Some(head) = visit.next_head() {
            let answer = match head.split(['/', ' ']).nth(2) {
                Some("unread") => {
                    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nsecret";
                    visit.say(half);
                    visit.drain();
                    return;
                }
                Some("more") => format!(
                    "{}{}",
                    response("200 OK", "", "1"),
                    response("200 OK", "", "secret")
                ),
                Some("said") => response("200 OK", "connection: close\r\n", "1"),
                _ => response("200 OK", "", "1"),
            };
            visit.say(answer);
        }
    });
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for number in 0..10 {
        for (path, ask) in [
            ("unread", Ask::http("api.example.com", "/unread").unread()),
            ("more", Ask::http("api.example.com", "/more")),
            ("said", Ask::http("api.example.com", "/said")),
        ] {
            let before = server.connections();
            let reply = ask.send(&fixture);
            assert_eq!(reply.outcome(), "ok", "{path} {number}");
            assert_eq!(server.connections(), before + 1, "{path} {number}");
        }
    }
    closed_promptly(&server, 30);
    assert_eq!(server.heads().len(), 30);
}

#[test]
fn what_a_server_says_unasked_ends_its_connection() {
    let (say, said) = std::sync::mpsc::channel::<()>();
    let said = std::sync::Mutex::new(said);
    let server = Server::plain(move |visit| {
        if visit.next_head().is_none() {
            return;
        }
        visit.say(response("200 OK", "", "1"));
        if said.lock().unwrap().recv().is_ok() {
            visit.say(response("200 OK", "", "secret"));
            assert_eq!(visit.drain(), 0);
        }
    });
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for connections in 1..=5 {
        assert_eq!(ask().send(&fixture).answered().body, b"1");
        assert_eq!(server.connections(), connections);
        say.send(()).unwrap();
        closed_promptly(&server, connections);
    }
}

#[test]
fn a_connection_that_the_server_has_closed_is_no_error() {
    // One answer for each connection; then it ends, before or behind a second request.
    for waits in [false, true] {
        let server = Server::plain(move |visit| {
            visit.next_head();
            visit.say(response("200 OK", "", "1"));
            if waits {
                visit.next_head();
            }
        });
        let world = leading_to(&server);
        let fixture = home(&world, &plain("api.example.com"));
        for _ in 0..50 {
            assert_eq!(ask().send(&fixture).answered().body, b"1");
        }
        assert_eq!(server.connections(), 50);
        assert_eq!(world.lookups().len(), 50);
    }
}

#[test]
fn what_may_not_be_sent_twice_has_a_connection_of_its_own() {
    let server = Server::plain(|visit| {
        let mut number = 0;
        while let Some(head) = visit.next_head() {
            if head.starts_with("POST ") {
                let mut body = [0];
                visit.wire.read_exact(&mut body).unwrap();
            }
            number += 1;
            visit.say(response("200 OK", "", &number.to_string()));
        }
    });
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    for _ in 0..5 {
        reused(&fixture, &ask());
        for ask in [
            ask().upload(1).header("content-length", "1"),
            ask().method("PUT"),
            ask().method("DELETE"),
            ask().method("PATCH"),
        ] {
            assert_eq!(ask.send(&fixture).answered().body, b"1");
        }
    }
}

#[test]
fn few_connections_are_kept() {
    let server = patient();
    let world = (0..12).fold(World::default(), |world, number| {
        world.name(&format!("h{number}.example.com"), &["9.9.9.1"])
    });
    let world = Arc::new(world.place("9.9.9.1:80", server.address));
    let fixture = home(&world, &plain("*.example.com"));
    for number in 0..12 {
        let reply = Ask::http(&format!("h{number}.example.com"), "/").send(&fixture);
        assert_eq!(reply.answered().body, b"1");
    }
    // The oldest ones of more than eight.
    closed_promptly(&server, 4);
    // Of many at once to one place, two are left: none of these was read, one after the other is.
    let arguments = json!({"scheme": 0, "authority": "h0.example.com", "path": "/", "count": 8});
    fixture.call("evil_many", arguments);
    closed_promptly(&server, 4 + 8 - 2);
}

#[test]
fn a_call_that_is_taken_back_leaves_no_connection() {
    let server = Server::plain(|visit| {
        visit.next_head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhello");
        visit.drain();
    });
    let world = leading_to(&server);
    let fixture = home(&world, &plain("api.example.com"));
    let cancel = CancellationToken::new();
    fixture.block_on(async {
        let call = fixture.calling("evil_fetch", ask().arguments(), cancel.clone());
        let stop = async {
            while server.heads().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
        };
        tokio::join!(call, stop)
    });
    closed_promptly(&server, 1);
}

#[test]
fn without_time_to_keep_them_each_request_has_a_connection_of_its_own() {
    let server = patient();
    let world = leading_to(&server);
    let network = Network::new(
        Arc::clone(&world) as _,
        Arc::clone(&world) as _,
        TrustRoots::lazy(Vec::new),
        GENEROUS,
    );
    let network = network.with_kept_time(Duration::ZERO);
    let fixture = installed(
        Fixture::with(|builder| builder.network(network)),
        &plain("api.example.com"),
    );
    let arguments = json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": 50});
    fixture.call("evil_chain", arguments);
    assert_eq!(server.connections(), 50);
    closed_promptly(&server, 50);
}

#[test]
fn s089_one_handshake_of_tls_is_for_several_requests() {
    let authority = Authority::new();
    let (server, hellos) = tls_serving(authority.certify(&["api.example.com"], |_| {}), answer_all);
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:443", server.address);
    let world = Arc::new(world);
    let roots = vec![authority.root()];
    let fixture = super::world::with_roots(&world, &host("api.example.com"), GENEROUS, roots);
    let ask = Ask::https("api.example.com", "/");
    for _ in 0..10 {
        reused(&fixture, &ask);
    }
    assert_eq!(hellos.all().len(), server.connections());
    assert!(server.heads().len() > server.connections());
}
