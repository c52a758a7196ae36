//! `remove`: take a component out.

use crate::arguments::{Bindings, Format};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::location::installed;
use crate::print::Printer;
use crate::settings::Settings;
use casemate_policy::ComponentName;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let entry = installed(settings, name)?;
    let policy = settings.home.policy_file(name);
    let had_policy = policy.symlink_metadata().is_ok();
    let settings_without_roots = Settings {
        config: Default::default(),
        ..settings.clone()
    };
    engine::open(
        &settings_without_roots,
        &Bindings::default(),
        "remove",
        false,
    )?
    .runtime
    .remove(name)?;
    let kept = had_policy.then(|| policy.with_extension("yaml.removed"));
    if arguments.format.json {
        printer.json(&json!({
            "removed": name.as_str(),
            "digest": entry.digest.to_string(),
            "policy_kept": kept,
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = done(&format!("removed {name} ({})", entry.digest.short()));
    if let Some(kept) = kept {
        page.text("its policy is kept as ")
            .word(&kept.display().to_string())
            .end();
    }
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}
