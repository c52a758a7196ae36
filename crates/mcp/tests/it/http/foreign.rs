//! Requests that a web page or another machine could have sent.

use super::client::{Ask, Server};
use crate::fixture::Fixture;
use casemate_mcp::{ServeError, ServeOptions, serve_http};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn echo() -> Ask {
    let call = json!({ "name": "kit_echo", "arguments": { "text": "hi" } });
    Ask::modern("tools/call", call)
}

/// Refused with a status and no word.
async fn refused(server: &Server, ask: Ask, status: u16) {
    let response = server.ask(ask).await;
    assert_eq!(response.status, status);
    assert_eq!(response.body, b"");
    assert_eq!(response.header("access-control-allow-origin"), None);
}

/// S196 and peers.md, ACT: a foreign `Origin` is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn s196_act_foreign_origin_is_refused() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let port = server.address.port();
    let session = server.session().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    for origin in [
        "https://evil.com",
        "null",
        "http://localhost.evil.com",
        "http://127.0.0.1.nip.io",
        &format!("http://127.0.0.1.nip.io:{port}"),
        "http://localhost",
        "http://localhost:1",
        &format!("https://localhost:{port}"),
        &format!("http://localhost:{port}@evil.com"),
        "",
    ] {
        for ask in [
            echo(),
            Ask::initialize(),
            Ask::legacy(&session, &list),
            Ask::news(&session),
            Ask::new("DELETE /mcp HTTP/1.1").with("Mcp-Session-Id", &session),
            Ask::new("OPTIONS /mcp HTTP/1.1"),
        ] {
            refused(&server, ask.with("Origin", origin), 403).await;
        }
    }
    let ours = format!("http://localhost:{port}");
    let two = echo()
        .with("Origin", &ours)
        .with("Origin", "https://evil.com");
    refused(&server, two, 403).await;
    assert_eq!(fixture.records().len(), 0);
    for ours in [ours, format!("http://127.0.0.1:{port}")] {
        assert_eq!(server.ask(echo().with("Origin", &ours)).await.status, 200);
    }
    // Programs have no origin.
    assert_eq!(server.ask(echo()).await.status, 200);
    assert_eq!(fixture.records().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn s197_a_foreign_host_is_refused() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let port = server.address.port();
    for host in [
        "evil.com",
        "127.0.0.1.evil.com",
        &format!("evil.com:{port}"),
        "localhost:1",
        "0.0.0.0",
        "",
    ] {
        refused(&server, echo().with("Host", host), 403).await;
    }
    refused(&server, echo().with("Host", "-"), 400).await;
    let two = echo().with("Host", "localhost").with("Host", "evil.com");
    refused(&server, two, 400).await;
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        &format!("LOCALHOST:{port}"),
    ] {
        let response = server.ask(echo().with("Host", host)).await;
        assert_eq!(response.status, 200, "{host}");
    }
    assert_eq!(fixture.records().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn s197_an_absolute_target_does_not_hide_a_foreign_host() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let port = server.address.port();
    let text = String::from_utf8(echo().bytes(port)).unwrap();
    for (target, status) in [
        ("http://evil.com/mcp".to_owned(), 403),
        (format!("http://evil.com:{port}/mcp"), 403),
        (format!("https://127.0.0.1:{port}/mcp"), 403),
        (format!("http://127.0.0.1:{port}/mcp"), 200),
    ] {
        let mut connection = server.connect().await;
        let line = format!("POST {target} HTTP/1.1");
        let request = text.replacen("POST /mcp HTTP/1.1", &line, 1);
        connection.raw(request.as_bytes()).await;
        assert_eq!(connection.response().await.status, status, "{target}");
    }
    assert_eq!(fixture.records().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s213_there_is_no_cors_and_no_other_method() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let ours = format!("http://localhost:{}", server.address.port());
    let preflight = Ask::new("OPTIONS /mcp HTTP/1.1")
        .with("Origin", &ours)
        .with("Access-Control-Request-Method", "POST");
    refused(&server, preflight, 405).await;
    for method in ["PUT", "PATCH", "HEAD", "TRACE", "QUERY"] {
        let response = server
            .ask(Ask::new(&format!("{method} /mcp HTTP/1.1")))
            .await;
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, POST, DELETE"));
    }
    for method in ["GET", "DELETE"] {
        let modern = Ask::new(&format!("{method} /mcp HTTP/1.1"))
            .with("Accept", "text/event-stream")
            .with("MCP-Protocol-Version", "2026-07-28");
        assert_eq!(server.ask(modern).await.status, 405, "{method}");
    }
    for path in [
        "/",
        "/mcp/",
        "/sse",
        "/.well-known/oauth-authorization-server",
    ] {
        refused(&server, Ask::new(&format!("GET {path} HTTP/1.1")), 404).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s198_only_a_loopback_address_is_served() {
    let fixture = Fixture::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        // A machine without IPv6 has nothing to refuse.
        let Ok(listener) = std::net::TcpListener::bind(address) else {
            continue;
        };
        let serving = serve_http(
            listener,
            fixture.runtime.catalogs(),
            ServeOptions::default(),
            CancellationToken::new(),
        );
        let error = serving.await.unwrap_err();
        assert!(matches!(error, ServeError::NotLoopback(_)));
        let message = error.to_string();
        assert!(message.contains("no authentication"), "{message}");
        assert!(message.contains("127.0.0.1"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s209_what_is_no_tool_is_refused_before_anything_starts() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (name, header) in [
        ("nothing", "nothing"),
        ("KIT_ECHO", "KIT_ECHO"),
        ("kit_\u{435}cho", "=?base64?a2l0X9C1Y2hv?="),
        ("kit_echo\n\u{1b}[31m", "=?base64?a2l0X2VjaG8KG1szMW0=?="),
    ] {
        let call = json!({ "name": name, "arguments": {} });
        let ask = Ask::modern("tools/call", call)
            .without("Mcp-Name")
            .with("Mcp-Name", header);
        let response = server.ask(ask).await;
        assert_eq!((response.status, response.code()), (200, -32602));
        let message = response.json()["error"]["message"].clone();
        let message = message.as_str().unwrap();
        assert!(message.starts_with("Unknown tool: "), "{message}");
        assert!(!message.contains(['\n', '\u{1b}']));
    }
    for arguments in [json!([]), json!("{}"), json!(7)] {
        let call = json!({ "name": "kit_echo", "arguments": arguments });
        let response = server.ask(Ask::modern("tools/call", call)).await;
        assert_eq!((response.status, response.code()), (200, -32602));
    }
    for arguments in [
        Value::Null,
        json!({ "text": 7 }),
        json!({ "text": "a", "b": 1 }),
    ] {
        let result = server.call("kit_echo", arguments).await;
        assert_eq!(result["isError"], true);
    }
    assert_eq!(fixture.records().len(), 0);
}
