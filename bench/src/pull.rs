//! A component from a registry on loopback, beside what `curl` and `sha256sum` need for the same bytes.

use crate::Options;
use crate::report::median;
use anyhow::{Context as _, ensure};
use casemate_artifact::{Anonymous, FetchRequest, Home, Reference, Sources, fetch};
use casemate_runtime::{Network, RegistryConnector, TrustRoots};
use casemate_test_registry::{Registry, digest};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

/// As large as an interpreter that was made a component.
const BYTES: usize = 18_000_000;

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let bytes = noise();
    let registry = Registry::plain();
    registry.put_component("acme/tool", "1", &bytes);
    let own = digest(&bytes);
    let url = format!("http://{}/v2/acme/tool/blobs/{own}", registry.host());
    let reference = registry.reference("acme/tool:1");
    let (mut ours, mut theirs, mut peak) = (Vec::new(), Vec::new(), 0_u64);
    for _ in 0..options.rounds.max(5) {
        let (time, above) = child(&reference, &own)?;
        ours.push(time);
        peak = peak.max(above);
        theirs.push(curl(&url, &own)?);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "18 MB from loopback, median of {} rounds: fetched, verified and stored in {ours:.1} ms; curl | sha256sum {theirs:.1} ms; ratio {:.2}",
        options.rounds.max(5),
        ours / theirs
    );
    println!(
        "highest memory above that before the fetch: {:.1} MiB",
        peak as f64 / 1024.0
    );
    Ok(())
}

/// Bytes that nothing can shorten.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(BYTES).collect()
}

/// A fetch in a process of its own: milliseconds, and KiB above what it had before.
fn child(reference: &str, own: &str) -> anyhow::Result<(f64, u64)> {
    let output = Command::new(std::env::current_exe()?)
        .args(["pull-once", "--reference", reference])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut words = text.split_whitespace();
    let mut word = || {
        words
            .next()
            .with_context(|| format!("no figures: {errors}"))
    };
    let (time, above, digest) = (word()?.parse()?, word()?.parse()?, word()?);
    ensure!(digest == own, "other bytes: {digest}");
    Ok((time, above))
}

/// What the child process does: the product's fetch, over the product's network, into a store.
pub(crate) fn once(reference: &str) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let home = Home::single(directory.path().join("home"));
    home.create()?;
    let network = Network::system(TrustRoots::lazy(Vec::new));
    let connector = Arc::new(RegistryConnector::new(network));
    let sources = Sources::new(connector, Arc::new(Anonymous)).with_plain_http_on_loopback();
    let reference = Reference::parse(reference, Path::new("/"))?;
    let before = status("VmRSS")?;
    let started = Instant::now();
    let fetched = fetch(&sources, FetchRequest::new(&reference))?;
    home.store().put(&fetched.artifact)?;
    let time = started.elapsed().as_secs_f64() * 1e3;
    let above = status("VmHWM")?.saturating_sub(before);
    println!("{time} {above} {}", fetched.artifact.digest());
    Ok(())
}

/// A figure of this process in KiB.
fn status(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let figure = line.and_then(|line| line.split_whitespace().next());
    Ok(figure.with_context(|| format!("no {name}"))?.parse()?)
}

/// The same bytes by the usual tools, in milliseconds.
fn curl(url: &str, own: &str) -> anyhow::Result<f64> {
    let started = Instant::now();
    let output = Command::new("sh")
        .args(["-c", &format!("curl -sS '{url}' | sha256sum")])
        .output()?;
    let time = started.elapsed().as_secs_f64() * 1e3;
    let text = String::from_utf8_lossy(&output.stdout);
    let hex = own.trim_start_matches("sha256:");
    ensure!(text.starts_with(hex), "curl and sha256sum gave {text}");
    Ok(time)
}
