//! The lock on disk: read at any time, changed by one writer at a time.

use casemate_policy::{ComponentName, Digest};

use crate::atomic::{Target, TargetError, foreign_owner, world_writable};
use crate::guard::{GuardError, WriteGuard};
use crate::home::Home;
use crate::lock::{Lock, LockEntry, LockError, MAX_LOCK_BYTES};
use crate::read::{Links, ReadError, read_regular};

/// `casemate.lock` of a home.
#[derive(Debug)]
pub struct LockFile;

impl LockFile {
    /// Reads the lock; a missing file is an empty lock.
    ///
    /// No lock is taken: the file is replaced by rename, so a reader sees a whole one. What cannot
    /// be read, was written by a later version, contains a key that this release does not know,
    /// belongs to neither this user nor root, or may be written by everybody is an error.
    pub fn load(home: &Home) -> Result<Lock, LockError> {
        let path = home.lock_file();
        let file = match read_regular(&path, MAX_LOCK_BYTES, Links::Follow) {
            Ok(file) => file,
            Err(ReadError::Missing) => return Ok(Lock::default()),
            Err(ReadError::NotRegular(kind)) => return Err(LockError::NotRegular { path, kind }),
            Err(ReadError::TooLarge { .. }) => {
                return Err(LockError::TooLarge {
                    path,
                    limit: MAX_LOCK_BYTES,
                });
            }
            Err(ReadError::Io(source)) => {
                return Err(LockError::Io {
                    action: "read",
                    path,
                    source,
                });
            }
        };
        if let Some(owner) = foreign_owner(&file.metadata) {
            return Err(LockError::ForeignOwner { path, owner });
        }
        if let Some(mode) = world_writable(&file.metadata) {
            return Err(LockError::WorldWritable { path, mode });
        }
        match String::from_utf8(file.bytes) {
            Ok(text) => Lock::parse(&text, &path),
            Err(_) => Err(LockError::Malformed {
                path,
                position: None,
                message: "it is not UTF-8 text".to_owned(),
            }),
        }
    }

    /// Notes that Casemate changed the policy file of a component, from a text with the hash `before` to one with the
    /// hash `after`; `None` for no file. Whether the lock was changed.
    ///
    /// It is not where the lock says something else than `before`: a person edited the file by hand, and what the hand
    /// wrote is not locked along with what Casemate wrote.
    pub fn note_policy(
        home: &Home,
        name: &ComponentName,
        before: Option<Digest>,
        after: Option<Digest>,
    ) -> Result<bool, LockError> {
        LockFile::update(home, |lock| match lock.components.get_mut(name) {
            Some(entry) if entry.policy == before && before != after => {
                entry.policy = after;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        })
    }

    /// Changes the lock: load, `change`, write, while no other process can do the same.
    ///
    /// When `change` fails, or an entry that it adds or alters newly names something that is not in the
    /// store of the home, nothing is written. The new lock is durable when this returns. It waits
    /// at most ten seconds for another writer. `change` must not itself call something that takes
    /// the same write lock ([`LockFile::update`], [`crate::write_policy_file`],
    /// [`crate::update_policy_file`], [`crate::gc`]).
    pub fn update<T, E>(home: &Home, change: impl FnOnce(&mut Lock) -> Result<T, E>) -> Result<T, E>
    where
        E: From<LockError>,
    {
        let _guard = WriteGuard::acquire(home).map_err(LockError::from)?;
        let before = LockFile::load(home)?;
        let mut after = before.clone();
        let value = change(&mut after)?;
        if after != before {
            for (name, entry) in &after.components {
                let old = before.components.get(name);
                if old != Some(entry) {
                    check_stored(home, name, entry, old)?;
                }
            }
            write(home, &after)?;
        }
        Ok(value)
    }
}

/// Looks for what an entry names and did not name before. What it named already may be missing: a lock that came with
/// a repository says what is yet to be fetched.
///
/// Under the write lock, so that no collection can take the bytes between this look and the write.
fn check_stored(
    home: &Home,
    name: &ComponentName,
    entry: &LockEntry,
    before: Option<&LockEntry>,
) -> Result<(), LockError> {
    let store = home.store();
    let before = before.map(LockEntry::stored).unwrap_or_default();
    let new = entry.stored().into_iter();
    let missing = new
        .filter(|named| !before.contains(named))
        .find(|(sort, digest)| !store.has(*sort, digest));
    match missing {
        Some((sort, digest)) => Err(LockError::NotStored {
            name: name.clone(),
            digest,
            what: sort.word(),
        }),
        None => Ok(()),
    }
}

fn write(home: &Home, lock: &Lock) -> Result<(), LockError> {
    let text = lock.print()?;
    let path = home.lock_file();
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_LOCK_BYTES {
        return Err(LockError::TooLarge {
            path,
            limit: MAX_LOCK_BYTES,
        });
    }
    let target = match Target::resolve(&path) {
        Ok(target) => target,
        Err(TargetError::NotRegular(kind)) => return Err(LockError::NotRegular { path, kind }),
        Err(TargetError::Io(source)) => {
            return Err(LockError::Io {
                action: "look at",
                path,
                source,
            });
        }
    };
    target
        .write(text.as_bytes())
        .map_err(|source| LockError::Io {
            action: "write",
            path,
            source,
        })
}

impl From<GuardError> for LockError {
    fn from(error: GuardError) -> LockError {
        match error {
            GuardError::Busy { path, waited } => LockError::Busy { path, waited },
            GuardError::NotRegular { path, kind } => LockError::NotRegular { path, kind },
            GuardError::Io {
                action,
                path,
                source,
            } => LockError::Io {
                action,
                path,
                source,
            },
        }
    }
}
