//! Bytes that two readers could take for different requests.

use super::client::{Ask, Server};
use crate::fixture::Fixture;
use serde_json::json;

/// A sound request as text, with `edit` done to it.
fn edited(server: &Server, edit: impl Fn(&str) -> String) -> Vec<u8> {
    let sound = Ask::modern("tools/list", json!({})).bytes(server.address.port());
    edit(std::str::from_utf8(&sound).unwrap()).into_bytes()
}

/// The statuses of all that is answered until the server closes the connection.
async fn statuses(server: &Server, bytes: &[u8]) -> Vec<u16> {
    let mut connection = server.connect().await;
    connection.raw(bytes).await;
    let mut statuses = Vec::new();
    while let Some(response) = connection.try_response().await {
        statuses.push(response.status);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn s214_two_lengths_are_one_request_and_the_last() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let hidden = Ask::modern(
        "tools/call",
        json!({ "name": "kit_echo", "arguments": { "text": "smuggled" } }),
    );
    let hidden = String::from_utf8(hidden.bytes(server.address.port())).unwrap();
    for (one, two) in [
        ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"),
        ("Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\n"),
    ] {
        let bytes = edited(&server, |text| {
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}\r\n", body.len());
            let head = head.replace(&length, &format!("{one}{two}"));
            format!(
                "{head}\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n{hidden}",
                body.len()
            )
        });
        // The chunks count, and what follows is never read.
        assert_eq!(statuses(&server, &bytes).await, [200]);
    }
    for bad in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\n folded: yes\r\n",
    ] {
        let bytes = edited(&server, |text| {
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let length = format!("Content-Length: {}\r\n", body.len());
            format!("{}\r\n\r\n{body}{hidden}", head.replace(&length, bad))
        });
        assert_eq!(statuses(&server, &bytes).await, [400], "{bad}");
    }
    assert_eq!(fixture.records().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s214_what_is_no_header_ends_the_connection() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (bad, status) in [
        ("X-A: 1\r\n folded\r\n", 400),
        ("X-A: 1\r\n\tfolded\r\n", 400),
        (" X-A: 1\r\n", 400),
        ("X-A : 1\r\n", 400),
        ("X A: 1\r\n", 400),
        ("X-\u{e9}: 1\r\n", 400),
        (": 1\r\n", 400),
        ("X-A\r\n", 400),
        ("X-A: a\rb\r\n", 400),
        ("X-A: a\0b\r\n", 400),
        (&"X-A: 1\r\n".repeat(100), 431),
        (&format!("X-A: {}\r\n", "x".repeat(20_000)), 431),
        (&format!("X-A: {}\r\n", "x".repeat(200_000)), 431),
    ] {
        let bytes = edited(&server, |text| {
            text.replacen("Content-Type", &format!("{bad}Content-Type"), 1)
        });
        let mut connection = server.connect().await;
        // It may have heard enough before the end.
        let _ = connection.try_raw(&bytes).await;
        let told = connection
            .try_response()
            .await
            .map(|response| response.status);
        assert!(told.is_none_or(|told| told == status), "{bad:.20} {told:?}");
        assert!(connection.try_response().await.is_none());
    }
    // Bytes beyond ASCII are no name of anything: not of the host, not of a method.
    for name in ["Host", "Mcp-Method", "Origin", "Mcp-Session-Id"] {
        let ask = Ask::modern("tools/list", json!({}));
        let response = server.ask(ask.without(name).with(name, "\u{e9}")).await;
        assert!(
            [400, 403].contains(&response.status),
            "{name} {}",
            response.status
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s214_chunks_are_read_one_way() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let sound = Ask::modern("tools/list", json!({})).bytes(0);
    let sound = String::from_utf8(sound).unwrap();
    let body = sound.split_once("\r\n\r\n").unwrap().1.to_owned();
    let length = body.len();
    for bad in [
        format!("{length:x}\n{body}\r\n0\r\n\r\n"),
        format!("0x{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("-{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", length - 1),
        format!("{length:x}\r\n{body}XX0\r\n\r\n"),
        format!("fffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("\r\n{body}\r\n0\r\n\r\n"),
    ] {
        let head = Ask::modern("tools/list", json!({})).with("Transfer-Encoding", "chunked");
        let head = String::from_utf8(head.bytes(server.address.port())).unwrap();
        let head = head.split_once("\r\n\r\n").unwrap().0.to_owned();
        let bytes = format!("{head}\r\n\r\n{bad}");
        assert_eq!(statuses(&server, bytes.as_bytes()).await, [400], "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s214_there_is_no_other_protocol_behind_it() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let upgrade = Ask::modern("tools/list", json!({}))
        .with("Connection", "Upgrade, HTTP2-Settings")
        .with("Upgrade", "h2c")
        .with("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
    assert_eq!(server.ask(upgrade).await.status, 200);
    let websocket = Ask::new("GET /mcp HTTP/1.1")
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .with("Sec-WebSocket-Version", "13");
    assert_eq!(server.ask(websocket).await.status, 406);
    for garbage in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET /mcp\r\n\r\n",
        b"GET /mcp HTTP/1.2\r\n\r\n",
        b"GET /m cp HTTP/1.1\r\n\r\n",
        b"CONNECT evil.com:443 HTTP/1.1\r\nHost: evil.com:443\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let statuses = statuses(&server, garbage).await;
        assert!(
            statuses
                .iter()
                .all(|status| [400, 403, 505].contains(status)),
            "{garbage:?} {statuses:?}"
        );
    }
    // Garbage behind a sound request spoils only itself.
    let bytes = edited(&server, |text| format!("{text}garbage\0\r\n\r\n"));
    assert_eq!(statuses(&server, &bytes).await, [200, 400]);
    // Two in one write are answered in their order.
    let mut connection = server.connect().await;
    let list = Ask::modern("tools/list", json!({})).bytes(server.address.port());
    connection.raw(&[list.clone(), list].concat()).await;
    for _ in 0..2 {
        assert_eq!(connection.response().await.status, 200);
    }
    // An old protocol has no Host; with one it is served, once.
    assert_eq!(statuses(&server, b"GET /mcp HTTP/1.0\r\n\r\n").await, [400]);
}
