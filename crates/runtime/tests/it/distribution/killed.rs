//! Killed at any moment of installing, updating and going back: the state before, or the one after.

use super::{Build, Shop, name};
use crate::fixture::Fixture;
use casemate_artifact::{Home, LockFile, Silent, read_policy_file};
use casemate_runtime::Runtime;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// Only in a directory with this file does the child below do anything.
const MARKER: &str = "kill-harness";
const BUDGET: Duration = Duration::from_secs(4);

fn policy(number: u32) -> String {
    format!("version: \"1.0\"\n# {number}\n")
}

/// A child of the test below: installs another build again and again, each with its own policy, goes back from every
/// third, and says so.
#[test]
fn child_that_installs() {
    if !Path::new(MARKER).exists() {
        return;
    }
    let shop = Shop::new();
    let home = Home::single("home");
    let runtime = Runtime::builder(home.clone())
        .sources(shop.registry.sources())
        .open()
        .unwrap();
    let lock = LockFile::load(&home).unwrap();
    let answers = lock.components.get(&name()).and_then(|entry| {
        let newest = entry.previous.iter().map(|replaced| &replaced.entry);
        newest
            .chain([entry])
            .filter_map(|entry| entry.version.as_ref()?.parse::<u32>().ok())
            .max()
    });
    let mut number = answers.unwrap_or(0);
    loop {
        number += 1;
        let version = number.to_string();
        // A name of its own for each: the port of the registry differs from child to child.
        shop.publish(
            "1",
            Build {
                answer: number,
                words: "Tells the number.",
                version: Some(&version),
                request: Some("version: \"1.0\"\n"),
                asks: false,
            },
        );
        let plan = runtime.plan_install(shop.request(":1"), &Silent).unwrap();
        runtime.install(plan, Some(&policy(number))).unwrap();
        if number.is_multiple_of(3) {
            let plan = runtime.plan_rollback(&name()).unwrap();
            runtime.install(plan, None).unwrap();
        }
        writeln!(std::io::stderr(), "{number}").unwrap();
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "distribution::killed::child_that_installs",
            "--nocapture",
            "--test-threads=1",
        ])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn s240_an_installation_that_is_killed_left_the_state_before_or_after() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(MARKER), "").unwrap();
    let home = Home::single(directory.path().join("home"));
    home.create().unwrap();
    let start = Instant::now();
    let mut rounds = 0_u32;
    let mut random = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos()
        | 1;
    while start.elapsed() < BUDGET || rounds < 4 {
        let mut child = spawn(directory.path());
        let mut pipe = child.stderr.take().unwrap();
        let mut acknowledged = vec![0];
        pipe.read_exact(&mut acknowledged).unwrap();
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        std::thread::sleep(Duration::from_micros(u64::from(random % 120_000)));
        assert_eq!(child.try_wait().unwrap(), None, "the child ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        pipe.read_to_end(&mut acknowledged).unwrap();
        let acknowledged = String::from_utf8(acknowledged).unwrap();
        let acknowledged: u32 = acknowledged.lines().last().unwrap().parse().unwrap();

        // It opens, everything that is named is there, and what was acknowledged is there or was built upon.
        let runtime = Runtime::builder(home.clone()).open().unwrap();
        assert_eq!(runtime.catalog().problems(), []);
        assert!(runtime.catalog().tool("tool_tell").is_some());
        let lock = LockFile::load(&home).unwrap();
        let entry = lock.components.get(&name()).unwrap();
        let version = |text: &Option<String>| text.as_ref().unwrap().parse::<u32>().unwrap();
        let present = version(&entry.version);
        assert!(
            present + 1 >= acknowledged && present <= acknowledged + 1,
            "{acknowledged} acknowledged, {present} found"
        );
        for replaced in &entry.previous {
            home.store().load(&replaced.entry).unwrap();
            let manifest = replaced.entry.manifest.unwrap();
            home.store().get_manifest(&manifest).unwrap();
            if let Some(text) = &replaced.policy_text {
                home.store().get_policy(text).unwrap();
            }
        }
        // A policy is whole, and of this build or of the one that was about to replace it.
        let text = read_policy_file(&home, &name()).unwrap().unwrap().text;
        let near = present.saturating_sub(1)..=present + 2;
        assert!(
            near.clone().map(policy).any(|known| known == text),
            "{present}: {text}"
        );
        rounds += 1;
    }
    let temporary = |directory: &Path| {
        std::fs::read_dir(directory).unwrap().any(|entry| {
            let name = entry.unwrap().file_name();
            name.to_string_lossy().starts_with(".casemate-tmp-")
        })
    };
    casemate_artifact::gc(
        &home,
        Duration::ZERO,
        SystemTime::now() + Duration::from_secs(5),
    )
    .unwrap();
    assert!(!temporary(&home.components_dir()) && !temporary(home.config_dir()));
    let fixture = Fixture::in_directory(directory, |builder| builder);
    assert_eq!(fixture.runtime.catalog().problems(), []);
}
