//! A server of some of the tools.

use crate::changes::{WRITES, hints};
use crate::client::texts;
use crate::fixture::Fixture;
use casemate_mcp::ToolFilter;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn only(names: &'static [&'static str]) -> Option<ToolFilter> {
    Some(Arc::new(move |spec| names.contains(&spec.name.as_str())))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_filter_refuses_is_neither_listed_nor_callable() {
    let fixture = Fixture::new();
    let tools = only(&["kit_sum", "kit_echo", "kit_none"]);
    let clients = [
        fixture.client_of(tools.clone()).legacy().await,
        fixture.client_of(tools).modern(),
    ];
    for mut client in clients {
        let list = client.request("tools/list", json!({})).await;
        let tools = list["result"]["tools"].as_array().unwrap();
        let names: Vec<&str> = tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["kit_echo", "kit_sum"]);
        let served = client.call("kit_echo", json!({ "text": "hi" })).await;
        assert_eq!(texts(&served), ["hi"]);
        // Not even its arguments are looked at: it is answered as one that is not there.
        for name in ["kit_float", "kit_nothing"] {
            let call = json!({ "name": name, "arguments": { "n": "no number" } });
            let answer = client.request("tools/call", call).await;
            assert_eq!(
                answer["error"],
                json!({ "code": -32602, "message": format!("Unknown tool: {name}") })
            );
        }
    }
    assert_eq!(fixture.records().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_is_not_served_is_no_news() {
    let fixture = Fixture::new();
    let mut nothing = fixture.client_of(only(&[])).legacy().await;
    let mut something = fixture.client_of(only(&["kit_sum"])).legacy().await;
    let list = nothing.request("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"], json!([]));
    let list = something.request("tools/list", json!({})).await;
    assert_eq!(hints(&list)["readOnlyHint"], true);
    fixture.write_policy(WRITES);
    let news = something.next().await;
    assert_eq!(news["method"], "notifications/tools/list_changed");
    nothing.silence().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_without_tools_still_leaves_a_server() {
    let fixture = Fixture::new();
    let asked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&asked);
    let refuses_all: ToolFilter = Arc::new(move |_| {
        seen.store(true, Ordering::Relaxed);
        false
    });
    let mut client = fixture.client_of(Some(refuses_all)).legacy().await;
    let list = client.request("tools/list", json!({})).await;
    assert_eq!(list["result"]["tools"], json!([]));
    assert!(asked.load(Ordering::Relaxed));
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}
