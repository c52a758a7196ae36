//! `verify`: whose signatures hold, of what is installed or of what a registry has now.

use crate::arguments::{Format, Remote};
use crate::error::{CommandError, ExitStatus};
use crate::location::find;
use crate::print::{BAD, CAUTION, GOOD, Page, Printer};
use crate::settings::Settings;
use casemate_artifact::{
    Evidence, LockEntry, LockFile, PublicKey, Reference, TrustError, Verdict, Verification,
    VerifiedSignature, Verifier, manifest_names, read_policy_path,
};
use casemate_policy::{ComponentName, Digest, KeySource, TrustPolicy};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// An installed component, whose signatures were kept, or a URL (oci://, https://)
    component: String,
    /// Ask for a signature of this public key, in PEM, in place of trust.yaml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["identity", "issuer"])]
    key: Option<PathBuf>,
    /// Ask for a keyless signature of this URI or e-mail address, in place of trust.yaml; * and ** as there
    #[arg(long, value_name = "NAME", requires = "issuer")]
    identity: Option<String>,
    /// The issuer that vouches for the identity
    #[arg(long, value_name = "URL", requires = "identity")]
    issuer: Option<String>,
    /// Verify keyless signatures against FILE, a trusted_root.json [default: trust.root of the configuration, else the
    /// public Sigstore's, as Casemate was built]
    #[arg(long, value_name = "FILE")]
    trust_root: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    format: Format,
}

/// What is to be verified.
struct Subject {
    /// What the person typed, or the source in the lock.
    source: String,
    /// What rules match; `None` for a local file, which no rule is for.
    place: Option<String>,
    digest: Digest,
    manifest: Option<Digest>,
    evidence: Evidence,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let verifier = verifier(arguments, settings)?;
    let subject = subject(arguments, settings)?;
    // Without a manifest there is nothing that anybody could have signed; rules for the place are asked all the same.
    let manifest = subject.manifest.unwrap_or(subject.digest);
    let place = subject.place.as_deref().unwrap_or_default();
    let verification = verifier.verify(place, &manifest, &subject.evidence);
    if arguments.format.json {
        printer.json(&report(&subject, &verification))?;
    } else {
        printer.data(&page(&subject, &verification))?;
    }
    Ok(match holds(&verification) {
        true => ExitStatus::Ok,
        false => ExitStatus::Denied,
    })
}

/// Whether somebody's signature holds and no rule says no.
fn holds(verification: &Verification) -> bool {
    match verification.verdict() {
        Verdict::Trusted { .. } | Verdict::Signed(_) => true,
        Verdict::Warned { .. } => !verification.verified().is_empty(),
        Verdict::Unsigned | Verdict::Refused { .. } => false,
    }
}

fn verifier(arguments: &Arguments, settings: &Settings) -> Result<Verifier, CommandError> {
    let given = arguments.trust_root.as_ref();
    let root = given
        .map(|file| settings.base.join(file))
        .or_else(|| settings.config.trust_root.clone());
    let policy = match (&arguments.key, &arguments.identity, &arguments.issuer) {
        (Some(file), ..) => {
            let path = settings.base.join(file);
            // Read here for an error that names this file.
            PublicKey::read(&path)?;
            let text = read_policy_path(&path)?.ok_or(TrustError::Missing { path })?;
            TrustPolicy::of_key(KeySource::Pem(text.text))
        }
        (None, Some(identity), Some(issuer)) => TrustPolicy::of_identity(identity, issuer)
            .map_err(|error| {
                let usage = CommandError::usage(error.to_string());
                match error.hint() {
                    Some(hint) => usage.hint(hint),
                    None => usage,
                }
            })?,
        _ => return Ok(Verifier::load(&settings.home, root.as_deref())?),
    };
    Ok(Verifier::new(&policy, &settings.home, root.as_deref())?)
}

fn subject(arguments: &Arguments, settings: &Settings) -> Result<Subject, CommandError> {
    let text = &arguments.component;
    if let Ok(name) = text.parse::<ComponentName>()
        && let Some(entry) = LockFile::load(&settings.home)?.components.get(&name)
    {
        return kept(settings, entry);
    }
    let found = find(settings, &arguments.remote, text)?;
    let source = found.artifact.identity().source().to_owned();
    let (manifest, evidence) = match found.package {
        Some(package) => (Some(*package.manifest()), package.evidence().clone()),
        None => (None, Evidence::default()),
    };
    Ok(Subject {
        place: place(settings, &source)?,
        source,
        digest: *found.artifact.digest(),
        manifest,
        evidence,
    })
}

