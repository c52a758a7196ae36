//! What is pushed: blobs and the manifest over them, made from the content alone.
//!
//! The shape is that of a component in a registry as others make and read it (CNCF TAG Runtime, "Wasm
//! OCI Artifact layout"): an OCI image manifest, a configuration of type
//! `application/vnd.wasm.config.v0+json` and one `application/wasm` layer. Casemate adds at most two
//! layers, of which other readers know to leave alone what they do not know.

use std::collections::BTreeMap;

use casemate_policy::Digest;
use serde::Serialize;

use super::PushError;
use crate::digest::sha256;
use crate::fetch::VerifiedArtifact;
use crate::package::{
    MAX_ANNOTATION_BYTES, MAX_ANNOTATIONS, MAX_REQUEST_BYTES, POLICY_MEDIA_TYPES, WIT_MEDIA_TYPE,
};
use crate::store::{MAX_DOCS_BYTES, MAX_MANIFEST_BYTES};

/// OCI image manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM: &str = "application/wasm";
/// When a thing was made that was not said to be made at any time.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A descriptor (OCI image spec, "Content Descriptors").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<&'static str>,
    pub(super) digest: String,
    pub(super) size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// Bytes and what a manifest says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) media_type: &'static str,
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
}

impl Blob {
    pub(super) fn new(media_type: &'static str, bytes: Vec<u8>) -> Blob {
        Blob {
            media_type,
            digest: sha256(&bytes),
            bytes,
        }
    }

    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type,
            artifact_type: None,
            digest: self.digest.to_string(),
            size: self.bytes.len(),
            annotations: BTreeMap::new(),
        }
    }
}

/// An image manifest as Casemate writes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest<'a> {
    pub(super) schema_version: u8,
    pub(super) media_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<&'static str>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: &'a BTreeMap<String, String>,
}

/// The configuration of a component.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    created: &'a str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    component: World<'a>,
}

#[derive(Serialize)]
struct World<'a> {
    exports: &'a [String],
    imports: &'a [String],
}

/// What is pushed. The same content makes the same manifest, on every machine and at any time.
#[derive(Clone, Debug)]
pub struct PushContent {
    component: VerifiedArtifact,
    exports: Vec<String>,
    imports: Vec<String>,
    policy: Option<String>,
    wit: Option<String>,
    annotations: BTreeMap<String, String>,
    created: String,
}

impl PushContent {
    /// A component with the names of what it exports and imports, which registries show.
    pub fn new(
        component: VerifiedArtifact,
        exports: Vec<String>,
        imports: Vec<String>,
    ) -> PushContent {
        PushContent {
            component,
            exports,
            imports,
            policy: None,
            wit: None,
            annotations: BTreeMap::new(),
            created: EPOCH.to_owned(),
        }
    }

    /// Sends along the policy that the author asks for; 64 KiB at most.
    #[must_use]
    pub fn with_policy(mut self, text: String) -> PushContent {
        self.policy = Some(text);
        self
    }

    /// Sends along WIT text that describes the tools; 1 MiB at most.
    #[must_use]
    pub fn with_wit(mut self, text: String) -> PushContent {
        self.wit = Some(text);
        self
    }

    /// Writes these annotations into the manifest.
    #[must_use]
    pub fn with_annotations(mut self, annotations: BTreeMap<String, String>) -> PushContent {
        self.annotations = annotations;
        self
    }

    /// Says when it was made (RFC 3339), in the place of 1970.
    #[must_use]
    pub fn with_created(mut self, created: String) -> PushContent {
        self.created = created;
        self
    }

    /// The digest that the manifest has, without a network.
    pub fn manifest_digest(&self) -> Result<Digest, PushError> {
        Ok(self.assemble()?.manifest.digest)
    }

    /// Makes configuration and manifest. What a pull would not take is refused here already.
    pub(super) fn assemble(&self) -> Result<Assembled, PushError> {
        self.check()?;
        let mut layers = vec![Blob::new(WASM, self.component.bytes().to_vec())];
        let [policy_type, ..] = POLICY_MEDIA_TYPES;
        let texts = [(policy_type, &self.policy), (WIT_MEDIA_TYPE, &self.wit)];
        for (media_type, text) in texts {
            if let Some(text) = text {
                layers.push(Blob::new(media_type, text.clone().into_bytes()));
            }
        }
        let config = Config {
            created: &self.created,
            architecture: "wasm",
            os: "wasip2",
            layer_digests: layers.iter().map(|blob| blob.digest.to_string()).collect(),
            component: World {
                exports: &self.exports,
                imports: &self.imports,
            },
        };
        let config = Blob::new(CONFIG, json(&config)?);
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST,
            artifact_type: None,
            config: config.descriptor(),
            layers: layers.iter().map(Blob::descriptor).collect(),
            subject: None,
            annotations: &self.annotations,
        };
        let manifest = Blob::new(MANIFEST, json(&manifest)?);
        if manifest.bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(PushError::Content("the annotations are too long"));
        }
        let mut blobs = layers;
        blobs.push(config);
        Ok(Assembled { blobs, manifest })
    }

    fn check(&self) -> Result<(), PushError> {
        let longer = |text: &Option<String>, limit: u64| {
            text.as_ref().is_some_and(|text| text.len() as u64 > limit)
        };
        if longer(&self.policy, MAX_REQUEST_BYTES) {
            return Err(PushError::Content("the policy is longer than 64 KiB"));
        }
        if longer(&self.wit, MAX_DOCS_BYTES) {
            return Err(PushError::Content("the WIT text is longer than 1 MiB"));
        }
        if self.annotations.len() > MAX_ANNOTATIONS {
            return Err(PushError::Content("there are more than 256 annotations"));
        }
        let too_long = |(key, value): (&String, &String)| {
            key.is_empty() || key.len() + value.len() > MAX_ANNOTATION_BYTES
        };
        if self.annotations.iter().any(too_long) {
            return Err(PushError::Content(
                "an annotation has no key, or more than 64 KiB",
            ));
        }
        Ok(())
    }
}

/// What goes to the registry: the blobs first, then the manifest that names them.
#[derive(Debug)]
pub(super) struct Assembled {
    pub(super) blobs: Vec<Blob>,
    pub(super) manifest: Blob,
}

/// JSON without white space; fields in the order of the types, keys of maps sorted.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, PushError> {
    serde_json::to_vec(value).map_err(|_| PushError::Content("it cannot be written as JSON"))
}
