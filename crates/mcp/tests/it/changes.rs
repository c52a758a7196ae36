//! News of the list, and calls that are taken back.

use crate::fixture::Fixture;
use serde_json::json;

pub(crate) const WRITES: &str = "permissions:\n  storage:\n    allow:\n      - uri: \"fs:///srv/casemate-test/**\"\n        access: [\"write\"]\n";

pub(crate) fn hints(answer: &serde_json::Value) -> serde_json::Value {
    answer["result"]["tools"][0]["annotations"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_client_is_told_of_a_change_that_shows() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let before = client.request("tools/list", json!({})).await;
    assert_eq!(hints(&before)["readOnlyHint"], true);
    fixture.write_policy(WRITES);
    let news = client.next().await;
    assert_eq!(news["method"], "notifications/tools/list_changed");
    let after = client.request("tools/list", json!({})).await;
    assert_eq!(hints(&after)["readOnlyHint"], false);
    assert_eq!(hints(&after)["destructiveHint"], true);
    // Another policy, the same list: no news.
    fixture.write_policy(&format!("{WRITES}  clocks: coarse\n"));
    client.silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_not_initialized_is_told_nothing() {
    let fixture = Fixture::new();
    let mut client = fixture.client();
    client.initialize("2025-11-25").await;
    fixture.write_policy(WRITES);
    client.silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_modern_client_is_told_what_it_listens_to() {
    let fixture = Fixture::new();
    let mut client = fixture.client().modern();
    let filter =
        json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    let id = client.ask("subscriptions/listen", filter).await;
    let acknowledged = client.next().await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({ "toolsListChanged": true })
    );
    fixture.write_policy(WRITES);
    let news = client.next().await;
    assert_eq!(news["method"], "notifications/tools/list_changed");
    assert_eq!(
        news["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        id
    );
    // Taken back, it hears no more.
    client
        .notify("notifications/cancelled", json!({ "requestId": id }))
        .await;
    client.request("tools/list", json!({})).await;
    fixture.write_policy("");
    client.silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_does_not_keep_the_server_alive() {
    let fixture = Fixture::new();
    let mut client = fixture.client().modern();
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    client.ask("subscriptions/listen", filter).await;
    client.next().await;
    let started = std::time::Instant::now();
    client.close_input().await;
    let said = client.ended().await;
    assert!(started.elapsed() < std::time::Duration::from_millis(500));
    // The protocol's word for an orderly end of a subscription.
    assert_eq!(said.len(), 1);
    assert!(said[0]["result"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_taken_back_stops_and_is_never_answered() {
    let fixture = Fixture::new();
    for mut client in [fixture.client().legacy().await, fixture.client().modern()] {
        let before = fixture.records().len();
        let call = json!({ "name": "kit_spin", "arguments": {} });
        let id = client.ask("tools/call", call).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        client
            .notify(
                "notifications/cancelled",
                json!({ "requestId": id, "reason": "\u{1b}[2J" }),
            )
            .await;
        let records = fixture.records_after(before + 1).await;
        assert_eq!(records[before].outcome, "cancelled");
        client.silence().await;
        // A late use of the same id could be taken for the old one's answer.
        let again = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/list","params":{{}}}}"#);
        client.line(&again).await;
        let refused = client.next().await;
        assert_eq!(refused["error"]["code"], -32600);
        assert!(refused["id"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s206_a_cancellation_of_anything_else_harms_nobody() {
    let fixture = Fixture::new();
    let mut client = fixture.client().legacy().await;
    let answered = client.ask("ping", json!({})).await;
    client.next().await;
    for id in [
        json!(4711),
        json!("4711"),
        json!(answered),
        json!(answered),
        json!(null),
        json!([1]),
        json!(1.5),
    ] {
        client
            .notify("notifications/cancelled", json!({ "requestId": id }))
            .await;
    }
    client.notify("notifications/cancelled", json!({})).await;
    let result = client
        .call("kit_echo", json!({ "text": "still here" }))
        .await;
    assert_eq!(result["isError"], false);
}
