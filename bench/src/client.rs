//! A client of newline-delimited JSON-RPC that adds as little as it can.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A server as a child process with pipes.
pub(crate) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Client {
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self {
            child,
            input,
            output,
            next: 1,
        })
    }

    fn send(&mut self, message: &Value) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.input
            .as_mut()
            .context("closed")?
            .write_all(&line)
            .context("the server does not read")
    }

    /// Sends a prepared line and reads the next one.
    pub(crate) fn exchange(&mut self, line: &[u8], answer: &mut String) -> anyhow::Result<()> {
        self.input.as_mut().context("closed")?.write_all(line)?;
        answer.clear();
        self.output.read_line(answer)?;
        ensure!(!answer.is_empty(), "the server ended");
        Ok(())
    }

    /// Sends a request and reads its answer, passing over notifications.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line)?;
            ensure!(!line.is_empty(), "the server ended");
            let answer: Value = serde_json::from_str(&line)?;
            if answer.get("id") == Some(&json!(id)) {
                return Ok(answer);
            }
        }
    }

    /// The handshake of 2025-11-25.
    pub(crate) fn initialize(&mut self) -> anyhow::Result<()> {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "casemate-bench", "version": "0"},
        });
        self.request("initialize", &params)?;
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    }

    /// User and system time of the server so far, in microseconds.
    pub(crate) fn cpu_micros(&self) -> u64 {
        cpu_micros(self.child.id())
    }
}

/// User and system time of a process so far, in microseconds.
pub(crate) fn cpu_micros(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let ticks: u64 = stat
        .rsplit_once(')')
        .map(|(_, rest)| {
            rest.split_whitespace()
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<u64>().ok())
                .sum()
        })
        .unwrap_or_default();
    // Linux counts in hundredths of a second.
    ticks * 10_000
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.input.take());
        // The server ends on EOF; a benchmark leaves nothing behind if it does not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
