//! Policies are the person's files: edited by hand, explained by the function that enforces them.

use crate::sandbox::{NOTES, Sandbox};

const READ: &str = r#"{"path": "/workspace/a.txt", "first": 1}"#;
const ALLOWED: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [\"read\"]\n";

#[test]
fn an_edit_by_hand_takes_effect_at_the_next_call() {
    let sandbox = Sandbox::with_notes();
    let call = || sandbox.run(&["call", "notes_read_lines", READ, "--workspace", "."]);
    assert_eq!(call().code, 3);
    sandbox.policy(ALLOWED);
    assert_eq!(call().code, 0);
    sandbox.policy(&ALLOWED.replace("workspace/**", "workspace/b.txt"));
    assert_eq!(call().code, 3);
}

#[test]
fn s147_what_is_no_policy_allows_nothing() {
    let sandbox = Sandbox::with_notes();
    let call = || sandbox.run(&["call", "notes_read_lines", READ, "--workspace", "."]);
    let path = sandbox.path("home/policies/notes.yaml");
    for text in ["", "\n", "# nothing\n", "version: \"1.0\"\n"] {
        sandbox.policy(text);
        assert_eq!(call().code, 3, "{text:?}");
    }
    for text in [
        "version: \"1.0\"\npermissions:\n",
        "[]\n",
        "permissions: 1\n",
        "\u{0}",
        "%YAML 9",
    ] {
        sandbox.policy(text);
        let run = call();
        assert!([2, 3].contains(&run.code), "{text:?} {}", run.shown());
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(call().code, 2);
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(call().code, 2);
    std::fs::remove_file(&path).unwrap();
    // Everybody could have written it.
    sandbox.policy(ALLOWED);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(call().code, 2);
    let doctor = sandbox.run(&["doctor"]).exits(1);
    // Once, though the folder and the file are looked at on their own.
    for words in ["(mode 0666) and is not trusted", "(mode 0666)", "chmod o-w"] {
        assert_eq!(doctor.out.matches(words).count(), 1, "{}", doctor.shown());
    }
}

#[test]
fn s145_bombs_are_refused_quickly() {
    let sandbox = Sandbox::with_notes();
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (one, two) in ["ab", "bc", "cd", "de", "ef", "fg", "gh"]
        .iter()
        .map(|pair| pair.split_at(1))
    {
        laughs.push_str(&format!(
            "{two}: &{two} [{}]\n",
            vec![format!("*{one}"); 9].join(",")
        ));
    }
    for text in [
        laughs,
        format!(
            "version: \"1.0\"\ndescription: \"{}\"\n",
            "x".repeat(10 << 20)
        ),
        format!("version: {}1{}\n", "[".repeat(10_000), "]".repeat(10_000)),
        "version: \"1.0\"\nversion: \"1.0\"\n".to_owned(),
        "version: \"1.0\"\ndescription: !include /etc/passwd\n".to_owned(),
        "version: \"1.0\"\n---\nversion: \"1.0\"\n".to_owned(),
    ] {
        let file = sandbox.text("work/bomb.yaml");
        std::fs::write(&file, text).unwrap();
        let started = std::time::Instant::now();
        let run = sandbox.run(&["policy", "check", &file]).exits(2);
        assert!(
            started.elapsed().as_secs() < 2 && run.err.len() < 2_000,
            "{}",
            run.shown()
        );
    }
}

#[test]
fn explain_answers_what_the_call_would_meet() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(ALLOWED);
    let explain = |arguments: &[&str]| {
        let mut all = vec!["policy", "explain", "notes"];
        all.extend(arguments);
        all.extend(["--workspace", "."]);
        sandbox.run(&all)
    };
    for (arguments, code) in [
        (vec!["storage", "read", "/workspace/a.txt"], 0),
        (vec!["storage", "read", "fs://workspace/deep/er.txt"], 0),
        (vec!["storage", "write", "/workspace/a.txt"], 3),
        (vec!["storage", "read", "/workspace-b/a.txt"], 3),
        (vec!["storage", "read", "/workspace/../etc/passwd"], 2),
        (vec!["storage", "read", "a.txt"], 2),
        (vec!["network", "api.example.com"], 3),
        (vec!["network", "http://[::1]:8080/x?y"], 3),
        (vec!["network", "https://user@api.example.com/"], 3),
        (vec!["network", "ftp://x"], 3),
        (vec!["network", "https:///path"], 2),
        (vec!["network", "GET", "api.example.com", "more"], 2),
        (vec!["env", "REGION"], 3),
        (vec!["clock"], 0),
        (vec!["clock", "monotonic"], 0),
        (vec!["random"], 0),
        (vec!["random", "insecure"], 0),
    ] {
        let run = explain(&arguments);
        assert_eq!(run.code, code, "{arguments:?} {}", run.shown());
    }
    let json = explain(&["storage", "write", "/workspace/a.txt", "--json"]).json();
    assert_eq!(
        json["to_allow"],
        "casemate grant notes write fs://workspace/a.txt"
    );
    assert_eq!(json["reason"], "denied.storage.write");
}

const REQUESTS: &str = "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: api.example.com\n        methods: [GET]\n      - host: 127.0.0.1\n        schemes: [http]\n        ports: [8080]\n";

#[test]
fn explain_reads_a_request_as_a_call_does() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(REQUESTS);
    let explain = |request: &[&str], code: i32| {
        let mut all = vec!["policy", "explain", "notes", "network"];
        all.extend(request);
        all.push("--json");
        sandbox.run(&all).exits(code).json()
    };
    for request in [
        &["api.example.com"][..],
        &["API.Example.com.:443"],
        &["GET", "https://api.example.com/v1?q=1#top"],
        &["http://127.0.0.1:8080/"],
        &["POST", "http://127.0.0.1:8080"],
    ] {
        assert_eq!(explain(request, 0)["allowed"], true, "{request:?}");
    }
    for (request, reason, remedy) in [
        (
            &["POST", "api.example.com"][..],
            "method",
            Some("add POST to the methods of that rule"),
        ),
        (&["get", "api.example.com"], "method", None),
        (&["CONNECT", "api.example.com"], "method", None),
        (
            &["http://api.example.com"],
            "scheme",
            Some("casemate grant notes network http://api.example.com"),
        ),
        (
            &["api.example.com:8443"],
            "port",
            Some("casemate grant notes network api.example.com:8443"),
        ),
        (&["api.example.com:0443"], "port", None),
        (&["https://user:hunter2@api.example.com/"], "host", None),
        (&["http://2130706433:8080/"], "host", None),
        (&["http://[::ffff:127.0.0.1]:8080/"], "host", None),
        (&["http://169.254.169.254/latest"], "host", None),
        (&["https://api.example.com/a b"], "path", None),
    ] {
        let answer = explain(request, 3);
        assert_eq!(answer["reason"], format!("denied.network.{reason}"));
        assert_eq!(answer["to_allow"].as_str(), remedy, "{answer}");
        assert!(!answer.to_string().contains("hunter2"), "{answer}");
        assert!(answer["note"].is_null());
    }
    // What a name leads to is not known before there is a request.
    let note = &explain(&["api.example.com"], 0)["note"];
    assert!(note.as_str().unwrap().contains("denied.network.address"));
    assert!(explain(&["http://127.0.0.1:8080"], 0)["note"].is_null());
}

