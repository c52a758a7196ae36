//! What the lock says: values, their text, and why a text is refused.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use casemate_policy::{ArtifactIdentity, ComponentName, Digest, Signer, Tenant};

use crate::home::disk_hint;
use crate::read::FileKind;
use crate::store::Sort;

mod binding;
#[cfg(test)]
mod tests;
mod wire;

pub use binding::manifest_names;

/// Largest lock file that is read or written, in bytes: 4 MiB, some ten thousand entries.
pub(crate) const MAX_LOCK_BYTES: u64 = 4 * 1024 * 1024;

/// Most replaced entries that are kept under one name.
pub const MAX_PREVIOUS: usize = 5;

/// Which bytes run under which name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The installed components, in the order of their names.
    pub components: BTreeMap<ComponentName, LockEntry>,
}

/// What is bound to one name.
///
/// All digests but `tools` and `policy` are names in the content store of the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEntry {
    /// Digest of the component's bytes.
    pub digest: Digest,
    /// Where they came from, in the one spelling of a reference: `file:///abs/path`, `oci://…`, `https://…`.
    pub source: String,
    /// Digest of the manifest that named the bytes, for what came from a registry.
    pub manifest: Option<Digest>,
    /// Digest of the signatures that were found for the manifest, as they came.
    pub evidence: Option<Digest>,
    /// Who was verified to have signed it when it was added.
    pub signer: Option<Signer>,
    /// A person chose that its signatures are not verified.
    pub verification_skipped: bool,
    /// What the author calls this version (`org.opencontainers.image.version`); a third party's text.
    pub version: Option<String>,
    /// Digest of the tool list that the person saw when adding it.
    pub tools: Digest,
    /// Digest of its policy file as Casemate wrote it last, or as it was locked; `None` where there was no file.
    /// What a person edits by hand since is in force and not in here.
    pub policy: Option<Digest>,
    /// Digest of the policy that the author asked for in a layer of the artifact: a request, kept to tell what a later
    /// version asks for beyond it.
    pub request: Option<Digest>,
    /// Digest of the WIT docs that were given at install.
    pub docs: Option<Digest>,
    /// Whose component it is.
    pub tenant: Tenant,
    /// When it was added, in RFC 3339; the caller's clock, for a person to read.
    pub added: String,
    /// What had the name before, newest first, at most [`MAX_PREVIOUS`].
    pub previous: Vec<Replaced>,
}

/// An entry that another one replaced, with what is needed to return to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The entry as it was; its own `previous` is empty.
    pub entry: LockEntry,
    /// Digest of what its policy file said when it was replaced, in the content store; `None` where there was no
    /// file.
    pub policy_text: Option<Digest>,
    /// A person went back from it to an older one, so that it is newer than what replaced it.
    pub rolled_back: bool,
}

impl LockEntry {
    /// An entry for bytes from `source`, unsigned, without a policy and with nothing before it.
    pub fn new(digest: Digest, source: String, tools: Digest, added: String) -> LockEntry {
        LockEntry {
            digest,
            source,
            manifest: None,
            evidence: None,
            signer: None,
            verification_skipped: false,
            version: None,
            tools,
            policy: None,
            request: None,
            docs: None,
            tenant: Tenant::default(),
            added,
            previous: Vec::new(),
        }
    }

    /// The identity that the entry promises; the bytes prove it when they are loaded.
    pub fn identity(&self) -> ArtifactIdentity {
        let signer = self.signer.as_ref().map(Signer::to_string);
        ArtifactIdentity::new(self.digest, self.source.clone(), signer)
    }

    /// Notes what the author calls this version; a text that is no short line of printable characters is not noted.
    pub fn set_version(&mut self, version: Option<&str>) {
        self.version = version
            .filter(|version| wire::check_line(version, wire::MAX_VERSION_BYTES).is_ok())
            .map(str::to_owned);
    }

    /// Whether the other entry is of the same bytes in the same manifest.
    pub fn is_of_same_bytes(&self, other: &LockEntry) -> bool {
        (self.digest, self.manifest) == (other.digest, other.manifest)
    }

