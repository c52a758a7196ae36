//! Pushing: a component to a registry, and signatures to where verifiers look for them (OCI
//! distribution spec 1.1, "Pushing manifests", "Pushing manifests with subject").
//!
//! It goes over the same transport as fetching. Digests are our own: what a registry says of the bytes
//! is compared with what they hash to, and an upload is followed to the registry's own origin only.

mod attach;
mod content;
mod upload;

use casemate_policy::Digest;

use crate::oci::session::{Access, Session};
use crate::reference::OciReference;
use crate::remote::RemoteError;
use crate::sources::Sources;
use crate::wire::wait;

pub use attach::{Attached, attach};
pub use content::PushContent;

use upload::Upload;

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// SHA-256 of the manifest: what a signature is for.
    pub manifest: Digest,
    /// Blobs that were sent.
    pub sent: usize,
    /// Blobs that the registry had already.
    pub present: usize,
    /// Bytes of the blobs that were sent.
    pub bytes: u64,
}

/// Why nothing, or not everything, was pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The content is not what could be pulled again.
    #[error("this cannot be pushed: {0}")]
    Content(&'static str),
    /// The reference has a digest, and the content has another.
    #[error("the reference says {expected}, and what would be pushed has the manifest {found}")]
    OtherDigest {
        /// The digest of the reference.
        expected: Digest,
        /// The digest of the manifest that was made.
        found: Digest,
    },
    /// Another signature or referrer is in the way of this one.
    #[error("{what} in the registry is not what signatures are kept in; nothing was added to it")]
    InTheWay {
        /// The tag.
        what: String,
    },
    /// The registry, or the way to it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl PushError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PushError::Content(_) => None,
            PushError::OtherDigest { .. } => {
                Some("leave the digest out of the reference".to_owned())
            }
            PushError::InTheWay { .. } => {
                Some("see what is there, and remove the tag if it is nobody's".to_owned())
            }
            PushError::Remote(error) => error.hint(),
        }
    }

    /// Whether the registry gave or named other bytes than those that were meant.
    pub fn is_verification(&self) -> bool {
        matches!(self, PushError::Remote(error) if error.is_verification())
    }
}

/// Pushes a component. Blobs that the registry has are not sent again; the manifest is sent last, so
/// that nobody sees it without them.
///
/// Blocking. Nothing is left in the registry but blobs that nobody names if it fails before the end.
pub fn push(
    sources: &Sources,
    reference: &OciReference,
    content: &PushContent,
) -> Result<Pushed, PushError> {
    let assembled = content.assemble()?;
    let found = assembled.manifest.digest;
    if let Some(expected) = reference.digest().filter(|expected| **expected != found) {
        return Err(PushError::OtherDigest {
            expected: *expected,
            found,
        });
    }
    talk(sources, reference, || async {
        let mut upload = Upload::new(Session::with(
            sources,
            reference.registry(),
            reference.repository(),
            Access::Push,
        )?);
        let mut pushed = Pushed {
            manifest: found,
            sent: 0,
            present: 0,
            bytes: 0,
        };
        for blob in &assembled.blobs {
            if upload.blob(blob).await? {
                pushed.sent += 1;
                pushed.bytes += blob.bytes.len() as u64;
            } else {
                pushed.present += 1;
            }
        }
        let tag = reference.tag().map(str::to_owned);
        let name = tag.unwrap_or_else(|| found.to_string());
        upload.manifest(&name, &assembled.manifest).await?;
        Ok(pushed)
    })
}

/// Runs a conversation with the registry of `reference` to its end.
fn talk<T: Send, F: Future<Output = Result<T, PushError>>>(
    sources: &Sources,
    reference: &OciReference,
    work: impl FnOnce() -> F + Send,
) -> Result<T, PushError> {
    let origin = reference.registry().to_string();
    wait(&sources.deadlines, &origin, || async { Ok(work().await) })?
}
