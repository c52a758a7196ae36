//! `serve` as a client starts it: pipes, changes by hand while it runs, an end in order.

use crate::guests::{self, SPIN};
use crate::sandbox::Sandbox;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Client {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    id: u64,
    /// The methods of what the server said without being asked, as far as it was read.
    pub(crate) news: Vec<String>,
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
            news: Vec::new(),
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

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn begin(&mut self, method: &str, params: Value) -> u64 {
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
            let method = message["method"].as_str().unwrap_or_default();
            self.news.push(method.to_owned());
        }
    }

    pub(crate) fn read_note(&mut self) -> Value {
        let arguments = json!({ "path": "/workspace/a.txt", "first": 1 });
        self.request(
            "tools/call",
            json!({ "name": "notes_read_lines", "arguments": arguments }),
        )
    }

    /// Waits for the end, which must come within two seconds, and returns the exit code and what was logged.
    fn ended(self) -> (Option<i32>, String) {
        self.ended_within(Duration::from_secs(2))
    }

    pub(crate) fn ended_within(mut self, most: Duration) -> (Option<i32>, String) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < most, "still running");
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
    terminate(client.process());
}

/// Sends the signal of an orderly stop.
pub(crate) fn terminate(process: u32) {
    let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
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

fn served(client: &mut Client) -> Vec<String> {
    let tools = client.request("tools/list", json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    let names = tools.iter().map(|tool| tool["name"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

#[test]
fn what_is_served_can_be_narrowed() {
    let sandbox = Sandbox::with_notes();
    for name in ["spin-one", "spin-two"] {
        let file = guests::write(&sandbox, name, SPIN);
        sandbox.run(&["add", &file, "--yes"]).exits(0);
    }
    let table: [(&[&str], &[&str]); 5] = [
        (
            &["--only", "spin-one", "spin-two"],
            &["spin_one_run", "spin_two_run"],
        ),
        (
            &["--only", "spin-one", "--only", "notes", "--tools", "*_run"],
            &["spin_one_run"],
        ),
        (&["--tools", "notes_read_*"], &["notes_read_lines"]),
        (
            &["--tools", "notes_read_*", "--tools", "spin_{one,three}_*"],
            &["notes_read_lines", "spin_one_run"],
        ),
        (&["--tools", "nothing_*"], &[]),
    ];
    for (arguments, names) in table {
        let mut client = Client::start(&sandbox, arguments);
        assert_eq!(served(&mut client), names, "{arguments:?}");
        // What is not listed is not there.
        let hidden = client.request(
            "tools/call",
            json!({ "name": "notes_list_zones", "arguments": { "filter": "Oslo" } }),
        );
        assert_eq!(hidden["error"]["code"], -32602, "{hidden}");
        drop(client.stdin.take());
        let (code, log) = client.ended();
        assert_eq!(code, Some(0), "{log}");
        assert!(
            log.contains(&format!("{} of 9 tools are served", names.len())),
            "{log}"
        );
        let warned = log.contains("\"nothing_*\" matches no tool");
        assert_eq!(warned, names.is_empty(), "{log}");
    }
    for (arguments, message) in [
        (
            ["--only", "spin-three"],
            "no component is called spin-three",
        ),
        (["--only", "Spin"], "invalid value 'Spin'"),
        (["--tools", "[a"], "is no pattern"),
    ] {
        let mut all = vec!["serve"];
        all.extend(arguments);
        let run = sandbox.run(&all).exits(2);
        assert!(run.err.contains(message), "{}", run.shown());
    }
    let run = sandbox.run(&["serve", "--only", "spin-three"]).exits(2);
    assert!(run.err.contains("hint: casemate list\n"), "{}", run.shown());
}

#[test]
fn s198_beyond_this_machine_nothing_is_served() {
    let sandbox = Sandbox::new();
    for address in [
        "0.0.0.0:0",
        "[::]:0",
        "192.0.2.1:8080",
        "[::ffff:127.0.0.1]:0",
        "example.com:80",
        "127.0.0.1",
        "",
    ] {
        let run = sandbox.run(&["serve", "--http", address]).exits(2);
        assert!(
            run.err.starts_with("error: ") && run.err.contains("\nhint: "),
            "{}",
            run.shown()
        );
        assert!(!run.err.contains("serving MCP"), "{}", run.shown());
    }
    let run = sandbox.run(&["serve", "--http", "0.0.0.0:8080"]);
    crate::sandbox::with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 2
    --- stdout
    --- stderr
    error: 0.0.0.0:8080 could be reached from other machines, and nothing asks who calls: not started
    hint: casemate serve --http 127.0.0.1:8080; from another machine, through what asks, such as ssh -L
    "#);
    });
    // Nothing was opened on the way.
    assert!(sandbox.state().is_empty());
}

/// A server over HTTP, its address, and the rest of its log.
pub(crate) fn over_http(
    sandbox: &Sandbox,
    arguments: &[&str],
) -> (Child, String, BufReader<ChildStderr>) {
    let mut all = vec!["serve"];
    all.extend(arguments);
    let mut child = sandbox
        .command(&all)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server went away");
        if let Some((_, url)) = line.split_once("serving MCP at http://") {
            break url.trim().strip_suffix("/mcp").unwrap().to_owned();
        }
    };
    (child, address, log)
}

#[test]
fn it_serves_over_http_until_it_is_told_to_stop() {
    let sandbox = Sandbox::with_notes();
    let (mut child, address, mut log) =
        over_http(&sandbox, &["--http", "0", "--tools", "notes_read_*"]);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let taken = sandbox.run(&["serve", "--http", &address]).exits(1);
    assert!(
        taken.err.contains("another program listens there") && taken.err.contains("hint: "),
        "{}",
        taken.shown()
    );
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    }}})
    .to_string();
    let mut connection = std::net::TcpStream::connect(&address).unwrap();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/list\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("notes_read_lines") && !answer.contains("notes_save_note"),
        "{answer}"
    );
    terminate(child.id());
    let status = child.wait().unwrap();
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(status.code(), Some(0), "{rest}");
    let mut out = String::new();
    child.stdout.unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(out, "", "standard output is no log");
}
