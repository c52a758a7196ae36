//! `push`: a component to a registry, with the policy that it asks for, its WIT text and annotations.

use crate::arguments::{Format, Remote};
use crate::engine;
use crate::environment;
use crate::error::{CommandError, ExitStatus};
use crate::inspection::{done, size};
use crate::location::author_wit;
use crate::print::{Page, Printer};
use crate::progress::during;
use crate::settings::Settings;
use crate::signing;
use casemate_artifact::{
    Attached, FetchRequest, OciReference, PushContent, Pushed, Reference, SigningKey, Sources,
    attach, fetch, push, read_policy_path, sign,
};
use casemate_policy::Policy;
use casemate_runtime::inspect::{InspectedComponent, IntakeLimits, inspect};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest description that is taken from the WIT text, in characters.
const MAX_DESCRIPTION: usize = 300;

const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const SOURCE: &str = "org.opencontainers.image.source";
const LICENSES: &str = "org.opencontainers.image.licenses";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to: oci://REGISTRY/REPOSITORY[:TAG] [default tag: latest]
    reference: String,
    /// The component's file
    file: PathBuf,
    /// Send along this policy: what the component asks for; whoever adds it decides
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Send along this WIT text, a file or a directory: descriptions of the tools
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// The version, such as 1.2.0
    #[arg(long)]
    version: Option<String>,
    /// What it is, in a sentence [default: the first of its WIT text]
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where its source code is
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Its licences, as an SPDX expression
    #[arg(long, value_name = "SPDX")]
    licenses: Option<String>,
    /// An annotation of the manifest; may be repeated
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    annotations: Vec<String>,
    /// Sign it with this private key, as casemate sign does
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    format: Format,
}

/// A signature that was attached.
struct Signature {
    signer: String,
    attached: Attached,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let Reference::Oci(reference) = Reference::parse(&arguments.reference, &settings.base)? else {
        return Err(
            CommandError::usage(format!("{} is in no registry", arguments.reference))
                .hint("a registry is named like this: oci://ghcr.io/acme/tool:1.0.0"),
        );
    };
    // Asked for before anything is sent.
    let key = match &arguments.sign {
        Some(file) => Some(signing::key(settings, file)?),
        None => None,
    };
    let content = content(arguments, settings, &reference, printer)?;
    let sources = engine::sources(settings, &arguments.remote)?;
    let pushed = during("pushing", || push(&sources, &reference, &content))?;
    let signature = match &key {
        Some(key) => Some(signed(&sources, &reference, &pushed, key)?),
        None => None,
    };
    tell(arguments, printer, &reference, &pushed, signature.as_ref())?;
    Ok(ExitStatus::Ok)
}

/// Signs what was pushed, by its digest, and attaches the signature in both forms.
fn signed(
    sources: &Sources,
    reference: &OciReference,
    pushed: &Pushed,
    key: &SigningKey,
) -> Result<Signature, CommandError> {
    let signed = sign(
        key,
        &reference.repository_name(),
        &pushed.manifest,
        &BTreeMap::new(),
    )?;
    let items = signed.evidence();
    let attached = during("signing", || {
        attach(sources, reference, &pushed.manifest, items.items())
    })?;
    Ok(Signature {
        signer: format!("key {}", key.public().fingerprint()),
        attached,
    })
}

/// Reads everything that is pushed, and refuses what nobody could use.
fn content(
    arguments: &Arguments,
    settings: &Settings,
    reference: &OciReference,
    printer: &Printer,
) -> Result<PushContent, CommandError> {
    let file = Reference::File(settings.base.join(&arguments.file));
    let component = fetch(&Sources::files_only(), FetchRequest::new(&file))?.artifact;
    let wit = match &arguments.wit {
        Some(path) => Some(author_wit(settings, path)?),
        None => None,
    };
    let inspected = inspect(component.bytes(), wit.as_deref(), &IntakeLimits::default())?;
    if inspected.tools().is_empty() {
        return Err(
            CommandError::failed("it has no tools, so nobody could add it")
                .hint(settings.command(&["inspect", &arguments.file.to_string_lossy()])),
        );
    }
    warn(&inspected, printer);
    let imports = inspected.imports().iter();
    let mut content = PushContent::new(
        component,
        inspected.exports().to_vec(),
        imports.map(|import| import.interface.clone()).collect(),
    )
    .with_annotations(annotations(arguments, reference, &inspected)?);
    if let Some(path) = &arguments.policy {
        content = content.with_policy(policy(&settings.base.join(path))?);
    }
    if let Some(wit) = wit {
        content = content.with_wit(wit);
    }
    if let Some(epoch) = environment::source_date_epoch() {
        content = content.with_created(created(&epoch)?);
    }
    Ok(content)
}

