//! What goes through a connection, and when it ends.

use super::guest::{
    OPTIONS, Step, check_write, connect, create, drain, drop_input, drop_output, drop_socket, get,
    kind, now, read, read_now, run, set, shut_down, sleep, spin, upload, wait, write, write_now,
};
use super::{PLACE, home, under};
use crate::egress::server::Server;
use crate::egress::world::World;
use crate::fixture::Fixture;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A guest that may connect to this server.
fn reaching(server: &Server) -> Fixture {
    let world = World::default().place(PLACE, server.address);
    home(&Arc::new(world), &[PLACE])
}

/// A server that says back what it is told, until the other side has no more to say.
fn echo() -> Server {
    Server::start(|mut stream, _| {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer)
            && count != 0
        {
            let _ = stream.write_all(&buffer[..count]);
        }
    })
}

#[test]
fn what_is_written_arrives_and_what_comes_back_is_read() {
    let server = echo();
    let fixture = reaching(&server);
    let after = [
        write(0, b"hello, "),
        read(0, 100),
        write(0, b"and again"),
        read(0, 3),
        read(0, 100),
        shut_down(0, "send"),
        drain(0),
    ];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    let texts: Vec<&str> = told.seen[4..]
        .iter()
        .map(|seen| std::str::from_utf8(&seen.data).unwrap())
        .collect();
    assert_eq!(texts, ["", "hello, ", "", "and", " again", "", ""]);
    assert_eq!(told.last().of_stream(), "closed");
    assert_eq!(told.refusals(), [] as [&str; 0]);
    assert_eq!(
        (told.report.usage.sent, told.report.usage.received),
        (16, 16)
    );
    server.wait_closed(1);
}

#[test]
fn all_of_a_long_conversation_arrives() {
    const ALL: u64 = 3 << 20;
    let received: Arc<Mutex<u64>> = Arc::default();
    let counted = Arc::clone(&received);
    let server = Server::start(move |mut stream, _| {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = stream.read(&mut buffer)
            && count != 0
        {
            assert!(buffer[..count].iter().all(|byte| *byte == b'x'));
            *counted.lock().unwrap() += count as u64;
        }
        let _ = stream.write_all(&vec![b'y'; ALL as usize]);
    });
    let fixture = reaching(&server);
    let after = [upload(0, ALL), shut_down(0, "send"), drain(0)];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    assert_eq!(told.seen[4].value, ALL);
    assert_eq!(told.seen[6].value, ALL);
    assert_eq!(told.last().of_stream(), "closed");
    assert_eq!(*received.lock().unwrap(), ALL);
    assert_eq!(
        (told.report.usage.sent, told.report.usage.received),
        (ALL, ALL)
    );
}

#[test]
fn a_direction_that_is_shut_is_shut() {
    let server = echo();
    let fixture = reaching(&server);
    let connected = connect(0, PLACE);
    for (how, reading, writing) in [
        ("receive", "closed", "ok"),
        ("send", "ok", "closed"),
        ("both", "closed", "closed"),
    ] {
        let after = [
            write(0, b"hello"),
            shut_down(0, how),
            shut_down(0, how),
            write(0, b"more"),
            read(0, 5),
            read(0, 5),
        ];
        let told = run(&fixture, &[&connected[..], &after].concat());
        let streams: Vec<&str> = told.seen[7..].iter().map(|seen| seen.of_stream()).collect();
        // What came before a shutdown for sending is read, and then there is the end.
        assert_eq!(streams, [writing, reading, "closed"], "{how}");
    }
    let unconnected = run(&fixture, &[create(0, false), shut_down(0, "both")]);
    assert_eq!(unconnected.last().outcome(), "invalid-state");
}

#[test]
fn nothing_to_read_is_no_end_and_no_error() {
    let server = Server::silent();
    let fixture = reaching(&server);
    let after = [read_now(0, 100), read_now(0, 0), check_write(0)];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    told.well();
    assert!(told.seen[4..6].iter().all(|seen| seen.data.is_empty()));
    assert_eq!(told.last().value, 64 << 10);
}

#[test]
fn the_parts_of_a_socket_can_go_in_any_order_and_the_last_one_ends_it() {
    let server = Server::silent();
    let fixture = reaching(&server);
    let (socket, input, output) = (drop_socket(0), drop_input(0), drop_output(0));
    let all = [
        [&socket, &input, &output],
        [&output, &input, &socket],
        [&input, &socket, &output],
        [&input, &output, &socket],
    ];
    for (number, way) in all.into_iter().enumerate() {
        let steps = [&connect(0, PLACE)[..], &way.map(Step::clone)].concat();
        run(&fixture, &steps).well();
        server.wait_closed(number + 1);
    }
    // What was written before everything is dropped has arrived.
    let heard: Arc<Mutex<usize>> = Arc::default();
    let counted = Arc::clone(&heard);
    let server = Server::start(move |mut stream, _| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        *counted.lock().unwrap() = all.len();
    });
    let fixture = reaching(&server);
    let after = [
        write_now(0, 65_536),
        drop_output(0),
        drop_input(0),
        drop_socket(0),
    ];
    run(&fixture, &[&connect(0, PLACE)[..], &after].concat()).well();
    server.wait_closed(1);
    assert_eq!(*heard.lock().unwrap(), 65_536);
}

