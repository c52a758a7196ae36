//! From a reference to a component and what came with it.

use casemate_policy::Digest;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::digest::{Hashed, sha256};
use crate::fetch::FetchRequest;
use crate::oci::blob::{self, Blob, stated_digest};
use crate::oci::evidence;
use crate::oci::manifest::{ACCEPTED, Descriptor, Image, Manifest};
use crate::oci::session::{Access, Session, accepting};
use crate::package::{MAX_REQUEST_BYTES, POLICY_MEDIA_TYPES, Package, WIT_MEDIA_TYPE};
use crate::reference::OciReference;
use crate::remote::{ManifestError, RemoteError};
use crate::sources::{Silent, Sources};
use crate::store::MAX_DOCS_BYTES;

/// Largest manifest or index, in bytes (the size that the OCI distribution spec asks registries to
/// take).
pub(super) const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// What a manifest is asked for by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key<'a> {
    Tag(&'a str),
    Digest(&'a Digest),
}

/// A document of the registry, whose bytes hash to `digest`.
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) content_type: Option<String>,
}

impl Document {
    pub(super) fn read(&self) -> Result<Manifest, ManifestError> {
        Manifest::read(&self.bytes, self.content_type.as_deref())
    }

    /// Whether it can be read as a manifest or an index, of what kind it says it is.
    pub(crate) fn is_readable(&self) -> bool {
        self.read().is_ok()
    }
}

/// Fetches the component that `reference` names, its policy request, its WIT text and what claims to
/// sign it.
pub(crate) async fn pull(
    sources: &Sources,
    reference: &OciReference,
    request: FetchRequest<'_>,
) -> Result<(Hashed, Package), RemoteError> {
    let repository = reference.repository();
    let mut session = Session::with(sources, reference.registry(), repository, Access::Pull)?;
    let (document, image) = resolve(&mut session, reference, request.manifest.as_ref()).await?;
    let wasm = image.wasm()?;
    let limit = request.limits.max_bytes;
    let wasm = bounded(wasm, "the WebAssembly layer", limit)?;
    let policy = image.optional(&POLICY_MEDIA_TYPES, "policy")?;
    let policy = policy.map(|layer| bounded(layer, "the policy layer", MAX_REQUEST_BYTES));
    let wit = image.optional(&[WIT_MEDIA_TYPE], "WIT")?;
    let wit = wit.map(|layer| bounded(layer, "the WIT layer", MAX_DOCS_BYTES));
    let policy = text(&mut session, policy.transpose()?, "policy").await?;
    let wit = text(&mut session, wit.transpose()?, "WIT").await?;
    let evidence = evidence::of(&mut session, &document.digest).await?;
    let component = blob::fetch(&mut session, &wasm, request.progress).await?;
    let package = Package {
        manifest: document.digest,
        manifest_bytes: document.bytes,
        annotations: image.annotations,
        policy,
        wit,
        evidence,
    };
    Ok((component, package))
}

/// The manifest: what is pinned, else the digest of the reference, else what the tag names now. From
/// there on everything is asked for by digest.
async fn resolve(
    session: &mut Session<'_>,
    reference: &OciReference,
    pinned: Option<&Digest>,
) -> Result<(Document, Image), RemoteError> {
    let key = match (pinned.or(reference.digest()), reference.tag()) {
        (Some(digest), _) => Key::Digest(digest),
        (None, Some(tag)) => Key::Tag(tag),
        (None, None) => Key::Tag("latest"),
    };
    let document = manifest(session, key, MAX_MANIFEST_BYTES).await?;
    let index = match document.read()? {
        Manifest::Image(image) => return Ok((document, image)),
        Manifest::Index(index) => index,
    };
    let chosen = index.choose()?.digest("entry of the index")?;
    let document = manifest(session, Key::Digest(&chosen), MAX_MANIFEST_BYTES).await?;
    match document.read()? {
        Manifest::Image(image) => Ok((document, image)),
        Manifest::Index(_) => Err(ManifestError::NestedIndex.into()),
    }
}

/// A manifest or index. What it is called is the digest of its bytes, whatever a header says.
pub(crate) async fn manifest(
    session: &mut Session<'_>,
    key: Key<'_>,
    limit: u64,
) -> Result<Document, RemoteError> {
    let (path, what) = match key {
        Key::Tag(tag) => (format!("manifests/{tag}"), format!("tag {tag}")),
        Key::Digest(digest) => (format!("manifests/{digest}"), format!("manifest {digest}")),
    };
    let url = session.url(&path)?;
    let answer = session.ask(accepting(url, ACCEPTED)).await?;
    let deadlines = session.wire.deadlines;
    if answer.status != StatusCode::OK {
        return Err(answer.refusal(&what, deadlines).await);
    }
    let content_type = answer.field(&CONTENT_TYPE).map(str::to_owned);
    let stated = stated_digest(&answer);
    let bytes = answer.small("the manifest", limit, deadlines).await?;
    let digest = sha256(&bytes);
    if let Key::Digest(expected) = key
        && *expected != digest
    {
        return Err(RemoteError::Digest {
            what,
            expected: *expected,
            found: digest,
        });
    }
    if let Some(stated) = stated.filter(|stated| *stated != digest) {
        return Err(RemoteError::LyingHeader {
            place: session.place(),
            what,
            stated,
            found: digest,
        });
    }
    Ok(Document {
        bytes,
        digest,
        content_type,
    })
}

/// A layer as a blob, if it is not larger than there may be.
fn bounded(layer: &Descriptor, what: &'static str, limit: u64) -> Result<Blob, RemoteError> {
    if layer.size > limit {
        return Err(RemoteError::TooLarge {
            what: what.to_owned(),
            limit,
        });
    }
    Ok(Blob {
        what,
        digest: layer.digest("layer")?,
        size: layer.size,
    })
}

async fn text(
    session: &mut Session<'_>,
    layer: Option<Blob>,
    what: &'static str,
) -> Result<Option<String>, RemoteError> {
    let Some(layer) = layer else {
        return Ok(None);
    };
    let bytes = blob::fetch(session, &layer, &Silent).await?.into_bytes();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(ManifestError::NotText(what).into()),
    }
}
