use super::*;
use crate::connection::Connection;
use rmcp::model::{CustomRequest, CustomResult, ListToolsResult, PaginatedRequestParams};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf};
use tokio_util::sync::CancellationToken;

/// Panics on a list, and never answers what it does not know.
#[derive(Default)]
struct Broken(Guard);

impl ServerHandler for Broken {
    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let broken = async {
            tokio::task::yield_now().await;
            panic!("a secret");
        };
        self.0.run(broken).await
    }

    async fn on_custom_request(
        &self,
        _request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.0.run(std::future::pending()).await
    }
}

async fn answer(lines: &mut tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>) -> Value {
    let line = tokio::time::timeout(Duration::from_secs(10), lines.next_line()).await;
    serde_json::from_str(&line.unwrap().unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn a_panic_is_answered_and_too_many_requests_are_refused() {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(ours);
    let token = CancellationToken::new;
    let connection = Connection::new(reader, writer, token(), token(), token());
    let serving = tokio::spawn(async {
        let running = rmcp::serve_server(Broken::default(), connection).await;
        running.unwrap().waiting().await.unwrap()
    });
    let (reader, mut writer) = tokio::io::split(theirs);
    let mut lines = BufReader::new(reader).lines();
    let initialize = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    writer
        .write_all(format!("{initialize}\n{list}\n").as_bytes())
        .await
        .unwrap();
    assert_eq!(answer(&mut lines).await["id"], 0);
    let panicked = answer(&mut lines).await;
    assert_eq!(panicked["id"], 1);
    assert_eq!(panicked["error"]["code"], -32603);
    assert_eq!(panicked["error"]["data"]["reason"], "internal");
    assert!(!panicked.to_string().contains("secret"));

    for id in 0..=MAX_REQUESTS {
        let wait = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"p{id}\",\"method\":\"wait\"}}\n");
        writer.write_all(wait.as_bytes()).await.unwrap();
    }
    let refused = answer(&mut lines).await;
    assert_eq!(refused["error"]["code"], -32000);
    assert_eq!(refused["error"]["data"]["reason"], "limit.concurrency");
    serving.abort();
}
