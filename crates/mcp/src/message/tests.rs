use super::*;

fn read(line: &[u8]) -> Result<Read, Rejection> {
    super::read(line, MAX_VALUES)
}

fn rejected(line: impl AsRef<[u8]>) -> Value {
    match read(line.as_ref()) {
        Err(rejection) => serde_json::to_value(rejection).unwrap(),
        Ok(_) => panic!("accepted"),
    }
}

fn code(line: impl AsRef<[u8]>) -> (i64, Value) {
    let error = rejected(line);
    (
        error["error"]["code"].as_i64().unwrap(),
        error["id"].clone(),
    )
}

#[test]
fn what_is_not_json_is_a_parse_error_without_an_id() {
    for line in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\""[..],
        b"hello",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\0ng\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
        b"\xfe\xff\x00{\x00}",
        b"[1,2",
    ] {
        assert_eq!(code(line), (-32700, Value::Null), "{line:?}");
    }
}

#[test]
fn json_that_is_no_request_is_invalid() {
    for (line, id) in [
        ("[]", Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null),
        ("7", Value::Null),
        ("null", Value::Null),
        ("{}", Value::Null),
        (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
        (r#"{"id":1,"method":"ping"}"#, json!(1)),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, json!(1)),
        (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, json!("a")),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            json!(1),
        ),
    ] {
        assert_eq!(code(line), (-32600, id), "{line}");
    }
}

#[test]
fn ids_are_whole_numbers_or_short_strings() {
    let long = format!("\"{}\"", "x".repeat(1_000_000));
    for id in [
        "null",
        "1.5",
        "{}",
        "[1]",
        "true",
        "9223372036854775808",
        &long,
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert_eq!(code(line).0, -32600);
    }
    for id in ["0", "-7", "9223372036854775807", "\"\"", "\"é\\n\""] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        assert!(
            matches!(read(line.as_bytes()), Ok(Read::Request { .. })),
            "{id}"
        );
    }
}

#[test]
fn depth_and_odd_numbers_are_refused_with_the_id() {
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"a","arguments":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert_eq!(code(&deep), (-32600, json!(5)));
    for odd in ["1e999", r#""\ud800""#] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"a","arguments":{{"x":{odd}}}}}}}"#
        );
        assert_eq!(code(line), (-32600, json!(5)), "{odd}");
    }
}

#[test]
fn no_key_may_occur_twice() {
    for line in [
        r#"{"jsonrpc":"2.0","id":5,"method":"ping","method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"a","arguments":{"x":[{"y":1,"\u0079":2}]}}}"#,
    ] {
        assert_eq!(code(line), (-32600, json!(5)), "{line}");
    }
    assert_eq!(
        code(r#"{"jsonrpc":"2.0","id":5,"id":6,"method":"ping"}"#).0,
        -32600
    );
}

#[test]
fn params_that_do_not_fit_are_invalid_params() {
    for params in [
        "",
        r#","params":null"#,
        r#","params":[]"#,
        r#","params":{}"#,
        r#","params":{"name":7}"#,
        r#","params":{"name":"a","arguments":[]}"#,
        r#","params":{"name":"a","arguments":"{}"}"#,
        r#","params":{"name":"a","_meta":7}"#,
    ] {
        let line = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call"{params}}}"#);
        assert_eq!(code(line), (-32602, json!(1)), "{params}");
    }
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    assert_eq!(code(line), (-32602, json!(1)));
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"other","params":7}"#;
    assert_eq!(code(line), (-32602, json!(1)));
}

/// The method is gone there, so its params are nobody's to judge.
#[test]
fn a_handshake_of_the_stateless_protocol_is_left_to_be_unknown() {
    let line = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"VERSION","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let modern = line.replace("VERSION", "2026-07-28");
    assert!(matches!(read(modern.as_bytes()), Ok(Read::Request { .. })));
    let older = line.replace("VERSION", "2025-11-25");
    assert_eq!(code(older), (-32602, json!(1)));
}

#[test]
fn a_call_is_read_with_its_meta() {
    let line = "\u{feff}  {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":\
                {\"_meta\":{\"progressToken\":3},\"arguments\":{\"x\":18446744073709551615},\
                \"name\":\"a\"}}\r";
    let Ok(Read::Request { id, request }) = read(line.as_bytes()) else {
        panic!("not read");
    };
    assert_eq!(id, RequestId::Number(1));
    assert_eq!(request.get_meta()["progressToken"], 3);
    let ClientRequest::CallToolRequest(call) = *request else {
        panic!("no call");
    };
    assert_eq!(call.params.name, "a");
    assert_eq!(call.params.arguments.unwrap()["x"], json!(u64::MAX));
}

#[test]
fn notifications_and_answers_are_never_answered() {
    for line in [
        "",
        "  \r",
        r#"{"jsonrpc":"2.0","method":"notifications/other","params":7}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
    ] {
        assert!(matches!(read(line.as_bytes()), Ok(Read::Nothing)), "{line}");
    }
    let line = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#;
    assert!(matches!(read(line.as_bytes()), Ok(Read::Cancelled(..))));
    let line = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert!(matches!(read(line.as_bytes()), Ok(Read::Notification(_))));
}

#[test]
fn a_message_of_too_many_values_is_not_built() {
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{{"name":"a","arguments":{{"x":[0{}]}}}}}}"#,
        ",0".repeat(MAX_VALUES)
    );
    let error = rejected(line);
    assert_eq!(error["id"], 9);
    assert_eq!(error["error"]["data"]["reason"], "limit.body");
}
