//! What came with an artifact from a registry: facts, of which none is believed here.

use std::collections::BTreeMap;

use casemate_policy::Digest;
use serde::{Deserialize, Serialize};

/// Largest policy that an author may send along, in bytes.
pub const MAX_REQUEST_BYTES: u64 = 64 << 10;
/// Media types of a policy that an author asks for: the ecosystem's, and Wassette's own.
pub const POLICY_MEDIA_TYPES: [&str; 2] = [
    "application/vnd.wasm.policy.v1+yaml",
    "application/vnd.wassette.policy+yaml",
];
/// Media type of WIT text that describes the tools; Casemate's own, since nobody has named one.
pub const WIT_MEDIA_TYPE: &str = "application/vnd.casemate.wit.v1+text";
/// Media types of a WebAssembly component (CNCF Wasm OCI artifact, and what was common before it).
pub const WASM_MEDIA_TYPES: [&str; 4] = [
    "application/wasm",
    "application/vnd.wasm.component.v1+wasm",
    "application/vnd.wasm.component.v1",
    "application/vnd.wasm.content.layer.v1+wasm",
];
/// Most signatures of one artifact that are looked at.
pub const MAX_SIGNATURES: usize = 16;
/// Largest payload of a signature under a `.sig` tag, in bytes.
pub const MAX_PAYLOAD_BYTES: u64 = 64 << 10;
/// Largest Sigstore bundle, in bytes.
pub const MAX_BUNDLE_BYTES: u64 = 1 << 20;
/// Largest stored evidence, in bytes: every signature at its largest, in base64.
pub const MAX_EVIDENCE_BYTES: u64 = 32 << 20;
/// Most annotations of a manifest.
pub const MAX_ANNOTATIONS: usize = 256;
/// Largest key and value of an annotation together, in bytes.
pub const MAX_ANNOTATION_BYTES: usize = 64 << 10;

/// An artifact's manifest and what stood beside the component in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub(crate) manifest: Digest,
    pub(crate) manifest_bytes: Vec<u8>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) policy: Option<String>,
    pub(crate) wit: Option<String>,
    pub(crate) evidence: Evidence,
}

impl Package {
    /// SHA-256 of the manifest's bytes: of the image manifest, also where a tag names an index.
    pub fn manifest(&self) -> &Digest {
        &self.manifest
    }

    /// The manifest as it came, at most 4 MiB.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// Its annotations, at most [`MAX_ANNOTATIONS`]. Foreign text: not inert.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The policy that the author asks for: a request, of which nothing is granted by itself. At
    /// most [`MAX_REQUEST_BYTES`].
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// WIT text of the author that describes the tools, at most [`MAX_DOCS_BYTES`](crate::MAX_DOCS_BYTES).
    pub fn wit(&self) -> Option<&str> {
        self.wit.as_deref()
    }

    /// What claims to be signatures of the manifest.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

/// What claims to be signatures of one manifest, as it came. Whether any of it holds is a question
/// for the verifier, offline and as often as wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    items: Vec<SignatureItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unusable: Vec<UnusableItem>,
}

/// One signature, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SignatureItem {
    /// A layer of the artifact under the tag `sha256-….sig` (cosign, "simple signing").
    Legacy {
        /// The signed bytes: the layer's blob, whose digest was checked.
        #[serde(with = "base64_bytes")]
        payload: Vec<u8>,
        /// The annotation `dev.cosignproject.cosign/signature`, decoded.
        #[serde(with = "base64_bytes")]
        signature: Vec<u8>,
        /// The annotation `dev.sigstore.cosign/certificate`, PEM.
        certificate: Option<String>,
        /// The annotation `dev.sigstore.cosign/chain`, PEM.
        chain: Option<String>,
        /// The annotation `dev.sigstore.cosign/bundle`, JSON: the entry of the transparency log.
        bundle: Option<String>,
    },
    /// A Sigstore bundle that refers to the manifest.
    Bundle {
        /// The bundle's JSON.
        #[serde(with = "base64_bytes")]
        json: Vec<u8>,
    },
}

/// Something that was named as a signature and cannot be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnusableItem {
    /// What it is: a tag or a digest.
    pub what: String,
    /// Why it is of no use.
    pub why: String,
}

/// Why bytes are not stored evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// More bytes than evidence can have.
    #[error("the evidence has {0} bytes; at most {MAX_EVIDENCE_BYTES} are read")]
    TooLarge(u64),
    /// More signatures than are looked at.
    #[error("the evidence has {0} signatures; at most {MAX_SIGNATURES} of a kind are looked at")]
    TooMany(usize),
    /// Not the JSON of evidence.
    #[error("the evidence cannot be read")]
    Json(#[from] serde_json::Error),
}

impl Evidence {
    /// Evidence of these signatures.
    #[must_use]
    pub fn new(items: Vec<SignatureItem>) -> Self {
        Self {
            items,
            unusable: Vec::new(),
        }
    }

    /// The signatures, in the order in which the registry named them.
    pub fn items(&self) -> &[SignatureItem] {
        &self.items
    }

    /// What was named as a signature and cannot be looked at.
    pub fn unusable(&self) -> &[UnusableItem] {
        &self.unusable
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.unusable.is_empty()
    }

    /// The bytes that are kept in the content store: the same for the same evidence.
    ///
    /// # Errors
    ///
    /// Fails when it is more than is read back.
    pub fn to_json(&self) -> Result<Vec<u8>, EvidenceError> {
        let json = serde_json::to_vec(self)?;
        if json.len() as u64 > MAX_EVIDENCE_BYTES {
            return Err(EvidenceError::TooLarge(json.len() as u64));
        }
        Ok(json)
    }

    /// Reads what [`Evidence::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// Fails for anything else, and for more than a fetch would have taken.
    pub fn from_json(json: &[u8]) -> Result<Self, EvidenceError> {
        if json.len() as u64 > MAX_EVIDENCE_BYTES {
            return Err(EvidenceError::TooLarge(json.len() as u64));
        }
        let evidence: Self = serde_json::from_slice(json)?;
        let count = evidence.items.len().max(evidence.unusable.len());
        // Both ways of finding signatures have their own bound.
        if count > 2 * MAX_SIGNATURES {
            return Err(EvidenceError::TooMany(count));
        }
        Ok(evidence)
    }

    pub(crate) fn found(&mut self, item: SignatureItem) {
        // One signature may be found in two ways.
        if !self.items.contains(&item) {
            self.items.push(item);
        }
    }

    pub(crate) fn unusable_is(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unusable.push(UnusableItem {
            what: what.into(),
            why: why.into(),
        });
    }
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(D::Error::custom)
    }
}
