//! `sync`: install exactly what the lock says, such as on another machine with the same lock.

use crate::arguments::{Believed, Format, Remote};
use crate::engine;
use crate::error::{CommandError, ExitStatus, chain};
use crate::print::{BAD, GOOD, Page, Printer};
use crate::progress::Arriving;
use crate::settings::Settings;
use casemate_runtime::{LockedPart, SyncOutcome};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Change nothing; exit with 1 if anything is missing
    #[arg(long)]
    check: bool,
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
    let opened = engine::open_to_install(settings, &arguments.remote, &arguments.believed, "sync")?;
    let plan = opened.runtime.plan_sync()?;
    let words = |parts: &[LockedPart]| -> Vec<&'static str> {
        parts.iter().map(|part| part.as_str()).collect()
    };
    if arguments.check {
        let complete = plan.is_complete();
        let entries = plan.entries();
        if arguments.format.json {
            let entries = entries.iter().map(|entry| {
                json!({ "component": entry.name.as_str(), "source": entry.source, "missing": words(&entry.missing) })
            });
            printer.json(&entries.collect::<Vec<_>>())?;
        } else {
            let mut page = Page::default();
            for entry in entries.iter().filter(|entry| !entry.missing.is_empty()) {
                page.text(entry.name.as_str())
                    .text(&format!(
                        ": {} missing, from ",
                        words(&entry.missing).join(", ")
                    ))
                    .word(&entry.source)
                    .end();
            }
            if complete {
                page.line("everything that the lock names is here");
            }
            printer.data(&page)?;
        }
        return Ok(match complete {
            true => ExitStatus::Ok,
            false => ExitStatus::Failed,
        });
    }
    let sources: BTreeMap<_, _> = plan
        .entries()
        .iter()
        .map(|entry| (entry.name.clone(), entry.source.clone()))
        .collect();
    let outcomes = opened.runtime.sync(plan, &Arriving::new())?;
    let mut status = ExitStatus::Ok;
    let mut all: Vec<Value> = Vec::new();
    let (mut page, mut failures) = (Page::default(), Page::default());
    for (name, outcome) in &outcomes {
        let (word, error) = match outcome {
            SyncOutcome::UpToDate => ("current", None),
            SyncOutcome::Installed(_) => ("installed", None),
            SyncOutcome::Failed(error) => ("failed", Some(error)),
        };
        all.push(json!({
            "component": name.as_str(),
            "source": sources.get(name),
            "outcome": word,
            "error": error.map(|error| chain(error)),
        }));
        match error {
            None if word == "installed" => {
                page.styled(GOOD, "ok:")
                    .text(" ")
                    .text(name.as_str())
                    .line(" is as the lock says");
            }
            None => {
                page.text(name.as_str()).line(": nothing to do");
            }
            Some(error) => {
                failures
                    .styled(BAD, "error:")
                    .text(" ")
                    .text(name.as_str())
                    .text(": ")
                    .word(&chain(error))
                    .end();
                if let Some(hint) = error.hint(name) {
                    failures.hint(&settings.rehome(&hint));
                }
                // What is not as it was locked outweighs what could not be had.
                status = match (error.is_verification(), status) {
                    (true, _) | (_, ExitStatus::Denied) => ExitStatus::Denied,
                    _ => ExitStatus::Failed,
                };
            }
        }
    }
    if arguments.format.json {
        printer.json(&all)?;
    } else {
        if outcomes.is_empty() {
            page.line("the lock names nothing");
        }
        printer.data(&page)?;
    }
    printer.note(&failures);
    Ok(status)
}