/// Says what this release could not run; another may.
fn warn(inspected: &InspectedComponent, printer: &Printer) {
    let mut page = Page::default();
    let unknown: Vec<&str> = inspected
        .unknown_imports()
        .map(|import| import.interface.as_str())
        .collect();
    if !unknown.is_empty() {
        page.warning(&format!(
            "this release of Casemate cannot run it: it imports {}",
            unknown.join(", ")
        ));
    }
    let missing = inspected.missing_features();
    if !missing.is_empty() {
        page.warning(&format!(
            "this release of Casemate cannot run it: it needs {}",
            missing.join(", ")
        ));
    }
    if !page.is_empty() {
        printer.note(&page);
    }
}

/// A request has to be a policy: whoever adds the component would be shown an error in its place.
fn policy(path: &std::path::Path) -> Result<String, CommandError> {
    let file = read_policy_path(path)?
        .ok_or_else(|| CommandError::usage(format!("there is no file {}", path.display())))?;
    match Policy::parse(&file.text) {
        Ok(_) => Ok(file.text),
        Err(error) => Err(CommandError::Policy {
            path: path.to_owned(),
            error,
        }),
    }
}

/// Those that flags name, those that are given, and for the rest what is known anyway.
fn annotations(
    arguments: &Arguments,
    reference: &OciReference,
    inspected: &InspectedComponent,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut annotations = BTreeMap::new();
    let flags = [
        (VERSION, &arguments.version),
        (DESCRIPTION, &arguments.description),
        (SOURCE, &arguments.source),
        (LICENSES, &arguments.licenses),
    ];
    for (key, value) in flags {
        if let Some(value) = value {
            annotations.insert(key.to_owned(), value.clone());
        }
    }
    for given in &arguments.annotations {
        let pair = given.split_once('=').filter(|(key, _)| {
            !key.is_empty() && key.chars().all(|character| character.is_ascii_graphic())
        });
        let Some((key, value)) = pair else {
            return Err(CommandError::usage(format!("{given:?} is no annotation"))
                .hint("write --annotation KEY=VALUE"));
        };
        if annotations
            .insert(key.to_owned(), value.to_owned())
            .is_some()
        {
            return Err(CommandError::usage(format!("{key} is given twice")));
        }
    }
    let title = reference.repository().rsplit('/').next();
    let known = [
        (TITLE, title.map(str::to_owned)),
        (DESCRIPTION, inspected.docs().map(first_words)),
    ];
    for (key, value) in known {
        if let Some(value) = value {
            annotations.entry(key.to_owned()).or_insert(value);
        }
    }
    Ok(annotations)
}

/// The first paragraph, on one line.
fn first_words(docs: &str) -> String {
    let paragraph = docs
        .trim()
        .lines()
        .take_while(|line| !line.trim().is_empty());
    let line = paragraph.map(str::trim).collect::<Vec<_>>().join(" ");
    line.chars().take(MAX_DESCRIPTION).collect()
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org) as RFC 3339.
fn created(epoch: &str) -> Result<String, CommandError> {
    let seconds = epoch.parse::<i64>().ok().filter(|seconds| *seconds >= 0);
    seconds
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|time| time.to_string())
        .ok_or_else(|| {
            CommandError::usage("SOURCE_DATE_EPOCH is not a number of seconds since 1970")
        })
}

/// The reference that always means these bytes.
fn pinned(reference: &OciReference, pushed: &Pushed) -> String {
    let tag = reference
        .tag()
        .map_or(String::new(), |tag| format!(":{tag}"));
    format!(
        "oci://{}{tag}@{}",
        reference.repository_name(),
        pushed.manifest
    )
}

fn tell(
    arguments: &Arguments,
    printer: &Printer,
    reference: &OciReference,
    pushed: &Pushed,
    signature: Option<&Signature>,
) -> Result<(), CommandError> {
    let pinned = pinned(reference, pushed);
    if arguments.format.json {
        let value: Value = json!({
            "pushed": reference.to_string(),
            "manifest": pushed.manifest.to_string(),
            "reference": pinned,
            "signature": signature.map(|Signature { signer, attached }| json!({
                "signer": signer,
                "referrers": attached.referrers.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "tags": attached.tags,
            })),
            "blobs": { "sent": pushed.sent, "present": pushed.present, "bytes": pushed.bytes },
        });
        return printer.json(&value);
    }
    let sent = match pushed.sent {
        0 => "all of it was there".to_owned(),
        _ => format!("{} sent", size(pushed.bytes)),
    };
    let mut page = done(&format!("pushed {reference} ({sent})"));
    page.text("  manifest  ").line(&pushed.manifest.to_string());
    page.text("  pinned    ").line(&pinned);
    if let Some(signature) = signature {
        page.text("  signed by ").line(&signature.signer);
    }
    printer.data(&page)
}
