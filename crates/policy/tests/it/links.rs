//! Hard and symbolic links: what they take, and what is said where it is missing.

use casemate_policy::{
    EditError, Grant, LinkKind, Operation, Permission, Permitted, Policy, PolicyEdit, Remedy,
    StorageAccess, VirtualPath, edit, widens,
};

use crate::{admit, policy, verdict};

fn files(allow: &str, deny: &str) -> Policy {
    policy(&format!(
        "version: \"1.0\"\npermissions:\n  storage:\n    allow: [{allow}]\n    deny: [{deny}]\n"
    ))
}

fn rule(uri: &str, access: &str) -> String {
    format!("{{ uri: \"{uri}\", access: [{access}] }}")
}

fn path(text: &str) -> VirtualPath {
    VirtualPath::parse(text).unwrap()
}

fn link(grant: &Grant, kind: LinkKind, from: &str, to: &str) -> String {
    let (from, to) = (path(from), path(to));
    let operation = Operation::StorageLink {
        from: &from,
        to: &to,
        kind,
        own: false,
    };
    if let Ok(permit) = grant.decide(&operation) {
        assert_eq!(*permit.granted(), Permitted::Link);
        assert!(permit.rule().is_some());
    }
    verdict(grant, &operation)
}

#[test]
fn s053_s055_a_symbolic_link_takes_a_right_of_its_own() {
    let allow = [
        rule("fs://w/**", "read, write"),
        rule("fs://w/links/**", "symlink"),
        rule("fs://w/only/**", "symlink"),
        rule("fs://c/**", "read"),
    ]
    .join(", ");
    let deny = [
        rule("fs://w/secret", "read, write"),
        rule("fs://w/links/fixed", "symlink"),
        rule("fs://w/links/ro/**", "write"),
        rule("fs://w/only/**", "write"),
    ]
    .join(", ");
    let grant = admit(&files(&allow, &deny), None, &["w", "c"]);
    let denied = "denied.storage.link";
    for (target, at, expected) in [
        ("/w/a", "/w/links/x", "allowed"),
        ("/w/not-there", "/w/links/x", "allowed"),
        ("/w", "/w/links/x", "allowed"),
        ("/w/links", "/w/links/x", "allowed"),
        // What leads to something that may be used may be seen; nothing else may.
        ("/c", "/w/links/x", "allowed"),
        ("/w/secret", "/w/links/x", denied),
        ("/w/secret/a", "/w/links/x", denied),
        ("/d/a", "/w/links/x", denied),
        // Neither right stands for the other, and each can be denied.
        ("/w/a", "/w/x", denied),
        ("/w/a", "/w/only/x", denied),
        ("/w/a", "/c/x", denied),
        ("/w/a", "/w/links/fixed", denied),
        ("/w/a", "/w/links/fixed/x", denied),
        ("/w/a", "/w/links/ro/x", denied),
        ("/w/a", "/w/secret/x", denied),
    ] {
        assert_eq!(
            link(&grant, LinkKind::Symbolic, target, at),
            expected,
            "{at} -> {target}"
        );
    }
    // Reading and writing alone make none.
    let plain = admit(&files(&rule("fs://w/**", "read, write"), ""), None, &["w"]);
    let (from, to) = (path("/w/a"), path("/w/b"));
    let operation = Operation::StorageLink {
        from: &from,
        to: &to,
        kind: LinkKind::Symbolic,
        own: false,
    };
    let denial = plain.decide(&operation).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "no rule allows symbolic links at /w/b: making them takes a right of its own, symlink, beside write"
    );
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME symlink fs://w/b"
    );
    // Nor does the right alone show anything.
    let alone = admit(&files(&rule("fs://w/**", "symlink"), ""), None, &["w"]);
    assert!(alone.mounts().is_empty());
    assert!(!alone.reach().storage_read && !alone.reach().storage_write);
    for access in [
        StorageAccess::Read,
        StorageAccess::Write,
        StorageAccess::Traverse,
    ] {
        let operation = Operation::Storage {
            path: &from,
            access,
            own: false,
        };
        assert!(alone.decide(&operation).is_err());
    }
}

#[test]
fn s055_a_hard_link_takes_reading_and_writing_at_both_names() {
    let allow = [
        rule("fs://w/**", "read, write"),
        rule("fs://w/a/**", "read, write"),
        rule("fs://r/**", "read"),
        rule("fs://o/**", "write"),
    ]
    .join(", ");
    let deny = [
        rule("fs://w/ro/**", "write"),
        rule("fs://w/wo/**", "read"),
        rule("fs://w/no", "read, write"),
        rule("fs://w/**/*.key", "read"),
    ]
    .join(", ");
    let grant = admit(&files(&allow, &deny), None, &["w", "r", "o"]);
    let names = [
        "/w/x", "/w/a/x", "/r/x", "/o/x", "/w/ro/x", "/w/wo/x", "/w/no", "/w/no/x", "/w/a.key",
        "/d/x",
    ];
    for (index, from) in names.iter().enumerate() {
        for (other, to) in names.iter().enumerate() {
            let expected = if index < 2 && other < 2 {
                "allowed"
            } else {
                "denied.storage.link"
            };
            assert_eq!(
                link(&grant, LinkKind::Hard, from, to),
                expected,
                "{from} {to}"
            );
        }
    }
    let (from, to) = (path("/r/x"), path("/w/x"));
    let operation = Operation::StorageLink {
        from: &from,
        to: &to,
        kind: LinkKind::Hard,
        own: false,
    };
    let denial = grant.decide(&operation).unwrap_err();
    assert_eq!(
        denial.to_string(),
        "a second name needs read and write at both, and no rule allows write at /r/x"
    );
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME write fs://r/x"
    );
    let explanation = grant.explain(&operation).to_string();
    assert!(
        explanation.starts_with("denied: storage link /r/x -> /w/x (denied.storage.link)"),
        "{explanation}"
    );
}

