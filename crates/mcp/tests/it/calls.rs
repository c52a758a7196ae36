//! Calls and what comes of them.

use crate::client::texts;
use crate::fixture::Fixture;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread")]
async fn s230_results_are_structured_and_match_their_schema() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let list = client.request("tools/list", json!({})).await;
    let schemas: BTreeMap<String, Value> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            (
                tool["name"].as_str().unwrap().to_owned(),
                tool["outputSchema"].clone(),
            )
        })
        .collect();
    for (tool, arguments, result, text) in [
        (
            "kit_echo",
            json!({"text": "a \"b\"\n"}),
            json!("a \"b\"\n"),
            "a \"b\"\n",
        ),
        (
            "kit_sum",
            json!({"point": {"x": 40, "y": 2}}),
            json!(42),
            "42",
        ),
        ("kit_large", json!({"n": 7}), json!(7), "7"),
        (
            "kit_large",
            json!({"n": "18446744073709551615"}),
            json!("18446744073709551615"),
            "18446744073709551615",
        ),
        ("kit_float", json!({"n": 0.5}), json!(0.5), "0.5"),
        ("kit_float", json!({"n": "NaN"}), json!("NaN"), "NaN"),
        (
            "kit_float",
            json!({"n": "-Infinity"}),
            json!("-Infinity"),
            "-Infinity",
        ),
        ("kit_bytes", json!({"data": "/wA="}), json!("/wA="), "/wA="),
        (
            "kit_bytes",
            json!({"data": [255, 0]}),
            json!("/wA="),
            "/wA=",
        ),
        (
            "kit_numbers",
            json!({"items": [1, 2]}),
            json!([1, 2]),
            "[1,2]",
        ),
        ("kit_check", json!({"ok": true}), json!(7), "7"),
        ("kit_print", json!({"text": "x"}), json!(null), "null"),
    ] {
        let answer = client.call(tool, arguments).await;
        assert_eq!(answer["isError"], false, "{answer}");
        assert_eq!(answer["structuredContent"], json!({ "result": result }));
        assert_eq!(texts(&answer), [text]);
        jsonschema::validate(&schemas[tool], &answer["structuredContent"]).unwrap();
        assert!(answer["_meta"]["casemate/usage"]["output"].is_u64());
        assert!(answer["_meta"].get("casemate/denials").is_none());
    }
    assert_eq!(fixture.records().len(), 12);
    assert_eq!(fixture.records()[0].caller, "transcript 1");
}

/// peers.md, Wassette 15.
#[tokio::test(flavor = "multi_thread")]
async fn wassette_15_the_err_of_a_function_is_an_error_with_its_value() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let list = client.request("tools/list", json!({})).await;
    let answer = client.call("kit_check", json!({ "ok": false })).await;
    assert_eq!(answer["isError"], true);
    assert_eq!(answer["structuredContent"], json!({ "error": "!no-" }));
    assert_eq!(texts(&answer), ["!no-"]);
    // Some clients validate errors too.
    let tools = list["result"]["tools"].as_array().unwrap();
    let check = tools.iter().find(|tool| tool["name"] == "kit_check");
    jsonschema::validate(
        &check.unwrap()["outputSchema"],
        &answer["structuredContent"],
    )
    .unwrap();
    assert_eq!(fixture.records()[0].outcome, "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn s226_what_a_client_calls_itself_stays_one_word_in_the_record() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client
        .request(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {
                    "name": format!("a\n{{\"level\":\"error\"}}\u{1b}[2J{}", "x".repeat(10_000)),
                    "version": "\u{202e}1",
                },
            }),
        )
        .await;
    client.call("kit_echo", json!({ "text": "hi" })).await;
    let record = &fixture.records()[0];
    assert!(record.caller.len() <= 128);
    assert!(!record.caller.contains(['\u{1b}', '\u{202e}']));
    // One line of the log, whatever is in it.
    assert!(!serde_json::to_string(record).unwrap().contains('\n'));
}

