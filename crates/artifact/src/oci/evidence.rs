//! What claims to sign a manifest: cosign's tag `sha256-….sig`, and Sigstore bundles that refer to it
//! (OCI distribution spec 1.1, "Listing referrers", with the tag that stands in where a registry does
//! not know that).
//!
//! Nothing is judged here. What is named and cannot be had stands in [`Evidence::unusable`], so that
//! it is told; a registry that does not answer ends the fetch, since "no signature" would be a guess.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_policy::Digest;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::oci::blob::{self, Blob};
use crate::oci::manifest::{Descriptor, Image, Manifest, OCI_INDEX, essence};
use crate::oci::pull::{Key, MAX_MANIFEST_BYTES, manifest};
use crate::oci::session::{Session, accepting};
use crate::package::{
    Evidence, MAX_BUNDLE_BYTES, MAX_PAYLOAD_BYTES, MAX_SIGNATURES, SignatureItem,
};
use crate::remote::{ManifestError, RemoteError};
use crate::sources::Silent;

/// Media types of a Sigstore bundle, without parameters.
const BUNDLES: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle.v0.2+json",
    "application/vnd.dev.sigstore.bundle+json",
];
/// Largest manifest of a referrer, in bytes.
const MAX_REFERRER_BYTES: u64 = 256 << 10;
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";

/// Everything that claims to sign the manifest.
pub(super) async fn of(
    session: &mut Session<'_>,
    subject: &Digest,
) -> Result<Evidence, RemoteError> {
    let mut evidence = Evidence::default();
    tagged(session, subject, &mut evidence).await?;
    referring(session, subject, &mut evidence).await?;
    Ok(evidence)
}

/// Whether this is a fault of what the registry holds, rather than of the way to it.
fn is_of_content(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::NotFound { .. }
            | RemoteError::TooLarge { .. }
            | RemoteError::Size { .. }
            | RemoteError::Digest { .. }
            | RemoteError::LyingHeader { .. }
            | RemoteError::Manifest(_)
            | RemoteError::Redirect { .. }
    )
}

