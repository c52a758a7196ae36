//! Both eras of the protocol, and what they are told of changes.

use super::client::Ask;
use crate::changes::{WRITES, hints};
use crate::client::texts;
use crate::fixture::Fixture;
use casemate_mcp::ToolFilter;
use serde_json::json;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn the_stateless_protocol_is_answered_in_json() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut connection = server.connect().await;
    // One connection for all of them.
    connection
        .send(Ask::modern("server/discover", json!({})))
        .await;
    let response = connection.response().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("mcp-session-id"), None);
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let result = &response.json()["result"];
    let server_info = json!({ "name": "casemate", "version": "9.9.9" });
    let key = "io.modelcontextprotocol/serverInfo";
    assert_eq!(result["_meta"][key], server_info);
    assert_eq!(
        result["capabilities"],
        json!({ "tools": { "listChanged": true } })
    );

    connection.send(Ask::modern("tools/list", json!({}))).await;
    let response = connection.response().await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    let result = &response.json()["result"];
    assert_eq!(result["tools"].as_array().unwrap().len(), 14);
    assert_eq!(result["cacheScope"], "private");
    assert_eq!(result["ttlMs"], 1000);

    let call = json!({ "name": "kit_echo", "arguments": { "text": "hi" } });
    connection.send(Ask::modern("tools/call", call)).await;
    let response = connection.response().await;
    assert_eq!(response.header("content-type"), Some("application/json"));
    let message = response.json();
    assert_eq!(message["id"], 1);
    assert_eq!(
        message["result"]["structuredContent"],
        json!({ "result": "hi" })
    );
    assert_eq!(message["result"]["_meta"][key], server_info);
    assert_eq!(fixture.records()[0].caller, "transcript 3");

    // What it has not, or no longer.
    for method in [
        "prompts/list",
        "initialize",
        "ping",
        "logging/setLevel",
        "install",
    ] {
        let unknown = server.ask(Ask::modern(method, json!({}))).await;
        assert_eq!((unknown.status, unknown.code()), (404, -32601), "{method}");
    }
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_name_is_recorded_as_unknown() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "kit_echo", "arguments": { "text": "hi" },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    let ask = Ask::post(body.to_string())
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/call")
        .with("Mcp-Name", "kit_echo");
    assert_eq!(server.ask(ask).await.status, 200);
    assert_eq!(fixture.records()[0].caller, "unknown");
}

/// peers.md, ACT: a call that needs consent hangs on stateless HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn act_stateless_http_does_not_hang() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let result = server.call("kit_dial", json!({})).await;
    assert_eq!(result["isError"], false);
    let texts = texts(&result);
    assert!(texts[1].starts_with("Casemate refused: "), "{}", texts[1]);
    assert_eq!(
        result["_meta"]["casemate/denials"][0]["reason"],
        "denied.socket"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_client_has_a_session() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let id = server.session().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let answer = server.ask(Ask::legacy(&id, &list)).await.json();
    assert_eq!(answer["result"]["tools"].as_array().unwrap().len(), 14);
    assert!(answer["result"].get("resultType").is_none());
    let call = json!({
        "jsonrpc": "2.0", "id": "a", "method": "tools/call",
        "params": { "name": "kit_echo", "arguments": { "text": "hi" } },
    });
    let answer = server.ask(Ask::legacy(&id, &call)).await.json();
    assert_eq!(answer["id"], "a");
    assert_eq!(texts(&answer["result"]), ["hi"]);
    assert_eq!(fixture.records()[0].caller, "transcript 1");
    // A second handshake inside of it.
    let again = Ask::initialize()
        .with("Mcp-Session-Id", &id)
        .with("MCP-Protocol-Version", "2025-11-25");
    assert_eq!(server.ask(again).await.code(), -32600);
    server.stop.cancel();
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_told_what_it_listens_to() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut listener = server.connect().await;
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    listener
        .send(Ask::modern("subscriptions/listen", filter))
        .await;
    let head = listener.head().await;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let acknowledged = listener.event().await.unwrap();
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    // Calls of others go on, and what they do is no news.
    let result = server.call("kit_echo", json!({ "text": "hi" })).await;
    assert_eq!(texts(&result), ["hi"]);
    listener.silence().await;
    fixture.write_policy(WRITES);
    let news = listener.event().await.unwrap();
    assert_eq!(news["method"], "notifications/tools/list_changed");
    assert_eq!(
        news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        1
    );
    let list = server.modern("tools/list", json!({})).await;
    assert_eq!(hints(&list)["readOnlyHint"], false);
    // The protocol's word for an orderly end.
    server.stop.cancel();
    let last = listener.event().await.unwrap();
    assert!(last["result"].is_object(), "{last}");
    assert_eq!(listener.event().await, None);
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_client_is_told_on_its_stream() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let (one, two) = (server.session().await, server.session().await);
    let mut streams = Vec::new();
    for id in [&one, &two] {
        let mut stream = server.connect().await;
        stream.send(Ask::news(id)).await;
        assert_eq!(stream.head().await.status, 200);
        streams.push(stream);
    }
    fixture.write_policy(WRITES);
    for stream in &mut streams {
        let news = stream.event().await.unwrap();
        assert_eq!(news["method"], "notifications/tools/list_changed");
        stream.silence().await;
    }
    server.stop.cancel();
    for stream in &mut streams {
        assert_eq!(stream.event().await, None);
    }
    server.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filter_refuses_is_not_there_over_http_either() {
    let fixture = Fixture::new();
    let only: ToolFilter = Arc::new(|spec| spec.name == "kit_echo");
    let server = fixture.server_of(Some(only));
    let list = server.modern("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"].as_array().unwrap().len(), 1);
    let call = json!({ "name": "kit_sum", "arguments": {} });
    let answer = server.modern("tools/call", call).await;
    assert_eq!(
        answer["error"],
        json!({ "code": -32602, "message": "Unknown tool: kit_sum" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s215_a_panic_is_answered_with_an_id_and_nothing_else() {
    let fixture = Fixture::new();
    let broken: ToolFilter = Arc::new(|_| panic!("a secret"));
    let server = fixture.server_of(Some(broken));
    let response = server.ask(Ask::modern("tools/list", json!({}))).await;
    assert_eq!(response.code(), -32603);
    let error = &response.json()["error"];
    assert_eq!(error["data"]["reason"], "internal");
    assert_eq!(error["data"]["id"].as_str().unwrap().len(), 8);
    assert!(
        !String::from_utf8(response.body.clone())
            .unwrap()
            .contains("secret")
    );
    // The next one is answered too.
    let answer = server.modern("server/discover", json!({})).await;
    assert!(answer["result"].is_object());
}
