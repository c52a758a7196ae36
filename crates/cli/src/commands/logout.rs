//! `logout`: forget what `login` kept.

use crate::arguments::Format;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{OwnCredentials, Registry};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The registry
    registry: Registry,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let registry = &arguments.registry;
    let forgot = OwnCredentials::new(&settings.home).forget(&registry.to_string())?;
    if arguments.format.json {
        printer.json(&json!({ "registry": registry.to_string(), "forgot": forgot }))?;
        return Ok(ExitStatus::Ok);
    }
    let page = if forgot {
        done(&format!("logged out of {registry}"))
    } else {
        let mut page = Page::default();
        page.line(&format!(
            "Casemate kept no login for {registry}; those of Docker and Podman are theirs to forget"
        ));
        page
    };
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}
