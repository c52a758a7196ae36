use casemate_policy::{
    Grant, LinkKind, MountPlace, Operation, Policy, Remedy, StorageAccess, VirtualPath,
};

use StorageAccess::{Read, Remove, Traverse, Write};

use crate::{SEED, admit, policy, storage, verdict};

/// Builds a policy of storage rules such as `fs://w/** rw`.
fn files(rules: &[&str]) -> Policy {
    guarded(rules, &[])
}

/// Builds a policy of allow and deny rules.
fn guarded(allow: &[&str], deny: &[&str]) -> Policy {
    let mut lines = String::from("  storage:\n");
    for (list, rules) in [("allow", allow), ("deny", deny)] {
        lines.push_str(&format!("    {list}:\n"));
        for rule in rules {
            let (uri, access) = rule.rsplit_once(' ').unwrap();
            let words = match access {
                "r" => "read",
                "w" => "write",
                _ => "read, write",
            };
            lines.push_str(&format!(
                "      - {{ uri: \"{uri}\", access: [{words}] }}\n"
            ));
        }
    }
    policy(&format!("version: \"1.0\"\npermissions:\n{lines}"))
}

/// Asks for read, write and look, and returns what is allowed, as in `r.t`.
fn allowed(grant: &Grant, path: &str) -> String {
    [(Read, 'r'), (Write, 'w'), (Traverse, 't')]
        .into_iter()
        .map(
            |(access, letter)| match storage(grant, access, path).as_str() {
                "allowed" => letter,
                _ => '.',
            },
        )
        .collect()
}

fn table(grant: &Grant, table: &[(&str, &str)]) {
    for (path, expected) in table {
        assert_eq!(allowed(grant, path), *expected, "{path}");
    }
}

fn rename(grant: &Grant, from: &str, to: &str) -> String {
    moved(grant, from, to, LinkKind::Rename)
}

fn moved(grant: &Grant, from: &str, to: &str, kind: LinkKind) -> String {
    let (from, to) = (
        VirtualPath::parse(from).unwrap(),
        VirtualPath::parse(to).unwrap(),
    );
    verdict(
        grant,
        &Operation::StorageLink {
            from: &from,
            to: &to,
            kind,
            own: false,
        },
    )
}

#[test]
fn storage_is_allowed_where_a_rule_says_so_and_nowhere_else() {
    let rules = files(&[
        "fs://w/** rw",
        "fs://r/docs/** r",
        "fs://c/app.yaml r",
        "fs://o/out/** w",
        "fs:///srv/data/** r",
    ]);
    let grant = admit(&rules, None, &["w", "r", "c", "o"]);
    // Path, then which of read, write and traverse are allowed.
    let table = [
        ("/w", "..t"),
        ("/w/x", "rwt"),
        ("/w/a/b/c", "rwt"),
        ("/wx", "..."),
        ("/w-evil/x", "..."),
        ("/W/x", "..."),
        ("/r", "..."),
        ("/r/docs", "..t"),
        ("/r/docs/a", "r.t"),
        ("/r/other", "..."),
        ("/r/docs-x", "..."),
        ("/c", "..t"),
        ("/c/app.yaml", "r.t"),
        ("/c/app.yaml/x", "..."),
        ("/c/app.yam", "..."),
        ("/c/other", "..."),
        ("/o", "..."),
        ("/o/out", "..t"),
        ("/o/out/a", ".wt"),
        ("/srv", "..."),
        ("/srv/data", "..t"),
        ("/srv/data/a", "r.t"),
        ("/srv/data/a/b", "r.t"),
        ("/", "..."),
        ("/etc/passwd", "..."),
        ("/proc/self/environ", "..."),
    ];
    for (path, expected) in table {
        assert_eq!(allowed(&grant, path), expected, "{path}");
    }
    assert_eq!(storage(&grant, Traverse, "/etc"), "denied.storage.read");
    assert_eq!(storage(&grant, Write, "/r/docs/a"), "denied.storage.write");
}

