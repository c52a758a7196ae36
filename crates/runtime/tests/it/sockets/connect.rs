//! Where a guest can connect to (cases S117, S119–S121, S123).

use super::guest::{
    accept, connect, create, create_udp, finish_bind, finish_connect, finish_listen, get, kind,
    local_address, look_up, next_address, remote_address, resolve, run, set, sleep, start_bind,
    start_connect, start_listen, wait, write,
};
use super::{NAME, PLACE, home, table, under};
use crate::egress::server::Server;
use crate::egress::world::{GENEROUS, LONG, SOON, World};
use casemate_runtime::{Deadlines, Network};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A world in which the usual place takes connections, and so does every other that is named.
fn world(server: &Server, others: &[&str]) -> Arc<World> {
    let world = World::default()
        .name(NAME, &["9.9.9.1"])
        .place(PLACE, server.address);
    let world = others
        .iter()
        .fold(world, |world, other| world.place(other, server.address));
    Arc::new(world)
}

#[test]
fn s117_an_address_and_port_are_that_address_and_port() {
    let server = Server::silent();
    let others = ["9.9.9.1:5433", "9.9.9.2:5432", "[2606:4700::1]:5432"];
    let world = world(&server, &others);
    let fixture = home(&world, &[PLACE]);
    run(&fixture, &connect(0, PLACE)).well();
    for other in others {
        let ipv6 = other.starts_with('[');
        let told = run(&fixture, &[create(0, ipv6), start_connect(0, other)]);
        assert_eq!(told.outcomes(), ["ok", "access-denied"], "{other}");
        assert_eq!(
            told.refusals(),
            [format!("denied.socket socket connect {other}")]
        );
        // Nothing was begun that could be waited for.
        let steps = [
            create(0, ipv6),
            start_connect(0, other),
            finish_connect(0),
            remote_address(0),
        ];
        let outcomes = run(&fixture, &steps).outcomes();
        assert_eq!(outcomes[2..], ["not-in-progress", "invalid-state"]);
    }
    for ipv6 in [false, true] {
        let told = run(&fixture, &[create_udp(ipv6)]);
        assert_eq!(told.outcomes(), ["access-denied"]);
        assert_eq!(told.refusals(), ["denied.socket socket create udp"]);
    }
    assert_eq!(world.dials(), [PLACE]);
    assert_eq!(world.lookups(), [] as [&str; 0]);
    fixture.ping();
}

#[test]
fn s117_a_socket_that_was_refused_can_still_go_where_it_may() {
    let server = Server::silent();
    let world = world(&server, &[]);
    let fixture = home(&world, &[PLACE]);
    let steps = [
        create(0, false),
        start_connect(0, "9.9.9.1:5433"),
        start_connect(0, PLACE),
        wait(0),
        finish_connect(0),
        start_connect(0, PLACE),
        finish_connect(0),
        start_bind(0, "0.0.0.0:0"),
    ];
    let told = run(&fixture, &steps);
    assert_eq!(
        told.outcomes()[1..],
        [
            "access-denied",
            "ok",
            "ok",
            "ok",
            "invalid-state",
            "not-in-progress",
            "invalid-state"
        ]
    );
    assert_eq!(world.dials(), [PLACE]);
}

#[test]
fn s119_an_address_of_an_allowed_name_is_reached_after_a_lookup_only() {
    let server = Server::silent();
    let world = world(&server, &["9.9.9.1:22", "9.9.9.2:5432"]);
    let fixture = home(&world, &["db.example.com:5432"]);
    let told = run(&fixture, &[create(0, false), start_connect(0, PLACE)]);
    assert_eq!(told.last().outcome(), "access-denied");
    assert_eq!(
        told.refusals(),
        ["denied.socket socket connect 9.9.9.1:5432"]
    );
    // The name was looked up in another call: a lease belongs to one.
    let looked = run(
        &fixture,
        &[&resolve(0, NAME)[..], &[next_address(0)]].concat(),
    );
    let address: IpAddr = "9.9.9.1".parse().unwrap();
    assert_eq!(looked.well().last().address(), Some(address));
    let told = run(&fixture, &[create(0, false), start_connect(0, PLACE)]);
    assert_eq!(told.last().outcome(), "access-denied");
    assert_eq!(world.dials(), [] as [&str; 0]);
    let steps = [&resolve(0, NAME)[..], &connect(0, PLACE)].concat();
    run(&fixture, &steps).well();
    assert_eq!(world.dials(), [PLACE]);
    // The lease is for what was found, and the rule for one port.
    for other in ["9.9.9.1:22", "9.9.9.2:5432"] {
        let steps = [
            &resolve(0, NAME)[..],
            &[create(0, false), start_connect(0, other)],
        ];
        let told = run(&fixture, &steps.concat());
        assert_eq!(told.last().outcome(), "access-denied", "{other}");
    }
    assert_eq!(world.dials(), [PLACE]);
}

