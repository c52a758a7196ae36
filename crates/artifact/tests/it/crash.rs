//! Killed at any moment: the state opens, everything named is there, and what was acknowledged is
//! kept.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use casemate_artifact::{Home, LockError, LockFile, gc, read_policy_file, write_policy_file};
use casemate_policy::ComponentName;

use crate::{artifact, entry, names};

/// Only in a directory with this file do the children below do anything.
const MARKER: &str = "crash-harness";
const BUDGET: Duration = Duration::from_secs(2);

fn counter() -> ComponentName {
    "counter".parse().unwrap()
}

fn policy_text(number: u64) -> String {
    format!("# {number}\n").repeat(3000)
}

/// A child of the test below: changes everything again and again, and says each number when it is
/// done.
#[test]
fn child_that_writes() {
    if !Path::new(MARKER).exists() {
        return;
    }
    let home = Home::single("home");
    loop {
        let number = acknowledged_state(&home) + 1;
        if write_all(&home, number).is_ok() {
            writeln!(std::io::stderr(), "{number}").unwrap();
        }
    }
}

/// The collector without any grace races with the writer, so that storing may fail; naming what is
/// not there may not succeed.
fn write_all(home: &Home, number: u64) -> Result<(), Box<dyn std::error::Error>> {
    write_policy_file(home, &counter(), &policy_text(number))?;
    let bytes = artifact(&format!("component {number} ").repeat(2000));
    home.store().put(&bytes)?;
    let docs = home.store().put_docs(&format!("docs {number}"))?;
    let mut entry = entry(&bytes);
    entry.docs = Some(docs);
    entry.added = number.to_string();
    LockFile::update(home, |lock| {
        lock.components
            .insert(format!("c{}", number % 5).parse()?, entry.clone());
        lock.components.insert(counter(), entry);
        Ok::<_, Box<dyn std::error::Error>>(())
    })
}

/// The other child: collects with no grace at all.
#[test]
fn child_that_collects() {
    if !Path::new(MARKER).exists() {
        return;
    }
    let home = Home::single("home");
    loop {
        gc(
            &home,
            Duration::ZERO,
            SystemTime::now() + Duration::from_secs(1),
        )
        .unwrap();
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn acknowledged_state(home: &Home) -> u64 {
    LockFile::load(home)
        .unwrap()
        .components
        .get(&counter())
        .map_or(0, |entry| entry.added.parse().unwrap())
}

fn spawn(test: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn s240_a_kill_at_any_moment_leaves_the_old_state_or_the_new() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(MARKER), "").unwrap();
    let home = Home::single(directory.path().join("home"));
    home.create().unwrap();
    let start = Instant::now();
    let (mut rounds, mut last) = (0_u32, 0);
    // xorshift; the seed differs from run to run, the moments are random either way.
    let mut random = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
        | 1;
    while start.elapsed() < BUDGET || rounds < 5 {
        let mut writer = spawn("crash::child_that_writes", directory.path());
        let mut collector =
            (rounds % 2 == 1).then(|| spawn("crash::child_that_collects", directory.path()));
        // One acknowledgement, so that each round does something; then any moment.
        let mut acknowledged = vec![0];
        let mut pipe = writer.stderr.take().unwrap();
        pipe.read_exact(&mut acknowledged).unwrap();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        std::thread::sleep(Duration::from_micros(u64::from(random % 40_000)));
        for child in [Some(&mut writer), collector.as_mut()]
            .into_iter()
            .flatten()
        {
            assert_eq!(child.try_wait().unwrap(), None, "a child ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
        }
        pipe.read_to_end(&mut acknowledged).unwrap();
        let acknowledged = String::from_utf8(acknowledged).unwrap();
        let acknowledged: u64 = acknowledged.lines().last().unwrap().parse().unwrap();

        let lock = LockFile::load(&home).unwrap();
        for entry in lock.components.values() {
            let number = &entry.added;
            let expected = format!("component {number} ").repeat(2000);
            assert_eq!(
                home.store().load(entry).unwrap().bytes(),
                expected.as_bytes()
            );
            assert_eq!(
                home.store().get_docs(&entry.docs.unwrap()).unwrap(),
                format!("docs {number}")
            );
        }
        let state = acknowledged_state(&home);
        assert!(
            state == acknowledged || state == acknowledged + 1,
            "{acknowledged} acknowledged, {state} found"
        );
        assert!(state > last, "{last} before, {state} now");
        let policy = read_policy_file(&home, &counter()).unwrap().unwrap();
        assert!(
            [state, state + 1].map(policy_text).contains(&policy.text),
            "half a policy, or an old one"
        );
        last = state;
        rounds += 1;
    }
    // What the kills left behind is collected, and only that.
    gc(
        &home,
        Duration::ZERO,
        SystemTime::now() + Duration::from_secs(1),
    )
    .unwrap();
    let lock = LockFile::load(&home).unwrap();
    let mut named: Vec<String> = lock
        .components
        .values()
        .map(|entry| format!("sha256-{}.wasm", entry.digest.hex()))
        .collect();
    named.extend(
        lock.components
            .values()
            .map(|entry| format!("sha256-{}.wit", entry.docs.unwrap().hex())),
    );
    named.sort();
    named.dedup();
    assert_eq!(names(&home.components_dir()), named);
    assert_eq!(names(&home.policies_dir()), ["counter.yaml"]);
    assert!(
        !names(home.config_dir())
            .iter()
            .any(|name| name.starts_with(".casemate-tmp-"))
    );
    LockFile::update(&home, |lock| {
        lock.components.clear();
        Ok::<_, LockError>(())
    })
    .unwrap();
}
