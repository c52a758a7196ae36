//! Attaching signatures to a manifest that is in a registry, where verifiers look for them.
//!
//! A Sigstore bundle becomes a manifest of its own whose `subject` is the signed one (OCI image spec
//! 1.1, "subject"). A registry that keeps track of such referrers says so (`OCI-Subject`); for one that
//! does not, the index under the tag `sha256-<hex>` is brought up to date ("Referrers Tag Schema"). A
//! signature in cosign's older form becomes a layer under the tag `sha256-<hex>.sig`.
//!
//! What others put there stays as it is. The specification has no lock for either tag: of two who
//! attach at the same moment one may be lost, and attaching again mends it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_policy::Digest;
use serde::Serialize;
use serde_json::{Map, Value};

use super::content::{Blob, Descriptor, INDEX, MANIFEST, Manifest, json};
use super::upload::Upload;
use super::{PushError, talk};
use crate::oci::session::{Access, Session};
use crate::oci::{Document, Key, document};
use crate::package::{MAX_SIGNATURES, SignatureItem};
use crate::reference::OciReference;
use crate::remote::RemoteError;
use crate::sources::Sources;
use crate::store::MAX_MANIFEST_BYTES;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// What may be signed.
const SUBJECTS: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Most referrers in an index that is added to; as many as are read.
const MAX_REFERRERS: usize = 512;

/// What was attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// Digests of the manifests that refer to the signed one.
    pub referrers: Vec<Digest>,
    /// Whether the registry finds them by itself; if not, they are in the index under a tag.
    pub listed_by_registry: bool,
    /// The tags that were written.
    pub tags: Vec<String>,
}

/// Attaches signatures of `manifest` in the repository of `reference`, each in its form.
///
/// Blocking. The manifest has to be there. A signature that is there already is not added again.
pub fn attach(
    sources: &Sources,
    reference: &OciReference,
    manifest: &Digest,
    signatures: &[SignatureItem],
) -> Result<Attached, PushError> {
    talk(sources, reference, || async {
        let session = Session::with(
            sources,
            reference.registry(),
            reference.repository(),
            Access::Push,
        )?;
        let mut upload = Upload::new(session);
        let subject = upload.subject(manifest).await?;
        let mut attached = Attached::default();
        for signature in signatures {
            match signature {
                SignatureItem::Bundle { json } => {
                    upload
                        .bundle(&subject, manifest, json, &mut attached)
                        .await?;
                }
                SignatureItem::Legacy { .. } => {
                    let tag = upload.legacy(manifest, signature).await?;
                    if !attached.tags.contains(&tag) {
                        attached.tags.push(tag);
                    }
                }
            }
        }
        Ok(attached)
    })
}

