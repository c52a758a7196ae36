//! Fetching: from a reference to bytes whose digest is known.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use casemate_policy::{ArtifactIdentity, Digest};

use crate::digest::Hashed;
use crate::https;
use crate::oci;
use crate::package::Package;
use crate::read::{FileKind, Links, ReadError, read_regular};
use crate::reference::{Reference, source_of_file, source_of_memory};
use crate::remote::RemoteError;
use crate::sources::{Progress, Silent, Sources};
use crate::wire::wait;

/// Bounds on what is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Largest artifact in bytes; 32 MiB unless told otherwise (the largest real components,
    /// interpreters, have 18 MB).
    pub max_bytes: u64,
}

impl FetchLimits {
    /// What the product uses.
    pub const STANDARD: FetchLimits = FetchLimits {
        max_bytes: 32 * 1024 * 1024,
    };
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// What is to be fetched, and how.
#[derive(Clone, Copy)]
pub struct FetchRequest<'a> {
    /// Where from.
    pub reference: &'a Reference,
    /// How much at the most.
    pub limits: &'a FetchLimits,
    /// The manifest that it has to be, whatever the reference's tag names by now; registries only.
    pub manifest: Option<Digest>,
    /// Who is told how it goes.
    pub progress: &'a dyn Progress,
}

impl<'a> FetchRequest<'a> {
    /// What `reference` names now, within the product's limits, telling nobody.
    pub fn new(reference: &'a Reference) -> Self {
        Self {
            reference,
            limits: &FetchLimits::STANDARD,
            manifest: None,
            progress: &Silent,
        }
    }
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The bytes, hashed.
    pub artifact: VerifiedArtifact,
    /// What came with them; only from a registry.
    pub package: Option<Package>,
}

/// Bytes with the identity that was computed from those very bytes.
///
/// It can only be made by hashing: [`fetch`], [`VerifiedArtifact::from_memory`] and the content
/// store do. Whether the bytes are a component is the next step's question. A clone is cheap and
/// shares the bytes.
#[derive(Clone)]
pub struct VerifiedArtifact {
    bytes: Arc<Vec<u8>>,
    identity: ArtifactIdentity,
}

impl VerifiedArtifact {
    /// Hashes bytes that an embedding program already has.
    ///
    /// The source is `memory:<digest>`: a caller cannot claim that the bytes came from somewhere
    /// else.
    pub fn from_memory(bytes: Vec<u8>) -> VerifiedArtifact {
        let hashed = Hashed::new(bytes);
        let source = source_of_memory(&hashed.digest());
        VerifiedArtifact::mint(hashed, source)
    }

    /// Binds bytes and their digest to the place they were just read from.
    pub(crate) fn mint(hashed: Hashed, source: String) -> VerifiedArtifact {
        let (bytes, digest) = hashed.into_parts();
        let identity = ArtifactIdentity::new(digest, source, None);
        VerifiedArtifact {
            bytes: Arc::new(bytes),
            identity,
        }
    }

    /// The bytes that the digest was computed from.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Digest and provenance, which a grant is bound to.
    pub fn identity(&self) -> &ArtifactIdentity {
        &self.identity
    }

    /// SHA-256 of the bytes.
    pub fn digest(&self) -> &Digest {
        self.identity.digest()
    }
}

// The bytes would fill a screen.
impl std::fmt::Debug for VerifiedArtifact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("VerifiedArtifact")
            .field("bytes", &self.bytes.len())
            .field("digest", &format_args!("{}", self.digest()))
            .field("source", &self.identity.source())
            .finish()
    }
}

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Nothing is at the path.
    #[error("there is no file {}", path.display())]
    Missing {
        /// The path that was tried.
        path: PathBuf,
    },
    /// A directory, pipe, device or socket.
    #[error("{} is {kind}; a component is read from a regular file", path.display())]
    NotRegular {
        /// The path that was tried.
        path: PathBuf,
        /// What is there.
        kind: FileKind,
    },
    /// More bytes than [`FetchLimits::max_bytes`].
    #[error("{} {}; a component may have at most {limit}", path.display(), stated_size(*size))]
    TooLarge {
        /// The path that was tried.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
        /// The size the file states; `None` when it grew past the limit while it was read.
        size: Option<u64>,
    },
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// The path that was tried.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A registry or server did not give it.
    #[error("cannot fetch {reference}: {error}")]
    Remote {
        /// The reference.
        reference: String,
        /// Why not.
        error: Box<RemoteError>,
    },
}

