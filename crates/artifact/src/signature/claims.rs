//! What a signature says of what it signs: the two documents that cosign makes.

use std::collections::BTreeMap;

use casemate_policy::Digest;
use serde::{Deserialize, Serialize};

use super::outcome::Rejection;

/// The `type` of a "simple signing" payload.
pub(super) const SIMPLE_TYPE: &str = "cosign container image signature";
/// The payload type of a DSSE envelope that holds an in-toto statement.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";
/// The `_type` of an in-toto statement, version 1.
pub(super) const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The predicate type of a statement that is a signature: nothing is said but that it is signed.
pub(super) const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The most annotations of a signature.
const MAX_ANNOTATIONS: usize = 64;

/// The payload of a legacy signature (containers/image, "atomic container signature", as cosign writes it).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SimpleSigning {
    pub(super) critical: Critical,
    #[serde(default)]
    pub(super) optional: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Critical {
    #[serde(default)]
    pub(super) identity: Identity,
    pub(super) image: Image,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Identity {
    #[serde(rename = "docker-reference", default)]
    pub(super) reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Image {
    #[serde(rename = "docker-manifest-digest")]
    pub(super) digest: String,
}

/// An in-toto statement (in-toto attestation framework, `Statement` v1) without its predicate, of which nothing is used.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Statement {
    #[serde(rename = "_type")]
    pub(super) kind: String,
    pub(super) subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    pub(super) predicate_type: String,
    #[serde(default)]
    pub(super) predicate: serde_json::Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) digest: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: Option<BTreeMap<String, serde_json::Value>>,
}

/// Reads a "simple signing" payload; it has to be for this manifest of this repository.
///
/// cosign shows the reference and does not compare it. Here one that names another repository is refused: whoever signed meant
/// another artifact, even if the bytes are the same. None at all is taken: then only the digest was signed.
pub(super) fn simple_signing(
    payload: &[u8],
    repository: &str,
    manifest: &Digest,
) -> Result<BTreeMap<String, String>, Rejection> {
    let payload: SimpleSigning = serde_json::from_slice(payload)
        .map_err(|error| Rejection::wrong(format!("the payload cannot be read: {error}")))?;
    let Critical {
        identity,
        image,
        kind,
    } = payload.critical;
    if kind != SIMPLE_TYPE {
        return Err(Rejection::wrong(format!(
            "the payload is of the type {kind:?}, not a signature of an artifact"
        )));
    }
    if image.digest != manifest.to_string() {
        return Err(Rejection::wrong(format!(
            "it signs another artifact, {:?}",
            image.digest
        )));
    }
    if !identity.reference.is_empty() && !same_repository(&identity.reference, repository) {
        return Err(Rejection::wrong(format!(
            "it was made for another repository, {:?}",
            identity.reference
        )));
    }
    annotations(payload.optional)
}

/// Reads the payload of a DSSE envelope; it has to be a signature of this manifest and of nothing else.
pub(super) fn statement(
    payload_type: &str,
    payload: &[u8],
    manifest: &Digest,
) -> Result<BTreeMap<String, String>, Rejection> {
    if payload_type != IN_TOTO {
        return Err(Rejection::wrong(format!(
            "the envelope holds {payload_type:?}, not an in-toto statement"
        )));
    }
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|error| Rejection::wrong(format!("the statement cannot be read: {error}")))?;
    if statement.kind != STATEMENT {
        return Err(Rejection::wrong(format!(
            "{:?} is not an in-toto statement of version 1",
            statement.kind
        )));
    }
    if statement.predicate_type != SIGN_PREDICATE {
        return Err(Rejection::wrong(format!(
            "it states {:?} of the artifact: that is an attestation, not a signature",
            statement.predicate_type
        )));
    }
    let mut subjects = statement.subject.into_iter();
    let (Some(subject), None) = (subjects.next(), subjects.next()) else {
        return Err(Rejection::wrong(
            "the statement does not have exactly one subject",
        ));
    };
    match subject.digest.get("sha256") {
        None => Err(Rejection::wrong(
            "the statement's subject has no sha256 digest",
        )),
        Some(digest) if *digest != manifest.hex() => Err(Rejection::wrong(format!(
            "it signs another artifact, \"sha256:{digest}\""
        ))),
        Some(_) => annotations(subject.annotations),
    }
}

/// Keeps the annotations that are text; others can be neither asked for nor shown.
fn annotations(
    values: Option<BTreeMap<String, serde_json::Value>>,
) -> Result<BTreeMap<String, String>, Rejection> {
    let values = values.unwrap_or_default();
    if values.len() > MAX_ANNOTATIONS {
        return Err(Rejection::wrong(format!(
            "it has {} annotations, and at most {MAX_ANNOTATIONS} are read",
            values.len()
        )));
    }
    let texts = values.into_iter().filter_map(|(key, value)| match value {
        serde_json::Value::String(text) => Some((key, text)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => None,
    });
    Ok(texts.collect())
}

/// Tells whether a reference of a payload, with or without tag and digest, is in this repository.
fn same_repository(reference: &str, repository: &str) -> bool {
    let name = reference.split('@').next().unwrap_or_default();
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let name = match name.get(last..).and_then(|last| last.find(':')) {
        Some(colon) => name.get(..last + colon).unwrap_or(name),
        None => name,
    };
    one_name(name) == one_name(repository)
}

/// Docker's registry has several names, and a host no case.
fn one_name(name: &str) -> String {
    let (host, path) = name.split_once('/').unwrap_or((name, ""));
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    };
    format!("{host}/{path}")
}

/// The bytes that a DSSE envelope signs (DSSE v1, "PAE").
pub(super) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}
