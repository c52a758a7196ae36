use casemate_policy::{
    Grant, LinkKind, MountPlace, Operation, Policy, Remedy, StorageAccess, VirtualPath,
};

use StorageAccess::{Read, Traverse, Write};

use crate::{SEED, admit, policy, storage, verdict};

/// Builds a policy of storage rules such as `fs://w/** rw`.
fn files(rules: &[&str]) -> Policy {
    let mut lines = String::from("  storage:\n    allow:\n");
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
    policy(&format!("version: \"1.0\"\npermissions:\n{lines}"))
}

fn rename(grant: &Grant, from: &str, to: &str) -> String {
    let (from, to) = (
        VirtualPath::parse(from).unwrap(),
        VirtualPath::parse(to).unwrap(),
    );
    verdict(
        grant,
        &Operation::StorageLink {
            from: &from,
            to: &to,
            kind: LinkKind::Rename,
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
        let found: String = [(Read, 'r'), (Write, 'w'), (Traverse, 't')]
            .into_iter()
            .map(|(access, letter)| {
                if storage(&grant, access, path) == "allowed" {
                    letter
                } else {
                    '.'
                }
            })
            .collect();
        assert_eq!(found, expected, "{path}");
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
fn s053_s055_links_are_always_denied() {
    let grant = admit(&files(&["fs://w/** rw"]), None, &["w"]);
    let (from, to) = (
        VirtualPath::parse("/w/a").unwrap(),
        VirtualPath::parse("/w/b").unwrap(),
    );
    for kind in [LinkKind::Hard, LinkKind::Symbolic] {
        let denial = grant
            .decide(&Operation::StorageLink {
                from: &from,
                to: &to,
                kind,
            })
            .unwrap_err();
        assert_eq!(denial.reason().as_str(), "denied.storage.link");
        assert!(matches!(denial.remedy(), Some(Remedy::NotInThisRelease(_))));
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
