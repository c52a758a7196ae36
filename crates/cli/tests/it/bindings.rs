//! Roots are bound by a person, by name; each run says which directory is meant.

use crate::sandbox::{Sandbox, with_filters};

const ALLOWED: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n";

/// The log of a server that has no client, without what stands before each message.
fn log_of(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["serve"];
    all.extend(arguments);
    let run = sandbox.run_with_input(&all, b"").exits(0);
    let message = |line: &str| {
        let (_, message) = line.split_once(": ").unwrap();
        message.to_owned()
    };
    run.err.lines().map(message).collect()
}

#[test]
fn the_first_line_of_a_server_says_what_is_bound() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy("no policy");
    std::fs::create_dir(sandbox.path("docs")).unwrap();
    let log = log_of(&sandbox, &[]);
    assert_eq!(log[0], "no root is bound");
    let docs = format!("docs={}", sandbox.text("docs"));
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[roots]\ngone = \"/nowhere/at/all\"\n",
    )
    .unwrap();
    let (config, ceiling) = (sandbox.text("user"), sandbox.text("work/ceiling.yaml"));
    std::fs::write(&ceiling, ALLOWED).unwrap();
    let log = log_of(
        &sandbox,
        &[
            "--workspace",
            ".",
            "--root",
            &docs,
            "--root",
            &format!("me={config}"),
            "--allow-dangerous-root",
            "--ceiling",
            &ceiling,
        ],
    );
    assert_eq!(
        log[0],
        format!(
            "fs://docs is {}, fs://me is {config}, fs://workspace is {}",
            sandbox.text("docs"),
            sandbox.text("work")
        )
    );
    assert!(log[1].contains("gone") && log[1].contains("is not bound"));
    assert_eq!(log[2], format!("the ceiling is {ceiling}"));
    let rest = log[3..].join("\n");
    assert!(rest.contains("dangerous root bound on request"), "{rest}");
    let events = std::fs::read_to_string(sandbox.path("home/audit/events.jsonl")).unwrap();
    assert!(
        events.contains("\"command\":\"serve\"") && events.contains(&config),
        "{events}"
    );
}

#[test]
fn nothing_is_bound_because_of_where_a_command_is_started() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(ALLOWED);
    let read = r#"{"path": "/workspace/a.txt", "first": 1}"#;
    let run = sandbox.run(&["call", "notes_read_lines", read]).exits(3);
    assert!(run.err.contains("not bound"), "{}", run.shown());
    // As from a variable that is not set.
    for empty in [
        &["--workspace", ""][..],
        &["--root", "workspace="],
        &["--home", ""],
    ] {
        let mut arguments = vec!["call", "notes_read_lines", read];
        arguments.extend(empty);
        sandbox.run(&arguments).exits(2);
    }
}

#[test]
fn what_is_in_force_is_shown() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(&format!(
        "{ALLOWED}  resources:\n    limits: {{ memory: \"64Mi\", requests: 4, received: \"1Mi\" }}\n"
    ));
    let ceiling = sandbox.text("work/ceiling.yaml");
    std::fs::write(
        &ceiling,
        format!("{ALLOWED}  resources:\n    limits: {{ memory: \"32Mi\", sent: \"1Ki\" }}\n"),
    )
    .unwrap();
    let docs = format!("docs={}", sandbox.text("user/docs"));
    std::fs::create_dir(sandbox.path("user/docs")).unwrap();
    let arguments = [
        "policy",
        "show",
        "notes",
        "--workspace",
        ".",
        "--root",
        &docs,
        "--ceiling",
        &ceiling,
    ];
    let run = sandbox.run(&arguments).exits(0);
    with_filters(|| {
        insta::assert_snapshot!(run.out, @r#"
    notes  sha256:[DIGEST]
      from file:[REPO]/examples/rust/notes.wasm
      policy [DIR]/home/policies/notes.yaml
      ceiling [DIR]/work/ceiling.yaml

    Rules
      fs://workspace/** [read]  policy, line 5
      memory: 64Mi              policy, line 8
      requests: 4               policy, line 8
      received: 1Mi             policy, line 8
      fs://workspace/** [read]  ceiling, line 5
      memory: 32Mi              ceiling, line 8
      sent: 1Ki                 ceiling, line 8
      clocks: frozen            default
      random: secure            default

    Roots
      docs       [DIR]/user/docs
      workspace  [DIR]/work

    Folders
      /workspace  [DIR]/work

    Limits
      memory       32 MiB
      cpu-time     10s
      time         30s
      output       1 MiB
      concurrency  16
      rate         as many as come
      written      256 MiB
      files        1000
      open-files   128
      requests     4
      sockets      16
      sent         1 KiB
      received     1 MiB
    "#)
    });
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    let json = sandbox.run(&arguments).exits(0).json();
    assert_eq!(json["ceiling"], ceiling);
    assert_eq!(json["roots"]["docs"], sandbox.text("user/docs"));
    let (own, above) = (&json["rules"][0], &json["rules"][5]);
    assert_eq!(own["file"], sandbox.text("home/policies/notes.yaml"));
    assert_eq!((&own["line"], &own["column"]), (&5.into(), &9.into()));
    assert_eq!(above["file"], ceiling, "{json}");
}

#[test]
fn every_limit_is_set_by_name_and_asks_where_it_widens() {
    let sandbox = Sandbox::with_notes();
    let (lower, higher) = (
        [
            "memory=1Mi",
            "cpu-time=1s",
            "cpu=100m",
            "time=5s",
            "output=1Ki",
            "concurrency=2",
            "rate=10/s",
            "written=1Ki",
            "files=1",
            "open-files=2",
            "requests=1",
            "sockets=1",
            "sent=1Ki",
            "received=1Ki",
        ],
        [
            "memory=1Gi",
            "cpu-time=5m",
            "cpu=900m",
            "time=9m",
            "output=2Mi",
            "concurrency=500",
            "rate=1000/s",
            "written=1Gi",
            "files=5000",
            "open-files=1000",
            "requests=64",
            "sockets=200",
            "sent=1Gi",
            "received=1Gi",
        ],
    );
    let completions = sandbox.run(&["completions", "bash"]).exits(0).out;
    let policy = sandbox.path("home/policies/notes.yaml");
    for (low, high) in lower.iter().zip(higher) {
        let (key, _) = low.split_once('=').unwrap();
        let _ = std::fs::remove_file(&policy);
        sandbox.run(&["limit", "notes", low]).exits(0);
        let text = std::fs::read_to_string(&policy).unwrap();
        assert!(text.contains(&format!("{key}: ")), "{key}: {text}");
        let run = sandbox.run(&["limit", "notes", high]).exits(3);
        assert!(run.err.contains("this widens"), "{high} {}", run.shown());
        assert!(completions.contains(&format!(" {key}=")), "{key}");
    }
    for (odd, words) in [
        ("open_files=1", "open-files"),
        ("sent=-1", "does not start with a digit"),
        ("received=10 bytes", "10 bytes"),
        ("requests=100000", "100000"),
        ("files", "is no limit"),
        ("=1", "limit"),
    ] {
        let run = sandbox.run(&["limit", "notes", odd]).exits(2);
        assert!(run.err.contains(words), "{odd} {}", run.shown());
    }
}
