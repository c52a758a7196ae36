//! `limit`: what one call may use.

use crate::arguments::Format;
use crate::error::{CommandError, ExitStatus};
use crate::policy_change::{Change, apply};
use crate::print::Printer;
use crate::settings::Settings;
use casemate_policy::{ComponentName, PolicyEdit};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use std::ffi::OsStr;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    /// Limits of a call: memory=512Mi cpu-time=10s cpu=500m time=60s output=1Mi; files: written=256Mi files=1000
    /// open-files=128; network: requests=8 sockets=16 sent=8Mi received=16Mi; of all calls together: concurrency=16 rate=600/m
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = Written, hide_possible_values = true)]
    limits: Vec<String>,
    /// Ask nothing; raises nothing either
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    format: Format,
}

/// The keys that shells complete. Which of them a policy knows, the policy says.
const KEYS: [&str; 14] = [
    "memory=",
    "cpu-time=",
    "cpu=",
    "time=",
    "output=",
    "concurrency=",
    "rate=",
    "written=",
    "files=",
    "open-files=",
    "requests=",
    "sockets=",
    "sent=",
    "received=",
];

/// Takes any text, and knows how one begins.
#[derive(Clone, Copy, Debug)]
struct Written;

impl TypedValueParser for Written {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(KEYS.iter().map(PossibleValue::new)))
    }
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
