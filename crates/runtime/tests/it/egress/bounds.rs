//! How much one call may move (cases S101, S103).

use super::guest::guest;
use super::guest::{Ask, Reply};
use super::server::{Authority, Server, response, tls_serving};
use super::world::{GENEROUS, SOON, World, home, host, plain, with_roots};
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::MAX_CONNECTIONS;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// What holds where a policy says nothing.
const MAX_REQUEST_BODIES: u64 = 8 << 20;
const MAX_RESPONSE_BODIES: u64 = 16 << 20;
const MAX_REQUESTS: usize = 8;

fn reaching(server: &Server) -> Fixture {
    under(server, "")
}

/// The same under limits, as they stand in a policy.
fn under(server: &Server, limits: &str) -> Fixture {
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:80", server.address);
    let rules = plain("api.example.com");
    let limits = match limits {
        "" => String::new(),
        limits => format!("\n  resources: {{ limits: {{ {limits} }} }}"),
    };
    home(&Arc::new(world), &format!("{rules}{limits}"))
}

/// Most memory that this process has had at once, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn s101_an_endless_body_is_cut_at_the_limit() {
    // Sent as fast as it is taken, in three ways to frame it.
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        let chunked = head.contains("chunked");
        let server = Server::plain(move |visit| {
            visit.head();
            visit.say(head);
            let mut piece = vec![b'x'; 64 << 10];
            if chunked {
                piece = [b"10000\r\n", piece.as_slice(), b"\r\n"].concat();
            }
            while visit.say(&piece) {}
        });
        let fixture = reaching(&server);
        let before = peak();
        let reply = Ask::http("api.example.com", "/").send(&fixture);
        assert_eq!(reply.outcome(), "body:HTTP-response-body-size");
        assert_eq!(
            reply.refusals(),
            ["limit.body network api.example.com:80"],
            "{head}"
        );
        assert!(reply.received <= MAX_RESPONSE_BODIES);
        assert!(reply.received > MAX_RESPONSE_BODIES - (128 << 10));
        // What was read from the wire is what was handed over, and a few buffers.
        assert!(reply.report.usage.received < MAX_RESPONSE_BODIES + (1 << 20));
        server.wait_closed(1);
        // Other tests run beside this one; a body that was kept would be far beyond this.
        assert!(peak() - before < 512 << 10, "{} KiB", peak() - before);
        fixture.ping();
    }
}

#[test]
fn s101_a_body_within_the_limit_arrives() {
    let server = Server::plain(|visit| {
        visit.head();
        visit.say(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {MAX_RESPONSE_BODIES}\r\n\r\n"
        ));
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..MAX_RESPONSE_BODIES / piece.len() as u64 {
            visit.say(&piece);
        }
    });
    let reply = Ask::http("api.example.com", "/").send(&reaching(&server));
    assert_eq!(reply.answered().received, MAX_RESPONSE_BODIES);
}

#[test]
fn s101_a_head_is_bounded_in_number_and_size() {
    let many: String = (0..100_000)
        .map(|number| format!("x-{number}: y\r\n"))
        .collect();
    let long = format!("x-long: {}\r\n", "y".repeat(10 << 20));
    let lines = "x: y\r\n".repeat(101);
    let heads = [
        (many, "HTTP-response-header-section-size"),
        (long, "HTTP-response-header-section-size"),
        (lines, "HTTP-response-header-section-size"),
        ("x: y\r\n".repeat(99), "ok"),
        (format!("x-long: {}\r\n", "y".repeat(30 << 10)), "ok"),
        ("x y: z\r\n".to_owned(), "HTTP-protocol-error"),
        ("x: y\r\n z\r\n".to_owned(), "HTTP-protocol-error"),
        ("content-length: 1\r\n".to_owned(), "HTTP-protocol-error"),
    ];
    let whole = heads
        .iter()
        .map(|(headers, _)| response("200 OK", headers, "hello"));
    let broken = [
        "",
        "\r\n\r\n",
        "hello",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
    ];
    let answers: Vec<String> = whole.chain(broken.map(str::to_owned)).collect();
    // Each request gets the answer whose number is its path.
    let server = Server::plain(move |visit| {
        let head = visit.head();
        let number: usize = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        visit.say(&answers[number]);
    });
    let fixture = reaching(&server);
    let before = peak();
    let send = |number: usize| Ask::http("api.example.com", &format!("/{number}")).send(&fixture);
    for (number, (headers, outcome)) in heads.iter().enumerate() {
        let reply = send(number);
        let shown: String = headers.chars().take(20).collect();
        assert_eq!(reply.outcome(), *outcome, "{shown}");
        assert!(reply.report.usage.received < 1 << 20);
        server.wait_closed(number + 1);
    }
    for (number, answer) in broken.iter().enumerate() {
        let outcome = send(heads.len() + number).outcome();
        let expected = ["HTTP-protocol-error", "HTTP-response-incomplete"];
        assert!(
            expected.contains(&outcome.as_str()),
            "{answer:?}: {outcome}"
        );
    }
    assert!(peak() - before < 512 << 10);
    fixture.ping();
}

