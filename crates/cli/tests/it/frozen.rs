//! `serve --frozen`: exactly what is locked, or exit status 3 with everything that differs.

use crate::sandbox::Sandbox;
use crate::serve::{Client, terminate};
use serde_json::json;
use std::time::{Duration, Instant};

/// What nobody granted through Casemate.
const BY_HAND: &str =
    "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - key: \"HOME\"\n";

#[test]
fn it_serves_what_is_locked_and_takes_no_change_over() {
    let sandbox = Sandbox::with_notes();
    // What Casemate writes is locked along.
    sandbox.run(&["limit", "notes", "memory=32Mi"]).exits(0);
    let policy = std::fs::read_to_string(sandbox.path("home/policies/notes.yaml")).unwrap();
    assert!(policy.contains("32Mi"), "{policy}");
    let mut frozen = Client::start(&sandbox, &["--frozen"]);
    let mut other = Client::start(&sandbox, &[]);
    let tools = |client: &mut Client| {
        let tools = client.request("tools/list", json!({}));
        tools["result"]["tools"].as_array().unwrap().len()
    };
    assert_eq!((tools(&mut frozen), tools(&mut other)), (7, 7));
    sandbox.run(&["remove", "notes"]).exits(0);
    // Once an ordinary server has taken the change over, this one would have as well.
    let started = Instant::now();
    while tools(&mut other) != 0 {
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(tools(&mut frozen), 7);
    for client in [frozen, other] {
        terminate(client.process());
        let (code, _) = client.ended_within(Duration::from_secs(10));
        assert_eq!(code, Some(0));
    }
}

#[test]
fn it_does_not_start_with_anything_else_and_names_it() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(BY_HAND);
    let stored = sandbox.path("home/components");
    let wasm = std::fs::read_dir(stored).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        (path.extension()? == "wasm").then_some(path)
    });
    std::fs::remove_file(wasm.unwrap()).unwrap();
    let refused = sandbox.run(&["serve", "--frozen"]).exits(3);
    assert_eq!(refused.out, "");
    for words in [
        "not as locked: notes, bytes: ",
        "casemate sync",
        "not as locked: notes, policy: ",
        "casemate policy lock notes",
        "not exactly as locked (2 differences)",
    ] {
        assert!(refused.err.contains(words), "{words}: {}", refused.err);
    }
}
