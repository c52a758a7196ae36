//! `completions`: a script for the shell.

use crate::arguments::Cli;
use crate::error::{CommandError, ExitStatus};
use clap::{Args, CommandFactory as _};
use std::io::Write as _;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitStatus, CommandError> {
    // Generated first: writing to a closed pipe is an error here and a panic there.
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "casemate",
        &mut script,
    );
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    out.flush()?;
    Ok(ExitStatus::Ok)
}