#[test]
fn s101_a_flood_of_chunk_extensions_or_trailers_ends() {
    let extensions = format!("1;{}\r\nx\r\n", "y".repeat(4 << 10));
    let trailers = format!("0\r\n{}", "x: y\r\n".repeat(10_000));
    for flood in [extensions, trailers] {
        let server = Server::plain(move |visit| {
            visit.head();
            visit.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while visit.say(&flood) {}
        });
        let fixture = reaching(&server);
        let reply = Ask::http("api.example.com", "/").send(&fixture);
        assert!(
            reply.outcome().starts_with("body:HTTP-"),
            "{}",
            reply.outcome()
        );
        assert!(reply.report.usage.received < 1 << 20);
        server.wait_closed(1);
        fixture.ping();
    }
}

#[test]
fn s103_an_endless_upload_is_cut_at_the_limit() {
    let received = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&received);
    let server = Server::plain(move |visit| {
        visit.head();
        let read = visit.drain();
        counted.store(read, std::sync::atomic::Ordering::SeqCst);
    });
    let fixture = reaching(&server);
    let before = peak();
    let reply = Ask::http("api.example.com", "/")
        .upload(10 << 30)
        .send(&fixture);
    assert_eq!(reply.outcome(), "HTTP-request-body-size");
    assert_eq!(reply.refusals(), ["limit.body network api.example.com:80"]);
    server.wait_closed(1);
    let read = received.load(std::sync::atomic::Ordering::SeqCst) as u64;
    // Chunks have a frame of their own.
    assert!(
        read <= MAX_REQUEST_BODIES + MAX_REQUEST_BODIES / 100,
        "{read}"
    );
    assert!(peak() - before < 512 << 10);
    fixture.ping();
}

