//! Collecting what nothing names any more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use casemate_policy::Digest;

use crate::atomic::{TEMPORARY_PREFIX, sync_directory};
use crate::guard::WriteGuard;
use crate::home::Home;
use crate::lock::LockError;
use crate::lock_file::LockFile;
use crate::store::Sort;

/// What a collection removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Components that no lock entry names, also not as a previous one, by digest.
    pub components: Vec<Digest>,
    /// WIT docs that no lock entry names, by digest.
    pub docs: Vec<Digest>,
    /// Manifests, signatures and texts of policies that no lock entry names, by digest.
    pub records: Vec<Digest>,
    /// Temporary files of writers that were killed.
    pub temporary: Vec<PathBuf>,
    /// Bytes that all of them had.
    pub bytes: u64,
}

/// Why nothing more was collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GcError {
    /// The lock cannot be read, so nobody knows what is still named; nothing was removed.
    #[error("nothing was removed, since the lock cannot be read")]
    Lock(#[source] LockError),
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

impl GcError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            GcError::Lock(error) => error.hint(),
            GcError::Io { source, path, .. } => crate::home::disk_hint(source, path),
        }
    }
}

/// Removes what is stored and neither a lock entry nor one before it names, and temporary files that a kill left
/// behind.
///
/// What is younger than `grace` at `now` is kept: a writer may be about to name or rename it. Files
/// of other names are left alone. It holds the write lock, and a lock that cannot be read stops it
/// before anything is removed.
pub fn gc(home: &Home, grace: Duration, now: SystemTime) -> Result<GcReport, GcError> {
    let _guard = WriteGuard::acquire(home).map_err(|error| GcError::Lock(error.into()))?;
    let lock = LockFile::load(home).map_err(GcError::Lock)?;
    let mut named = BTreeSet::new();
    for entry in lock.components.values() {
        named.extend(entry.stored());
    }
    let mut report = GcReport::default();
    let store = home.components_dir();
    for directory in home.directories() {
        let mut removed = false;
        for old in old_files(&directory, grace, now)? {
            let sort = if directory == store {
                Sort::of_file_name(&old.name)
            } else {
                None
            };
            match sort {
                Some((sort, digest)) if !named.contains(&(sort, digest)) => {
                    remove(&old.path)?;
                    match sort {
                        Sort::Component => report.components.push(digest),
                        Sort::Docs => report.docs.push(digest),
                        Sort::Manifest | Sort::Evidence | Sort::Policy => {
                            report.records.push(digest);
                        }
                    }
                }
                None if old.name.starts_with(TEMPORARY_PREFIX) => {
                    remove(&old.path)?;
                    report.temporary.push(old.path);
                }
                Some(_) | None => continue,
            }
            removed = true;
            report.bytes = report.bytes.saturating_add(old.bytes);
        }
        if removed {
            sync_directory(&directory).map_err(|source| GcError::Io {
                action: "sync",
                path: directory,
                source,
            })?;
        }
    }
    Ok(report)
}

struct OldFile {
    name: String,
    path: PathBuf,
    bytes: u64,
}

/// Files (not directories) that have not been written for `grace`, in the order of their names.
fn old_files(directory: &Path, grace: Duration, now: SystemTime) -> Result<Vec<OldFile>, GcError> {
    let failed = |source| GcError::Io {
        action: "list",
        path: directory.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let file_name = entry.file_name();
        let Some(name) = OsStr::to_str(&file_name) else {
            continue;
        };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Another writer finished with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let modified = metadata.modified().map_err(failed)?;
        // A time in the future is an age of zero.
        let age = now.duration_since(modified).unwrap_or_default();
        if !metadata.is_dir() && age >= grace {
            files.push(OldFile {
                name: name.to_owned(),
                path: entry.path(),
                bytes: metadata.len(),
            });
        }
    }
    files.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(files)
}

fn remove(path: &Path) -> Result<(), GcError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(GcError::Io {
            action: "remove",
            path: path.to_owned(),
            source,
        }),
    }
}
