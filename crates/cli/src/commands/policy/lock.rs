//! `policy lock`: note in the lock that policies are meant to be as they are, edits by hand included.

use crate::arguments::{Bindings, Format};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::LockFile;
use casemate_policy::{ComponentName, Digest};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The components [default: all]
    names: Vec<ComponentName>,
    #[command(flatten)]
    format: Format,
}

pub(super) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let names = match arguments.names.as_slice() {
        [] => LockFile::load(&settings.home)?
            .components
            .into_keys()
            .collect(),
        names => names.to_vec(),
    };
    let settings_without_roots = Settings {
        config: Default::default(),
        ..settings.clone()
    };
    let opened = engine::open(
        &settings_without_roots,
        &Bindings::default(),
        "policy",
        false,
    )?;
    let mut page = Page::default();
    let mut all = Vec::new();
    for name in names {
        let locked = opened.runtime.lock_policy(&name)?;
        let word = |digest: Option<Digest>| {
            digest.map_or_else(|| "no policy".to_owned(), |digest| digest.short())
        };
        let (before, after) = (word(locked.before), word(locked.after));
        match before == after {
            true => page.line(&format!("{name}: as locked ({after})")),
            false => page.line(&format!("{name}: locked as {after}, before {before}")),
        };
        all.push(json!({
            "component": name.as_str(),
            "before": locked.before.map(|digest| digest.to_string()),
            "after": locked.after.map(|digest| digest.to_string()),
        }));
    }
    match arguments.format.json {
        true => printer.json(&all)?,
        false => printer.data(&page)?,
    }
    Ok(ExitStatus::Ok)
}
