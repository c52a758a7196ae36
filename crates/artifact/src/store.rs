//! The content store: bytes under the name of their digest, and never trusted for that name.

use std::io;
use std::path::{Path, PathBuf};

use casemate_policy::{Digest, Reason};

use crate::atomic::{directory_of, sync_directory, write_atomic};
use crate::digest::{Hashed, sha256};
use crate::fetch::{FetchLimits, VerifiedArtifact};
use crate::home::{Home, create_directory, disk_hint};
use crate::lock::LockEntry;
use crate::package::MAX_EVIDENCE_BYTES;
use crate::protected::MAX_POLICY_BYTES;
use crate::read::{FileKind, Links, ReadError, open_regular, read_regular};
use crate::reference::source_of_file;

/// Largest text of WIT docs kept beside a component, in bytes: 1 MiB.
pub const MAX_DOCS_BYTES: u64 = 1024 * 1024;

/// Largest manifest of a registry that is kept, in bytes: 4 MiB, what the OCI distribution specification asks
/// registries to take.
pub const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

/// Store files are never changed in place, so not even their owner may write them.
const STORE_FILE_MODE: u32 = 0o400;

/// Files named by the digest of their content.
///
/// Every load reads the file once, without following a link, hashes what was read and compares: a
/// file that was altered, swapped or replaced by a link is an error that says so, and its bytes go
/// nowhere.
#[derive(Clone, Debug)]
pub struct ContentStore {
    directory: PathBuf,
    max_bytes: u64,
}

/// Why the store could not keep or give bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing is stored under the digest.
    #[error("the bytes of {digest} are not in the store ({})", path.display())]
    Missing {
        /// The digest that was asked for.
        digest: Digest,
        /// Where they should be.
        path: PathBuf,
    },
    /// The bytes on disk are not those that were stored.
    #[error("{} was altered: its bytes hash to {found}, not to {digest}", path.display())]
    Altered {
        /// The digest that was asked for.
        digest: Digest,
        /// The digest of what is there.
        found: Digest,
        /// The file.
        path: PathBuf,
    },
    /// Something that Casemate did not put there: a link, a directory, a pipe.
    #[error("{} was replaced: it is {kind}, not the stored file of {digest}", path.display())]
    Replaced {
        /// The digest that was asked for.
        digest: Digest,
        /// What is there.
        kind: FileKind,
        /// The file.
        path: PathBuf,
    },
    /// More bytes than the store takes or gives.
    #[error("{} is too large: {what} may have at most {limit} bytes", path.display())]
    TooLarge {
        /// What the bytes are.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
        /// The file, present or to be.
        path: PathBuf,
    },
    /// Stored docs, or a stored policy, that are not text.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// The stable reason (`verify.digest`) when the bytes are not what the digest promises.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            StoreError::Altered { .. } | StoreError::Replaced { .. } => Some(Reason::VerifyDigest),
            StoreError::Missing { .. }
            | StoreError::TooLarge { .. }
            | StoreError::NotText { .. }
            | StoreError::Io { .. } => None,
        }
    }

    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            StoreError::Missing { .. }
            | StoreError::Altered { .. }
            | StoreError::Replaced { .. } => Some(
                "add the component again from its source: casemate add REF --name NAME".to_owned(),
            ),
            StoreError::Io { source, path, .. } => disk_hint(source, path),
            StoreError::TooLarge { .. } | StoreError::NotText { .. } => None,
        }
    }
}

impl ContentStore {
    /// The store of a home, with the default bound of [`FetchLimits`] on a component.
    pub fn new(home: &Home) -> ContentStore {
        ContentStore {
            directory: home.components_dir(),
            max_bytes: FetchLimits::default().max_bytes,
        }
    }

    /// The same store with another bound on a component: the one it was fetched with.
    #[must_use]
    pub fn with_limits(mut self, limits: &FetchLimits) -> ContentStore {
        self.max_bytes = limits.max_bytes;
        self
    }

    /// Keeps the bytes of an artifact; they are durable when this returns.
    ///
    /// Bytes that are already there are read and compared; what was altered is written anew.
    pub fn put(&self, artifact: &VerifiedArtifact) -> Result<(), StoreError> {
        self.keep(Sort::Component, artifact.digest(), artifact.bytes())
    }

