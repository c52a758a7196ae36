//! Symlinks and hard links, made by the host or wanted by the guest.

use super::{
    MARKER, READ_WRITE, Site, answer, at, base64, names, opening, reading, seen, text, with,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LINK: &str = "denied.storage.link";

fn subject(path: &str) -> String {
    format!("storage read /workspace/{path}")
}

/// Links that lead out, and the link at which a walk through them stops.
const OUT: [(&str, &str); 11] = [
    ("absolute", "absolute"),
    ("absolute-inside", "absolute-inside"),
    ("absolute-dir/marker.txt", "absolute-dir"),
    ("relative", "relative"),
    ("relative-dir/marker.txt", "relative-dir"),
    ("relative-dir/dir/marker.txt", "relative-dir"),
    ("winding", "winding"),
    ("environ", "environ"),
    ("proc-root/etc/passwd", "proc-root"),
    ("sub/../relative", "relative"),
    ("inside-dir/../relative", "relative"),
];

#[test]
fn s051_links_of_the_host_that_lead_out_are_not_followed() {
    let site = Site::new(READ_WRITE);
    for (path, link) in OUT {
        let subject = subject(link);
        let refused = |function: &str, arguments| {
            site.refused(function, arguments, "not-permitted", (LINK, &subject));
        };
        refused("read", reading(path));
        refused("stat-at", seen(path, true));
        refused("metadata-hash-at", seen(path, true));
        refused("set-times-at", seen(path, true));
        refused("list", opening(path, &["directory"], &["read"]));
        let bytes = base64("overwritten");
        refused(
            "write",
            with(opening(path, &[], &["write"]), "bytes", bytes.as_str()),
        );
        refused(
            "write",
            with(
                opening(path, &["create"], &["write"]),
                "bytes",
                bytes.as_str(),
            ),
        );
        refused(
            "write",
            with(
                opening(path, &["create", "truncate"], &["write"]),
                "bytes",
                bytes,
            ),
        );
    }
    // The link itself can be looked at and is not opened.
    for (path, link) in OUT {
        if path == link {
            assert_eq!(
                site.allowed("stat-at", seen(path, false))["type"],
                "symbolic-link"
            );
            site.fails("read", with(reading(path), "how", json!([])), "loop");
        }
    }
}

#[test]
fn s051_a_link_tells_nothing_of_the_host() {
    let site = Site::new(READ_WRITE);
    for path in [
        "absolute",
        "absolute-dir",
        "absolute-inside",
        "environ",
        "proc-root",
    ] {
        site.refused(
            "readlink-at",
            at(path),
            "not-permitted",
            (LINK, &subject(path)),
        );
    }
    assert_eq!(
        site.allowed("readlink-at", at("inside")),
        json!("sub/inner.txt")
    );
    assert_eq!(
        site.allowed("readlink-at", at("sub/back")),
        json!("deep/../inner.txt")
    );
    assert_eq!(
        site.allowed("readlink-at", at("relative")),
        json!("../outside/marker.txt")
    );
    site.fails("readlink-at", at("notes.txt"), "invalid");
    site.fails("readlink-at", at("missing"), "no-entry");
}

#[test]
fn s051_loops_end_and_chains_have_a_length() {
    let site = Site::new(READ_WRITE);
    for path in ["self", "self/x", "chain-41"] {
        site.fails("read", reading(path), "loop");
        site.fails("stat-at", seen(path, true), "loop");
    }
    assert_eq!(text(&site.allowed("read", reading("chain-40"))), "notes");
    site.fails("read", reading("dangling"), "no-entry");
    assert_eq!(
        site.allowed("stat-at", seen("self", false))["type"],
        "symbolic-link"
    );
    assert_eq!(
        site.allowed("stat-at", seen("chain-41", false))["type"],
        "symbolic-link"
    );
}

#[test]
fn s051_links_that_stay_inside_work() {
    let site = Site::new(READ_WRITE);
    for path in [
        "inside",
        "inside-dir/inner.txt",
        "inside-dir-slash/inner.txt",
        "sub/back",
        "inside-dir/back",
        "inside-dir/deep/../../sub/inner.txt",
    ] {
        assert_eq!(
            text(&site.allowed("read", reading(path))),
            "inner",
            "{path}"
        );
    }
    // `..` after a link is the parent of where it leads, as everywhere on Unix.
    assert_eq!(
        text(&site.allowed("read", reading("inside-dir/../notes.txt"))),
        "notes"
    );
    let write = with(opening("inside", &[], &["write"]), "bytes", base64("INNER"));
    site.allowed("write", write);
    assert_eq!(site.content("ws/sub/inner.txt"), "INNER");
}

#[test]
fn s052_slashes_at_the_end_change_nothing() {
    let site = Site::new(READ_WRITE);
    for (path, link) in [
        ("relative-dir/", "relative-dir"),
        ("relative-dir/.", "relative-dir"),
        ("relative-dir-slash", "relative-dir-slash"),
        ("relative-dir-slash/", "relative-dir-slash"),
        ("to-dir-slash", "relative-dir"),
        ("to-dir-slash/", "relative-dir"),
        ("to-dir-slash/marker.txt", "relative-dir"),
        ("to-dir-slash/marker.txt/", "relative-dir"),
    ] {
        let subject = subject(link);
        let refused = |function: &str, arguments| {
            site.refused(function, arguments, "not-permitted", (LINK, &subject));
        };
        refused("read", reading(path));
        refused("list", opening(path, &["directory"], &["read"]));
        refused("stat-at", seen(path, true));
        if path.contains('/') {
            refused("stat-at", seen(path, false));
            refused("create-directory-at", at(path));
            refused("remove-directory-at", at(path));
            refused("unlink-file-at", at(path));
            refused("readlink-at", at(path));
            refused("symlink-at", with(at(path), "target", "x"));
            refused("set-times-at", seen(path, false));
            refused(
                "rename-at",
                json!({"mount": 0, "path": path, "to-mount": 0, "to": "new"}),
            );
            refused(
                "rename-at",
                json!({"mount": 0, "path": "sub", "to-mount": 0, "to": path}),
            );
        }
    }
    for path in ["relative-dir/new", "to-dir-slash/new/", "absolute-dir/new"] {
        let link = if path.starts_with("abs") {
            "absolute-dir"
        } else {
            "relative-dir"
        };
        site.refused(
            "create-directory-at",
            at(path),
            "not-permitted",
            (LINK, &subject(link)),
        );
    }
    let listing = site.allowed(
        "list",
        opening("inside-dir-slash/", &["directory"], &["read"]),
    );
    assert_eq!(names(&listing), ["back", "deep", "inner.txt"]);
}

/// That is without the right to: `second_names` has what holds with it.
#[test]
fn s053_a_guest_makes_no_symlink() {
    let site = Site::new(READ_WRITE);
    for target in [
        "../../../../etc/passwd",
        "/etc/passwd",
        "notes.txt",
        "sub/",
        ".",
        "",
    ] {
        for path in ["evil", "sub/evil", "notes.txt"] {
            let subject = format!("storage symlink /workspace/{path} -> /workspace/{path}");
            let arguments = with(at(path), "target", target);
            site.refused("symlink-at", arguments, "not-permitted", (LINK, &subject));
        }
    }
}

#[test]
fn s057_a_hard_link_of_the_host_is_the_file_itself() {
    let site = Site::new(READ_WRITE);
    std::fs::write(site.host("outside/shared.txt"), "shared").unwrap();
    std::fs::hard_link(site.host("outside/shared.txt"), site.host("ws/hard")).unwrap();
    // A second name in the workspace is a name in the workspace: SECURITY.md says so.
    assert_eq!(text(&site.allowed("read", reading("hard"))), "shared");
    assert_eq!(
        site.allowed("stat-at", seen("hard", false))["link-count"],
        json!(2)
    );
}

#[test]
fn s057_with_strict_links_a_file_with_two_names_is_refused() {
    let site = Site::configured(READ_WRITE, |builder| builder.strict_links(true));
    std::fs::write(site.host("outside/shared.txt"), MARKER).unwrap();
    std::fs::hard_link(site.host("outside/shared.txt"), site.host("ws/hard")).unwrap();
    let denied = (LINK, subject("hard"));
    for purpose in [&["read"][..], &["write"], &["read", "write"], &[]] {
        site.refused(
            "open",
            opening("hard", &[], purpose),
            "not-permitted",
            (denied.0, &denied.1),
        );
    }
    site.refused(
        "open",
        opening("hard", &["truncate"], &["write"]),
        "not-permitted",
        (denied.0, &denied.1),
    );
    assert_eq!(site.content("outside/shared.txt"), MARKER);
    // A file with one name is read, and that one again once its other name is gone.
    assert_eq!(text(&site.allowed("read", reading("notes.txt"))), "notes");
    std::fs::write(site.host("outside/shared.txt"), "harmless").unwrap();
    std::fs::remove_file(site.host("outside/shared.txt")).unwrap();
    assert_eq!(text(&site.allowed("read", reading("hard"))), "harmless");
}

#[test]
fn s059_the_object_at_the_time_of_a_call_is_judged() {
    let site = Site::new(
        "permissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/conf.toml\"\n        access: [\"read\"]\n",
    );
    assert_eq!(text(&site.allowed("read", reading("conf.toml"))), "conf");
    // An editor saves by renaming.
    std::fs::write(site.host("ws/.conf.swp"), "edited").unwrap();
    std::fs::rename(site.host("ws/.conf.swp"), site.host("ws/conf.toml")).unwrap();
    assert_eq!(text(&site.allowed("read", reading("conf.toml"))), "edited");
    // The name then comes to mean something outside, or a neighbour that is not granted.
    for target in ["../outside/marker.txt", "/etc/passwd"] {
        std::fs::remove_file(site.host("ws/conf.toml")).unwrap();
        std::os::unix::fs::symlink(target, site.host("ws/conf.toml")).unwrap();
        site.refused(
            "read",
            reading("conf.toml"),
            "not-permitted",
            (LINK, &subject("conf.toml")),
        );
    }
    std::fs::remove_file(site.host("ws/conf.toml")).unwrap();
    std::os::unix::fs::symlink("notes.txt", site.host("ws/conf.toml")).unwrap();
    let denied = ("denied.storage.read", subject("notes.txt"));
    site.refused(
        "read",
        reading("conf.toml"),
        "no-entry",
        (denied.0, &denied.1),
    );
}

/// Runs `times` opens of `path` in a guest while the host runs `swap` over and over.
fn race(site: &Site, path: &str, times: u32, swap: impl Fn() + Sync) -> (u64, u64) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swap();
            }
        });
        // The guest is under way before the first swap only by chance; both orders are wanted.
        std::thread::sleep(Duration::from_millis(5));
        let report = site.call("hammer", json!({"mount": 0, "path": path, "times": times}));
        stop.store(true, Ordering::Relaxed);
        let counts = answer(&report).unwrap();
        (counts[0].as_u64().unwrap(), counts[1].as_u64().unwrap())
    })
}

#[test]
fn s066_a_race_with_the_host_never_leads_out() {
    let site = Site::new(READ_WRITE);
    let ws = site.host("ws");
    std::fs::create_dir(ws.join("d")).unwrap();
    std::fs::write(ws.join("d/marker.txt"), "inside").unwrap();
    std::os::unix::fs::symlink("../outside", ws.join("l")).unwrap();
    let exchange = |one: &str, two: &str| {
        let (one, two) = (ws.join(one), ws.join(two));
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            one,
            rustix::fs::CWD,
            two,
            rustix::fs::RenameFlags::EXCHANGE,
        )
        .unwrap();
    };
    // A directory and a link to one outside change places.
    let (read, marked) = race(&site, "d/marker.txt", 5_000, || exchange("d", "l"));
    assert_eq!(marked, 0, "{MARKER} was read");
    assert!(read > 0, "the guest never won");
    // So do a file and a link to one outside.
    std::fs::write(ws.join("f"), "inside").unwrap();
    let (read, marked) = race(&site, "f", 5_000, || exchange("f", "relative"));
    assert_eq!(marked, 0, "{MARKER} was read");
    assert!(read > 0, "the guest never won");
    site.fixture.ping();
}
