//! Listings: the entries of a directory that the guest may see.

use super::standing::Identity;
use super::walk::peek;
use super::{Directory, Object, Standing, Storage, StorageResult, beneath, quota};
use casemate_policy::StorageAccess;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Entries that are read ahead of the guest at the most.
const MAX_AHEAD: usize = 512;
/// Bytes of names that are read ahead, before the last one.
const MAX_AHEAD_BYTES: usize = 16 * 1024;
/// Entries that one operation looks at, if the guest may see none of them.
const MAX_LOOKED_AT: usize = 16_384;

/// One entry, as the guest sees it.
pub(crate) type Entry = (FileType, String);

/// The entries of a directory, read in batches: a directory may be larger than memory, and handing each
/// entry alone to the I/O pool would cost more than reading it.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct EntryStream {
    listing: Arc<Listing>,
    ahead: VecDeque<Entry>,
    then: Then,
}

/// What comes after the entries that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    More,
    End,
    Failure(Errno),
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Listing {
    entries: Mutex<Dir>,
    directory: Object,
    identity: Identity,
    _place: quota::Place,
}

/// Some entries and what comes after them.
pub(crate) struct Batch {
    entries: VecDeque<Entry>,
    then: Then,
}

impl EntryStream {
    /// The next entry, if it is known without looking: `None` if it takes another batch.
    pub(crate) fn next(&mut self) -> Option<StorageResult<Option<Entry>>> {
        match (self.ahead.pop_front(), self.then) {
            (Some(entry), _) => Some(Ok(Some(entry))),
            (None, Then::End) => Some(Ok(None)),
            (None, Then::Failure(errno)) => Some(Err(errno.into())),
            (None, Then::More) => None,
        }
    }

    pub(crate) fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.listing)
    }

    /// Takes what [`Storage::more_entries`] read.
    pub(crate) fn take(&mut self, batch: Batch) {
        self.ahead.extend(batch.entries);
        self.then = batch.then;
    }
}

impl Storage {
    /// `read-directory`.
    pub(crate) fn read_directory(&self, directory: &Directory) -> StorageResult<EntryStream> {
        let opened = self.open_directory(directory)?;
        let object = Object {
            path: directory.path.clone(),
            standing: opened.standing,
        };
        self.ask(&object, StorageAccess::Traverse)?;
        let place = self.place()?;
        let readable = beneath::open(
            &opened.handle,
            ".",
            OFlags::RDONLY | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        let listing = Listing {
            entries: Mutex::new(Dir::new(readable)?),
            directory: object,
            identity: opened.identity,
            _place: place,
        };
        let batch = self.more_entries(&listing)?;
        Ok(EntryStream {
            listing: Arc::new(listing),
            ahead: batch.entries,
            then: batch.then,
        })
    }

    /// The next entries that the guest may see; names that are not UTF-8 are passed over.
    pub(crate) fn more_entries(&self, listing: &Listing) -> StorageResult<Batch> {
        let mut directory = listing
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut entries = VecDeque::new();
        let mut bytes = 0;
        for _ in 0..MAX_LOOKED_AT {
            if entries.len() >= MAX_AHEAD || bytes >= MAX_AHEAD_BYTES {
                break;
            }
            let then = match directory.read() {
                Some(Ok(entry)) => {
                    if let Some(entry) = self.seen(listing, &directory, &entry) {
                        bytes += entry.1.len();
                        entries.push_back(entry);
                    }
                    continue;
                }
                Some(Err(errno)) => Then::Failure(errno),
                None => Then::End,
            };
            return Ok(Batch { entries, then });
        }
        Ok(Batch {
            entries,
            then: Then::More,
        })
    }

    fn seen(&self, listing: &Listing, directory: &Dir, entry: &DirEntry) -> Option<Entry> {
        let name = entry.file_name().to_str().ok()?;
        if name == "." || name == ".." {
            return None;
        }
        let object = Object {
            path: listing.directory.path.join(name).ok()?,
            standing: self.standing_of_entry(listing.identity.0, directory, entry, name),
        };
        self.visible(&object)
            .then(|| (entry.file_type(), name.to_owned()))
    }

    /// The standing of an entry. Only a directory can be something mounted, and only a known inode can be
    /// Casemate's own: no other entry is looked at one by one.
    fn standing_of_entry(
        &self,
        device: u64,
        directory: &Dir,
        entry: &DirEntry,
        name: &str,
    ) -> Standing {
        if entry.file_type() != FileType::Directory && !self.own.may_have(entry.ino()) {
            return Standing::Ordinary;
        }
        let standing = || -> Result<Standing, Errno> {
            let parent = directory.fd()?;
            let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if stat.st_dev == device && !self.own.may_have(stat.st_ino) {
                return Ok(Standing::Ordinary);
            }
            let handle = peek(parent, name)?;
            let stat = rustix::fs::fstat(&handle)?;
            self.own.standing(&handle, &stat, Some(device))
        };
        // What went away meanwhile was a name like any other.
        standing().unwrap_or(Standing::Ordinary)
    }
}
