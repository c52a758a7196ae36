//! `policy check`: does it load, and can all of it be enforced?

use super::{listed, shared_with_a_group, warnings};
use crate::arguments::{Bindings, Format};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::print::Printer;
use crate::settings::{Config, Settings};
use casemate_artifact::{LockFile, read_policy_path};
use casemate_policy::{ComponentName, Policy, PolicyError};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An installed component, or the path of a policy
    #[arg(value_name = "NAME|FILE")]
    policy: String,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let text = &arguments.policy;
    let name: Option<ComponentName> = text.parse().ok();
    let known = match &name {
        Some(name) => {
            let lock = LockFile::load(&settings.home)?;
            lock.components.contains_key(name)
                || settings.home.policy_file(name).symlink_metadata().is_ok()
        }
        None => false,
    };
    let path: PathBuf = match &name {
        Some(name) if known => settings.home.policy_file(name),
        _ => settings.base.join(text),
    };
    let component = name.filter(|_| known).or_else(|| whose(settings, &path));
    let policy = match read_policy_path(&path)? {
        Some(file) => Policy::parse(&file.text).and_then(|policy| {
            match component
                .as_ref()
                .and_then(|name| foreign_tool(settings, name, &policy))
            {
                Some(error) => Err(error),
                None => Ok(policy),
            }
        }),
        None if known => Ok(Policy::empty()),
        None => {
            return Err(CommandError::usage(format!(
                "there is neither a component nor a file {text:?}"
            ))
            .hint(settings.command(&["list"])));
        }
    };
    if arguments.format.json {
        let (warnings, error) = match &policy {
            Ok(policy) => (
                policy.warnings().iter().map(ToString::to_string).collect(),
                Value::Null,
            ),
            Err(error) => (
                Vec::new(),
                json!({
                    "line": error.line, "column": error.column, "message": error.message, "hint": error.hint,
                }),
            ),
        };
        printer.json(&json!({ "policy": path, "valid": policy.is_ok(), "warnings": warnings, "error": error }))?;
        return Ok(if policy.is_ok() {
            ExitStatus::Ok
        } else {
            ExitStatus::Usage
        });
    }
    let policy = policy.map_err(|error| CommandError::Policy {
        path: path.clone(),
        error,
    })?;
    let mut page = done(&path.display().to_string());
    listed(&mut page, &policy.rules(), |rule| {
        format!("line {}", rule.line)
    });
    printer.data(&page)?;
    printer.note(&warnings(policy.warnings()));
    printer.note(&shared_with_a_group(&path));
    Ok(ExitStatus::Ok)
}

/// The installed component whose policy a file is, by whatever path it is named.
fn whose(settings: &Settings, path: &Path) -> Option<ComponentName> {
    let real = path.canonicalize().ok()?;
    let lock = LockFile::load(&settings.home).ok()?;
    lock.components.into_keys().find(|name| {
        let own = settings.home.policy_file(name).canonicalize();
        own.is_ok_and(|own| own == real)
    })
}

/// The first name under `tools` that is none of the component's. Where the home cannot be opened nothing is known of them.
fn foreign_tool(settings: &Settings, name: &ComponentName, policy: &Policy) -> Option<PolicyError> {
    // Roots are no part of this; one that is refused must not hide what is wrong here.
    let plain = Settings {
        config: Config::default(),
        ..settings.clone()
    };
    let opened = engine::open(&plain, &Bindings::default(), "policy", false).ok()?;
    opened.runtime.unknown_tool(name, policy)
}