#[test]
fn requests_are_granted_revoked_and_blocked() {
    let sandbox = Sandbox::with_notes();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminal = true\n",
    )
    .unwrap();
    sandbox.policy(REQUESTS);
    let explain = |url: &str| {
        sandbox
            .run(&["policy", "explain", "notes", "network", url])
            .code
    };
    for (target, url) in [
        ("b.example", "https://b.example/"),
        ("b.example:8443", "https://b.example:8443/"),
        ("http://b.example", "http://b.example/"),
        ("http://[::1]:9000", "http://[::1]:9000/"),
    ] {
        assert_eq!(explain(url), 3, "{url}");
        sandbox.run(&["grant", "notes", "network", target]).exits(0);
        assert_eq!(explain(url), 0, "{url}");
        let run = sandbox.run(&["grant", "notes", "network", target]).exits(0);
        assert!(run.out.contains("granted before"), "{}", run.shown());
        sandbox
            .run(&["revoke", "notes", "network", target])
            .exits(0);
        assert_eq!(explain(url), 3, "{url}");
    }
    let text = std::fs::read_to_string(sandbox.path("home/policies/notes.yaml")).unwrap();
    assert_eq!(text, REQUESTS);
    sandbox
        .run(&["block", "notes", "network", "api.example.com"])
        .exits(0);
    let run = sandbox
        .run(&["grant", "notes", "network", "api.example.com"])
        .exits(2);
    assert!(run.err.contains("deny wins"), "{}", run.shown());
    for target in [
        "*.com",
        "169.254.169.254",
        "http://0.0.0.0:80",
        "a.example/v1",
    ] {
        let run = sandbox.run(&["grant", "notes", "network", target]);
        assert_eq!(run.code, 2, "{target} {}", run.shown());
    }
}

