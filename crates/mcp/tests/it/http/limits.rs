//! Many connections, slow ones, and ones that do not listen.

use super::client::Ask;
use crate::client::texts;
use crate::fixture::Fixture;
use crate::hostile::resident;
use serde_json::json;
use std::time::{Duration, Instant};

fn listen() -> Ask {
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    Ask::modern("subscriptions/listen", filter)
}

#[tokio::test(flavor = "multi_thread")]
async fn s212_streams_and_connections_have_a_bound_and_leave_room_for_calls() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut streams = Vec::new();
    for _ in 0..128 {
        let mut stream = server.connect().await;
        stream.send(listen()).await;
        assert_eq!(stream.head().await.status, 200);
        streams.push(stream);
    }
    let refused = server.ask(listen()).await;
    assert_eq!((refused.status, refused.code()), (503, -32000));
    assert_eq!(refused.json()["id"], 1);
    let result = server.call("kit_echo", json!({ "text": "hi" })).await;
    assert_eq!(texts(&result), ["hi"]);

    // Silent ones fill what is left. Those that were answered above may not be gone yet.
    let mut silent = Vec::new();
    let mut refused = false;
    for _ in 0..256 {
        let mut connection = server.connect().await;
        connection.send(Ask::modern("tools/list", json!({}))).await;
        match connection.try_response().await {
            Some(response) if response.status == 200 => silent.push(connection),
            Some(response) => {
                assert_eq!(response.status, 503);
                refused = true;
                break;
            }
            // Closed before it was heard.
            None => {
                refused = true;
                break;
            }
        }
    }
    assert!(refused);
    assert!(streams.len() + silent.len() <= 256);
    // Once they have left there is room again.
    drop((streams, silent));
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut stream = server.connect().await;
        if stream
            .try_raw(&listen().bytes(server.address.port()))
            .await
            .is_ok()
            && let Some(head) = stream.try_head().await
            && head.status == 200
        {
            break;
        }
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_no_request_is_closed() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let started = Instant::now();
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.raw(b"POST /mcp HTTP/1.1\r\nHost: loc").await;
    let mut rested = server.connect().await;
    rested.send(Ask::modern("tools/list", json!({}))).await;
    assert_eq!(rested.response().await.status, 200);
    for connection in [&mut silent, &mut slow, &mut rested] {
        connection.closed().await;
    }
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(9) && waited < Duration::from_secs(25));
}

#[tokio::test(flavor = "multi_thread")]
async fn s211_a_client_that_never_reads_takes_bounded_memory() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let before = resident();
    let list = Ask::modern("tools/list", json!({})).bytes(server.address.port());
    let many = list.repeat(100);
    let mut connections = Vec::new();
    for _ in 0..4 {
        let mut connection = server.connect().await;
        // Some 10 kB of an answer each: without a bound, hundreds of megabytes.
        for _ in 0..100 {
            let sent = connection.try_raw(&many);
            if !matches!(
                tokio::time::timeout(Duration::from_secs(2), sent).await,
                Ok(Ok(()))
            ) {
                break;
            }
        }
        connections.push(connection);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown}");
    // Nobody else notices, and the end does not wait for them.
    let result = server.call("kit_echo", json!({ "text": "hi" })).await;
    assert_eq!(texts(&result), ["hi"]);
    server.stop.cancel();
    server.ended().await;
}
