//! Files that change, go or stand still while calls run.

use super::{READ_ONLY, READ_WRITE, Site, opening, reading, seen, text};
use crate::fixture::{reason, result};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn special(site: &Site, name: &str, kind: FileType, device: u64) -> rustix::io::Result<()> {
    let mode = Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(CWD, site.host("ws").join(name), kind, mode, device)
}

#[test]
fn s039_a_pipe_that_is_opened_a_thousand_times_holds_up_nobody() {
    let site = Site::new(READ_WRITE);
    site.install("other", READ_ONLY);
    special(&site, "pipe", FileType::Fifo, 0).unwrap();
    let fixture = &site.fixture;
    let many = json!({"mount": 0, "path": "pipe", "times": 1_000});
    let hammer = fixture.calling("evil_hammer", many, CancellationToken::new());
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let started = Instant::now();
            for (tool, arguments) in [
                ("other_stat_at", seen("notes.txt", true)),
                ("other_read", reading("notes.txt")),
            ] {
                let report = fixture.calling(tool, arguments, CancellationToken::new());
                assert_eq!(reason(&report.await), "none");
            }
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let started = Instant::now();
    let (report, slowest) = fixture.block_on(async { tokio::join!(hammer, others) });
    assert_eq!(result(&report), json!([0, 0]));
    assert_eq!(report.denials.len(), 1);
    assert_eq!(report.denials[0].count, 1_000);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    fixture.ping();
}

#[test]
fn s040_devices_and_sockets_are_not_opened() {
    let site = Site::new(READ_WRITE);
    let _socket = std::os::unix::net::UnixListener::bind(site.host("ws/socket")).unwrap();
    let mut names = vec!["socket"];
    for (name, kind, device) in [
        ("zero", FileType::CharacterDevice, (1, 5)),
        ("urandom", FileType::CharacterDevice, (1, 9)),
        ("loop", FileType::BlockDevice, (7, 0)),
    ] {
        match special(&site, name, kind, rustix::fs::makedev(device.0, device.1)) {
            Ok(()) => names.push(name),
            Err(errno) => println!("without the device {name}: mknod: {errno}"),
        }
    }
    for name in names {
        let subject = format!("storage read /workspace/{name}");
        let denied = ("denied.storage.read", subject.as_str());
        for function in ["read", "read-via-stream"] {
            site.refused(function, reading(name), "not-permitted", denied);
        }
        // Nor is one put where a file was looked for.
        let moving = json!({"mount": 0, "path": name, "to-mount": 0, "to": "notes.txt"});
        let denied = ("denied.storage.link", subject.as_str());
        site.refused("rename-at", moving, "not-permitted", denied);
    }
}

#[test]
fn s041_a_large_directory_is_listed_whole() {
    let site = Site::new(READ_ONLY);
    let many = site.host("ws/many");
    std::fs::create_dir(&many).unwrap();
    for number in 0..5_000 {
        std::fs::write(many.join(format!("{number:08}")), "").unwrap();
    }
    let report = site.call("count", opening("many", &["directory"], &["read"]));
    assert_eq!(result(&report), json!(5_000));
    // What is removed while it is listed, or has a name that is no text, ends nothing.
    use std::os::unix::ffi::OsStrExt as _;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    std::fs::write(many.join(odd), "").unwrap();
    let report = site.call("count", opening("many", &["directory"], &["read"]));
    assert_eq!(result(&report), json!(5_000));
}

/// The policy that a call started with is its policy to the end, which its time limit sets; the next call has the new
/// one. SECURITY.md says so.
#[test]
fn s070_a_call_keeps_the_policy_that_it_began_with_and_the_next_has_the_new() {
    let site = Site::new(READ_WRITE);
    let fixture = &site.fixture;
    let linger = json!({"mount": 0, "path": "notes.txt", "sign": "sign"});
    let lingering = fixture.calling("evil_linger", linger, CancellationToken::new());
    let revoking = async {
        // Until then it could still be waiting for its turn, and begin under the new policy.
        let deadline = Instant::now() + Duration::from_secs(25);
        while !site.host("ws/00000000").exists() {
            assert!(Instant::now() < deadline, "the guest is not under way");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let policy = site.host("home/policies/evil.yaml");
        let text = "version: \"1.0\"\n";
        std::fs::write(policy, text).unwrap();
        fixture.runtime.reload().unwrap();
        let next = fixture.calling("evil_mounts", Value::Null, CancellationToken::new());
        let next = next.await;
        std::fs::write(site.host("ws/sign"), "").unwrap();
        next
    };
    let (report, next) = fixture.block_on(async { tokio::join!(lingering, revoking) });
    assert_eq!(result(&next), json!([]), "the next call has no folder");
    assert_eq!(result(&report), json!([255, 255]), "{:?}", report.denials);
    assert_eq!(report.denials, []);
}

#[test]
fn s071_each_use_goes_to_the_directory_that_has_the_name_now() {
    let site = Site::new(READ_WRITE);
    assert_eq!(text(&site.allowed("read", reading("notes.txt"))), "notes");
    std::fs::rename(site.host("ws"), site.host("outside/old")).unwrap();
    // Nothing there is nothing to read; it is no way to the old place.
    assert_eq!(
        site.ask("read", reading("notes.txt")),
        Err("no-entry".to_owned())
    );
    std::fs::create_dir(site.host("ws")).unwrap();
    std::fs::write(site.host("ws/notes.txt"), "replaced").unwrap();
    assert_eq!(
        text(&site.allowed("read", reading("notes.txt"))),
        "replaced"
    );
    site.fails("read", reading("conf.toml"), "no-entry");
}

#[test]
fn s071_a_call_never_mixes_two_roots_in_one_walk() {
    let site = Site::new(READ_WRITE);
    for (directory, content) in [("one", "AAAA"), ("two", "BBBB")] {
        let path = site.host(directory);
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::write(path.join("a/b/file"), content).unwrap();
    }
    let ws = site.host("ws");
    std::fs::rename(&ws, site.host("outside/old")).unwrap();
    std::fs::rename(site.host("one"), &ws).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(CWD, &ws, CWD, site.host("two"), flags).unwrap();
            }
        });
        let many = json!({"mount": 0, "path": "a/b/file", "times": 2_000});
        let report = site.call("hammer", many);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        // Each of them was one of the two files, whole.
        assert_eq!(result(&report), json!([2_000, 0]), "{:?}", report.denials);
    });
}
