//! Must show 8: a scripted agent with a shell and no terminal widens nothing.

use crate::guests::{self, ENVIRONMENT, TRAP};
use crate::sandbox::{NOTES, SEED, Sandbox};

const LIMITED: &str = "# mine\nversion: \"1.0\"\npermissions:\n  resources:\n    limits: { memory: \"64Mi\" }  # small\n";

#[test]
fn nothing_is_widened_without_a_terminal() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(LIMITED);
    let other = guests::write(&sandbox, "notes", TRAP);
    let hungry = guests::write(&sandbox, "hungry", ENVIRONMENT);
    // A policy that somebody wrote for a name that nothing has yet.
    std::fs::write(
        sandbox.path("home/policies/waiting.yaml"),
        "version: \"1.0\"\npermissions:\n  environment:\n    allow: [ { key: REGION } ]\n",
    )
    .unwrap();
    let elsewhere = sandbox.text("work");
    for arguments in [
        vec!["grant", "notes", "read", "."],
        vec!["grant", "notes", "write", "fs://workspace/**"],
        vec!["grant", "notes", "read", "fs:///srv/**"],
        vec!["grant", "notes", "network", "api.example.com"],
        vec!["grant", "notes", "network", "http://127.0.0.1:8080"],
        vec!["grant", "notes", "env", "REGION"],
        vec!["limit", "notes", "memory=1Gi"],
        vec!["limit", "notes", "time=10m"],
        vec!["limit", "notes", "concurrency=500", "memory=1Mi"],
        vec!["add", NOTES, "--policy", SEED],
        vec!["add", NOTES, "--name", "fresh", "--policy", SEED],
        vec!["add", &hungry, "--name", "waiting"],
    ] {
        let before = sandbox.state();
        for more in [&[][..], &["--yes"], &["--json"], &["--yes", "--json"]] {
            let mut arguments = arguments.clone();
            arguments.extend(more);
            for input in ["", "y\ny\ny\n"] {
                let run = sandbox.run_with_input(&arguments, input.as_bytes());
                assert_eq!(run.code, 3, "{arguments:?} {}", run.shown());
                assert!(
                    run.out.is_empty() && run.err.contains("error: this widens"),
                    "{}",
                    run.shown()
                );
                assert!(
                    run.err
                        .contains("hint: a person types this command in a terminal"),
                    "{}",
                    run.shown()
                );
            }
        }
        assert_eq!(sandbox.state(), before, "{arguments:?}");
    }
    // Other bytes under a name that is granted something: what they could do with it is a person's decision.
    sandbox
        .policy("version: \"1.0\"\npermissions:\n  environment:\n    allow: [ { key: REGION } ]\n");
    let before = sandbox.state();
    for file in [&other, &hungry] {
        let run = sandbox
            .run(&["add", file, "--name", "notes", "--yes"])
            .exits(3);
        assert!(
            run.err.contains("it comes from another place"),
            "{}",
            run.shown()
        );
    }
    assert_eq!(sandbox.state(), before);
    let _ = elsewhere;
}

#[test]
fn the_environment_does_not_stand_in_for_a_person() {
    let sandbox = Sandbox::with_notes();
    let before = sandbox.state();
    for (key, value) in [
        ("CI", "true"),
        ("CASEMATE_YES", "1"),
        ("CASEMATE_GRANTS_WITHOUT_TERMINAL", "true"),
        ("RUST_LOG", "trace"),
        ("TERM", "xterm"),
        ("CLICOLOR_FORCE", "1"),
    ] {
        let output = sandbox
            .command(&["grant", "notes", "env", "REGION", "--yes"])
            .env(key, value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{key}");
    }
    assert_eq!(sandbox.state(), before);
}

#[test]
fn what_narrows_or_adds_nothing_needs_nobody() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(LIMITED);
    let same = NOTES;
    for arguments in [
        vec!["limit", "notes", "memory=32Mi"],
        vec!["limit", "notes", "time=5s", "concurrency=2"],
        vec!["block", "notes", "network", "upload.example.com"],
        vec!["block", "notes", "env", "SECRET"],
        vec!["block", "notes", "read", "fs://workspace/**/.git/**"],
        vec!["revoke", "notes", "env", "REGION"],
        vec!["add", same],
        vec!["add", same, "--name", "again", "--yes"],
        vec!["remove", "again"],
    ] {
        let run = sandbox.run(&arguments);
        assert_eq!(run.code, 0, "{arguments:?} {}", run.shown());
    }
    let policy = std::fs::read_to_string(sandbox.path("home/policies/notes.yaml")).unwrap();
    assert!(
        policy.contains("# mine") && policy.contains("# small") && policy.contains("32Mi"),
        "{policy}"
    );
    sandbox.run(&["remove", "notes"]).exits(0);
    assert_eq!(
        std::fs::read_to_string(sandbox.path("home/policies/notes.yaml.removed")).unwrap(),
        policy
    );
    // The name is free, and what it was granted is not waiting for the next one.
    sandbox.run(&["add", NOTES, "--yes"]).exits(0);
    assert!(!sandbox.path("home/policies/notes.yaml").exists());
}

#[test]
fn the_persons_configuration_lets_machines_without_a_person_grant() {
    let sandbox = Sandbox::with_notes();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminal = true\n",
    )
    .unwrap();
    sandbox.policy(LIMITED);
    let run = sandbox
        .run(&["grant", "notes", "read", "fs://workspace/**"])
        .exits(0);
    assert!(run.out.contains("fs://workspace/**"), "{}", run.shown());
    sandbox.run(&["limit", "notes", "memory=128Mi"]).exits(0);
    let policy = std::fs::read_to_string(sandbox.path("home/policies/notes.yaml")).unwrap();
    assert!(
        policy.starts_with("# mine\n") && policy.contains("# small"),
        "{policy}"
    );
    assert!(
        policy.contains("fs://workspace/**") && policy.contains("128Mi"),
        "{policy}"
    );
    // Granting it again changes nothing and says so.
    let again = sandbox
        .run(&["grant", "notes", "read", "fs://workspace/**", "--json"])
        .exits(0)
        .json();
    assert_eq!(again["changed"], false);
    sandbox
        .run(&["revoke", "notes", "read", "fs://workspace/**"])
        .exits(0);
    let policy = std::fs::read_to_string(sandbox.path("home/policies/notes.yaml")).unwrap();
    assert!(
        policy.starts_with("# mine\n") && !policy.contains("fs://workspace"),
        "{policy}"
    );
}

#[test]
fn what_is_dangerous_is_not_granted_by_its_path() {
    let sandbox = Sandbox::with_notes();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminal = true\n",
    )
    .unwrap();
    let before = sandbox.state();
    let own = format!("fs://{}/**", sandbox.text("home/policies"));
    for target in [
        "/",
        "..",
        "../user",
        "../home",
        "../home/policies/notes.yaml",
        &own,
        "fs:///**",
    ] {
        let run = sandbox.run(&["grant", "notes", "write", target]).exits(2);
        assert!(
            run.err.contains("is not granted") || run.err.contains("there is nothing"),
            "{}",
            run.shown()
        );
    }
    assert_eq!(sandbox.state(), before);
    sandbox
        .run(&[
            "grant",
            "notes",
            "read",
            "../user",
            "--allow-dangerous-root",
        ])
        .exits(0);
}