/// Notes what is wrong with one item and goes on; what is wrong with the way to it ends everything.
fn noted<T>(
    got: Result<T, RemoteError>,
    what: &str,
    evidence: &mut Evidence,
) -> Result<Option<T>, RemoteError> {
    match got {
        Ok(got) => Ok(Some(got)),
        Err(error) if is_of_content(&error) => {
            evidence.unusable_is(what, error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The signatures under cosign's tag.
async fn tagged(
    session: &mut Session<'_>,
    subject: &Digest,
    evidence: &mut Evidence,
) -> Result<(), RemoteError> {
    let tag = format!("sha256-{}.sig", subject.hex());
    let document = match manifest(session, Key::Tag(&tag), MAX_MANIFEST_BYTES).await {
        Err(RemoteError::NotFound { .. }) => return Ok(()),
        got => noted(got, &tag, evidence)?,
    };
    let Some(document) = document else {
        return Ok(());
    };
    let image = match document.read() {
        Ok(Manifest::Image(image)) => image,
        Ok(Manifest::Index(_)) => {
            evidence.unusable_is(tag, "it is an index");
            return Ok(());
        }
        Err(error) => {
            evidence.unusable_is(tag, error.to_string());
            return Ok(());
        }
    };
    if image.layers.len() > MAX_SIGNATURES {
        evidence.unusable_is(
            &tag,
            format!("only the first {MAX_SIGNATURES} of its signatures are looked at"),
        );
    }
    for layer in image.layers.iter().take(MAX_SIGNATURES) {
        let got = signature(session, layer).await;
        if let Some(item) = noted(got, &tag, evidence)? {
            match item {
                Ok(item) => evidence.found(item),
                Err(why) => evidence.unusable_is(&tag, why),
            }
        }
    }
    Ok(())
}

/// One layer of cosign's tag; why it is none in the inner result.
async fn signature(
    session: &mut Session<'_>,
    layer: &Descriptor,
) -> Result<Result<SignatureItem, &'static str>, RemoteError> {
    let Some(text) = layer.annotations.get(SIGNATURE) else {
        return Ok(Err("a layer has no signature annotation"));
    };
    let Ok(signature) = STANDARD.decode(text) else {
        return Ok(Err("a signature annotation is not base64"));
    };
    let payload = small_blob(session, layer, "a signature's payload", MAX_PAYLOAD_BYTES).await?;
    let annotation = |key: &str| text_of(&layer.annotations, key);
    Ok(Ok(SignatureItem::Legacy {
        payload,
        signature,
        certificate: annotation(CERTIFICATE),
        chain: annotation(CHAIN),
        bundle: annotation(LOG_ENTRY),
    }))
}

fn text_of(annotations: &BTreeMap<String, String>, key: &str) -> Option<String> {
    annotations
        .get(key)
        .filter(|text| !text.is_empty())
        .cloned()
}

/// The bundles that refer to the manifest.
async fn referring(
    session: &mut Session<'_>,
    subject: &Digest,
    evidence: &mut Evidence,
) -> Result<(), RemoteError> {
    let entries = match referrers(session, subject, evidence).await? {
        Some(entries) => entries,
        None => return Ok(()),
    };
    let mut bundles = entries
        .iter()
        .filter(|entry| may_be_bundle(entry.artifact_type.as_deref()));
    for entry in bundles.by_ref().take(MAX_SIGNATURES) {
        let what = match entry.digest("referrer") {
            Ok(digest) => digest.to_string(),
            Err(error) => {
                evidence.unusable_is("a referrer", error.to_string());
                continue;
            }
        };
        let got = referrer(session, entry, subject).await;
        for json in noted(got, &what, evidence)?.unwrap_or_default() {
            evidence.found(SignatureItem::Bundle { json });
        }
    }
    if bundles.next().is_some() {
        evidence.unusable_is(
            "referrers",
            format!("only the first {MAX_SIGNATURES} bundles are looked at"),
        );
    }
    Ok(())
}

/// An entry without a type may be one: registries that know no types leave it out.
fn may_be_bundle(artifact_type: Option<&str>) -> bool {
    artifact_type.is_none_or(|own| own.is_empty() || BUNDLES.contains(&essence(own)))
}

/// What refers to the manifest: by the registry's own answer, else by the tag that stands in for it.
async fn referrers(
    session: &mut Session<'_>,
    subject: &Digest,
    evidence: &mut Evidence,
) -> Result<Option<Vec<Descriptor>>, RemoteError> {
    let url = session.url(&format!("referrers/{subject}"))?;
    let answer = session.ask(accepting(url, OCI_INDEX)).await?;
    let deadlines = session.wire.deadlines;
    let is_index = answer
        .field(&CONTENT_TYPE)
        .is_some_and(|own| essence(own) == OCI_INDEX);
    if answer.status == StatusCode::OK && is_index {
        let got = answer
            .small("the list of referrers", MAX_MANIFEST_BYTES, deadlines)
            .await;
        let Some(bytes) = noted(got, "referrers", evidence)? else {
            return Ok(None);
        };
        return Ok(entries(
            Manifest::read(&bytes, Some(OCI_INDEX)),
            "referrers",
            evidence,
        ));
    }
    if answer.status.is_server_error() {
        return Err(answer.refusal("the list of referrers", deadlines).await);
    }
    drop(answer);
    let tag = format!("sha256-{}", subject.hex());
    let document = match manifest(session, Key::Tag(&tag), MAX_MANIFEST_BYTES).await {
        Err(RemoteError::NotFound { .. }) => return Ok(None),
        got => noted(got, &tag, evidence)?,
    };
    Ok(document.and_then(|document| entries(document.read(), &tag, evidence)))
}

fn entries(
    read: Result<Manifest, ManifestError>,
    what: &str,
    evidence: &mut Evidence,
) -> Option<Vec<Descriptor>> {
    match read {
        Ok(Manifest::Index(index)) => Some(index.entries),
        Ok(Manifest::Image(_)) => {
            evidence.unusable_is(what, "it is no index");
            None
        }
        Err(error) => {
            evidence.unusable_is(what, error.to_string());
            None
        }
    }
}

/// The bundles of one referrer; none if it is something else after all.
async fn referrer(
    session: &mut Session<'_>,
    entry: &Descriptor,
    subject: &Digest,
) -> Result<Vec<Vec<u8>>, RemoteError> {
    let digest = entry.digest("referrer")?;
    let document = manifest(session, Key::Digest(&digest), MAX_REFERRER_BYTES).await?;
    let Manifest::Image(image) = document.read()? else {
        return Err(ManifestError::NestedIndex.into());
    };
    let layers: Vec<&Descriptor> = bundle_layers(&image);
    if layers.is_empty() {
        return Ok(Vec::new());
    }
    let refers = image.subject.as_ref().map(|own| own.digest("subject"));
    if refers.transpose()? != Some(*subject) {
        return Err(ManifestError::OtherSubject.into());
    }
    let mut bundles = Vec::new();
    for layer in layers {
        bundles.push(small_blob(session, layer, "a bundle", MAX_BUNDLE_BYTES).await?);
    }
    Ok(bundles)
}

/// At most one is usual; more than a few are not looked at.
fn bundle_layers(image: &Image) -> Vec<&Descriptor> {
    let layers = image.layers.iter().filter(|layer| layer.is_of(&BUNDLES));
    layers.take(MAX_SIGNATURES).collect()
}

async fn small_blob(
    session: &mut Session<'_>,
    layer: &Descriptor,
    what: &'static str,
    limit: u64,
) -> Result<Vec<u8>, RemoteError> {
    if layer.size > limit {
        return Err(RemoteError::TooLarge {
            what: what.to_owned(),
            limit,
        });
    }
    let blob = Blob {
        what,
        digest: layer.digest("layer")?,
        size: layer.size,
    };
    Ok(blob::fetch(session, &blob, &Silent).await?.into_bytes())
}
