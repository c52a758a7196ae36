//! What is on the wire, and what is not (cases S092, S093, S097, S102, S104).

use super::guest::Ask;
use super::server::{Server, response};
use super::world::{World, home, plain};
use crate::fixture::Fixture;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server at `api.example.com`, and a home whose guest may reach it and `other.example.com`.
fn reaching(server: &Server) -> (Arc<World>, Fixture) {
    let world = World::default()
        .name("api.example.com", &["9.9.9.1"])
        .name("other.example.com", &["9.9.9.1"])
        .place("9.9.9.1:80", server.address);
    let world = Arc::new(world);
    let fixture = home(&world, &plain("api.example.com"));
    (world, fixture)
}

#[test]
fn a_permitted_request_and_its_response_arrive_whole() {
    let server = Server::plain(|visit| {
        let head = visit.head();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        visit.wire.read_exact(&mut body).unwrap();
        assert!(body.iter().all(|&byte| byte == b'x'));
        visit.say(response(
            "201 Created",
            "x-answer: yes\r\n",
            &format!("got {length}"),
        ));
    });
    let (_, fixture) = reaching(&server);
    let reply = Ask::http("api.example.com", "/v1/items?page=2&q=%2f")
        .header("content-length", "9000")
        .header("accept", "text/plain")
        .header("authorization", "Bearer mine")
        .upload(9_000)
        .send(&fixture);
    reply.answered();
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (201, &b"got 9000"[..])
    );
    assert_eq!(reply.header("x-answer"), Some("yes"));
    let [head] = &server.heads()[..] else {
        panic!("{:?}", server.heads());
    };
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "POST /v1/items?page=2&q=%2f HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept: text/plain",
            "authorization: Bearer mine",
            "content-length: 9000",
            "host: api.example.com",
        ]
    );
    // Heads and bodies, in both directions.
    let usage = reply.report.usage;
    assert_eq!(usage.sent, head.len() as u64 + 9_000);
    let answered = response("201 Created", "x-answer: yes\r\n", "got 9000").len();
    assert_eq!(usage.received, answered as u64);
    let record = fixture.records.all().pop().unwrap();
    assert_eq!(
        (record.usage.sent, record.usage.received),
        (usage.sent, usage.received)
    );
}

#[test]
fn a_body_in_chunks_and_one_until_the_end_arrive_whole() {
    let chunked = Server::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    let (_, fixture) = reaching(&chunked);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"abcdefg");
    assert_eq!(reply.header("transfer-encoding"), None);
    let until_the_end = Server::answering("HTTP/1.1 200 OK\r\n\r\nhello");
    let (_, fixture) = reaching(&until_the_end);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, b"hello");
    // One that ends early is an error, not a short body.
    let short = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
    let (_, fixture) = reaching(&short);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "body:HTTP-response-incomplete");
}

#[test]
fn s092_a_redirect_is_an_answer_and_nobody_follows_it() {
    // Answers with the status and place that the request names.
    let server = Server::plain(|visit| {
        let head = visit.head();
        let status = head.split(['/', ' ']).nth(2).unwrap();
        let location = head
            .lines()
            .find_map(|line| line.strip_prefix("x-location: "))
            .unwrap();
        let location = format!("location: {location}\r\n");
        visit.say(response(&format!("{status} Elsewhere"), &location, ""));
    });
    let (world, fixture) = reaching(&server);
    let mut sent = 0;
    for status in ["301", "302", "303", "307", "308"] {
        for location in [
            "http://other.example.com/",
            "https://api.example.com/",
            "http://api.example.com:8080/",
            "//other.example.com/",
            "/next",
            "file:///etc/passwd",
        ] {
            let reply = Ask::http("api.example.com", &format!("/{status}"))
                .header("authorization", "Bearer mine")
                .header("x-location", location)
                .send(&fixture);
            reply.answered();
            sent += 1;
            assert_eq!(reply.status.to_string(), status);
            assert_eq!(reply.header("location"), Some(location));
            assert_eq!((server.connections(), world.lookups().len()), (sent, sent));
        }
    }
    // Where the guest follows by itself, it is judged like any request.
    Ask::http("other.example.com", "/")
        .send(&fixture)
        .denied("denied.network.host");
    assert_eq!((server.connections(), world.lookups().len()), (sent, sent));
}

#[test]
fn s093_s097_fields_of_the_connection_are_ours() {
    let server = Server::answering(response(
        "200 OK",
        "connection: close\r\nkeep-alive: timeout=5\r\nupgrade: h2c\r\ntrailer: x\r\n\
         proxy-authenticate: Basic\r\nx-own: yes\r\n",
        "",
    ));
    let (world, fixture) = reaching(&server);
    for name in [
        "Host",
        "HoSt",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Proxy-Authenticate",
        "Proxy-Connection",
        "HTTP2-Settings",
        "Expect",
        "TE",
        "Trailer",
    ] {
        let reply = Ask::http("api.example.com", "/")
            .header(name, "evil.com")
            .send(&fixture);
        assert_eq!(reply.outcome(), "header:forbidden", "{name}");
    }
    for (name, value) in [
        (":authority", "evil.com"),
        ("x y", "z"),
        ("x\r\nhost", "evil.com"),
        ("x-y", "z\r\nhost: evil.com"),
        ("x-y", "z\n host: evil.com"),
        ("x-y", "z\0"),
        ("", "z"),
    ] {
        let reply = Ask::http("api.example.com", "/")
            .header(name, value)
            .send(&fixture);
        assert_eq!(
            reply.outcome(),
            "header:invalid-syntax",
            "{name:?}: {value:?}"
        );
    }
    world.is_untouched();
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    // What is about the connection is not the guest's to see either.
    let headers = &reply.answered().headers;
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-own"]);
    let head = server.heads().pop().unwrap();
    assert_eq!(head.matches("host:").count(), 1, "{head}");
    assert!(head.contains("\r\nhost: api.example.com\r\n"), "{head}");
    assert!(!head.contains("\r\nconnection:"), "{head}");
}