#[test]
fn reading_and_writing_do_not_imply_each_other() {
    let grant = admit(
        &files(&["fs://w/a r", "fs://w/b w", "fs://w/c r", "fs://w/c w"]),
        None,
        &["w"],
    );
    let ask = |access, path: &str| storage(&grant, access, path) == "allowed";
    assert!(ask(Read, "/w/a") && !ask(Write, "/w/a"));
    assert!(!ask(Read, "/w/b") && ask(Write, "/w/b"));
    assert!(ask(Read, "/w/c") && ask(Write, "/w/c"));
    assert!(ask(Traverse, "/w/b"));
}

#[test]
fn directories_between_a_mount_and_a_rule_can_be_traversed() {
    let grant = admit(
        &files(&["fs://w/a.txt r", "fs://w/x/y/z/** r"]),
        None,
        &["w"],
    );
    for (path, expected) in [
        ("/w", true),
        ("/w/x", true),
        ("/w/x/y", true),
        ("/w/x/y/z", true),
        ("/w/x/other", false),
        ("/w/b", false),
    ] {
        assert_eq!(
            storage(&grant, Traverse, path) == "allowed",
            expected,
            "{path}"
        );
        assert!(path == "/w/x/y/z/a" || storage(&grant, Read, path) != "allowed");
    }
}

#[test]
fn mounts_are_the_outermost_directories() {
    let rules = files(&[
        "fs://w/a/** r",
        "fs://w/** r",
        "fs://c/app.yaml r",
        "fs:///srv/x/y r",
        "fs:///srv/** r",
        "fs://b/p/** r",
        "fs://b/q/** r",
    ]);
    let grant = admit(&rules, None, &["w"]);
    let found: Vec<(&str, String)> = grant
        .mounts()
        .iter()
        .map(|mount| {
            let place = match &mount.place {
                MountPlace::Root(root) => root.to_string(),
                MountPlace::Absolute => "absolute".to_owned(),
            };
            (mount.guest.as_str(), place)
        })
        .collect();
    let expected = [
        ("/b/p", "b"),
        ("/b/q", "b"),
        ("/c", "c"),
        ("/srv", "absolute"),
        ("/w", "w"),
    ];
    assert_eq!(
        found,
        expected.map(|(path, place)| (path, place.to_owned()))
    );
    assert_eq!(
        grant.warnings().len(),
        2,
        "one for each root that is not bound: {:?}",
        grant.warnings()
    );
}

#[test]
fn a_root_that_is_not_bound_is_denied_with_that_reason() {
    let grant = admit(&policy(SEED), None, &["config"]);
    let path = VirtualPath::parse("/workspace/x").unwrap();
    for access in [Read, Write, Traverse] {
        let denial = grant
            .decide(&Operation::Storage {
                path: &path,
                access,
                own: false,
            })
            .unwrap_err();
        assert_eq!(
            denial.remedy(),
            Some(&Remedy::BindRoot("workspace".parse().unwrap()))
        );
        assert!(
            denial
                .explanation()
                .contains("root \"workspace\" is not bound")
        );
        assert_eq!(
            denial.rule().unwrap().section,
            "permissions.storage.allow[0]"
        );
    }
    assert_eq!(storage(&grant, Read, "/config/app.yaml"), "allowed");
    assert_eq!(
        rename(&grant, "/workspace/a", "/workspace/b"),
        "denied.storage.link"
    );
    // What no rule allows stays a question of rules.
    let path = VirtualPath::parse("/other/x").unwrap();
    let denial = grant
        .decide(&Operation::Storage {
            path: &path,
            access: Read,
            own: false,
        })
        .unwrap_err();
    assert!(matches!(denial.remedy(), Some(Remedy::Grant(_))));
    let [unbound] = grant.warnings() else {
        panic!("{:?}", grant.warnings())
    };
    assert_eq!(unbound.line, 6);
}