#[test]
fn links_keep_to_the_ceiling_and_to_roots_that_are_bound() {
    let own = files(
        &[
            rule("fs://w/**", "read, write, symlink"),
            rule("fs://c/**", "read, write, symlink"),
        ]
        .join(", "),
        "",
    );
    for (allow, deny, hard, symbolic) in [
        (
            rule("fs://w/**", "read, write, symlink"),
            String::new(),
            true,
            true,
        ),
        (rule("fs://w/**", "read, write"), String::new(), true, false),
        (
            rule("fs://w/**", "write, symlink"),
            String::new(),
            false,
            true,
        ),
        (
            rule("fs://w/**", "read, symlink"),
            String::new(),
            false,
            false,
        ),
        (
            rule("fs://w/**", "read, write, symlink"),
            rule("fs://w/b", "read"),
            false,
            true,
        ),
        (
            rule("fs://w/**", "read, write, symlink"),
            rule("fs://w/b", "symlink"),
            true,
            false,
        ),
    ] {
        let ceiling = files(&allow, &deny);
        let grant = admit(&own, Some(&ceiling), &["w", "c"]);
        for (kind, expected) in [(LinkKind::Hard, hard), (LinkKind::Symbolic, symbolic)] {
            let (from, to) = (path("/w/a"), path("/w/b"));
            let operation = Operation::StorageLink {
                from: &from,
                to: &to,
                kind,
                own: false,
            };
            match grant.decide(&operation) {
                Ok(_) => assert!(expected, "{allow} {deny} {kind:?}"),
                Err(denial) => {
                    assert!(!expected, "{allow} {deny} {denial}");
                    assert_eq!(denial.remedy(), Some(&Remedy::Ceiling), "{denial}");
                    assert!(
                        denial.to_string().contains("the ceiling does not let it"),
                        "{denial}"
                    );
                }
            }
        }
    }
    let grant = admit(&own, None, &["w"]);
    for kind in [LinkKind::Hard, LinkKind::Symbolic] {
        for (from, to, expected) in [
            ("/w/a", "/w/b", true),
            ("/c/a", "/w/b", false),
            ("/w/a", "/c/b", false),
        ] {
            assert_eq!(
                link(&grant, kind, from, to) == "allowed",
                expected,
                "{from} {to}"
            );
        }
    }
}

#[test]
fn the_right_to_make_links_is_granted_and_taken_like_any() {
    let before = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://w/**\"  # notes\n        access: [read, write]\n";
    let permission = || Permission::Symlink("fs://w/**".to_owned());
    let granted = edit(before, &PolicyEdit::Grant(permission())).unwrap();
    assert_eq!(
        granted.text,
        before.replace("[read, write]", "[read, write, symlink]")
    );
    assert!(widens(&policy(before), &policy(&granted.text)));
    assert!(!widens(&policy(&granted.text), &policy(before)));
    let revoked = edit(&granted.text, &PolicyEdit::Revoke(permission())).unwrap();
    assert_eq!(revoked.text, before);
    let blocked = edit(before, &PolicyEdit::Block(permission())).unwrap();
    assert!(
        blocked
            .text
            .ends_with("    deny:\n      - uri: \"fs://w/**\"\n        access: [\"symlink\"]\n"),
        "{}",
        blocked.text
    );
    assert!(matches!(
        edit(&blocked.text, &PolicyEdit::Grant(permission())),
        Err(EditError::Blocked { .. })
    ));
    // What was proposed can be granted, and is enough.
    let grant = admit(&policy(before), None, &["w"]);
    let (from, to) = (path("/w/a"), path("/w/b"));
    let operation = Operation::StorageLink {
        from: &from,
        to: &to,
        kind: LinkKind::Symbolic,
        own: false,
    };
    let denial = grant.decide(&operation).unwrap_err();
    let Some(Remedy::Grant(words)) = denial.remedy() else {
        panic!("{denial}")
    };
    let [word, uri] = words.as_slice() else {
        panic!("{words:?}")
    };
    assert_eq!(word, "symlink");
    let edited = edit(before, &PolicyEdit::Grant(Permission::Symlink(uri.clone()))).unwrap();
    assert!(
        admit(&policy(&edited.text), None, &["w"])
            .decide(&operation)
            .is_ok()
    );
    // An entry without `access` denies this too.
    let all = "version: \"1.0\"\npermissions:\n  storage:\n    deny:\n      - uri: fs://w/a\n";
    assert!(
        policy(all).rules()[0]
            .text
            .ends_with("[read, write, symlink]")
    );
    assert!(!widens(&policy(all), &policy(&policy(all).to_yaml())));
}
