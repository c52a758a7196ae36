//! One call after another over HTTP: Casemate and the bare server by turns.

use crate::Options;
use crate::client::cpu_micros;
use crate::report::{Round, compare};
use crate::stdio::install;
use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const VERSION: &str = "2026-07-28";
/// A server as a child process, and one connection to it that is kept.
struct Server {
    child: Child,
    connection: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Server {
    /// Starts a server that names its address on standard error.
    fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut errors = BufReader::new(child.stderr.take().context("no standard error")?);
        let address = address(&mut errors);
        // What it says later is read, so that it never waits for its log.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        let address = match address {
            Ok(address) => address,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error);
            }
        };
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            child,
            connection: BufReader::new(connection),
            address,
        })
    }

    /// A request as it goes over the wire.
    fn request(&self, tool: &str) -> anyhow::Result<Vec<u8>> {
        let body = serde_json::to_vec(&json!({
            "jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": {"text": "0123456789abcdef"},
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": VERSION,
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "casemate-bench", "version": "0"},
                },
            },
        }))?;
        let mut request = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nmcp-protocol-version: {VERSION}\r\n\
             mcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        request.extend(body);
        Ok(request)
    }

    /// Sends a prepared request and reads the answer's body.
    fn exchange(&mut self, request: &[u8], body: &mut Vec<u8>) -> anyhow::Result<()> {
        self.connection.get_mut().write_all(request)?;
        let (mut line, mut length) = (String::new(), None);
        self.connection.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200 "), "an answer of {line:?}");
        loop {
            line.clear();
            self.connection.read_line(&mut line)?;
            let field = line.trim_end();
            if field.is_empty() {
                break;
            }
            if let Some((name, value)) = field.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
        }
        body.resize(
            length.context("an answer without a length: no JSON answer")?,
            0,
        );
        self.connection.read_exact(body)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in `serving MCP at http://ADDRESS/mcp`.
fn address(errors: &mut impl std::io::BufRead) -> anyhow::Result<SocketAddr> {
    let mut said = String::new();
    loop {
        let start = said.len();
        if errors.read_line(&mut said)? == 0 {
            bail!("the server ended: {said}");
        }
        let line = said.get(start..).unwrap_or_default();
        if let Some((_, rest)) = line.split_once("http://")
            && let Some((address, _)) = rest.split_once("/mcp")
        {
            return Ok(address.parse()?);
        }
    }
}

fn round(server: &mut Server, tool: &str, calls: usize) -> anyhow::Result<Round> {
    let request = server.request(tool)?;
    let mut body = Vec::new();
    for _ in 0..calls / 10 {
        server.exchange(&request, &mut body)?;
    }
    let answer = String::from_utf8_lossy(&body);
    ensure!(
        answer.contains("0123456789abcdef") && !answer.contains("\"isError\":true"),
        "wrong answer: {answer}"
    );
    let cpu = cpu_micros(server.child.id());
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        server.exchange(&request, &mut body)?;
        times.push(started.elapsed());
    }
    Ok(Round::of(times, cpu_micros(server.child.id()) - cpu))
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    install(&options.casemate, home.path(), &["echo"])?;
    let this = std::env::current_exe()?;
    let mut bare = Server::start(Command::new(this).arg("echo-http-server"))?;
    let mut casemate = Server::start(
        Command::new(&options.casemate)
            .args(["--home".as_ref(), home.path().as_os_str()])
            .args(["serve", "--http", "127.0.0.1:0"]),
    )?;
    let title = format!(
        "{} rounds of {} calls over HTTP, {VERSION}, JSON answers, one connection, 16 bytes",
        options.rounds, options.calls
    );
    compare(
        &title,
        options.rounds,
        || round(&mut bare, "echo", options.calls),
        || round(&mut casemate, "echo_echo", options.calls),
    )
}