#[test]
fn remedies_name_the_narrowest_grant() {
    let grant = admit(&policy(SEED), None, &["workspace", "config", "extra"]);
    let remedy = |path: &str, access| {
        let path = VirtualPath::parse(path).unwrap();
        let denial = grant
            .decide(&Operation::Storage {
                path: &path,
                access,
                own: false,
            })
            .unwrap_err();
        denial.remedy().map(ToString::to_string)
    };
    let cases = [
        (
            "/config/other.yaml",
            Read,
            Some("casemate grant NAME read fs://config/other.yaml"),
        ),
        (
            "/config/app.yaml",
            Write,
            Some("casemate grant NAME write fs://config/app.yaml"),
        ),
        (
            "/config/sub",
            Traverse,
            Some("casemate grant NAME read 'fs://config/sub/**'"),
        ),
        (
            "/extra/a b'c",
            Read,
            Some("casemate grant NAME read 'fs://extra/a b'\\''c'"),
        ),
        (
            "/extra",
            Traverse,
            Some("casemate grant NAME read 'fs://extra/**'"),
        ),
        (
            "/etc/passwd",
            Read,
            Some("casemate grant NAME read fs:///etc/passwd"),
        ),
        (
            "/etc/a[1].txt",
            Read,
            Some("casemate grant NAME read 'fs:///etc/**'"),
        ),
        (
            "/extra/x\n",
            Write,
            Some("casemate grant NAME write 'fs://extra/**'"),
        ),
        ("/proc/self/environ", Read, None),
        ("/vmlinuz", Read, None),
        ("/", Traverse, None),
    ];
    for (path, access, expected) in cases {
        assert_eq!(remedy(path, access).as_deref(), expected, "{path}");
    }
}

#[test]
fn s073_names_are_compared_byte_by_byte() {
    // e with an acute accent as one character and as two; a ligature and its letters.
    let grant = admit(
        &guarded(
            &["fs://w/** rw"],
            &[
                "fs://w/secret/** rw",
                "fs://w/caf\u{e9}/** rw",
                "fs://w/o\u{fb03}ce rw",
            ],
        ),
        None,
        &["w"],
    );
    for (path, denied) in [
        ("/w/secret/key", true),
        ("/w/SECRET/key", false),
        ("/w/Secret/key", false),
        ("/w/secret\u{200b}/key", false),
        ("/w/\u{17f}ecret/key", false),
        ("/w/caf\u{e9}/x", true),
        ("/w/cafe\u{301}/x", false),
        ("/w/CAF\u{c9}/x", false),
        ("/w/o\u{fb03}ce", true),
        ("/w/office", false),
    ] {
        assert_eq!(storage(&grant, Read, path) != "allowed", denied, "{path:?}");
    }
    // So a rule that is not written as names usually are is told of, wherever it stands.
    for (allow, deny, warned) in [
        ("fs://w/caf\u{e9}/** r", "fs://w/x r", &[][..]),
        ("fs://w/** r", "fs://w/cafe\u{301}/** r", &[(7, 9)]),
        (
            "fs://w/cafe\u{301}/*/x r",
            "fs://w/**/a\u{30a} r",
            &[(5, 9), (7, 9)],
        ),
        ("fs://w/\u{1100}\u{1161} r", "fs://w/\u{ac00} r", &[(5, 9)]),
        ("fs://w/\u{212b} r", "fs://w/o\u{fb03}ce r", &[(5, 9)]),
    ] {
        let policy = guarded(&[allow], &[deny]);
        let places: Vec<(u32, u32)> = policy
            .warnings()
            .iter()
            .map(|warning| (warning.line, warning.column))
            .collect();
        assert_eq!(places, warned, "{allow:?} {deny:?}");
        assert!(
            policy
                .warnings()
                .iter()
                .all(|warning| warning.message.contains("NFC"))
        );
    }
}

