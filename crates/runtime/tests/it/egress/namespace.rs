//! A network of the test's own, with what must not be reached really in it (cases S085, S086, S088).
//!
//! Each test starts itself again in a new network namespace, where metadata services, addresses
//! of private networks and one of the outside are all on the loopback interface, and somebody
//! listens on every one of them. The name server, the resolver and the connections are real.

use super::guest::{Ask, guest};
use super::server::response;
use crate::fixture::Fixture;
use crate::name_server::{A, AAAA, NameServer, Record};
use casemate_runtime::{Dns, Network, TrustRoots};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Set in the process that runs in its own namespace.
const INSIDE: &str = "CASEMATE_TEST_IN_NAMESPACE";
pub(crate) const METADATA: [&str; 4] = [
    "169.254.169.254",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
];
pub(crate) const PRIVATE: [&str; 3] = ["10.0.0.5", "192.168.7.7", "fd12:3456::5"];
const OUTSIDE: &str = "9.9.9.1";
/// How long the kernel may take to have an address.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const PORTS: [u16; 3] = [80, 443, 53];

/// Runs `body` in a network namespace of its own, in a process that runs this test alone.
fn in_namespace(test: &str, body: impl FnOnce(&Listening)) {
    inside(&format!("egress::namespace::{test}"), body);
}

/// The same for a test anywhere, by its whole path.
pub(crate) fn inside(test: &str, body: impl FnOnce(&Listening)) {
    #[expect(clippy::disallowed_methods, reason = "how the process was started")]
    if std::env::var_os(INSIDE).is_some() {
        return body(&Listening::start());
    }
    let ways: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    let works = |way: &&&[&str]| {
        let tried = Command::new("unshare").args(**way).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.iter().find(works) else {
        // Past what libtest captures, so that whoever reads the output knows.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: {test} needs a network namespace, which this machine does not allow"
        );
        return;
    };
    let output = Command::new("unshare")
        .args(*way)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

/// Sends one request to the kernel's table of interfaces and addresses, and waits for its answer.
fn configure(kind: u16, flags: u16, body: &[u8]) -> Result<(), i32> {
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    // The protocol 0 is that of routes, interfaces and addresses.
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None).unwrap();
    let mut message = u32::try_from(16 + body.len())
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST_AND_ACKNOWLEDGE | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &message, SendFlags::empty(), &kernel).unwrap();
    let mut answer = [0; 256];
    recv(&socket, &mut answer, RecvFlags::empty()).unwrap();
    // The code stands behind the header of the answer; 0 is none.
    match i32::from_ne_bytes(answer[16..20].try_into().unwrap()) {
        0 => Ok(()),
        error => Err(-error),
    }
}

/// Takes the loopback interface up.
fn loopback_up() {
    const NEW_LINK: u16 = 16;
    // Index 1; the flag IFF_UP is set, and nothing else is changed.
    let words = [0, 1, 1, 1_u32].map(u32::to_ne_bytes);
    configure(NEW_LINK, 0, &words.concat()).unwrap();
}

/// Adds an address to the loopback interface.
fn add_address(address: IpAddr) -> Result<(), i32> {
    const NEW_ADDRESS: u16 = 20;
    const CREATE: u16 = 0x400;
    const NO_DUPLICATE_DETECTION: u8 = 2;
    let (family, length, octets) = match address {
        IpAddr::V4(address) => (2, 32, address.octets().to_vec()),
        IpAddr::V6(address) => (10, 128, address.octets().to_vec()),
    };
    let mut body = vec![family, length, NO_DUPLICATE_DETECTION, 0];
    body.extend(1_u32.to_ne_bytes());
    // IFA_ADDRESS and IFA_LOCAL.
    for kind in [1_u16, 2] {
        body.extend(u16::try_from(4 + octets.len()).unwrap().to_ne_bytes());
        body.extend(kind.to_ne_bytes());
        body.extend(&octets);
    }
    configure(NEW_ADDRESS, CREATE, &body)
}

/// What listens on every address of the namespace, and who came where.
pub(crate) struct Listening {
    came: Arc<Mutex<BTreeMap<SocketAddr, usize>>>,
}

impl Listening {
    fn start() -> Self {
        loopback_up();
        for address in METADATA.iter().chain(&PRIVATE).chain([&OUTSIDE]) {
            let address: IpAddr = address.parse().unwrap();
            add_address(address).unwrap_or_else(|error| panic!("{address}: error {error}"));
        }
        let came: Arc<Mutex<BTreeMap<SocketAddr, usize>>> = Arc::default();
        for port in PORTS {
            for all in ["0.0.0.0", "::"] {
                let all: IpAddr = all.parse().unwrap();
                let Ok(listener) = TcpListener::bind((all, port)) else {
                    // `0.0.0.0` is already in it.
                    assert!(all.is_ipv6());
                    let listener = own_v6(port);
                    serve(listener, &came);
                    continue;
                };
                serve(listener, &came);
            }
        }
        let listening = Self { came };
        // Everything that a guest must not reach can be reached.
        for address in METADATA.iter().chain(&PRIVATE) {
            for port in PORTS {
                let place = SocketAddr::new(address.parse().unwrap(), port);
                let mut stream = reach(place);
                let mut answer = String::new();
                stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.ends_with("hello"), "{place}: {answer}");
            }
        }
        let reached = std::mem::take(&mut *listening.came.lock().unwrap());
        assert_eq!(
            reached.len(),
            (METADATA.len() + PRIVATE.len()) * PORTS.len()
        );
        listening
    }

    /// Where somebody came since this was asked last, and how often.
    pub(crate) fn came(&self) -> BTreeMap<SocketAddr, usize> {
        std::mem::take(&mut self.came.lock().unwrap())
    }
}

