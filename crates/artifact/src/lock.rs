//! What the lock says: values, their text, and why a text is refused.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use casemate_policy::{ArtifactIdentity, ComponentName, Digest, Tenant};
use serde::{Deserialize, Serialize};

use crate::home::disk_hint;
use crate::read::FileKind;

#[cfg(test)]
mod tests;

/// Largest lock file that is read or written, in bytes: 4 MiB, some ten thousand entries.
pub(crate) const MAX_LOCK_BYTES: u64 = 4 * 1024 * 1024;

/// Longest `source` in bytes: the longest path, each byte written as `%41`.
const MAX_SOURCE_BYTES: usize = 3 * 4096 + 16;

/// Longest `added` in bytes; a time in RFC 3339 has 20 to 35.
const MAX_ADDED_BYTES: usize = 64;

const HEADER: &str =
    "# Written by casemate: binds each name to the exact bytes that run under it.\n";

/// Which bytes run under which name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The installed components, in the order of their names.
    pub components: BTreeMap<ComponentName, LockEntry>,
}

/// What is bound to one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEntry {
    /// Digest of the component's bytes.
    pub digest: Digest,
    /// Where they came from, for a person to read: `file:///abs/path`.
    pub source: String,
    /// Digest of the tool list that the person saw when adding it.
    pub tools: Digest,
    /// Whose component it is.
    pub tenant: Tenant,
    /// Digest of the WIT docs that were given at install.
    pub docs: Option<Digest>,
    /// When it was added, in RFC 3339; the caller's clock, for a person to read.
    pub added: String,
}

impl LockEntry {
    /// The identity that the entry promises; the bytes prove it when they are loaded.
    pub fn identity(&self) -> ArtifactIdentity {
        ArtifactIdentity::new(self.digest, self.source.clone(), None)
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
    #[error("the lock cannot bind {name} to {digest}: {what} not in the store")]
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

/// The file as it is on disk; the domain types above know nothing about TOML.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLock {
    version: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<String, WireEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEntry {
    digest: String,
    source: String,
    tools: String,
    tenant: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<String>,
    added: String,
}

/// Read before anything else, so that a later format is recognised whatever it contains.
#[derive(Deserialize)]
struct WireVersion {
    version: Option<toml::Value>,
}

impl Lock {
    /// The version of the format that this release reads and writes.
    pub const VERSION: i64 = 1;

    /// Reads the text of a lock; `path` is for the messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Lock, LockError> {
        let malformed = |message: String| LockError::Malformed {
            path: path.to_owned(),
            position: None,
            message,
        };
        let toml_error = |error: &toml::de::Error| LockError::Malformed {
            path: path.to_owned(),
            position: error
                .span()
                .and_then(|span| line_and_column(text, span.start)),
            message: error.message().to_owned(),
        };
        let stated: WireVersion = toml::from_str(text).map_err(|error| toml_error(&error))?;
        match stated.version {
            Some(toml::Value::Integer(Lock::VERSION)) => {}
            Some(toml::Value::Integer(found)) if found > Lock::VERSION => {
                return Err(LockError::FutureVersion {
                    path: path.to_owned(),
                    found,
                    supported: Lock::VERSION,
                });
            }
            Some(other) => {
                return Err(malformed(format!(
                    "version = {other} is not a version of the lock"
                )));
            }
            None => return Err(malformed("version is missing".to_owned())),
        }
        let wire: WireLock = toml::from_str(text).map_err(|error| toml_error(&error))?;
        let mut components = BTreeMap::new();
        for (name, entry) in wire.components {
            let parsed: ComponentName = name
                .parse()
                .map_err(|error| malformed(format!("components.{name:?}: {error}")))?;
            let entry = entry
                .parse()
                .map_err(|reason| malformed(format!("components.{name}.{reason}")))?;
            components.insert(parsed, entry);
        }
        Ok(Lock { components })
    }

    /// The text of the lock: the same for equal locks, and [`Lock::parse`] gives the lock back.
    pub(crate) fn print(&self) -> Result<String, LockError> {
        let mut components = BTreeMap::new();
        for (name, entry) in &self.components {
            check_texts(&entry.source, &entry.added).map_err(|reason| LockError::Refused {
                reason: format!("components.{name}.{reason}"),
            })?;
            components.insert(name.as_str().to_owned(), WireEntry::from(entry));
        }
        let body = toml::to_string(&WireLock {
            version: Lock::VERSION,
            components,
        })
        .map_err(|error| LockError::Refused {
            reason: error.to_string(),
        })?;
        Ok(format!("{HEADER}{body}"))
    }
}

impl From<&LockEntry> for WireEntry {
    fn from(entry: &LockEntry) -> WireEntry {
        WireEntry {
            digest: entry.digest.to_string(),
            source: entry.source.clone(),
            tools: entry.tools.to_string(),
            tenant: entry.tenant.as_str().to_owned(),
            docs: entry.docs.map(|docs| docs.to_string()),
            added: entry.added.clone(),
        }
    }
}

impl WireEntry {
    fn parse(self) -> Result<LockEntry, String> {
        check_texts(&self.source, &self.added)?;
        Ok(LockEntry {
            digest: self
                .digest
                .parse()
                .map_err(|error| format!("digest: {error}"))?,
            source: self.source,
            tools: self
                .tools
                .parse()
                .map_err(|error| format!("tools: {error}"))?,
            tenant: self
                .tenant
                .parse()
                .map_err(|error| format!("tenant: {error}"))?,
            docs: self
                .docs
                .map(|docs| docs.parse())
                .transpose()
                .map_err(|error| format!("docs: {error}"))?,
            added: self.added,
        })
    }
}

/// These two are printed to terminals as they are, so they must be one short line without control
/// characters.
fn check_texts(source: &str, added: &str) -> Result<(), String> {
    for (field, text, limit) in [
        ("source", source, MAX_SOURCE_BYTES),
        ("added", added, MAX_ADDED_BYTES),
    ] {
        if text.is_empty() {
            return Err(format!("{field}: is empty"));
        }
        if text.len() > limit {
            return Err(format!(
                "{field}: has {} bytes, at most {limit} are allowed",
                text.len()
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{field}: contains a control character"));
        }
    }
    Ok(())
}

/// Line and column (in characters), both from 1, of a byte offset.
fn line_and_column(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    Some((line, before.get(line_start..)?.chars().count() + 1))
}
