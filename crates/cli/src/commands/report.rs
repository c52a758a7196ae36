//! `report`: the report card of a component, for a person, a pull request or a build.

use crate::arguments::{Bindings, Remote};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::grade;
use crate::location::{Found, author_wit, find, kept_evidence};
use crate::print::Printer;
use crate::report::{self, Locations};
use crate::settings::Settings;
use casemate_artifact::{Evidence, LockEntry, Package, Reference, Verifier, read_policy_path};
use casemate_policy::{Digest, Limits, Policy};
use casemate_runtime::inspect::reached::Reached;
use casemate_runtime::inspect::{InspectedComponent, IntakeLimits, inspect};
use casemate_runtime::report::{Grade, Metadata, Provenance, Report, ReportInput};
use casemate_runtime::requested;
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An installed component, the path of a file, or a reference
    component: String,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Print JSON: --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// End with status 1 if the grade is worse than LETTER; the report is printed all the same
    #[arg(long, value_name = "LETTER")]
    fail_below: Option<Grade>,
    /// Judge it under FILE, a policy, instead of the one in force
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// WIT text of the author, a file or a directory, for descriptions
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// As docs/report.schema.json says
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// A summary for a pull request
    Md,
    /// A badge
    Svg,
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
    let component = inspect(
        found.artifact.bytes(),
        docs.as_deref(),
        &IntakeLimits::default(),
    )?;
    let judged = Judged::of(arguments, settings, &found)?;
    let origin = Origin::of(arguments, settings, &found)?;
    let bytes = found.artifact.bytes();
    let reached = Reached::of(bytes, &component, &IntakeLimits::default());
    let requests = requested::of(&component, origin.layer.as_deref());
    let name = called(&arguments.component, &found);
    let mut input = ReportInput::new(&name, &component);
    input.reached = Some(&reached);
    input.metadata = Metadata::of_component(bytes).with_annotations(&origin.annotations);
    input.granted = judged.policy.as_ref();
    input.requested = requests
        .iter()
        .map(|request| (grade::where_asked(request.origin), request.text.as_str()))
        .collect();
    input.limits = judged.limits;
    input.provenance = origin.provenance;
    input.previous = origin.previous.as_ref();
    let report = Report::of(&input);
    let locations = Locations {
        component: match found.is_installed() {
            true => "casemate.lock".to_owned(),
            false => report::relative(Path::new(&arguments.component)),
        },
        policy: judged.location,
    };
    match arguments.format {
        _ if arguments.json => printer.json(&report::json(&report))?,
        Format::Text => printer.data(&report::page(&report))?,
        Format::Json => printer.json(&report::json(&report))?,
        Format::Sarif => printer.json(&report::sarif(&report, &locations))?,
        Format::Md => printer.data(&report::markdown(&report))?,
        Format::Svg => printer.data(&report::badge(&report))?,
    }
    Ok(match arguments.fail_below {
        Some(least) if report.grade() > least => ExitStatus::Failed,
        _ => ExitStatus::Ok,
    })
}

/// The policy that it is judged under, with the limits that follow from it.
struct Judged {
    policy: Option<Policy>,
    limits: Limits,
    /// Where the policy stands, as far as that is no name of this machine.
    location: Option<String>,
}

impl Judged {
    /// A file that is given, else what is in force for an installed component, else nothing: no grant, the default limits.
    fn of(arguments: &Arguments, settings: &Settings, found: &Found) -> Result<Self, CommandError> {
        if let Some(path) = &arguments.policy {
            let policy = engine::policy_of(&settings.base.join(path))?;
            return Ok(Self {
                limits: grade::limits_of(&policy, None),
                policy: Some(policy),
                location: Some(report::relative(path)),
            });
        }
        let Some(name) = found.name.as_ref().filter(|_| found.is_installed()) else {
            return Ok(Self {
                policy: None,
                limits: Limits::default(),
                location: None,
            });
        };
        let path = settings.home.policy_file(name);
        let policy = match read_policy_path(&path)? {
            Some(_) => Some(engine::policy_of(&path)?),
            None => None,
        };
        let ceiling = engine::ceiling_in_force(settings, &Bindings::default())?;
        let written = policy.clone().unwrap_or_default();
        Ok(Self {
            limits: grade::limits_of(&written, ceiling.as_ref()),
            location: policy.as_ref().map(|_| format!("policies/{name}.yaml")),
            policy,
        })
    }
}