/// Connects to an address that was just added, which the kernel may take a moment for.
fn reach(place: SocketAddr) -> TcpStream {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(place) {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{place}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn own_v6(port: u16) -> TcpListener {
    use rustix::net::sockopt::set_ipv6_v6only;
    let place = SocketAddr::new("::".parse().unwrap(), port);
    let socket = socket(AddressFamily::INET6, SocketType::STREAM, None).unwrap();
    set_ipv6_v6only(&socket, true).unwrap();
    rustix::net::bind(&socket, &place).unwrap();
    rustix::net::listen(&socket, 128).unwrap();
    socket.into()
}

fn serve(listener: TcpListener, came: &Arc<Mutex<BTreeMap<SocketAddr, usize>>>) {
    let came = Arc::clone(came);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let place = stream.local_addr().unwrap();
            let place = SocketAddr::new(place.ip().to_canonical(), place.port());
            *came.lock().unwrap().entry(place).or_default() += 1;
            std::thread::spawn(move || {
                stream
                    .set_read_timeout(Some(Duration::from_secs(60)))
                    .unwrap();
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head);
                let _ = stream
                    .write_all(response("200 OK", "connection: close\r\n", "hello").as_bytes());
            });
        }
    });
}

/// A name server for names that say where they lead: `a-10-0-0-5.example.com`.
pub(crate) fn names() -> NameServer {
    NameServer::start(|name, kind, _| {
        let target = named()
            .into_iter()
            .find(|(known, _)| format!("{known}.") == name);
        Some((
            0,
            target
                .and_then(|(_, address)| record(kind, address))
                .into_iter()
                .collect(),
        ))
    })
}

fn record(kind: u16, address: IpAddr) -> Option<Record> {
    match (kind, address) {
        (A, IpAddr::V4(address)) => Some(("", A, address.octets().to_vec())),
        (AAAA, IpAddr::V6(address)) => Some(("", AAAA, address.octets().to_vec())),
        _ => None,
    }
}

fn named() -> Vec<(String, IpAddr)> {
    let mut named: Vec<(String, IpAddr)> = METADATA
        .iter()
        .chain(&PRIVATE)
        .chain([&OUTSIDE])
        .map(|address| (name_of(address), address.parse().unwrap()))
        .collect();
    named.push((
        "metadata.google.internal".to_owned(),
        METADATA[0].parse().unwrap(),
    ));
    named
}

pub(crate) fn name_of(address: &str) -> String {
    format!("a-{}.example.com", address.replace(['.', ':'], "-"))
}

/// An address as it stands in a URL.
fn host_of(address: &str) -> String {
    match address.contains(':') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    }
}

/// A guest with these rules, on the machine's own network; none where they cannot be loaded.
fn guest_with(names: &NameServer, rules: &str) -> Option<Fixture> {
    let dns = Dns::servers(&[names.address]);
    let network = Network::system_with(Arc::new(dns), TrustRoots::lazy(Vec::new));
    let fixture = Fixture::with(|builder| builder.network(network));
    let policy = format!("version: \"1.0\"\npermissions:\n  network:\n    allow:\n{rules}\n");
    let installed = fixture.try_install("evil", &guest(), Some(&policy));
    installed.ok().map(|()| fixture)
}

const ALL_PORTS: &str = "schemes: [http, https], ports: [53, 80, 443]";

/// Asks for a host over both schemes and on every port.
fn ask_everywhere(fixture: &Fixture, host: &str) -> Vec<String> {
    let mut outcomes = Vec::new();
    for port in PORTS {
        let authority = format!("{host}:{port}");
        for ask in [Ask::http(&authority, "/"), Ask::https(&authority, "/")] {
            outcomes.push(ask.send(fixture).outcome());
        }
    }
    outcomes
}

