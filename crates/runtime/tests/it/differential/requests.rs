//! A guest sends requests, and what arrived is what the rules say.

use super::draw::{self, ADDRESSES, ASKED, Dice, PORTS};
use super::model::{Policy, Request, World};
use super::{SEED, Tally};
use crate::egress::guest::guest;
use crate::egress::server::{Server, response};
use crate::egress::world::{GENEROUS, World as Net};
use crate::fixture::{Fixture, result};
use casemate_policy::HttpTarget;
use casemate_runtime::{Network, TrustRoots};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;

const CEILINGS: u64 = 3;
const POLICIES: u64 = 14;
const QUESTIONS: usize = 10;

fn authority(request: &Request) -> String {
    match request.host.contains(':') {
        true => format!("[{}]:{}", request.host, request.port),
        false => format!("{}:{}", request.host, request.port),
    }
}

pub(super) fn target(request: &Request) -> HttpTarget {
    HttpTarget::parse(
        &request.scheme,
        &authority(request),
        &request.method,
        &request.path,
    )
    .unwrap()
}

/// Where a host leads: an address to itself, the last of the names to two places.
pub(super) fn leads(host: &str) -> Vec<&'static str> {
    let at = ASKED.iter().position(|asked| *asked == host).unwrap();
    match ASKED[at] {
        "z.a.b.example" => vec![ADDRESSES[0], ADDRESSES[1]],
        name if name.ends_with("example") => vec![ADDRESSES[at]],
        address => vec![address],
    }
}

/// A server that answers requests in plain text, and hangs up on whoever begins a handshake.
fn server() -> Server {
    Server::plain(|visit| {
        let mut first = [0];
        if visit.wire.read_exact(&mut first).is_ok() && first != [0x16] {
            visit.head();
            visit.say(response("200 OK", "connection: close\r\n", "here"));
        }
    })
}

fn network(server: &Server) -> Arc<Net> {
    let mut net = Net::default();
    for name in ASKED.iter().filter(|host| host.ends_with("example")) {
        net = net.name(name, &leads(name));
    }
    for address in ADDRESSES {
        for port in PORTS {
            let address: IpAddr = address.parse().unwrap();
            net = net.place(
                &std::net::SocketAddr::new(address, port).to_string(),
                server.address,
            );
        }
    }
    Arc::new(net)
}

struct Site<'f> {
    fixture: &'f Fixture,
    net: &'f Net,
    world: &'f World,
    tool: String,
    tally: &'f mut Tally,
}

impl Site<'_> {
    fn place(&self) -> String {
        let ceiling = self.world.ceiling.as_ref().map(Policy::yaml);
        format!(
            "{}\n{}\nceiling: {}",
            self.tool,
            self.world.policy.yaml(),
            ceiling.unwrap_or_default()
        )
    }

    fn question(&mut self, dice: &mut Dice) {
        let request = draw::request(dice);
        let (lookups, dials) = (self.net.lookups().len(), self.net.dials().len());
        let scheme = u32::from(request.scheme == "https");
        let (report, answered) = if request.method == "GET" {
            let arguments = json!({"scheme": scheme, "authority": authority(&request), "path": request.path, "count": 1});
            let report = self.fixture.call(&format!("{}_many", self.tool), arguments);
            let answered = result(&report) == 200;
            (report, answered)
        } else {
            let arguments = json!({
                "verb": request.method, "scheme": scheme, "authority": authority(&request), "path": request.path,
                "headers": [], "upload": 0, "mode": 0, "connect": 1, "first": 1, "between": 1,
            });
            let report = self
                .fixture
                .call(&format!("{}_fetch", self.tool), arguments);
            let answered = result(&report)["status"] == 200;
            (report, answered)
        };
        let sent = self.world.sends(&request);
        // One address that may not be reached is enough for none to be.
        let mut addresses = leads(&request.host)
            .into_iter()
            .map(|address| address.parse().unwrap());
        let connected =
            sent && addresses.all(|address| self.world.connects(&request, address, false));
        let what = format!(
            "{request:?} {:?} {:?}\n{}",
            report.outcome,
            report.denials,
            self.place()
        );
        assert_eq!(report.denials.is_empty(), connected, "{what}");
        let named = request.host.parse::<IpAddr>().is_err();
        assert_eq!(self.net.lookups().len() > lookups, sent && named, "{what}");
        assert_eq!(self.net.dials().len() > dials, connected, "{what}");
        // The server has no certificate, so that a handshake is as far as it gets.
        assert_eq!(answered, connected && request.scheme == "http", "{what}");
        self.tally.count("request", sent);
        if sent {
            self.tally.count("connect", connected);
        }
    }
}

#[test]
fn s160_what_a_guest_sends_is_what_is_explained() {
    let server = server();
    let mut tally = Tally::default();
    for group in 0..CEILINGS {
        let mut dice = Dice(SEED << 41 | group);
        let ceiling = (group > 0).then(|| Policy {
            clocks: Some("frozen"),
            ..draw::ceiling(&mut dice, super::ABSOLUTE)
        });
        let net = network(&server);
        let roots = TrustRoots::lazy(Vec::new);
        let network = Network::new(
            Arc::clone(&net) as _,
            Arc::clone(&net) as _,
            roots,
            GENEROUS,
        );
        let fixture = Fixture::with(|builder| match &ceiling {
            Some(ceiling) => builder.network(network).ceiling(super::read(ceiling)),
            None => builder.network(network),
        });
        for number in 0..POLICIES {
            let mut policy = draw::policy(&mut dice, super::ABSOLUTE);
            // The guest looks at its clock.
            policy.clocks = Some("full");
            policy
                .network_allow
                .extend(draw::policy(&mut dice, super::ABSOLUTE).network_allow);
            let world = World {
                policy,
                ceiling: ceiling.clone(),
                bound: Vec::new(),
            };
            let tool = format!("t{number}");
            fixture
                .try_install(&tool, &guest(), Some(&world.policy.yaml()))
                .unwrap();
            let mut site = Site {
                fixture: &fixture,
                net: &net,
                world: &world,
                tool,
                tally: &mut tally,
            };
            for _ in 0..QUESTIONS {
                site.question(&mut dice);
            }
        }
    }
    println!("{tally:?}");
    assert!(tally.total() >= 400, "{tally:?}");
    tally.is_mixed(10);
}
