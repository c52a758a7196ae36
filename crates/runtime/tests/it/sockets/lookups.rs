//! Lookups of guests, against a name server of the test (cases S118, S125, S126).

use super::guest::{
    Told, arguments, create, drop_lookup, look_up, lookups, next_address, resolve, run, sleep,
    start_connect, wait_lookup,
};
use super::{NAME, PLACE, asking, home, table, under};
use crate::egress::world::{GENEROUS, SOON, World};
use crate::fixture::{Fixture, result};
use crate::name_server::{A, AAAA, CNAME, NameServer, Record, a, wire_name};
use casemate_runtime::{
    Deadlines, MAX_ADDRESSES, MAX_CALL_LOOKUPS, MAX_LOOKUP_TIME, MAX_LOOKUPS_PER_CALL,
};
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const TXT: u16 = 16;
const TARGET: [&str; 1] = ["db.example.com:5432"];

/// A guest that may look up the usual name, by the product's own resolver.
fn resolving(server: &NameServer) -> Fixture {
    under(asking(server.address, &Arc::default()), &TARGET, "")
}

/// The addresses that a guest got, and how its lookup ended.
fn addresses(told: &Told) -> (Vec<String>, &'static str) {
    let found = told.seen.iter().filter_map(|seen| seen.address());
    let found = found.map(|address| address.to_string()).collect();
    let failed = told.seen.iter().find(|seen| !seen.is_ok());
    (found, failed.map_or("ok", |seen| seen.outcome()))
}

/// One lookup that is read to its end, or as far as it goes.
fn read_whole(fixture: &Fixture) -> Told {
    let next = vec![next_address(0); MAX_ADDRESSES + 2];
    run(fixture, &[&resolve(0, NAME)[..], &next].concat())
}

#[test]
fn s118_no_other_name_is_asked_for() {
    let names = NameServer::start(|_, kind, _| {
        let records = match kind {
            A => vec![a(NAME, [9, 9, 9, 1])],
            _ => Vec::new(),
        };
        Some((0, records))
    });
    let fixture = resolving(&names);
    for name in [
        "example.com",
        "com",
        "db.example.com.attacker.example",
        "c2VjcmV0.db.example.com",
        "xdb.example.com",
        "db-example.com",
        "c2VjcmV0cyBsZWF2ZSBoZXJl.attacker.example",
        "*.example.com",
        "**",
        "db.example.co",
        "db\u{3002}example.com.attacker.example",
    ] {
        let told = run(&fixture, &[look_up(0, name)]);
        assert_eq!(told.outcomes(), ["access-denied"], "{name}");
        assert_eq!(told.refusals().len(), 1, "{name}");
        assert!(told.refusals()[0].starts_with("denied."), "{name}");
    }
    assert_eq!(names.questions(), []);
    let told = read_whole(&fixture);
    assert_eq!(addresses(&told), (vec!["9.9.9.1".to_owned()], "ok"));
    assert_eq!(told.refusals(), [] as [&str; 0]);
    let asked = |name: &str| vec![(name.to_owned(), A), (name.to_owned(), AAAA)];
    assert_eq!(names.questions(), asked("db.example.com."));
    // Many other names in one call: nothing leaves, and the record stays small.
    let report = fixture.call("evil_run", arguments(&vec![look_up(0, "a.example"); 3_000]));
    let told = Told::of(report);
    assert_eq!(told.refusals(), ["denied.dns dns a.example"]);
    assert_eq!(told.report.denials[0].count, 3_000);
    assert_eq!(names.questions().len(), 2);
}