    /// Gives the bytes under a digest, hashed again. The source is the store file: the store does
    /// not know more.
    pub fn get(&self, digest: &Digest) -> Result<VerifiedArtifact, StoreError> {
        let hashed = self.verified(Sort::Component, digest)?;
        Ok(VerifiedArtifact::mint(
            hashed,
            source_of_file(&self.path(Sort::Component, digest)),
        ))
    }

    /// Gives the bytes that a lock entry names, hashed again, with the source that the entry
    /// states.
    pub fn load(&self, entry: &LockEntry) -> Result<VerifiedArtifact, StoreError> {
        let hashed = self.verified(Sort::Component, &entry.digest)?;
        Ok(VerifiedArtifact::mint(hashed, entry.source.clone()))
    }

    /// Whether a regular file is stored under the digest. It says nothing about its bytes: only
    /// loading does.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.has(Sort::Component, digest)
    }

    /// Removes the bytes under a digest; whether there were any.
    pub fn remove(&self, digest: &Digest) -> Result<bool, StoreError> {
        let path = self.path(Sort::Component, digest);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => {
                return Err(StoreError::Io {
                    action: "remove",
                    path,
                    source,
                });
            }
        }
        sync_directory(&self.directory).map_err(|source| StoreError::Io {
            action: "sync",
            path: self.directory.clone(),
            source,
        })?;
        Ok(true)
    }

    /// Keeps the WIT text that was given at install, and returns the digest to note in the lock
    /// entry.
    pub fn put_docs(&self, text: &str) -> Result<Digest, StoreError> {
        let digest = sha256(text.as_bytes());
        self.keep(Sort::Docs, &digest, text.as_bytes())?;
        Ok(digest)
    }

    /// Gives docs by their own digest, hashed again.
    pub fn get_docs(&self, digest: &Digest) -> Result<String, StoreError> {
        let hashed = self.verified(Sort::Docs, digest)?;
        String::from_utf8(hashed.into_bytes()).map_err(|_| StoreError::NotText {
            path: self.path(Sort::Docs, digest),
        })
    }

    /// Keeps the manifest that named a component, byte for byte, and returns its digest.
    pub fn put_manifest(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = sha256(bytes);
        self.keep(Sort::Manifest, &digest, bytes)?;
        Ok(digest)
    }

    /// Gives a manifest by its digest, hashed again.
    pub fn get_manifest(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        Ok(self.verified(Sort::Manifest, digest)?.into_bytes())
    }

    /// Keeps the signatures that were found for a manifest, and returns the digest to note in the lock entry.
    pub fn put_evidence(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = sha256(bytes);
        self.keep(Sort::Evidence, &digest, bytes)?;
        Ok(digest)
    }

    /// Gives kept signatures by their digest, hashed again. Whether they hold is another question.
    pub fn get_evidence(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        Ok(self.verified(Sort::Evidence, digest)?.into_bytes())
    }

    /// Keeps the text of a policy file that is about to be replaced, and returns its digest.
    pub fn put_policy(&self, text: &str) -> Result<Digest, StoreError> {
        let digest = sha256(text.as_bytes());
        self.keep(Sort::Policy, &digest, text.as_bytes())?;
        Ok(digest)
    }

    /// Gives the text of a policy by its digest, hashed again.
    pub fn get_policy(&self, digest: &Digest) -> Result<String, StoreError> {
        let hashed = self.verified(Sort::Policy, digest)?;
        String::from_utf8(hashed.into_bytes()).map_err(|_| StoreError::NotText {
            path: self.path(Sort::Policy, digest),
        })
    }

    /// Whether docs are stored under the digest.
    pub fn contains_docs(&self, digest: &Digest) -> bool {
        self.has(Sort::Docs, digest)
    }

    /// Whether a manifest is stored under the digest.
    pub fn contains_manifest(&self, digest: &Digest) -> bool {
        self.has(Sort::Manifest, digest)
    }

    /// Whether signatures are stored under the digest.
    pub fn contains_evidence(&self, digest: &Digest) -> bool {
        self.has(Sort::Evidence, digest)
    }

    pub(crate) fn has(&self, sort: Sort, digest: &Digest) -> bool {
        open_regular(&self.path(sort, digest), Links::Refuse).is_ok()
    }

    fn path(&self, sort: Sort, digest: &Digest) -> PathBuf {
        self.directory.join(sort.file_name(digest))
    }

    fn limit(&self, sort: Sort) -> u64 {
        match sort {
            Sort::Component => self.max_bytes,
            Sort::Docs => MAX_DOCS_BYTES,
            Sort::Manifest => MAX_MANIFEST_BYTES,
            Sort::Evidence => MAX_EVIDENCE_BYTES,
            Sort::Policy => MAX_POLICY_BYTES,
        }
    }

    fn keep(&self, sort: Sort, digest: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(sort, digest);
        // What could not be loaded later is not stored now.
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > self.limit(sort) {
            return Err(StoreError::TooLarge {
                what: sort.word(),
                limit: self.limit(sort),
                path,
            });
        }
        match self.verified(sort, digest) {
            Ok(_) if touch(&path).is_ok() => return Ok(()),
            Ok(_) | Err(StoreError::Missing { .. }) => {}
            Err(damaged) => tracing::warn!(%damaged, "the stored file is written anew"),
        }
        create_directory(&self.directory).map_err(|error| {
            let (path, source) = error.into_parts();
            StoreError::Io {
                action: "create",
                path,
                source,
            }
        })?;
        write_atomic(&path, bytes, STORE_FILE_MODE).map_err(|source| StoreError::Io {
            action: "write",
            path,
            source,
        })
    }

    /// Reads the file once and gives exactly the bytes that were hashed.
    fn verified(&self, sort: Sort, digest: &Digest) -> Result<Hashed, StoreError> {
        let path = self.path(sort, digest);
        let limit = self.limit(sort);
        let bytes = match read_regular(&path, limit, Links::Refuse) {
            Ok(file) => file.bytes,
            Err(ReadError::Missing) => {
                return Err(StoreError::Missing {
                    digest: *digest,
                    path,
                });
            }
            Err(ReadError::NotRegular(kind)) => {
                return Err(StoreError::Replaced {
                    digest: *digest,
                    kind,
                    path,
                });
            }
            Err(ReadError::TooLarge { .. }) => {
                return Err(StoreError::TooLarge {
                    what: sort.word(),
                    limit,
                    path,
                });
            }
            Err(ReadError::Io(source)) => {
                return Err(StoreError::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        };
        let hashed = Hashed::new(bytes);
        let found = hashed.digest();
        if found == *digest {
            Ok(hashed)
        } else {
            Err(StoreError::Altered {
                digest: *digest,
                found,
                path,
            })
        }
    }
}

/// What a store file is; its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sort {
    Component,
    Docs,
    Manifest,
    Evidence,
    Policy,
}

