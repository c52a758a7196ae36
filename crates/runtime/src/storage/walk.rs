//! The walk from a bound root to an object.

use super::{Directory, Storage, StorageError, StorageResult, beneath};
use crate::wasi::bindings::filesystem::types::ErrorCode;
use casemate_policy::{MountPlace, Reason, StorageAccess, VirtualPath};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

/// Longest path that a guest may pass, in bytes.
const MAX_PATH: usize = 4_096;
/// Longest single name, in bytes.
const MAX_NAME: usize = 255;
/// Directories that one walk goes down: it holds each of them open. What lies deeper is
/// reached from a directory on the way.
const MAX_DEPTH: usize = 64;
/// Symlinks that one walk follows, as Linux does.
const MAX_LINKS: usize = 40;

/// Whether a symlink at the end of the path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    Yes,
    No,
}

/// Where a walk ended.
pub(crate) struct Located {
    /// The directory that holds the object, or the object itself where `name` is `None`.
    pub(crate) parent: OwnedFd,
    /// The object's name below `parent`.
    pub(crate) name: Option<String>,
    /// Canonical path of the object.
    pub(crate) path: VirtualPath,
    /// What is there now, if anything.
    pub(crate) kind: Option<FileType>,
    /// The path ended in a slash, so only a directory will do.
    pub(crate) directory_wanted: bool,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Opens one component as a handle that gives no right to its content.
pub(super) fn peek(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    beneath::open(parent, name, OFlags::PATH, Mode::empty())
}

/// What kind of object an open handle refers to.
pub(super) fn kind_of(handle: impl AsFd) -> rustix::io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(handle)?.st_mode))
}

impl Storage {
    /// Opens the directory that a handle stands for, without following any symlink.
    pub(super) fn open_directory(&self, directory: &Directory) -> StorageResult<OwnedFd> {
        let (host, skip) = match &directory.mount.place {
            MountPlace::Root(root) => {
                let Some(host) = self.roots.get(root) else {
                    // `decide` knows that the root is not bound and says so.
                    self.ask(&directory.path, StorageAccess::Traverse)?;
                    return Err(ErrorCode::NoEntry.into());
                };
                (host.clone(), 1)
            }
            MountPlace::Absolute => (
                directory.mount.guest.as_str().into(),
                directory.mount.guest.components().count(),
            ),
        };
        // A person chose this path, so its own symlinks are theirs to follow.
        let mut current = rustix::fs::open(
            &host,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        for component in directory.path.components().skip(skip) {
            current = beneath::open(&current, component, DIRECTORY, Mode::empty())?;
        }
        Ok(current)
    }

    /// Walks `path` below `directory` to the object it names.
    ///
    /// # Errors
    ///
    /// `not-permitted` for a path that leaves the directory, `loop` for too many symlinks,
    /// `no-entry` for an absent or hidden directory on the way. An absent *last* component
    /// is no error: `kind` is `None`.
    pub(crate) fn walk(
        &self,
        directory: &Directory,
        path: &str,
        follow: Follow,
    ) -> StorageResult<Located> {
        if path.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        if path.len() > MAX_PATH {
            return Err(ErrorCode::NameTooLong.into());
        }
        if path.contains('\0') {
            return Err(ErrorCode::Invalid.into());
        }
        if path.starts_with('/') {
            return Err(self.escaped(directory, path));
        }
        let mut walk = Walk {
            base: directory,
            base_handle: self.open_directory(directory)?,
            below: Vec::new(),
            pending: path.split('/').map(Step::asked).collect(),
            directory_wanted: wants_directory(path),
            links: 0,
        };
        loop {
            let Some(step) = walk.pending.pop_front() else {
                return walk.arrived_at_directory();
            };
            match step.component.as_str() {
                "" | "." => {}
                ".." => {
                    if walk.below.pop().is_none() {
                        return Err(match &step.link {
                            None => self.escaped(directory, path),
                            Some(link) => self.link_leads_out(link),
                        });
                    }
                }
                name => {
                    if let Some(located) = self.step(&mut walk, name, follow)? {
                        return Ok(located);
                    }
                }
            }
        }
    }

    fn step(
        &self,
        walk: &mut Walk<'_>,
        name: &str,
        follow: Follow,
    ) -> StorageResult<Option<Located>> {
        if name.len() > MAX_NAME {
            return Err(ErrorCode::NameTooLong.into());
        }
        let last = walk
            .pending
            .iter()
            .all(|step| matches!(step.component.as_str(), "" | "."));
        let path = walk.path()?.join(name).map_err(|_| ErrorCode::Invalid)?;
        // What the guest may not see is absent, whatever it is: all that follows is alike.
        let seen = match peek(walk.top(), name) {
            Ok(_) if !self.visible(&path) => Err(rustix::io::Errno::NOENT),
            seen => seen,
        };
        let handle = match seen {
            Ok(handle) => handle,
            Err(rustix::io::Errno::NOENT) if last => {
                return walk.arrived(name, path, None).map(Some);
            }
            Err(rustix::io::Errno::NOENT) => {
                // Ask, so that a walk through a place out of reach is on record.
                self.ask(&path, StorageAccess::Traverse)?;
                return Err(ErrorCode::NoEntry.into());
            }
            Err(errno) => return Err(errno.into()),
        };
        let kind = kind_of(&handle)?;
        match kind {
            FileType::Symlink if !last || follow == Follow::Yes || walk.directory_wanted => {
                walk.links += 1;
                if walk.links > MAX_LINKS {
                    return Err(ErrorCode::Loop.into());
                }
                let target = rustix::fs::readlinkat(&handle, "", Vec::new())?;
                let target = target.to_str().map_err(|_| ErrorCode::Invalid)?;
                // What an absolute target says is a fact about the host, also in the record.
                if target.starts_with('/') {
                    return Err(self.link_leads_out(&path));
                }
                if target.is_empty() || target.len() > MAX_PATH {
                    return Err(ErrorCode::NoEntry.into());
                }
                if last && wants_directory(target) {
                    walk.directory_wanted = true;
                }
                let link = Rc::new(path);
                for component in target.rsplit('/') {
                    walk.pending.push_front(Step {
                        component: component.to_owned(),
                        link: Some(Rc::clone(&link)),
                    });
                }
                if walk.pending.len() > MAX_PATH {
                    return Err(ErrorCode::Loop.into());
                }
                Ok(None)
            }
            kind if last => {
                if walk.directory_wanted && kind != FileType::Directory {
                    return Err(ErrorCode::NotDirectory.into());
                }
                walk.arrived(name, path, Some(kind)).map(Some)
            }
            FileType::Directory => {
                if walk.below.len() >= MAX_DEPTH {
                    return Err(ErrorCode::NameTooLong.into());
                }
                walk.below.push((handle, name.to_owned()));
                Ok(None)
            }
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Puts a symlink that leads out of its directory on record, under its own name.
    pub(super) fn link_leads_out(&self, link: &VirtualPath) -> StorageError {
        if let Err(error) = self.ask_visible(link) {
            return error;
        }
        self.refuse(
            link,
            Reason::StorageLink,
            "this symbolic link leads out of what is granted, so it is not followed or shown",
        )
    }

    /// Puts an attempt to leave a directory on record, as the read of what it aimed at.
    fn escaped(&self, directory: &Directory, path: &str) -> StorageError {
        let mut target: Vec<&str> = if path.starts_with('/') {
            Vec::new()
        } else {
            directory.path.components().collect()
        };
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => {
                    target.pop();
                }
                name => target.push(name),
            }
        }
        if let Ok(target) = VirtualPath::parse(&format!("/{}", target.join("/"))) {
            // Whatever the verdict on the target itself: the way there is refused.
            if self.ask(&target, StorageAccess::Read).is_ok() {
                return self.refuse(
                    &target,
                    Reason::StorageRead,
                    "a path is followed below the directory it is opened in, never out of it",
                );
            }
        }
        ErrorCode::NotPermitted.into()
    }

    /// Metadata of a located object, never through a symlink.
    pub(super) fn stat_located(&self, located: &Located) -> rustix::io::Result<rustix::fs::Stat> {
        match &located.name {
            Some(name) => {
                rustix::fs::statat(&located.parent, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)
            }
            None => rustix::fs::fstat(&located.parent),
        }
    }
}

/// Whether a path that ends like this names a directory and nothing else.
fn wants_directory(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("" | "."))
}