#[test]
fn a_lookup_can_be_waited_for_and_comes_to_an_end() {
    let world = World::default().name(NAME, &["9.9.9.1", "2606:4700::1"]);
    let world = Arc::new(world);
    let fixture = home(&world, &TARGET);
    let steps = [
        look_up(0, NAME),
        wait_lookup(0),
        next_address(0),
        next_address(0),
        next_address(0),
        next_address(0),
        wait_lookup(0),
    ];
    let told = run(&fixture, &steps);
    told.well();
    assert_eq!(
        addresses(&told).0,
        ["9.9.9.1".to_owned(), "2606:4700::1".to_owned()]
    );
    assert_eq!([told.seen[4].value, told.seen[5].value], [0, 0]);
    // One that is not answered.
    let world = Arc::new(World::default().silent(NAME));
    let fixture = home(&world, &TARGET);
    let told = run(
        &fixture,
        &[look_up(0, NAME), next_address(0), next_address(0)],
    );
    assert_eq!(told.outcomes(), ["ok", "would-block", "would-block"]);
    // One that is given up makes room for the next at once.
    let most = u32::try_from(MAX_CALL_LOOKUPS).unwrap();
    let steps: Vec<_> = (0..=most).map(|slot| look_up(slot, NAME)).collect();
    let after = [drop_lookup(0), look_up(0, NAME)];
    let told = run(&fixture, &[&steps[..], &after].concat());
    let outcomes = told.outcomes();
    assert!(outcomes[..8].iter().all(|outcome| *outcome == "ok"));
    assert_eq!(outcomes[8..], ["temporary-resolver-failure", "ok", "ok"]);
}

#[test]
fn s125_lookups_are_bounded_and_hold_nobody_up() {
    let names = NameServer::start(|_, _, _| None);
    let slow = asking(names.address, &Arc::default());
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("ws");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("note.txt"), "hello").unwrap();
    let fixture = Fixture::in_directory(directory, |builder| {
        builder
            .network(slow)
            .root("workspace".parse().unwrap(), root)
    });
    let policy = super::policy(&TARGET, "");
    fixture.install("evil", &super::guest::guest(), &policy);
    let reading = "permissions:\n  storage:\n    allow:\n      - { uri: \"fs://workspace/**\", access: [read] }\n";
    fixture.install("files", &crate::files::guest::guest(), reading);
    // Those that are begun are kept, while the guest waits for something else.
    let steps = [lookups(10_000, NAME, false), sleep(1_000_000_000)];
    let begun = Instant::now();
    let (report, read) = fixture.block_on(async {
        let looking = fixture.calling("evil_run", arguments(&steps), CancellationToken::new());
        let reading = async {
            // Once they are under way.
            while names.questions().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let begun = Instant::now();
            let arguments = json!({
                "mount": 0, "path": "note.txt", "how": [], "open": [], "for": ["read"]
            });
            for _ in 0..20 {
                let report = fixture
                    .calling("files_read", arguments.clone(), CancellationToken::new())
                    .await;
                assert!(
                    result(&report).to_string().contains("aGVsbG8="),
                    "{report:?}"
                );
            }
            begun.elapsed()
        };
        tokio::join!(looking, reading)
    });
    assert!(read < Duration::from_secs(2), "{read:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let told = Told::of(report);
    assert_eq!(told.seen[0].value, MAX_CALL_LOOKUPS as u64);
    assert_eq!(told.seen[0].outcome(), "temporary-resolver-failure");
    assert_eq!(told.refusals(), ["limit.handles dns db.example.com"]);
    assert_eq!(
        told.report.denials[0].count,
        10_000 - MAX_CALL_LOOKUPS as u64
    );
}

#[test]
fn s125_a_name_server_that_says_nothing_is_given_up() {
    let names = NameServer::start(|_, _, _| None);
    let fixture = resolving(&names);
    let begun = Instant::now();
    let told = read_whole(&fixture);
    assert_eq!(addresses(&told).1, "temporary-resolver-failure");
    assert!(begun.elapsed() < MAX_LOOKUP_TIME + Duration::from_secs(5));
    // A guest's own network gives up as soon as connecting would.
    let soon = Deadlines {
        connect: SOON,
        ..GENEROUS
    };
    let world = Arc::new(World::default().silent(NAME));
    let fixture = under(table(&world, soon), &TARGET, "");
    let told = read_whole(&fixture);
    assert_eq!(addresses(&told).1, "temporary-resolver-failure");
    assert!(told.seen[1].value >= u64::try_from(SOON.as_nanos()).unwrap());
}

#[test]
fn s125_one_call_begins_so_many_lookups() {
    let world = Arc::new(World::default().name(NAME, &["9.9.9.1"]));
    let fixture = home(&world, &TARGET);
    let most = u64::from(MAX_LOOKUPS_PER_CALL);
    let told = run(&fixture, &[lookups(most + 44, NAME, true)]);
    assert_eq!(told.last().value, most);
    assert_eq!(told.last().outcome(), "permanent-resolver-failure");
    assert_eq!(told.refusals(), ["limit.handles dns db.example.com"]);
    assert_eq!(told.report.denials[0].count, 44);
    assert_eq!(world.lookups().len() as u64, most);
    // The next call has its own.
    run(&fixture, &resolve(0, NAME)).well();
}

