//! The command line: what can be typed, nothing about what it does.

use crate::commands;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Run third-party tools for AI agents in a sandbox that reaches only what you granted.
#[derive(Debug, Parser)]
#[command(name = "casemate", version, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 done, 1 failed, 2 usage or configuration, 3 denied by policy or verification."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Keep configuration and data in DIR [default: $CASEMATE_HOME, else the XDG directories]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Log more to standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Leaves `--home` out of the commands that a person is told to type.
    #[arg(skip)]
    pub(crate) hide_home: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install a component: fetch it, show what it is, bind it to a name
    Add(commands::add::Arguments),
    /// Remove a component; its policy is set aside
    Remove(commands::remove::Arguments),
    /// List what is installed and what it may reach
    List(commands::list::Arguments),
    /// Show what a component is and could ask for, without running it
    Inspect(commands::inspect::Arguments),
    /// Let a component read or write files, reach a host or see a variable
    Grant(commands::change::GrantArguments),
    /// Take back what was granted
    Revoke(commands::change::Arguments),
    /// Write a rule that denies, whatever else allows it
    Block(commands::change::Arguments),
    /// Set limits of memory, time, files, network and the number of calls
    Limit(commands::limit::Arguments),
    /// Show, check and explain policies
    Policy(commands::policy::Arguments),
    /// Call a tool once, the way an MCP client would
    Call(commands::call::Arguments),
    /// Serve the installed tools over MCP, on standard input and output or over HTTP
    Serve(commands::serve::Arguments),
    /// Show what was called, refused and used
    Log(commands::log::Arguments),
    /// Print the configuration that makes an MCP client start Casemate
    ClientConfig(commands::client_config::Arguments),
    /// Check the installation
    Doctor(commands::doctor::Arguments),
    /// Print completions for a shell
    Completions(commands::completions::Arguments),
    /// See it work: install, call, be denied, grant, call again, in a throw-away home
    Demo(commands::demo::Arguments),
}

impl Command {
    /// Whether it runs until told to stop, with its log as the only way to speak.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Self::Serve(_))
    }
}

/// Asks for JSON.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Format {
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What a run binds and is bound by.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Bindings {
    /// Bind the root `workspace` to DIR: fs://workspace/… in policies, /workspace for tools
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) workspace: Option<PathBuf>,
    /// Bind the root NAME to DIR; may be repeated
    #[arg(long = "root", global = true, value_name = "NAME=DIR")]
    pub(crate) roots: Vec<String>,
    /// Allow nothing that FILE, a policy, does not allow [default: /etc/casemate/ceiling.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ceiling: Option<PathBuf>,
    /// Bind / or the home directory or Casemate's own if asked to; the audit trail says so
    #[arg(long, global = true)]
    pub(crate) allow_dangerous_root: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
