//! References to registries and URLs, through the binary.

use crate::sandbox::{NOTES, Sandbox};
use casemate_test_registry::{Registry, Reply, digest};

fn notes() -> Vec<u8> {
    std::fs::read(NOTES).unwrap()
}

fn plain() -> Registry {
    let registry = Registry::plain();
    registry.put_component("acme/notes", "1", &notes());
    registry
}

fn configure(sandbox: &Sandbox, text: &str) {
    std::fs::write(sandbox.path("home/config.toml"), text).unwrap();
}

#[test]
fn a_component_is_inspected_and_added_from_a_registry() {
    let sandbox = Sandbox::new();
    let registry = plain();
    let reference = registry.reference("acme/notes:1");
    // On this machine, but nobody said that it speaks plain HTTP.
    let run = sandbox.run(&["inspect", &reference]).exits(1);
    assert!(run.err.contains("--plain-http"), "{}", run.shown());
    let run = sandbox
        .run(&["inspect", &reference, "--plain-http"])
        .exits(0);
    assert!(run.out.contains("acme/notes:1"), "{}", run.shown());
    let run = sandbox
        .run(&["add", &reference, "--plain-http", "--yes", "--json"])
        .exits(0);
    assert_eq!(run.json()["added"], "notes", "{}", run.shown());
    assert_eq!(run.json()["digest"], digest(&notes()));
    let lock = std::fs::read_to_string(sandbox.path("home/casemate.lock")).unwrap();
    assert!(lock.contains(&reference), "{lock}");
    sandbox
        .run(&["call", "notes_current_time", "{\"zone\": \"UTC\"}"])
        .exits(0);

    // Or the configuration says it.
    let other = Sandbox::new();
    configure(
        &other,
        &format!("[registries]\nplain-http = [\"{}\"]\n", registry.host()),
    );
    other.run(&["inspect", &reference]).exits(0);
    for wrong in ["example.com:80", "10.0.0.1:5000", "not a host"] {
        configure(
            &other,
            &format!("[registries]\nplain-http = [\"{wrong}\"]\n"),
        );
        let run = other.run(&["inspect", &reference]).exits(2);
        assert!(run.err.contains("registries.plain-http"), "{}", run.shown());
    }
}

#[test]
fn s184_certificates_decide_and_a_broken_file_of_them_ends_the_start() {
    let registry = Registry::tls(&[]);
    registry.put_component("acme/notes", "1", &notes());
    registry.answer_at("/notes.wasm", Reply::new(200, notes()));
    let sandbox = Sandbox::with_notes();
    let reference = registry.reference("acme/notes:1");
    let url = format!("https://{}/notes.wasm", registry.host());
    for source in [&reference, &url] {
        // Nobody vouches for it; neither flag nor configuration takes TLS away.
        let run = sandbox.run(&["inspect", source]).exits(1);
        assert!(run.err.contains("certificate"), "{}", run.shown());
    }
    assert!(registry.seen().is_empty());

    let root = sandbox.path("home/root.pem");
    std::fs::write(&root, registry.root_pem().unwrap()).unwrap();
    configure(&sandbox, "[network]\ncertificates = \"root.pem\"\n");
    for source in [
        reference.clone(),
        url.clone(),
        format!("{url}#{}", digest(&notes())),
    ] {
        sandbox.run(&["inspect", &source]).exits(0);
    }
    sandbox
        .run(&["add", &url, "--name", "fetched", "--yes"])
        .exits(0);

    let before = registry.seen().len();
    for broken in [
        "",
        "garbage",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&root, broken).unwrap();
        for arguments in [
            &["add", &reference, "--yes"][..],
            &["inspect", &reference],
            &["call", "notes_current_time", "{\"zone\": \"UTC\"}"],
            &["serve"],
        ] {
            let run = sandbox.run(arguments).exits(2);
            assert!(
                run.err.contains("root.pem"),
                "{arguments:?} {}",
                run.shown()
            );
        }
    }
    assert_eq!(registry.seen().len(), before);
}

#[test]
fn s176_what_is_refused_leaves_nothing_behind() {
    let sandbox = Sandbox::with_notes();
    let before = sandbox.state();
    for reply in [
        Reply::new(200, "other bytes"),
        Reply::new(200, vec![0; notes().len()]),
        Reply::new(404, ""),
        Reply::redirect(307, "http://192.0.2.1/blob"),
    ] {
        let registry = plain();
        registry.answer_at(digest(&notes()), reply);
        let reference = registry.reference("acme/notes:1");
        let run = sandbox.run(&[
            "add",
            &reference,
            "--name",
            "other",
            "--plain-http",
            "--yes",
        ]);
        assert!([1, 3].contains(&run.code), "{}", run.shown());
        assert!(
            sandbox.state() == before,
            "something is left behind: {}",
            run.shown()
        );
    }
    // Bytes that are not those that were named are a verification that said no.
    let registry = plain();
    registry.answer_at(digest(&notes()), Reply::new(200, vec![0; notes().len()]));
    let reference = registry.reference("acme/notes:1");
    let run = sandbox.run(&[
        "add",
        &reference,
        "--name",
        "other",
        "--plain-http",
        "--yes",
    ]);
    let run = run.exits(3);
    assert!(run.err.contains("hashes to"), "{}", run.shown());
    let pinned = registry.reference(&format!("acme/notes@sha256:{}", "0".repeat(64)));
    let run = sandbox.run(&["inspect", &pinned, "--plain-http"]).exits(1);
    assert!(run.err.contains("has no manifest"), "{}", run.shown());
}
