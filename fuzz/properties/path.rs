//! Paths of guests and patterns of storage rules, beside the plain reading of both.
//!
//! Input, line by line: a path; another path; then rules, `+` or `-` for allow or deny, `r`, `w` or `b` for reading, writing
//! or both, and a URI (`+b fs://w/**`).

use std::collections::BTreeSet;

use casemate_policy::{
    Admission, ArtifactIdentity, Digest, Grant, LinkKind, Policy, RootName, StorageAccess, Tenant,
    VirtualPath,
};

use super::model::{self, StorageRule, World};

/// Rules in one input, and bytes of one line: the plain reading takes exponential time.
const MAX_RULES: usize = 8;
const MAX_LINE: usize = 120;
const MAX_STARS: usize = 8;

pub fn check(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = data.split('\n');
    let (first, second) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let paths: Vec<VirtualPath> = [first, second]
        .iter()
        .filter_map(|text| path(text))
        .collect();
    relations(&paths);

    let mut world = World {
        policy: model::Policy::default(),
        ceiling: None,
        bound: vec!["w", "c", "root"],
    };
    for line in lines.take(MAX_RULES) {
        let Some((allow, rule)) = rule(line) else {
            continue;
        };
        // One name is one place in a policy.
        let rules = &world.policy;
        let mut others = rules.storage_allow.iter().chain(&rules.storage_deny);
        if others.any(|other| model::is_elsewhere(other, &rule)) {
            continue;
        }
        let list = if allow {
            &mut world.policy.storage_allow
        } else {
            &mut world.policy.storage_deny
        };
        list.push(rule);
    }
    let policy = match Policy::parse(&world.policy.yaml()) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{}", world.policy.yaml()),
    };
    let grant = admit(&policy, &world);
    for path in &paths {
        // Beside what is asked for, all that is above it.
        for path in std::iter::successors(Some(path.clone()), VirtualPath::parent).take(MAX_RULES) {
            agrees(&grant, &world, &path);
        }
    }
    if let [from, to] = paths.as_slice()
        && [from, to]
            .iter()
            .all(|path| path.as_str().len() <= MAX_LINE)
    {
        for (kind, directory) in [(LinkKind::Rename, true), (LinkKind::RenameFile, false)] {
            let allowed = grant
                .decide(&super::operations::storage_link(from, to, kind))
                .is_ok();
            assert_eq!(
                allowed,
                world.moves(from.as_str(), to.as_str(), directory),
                "{kind:?} {from} {to}\n{}",
                world.policy.yaml()
            );
        }
    }
}

/// Reads a path, which is taken in its one spelling or not at all.
fn path(text: &str) -> Option<VirtualPath> {
    let plain = text.strip_prefix('/').is_some_and(|rest| {
        text.len() <= 4096
            && !text.contains('\0')
            && (rest.is_empty() || rest.split('/').all(|name| !matches!(name, "" | "." | "..")))
    });
    let parsed = VirtualPath::parse(text);
    assert_eq!(parsed.is_ok(), plain, "{text:?}");
    let path = parsed.ok()?;
    assert_eq!(path.as_str(), text);
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => assert_eq!(parent.join(name).as_ref(), Ok(&path)),
        (None, None) => assert_eq!(path, VirtualPath::root()),
        odd => panic!("{odd:?} of {path}"),
    }
    let joined = path
        .components()
        .try_fold(VirtualPath::root(), |path, name| path.join(name));
    assert_eq!(joined.as_ref(), Ok(&path));
    // No single name leads elsewhere than one step down.
    for name in ["", ".", "..", "a/b", "a\0"] {
        assert!(path.join(name).is_err(), "{name:?}");
    }
    Some(path)
}

fn relations(paths: &[VirtualPath]) {
    let [one, other] = paths else { return };
    let (own, names): (Vec<&str>, Vec<&str>) =
        (one.components().collect(), other.components().collect());
    assert_eq!(
        one.starts_with(other),
        own.starts_with(&names),
        "{one} {other}"
    );
    assert_eq!(
        one.is_below(other),
        own.starts_with(&names) && own.len() > names.len(),
        "{one} {other}"
    );
}

/// Reads a rule that the language has; what it never has is not taken.
fn rule(line: &str) -> Option<(bool, StorageRule)> {
    let allow = match line.get(..1)? {
        "+" => true,
        "-" => false,
        _ => return None,
    };
    let (read, write) = match line.get(1..3)? {
        "r " => (true, false),
        "w " => (false, true),
        "b " => (true, true),
        _ => return None,
    };
    let uri = line.get(3..)?.to_owned();
    let rule = StorageRule { uri, read, write };
    let mut alone = model::Policy::default();
    let list = if allow {
        &mut alone.storage_allow
    } else {
        &mut alone.storage_deny
    };
    list.push(rule.clone());
    let uri = rule.uri.as_str();
    if Policy::parse(&alone.yaml()).is_err() {
        return None;
    }
    let names: Vec<&str> = uri
        .strip_prefix("fs://")
        .unwrap_or("//")
        .split('/')
        .skip(1)
        .collect();
    let plain = uri.starts_with("fs://")
        && !uri.contains(['?', '[', ']', '{', '}', '\\', '$'])
        && !uri.chars().any(char::is_control)
        && names
            .iter()
            .all(|name| !matches!(*name, "" | "." | "..") && !name.starts_with('~'))
        && names
            .iter()
            .all(|name| *name == "**" || !name.contains("**"))
        && !names.windows(2).any(|pair| pair == ["**", "**"]);
    assert!(plain, "{uri:?} is taken");
    if uri.starts_with("fs:///") {
        let first = names.first().copied().unwrap_or_default();
        assert!(
            names.len() > 1 && !first.contains('*') && !["proc", "sys", "dev"].contains(&first),
            "{uri:?} is taken"
        );
    }
    (uri.len() <= MAX_LINE && uri.matches('*').count() <= MAX_STARS).then_some((allow, rule))
}

fn admit(policy: &Policy, world: &World) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let bound_roots: BTreeSet<RootName> = world
        .bound
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    let admission = Admission {
        ceiling: None,
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    policy.admit(&identity, &admission)
}

fn agrees(grant: &Grant, world: &World, path: &VirtualPath) {
    let text = path.as_str();
    if text.len() > MAX_LINE {
        return;
    }
    let ask = |access| {
        grant
            .decide(&super::operations::storage(path, access))
            .is_ok()
    };
    let access = world.access(text);
    let found = [
        StorageAccess::Read,
        StorageAccess::Write,
        StorageAccess::Traverse,
        StorageAccess::Remove,
    ]
    .map(ask);
    let expected = [
        access.read,
        access.write,
        world.looks(text),
        world.removes(text),
    ];
    assert_eq!(
        found,
        expected,
        "reads, writes, looks, removes {path}\n{}",
        world.policy.yaml()
    );
}
