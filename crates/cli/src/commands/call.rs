//! `call`: one call from the terminal, on the path that an MCP request takes.

use crate::arguments::{Bindings, Format};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::outcome::Finished;
use crate::print::Printer;
use crate::progress::during;
use crate::settings::Settings;
use casemate_runtime::{Catalog, Tool};
use clap::Args;
use serde_json::Value;
use std::io::Read as _;
use tokio_util::sync::CancellationToken;

/// Largest JSON text that is read from standard input, in bytes: what an MCP client may send at once.
const MAX_INPUT: u64 = casemate_mcp::MAX_MESSAGE as u64;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The tool, as `list --tools` names it
    tool: String,
    /// Its arguments, a JSON object; `-` reads them from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    input: String,
    #[command(flatten)]
    bindings: Bindings,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let value = read_arguments(&arguments.input)?;
    let opened = engine::open_to_run(settings, &arguments.bindings, "call", true)?;
    let catalog = opened.runtime.catalog();
    let tool = tool(settings, &catalog, &arguments.tool)?;
    let parsed = tool.parse_args(value)?;
    let tokio = engine::on_this_thread()?;
    let cancel = CancellationToken::new();
    let report = during("running", || {
        tokio.block_on(async {
            let interrupted = cancel.clone();
            tokio::spawn(async move {
                // Without the signal the call ends by its limits.
                if tokio::signal::ctrl_c().await.is_ok() {
                    interrupted.cancel();
                }
            });
            tool.call("cli", parsed, cancel).await
        })
    });
    tokio.shutdown_background();
    let report = report?;
    let finished = Finished {
        settings,
        bindings: &arguments.bindings,
        component: &tool.spec().component,
        tool: &tool.spec().name,
        report: &report,
    };
    finished.show(printer, arguments.format.json)
}

fn read_arguments(text: &str) -> Result<Value, CommandError> {
    let input;
    let text = if text == "-" {
        let mut read = Vec::new();
        std::io::stdin()
            .lock()
            .take(MAX_INPUT + 1)
            .read_to_end(&mut read)
            .map_err(|error| {
                CommandError::failed(format!("cannot read standard input: {error}"))
            })?;
        if read.len() as u64 > MAX_INPUT {
            return Err(CommandError::usage(format!(
                "the arguments are larger than {} MiB",
                MAX_INPUT >> 20
            ))
            .hint("put the data into a file that the tool is granted to read"));
        }
        input = String::from_utf8(read)
            .map_err(|_| CommandError::usage("the arguments are not UTF-8 text"))?;
        input.as_str()
    } else {
        text
    };
    let value: Value = serde_json::from_str(text).map_err(|error| {
        CommandError::usage(format!("the arguments are not JSON: {error}"))
            .hint(r#"write an object in single quotes: '{"folder": "/workspace"}'"#)
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(CommandError::usage("the arguments are not a JSON object")
            .hint(r#"write them as '{"name": value}'"#))
    }
}

fn tool<'a>(
    settings: &Settings,
    catalog: &'a Catalog,
    name: &str,
) -> Result<&'a Tool, CommandError> {
    if let Some(tool) = catalog.tool(name) {
        return Ok(tool);
    }
    // Its component may be there and not be served.
    let problem = catalog.problems().iter().find(|problem| {
        let prefix = problem.component.as_str().replace('-', "_");
        name.strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.starts_with('_'))
    });
    if let Some(problem) = problem {
        let message = format!(
            "{} is not served: {} ({})",
            problem.component, problem.message, problem.reason
        );
        let error = match problem.reason.starts_with("verify.") {
            true => CommandError::denied(message),
            false => CommandError::usage(message),
        };
        return Err(match &problem.hint {
            Some(hint) => error.hint(settings.rehome(hint)),
            None => error,
        });
    }
    Err(CommandError::usage(format!("there is no tool {name:?}"))
        .hint(settings.command(&["list", "--tools"])))
}
