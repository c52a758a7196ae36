//! Casemate's own home and what the kernel shows of itself are out of reach, whatever path leads there.

use super::namespace::Mounted;
use super::{Site, at, base64, names, opening, plant, reading, seen, text, with};
use crate::fixture::Fixture;
use casemate_policy::RootName;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const READ: &str = "denied.storage.read";
const WRITE: &str = "denied.storage.write";
const LINK: &str = "denied.storage.link";

/// A site whose workspace is everything, Casemate's home with it; `ws` is in it.
fn wide(root: impl FnOnce(PathBuf) -> PathBuf) -> Site {
    let directory = tempfile::tempdir().unwrap();
    plant(directory.path());
    let workspace: RootName = "workspace".parse().unwrap();
    let base = root(directory.path().to_owned());
    let fixture = Fixture::in_directory(directory, |builder| builder.root(workspace, base));
    let site = Site { fixture };
    site.install("evil", super::READ_WRITE);
    std::fs::write(site.host("home/audit/secret"), super::MARKER).unwrap();
    site
}

fn listed(site: &Site, path: &str) -> Vec<String> {
    names(&site.allowed("list", opening(path, &["directory"], &["read"])))
}

/// Every way to read, change or find out is answered as if nothing were there, but what writes is recorded as that.
fn absent(site: &Site, path: &str, judged: &str) {
    let read = format!("storage read /workspace/{judged}");
    for (function, arguments) in [
        ("read", reading(path)),
        ("stat-at", seen(path, true)),
        ("stat-at", seen(path, false)),
        ("metadata-hash-at", seen(path, false)),
        ("readlink-at", at(path)),
        ("list", opening(path, &["directory"], &["read"])),
    ] {
        let answer = site.ask(function, arguments);
        assert_eq!(answer, Err("no-entry".to_owned()), "{function} {path}");
        let record = site.fixture.records.all().pop().unwrap();
        assert_eq!(record.denials.len(), 1, "{function} {path}");
        assert_eq!(record.denials[0].reason, READ);
        assert_eq!(record.denials[0].subject, read, "{function}");
    }
    let bytes = base64("changed");
    for (function, arguments) in [
        (
            "write",
            with(opening(path, &["create"], &["write"]), "bytes", bytes),
        ),
        ("unlink-file-at", at(path)),
        ("create-directory-at", at(path)),
        ("remove-directory-at", at(path)),
        ("set-times-at", seen(path, false)),
    ] {
        let answer = site.ask(function, arguments);
        assert_eq!(answer, Err("no-entry".to_owned()), "{function} {path}");
        let record = site.fixture.records.all().pop().unwrap();
        assert!([READ, WRITE].contains(&record.denials[0].reason.as_str()));
    }
    for (from, to) in [(path, "ws/stolen"), ("ws/notes.txt", path)] {
        let moving = json!({"mount": 0, "path": from, "to-mount": 0, "to": to});
        for function in ["rename-at", "link-at"] {
            let arguments = match function {
                "link-at" => with(moving.clone(), "how", json!([])),
                _ => moving.clone(),
            };
            let answer = site.ask(function, arguments);
            assert_eq!(answer, Err("no-entry".to_owned()), "{function} {from} {to}");
        }
    }
}

/// The policy of the guest is what it was, and so is the home.
fn intact(site: &Site) {
    let policy = site.content("home/policies/evil.yaml");
    assert!(policy.contains("fs://workspace/**"), "{policy}");
    assert!(site.host("home/audit/secret").exists());
    assert!(!site.host("ws/stolen").exists());
    assert_eq!(site.content("ws/notes.txt"), "notes");
}

#[test]
fn s068_casemates_own_home_is_absent_whatever_is_granted() {
    let site = wide(|base| base);
    assert_eq!(
        text(&site.allowed("read", reading("ws/notes.txt"))),
        "notes"
    );
    for path in [
        "home",
        "home/policies",
        "home/policies/evil.yaml",
        "home/policies/new.yaml",
        "home/cache/key",
        "home/casemate.lock",
        "home/nothing/here",
    ] {
        let judged = if path == "home" { "home" } else { path };
        let judged = match judged.split_once('/') {
            // The walk ends where it would go into the home.
            Some((_, rest)) if !rest.is_empty() => "home",
            _ => judged,
        };
        absent(&site, path, judged);
    }
    assert!(!listed(&site, ".").contains(&"home".to_owned()));
    assert!(listed(&site, ".").contains(&"ws".to_owned()));
    // A handle of a directory above does not lead there either.
    let below = with(
        opening("ws", &["directory"], &["read"]),
        "below",
        "../home/cache/key",
    );
    assert_eq!(
        site.ask("read-below", below),
        Err("not-permitted".to_owned())
    );
    intact(&site);
}

#[test]
fn s068_links_of_the_host_do_not_lead_into_the_home() {
    let site = wide(|base| base);
    symlink("../home", site.host("ws/to-home")).unwrap();
    symlink("../home/cache/key", site.host("ws/to-key")).unwrap();
    for (path, judged) in [
        ("ws/to-home/cache/key", "home"),
        ("ws/to-home/policies/evil.yaml", "home"),
        ("ws/to-home", "home"),
        ("ws/to-key", "home"),
    ] {
        let subject = format!("storage read /workspace/{judged}");
        site.refused("read", reading(path), "no-entry", (READ, &subject));
    }
    // A hard link is the key itself, and so is a policy.
    for (of, name) in [
        ("cache/key", "hard-key"),
        ("policies/evil.yaml", "hard-policy"),
    ] {
        let (of, link) = (site.host("home").join(of), site.host("ws").join(name));
        std::fs::hard_link(of, link).unwrap();
    }
    absent(&site, "ws/hard-key", "ws/hard-key");
    absent(&site, "ws/hard-policy", "ws/hard-policy");
    assert_eq!(
        listed(&site, "ws")
            .iter()
            .filter(|name| name.contains("hard"))
            .count(),
        0
    );
    intact(&site);
}

