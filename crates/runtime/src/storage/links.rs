//! Second names: hard links, symlinks, and other names.
//!
//! A guest with the right to make symlinks makes only such that stay below the directory it was given,
//! for every program that follows them: the target is relative, `..` stands at its start only, and
//! does not lead above that directory. A move that would make a symlink lead out is refused, whoever
//! made the link.

use super::walk::peek;
use super::{
    Directory, Follow, Located, Object, Standing, Storage, StorageError, StorageResult, beneath,
};
use crate::wasi::bindings::filesystem::types::ErrorCode;
use casemate_policy::{LinkKind, Operation, Reason, VirtualPath};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use std::os::fd::{AsFd, BorrowedFd};

/// Longest target of a symlink, in bytes.
const MAX_TARGET: usize = 4_095;
/// Entries of a directory that are looked through before it is moved.
const MAX_MOVED: usize = 100_000;

const LEADS_OUT: &str = "a symbolic link is made or moved only where its target stays in the granted folder, for everybody";

/// How deep below a mount's own directory something is; 0 for that directory.
fn depth(directory: &Directory, path: &VirtualPath) -> usize {
    let top = directory.mount.guest.components().count();
    path.components().count().saturating_sub(top)
}

/// Whether a relative target leads above a mount's own directory, from a link in a directory of this depth.
/// Names are taken as directories, not as links.
fn leads_out(target: &str, mut depth: usize) -> bool {
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return true,
            },
            _name => depth = depth.saturating_add(1),
        }
    }
    false
}

/// A target in the form in which guests may write one: so many directories up, then down by names.
fn up_and_down(target: &str) -> Option<(usize, Vec<&str>)> {
    let mut up = 0;
    let mut down = Vec::new();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." if down.is_empty() => up += 1,
            ".." => return None,
            name => down.push(name),
        }
    }
    Some((up, down))
}

impl Storage {
    /// Judges both ends of a link or a move. `home`: one of them leads to Casemate's own home.
    fn ask_link(
        &self,
        from: &Object,
        to: &Object,
        kind: LinkKind,
        home: bool,
    ) -> StorageResult<()> {
        let standings = [from.standing, to.standing];
        if standings.contains(&Standing::Kernel) {
            let object = if from.standing == Standing::Kernel {
                from
            } else {
                to
            };
            let _shown = self.refuse(
                &object.path,
                Reason::StorageLink,
                "it is in a file system of the kernel, and those are never reached",
            );
            return Err(ErrorCode::NoEntry.into());
        }
        match self.grant.decide(&Operation::StorageLink {
            from: &from.path,
            to: &to.path,
            kind,
            own: home || standings.contains(&Standing::Own),
        }) {
            Ok(_permit) => Ok(()),
            Err(denial) => {
                self.trail.denied(&denial);
                if self.visible(from) && self.visible(to) {
                    Err(ErrorCode::NotPermitted.into())
                } else {
                    Err(ErrorCode::NoEntry.into())
                }
            }
        }
    }

    /// `rename-at`.
    pub(crate) fn rename(
        &self,
        from: &Directory,
        from_path: &str,
        to: &Directory,
        to_path: &str,
    ) -> StorageResult<()> {
        let source = self.walk(from, from_path, Follow::No)?;
        let target = self.walk(to, to_path, Follow::No)?;
        let home = self.leads_home(&source) || self.leads_home(&target);
        let kind = match source.kind {
            Some(FileType::Directory) => LinkKind::Rename,
            Some(_) | None => LinkKind::RenameFile,
        };
        self.ask_link(&source.object, &target.object, kind, home)?;
        let (Some(source_name), Some(target_name)) = (&source.name, &target.name) else {
            return Err(ErrorCode::Busy.into());
        };
        self.check_move(from, &source, source_name, to, &target)?;
        rustix::fs::renameat(
            &source.parent,
            source_name.as_str(),
            &target.parent,
            target_name.as_str(),
        )?;
        Ok(())
    }

    /// Refuses a move after which a symlink would lead out, and one of what is never opened.
    fn check_move(
        &self,
        from: &Directory,
        source: &Located,
        name: &str,
        to: &Directory,
        target: &Located,
    ) -> StorageResult<()> {
        // The object itself has a depth of one more than the directory that it is in.
        let in_depth = depth(to, &target.object.path).saturating_sub(1);
        let out = || self.refuse(&source.object.path, Reason::StorageLink, LEADS_OUT);
        match source.kind {
            Some(FileType::Symlink) => {
                let link = rustix::fs::readlinkat(&source.parent, name, Vec::new())?;
                let link = link.to_str().map_err(|_| ErrorCode::IllegalByteSequence)?;
                // An absolute target stays what it is wherever the link goes.
                if !link.starts_with('/') && leads_out(link, in_depth) {
                    return Err(out());
                }
            }
            // On the same level or deeper every link in it has as many directories above it as before.
            Some(FileType::Directory)
                if from.mount != to.mount
                    || depth(to, &target.object.path) < depth(from, &source.object.path) =>
            {
                let top = peek(source.parent.as_fd(), name)?;
                let mut left = MAX_MOVED;
                if !stays_inside(top.as_fd(), in_depth + 1, &mut left)? {
                    return Err(out());
                }
            }
            Some(FileType::Directory | FileType::RegularFile) | None => {}
            // Its name next to a file's would only serve to have the one opened for the other.
            Some(_) => {
                return Err(self.refuse(
                    &source.object.path,
                    Reason::StorageLink,
                    "only files, directories and symbolic links are moved, and this is none of them",
                ));
            }
        }
        Ok(())
    }

