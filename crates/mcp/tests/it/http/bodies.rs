//! Bodies that are no sound message.

use super::client::Ask;
use crate::client::texts;
use crate::fixture::Fixture;
use crate::hostile::resident;
use serde_json::{Value, json};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// Arguments of a modern call, as text that no JSON library would write.
fn call(arguments: &str) -> Ask {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"kit_echo","arguments":{arguments},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    Ask::post(body)
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/call")
        .with("Mcp-Name", "kit_echo")
}

#[tokio::test(flavor = "multi_thread")]
async fn s202_what_is_no_message_is_answered_as_on_standard_input() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for (body, code) in [
        (b"".to_vec(), -32700),
        (b" \r\n".to_vec(), -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,".to_vec(), -32700),
        (format!("{PING}{PING}").into_bytes(), -32700),
        (b"\xff\xfe{}".to_vec(), -32700),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}".to_vec(),
            -32700,
        ),
        (format!("[{PING}]").into_bytes(), -32600),
        (b"[]".to_vec(), -32600),
        (b"7".to_vec(), -32600),
        (
            br#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_vec(),
            -32600,
        ),
        (
            br#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_vec(),
            -32600,
        ),
    ] {
        let response = server.ask(Ask::post(body.clone())).await;
        assert_eq!(
            (response.status, response.code()),
            (400, code),
            "{}",
            String::from_utf8_lossy(&body)
        );
        assert!(response.json().get("id").is_some());
    }
    for arguments in [
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        r#"{"text":"\ud800"}"#.to_owned(),
        r#"{"text":1e400}"#.to_owned(),
        r#"{"text":"a","text":"b"}"#.to_owned(),
    ] {
        let response = server.ask(call(&arguments)).await;
        assert_eq!((response.status, response.code()), (400, -32600));
        assert_eq!(response.json()["id"], 5);
    }
    // What a reader may pass over.
    let sound = Ask::modern("tools/list", json!({}));
    let text = String::from_utf8(sound.bytes(0)).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let marked = Ask::post(format!("\u{feff} {body}\r\n"))
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", "tools/list");
    let response = server.ask(marked).await;
    assert_eq!(response.status, 200);
    assert!(response.json()["result"]["tools"].is_array());
    assert_eq!(fixture.records().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s202_a_body_that_is_too_long_is_refused_by_its_id() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let arguments = |length: usize| format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
    // The issue's 30 MB argument; one byte too many.
    let frame = call(&arguments(0)).bytes(0);
    let frame = String::from_utf8(frame).unwrap();
    let frame = frame.split_once("\r\n\r\n").unwrap().1.len();
    for length in [30_000_000, (4 << 20) + 1 - frame] {
        let response = server.ask(call(&arguments(length))).await;
        assert_eq!((response.status, response.code()), (413, -32600));
        let message = response.json();
        assert_eq!(message["id"], 5);
        assert_eq!(message["error"]["data"]["reason"], "limit.body");
        let text = message["error"]["message"].as_str().unwrap();
        assert!(text.contains("4 MiB"), "{text}");
    }
    // What fits is served.
    let response = server.ask(call(&arguments((4 << 20) - frame))).await;
    assert_eq!(response.status, 200);
    let text = "é".repeat(400_000);
    let result = server.call("kit_echo", json!({ "text": text })).await;
    assert_eq!(texts(&result), [text.as_str()]);
    // Announced, and not even waited for.
    let huge = Ask::post("")
        .with("Content-Length", "1000000000000")
        .with("Expect", "100-continue");
    assert_eq!(server.ask(huge).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn s202_a_body_without_end_takes_no_memory() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let before = resident();
    let mut connections = Vec::new();
    for _ in 0..3 {
        let mut connection = server.connect().await;
        let head = Ask::post("").with("Transfer-Encoding", "chunked");
        connection.send(head).await;
        connections.push(tokio::spawn(async move {
            let chunk = [b"100000\r\n", vec![b'x'; 1 << 20].as_slice(), b"\r\n"].concat();
            // Until the server has had enough.
            for _ in 0..60 {
                if connection.try_raw(&chunk).await.is_err() {
                    break;
                }
            }
            connection
                .try_response()
                .await
                .map(|response| response.status)
        }));
    }
    for connection in connections {
        let status = connection.await.unwrap();
        assert!(status.is_none_or(|status| status == 413), "{status:?}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown}");
    assert_eq!(server.modern("tools/list", json!({})).await["id"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s202_many_large_bodies_wait_for_room() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let before = resident();
    // As many values as may be, in a tool that takes none, and as many bytes.
    let values = format!(
        r#"{{"a":[0{}],"b":"{}"}}"#,
        ",0".repeat(262_000),
        "x".repeat(3_500_000)
    );
    let mut connections = Vec::new();
    for _ in 0..6 {
        let mut connection = server.connect().await;
        let ask = call(&values);
        connections.push(tokio::spawn(async move {
            connection.send(ask).await;
            connection.response().await.status
        }));
    }
    for connection in connections {
        assert_eq!(connection.await.unwrap(), 200);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 300 << 20, "{grown}");
    // Twice as many would take the server's thread for seconds.
    let more = format!(r#"{{"a":[0{}]}}"#, ",0".repeat(524_000));
    let refused = server.ask(call(&more)).await;
    assert_eq!((refused.status, refused.code()), (400, -32600));
    let message = refused.json();
    assert_eq!(message["id"], 5);
    assert_eq!(message["error"]["data"]["reason"], "limit.body");
    assert_eq!(message["error"]["data"]["max_values"], 262_144);
}

#[tokio::test(flavor = "multi_thread")]
async fn s202_an_encoded_body_is_not_unpacked() {
    let fixture = Fixture::new();
    let server = fixture.server();
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip"] {
        let ask = Ask::post("\u{1f}\u{8b}").with("Content-Encoding", encoding);
        assert_eq!(server.ask(ask).await.status, 415, "{encoding}");
    }
    let two = Ask::modern("tools/list", json!({}))
        .with("Content-Encoding", "identity")
        .with("Content-Encoding", "gzip");
    assert_eq!(server.ask(two).await.status, 415);
    let plain = Ask::modern("tools/list", json!({})).with("Content-Encoding", "Identity");
    assert_eq!(server.ask(plain).await.status, 200);
    let form = Ask::modern("tools/list", json!({}))
        .without("Content-Type")
        .with("Content-Type", "text/plain");
    assert_eq!(server.ask(form).await.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn s203_odd_ids_are_refused() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let server = fixture.server();
    let long = format!("\"{}\"", "i".repeat(1 << 20));
    for id in ["null", "1.5", "{}", "[]", "true", long.as_str()] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
        let response = server.ask(Ask::post(body)).await;
        assert_eq!((response.status, response.code()), (400, -32600));
        assert_eq!(response.json()["id"], Value::Null);
        assert!(response.body.len() < 300);
    }
}

/// Requests of one id at the same time, which in the stateless protocol know nothing of each other.
#[tokio::test(flavor = "multi_thread")]
async fn s203_equal_ids_on_other_connections_do_not_meet() {
    let fixture = Fixture::new();
    let server = fixture.server();
    let mut connections = Vec::new();
    for n in 0..20 {
        let mut connection = server.connect().await;
        let call = json!({ "name": "kit_echo", "arguments": { "text": n.to_string() } });
        connection.send(Ask::modern("tools/call", call)).await;
        connections.push(connection);
    }
    for (n, connection) in connections.iter_mut().enumerate() {
        let answer = connection.response().await.json();
        assert_eq!(texts(&answer["result"]), [n.to_string().as_str()]);
    }
}
