//! `limit`: what one call may use.

use crate::arguments::Format;
use crate::error::{CommandError, ExitStatus};
use crate::policy_change::{Change, apply};
use crate::print::Printer;
use crate::settings::Settings;
use casemate_policy::{ComponentName, PolicyEdit};
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    /// Limits: memory=512Mi cpu-time=10s time=60s output=1Mi concurrency=16
    #[arg(required = true, value_name = "KEY=VALUE")]
    limits: Vec<String>,
    /// Ask nothing; raises nothing either
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let mut edits = Vec::new();
    for limit in &arguments.limits {
        let Some((key, value)) = limit.split_once('=') else {
            return Err(CommandError::usage(format!("{limit:?} is no limit")).hint(
                settings.command(&["limit", arguments.name.as_str(), "memory=512Mi", "time=60s"]),
            ));
        };
        edits.push(PolicyEdit::Limit {
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    let change = Change {
        component: &arguments.name,
        edits,
        done: "limited",
        idle: "limited so before",
        yes: arguments.yes,
        always_ask: false,
        json: arguments.format.json,
    };
    apply(settings, printer, &change)?;
    Ok(ExitStatus::Ok)
}
