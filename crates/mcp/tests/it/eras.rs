//! The protocol before there are tools to call: handshakes, discovery, what is not offered.

use crate::fixture::Fixture;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn every_older_handshake_is_served() {
    let fixture = Fixture::new();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = fixture.client().initialized(version).await;
        let answer = client.request("tools/list", json!({})).await;
        assert_eq!(answer["result"]["tools"].as_array().unwrap().len(), 14);
        assert!(answer["result"].get("resultType").is_none());
        let result = client.call("kit_echo", json!({ "text": "hi" })).await;
        assert_eq!(result["structuredContent"], json!({ "result": "hi" }));
        let pong = client.request("ping", json!({})).await;
        assert_eq!(pong["result"], json!({}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_presents_casemate_and_its_tools_only() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    let answer = client.initialize("2025-11-25").await;
    let result = &answer["result"];
    assert_eq!(
        result["serverInfo"],
        json!({ "name": "casemate", "version": "9.9.9" })
    );
    assert_eq!(
        result["capabilities"],
        json!({ "tools": { "listChanged": true } })
    );
    let instructions = result["instructions"].as_str().unwrap();
    assert!(instructions.chars().count() <= 512);
    assert!(!instructions.contains("casemate grant"));
    // A newer version than a handshake can agree on, and one that nobody knows.
    for asked in ["2026-07-28", "2031-01-01"] {
        let mut client = fixture.client();
        let answer = client.initialize(asked).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    }
    // Once is enough.
    let again = client.initialize("2024-11-05").await;
    assert_eq!(again["error"]["code"], -32600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stateless_protocol_needs_no_handshake() {
    let fixture = Fixture::new();
    let mut client = fixture.client().modern();
    let answer = client.request("server/discover", json!({})).await;
    let result = &answer["result"];
    assert_eq!(result["resultType"], "complete");
    assert!(
        result["supportedVersions"]
            .as_array()
            .unwrap()
            .contains(&json!("2026-07-28"))
    );
    assert_eq!(
        result["capabilities"],
        json!({ "tools": { "listChanged": true } })
    );
    let server = json!({ "name": "casemate", "version": "9.9.9" });
    let key = "io.modelcontextprotocol/serverInfo";
    assert_eq!(result["_meta"][key], server);

    let answer = client.request("tools/list", json!({})).await;
    let result = &answer["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["cacheScope"], "private");
    assert_eq!(result["ttlMs"], 1000);
    assert_eq!(result["_meta"][key], server);

    let result = client.call("kit_echo", json!({ "text": "hi" })).await;
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["_meta"][key], server);
    assert_eq!(result["structuredContent"], json!({ "result": "hi" }));
    // Removed from that protocol.
    let answer = client.request("ping", json!({})).await;
    assert_eq!(answer["error"]["code"], -32601);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_may_be_followed_by_a_handshake() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    // Said too early: ignored, where rmcp alone would hang up.
    client.notify("notifications/initialized", json!({})).await;
    client
        .notify("notifications/cancelled", json!({ "requestId": 7 }))
        .await;
    let mut client = client.modern();
    let answer = client.request("server/discover", json!({})).await;
    assert!(answer["result"].is_object());
    let mut client = client.legacy().await;
    let result = client.call("kit_echo", json!({ "text": "hi" })).await;
    assert_eq!(result["isError"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_offered_is_no_method() {
    let fixture = Fixture::new();
    let clients = [fixture.client().legacy().await, fixture.client().modern()];
    for mut client in clients {
        client.request("tools/list", json!({})).await;
        for method in [
            "prompts/list",
            "resources/list",
            "resources/templates/list",
            "completion/complete",
            "tasks/list",
            "install\n",
        ] {
            let params = json!({
                "ref": { "type": "ref/prompt", "name": "x" },
                "argument": { "name": "a", "value": "b" },
            });
            let answer = client.request(method, params).await;
            assert_eq!(answer["error"]["code"], -32601, "{method} {answer}");
        }
        let answer = client
            .request("resources/read", json!({ "uri": "file:///etc/passwd" }))
            .await;
        assert_eq!(answer["error"]["code"], -32601);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_in_order_and_says_what_the_grant_allows() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let first = client.request("tools/list", json!({})).await;
    let second = client.request("tools/list", json!({})).await;
    assert_eq!(first["result"], second["result"]);
    let tools = first["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(names.is_sorted());
    for tool in tools {
        assert!(tool["description"].as_str().is_some());
        assert!(tool["title"].as_str().is_some());
        jsonschema::draft202012::meta::validate(&tool["inputSchema"]).unwrap();
        jsonschema::draft202012::meta::validate(&tool["outputSchema"]).unwrap();
        assert_eq!(
            tool["annotations"],
            json!({ "readOnlyHint": true, "destructiveHint": false, "openWorldHint": false })
        );
        // Whose words these are.
        let label = &tool["_meta"]["casemate/provenance"];
        assert_eq!(
            (&label["component"], &label["text"]),
            (&json!("kit"), &json!("third-party"))
        );
        assert!(label["digest"].as_str().unwrap().starts_with("sha256:"));
    }
    // The list has one page.
    let answer = client.request("tools/list", json!({ "cursor": "x" })).await;
    assert_eq!(answer["error"]["code"], -32602);
    // Nothing in it manages anything.
    assert!(names.iter().all(|name| name.starts_with("kit_")));
    assert!(!Value::from(names).to_string().contains("grant"));
}
