//! `login`, `logout` and `push`, against a registry on this machine.

use crate::guests::{self, CORE_MODULE};
use crate::sandbox::{NOTES, NOTES_WIT, Run, Sandbox};
use casemate_test_registry::{Auth, Registry};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;

fn login(sandbox: &Sandbox, registry: &Registry, password: &str) -> Run {
    let host = registry.host();
    let arguments = [
        "login",
        &host,
        "--username",
        "me",
        "--password-stdin",
        "--plain-http",
    ];
    sandbox.run_with_input(&arguments, password.as_bytes())
}

fn push<'a>(sandbox: &Sandbox, reference: &'a str, more: &[&'a str]) -> Run {
    let mut arguments = vec!["push", reference, NOTES, "--plain-http"];
    arguments.extend(more);
    sandbox.run(&arguments)
}

fn guarded() -> Registry {
    let registry = Registry::plain();
    registry.set_auth(Auth::Basic {
        user: "me".to_owned(),
        secret: "right one".to_owned(),
    });
    registry
}

fn mode(path: &std::path::Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_login_is_kept_once_the_registry_has_taken_it() {
    let (sandbox, registry) = (Sandbox::new(), guarded());
    let reference = registry.reference("acme/notes:1");
    let refused = push(&sandbox, &reference, &[]).exits(1);
    assert!(
        refused.err.contains("asks for a login"),
        "{}",
        refused.shown()
    );
    let hint = format!("hint: casemate login {}", registry.host());
    assert!(refused.err.contains(&hint), "{}", refused.shown());

    let wrong = login(&sandbox, &registry, "hunter2\n").exits(1);
    assert!(
        wrong.err.contains("does not accept the login"),
        "{}",
        wrong.shown()
    );
    assert!(!wrong.err.contains("hunter2"), "{}", wrong.shown());
    let file = sandbox.path("home/secrets/registries.json");
    assert!(!file.exists());

    let right = login(&sandbox, &registry, "right one\n").exits(0);
    assert!(right.out.contains("as me"), "{}", right.shown());
    assert!(!right.out.contains("right one"));
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    push(&sandbox, &reference, &[]).exits(0);
    sandbox
        .run(&["add", &reference, "--plain-http", "--yes"])
        .exits(0);

    // Others could read it: it is not used, and the person is told what to type.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = push(&sandbox, &reference, &[]).exits(1);
    assert!(open.err.contains("hint: chmod go-rwx "), "{}", open.shown());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();

    let out = sandbox
        .run(&["logout", &registry.host(), "--json"])
        .exits(0);
    assert_eq!(out.json()["forgot"], true);
    let again = sandbox.run(&["logout", &registry.host()]).exits(0);
    assert!(again.out.contains("kept no login"), "{}", again.shown());
    push(&sandbox, &reference, &[]).exits(1);
}

#[test]
fn a_password_is_typed_or_on_standard_input_and_never_an_argument() {
    let (sandbox, registry) = (Sandbox::new(), guarded());
    let host = registry.host();
    for (arguments, words) in [
        (vec!["login", &host, "--plain-http"], "--password-stdin"),
        (vec!["login", &host, "--username", "me"], "--password-stdin"),
        (vec!["login", &host, "--password-stdin"], "--username"),
        (vec!["login", &host, "--password", "hunter2"], "--password"),
        (
            vec!["login", "https://ghcr.io", "--username", "me"],
            "ghcr.io",
        ),
    ] {
        let run = sandbox.run(&arguments).exits(2);
        assert!(run.err.contains(words), "{}", run.shown());
    }
    for password in [
        &b""[..],
        b"\n",
        b"a\nb\n",
        b"a\0b",
        &[b'x'; 20_000],
        b"\xff\xfe",
    ] {
        let arguments = [
            "login",
            &host,
            "--username",
            "me",
            "--password-stdin",
            "--plain-http",
        ];
        let run = sandbox.run_with_input(&arguments, password);
        assert!(run.err.starts_with("error:"), "{}", run.shown());
    }
    assert!(registry.seen().is_empty());
    assert!(!sandbox.path("home/secrets").exists());
}

#[test]
fn logins_of_docker_and_of_the_programs_it_names_are_used() {
    let (sandbox, registry) = (Sandbox::new(), guarded());
    let reference = registry.reference("acme/notes:1");
    let directory = sandbox.path("user/.docker");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("config.json");
    let entry = "{\"auths\":{\"HOST\":{\"auth\":\"bWU6cmlnaHQgb25l\"}}}";
    std::fs::write(&file, entry.replace("HOST", &registry.host())).unwrap();
    push(&sandbox, &reference, &[]).exits(0);

    std::fs::write(&file, "{\"auths\":{").unwrap();
    let broken = push(&sandbox, &reference, &[]).exits(1);
    assert!(
        broken.err.contains("config.json, line 1"),
        "{}",
        broken.shown()
    );

    std::fs::write(&file, "{\"credsStore\":\"test\"}").unwrap();
    let missing = push(&sandbox, &reference, &[]).exits(1);
    assert!(
        missing.err.contains("docker-credential-test"),
        "{}",
        missing.shown()
    );
    let program = sandbox.path("work/docker-credential-test");
    let script = "printf '#!/bin/sh\\nread -r host; test -z \"$CASEMATE_HOME\" || exit 9\\necho \"{\\\\\"Username\\\\\":\\\\\"me\\\\\",\\\\\"Secret\\\\\":\\\\\"right one\\\\\"}\"\\n' >\"$0\" && chmod 755 \"$0\"";
    let written = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(&program)
        .status();
    assert!(written.unwrap().success());
    let run = sandbox
        .command(&["push", &reference, NOTES, "--plain-http"])
        .env("PATH", format!("{}:/usr/bin:/bin", sandbox.text("work")))
        .output()
        .unwrap();
    Run::of(&run).exits(0);
}

#[test]
fn what_is_pushed_is_added_by_somebody_else() {
    let (author, user, registry) = (Sandbox::new(), Sandbox::new(), Registry::plain());
    let reference = registry.reference("acme/notes:1.2.0");
    let asked = author.path("work/ask.yaml");
    let policy = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: fs:///data/**\n        access: [read]\n";
    std::fs::write(&asked, policy).unwrap();
    let more = [
        "--policy",
        "ask.yaml",
        "--wit",
        NOTES_WIT,
        "--version",
        "1.2.0",
        "--licenses",
        "Apache-2.0",
        "--annotation",
        "casemate.category=notes",
        "--json",
    ];
    let pushed = push(&author, &reference, &more).exits(0).json();
    let digest = pushed["manifest"].as_str().unwrap();
    let pinned = registry.reference(&format!("acme/notes:1.2.0@{digest}"));
    assert_eq!(pushed["reference"], pinned.as_str());
    assert_eq!(
        registry.resolve("acme/notes", "1.2.0").as_deref(),
        Some(digest)
    );
    let again = push(&author, &reference, &more).exits(0).json();
    assert_eq!(
        (&again["manifest"], &again["blobs"]["sent"]),
        (&pushed["manifest"], &0.into())
    );

    let manifest = registry.manifest("acme/notes", "1.2.0").unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let annotations = &manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.version"], "1.2.0");
    assert_eq!(annotations["org.opencontainers.image.title"], "notes");
    assert_eq!(
        annotations["org.opencontainers.image.licenses"],
        "Apache-2.0"
    );
    assert_eq!(annotations["casemate.category"], "notes");
    assert!(annotations["org.opencontainers.image.description"].is_string());
    let config = manifest["config"]["digest"].as_str().unwrap();
    let config: Value =
        serde_json::from_slice(&registry.blob("acme/notes", config).unwrap()).unwrap();
    assert!(
        config["component"]["exports"]
            .as_array()
            .is_some_and(|own| !own.is_empty())
    );
    let imports = config["component"]["imports"].as_array().unwrap();
    assert!(
        imports
            .iter()
            .any(|own| own.as_str().is_some_and(|own| own.starts_with("wasi:")))
    );
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");

    user.run(&["add", &pinned, "--plain-http", "--yes"])
        .exits(0);
    let listed = user.run(&["list"]).exits(0);
    assert!(listed.out.contains("notes"), "{}", listed.shown());
    let dated = author
        .command(&["push", &reference, NOTES, "--plain-http", "--json"])
        .env("SOURCE_DATE_EPOCH", "1000000000")
        .output()
        .unwrap();
    let dated = Run::of(&dated).exits(0).json();
    assert_ne!(dated["manifest"], pushed["manifest"]);
}

#[test]
fn what_nobody_could_add_is_not_pushed() {
    let (sandbox, registry) = (Sandbox::new(), Registry::plain());
    let reference = registry.reference("acme/notes:1");
    let write = |name: &str, text: &str| std::fs::write(sandbox.path(name), text).unwrap();
    write("work/broken.yaml", "version: \"1.0\"\npermisions: {}\n");
    let core = guests::write(&sandbox, "core", CORE_MODULE);
    let empty = guests::write(&sandbox, "empty", "(component)");
    let file = sandbox.text("work/x.wasm");
    for (arguments, code, words) in [
        (
            vec!["push", &reference, "nothing.wasm"],
            1,
            "there is no file",
        ),
        (vec!["push", &reference, &core], 1, "core module"),
        (vec!["push", &reference, &empty], 1, "no tools"),
        (vec!["push", &file, NOTES], 2, "in no registry"),
        (vec!["push", "oci://acme/tool", NOTES], 2, "hint:"),
        (
            vec!["push", &reference, NOTES, "--policy", "broken.yaml"],
            2,
            "permisions",
        ),
        (
            vec!["push", &reference, NOTES, "--policy", "absent.yaml"],
            2,
            "there is no file",
        ),
        (
            vec!["push", &reference, NOTES, "--annotation", "novalue"],
            2,
            "KEY=VALUE",
        ),
        (
            vec![
                "push",
                &reference,
                NOTES,
                "--version",
                "1",
                "--annotation",
                "org.opencontainers.image.version=2",
            ],
            2,
            "given twice",
        ),
    ] {
        let mut arguments = arguments;
        arguments.push("--plain-http");
        let run = sandbox.run(&arguments).exits(code);
        assert!(run.err.contains(words), "{}", run.shown());
        assert!(run.out.is_empty(), "{}", run.shown());
    }
    assert!(registry.tags("acme/notes").is_empty());
    assert!(
        !registry
            .seen()
            .iter()
            .any(|request| request.method == "PUT")
    );
    let epoch = sandbox
        .command(&["push", &reference, NOTES, "--plain-http"])
        .env("SOURCE_DATE_EPOCH", "yesterday")
        .output()
        .unwrap();
    Run::of(&epoch).exits(2);
}

#[test]
fn what_is_signed_while_pushing_is_verified_by_somebody_else() {
    let (author, user, registry) = (Sandbox::new(), Sandbox::new(), Registry::plain());
    author.run(&["sign", "--generate-key", "own"]).exits(0);
    let reference = registry.reference("acme/notes:1");
    // Of a key that cannot be read nothing is pushed.
    push(&author, &reference, &["--sign", "absent.key"]).exits(2);
    push(&author, &reference, &["--sign", "own.pub"]).exits(2);
    assert!(registry.seen().is_empty());
    for known in [true, false] {
        registry.set_referrers(known);
        let pushed = push(&author, &reference, &["--sign", "own.key", "--json"])
            .exits(0)
            .json();
        let signer = pushed["signature"]["signer"].as_str().unwrap();
        assert!(signer.starts_with("key sha256:"), "{pushed}");
        let key = author.text("work/own.pub");
        let verified = user.run(&["verify", &reference, "--key", &key, "--plain-http"]);
        assert!(verified.exits(0).out.contains(signer));
    }
    let digest = registry.resolve("acme/notes", "1").unwrap();
    let hex = digest.strip_prefix("sha256:").unwrap();
    let tags = [
        "1".to_owned(),
        format!("sha256-{hex}"),
        format!("sha256-{hex}.sig"),
    ];
    assert_eq!(registry.tags("acme/notes"), tags);
}
