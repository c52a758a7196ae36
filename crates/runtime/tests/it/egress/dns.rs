//! Lookups by the product's own resolver, against a name server of the test (cases S088, S091).

use super::guest::Ask;
use super::server::{Server, response};
use super::world::{GENEROUS, World, installed, plain};
use crate::fixture::Fixture;
use casemate_runtime::{Dns, Network, ResolveError, Resolver, TrustRoots};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// One record of an answer: its name, its type and its data on the wire.
type Record = (&'static str, u16, Vec<u8>);

/// What a name server says to one question: a response code and records. `None` says nothing.
type Answer = Option<(u8, Vec<Record>)>;

/// A name server on the loopback that notes what it is asked.
struct NameServer {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<(String, u16)>>>,
    stop: Arc<AtomicBool>,
}

fn a(name: &'static str, address: [u8; 4]) -> Record {
    (name, A, address.to_vec())
}

fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
        .collect();
    wire.push(0);
    wire
}

/// The name and type of the one question of a message, and where it ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut name = String::new();
    let mut at = 12;
    while message[at] != 0 {
        let length = usize::from(message[at]);
        name.push_str(std::str::from_utf8(&message[at + 1..=at + length]).unwrap());
        name.push('.');
        at += length + 1;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    (name, kind, at + 5)
}

impl NameServer {
    /// Answers by `answer`, which is given the name with its final dot, the type, and how many
    /// questions there were before.
    fn start(answer: impl Fn(&str, u16, usize) -> Answer + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            questions: Arc::default(),
            stop: Arc::default(),
        };
        let (questions, stop) = (Arc::clone(&server.questions), Arc::clone(&server.stop));
        std::thread::spawn(move || {
            let mut message = [0; 1_500];
            while let Ok((length, client)) = socket.recv_from(&mut message) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (name, kind, end) = question(&message[..length]);
                let before = {
                    let mut questions = questions.lock().unwrap();
                    questions.push((name.clone(), kind));
                    questions.len() - 1
                };
                let Some((code, records)) = answer(&name, kind, before) else {
                    continue;
                };
                let count = u8::try_from(records.len()).unwrap();
                // Same id; a response with recursion; one question, so many answers.
                let mut reply = message[..2].to_vec();
                reply.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
                reply.extend(&message[12..end]);
                for (owner, kind, data) in records {
                    reply.extend(wire_name(owner));
                    reply.extend(kind.to_be_bytes());
                    // Class IN, for a minute: whoever keeps it would be seen.
                    reply.extend([0, 1, 0, 0, 0, 60]);
                    reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                    reply.extend(data);
                }
                let _ = socket.send_to(&reply, client);
            }
        });
        server
    }

    /// Names and types in the order of their names, with types of one lookup in one order.
    fn questions(&self) -> Vec<(String, u16)> {
        let mut questions = self.questions.lock().unwrap().clone();
        for both in questions.chunks_mut(2) {
            both.sort_unstable();
        }
        questions
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(&[0; 32], self.address);
        }
    }
}

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