    /// `link-at`: another name for a regular file.
    pub(crate) fn link(
        &self,
        from: &Directory,
        from_path: &str,
        to: &Directory,
        to_path: &str,
    ) -> StorageResult<()> {
        let source = self.walk(from, from_path, Follow::No)?;
        let target = self.walk(to, to_path, Follow::No)?;
        self.ask_link(&source.object, &target.object, LinkKind::Hard, false)?;
        let Some(kind) = source.kind else {
            return Err(ErrorCode::NoEntry.into());
        };
        let (Some(source_name), Some(target_name)) = (&source.name, &target.name) else {
            return Err(ErrorCode::Exist.into());
        };
        if kind != FileType::RegularFile || self.strict_links {
            return Err(self.refuse(
                &source.object.path,
                Reason::StorageLink,
                "only regular files get a second name, and none where the server refuses hard links",
            ));
        }
        if target.directory_wanted {
            return Err(ErrorCode::NoEntry.into());
        }
        let judged = rustix::fs::fstat(peek(source.parent.as_fd(), source_name)?)?;
        self.quota.create(|| {
            rustix::fs::linkat(
                &source.parent,
                source_name.as_str(),
                &target.parent,
                target_name.as_str(),
                AtFlags::empty(),
            )
        })?;
        let made = rustix::fs::statat(
            &target.parent,
            target_name.as_str(),
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        // Between the look and the link the name may have come to mean something else.
        if super::standing::identity(&made) != super::standing::identity(&judged) {
            rustix::fs::unlinkat(&target.parent, target_name.as_str(), AtFlags::empty())?;
            return Err(ErrorCode::Busy.into());
        }
        Ok(())
    }

    /// `symlink-at`.
    pub(crate) fn symlink(
        &self,
        directory: &Directory,
        target: &str,
        path: &str,
    ) -> StorageResult<()> {
        let link = self.walk(directory, path, Follow::No)?;
        // Whether the guest makes links there at all comes first: without that right no target is looked at.
        self.ask_link(&link.object, &link.object, LinkKind::Symbolic, false)?;
        let Some(object) = self.target_of(directory, &link, target)? else {
            return Err(self.refuse(&link.object.path, Reason::StorageLink, LEADS_OUT));
        };
        self.ask_link(&object, &link.object, LinkKind::Symbolic, false)?;
        let Some(name) = &link.name else {
            return Err(ErrorCode::Exist.into());
        };
        if link.kind.is_some() {
            return Err(ErrorCode::Exist.into());
        }
        if link.directory_wanted || target.is_empty() {
            return Err(ErrorCode::NoEntry.into());
        }
        self.quota
            .create(|| rustix::fs::symlinkat(target, &link.parent, name.as_str()))
    }

    /// What a new link would lead to, whether it is there or not; `None` where that is no business of a
    /// guest's link.
    fn target_of(
        &self,
        directory: &Directory,
        link: &Located,
        target: &str,
    ) -> StorageResult<Option<Object>> {
        if target.len() > MAX_TARGET {
            return Err(ErrorCode::NameTooLong.into());
        }
        if target.contains('\0') {
            return Err(ErrorCode::Invalid.into());
        }
        let Some((up, down)) = up_and_down(target) else {
            return Ok(None);
        };
        let Some(in_depth) = depth(directory, &link.object.path).checked_sub(1) else {
            return Ok(None);
        };
        if target.starts_with('/') || up > in_depth {
            return Ok(None);
        }
        let mut start = link.object.path.clone();
        for _ in 0..=up {
            start = start.parent().ok_or(ErrorCode::Invalid)?;
        }
        let start = Directory {
            mount: directory.mount.clone(),
            path: start,
            mutable: false,
        };
        if down.is_empty() {
            let standing = self.open_directory(&start)?.standing;
            return Ok(Some(Object {
                path: start.path,
                standing,
            }));
        }
        match self.walk(&start, &down.join("/"), Follow::Yes) {
            Ok(located) => Ok(Some(located.object)),
            // It may come to be there later, and is judged when it is used.
            Err(StorageError::Code(ErrorCode::NoEntry)) => {
                let mut path = start.path;
                for name in down {
                    path = path.join(name).map_err(|_| ErrorCode::Invalid)?;
                }
                Ok(Some(Object::ordinary(path)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether no symlink in a directory of this depth leads out of the mount.
fn stays_inside(directory: BorrowedFd<'_>, depth: usize, left: &mut usize) -> StorageResult<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut entries = Dir::new(beneath::open(directory, ".", flags, Mode::empty())?)?;
    while let Some(entry) = entries.read() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        *left = match left.checked_sub(1) {
            Some(less) => less,
            // Too large to be looked through.
            None => return Ok(false),
        };
        let inside = match entry.file_type() {
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
                // An absolute target stays what it is wherever the link goes.
                target.to_bytes().starts_with(b"/") || !leads_out(&target.to_string_lossy(), depth)
            }
            FileType::Directory => {
                // Deeper than any walk goes, nothing was made by a guest through one path.
                let name = name.to_str().map_err(|_| ErrorCode::IllegalByteSequence)?;
                let below = peek(directory, name)?;
                depth < MAX_NESTED && stays_inside(below.as_fd(), depth + 1, left)?
            }
            _ => true,
        };
        if !inside {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Directories within each other that are looked through: each is open while those in it are.
const MAX_NESTED: usize = 128;

#[cfg(test)]
mod tests;
