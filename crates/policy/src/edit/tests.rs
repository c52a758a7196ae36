use super::*;
use crate::error::PolicyErrorKind;
use crate::policy::Policy;

fn grant(permission: Permission) -> PolicyEdit {
    PolicyEdit::Grant(permission)
}

fn read(uri: &str) -> Permission {
    Permission::Read(uri.to_owned())
}

fn write(uri: &str) -> Permission {
    Permission::Write(uri.to_owned())
}

fn network(host: &str) -> Permission {
    Permission::Network(host.to_owned())
}

fn environment(key: &str) -> Permission {
    Permission::Environment(key.to_owned())
}

fn limit(key: &str, value: &str) -> PolicyEdit {
    PolicyEdit::Limit {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn check(before: &str, change: &PolicyEdit, after: &str) {
    let edited = edit(before, change).unwrap();
    assert_eq!(edited.text, after);
    assert_eq!(edited.changed, before != after);
}

/// A file as a person keeps it, with comments in every place.
const HAND: &str = r#"# Policy of the search tool
# kept by hand

version: "1.0"   # the only one
description: "Search"

permissions:

  # what it may see
  storage:
    allow:   # one by one
    # the notes
    - uri: 'fs://workspace/notes/**'   # all of them
      access: ['read']   # never write
      # end of notes

    - access:
        # in this order
        - write
      uri: fs://workspace/out.txt
  # -- network --
  network:
    allow: [ { host: a.example } ]
  resources:
    limits: { memory: "256Mi", time: 30s }   # enough
# end
"#;

#[test]
fn comments_and_layout_stay() {
    check(
        HAND,
        &grant(read("fs://workspace/x")),
        &HAND.replace(
            "      uri: fs://workspace/out.txt\n",
            "      uri: fs://workspace/out.txt\n    - uri: \"fs://workspace/x\"\n      access: [\"read\"]\n",
        ),
    );
    check(
        HAND,
        &grant(write("fs://workspace/notes/**")),
        &HAND.replace("['read']", "['read', 'write']"),
    );
    check(
        HAND,
        &grant(read("fs://workspace/out.txt")),
        &HAND.replace("        - write\n", "        - write\n        - read\n"),
    );
    check(
        HAND,
        &PolicyEdit::Revoke(read("fs://workspace/notes/**")),
        &HAND.replace(
            "    - uri: 'fs://workspace/notes/**'   # all of them\n      access: ['read']   # never write\n",
            "",
        ),
    );
    check(
        HAND,
        &limit("memory", "1Gi"),
        &HAND.replace("\"256Mi\"", "\"1Gi\""),
    );
    check(HAND, &limit("time", "60s"), &HAND.replace("30s", "\"60s\""));
    check(
        HAND,
        &limit("concurrency", "4"),
        &HAND.replace("time: 30s }", "time: 30s, concurrency: 4 }"),
    );
    check(
        HAND,
        &grant(environment("REGION")),
        &HAND.replace(
            "   # enough\n",
            "   # enough\n  environment:\n    allow:\n      - key: \"REGION\"\n",
        ),
    );
    check(
        HAND,
        &PolicyEdit::Block(network("b.example")),
        &HAND.replace(
            "[ { host: a.example } ]\n",
            "[ { host: a.example } ]\n    deny:\n      - host: \"b.example\"\n",
        ),
    );
}

#[test]
fn flow_lists_are_left_to_the_person() {
    for change in [
        grant(network("b.example")),
        PolicyEdit::Revoke(network("a.example")),
    ] {
        let error = edit(HAND, &change).unwrap_err();
        assert!(
            matches!(error, EditError::ByHand { line: 23, .. }),
            "{error}"
        );
    }
    for text in [
        "{version: \"1.0\"}\n",
        "{\"version\": \"1.0\", \"permissions\": {\"storage\": {\"allow\": []}}}",
    ] {
        let error = edit(text, &grant(read("fs://w/a"))).unwrap_err();
        assert!(matches!(error, EditError::ByHand { .. }), "{text}: {error}");
    }
}

#[test]
fn a_file_without_content_is_started() {
    let rule = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://w/**\"\n        access: [\"write\"]\n";
    check("", &grant(write("fs://w/**")), rule);
    check(
        "# mine",
        &grant(write("fs://w/**")),
        &format!("# mine\n{rule}"),
    );
    check(
        "# mine\n---\n",
        &grant(write("fs://w/**")),
        &format!("# mine\n---\n{rule}"),
    );
    check(
        "",
        &limit("cpu-time", "500ms"),
        "version: \"1.0\"\npermissions:\n  resources:\n    limits:\n      cpu-time: \"500ms\"\n",
    );
    assert!(edit("~\n", &grant(write("fs://w/**"))).is_err());
}

#[test]
fn missing_and_empty_sections_are_filled() {
    let filled = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - key: \"A\"\n";
    for text in [
        "version: \"1.0\"\n",
        "version: \"1.0\"",
        "version: \"1.0\"\npermissions:\n",
        "version: \"1.0\"\npermissions: {}\n",
        "version: \"1.0\"\npermissions: ~\n",
        "version: \"1.0\"\npermissions: null\n",
        "version: \"1.0\"\npermissions:\n  environment:\n",
        "version: \"1.0\"\npermissions:\n  environment: {}\n",
        "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n",
        "version: \"1.0\"\npermissions:\n  environment:\n    allow: []\n",
        "version: \"1.0\"\npermissions:\n  environment:\n    allow: [ ]\n",
    ] {
        check(text, &grant(environment("A")), filled);
    }
    check(
        "version: \"1.0\"\npermissions:   # mine\n    environment:\n        allow: []   # none yet\n...\n",
        &grant(environment("A")),
        "version: \"1.0\"\npermissions:   # mine\n    environment:\n        allow:   # none yet\n            - key: \"A\"\n...\n",
    );
}

#[test]
fn other_line_endings_stay() {
    check(
        "version: \"1.0\"\r\npermissions:\r\n  environment:\r\n    allow:\r\n    - key: A\r\n",
        &grant(environment("B")),
        "version: \"1.0\"\r\npermissions:\r\n  environment:\r\n    allow:\r\n    - key: A\r\n    - key: \"B\"\r\n",
    );
}

#[test]
fn a_block_text_at_the_end_is_no_hindrance() {
    check(
        "permissions:\nversion: \"1.0\"\ndescription: |\n  two\n  lines\n",
        &grant(environment("B")),
        "permissions:\n  environment:\n    allow:\n      - key: \"B\"\nversion: \"1.0\"\ndescription: |\n  two\n  lines\n",
    );
    check(
        "version: \"1.0\"\ndescription: |\n  two\n  lines\n",
        &grant(environment("B")),
        "version: \"1.0\"\ndescription: |\n  two\n  lines\npermissions:\n  environment:\n    allow:\n      - key: \"B\"\n",
    );
}

#[test]
fn the_last_entry_leaves_an_empty_list() {
    let text = "version: \"1.0\"\npermissions:\n  environment:\n    allow:   # keys\n      # region\n      - key: A\n    deny:\n      - key: B\n";
    check(
        text,
        &PolicyEdit::Revoke(environment("A")),
        "version: \"1.0\"\npermissions:\n  environment:\n    allow: []   # keys\n      # region\n    deny:\n      - key: B\n",
    );
}

#[test]
fn what_is_there_already_changes_nothing() {
    for change in [
        grant(read("fs://workspace/notes/a.txt")),
        grant(read("fs://workspace/notes/**")),
        grant(network("a.example")),
        grant(network("A.example:443")),
        limit("memory", "268435456"),
        PolicyEdit::Revoke(environment("A")),
        PolicyEdit::Revoke(read("fs://workspace/out.txt")),
    ] {
        let edited = edit(HAND, &change).unwrap();
        assert!(!edited.changed && edited.text == HAND, "{change:?}");
        assert!(!edited.rule.is_empty());
    }
}

#[test]
fn other_rules_that_decide_are_named() {
    let error = edit(HAND, &PolicyEdit::Revoke(read("fs://workspace/notes/a"))).unwrap_err();
    assert!(
        matches!(error, EditError::StillGranted { line: 13, .. }),
        "{error}"
    );
    let blocked = "version: \"1.0\"\npermissions:\n  environment:\n    deny:\n      - key: A\n  network:\n    deny:\n      - host: \"*.a.example\"\n";
    assert!(matches!(
        edit(blocked, &grant(environment("A"))),
        Err(EditError::Blocked { line: 5, .. })
    ));
    assert!(matches!(
        edit(blocked, &grant(network("x.a.example"))),
        Err(EditError::Blocked { line: 8, .. })
    ));
}

#[test]
fn a_file_with_what_is_not_enforced_is_left_alone() {
    let text = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n      - key: A\n        secret: a\n";
    for change in [grant(environment("B")), limit("memory", "1Gi")] {
        match edit(text, &change) {
            Err(EditError::Policy(error)) => {
                assert_eq!(error.kind, PolicyErrorKind::NotEnforced);
                assert_eq!(error.line, 6);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn raw_connections_are_granted_revoked_and_blocked() {
    let target = "tcp://DB.internal:5432";
    let granted = edit("", &grant(network(target))).unwrap();
    assert_eq!(granted.rule, "- tcp: \"db.internal:5432\"\n");
    assert_eq!(
        granted.text,
        "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - tcp: \"db.internal:5432\"\n"
    );
    assert!(
        !edit(&granted.text, &grant(network(target)))
            .unwrap()
            .changed
    );
    // Requests to the same host are another matter.
    let both = edit(&granted.text, &grant(network("db.internal:5432"))).unwrap();
    assert!(both.changed);
    let requests = edit(&both.text, &PolicyEdit::Revoke(network(target))).unwrap();
    assert!(
        !requests.text.contains("tcp:") && requests.text.contains("host:"),
        "{}",
        requests.text
    );
    let raw = edit(&both.text, &PolicyEdit::Revoke(network("db.internal:5432"))).unwrap();
    assert_eq!(raw.text, granted.text);
    // One that leads into a network goes too.
    let led = granted
        .text
        .replace("5432\"\n", "5432\"\n        cidr: \"10.0.0.0/8\"\n");
    let revoked = edit(&led, &PolicyEdit::Revoke(network(target))).unwrap();
    assert!(!revoked.text.contains("tcp:"), "{}", revoked.text);

    let blocked = edit("", &PolicyEdit::Block(network(target))).unwrap();
    assert!(
        blocked
            .text
            .ends_with("    deny:\n      - tcp: \"db.internal:5432\"\n"),
        "{}",
        blocked.text
    );
    assert!(
        !edit(&blocked.text, &PolicyEdit::Block(network(target)))
            .unwrap()
            .changed
    );
    for block in [target, "db.internal", "*.internal", "db.internal:5432"] {
        let blocked = edit("", &PolicyEdit::Block(network(block))).unwrap().text;
        let error = edit(&blocked, &grant(network(target)));
        assert!(
            matches!(error, Err(EditError::Blocked { .. })),
            "{block}: {error:?}"
        );
    }
    let other = edit("", &PolicyEdit::Block(network("db.internal:443")))
        .unwrap()
        .text;
    assert!(edit(&other, &grant(network(target))).is_ok());
    for bad in [
        "tcp://db.internal",
        "tcp://db.internal:0",
        "tcp://db.internal:5432/x",
        "tcp://*.example.com:5432",
        "tcp://user@db.internal:5432",
        "tcp://[::1:22",
        "tcp://::1:22",
        "tcp://169.254.169.254:80",
        "tcp://metadata.google.internal:80",
        "tcp://0x7f.1:80",
        "tcp://:80",
        "tcp:db.internal:5432",
        "udp://db.internal:53",
    ] {
        let error = edit("", &grant(network(bad))).unwrap_err();
        assert!(matches!(error, EditError::Refused { .. }), "{bad}: {error}");
    }
}

#[test]
fn storage_is_blocked_once_and_then_not_granted() {
    let block = |permission| PolicyEdit::Block(permission);
    let git = "    deny:\n      - uri: \"fs://workspace/**/.git/**\"\n        access: [\"read\"]\n";
    let after = HAND.replace("  # -- network --\n", &format!("{git}  # -- network --\n"));
    check(HAND, &block(read("fs://workspace/**/.git/**")), &after);
    // A narrower one says nothing new.
    for uri in [
        "fs://workspace/**/.git/**",
        "fs://workspace/.git/hooks/x",
        "fs://workspace/a/.git",
        "fs://workspace/**/.git/*/x",
    ] {
        check(&after, &block(read(uri)), &after);
        let error = edit(&after, &grant(read(uri))).unwrap_err();
        assert!(
            matches!(error, EditError::Blocked { line: 22, .. }),
            "{uri}: {error}"
        );
    }
    let both =
        git.to_owned() + "      - uri: \"fs://workspace/.git/x\"\n        access: [\"write\"]\n";
    check(
        &after,
        &block(write("fs://workspace/.git/x")),
        &HAND.replace("  # -- network --\n", &format!("{both}  # -- network --\n")),
    );
    // What is denied in part is granted in the rest.
    assert!(
        edit(&after, &grant(read("fs://workspace/**")))
            .unwrap()
            .changed
    );
    assert!(
        edit(&after, &grant(write("fs://workspace/.git/y")))
            .unwrap()
            .changed
    );
    let pattern = grant(read("fs://w/**/*.md"));
    let granted = edit("", &pattern).unwrap();
    assert!(!edit(&granted.text, &pattern).unwrap().changed);
    assert!(
        !edit(&granted.text, &grant(read("fs://w/a/b.md")))
            .unwrap()
            .changed
    );
    assert!(matches!(
        edit(&granted.text, &PolicyEdit::Revoke(read("fs://w/a/b.md"))),
        Err(EditError::StillGranted { .. })
    ));
    let revoked = edit(&granted.text, &PolicyEdit::Revoke(read("fs://w/**/*.md"))).unwrap();
    assert!(!revoked.text.contains("uri"), "{}", revoked.text);
}

#[test]
fn what_means_nothing_is_refused() {
    for change in [
        grant(read("/etc/passwd")),
        grant(write("fs:///proc/**")),
        grant(network("https://a.example/")),
        grant(network("https://a.example/v1")),
        grant(network("a.example?x")),
        grant(network("ftp://a.example")),
        grant(network("//a.example")),
        grant(network("user@a.example")),
        grant(network("a.example:0")),
        grant(network("a.example:0443")),
        grant(network("a.example:65536")),
        grant(network("a.example:")),
        grant(network("a.example:x")),
        grant(network("[::1]:0")),
        grant(network("2130706433")),
        grant(network("*")),
        grant(network("*:443")),
        grant(network("*.com")),
        grant(network("169.254.169.254")),
        grant(network("http://metadata.google.internal")),
        grant(network("0.0.0.0:8080")),
        grant(environment("AWS_*")),
        grant(environment("")),
        limit("memory", "lots"),
        limit("memory", "1Gi }\n  evil: 1"),
        limit("memroy", "1Gi"),
        limit("time", "-1"),
    ] {
        let error = edit("", &change).unwrap_err();
        assert!(
            matches!(error, EditError::Refused { .. }),
            "{change:?}: {error}"
        );
    }
    assert_eq!(
        edit("", &limit("memroy", "1Gi")).unwrap_err().hint(),
        Some("did you mean \"memory\"?")
    );
    assert!(matches!(
        edit("version: \"2.0\"\n", &limit("memory", "1Gi")),
        Err(EditError::Policy(_))
    ));
    let clash = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: fs://srv/a\n        access: [read]\n";
    assert!(matches!(
        edit(clash, &grant(read("fs:///srv/data/**"))),
        Err(EditError::Refused { .. })
    ));
}

/// A file with nothing but network entries, and a comment for each.
const NETWORK: &str = "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      # the service\n      - host: \"a.example\"\n      - host: b.example   # also in the clear\n        schemes: [https, http]\n        methods: [GET]\n    deny:   # never these\n      - { host: \"x.example\", ports: [8443] }\n";

fn added(entry: &str) -> String {
    NETWORK.replace("    deny:", &format!("{entry}    deny:"))
}

#[test]
fn requests_are_granted_by_scheme_and_port() {
    for (target, entry) in [
        ("c.example", "      - host: \"c.example\"\n"),
        ("C.example.:443", "      - host: \"c.example\"\n"),
        ("https://c.example", "      - host: \"c.example\"\n"),
        (
            "c.example:8443",
            "      - host: \"c.example\"\n        ports: [8443]\n",
        ),
        (
            "https://c.example:80",
            "      - host: \"c.example\"\n        ports: [80]\n",
        ),
        (
            "http://c.example",
            "      - host: \"c.example\"\n        schemes: [http]\n",
        ),
        (
            "http://c.example:80",
            "      - host: \"c.example\"\n        schemes: [http]\n",
        ),
        (
            "http://127.0.0.1:8080",
            "      - host: \"127.0.0.1\"\n        schemes: [http]\n        ports: [8080]\n",
        ),
        (
            "[::1]:8443",
            "      - host: \"::1\"\n        ports: [8443]\n",
        ),
        ("2001:db8::1", "      - host: \"2001:db8::1\"\n"),
        ("*.c.example", "      - host: \"*.c.example\"\n"),
        (
            "http://a.example",
            "      - host: \"a.example\"\n        schemes: [http]\n",
        ),
        ("b.example", "      - host: \"b.example\"\n"),
        ("x.example", "      - host: \"x.example\"\n"),
    ] {
        let after = added(entry);
        check(NETWORK, &grant(network(target)), &after);
        check(&after, &grant(network(target)), &after);
        let revoked = edit(&after, &PolicyEdit::Revoke(network(target)));
        if target == "b.example" {
            // The entry with the methods is about the same host, and allows it over http too.
            assert!(
                matches!(revoked, Err(EditError::StillGranted { line: 7, .. })),
                "{revoked:?}"
            );
        } else {
            assert_eq!(revoked.unwrap().text, NETWORK, "{target}");
        }
    }
    for target in ["a.example", "A.example:443", "https://a.example."] {
        check(NETWORK, &grant(network(target)), NETWORK);
    }
    assert!(matches!(
        edit(NETWORK, &grant(network("x.example:8443"))),
        Err(EditError::Blocked { line: 11, .. })
    ));
}

#[test]
fn requests_are_revoked_exactly() {
    check(
        NETWORK,
        &PolicyEdit::Revoke(network("a.example")),
        &NETWORK.replace("      - host: \"a.example\"\n", ""),
    );
    for target in [
        "http://a.example",
        "a.example:8443",
        "c.example",
        "http://b.example:8080",
    ] {
        check(NETWORK, &PolicyEdit::Revoke(network(target)), NETWORK);
    }
    let one_way = NETWORK.replace("[https, http]", "[http]");
    check(
        &one_way,
        &PolicyEdit::Revoke(network("http://b.example")),
        &one_way.replace(
            "      - host: b.example   # also in the clear\n        schemes: [http]\n        methods: [GET]\n",
            "",
        ),
    );
    let error = edit(NETWORK, &PolicyEdit::Revoke(network("http://b.example"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 7 still allows it (b.example [schemes: https, http; methods: GET]): revoke or narrow that rule"
    );
}

#[test]
fn requests_are_blocked_as_far_as_it_was_said() {
    for (target, entry) in [
        ("c.example", "      - host: \"c.example\"\n"),
        (
            "c.example:443",
            "      - host: \"c.example\"\n        ports: [443]\n",
        ),
        (
            "https://c.example",
            "      - host: \"c.example\"\n        schemes: [https]\n",
        ),
        (
            "http://c.example:8080",
            "      - host: \"c.example\"\n        schemes: [http]\n        ports: [8080]\n",
        ),
        ("**.com", "      - host: \"**.com\"\n"),
        ("169.254.169.254", "      - host: \"169.254.169.254\"\n"),
        ("x.example", "      - host: \"x.example\"\n"),
    ] {
        let after = format!("{NETWORK}{entry}");
        check(NETWORK, &PolicyEdit::Block(network(target)), &after);
        check(&after, &PolicyEdit::Block(network(target)), &after);
    }
    for target in ["x.example:8443", "http://x.example:8443"] {
        check(NETWORK, &PolicyEdit::Block(network(target)), NETWORK);
    }
}

#[test]
fn text_cannot_be_smuggled_into_the_file() {
    for uri in [
        "fs://w/a\"]\n  evil: 1",
        "fs://w/\" # x",
        "fs://w/a: b",
        "fs://w/#",
        "fs://w/'",
    ] {
        match edit(HAND, &grant(read(uri))) {
            Ok(edited) => {
                let policy = Policy::parse(&edited.text).unwrap();
                assert_eq!(
                    policy.document().permissions.storage.allow.len(),
                    3,
                    "{uri:?}"
                );
            }
            Err(error) => assert!(
                matches!(error, EditError::Refused { .. }),
                "{uri:?}: {error}"
            ),
        }
    }
}

#[test]
fn unusual_layouts_are_changed_rightly_or_not_at_all() {
    let text = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      -\n        uri: \"fs://w/a\"\n        access: [read]\n      - uri: >-\n          fs://w/b\n        access:\n        - read\n        - write\n      - access: [ 'read' , 'write', ] # both\n        uri: 'fs://w/c'\n";
    check(
        text,
        &PolicyEdit::Revoke(read("fs://w/b")),
        &text.replace("        - read\n", ""),
    );
    check(
        text,
        &PolicyEdit::Revoke(write("fs://w/c")),
        &text.replace("[ 'read' , 'write', ]", "['read']"),
    );
    check(
        text,
        &PolicyEdit::Revoke(read("fs://w/a")),
        &text.replace(
            "      -\n        uri: \"fs://w/a\"\n        access: [read]\n",
            "",
        ),
    );
    check(
        text,
        &grant(write("fs://w/a")),
        &text.replace("[read]", "[read, write]"),
    );
    check(
        text,
        &grant(read("fs://w/d")),
        &format!("{text}      - uri: \"fs://w/d\"\n        access: [\"read\"]\n"),
    );
    let multi = text.replace("[read]", "[\n          read # yes\n        ]");
    let error = edit(&multi, &grant(write("fs://w/a"))).unwrap_err();
    assert!(
        matches!(error, EditError::ByHand { line: 7, .. }),
        "{error}"
    );
}

#[test]
fn an_entry_for_some_paths_is_not_widened() {
    let own = "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"a.example\"\n        paths: [\"/v1/**\"]\n    deny:\n      - { host: b.example, paths: [/admin] }\n";
    let granted = edit(own, &grant(network("a.example"))).unwrap();
    assert_eq!(granted.rule, "- host: \"a.example\"\n");
    assert_eq!(
        granted.text,
        own.replace("    deny:", "      - host: \"a.example\"\n    deny:")
    );
    // A deny entry for some paths stands in the way of none of the others.
    assert!(edit(own, &grant(network("b.example"))).unwrap().changed);
    // Whoever revokes the host means all of it.
    let revoked = edit(&granted.text, &PolicyEdit::Revoke(network("a.example"))).unwrap();
    assert!(!revoked.text.contains("a.example"), "{}", revoked.text);
    // An entry that denies some paths does not deny the host.
    let blocked = edit(own, &PolicyEdit::Block(network("b.example"))).unwrap();
    assert_eq!(blocked.text, format!("{own}      - host: \"b.example\"\n"));
}

#[test]
fn an_entry_with_a_range_is_one_of_its_own() {
    let own = "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"db.internal\"\n        cidr: \"10.1.0.0/16\"\n      - cidr: \"10.2.0.0/16\"\n    deny:\n      - cidr: \"10.3.0.0/16\"\n";
    // What is granted for the name is what is public.
    let granted = edit(own, &grant(network("db.internal"))).unwrap();
    assert_eq!(
        granted.text,
        own.replace("    deny:", "      - host: \"db.internal\"\n    deny:")
    );
    let revoked = edit(&granted.text, &PolicyEdit::Revoke(network("db.internal"))).unwrap();
    assert!(!revoked.text.contains("db.internal"), "{}", revoked.text);
    // An entry for an address also lets names lead there, so a range alone is not enough.
    assert!(edit(own, &grant(network("10.2.0.5"))).unwrap().changed);
    let error = edit(own, &PolicyEdit::Revoke(network("10.2.0.5"))).unwrap_err();
    assert!(
        matches!(error, EditError::StillGranted { line: 7, .. }),
        "{error}"
    );
    assert!(matches!(
        edit(own, &grant(network("10.3.0.5"))),
        Err(EditError::Blocked { line: 9, .. })
    ));
    assert!(
        !edit(own, &PolicyEdit::Block(network("10.3.0.5")))
            .unwrap()
            .changed
    );
    assert!(
        edit(own, &PolicyEdit::Block(network("10.2.0.5")))
            .unwrap()
            .changed
    );
}
