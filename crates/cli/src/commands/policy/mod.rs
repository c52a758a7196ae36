//! `policy show | check | explain | lock`: what is in force, whether it loads, why it decides as it does, and that it is meant so.

mod check;
mod explain;
mod lock;
mod show;

use crate::arguments::Bindings;
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::location::installed;
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{group_writable, read_policy_path};
use casemate_policy::{ComponentName, Grant, Origin, Policy, RuleRef, Warning};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
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
    /// Note in the lock that policies are as they should be, for `serve --frozen`
    Lock(lock::Arguments),
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
        PolicyCommand::Lock(arguments) => lock::run(arguments, settings, printer),
    }
}

/// A grant in force and where its rules are written.
struct Granted {
    opened: Opened,
    grant: Arc<Grant>,
    policy: PathBuf,
}

impl Granted {
    /// The file that a rule stands in; `None` for a default.
    fn file(&self, rule: &RuleRef) -> Option<&Path> {
        match rule.origin {
            Origin::Policy => Some(&self.policy),
            Origin::Ceiling => self.opened.ceiling.as_deref(),
            Origin::Default => None,
        }
    }

    /// Where a rule stands, for a person to find.
    fn place(&self, rule: &RuleRef) -> String {
        match self.file(rule) {
            Some(file) => format!("{}, line {}: {}", file.display(), rule.line, rule.section),
            None => format!("default of {}", rule.section),
        }
    }
}

/// Opens the home and finds the grant in force. A policy that does not load is the error that says where.
fn grant_of(
    settings: &Settings,
    bindings: &Bindings,
    name: &ComponentName,
) -> Result<Granted, CommandError> {
    installed(settings, name)?;
    let policy = settings.home.policy_file(name);
    let written = match read_policy_path(&policy)? {
        Some(_) => engine::policy_of(&policy)?,
        None => Policy::empty(),
    };
    let opened = engine::open(settings, bindings, "policy", false)?;
    let catalog = opened.runtime.catalog();
    let Some(grant) = catalog.grant(name) else {
        opened.knows_tools(name, &written, &policy)?;
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
    Ok(Granted {
        grant: Arc::clone(grant),
        opened,
        policy,
    })
}

fn rule_json(granted: &Granted, rule: &RuleRef) -> Value {
    let written = rule.line > 0;
    json!({
        "origin": rule.origin.to_string(),
        "file": granted.file(rule),
        "tool": rule.tool,
        "section": rule.section,
        "line": written.then_some(rule.line),
        "column": written.then_some(rule.column),
        "text": rule.text,
    })
}

/// Adds rules with their places: those of the whole component, then those of each tool under its name.
fn listed(page: &mut Page, rules: &[RuleRef], place: impl Fn(&RuleRef) -> String) {
    let row = |rule: &&RuleRef| vec![rule.text.clone(), place(rule)];
    page.table(
        rules
            .iter()
            .filter(|rule| rule.tool.is_none())
            .map(|rule| row(&rule)),
    );
    for (tool, rules) in of_tools(rules) {
        page.text("  only for the tool ").word(tool).end();
        page.table(rules.iter().map(|rule| {
            let mut row = row(rule);
            if let Some(text) = row.first_mut() {
                text.insert_str(0, "  ");
            }
            row
        }));
    }
}

/// The rules of single tools, by the names under `tools` in the policy.
fn of_tools(rules: &[RuleRef]) -> BTreeMap<&str, Vec<&RuleRef>> {
    let mut tools: BTreeMap<&str, Vec<&RuleRef>> = BTreeMap::new();
    for rule in rules {
        if let Some(tool) = &rule.tool {
            tools.entry(tool).or_default().push(rule);
        }
    }
    tools
}

/// Warnings of a policy, for a person.
fn warnings(warnings: &[Warning]) -> Page {
    let mut page = Page::default();
    for warning in warnings {
        page.warning(&warning.to_string());
    }
    page
}

/// A warning where more than one user may write a policy.
fn shared_with_a_group(policy: &Path) -> Page {
    let mut page = Page::default();
    if let Some(mode) = group_writable(policy) {
        page.warning(&format!(
            "{} can be written by everybody in its group (mode {mode:04o})",
            policy.display()
        ));
    }
    page
}
