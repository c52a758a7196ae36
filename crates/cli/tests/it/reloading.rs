//! Policies that change while a client calls all the time: at each moment one whole policy is in force.

use crate::sandbox::Sandbox;
use crate::serve::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Allows one file.
const NARROW: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/a.txt\"\n        access: [read]\n";
/// Allows another. Whoever reads only the beginning of it reads a policy that loads and allows all three.
const OTHER: &str = "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n    deny:\n      - uri: \"fs://workspace/c.txt\"\n      - uri: \"fs://workspace/a.txt\"\n";

/// The longest pause in the middle of writing a file that no reader may take for its end; the server waits for 100 ms of quiet.
const PAUSE: Duration = Duration::from_millis(70);

fn policy_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/policies/notes.yaml")
}

fn with_three_files() -> Sandbox {
    let sandbox = Sandbox::with_notes();
    for name in ["a.txt", "b.txt", "c.txt"] {
        std::fs::write(sandbox.path("work").join(name), "harbour\n").unwrap();
    }
    sandbox.policy(NARROW);
    sandbox
}

/// The files that one call could read.
fn readable(client: &mut Client) -> BTreeSet<String> {
    let arguments = json!({ "folder": "/workspace", "pattern": "harbour" });
    let call = json!({ "name": "notes_search_text", "arguments": arguments });
    let answer = client.request("tools/call", call);
    let result = &answer["result"]["structuredContent"]["result"];
    let Some(matches) = result["matches"].as_array() else {
        // Not even the folder could be looked at.
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        return BTreeSet::new();
    };
    let path = |found: &Value| found["path"].as_str().unwrap().to_owned();
    matches.iter().map(path).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    let path = |name: &&str| format!("/workspace/{name}.txt");
    names.iter().map(path).collect()
}

/// Waits until what is in force is as expected.
fn becomes(client: &mut Client, names: &[&str]) {
    let started = Instant::now();
    while readable(client) != set(names) {
        assert!(started.elapsed() < Duration::from_secs(20), "{names:?}");
    }
}