#[test]
fn a_connection_that_is_reset_is_an_error_of_its_streams() {
    let server = Server::start(|stream, _| {
        // Closing with something unread resets.
        let mut one = [0];
        let _ = (&stream).read(&mut one);
        let linger = Some(Duration::ZERO);
        rustix::net::sockopt::set_socket_linger(&stream, linger).unwrap();
    });
    let fixture = reaching(&server);
    let after = [write(0, b"hello"), read(0, 10), read(0, 10)];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    let streams: Vec<&str> = told.seen[5..].iter().map(|seen| seen.of_stream()).collect();
    assert_eq!(streams, ["last-operation-failed", "closed"]);
    server.wait_closed(1);
    // The end of what the other side says is no error.
    let server = Server::start(|mut stream, _| {
        let _ = stream.write_all(b"bye");
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 16]);
    });
    let fixture = reaching(&server);
    let after = [read(0, 10), read(0, 10), write(0, b"still")];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    assert_eq!(told.seen[4].data, b"bye");
    assert_eq!(told.seen[5].of_stream(), "closed");
    assert_eq!(told.seen[6].of_stream(), "ok");
}

#[test]
fn waiting_for_a_socket_moves_the_frozen_clock_and_computing_does_not() {
    const MOMENT: Duration = Duration::from_millis(200);
    let server = Server::start(|mut stream, _| {
        let _ = stream.read(&mut [0; 16]);
        std::thread::sleep(MOMENT);
        let _ = stream.write_all(b"late");
    });
    let fixture = reaching(&server);
    let after = [
        write(0, b"hello"),
        now(),
        spin(5_000_000),
        now(),
        read(0, 10),
        now(),
    ];
    let told = run(&fixture, &[&connect(0, PLACE)[..], &after].concat());
    told.well();
    let [before, computed, waited] = [5, 7, 9].map(|at| told.seen[at].value);
    assert_eq!(computed, before);
    // The server began to wait when it had read, which is after the guest has written.
    let waited = Duration::from_nanos(waited - computed);
    assert!(waited >= MOMENT / 2, "{waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
}

#[test]
fn options_stay_within_bounds_and_are_read_back_as_they_hold() {
    let server = Server::silent();
    let fixture = reaching(&server);
    const SECOND: u64 = 1_000_000_000;
    let defaults = [0, 7_200 * SECOND, 75 * SECOND, 9, 64, 128 << 10, 128 << 10];
    let cases = [
        ("keep-alive", 1, 1),
        ("idle", 1, 10 * SECOND),
        ("idle", 60 * SECOND + 1, 60 * SECOND),
        ("idle", u64::MAX, 7_200 * SECOND),
        ("interval", SECOND, 10 * SECOND),
        ("probes", 1, 1),
        ("probes", 1_000_000, 10),
        ("hops", 1, 64),
        ("hops", 255, 255),
        ("receive-buffer", 1, 4 << 10),
        ("receive-buffer", u64::MAX, 256 << 10),
        ("send-buffer", 65_536, 65_536),
    ];
    // Before the connection and while it lasts.
    for connected in [false, true] {
        let first: &[Step] = match connected {
            true => &connect(0, PLACE),
            false => &[create(0, false)],
        };
        let all: Vec<Step> = OPTIONS[..7].iter().map(|name| get(0, name)).collect();
        let told = run(&fixture, &[first, &all].concat());
        let held: Vec<u64> = told.well().seen[first.len()..]
            .iter()
            .map(|seen| seen.value)
            .collect();
        assert_eq!(held, defaults);
        for (name, chosen, expected) in cases {
            let told = run(
                &fixture,
                &[first, &[set(0, name, chosen), get(0, name)]].concat(),
            );
            assert_eq!(told.well().last().value, expected, "{name} {chosen}");
        }
        for name in &OPTIONS[1..7] {
            let told = run(&fixture, &[first, &[set(0, name, 0)]].concat());
            assert_eq!(told.last().outcome(), "invalid-argument", "{name}");
        }
        let told = run(
            &fixture,
            &[first, &[set(0, "backlog", 1), kind(0)]].concat(),
        );
        assert_eq!(told.outcomes()[first.len()..], ["not-supported", "ok"]);
    }
    let told = run(&fixture, &[create(0, true), kind(0)]);
    assert_eq!(told.last().value, 2, "an IPv6 socket that does not listen");
}

#[test]
fn a_side_that_takes_nothing_is_waited_for_within_the_time_of_the_call() {
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let held = Arc::clone(&stop);
    let server = Server::start(move |_stream, _| {
        while !held.load(std::sync::atomic::Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let world = World::default().place(PLACE, server.address);
    let network = super::table(&Arc::new(world), crate::egress::world::GENEROUS);
    let fixture = under(network, &[PLACE], "time: 2s, sent: 1Gi");
    let steps = [&connect(0, PLACE)[..], &[upload(0, 1 << 30)]].concat();
    let begun = std::time::Instant::now();
    let report = fixture.call("evil_run", super::guest::arguments(&steps));
    assert_eq!(crate::fixture::reason(&report), "limit.time");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // Only what the buffers of both sides hold has left the guest.
    assert!(report.usage.sent > 0 && report.usage.sent < 64 << 20);
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    fixture.ping();
}

#[test]
fn a_pollable_of_a_socket_at_rest_is_ready() {
    let server = Server::silent();
    let fixture = reaching(&server);
    run(&fixture, &[create(0, false), wait(0)]).well();
    run(
        &fixture,
        &[&connect(0, PLACE)[..], &[wait(0), sleep(1)]].concat(),
    )
    .well();
}