#[test]
fn s126_a_thousand_addresses_are_all_judged_and_a_few_are_told() {
    let many = |last: Option<[u8; 4]>| {
        let records = (0..1_000_u32).map(|number| {
            let [_, _, high, low] = number.to_be_bytes();
            a(NAME, [9, 9, high, low])
        });
        let mut records: Vec<Record> = records.collect();
        if let Some(last) = last {
            records.pop();
            records.push(a(NAME, last));
        }
        NameServer::start(move |_, kind, _| {
            let records = match kind {
                A => records.clone(),
                _ => Vec::new(),
            };
            Some((0, records))
        })
    };
    let names = many(None);
    let told = read_whole(&resolving(&names));
    let (found, end) = addresses(&told);
    assert_eq!((found.len(), end), (MAX_ADDRESSES, "ok"));
    // Too long for a datagram, and so it came by TCP.
    assert!(names.by_tcp() > 0);
    // One of the last that leads inside spoils them all.
    let names = many(Some([10, 0, 0, 5]));
    let told = read_whole(&resolving(&names));
    assert_eq!(addresses(&told), (Vec::new(), "access-denied"));
    assert_eq!(told.refusals(), ["denied.dns dns db.example.com"]);
}

#[test]
fn s126_answers_that_are_none_are_an_error_and_end() {
    let alias = |from: &'static str, to: &str| (from, CNAME, wire_name(to));
    // Each of them, and what the guest sees.
    type Case = (&'static str, fn(&str, u16) -> Vec<Record>, &'static str);
    let cases: [Case; 4] = [
        (
            "an alias of itself",
            |_, _| vec![(NAME, CNAME, wire_name(NAME))],
            "name-unresolvable",
        ),
        (
            "aliases in a circle",
            |name, _| match name {
                "a.example.com." => vec![("a.example.com", CNAME, wire_name(NAME))],
                _ => vec![(NAME, CNAME, wire_name("a.example.com"))],
            },
            "name-unresolvable",
        ),
        (
            "64 KiB of text",
            |_, _| {
                let text = [&[255][..], &[b'x'; 255]].concat().repeat(250);
                vec![(NAME, TXT, text)]
            },
            "name-unresolvable",
        ),
        (
            "an address of another name",
            |_, kind| match kind {
                A => vec![a("other.example.com", [9, 9, 9, 1])],
                _ => Vec::new(),
            },
            "name-unresolvable",
        ),
    ];
    assert_eq!(alias(NAME, NAME).1, CNAME);
    for (case, answer, expected) in cases {
        let names = NameServer::start(move |name, kind, _| Some((0, answer(name, kind))));
        let fixture = resolving(&names);
        let begun = Instant::now();
        let told = read_whole(&fixture);
        assert_eq!(addresses(&told), (Vec::new(), expected), "{case}");
        assert!(
            begun.elapsed() < MAX_LOOKUP_TIME + Duration::from_secs(5),
            "{case}"
        );
        assert!(names.questions().len() < 100, "{case}");
        // Nothing was leased.
        let steps = [
            &resolve(0, NAME)[..],
            &[create(0, false), start_connect(0, PLACE)],
        ];
        let told = run(&fixture, &steps.concat());
        assert_eq!(told.last().outcome(), "access-denied", "{case}");
        fixture.ping();
    }
}

#[test]
fn s126_an_alias_is_followed_and_its_end_is_judged() {
    let names = NameServer::start(|_, kind, _| {
        let mut records = vec![(NAME, CNAME, wire_name("db7.example.net"))];
        if kind == A {
            records.push(a("db7.example.net", [9, 9, 9, 7]));
        }
        Some((0, records))
    });
    let told = read_whole(&resolving(&names));
    assert_eq!(addresses(&told), (vec!["9.9.9.7".to_owned()], "ok"));
    // What is leased is the name that was asked for, at its port.
    let world = Arc::new(World::default());
    let fixture = under(asking(names.address, &world), &TARGET, "");
    let steps = [
        &resolve(0, NAME)[..],
        &[create(0, false), start_connect(0, "9.9.9.7:5432")],
    ];
    run(&fixture, &steps.concat()).well();
}