#[test]
fn s119_a_lease_ends() {
    let server = Server::silent();
    let target = ["db.example.com:5432"];
    let lasting = |time: Duration| {
        let world = world(&server, &[]);
        let network = table(&world, GENEROUS).with_lease(time);
        (under(network, &target, ""), world)
    };
    let looked_up = [&resolve(0, NAME)[..], &connect(0, PLACE)].concat();
    let (fixture, world) = lasting(LONG);
    run(&fixture, &looked_up).well();
    assert_eq!(world.dials(), [PLACE]);
    // One that has ended when it begins.
    let (fixture, world) = lasting(Duration::ZERO);
    let told = run(&fixture, &looked_up);
    assert_eq!(told.outcomes()[3], "access-denied");
    assert_eq!(world.dials(), [] as [&str; 0]);
    // One that ends while the call goes on: what is connected stays so, and nothing more is.
    let (fixture, world) = lasting(Duration::from_secs(3));
    let steps = [
        &resolve(0, NAME)[..],
        &connect(0, PLACE),
        &[
            sleep(4_000_000_000),
            create(1, false),
            start_connect(1, PLACE),
            write(0, b"still here"),
        ],
        &resolve(1, NAME),
        &connect(2, PLACE),
    ];
    let told = run(&fixture, &steps.concat());
    assert_eq!(
        told.outcomes()[6..10],
        ["ok", "ok", "access-denied", "ok"],
        "{:?}",
        told.outcomes()
    );
    assert_eq!(told.last().outcome(), "ok");
    assert_eq!(
        told.refusals(),
        ["denied.socket socket connect 9.9.9.1:5432"]
    );
    assert_eq!(world.dials(), [PLACE, PLACE]);
}

#[test]
fn s120_what_leads_inside_is_refused_at_the_lookup_and_at_the_connection() {
    let server = Server::silent();
    let inside = [
        "169.254.169.254:80",
        "127.0.0.1:5432",
        "[::1]:5432",
        "10.0.0.5:5432",
    ];
    let target = ["db.example.com:5432"];
    let world = world(&server, &inside);
    let fixture = home(&world, &target);
    for name in [
        "169.254.169.254",
        "0x7f.1",
        "2130706433",
        "127.1",
        "127.0.0.1",
        "[::1]",
        "::1",
        "::ffff:127.0.0.1",
        "LOCALHOST.",
        "localhost",
        "metadata.google.internal",
        "9.9.9.1",
        "db.example.com..",
        "db.example.com:5432",
        "db.example.com%00",
        "",
    ] {
        let told = run(&fixture, &[look_up(0, name)]);
        assert_eq!(told.outcomes(), ["access-denied"], "{name}");
        let [refusal] = &told.refusals()[..] else {
            panic!("{name}: {:?}", told.refusals());
        };
        assert!(refusal.starts_with("denied."), "{name}: {refusal}");
    }
    for address in inside {
        let ipv6 = address.starts_with('[');
        let told = run(&fixture, &[create(0, ipv6), start_connect(0, address)]);
        assert_eq!(told.last().outcome(), "access-denied", "{address}");
        assert_eq!(
            told.refusals(),
            [format!("denied.socket socket connect {address}")]
        );
    }
    world.is_untouched();
    // The name itself in another spelling that DNS takes for equal.
    let told = run(&fixture, &resolve(0, "DB.Example.COM."));
    told.well();
    assert_eq!(world.lookups(), [NAME]);
}

#[test]
fn s120_an_answer_that_leads_inside_is_not_told_and_not_leased() {
    for answer in [
        &["169.254.169.254"][..],
        &["127.0.0.1"],
        &["10.0.0.5"],
        &["::ffff:10.0.0.5"],
        &["64:ff9b::a00:5"],
        &["fd00:ec2::254"],
        &["0.0.0.0"],
        // One that leads inside spoils those that do not.
        &["9.9.9.1", "192.168.0.1"],
    ] {
        let world = World::default().name(NAME, answer);
        let world = Arc::new(world);
        let fixture = home(&world, &["db.example.com:5432"]);
        let steps = [
            &resolve(0, NAME)[..],
            &[next_address(0), next_address(0), create(0, false)],
            &[start_connect(0, PLACE)],
        ];
        let told = run(&fixture, &steps.concat());
        assert_eq!(
            told.outcomes(),
            [
                "ok",
                "ok",
                "access-denied",
                "access-denied",
                "ok",
                "access-denied"
            ],
            "{answer:?}"
        );
        assert!(told.seen.iter().all(|seen| seen.data.is_empty()));
        assert_eq!(
            told.refusals(),
            [
                "denied.dns dns db.example.com",
                "denied.socket socket connect 9.9.9.1:5432"
            ],
            "{answer:?}"
        );
        assert_eq!(world.dials(), [] as [&str; 0]);
    }
}