#[test]
fn s085_metadata_services_that_are_there_see_nobody_whatever_the_policy() {
    in_namespace(
        "s085_metadata_services_that_are_there_see_nobody_whatever_the_policy",
        |listening| {
            let names = names();
            for address in METADATA {
                let (name, literal) = (name_of(address), host_of(address));
                // The widest range that may be written, which has the address in it.
                let wide = match address.contains(':') {
                    true => "fd00::/16".to_owned(),
                    false => format!("{}.0.0.0/8", address.split('.').next().unwrap()),
                };
                let rule = |keys: &str| format!("      - {{ {keys}, {ALL_PORTS} }}");
                // What says the address itself is no policy.
                for keys in [
                    format!("host: \"{literal}\""),
                    format!("cidr: \"{address}\""),
                    format!("host: \"*.example.com\", cidr: \"{address}\""),
                    "host: \"metadata.google.internal\"".to_owned(),
                ] {
                    assert!(guest_with(&names, &rule(&keys)).is_none(), "{keys}");
                }
                let ranged = rule(&format!("cidr: \"{wide}\""));
                let named = rule(&format!("host: \"{name}\", cidr: \"{wide}\""));
                let all = [
                    ranged.clone(),
                    named.clone(),
                    rule(&format!("host: \"{name}\"")),
                    rule("host: \"*.example.com\""),
                    rule(&format!("host: \"*.example.com\", cidr: \"{wide}\"")),
                    rule(&format!("host: \"*.google.internal\", cidr: \"{wide}\"")),
                ];
                for rules in [ranged, named, all.join("\n")] {
                    let fixture = guest_with(&names, &rules).expect("a policy");
                    for host in [&literal, &name, "metadata.google.internal"] {
                        for outcome in ask_everywhere(&fixture, host) {
                            assert!(
                                ["HTTP-request-denied", "destination-IP-prohibited"]
                                    .contains(&outcome.as_str()),
                                "{host} with {rules}: {outcome}"
                            );
                        }
                    }
                    assert_eq!(listening.came(), BTreeMap::new(), "{rules}");
                }
            }
        },
    );
}

#[test]
fn s086_private_networks_that_are_there_are_reached_by_their_range_and_nothing_else() {
    in_namespace(
        "s086_private_networks_that_are_there_are_reached_by_their_range_and_nothing_else",
        |listening| {
            let names = names();
            for address in PRIVATE {
                let (name, literal) = (name_of(address), host_of(address));
                let range = match address.contains(':') {
                    true => format!("{address}/64"),
                    false => format!("{address}/24"),
                };
                // The last part of an address is no part of its network.
                let range = range
                    .replace("10.0.0.5", "10.0.0.0")
                    .replace("192.168.7.7", "192.168.7.0")
                    .replace("fd12:3456::5", "fd12:3456::");
                let plain = format!("      - {{ host: \"{name}\", schemes: [http] }}");
                let fixture = guest_with(&names, &plain).unwrap();
                for host in [&name, &literal] {
                    let reply = Ask::http(host, "/").send(&fixture);
                    assert_ne!(reply.outcome(), "ok", "{host}");
                }
                assert_eq!(listening.came(), BTreeMap::new());
                let place = SocketAddr::new(address.parse().unwrap(), 80);
                let ranged =
                    format!("      - {{ host: \"{name}\", schemes: [http], cidr: \"{range}\" }}");
                let fixture = guest_with(&names, &ranged).unwrap();
                let reply = Ask::http(&name, "/").send(&fixture);
                assert_eq!(reply.answered().body, b"hello");
                assert_eq!(listening.came(), BTreeMap::from([(place, 1)]));
                // The name of another place does not lead there by it, nor does the address alone.
                for other in PRIVATE.iter().chain(&METADATA).chain([&OUTSIDE]) {
                    if *other != address {
                        let reply = Ask::http(&name_of(other), "/").send(&fixture);
                        assert_eq!(reply.outcome(), "HTTP-request-denied", "{other}");
                    }
                }
                let reply = Ask::http(&literal, "/").send(&fixture);
                assert_eq!(reply.outcome(), "HTTP-request-denied");
                assert_eq!(listening.came(), BTreeMap::new());
            }
        },
    );
}

#[test]
fn s088_a_name_that_is_bound_anew_leads_to_nothing_that_is_there() {
    in_namespace(
        "s088_a_name_that_is_bound_anew_leads_to_nothing_that_is_there",
        |listening| {
            let inside = METADATA
                .iter()
                .chain(&PRIVATE)
                .chain([&"127.0.0.1", &"::1"]);
            for inside in inside {
                let inside: IpAddr = inside.parse().unwrap();
                // Two questions make one lookup: the first one is answered with the outside.
                let names = NameServer::start(move |_, kind, before| {
                    let address = match before {
                        0 | 1 => OUTSIDE.parse().unwrap(),
                        _ => inside,
                    };
                    Some((0, record(kind, address).into_iter().collect()))
                });
                let rules = "      - { host: \"api.example.com\", schemes: [http] }";
                let fixture = guest_with(&names, rules).unwrap();
                let ask = Ask::http("api.example.com", "/");
                assert_eq!(ask.send(&fixture).answered().body, b"hello", "{inside}");
                let outside = SocketAddr::new(OUTSIDE.parse().unwrap(), 80);
                assert_eq!(listening.came(), BTreeMap::from([(outside, 1)]));
                for _ in 0..3 {
                    let reply = ask.send(&fixture);
                    assert_eq!(reply.outcome(), "destination-IP-prohibited", "{inside}");
                }
                assert_eq!(listening.came(), BTreeMap::new(), "{inside}");
            }
        },
    );
}
