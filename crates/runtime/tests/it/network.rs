//! Raw sockets and lookups: linked, refused, and on record (cases S116, S130).

use crate::common::wasi_component;
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Value, json};

fn sockets() -> Vec<u8> {
    wasi_component(
        "package test:evil; world evil {
            import wasi:sockets/instance-network@0.2.12;
            import wasi:sockets/ip-name-lookup@0.2.12;
            import wasi:sockets/tcp-create-socket@0.2.12;
            import wasi:sockets/udp-create-socket@0.2.12;
            import wasi:sockets/tcp@0.2.12;
            import wasi:sockets/udp@0.2.12;
            use wasi:sockets/network@0.2.12.{error-code, ip-address-family};
            export tcp: func(family: ip-address-family) -> result<u32, error-code>;
            export udp: func(family: ip-address-family) -> result<u32, error-code>;
            export resolve: func(name: string) -> result<u32, error-code>;
            export guess: func(handle: u32) -> u32;
            export flood: func(names: u32); }",
        "evil",
        r#"(module
            (import "wasi:sockets/instance-network@0.2.12" "instance-network" (func $network (result i32)))
            (import "wasi:sockets/tcp-create-socket@0.2.12" "create-tcp-socket" (func $tcp (param i32 i32)))
            (import "wasi:sockets/udp-create-socket@0.2.12" "create-udp-socket" (func $udp (param i32 i32)))
            (import "wasi:sockets/ip-name-lookup@0.2.12" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
            (import "wasi:sockets/tcp@0.2.12" "[method]tcp-socket.start-listen" (func $listen (param i32 i32)))
            (import "wasi:sockets/udp@0.2.12" "[method]udp-socket.unicast-hop-limit" (func $hops (param i32 i32)))
            (memory (export "memory") 40)
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (global.get $next))
              (global.set $next (i32.add (global.get $next) (local.get 3)))
              (local.get $at))
            (func (export "tcp") (param i32) (result i32) (call $tcp (local.get 0) (i32.const 16)) (i32.const 16))
            (func (export "udp") (param i32) (result i32) (call $udp (local.get 0) (i32.const 16)) (i32.const 16))
            (func (export "resolve") (param i32 i32) (result i32)
              (call $resolve (call $network) (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16))
            ;; That many different names, and a socket at the end.
            (func (export "flood") (param i32)
              (memory.fill (i32.const 4096) (i32.const 97) (local.get 0))
              (loop $l
                (call $resolve (call $network) (i32.const 4096) (local.get 0) (i32.const 16))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
              (call $tcp (i32.const 0) (i32.const 16)) (call $tcp (i32.const 0) (i32.const 16)))
            (func (export "guess") (param i32) (result i32)
              (call $listen (local.get 0) (i32.const 16)) (call $hops (local.get 0) (i32.const 16)) (i32.const 1)))"#,
    )
}

fn denial(report: &CallReport) -> (&str, &str) {
    let [denial] = report.denials.as_slice() else {
        panic!("{:?} {:?}", report.outcome, report.denials);
    };
    assert!(!denial.explanation.is_empty());
    (denial.reason.as_str(), &denial.subject)
}

#[test]
fn s116_sockets_are_refused_where_they_begin() {
    let fixture = Fixture::new();
    fixture.install("evil", &sockets(), "");
    for family in ["ipv4", "ipv6"] {
        for (function, subject) in [("tcp", "socket create tcp"), ("udp", "socket create udp")] {
            let report = fixture.call(&format!("evil_{function}"), json!({"family": family}));
            assert_eq!(
                report.outcome,
                Outcome::ToolError(json!({"error": "access-denied"}))
            );
            assert_eq!(denial(&report), ("denied.socket", subject));
            let record = fixture.records.all().pop().unwrap();
            assert_eq!(record.denials[0].reason, "denied.socket");
        }
    }
    // No handle of a socket exists, so there is nothing to bind, connect or listen with.
    for handle in [0, 1, 2, 3, 1_000] {
        let report = fixture.call("evil_guess", json!({"handle": handle}));
        assert!(reason(&report).starts_with("trap."), "{:?}", report.outcome);
    }
    fixture.ping();
}

#[test]
fn s116_names_are_not_looked_up() {
    let fixture = Fixture::new();
    fixture.install("evil", &sockets(), "");
    for name in [
        "example.com",
        "localhost",
        "127.0.0.1",
        "::1",
        "metadata.google.internal",
        "data-in-a-name.evil.example",
        "xn--bcher-kva.example",
        "",
    ] {
        let report = fixture.call("evil_resolve", json!({"name": name}));
        assert_eq!(
            report.outcome,
            Outcome::ToolError(json!({"error": "access-denied"}))
        );
        assert_eq!(
            denial(&report),
            ("denied.dns", format!("dns {name}").as_str())
        );
    }
    // A guest cannot write pages into the record, nor steer a terminal.
    let report = fixture.call(
        "evil_resolve",
        json!({"name": "a\n\u{1b}[2J".repeat(10_000)}),
    );
    let (reason, subject) = denial(&report);
    assert_eq!(reason, "denied.dns");
    assert!(subject.len() < 4_096 && !subject.chars().any(char::is_control));
    fixture.ping();
}

#[test]
fn one_kind_of_refusal_is_not_hidden_behind_another() {
    let fixture = Fixture::new();
    fixture.install("evil", &sockets(), "");
    let report = fixture.call("evil_flood", json!({"names": 300}));
    assert_eq!(result(&report), Value::Null);
    // 64 names one by one, the others of them together, and the socket that came last.
    assert_eq!(report.denials.len(), 66);
    let counted: u64 = report.denials.iter().map(|denial| denial.count).sum();
    assert_eq!(counted, 302);
    let last: Vec<(&str, u64)> = report.denials[64..]
        .iter()
        .map(|denial| (denial.reason.as_str(), denial.count))
        .collect();
    assert_eq!(last, [("denied.dns", 236), ("denied.socket", 2)]);
    assert_eq!(fixture.records.all()[0].denials.len(), 66);
}
