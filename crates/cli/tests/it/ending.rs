//! The end of a server whose tools do everything but end.

use crate::common::wasi_component;
use crate::sandbox::Sandbox;
use crate::serve::{Client, over_http, terminate};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What the documentation says: three seconds after the signal.
const BOUND: Duration = Duration::from_secs(3);

/// Spins, sleeps for a day, or asks a server over TLS and waits for its answer.
fn stuck() -> Vec<u8> {
    wasi_component(
        "package test:stuck;
         world stuck {
           import wasi:io/poll@0.2.12;
           import wasi:clocks/monotonic-clock@0.2.12;
           import wasi:http/types@0.2.12;
           import wasi:http/outgoing-handler@0.2.12;
           export spin: func();
           export sleep: func();
           export ask: func(authority: string);
         }",
        "stuck",
        r#"(module
          (import "wasi:io/poll@0.2.12" "[method]pollable.block" (func $block (param i32)))
          (import "wasi:clocks/monotonic-clock@0.2.12" "subscribe-duration" (func $after (param i64) (result i32)))
          (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (result i32)))
          (import "wasi:http/types@0.2.12" "[constructor]outgoing-request" (func $request (param i32) (result i32)))
          (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-scheme"
            (func $scheme (param i32 i32 i32 i32 i32) (result i32)))
          (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-authority"
            (func $authority (param i32 i32 i32 i32) (result i32)))
          (import "wasi:http/types@0.2.12" "[method]outgoing-request.set-path-with-query"
            (func $path (param i32 i32 i32 i32) (result i32)))
          (import "wasi:http/types@0.2.12" "[method]future-incoming-response.subscribe"
            (func $subscribe (param i32) (result i32)))
          (import "wasi:http/outgoing-handler@0.2.12" "handle" (func $handle (param i32 i32 i32 i32)))
          (memory (export "memory") 2)
          (data (i32.const 32) "/")
          (global $next (mut i32) (i32.const 65536))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3))))
          (func (export "spin") (loop $l (br $l)))
          (func (export "sleep") (call $block (call $after (i64.const 86400000000000))))
          (func (export "ask") (param $text i32) (param $length i32) (local $r i32)
            (local.set $r (call $request (call $fields)))
            (drop (call $scheme (local.get $r) (i32.const 1) (i32.const 1) (i32.const 0) (i32.const 0)))
            (drop (call $authority (local.get $r) (i32.const 1) (local.get $text) (local.get $length)))
            (drop (call $path (local.get $r) (i32.const 1) (i32.const 32) (i32.const 1)))
            (call $handle (local.get $r) (i32.const 0) (i32.const 0) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then unreachable))
            (call $block (call $subscribe (i32.load (i32.const 72))))))"#,
    )
}

/// A component that keeps the compiler busy for much longer than this test waits.
fn heavy() -> String {
    let mut functions = String::new();
    let mut body = "(local.get 0)".to_owned();
    for step in 0..150 {
        body = format!(
            "(i64.add (i64.mul {body} (local.get 0)) (i64.xor (local.get 0) (i64.const {step})))"
        );
    }
    for _ in 0..FUNCTIONS {
        functions.push_str(&format!("(func (param i64) (result i64) {body})\n"));
    }
    format!(
        r#"(component
  (core module $main {functions} (func (export "run")))
  (core instance $main (instantiate $main))
  (func (export "run") (canon lift (core func $main "run"))))"#
    )
}

const FUNCTIONS: usize = 600;

