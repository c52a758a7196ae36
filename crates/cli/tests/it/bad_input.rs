//! Bad input: one clear line, a hint, the right exit status, and the state is as it was.

use crate::guests::{self, CORE_MODULE, SPIN, TRAP, UNKNOWN_IMPORT};
use crate::sandbox::{NOTES, Run, Sandbox};

/// Runs a command that must be refused with this status and these words, changing nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &[&str], code: i32, words: &[&str]) -> Run {
    let before = sandbox.state();
    let run = sandbox.run(arguments).exits(code);
    check(&run, words);
    assert_eq!(sandbox.state(), before, "{arguments:?} changed the home");
    run
}

#[track_caller]
fn check(run: &Run, words: &[&str]) {
    let errors = run
        .err
        .lines()
        .filter(|line| line.starts_with("error:"))
        .count();
    assert_eq!(errors, 1, "{}", run.shown());
    assert!(run.out.is_empty(), "{}", run.shown());
    for word in words {
        assert!(run.err.contains(word), "{word:?} is not in {}", run.shown());
    }
}

#[test]
fn what_is_no_component_is_not_added() {
    let sandbox = Sandbox::with_notes();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(sandbox.path(&format!("work/{name}")), bytes).unwrap();
        sandbox.text(&format!("work/{name}"))
    };
    let notes = std::fs::read(NOTES).unwrap();
    for (file, words) in [
        (
            write("text.wasm", b"hello, world"),
            ["not WebAssembly", "hint:"],
        ),
        (write("empty.wasm", b""), ["empty file", "hint:"]),
        (
            write("tool.wat", b"(component)"),
            ["WebAssembly text", "hint: encode it first"],
        ),
        (
            write("cut.wasm", &notes[..notes.len() / 2]),
            ["malformed component", "hint:"],
        ),
        (
            write("cut8.wasm", &notes[..8]),
            ["exports no function", "hint:"],
        ),
        (
            guests::write(&sandbox, "core", CORE_MODULE),
            ["core module", "wasm-tools component new"],
        ),
        (
            guests::write(&sandbox, "acme", UNKNOWN_IMPORT),
            ["acme:database/query@1.0.0", "hint:"],
        ),
        (sandbox.text("work"), ["is a directory", "error:"]),
        (
            sandbox.text("work/absent.wasm"),
            ["there is no file", "error:"],
        ),
        (
            "/dev/zero".to_owned(),
            ["a component is read from a regular file", "error:"],
        ),
    ] {
        refused(
            &sandbox,
            &["add", &file, "--name", "other", "--yes"],
            1,
            &words,
        );
        // What cannot be added can still be looked at, or says the same.
        assert!([0, 1].contains(&sandbox.run(&["inspect", &file]).code));
    }
}

#[test]
fn references_and_names_that_mean_nothing_are_usage() {
    let sandbox = Sandbox::with_notes();
    for (reference, words) in [
        ("http://example.com/tool.wasm", ["plain HTTP", "hint:"]),
        ("oci://acme/tool", ["no default registry", "hint:"]),
        ("gopher://x/y", ["unknown scheme", "hint:"]),
        ("", ["empty", "hint:"]),
    ] {
        refused(&sandbox, &["add", reference, "--yes"], 2, &words);
    }
    let odd = sandbox.path("work/123.wasm");
    std::fs::copy(NOTES, &odd).unwrap();
    refused(
        &sandbox,
        &["add", odd.to_str().unwrap(), "--yes"],
        2,
        &["hint: give it a name with --name NAME"],
    );
}

