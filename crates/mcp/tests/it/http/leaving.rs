//! Clients that leave, and the server's own end.

use super::client::{Ask, Connection, Server};
use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::json;
use std::time::Duration;

fn spin() -> Ask {
    Ask::modern("tools/call", json!({ "name": "kit_spin", "arguments": {} }))
}

/// A connection with a guest that spins.
async fn spinning(server: &Server, ask: Ask) -> Connection {
    let mut connection = server.connect().await;
    connection.send(ask).await;
    connection
}

/// Nothing tells a test that a guest has begun, and one that has not is cancelled all the same.
async fn begun() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s211_a_client_that_leaves_stops_its_call() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let connection = spinning(&server, spin()).await;
    begun().await;
    drop(connection);
    assert_eq!(fixture.records_after(1).await[0].outcome, "cancelled");
    // Half of the way is the whole of it.
    let mut connection = spinning(&server, spin()).await;
    begun().await;
    connection.close_input().await;
    assert_eq!(fixture.records_after(2).await[1].outcome, "cancelled");
    connection.closed().await;
}

/// As `casemate serve` runs: one thread reads, answers and runs the first slice of each call.
#[tokio::test]
async fn s211_a_client_that_leaves_stops_its_call_on_one_thread() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut connections = Vec::new();
    for _ in 0..4 {
        connections.push(spinning(&server, spin()).await);
    }
    begun().await;
    drop(connections);
    let records = fixture.records_after(4).await;
    assert!(records.iter().all(|record| record.outcome == "cancelled"));
    server.stop.cancel();
    server.ended().await;
}

/// The older protocol: a client that loses its connection has not given up its call.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_call_goes_on_without_its_connection_until_it_is_cancelled() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let session = server.session().await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "kit_spin" },
    });
    let mut connection = spinning(&server, Ask::legacy(&session, &call)).await;
    assert_eq!(connection.head().await.status, 200);
    drop(connection);
    begun().await;
    assert_eq!(fixture.records().len(), 0);
    let cancelled = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 },
    });
    assert_eq!(
        server.ask(Ask::legacy(&session, &cancelled)).await.status,
        202
    );
    assert_eq!(fixture.records_after(1).await[0].outcome, "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_spinning_guests_and_they_are_answered() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let session = server.session().await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "kit_spin" },
    });
    let mut connections = vec![
        spinning(&server, spin()).await,
        spinning(&server, spin()).await,
        spinning(&server, Ask::legacy(&session, &call)).await,
    ];
    let mut silent = server.connect().await;
    let mut news = server.connect().await;
    news.send(Ask::news(&session)).await;
    assert_eq!(news.head().await.status, 200);
    begun().await;
    server.stop.cancel();
    for connection in &mut connections {
        let answer = connection.response().await.json();
        let text = texts(&answer["result"])[0];
        assert!(text.starts_with("cancelled: "), "{text}");
    }
    silent.closed().await;
    assert_eq!(news.event().await, None);
    let address = server.address;
    server.ended().await;
    assert_eq!(fixture.records_after(3).await[0].outcome, "cancelled");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_stops_everything() {
    let fixture = Fixture::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(casemate_mcp::serve_http(
        listener,
        fixture.runtime.catalogs(),
        casemate_mcp::ServeOptions::default(),
        tokio_util::sync::CancellationToken::new(),
    ));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let bytes = spin().bytes(address.port());
    tokio::io::AsyncWriteExt::write_all(&mut stream, &bytes)
        .await
        .unwrap();
    begun().await;
    serving.abort();
    assert_eq!(fixture.records_after(1).await[0].outcome, "cancelled");
}