#[test]
fn s103_a_body_that_announces_too_much_does_not_leave() {
    let server = Server::silent();
    let fixture = reaching(&server);
    let ask = |length: u64| {
        Ask::http("api.example.com", "/")
            .upload(1)
            .header("content-length", &length.to_string())
    };
    let reply = ask(MAX_REQUEST_BODIES + 1).send(&fixture);
    assert_eq!(reply.outcome(), "HTTP-request-body-size");
    assert_eq!(reply.refusals(), ["limit.body network api.example.com:80"]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn one_call_has_eight_requests_under_way() {
    let silent = Server::silent();
    let fixture = reaching(&silent);
    let limit = u32::try_from(MAX_REQUESTS).unwrap();
    let arguments =
        json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": limit + 1});
    let report = fixture.call("evil_many", arguments);
    // connection-limit-reached
    assert_eq!(result(&report), json!(1_011));
    let refused: Vec<String> = report
        .denials
        .iter()
        .map(|denial| format!("{} {}", denial.reason, denial.subject))
        .collect();
    assert_eq!(refused, ["limit.handles network api.example.com:80"]);
    let told = &report.denials[0].explanation;
    assert_eq!(told, "9 HTTP requests at once, 8 allowed");
    silent.wait_closed(silent.connections());
    // That many at once are none too many, and those that have ended do not count.
    let server = Server::answering(response("200 OK", "", "hello"));
    let fixture = reaching(&server);
    let arguments =
        json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": limit});
    let report = fixture.call("evil_many", arguments);
    assert_eq!(result(&report), json!(200));
    assert_eq!(report.denials, []);
}

#[test]
fn a_policy_says_how_much_its_requests_may_have() {
    let answer = response("200 OK", "", &"x".repeat(2_000));
    let server = Server::plain(move |visit| {
        if visit.head().contains("content-length: 1000\r\n") {
            let _ = visit.wire.read_exact(&mut [0; 1_000]);
        }
        visit.say(&answer);
    });
    let ask = || Ask::http("api.example.com", "/");
    let upload = |bytes: u64| {
        ask()
            .upload(bytes)
            .header("content-length", &bytes.to_string())
    };
    let fixture = under(&server, "sent: 1000, received: 2000");
    assert_eq!(upload(1_000).send(&fixture).answered().received, 2_000);
    let reply = upload(1_001).send(&fixture);
    assert_eq!(reply.outcome(), "HTTP-request-body-size");
    assert_eq!(reply.refusals(), ["limit.body network api.example.com:80"]);
    let fixture = under(&server, "received: 1999");
    let reply = ask().send(&fixture);
    assert_eq!(reply.outcome(), "body:HTTP-response-body-size");
    assert_eq!(reply.refusals(), ["limit.body network api.example.com:80"]);
    for (limit, count, expected) in [("1", 1, 200), ("1", 2, 1_011), ("20", 20, 200)] {
        let fixture = under(&server, &format!("requests: {limit}"));
        let arguments =
            json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": count});
        let report = fixture.call("evil_many", arguments);
        assert_eq!(result(&report), json!(expected), "{count} of {limit}");
    }
}

#[test]
fn all_calls_together_have_256_connections() {
    // Nobody answers at this address, so every connection stays on its way.
    let world = Arc::new(World::default().name("api.example.com", &["9.9.9.2"]));
    let fixture = home(&world, &plain("api.example.com"));
    let policy = format!(
        "permissions:\n  network:\n    allow:\n{}\n",
        plain("api.example.com")
    );
    fixture.install("other", &guest(), &policy);
    fixture.install("third", &guest(), &policy);
    let calls = MAX_CONNECTIONS / MAX_REQUESTS;
    let cancel = CancellationToken::new();
    let arguments =
        json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": MAX_REQUESTS});
    fixture.block_on(async {
        let held = (0..calls).map(|number| {
            let tool = ["evil_many", "other_many"][number % 2];
            Box::pin(fixture.calling(tool, arguments.clone(), cancel.clone()))
        });
        let mut held: Vec<_> = held.collect();
        let holding = std::future::poll_fn(|context| {
            held.retain_mut(|call| call.as_mut().poll(context).is_pending());
            match held.is_empty() {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        });
        let one_more = async {
            while world.dials().len() < MAX_CONNECTIONS {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let soon = u64::try_from(SOON.as_nanos()).unwrap();
            let ask = Ask::http("api.example.com", "/").timeouts([soon; 3]);
            let report = fixture
                .calling("third_fetch", ask.arguments(), CancellationToken::new())
                .await;
            let reply = Reply::of(report);
            assert_eq!(reply.outcome(), "connection-limit-reached");
            assert_eq!(
                reply.refusals(),
                ["limit.concurrency network api.example.com:80"]
            );
            cancel.cancel();
        };
        tokio::join!(holding, one_more)
    });
    assert_eq!(world.dials().len(), MAX_CONNECTIONS);
}

#[test]
fn a_request_that_has_ended_makes_room_for_the_next() {
    let server = Server::answering(response("200 OK", "", "hello"));
    let fixture = reaching(&server);
    // One after the other, each begun the moment the one before is read.
    let arguments = json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": 50});
    let report = fixture.call("evil_chain", arguments);
    assert_eq!(result(&report), json!(200));
    assert_eq!(report.denials, []);
    assert_eq!(server.connections(), 50);
}

#[test]
fn s037_ten_thousand_requests_at_once_are_eight_and_end_with_the_call() {
    let server = Server::silent();
    let fixture = under(&server, "cpu-time: \"60s\", time: \"60s\"");
    let before = peak();
    let count = 10_000;
    let arguments = json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": count, "kept": MAX_REQUESTS});
    let report = fixture.call("evil_flood", arguments);
    assert_eq!(result(&report), json!(count - MAX_REQUESTS));
    let [denial] = &report.denials[..] else {
        panic!("{:?}", report.denials);
    };
    assert_eq!(denial.reason.as_str(), "limit.handles");
    assert_eq!(denial.count, (count - MAX_REQUESTS) as u64);
    // Each of them began a body; the end of the call ended all of them.
    assert_eq!(server.connections(), MAX_REQUESTS);
    server.wait_closed(MAX_REQUESTS);
    // A guest that keeps them all is stopped by what it keeps.
    let mut arguments =
        json!({"scheme": 0, "authority": "api.example.com", "path": "/", "count": count});
    let report = fixture.call("evil_many", arguments.clone());
    assert_eq!(reason(&report), "limit.handles");
    arguments["kept"] = json!(count);
    let report = fixture.call("evil_flood", arguments);
    assert_eq!(reason(&report), "limit.memory");
    server.wait_closed(server.connections());
    assert!(peak() - before < 256 << 10, "{} KiB", peak() - before);
    fixture.ping();
}

#[test]
fn work_on_the_network_is_processor_time_of_the_call() {
    let authority = Authority::new();
    let calm = Arc::new(AtomicBool::new(true));
    let quiet = Arc::clone(&calm);
    // Answers that are only about the way, as fast as they are taken: the guest sees none of them.
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(1_000);
    let (server, _) = tls_serving(
        authority.certify(&["api.example.com"], |_| {}),
        move |visit| {
            visit.next_head();
            while !quiet.load(Ordering::SeqCst) && visit.say(&hints) {}
            visit.say(response("200 OK", "", "hello"));
        },
    );
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .place("9.9.9.1:443", server.address);
    let rules = format!(
        "{}\n  resources: {{ limits: {{ cpu-time: \"1s\", time: \"60s\" }} }}",
        host("api.example.com")
    );
    let roots = vec![authority.root()];
    let fixture = with_roots(&Arc::new(world), &rules, GENEROUS, roots);
    let ask = Ask::https("api.example.com", "/");
    assert_eq!(ask.send(&fixture).answered().body, b"hello");
    calm.store(false, Ordering::SeqCst);
    let report = fixture.call("evil_fetch", ask.arguments());
    assert_eq!(reason(&report), "limit.cpu", "{:?}", report.outcome);
    assert!(report.usage.cpu_us >= 1_000_000, "{:?}", report.usage);
    server.wait_closed(2);
    fixture.ping();
}