#[test]
fn s157_names_outside_of_the_alphabet_are_refused_and_write_nothing() {
    let sandbox = Sandbox::with_notes();
    let long = "x".repeat(300);
    for name in [
        "../../x",
        "a/../b",
        ".",
        "..",
        "x.policy.yaml",
        "Notes",
        "nоtes",
        "",
        &long,
        "a b",
        "9a",
    ] {
        let before = sandbox.state();
        for arguments in [
            vec!["add", NOTES, "--yes", "--name", name],
            vec!["remove", name],
            vec!["grant", name, "env", "REGION"],
            vec!["policy", "show", name],
        ] {
            sandbox.run(&arguments).exits(2);
        }
        assert_eq!(sandbox.state(), before);
    }
    assert!(!sandbox.path("x").exists() && !sandbox.path("work/x").exists());
    refused(
        &sandbox,
        &["remove", "other"],
        2,
        &["no component is called other", "hint: casemate list"],
    );
    refused(
        &sandbox,
        &["revoke", "other", "env", "A"],
        2,
        &["no component is called other", "hint:"],
    );
}

#[test]
fn s223_two_components_cannot_have_one_tool() {
    let sandbox = Sandbox::new();
    let one = guests::write(
        &sandbox,
        "one",
        &TRAP.replace("(export \"run\") (canon", "(export \"b-c\") (canon"),
    );
    let two = guests::write(
        &sandbox,
        "two",
        &TRAP.replace("(export \"run\") (canon", "(export \"c\") (canon"),
    );
    sandbox.run(&["add", &one, "--name", "a", "--yes"]).exits(0);
    let words = [
        "a_b_c would have the name of a tool of a",
        "hint: casemate remove a",
    ];
    refused(
        &sandbox,
        &["add", &two, "--name", "a-b", "--yes"],
        1,
        &words,
    );
    sandbox
        .run(&["add", &two, "--name", "other", "--yes"])
        .exits(0);
    let home = sandbox.text("home");
    let run = sandbox
        .run(&["--home", &home, "add", &two, "--name", "a-b", "--yes"])
        .exits(1);
    assert!(
        run.err
            .contains(&format!("hint: casemate --home {home} remove a")),
        "{}",
        run.shown()
    );
}

