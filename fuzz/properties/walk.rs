//! The walk from a root to a file, over a tree with links of every kind: whatever the path and the rules, what is reached
//! is in the tree, under the path that was judged, and the rules allow it.
//!
//! Input, line by line: a path; another; then rules as for the target `path` (`+b fs://w/**`).

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use casemate_policy::{
    Admission, ArtifactIdentity, Digest, Grant, Policy, RootName, Tenant, VirtualPath,
};

use super::model::{self, StorageRule, World};
use super::probe::{Found, Probe};

const MAX_RULES: usize = 6;
/// The plain reading takes exponential time.
const MAX_STARS: usize = 6;
const MAX_LINE: usize = 120;
/// What is in a file that nobody may reach.
const OUTSIDE: &str = "OUTSIDE";

/// A tree that is the same for each input.
struct Tree {
    directory: tempfile::TempDir,
    pool: tokio::runtime::Runtime,
}

fn tree() -> &'static Tree {
    static PLANTED: OnceLock<Tree> = OnceLock::new();
    PLANTED.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        plant(directory.path());
        let pool = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Tree { directory, pool }
    })
}

/// Files say which path of the guest they are.
fn plant(base: &Path) {
    let file = |path: &str, text: &str| {
        let file = base.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    for path in [
        "w/a",
        "w/b/a",
        "w/b/b/a",
        "w/b/.env",
        "w/ab/x.md",
        "w/.git/config",
        "c/a",
        "c/b/a",
    ] {
        file(path, &format!("IN /{path}"));
    }
    for path in [
        "outside/secret",
        "w-x/a",
        "w/own/policies/evil.yaml",
        "secret",
    ] {
        file(path, OUTSIDE);
    }
    for (link, target) in [
        ("w/l", "a"),
        ("w/d", "b"),
        ("w/b/up", ".."),
        ("w/b/out", "../../outside"),
        ("w/secret", "../outside/secret"),
        ("w/root", "/"),
        ("w/passwd", "/etc/passwd"),
        ("w/loop", "loop"),
        ("w/loop1", "loop2"),
        ("w/loop2", "loop1"),
        ("w/hidden", ".git/config"),
        ("w/b/env", ".env"),
        ("w/chain", "d/b/../up/l"),
        ("w/slash", "b/"),
        ("w/dots", "b/../../w/a"),
        ("w/mine", "own/policies"),
        ("w/other", "../c/a"),
        ("w/gone", "nothing"),
        ("c/w", "../w"),
        ("c/l", "b/a"),
    ] {
        symlink(target, base.join(link)).unwrap();
    }
    // The same object under a second name, which is a name of its own.
    std::fs::hard_link(base.join("w/own/policies/evil.yaml"), base.join("w/evil")).unwrap();
}

pub fn check(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = data.split('\n');
    let paths = [
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    ];
    let world = world(lines);
    let Ok(policy) = Policy::parse(&world.policy.yaml()) else {
        return;
    };
    let grant = admit(&policy, &world);
    let tree = tree();
    let base = tree.directory.path();
    let roots = world
        .bound
        .iter()
        .map(|name| (name.parse().unwrap(), base.join(name)));
    let mounts: Vec<String> = grant
        .mounts()
        .iter()
        .map(|mount| mount.guest.to_string())
        .collect();
    let probe = Probe::new(
        grant,
        roots.collect(),
        base.join("w/own"),
        tree.pool.handle().clone(),
    );
    let site = Site {
        probe,
        world: &world,
        base,
    };
    for (mount, guest) in mounts.iter().enumerate().take(3) {
        for path in paths {
            for follow in [true, false] {
                site.opens(mount, path, follow);
            }
            site.writes(mount, path);
            site.finds_what_is_plain(mount, guest, path);
        }
    }
    for (file, text) in [
        ("outside/secret", OUTSIDE),
        ("w/evil", OUTSIDE),
        ("w-x/a", OUTSIDE),
    ] {
        assert_eq!(
            std::fs::read_to_string(base.join(file)).unwrap(),
            text,
            "{file}"
        );
    }
}

/// Reads the rules that make a policy together.
fn world<'l>(lines: impl Iterator<Item = &'l str>) -> World {
    let mut world = World {
        policy: model::Policy::default(),
        ceiling: None,
        bound: vec!["w", "c"],
    };
    for line in lines.take(MAX_RULES) {
        let Some((allow, rule)) = rule(line) else {
            continue;
        };
        let list = |world: &mut World| match allow {
            true => std::mem::take(&mut world.policy.storage_allow),
            false => std::mem::take(&mut world.policy.storage_deny),
        };
        let mut rules = list(&mut world);
        rules.push(rule);
        match allow {
            true => world.policy.storage_allow = rules,
            false => world.policy.storage_deny = rules,
        }
    }
    world
}

