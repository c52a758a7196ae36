//! Clients and guests that break the rules of the stream.

use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::{Value, json};
use std::fmt::Write as _;

#[tokio::test(flavor = "multi_thread")]
async fn s133_wassette_05_what_a_guest_prints_stays_off_the_stream() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for text in [
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n",
        "half a line",
        "\u{0}\r\n\n",
        &"x".repeat(4096),
    ] {
        // Every line that comes is parsed, and the next must be the answer.
        let answer = client.call("kit_print", json!({ "text": text })).await;
        assert_eq!(answer["isError"], false, "{answer}");
        assert_eq!(texts(&answer), ["null"]);
    }
    client.silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s134_a_guest_reads_no_byte_of_the_client() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let call = json!({ "name": "kit_read", "arguments": {} });
    client.ask("tools/call", call).await;
    let pong = client.ask("ping", json!({})).await;
    let answers = [client.next().await, client.next().await];
    assert!(answers.iter().any(|answer| answer["id"] == pong));
    let read = answers.iter().find(|answer| answer["id"] != pong).unwrap();
    // 1 is the error case of the stream: it is closed.
    assert_eq!(read["result"]["structuredContent"], json!({ "result": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn s203_odd_ids_are_refused_and_no_answer_goes_astray() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let long = format!("\"{}\"", "i".repeat(1 << 20));
    for id in ["null", "1.5", "{}", "[]", "true", long.as_str()] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list"}}"#);
        client.line(&line).await;
        let answer = client.next().await;
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["id"], Value::Null);
        assert!(answer.to_string().len() < 300);
    }
    // The same id while the first is in progress: the first is answered, the second refused.
    let spin =
        r#"{"jsonrpc":"2.0","id":"twice","method":"tools/call","params":{"name":"kit_spin"}}"#;
    let list = r#"{"jsonrpc":"2.0","id":"twice","method":"tools/list"}"#;
    client.line(spin).await;
    client.line(list).await;
    let refused = client.next().await;
    assert_eq!(refused["error"]["code"], -32600);
    assert_eq!(refused["id"], Value::Null);
    client
        .notify("notifications/cancelled", json!({ "requestId": "twice" }))
        .await;
    fixture.records_after(1).await;
    // A number and its text are two ids; once answered, an id is free.
    for id in ["7", "\"7\"", "7"] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        client.line(&line).await;
        let answer = client.next().await;
        assert_eq!(answer["id"].to_string(), id);
        assert_eq!(answer["result"], json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s204_wassette_12_broken_lines_are_answered_and_the_next_is_served() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","arguments":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    for (line, code) in [
        (format!("{ping}{ping}\n").into_bytes(), -32700),
        (b"{\"jsonrpc\":\"2.0\",\"id\":1,\n".to_vec(), -32700),
        (b"\"method\":\"ping\"}\n".to_vec(), -32700),
        (b"\0\n".to_vec(), -32700),
        (b"\xff\xfe{}\n".to_vec(), -32700),
        (b"Content-Length: 42\r\n".to_vec(), -32700),
        (format!("[{ping}]\n").into_bytes(), -32600),
        (b"[]\n".to_vec(), -32600),
        (format!("{deep}\n").into_bytes(), -32600),
        (format!("{}\n", "[".repeat(100_000)).into_bytes(), -32700),
    ] {
        client.raw(&line).await;
        let answer = client.next().await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    // Line ends of another system, a byte order mark, empty lines, a line in many pieces.
    client.raw(format!("\r\n\n{ping}\r\n").as_bytes()).await;
    assert_eq!(client.next().await["result"], json!({}));
    client.raw(format!("\u{feff}{ping}\n").as_bytes()).await;
    assert_eq!(client.next().await["result"], json!({}));
    for byte in format!("{ping}\n").bytes() {
        client.raw(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.next().await["result"], json!({}));
}

/// Bad input of the issue: a 30 MB argument.
#[tokio::test(flavor = "multi_thread")]
async fn s204_a_line_that_is_too_long_is_refused_by_its_id() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let text = "x".repeat(30_000_000);
    for line in [
        format!(
            r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{{"name":"kit_echo","arguments":{{"text":"{text}"}}}}}}"#
        ),
        format!(
            r#"{{"method":"tools/call","params":{{"name":"kit_echo","arguments":{{"id":7,"text":"{text}"}}}},"jsonrpc":"2.0","id":"a"}}"#
        ),
    ] {
        client.line(&line).await;
        let answer = client.next().await;
        assert_eq!(answer["id"], "a");
        assert_eq!(answer["error"]["code"], -32600);
        assert_eq!(answer["error"]["data"]["reason"], "limit.body");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("16 MiB"), "{message}");
    }
    client.line(&text).await;
    assert_eq!(client.next().await["id"], Value::Null);
    // The connection lives, and what fits is served.
    let text = "é".repeat(400_000);
    let answer = client.call("kit_echo", json!({ "text": text })).await;
    assert_eq!(texts(&answer), [text.as_str()]);
    assert_eq!(fixture.records().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s204_a_line_without_end_takes_no_memory() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let before = resident();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        client.raw(&chunk).await;
    }
    assert!(resident().saturating_sub(before) < 100 << 20);
    client.line("").await;
    assert_eq!(client.next().await["error"]["data"]["reason"], "limit.body");
}

