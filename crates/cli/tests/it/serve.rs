//! `serve` as a client starts it: pipes, changes by hand while it runs, an end in order.

use crate::guests::{self, SPIN};
use crate::sandbox::Sandbox;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    pub(crate) fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut all = vec!["serve"];
        all.extend(arguments);
        let mut child = sandbox
            .command(&all)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self {
            child,
            stdin,
            stdout,
            id: 0,
        };
        let hello = json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = client.request("initialize", hello);
        assert_eq!(
            answer["result"]["serverInfo"]["name"], "casemate",
            "{answer}"
        );
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn send(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
    }

    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.id += 1;
        let id = self.id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        loop {
            let mut line = String::new();
            assert_ne!(
                self.stdout.read_line(&mut line).unwrap(),
                0,
                "the server went away"
            );
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return message;
            }
        }
    }

    fn read_note(&mut self) -> Value {
        let arguments = json!({ "path": "/workspace/a.txt", "first": 1 });
        self.request(
            "tools/call",
            json!({ "name": "notes_read_lines", "arguments": arguments }),
        )
    }

    /// Waits for the end, which must come within two seconds, and returns the exit code and what was logged.
    fn ended(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < Duration::from_secs(2), "still running");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (status.code(), log)
    }
}

fn signal(client: &Client) {
    let id = i32::try_from(client.child.id()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
}

#[test]
fn a_policy_edited_by_hand_takes_effect_in_a_running_server() {
    let sandbox = Sandbox::with_notes();
    let mut client = Client::start(&sandbox, &["--workspace", "."]);
    let tools = client.request("tools/list", json!({}));
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 7);
    let denied = client.read_note();
    assert_eq!(denied["result"]["isError"], true, "{denied}");
    assert!(
        denied.to_string().contains("denied.storage.read"),
        "{denied}"
    );
    // A model gets the reason and the id, never a command to type.
    assert!(!denied.to_string().contains("casemate grant"), "{denied}");

    sandbox.policy("# by hand\nversion: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n");
    let edited = Instant::now();
    let allowed = loop {
        let answer = client.read_note();
        if answer["result"]["isError"] != true {
            break answer;
        }
        assert!(edited.elapsed() < Duration::from_secs(1), "{answer}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(allowed.to_string().contains("a harbour"), "{allowed}");

    // What the command line changes is seen too.
    sandbox
        .run(&["revoke", "notes", "read", "fs://workspace/**"])
        .exits(0);
    let revoked = Instant::now();
    while client.read_note()["result"]["isError"] != true {
        assert!(revoked.elapsed() < Duration::from_secs(1), "still allowed");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(client.stdin.take());
    let (code, log) = client.ended();
    assert_eq!(code, Some(0), "{log}");
    let first = log.lines().next().unwrap();
    assert!(
        first.contains(&format!("fs://workspace is {}", sandbox.text("work"))),
        "{log}"
    );
}

#[test]
fn it_ends_in_order_also_when_a_guest_spins() {
    let sandbox = Sandbox::new();
    let file = guests::write(&sandbox, "spin", SPIN);
    sandbox.run(&["add", &file, "--yes"]).exits(0);
    for by_signal in [true, false] {
        let mut client = Client::start(&sandbox, &[]);
        for _ in 0..4 {
            client.begin("tools/call", json!({ "name": "spin_run", "arguments": {} }));
        }
        std::thread::sleep(Duration::from_millis(300));
        if by_signal {
            signal(&client);
        } else {
            drop(client.stdin.take());
        }
        let (code, log) = client.ended();
        assert_eq!(code, Some(0), "{log}");
    }
    let log = sandbox.run(&["log", "--json"]).exits(0);
    assert_eq!(
        log.out.lines().count(),
        8,
        "each started call has one record: {}",
        log.shown()
    );
}
