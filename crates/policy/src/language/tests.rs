use super::*;
use crate::error::PolicyErrorKind;

/// All that the language has, enforced or not, as in the project's design.
const WHOLE: &str = r#"
version: "1.0"
description: "An example policy"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read", "write"]
      - uri: "fs://config/app.yaml"
        access: ["read"]
      - uri: "fs:///srv/data/**"
        access: ["read"]
    deny:
      - uri: "fs://workspace/.git/**"
      - uri: "fs://workspace/docs/**"
        access: ["write"]
  network:
    allow:
      - host: "api.openai.com"
        headers: { authorization: "Bearer {secret:openai}" }
      - host: "*.example.com"
        schemes: [https]
        ports: [443, 8443]
        methods: [GET]
        paths: ["/v1/**"]
      - host: "db.internal"
        cidr: "10.1.0.0/16"
        ports: [8080]
      - tcp: "db.internal:5432"
    deny:
      - host: "upload.example.com"
  environment:
    allow:
      - key: "REGION"
      - key: "MODE"
        value: "fast"
      - key: "LEGACY_KEY"
        secret: "legacy-key"
  clocks: frozen
  random: secure
  resources:
    limits: { memory: "256Mi", cpu-time: "10s", time: "30s", output: "1Mi", concurrency: 16, rate: "600/m", written: "256Mi", files: 1000, open-files: 128, requests: 8, sockets: 16, sent: "8Mi", received: "16Mi", cpu: "500m" }
  tools:
    read-issue: { network: { allow: [ { host: "api.github.com", methods: [GET] } ] } }
"#;

fn refused(text: &str) -> PolicyError {
    match Document::read(text).and_then(|document| document.enforceable()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error,
    }
}

#[test]
fn the_whole_language_is_read_and_printed() {
    let document = Document::read(WHOLE).unwrap();
    assert_eq!(Document::read(&document.print()).unwrap(), document);
    let permissions = &document.permissions;
    assert_eq!(permissions.storage.deny.len(), 2);
    assert_eq!(permissions.network.allow.len(), 4);
    assert_eq!(permissions.tools.len(), 1);
    let header = permissions
        .network
        .allow
        .first()
        .unwrap()
        .value
        .headers
        .as_ref()
        .unwrap();
    assert_eq!(
        header.value.first().unwrap().value,
        [
            HeaderPart::Text("Bearer ".to_owned()),
            HeaderPart::Secret("openai".to_owned())
        ]
    );
}

#[test]
fn what_is_not_enforced_is_refused_where_it_stands() {
    let error = refused(WHOLE);
    assert_eq!(error.kind, PolicyErrorKind::NotEnforced);
    assert_eq!((error.line, error.column), (20, 18), "{error}");
    assert!(
        error
            .message
            .contains("the headers of a network entry is not enforced yet"),
        "{error}"
    );

    let head = "version: \"1.0\"\npermissions:\n";
    let network = format!("{head}  network:\n    allow:\n      - host: a.example\n");
    let cases = [
        (
            format!("{network}        headers: {{ x-key: \"{{secret:k}}\" }}\n"),
            "the headers",
        ),
        (
            format!("{head}  environment:\n    allow: [{{ key: A, secret: a }}]\n"),
            "the secret",
        ),
        (
            format!(
                "{head}  tools:\n    x: {{ environment: {{ allow: [{{ key: A, secret: a }}] }} }}\n"
            ),
            "the secret",
        ),
    ];
    for (text, expected) in cases {
        let error = refused(&text);
        assert_eq!(error.kind, PolicyErrorKind::NotEnforced, "{text}{error}");
        assert!(error.message.starts_with(expected), "{text}{error}");
        assert!(error.message.contains("not enforced yet"), "{error}");
        assert!(error.line >= 3 && error.column > 1, "{error}");
    }
}

#[test]
fn network_entries_are_checked_also_where_they_are_not_enforced() {
    let entry = |entry: &str| {
        format!("version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - {entry}\n")
    };
    for bad in [
        "{}",
        "{ ports: [80] }",
        "{ host: a.example, ports: [] }",
        "{ host: a.example, ports: [0] }",
        "{ host: a.example, ports: [65536] }",
        "{ host: a.example, ports: [080] }",
        "{ host: a.example, ports: 80 }",
        "{ host: a.example, schemes: [ftp] }",
        "{ host: a.example, methods: [get] }",
        "{ host: a.example, methods: [TRACE] }",
        "{ host: a.example, paths: [v1] }",
        "{ host: a.example, paths: [\"/a/../b\"] }",
        "{ host: a.example, paths: [\"/a%2fb\"] }",
        "{ host: a.example, cidr: 10.1.2.3/8 }",
        "{ host: a.example, cidr: 10.1.2.3 }",
        "{ host: a.example, cidr: 10.0.0.0/33 }",
        "{ host: a.example, cidr: 10.0.0.0/-1 }",
        "{ host: a.example, cidr: \"10.0.0.0 - 10.0.0.9\" }",
        "{ host: a.example, cidr: [10.0.0.0/8] }",
        "{ host: a.example, cidr: \"fd00::1/16\" }",
        "{ host: a.example, cidr: \"::ffff:10.0.0.0/104\" }",
        "{ host: 10.0.0.5, cidr: 10.0.0.0/8 }",
        "{ host: a.example, tcp: \"a.example:1\" }",
        "{ tcp: a.example }",
        "{ tcp: \"*.example:1\" }",
        "{ host: a.example, headers: {} }",
        "{ host: a.example, headers: { host: b } }",
        "{ host: a.example, headers: { Cookie: b } }",
        "{ host: a.example, headers: { a: \"{x}\" } }",
        "{ host: a.example, headers: { a: \"{secret:}\" } }",
        "{ host: a.example, headers: { a: \"{secret:a\" } }",
        "{ host: a.example, headers: { a: \"x\\r\\ny\" } }",
        "{ host: a.example, headers: { a: b, A: c } }",
        "{ host: [a] }",
        "{ host: }",
    ] {
        let error = refused(&entry(bad));
        assert_eq!(error.kind, PolicyErrorKind::Language, "{bad}: {error}");
        assert_eq!(error.line, 5, "{bad}: {error}");
    }
}

#[test]
fn hints_are_near() {
    for (word, expected) in [
        ("alow", "allow"),
        ("Allow", "allow"),
        ("allo", "allow"),
        ("denny", "deny"),
        ("dney", "deny"),
    ] {
        assert_eq!(
            fields::nearest(word, &["allow", "deny"]),
            Some(expected),
            "{word}"
        );
    }
    for word in ["", "x", "permit", "a", "é"] {
        assert_eq!(fields::nearest(word, &["allow", "deny"]), None, "{word}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_can_be_quoted(text in proptest::prelude::any::<String>()) {
        let yaml = format!("version: \"1.0\"\ndescription: {}\n", quoted(&text));
        assert_eq!(Document::read(&yaml).unwrap().description, Some(text));
    }
}
