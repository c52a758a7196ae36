//! Manifests and indexes (OCI image spec 1.1; Docker's image manifest version 2, schema 2), read within
//! bounds: at most so many of everything, and nothing that is not asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use casemate_policy::Digest;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::package::{MAX_ANNOTATION_BYTES, MAX_ANNOTATIONS, WASM_MEDIA_TYPES};
use crate::remote::ManifestError;

/// Most layers of a manifest.
const MAX_LAYERS: usize = 128;
/// How deep a document may be nested; three levels are usual.
const MAX_DEPTH: usize = 32;
/// Most entries of an index.
const MAX_ENTRIES: usize = 512;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// All of them, as an `Accept` field.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";
/// The configuration of a component (CNCF Wasm OCI artifact), by which an entry of an index is
/// known where it has no platform.
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// A document that a registry holds under a tag or digest.
#[derive(Debug)]
pub(super) enum Manifest {
    Image(Image),
    Index(Index),
}

/// One artifact.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) layers: Vec<Descriptor>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) subject: Option<Descriptor>,
}

/// Several, for different machines, or all that refer to something.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) entries: Vec<Descriptor>,
}

/// What a manifest says of some bytes. `urls` and `data` are not even read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    pub(super) media_type: String,
    digest: String,
    pub(super) size: u64,
    pub(super) artifact_type: Option<String>,
    #[serde(default, deserialize_with = "annotations")]
    pub(super) annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Clone, Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_LAYERS>")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_ENTRIES>")]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The digest, of SHA-256; `what` is it of?
    pub(super) fn digest(&self, what: &'static str) -> Result<Digest, ManifestError> {
        self.digest.parse().map_err(|_| ManifestError::Digest(what))
    }

    /// Whether the media type is this one, whatever parameters follow it.
    pub(super) fn is_of(&self, media_types: &[&str]) -> bool {
        media_types.contains(&essence(&self.media_type))
    }
}

/// A media type without parameters (RFC 9110, 8.3.1).
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

