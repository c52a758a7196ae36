//! Files that decide what is allowed: policies, the ceiling, the configuration.
//!
//! Reading them fails closed, in this order: absent is absent only when nothing at all has the
//! name; what is there must be a regular file of bounded size; it must belong to this user or to
//! root, and its permission bits must keep everybody else from writing it; the same must hold for
//! its directory, and, where symbolic links lead to it, for the directory of each; and it must be
//! text. Who is in its group may be meant to write it: that is told ([`group_writable`]), not
//! refused. The caller learns the hash of exactly the bytes it was given.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use casemate_policy::{ComponentName, Digest};

use crate::atomic::{
    Target, TargetError, directory_of, foreign_owner, sync_directory, world_writable,
};
use crate::digest::sha256;
use crate::guard::{GuardError, WriteGuard};
use crate::home::{Home, create_directory, disk_hint};
use crate::read::{FileKind, Links, ReadError, read_regular};

/// Largest policy, ceiling or configuration, in bytes: 256 KiB.
pub const MAX_POLICY_BYTES: u64 = 256 * 1024;

/// The text of a file that decides what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// The whole text.
    pub text: String,
    /// SHA-256 of the bytes of `text`.
    pub hash: Digest,
}

/// Why such a file was not read or not written. None of them may be taken for "there is no policy".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFileError {
    /// A directory, pipe or device, or a link that leads to nothing.
    #[error("{} is {kind}, not a regular file", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What is there.
        kind: FileKind,
    },
    /// Everybody on the machine could change it.
    #[error("{} can be written by every user (mode {mode:04o}) and is not trusted", path.display())]
    WorldWritable {
        /// The file, or the directory that it lies in.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither this user nor root owns it, so somebody else decides what is in it.
    #[error("{} belongs to another user (uid {owner}) and is not trusted", path.display())]
    ForeignOwner {
        /// The file, or the directory that it lies in.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// More than [`MAX_POLICY_BYTES`].
    #[error("{} is too large: at most {limit} bytes are allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{}, line {line}: this is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line of the first wrong byte, from 1.
        line: usize,
    },
    /// Somebody edited the file between reading and writing.
    #[error("{} was edited by another program at the same moment; nothing was written", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
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

impl PolicyFileError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            PolicyFileError::WorldWritable { path, .. } => {
                Some(format!("chmod o-w {}", path.display()))
            }
            PolicyFileError::ForeignOwner { path, .. } => {
                Some(format!("chown \"$(id -u)\" {}", path.display()))
            }
            PolicyFileError::NotRegular { path, .. } => {
                Some(format!("see what it is: ls -ld {}", path.display()))
            }
            PolicyFileError::Changed { .. } => Some("run the command again".to_owned()),
            PolicyFileError::Busy { path, .. } => Some(format!(
                "see which process holds it: fuser {}",
                path.display()
            )),
            PolicyFileError::Io { source, path, .. } => disk_hint(source, path),
            PolicyFileError::TooLarge { .. } | PolicyFileError::NotText { .. } => None,
        }
    }
}

/// Reads the policy of a component; `None` when there is no such file.
pub fn read_policy_file(
    home: &Home,
    name: &ComponentName,
) -> Result<Option<PolicyText>, PolicyFileError> {
    read_policy_path(&home.policy_file(name))
}

/// Reads `config.toml` under the same rules, since it can lift confirmations; `None` when there is
/// no such file.
pub fn read_config_file(home: &Home) -> Result<Option<PolicyText>, PolicyFileError> {
    read_policy_path(&home.config_file())
}

/// Reads any file that decides what is allowed (a ceiling, the argument of `--policy`) under the
/// rules of this module.
pub fn read_policy_path(path: &Path) -> Result<Option<PolicyText>, PolicyFileError> {
    let path_buf = || path.to_owned();
    let file = match read_regular(path, MAX_POLICY_BYTES, Links::Follow) {
        Ok(file) => file,
        Err(ReadError::Missing) => return Ok(None),
        Err(ReadError::NotRegular(kind)) => {
            return Err(PolicyFileError::NotRegular {
                path: path_buf(),
                kind,
            });
        }
        Err(ReadError::TooLarge { .. }) => {
            return Err(PolicyFileError::TooLarge {
                path: path_buf(),
                limit: MAX_POLICY_BYTES,
            });
        }
        Err(ReadError::Io(source)) => {
            return Err(PolicyFileError::Io {
                action: "read",
                path: path_buf(),
                source,
            });
        }
    };
    refuse_strangers(path, &file.metadata)?;
    refuse_open_way(path)?;
    let hash = sha256(&file.bytes);
    match String::from_utf8(file.bytes) {
        Ok(text) => Ok(Some(PolicyText { text, hash })),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error
                .as_bytes()
                .iter()
                .take(valid)
                .filter(|byte| **byte == b'\n')
                .count()
                + 1;
            Err(PolicyFileError::NotText {
                path: path_buf(),
                line,
            })
        }
    }
}

/// The permission bits of a file that decides and that its whole group may write; `None` where only
/// its owner may, or where there is none to look at.
///
/// On machines where each user has a group of his own that is as safe as it is usual, elsewhere it
/// is not: a person is told.
pub fn group_writable(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o020 != 0).then_some(mode)
}

/// Refuses what somebody else owns or everybody may write.
fn refuse_strangers(path: &Path, metadata: &Metadata) -> Result<(), PolicyFileError> {
    refuse_owner(path, metadata)?;
    match world_writable(metadata) {
        Some(mode) => Err(PolicyFileError::WorldWritable {
            path: path.to_owned(),
            mode,
        }),
        None => Ok(()),
    }
}