#[test]
fn an_address_is_answered_by_itself_where_a_rule_names_it() {
    let server = Server::silent();
    let world = world(&server, &["127.0.0.1:5432"]);
    let fixture = home(&world, &["127.0.0.1:5432"]);
    let steps = [look_up(0, "127.0.0.1"), next_address(0), next_address(0)];
    let told = run(
        &fixture,
        &[&steps[..], &connect(0, "127.0.0.1:5432")].concat(),
    );
    let address: IpAddr = "127.0.0.1".parse().unwrap();
    assert_eq!(told.well().seen[1].address(), Some(address));
    assert_eq!((told.seen[2].value, &told.seen[2].data[..]), (0, &[][..]));
    assert_eq!(world.lookups(), [] as [&str; 0]);
    assert_eq!(world.dials(), ["127.0.0.1:5432"]);
}

#[test]
fn s121_nothing_is_bound_and_nothing_listens() {
    let server = Server::silent();
    let world = world(&server, &[]);
    let fixture = home(&world, &[PLACE]);
    for place in [
        "0.0.0.0:8080",
        "127.0.0.1:0",
        "127.0.0.1:8080",
        "10.0.0.5:0",
    ] {
        let told = run(
            &fixture,
            &[create(0, false), start_bind(0, place), finish_bind(0)],
        );
        assert_eq!(told.outcomes(), ["ok", "access-denied", "not-in-progress"]);
        assert_eq!(
            told.refusals(),
            [format!("denied.socket socket bind {place}")]
        );
    }
    for place in ["[::]:0", "[::]:8080", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
        let told = run(&fixture, &[create(0, false), start_bind(0, place)]);
        assert_eq!(told.last().outcome(), "invalid-argument", "{place}");
    }
    let told = run(
        &fixture,
        &[create(0, true), start_bind(0, "[::ffff:127.0.0.1]:0")],
    );
    assert_eq!(told.last().outcome(), "invalid-argument");
    // Bound to nothing, which is what connecting begins with.
    let bound = [
        create(0, false),
        local_address(0),
        start_bind(0, "0.0.0.0:0"),
        finish_bind(0),
        start_bind(0, "0.0.0.0:0"),
        local_address(0),
        start_listen(0),
        finish_listen(0),
        accept(0),
        kind(0),
    ];
    let connected = [
        start_connect(0, PLACE),
        wait(0),
        finish_connect(0),
        local_address(0),
        remote_address(0),
        start_listen(0),
        accept(0),
        set(0, "backlog", 5),
    ];
    let told = run(&fixture, &[&bound[..], &connected].concat());
    assert_eq!(
        told.outcomes(),
        [
            "ok",
            "invalid-state",
            "ok",
            "ok",
            "invalid-state",
            "ok",
            "access-denied",
            "not-in-progress",
            "invalid-state",
            "ok",
            "ok",
            "ok",
            "ok",
            "ok",
            "ok",
            "access-denied",
            "invalid-state",
            "not-supported"
        ]
    );
    assert_eq!(told.refusals(), ["denied.socket socket listen"]);
    assert_eq!(told.seen[9].value, 0, "an IPv4 socket that does not listen");
    // Neither which address of this machine it is, nor which port.
    for at in [5, 13] {
        let unspecified: IpAddr = "0.0.0.0".parse().unwrap();
        assert_eq!(told.seen[at].address(), Some(unspecified));
        assert_eq!(told.seen[at].value, 0);
    }
    let remote: IpAddr = "9.9.9.1".parse().unwrap();
    assert_eq!(told.seen[14].address(), Some(remote));
    assert_eq!(told.seen[14].value, 5432);
    assert_eq!(world.dials(), [PLACE]);
}

