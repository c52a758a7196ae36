//! `policy show | check | explain`: what is in force, whether it loads, and why it decides as it does.

mod check;
mod explain;
mod show;

use crate::arguments::Bindings;
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::location::installed;
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::read_policy_path;
use casemate_policy::{ComponentName, Grant, RuleRef, Warning};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show what a component may do: rules, folders, limits, warnings
    Show(show::Arguments),
    /// Check that a policy loads and can be enforced
    Check(check::Arguments),
    /// Say whether something is allowed, by which rule, and what would change it
    Explain(explain::Arguments),
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    match &arguments.command {
        PolicyCommand::Show(arguments) => show::run(arguments, settings, printer),
        PolicyCommand::Check(arguments) => check::run(arguments, settings, printer),
        PolicyCommand::Explain(arguments) => explain::run(arguments, settings, printer),
    }
}

/// Opens the home and finds the grant in force. A policy that does not load is the error that says where.
fn grant_of(
    settings: &Settings,
    bindings: &Bindings,
    name: &ComponentName,
) -> Result<(Opened, Arc<Grant>), CommandError> {
    installed(settings, name)?;
    let path = settings.home.policy_file(name);
    if read_policy_path(&path)?.is_some() {
        engine::policy_of(&path)?;
    }
    let opened = engine::open(settings, bindings, "policy", false)?;
    let catalog = opened.runtime.catalog();
    let Some(grant) = catalog.grant(name) else {
        let why = catalog
            .problems()
            .iter()
            .find(|problem| &problem.component == name);
        let message = why.map_or_else(
            || "it cannot be loaded".to_owned(),
            |problem| problem.message.clone(),
        );
        return Err(
            CommandError::failed(format!("{name} is not served: {message}"))
                .hint(settings.command(&["doctor"])),
        );
    };
    let grant = Arc::clone(grant);
    Ok((opened, grant))
}

fn rule_json(rule: &RuleRef) -> Value {
    json!({
        "origin": rule.origin.to_string(),
        "section": rule.section,
        "line": (rule.line > 0).then_some(rule.line),
        "text": rule.text,
    })
}

/// Warnings of a policy, for a person.
fn warnings(warnings: &[Warning]) -> Page {
    let mut page = Page::default();
    for warning in warnings {
        page.warning(&warning.to_string());
    }
    page
}
