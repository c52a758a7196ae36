//! The walk from a bound root to an object.

use super::standing::{Identity, identity};
use super::{Directory, Object, Standing, Storage, StorageError, StorageResult, beneath, spelling};
use crate::wasi::bindings::filesystem::types::ErrorCode;
use casemate_policy::{MountPlace, Reason, StorageAccess, VirtualPath};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
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
    /// The object, as it is judged.
    pub(crate) object: Object,
    /// What is there now, if anything.
    pub(crate) kind: Option<FileType>,
    /// Which object that is.
    pub(super) identity: Option<Identity>,
    /// The path ended in a slash, so only a directory will do.
    pub(crate) directory_wanted: bool,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);

/// Opens one component as a handle that gives no right to its content.
pub(super) fn peek(parent: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    beneath::open(parent, name, OFlags::PATH, Mode::empty())
}

/// A directory that the walk has gone into.
pub(super) struct Opened {
    pub(super) handle: OwnedFd,
    pub(super) standing: Standing,
    pub(super) identity: Identity,
}

impl Storage {
    /// The standing of what was found below a directory: in Casemate's home all is Casemate's.
    fn standing_below(
        &self,
        parent: &Opened,
        handle: &OwnedFd,
        stat: &Stat,
    ) -> StorageResult<Standing> {
        match parent.standing {
            Standing::Ordinary => Ok(self.own.standing(handle, stat, Some(parent.identity.0))?),
            standing => Ok(standing),
        }
    }

    /// Opens the directory that a handle stands for, without following any symlink. Whether the guest may
    /// use it depends on its standing, which the caller asks about.
    pub(super) fn open_directory(&self, directory: &Directory) -> StorageResult<Opened> {
        let (host, skip) = match &directory.mount.place {
            MountPlace::Root(root) => {
                let Some(host) = self.roots.get(root) else {
                    // `decide` knows that the root is not bound and says so.
                    let object = Object::ordinary(directory.path.clone());
                    self.ask(&object, StorageAccess::Traverse)?;
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
        let handle = rustix::fs::open(
            &host,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let stat = rustix::fs::fstat(&handle)?;
        let mut current = Opened {
            standing: self.own.standing(&handle, &stat, None)?,
            identity: identity(&stat),
            handle,
        };
        for component in directory.path.components().skip(skip) {
            let handle = beneath::open(&current.handle, component, DIRECTORY, Mode::empty())?;
            let stat = rustix::fs::fstat(&handle)?;
            current = Opened {
                standing: self.standing_below(&current, &handle, &stat)?,
                identity: identity(&stat),
                handle,
            };
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
            opened: self.open_directory(directory)?,
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
        let found = self.find(walk.top(), name)?;
        let object = Object {
            path,
            standing: match &found {
                Some(found) => found.standing,
                None => walk.top().standing,
            },
        };
        // What the guest may not see is absent, whatever it is: all that follows is alike.
        let Some(found) = found.filter(|_| self.visible(&object)) else {
            if last {
                return walk.arrived(name, object, None).map(Some);
            }
            // Ask, so that a walk through a place out of reach is on record.
            self.ask(&object, StorageAccess::Traverse)?;
            return Err(ErrorCode::NoEntry.into());
        };
        let kind = FileType::from_raw_mode(found.stat.st_mode);
        let handle = found.handle;
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
                    return Err(self.link_leads_out(&object));
                }
                if target.is_empty() || target.len() > MAX_PATH {
                    return Err(ErrorCode::NoEntry.into());
                }
                if last && wants_directory(target) {
                    walk.directory_wanted = true;
                }
                let link = Rc::new(object);
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
                walk.arrived(name, object, Some(&found.stat)).map(Some)
            }
            FileType::Directory => {
                if walk.below.len() >= MAX_DEPTH {
                    return Err(ErrorCode::NameTooLong.into());
                }
                let opened = Opened {
                    handle,
                    standing: object.standing,
                    identity: identity(&found.stat),
                };
                walk.below.push((opened, name.to_owned()));
                Ok(None)
            }
            _ => Err(ErrorCode::NotDirectory.into()),
        }
    }

    /// Looks for `name` in a directory, without a right to its content; `None` where there is nothing of
    /// exactly that name.
    fn find(&self, parent: &Opened, name: &str) -> StorageResult<Option<Found>> {
        let handle = match peek(parent.handle.as_fd(), name) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let stat = rustix::fs::fstat(&handle)?;
        if !spelling::is_exact(parent.handle.as_fd(), name, &stat)? {
            return Ok(None);
        }
        Ok(Some(Found {
            standing: self.standing_below(parent, &handle, &stat)?,
            handle,
            stat,
        }))
    }

    /// Puts a symlink that leads out of its directory on record, under its own name.
    pub(super) fn link_leads_out(&self, link: &Object) -> StorageError {
        if let Err(error) = self.ask_visible(link) {
            return error;
        }
        self.refuse(
            &link.path,
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
            let target = Object::ordinary(target);
            if self.ask(&target, StorageAccess::Read).is_ok() {
                return self.refuse(
                    &target.path,
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
    link: Option<Rc<Object>>,
}

impl Step {
    fn asked(component: &str) -> Self {
        Self {
            component: component.to_owned(),
            link: None,
        }
    }
}

/// What the walk found under a name.
struct Found {
    handle: OwnedFd,
    stat: Stat,
    standing: Standing,
}

struct Walk<'a> {
    base: &'a Directory,
    opened: Opened,
    below: Vec<(Opened, String)>,
    pending: VecDeque<Step>,
    directory_wanted: bool,
    links: usize,
}

impl Walk<'_> {
    fn top(&self) -> &Opened {
        self.below.last().map_or(&self.opened, |(opened, _)| opened)
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
            Some((opened, _)) => opened.handle,
            None => self.opened.handle,
        }
    }

    fn arrived(
        &mut self,
        name: &str,
        object: Object,
        stat: Option<&Stat>,
    ) -> StorageResult<Located> {
        Ok(Located {
            parent: self.top().handle.try_clone()?,
            name: Some(name.to_owned()),
            object,
            kind: stat.map(|stat| FileType::from_raw_mode(stat.st_mode)),
            identity: stat.map(identity),
            directory_wanted: self.directory_wanted,
        })
    }

    /// The path ended at a directory of the walk itself (`.`, `a/..`, `a/b/..`).
    fn arrived_at_directory(mut self) -> StorageResult<Located> {
        let object = Object {
            path: self.path()?,
            standing: self.top().standing,
        };
        let identity = self.top().identity;
        let name = self.below.pop().map(|(_, name)| name);
        Ok(Located {
            parent: self.into_top(),
            name,
            object,
            kind: Some(FileType::Directory),
            identity: Some(identity),
            directory_wanted: true,
        })
    }
}
