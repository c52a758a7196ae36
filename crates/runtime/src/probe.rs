//! Files as a guest reaches them, without a guest: for the fuzz target `walk`. Built for tests and with the feature `fuzz`, so
//! that nothing of it is in the product.

use crate::enforce::Trail;
use crate::storage::{
    Descriptor, Directory, Follow, OpenPlaces, OpenRequest, OwnHome, ProcessPlaces, Quota, Roots,
    Storage,
};
use casemate_policy::{Grant, VirtualPath};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// What was found at the end of a walk, with the canonical path that was judged.
#[derive(Debug)]
pub enum Found {
    /// A file and what is in it, at most 4 KiB.
    File(VirtualPath, Vec<u8>),
    /// A directory and the names in it that the guest sees, sorted.
    Directory(VirtualPath, Vec<String>),
}

/// The files of a guest with one grant.
pub struct Probe {
    storage: Storage,
}

impl Probe {
    /// Binds roots to directories; `own` stands for Casemate's own home. Operations are done where they are asked for, so
    /// `pool` is never used.
    #[must_use]
    pub fn new(grant: Grant, roots: Roots, own: PathBuf, pool: tokio::runtime::Handle) -> Self {
        let limits = *grant.limits();
        Self {
            storage: Storage {
                grant: Arc::new(grant),
                trail: Trail::default(),
                roots: Arc::new(roots),
                pool,
                exact_times: false,
                places: OpenPlaces::new(
                    limits.open_files,
                    &Arc::new(ProcessPlaces::of_this_process()),
                ),
                quota: Arc::new(Quota::new(&limits)),
                own: Arc::new(OwnHome::new(vec![own])),
                strict_links: false,
            },
        }
    }

    fn open_for(&self, mount: usize, path: &str, follow: bool, write: bool) -> Option<Descriptor> {
        let mount = self.storage.grant.mounts().get(mount)?.clone();
        let directory = Directory {
            path: mount.guest.clone(),
            mount,
            mutable: true,
        };
        let request = OpenRequest {
            follow: if follow { Follow::Yes } else { Follow::No },
            create: false,
            directory: false,
            exclusive: false,
            truncate: false,
            read: !write,
            write,
            mutate: write,
        };
        self.storage.open(&directory, path, request).ok()
    }

    /// Opens `path` below a mount of the grant as a guest does, and reads or lists it; `None` where the guest gets an error.
    #[must_use]
    pub fn open(&self, mount: usize, path: &str, follow: bool) -> Option<Found> {
        match self.open_for(mount, path, follow, false)? {
            Descriptor::File(file) => {
                let mut content = vec![0; 4096];
                let length = file.file.read_at(&mut content, 0).ok()?;
                content.truncate(length);
                Some(Found::File(file.object.path.clone(), content))
            }
            Descriptor::Directory(directory) => {
                let mut entries = self.storage.read_directory(&directory).ok()?;
                let mut names = Vec::new();
                while let Some(Ok(Some((_, name)))) = entries.next() {
                    names.push(name);
                }
                names.sort();
                Some(Found::Directory(directory.path, names))
            }
        }
    }

    /// Writes `content` at the start of the file at `path`; the canonical path of what was written to.
    #[must_use]
    pub fn write(&self, mount: usize, path: &str, content: &[u8]) -> Option<VirtualPath> {
        match self.open_for(mount, path, true, true)? {
            Descriptor::File(file) => {
                self.storage.write(&file, content, 0).ok()?;
                Some(file.object.path.clone())
            }
            Descriptor::Directory(_) => None,
        }
    }

    /// Whether a guest that asks about the object at `path` is told anything.
    #[must_use]
    pub fn is_seen(&self, mount: usize, path: &str) -> bool {
        let Some(mount) = self.storage.grant.mounts().get(mount).cloned() else {
            return false;
        };
        let directory = Directory {
            path: mount.guest.clone(),
            mount,
            mutable: false,
        };
        self.storage.stat_at(&directory, path, Follow::Yes).is_ok()
    }
}

#[cfg(test)]
mod tests;