/// peers.md, Wassette 11.
#[tokio::test(flavor = "multi_thread")]
async fn wassette_11_a_long_string_with_wide_characters_is_answered() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for filler in 195..=205 {
        let text = format!("{}éß漢🦀{}", "a".repeat(filler), "z".repeat(100));
        let answer = client.call("kit_echo", json!({ "text": text })).await;
        assert_eq!(texts(&answer), [text.as_str()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s209_what_is_no_tool_is_refused_before_anything_starts() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let long = "x".repeat(100_000);
    for (name, shown) in [
        ("nothing", "Unknown tool: nothing"),
        ("KIT_ECHO", "Unknown tool: KIT_ECHO"),
        ("kit-echo", "Unknown tool: kit-echo"),
        (
            "kit_echo\n\u{1b}[31m",
            "Unknown tool: kit_echo\\u{a}\\u{1b}[31m",
        ),
        ("kit_\u{435}cho", "Unknown tool: kit_\u{435}cho"),
        ("\u{202e}ohce", "Unknown tool: \\u{202e}ohce"),
        ("../../etc/passwd", "Unknown tool: ../../etc/passwd"),
        ("", "Unknown tool: "),
        (&long, ""),
    ] {
        let answer = client
            .request("tools/call", json!({ "name": name, "arguments": {} }))
            .await;
        assert_eq!(answer["error"]["code"], -32602);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.len() < 200);
        assert!(shown.is_empty() || message == shown, "{message}");
    }
    for arguments in [json!([]), json!("{}"), json!(7)] {
        let params = json!({ "name": "kit_echo", "arguments": arguments });
        let answer = client.request("tools/call", params).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    assert_eq!(fixture.records().len(), 0);
}

/// S209 and peers.md, Wassette 12 and ACT 5.
#[tokio::test(flavor = "multi_thread")]
async fn s209_act_05_arguments_that_do_not_fit_name_the_field() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for (tool, arguments, text) in [
        (
            "kit_sum",
            json!({"point": {"x": "one", "y": 2}}),
            "invalid.arguments: arguments.point.x: expected integer",
        ),
        (
            "kit_sum",
            json!({"point": {"x": 1}}),
            "invalid.arguments: arguments.point.y: missing",
        ),
        (
            "kit_sum",
            json!({}),
            "invalid.arguments: arguments.point: missing",
        ),
        (
            "kit_echo",
            json!({"text": "a", "more": "SECRET"}),
            "invalid.arguments: arguments: unknown key",
        ),
        (
            "kit_echo",
            json!({"text": "a", "\n\u{202e}": 1}),
            "invalid.arguments: arguments: unknown key",
        ),
        (
            "kit_echo",
            Value::Null,
            "invalid.arguments: arguments.text: missing",
        ),
    ] {
        let answer = client.call(tool, arguments).await;
        assert_eq!(answer["isError"], true);
        assert!(answer.get("structuredContent").is_none());
        let text_of = texts(&answer)[0];
        assert!(text_of.starts_with(text), "{text_of}");
        assert!(!text_of.contains("SECRET") && !text_of.contains(['\n', '\u{202e}']));
    }
    assert_eq!(fixture.records().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s210_arguments_come_back_exactly_or_with_an_error() {
    let _alone = crate::LARGE.lock().await;
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    for (n, result) in [
        (json!(u64::MAX), json!("18446744073709551615")),
        (
            json!(9_007_199_254_740_991_u64),
            json!(9_007_199_254_740_991_u64),
        ),
        (json!(9_007_199_254_740_993_u64), json!("9007199254740993")),
        (json!("9007199254740993"), json!("9007199254740993")),
    ] {
        let answer = client.call("kit_large", json!({ "n": n })).await;
        assert_eq!(answer["structuredContent"], json!({ "result": result }));
    }
    for n in [
        "18446744073709551616",
        "-1",
        "1.5",
        "1e400",
        "\"x\"",
        "-0.5",
    ] {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":"n","method":"tools/call","params":{{"name":"kit_large","arguments":{{"n":{n}}}}}}}"#
        );
        client.line(&line).await;
        let answer = client.next().await;
        assert_eq!(answer["id"], "n");
        let refused = answer["result"]["isError"] == true || answer["error"].is_object();
        assert!(refused, "{n}: {answer}");
    }
    let answer = client.call("kit_float", json!({ "n": -0.0 })).await;
    let back = answer["structuredContent"]["result"].as_f64().unwrap();
    assert!(back == 0.0 && back.is_sign_negative());
    for letter in [json!("ab"), json!(""), json!(65)] {
        let answer = client.call("kit_letter", json!({ "it": letter })).await;
        assert_eq!(answer["isError"], true);
    }
    let million: Vec<u32> = (0..1_000_000).collect();
    let answer = client
        .call("kit_numbers", json!({ "items": million }))
        .await;
    // Longer than the megabyte of output that is allowed: a clear error, not half a list.
    assert!(texts(&answer)[0].starts_with("limit.output"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_names_its_reason_and_harms_nobody() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let answer = client.call("kit_crash", json!({})).await;
    assert_eq!(answer["isError"], true);
    assert!(answer.get("structuredContent").is_none());
    let call = answer["_meta"]["casemate/call"].as_str().unwrap();
    let text = texts(&answer)[0];
    assert!(text.starts_with("trap.unreachable: "), "{text}");
    assert!(text.ends_with(&format!("(call {call})")), "{text}");
    assert_eq!(fixture.records()[0].call, call);
    let answer = client.call("kit_echo", json!({ "text": "on" })).await;
    assert_eq!(answer["isError"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_on_the_way_is_told_apart_from_the_result() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let answer = client.call("kit_dial", json!({})).await;
    assert_eq!(answer["isError"], false);
    assert_eq!(answer["structuredContent"], json!({ "result": 1 }));
    let call = answer["_meta"]["casemate/call"].as_str().unwrap();
    let texts = texts(&answer);
    assert_eq!(texts.len(), 2);
    assert!(texts[1].starts_with("Casemate refused: "), "{}", texts[1]);
    assert!(texts[1].ends_with(&format!("(denied.socket), call {call}")));
    let denials = answer["_meta"]["casemate/denials"].as_array().unwrap();
    assert_eq!(denials.len(), 1);
    assert_eq!(denials[0]["reason"], "denied.socket");
    assert_eq!(denials[0]["count"], 1);
    assert!(!answer.to_string().contains("casemate grant"));
    assert_eq!(fixture.records()[0].denials.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_ends_the_call_is_an_error_with_its_reason() {
    let fixture = Fixture::with_policy("permissions:\n  clocks: none\n");
    let mut client = fixture.client().legacy().await;
    let answer = client.call("kit_now", json!({})).await;
    assert_eq!(answer["isError"], true);
    let texts = texts(&answer);
    assert!(texts[0].starts_with("denied.clock: "), "{}", texts[0]);
    assert!(texts[1].starts_with("Casemate refused: "), "{}", texts[1]);
    assert_eq!(
        answer["_meta"]["casemate/denials"][0]["reason"],
        "denied.clock"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_and_what_was_used_are_told_of_calls_that_failed_too() {
    let fixture = Fixture::with_policy(
        "permissions:\n  resources: { limits: { rate: \"3/h\" } }\n  tools:\n    spin: { resources: { limits: { cpu-time: \"50ms\" } } }\n    now: { clocks: none }\n",
    );
    let mut client = fixture.client().legacy().await;
    // Refused, stopped at its limit, returned, and not started.
    let refused = client.call("kit_now", json!({})).await;
    let stopped = client.call("kit_spin", json!({})).await;
    let returned = client.call("kit_echo", json!({ "text": "a" })).await;
    let late = client.call("kit_echo", json!({ "text": "a" })).await;
    let records = fixture.records();
    for (answer, record) in [&refused, &stopped, &returned, &late]
        .into_iter()
        .zip(&records)
    {
        let meta = &answer["_meta"];
        assert_eq!(
            meta["casemate/usage"],
            serde_json::to_value(record.usage).unwrap()
        );
        assert_eq!(
            meta.get("casemate/limit").cloned().unwrap_or_default(),
            serde_json::to_value(record.limit).unwrap()
        );
    }
    assert!(
        texts(&refused)[0].starts_with("denied.clock: "),
        "{refused}"
    );
    assert!(refused["_meta"]["casemate/usage"]["memory"].as_u64() > Some(0));
    let text = texts(&stopped)[0];
    assert!(text.starts_with("limit.cpu: "), "{text}");
    assert!(
        text.contains(" of processor time used, 50 ms allowed (call "),
        "{text}"
    );
    let limit = &stopped["_meta"]["casemate/limit"];
    assert_eq!(
        (&limit["allowed"], &limit["unit"]),
        (&json!(50_000), &json!("us"))
    );
    assert!(stopped["_meta"]["casemate/usage"]["cpu_us"].as_u64() >= Some(50_000));
    assert_eq!(returned["isError"], false);
    let text = texts(&late)[0];
    assert!(
        text.starts_with(
            "limit.rate: 4 calls in an hour, 3 allowed; the next one is let through in "
        ),
        "{text}"
    );
    assert_eq!(late["_meta"]["casemate/usage"]["memory"], 0);
    assert_eq!(records.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_guest_is_stopped_and_does_not_hold_up_others() {
    let fixture = Fixture::with_policy(
        "permissions:\n  resources:\n    limits: { cpu-time: \"300ms\", concurrency: 8 }\n",
    );
    let mut client = fixture.client().legacy().await;
    let mut spins = Vec::new();
    for _ in 0..4 {
        let call = json!({ "name": "kit_spin", "arguments": {} });
        spins.push(client.ask("tools/call", call).await);
    }
    // More loops than cores, and the server still answers at once.
    let answer = client.request("ping", json!({})).await;
    assert_eq!(answer["result"], json!({}));
    for _ in spins {
        let answer = client.next().await;
        let text = texts(&answer["result"])[0].to_owned();
        assert!(text.starts_with("limit."), "{text}");
    }
}
