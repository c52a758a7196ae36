//! Must show 7: the example policy of the mission, verbatim, each line enforced.

use crate::sandbox::{Run, SEED, Sandbox};

fn seeded() -> Sandbox {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(&std::fs::read_to_string(SEED).unwrap());
    std::fs::create_dir(sandbox.path("conf")).unwrap();
    std::fs::write(sandbox.path("conf/app.yaml"), "port: 8080\n").unwrap();
    std::fs::write(sandbox.path("conf/secret.yaml"), "token: canary\n").unwrap();
    std::fs::write(sandbox.path("beside.txt"), "canary\n").unwrap();
    sandbox
}

fn read(sandbox: &Sandbox, path: &str, bindings: &[&str]) -> Run {
    let json = format!(r#"{{"path": "{path}", "first": 1}}"#);
    let mut arguments = vec!["call", "notes_read_lines", json.as_str()];
    arguments.extend(bindings);
    sandbox.run(&arguments)
}

fn save(sandbox: &Sandbox, path: &str, bindings: &[&str]) -> Run {
    let json = format!(r#"{{"path": "{path}", "text": "x"}}"#);
    let mut arguments = vec!["call", "notes_save_note", json.as_str()];
    arguments.extend(bindings);
    sandbox.run(&arguments)
}

#[test]
fn it_loads_verbatim_and_without_a_warning() {
    let sandbox = seeded();
    let run = sandbox.run(&["policy", "check", SEED]).exits(0);
    assert!(!run.err.contains("warning"), "{}", run.shown());
    let shown = sandbox
        .run(&["policy", "show", "notes", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["folders"].as_array().unwrap().len(), 2);
    let url = "https://api.openai.com/v1/models";
    let run = sandbox
        .run(&["policy", "explain", "notes", "network", url])
        .exits(0);
    assert!(run.out.contains("line 12"), "{}", run.shown());
}

#[test]
fn its_storage_lines_are_enforced() {
    let sandbox = seeded();
    let config = format!("config={}", sandbox.text("conf"));
    let bound = ["--workspace", ".", "--root", config.as_str()];
    // Inside: read and write below the workspace, read one file of the configuration.
    let run = read(&sandbox, "/workspace/a.txt", &bound).exits(0);
    assert!(run.out.contains("a harbour"), "{}", run.shown());
    save(&sandbox, "/workspace/new.txt", &bound).exits(0);
    assert_eq!(
        std::fs::read_to_string(sandbox.path("work/new.txt")).unwrap(),
        "x"
    );
    read(&sandbox, "/config/app.yaml", &bound).exits(0);
    // Beside: another file of the configuration, writing to it, what is above and outside.
    for path in [
        "/config/secret.yaml",
        "/workspace/../beside.txt",
        "/etc/passwd",
        "/config/../beside.txt",
    ] {
        let run = read(&sandbox, path, &bound);
        assert_ne!(run.code, 0, "{path} {}", run.shown());
        assert!(
            !run.out.contains("canary") && !run.err.contains("canary"),
            "{}",
            run.shown()
        );
    }
    let run = read(&sandbox, "/config/secret.yaml", &bound).exits(3);
    assert!(run.err.contains("denied.storage.read"), "{}", run.shown());
    let run = save(&sandbox, "/config/app.yaml", &bound).exits(3);
    assert!(run.err.contains("denied.storage.write"), "{}", run.shown());
    assert_eq!(
        std::fs::read_to_string(sandbox.path("conf/app.yaml")).unwrap(),
        "port: 8080\n"
    );
}

#[test]
fn a_root_that_is_not_bound_is_denied_with_its_reason() {
    let sandbox = seeded();
    let run = read(&sandbox, "/workspace/a.txt", &[]).exits(3);
    assert!(run.err.contains("not bound"), "{}", run.shown());
    assert!(
        run.err
            .contains("hint: casemate call notes_read_lines --workspace DIR"),
        "{}",
        run.shown()
    );
    let run = read(&sandbox, "/config/app.yaml", &["--workspace", "."]).exits(3);
    assert!(run.err.contains("--root config=DIR"), "{}", run.shown());
    let run = sandbox
        .run(&[
            "policy",
            "explain",
            "notes",
            "storage",
            "read",
            "fs://workspace/a.txt",
        ])
        .exits(3);
    assert!(run.out.contains("not bound"), "{}", run.shown());
    sandbox
        .run(&[
            "policy",
            "explain",
            "notes",
            "storage",
            "read",
            "/workspace/a.txt",
            "--workspace",
            ".",
        ])
        .exits(0);
}
