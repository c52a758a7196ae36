//! Raw connections where metadata services and private networks are really there (cases S120, S123).

use super::guest::{
    Step, connect, create, guest, look_up, next_address, read, resolve, run, start_connect, write,
};
use super::policy;
use crate::egress::namespace::{METADATA, PORTS, PRIVATE, inside, name_of, names};
use crate::fixture::Fixture;
use crate::name_server::NameServer;
use casemate_runtime::{Dns, Network, TrustRoots};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// A guest that may connect to these, on the machine's own network; none where that is no policy.
fn guest_with(names: &NameServer, targets: &[&str]) -> Option<Fixture> {
    let dns = Dns::servers(&[names.address]);
    let network = Network::system_with(Arc::new(dns), TrustRoots::lazy(Vec::new));
    let fixture = Fixture::with(|builder| builder.network(network));
    let policy = format!("version: \"1.0\"\n{}", policy(targets, ""));
    let installed = fixture.try_install("evil", &guest(), Some(&policy));
    installed.ok().map(|()| fixture)
}

/// Looks the name up and connects all the same, and connects to the address itself.
fn attempts(name: &str, place: &str) -> [Vec<Step>; 3] {
    let ipv6 = place.starts_with('[');
    let connecting = [create(0, ipv6), start_connect(0, place)];
    [
        [&resolve(0, name)[..], &[next_address(0)], &connecting].concat(),
        connecting.to_vec(),
        vec![look_up(0, place.rsplit_once(':').unwrap().0)],
    ]
}

#[test]
fn s120_s123_what_must_not_be_reached_is_there_and_no_socket_comes() {
    let test =
        "sockets::namespace::s120_s123_what_must_not_be_reached_is_there_and_no_socket_comes";
    inside(test, |listening| {
        let names = names();
        for address in METADATA.iter().chain(&PRIVATE) {
            let ip: IpAddr = address.parse().unwrap();
            let name = name_of(address);
            for port in PORTS {
                let place = SocketAddr::new(ip, port).to_string();
                let named = format!("{name}:{port}");
                let fixture = guest_with(&names, &[&named, "9.9.9.1:80"]).unwrap();
                for steps in attempts(&name, &place) {
                    let told = run(&fixture, &steps);
                    assert_eq!(told.last().outcome(), "access-denied", "{place}");
                    assert!(told.seen.iter().all(|seen| seen.data.is_empty()));
                    assert!(!told.refusals().is_empty());
                }
            }
            assert_eq!(listening.came(), BTreeMap::new(), "{address}");
            // A rule for the address itself is no policy for a metadata service, and enough elsewhere.
            let place = SocketAddr::new(ip, 80);
            let granted = guest_with(&names, &[&place.to_string()]);
            if METADATA.contains(address) {
                assert!(granted.is_none(), "{address}");
                continue;
            }
            // What is answered was counted before.
            let talking = [write(0, b"hello"), read(0, 100)];
            let steps = [&connect(0, &place.to_string())[..], &talking].concat();
            run(&granted.unwrap(), &steps).well();
            assert_eq!(listening.came(), BTreeMap::from([(place, 1)]));
        }
    });
}
