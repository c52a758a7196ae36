//! A server on loopback and a client that sends the bytes it is told to.

use casemate_mcp::{ServeError, ServeOptions, serve_http};
use casemate_runtime::Catalog;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    pub(crate) fn new(catalogs: watch::Receiver<Arc<Catalog>>, options: ServeOptions) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_http(listener, catalogs, options, stop.clone()));
        Self {
            address,
            stop,
            serving,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream: BufReader::new(stream),
            port: self.address.port(),
            decoded: String::new(),
        }
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: Ask) -> Response {
        let mut connection = self.connect().await;
        connection.send(request).await;
        connection.response().await
    }

    /// One modern request; what it answers.
    pub(crate) async fn modern(&self, method: &str, params: Value) -> Value {
        self.ask(Ask::modern(method, params)).await.json()
    }

    /// The result of one modern call.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let call = json!({ "name": tool, "arguments": arguments });
        self.modern("tools/call", call).await["result"].clone()
    }

    /// A session after its whole handshake.
    pub(crate) async fn session(&self) -> String {
        let response = self.ask(Ask::initialize()).await;
        assert_eq!(response.status, 200);
        let id = response.header("mcp-session-id").unwrap().to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let response = self.ask(Ask::legacy(&id, &initialized)).await;
        assert_eq!(response.status, 202);
        id
    }

    /// Waits until the server has ended, which it does in time.
    pub(crate) async fn ended(self) {
        let started = Instant::now();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

/// A request as text.
#[derive(Clone)]
pub(crate) struct Ask {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(line: &str) -> Self {
        Self {
            line: line.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A POST of `body` with what every client sends.
    pub(crate) fn post(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST /mcp HTTP/1.1")
        }
        .with("Content-Type", "application/json")
        .with("Accept", "application/json, text/event-stream")
    }

    /// A request of the stateless protocol, with its id 1.
    pub(crate) fn modern(method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": { "name": "transcript", "version": "3" },
        });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let ask = Self::post(message.to_string())
            .with("MCP-Protocol-Version", "2026-07-28")
            .with("Mcp-Method", method);
        match params["name"].as_str() {
            Some(name) => ask.with("Mcp-Name", name),
            None => ask,
        }
    }

    pub(crate) fn initialize() -> Self {
        Self::post(
            json!({
                "jsonrpc": "2.0", "id": 0, "method": "initialize",
                "params": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": { "name": "transcript", "version": "1" },
                },
            })
            .to_string(),
        )
    }

    /// A message in a session.
    pub(crate) fn legacy(session: &str, message: &Value) -> Self {
        Self::post(message.to_string())
            .with("Mcp-Session-Id", session)
            .with("MCP-Protocol-Version", "2025-11-25")
    }

    /// The stream of news of a session.
    pub(crate) fn news(session: &str) -> Self {
        Self::new("GET /mcp HTTP/1.1")
            .with("Accept", "text/event-stream")
            .with("Mcp-Session-Id", session)
            .with("MCP-Protocol-Version", "2025-11-25")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self
    }

    /// As bytes; `Host` and `Content-Length` are added where they are not given.
    pub(crate) fn bytes(&self, port: u16) -> Vec<u8> {
        let has = |name: &str| {
            let mut names = self.headers.iter().map(|(name, _)| name);
            names.any(|header| header.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{}\r\n", self.line);
        if !has("host") {
            let _ = write!(head, "Host: 127.0.0.1:{port}\r\n");
        }
        if !has("content-length") && !has("transfer-encoding") && !self.body.is_empty() {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            // None at all, where a test says so.
            if value != "-" {
                let _ = write!(head, "{name}: {value}\r\n");
            }
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    port: u16,
    /// What came of a stream and is not looked at yet.
    decoded: String,
}

pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The message, or the last one of a stream.
    pub(crate) fn json(&self) -> Value {
        let text = std::str::from_utf8(&self.body).unwrap();
        if self.header("content-type") == Some("text/event-stream") {
            let last = events(text).pop();
            return last.unwrap_or_else(|| panic!("no event: {text}"));
        }
        assert_eq!(
            self.header("content-type"),
            Some("application/json"),
            "{text}"
        );
        let message: Value = serde_json::from_str(text).unwrap();
        assert_eq!(message["jsonrpc"], "2.0");
        message
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["error"]["code"].as_i64().unwrap()
    }
}

/// The messages of a stream, without those that say nothing.
fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let data = data.map(str::trim).filter(|data| !data.is_empty());
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

impl Connection {
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.try_raw(bytes).await.unwrap();
    }

    /// As [`Connection::raw`] where the server may have closed its end.
    pub(crate) async fn try_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes).await
    }

    pub(crate) async fn send(&mut self, request: Ask) {
        let bytes = request.bytes(self.port);
        self.raw(&bytes).await;
    }

    /// Closes the client's end of the requests.
    pub(crate) async fn close_input(&mut self) {
        self.stream.get_mut().shutdown().await.unwrap();
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.stream.read_line(&mut line)).await;
        // A connection that is reset is closed, too.
        let read = read.unwrap().unwrap_or(0);
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Status and headers; `None` when the server has closed the connection.
    pub(crate) async fn try_head(&mut self) -> Option<Response> {
        let line = self.line().await?;
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "");
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        Some(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    pub(crate) async fn head(&mut self) -> Response {
        self.try_head().await.unwrap()
    }

    /// A whole response; `None` when the server has closed the connection.
    pub(crate) async fn try_response(&mut self) -> Option<Response> {
        let mut response = self.try_head().await?;
        if let Some(length) = response.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            let read = tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut body)).await;
            read.unwrap().unwrap();
            response.body = body;
        } else if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                response.body.extend_from_slice(&chunk);
            }
        }
        Some(response)
    }

    pub(crate) async fn response(&mut self) -> Response {
        self.try_response().await.unwrap()
    }

    /// One chunk of a stream; `None` at its end.
    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line().await?, 16).unwrap();
        let mut chunk = vec![0; length + 2];
        let read = tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut chunk)).await;
        read.unwrap().unwrap();
        chunk.truncate(length);
        (length > 0).then_some(chunk)
    }

    /// The next message of a stream; `None` at its end.
    pub(crate) async fn event(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.decoded.find("\n\n") {
                let event: String = self.decoded.drain(..end + 2).collect();
                if let Some(message) = events(&event).pop() {
                    return Some(message);
                }
                continue;
            }
            let chunk = self.chunk().await?;
            self.decoded.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Nothing comes for a while.
    pub(crate) async fn silence(&mut self) {
        let waited = tokio::time::timeout(Duration::from_millis(300), self.event()).await;
        assert!(waited.is_err(), "{waited:?}");
    }

    /// The server closes the connection without another word.
    pub(crate) async fn closed(&mut self) {
        if let Some(line) = self.line().await {
            panic!("{line}");
        }
    }
}