/// Reads a rule about one of the roots: an absolute path would lead into this machine.
fn rule(line: &str) -> Option<(bool, StorageRule)> {
    let (sign, rest) = line.split_at_checked(1)?;
    let (access, uri) = rest.split_once(' ')?;
    let (read, write) = match access {
        "r" => (true, false),
        "w" => (false, true),
        "b" => (true, true),
        _ => return None,
    };
    let named = uri.starts_with("fs://w/") || uri.starts_with("fs://c/");
    let short = uri.len() <= MAX_LINE && uri.matches('*').count() <= MAX_STARS;
    let uri = uri.to_owned();
    (named && short && matches!(sign, "+" | "-"))
        .then_some((sign == "+", StorageRule { uri, read, write }))
}

fn admit(policy: &Policy, world: &World) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let bound_roots: BTreeSet<RootName> = world
        .bound
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    let admission = Admission {
        ceiling: None,
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    policy.admit(&identity, &admission)
}

struct Site<'t> {
    probe: Probe,
    world: &'t World,
    base: &'t Path,
}

impl Site<'_> {
    /// The file of the host at a canonical path of the guest.
    fn host(&self, path: &VirtualPath) -> PathBuf {
        self.base.join(path.as_str().trim_start_matches('/'))
    }

    /// What was reached is where the path says, through no link, and in none of Casemate's own.
    fn is_canonical(&self, path: &VirtualPath) {
        let host = self.host(path);
        assert_eq!(
            host.canonicalize().unwrap(),
            self.base
                .canonicalize()
                .unwrap()
                .join(path.as_str().trim_start_matches('/'))
        );
        let own = path.as_str().strip_prefix("/w/own");
        assert!(
            !own.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            "{path}"
        );
        assert_ne!(path.as_str(), "/w/evil");
    }

    fn opens(&self, mount: usize, asked: &str, follow: bool) {
        let place = || format!("{asked:?}\n{}", self.world.policy.yaml());
        match self.probe.open(mount, asked, follow) {
            Some(Found::File(path, content)) => {
                self.is_canonical(&path);
                assert_eq!(content, format!("IN {path}").into_bytes(), "{}", place());
                assert!(self.world.access(path.as_str()).read, "{path} {}", place());
            }
            Some(Found::Directory(path, names)) => {
                self.is_canonical(&path);
                assert!(self.world.looks(path.as_str()), "{path} {}", place());
                let there = std::fs::read_dir(self.host(&path)).unwrap();
                let mut there: Vec<String> = there
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .collect();
                there.retain(|name| {
                    let path = path.join(name).unwrap();
                    let own = ["/w/own", "/w/evil"].contains(&path.as_str());
                    !own && self.world.looks(path.as_str())
                });
                there.sort();
                assert_eq!(names, there, "{path} {}", place());
            }
            None => {}
        }
    }

    fn writes(&self, mount: usize, asked: &str) {
        let Some(path) = self.probe.write(mount, asked, b"CHANGED") else {
            return;
        };
        let host = self.host(&path);
        let content = std::fs::read_to_string(&host).unwrap();
        std::fs::write(&host, format!("IN {path}")).unwrap();
        self.is_canonical(&path);
        assert!(content.starts_with("CHANGED"), "{path}");
        assert!(
            self.world.access(path.as_str()).write,
            "{asked:?} {path}\n{}",
            self.world.policy.yaml()
        );
    }

    /// A file that is there, asked for by its own names, is reached where a rule allows it, and not otherwise.
    fn finds_what_is_plain(&self, mount: usize, guest: &str, asked: &str) {
        let Ok(path) = VirtualPath::parse(&format!("{guest}/{asked}")) else {
            return;
        };
        let host = self.host(&path);
        let own = path.as_str().starts_with("/w/own") || path.as_str() == "/w/evil";
        let plain = self
            .base
            .canonicalize()
            .unwrap()
            .join(path.as_str().trim_start_matches('/'));
        if own
            || path.as_str().len() > MAX_LINE
            || !host.canonicalize().is_ok_and(|found| found == plain)
        {
            return;
        }
        let seen = self.probe.is_seen(mount, asked);
        assert_eq!(
            seen,
            self.world.looks(path.as_str()),
            "{path}\n{}",
            self.world.policy.yaml()
        );
        if host.is_file() {
            let read = matches!(self.probe.open(mount, asked, false), Some(Found::File(..)));
            assert_eq!(
                read,
                self.world.access(path.as_str()).read,
                "{path}\n{}",
                self.world.policy.yaml()
            );
        }
    }
}