#[test]
fn s148_what_does_not_load_changes_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = with_three_files();
    let mut client = Client::start(&sandbox, &["--workspace", "."]);
    becomes(&mut client, &["a"]);
    let path = policy_file(&sandbox);
    let remove = || {
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_dir(&path);
    };
    let wide = NARROW.replace("a.txt", "**");
    let changes: [(&str, &dyn Fn()); 9] = [
        ("a typo", &|| {
            sandbox.policy(&wide.replace("access", "acess"))
        }),
        ("a wrong type", &|| {
            sandbox.policy(&wide.replace("[read]", "1"))
        }),
        ("a key twice", &|| {
            sandbox.policy(&format!("{wide}{}", wide.replace("version", "strict")));
        }),
        ("half a key", &|| {
            sandbox.policy(wide.split_once("ccess").unwrap().0);
        }),
        ("a bomb", &|| {
            sandbox.policy(&format!("{wide}x: &x [*x, *x]\n"))
        }),
        ("no text", &|| {
            std::fs::write(&path, b"version: \"1.0\"\n\xff\xfe").unwrap()
        }),
        ("for everybody to write", &|| {
            sandbox.policy(&wide);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("a directory", &|| {
            remove();
            std::fs::create_dir(&path).unwrap();
        }),
        ("a link to nothing", &|| {
            remove();
            std::os::unix::fs::symlink("/nowhere/at/all", &path).unwrap();
        }),
    ];
    for (what, change) in changes {
        change();
        let changed = Instant::now();
        // Long enough for two looks at the home.
        while changed.elapsed() < Duration::from_millis(900) {
            assert_eq!(readable(&mut client), set(&["a"]), "{what}");
        }
    }
    remove();
    sandbox.policy(OTHER);
    becomes(&mut client, &["b"]);
    drop(client.stdin.take());
    let (_, log) = client.ended_within(Duration::from_secs(10));
    for words in ["acess", "mode 0666", "a directory, not", "leads to nothing"] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

/// One change, and the longest time for which the file stayed half written.
struct Round {
    started: Instant,
    ended: Instant,
    pause: Duration,
}

impl Round {
    fn of(write: impl FnOnce() -> Duration) -> Self {
        let started = Instant::now();
        let pause = write();
        let ended = Instant::now();
        Self {
            started,
            ended,
            pause,
        }
    }
}

/// Truncates the file and writes it anew in pieces, with pauses between them.
fn in_place(path: &Path, text: &str, pause: Duration) -> Duration {
    let mut worst = Duration::ZERO;
    // Before the file is truncated, which can take its time on a busy disk.
    let mut last = Instant::now();
    let mut file = File::create(path).unwrap();
    // So that one of the pieces ends where a deny list would begin.
    let middle = text.find("    deny:").unwrap_or(text.len() / 2);
    let (start, end) = text.split_at(middle);
    for piece in [start, end] {
        sleep(pause);
        file.write_all(piece.as_bytes()).unwrap();
        worst = worst.max(last.elapsed());
        last = Instant::now();
    }
    worst
}

/// Writes another file and puts it in the place of the old one.
fn renamed(path: &Path, text: &str) -> Duration {
    let beside = path.with_extension("yaml~");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
    Duration::ZERO
}

/// Moves the old file away, writes the new one, and removes the old one.
fn with_a_backup(path: &Path, text: &str) -> Duration {
    let backup = path.with_extension("yaml~");
    let absent = Instant::now();
    std::fs::rename(path, &backup).unwrap();
    std::fs::write(path, text).unwrap();
    let pause = absent.elapsed();
    std::fs::remove_file(&backup).unwrap();
    pause
}

/// Calls all the time while `change` writes one of the two policies after the other, and returns how many rounds there were.
/// Every answer must fit one of them. An answer that a round which this machine held up may have changed is not judged: up to
/// `settled` after it, which is when something else was surely taken over.
fn every_answer_fits_one(
    change: impl Fn(&Path, &str) -> Duration + Sync,
    least: Duration,
    settled: Duration,
) {
    let sandbox = with_three_files();
    let path = policy_file(&sandbox);
    let mut client = Client::start(&sandbox, &["--workspace", "."]);
    becomes(&mut client, &["a"]);
    let done = AtomicBool::new(false);
    let (rounds, odd, calls) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut rounds = Vec::new();
            let started = Instant::now();
            while started.elapsed() < least {
                let text = if rounds.len() % 2 == 0 { OTHER } else { NARROW };
                rounds.push(Round::of(|| change(&path, text)));
            }
            rounds.push(Round::of(|| change(&path, OTHER)));
            done.store(true, Ordering::SeqCst);
            rounds
        });
        let (mut odd, mut calls) = (Vec::new(), 0);
        while !done.load(Ordering::SeqCst) {
            let started = Instant::now();
            let seen = readable(&mut client);
            calls += 1;
            if seen != set(&["a"]) && seen != set(&["b"]) {
                odd.push((started, seen));
            }
        }
        (writer.join().unwrap(), odd, calls)
    });
    assert!(rounds.len() > 4 && calls > 4, "{} {calls}", rounds.len());
    for (at, seen) in odd {
        let near = Duration::from_secs(2);
        let held_up = rounds.iter().any(|round| {
            round.pause > PAUSE && round.started < at + near && at < round.ended + settled
        });
        assert!(held_up, "one answer was {seen:?}");
    }
    becomes(&mut client, &["b"]);
}

#[test]
fn s148_a_file_that_is_written_in_pieces_is_read_when_it_is_whole() {
    let change = |path: &Path, text: &str| {
        let pause = in_place(path, text, Duration::from_millis(30));
        // Left alone for long enough to be taken over.
        sleep(Duration::from_millis(600));
        pause
    };
    every_answer_fits_one(change, Duration::from_secs(8), Duration::from_secs(2));
}

#[test]
fn s148_editors_that_rename_or_keep_a_backup_leave_no_gap() {
    let change = |path: &Path, text: &str| {
        let pause = if text == OTHER {
            renamed(path, text)
        } else {
            with_a_backup(path, text)
        };
        sleep(Duration::from_millis(450));
        pause
    };
    every_answer_fits_one(change, Duration::from_secs(6), Duration::from_secs(2));
}

#[test]
fn s148_a_storm_of_changes_leaves_whole_policies() {
    let change = |path: &Path, text: &str| {
        sleep(Duration::from_millis(5));
        if text == OTHER {
            in_place(path, text, Duration::from_millis(2))
        } else {
            renamed(path, text)
        }
    };
    // Nothing is taken over before the storm ends: what was taken over by mistake stays as long.
    every_answer_fits_one(change, Duration::from_secs(4), Duration::from_secs(60));
}