#[test]
fn s144_policies_with_typos_are_refused_with_their_place() {
    let sandbox = Sandbox::with_notes();
    let policy = |permissions: &str| format!("version: \"1.0\"\npermissions:\n{permissions}");
    for (text, words) in [
        (
            policy("  storage:\n    alow: []\n"),
            ["line 4, column 5", "hint: did you mean \"allow\"?"],
        ),
        (
            policy("  network:\n    allow:\n      - hosst: x.org\n"),
            ["line 5, column 9", "hosst"],
        ),
        (
            policy("  storage:\n    allow:\n      - uri: fs://w/**\n        acess: [read]\n"),
            ["line 6, column 9", "acess"],
        ),
        (policy("  storage: 3\n"), ["line 3", "error:"]),
        ("version: \"2.0\"\n".to_owned(), ["line 1", "2.0"]),
        (
            policy("  storage:\n    deny:\n      - uri: fs://w/*.{key,pem}\n"),
            ["line 5, column 14", "only * and **"],
        ),
        (
            policy("  environment:\n    allow: [{ key: A, secret: a }]\n"),
            ["line 4", "not enforced yet"],
        ),
        (
            policy("  resources:\n    limits: { memory: \"lots\" }\n"),
            ["line 4", "lots"],
        ),
    ] {
        let file = sandbox.text("work/policy.yaml");
        std::fs::write(&file, &text).unwrap();
        refused(&sandbox, &["policy", "check", &file], 2, &words);
        refused(&sandbox, &["add", NOTES, "--policy", &file], 2, &words);
        let report = sandbox
            .run(&["policy", "check", &file, "--json"])
            .exits(2)
            .json();
        assert_eq!(report["valid"], false);
        assert!(report["error"]["line"].is_u64());
        // In force it serves nothing, and no command makes it worse.
        sandbox.policy(&text);
        refused(&sandbox, &["policy", "check", "notes"], 2, &words);
        refused(&sandbox, &["policy", "show", "notes"], 2, &words);
        refused(&sandbox, &["grant", "notes", "env", "REGION"], 2, &words);
        refused(
            &sandbox,
            &["call", "notes_current_time", r#"{"zone":"UTC"}"#],
            2,
            &["notes is not served", "hint: casemate policy check notes"],
        );
        std::fs::remove_file(sandbox.path("home/policies/notes.yaml")).unwrap();
    }
}

#[test]
fn s209_unknown_tools_and_arguments_that_do_not_fit_start_nothing() {
    let sandbox = Sandbox::with_notes();
    let call = |tool: &'static str, json: &'static str| ["call", tool, json];
    for (arguments, words) in [
        (
            call("notes_delete", "{}"),
            ["there is no tool", "hint: casemate list --tools"],
        ),
        (
            call("Notes_current_time", "{}"),
            ["there is no tool", "hint:"],
        ),
        (
            call("notes_current_time\u{1b}[2J", "{}"),
            ["there is no tool", "hint:"],
        ),
        (
            call("nоtes_current_time", "{}"),
            ["there is no tool", "hint:"],
        ),
        (call("notes_current_time", "{}"), ["arguments", "zone"]),
        (
            call("notes_current_time", r#"{"zone": 3}"#),
            ["arguments.zone", "expected string"],
        ),
        (
            call("notes_current_time", r#"{"zone": "UTC", "zon": 1}"#),
            ["unknown key", "zon"],
        ),
        (
            call("notes_current_time", "[]"),
            ["not a JSON object", "hint:"],
        ),
        (
            call("notes_current_time", "{zone: 1}"),
            ["not JSON", "hint:"],
        ),
    ] {
        let run = refused(&sandbox, &arguments, 2, &words);
        assert!(!run.err.contains('\u{1b}'));
    }
    // No record: nothing was started.
    assert_eq!(sandbox.run(&["log", "--json"]).exits(0).out, "");
}

#[test]
fn an_argument_of_30_mb_is_refused_before_anything_starts() {
    let sandbox = Sandbox::with_notes();
    let before = sandbox.state();
    let mut input = br#"{"zone": ""#.to_vec();
    input.resize(30 << 20, b'x');
    input.extend(br#""}"#);
    let run = sandbox
        .run_with_input(&["call", "notes_current_time", "-"], &input)
        .exits(2);
    check(&run, &["larger than 16 MiB", "hint:"]);
    assert_eq!(sandbox.state(), before);
    let run = sandbox
        .run_with_input(
            &["call", "notes_current_time", "-"],
            b"{\"zone\": \"\xff\"}",
        )
        .exits(2);
    check(&run, &["not UTF-8"]);
}

#[test]
fn s249_a_lock_from_the_future_or_damaged_is_left_alone() {
    let sandbox = Sandbox::with_notes();
    let lock = std::fs::read_to_string(sandbox.path("home/casemate.lock")).unwrap();
    for (text, words) in [
        (
            lock.replace("version = 2", "version = 7"),
            ["version 7", "hint: upgrade casemate"],
        ),
        (lock.replace("digest", "digset"), ["line", "hint: restore"]),
        ("<<<<<<< HEAD\n".to_owned(), ["line 1", "hint: restore"]),
    ] {
        std::fs::write(sandbox.path("home/casemate.lock"), text).unwrap();
        for arguments in [
            vec!["list"],
            vec!["add", NOTES, "--yes"],
            vec!["remove", "notes"],
            vec!["grant", "notes", "env", "A"],
            vec!["call", "notes_current_time", r#"{"zone":"UTC"}"#],
            vec!["serve"],
        ] {
            refused(&sandbox, &arguments, 2, &words);
        }
        sandbox.run(&["doctor"]).exits(1);
    }
}

#[test]
fn a_home_that_cannot_be_used_is_one_line_and_a_hint() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("file"), "in the way").unwrap();
    let file = sandbox.text("file");
    let run = sandbox.run(&["--home", &file, "add", NOTES, "--yes"]);
    assert_eq!(run.code, 2, "{}", run.shown());
    check(&run, &["hint:"]);
    let run = sandbox.run(&["--home", "/proc/nowhere", "add", NOTES, "--yes"]);
    assert_eq!(run.code, 2, "{}", run.shown());
    check(
        &run,
        &["hint: choose a place that you can write with --home DIR"],
    );
    let run = sandbox
        .command(&["list"])
        .env_remove("HOME")
        .env_remove("CASEMATE_HOME")
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert_eq!(
        std::fs::read_to_string(sandbox.path("file")).unwrap(),
        "in the way"
    );
}

#[test]
fn a_configuration_with_a_typo_stops_everything_but_the_doctor() {
    let sandbox = Sandbox::with_notes();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminl = true\n",
    )
    .unwrap();
    for arguments in [
        vec!["list"],
        vec!["grant", "notes", "env", "A"],
        vec!["serve"],
        vec!["log"],
    ] {
        refused(
            &sandbox,
            &arguments,
            2,
            &["config.toml, line 2, column 1", "hint:"],
        );
    }
    let doctor = sandbox.run(&["doctor"]).exits(1);
    assert!(
        doctor.out.contains("config.toml, line 2, column 1"),
        "{}",
        doctor.shown()
    );
    sandbox.run(&["completions", "bash"]).exits(0);
}

#[test]
fn roots_that_lead_to_too_much_are_refused() {
    let sandbox = Sandbox::with_notes();
    let (home, user, above) = (sandbox.text("home"), sandbox.text("user"), sandbox.text(""));
    for directory in ["/", &home, &user, &above] {
        refused(
            &sandbox,
            &["call", "notes_current_time", "{}", "--workspace", directory],
            2,
            &["not bound to", "--allow-dangerous-root"],
        );
    }
    for root in ["workspace", "=x", "../w=/tmp", "w="] {
        refused(
            &sandbox,
            &["call", "notes_current_time", "{}", "--root", root],
            2,
            &["--root", "hint:"],
        );
    }
    refused(
        &sandbox,
        &["call", "notes_current_time", "{}", "--workspace", "absent"],
        2,
        &["cannot be bound"],
    );
    // With the flag it works, and the audit trail says so.
    let zone = r#"{"zone":"UTC"}"#;
    sandbox
        .run(&[
            "call",
            "notes_current_time",
            zone,
            "--workspace",
            &user,
            "--allow-dangerous-root",
        ])
        .exits(0);
    let events = std::fs::read_to_string(sandbox.path("home/audit/events.jsonl")).unwrap();
    assert!(
        events.contains("\"event\":\"dangerous-root\"") && events.lines().count() == 1,
        "{events}"
    );
}

#[test]
fn traps_and_limits_are_told_to_the_author() {
    let sandbox = Sandbox::new();
    for (name, text) in [("trap", TRAP), ("spin", SPIN)] {
        let file = guests::write(&sandbox, name, text);
        sandbox.run(&["add", &file, "--yes"]).exits(0);
    }
    let run = sandbox.run(&["call", "trap_run"]).exits(1);
    assert!(
        run.err.contains("trap.unreachable") && run.err.contains("wasm"),
        "{}",
        run.shown()
    );
    sandbox.run(&["limit", "spin", "cpu-time=100ms"]).exits(0);
    let run = sandbox.run(&["call", "spin_run"]).exits(1);
    assert!(run.err.contains("limit.cpu"), "{}", run.shown());
    // The person changes his mind.
    std::fs::remove_file(sandbox.path("home/policies/spin.yaml")).unwrap();
    let run = interrupted(&sandbox, &["call", "spin_run"]);
    assert!(
        run.code == 1 && run.err.contains("cancelled"),
        "{}",
        run.shown()
    );
    let log = sandbox.run(&["log"]).exits(0);
    assert_eq!(log.out.lines().count(), 3, "{}", log.shown());
}

/// Runs a command and sends it the signal of Ctrl-C while it works.
fn interrupted(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let child = sandbox
        .command(arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(400));
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    Run::of(&child.wait_with_output().unwrap())
}
