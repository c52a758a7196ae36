//! What the server remembers of older clients.

use super::client::{Ask, Server};
use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::{Value, json};
use std::collections::HashSet;

fn request(id: Value, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn cancelled(id: Value) -> Value {
    let params = json!({ "requestId": id });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
}

async fn echo(server: &Server, session: &str) -> u16 {
    let call = json!({ "name": "kit_echo", "arguments": { "text": "hi" } });
    let call = request(json!("echo"), "tools/call", call);
    let response = server.ask(Ask::legacy(session, &call)).await;
    if response.status == 200 {
        assert_eq!(texts(&response.json()["result"]), ["hi"]);
    }
    response.status
}

/// The cases of S207 that need no second principal.
#[tokio::test(flavor = "multi_thread")]
async fn s207_only_the_server_makes_ids_and_none_can_be_guessed() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut ids = HashSet::new();
    for _ in 0..8 {
        let id = server.session().await;
        assert_eq!(id.len(), 64);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        ids.insert(id);
    }
    assert_eq!(ids.len(), 8);
    let known = ids.iter().next().unwrap().clone();
    for id in [
        "mine",
        "00000000-0000-0000-0000-000000000000",
        "unknown",
        &known.to_uppercase(),
        &known[..63],
        &format!("{known}0"),
        &"x".repeat(8_000),
    ] {
        assert_eq!(echo(&server, id).await, 404, "{id}");
        assert_eq!(server.ask(Ask::news(id)).await.status, 404);
        let delete = Ask::new("DELETE /mcp HTTP/1.1").with("Mcp-Session-Id", id);
        assert_eq!(server.ask(delete).await.status, 404);
    }
    // None at all, or two.
    let list = request(json!(1), "tools/list", json!({}));
    let none = Ask::legacy(&known, &list).without("Mcp-Session-Id");
    assert_eq!(server.ask(none).await.status, 400);
    let two = Ask::legacy(&known, &list).with("Mcp-Session-Id", "mine");
    assert_eq!(server.ask(two).await.status, 400);
    assert_eq!(echo(&server, &known).await, 200);
    // Ended by its client, it is gone for all.
    let delete = Ask::new("DELETE /mcp HTTP/1.1").with("Mcp-Session-Id", &known);
    let deleted = server.ask(delete.clone()).await;
    assert!((200..300).contains(&deleted.status));
    assert_eq!(server.ask(delete).await.status, 404);
    assert_eq!(echo(&server, &known).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn s203_an_id_in_use_is_refused_and_no_answer_goes_astray() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let (one, two) = (server.session().await, server.session().await);
    let spin = request(json!("twice"), "tools/call", json!({ "name": "kit_spin" }));
    let mut first = server.connect().await;
    first.send(Ask::legacy(&one, &spin)).await;
    assert_eq!(first.head().await.status, 200);
    let list = request(json!("twice"), "tools/list", json!({}));
    let refused = server.ask(Ask::legacy(&one, &list)).await;
    assert_eq!((refused.status, refused.code()), (400, -32600));
    assert_eq!(refused.json()["id"], Value::Null);
    // In another session it is another id.
    let other = server.ask(Ask::legacy(&two, &list)).await.json();
    assert!(other["result"]["tools"].is_array());
    let taken_back = server
        .ask(Ask::legacy(&one, &cancelled(json!("twice"))))
        .await;
    assert_eq!(taken_back.status, 202);
    fixture.records_after(1).await;
    assert_eq!(first.event().await, None);
    // An answer could still be on its way, so the id stays in use; others are free once answered.
    assert_eq!(server.ask(Ask::legacy(&one, &list)).await.status, 400);
    for id in [json!(7), json!("7"), json!(7)] {
        let ping = request(id.clone(), "ping", json!({}));
        let answer = server.ask(Ask::legacy(&one, &ping)).await.json();
        assert_eq!((&answer["id"], &answer["result"]), (&id, &json!({})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s206_a_cancellation_reaches_only_what_is_its_own() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let (one, two) = (server.session().await, server.session().await);
    let spin = request(json!(9), "tools/call", json!({ "name": "kit_spin" }));
    let mut running = server.connect().await;
    running.send(Ask::legacy(&one, &spin)).await;
    assert_eq!(running.head().await.status, 200);
    assert_eq!(echo(&server, &two).await, 200);
    for session in [&one, &two] {
        for id in [
            json!(4711),
            json!("9"),
            json!("echo"),
            json!("echo"),
            json!(null),
            json!([1]),
        ] {
            let response = server.ask(Ask::legacy(session, &cancelled(id))).await;
            assert_eq!(response.status, 202);
        }
    }
    // The very id, from another session and from none.
    let foreign = server.ask(Ask::legacy(&two, &cancelled(json!(9)))).await;
    assert_eq!(foreign.status, 202);
    let modern = Ask::post(cancelled(json!(9)).to_string())
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "notifications/cancelled");
    assert_eq!(server.ask(modern).await.status, 202);
    assert_eq!(echo(&server, &one).await, 200);
    assert_eq!(fixture.records().len(), 2);
    for _ in 0..2 {
        let own = server.ask(Ask::legacy(&one, &cancelled(json!(9)))).await;
        assert_eq!(own.status, 202);
    }
    let records = fixture.records_after(3).await;
    assert_eq!(records[2].outcome, "cancelled");
    assert_eq!(running.event().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_sessions() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut sessions = Vec::new();
    for _ in 0..64 {
        sessions.push(server.session().await);
    }
    let refused = server.ask(Ask::initialize()).await;
    assert_eq!((refused.status, refused.code()), (503, -32000));
    assert_eq!(refused.json()["id"], 0);
    assert_eq!(
        refused.json()["error"]["data"]["reason"],
        "limit.concurrency"
    );
    // The others go on, the stateless protocol needs none, and one that ends makes room.
    assert_eq!(echo(&server, &sessions[0]).await, 200);
    let list = server.modern("tools/list", json!({})).await;
    assert!(list["result"]["tools"].is_array());
    let delete = Ask::new("DELETE /mcp HTTP/1.1").with("Mcp-Session-Id", &sessions[0]);
    assert_eq!(server.ask(delete).await.status, 204);
    server.session().await;
}