/// A component that is still to be walked, and the symlink that it comes from.
struct Step {
    component: String,
    link: Option<Rc<VirtualPath>>,
}

impl Step {
    fn asked(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            link: None,
        }
    }
}

struct Walk<'a> {
    base: &'a Directory,
    base_handle: OwnedFd,
    below: Vec<(OwnedFd, String)>,
    pending: VecDeque<Step>,
    directory_wanted: bool,
    links: usize,
}

impl Walk<'_> {
    fn top(&self) -> BorrowedFd<'_> {
        self.below
            .last()
            .map_or(self.base_handle.as_fd(), |(handle, _)| handle.as_fd())
    }

    fn path(&self) -> StorageResult<VirtualPath> {
        let mut path = self.base.path.clone();
        for (_, name) in &self.below {
            path = path.join(name).map_err(|_| ErrorCode::Invalid)?;
        }
        Ok(path)
    }

    fn into_top(mut self) -> OwnedFd {
        match self.below.pop() {
            Some((handle, _)) => handle,
            None => self.base_handle,
        }
    }

    fn arrived(
        &mut self,
        name: &str,
        path: VirtualPath,
        kind: Option<FileType>,
    ) -> StorageResult<Located> {
        Ok(Located {
            parent: self.top().try_clone_to_owned()?,
            name: Some(name.to_owned()),
            path,
            kind,
            directory_wanted: self.directory_wanted,
        })
    }

    /// The path ended at a directory of the walk itself (`.`, `a/..`, `a/b/..`).
    fn arrived_at_directory(mut self) -> StorageResult<Located> {
        let path = self.path()?;
        let name = self.below.pop().map(|(_, name)| name);
        Ok(Located {
            parent: self.into_top(),
            name,
            path,
            kind: Some(FileType::Directory),
            directory_wanted: true,
        })
    }
}