impl Upload<'_> {
    /// A descriptor of the manifest that is signed, of bytes that hash to its digest.
    async fn subject(&mut self, digest: &Digest) -> Result<Descriptor, PushError> {
        let document = document(&mut self.session, Key::Digest(digest), MAX_MANIFEST_BYTES).await?;
        let media_type = SUBJECTS
            .into_iter()
            .find(|known| kind(&document).as_deref() == Some(*known))
            .ok_or(PushError::Content("what is to be signed is no manifest"))?;
        Ok(Descriptor {
            media_type,
            artifact_type: None,
            digest: digest.to_string(),
            size: document.bytes.len(),
            annotations: BTreeMap::new(),
        })
    }

    /// What the registry has under a tag.
    async fn present(&mut self, tag: &str) -> Result<Option<Document>, RemoteError> {
        match document(&mut self.session, Key::Tag(tag), MAX_MANIFEST_BYTES).await {
            Ok(document) => Ok(Some(document)),
            Err(RemoteError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn bundle(
        &mut self,
        subject: &Descriptor,
        manifest: &Digest,
        bundle: &[u8],
        attached: &mut Attached,
    ) -> Result<(), PushError> {
        let annotations = bundle_annotations(bundle)?;
        let layer = Blob::new(BUNDLE, bundle.to_vec());
        let config = Blob::new(EMPTY, b"{}".to_vec());
        let referrer = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            artifact_type: Some(BUNDLE),
            config: config.descriptor(),
            layers: vec![layer.descriptor()],
            subject: Some(subject.clone()),
            annotations: &annotations,
        };
        let referrer = Blob::new(MANIFEST, json(&referrer)?);
        self.blob(&layer).await?;
        self.blob(&config).await?;
        let name = referrer.digest.to_string();
        attached.listed_by_registry = self.manifest(&name, &referrer).await?;
        if !attached.listed_by_registry {
            let tag = format!("sha256-{}", manifest.hex());
            let mut entry = referrer.descriptor();
            entry.artifact_type = Some(BUNDLE);
            entry.annotations = annotations;
            self.list(&tag, &entry).await?;
            if !attached.tags.contains(&tag) {
                attached.tags.push(tag);
            }
        }
        attached.referrers.push(referrer.digest);
        Ok(())
    }

    /// Adds an entry to the index under `tag`, unless it is there.
    async fn list(&mut self, tag: &str, entry: &Descriptor) -> Result<(), PushError> {
        let in_the_way = || PushError::InTheWay {
            what: format!("the tag {tag}"),
        };
        let mut index = match self.present(tag).await? {
            None => new_index(),
            Some(document) => read_list(&document, INDEX, "manifests").ok_or_else(in_the_way)?,
        };
        let entries = list_of(&mut index, "manifests").ok_or_else(in_the_way)?;
        if entries
            .iter()
            .any(|own| digest_of(own) == Some(&entry.digest))
        {
            return Ok(());
        }
        if entries.len() >= MAX_REFERRERS {
            return Err(in_the_way());
        }
        entries.push(value(entry)?);
        self.manifest(tag, &Blob::new(INDEX, json(&index)?)).await?;
        Ok(())
    }

    /// Adds a layer with the signature to the manifest under the tag for signatures; the tag.
    async fn legacy(
        &mut self,
        manifest: &Digest,
        signature: &SignatureItem,
    ) -> Result<String, PushError> {
        let tag = format!("sha256-{}.sig", manifest.hex());
        let in_the_way = || PushError::InTheWay {
            what: format!("the tag {tag}"),
        };
        let Some((payload, layer)) = legacy_layer(signature) else {
            return Ok(tag);
        };
        let mut layers = match self.present(&tag).await? {
            None => Vec::new(),
            Some(document) => {
                let mut present =
                    read_list(&document, MANIFEST, "layers").ok_or_else(in_the_way)?;
                std::mem::take(list_of(&mut present, "layers").ok_or_else(in_the_way)?)
            }
        };
        let layer = value(&layer)?;
        if layers.iter().any(|own| is_same_signature(own, &layer)) {
            return Ok(tag);
        }
        if layers.len() >= MAX_SIGNATURES {
            return Err(PushError::Content(
                "there are 16 signatures already, and no more are looked at",
            ));
        }
        layers.push(layer);
        let digests: Option<Vec<String>> = layers
            .iter()
            .map(|layer| digest_of(layer).map(str::to_owned))
            .collect();
        let config = signature_config(&digests.ok_or_else(in_the_way)?)?;
        let signed = Signatures {
            schema_version: 2,
            media_type: MANIFEST,
            config: config.descriptor(),
            layers,
        };
        let signed = Blob::new(MANIFEST, json(&signed)?);
        self.blob(&payload).await?;
        self.blob(&config).await?;
        self.manifest(&tag, &signed).await?;
        Ok(tag)
    }
}

/// The manifest under the tag for signatures. Layers of others are kept as they are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signatures {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Value>,
}