#[test]
fn s056_s061_a_rename_changes_nothing_about_access() {
    let grant = admit(
        &files(&[
            "fs://w/** rw",
            "fs://ro/** r",
            "fs://ro/rw/** rw",
            "fs://wo/** w",
            "fs://one/a rw",
            "fs://one/b rw",
            "fs://mix/** r",
            "fs://mix/out/** w",
        ]),
        None,
        &["w", "ro", "wo", "one", "mix"],
    );
    for (from, to, allowed) in [
        ("/w/a", "/w/b", true),
        ("/w/a/b", "/w/c/d/e", true),
        ("/w/a", "/w/a/b", true), // within itself: the file system's own error
        ("/w", "/w/b", false),
        ("/w/a", "/w", false),
        ("/ro/a", "/ro/b", false),
        ("/ro/a", "/ro/rw/a", false),
        ("/ro/rw/a", "/ro/a", false),
        ("/ro/rw", "/ro/x", false),
        ("/ro/rw/a", "/ro/rw/b", true),
        ("/ro/rw/a", "/w/a", false),
        ("/w/a", "/ro/rw/a", false),
        ("/wo/a", "/wo/b", false),
        ("/one/a", "/one/b", false),
        ("/one/a", "/one/a", false),
        ("/mix/out/a", "/mix/out/b", true),
        ("/mix/out/a", "/mix/b", false),
        ("/etc/a", "/etc/b", false),
    ] {
        let expected = if allowed {
            "allowed"
        } else {
            "denied.storage.link"
        };
        assert_eq!(rename(&grant, from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn deny_wins_over_every_allow() {
    let rules = guarded(
        &[
            "fs://w/** rw",
            "fs://w/.git/config rw",
            "fs://w/secret/open/** r",
            "fs://w/**/keep/** rw",
            "fs:///srv/** r",
        ],
        &[
            "fs://w/.git/** rw",
            "fs://w/docs/** w",
            "fs://w/log w",
            "fs://w/secret rw",
            "fs://w/drop/** r",
            "fs:///srv/a/b rw",
        ],
    );
    let grant = admit(&rules, None, &["w"]);
    table(
        &grant,
        &[
            ("/w", "..t"),
            ("/w/a", "rwt"),
            ("/w/.gitignore", "rwt"),
            ("/w/.git-x/a", "rwt"),
            ("/w/a/.git/x", "rwt"),
            // The directory itself and all below, whatever allows it.
            ("/w/.git", "..."),
            ("/w/.git/config", "..."),
            ("/w/.git/keep/x", "..."),
            ("/w/.git/a/b/c", "..."),
            // Read-only inside read-write.
            ("/w/docs", "r.t"),
            ("/w/docs/a", "r.t"),
            ("/w/docs/a/b", "r.t"),
            ("/w/docs/keep/b", "r.t"),
            ("/w/docs-x", "rwt"),
            ("/w/log", "r.t"),
            // A path without /** is denied with all below it as well.
            ("/w/secret", "..."),
            ("/w/secret/a", "..."),
            ("/w/secret/open/a", "..."),
            ("/w/secrets", "rwt"),
            // Write-only inside read-write.
            ("/w/drop", ".wt"),
            ("/w/drop/a", ".wt"),
            ("/srv", "..t"),
            ("/srv/a", "r.t"),
            ("/srv/a/b", "..."),
            ("/srv/a/b/c", "..."),
            ("/srv/a/bc", "r.t"),
        ],
    );
}

#[test]
fn a_denial_by_a_deny_rule_names_it_and_tells_nothing_of_what_is_there() {
    let rules = guarded(
        &["fs://w/** rw"],
        &["fs://w/docs/** w", "fs://w/key rw", "fs://w/**/*.pem rw"],
    );
    let grant = admit(&rules, None, &["w"]);
    for (path, access, reason, line, sentence) in [
        (
            "/w/docs/a",
            Write,
            "denied.storage.write",
            7,
            "a rule denies it to write this path",
        ),
        (
            "/w/docs",
            Write,
            "denied.storage.write",
            7,
            "a rule denies it to write this path",
        ),
        (
            "/w/key",
            Read,
            "denied.storage.read",
            8,
            "a rule denies it to read this path",
        ),
        (
            "/w/key",
            Traverse,
            "denied.storage.read",
            8,
            "a rule denies it to read this path",
        ),
        (
            "/w/key",
            Write,
            "denied.storage.write",
            8,
            "a rule denies it to write this path",
        ),
        (
            "/w/key/x",
            Remove,
            "denied.storage.write",
            8,
            "a rule denies it to write this path",
        ),
        (
            "/w/a/b.pem",
            Read,
            "denied.storage.read",
            9,
            "a rule denies it to read this path",
        ),
    ] {
        let path = VirtualPath::parse(path).unwrap();
        let operation = Operation::Storage {
            path: &path,
            access,
            own: false,
        };
        let denial = grant.decide(&operation).unwrap_err();
        assert_eq!(denial.reason().as_str(), reason, "{operation}");
        assert_eq!(denial.explanation(), sentence, "{operation}");
        assert_eq!(denial.remedy(), None, "no grant helps");
        let rule = denial.rule().unwrap();
        assert!(rule.text.starts_with("deny fs://w/"), "{rule}");
        assert_eq!(rule.line, line, "{operation} {rule}");
        assert!(rule.section.starts_with("permissions.storage.deny["));
        assert_eq!(grant.explain(&operation).rule.as_ref(), Some(rule));
    }
    let shown: Vec<String> = rules.rules().iter().map(|rule| rule.text.clone()).collect();
    assert_eq!(
        shown,
        [
            "fs://w/** [read, write]",
            "deny fs://w/docs/** [write]",
            "deny fs://w/key [read, write]",
            "deny fs://w/**/*.pem [read, write]",
        ]
    );
}

#[test]
fn an_access_that_is_left_out_of_a_deny_rule_is_both() {
    let text = "version: \"1.0\"\npermissions:\n  storage:\n    allow: [{ uri: \"fs://w/**\", access: [read, write] }]\n    deny: [{ uri: \"fs://w/a/**\" }]\n";
    let grant = admit(&policy(text), None, &["w"]);
    table(
        &grant,
        &[("/w/a", "..."), ("/w/a/b", "..."), ("/w/b", "rwt")],
    );
    assert_eq!(policy(&policy(text).to_yaml()), policy(text));
}

#[test]
fn patterns_allow_what_they_match_and_show_the_way_there() {
    let grant = admit(
        &files(&[
            "fs://w/**/*.md r",
            "fs://w/src/*/out/** w",
            "fs://c/conf.d/*.yaml r",
            "fs:///srv/app-*/log r",
        ]),
        None,
        &["w", "c"],
    );
    table(
        &grant,
        &[
            ("/w", "..t"),
            ("/w/a.md", "r.t"),
            ("/w/a/b/c.md", "r.t"),
            // Any name could be a directory that holds some.
            ("/w/a.txt", "..t"),
            ("/w/src", "..t"),
            ("/w/src/a/out", "..t"),
            ("/w/src/a/out/x", ".wt"),
            ("/w/src/a/out/x/y", ".wt"),
            ("/w/src/a/out/x.md", "rwt"),
            ("/c", "..."),
            ("/c/conf.d", "..t"),
            ("/c/conf.d/a.yaml", "r.t"),
            ("/c/conf.d/a.txt", "..."),
            ("/c/conf.d/a.yaml/x", "..."),
            ("/c/conf.d/sub", "..."),
            ("/c/conf.d/sub/a.yaml", "..."),
            ("/c/other", "..."),
            ("/srv", "..t"),
            ("/srv/app-1", "..t"),
            ("/srv/app-1/log", "r.t"),
            ("/srv/app-1/log/x", "..."),
            ("/srv/app-1/data", "..."),
            ("/srv/other", "..."),
            ("/srv/other/log", "..."),
        ],
    );
    let mounts: Vec<&str> = grant
        .mounts()
        .iter()
        .map(|mount| mount.guest.as_str())
        .collect();
    assert_eq!(mounts, ["/c/conf.d", "/srv", "/w"]);
    assert!(grant.reach().storage_read && grant.reach().storage_write);
}

#[test]
fn patterns_deny_what_they_match_with_all_below() {
    let rules = guarded(
        &["fs://w/** rw"],
        &[
            "fs://w/**/.env rw",
            "fs://w/**/node_modules/** rw",
            "fs://w/*/lock w",
            "fs://w/*.key/** rw",
        ],
    );
    let grant = admit(&rules, None, &["w"]);
    table(
        &grant,
        &[
            ("/w/a", "rwt"),
            ("/w/.env", "..."),
            ("/w/a/b/.env", "..."),
            ("/w/a/.env/x", "..."),
            ("/w/.env.example", "rwt"),
            ("/w/node_modules", "..."),
            ("/w/a/node_modules", "..."),
            ("/w/a/node_modules/b/c", "..."),
            ("/w/lock", "rwt"),
            ("/w/a/lock", "r.t"),
            ("/w/a/lock/x", "r.t"),
            ("/w/a/b/lock", "rwt"),
            ("/w/x.key", "..."),
            ("/w/x.key/y", "..."),
            ("/w/a/x.key", "rwt"),
        ],
    );
}

#[test]
fn what_is_denied_as_a_whole_is_neither_mounted_nor_counted() {
    let mounts = |grant: &Grant| -> Vec<String> {
        grant
            .mounts()
            .iter()
            .map(|mount| mount.guest.to_string())
            .collect()
    };
    let grant = admit(
        &guarded(
            &["fs://a/** rw", "fs://b/** rw"],
            &["fs://a/** rw", "fs://b/** w"],
        ),
        None,
        &["a", "b"],
    );
    assert_eq!(mounts(&grant), ["/b"]);
    assert!(grant.reach().storage_read && !grant.reach().storage_write);
    let ceiling = guarded(
        &["fs://a/** rw", "fs://b/** rw"],
        &["fs://b/** r", "fs://a/x/** rw"],
    );
    let grant = admit(
        &guarded(&["fs://a/x/** rw", "fs://b/** r"], &[]),
        Some(&ceiling),
        &["a", "b"],
    );
    assert_eq!(mounts(&grant), ["/b"; 0]);
    assert!(!grant.reach().storage_read && !grant.reach().storage_write);
}

#[test]
fn a_deny_rule_of_the_ceiling_counts() {
    let ceiling = guarded(
        &["fs://w/** rw"],
        &["fs://w/**/.ssh/** rw", "fs://w/docs/** w"],
    );
    let grant = admit(&files(&["fs://w/** rw"]), Some(&ceiling), &["w"]);
    table(
        &grant,
        &[
            ("/w/a", "rwt"),
            ("/w/.ssh", "..."),
            ("/w/a/.ssh/id", "..."),
            ("/w/docs/a", "r.t"),
        ],
    );
    let path = VirtualPath::parse("/w/a/.ssh/id").unwrap();
    let operation = Operation::Storage {
        path: &path,
        access: Read,
        own: false,
    };
    let denial = grant.decide(&operation).unwrap_err();
    assert_eq!(denial.remedy(), Some(&Remedy::Ceiling));
    assert_eq!(
        denial.rule().unwrap().to_string(),
        "deny fs://w/**/.ssh/** [read, write] (ceiling, line 7: permissions.storage.deny[0])"
    );
    assert_eq!(rename(&grant, "/w/a", "/w/b"), "denied.storage.link");
    assert_eq!(
        moved(&grant, "/w/a", "/w/b", LinkKind::RenameFile),
        "allowed"
    );
    assert_eq!(storage(&grant, Remove, "/w/a"), "denied.storage.write");
    // A pattern of one and a subtree of the other: what both allow, and the mount of what starts further down.
    let ceiling = files(&["fs://w/docs/** r"]);
    let grant = admit(&files(&["fs://w/**/*.md r"]), Some(&ceiling), &["w"]);
    table(
        &grant,
        &[
            ("/w/a.md", "..."),
            ("/w/docs/a.md", "r.t"),
            ("/w/docs/a.txt", "..t"),
            ("/w/docs", "..t"),
            ("/w", "..."),
        ],
    );
    let mounts: Vec<&str> = grant
        .mounts()
        .iter()
        .map(|mount| mount.guest.as_str())
        .collect();
    assert_eq!(mounts, ["/w/docs"]);
    assert!(grant.reach().storage_read);
}

#[test]
fn s056_s061_nothing_moves_into_out_of_or_around_what_is_denied() {
    let rules = guarded(
        &["fs://w/** rw", "fs://p/** rw", "fs://g/**/*.md rw"],
        &[
            "fs://w/a/secret/** rw",
            "fs://w/docs/** w",
            "fs://p/**/.env rw",
        ],
    );
    let grant = admit(&rules, None, &["w", "p", "g"]);
    use LinkKind::{Rename, RenameFile};
    for (from, to, kind, expected) in [
        ("/w/x", "/w/y", Rename, true),
        ("/w/x", "/w/y", RenameFile, true),
        // Either end.
        ("/w/a/secret", "/w/y", Rename, false),
        ("/w/a/secret/key", "/w/y", RenameFile, false),
        ("/w/y", "/w/a/secret", Rename, false),
        ("/w/y", "/w/a/secret/key", RenameFile, false),
        ("/w/y", "/w/docs/y", RenameFile, false),
        ("/w/docs/y", "/w/y", RenameFile, false),
        ("/w/docs", "/w/papers", Rename, false),
        // A directory above, or one that would come to be above.
        ("/w/a", "/w/b", Rename, false),
        ("/w/b", "/w/a", Rename, false),
        ("/w/b", "/w/a", RenameFile, false),
        ("/w/a", "/w/b", RenameFile, false),
        ("/w/b", "/w/a/b", Rename, true),
        // Below a pattern any directory could hold something; a file holds nothing.
        ("/p/x", "/p/y", Rename, false),
        ("/p/x", "/p/y", RenameFile, true),
        ("/p/x", "/p/.env", RenameFile, false),
        ("/p/a/.env", "/p/x", RenameFile, false),
        // Patterns do not allow moves.
        ("/g/a.md", "/g/b.md", RenameFile, false),
    ] {
        let expected = if expected {
            "allowed"
        } else {
            "denied.storage.link"
        };
        assert_eq!(
            moved(&grant, from, to, kind),
            expected,
            "{from} -> {to} {kind:?}"
        );
    }
    for (path, expected) in [
        ("/w/x", true),
        ("/w/a", false),
        ("/w/a/other", true),
        ("/w/a/secret", false),
        ("/w/docs/x", false),
        ("/p/x", false),
        ("/other", false),
    ] {
        let expected = if expected {
            "allowed"
        } else {
            "denied.storage.write"
        };
        assert_eq!(storage(&grant, Remove, path), expected, "{path}");
    }
}

#[test]
fn what_may_not_be_read_is_not_removed_with_what_is_in_it() {
    let policy = guarded(&["fs://w/** rw"], &["fs://w/a r", "fs://w/**/b* r"]);
    let grant = admit(&policy, None, &["w"]);
    for path in ["/w/a", "/w/a/x", "/w/b", "/w/x/bb", "/w/x/bb/y"] {
        assert_eq!(storage(&grant, Write, path), "allowed", "{path}");
        assert_eq!(
            storage(&grant, Remove, path),
            "denied.storage.write",
            "{path}"
        );
    }
}

#[test]
fn a_thousand_rules_are_judged_quickly() {
    let mut allow = vec!["fs://w/** rw".to_owned()];
    let mut deny = Vec::new();
    for number in 0..250 {
        allow.push(format!("fs://w/**/*.e{number} r"));
        allow.push(format!("fs://w/d{number}/*/out/** w"));
        deny.push(format!("fs://w/**/.secret-{number}/** rw"));
        deny.push(format!("fs://w/*-{number}/**/x*y*z w"));
    }
    let text: Vec<&str> = allow.iter().map(String::as_str).collect();
    let denied: Vec<&str> = deny.iter().map(String::as_str).collect();
    let grant = admit(&guarded(&text, &denied), None, &["w"]);
    let paths: Vec<VirtualPath> = [
        "/w/a/b/c/d/e/f.txt",
        "/w/d7/x/out/deep/file",
        "/w/a-9/x/xyz",
        "/w/a/.secret-3/k",
    ]
    .iter()
    .map(|path| VirtualPath::parse(path).unwrap())
    .collect();
    let round = || {
        let started = std::time::Instant::now();
        for path in &paths {
            for access in [Read, Write, Traverse] {
                let _ = std::hint::black_box(grant.decide(&Operation::Storage {
                    path,
                    access,
                    own: false,
                }));
            }
        }
        started.elapsed() / 12
    };
    // The fastest of many rounds: others can have the machine meanwhile.
    let each = (0..200).map(|_| round()).min().unwrap();
    // For a debug build; a release build takes microseconds.
    assert!(each < std::time::Duration::from_micros(200), "{each:?}");
    println!("{each:?} for each decision");
}
