use super::{Allowed, HostBreadth, VariableValue, asked};
use crate::{MountPlace, Policy, PolicyErrorKind};

fn policy(permissions: &str) -> String {
    format!("version: \"1.0\"\npermissions:\n{permissions}")
}

#[test]
fn every_kind_is_told_with_its_place() {
    let text = policy(
        r#"
  storage:
    allow:
      - { uri: "fs://workspace/notes/*.md", access: ["read"] }
      - { uri: "fs:///srv/data/**", access: ["read", "write"] }
      - { uri: "fs://workspace/one.txt", access: ["write"] }
  network:
    allow:
      - { host: "*.example.com", schemes: [http] }
      - { host: "**.example.org" }
      - { host: "*.github.io" }
      - { cidr: "10.1.0.0/16" }
      - { host: "127.0.0.1", schemes: [http, https] }
      - { tcp: "db.internal:5432", cidr: "10.1.0.0/16" }
      - { host: "8.8.8.8" }
      - { cidr: "192.0.0.0/8" }
  environment:
    allow: [ { key: LANG }, { key: MODE, value: quiet } ]
  tools:
    go: { environment: { allow: [ { key: LANG }, { key: MODE, value: loud } ] } }
"#,
    );
    let found = Policy::parse(&text).unwrap().allowances();
    let shown: Vec<String> = found
        .iter()
        .map(|allowance| match &allowance.allowed {
            Allowed::Files(files) => {
                let place = matches!(files.place, MountPlace::Absolute);
                format!(
                    "{} absolute={place} subtree={} exact={} r={} w={}",
                    files.base, files.subtree, files.exact, files.read, files.write
                )
            }
            Allowed::Requests(requests) => format!(
                "{} {:?} http={} {:?} loopback={}",
                requests.peer.host,
                requests.peer.breadth,
                requests.plain_http,
                requests.peer.special,
                requests.peer.loopback
            ),
            Allowed::Connections(peer) => {
                format!("tcp {} {:?} {:?}", peer.host, peer.breadth, peer.special)
            }
            Allowed::Variable(variable) => format!("{} {:?}", variable.key, variable.value),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "/workspace/notes absolute=false subtree=false exact=false r=true w=false",
            "/srv/data absolute=true subtree=true exact=false r=true w=true",
            "/workspace/one.txt absolute=false subtree=false exact=true r=false w=true",
            "*.example.com OneLabel http=true None loopback=false",
            "**.example.org AnyDepth http=false None loopback=false",
            "*.github.io Shared http=false None loopback=false",
            "10.1.0.0/16 Range http=false Some(\"a private address\") loopback=false",
            "127.0.0.1 One http=true Some(\"a loopback address\") loopback=true",
            "tcp db.internal One Some(\"a private address\")",
            "8.8.8.8 One http=false None loopback=false",
            // The range is mostly public and holds 192.168.0.0/16.
            "192.0.0.0/8 Range http=false Some(\"an address for protocols\") loopback=false",
            "LANG Server",
            "MODE Written(HiddenText(…))",
            "MODE Written(HiddenText(…))",
        ]
    );
    assert_eq!(found[0].rule.line, 6);
    assert_eq!(found[0].rule.section, "permissions.storage.allow[0]");
    assert_eq!(found[13].rule.tool.as_deref(), Some("go"));
    assert!(!format!("{found:?}").contains("loud"));
}

#[test]
fn what_a_deny_entry_takes_back_is_left_out() {
    let text = policy(
        r#"
  storage:
    allow:
      - { uri: "fs://workspace/a/**", access: ["read"] }
      - { uri: "fs://workspace/b/**", access: ["read", "write"] }
    deny:
      - { uri: "fs://workspace/a/**" }
      - { uri: "fs://workspace/b/**", access: ["write"] }
  network:
    allow: [ { host: "a.example.com" }, { host: "b.example.com" } ]
    deny: [ { host: "a.example.com" } ]
  environment:
    allow: [ { key: A }, { key: B } ]
    deny: [ { key: A } ]
"#,
    );
    let found = Policy::parse(&text).unwrap().allowances();
    let rules: Vec<&str> = found
        .iter()
        .map(|allowance| allowance.rule.text.as_str())
        .collect();
    assert_eq!(
        rules,
        ["fs://workspace/b/** [read, write]", "b.example.com", "B"]
    );
}

#[test]
fn a_request_may_ask_for_what_is_not_enforced() {
    let text = policy(
        r#"
  network:
    allow:
      - host: "api.example.com"
        headers: { authorization: "Bearer {secret:openai}", x-plain: "words" }
  environment:
    allow: [ { key: TOKEN, secret: "openai" } ]
"#,
    );
    let error = Policy::parse(&text).unwrap_err();
    assert_eq!(error.kind, PolicyErrorKind::NotEnforced);
    let found = asked(&text).unwrap();
    let Allowed::Requests(requests) = &found[0].allowed else {
        panic!("{found:?}");
    };
    assert_eq!(requests.peer.breadth, HostBreadth::One);
    assert_eq!(requests.headers[0].secrets, ["openai"]);
    assert_eq!(requests.headers[0].text.expose(), "Bearer ");
    assert_eq!(requests.headers[1].text.expose(), "words");
    let Allowed::Variable(variable) = &found[1].allowed else {
        panic!("{found:?}");
    };
    assert_eq!(variable.value, VariableValue::Secret("openai".to_owned()));
    // What no policy may say no request may say either.
    assert!(
        asked("version: \"1.0\"\npermissions: { network: { allow: [ { host: \"*\" } ] } }")
            .is_err()
    );
    assert!(asked("nonsense").is_err());
}
