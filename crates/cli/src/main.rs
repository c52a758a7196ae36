//! Speak to a person: the binary `casemate`.
//!
//! The only crate that reads the environment, finds the home directory, asks at a terminal, prints, and decides exit
//! codes ([`ExitStatus`]). Data goes to standard output, everything else to standard error.

#![forbid(unsafe_code)]

mod arguments;
mod ask;
mod changes;
mod commands;
mod consent;
mod engine;
mod environment;
mod error;
mod findings;
mod grade;
mod inspection;
mod listen;
mod location;
mod outcome;
mod permission;
mod policy_change;
mod print;
mod progress;
mod report;
mod review;
mod roots;
mod selection;
mod settings;
mod shell;
mod signed;
mod signing;
mod trail;
mod trust;
mod typed;

use crate::arguments::Cli;
use crate::error::{CommandError, ExitStatus};
use crate::print::Printer;
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let printer = Printer::standard();
    let cli = match Cli::try_parse_from(arguments::marked(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return printer.usage(&error).code(),
    };
    trace(&cli);
    let global = cli.global.clone();
    let status = commands::run(cli, &printer).unwrap_or_else(|error| match error {
        // Whoever read the output has seen enough.
        CommandError::BrokenPipe => ExitStatus::Ok,
        error => printer.error(&error, &global),
    });
    status.code()
}

/// Sends the log to standard error. What goes wrong is told by the commands themselves, so without
/// `--verbose` or `RUST_LOG` only a server speaks here.
fn trace(cli: &Cli) {
    let fallback = match (cli.global.verbose, cli.command.is_server()) {
        (0, false) => "error",
        // rmcp warns of each error that it answers with; the client has been told.
        (0, true) => "warn,rmcp=error,casemate=info",
        (1, _) => "info",
        (_, _) => "debug",
    };
    let filter = match environment::log_filter() {
        Some(filter) if cli.global.verbose == 0 => filter,
        _ => fallback.to_owned(),
    };
    let filter = tracing_subscriber::EnvFilter::try_new(&filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(fallback));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
