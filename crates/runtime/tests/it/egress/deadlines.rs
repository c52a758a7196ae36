//! Every phase ends, and what waits holds nobody up (cases S099, S100).

use super::guest::{Ask, Reply};
use super::server::{Server, response};
use super::world::{GENEROUS, LONG, SOON, World, home, plain, with_deadlines};
use crate::fixture::{Fixture, reason};
use casemate_runtime::Deadlines;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn leading_to(server: &Server) -> Arc<World> {
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .name("nowhere.example.com", &["9.9.9.2"])
        .silent("silent.example.com")
        .place("9.9.9.1:80", server.address)
        .place("9.9.9.1:443", server.address);
    Arc::new(world)
}

const RULE: &str = "      - { host: \"*.example.com\", schemes: [http, https], ports: [80, 443] }";

/// Sends while only one of the deadlines is short, and that one ends it.
#[track_caller]
fn given_up(server: &Server, deadlines: Deadlines, ask: &Ask, outcome: &str) -> Reply {
    let fixture = with_deadlines(&leading_to(server), RULE, deadlines);
    let begun = Instant::now();
    let reply = ask.send(&fixture);
    assert_eq!(reply.outcome(), outcome);
    assert!(begun.elapsed() >= SOON && begun.elapsed() < LONG / 4);
    assert_eq!(reply.refusals(), [] as [&str; 0]);
    fixture.ping();
    reply
}

#[test]
fn s099_a_lookup_that_nobody_answers_ends() {
    let deadlines = Deadlines {
        connect: SOON,
        ..GENEROUS
    };
    let ask = Ask::http("silent.example.com", "/");
    given_up(&Server::silent(), deadlines, &ask, "DNS-timeout");
}

#[test]
fn s099_a_connection_that_nobody_takes_ends() {
    let deadlines = Deadlines {
        connect: SOON,
        ..GENEROUS
    };
    let ask = Ask::http("nowhere.example.com", "/");
    given_up(&Server::silent(), deadlines, &ask, "connection-timeout");
}

#[test]
fn s099_a_handshake_that_stalls_ends() {
    let deadlines = Deadlines {
        tls: SOON,
        ..GENEROUS
    };
    let ask = Ask::https("api.example.com", "/");
    let server = Server::silent();
    given_up(&server, deadlines, &ask, "connection-timeout");
    server.wait_closed(1);
}

#[test]
fn s099_a_response_that_does_not_begin_or_only_trickles_ends() {
    let deadlines = Deadlines {
        first_byte: SOON,
        ..GENEROUS
    };
    let ask = Ask::http("api.example.com", "/");
    let silent = Server::silent();
    given_up(&silent, deadlines, &ask, "HTTP-response-timeout");
    silent.wait_closed(1);
    // A head that never ends, a byte at a time.
    let trickling = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\n");
        while visit.say("x") {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    given_up(&trickling, deadlines, &ask, "HTTP-response-timeout");
    trickling.wait_closed(1);
    // Nor do answers that are only about the way buy time.
    let continuing = Server::plain(|visit| {
        visit.head();
        while visit.say("HTTP/1.1 103 Early Hints\r\n\r\n") {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    given_up(&continuing, deadlines, &ask, "HTTP-response-timeout");
}

#[test]
fn s099_a_body_that_stalls_ends() {
    let deadlines = Deadlines {
        idle: SOON,
        ..GENEROUS
    };
    let server = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
        visit.drain();
    });
    let ask = Ask::http("api.example.com", "/");
    let reply = given_up(&server, deadlines, &ask, "body:connection-read-timeout");
    // What came before is the guest's.
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"hello"[..]));
    server.wait_closed(1);
}

#[test]
fn s099_a_server_that_takes_nothing_ends() {
    let deadlines = Deadlines {
        idle: SOON,
        ..GENEROUS
    };
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = Server::plain(move |visit| {
        visit.head();
        // Until the test is done with it.
        let _ = held.lock().unwrap().recv();
    });
    let ask = Ask::http("api.example.com", "/").upload(8 << 20);
    given_up(&server, deadlines, &ask, "connection-write-timeout");
    drop(release);
}