/// What was kept of an installed component: its bytes are hashed again, and its manifest has to name them.
fn kept(settings: &Settings, entry: &LockEntry) -> Result<Subject, CommandError> {
    let store = settings.home.store();
    let artifact = store.load(entry)?;
    if let Some(manifest) = &entry.manifest
        && !manifest_names(&store.get_manifest(manifest)?, artifact.digest())
    {
        return Err(CommandError::denied(format!(
            "the manifest {manifest} does not name {} as its component",
            artifact.digest()
        )));
    }
    let evidence = match &entry.evidence {
        None => Evidence::default(),
        Some(digest) => Evidence::from_json(&store.get_evidence(digest)?)
            .map_err(|error| CommandError::denied(error.to_string()))?,
    };
    Ok(Subject {
        source: entry.source.clone(),
        place: place(settings, &entry.source)?,
        digest: entry.digest,
        manifest: entry.manifest,
        evidence,
    })
}

fn place(settings: &Settings, source: &str) -> Result<Option<String>, CommandError> {
    Ok(match Reference::parse(source, &settings.base)? {
        Reference::Oci(reference) => Some(reference.repository_name()),
        Reference::Https(reference) => Some(reference.place()),
        _ => None,
    })
}

fn page(subject: &Subject, verification: &Verification) -> Page {
    let mut page = Page::default();
    page.word(&subject.source).end();
    match &subject.manifest {
        Some(manifest) => page.text("manifest ").line(&manifest.to_string()),
        None => page.text("component ").line(&subject.digest.to_string()),
    };
    match verification.verdict() {
        Verdict::Trusted { signer, rule } => {
            page.styled(GOOD, "trusted")
                .text(": signed by ")
                .word(&signer.to_string());
            page.text(", as the rule for ").word(rule).line(" asks");
        }
        Verdict::Signed(signer) => {
            page.styled(GOOD, "signed")
                .text(" by ")
                .word(&signer.to_string());
            page.line("; no rule of trust.yaml is for it");
        }
        Verdict::Unsigned => {
            page.styled(CAUTION, "unsigned")
                .line(": no signature holds, and no rule asks for one");
        }
        Verdict::Warned { expected, why } => {
            page.styled(CAUTION, "warning").text(": ").word(why).end();
            expect(&mut page, expected);
        }
        Verdict::Refused {
            reason,
            expected,
            why,
        } => {
            page.styled(BAD, "refused")
                .text(" (")
                .text(reason.as_str())
                .text("): ");
            page.word(why).end();
            expect(&mut page, expected);
        }
    }
    for signature in verification.verified() {
        page.text("  holds: ").word(&signature.signer.to_string());
        page.text(", ").text(signature.form.as_str());
        if let Some(time) = time(signature) {
            page.text(", at ").text(&time);
        }
        for (name, text) in &signature.annotations {
            page.text(", ").word(name).text("=").word(text);
        }
        page.end();
    }
    for signature in verification.rejected() {
        page.text("  rejected: ")
            .word(&signature.what)
            .text(": ")
            .word(&signature.why)
            .end();
    }
    page
}

fn expect(page: &mut Page, expected: &[String]) {
    for signer in expected {
        page.text("  expected: ").word(signer).end();
    }
}

/// The proven time in RFC 3339.
fn time(signature: &VerifiedSignature) -> Option<String> {
    let seconds = i64::try_from(signature.time?).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Some(time.to_string())
}

fn report(subject: &Subject, verification: &Verification) -> Value {
    let verified: Vec<Value> = verification
        .verified()
        .iter()
        .map(|signature| {
            json!({
                "signer": signature.signer.to_string(),
                "form": signature.form.as_str(),
                "time": time(signature),
                "annotations": signature.annotations,
            })
        })
        .collect();
    let rejected: Vec<Value> = verification
        .rejected()
        .iter()
        .map(|signature| {
            json!({
                "what": signature.what,
                "reason": signature.reason.as_str(),
                "why": signature.why,
            })
        })
        .collect();
    let mut report = json!({
        "source": subject.source,
        "digest": subject.digest.to_string(),
        "manifest": subject.manifest.map(|digest| digest.to_string()),
        "holds": holds(verification),
        "verified": verified,
        "rejected": rejected,
    });
    let verdict = match verification.verdict() {
        Verdict::Trusted { signer, rule } => {
            json!({ "verdict": "trusted", "signer": signer.to_string(), "rule": rule })
        }
        Verdict::Signed(signer) => json!({ "verdict": "signed", "signer": signer.to_string() }),
        Verdict::Unsigned => json!({ "verdict": "unsigned" }),
        Verdict::Warned { expected, why } => {
            json!({ "verdict": "warned", "expected": expected, "why": why })
        }
        Verdict::Refused {
            reason,
            expected,
            why,
        } => json!({
            "verdict": "refused", "reason": reason.as_str(), "expected": expected, "why": why,
        }),
    };
    if let (Some(report), Value::Object(verdict)) = (report.as_object_mut(), verdict) {
        report.extend(verdict);
    }
    report
}
