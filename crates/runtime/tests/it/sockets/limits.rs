//! How many sockets there are, how much they move, and that they end with their call (case S124).

use super::guest::{
    Step, arguments, burst, connect, create, drain, drop_socket, finish_connect, refusals, run,
    sleep, start_connect, trap, upload, wait,
};
use super::{PLACE, home, table, under};
use crate::egress::server::Server;
use crate::egress::world::{GENEROUS, SOON, World};
use crate::fixture::{Fixture, reason};
use casemate_runtime::{Deadlines, MAX_CONNECTIONS};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What one call may have where a policy says nothing.
const SOCKETS: u32 = 16;

fn reaching(server: &Server, limits: &str) -> Fixture {
    let world = World::default().place(PLACE, server.address);
    under(table(&Arc::new(world), GENEROUS), &[PLACE], limits)
}

#[test]
fn s124_half_open_connections_are_as_many_as_sockets_may_be() {
    // Nobody ever answers there.
    for (limits, most) in [("", SOCKETS), ("sockets: 3", 3), ("sockets: 256", 256)] {
        let world = Arc::new(World::default());
        let fixture = under(table(&world, GENEROUS), &[PLACE], limits);
        let told = run(&fixture, &[burst(5_000, PLACE), sleep(50_000_000)]);
        assert_eq!(told.seen[0].value, u64::from(most), "{limits}");
        assert_eq!(told.seen[0].outcome(), "new-socket-limit");
        assert_eq!(told.refusals(), ["limit.handles socket create tcp"]);
        assert!(world.dials().len() <= most as usize);
        fixture.ping();
    }
}

#[test]
fn a_socket_that_is_gone_makes_room_for_the_next() {
    let server = Server::silent();
    let fixture = reaching(&server, "sockets: 2");
    let one = [
        &connect(0, PLACE)[..],
        &[
            super::guest::drop_input(0),
            super::guest::drop_output(0),
            drop_socket(0),
        ],
    ]
    .concat();
    let many: Vec<Step> = std::iter::repeat_n(one, 20).flatten().collect();
    run(&fixture, &many).well();
    let told = run(
        &fixture,
        &[create(0, false), create(1, true), create(2, false)],
    );
    assert_eq!(told.outcomes(), ["ok", "ok", "new-socket-limit"]);
    // A stream keeps the place of its socket.
    let held = [
        &connect(0, PLACE)[..],
        &[drop_socket(0), create(1, false), create(2, false)],
    ];
    let told = run(&fixture, &held.concat());
    assert_eq!(told.outcomes()[4..], ["ok", "ok", "new-socket-limit"]);
}

#[test]
fn s124_sockets_of_a_guest_that_ends_are_closed_at_once() {
    let server = Server::silent();
    let fixture = reaching(&server, "time: 2s");
    let three = [connect(0, PLACE), connect(1, PLACE), connect(2, PLACE)].concat();
    let mut closed = 0;
    // By a trap, by returning, by its time.
    for (end, expected) in [
        (vec![trap()], "trap.unreachable"),
        (Vec::new(), "none"),
        (vec![sleep(60_000_000_000)], "limit.time"),
    ] {
        let report = fixture.call("evil_run", arguments(&[&three[..], &end].concat()));
        let ended = Instant::now();
        assert_eq!(reason(&report), expected);
        closed += 3;
        server.wait_closed(closed);
        assert!(ended.elapsed() < Duration::from_secs(1), "{expected}");
    }
    // By the caller.
    let cancel = CancellationToken::new();
    let report = fixture.block_on(async {
        let calling = fixture.calling(
            "evil_run",
            arguments(&[&three[..], &[sleep(60_000_000_000)]].concat()),
            cancel.clone(),
        );
        let cancelling = async {
            while server.connections() < closed + 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            cancel.cancel();
        };
        tokio::join!(calling, cancelling).0
    });
    let ended = Instant::now();
    assert_eq!(reason(&report), "cancelled");
    server.wait_closed(closed + 3);
    assert!(ended.elapsed() < Duration::from_secs(1));
    fixture.ping();
}

