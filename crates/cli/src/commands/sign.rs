//! `sign`: signs what a registry has, with a key, and attaches the signature there; or makes a key.

use crate::arguments::{Format, Remote};
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::location::find;
use crate::print::{GOOD, Page, Printer};
use crate::settings::Settings;
use crate::signing;
use casemate_artifact::{Reference, SignatureItem, SigningKey, attach, sign};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A form of signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A Sigstore bundle that refers to the manifest, as cosign 3 makes it.
    Bundle,
    /// The tag sha256-….sig, as cosign made it before.
    Legacy,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to sign: oci://registry/repository with a tag or digest
    #[arg(required_unless_present = "generate_key")]
    reference: Option<String>,
    /// The private key, in PEM; its password is asked for, or in CASEMATE_KEY_PASSWORD or COSIGN_PASSWORD
    #[arg(long, value_name = "FILE", required_unless_present = "generate_key")]
    key: Option<PathBuf>,
    /// The forms to attach
    #[arg(
        long = "format",
        value_name = "FORM",
        value_delimiter = ',',
        default_value = "bundle,legacy"
    )]
    forms: Vec<Form>,
    /// Sign NAME=TEXT with it; may be repeated
    #[arg(short = 'a', long = "annotation", value_name = "NAME=TEXT", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// Make a key: PREFIX.key and PREFIX.pub, neither of which may be there
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["reference", "key", "annotations", "forms"])]
    generate_key: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    format: Format,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=TEXT".to_owned()),
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    if let Some(prefix) = &arguments.generate_key {
        return generate(&settings.base.join(prefix), arguments.format, printer);
    }
    let (Some(text), Some(file)) = (&arguments.reference, &arguments.key) else {
        return Err(CommandError::usage("name what to sign, and the key"));
    };
    let reference = match Reference::parse(text, &settings.base)? {
        Reference::Oci(reference) => reference,
        _ => {
            return Err(CommandError::usage(format!(
                "{text} is not in a registry, and there is nowhere else to put a signature"
            ))
            .hint(settings.command(&[
                "push",
                "oci://REGISTRY/REPOSITORY:TAG",
                text,
                "--sign",
                "KEY",
            ])));
        }
    };
    let key = signing::key(settings, file)?;
    // What is signed was fetched and hashed here: a tag is somebody else's word.
    let found = find(settings, &arguments.remote, text)?;
    let package = found
        .package
        .ok_or_else(|| CommandError::failed(format!("{text} has no manifest")))?;
    let annotations: BTreeMap<_, _> = arguments.annotations.iter().cloned().collect();
    let repository = reference.repository_name();
    let signed = sign(&key, &repository, package.manifest(), &annotations)?;
    let items: Vec<SignatureItem> = signed
        .evidence()
        .items()
        .iter()
        .filter(|item| arguments.forms.contains(&form(item)))
        .cloned()
        .collect();
    let sources = engine::sources(settings, &arguments.remote)?;
    let attached = attach(&sources, &reference, package.manifest(), &items)?;
    let signer = format!("key {}", key.public().fingerprint());
    if arguments.format.json {
        let referrers: Vec<_> = attached.referrers.iter().map(ToString::to_string).collect();
        printer.json(&json!({
            "repository": repository,
            "manifest": package.manifest().to_string(),
            "signer": signer,
            "annotations": annotations,
            "referrers": referrers,
            "tags": attached.tags,
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    page.styled(GOOD, "signed").text(" ").word(&repository);
    page.text(" ").line(&package.manifest().to_string());
    page.text("  by ").line(&signer);
    for digest in &attached.referrers {
        page.text("  bundle ").line(&digest.to_string());
    }
    for tag in &attached.tags {
        page.text("  tag ").word(tag).end();
    }
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

fn form(item: &SignatureItem) -> Form {
    match item {
        SignatureItem::Bundle { .. } => Form::Bundle,
        SignatureItem::Legacy { .. } => Form::Legacy,
    }
}

/// Makes a pair of keys; neither file may be there, whatever is in it.
fn generate(prefix: &Path, format: Format, printer: &Printer) -> Result<ExitStatus, CommandError> {
    let (private, public) = (with_ending(prefix, ".key"), with_ending(prefix, ".pub"));
    for path in [&private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(in_the_way(path));
        }
    }
    let password = signing::new_password()?;
    let key = SigningKey::generate().map_err(|error| CommandError::failed(error.to_string()))?;
    let texts = key
        .to_pem(password.as_deref())
        .and_then(|text| Ok((text, key.public().to_pem()?)));
    let (secret, open) = texts.map_err(|error| CommandError::failed(error.to_string()))?;
    write_new(&private, &secret, 0o600)?;
    if let Err(error) = write_new(&public, &open, 0o644) {
        // It was made a moment ago, by this process, and is of no use without the other.
        let _ = std::fs::remove_file(&private);
        return Err(error);
    }
    if password.is_none() {
        let mut note = Page::default();
        note.warning(&format!("{} is not encrypted", private.display()));
        note.hint("set CASEMATE_KEY_PASSWORD, or make the key on a terminal, to have it encrypted");
        printer.note(&note);
    }
    let fingerprint = key.public().fingerprint().to_string();
    if format.json {
        printer.json(&json!({
            "private": private.to_string_lossy(),
            "public": public.to_string_lossy(),
            "encrypted": password.is_some(),
            "fingerprint": fingerprint,
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    page.text("private key: ")
        .word(&private.to_string_lossy())
        .end();
    page.text("public key:  ")
        .word(&public.to_string_lossy())
        .end();
    page.text("fingerprint: ").line(&fingerprint);
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(ending);
    PathBuf::from(path)
}

fn in_the_way(path: &Path) -> CommandError {
    CommandError::usage(format!(
        "{} is there already; nothing was made",
        path.display()
    ))
    .hint("choose another prefix: a key is never overwritten")
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), CommandError> {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(in_the_way(path));
        }
        Err(error) => return Err(CommandError::io("write", path, &error)),
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| CommandError::io("write", path, &error))
}
