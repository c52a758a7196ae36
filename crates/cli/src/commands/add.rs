//! `add`: install a component under a name, with nothing granted but what a person picks on the screen or names on the command line.

use crate::arguments::{Believed, Format, Overlook, Remote};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::{done, size};
use crate::location::author_wit;
use crate::print::{Page, Printer};
use crate::progress::{Arriving, during, is_shown};
use crate::review::{Review, Want};
use crate::settings::Settings;
use crate::signed::Signed;
use crate::trail;
use casemate_artifact::{Reference, read_policy_path};
use casemate_policy::{ComponentName, Policy, Signer};
use casemate_runtime::compile::Compiled;
use casemate_runtime::{InstallError, InstallPlan, InstallRequest, Runtime};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Bytes of a component from which on a person is told what compiling it costs.
const LARGE: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Path of a component, or a URL: oci://REGISTRY/REPOSITORY[:TAG][@DIGEST], https://…#DIGEST, file://…
    reference: String,
    /// Its name here, and the beginning of its tools' names [default: after the file or repository]
    #[arg(long)]
    name: Option<ComponentName>,
    /// Give it this policy, once confirmed
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Grant all that it asks for, once confirmed
    #[arg(long, conflicts_with = "policy")]
    grant_requested: bool,
    /// WIT text of the author, a file or a directory, for descriptions
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// Ask nothing; grants nothing either
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    overlook: Overlook,
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
    let reference = Reference::parse(&arguments.reference, &settings.base)?;
    let want = match &arguments.policy {
        Some(file) => {
            let (text, policy) = read_policy(&settings.base.join(file))?;
            Want::File(text, Box::new(policy))
        }
        None if arguments.grant_requested => Want::Requested,
        None => Want::Picked,
    };
    let by_flag = !matches!(want, Want::Picked);
    let docs = match &arguments.wit {
        Some(path) => Some(author_wit(settings, path)?),
        None => None,
    };
    let opened = engine::open_to_install(settings, &arguments.remote, &arguments.believed, "add")?;
    let request = InstallRequest {
        name: arguments.name.clone(),
        author_wit: docs,
        skip_verification: arguments.overlook.insecure_skip_verify,
        allow_signer_change: arguments.overlook.allow_signer_change,
        allow_downgrade: arguments.overlook.allow_downgrade,
        ..InstallRequest::new(reference)
    };
    let plan = opened.runtime.plan_install(request, &Arriving::new())?;
    let ceiling = opened.ceiling_policy()?;
    let review = Review::of(settings, &plan, ceiling.as_ref(), false);
    let what = review.page(settings, &want);
    let text = review.decide(settings, printer, want, arguments.yes, &what)?;
    review.is_current(settings)?;

    let name = plan.name().clone();
    let mut added = json!({
        "added": name.as_str(),
        "digest": plan.inspected().digest().to_string(),
        "tools": plan.tool_names(),
        "bytes": plan.inspected().bytes_len(),
        "source": plan.source(),
        "manifest": plan.manifest().map(ToString::to_string),
        "version": plan.version(),
        "signature": Signed::of(&plan).json(),
        "requested": review.json(),
        "granted": text.is_some(),
    });
    let (digest, tools) = (*plan.inspected().digest(), plan.tool_names().len());
    let bytes = plan.inspected().bytes_len();
    let events = events(&plan, "add", text.is_some() && by_flag);
    let compiled = install(&opened.runtime, plan, text.as_deref(), printer)?;
    for (event, facts) in events {
        trail::record(settings, event, facts)?;
    }

    if arguments.format.json {
        let compiled = compiled.map(|Compiled { time, native_bytes }| {
            json!({ "milliseconds": time.as_millis(), "native_bytes": native_bytes })
        });
        if let Value::Object(facts) = &mut added {
            facts.insert("compiled".to_owned(), json!(compiled));
        }
        printer.json(&added)?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = done(&format!(
        "added {name} ({}) with {tools} tools",
        digest.short()
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

/// What of a plan an auditor should see once it is done.
pub(crate) fn events(
    plan: &InstallPlan,
    command: &str,
    granted_by_flag: bool,
) -> Vec<(&'static str, Value)> {
    let mut facts = json!({
        "command": command,
        "component": plan.name().as_str(),
        "digest": plan.inspected().digest().to_string(),
        "source": plan.source(),
        "signer": plan.signer().map(Signer::to_string),
    });
    if let (Value::Object(facts), Some(previous)) = (&mut facts, plan.previous()) {
        facts.insert("before".to_owned(), json!(previous.digest.to_string()));
    }
    let mut events = Vec::new();
    if plan.verification_skipped() {
        events.push(("verification-skipped", facts.clone()));
    }
    if let Some(change) = plan.signer_change() {
        let mut facts = facts.clone();
        if let Value::Object(facts) = &mut facts {
            facts.insert("signer_before".to_owned(), json!(change.before.to_string()));
        }
        events.push(("signer-changed", facts));
    }
    if plan.rollback().is_none() && plan.downgrade().is_some() {
        events.push(("downgraded", facts.clone()));
    }
    if granted_by_flag {
        events.push(("granted-by-flag", facts.clone()));
    }
    match command {
        "update" => events.push(("updated", facts)),
        "rollback" => events.push(("rolled-back", facts)),
        _ => {}
    }
    events
}

/// Installs with a word about what takes so long, where it does.
pub(crate) fn install(
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