impl Sort {
    const ALL: [Sort; 5] = [
        Sort::Component,
        Sort::Docs,
        Sort::Manifest,
        Sort::Evidence,
        Sort::Policy,
    ];

    /// What it is, for messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Sort::Component => "a component",
            Sort::Docs => "the WIT docs of a component",
            Sort::Manifest => "a manifest",
            Sort::Evidence => "the signatures of a manifest",
            Sort::Policy => "a policy",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Sort::Component => ".wasm",
            Sort::Docs => ".wit",
            Sort::Manifest => ".manifest.json",
            Sort::Evidence => ".sig.json",
            Sort::Policy => ".yaml",
        }
    }

    /// `sha256-<hex>.wasm`: a colon is awkward in shells and on other file systems.
    pub(crate) fn file_name(self, digest: &Digest) -> String {
        format!("sha256-{}{}", digest.hex(), self.extension())
    }

    /// What a file name of the store says; `None` for every other name.
    pub(crate) fn of_file_name(name: &str) -> Option<(Sort, Digest)> {
        let rest = name.strip_prefix("sha256-")?;
        Sort::ALL.into_iter().find_map(|sort| {
            let digest: Digest = format!("sha256:{}", rest.strip_suffix(sort.extension())?)
                .parse()
                .ok()?;
            // Only the one spelling that we write.
            (sort.file_name(&digest) == name).then_some((sort, digest))
        })
    }
}

/// Makes a file that is stored again young, so that a collection between here and the lock entry
/// spares it.
fn touch(path: &Path) -> io::Result<()> {
    let (file, _) =
        open_regular(path, Links::Refuse).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    rustix::fs::futimens(
        &file,
        &rustix::fs::Timestamps {
            last_access: now,
            last_modification: now,
        },
    )?;
    sync_directory(directory_of(path))
}
