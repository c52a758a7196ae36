//! `inspect`: what a component is, from its bytes. Nothing is compiled, run or written.

use crate::arguments::{Bindings, Format, Remote};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::findings::{self, Permissions};
use crate::inspection::Inspection;
use crate::location::{Found, author_wit, find, kept_evidence};
use crate::print::{Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{Package, Reference, Verification, Verifier, read_policy_path};
use casemate_policy::{Digest, Policy};
use casemate_runtime::inspect::reached::Reached;
use casemate_runtime::inspect::{IntakeLimits, inspect};
use casemate_runtime::requested::{self, Requested};
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
    let limits = IntakeLimits::default();
    let inspected = inspect(found.artifact.bytes(), docs.as_deref(), &limits)?;
    let reached = Reached::of(found.artifact.bytes(), &inspected, &limits);
    let inspection = Inspection {
        component: &inspected,
        name: found.name.as_ref(),
        source: found.artifact.identity().source(),
    };
    let kept = found.entry.as_ref().and_then(|entry| entry.request);
    let kept = kept.map(|digest| settings.home.store().get_policy(&digest));
    let kept = kept.transpose()?;
    let layer = found.package.as_ref().and_then(Package::policy);
    let requests = requested::of(&inspected, layer.or(kept.as_deref()));
    let permissions = permissions(settings, &found, &requests)?;
    let provenance = provenance(settings, &found)?;
    let texts = findings::all_texts(&inspected, found.package.as_ref());
    if arguments.format.json {
        let mut value = inspection.json();
        if let Some(object) = value.as_object_mut() {
            object.insert("installed".to_owned(), found.is_installed().into());
            object.insert("reach".to_owned(), findings::reach_json(&reached));
            object.insert(
                "text_findings".to_owned(),
                findings::texts_json(&texts).into(),
            );
            object.insert("permissions".to_owned(), permissions.json());
            let signed = provenance.as_ref().map(|(manifest, verification)| {
                findings::signed_json(manifest.as_ref(), verification)
            });
            object.insert("signatures".to_owned(), signed.into());
        }
        printer.json(&value)?;
        return Ok(ExitStatus::Ok);
    }
    let mut came = Page::default();
    if let Some((manifest, verification)) = &provenance {
        findings::signed(&mut came, manifest.as_ref(), verification);
    }
    let mut page = inspection.with(Some(&reached), &came);
    findings::code(&mut page, &inspected);
    findings::texts(&mut page, &texts);
    permissions.page(&mut page);
    page.end();
    match &found.name {
        Some(name) if found.is_installed() => {
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

/// What it asks for, beside what it and its predecessor were granted where it is installed.
fn permissions<'r>(
    settings: &Settings,
    found: &Found,
    requests: &'r [Requested],
) -> Result<Permissions<'r>, CommandError> {
    let mut permissions = Permissions {
        requests,
        granted: None,
        ceiling: None,
        before: None,
    };
    let (Some(name), Some(entry)) = (&found.name, &found.entry) else {
        return Ok(permissions);
    };
    let path = settings.home.policy_file(name);
    permissions.granted = Some(match read_policy_path(&path)? {
        Some(_) => engine::policy_of(&path)?,
        None => Policy::empty(),
    });
    permissions.ceiling = engine::ceiling_in_force(settings, &Bindings::default())?;
    if let Some(before) = entry.previous.first() {
        let policy = match &before.policy_text {
            Some(digest) => {
                let text = settings.home.store().get_policy(digest)?;
                // What Casemate kept was a policy then; a language that has become stricter since says nothing of it now.
                Policy::parse(&text).unwrap_or_else(|_| Policy::empty())
            }
            None => Policy::empty(),
        };
        permissions.before = Some((before.entry.digest, policy));
    }
    Ok(permissions)
}

/// The manifest and what the signatures say under the present rules, for what came from a registry.
fn provenance(
    settings: &Settings,
    found: &Found,
) -> Result<Option<(Option<Digest>, Verification)>, CommandError> {
    let source = found.artifact.identity().source();
    let Ok(Reference::Oci(reference)) = Reference::parse(source, &settings.base) else {
        return Ok(None);
    };
    let (manifest, evidence) = match (&found.package, &found.entry) {
        (Some(package), _) => (Some(*package.manifest()), package.evidence().clone()),
        (None, Some(entry)) => (entry.manifest, kept_evidence(settings, entry)?),
        (None, None) => return Ok(None),
    };
    let verifier = Verifier::load(&settings.home, settings.config.trust_root.as_deref())?;
    let of = manifest
        .as_ref()
        .unwrap_or(found.artifact.identity().digest());
    let verification = verifier.verify(&reference.repository_name(), of, &evidence);
    Ok(Some((manifest, verification)))
}
