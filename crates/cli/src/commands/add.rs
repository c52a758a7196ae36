//! `add`: install a component under a name, with nothing granted unless a policy is given and confirmed.

use crate::arguments::{Format, Remote};
use crate::ask::{Person, confirm_widening};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::{Inspection, done, size};
use crate::location::author_wit;
use crate::print::{BAD, CAUTION, Page, Printer};
use crate::progress::{during, is_shown};
use crate::settings::Settings;
use casemate_artifact::{Reference, Silent, read_policy_file, read_policy_path};
use casemate_policy::{ComponentName, Policy, widens};
use casemate_runtime::compile::Compiled;
use casemate_runtime::{InstallError, InstallPlan, InstallRequest, Runtime};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Bytes of a component from which on a person is told what compiling it costs.
const LARGE: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Path of a component, or a URL: oci://REGISTRY/REPOSITORY[:TAG][@DIGEST], https://…#DIGEST, file://…
    reference: String,
    /// Its name here, and the beginning of its tools' names [default: after the file]
    #[arg(long)]
    name: Option<ComponentName>,
    /// Give it this policy, once confirmed
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// WIT text of the author, a file or a directory, for descriptions
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// Ask nothing; grants nothing either
    #[arg(long)]
    yes: bool,
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
    let reference = Reference::parse(&arguments.reference, &settings.base)?;
    let policy = match &arguments.policy {
        Some(file) => Some(read_policy(&settings.base.join(file))?),
        None => None,
    };
    let docs = match &arguments.wit {
        Some(path) => Some(author_wit(settings, path)?),
        None => None,
    };
    let opened = engine::open_to_install(settings, &arguments.remote, "add")?;
    let plan = during("reading", || {
        let request = InstallRequest {
            name: arguments.name.clone(),
            author_wit: docs,
            ..InstallRequest::new(reference)
        };
        opened.runtime.plan_install(request, &Silent)
    })?;

    let mut what = Inspection {
        component: plan.inspected(),
        name: Some(plan.name()),
        source: plan.source(),
    }
    .page();
    what.end()
        .page(&granted(settings, &plan, policy.as_ref()))
        .end();
    confirm(
        arguments,
        settings,
        printer,
        &plan,
        policy.as_ref().map(|(_, policy)| policy),
        &what,
    )?;

    let name = plan.name().clone();
    let digest = *plan.inspected().digest();
    let tools = plan.tool_names().to_vec();
    let bytes = plan.inspected().bytes_len();
    let text = policy.as_ref().map(|(text, _)| text.as_str());
    let compiled = install(&opened.runtime, plan, text, printer)?;

    if arguments.format.json {
        let compiled = compiled.map(|Compiled { time, native_bytes }| {
            json!({ "milliseconds": time.as_millis(), "native_bytes": native_bytes })
        });
        printer.json(&json!({
            "added": name.as_str(),
            "digest": digest.to_string(),
            "tools": tools,
            "bytes": bytes,
            "compiled": compiled,
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = done(&format!(
        "added {name} ({}) with {} tools",
        digest.short(),
        tools.len()
    ));
    if bytes >= LARGE {
        page.line(&cost(compiled));
    }
    page.text("  what it may do: ")
        .line(&settings.command(&["policy", "show", name.as_str()]));
    page.text("  to let it do more: ").line(&settings.command(&[
        "grant",
        name.as_str(),
        "read",
        "DIR",
    ]));
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

/// Installs with a word about what takes so long, where it does.
fn install(
    runtime: &Runtime,
    plan: InstallPlan,
    policy: Option<&str>,
    printer: &Printer,
) -> Result<Option<Compiled>, CommandError> {
    let bytes = plan.inspected().bytes_len();
    let what = format!("compiling {} of WebAssembly, once", size(bytes));
    if bytes >= LARGE && !is_shown() && !runtime.is_compiled(&plan).map_err(InstallError::from)? {
        let mut page = Page::default();
        page.line(&what);
        printer.note(&page);
    }
    Ok(during(what, || runtime.install(plan, policy))?)
}

/// What compiling took, for a person.
fn cost(compiled: Option<Compiled>) -> String {
    match compiled {
        Some(Compiled { time, native_bytes }) => format!(
            "  compiled in {:.1} s; {} of native code, kept in the cache",
            time.as_secs_f64(),
            size(native_bytes)
        ),
        None => "  not compiled: its native code was in the cache".to_owned(),
    }
}

fn read_policy(path: &std::path::Path) -> Result<(String, Policy), CommandError> {
    let file = read_policy_path(path)?
        .ok_or_else(|| CommandError::usage(format!("there is no file {}", path.display())))?;
    let policy = Policy::parse(&file.text).map_err(|error| CommandError::Policy {
        path: path.to_owned(),
        error,
    })?;
    Ok((file.text, policy))
}

/// What it would be granted, for a person.
fn granted(settings: &Settings, plan: &InstallPlan, policy: Option<&(String, Policy)>) -> Page {
    let mut page = Page::default();
    page.heading("Granted");
    match policy {
        Some((_, policy)) => {
            for rule in policy.rules() {
                page.text("  ").word(&rule.text);
                if let Some(tool) = &rule.tool {
                    page.text(", only for the tool ").word(tool);
                }
                page.end();
            }
            if policy.rules().iter().all(|rule| rule.tool.is_some()) {
                page.line("  nothing");
            }
            for warning in policy.warnings() {
                page.warning(&warning.to_string());
            }
        }
        None if settings
            .home
            .policy_file(plan.name())
            .symlink_metadata()
            .is_ok() =>
        {
            page.text("  what ")
                .word(&settings.home.policy_file(plan.name()).display().to_string())
                .line(" says");
        }
        None => {
            page.line("  nothing: no files, no network, no variables");
        }
    }
    if let Some(previous) = plan.previous() {
        page.end().heading("Replaces");
        page.text(&format!("  {} from ", previous.digest.short()))
            .word(&previous.source)
            .end();
        if !previous.same_source {
            page.text("  ")
                .styled(CAUTION, "it comes from another place")
                .end();
        }
        if !previous.grown.is_empty() {
            let grown: Vec<&str> = previous
                .grown
                .iter()
                .map(|capability| capability.as_str())
                .collect();
            page.text("  ")
                .styled(BAD, "it can now ask for")
                .text(&format!(" {}", grown.join(", ")))
                .end();
        }
    }
    page
}

/// Asks the person: always when something is widened, otherwise on a terminal only.
fn confirm(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
    plan: &InstallPlan,
    new: Option<&Policy>,
    what: &Page,
) -> Result<(), CommandError> {
    let name = plan.name();
    // A policy of that name that cannot be read or does not load could grant anything.
    let present = match read_policy_file(&settings.home, name) {
        Ok(None) => Some(Policy::empty()),
        Ok(Some(file)) => Policy::parse(&file.text).ok(),
        Err(_) => None,
    };
    let grants = present
        .as_ref()
        .is_none_or(|policy| widens(&Policy::empty(), policy));
    let inherits = match plan.previous() {
        // Somebody wrote a policy for a name that nothing had.
        None => new.is_none(),
        Some(previous) => {
            previous.digest != *plan.inspected().digest()
                && (!previous.grown.is_empty() || !previous.same_source)
        }
    };
    let old = match (present, plan.previous()) {
        (Some(policy), Some(_)) => policy,
        _ => Policy::empty(),
    };
    let question = match plan.previous() {
        Some(_) => format!("Replace {name} and let it do this?"),
        None => format!("Add {name} and let it do this?"),
    };
    let widening = new.is_some_and(|new| widens(&old, new));
    if widening || (grants && inherits) {
        return confirm_widening(settings, printer, arguments.yes, what, &question);
    }
    printer.note(what);
    if arguments.yes {
        return Ok(());
    }
    match Person::present() {
        Some(person) if !person.agrees(&format!("Add {name}?")) => {
            Err(CommandError::denied("not confirmed; nothing was changed"))
        }
        Some(_) | None => Ok(()),
    }
}