impl Manifest {
    /// Reads a document that came with this `Content-Type`.
    ///
    /// What it is must be beyond doubt: two readers that take the same bytes for different things
    /// have been tricked before (CVE-2021-41190).
    pub(super) fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if is_too_deep(bytes) {
            return Err(ManifestError::TooDeep);
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|error| ManifestError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        if wire.schema_version != Some(2) {
            return Err(ManifestError::Kind);
        }
        let (layers, entries) = (wire.layers, wire.manifests);
        let named = wire.media_type.as_deref().map(kind_of);
        let sent = content_type.map(essence).and_then(kind_of);
        let kind = match (named, sent) {
            (Some(None), _) | (None, None) => return Err(ManifestError::Kind),
            (Some(Some(named)), Some(sent)) if named != sent => {
                return Err(ManifestError::Ambiguous(
                    "its own media type and that of the answer differ",
                ));
            }
            (Some(Some(kind)), _) | (None, Some(kind)) => kind,
        };
        match kind {
            Kind::Image if !entries.is_empty() => Err(ManifestError::Ambiguous(
                "an image with the entries of an index",
            )),
            Kind::Index if !layers.is_empty() || wire.config.is_some() => Err(
                ManifestError::Ambiguous("an index with the layers of an image"),
            ),
            Kind::Image if wire.config.is_none() => Err(ManifestError::NoConfig),
            Kind::Image => Ok(Self::Image(Image {
                layers,
                annotations: wire.annotations,
                subject: wire.subject,
            })),
            Kind::Index => Ok(Self::Index(Index { entries })),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

fn kind_of(media_type: &str) -> Option<Kind> {
    match media_type {
        OCI_MANIFEST | DOCKER_MANIFEST => Some(Kind::Image),
        OCI_INDEX | DOCKER_LIST => Some(Kind::Index),
        _ => None,
    }
}

impl Image {
    /// The one layer that is WebAssembly.
    pub(super) fn wasm(&self) -> Result<&Descriptor, ManifestError> {
        let mut found = self
            .layers
            .iter()
            .filter(|layer| layer.is_of(&WASM_MEDIA_TYPES));
        match (found.next(), found.count()) {
            (None, _) => Err(ManifestError::NoWasm(self.layers.len())),
            (Some(layer), 0) if layer.size == 0 => Err(ManifestError::Empty),
            (Some(layer), 0) => Ok(layer),
            (Some(_), more) => Err(ManifestError::SeveralWasm(more + 1)),
        }
    }

    /// The layer of one of these types, if there is one; `what` is it?
    pub(super) fn optional(
        &self,
        media_types: &[&str],
        what: &'static str,
    ) -> Result<Option<&Descriptor>, ManifestError> {
        let mut found = self.layers.iter().filter(|layer| layer.is_of(media_types));
        match (found.next(), found.next()) {
            (layer, None) => Ok(layer),
            (_, Some(_)) => Err(ManifestError::Several(what)),
        }
    }
}

impl Index {
    /// The entry for WebAssembly: for `wasm/wasip2`, else for `wasm` at all, else the one whose
    /// artifact is a component, else the only entry, if it has no platform.
    pub(super) fn choose(&self) -> Result<&Descriptor, ManifestError> {
        let of = |platform: &Platform| platform.architecture == "wasm";
        let fitness: [&dyn Fn(&Descriptor) -> bool; 4] = [
            &|entry| (entry.platform.as_ref()).is_some_and(|own| of(own) && own.os == "wasip2"),
            &|entry| entry.platform.as_ref().is_some_and(of),
            &|entry| {
                let own = entry.artifact_type.as_deref().map(essence);
                own.is_some_and(|own| own == WASM_CONFIG || WASM_MEDIA_TYPES.contains(&own))
            },
            &|entry| entry.platform.is_none() && self.entries.len() == 1,
        ];
        for fits in fitness {
            let found: Vec<&Descriptor> = self.entries.iter().filter(|entry| fits(entry)).collect();
            let Some(first) = found.first() else {
                continue;
            };
            if found.iter().any(|other| other.digest != first.digest) {
                return Err(ManifestError::SeveralPlatforms(found.len()));
            }
            if first.is_of(&[OCI_INDEX, DOCKER_LIST]) {
                return Err(ManifestError::NestedIndex);
            }
            return Ok(first);
        }
        Err(ManifestError::NoPlatform(self.entries.len()))
    }
}

/// Whether JSON is nested more than [`MAX_DEPTH`] deep, told without reading it.
fn is_too_deep(json: &[u8]) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest > MAX_DEPTH
}

/// A list of at most `MOST`; `null` is an empty one, as some programs write it.
fn at_most<'de, D, T, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct AtMost<T, const MOST: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for AtMost<T, MOST> {
        type Value = Vec<T>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a list of at most {MOST}")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while list.len() < MOST {
                match items.next_element()? {
                    Some(item) => list.push(item),
                    None => return Ok(list),
                }
            }
            match items.next_element::<IgnoredAny>()? {
                None => Ok(list),
                Some(_) => Err(A::Error::custom("too many")),
            }
        }
    }
    from.deserialize_any(AtMost::<T, MOST>(PhantomData))
}

/// Annotations within their bounds, each key once.
fn annotations<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Annotations;
    impl<'de> Visitor<'de> for Annotations {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "at most {MAX_ANNOTATIONS} annotations")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(BTreeMap::new())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
            let mut annotations = BTreeMap::new();
            while let Some((key, value)) = pairs.next_entry::<String, String>()? {
                if annotations.len() >= MAX_ANNOTATIONS {
                    return Err(A::Error::custom("too many annotations"));
                }
                if key.len() + value.len() > MAX_ANNOTATION_BYTES {
                    return Err(A::Error::custom("an annotation is too long"));
                }
                if annotations.insert(key, value).is_some() {
                    return Err(A::Error::custom("an annotation is there twice"));
                }
            }
            Ok(annotations)
        }
    }
    from.deserialize_any(Annotations)
}

#[cfg(test)]
mod tests;