#[test]
fn s099_a_slow_answer_that_keeps_coming_is_read_to_its_end() {
    let deadlines = Deadlines {
        idle: Duration::from_secs(5),
        first_byte: Duration::from_secs(5),
        ..GENEROUS
    };
    let server = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n");
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(20));
            visit.say("x");
        }
    });
    let fixture = with_deadlines(&leading_to(&server), RULE, deadlines);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().received, 20);
}

#[test]
fn s100_a_guest_may_ask_for_less_time_and_not_for_more() {
    let seconds = |seconds: u64| seconds * 1_000_000_000;
    let soon = u64::try_from(SOON.as_nanos()).unwrap();
    let silent = Server::silent();
    // Less: each of them alone.
    let http = Ask::http("api.example.com", "/");
    let less = http.clone().timeouts([seconds(60), soon, seconds(60)]);
    given_up(&silent, GENEROUS, &less, "HTTP-response-timeout");
    let stalling = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
        visit.drain();
    });
    let less = http.clone().timeouts([seconds(60), seconds(60), soon]);
    given_up(&stalling, GENEROUS, &less, "body:connection-read-timeout");
    for (ask, outcome) in [
        (Ask::https("api.example.com", "/"), "connection-timeout"),
        (Ask::http("nowhere.example.com", "/"), "connection-timeout"),
        (Ask::http("silent.example.com", "/"), "DNS-timeout"),
    ] {
        let less = ask.timeouts([soon, seconds(60), seconds(60)]);
        given_up(&silent, GENEROUS, &less, outcome);
    }
    // More, as far as a number goes.
    let more = http.timeouts([u64::MAX; 3]);
    let deadlines = Deadlines {
        first_byte: SOON,
        ..GENEROUS
    };
    given_up(&silent, deadlines, &more, "HTTP-response-timeout");
    let deadlines = Deadlines {
        idle: SOON,
        ..GENEROUS
    };
    given_up(&stalling, deadlines, &more, "body:connection-read-timeout");
}

#[test]
fn s100_no_time_at_all_is_over_at_once_and_breaks_nothing() {
    let silent = Server::silent();
    let fixture = home(&leading_to(&silent), RULE);
    const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
    for (timeouts, outcome) in [
        ([0, 0, 0], "connection-timeout"),
        ([0, DAY, DAY], "connection-timeout"),
        ([DAY, 0, DAY], "HTTP-response-timeout"),
    ] {
        let ask = Ask::http("nowhere.example.com", "/");
        let ask = match outcome {
            "connection-timeout" => ask,
            _ => Ask::http("api.example.com", "/"),
        };
        let reply = ask.timeouts(timeouts).send(&fixture);
        assert_eq!(reply.outcome(), outcome, "{timeouts:?}");
    }
    // Between bytes: what is not there yet is late.
    let stalling = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
        visit.drain();
    });
    let fixture = home(&leading_to(&stalling), RULE);
    let ask = Ask::http("api.example.com", "/").timeouts([DAY, DAY, 0]);
    let outcome = ask.send(&fixture).outcome();
    assert_eq!(outcome, "body:connection-read-timeout");
    fixture.ping();
}

#[test]
fn a_body_that_the_guest_never_finishes_ends_with_the_first_byte_that_never_comes() {
    let deadlines = Deadlines {
        first_byte: SOON,
        ..GENEROUS
    };
    let server = Server::plain(|visit| {
        visit.head();
        visit.drain();
    });
    let ask = Ask::http("api.example.com", "/").upload(5_000).unfinished();
    given_up(&server, deadlines, &ask, "HTTP-response-timeout");
    server.wait_closed(1);
}