/// A home where everything is installed, and the heavy component is not compiled; and a server that takes connections and
/// never says a word.
fn scene() -> (Sandbox, TcpListener) {
    let sandbox = Sandbox::with_notes();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(sandbox.path("work/stuck.wasm"), stuck()).unwrap();
    let add = |file: &str| sandbox.run(&["add", file, "--yes"]).exits(0);
    add(&sandbox.text("work/stuck.wasm"));
    let light = native_code(&sandbox);
    add(&crate::guests::write(&sandbox, "heavy", &heavy()));
    for file in native_code(&sandbox).difference(&light) {
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(native_code(&sandbox), light);
    let port = silent.local_addr().unwrap().port();
    let ask = format!(
        "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"127.0.0.1\"\n        ports: [{port}]\n  resources:\n    limits: {{ cpu-time: \"60s\", time: \"60s\" }}\n"
    );
    std::fs::write(sandbox.path("home/policies/stuck.yaml"), ask).unwrap();
    sandbox.policy("version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        sandbox.path("work/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    (sandbox, silent)
}

/// The calls that do not end by themselves.
fn endless(silent: &TcpListener) -> [(&'static str, Value); 4] {
    let server = silent.local_addr().unwrap().to_string();
    [
        ("stuck_spin", json!({})),
        ("stuck_sleep", json!({})),
        ("stuck_ask", json!({ "authority": server })),
        ("heavy_run", json!({})),
    ]
}

/// Waits until the guest has begun its handshake, which nobody answers. The connection stays open while it is kept.
fn stalled(silent: &TcpListener) -> TcpStream {
    silent.set_nonblocking(true).unwrap();
    let started = Instant::now();
    let mut connection = loop {
        match silent.accept() {
            Ok((connection, _)) => break connection,
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
        assert!(started.elapsed() < Duration::from_secs(30), "nobody asks");
    };
    connection.set_nonblocking(false).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut hello = [0; 5];
    connection.read_exact(&mut hello).unwrap();
    assert_eq!(hello[0], 22, "no TLS handshake");
    connection
}

fn pipe() -> Value {
    json!({ "name": "notes_read_lines", "arguments": { "path": "/workspace/pipe", "first": 1 } })
}

/// What is compiled when it was stopped is not there, and each call that was begun has one record.
fn left_behind(sandbox: &Sandbox, before: &BTreeSet<PathBuf>) {
    assert_eq!(&native_code(sandbox), before, "the compiler was done");
    let log = sandbox.run(&["log", "--json"]).exits(0);
    let records: Vec<Value> = log
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ended = |tool: &str| {
        let of_tool = records.iter().filter(|record| record["tool"] == tool);
        of_tool
            .map(|record| record["outcome"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for tool in ["stuck_spin", "stuck_sleep", "stuck_ask"] {
        assert_eq!(ended(tool), ["cancelled"], "{tool}: {}", log.out);
    }
    assert_eq!(ended("notes_read_lines").len(), 1, "{}", log.out);
    assert!(ended("heavy_run").len() <= 1, "{}", log.out);
}

/// The files of compiled components.
fn native_code(sandbox: &Sandbox) -> BTreeSet<PathBuf> {
    let files = sandbox.state().into_iter();
    let large = files.filter(|(path, bytes)| {
        path.starts_with(sandbox.path("home/cache")) && bytes.len() > 10_000
    });
    large.map(|(path, _)| path).collect()
}

#[test]
fn s043_a_signal_ends_whatever_tools_are_stuck_in() {
    let (sandbox, silent) = scene();
    let mut client = Client::start(&sandbox, &["--workspace", "."]);
    // A pipe that nobody writes to is refused at once; that this is answered shows that what comes before is under way.
    let asked = Instant::now();
    for (name, arguments) in endless(&silent) {
        client.begin(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        );
    }
    let connection = stalled(&silent);
    let answer = client.request("tools/call", pipe());
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(
        asked.elapsed() < Duration::from_secs(30),
        "{:?}",
        asked.elapsed()
    );
    let before = native_code(&sandbox);
    terminate(client.process());
    let (code, log) = client.ended_within(BOUND);
    assert_eq!(code, Some(0), "{log}");
    left_behind(&sandbox, &before);
    drop(connection);
}

#[test]
fn s043_a_signal_ends_it_over_http_too() {
    let (sandbox, silent) = scene();
    let (mut child, address, mut log) = over_http(&sandbox, &["--http", "0", "--workspace", "."]);
    let mut open = Vec::new();
    for (name, arguments) in endless(&silent) {
        open.push(posted(&address, name, &arguments));
    }
    let connection = stalled(&silent);
    let mut answer = String::new();
    let call = pipe();
    let mut reader = BufReader::new(posted(&address, "notes_read_lines", &call["arguments"]));
    while !answer.contains("isError") {
        assert_ne!(reader.read_line(&mut answer).unwrap(), 0, "{answer}");
    }
    assert!(answer.contains("\"isError\":true"), "{answer}");
    let before = native_code(&sandbox);
    terminate(child.id());
    let told = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(told.elapsed() < BOUND, "still running");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(0), "{rest}");
    left_behind(&sandbox, &before);
    drop((open, connection));
}

/// Sends a call and leaves the connection open.
fn posted(address: &str, name: &str, arguments: &Value) -> TcpStream {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": name, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
    }}})
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: {name}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    connection
}
