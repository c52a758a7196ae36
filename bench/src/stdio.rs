//! One call after another over stdio: Casemate and the bare server by turns.

use crate::Options;
use crate::client::Client;
use crate::guests;
use crate::report::{Sample, median};
use anyhow::{Context as _, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

struct Round {
    p50: f64,
    p99: f64,
    cpu: f64,
}

fn round(client: &mut Client, tool: &str, calls: usize) -> anyhow::Result<Round> {
    let mut line = serde_json::to_vec(&json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": tool, "arguments": {"text": "0123456789abcdef"}},
    }))?;
    line.push(b'\n');
    let mut answer = String::new();
    for _ in 0..calls / 10 {
        client.exchange(&line, &mut answer)?;
    }
    ensure!(
        answer.contains("0123456789abcdef"),
        "wrong answer: {answer}"
    );
    ensure!(!answer.contains("\"isError\":true"), "an error: {answer}");
    let cpu = client.cpu_micros();
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        client.exchange(&line, &mut answer)?;
        times.push(started.elapsed());
    }
    let cpu = client.cpu_micros() - cpu;
    let sample = Sample::new(times);
    Ok(Round {
        p50: sample.percentile(50),
        p99: sample.percentile(99),
        cpu: cpu as f64 / calls as f64,
    })
}

/// Installs the measured component into `home` under each of `names`.
pub(crate) fn install(casemate: &Path, home: &Path, names: &[&str]) -> anyhow::Result<()> {
    let file = home.join("echo.wasm");
    std::fs::write(&file, guests::echo()?)?;
    for name in names {
        let status = Command::new(casemate)
            .args(["--home".as_ref(), home.as_os_str()])
            .arg("add")
            .arg(&file)
            .args(["--name", name, "--yes"])
            .output()
            .with_context(|| format!("cannot run {}", casemate.display()))?;
        ensure!(
            status.status.success(),
            "casemate add failed: {}",
            String::from_utf8_lossy(&status.stderr)
        );
    }
    Ok(())
}

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    install(&options.casemate, home.path(), &["echo"])?;
    let this = std::env::current_exe()?;
    let mut bare = Client::start(Command::new(this).arg("echo-server"))?;
    bare.initialize()?;
    let mut casemate = Client::start(
        Command::new(&options.casemate)
            .args(["--home".as_ref(), home.path().as_os_str()])
            .arg("serve"),
    )?;
    casemate.initialize()?;
    let mut rounds: [Vec<Round>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..options.rounds {
        let [first, second] = &mut rounds;
        first.push(round(&mut bare, "echo", options.calls)?);
        second.push(round(&mut casemate, "echo_echo", options.calls)?);
    }
    println!(
        "{} rounds of {} calls, one after another, 16 bytes, medians of the rounds",
        options.rounds, options.calls
    );
    println!(
        "{:<24}{:>10}{:>10}{:>14}",
        "", "p50 µs", "p99 µs", "CPU µs/call"
    );
    let mut figures = Vec::new();
    for (name, rounds) in ["bare rmcp server", "casemate"].into_iter().zip(&rounds) {
        let p50 = median(rounds.iter().map(|round| round.p50).collect());
        let p99 = median(rounds.iter().map(|round| round.p99).collect());
        let cpu = median(rounds.iter().map(|round| round.cpu).collect());
        println!("{name:<24}{p50:>10.1}{p99:>10.1}{cpu:>14.1}");
        figures.push(p50);
    }
    if let [bare, casemate] = figures.as_slice() {
        println!("p50 ratio: {:.2}", casemate / bare);
    }
    Ok(())
}
