//! `inspect`: what a component is, from its bytes. Nothing is compiled, run or written.

use crate::arguments::{Format, Remote};
use crate::error::{CommandError, ExitStatus};
use crate::inspection::Inspection;
use crate::location::{author_wit, find};
use crate::print::Printer;
use crate::settings::Settings;
use casemate_runtime::inspect::{IntakeLimits, inspect};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An installed component, the path of a file, or a URL (oci://, https://, file://)
    component: String,
    /// WIT text of the author, a file or a directory, for descriptions
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let found = find(settings, &arguments.remote, &arguments.component)?;
    let docs = match &arguments.wit {
        Some(path) => Some(author_wit(settings, path)?),
        None => found.docs.clone(),
    };
    let inspected = inspect(
        found.artifact.bytes(),
        docs.as_deref(),
        &IntakeLimits::default(),
    )?;
    let inspection = Inspection {
        component: &inspected,
        name: found.name.as_ref(),
        source: found.artifact.identity().source(),
    };
    if arguments.format.json {
        let mut value = inspection.json();
        if let Some(object) = value.as_object_mut() {
            object.insert("installed".to_owned(), found.installed.into());
        }
        printer.json(&value)?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = inspection.page();
    page.end();
    match &found.name {
        Some(name) if found.installed => {
            page.text("installed; what it may do: ")
                .line(&settings.command(&["policy", "show", name.as_str()]));
        }
        _ if !inspection.runs_here() => {
            page.line("not installed; it cannot be: see above");
        }
        _ => {
            page.text("not installed; to install it, with nothing granted: ");
            page.line(&settings.command(&["add", &arguments.component]));
        }
    }
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}
