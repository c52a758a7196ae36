//! Headers that say what is in the body.

use super::client::Ask;
use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::json;

fn echo() -> Ask {
    let call = json!({ "name": "kit_echo", "arguments": { "text": "hi" } });
    Ask::modern("tools/call", call)
}

#[tokio::test(flavor = "multi_thread")]
async fn s201_headers_must_say_what_the_body_says() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (name, values) in [
        (
            "Mcp-Method",
            &[
                "",
                "tools/list",
                "Tools/Call",
                "TOOLS/CALL",
                "tools/call, tools/list",
            ][..],
        ),
        (
            "Mcp-Name",
            &[
                "",
                "kit_sum",
                "KIT_ECHO",
                "kit_echo, kit_sum",
                "=?base64?a2l0X3N1bQ==?=",
                "=?base64?!?=",
                "=?BASE64?a2l0X2VjaG8=?=",
                "=?base64?a2l0X2VjaG8",
            ][..],
        ),
        ("MCP-Protocol-Version", &["2025-11-25", "2025-03-26"][..]),
    ] {
        for value in values {
            let ask = echo().without(name).with(name, value);
            let response = server.ask(ask).await;
            assert_eq!(
                (response.status, response.code()),
                (400, -32020),
                "{name}: {value}"
            );
            assert_eq!(response.json()["id"], 1);
        }
        let missing = server.ask(echo().without(name)).await;
        assert_eq!((missing.status, missing.code()), (400, -32020), "{name}");
    }
    // What the headers name is never what is called.
    assert_eq!(fixture.records().len(), 0);
    let encoded = echo()
        .without("Mcp-Name")
        .with("Mcp-Name", "=?base64?a2l0X2VjaG8=?=");
    let response = server.ask(encoded).await;
    assert_eq!(response.status, 200);
    assert_eq!(texts(&response.json()["result"]), ["hi"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s201_a_header_that_is_there_twice_is_refused() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (name, value) in [
        ("Mcp-Method", "tools/call"),
        ("mcp-method", "tools/list"),
        ("Mcp-Name", "kit_echo"),
        ("MCP-NAME", "kit_sum"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("mcp-protocol-version", "2025-11-25"),
        ("Content-Type", "text/plain"),
    ] {
        let response = server.ask(echo().with(name, value)).await;
        assert_eq!((response.status, response.code()), (400, -32020), "{name}");
        assert_eq!(response.json()["id"], 1);
    }
    assert_eq!(fixture.records().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s201_an_unknown_version_is_named_an_error() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2031-01-01",
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    let ask = Ask::post(body.to_string())
        .with("MCP-Protocol-Version", "2031-01-01")
        .with("Mcp-Method", "tools/list");
    let response = server.ask(ask).await;
    assert_eq!((response.status, response.code()), (400, -32022));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_must_accept_both_kinds_of_answers() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for accept in ["application/json", "text/event-stream", "*/*", ""] {
        let ask = echo().without("Accept").with("Accept", accept);
        assert_eq!(server.ask(ask).await.status, 406, "{accept}");
    }
    assert_eq!(fixture.records().len(), 0);
}
