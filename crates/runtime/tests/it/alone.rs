//! Cases that need a process to themselves: what they measure or bound is the whole process.
//!
//! Each runs itself again in a child process, where no other test is, with `openat2` and without.

use crate::files::{READ_ONLY, Site, opening, seen};
use crate::fixture::{reason, result};
use crate::without_openat2::where_openat2_is_blocked;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Whether this process runs nothing but the test of this name; if not, runs it so, twice.
#[expect(
    clippy::print_stdout,
    reason = "figures of the child are figures of the test"
)]
fn is_alone(test: &str) -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--exact")
        && arguments.iter().any(|argument| argument == test)
    {
        return true;
    }
    let run = || -> Output {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([test, "--exact", "--nocapture"])
            .output()
            .unwrap()
    };
    for output in [run(), where_openat2_is_blocked(run)] {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}\n{errors}");
        assert!(told.contains("test result: ok. 1 passed"), "{told}");
        print!("{told}");
    }
    false
}

/// A line of `/proc/self/status`, in KiB.
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.unwrap().trim_start_matches(':').trim();
    number.trim_end_matches(" kB").parse().unwrap()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn s032_a_hundred_thousand_opens_leave_the_server_its_descriptors() {
    if !is_alone("alone::s032_a_hundred_thousand_opens_leave_the_server_its_descriptors") {
        return;
    }
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(1_024),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let most = "  resources:\n    limits: { open-files: 1024 }\n";
    let site = Site::new(&format!("{READ_ONLY}{most}"));
    site.install("other", READ_ONLY);
    let fixture = &site.fixture;
    let before = descriptors();
    // Under its own limit, then under the process's: a quarter of the descriptors is for guests.
    let hold = |times: u32| json!({"mount": 0, "path": "notes.txt", "times": times});
    let report = site.call("other:hold", hold(100_000));
    assert_eq!(reason(&report), "limit.handles");
    assert!(format!("{:?}", report.outcome).contains("129 open files, 128 allowed"));
    let report = site.call("hold", hold(100_000));
    assert_eq!(reason(&report), "limit.handles");
    let told = format!("{:?}", report.outcome);
    assert!(
        told.contains("257 open files of all calls together, 256 allowed"),
        "{told}"
    );
    // While one call tries again and again, others open files and listeners accept.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let hammer = fixture.calling(
        "evil_hammer",
        json!({"mount": 0, "path": "notes.txt", "times": 100_000}),
        CancellationToken::new(),
    );
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let started = Instant::now();
            let report = fixture.calling(
                "other_stat_at",
                seen("notes.txt", true),
                CancellationToken::new(),
            );
            assert_eq!(reason(&report.await), "none");
            let _client = std::net::TcpStream::connect(address).unwrap();
            listener.accept().unwrap();
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let (report, slowest) = fixture.block_on(async { tokio::join!(hammer, others) });
    // It may run into its time limit on a busy machine; it never runs out of anything else.
    assert!(
        ["none", "limit.time", "limit.cpu"].contains(&reason(&report)),
        "{report:?}"
    );
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while descriptors() > before + 8 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("descriptors: {before} before, {} after", descriptors());
    assert!(descriptors() <= before + 8);
}

/// A directory of so many files, in memory where there is such a file system. Removed with the guard.
fn crowded(entries: u32) -> (tempfile::TempDir, PathBuf) {
    let memory = Path::new("/dev/shm");
    let guard = if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let many = guard.path().join("many");
    std::fs::create_dir(&many).unwrap();
    for number in 0..entries {
        std::fs::File::create(many.join(format!("{number:08}"))).unwrap();
    }
    (guard, many)
}

#[test]
fn s041_a_huge_directory_takes_bounded_memory() {
    // Collected whole they would take 13 MB at least.
    const ENTRIES: u32 = 200_000;
    if !is_alone("alone::s041_a_huge_directory_takes_bounded_memory") {
        return;
    }
    let (_guard, many) = crowded(ENTRIES);
    let unlimited = "  resources:\n    limits: { time: 10m, cpu-time: 10m }\n";
    let policy = format!("{READ_ONLY}{unlimited}");
    let site = Site::with_root(
        "crowd",
        many.parent().unwrap(),
        &policy.replace("workspace", "crowd"),
    );
    let list = || opening("many", &["directory"], &["read"]);
    // What a call takes at all, compiled code and the engine with it, is not what is looked for.
    let report = site.call("count", opening(".", &["directory"], &["read"]));
    assert_eq!(result(&report), json!(1));
    let before = status("VmHWM");
    let report = site.call("count", list());
    assert_eq!(result(&report), json!(ENTRIES));
    let grown = status("VmHWM") - before;
    println!("peak memory while {ENTRIES} entries were listed: {grown} KiB more than before");
    assert!(grown < 4 * 1_024, "{grown} KiB");
}
