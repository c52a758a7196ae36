//! What guests, files and callers say reaches the terminal as text, and the environment not at all.

use crate::guests::{self, ENVIRONMENT, ESCAPES};
use crate::sandbox::{Run, Sandbox};
use std::process::Stdio;

fn assert_inert(run: &Run) {
    for text in [&run.out, &run.err] {
        let bad = text.chars().find(|character| {
            character.is_control() && *character != '\n' || *character == '\u{202e}'
        });
        assert_eq!(bad, None, "{text:?}");
    }
}

#[test]
fn s225_results_with_escape_sequences_are_inert() {
    let sandbox = Sandbox::new();
    let file = guests::write(&sandbox, "loud", ESCAPES);
    sandbox.run(&["add", &file, "--yes"]).exits(0);
    let run = sandbox.run(&["call", "loud_say"]).exits(0);
    assert_inert(&run);
    assert!(run.out.starts_with("\\u{1b}[2J"), "{}", run.shown());
    let run = sandbox.run(&["call", "loud_say", "--json"]).exits(0);
    assert_inert(&run);
    assert!(
        run.json()["result"]
            .as_str()
            .unwrap()
            .starts_with("\u{1b}[2J\u{1b}]52;c;aGk=\u{7}x\ry\u{9b}31mz")
    );
    // Also from a log that somebody else wrote to.
    let mut log = std::fs::read_to_string(sandbox.path("home/audit/calls.jsonl")).unwrap();
    log.push_str("{\"time\":\"\\u001b[31mnow\",\"tool\":\"\\u009b2J\",\"caller\":\"\\u202e\",\"outcome\":\"ok\\r\"}\nnot json \u{1b}[2J\n");
    std::fs::write(sandbox.path("home/audit/calls.jsonl"), log).unwrap();
    for format in [&["log"][..], &["log", "--json"]] {
        let run = sandbox.run(format).exits(0);
        assert_inert(&run);
        assert!(run.err.contains("line 4: not a record"), "{}", run.shown());
    }
    // And from what was typed.
    for arguments in [
        vec!["call", "\u{1b}[2J"],
        vec!["inspect", "\u{9b}2J.wasm"],
        vec!["policy", "check", "\u{1b}]0;x\u{7}"],
        vec!["\u{1b}[2J"],
    ] {
        assert_inert(&sandbox.run(&arguments).exits(2));
    }
}

#[test]
fn s129_guests_see_no_variable_that_nobody_granted() {
    let sandbox = Sandbox::new();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminal = true\n",
    )
    .unwrap();
    let file = guests::write(&sandbox, "env", ENVIRONMENT);
    sandbox.run(&["add", &file, "--yes"]).exits(0);
    let call = |tool: &str| {
        let output = sandbox
            .command(&["call", tool, "--json"])
            .env("AWS_SECRET_ACCESS_KEY", "CANARY")
            .env("REGION", "north")
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        assert!(
            !out.contains("CANARY") && !err.contains("CANARY"),
            "{out}{err}"
        );
        serde_json::from_str::<serde_json::Value>(&out).unwrap()["result"].clone()
    };
    assert_eq!(call("env_variables"), serde_json::json!([]));
    assert_eq!(call("env_arguments"), serde_json::json!([]));
    sandbox.run(&["grant", "env", "env", "REGION"]).exits(0);
    assert_eq!(
        call("env_variables"),
        serde_json::json!([["REGION", "north"]])
    );
}

#[test]
fn s143_variables_of_other_programs_change_nothing() {
    let sandbox = Sandbox::with_notes();
    let show = |keys: &[(&str, &str)]| {
        let output = sandbox
            .command(&["policy", "show", "notes", "--json"])
            .envs(keys.iter().copied())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = show(&[]);
    let odd = show(&[
        ("WASMTIME_FEATURES", "all"),
        ("WASMTIME_BACKTRACE_DETAILS", "1"),
        ("RUST_BACKTRACE", "full"),
        ("RUST_MIN_STACK", "1"),
        ("MALLOC_CONF", "x"),
        ("XDG_CONFIG_HOME", "/nowhere"),
        ("CASEMATE_CEILING", "/dev/null"),
    ]);
    assert_eq!(plain, odd);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::with_notes();
    for arguments in [
        &["completions", "bash"][..],
        &["list"],
        &["--help"],
        &["policy", "show", "notes", "--json"],
    ] {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (
                output.status.code(),
                String::from_utf8(output.stderr).unwrap().as_str()
            ),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}
