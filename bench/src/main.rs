//! Measures Casemate beside a minimal rmcp server or a stock WASI host, in the same run.
//!
//! ```text
//! cargo run --release -p casemate-bench -- run [--calls N] [--casemate PATH]
//! cargo run --release -p casemate-bench -- http [--calls N] [--casemate PATH]
//! cargo run --release -p casemate-bench -- startup [--rounds N] [--casemate PATH]
//! cargo run --release -p casemate-bench -- parts [--calls N]
//! cargo run --release -p casemate-bench -- files [--rounds N]
//! cargo run --release -p casemate-bench -- pull [--rounds N]
//! ```

#![expect(clippy::print_stdout, reason = "a measuring program for the terminal")]

mod client;
mod echo;
mod files;
mod guests;
mod http;
mod parts;
mod pull;
mod report;
mod startup;
mod stdio;
mod stock;

use anyhow::{Context as _, bail};
use std::path::PathBuf;

/// What to measure and how often.
pub(crate) struct Options {
    pub(crate) calls: usize,
    pub(crate) rounds: usize,
    pub(crate) casemate: PathBuf,
    /// For `pull-once`.
    pub(crate) reference: String,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "run".to_owned());
    let mut options = Options {
        calls: 5_000,
        rounds: 5,
        casemate: std::env::current_exe()?
            .parent()
            .context("no directory")?
            .join("casemate"),
        reference: String::new(),
    };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{flag} what?"))?;
        match flag.as_str() {
            "--calls" => options.calls = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            "--reference" => options.reference = value,
            "--casemate" => options.casemate = value.into(),
            other => bail!("unknown option {other}"),
        }
    }
    match what.as_str() {
        "echo-server" => echo::serve(),
        "echo-http-server" => echo::serve_http(),
        "run" => stdio::run(&options),
        "http" => http::run(&options),
        "startup" => startup::run(&options),
        "parts" => parts::run(&options),
        "files" => files::run(&options),
        "pull" => pull::run(&options),
        "pull-once" => pull::once(&options.reference),
        other => bail!("unknown measurement {other}: run, http, startup, parts, files, pull"),
    }
}