/// What it is called: the installed name, the name of the file, or the reference.
fn called(typed: &str, found: &Found) -> String {
    match &found.name {
        Some(name) if found.is_installed() => name.to_string(),
        _ if found.artifact.identity().source().starts_with("file:") => {
            Path::new(typed).file_name().map_or_else(
                || typed.to_owned(),
                |name| name.to_string_lossy().into_owned(),
            )
        }
        _ => typed.to_owned(),
    }
}

/// What is known of where the bytes come from, beside the bytes.
struct Origin {
    provenance: Provenance,
    annotations: BTreeMap<String, String>,
    /// What the author asks for, where the artifact has a layer for it.
    layer: Option<String>,
    /// The version before.
    previous: Option<InspectedComponent>,
}

impl Origin {
    fn of(arguments: &Arguments, settings: &Settings, found: &Found) -> Result<Self, CommandError> {
        match &found.entry {
            Some(entry) => Self::of_installed(settings, entry),
            None => Self::of_reference(arguments, settings, found),
        }
    }

    /// An installed component, whose signatures are verified again under the trust policy of now.
    fn of_installed(settings: &Settings, entry: &LockEntry) -> Result<Self, CommandError> {
        let store = settings.home.store();
        let reference = Reference::parse(&entry.source, Path::new("/"))?;
        let evidence = kept_evidence(settings, entry)?;
        let manifest = entry.manifest.unwrap_or(entry.digest);
        let annotations = match &entry.manifest {
            Some(digest) => annotations(&store.get_manifest(digest)?),
            None => BTreeMap::new(),
        };
        let mut provenance = provenance(settings, &reference, &manifest, &evidence)?;
        provenance.pinned = true;
        provenance.skipped = entry.verification_skipped;
        let previous = entry.previous.first().map(|replaced| {
            let old = &replaced.entry;
            let bytes = store.load(old)?;
            let docs = old.docs.map(|docs| store.get_docs(&docs)).transpose()?;
            let limits = IntakeLimits::default();
            Ok::<_, CommandError>(inspect(bytes.bytes(), docs.as_deref(), &limits)?)
        });
        let layer = entry.request.map(|digest| store.get_policy(&digest));
        Ok(Self {
            provenance,
            annotations,
            layer: layer.transpose()?,
            previous: previous.transpose()?,
        })
    }

    /// A file, or what a registry or server gave for a reference.
    fn of_reference(
        arguments: &Arguments,
        settings: &Settings,
        found: &Found,
    ) -> Result<Self, CommandError> {
        let reference = Reference::parse(&arguments.component, &settings.base)?;
        let none = Evidence::default();
        let package = found.package.as_ref();
        let manifest = package.map_or(found.artifact.identity().digest(), Package::manifest);
        let evidence = package.map_or(&none, Package::evidence);
        Ok(Self {
            provenance: provenance(settings, &reference, manifest, evidence)?,
            annotations: package
                .map(|package| package.annotations().clone())
                .unwrap_or_default(),
            layer: package.and_then(|package| package.policy().map(str::to_owned)),
            previous: None,
        })
    }
}

/// Who vouches for what a reference names.
fn provenance(
    settings: &Settings,
    reference: &Reference,
    manifest: &Digest,
    evidence: &Evidence,
) -> Result<Provenance, CommandError> {
    let place = match reference {
        Reference::File(_) => return Ok(Provenance::file()),
        Reference::Https(https) => https.place(),
        Reference::Oci(oci) => oci.repository_name(),
        other => other.to_string(),
    };
    let root = settings.config.trust_root.as_deref();
    let verifier = Verifier::load(&settings.home, root)?;
    let verification = verifier.verify(&place, manifest, evidence);
    Ok(grade::provenance(reference, verification.verdict()))
}

/// The annotations of a manifest that was checked when it was fetched.
fn annotations(manifest: &[u8]) -> BTreeMap<String, String> {
    #[derive(Default, serde::Deserialize)]
    struct Manifest {
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let manifest: Manifest = serde_json::from_slice(manifest).unwrap_or_default();
    manifest.annotations
}
