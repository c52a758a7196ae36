//! `rollback`: go back to what a component was before its last update, with the policy that it had then.

use crate::arguments::{Believed, Format, Remote};
use crate::ask::{Person, confirm_widening};
use crate::changes;
use crate::commands::add::{events, install};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::print::{BAD, CAUTION, GOOD, Page, Printer};
use crate::review::{Review, stopped};
use crate::settings::Settings;
use crate::signed::Signed;
use crate::trail;
use casemate_policy::{ComponentName, Policy, widens};
use casemate_runtime::{InstallPlan, PolicyReturn};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    /// Ask nothing; returns no permission either
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    believed: Believed,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let opened =
        engine::open_to_install(settings, &arguments.remote, &arguments.believed, "rollback")?;
    let plan = opened.runtime.plan_rollback(name)?;
    let policy = plan.rollback().map(|rollback| rollback.policy.clone());
    let mut what = Review::of(settings, &plan, None, true).update_page(settings);
    if let Some(policy) = &policy {
        what.page(&policy_page(policy)).end();
    }
    confirm(arguments, settings, printer, &plan, policy.as_ref(), &what)?;

    let events = events(&plan, "rollback", false);
    let digest = *plan.inspected().digest();
    let facts = json!({
        "rolled_back": name.as_str(),
        "from": plan.previous().map(|previous| previous.digest.to_string()),
        "to": digest.to_string(),
        "version": plan.version(),
        "difference": plan.difference().map(changes::json),
        "signature": Signed::of(&plan).json(),
        "policy": policy.as_ref().map(|policy| match policy {
            PolicyReturn::Restored { now, then } if now == then => "unchanged",
            PolicyReturn::Restored { .. } => "restored",
            PolicyReturn::Kept { .. } => "kept",
        }),
    });
    install(&opened.runtime, plan, None, printer)?;
    for (event, facts) in events {
        trail::record(settings, event, facts)?;
    }
    if arguments.format.json {
        printer.json(&facts)?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = done(&format!("{name} is again {}", digest.short()));
    page.text("  to undo this: ")
        .line(&settings.command(&["rollback", name.as_str()]));
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

/// Rules of a text that may not load.
fn rules(text: Option<&str>) -> Vec<String> {
    let policy = Policy::parse(text.unwrap_or_default()).unwrap_or_default();
    let rules = policy.rules().into_iter();
    rules
        .map(|rule| match rule.tool {
            Some(tool) => format!("{} (only the tool {tool})", rule.text),
            None => rule.text,
        })
        .collect()
}

/// What becomes of the policy.
fn policy_page(policy: &PolicyReturn) -> Page {
    let mut page = Page::default();
    match policy {
        PolicyReturn::Kept { now, then } => {
            if now != then {
                page.text("  ")
                    .styled(CAUTION, "its policy stays as it is:")
                    .line(" it was edited by hand since");
            }
        }
        PolicyReturn::Restored { now, then } if now == then => {}
        PolicyReturn::Restored { now, then } => {
            page.heading("Its policy becomes what it was");
            let (now, then) = (rules(now.as_deref()), rules(then.as_deref()));
            for rule in then.iter().filter(|rule| !now.contains(rule)) {
                page.text("  ").styled(BAD, "+ ").word(rule).end();
            }
            for rule in now.iter().filter(|rule| !then.contains(rule)) {
                page.text("  ").styled(GOOD, "- ").word(rule).end();
            }
        }
    }
    page
}

/// Whether going back lets the name do more, as far as is known: a policy that does not load could have said anything.
fn policy_widens(policy: &PolicyReturn) -> bool {
    let PolicyReturn::Restored { now, then } = policy else {
        return false;
    };
    let parse = |text: &Option<String>| Policy::parse(text.as_deref().unwrap_or_default());
    now != then
        && match (parse(now), parse(then)) {
            (Ok(now), Ok(then)) => widens(&now, &then),
            _ => true,
        }
}

fn confirm(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
    plan: &InstallPlan,
    policy: Option<&PolicyReturn>,
    what: &Page,
) -> Result<(), CommandError> {
    let name = plan.name();
    if policy.is_some_and(policy_widens) {
        let question = format!("Go back to it and let {name} do this?");
        return confirm_widening(settings, printer, arguments.yes, what, &question);
    }
    printer.note(what);
    let person = Person::present().filter(|_| !arguments.yes);
    match person {
        Some(person) if !person.agrees(&format!("Go back to this {name}?")) => Err(stopped()),
        // A person agreed to it when it was installed, and it gets nothing that it has not.
        Some(_) | None => Ok(()),
    }
}