fn refuse_owner(path: &Path, metadata: &Metadata) -> Result<(), PolicyFileError> {
    match foreign_owner(metadata) {
        Some(owner) => Err(PolicyFileError::ForeignOwner {
            path: path.to_owned(),
            owner,
        }),
        None => Ok(()),
    }
}

/// More links than the kernel follows in one path.
const MAX_LINKS: u32 = 40;

/// Judges the directory of the file and of each link on the way to it: whoever writes there puts
/// another link in place.
fn refuse_open_way(path: &Path) -> Result<(), PolicyFileError> {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        let directory = directory_of(&at).to_owned();
        refuse_open_directory(&directory)?;
        match std::fs::symlink_metadata(&at) {
            // With the sticky bit everybody may put links there, only nobody may change another's.
            Ok(metadata) if metadata.is_symlink() => refuse_owner(&at, &metadata)?,
            // Here the way ends; what was opened there is judged by itself.
            Ok(_) | Err(_) => return Ok(()),
        }
        match std::fs::read_link(&at) {
            Ok(target) => at = directory.join(target),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// A file that nobody may write can still be renamed away in a directory that everybody may write.
fn refuse_open_directory(directory: &Path) -> Result<(), PolicyFileError> {
    let metadata = std::fs::metadata(directory).map_err(|source| PolicyFileError::Io {
        action: "look at",
        path: directory.to_owned(),
        source,
    })?;
    refuse_owner(directory, &metadata)?;
    match world_writable(&metadata) {
        // With the sticky bit (/tmp) only the owner of a file can rename it.
        Some(mode) if mode & 0o1000 == 0 => Err(PolicyFileError::WorldWritable {
            path: directory.to_owned(),
            mode,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Writes the policy of a component, whatever was there before.
///
/// The write is atomic and keeps the permission bits of the file; a new file is for its owner only
/// (0600). A symbolic link stays, and the file it leads to is replaced. What is not trusted for
/// reading is refused.
pub fn write_policy_file(
    home: &Home,
    name: &ComponentName,
    text: &str,
) -> Result<(), PolicyFileError> {
    let _guard = WriteGuard::acquire(home)?;
    write(home, name, text)
}

/// Takes the policy of a component away, if its text is still the one with this hash; whether it was.
///
/// A symbolic link goes, and what it led to stays.
pub fn remove_policy_file(
    home: &Home,
    name: &ComponentName,
    hash: &Digest,
) -> Result<bool, PolicyFileError> {
    let _guard = WriteGuard::acquire(home)?;
    let path = home.policy_file(name);
    match read_policy_file(home, name)? {
        Some(present) if present.hash == *hash => {}
        Some(_) | None => return Ok(false),
    }
    let removed = std::fs::remove_file(&path).and_then(|()| sync_directory(directory_of(&path)));
    match removed {
        Ok(()) => Ok(true),
        Err(source) => Err(PolicyFileError::Io {
            action: "remove",
            path,
            source,
        }),
    }
}

/// Edits the policy of a component: read, `edit`, write, while no other Casemate process can do the
/// same.
///
/// `edit` gets the present text and returns the new one, or `None` to leave the file alone. An edit
/// that somebody makes by hand meanwhile is not overwritten: that is [`PolicyFileError::Changed`].
/// Returns the text that the file has now.
pub fn update_policy_file<E>(
    home: &Home,
    name: &ComponentName,
    edit: impl FnOnce(Option<&PolicyText>) -> Result<Option<String>, E>,
) -> Result<Option<PolicyText>, E>
where
    E: From<PolicyFileError>,
{
    let _guard = WriteGuard::acquire(home).map_err(PolicyFileError::from)?;
    let before = read_policy_file(home, name)?;
    let Some(text) = edit(before.as_ref())? else {
        return Ok(before);
    };
    if read_policy_file(home, name)? != before {
        return Err(PolicyFileError::Changed {
            path: home.policy_file(name),
        }
        .into());
    }
    write(home, name, &text)?;
    let hash = sha256(text.as_bytes());
    Ok(Some(PolicyText { text, hash }))
}

fn write(home: &Home, name: &ComponentName, text: &str) -> Result<(), PolicyFileError> {
    let path = home.policy_file(name);
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_POLICY_BYTES {
        return Err(PolicyFileError::TooLarge {
            path,
            limit: MAX_POLICY_BYTES,
        });
    }
    create_directory(&home.policies_dir()).map_err(|error| {
        let (path, source) = error.into_parts();
        PolicyFileError::Io {
            action: "create",
            path,
            source,
        }
    })?;
    refuse_open_way(&path)?;
    let target = match Target::resolve(&path) {
        Ok(target) => target,
        Err(TargetError::NotRegular(kind)) => {
            return Err(PolicyFileError::NotRegular { path, kind });
        }
        Err(TargetError::Io(source)) => {
            return Err(PolicyFileError::Io {
                action: "look at",
                path,
                source,
            });
        }
    };
    if let Some(metadata) = &target.existing {
        refuse_strangers(&path, metadata)?;
    }
    target
        .write(text.as_bytes())
        .map_err(|source| PolicyFileError::Io {
            action: "write",
            path,
            source,
        })
}

impl From<GuardError> for PolicyFileError {
    fn from(error: GuardError) -> PolicyFileError {
        match error {
            GuardError::Busy { path, waited } => PolicyFileError::Busy { path, waited },
            GuardError::NotRegular { path, kind } => PolicyFileError::NotRegular { path, kind },
            GuardError::Io {
                action,
                path,
                source,
            } => PolicyFileError::Io {
                action,
                path,
                source,
            },
        }
    }
}
