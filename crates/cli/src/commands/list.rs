//! `list`: what is installed.

use crate::arguments::{Bindings, Format};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::reach_in_words;
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{LockEntry, LockFile};
use casemate_policy::Signer;
use casemate_runtime::{Catalog, Problem};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Show the tools of each component too
    #[arg(long)]
    tools: bool,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let lock = LockFile::load(&settings.home)?;
    if lock.components.is_empty() {
        if arguments.format.json {
            printer.json(&json!([]))?;
        } else {
            let mut page = Page::default();
            page.line("nothing is installed")
                .hint(&settings.command(&["add", "TOOL.wasm"]));
            printer.note(&page);
        }
        return Ok(ExitStatus::Ok);
    }
    let opened = engine::open(settings, &Bindings::default(), "list", false)?;
    let catalog = opened.runtime.catalog();
    if arguments.format.json {
        let components: Vec<Value> = lock
            .components
            .iter()
            .map(|(name, entry)| {
                let reach = catalog.grant(name).map(|grant| grant.reach());
                json!({
                    "name": name.as_str(),
                    "digest": entry.digest.to_string(),
                    "source": entry.source,
                    "manifest": entry.manifest.map(|digest| digest.to_string()),
                    "version": entry.version,
                    "signer": entry.signer.as_ref().map(ToString::to_string),
                    "verification_skipped": entry.verification_skipped,
                    "added": entry.added,
                    "tools": tools_of(&catalog, name.as_str()),
                    "served": reach.is_some(),
                    "may": reach.map(|reach| json!({
                        "read_files": reach.storage_read,
                        "write_files": reach.storage_write,
                        "network": reach.network,
                        "sockets": reach.sockets,
                        "environment": reach.environment,
                        "secrets": reach.secrets,
                    })),
                    "problems": problems_of(&catalog, name.as_str()),
                })
            })
            .collect();
        printer.json(&components)?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    let mut rows = vec![
        [
            "NAME",
            "TOOLS",
            "MAY REACH",
            "DIGEST",
            "VERSION",
            "SIGNED BY",
            "FROM",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (name, entry) in &lock.components {
        let reach = match catalog.grant(name) {
            Some(grant) => reach_in_words(&grant.reach()),
            None => "not served".to_owned(),
        };
        rows.push(vec![
            name.to_string(),
            tools_of(&catalog, name.as_str()).len().to_string(),
            reach,
            entry.digest.short(),
            entry.version.clone().unwrap_or_else(|| "-".to_owned()),
            signed_by(entry),
            entry.source.clone(),
        ]);
    }
    page.table(rows);
    if arguments.tools {
        for tool in catalog.tools() {
            page.text("  ").word(&tool.spec().name).end();
        }
    }
    printer.data(&page)?;
    printer.note(&problems(settings, &catalog));
    Ok(ExitStatus::Ok)
}

/// Who signed what is installed, in the width of a table; `inspect` says it in full.
fn signed_by(entry: &LockEntry) -> String {
    let signer = match &entry.signer {
        None if entry.source.starts_with("file:") => "-".to_owned(),
        None => "unsigned".to_owned(),
        Some(Signer::Key { fingerprint }) => format!("key {}", fingerprint.short()),
        Some(Signer::Identity { san, .. }) => san.to_string(),
    };
    match entry.verification_skipped {
        true => format!("{signer} (NOT VERIFIED)"),
        false => signer,
    }
}

fn tools_of(catalog: &Catalog, component: &str) -> Vec<String> {
    catalog
        .tools()
        .filter(|tool| tool.spec().component.as_str() == component)
        .map(|tool| tool.spec().name.clone())
        .collect()
}

fn problems_of(catalog: &Catalog, component: &str) -> Vec<Value> {
    catalog
        .problems()
        .iter()
        .filter(|problem| problem.component.as_str() == component)
        .map(|problem| json!({ "reason": problem.reason, "message": problem.message, "hint": problem.hint }))
        .collect()
}

/// What is installed and not served, for a person.
pub(crate) fn problems(settings: &Settings, catalog: &Catalog) -> Page {
    let mut page = Page::default();
    for Problem {
        component,
        reason,
        message,
        hint,
        ..
    } in catalog.problems()
    {
        page.warning(&format!("{component} is not served: {message} ({reason})"));
        if let Some(hint) = hint {
            page.hint(&settings.rehome(hint));
        }
    }
    page
}