#[test]
fn s094_a_length_is_one_number_and_that_of_the_body() {
    let server = Server::silent();
    let (world, fixture) = reaching(&server);
    let ask = Ask::http("api.example.com", "/").method("POST");
    for lengths in [
        &["5", "5"][..],
        &["+5"],
        &["-5"],
        &["5, 5"],
        &[" 5"],
        &["0x5"],
        &[""],
    ] {
        let ask = lengths.iter().fold(ask.clone(), |ask, length| {
            ask.header("content-length", length)
        });
        let reply = ask.send(&fixture);
        assert_eq!(reply.outcome(), "header:invalid-syntax", "{lengths:?}");
    }
    // A length and no body.
    let reply = ask.header("content-length", "5").send(&fixture);
    assert_eq!(reply.outcome(), "handle:HTTP-request-body-size");
    // More headers than a guest may build end the call, and nothing else.
    for ask in [
        (0..10_000).fold(Ask::http("api.example.com", "/"), |ask, number| {
            ask.header(&format!("x-{number}"), "y")
        }),
        Ask::http("api.example.com", "/").header("x-long", &"y".repeat(1 << 20)),
    ] {
        let report = fixture.call("evil_fetch", ask.arguments());
        assert_eq!(report.outcome.label(), "failed");
        fixture.ping();
    }
    world.is_untouched();
    // A body that is shorter than announced is broken off, so that it is not taken for whole.
    let server = Server::plain(|visit| {
        visit.head();
        visit.drain();
    });
    let (_, fixture) = reaching(&server);
    let short = Ask::http("api.example.com", "/")
        .upload(10)
        .header("content-length", "20");
    assert_eq!(short.send(&fixture).outcome(), "HTTP-protocol-error");
    server.wait_closed(1);
}

#[test]
fn s097_no_server_can_switch_to_another_protocol() {
    let server = Server::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nanything",
    );
    let (_, fixture) = reaching(&server);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.outcome(), "HTTP-upgrade-failed");
    server.wait_closed(1);
}

#[test]
fn s102_a_body_is_not_decompressed() {
    let packed = "\u{1f}packed";
    let server = Server::answering(response("200 OK", "content-encoding: gzip\r\n", packed));
    let (_, fixture) = reaching(&server);
    let reply = Ask::http("api.example.com", "/").send(&fixture);
    assert_eq!(reply.answered().body, packed.as_bytes());
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    // Nobody asked for it in the guest's name.
    assert!(!server.heads()[0].contains("accept-encoding"));
}

#[test]
fn s104_proxies_of_the_environment_see_nothing() {
    let proxy = Server::silent();
    let url = format!("http://{}", proxy.address);
    // The test beside this one, in a process whose environment names a proxy for everything.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    for key in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        child.env(key, &url).env(key.to_lowercase(), &url);
    }
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let test = "egress::wire::a_permitted_request_and_its_response_arrive_whole";
    let output = child.args([test, "--exact"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(proxy.connections(), 0);
}

/// Keeps what is logged about requests, each event as `name=value` of its fields.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl tracing::Subscriber for &'static Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "casemate::egress"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn the_log_tells_where_a_request_went_and_not_what_was_in_it() {
    tracing::subscriber::set_global_default(&LOG).unwrap();
    let server = Server::answering(response("200 OK", "x-secret: s3cret\r\n", "s3cret"));
    let world = World::default()
        .name("logged.example.com", &["9.9.9.1"])
        .name("inside.logged.example.com", &["10.0.0.1"])
        .place("9.9.9.1:80", server.address);
    let rules = format!(
        "{}\n{}",
        plain("logged.example.com"),
        plain("inside.logged.example.com")
    );
    let fixture = home(&Arc::new(world), &rules);
    let reply = Ask::http("logged.example.com", "/v1/items?key=s3cret")
        .header("authorization", "Bearer s3cret")
        .send(&fixture);
    assert_eq!(reply.answered().body, b"s3cret");
    let usage = reply.report.usage;
    Ask::http("inside.logged.example.com", "/?key=s3cret").send(&fixture);
    // The line is written when the last of the request is gone, on another thread.
    let begun = std::time::Instant::now();
    let lines = loop {
        let lines: Vec<String> = LOG.0.lock().unwrap().clone();
        let lines = lines
            .into_iter()
            .filter(|line| line.contains("logged.example.com"));
        let lines: Vec<String> = lines.collect();
        if lines.len() == 2 {
            break lines;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{lines:?}");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(!format!("{lines:?}").contains("s3cret"), "{lines:?}");
    let [sent, refused] = &lines[..] else {
        panic!("{lines:?}");
    };
    for part in [
        "method=\"GET\"",
        "host=\"logged.example.com\"",
        "port=80",
        "path=\"/v1/items\"",
        "address=9.9.9.1:80",
        "status=200",
        &format!("sent={}", usage.sent),
        &format!("received={}", usage.received),
    ] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    for part in ["host=\"inside.logged.example.com\"", "failure=", "sent=0"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
}
