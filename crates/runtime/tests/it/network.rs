//! Sockets, names and requests: linked, refused, and on record (cases S078, S079, S116, S130).

use crate::common::{component, wasi_component};
use crate::fixture::{Fixture, reason, result};
use casemate_runtime::{CallReport, Outcome};
use serde_json::{Value, json};
use std::net::TcpListener;

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

/// The part of `wasi:http` that sends a request and waits for the answer.
const HTTP: &str = "package test:evil;
package wasi:io@0.2.12 {
  interface poll { resource pollable { block: func(); } }
}
package wasi:http@0.2.12 {
  interface types {
    use wasi:io/poll@0.2.12.{pollable};
    variant method { get, head, post, put, delete, connect, options, trace, patch, other(string) }
    variant scheme { HTTP, HTTPS, other(string) }
    record DNS-error-payload { rcode: option<string>, info-code: option<u16> }
    record TLS-alert-received-payload { alert-id: option<u8>, alert-message: option<string> }
    record field-size-payload { field-name: option<string>, field-size: option<u32> }
    variant error-code {
      DNS-timeout, DNS-error(DNS-error-payload), destination-not-found, destination-unavailable,
      destination-IP-prohibited, destination-IP-unroutable, connection-refused, connection-terminated,
      connection-timeout, connection-read-timeout, connection-write-timeout, connection-limit-reached,
      TLS-protocol-error, TLS-certificate-error, TLS-alert-received(TLS-alert-received-payload),
      HTTP-request-denied, HTTP-request-length-required, HTTP-request-body-size(option<u64>),
      HTTP-request-method-invalid, HTTP-request-URI-invalid, HTTP-request-URI-too-long,
      HTTP-request-header-section-size(option<u32>), HTTP-request-header-size(option<field-size-payload>),
      HTTP-request-trailer-section-size(option<u32>), HTTP-request-trailer-size(field-size-payload),
      HTTP-response-incomplete, HTTP-response-header-section-size(option<u32>),
      HTTP-response-header-size(field-size-payload), HTTP-response-body-size(option<u64>),
      HTTP-response-trailer-section-size(option<u32>), HTTP-response-trailer-size(field-size-payload),
      HTTP-response-transfer-coding(option<string>), HTTP-response-content-coding(option<string>),
      HTTP-response-timeout, HTTP-upgrade-failed, HTTP-protocol-error, loop-detected,
      configuration-error, internal-error(option<string>),
    }
    resource fields { constructor(); }
    resource outgoing-request {
      constructor(headers: fields);
      set-method: func(method: method) -> result;
      set-scheme: func(scheme: option<scheme>) -> result;
      set-authority: func(authority: option<string>) -> result;
      set-path-with-query: func(path-with-query: option<string>) -> result;
    }
    resource request-options;
    resource incoming-response;
    resource future-incoming-response {
      subscribe: func() -> pollable;
      get: func() -> option<result<result<incoming-response, error-code>>>;
    }
  }
  interface outgoing-handler {
    use types.{outgoing-request, request-options, future-incoming-response, error-code};
    handle: func(request: outgoing-request, options: option<request-options>) -> result<future-incoming-response, error-code>;
  }
}
world evil {
  import wasi:io/poll@0.2.12;
  import wasi:http/types@0.2.12;
  import wasi:http/outgoing-handler@0.2.12;
  export send: func(scheme: u32, authority: string, path: string) -> u32;
}";

/// Index of `HTTP-request-denied` among the errors.
const DENIED: u32 = 15;
/// Added where a request is refused before it is handed on.
const AT_ONCE: u32 = 1_000;
/// What could not even be said.
const NO_AUTHORITY: u32 = 2_000;