#[test]
fn s038_the_end_of_a_call_closes_its_connections() {
    let silent = Server::silent();
    let world = leading_to(&silent);
    let short =
        "permissions:\n  resources: { limits: { time: \"300ms\" } }\n  network:\n    allow:\n";
    let fixture = home(&world, "");
    let policy = format!("{short}{RULE}\n");
    fixture.install("slow", &super::guest::guest(), &policy);
    let ask = Ask::http("api.example.com", "/");
    // Out of time.
    let report = fixture.call("slow_fetch", ask.arguments());
    assert_eq!(reason(&report), "limit.time");
    silent.wait_closed(1);
    // Taken back.
    let fixture = home(&world, RULE);
    let cancel = CancellationToken::new();
    let report = fixture.block_on(async {
        let call = fixture.calling("evil_fetch", ask.arguments(), cancel.clone());
        let taking_back = async {
            while silent.connections() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
        };
        tokio::join!(call, taking_back).0
    });
    assert_eq!(reason(&report), "cancelled");
    silent.wait_closed(2);
    // Returned without reading what came, while more is to come.
    let server = Server::plain(|visit| {
        visit.head();
        visit.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello");
        visit.drain();
    });
    let fixture = home(&leading_to(&server), RULE);
    let reply = ask.unread().send(&fixture);
    assert_eq!((reply.answered().status, reply.body.len()), (200, 0));
    server.wait_closed(1);
}

#[test]
fn the_end_of_a_call_closes_a_connection_that_is_stuck() {
    // Takes nothing, and keeps saying that the answer is to come for as long as somebody is there.
    let server = Server::plain(|visit| {
        visit.head();
        while visit.say("HTTP/1.1 103 Early Hints\r\n\r\n") {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let fixture = home(&leading_to(&server), "");
    let limits = "  resources: { limits: { time: \"500ms\" } }";
    let policy = format!("permissions:\n{limits}\n  network:\n    allow:\n{RULE}\n");
    fixture.install("slow", &super::guest::guest(), &policy);
    let ask = Ask::http("api.example.com", "/").upload(8 << 20);
    let report = fixture.call("slow_fetch", ask.arguments());
    assert_eq!(reason(&report), "limit.time");
    server.wait_closed(1);
}

#[test]
fn others_are_served_while_a_server_stalls() {
    let silent = Server::silent();
    let fixture = home(&leading_to(&silent), RULE);
    fixture.ping();
    let cancel = CancellationToken::new();
    fixture.block_on(async {
        let waiting = async {
            let ask = Ask::http("api.example.com", "/");
            let calls = (0..8)
                .map(|_| Box::pin(fixture.calling("evil_fetch", ask.arguments(), cancel.clone())));
            let mut calls: Vec<_> = calls.collect();
            std::future::poll_fn(|context| {
                calls.retain_mut(|call| call.as_mut().poll(context).is_pending());
                match calls.is_empty() {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                }
            })
            .await;
        };
        let pinging = async {
            while silent.connections() < 8 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            for _ in 0..20 {
                let begun = Instant::now();
                let none = serde_json::Value::Null;
                let report = fixture
                    .calling("ping_ping", none, CancellationToken::new())
                    .await;
                assert_eq!(report.outcome.label(), "ok");
                assert!(begun.elapsed() < Duration::from_secs(1));
            }
            cancel.cancel();
        };
        tokio::join!(waiting, pinging)
    });
    silent.wait_closed(8);
}

#[test]
fn a_frozen_clock_moves_while_the_network_is_waited_for() {
    const PAUSE: Duration = Duration::from_millis(200);
    let server = Server::plain(|visit| {
        visit.head();
        std::thread::sleep(PAUSE);
        visit.say(response("200 OK", "", "hello"));
    });
    let fixture: Fixture = home(&leading_to(&server), &plain("api.example.com"));
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    reply.answered();
    // It computed for a part of the pause, and was told nothing of that.
    assert_eq!(reply.computed, 0);
    let waited = Duration::from_nanos(reply.waited);
    assert!(waited > Duration::ZERO && waited < LONG, "{waited:?}");
}