    /// Puts this entry before what `old` had before, and `old` first among it. Older ones of the same bytes as
    /// either are dropped, and what is beyond [`MAX_PREVIOUS`].
    #[must_use]
    pub fn replacing(
        mut self,
        mut old: LockEntry,
        policy_text: Option<Digest>,
        rolled_back: bool,
    ) -> LockEntry {
        let older = std::mem::take(&mut old.previous);
        let older = older.into_iter().filter(|replaced| {
            !replaced.entry.is_of_same_bytes(&old) && !replaced.entry.is_of_same_bytes(&self)
        });
        let older: Vec<Replaced> = older.collect();
        self.previous = if old.is_of_same_bytes(&self) {
            Vec::new()
        } else {
            vec![Replaced {
                entry: old,
                policy_text,
                rolled_back,
            }]
        };
        self.previous.extend(older);
        self.previous.truncate(MAX_PREVIOUS);
        self
    }

    /// Everything in the content store that the entry and those before it name.
    pub(crate) fn stored(&self) -> Vec<(Sort, Digest)> {
        let mut stored = vec![(Sort::Component, self.digest)];
        stored.extend(self.manifest.map(|digest| (Sort::Manifest, digest)));
        stored.extend(self.evidence.map(|digest| (Sort::Evidence, digest)));
        stored.extend(self.docs.map(|digest| (Sort::Docs, digest)));
        stored.extend(self.request.map(|digest| (Sort::Policy, digest)));
        for replaced in &self.previous {
            stored.extend(replaced.policy_text.map(|digest| (Sort::Policy, digest)));
            stored.extend(replaced.entry.stored());
        }
        stored
    }
}

/// Why the lock could not be read or changed. The file is as it was before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The file is not a lock.
    #[error("{}{}: {message}", path.display(), place(*position))]
    Malformed {
        /// The lock file.
        path: PathBuf,
        /// Line and column, from 1, where known.
        position: Option<(usize, usize)>,
        /// What is wrong.
        message: String,
    },
    /// The file was written by a later Casemate.
    #[error("{} has version {found}; this casemate reads version {supported} and left the file as it is", path.display())]
    FutureVersion {
        /// The lock file.
        path: PathBuf,
        /// The version it states.
        found: i64,
        /// The version that this release reads and writes.
        supported: i64,
    },
    /// Everybody on the machine could change what runs.
    #[error("{} can be written by every user (mode {mode:04o}) and is not trusted", path.display())]
    WorldWritable {
        /// The lock file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither this user nor root owns it, so somebody else decides what runs.
    #[error("{} belongs to another user (uid {owner}) and is not trusted", path.display())]
    ForeignOwner {
        /// The lock file.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// A directory, pipe or device has the name of the lock.
    #[error("{} is {kind}; the lock is a regular file", path.display())]
    NotRegular {
        /// The lock file.
        path: PathBuf,
        /// What is there.
        kind: FileKind,
    },
    /// More bytes than a lock may have.
    #[error("{} is too large: a lock may have at most {limit} bytes", path.display())]
    TooLarge {
        /// The lock file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// An entry was to be written whose bytes are not in the store.
    #[error("the lock cannot bind {name} to {digest}: {what} of that digest is not in the store")]
    NotStored {
        /// The name of the entry.
        name: ComponentName,
        /// The digest that is not stored.
        digest: Digest,
        /// What is missing.
        what: &'static str,
    },
    /// An entry was to be written that could not be read again.
    #[error("the lock cannot be written: {reason}")]
    Refused {
        /// Which value, and why.
        reason: String,
    },
    /// Another process kept the write lock.
    #[error("another casemate is changing {} for more than {} s", path.display(), waited.as_secs())]
    Busy {
        /// The file that is locked.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
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

fn place(position: Option<(usize, usize)>) -> String {
    position
        .map(|(line, column)| format!(", line {line}, column {column}"))
        .unwrap_or_default()
}

impl LockError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LockError::Malformed { path, .. } => Some(format!(
                "restore {} from version control, or move it away and add the components again",
                path.display()
            )),
            LockError::FutureVersion { .. } => Some("upgrade casemate".to_owned()),
            LockError::WorldWritable { path, .. } => Some(format!("chmod o-w {}", path.display())),
            LockError::ForeignOwner { path, .. } => {
                Some(format!("chown \"$(id -u)\" {}", path.display()))
            }
            LockError::NotRegular { path, .. } => Some(format!("move {} away", path.display())),
            LockError::Busy { path, .. } => Some(format!(
                "see which process holds it: fuser {}",
                path.display()
            )),
            LockError::Io { source, path, .. } => disk_hint(source, path),
            LockError::TooLarge { .. }
            | LockError::NotStored { .. }
            | LockError::Refused { .. } => None,
        }
    }
}
