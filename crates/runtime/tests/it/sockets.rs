//! Raw TCP and lookups of guests: what a `tcp` rule allows works, everything beside it is refused.

mod connect;
mod guest;
mod limits;
mod lookups;
mod namespace;
mod streams;

use crate::egress::world::{GENEROUS, World};
use crate::fixture::Fixture;
use casemate_runtime::{Deadlines, Dns, Network, TrustRoots};
use std::net::SocketAddr;
use std::sync::Arc;

/// Where the rule of most tests leads, and what it is to look up.
const PLACE: &str = "9.9.9.1:5432";
const NAME: &str = "db.example.com";

/// A network that resolves and connects in a table.
fn table(world: &Arc<World>, deadlines: Deadlines) -> Network {
    Network::new(
        Arc::clone(world) as _,
        Arc::clone(world) as _,
        TrustRoots::lazy(Vec::new),
        deadlines,
    )
}

/// A network that asks this name server, and connects in a table.
fn asking(server: SocketAddr, world: &Arc<World>) -> Network {
    Network::new(
        Arc::new(Dns::servers(&[server])),
        Arc::clone(world) as _,
        TrustRoots::lazy(Vec::new),
        GENEROUS,
    )
}

/// The policy that allows raw connections to these, under these limits.
fn policy(targets: &[&str], limits: &str) -> String {
    let rules = targets
        .iter()
        .map(|target| format!("      - tcp: \"{target}\"\n"));
    let rules: String = rules.collect();
    let limits = match limits {
        "" => String::new(),
        limits => format!("  resources: {{ limits: {{ {limits} }} }}\n"),
    };
    format!("permissions:\n  network:\n    allow:\n{rules}{limits}")
}

fn under(network: Network, targets: &[&str], limits: &str) -> Fixture {
    let fixture = Fixture::with(|builder| builder.network(network));
    fixture.install("evil", &guest::guest(), &policy(targets, limits));
    fixture
}

/// A home whose guest may connect to these, in this world.
fn home(world: &Arc<World>, targets: &[&str]) -> Fixture {
    under(table(world, GENEROUS), targets, "")
}