#[test]
fn s068_the_home_is_known_after_it_was_moved() {
    let site = wide(|base| base);
    site.allowed("read", reading("ws/notes.txt"));
    std::fs::rename(site.host("home"), site.host("ws/renamed")).unwrap();
    absent(&site, "ws/renamed", "ws/renamed");
    absent(&site, "ws/renamed/cache/key", "ws/renamed");
    assert!(!listed(&site, "ws").contains(&"renamed".to_owned()));
    std::fs::rename(site.host("ws/renamed/cache"), site.host("ws/taken-out")).unwrap();
    std::fs::rename(site.host("ws/renamed"), site.host("home")).unwrap();
}

#[test]
fn s068_what_leads_to_the_home_is_not_moved_away() {
    let directory = tempfile::tempdir().unwrap();
    plant(directory.path());
    let base = directory.path().to_owned();
    std::fs::create_dir_all(base.join("user/real")).unwrap();
    symlink("real", base.join("user/dotfiles")).unwrap();
    let own = base.join("user/dotfiles/other-home");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("policy.yaml"), super::MARKER).unwrap();
    let workspace: RootName = "workspace".parse().unwrap();
    let fixture = Fixture::in_directory(directory, |builder| {
        builder
            .root(workspace, base.clone())
            .own_directory(own.clone())
    });
    let site = Site { fixture };
    site.install("evil", super::READ_WRITE);
    absent(&site, "user/real/other-home", "user/real/other-home");
    absent(
        &site,
        "user/dotfiles/other-home/policy.yaml",
        "user/real/other-home",
    );
    // Who moved one of these could make another home in its place.
    for path in ["user", "user/real", "user/dotfiles"] {
        let moving = json!({"mount": 0, "path": path, "to-mount": 0, "to": "elsewhere"});
        let subject = format!("storage rename /workspace/{path} -> /workspace/elsewhere");
        site.refused("rename-at", moving, "not-permitted", (LINK, &subject));
    }
    for path in ["user/dotfiles", "user/real"] {
        let onto = json!({"mount": 0, "path": "ws/inside", "to-mount": 0, "to": path});
        let subject = format!("storage rename /workspace/ws/inside -> /workspace/{path}");
        site.refused("rename-at", onto, "not-permitted", (LINK, &subject));
        let subject = format!("storage write /workspace/{path}");
        site.refused(
            "unlink-file-at",
            at(path),
            "not-permitted",
            (WRITE, &subject),
        );
    }
    // Beside them all is as ever.
    site.allowed(
        "rename-at",
        json!({"mount": 0, "path": "ws/sub", "to-mount": 0, "to": "user/sub"}),
    );
}

#[test]
fn s068_what_is_mounted_is_judged_as_what_it_is() {
    let Some(mounted) = Mounted::new() else {
        return;
    };
    let site = wide(|base| mounted.seen(&base));
    for directory in ["bound", "bound-policies", "proc", "dev", "shm"] {
        std::fs::create_dir(site.host("ws").join(directory)).unwrap();
    }
    std::fs::write(site.host("ws/key"), "").unwrap();
    std::fs::write(site.host("ws/status"), "").unwrap();
    let (ws, home) = (site.host("ws"), site.host("home"));
    let (ws, home) = (ws.display(), home.display());
    mounted.run(&format!(
        "mount --bind {home} {ws}/bound && mount --bind {home}/policies {ws}/bound-policies &&
         mount --bind {home}/cache/key {ws}/key && mount --bind /proc/self/status {ws}/status &&
         mount -t proc proc {ws}/proc && mount --bind /dev {ws}/dev && mount -t tmpfs tmpfs {ws}/shm &&
         echo ordinary > {ws}/shm/file"
    ));
    for (path, judged) in [
        ("ws/bound", "ws/bound"),
        ("ws/bound/policies/evil.yaml", "ws/bound"),
        ("ws/bound-policies", "ws/bound-policies"),
        ("ws/bound-policies/evil.yaml", "ws/bound-policies"),
        ("ws/key", "ws/key"),
        ("ws/status", "ws/status"),
        ("ws/proc", "ws/proc"),
        ("ws/proc/self/environ", "ws/proc"),
        ("ws/dev", "ws/dev"),
        ("ws/dev/null", "ws/dev"),
        ("ws/dev/shm/new", "ws/dev"),
    ] {
        absent(&site, path, judged);
    }
    // Another file system is no reason: this one is of files.
    assert_eq!(
        text(&site.allowed("read", reading("ws/shm/file"))),
        "ordinary\n"
    );
    let shown = listed(&site, "ws");
    for (name, there) in [
        ("shm", true),
        ("bound", false),
        ("bound-policies", false),
        ("proc", false),
        ("dev", false),
    ] {
        assert_eq!(
            shown.contains(&name.to_owned()),
            there,
            "{name} in {shown:?}"
        );
    }
    intact(&site);
}

#[test]
fn a_root_that_leads_into_the_kernel_or_the_home_is_empty() {
    let site = wide(|_| "/proc/self".into());
    assert_eq!(
        site.ask("list-mount", json!({"mount": 0})),
        Err("no-entry".to_owned())
    );
    absent(&site, "environ", "environ");
    let site = wide(|base| base.join("home"));
    assert_eq!(
        site.ask("list-mount", json!({"mount": 0})),
        Err("no-entry".to_owned())
    );
    absent(&site, "cache/key", "cache");
}
