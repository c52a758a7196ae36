//! The command line: what can be typed, nothing about what it does.

use crate::commands;
use casemate_policy::ComponentName;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

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
    /// Take newer builds: show what changes, ask for what grew
    Update(commands::update::Arguments),
    /// Go back to what a component was before, with what it was granted then
    Rollback(commands::rollback::Arguments),
    /// Install exactly what the lock says, from where it says
    Sync(commands::sync::Arguments),
    /// Remove a component; its policy is set aside
    Remove(commands::remove::Arguments),
    /// List what is installed and what it may reach
    List(commands::list::Arguments),
    /// Show what a component is and could ask for, without running it
    Inspect(commands::inspect::Arguments),
    /// Grade a component from A to F, with a reason for every point
    Report(commands::report::Arguments),
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
    /// Sign what a registry has, with a key; or make a key
    Sign(commands::sign::Arguments),
    /// Tell whose signatures of a component hold, and what trust.yaml makes of them
    Verify(commands::verify::Arguments),
    /// Show what was called, refused and used
    Log(commands::log::Arguments),
    /// Print the configuration that makes an MCP client start Casemate
    ClientConfig(commands::client_config::Arguments),
    /// Push a component to a registry, with what belongs to it, and sign it
    Push(commands::push::Arguments),
    /// Log in to a registry
    Login(commands::login::Arguments),
    /// Forget the login for a registry
    Logout(commands::logout::Arguments),
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

/// Stands before a component's name that a subcommand has too, for clap to take it for a name. Nobody types it.
const MARK: char = '\u{1}';

/// Marks the component in `policy explain tcp tcp HOST:PORT`: clap takes a word that is a subcommand for one also where a name is
/// due. Without a name the question is an error anyway, so this changes nothing that would be understood otherwise.
pub(crate) fn marked(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = arguments.collect();
    if words.iter().any(|word| word == "explain")
        && let Some(index) = name_like_a_subcommand(&words)
        && let Some(word) = words.get_mut(index)
    {
        let mut marked = OsString::from(MARK.to_string());
        marked.push(&word);
        *word = marked;
    }
    words
}

/// The place of a component's name that is a subcommand, before one that is.
fn name_like_a_subcommand(words: &[OsString]) -> Option<usize> {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    let mut name = None;
    let mut index = 1;
    while let Some(word) = words.get(index).and_then(|word| word.to_str()) {
        if word.starts_with('-') {
            index += 1 + usize::from(takes_next(command, word));
            continue;
        }
        let subcommand = command.find_subcommand(word)?;
        let named = command.get_positionals().next().is_some();
        match name {
            // Its help has a component's name before it nowhere.
            None if named && word == "help" => return None,
            None if named => name = Some(index),
            None => command = subcommand,
            Some(_) => return name,
        }
        index += 1;
    }
    None
}

/// Whether the word after an option is its value.
fn takes_next(command: &clap::Command, option: &str) -> bool {
    let mut known = command.get_arguments();
    let found = match option.strip_prefix("--") {
        Some(long) => known.find(|argument| argument.get_long() == Some(long)),
        None => known.find(|argument| option.chars().skip(1).eq(argument.get_short())),
    };
    found.is_some_and(|argument| argument.get_action().takes_values())
}

/// A component's name where a subcommand can stand, as [`marked`] leaves it.
pub(crate) fn component(text: &str) -> Result<ComponentName, <ComponentName as FromStr>::Err> {
    text.strip_prefix(MARK).unwrap_or(text).parse()
}

/// Asks for JSON.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Format {
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// How what is not on this machine is reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Remote {
    /// Speak plain http to a registry on this machine, such as 127.0.0.1:5000
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// Whose word for keyless signatures is believed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Believed {
    /// Believe the Sigstore trust root in FILE instead of the one that is built in [default: trust.root of the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_root: Option<PathBuf>,
}

/// What may be overlooked when a component is installed or replaced.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Overlook {
    /// Take it though its signature is not what trust.yaml asks for; the lock and the audit trail say so
    #[arg(long)]
    pub(crate) insecure_skip_verify: bool,
    /// Take it though somebody else signed it than what it replaces, or nobody
    #[arg(long)]
    pub(crate) allow_signer_change: bool,
    /// Take it though it is older than what it replaces
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
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