fn http() -> Vec<u8> {
    component(
        HTTP,
        "evil",
        r#"(module
            (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
            (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
            (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme" (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
            (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority" (func $authority (param i32 i32 i32 i32) (result i32)))
            (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query" (func $path (param i32 i32 i32 i32) (result i32)))
            (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
            (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
            (import "wasi:http/types@0.2.12" "[method]future-incoming-response.get" (func $get (param i32 i32)))
            (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
            (memory (export "memory") 4)
            (global $next (mut i32) (i32.const 4096))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
              (local $at i32)
              (local.set $at (global.get $next))
              (global.set $next (i32.add (global.get $next) (local.get 3)))
              (local.get $at))
            (func (export "send") (param $s i32) (param $a i32) (param $an i32) (param $p i32) (param $pn i32) (result i32)
              (local $r i32) (local $f i32)
              (local.set $r (call $request (call $fields)))
              (drop (call $scheme (local.get $r) (i32.lt_u (local.get $s) (i32.const 2)) (local.get $s) (i32.const 0) (i32.const 0)))
              (if (call $authority (local.get $r) (i32.const 1) (local.get $a) (local.get $an)) (then (return (i32.const 2000))))
              (if (call $path (local.get $r) (i32.const 1) (local.get $p) (local.get $pn)) (then (return (i32.const 2001))))
              (call $handle (local.get $r) (i32.const 0) (i32.const 0) (i32.const 64))
              (if (i32.load8_u (i32.const 64)) (then
                (return (i32.add (i32.const 1000) (i32.load8_u (i32.const 72))))))
              (local.set $f (i32.load (i32.const 72)))
              (call $block (call $subscribe (local.get $f)))
              (call $get (local.get $f) (i32.const 64))
              ;; There, handed over for the first time, and an error.
              (if (i32.eqz (i32.load8_u (i32.const 64))) (then (return (i32.const 3000))))
              (if (i32.load8_u (i32.const 72)) (then (return (i32.const 3001))))
              (if (i32.eqz (i32.load8_u (i32.const 80))) (then (return (i32.const 200))))
              (i32.load8_u (i32.const 88))))"#,
    )
}

fn denial(report: &CallReport) -> (&str, &str) {
    let [denial] = report.denials.as_slice() else {
        panic!("{:?} {:?}", report.outcome, report.denials);
    };
    assert!(!denial.explanation.is_empty());
    (denial.reason.as_str(), &denial.subject)
}

/// Descriptors of this process that are sockets of the internet.
fn internet_sockets() -> Vec<String> {
    let known: String = ["tcp", "tcp6", "udp", "udp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/self/net/{table}")).ok())
        .collect();
    let inodes: Vec<&str> = known
        .lines()
        .filter_map(|line| line.split_whitespace().nth(9))
        .collect();
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_string_lossy().into_owned();
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
            inodes.contains(&inode).then(|| target.clone())
        })
        .collect()
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

fn send(fixture: &Fixture, scheme: u32, authority: &str, path: &str) -> (Value, CallReport) {
    let arguments = json!({"scheme": scheme, "authority": authority, "path": path});
    let report = fixture.call("evil_send", arguments);
    (result(&report), report)
}

#[test]
fn s078_requests_are_refused_with_host_and_port() {
    let fixture = Fixture::new();
    fixture.install("evil", &http(), "");
    for (scheme, authority, subject) in [
        (1, "api.example.com", "network api.example.com:443"),
        (0, "api.example.com", "network api.example.com:80"),
        (3, "api.example.com", "network api.example.com:443"),
        (1, "api.example.com:8443", "network api.example.com:8443"),
        (1, "169.254.169.254", "network 169.254.169.254:443"),
        (0, "[::1]:6379", "network [::1]:6379"),
        (
            1,
            "api.openai.com.evil.example",
            "network api.openai.com.evil.example:443",
        ),
    ] {
        let (code, report) = send(&fixture, scheme, authority, "/v1/x?key=value");
        assert_eq!(code, json!(DENIED), "{authority}");
        assert_eq!(denial(&report), ("denied.network.host", subject));
        // What was asked for, not what was sent with it.
        let told = format!("{:?} {:?}", report.denials, fixture.records.all());
        assert!(!told.contains("key=value"), "{told}");
    }
    fixture.ping();
}

#[test]
fn s078_no_packet_leaves_and_no_socket_is_opened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let fixture = Fixture::new();
    fixture.install("evil", &http(), "");
    let before = internet_sockets();
    assert!(!before.is_empty(), "the listener is one");
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "2130706433",
    ] {
        let (code, report) = send(&fixture, 0, &format!("{host}:{port}"), "/");
        assert_eq!(code, json!(DENIED), "{host}");
        assert_eq!(
            denial(&report),
            (
                "denied.network.host",
                format!("network {host}:{port}").as_str()
            )
        );
    }
    assert_eq!(internet_sockets(), before);
    let arrived = listener.accept().map(|_| ());
    assert_eq!(arrived.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn s079_a_host_rule_loads_warns_and_every_request_is_denied() {
    let fixture = Fixture::new();
    let policy = "permissions:\n  network:\n    allow:\n      - host: \"api.openai.com\"\n";
    fixture.install("evil", &http(), policy);
    let grant = fixture.runtime.catalog();
    let grant = grant.grant(&"evil".parse().unwrap()).unwrap();
    let [warning] = grant.warnings() else {
        panic!("{:?}", grant.warnings());
    };
    assert_eq!((warning.line, warning.column > 0), (5, true), "{warning:?}");
    let (code, report) = send(&fixture, 1, "api.openai.com", "/v1/models");
    assert_eq!(code, json!(DENIED));
    assert_eq!(
        denial(&report),
        ("denied.network.host", "network api.openai.com:443")
    );
    let explanation = report.denials[0].explanation.clone();
    assert!(
        explanation.contains("not part of this release"),
        "{explanation}"
    );
    for host in [
        "api.openai.com.evil.com",
        "evilapi.openai.com",
        "openai.com",
        "API.OPENAI.COM",
        "api.openai.com.",
    ] {
        let (code, report) = send(&fixture, 1, host, "/");
        assert_eq!(code, json!(DENIED), "{host}");
        assert_eq!(denial(&report).0, "denied.network.host");
    }
}

#[test]
fn s078_a_request_that_is_none_is_an_error_of_its_own() {
    let fixture = Fixture::new();
    fixture.install("evil", &http(), "");
    for authority in [
        "",
        "a b",
        "user:secret@host",
        "host:port",
        "host:99999",
        "\r\nHost: x",
        "a\u{0}b",
    ] {
        let (code, report) = send(&fixture, 1, authority, "/");
        let code = u32::try_from(code.as_u64().unwrap()).unwrap();
        assert!(
            code == DENIED || code == NO_AUTHORITY || code > AT_ONCE,
            "{authority:?}: {code}"
        );
        let told = format!("{:?} {:?}", report.denials, fixture.records.all());
        assert!(!told.contains("secret"), "{authority:?}: {told}");
        for denial in &report.denials {
            assert_eq!(denial.reason.as_str(), "denied.network.host");
        }
    }
    fixture.ping();
}