#[test]
fn files_that_are_blocked_are_denied_by_that_rule() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(ALLOWED);
    let explain = |access: &str, path: &str| {
        sandbox.run(&[
            "policy",
            "explain",
            "notes",
            "storage",
            access,
            path,
            "--workspace",
            ".",
        ])
    };
    assert_eq!(explain("read", "/workspace/.git/config").code, 0);
    let run = sandbox
        .run(&["block", "notes", "read", "fs://workspace/**/.git/**"])
        .exits(0);
    assert!(run.out.contains(".git"), "{}", run.shown());
    for path in [
        "/workspace/.git",
        "/workspace/.git/config",
        "/workspace/a/.git/x",
    ] {
        let run = explain("read", path).exits(3);
        denied_by_the_block(&run.out, path);
    }
    assert_eq!(explain("read", "/workspace/.gitignore").code, 0);
    let run = sandbox
        .run(&["policy", "show", "notes", "--workspace", "."])
        .exits(0);
    assert!(
        run.out.contains("deny fs://workspace/**/.git/** [read]"),
        "{}",
        run.shown()
    );
    let run = sandbox
        .run(&["grant", "notes", "read", "fs://workspace/.git/config"])
        .exits(2);
    assert!(run.err.contains("deny wins"), "{}", run.shown());
}

/// The answer names the deny rule, and says that no command helps.
fn denied_by_the_block(out: &str, path: &str) {
    for words in [
        "denied.storage.read",
        "a rule denies it to read this path",
        "deny fs://workspace/**/.git/** [read]",
        "to allow it: remove that rule by hand",
    ] {
        assert!(out.contains(words), "{path}: {words}\n{out}");
    }
    assert!(!out.contains("casemate grant"), "{path}\n{out}");
}

#[test]
fn strictness_and_ceilings_of_this_run_hold() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(ALLOWED);
    let ceiling = sandbox.text("work/ceiling.yaml");
    std::fs::write(&ceiling, ALLOWED.replace("workspace/**", "workspace/b.txt")).unwrap();
    let read = |more: &[&str]| {
        let mut arguments = vec!["call", "notes_read_lines", READ, "--workspace", "."];
        arguments.extend(more);
        sandbox.run(&arguments)
    };
    assert_eq!(read(&[]).code, 0);
    let run = read(&["--ceiling", &ceiling]).exits(3);
    assert!(run.err.contains("ceiling"), "{}", run.shown());
    assert_eq!(read(&["--ceiling", "absent.yaml"]).code, 2);
    std::fs::write(sandbox.path("home/config.toml"), "strict = true\n").unwrap();
    let run = sandbox
        .run(&["policy", "explain", "notes", "clock"])
        .exits(3);
    assert!(run.out.contains("denied.clock"), "{}", run.shown());
}

#[test]
fn a_root_of_the_configuration_serves_every_command() {
    let sandbox = Sandbox::new();
    let config = format!(
        "[grants]\nwithout-terminal = true\n[roots]\nworkspace = {:?}\n",
        sandbox.text("work")
    );
    std::fs::write(sandbox.path("home/config.toml"), config).unwrap();
    sandbox.run(&["add", NOTES, "--yes"]).exits(0);
    let run = sandbox.run(&["grant", "notes", "read", "a.txt"]).exits(0);
    assert!(run.out.contains("fs://workspace/a.txt"), "{}", run.shown());
    sandbox.run(&["call", "notes_read_lines", READ]).exits(0);
    // The command line stands before the configuration.
    std::fs::create_dir(sandbox.path("work/sub")).unwrap();
    sandbox
        .run(&["call", "notes_read_lines", READ, "--workspace", "sub"])
        .exits(1);
}
