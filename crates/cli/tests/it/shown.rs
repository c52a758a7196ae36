//! What a person sees.

use crate::sandbox::{NOTES, NOTES_WIT, Sandbox, with_filters};

#[test]
fn demo() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["demo"]).exits(0);
    assert!(run.err.is_empty(), "{}", run.shown());
    // The command that the denial names is the one that is typed next.
    let hint = run
        .out
        .lines()
        .find_map(|line| line.strip_prefix("hint: "))
        .unwrap();
    assert!(run.out.contains(&format!("$ {hint}\n")), "{}", run.shown());
    assert_eq!(
        sandbox.state().len(),
        0,
        "the home of the person is not touched"
    );
    with_filters(|| insta::assert_snapshot!(run.out, @""));
}

#[test]
fn add_shows_what_it_is_and_grants_nothing() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["add", NOTES, "--name", "jotter"]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
    let json = sandbox.run(&["add", NOTES, "--json"]).exits(0).json();
    assert_eq!(json["tools"].as_array().unwrap().len(), 7);
}

#[test]
fn list() {
    let sandbox = Sandbox::with_notes();
    let run = sandbox.run(&["list", "--tools"]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
    let json = sandbox.run(&["list", "--json"]).exits(0).json();
    assert_eq!(json[0]["name"], "notes");
    assert_eq!(json[0]["served"], true);
    assert_eq!(json[0]["may"]["read_files"], false);
    let empty = Sandbox::new();
    let run = empty.run(&["list"]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
    assert_eq!(
        empty.run(&["list", "--json"]).exits(0).json(),
        serde_json::json!([])
    );
    assert!(empty.state().is_empty());
}

#[test]
fn inspect_writes_nothing_and_knows_an_installed_name() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["inspect", NOTES, "--wit", NOTES_WIT]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
    assert!(sandbox.state().is_empty());
    let json = sandbox.run(&["inspect", NOTES, "--json"]).exits(0).json();
    assert_eq!(json["installed"], false);
    sandbox
        .run(&[
            "add", NOTES, "--name", "jotter", "--wit", NOTES_WIT, "--yes",
        ])
        .exits(0);
    let json = sandbox
        .run(&["inspect", "jotter", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&json["installed"], &json["tools"][0]["name"]),
        (&true.into(), &"jotter_search_text".into())
    );
    assert!(
        json["tools"][0]["description"]
            .as_str()
            .unwrap()
            .starts_with("Searches")
    );
}

#[test]
fn a_denied_call_names_the_reason_and_what_would_allow_it() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy("version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n");
    let save = r#"{"path": "/workspace/new.txt", "text": "x"}"#;
    let run = sandbox.run(&["call", "notes_save_note", save, "--workspace", "."]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
    let json = sandbox
        .run(&[
            "call",
            "notes_save_note",
            save,
            "--workspace",
            ".",
            "--json",
        ])
        .exits(3)
        .json();
    assert_eq!(json["outcome"], "error");
    assert_eq!(
        json["denials"][0]["to_allow"],
        "casemate grant notes write fs://workspace/new.txt"
    );
    // Without any rule there is no folder at all, and the tool cannot say more than that.
    std::fs::remove_file(sandbox.path("home/policies/notes.yaml")).unwrap();
    let run = sandbox.run(&["call", "notes_save_note", save]);
    with_filters(|| insta::assert_snapshot!(run.shown(), @""));
}

#[test]
fn policies_are_shown_and_explained() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(&std::fs::read_to_string(crate::sandbox::SEED).unwrap());
    let show = sandbox.run(&["policy", "show", "notes", "--workspace", "."]);
    let explain = sandbox.run(&[
        "policy",
        "explain",
        "notes",
        "storage",
        "write",
        "fs://workspace/a.txt",
        "--workspace",
        ".",
    ]);
    let denied = sandbox.run(&["policy", "explain", "notes", "env", "REGION"]);
    let all = [show, explain, denied].map(|run| run.shown()).join("\n");
    with_filters(|| insta::assert_snapshot!(all, @""));
}

#[test]
fn client_configurations() {
    let sandbox = Sandbox::new();
    let mut all = String::new();
    for client in ["claude-code", "vscode", "cursor", "codex"] {
        let run = sandbox.run(&["client-config", client]).exits(0);
        all.push_str(&run.out);
        let json = sandbox
            .run(&["--home", "elsewhere", "client-config", client, "--json"])
            .exits(0)
            .json();
        let server = json["server"]["content"].as_str().unwrap();
        assert!(
            server.contains(&format!("\"{}\"", sandbox.text("work/elsewhere"))),
            "{server}"
        );
        if client != "codex" {
            serde_json::from_str::<serde_json::Value>(server).unwrap();
        }
    }
    with_filters(|| insta::assert_snapshot!(all, @""));
}

#[test]
fn the_log_is_filtered() {
    let sandbox = Sandbox::with_notes();
    sandbox
        .run(&["call", "notes_current_time", r#"{"zone": "UTC"}"#])
        .exits(0);
    sandbox
        .run(&["call", "notes_read_lines", r#"{"path": "/x", "first": 1}"#])
        .exits(3);
    let lines = |arguments: &[&str]| {
        let mut all = vec!["log", "--json"];
        all.extend(arguments);
        sandbox.run(&all).exits(0).out.lines().count()
    };
    assert_eq!(lines(&[]), 2);
    assert_eq!(lines(&["--denied"]), 1);
    assert_eq!(lines(&["--tool", "notes_current_time"]), 1);
    assert_eq!(lines(&["--tool", "notes_current_time", "--denied"]), 0);
    assert_eq!(lines(&["--since", "1h"]), 2);
    assert_eq!(lines(&["--since", "0s"]), 0);
    sandbox.run(&["log", "--since", "yesterday"]).exits(2);
}

#[test]
fn doctor_finds_nothing_wrong_with_a_good_home() {
    let sandbox = Sandbox::with_notes();
    let run = sandbox.run(&["doctor"]).exits(0);
    assert!(run.out.contains("the engine runs"), "{}", run.shown());
    assert_eq!(
        sandbox.run(&["doctor", "--json"]).exits(0).json()["healthy"],
        true
    );
    // Bytes that are not those that were locked are not served.
    let stored = std::fs::read_dir(sandbox.path("home/components")).unwrap();
    for file in stored
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
    {
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "other bytes").unwrap();
    }
    let run = sandbox.run(&["doctor"]).exits(1);
    assert!(run.out.contains("verify.digest"), "{}", run.shown());
    sandbox.run(&["inspect", "notes"]).exits(3);
}
