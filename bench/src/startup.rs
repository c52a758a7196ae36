//! From the start of the process to the answer of `tools/list`, with three components.

use crate::Options;
use crate::client::Client;
use crate::report::Sample;
use crate::stdio::install;
use anyhow::ensure;
use serde_json::json;
use std::process::Command;
use std::time::Instant;

/// Measures and prints.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    install(&options.casemate, home.path(), &["one", "two", "three"])?;
    let mut times = Vec::new();
    for _ in 0..options.rounds.max(20) {
        let started = Instant::now();
        let mut client = Client::start(
            Command::new(&options.casemate)
                .args(["--home".as_ref(), home.path().as_os_str()])
                .arg("serve"),
        )?;
        client.initialize()?;
        let answer = client.request("tools/list", &json!({}))?;
        times.push(started.elapsed());
        let tools = answer
            .pointer("/result/tools")
            .and_then(|tools| tools.as_array());
        ensure!(
            tools.is_some_and(|tools| tools.len() == 3),
            "wrong list: {answer}"
        );
    }
    let sample = Sample::new(times);
    println!(
        "start to answered tools/list, three components: p50 {:.1} ms, worst {:.1} ms",
        sample.percentile(50) / 1e3,
        sample.percentile(100) / 1e3
    );
    Ok(())
}