/// The blob and the layer of a signature in the older form.
fn legacy_layer(signature: &SignatureItem) -> Option<(Blob, Descriptor)> {
    let SignatureItem::Legacy {
        payload,
        signature,
        certificate,
        chain,
        bundle,
    } = signature
    else {
        return None;
    };
    let blob = Blob::new(SIMPLE_SIGNING, payload.clone());
    let mut layer = blob.descriptor();
    let signature = Some(STANDARD.encode(signature));
    let annotations = [
        ("dev.cosignproject.cosign/signature", signature.as_ref()),
        ("dev.sigstore.cosign/bundle", bundle.as_ref()),
        ("dev.sigstore.cosign/certificate", certificate.as_ref()),
        ("dev.sigstore.cosign/chain", chain.as_ref()),
    ];
    layer.annotations = annotations
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.clone())))
        .collect();
    Some((blob, layer))
}

/// The configuration that cosign writes: an image without files, with as many layers.
fn signature_config(digests: &[String]) -> Result<Blob, PushError> {
    let config = serde_json::json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "history": digests.iter().map(|_| serde_json::json!({"created": "0001-01-01T00:00:00Z"})).collect::<Vec<_>>(),
        "os": "",
        "rootfs": { "type": "layers", "diff_ids": digests },
    });
    Ok(Blob::new(IMAGE_CONFIG, json(&config)?))
}

/// What verifiers choose by, before they fetch the bundle.
fn bundle_annotations(bundle: &[u8]) -> Result<BTreeMap<String, String>, PushError> {
    let refuse = || PushError::Content("the signature is no Sigstore bundle of version 0.3");
    let bundle: Value = serde_json::from_slice(bundle).map_err(|_| refuse())?;
    if bundle.get("mediaType").and_then(Value::as_str) != Some(BUNDLE) {
        return Err(refuse());
    }
    let mut annotations = BTreeMap::new();
    let mut say = |key: &str, value: &str| {
        annotations.insert(format!("dev.sigstore.bundle.{key}"), value.to_owned());
    };
    match bundle.pointer("/dsseEnvelope/payload") {
        None => say("content", "message-signature"),
        Some(payload) => {
            say("content", "dsse-envelope");
            let statement = payload
                .as_str()
                .and_then(|payload| STANDARD.decode(payload).ok())
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let predicate = statement
                .as_ref()
                .and_then(|statement| statement.get("predicateType")?.as_str());
            say("predicateType", predicate.ok_or_else(refuse)?);
        }
    }
    Ok(annotations)
}

fn new_index() -> Map<String, Value> {
    let mut index = Map::new();
    index.insert("schemaVersion".to_owned(), 2.into());
    index.insert("mediaType".to_owned(), INDEX.into());
    index.insert("manifests".to_owned(), Value::Array(Vec::new()));
    index
}

/// The media type that a document states, or that it came with.
fn kind(document: &Document) -> Option<String> {
    let value: Value = serde_json::from_slice(&document.bytes).ok()?;
    let stated = value.get("mediaType").and_then(Value::as_str);
    stated.map(str::to_owned).or(document.content_type.clone())
}

/// Reads a document of this kind that has a list under `list`; `None` for anything else.
fn read_list(document: &Document, expected: &str, list: &str) -> Option<Map<String, Value>> {
    // What a pull would not read is not added to.
    if !document.is_readable() || kind(document).as_deref() != Some(expected) {
        return None;
    }
    let Value::Object(fields) = serde_json::from_slice(&document.bytes).ok()? else {
        return None;
    };
    fields.get(list)?.is_array().then_some(fields)
}

fn list_of<'a>(document: &'a mut Map<String, Value>, list: &str) -> Option<&'a mut Vec<Value>> {
    document.get_mut(list)?.as_array_mut()
}

fn digest_of(descriptor: &Value) -> Option<&str> {
    descriptor.get("digest")?.as_str()
}

/// Whether two layers have the same payload and the same signature of it.
fn is_same_signature(one: &Value, other: &Value) -> bool {
    let signature = |layer: &Value| {
        let annotations = layer.get("annotations")?;
        annotations
            .get("dev.cosignproject.cosign/signature")
            .cloned()
    };
    digest_of(one) == digest_of(other) && signature(one) == signature(other)
}

fn value(descriptor: &Descriptor) -> Result<Value, PushError> {
    serde_json::to_value(descriptor).map_err(|_| PushError::Content("it cannot be written as JSON"))
}