#[test]
fn bytes_of_sockets_are_those_of_the_call() {
    let server = Server::start(|mut stream, _| {
        use std::io::Write as _;
        while stream.write_all(&[b'y'; 4_096]).is_ok() {}
    });
    // As much as is allowed, and no more.
    let fixture = reaching(&server, "received: 100Ki");
    let told = run(&fixture, &[&connect(0, PLACE)[..], &[drain(0)]].concat());
    assert_eq!(told.last().of_stream(), "last-operation-failed");
    assert!(told.last().value <= 100 << 10);
    assert_eq!(told.refusals(), ["limit.body socket connect 9.9.9.1:5432"]);
    // It stays so, also over another connection of the same call.
    let steps = [
        &connect(0, PLACE)[..],
        &[drain(0)],
        &connect(1, PLACE),
        &[drain(1)],
    ];
    let told = run(&fixture, &steps.concat());
    assert_eq!(
        (told.last().of_stream(), told.last().value),
        ("last-operation-failed", 0)
    );
    let server = Server::silent();
    let fixture = reaching(&server, "sent: 100Ki");
    let steps = [
        &connect(0, PLACE)[..],
        &[upload(0, 100 << 10)],
        &connect(1, PLACE),
    ];
    let told = run(&fixture, &[&steps.concat()[..], &[upload(1, 1)]].concat());
    assert_eq!(
        (told.seen[4].of_stream(), told.seen[4].value),
        ("ok", 100 << 10)
    );
    assert_eq!(
        (told.last().of_stream(), told.last().value),
        ("last-operation-failed", 0)
    );
    assert_eq!(told.refusals(), ["limit.body socket connect 9.9.9.1:5432"]);
    assert_eq!(told.report.usage.sent, 100 << 10);
}

#[test]
fn sockets_of_all_calls_are_among_the_connections_that_there_are() {
    // Nobody answers, so that each stays on its way; one call has all of them.
    let world = Arc::new(World::default());
    let fixture = under(table(&world, GENEROUS), &[PLACE], "sockets: 256");
    fixture.install(
        "other",
        &super::guest::guest(),
        &super::policy(&[PLACE], ""),
    );
    let cancel = CancellationToken::new();
    let all = [burst(256, PLACE), sleep(60_000_000_000)];
    fixture.block_on(async {
        let holding = fixture.calling("evil_run", arguments(&all), cancel.clone());
        let one_more = async {
            while world.dials().len() < MAX_CONNECTIONS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let steps = [
                create(0, false),
                start_connect(0, PLACE),
                sleep(300_000_000),
                finish_connect(0),
            ];
            let report = fixture
                .calling("other_run", arguments(&steps), CancellationToken::new())
                .await;
            let told = super::guest::Told::of(report);
            assert_eq!(told.outcomes(), ["ok", "ok", "ok", "would-block"]);
            assert_eq!(world.dials().len(), MAX_CONNECTIONS);
            cancel.cancel();
        };
        tokio::join!(holding, one_more)
    });
    // Those of a call that has ended are free again, within its time for connecting or not at all.
    let soon = Deadlines {
        connect: SOON,
        ..GENEROUS
    };
    let world = Arc::new(World::default());
    let fixture = under(table(&world, soon), &[PLACE], "");
    let report = fixture.call("evil_run", arguments(&connect(0, PLACE)));
    assert_eq!(refusals(&report), [] as [&str; 0]);
    let told = run(
        &fixture,
        &[
            create(0, false),
            start_connect(0, PLACE),
            wait(0),
            finish_connect(0),
        ],
    );
    assert_eq!(told.last().outcome(), "timeout");
    assert_eq!(world.dials().len(), 2);
}

#[test]
fn s124_a_call_that_is_refused_a_socket_can_go_on() {
    let world = Arc::new(World::default());
    let fixture = home(&world, &[PLACE]);
    let steps: Vec<Step> = (0..20).map(|slot| create(slot, false)).collect();
    let told = run(
        &fixture,
        &[&steps[..], &[drop_socket(0), create(0, true)]].concat(),
    );
    assert_eq!(told.seen[16].outcome(), "new-socket-limit");
    assert_eq!(told.last().outcome(), "ok");
    assert_eq!(told.report.denials[0].count, 4);
}
