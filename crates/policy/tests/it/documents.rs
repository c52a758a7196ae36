use std::time::Duration;

use casemate_policy::{
    HttpTarget, Operation, Policy, PolicyError, PolicyErrorKind, Reason, StorageAccess, VirtualPath,
};

use crate::{SEED, admit, policy};

fn refused(text: &str) -> PolicyError {
    match Policy::parse(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => error,
    }
}

/// Puts lines below `permissions:`; the first is line 3.
fn with(lines: &str) -> String {
    format!("version: \"1.0\"\npermissions:\n{lines}")
}

#[test]
fn the_seed_example_loads_verbatim() {
    let seed = policy(SEED);
    assert_eq!(seed.description(), Some("An example policy"));
    assert_eq!(seed.warnings(), []);

    let grant = admit(&seed, None, &["workspace", "config"]);
    let ask = |path: &str, access| {
        let path = VirtualPath::parse(path).unwrap();
        grant
            .decide(&Operation::Storage {
                path: &path,
                access,
                own: false,
            })
            .map(|_| ())
            .map_err(|denial| denial.reason())
    };
    assert_eq!(ask("/workspace/a/b", StorageAccess::Read), Ok(()));
    assert_eq!(ask("/workspace/a/b", StorageAccess::Write), Ok(()));
    assert_eq!(ask("/config/app.yaml", StorageAccess::Read), Ok(()));
    assert_eq!(
        ask("/config/app.yaml", StorageAccess::Write),
        Err(Reason::StorageWrite)
    );
    assert_eq!(
        ask("/config/other.yaml", StorageAccess::Read),
        Err(Reason::StorageRead)
    );
    let request = Operation::HttpRequest {
        scheme: "https",
        host: "api.openai.com",
        port: 443,
        method: "GET",
        path: "/",
    };
    let permit = grant.decide(&request).unwrap();
    assert_eq!(permit.rule().unwrap().line, 12);
}

#[test]
fn the_seed_example_is_the_one_users_are_shown() {
    let shown = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/policies/seed.yaml"
    ));
    assert_eq!(shown.unwrap(), SEED);
}

