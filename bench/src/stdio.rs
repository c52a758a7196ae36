//! One call after another over stdio: Casemate and the bare server by turns.

use crate::Options;
use crate::client::Client;
use crate::guests;
use crate::report::{Round, compare};
use anyhow::{Context as _, ensure};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

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
    Ok(Round::of(times, client.cpu_micros() - cpu))
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
    let title = format!(
        "{} rounds of {} calls over stdio, one after another, 16 bytes",
        options.rounds, options.calls
    );
    compare(
        &title,
        options.rounds,
        || round(&mut bare, "echo", options.calls),
        || round(&mut casemate, "echo_echo", options.calls),
    )
}
