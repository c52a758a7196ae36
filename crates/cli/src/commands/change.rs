//! `grant`, `revoke`, `block`: one permission of one component.

use crate::arguments::Format;
use crate::error::{CommandError, ExitStatus};
use crate::permission::{self, Kind};
use crate::policy_change::{Change, apply};
use crate::print::Printer;
use crate::settings::Settings;
use crate::trail;
use casemate_policy::{ComponentName, PolicyEdit};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    /// What kind of permission
    kind: Kind,
    /// A path or storage URI; HOST[:PORT], http://HOST[:PORT] or tcp://HOST:PORT; or the key of a variable
    target: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct GrantArguments {
    #[command(flatten)]
    permission: Arguments,
    /// Grant / or the home directory or Casemate's own if asked to
    #[arg(long)]
    allow_dangerous_root: bool,
    /// Ask nothing; grants nothing either
    #[arg(long)]
    yes: bool,
}

pub(crate) fn grant(
    arguments: &GrantArguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let GrantArguments {
        permission: asked,
        allow_dangerous_root,
        yes,
    } = arguments;
    let permission = permission::parse(settings, asked.kind, &asked.target, *allow_dangerous_root)?;
    let change = Change {
        component: &asked.name,
        edits: vec![PolicyEdit::Grant(permission)],
        done: "granted",
        idle: "granted before",
        yes: *yes,
        always_ask: true,
        json: asked.format.json,
    };
    if *allow_dangerous_root {
        // Before it is written, so that no such grant is without a record.
        let facts = json!({ "component": asked.name.as_str(), "target": asked.target });
        trail::record(settings, "dangerous-grant-asked", facts)?;
    }
    apply(settings, printer, &change)?;
    Ok(ExitStatus::Ok)
}

pub(crate) fn revoke(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    narrow(
        arguments,
        settings,
        printer,
        PolicyEdit::Revoke,
        ["revoked", "was not granted"],
    )
}

pub(crate) fn block(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    narrow(
        arguments,
        settings,
        printer,
        PolicyEdit::Block,
        ["blocked", "blocked before"],
    )
}

/// What only takes away needs no question, and nothing is too dangerous to be taken away.
fn narrow(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
    edit: impl FnOnce(casemate_policy::Permission) -> PolicyEdit,
    [done, idle]: [&'static str; 2],
) -> Result<ExitStatus, CommandError> {
    let permission = permission::parse(settings, arguments.kind, &arguments.target, true)?;
    let change = Change {
        component: &arguments.name,
        edits: vec![edit(permission)],
        done,
        idle,
        yes: false,
        always_ask: false,
        json: arguments.format.json,
    };
    apply(settings, printer, &change)?;
    Ok(ExitStatus::Ok)
}