#[tokio::test(flavor = "multi_thread")]
async fn s204_a_client_that_reads_nothing_takes_bounded_memory() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let before = resident();
    let mut requests = String::new();
    for id in 0..1_000 {
        let _ = writeln!(
            requests,
            r#"{{"jsonrpc":"2.0","id":"r{id}","method":"tools/list"}}"#
        );
    }
    // Some 10 kB each: without a bound, hundreds of megabytes.
    for round in 0..40 {
        let requests = requests.replace("\"r", &format!("\"r{round}-"));
        let sent = tokio::time::timeout(
            std::time::Duration::from_secs(2),
            client.raw(requests.as_bytes()),
        )
        .await;
        if sent.is_err() {
            break;
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 200 << 20, "{grown}");
    client.stop.cancel();
    client.ended_unread().await;
}

/// Bytes of memory that this process holds.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn s225_guest_text_is_escaped_by_json_and_nothing_else() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let text = "\u{1b}[31mred\u{1b}]52;c;aGk=\u{7}\r\u{9b}2J\n{\"level\":\"error\"}\u{2028}\u{0}";
    let answer = client.call("kit_echo", json!({ "text": text })).await;
    assert_eq!(texts(&answer), [text]);
    assert_eq!(answer["structuredContent"]["result"], text);
}

#[tokio::test(flavor = "multi_thread")]
async fn s229_links_in_an_output_are_text_and_nobody_follows_them() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let here = format!("http://{}/secret", listener.local_addr().unwrap());
    let bomb = format!("data:text/plain;base64,{}", "QUFB".repeat(16 * 1024));
    for uri in [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        &here,
        &bomb,
    ] {
        let link = json!({ "type": "resource_link", "uri": uri, "name": "notes" });
        let embedded = json!({ "type": "resource", "resource": { "uri": uri, "text": "x" } });
        let image = json!({ "type": "image", "data": uri, "mimeType": "image/png" });
        let whole = json!({ "content": [link, embedded, image], "isError": false });
        for text in [uri.to_owned(), link.to_string(), whole.to_string()] {
            let answer = client.call("kit_echo", json!({ "text": text })).await;
            // One block, of text, with what the guest said and nothing in its place.
            assert_eq!(answer["content"], json!([{ "type": "text", "text": text }]));
            assert_eq!(answer["structuredContent"], json!({ "result": text }));
            assert_eq!(answer["isError"], false);
        }
    }
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}
