//! The commands, one file each.

pub(crate) mod add;
pub(crate) mod call;
pub(crate) mod change;
pub(crate) mod client_config;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod inspect;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod policy;
pub(crate) mod push;
pub(crate) mod remove;
pub(crate) mod report;
pub(crate) mod rollback;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod sync;
pub(crate) mod update;
pub(crate) mod verify;

use crate::arguments::{Cli, Command};
use crate::error::{CommandError, ExitStatus};
use crate::print::Printer;
use crate::settings::Settings;

/// Runs what was typed.
pub(crate) fn run(cli: Cli, printer: &Printer) -> Result<ExitStatus, CommandError> {
    let global = &cli.global;
    match cli.command {
        // These need no home, so a broken one does not stop them.
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments, global, printer),
        command => with_settings(command, &Settings::load(global)?, printer),
    }
}

fn with_settings(
    command: Command,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    match command {
        Command::Add(arguments) => add::run(&arguments, settings, printer),
        Command::Update(arguments) => update::run(&arguments, settings, printer),
        Command::Rollback(arguments) => rollback::run(&arguments, settings, printer),
        Command::Sync(arguments) => sync::run(&arguments, settings, printer),
        Command::Remove(arguments) => remove::run(&arguments, settings, printer),
        Command::List(arguments) => list::run(&arguments, settings, printer),
        Command::Inspect(arguments) => inspect::run(&arguments, settings, printer),
        Command::Report(arguments) => report::run(&arguments, settings, printer),
        Command::Grant(arguments) => change::grant(&arguments, settings, printer),
        Command::Revoke(arguments) => change::revoke(&arguments, settings, printer),
        Command::Block(arguments) => change::block(&arguments, settings, printer),
        Command::Limit(arguments) => limit::run(&arguments, settings, printer),
        Command::Policy(arguments) => policy::run(&arguments, settings, printer),
        Command::Call(arguments) => call::run(&arguments, settings, printer),
        Command::Serve(arguments) => serve::run(&arguments, settings),
        Command::Sign(arguments) => sign::run(&arguments, settings, printer),
        Command::Verify(arguments) => verify::run(&arguments, settings, printer),
        Command::Log(arguments) => log::run(&arguments, settings, printer),
        Command::ClientConfig(arguments) => client_config::run(&arguments, settings, printer),
        Command::Push(arguments) => push::run(&arguments, settings, printer),
        Command::Login(arguments) => login::run(&arguments, settings, printer),
        Command::Logout(arguments) => logout::run(&arguments, settings, printer),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Doctor(arguments) => doctor::with(&arguments, settings, printer),
    }
}
