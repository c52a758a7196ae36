//! The end of a conversation, whoever ends it.

use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_may_leave() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.close_input().await;
    assert!(client.ended().await.is_empty());
    let client = fixture.client();
    client.stop.cancel();
    assert!(client.ended().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_from_a_pipe_are_answered_before_the_end() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for n in 0..20 {
        let call = json!({ "name": "kit_echo", "arguments": { "text": n.to_string() } });
        client.ask("tools/call", call).await;
    }
    // The last one lacks its line end.
    client
        .raw(br#"{"jsonrpc":"2.0","id":"last","method":"ping"}"#)
        .await;
    client.close_input().await;
    let said = client.ended().await;
    assert_eq!(said.len(), 21);
    assert!(said.iter().all(|answer| answer["result"].is_object()));
}

#[tokio::test(flavor = "multi_thread")]
async fn s204_half_a_message_at_the_end_is_none() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    client
        .raw(br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"na"#)
        .await;
    client.close_input().await;
    let said = client.ended().await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0]["error"]["code"], -32700);
    assert_eq!(fixture.records().len(), 0);
}

/// S205 and peers.md, Wassette 9 and 12.
async fn spinning_guests_end_with_the_input() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for _ in 0..10 {
        let call = json!({ "name": "kit_spin", "arguments": {} });
        client.ask("tools/call", call).await;
    }
    client.request("ping", json!({})).await;
    client.close_input().await;
    let said = client.ended().await;
    assert_eq!(said.len(), 10);
    for answer in &said {
        let text = texts(&answer["result"])[0];
        assert!(text.starts_with("cancelled: "), "{text}");
    }
    let records = fixture.records_after(10).await;
    assert!(records.iter().all(|record| record.outcome == "cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s205_wassette_12_spinning_guests_end_with_the_input() {
    spinning_guests_end_with_the_input().await;
}

/// As `casemate serve` runs: one thread reads, answers and runs the first slice of each call.
#[tokio::test]
async fn s205_spinning_guests_end_with_the_input_on_one_thread() {
    spinning_guests_end_with_the_input().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_spinning_guests_at_once() {
    let fixture = Fixture::new();
    let mut client = fixture.client().modern();
    for _ in 0..3 {
        let call = json!({ "name": "kit_spin", "arguments": {} });
        client.ask("tools/call", call).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    client.stop.cancel();
    let said = client.ended().await;
    assert_eq!(said.len(), 3);
    assert!(started.elapsed() < Duration::from_millis(700));
    assert_eq!(fixture.records_after(3).await[0].outcome, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_closes_its_ear_ends_the_server() {
    let fixture = Fixture::new();
    let (ours, theirs) = tokio::io::duplex(64);
    let (reader, mut writer) = tokio::io::duplex(64 * 1024);
    drop(theirs);
    let serving = tokio::spawn(casemate_mcp::serve_on(
        reader,
        ours,
        fixture.runtime.catalogs(),
        casemate_mcp::ServeOptions::default(),
        tokio_util::sync::CancellationToken::new(),
    ));
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    tokio::io::AsyncWriteExt::write_all(&mut writer, ping)
        .await
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(2), serving).await;
    ended.unwrap().unwrap().unwrap();
}