fn stated_size(size: Option<u64>) -> String {
    match size {
        Some(size) => format!("has {size} bytes"),
        None => "gave more bytes than it states".to_owned(),
    }
}

impl FetchError {
    /// Whether the bytes are not those that were named: a verification said no.
    pub fn is_verification(&self) -> bool {
        matches!(self, FetchError::Remote { error, .. } if error.is_verification())
    }

    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            FetchError::Remote { error, .. } => error.hint(),
            FetchError::Missing { .. } => {
                Some("give the path of a component, such as ./tool.wasm".to_owned())
            }
            FetchError::NotRegular {
                kind: FileKind::Directory,
                path,
            } => Some(format!(
                "name the component file inside it, such as {}",
                path.join("tool.wasm").display()
            )),
            FetchError::NotRegular { .. } | FetchError::TooLarge { .. } => None,
            FetchError::Io { path, source } => (source.kind() == io::ErrorKind::PermissionDenied)
                .then(|| format!("see who may read it: ls -l {}", path.display())),
        }
    }
}

/// Fetches what a reference names, within the request's limits, and computes its digest from the
/// bytes that came. Blocks; nothing is written to disk.
///
/// Files: directories, pipes, devices and sockets are refused before a byte is read, files that state
/// too large a size as well; of one that lies about its size at most one byte over the limit is read.
/// It never waits for a writer. Symbolic links are followed: the person names the file, and the
/// digest is of what was read.
///
/// # Errors
///
/// Fails where the bytes cannot be had, or are not those that the reference or the request pins.
pub fn fetch(sources: &Sources, request: FetchRequest<'_>) -> Result<Fetched, FetchError> {
    match request.reference {
        Reference::File(path) => Ok(Fetched {
            artifact: fetch_file(path, request.limits)?,
            package: None,
        }),
        Reference::Oci(reference) => {
            let (bytes, package) =
                remote(sources, request, || oci::pull(sources, reference, request))?;
            Ok(Fetched {
                artifact: VerifiedArtifact::mint(bytes, reference.to_string()),
                package: Some(package),
            })
        }
        Reference::Https(reference) => {
            let bytes = remote(sources, request, || https::get(sources, reference, request))?;
            Ok(Fetched {
                artifact: VerifiedArtifact::mint(bytes, reference.to_string()),
                package: None,
            })
        }
    }
}

/// Runs what talks to a registry or server, for the caller who waits.
fn remote<T: Send, F: Future<Output = Result<T, RemoteError>>>(
    sources: &Sources,
    request: FetchRequest<'_>,
    work: impl FnOnce() -> F + Send,
) -> Result<T, FetchError> {
    let origin = match request.reference {
        Reference::Oci(reference) => reference.registry().to_string(),
        Reference::Https(reference) => reference.host().to_string(),
        Reference::File(_) => String::new(),
    };
    wait(&sources.deadlines, &origin, work).map_err(|error| FetchError::Remote {
        reference: request.reference.to_string(),
        error: Box::new(error),
    })
}

fn fetch_file(path: &Path, limits: &FetchLimits) -> Result<VerifiedArtifact, FetchError> {
    let path = path.to_owned();
    match read_regular(&path, limits.max_bytes, Links::Follow) {
        Ok(file) => Ok(VerifiedArtifact::mint(
            Hashed::new(file.bytes),
            source_of_file(&path),
        )),
        Err(ReadError::Missing) => Err(FetchError::Missing { path }),
        Err(ReadError::NotRegular(kind)) => Err(FetchError::NotRegular { path, kind }),
        Err(ReadError::TooLarge { size }) => Err(FetchError::TooLarge {
            path,
            limit: limits.max_bytes,
            size,
        }),
        Err(ReadError::Io(source)) => Err(FetchError::Io { path, source }),
    }
}