#[test]
fn s122_datagrams_do_not_exist_whatever_is_granted() {
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    let place = peer.local_addr().unwrap().to_string();
    let world = Arc::new(World::default());
    let fixture = home(&world, &[&place, "db.example.com:53"]);
    for ipv6 in [false, true] {
        let told = run(&fixture, &[create_udp(ipv6)]);
        assert_eq!(told.outcomes(), ["access-denied"]);
        assert_eq!(told.refusals(), ["denied.socket socket create udp"]);
    }
    let mut datagram = [0; 16];
    let received = peer.recv_from(&mut datagram);
    assert_eq!(received.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn s123_what_is_no_address_of_one_machine_is_refused() {
    let world = Arc::new(World::default());
    // Everything that a rule can name is allowed at the port of the table.
    let fixture = home(&world, &["10.0.0.1:80", "9.9.9.1:80", "[2606:4700::1]:80"]);
    const ARGUMENT: &str = "invalid-argument";
    const DENIED: &str = "access-denied";
    for (ipv6, address, expected) in [
        (true, "[::ffff:10.0.0.1]:80", ARGUMENT),
        (true, "[::ffff:9.9.9.1]:80", ARGUMENT),
        (true, "[::]:80", ARGUMENT),
        (false, "0.0.0.0:80", ARGUMENT),
        (false, "255.255.255.255:80", ARGUMENT),
        (false, "224.0.0.251:80", ARGUMENT),
        (true, "[ff02::fb]:80", ARGUMENT),
        (true, "[fe80::1%1]:80", ARGUMENT),
        (true, "[2606:4700::1%1]:80", ARGUMENT),
        (true, "[fe80::1]:80", DENIED),
        (true, "[::1]:80", DENIED),
        // IPv4 in IPv6 by other means, which a gateway would lead there.
        (true, "[::10.0.0.1]:80", DENIED),
        (true, "[64:ff9b::a00:1]:80", DENIED),
        (true, "[2002:a00:1::]:80", DENIED),
        (false, "0.0.0.1:80", DENIED),
        (false, "240.0.0.1:80", DENIED),
        (false, "127.0.0.1:80", DENIED),
        // The other family.
        (true, "9.9.9.1:80", ARGUMENT),
        (false, "[2606:4700::1]:80", ARGUMENT),
        (false, "9.9.9.1:0", ARGUMENT),
        (true, "[2606:4700::1]:0", ARGUMENT),
    ] {
        let told = run(&fixture, &[create(0, ipv6), start_connect(0, address)]);
        assert_eq!(told.outcomes(), ["ok", expected], "{address}");
        let refused = if expected == DENIED { 1 } else { 0 };
        assert_eq!(told.refusals().len(), refused, "{address}");
    }
    world.is_untouched();
}

#[test]
fn where_this_server_listens_no_socket_comes() {
    let server = Server::silent();
    let place = "9.9.9.1:5432";
    let world = world(&server, &[]);
    let fixture = home(&world, &[place]);
    fixture.runtime.listens_on(place.parse().unwrap());
    let told = run(&fixture, &[create(0, false), start_connect(0, place)]);
    assert_eq!(told.last().outcome(), "access-denied");
    assert_eq!(world.dials(), [] as [&str; 0]);
}

#[test]
fn what_goes_wrong_has_the_word_of_wasi() {
    // Nobody listens at the port of a listener that is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let world = World::default().place(PLACE, nobody);
    let world = Arc::new(world);
    let soon = Deadlines {
        connect: SOON,
        ..GENEROUS
    };
    let targets = [PLACE, "9.9.9.9:1"];
    let fixture = under(table(&world, soon), &targets, "");
    let after = [start_connect(0, PLACE), finish_connect(0), get(0, "hops")];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    assert_eq!(
        told.outcomes()[3..],
        [
            "connection-refused",
            "invalid-state",
            "not-in-progress",
            "ok"
        ]
    );
    let told = run(&fixture, &connect(0, "9.9.9.9:1"));
    assert_eq!(told.last().outcome(), "timeout");
    assert!(told.seen[2].value >= u64::try_from(SOON.as_nanos()).unwrap());
    // Before it is decided.
    let fixture = under(table(&world, GENEROUS), &targets, "");
    let steps = [
        create(0, false),
        start_connect(0, "9.9.9.9:1"),
        finish_connect(0),
        start_connect(0, "9.9.9.9:1"),
        remote_address(0),
    ];
    assert_eq!(
        run(&fixture, &steps).outcomes()[1..],
        ["ok", "would-block", "concurrency-conflict", "invalid-state"]
    );
}

#[test]
fn without_a_network_no_socket_connects_and_no_name_is_looked_up() {
    let fixture = crate::fixture::Fixture::new();
    let policy = super::policy(&[PLACE, "db.example.com:5432"], "");
    fixture.install("evil", &super::guest::guest(), &policy);
    let told = run(&fixture, &[create(0, false), start_connect(0, PLACE)]);
    assert_eq!(told.outcomes(), ["ok", "access-denied"]);
    assert_eq!(
        told.refusals(),
        ["denied.socket socket connect 9.9.9.1:5432"]
    );
    let told = run(&fixture, &[look_up(0, NAME)]);
    assert_eq!(told.outcomes(), ["access-denied"]);
    assert_eq!(told.refusals(), ["denied.dns dns db.example.com"]);
}

#[test]
fn the_network_of_the_product_connects_to_what_a_rule_names() {
    let server = Server::silent();
    let place = server.address.to_string();
    let roots = casemate_runtime::TrustRoots::lazy(Vec::new);
    let fixture = under(Network::system(roots), &[&place], "");
    let steps = [&connect(0, &place)[..], &[write(0, b"hello")]].concat();
    run(&fixture, &steps).well();
    server.wait_closed(1);
    assert_eq!(server.connections(), 1);
}
