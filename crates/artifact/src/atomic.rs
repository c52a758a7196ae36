//! Writing a file so that a crash at any moment leaves the old content or the new.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::read::FileKind;

/// How the names of temporary files begin; `gc` finds what a kill left behind by it.
pub(crate) const TEMPORARY_PREFIX: &str = ".casemate-tmp-";

/// Replaces the file at `path` with `bytes`, atomically and durably, with exactly the permission
/// bits `mode`.
///
/// The bytes go to a temporary file in the same directory, which is synced and renamed over `path`;
/// then the directory is synced. A symbolic link at `path` is itself replaced. After an error the
/// old file is as it was.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = directory_of(path);
    // Created 0600 by `tempfile`, and opened up only when complete.
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary
        .as_file()
        .set_permissions(Permissions::from_mode(mode & 0o7777))?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    sync_directory(directory)
}

/// Makes renames and removals in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The directory a path lies in; the current one for a bare name.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Where a person's file really lies, and what is there now.
///
/// Many keep these files as links into a repository of their own; writing to the target keeps the
/// link.
pub(crate) struct Target {
    pub(crate) path: PathBuf,
    pub(crate) existing: Option<Metadata>,
}

impl Target {
    /// Looks at `path`, through links. A link to nothing is an error, as is everything that is not
    /// a regular file.
    pub(crate) fn resolve(path: &Path) -> Result<Target, TargetError> {
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Target {
                    path: path.to_owned(),
                    existing: None,
                });
            }
            Err(error) => return Err(TargetError::Io(error)),
            Ok(_) => {}
        }
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(TargetError::NotRegular(FileKind::DanglingLink));
            }
            Err(error) => return Err(TargetError::Io(error)),
        };
        let metadata = std::fs::symlink_metadata(&resolved).map_err(TargetError::Io)?;
        match FileKind::of(metadata.file_type()) {
            None => Ok(Target {
                path: resolved,
                existing: Some(metadata),
            }),
            Some(kind) => Err(TargetError::NotRegular(kind)),
        }
    }

    /// Writes the file anew and keeps its permission bits; a new one is for its owner only.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mode = self
            .existing
            .as_ref()
            .map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
        write_atomic(&self.path, bytes, mode)
    }
}

/// Why a person's file cannot be replaced.
#[derive(Debug)]
pub(crate) enum TargetError {
    NotRegular(FileKind),
    Io(io::Error),
}

/// Whether every user of the machine may write what has these permission bits.
pub(crate) fn world_writable(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o002 != 0).then_some(mode)
}

/// The owner, where it is neither this user nor root.
pub(crate) fn foreign_owner(metadata: &Metadata) -> Option<u32> {
    let owner = metadata.uid();
    (owner != 0 && owner != rustix::process::geteuid().as_raw()).then_some(owner)
}