#[test]
fn the_examples_that_users_are_shown_load_without_a_warning() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/policies");
    let mut seen = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(policy(&text).warnings(), [], "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

#[test]
fn s144_typos_are_errors_with_place() {
    // The text, the line and column of the mistake, what the message names, and the hint.
    let cases: &[(&str, (u32, u32), &str, &str)] = &[
        (
            &with("  storage:\n    alow: []\n"),
            (4, 5),
            "permissions.storage: unknown key \"alow\"",
            "did you mean \"allow\"?",
        ),
        (
            &with("  storage:\n    allow:\n      - uri: fs://w/a\n        acess: [read]\n"),
            (6, 9),
            "permissions.storage.allow[0]: unknown key \"acess\"",
            "did you mean \"access\"?",
        ),
        (
            &with("  network:\n    allow:\n      - hosst: a.example\n"),
            (5, 9),
            "permissions.network.allow[0]: unknown key \"hosst\"",
            "did you mean \"host\"?",
        ),
        (
            &with("  netwrok: {}\n"),
            (3, 3),
            "unknown key \"netwrok\"",
            "did you mean \"network\"?",
        ),
        (
            &with("  resources: { limits: { memroy: 1Gi } }\n"),
            (3, 26),
            "unknown key \"memroy\"",
            "did you mean \"memory\"?",
        ),
        (
            &with("  resources: { memory: 1Gi }\n"),
            (3, 16),
            "unknown key \"memory\"",
            "\"memory\" belongs under permissions.resources.limits",
        ),
        (
            "version: \"1.0\"\nstorage: {}\n",
            (2, 1),
            "unknown key \"storage\"",
            "\"storage\" belongs under permissions",
        ),
        (
            "version: \"1.0\"\npermision: {}\n",
            (2, 1),
            "unknown key \"permision\"",
            "did you mean \"permissions\"?",
        ),
        (
            "version: \"1.0\"\nowner: me\n",
            (2, 1),
            "unknown key \"owner\"",
            "known keys here: version, description, strict, permissions",
        ),
        (
            &with("  storage:\n    allow:\n      - uri: fs://w/a\n        access: [raed]\n"),
            (6, 18),
            "\"raed\" is not one of read, write",
            "did you mean \"read\"?",
        ),
        (
            &with("  storage:\n    allow:\n      - uri: fs://w/a\n        access: read\n"),
            (6, 17),
            "expected a list, found \"read\"",
            "start each entry of a list with \"- \"",
        ),
        (
            &with("  storage:\n    allow:\n      uri: fs://w/a\n"),
            (5, 7),
            "permissions.storage.allow: expected a list, found a mapping",
            "start each entry of a list with \"- \"",
        ),
        (
            &with("  resources: { limits: { open_files: 8 } }\n"),
            (3, 26),
            "unknown key \"open_files\"",
            "did you mean \"open-files\"?",
        ),
        (
            &with("  resources: { limits: { recieved: 1Mi } }\n"),
            (3, 26),
            "unknown key \"recieved\"",
            "did you mean \"received\"?",
        ),
        (
            &with("  resources: { rate: 1/s }\n"),
            (3, 16),
            "unknown key \"rate\"",
            "\"rate\" belongs under permissions.resources.limits",
        ),
        (
            &with(
                "  storage:\n    allow:\n      - uri: fs://w/a\n        access: [write, simlink]\n",
            ),
            (6, 25),
            "\"simlink\" is not one of read, write, symlink",
            "did you mean \"symlink\"?",
        ),
        (
            &with("  network:\n    allow:\n      - tcpp: \"a.example:1\"\n"),
            (5, 9),
            "unknown key \"tcpp\"",
            "did you mean \"tcp\"?",
        ),
        (
            &with("  tools:\n    x:\n      netwrok: { allow: [] }\n"),
            (5, 7),
            "permissions.tools.x: unknown key \"netwrok\"",
            "did you mean \"network\"?",
        ),
        (
            &with("  clocks: frozn\n"),
            (3, 11),
            "\"frozn\" is not one of",
            "did you mean \"frozen\"?",
        ),
        (
            "version: \"2.0\"\n",
            (1, 10),
            "unknown version \"2.0\"",
            "this release reads version: \"1.0\"",
        ),
        (
            "permissions: {}\n",
            (1, 1),
            "the version is missing",
            "start the file with version: \"1.0\"",
        ),
    ];
    for (text, place, message, hint) in cases {
        let error = refused(text);
        assert_eq!((error.line, error.column), *place, "{error}\n{text}");
        assert!(error.message.contains(message), "{error}\n{text}");
        assert_eq!(error.hint.as_deref(), Some(*hint), "{text}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("line {}, column {}: ", place.0, place.1))
        );
    }
}

#[test]
fn s144_wrong_types_are_errors_with_place() {
    for (text, line) in [
        ("just a text\n", 1),
        ("- version\n", 1),
        ("version: [1]\n", 1),
        ("version:\n", 1),
        ("version: \"1.0\"\npermissions: all\n", 2),
        ("version: \"1.0\"\npermissions: [all]\n", 2),
        ("version: \"1.0\"\ndescription: [a]\n", 2),
        ("version: \"1.0\"\nstrict: yes\n", 2),
        (&with("  storage: read\n"), 3),
        (&with("  storage:\n    allow: fs://w/a\n"), 4),
        (&with("  storage:\n    allow: [fs://w/a]\n"), 4),
        (&with("  storage:\n    allow:\n      - access: [read]\n"), 5),
        (&with("  storage:\n    allow:\n      - uri: fs://w/a\n"), 5),
        (&with("  storage:\n    allow:\n      -\n"), 5),
        (
            &with("  storage:\n    allow:\n      - uri: [fs://w/a]\n        access: [read]\n"),
            5,
        ),
        (
            &with("  storage:\n    allow:\n      - uri: fs://w/a\n        access: []\n"),
            6,
        ),
        (
            &with("  storage:\n    allow:\n      - uri: fs://w/a\n        access:\n"),
            6,
        ),
        (&with("  environment:\n    allow: [A]\n"), 4),
        (&with("  environment:\n    allow: [{ value: a }]\n"), 4),
        (
            &with("  environment:\n    allow: [{ key: A, value: [a] }]\n"),
            4,
        ),
        (
            &with("  environment:\n    deny: [{ key: A, value: a }]\n"),
            4,
        ),
        (
            &with("  environment:\n    allow: [{ key: A, value: a, secret: b }]\n"),
            4,
        ),
        (&with("  clocks: [full]\n"), 3),
        (&with("  clocks: true\n"), 3),
        (&with("  random: { sed: 1 }\n"), 3),
        (&with("  random: {}\n"), 3),
        (&with("  random: { seed: -1 }\n"), 3),
        (&with("  random: { seed: 18446744073709551616 }\n"), 3),
        (&with("  random: 42\n"), 3),
        (&with("  resources:\n    limits: [memory]\n"), 4),
    ] {
        let error = refused(text);
        assert_eq!(error.line, line, "{error}\n{text}");
        assert_eq!(error.kind, PolicyErrorKind::Language, "{error}\n{text}");
    }
}

#[test]
fn s145_bombs_are_refused_quickly() {
    let started = std::time::Instant::now();
    for text in [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned(),
        format!(
            "version: \"1.0\"\ndescription: \"{}\"\n",
            "x".repeat(10_000_000)
        ),
        format!("version: \"1.0\"\npermissions: {}\n", "{a: ".repeat(10_000)),
        "version: \"1.0\"\nversion: \"1.0\"\n".to_owned(),
        "version: \"1.0\"\n<<: { permissions: {} }\n".to_owned(),
        "version: \"1.0\"\npermissions: !include /etc/passwd\n".to_owned(),
        "version: \"1.0\"\n---\nversion: \"1.0\"\n".to_owned(),
        "\u{feff}version: \"1.0\"\n".to_owned(),
        "version: \"1.0\"\npermissions:\n\tstorage: {}\n".to_owned(),
    ] {
        assert_eq!(refused(&text).kind, PolicyErrorKind::Syntax);
    }
    // The bound of the case is 100 ms in a release build; this one is not optimised.
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn s146_nonsense_amounts_are_refused_where_they_stand() {
    for (key, value) in [
        ("memory", "-1"),
        ("memory", ".inf"),
        ("memory", "0"),
        ("memory", "\"4GiB \""),
        ("memory", "1e3"),
        ("memory", "1_000"),
        ("memory", "0o17"),
        ("memory", "0x10"),
        ("memory", "on"),
        ("memory", "2026-11-21"),
        ("memory", "5Gi"),
        ("memory", "512MB"),
        ("memory", "1.5"),
        ("memory", ""),
        ("memory", "[1]"),
        ("memory", "18446744073709551616"),
        ("time", "0s"),
        ("time", "30"),
        ("time", "61m"),
        ("time", "2h"),
        ("time", "-1s"),
        ("cpu-time", "1.5s"),
        ("cpu", "-1"),
        ("cpu", "0"),
        ("cpu", ".nan"),
        ("output", "65Mi"),
        ("concurrency", "0"),
        ("concurrency", "1025"),
        ("concurrency", "1.0"),
        ("concurrency", "no"),
        ("rate", "600"),
        ("rate", "0/m"),
        ("rate", "600/d"),
        ("rate", "-1/s"),
        ("rate", "1.5/s"),
        ("rate", "1000001/s"),
        ("written", "0"),
        ("written", "-1"),
        ("written", "1025Gi"),
        ("written", "1Ti"),
        ("files", "0"),
        ("files", "1k"),
        ("files", "1000001"),
        ("open-files", "1025"),
        ("open-files", "[8]"),
        ("requests", "65"),
        ("requests", "1.0"),
        ("sockets", "257"),
        ("sockets", "no"),
        ("sent", "1e3"),
        ("sent", "\"8MB\""),
        ("received", ".inf"),
        ("received", "{ a: 1 }"),
    ] {
        let error = refused(&with(&format!(
            "  resources:\n    limits:\n      {key}: {value}\n"
        )));
        assert_eq!(error.line, 5, "{key}: {value}: {error}");
        assert!(
            error
                .message
                .starts_with(&format!("permissions.resources.limits.{key}: ")),
            "{error}"
        );
    }
}

#[test]
fn s147_nothing_written_is_nothing_allowed() {
    for text in [
        "",
        "\n",
        "# a comment\n",
        "---\n",
        "null\n",
        "version: \"1.0\"\n",
        "version: \"1.0\"\npermissions:\n",
        "version: \"1.0\"\npermissions: null\n",
        "version: \"1.0\"\npermissions: {}\n",
        &with("  storage:\n  network:\n  environment:\n  resources:\n"),
        &with("  storage: { allow: , deny: }\n"),
        &with("  storage: { allow: [], deny: [] }\n"),
    ] {
        let empty = policy(text);
        assert_eq!(empty, Policy::empty(), "{text:?}");
        let grant = admit(&empty, None, &["workspace"]);
        assert_eq!(grant.reach(), casemate_policy::Reach::default());
        assert!(grant.mounts().is_empty());
        assert_eq!(grant.environment_keys().count(), 0);
        let path = VirtualPath::parse("/workspace").unwrap();
        for access in [
            StorageAccess::Read,
            StorageAccess::Write,
            StorageAccess::Traverse,
        ] {
            assert!(
                grant
                    .decide(&Operation::Storage {
                        path: &path,
                        access,
                        own: false,
                    })
                    .is_err()
            );
        }
        assert!(
            grant
                .decide(&Operation::Environment { key: "PATH" })
                .is_err()
        );
        for authority in ["a.example", "127.0.0.1", "[2606:4700::1111]"] {
            let target = HttpTarget::parse("https", authority, "GET", "/").unwrap();
            assert!(grant.decide(&target.operation()).is_err());
            let address = "93.184.216.34:443".parse().unwrap();
            assert!(grant.decide(&target.connect(address, false)).is_err());
        }
    }
    assert!(
        Policy::parse("permissions: null\n").is_err(),
        "content needs a version"
    );
}

#[test]
fn versions_of_the_first_line_are_read() {
    for version in ["\"1.0\"", "1.0", "'1.1'", "1.12"] {
        assert!(
            Policy::parse(&format!("version: {version}\n")).is_ok(),
            "{version}"
        );
    }
    for version in [
        "1", "\"1\"", "1.x", "1.", "2.0", "0.1", "1.0.0", "v1.0", "\" 1.0\"", "1e0", "true",
        "1.00000",
    ] {
        assert!(
            Policy::parse(&format!("version: {version}\n")).is_err(),
            "{version}"
        );
    }
}

#[test]
fn wassette_2_policies_of_the_ecosystem_load() {
    let text = "
version: \"1.0\"
description: \"Permission policy of a fetch tool\"
permissions:
  storage:
    allow:
    - uri: \"fs://workspace/**\"
      access: [\"read\", \"write\"]
  network:
    allow:
    - host: \"api.github.com\"
    - host: '*.example.com'
  environment:
    allow:
    - key: \"PATH\"
    - key: \"HOME\"
  resources:
    limits:
      memory: \"512Mi\"
      cpu: \"500m\"
";
    let loaded = policy(text);
    assert_eq!(loaded.warnings(), []);
    let limits = loaded.limits();
    assert_eq!(limits.memory, Some(512 << 20));
    assert_eq!(limits.cpu_millicores, Some(500));
    assert_eq!(
        admit(&loaded, None, &[]).limits().cpu,
        Duration::from_secs(15)
    );
    for number in ["memory: 1073741824", "cpu: 1", "cpu: 0.5", "cpu: \"1\""] {
        policy(&with(&format!(
            "  resources: {{ limits: {{ {number} }} }}\n"
        )));
    }
}

#[test]
fn sections_without_meaning_here_are_refused_by_name() {
    for (section, reason) in [("runtime", "Wasmtime"), ("ipc", "channels")] {
        for body in ["{}", "", "{ docker: { privileged: false } }"] {
            let error = refused(&with(&format!("  {section}: {body}\n")));
            assert_eq!((error.line, error.column), (3, 3));
            assert!(
                error.message.contains(&format!("\"{section}\"")) && error.message.contains(reason),
                "{error}"
            );
            assert_eq!(error.hint.as_deref(), Some("remove the section"));
        }
    }
}

#[test]
fn wassette_4_what_would_do_nothing_is_refused() {
    for (entry, expected) in [
        ("{ host: \"a.example:8080\" }", "holds a port"),
        ("{ host: \"https://a.example\" }", "is a URL"),
        (
            "{ host: 10.0.0.5, cidr: \"10.0.0.0/8\" }",
            "says nothing more",
        ),
        ("{ host: a.example, paths: [v1] }", "does not start with"),
        ("{ host: \"*\" }", "every host"),
    ] {
        let error = refused(&with(&format!("  network:\n    allow:\n      - {entry}\n")));
        assert!(error.message.contains(expected), "{entry}: {error}");
    }
}

#[test]
fn one_guest_path_cannot_be_two_places() {
    let error = refused(&with(
        "  storage:\n    allow:\n      - uri: fs://srv/**\n        access: [read]\n      - uri: fs:///srv/data/**\n        access: [read]\n",
    ));
    assert_eq!(error.kind, PolicyErrorKind::Conflict);
    assert_eq!((error.line, error.column), (7, 9));
    assert!(
        error.message.contains("line 5") && error.message.contains("/srv"),
        "{error}"
    );
}

#[test]
fn one_variable_cannot_have_two_values() {
    let error = refused(&with(
        "  environment:\n    allow:\n      - key: A\n      - key: A\n        value: x\n",
    ));
    assert_eq!((error.kind, error.line), (PolicyErrorKind::Conflict, 6));
    assert!(error.message.contains("line 5"), "{error}");
    policy(&with(
        "  environment:\n    allow:\n      - key: A\n      - key: A\n",
    ));
}

#[test]
fn s130_keys_of_variables_are_exact() {
    let error = refused(&with(
        "  environment:\n    allow:\n      - key: \"AWS_*\"\n",
    ));
    assert_eq!((error.line, error.column), (5, 14));
    assert!(error.message.contains("pattern") && error.hint.unwrap().contains("name each key"));
    for key in ["\"\"", "\"A=B\"", "\"A B\"", "\"A\\0\"", "\"A?\""] {
        refused(&with(&format!(
            "  environment:\n    deny:\n      - key: {key}\n"
        )));
    }
}

#[test]
fn s064_many_rules_load_and_decide_quickly() {
    let mut lines = String::from("  storage:\n    allow:\n");
    for index in 0..2000 {
        lines.push_str(&format!(
            "      - {{ uri: \"fs://w/d{index}/e/**\", access: [read, write] }}\n"
        ));
    }
    let text = with(&lines);
    assert!(text.len() < 256 * 1024);
    let started = std::time::Instant::now();
    let many = policy(&text);
    let grant = admit(&many, Some(&many), &["w"]);
    assert_eq!(grant.mounts().len(), 2000);
    let path = VirtualPath::parse("/w/d1999/e/a/b/c").unwrap();
    for _ in 0..10_000 {
        assert!(
            grant
                .decide(&Operation::Storage {
                    path: &path,
                    access: StorageAccess::Write,
                    own: false,
                })
                .is_ok()
        );
    }
    // Not optimised, beside other tests on a busy machine.
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
}
