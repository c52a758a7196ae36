//! A client that says exactly what it is told to and remembers every line.

use casemate_mcp::ServeError;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: Option<WriteHalf<DuplexStream>>,
    pub(crate) stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
    modern: bool,
    last_id: i64,
}

impl Client {
    pub(crate) fn new(
        stream: DuplexStream,
        stop: CancellationToken,
        serving: JoinHandle<Result<(), ServeError>>,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            lines: BufReader::new(reader).lines(),
            writer: Some(writer),
            stop,
            serving,
            modern: false,
            last_id: 0,
        }
    }

    /// An older handshake, to its end.
    pub(crate) async fn initialized(mut self, version: &str) -> Self {
        let result = self.initialize(version).await;
        assert_eq!(result["result"]["protocolVersion"], version);
        self.notify("notifications/initialized", json!({})).await;
        self
    }

    pub(crate) async fn legacy(self) -> Self {
        self.initialized("2025-11-25").await
    }

    /// From here on every request carries the metadata of the stateless protocol.
    pub(crate) fn modern(mut self) -> Self {
        self.modern = true;
        self
    }

    pub(crate) async fn initialize(&mut self, version: &str) -> Value {
        self.request(
            "initialize",
            json!({
                "protocolVersion": version,
                "capabilities": {},
                "clientInfo": { "name": "transcript", "version": "1" },
            }),
        )
        .await
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(bytes).await.unwrap();
        writer.flush().await.unwrap();
    }

    pub(crate) async fn line(&mut self, line: &str) {
        self.raw(format!("{line}\n").as_bytes()).await;
    }

    pub(crate) async fn notify(&mut self, method: &str, params: Value) {
        let message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.line(&message.to_string()).await;
    }

    /// Sends a request and returns its id.
    pub(crate) async fn ask(&mut self, method: &str, mut params: Value) -> i64 {
        self.last_id += 1;
        if self.modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "transcript", "version": "2" },
            });
        }
        let id = self.last_id;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.line(&message.to_string()).await;
        id
    }

    /// Sends a request and returns its answer, which must be the next message.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        let answer = self.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self
            .request(
                "tools/call",
                json!({ "name": tool, "arguments": arguments }),
            )
            .await;
        match answer.get("result") {
            Some(result) => result.clone(),
            None => panic!("{answer}"),
        }
    }

    /// The next message. Anything on the stream that is no JSON-RPC message fails the test.
    pub(crate) async fn next(&mut self) -> Value {
        self.try_next().await.unwrap()
    }

    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap().unwrap()?;
        let message: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(message["jsonrpc"], "2.0");
        Some(message)
    }

    /// Nothing comes for a while.
    pub(crate) async fn silence(&mut self) {
        let line = tokio::time::timeout(Duration::from_millis(300), self.lines.next_line()).await;
        assert!(line.is_err(), "{line:?}");
    }

    /// Closes the client's end of the requests.
    pub(crate) async fn close_input(&mut self) {
        let mut writer = self.writer.take().unwrap();
        writer.shutdown().await.unwrap();
    }

    /// Waits until the server has ended, which it does in time; returns what it said until then.
    pub(crate) async fn ended(mut self) -> Vec<Value> {
        let started = Instant::now();
        let mut said = Vec::new();
        while let Some(message) = self.try_next().await {
            said.push(message);
        }
        self.serving.await.unwrap().unwrap();
        assert!(started.elapsed() < Duration::from_secs(2));
        said
    }

    /// As [`Client::ended`], for a client that reads nothing.
    pub(crate) async fn ended_unread(self) {
        let started = Instant::now();
        self.serving.await.unwrap().unwrap();
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

/// The texts of a result.
pub(crate) fn texts(result: &Value) -> Vec<&str> {
    let blocks = result["content"].as_array().unwrap();
    blocks
        .iter()
        .map(|block| block["text"].as_str().unwrap())
        .collect()
}
