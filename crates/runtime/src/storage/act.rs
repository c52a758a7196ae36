//! What is done to an object once the walk has found it and the policy has answered.

use super::quota::Place;
use super::stream::WriteAt;
use super::walk::peek;
use super::{
    Descriptor, Directory, Follow, Held, Located, Object, OpenFile, Standing, Storage,
    StorageError, StorageResult, beneath,
};
use crate::wasi::bindings::filesystem::types::ErrorCode;
use casemate_policy::{Reason, StorageAccess};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps};
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;

/// Mode of files that a guest creates, before the umask: never executable.
const FILE_MODE: u32 = 0o644;
/// Mode of directories that a guest creates, before the umask.
const DIRECTORY_MODE: u32 = 0o755;

/// The flags of `open-at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRequest {
    pub(crate) follow: Follow,
    pub(crate) create: bool,
    pub(crate) directory: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) mutate: bool,
}

/// Metadata as a guest sees it; times are seconds and nanoseconds since the epoch.
#[derive(Clone, Debug)]
pub(crate) struct Stat {
    pub(crate) kind: FileType,
    pub(crate) links: u64,
    pub(crate) size: u64,
    pub(crate) accessed: Option<(u64, u32)>,
    pub(crate) modified: Option<(u64, u32)>,
    pub(crate) changed: Option<(u64, u32)>,
    pub(crate) identity: (u64, u64),
}

/// New times of a file: `None` keeps the old one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) accessed: NewTime,
    pub(crate) modified: NewTime,
}

/// One new time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NewTime {
    Keep,
    Now,
    At(u64, u32),
}

impl NewTime {
    fn timespec(self) -> StorageResult<Timespec> {
        Ok(match self {
            Self::Keep => Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            },
            Self::Now => Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            },
            Self::At(seconds, nanoseconds) => {
                if nanoseconds >= 1_000_000_000 {
                    return Err(ErrorCode::Invalid.into());
                }
                Timespec {
                    tv_sec: i64::try_from(seconds).map_err(|_| ErrorCode::Overflow)?,
                    tv_nsec: i64::from(nanoseconds),
                }
            }
        })
    }
}

impl Times {
    fn timestamps(self) -> StorageResult<Timestamps> {
        Ok(Timestamps {
            last_access: self.accessed.timespec()?,
            last_modification: self.modified.timespec()?,
        })
    }
}

impl Storage {
    /// `open-at`.
    pub(crate) fn open(
        &self,
        directory: &Directory,
        path: &str,
        request: OpenRequest,
    ) -> StorageResult<Descriptor> {
        let follow = if request.exclusive {
            Follow::No
        } else {
            request.follow
        };
        let located = self.walk(directory, path, follow)?;
        // Absent and denied answer alike, and the record is the same whatever is there.
        if !self.visible(&located.object) {
            let access = if request.create || request.write || request.truncate {
                StorageAccess::Write
            } else {
                StorageAccess::Read
            };
            self.ask(&located.object, access)?;
            return Err(ErrorCode::NoEntry.into());
        }
        match located.kind {
            Some(_) if request.create && request.exclusive => {
                self.ask(&located.object, StorageAccess::Write)?;
                Err(ErrorCode::Exist.into())
            }
            Some(FileType::Directory) => self.open_located_directory(directory, &located, request),
            Some(FileType::RegularFile) => self.open_located_file(&located, request),
            Some(FileType::Symlink) => Err(ErrorCode::Loop.into()),
            // FIFOs, devices and sockets could block or act on being opened.
            Some(_) => Err(self.refuse(
                &located.object.path,
                Reason::StorageRead,
                "only regular files and directories are opened, and this is neither",
            )),
            None if request.create && !request.directory && !located.directory_wanted => {
                self.create_located_file(&located, request)
            }
            None => Err(ErrorCode::NoEntry.into()),
        }
    }

    fn open_located_directory(
        &self,
        directory: &Directory,
        located: &Located,
        request: OpenRequest,
    ) -> StorageResult<Descriptor> {
        self.ask(&located.object, StorageAccess::Traverse)?;
        if request.write || request.truncate || request.create {
            return Err(ErrorCode::IsDirectory.into());
        }
        Ok(Descriptor::Directory(Directory {
            mount: directory.mount.clone(),
            path: located.object.path.clone(),
            mutable: directory.mutable && request.mutate,
        }))
    }

    fn ask_for_content(&self, object: &Object, request: OpenRequest) -> StorageResult<()> {
        if request.write || request.truncate {
            self.ask(object, StorageAccess::Write)?;
        }
        if request.read {
            self.ask(object, StorageAccess::Read)?;
        }
        if !(request.read || request.write || request.truncate) {
            self.ask_visible(object)?;
        }
        Ok(())
    }

    fn open_located_file(
        &self,
        located: &Located,
        request: OpenRequest,
    ) -> StorageResult<Descriptor> {
        self.ask_for_content(&located.object, request)?;
        if request.directory {
            return Err(ErrorCode::NotDirectory.into());
        }
        let Some(name) = &located.name else {
            return Err(ErrorCode::NotDirectory.into());
        };
        let judged = rustix::fs::fstat(peek(located.parent.as_fd(), name)?)?;
        if FileType::from_raw_mode(judged.st_mode) != FileType::RegularFile {
            return Err(ErrorCode::NotPermitted.into());
        }
        if self.strict_links && judged.st_nlink > 1 {
            return Err(self.refuse(
                &located.object.path,
                Reason::StorageLink,
                "this file has another name too (a hard link), and this server refuses those",
            ));
        }
        let place = self.place()?;
        // By name, not through `/proc/self/fd`, which a container may not have; between the look
        // and the open the name may have come to mean something else, so nothing is truncated yet.
        let handle = beneath::open(&located.parent, name, access_flags(request), Mode::empty())?;
        let opened = rustix::fs::fstat(&handle)?;
        if (opened.st_dev, opened.st_ino) != (judged.st_dev, judged.st_ino)
            || FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile
        {
            return Err(ErrorCode::Busy.into());
        }
        if request.truncate {
            rustix::fs::ftruncate(&handle, 0)?;
        }
        Ok(open_file(File::from(handle), place, located, request))
    }

    fn create_located_file(
        &self,
        located: &Located,
        request: OpenRequest,
    ) -> StorageResult<Descriptor> {
        self.ask(&located.object, StorageAccess::Write)?;
        if request.read {
            self.ask(&located.object, StorageAccess::Read)?;
        }
        let Some(name) = &located.name else {
            return Err(ErrorCode::IsDirectory.into());
        };
        let place = self.place()?;
        // EXCL: what appeared meanwhile was not judged.
        let handle = self.quota.create(|| {
            beneath::open(
                &located.parent,
                name,
                access_flags(request) | OFlags::CREATE | OFlags::EXCL,
                Mode::from_raw_mode(FILE_MODE),
            )
        })?;
        Ok(open_file(File::from(handle), place, located, request))
    }

    /// `stat-at` and `metadata-hash-at`.
    pub(crate) fn stat_at(
        &self,
        directory: &Directory,
        path: &str,
        follow: Follow,
    ) -> StorageResult<Stat> {
        let located = self.walk(directory, path, follow)?;
        self.ask_visible(&located.object)?;
        let stat = self.stat_located(&located)?;
        Ok(self.stat(&stat))
    }

    /// `stat` and `metadata-hash` of an open descriptor.
    pub(crate) fn stat_descriptor(&self, descriptor: &DescriptorRef) -> StorageResult<Stat> {
        let stat = match descriptor {
            DescriptorRef::Directory(directory) => {
                let opened = self.open_directory(directory)?;
                self.ask_visible(&Object {
                    path: directory.path.clone(),
                    standing: opened.standing,
                })?;
                rustix::fs::fstat(opened.handle)?
            }
            DescriptorRef::File(file) => rustix::fs::fstat(&**file.file)?,
        };
        Ok(self.stat(&stat))
    }

    fn stat(&self, stat: &rustix::fs::Stat) -> Stat {
        let time = |seconds: i64, nanoseconds: u64| {
            let seconds = u64::try_from(seconds).ok()?;
            // A file's time would tell the time that the clock withholds: whole seconds
            // only, unless the clock is `full`.
            let nanoseconds = if self.exact_times {
                u32::try_from(nanoseconds).ok()?
            } else {
                0
            };
            Some((seconds, nanoseconds))
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        // The links and the size of a directory would tell of entries that are hidden.
        let (links, size) = match kind {
            FileType::Directory => (1, 0),
            _ => (stat.st_nlink, u64::try_from(stat.st_size).unwrap_or(0)),
        };
        Stat {
            kind,
            links,
            size,
            accessed: time(stat.st_atime, stat.st_atime_nsec),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            identity: (stat.st_dev, stat.st_ino),
        }
    }

    /// `readlink-at`; the target of an absolute link is a fact about the host and stays hidden.
    pub(crate) fn read_link(&self, directory: &Directory, path: &str) -> StorageResult<String> {
        let located = self.walk(directory, path, Follow::No)?;
        self.ask_visible(&located.object)?;
        let (Some(FileType::Symlink), Some(name)) = (located.kind, &located.name) else {
            return Err(match located.kind {
                None => ErrorCode::NoEntry,
                Some(_) => ErrorCode::Invalid,
            }
            .into());
        };
        let target = rustix::fs::readlinkat(&located.parent, name.as_str(), Vec::new())?;
        let target = target
            .to_str()
            .map_err(|_| ErrorCode::IllegalByteSequence)?;
        if target.starts_with('/') {
            return Err(self.link_leads_out(&located.object));
        }
        Ok(target.to_owned())
    }

    /// Whether what was found leads to Casemate's own home, so that it is not moved or removed.
    pub(super) fn leads_home(&self, located: &Located) -> bool {
        located
            .identity
            .is_some_and(|identity| self.own.is_reached_by(identity))
    }

    fn for_change(
        &self,
        directory: &Directory,
        path: &str,
        access: StorageAccess,
    ) -> StorageResult<(Located, String)> {
        let located = self.walk(directory, path, Follow::No)?;
        if self.leads_home(&located) && self.visible(&located.object) {
            // It may be seen, and stays where it is.
            let own = Object {
                path: located.object.path.clone(),
                standing: Standing::Own,
            };
            let _absent = self.ask(&own, access);
            return Err(ErrorCode::NotPermitted.into());
        }
        self.ask(&located.object, access)?;
        match located.name.clone() {
            Some(name) => Ok((located, name)),
            None => Err(ErrorCode::Invalid.into()),
        }
    }

    /// `create-directory-at`.
    pub(crate) fn create_directory(&self, directory: &Directory, path: &str) -> StorageResult<()> {
        let (located, name) = self.for_change(directory, path, StorageAccess::Write)?;
        self.quota.create(|| {
            rustix::fs::mkdirat(
                &located.parent,
                name.as_str(),
                Mode::from_raw_mode(DIRECTORY_MODE),
            )
        })
    }

    /// `unlink-file-at`.
    pub(crate) fn unlink(&self, directory: &Directory, path: &str) -> StorageResult<()> {
        let (located, name) = self.for_change(directory, path, StorageAccess::Write)?;
        if located.directory_wanted && located.kind.is_some() {
            return Err(ErrorCode::IsDirectory.into());
        }
        rustix::fs::unlinkat(&located.parent, name.as_str(), AtFlags::empty())?;
        Ok(())
    }

    /// `remove-directory-at`.
    pub(crate) fn remove_directory(&self, directory: &Directory, path: &str) -> StorageResult<()> {
        let (located, name) = self.for_change(directory, path, StorageAccess::Remove)?;
        rustix::fs::unlinkat(&located.parent, name.as_str(), AtFlags::REMOVEDIR)?;
        Ok(())
    }

    /// `set-times-at`.
    pub(crate) fn set_times_at(
        &self,
        directory: &Directory,
        path: &str,
        follow: Follow,
        times: Times,
    ) -> StorageResult<()> {
        let located = self.walk(directory, path, follow)?;
        self.ask(&located.object, StorageAccess::Write)?;
        let Some(name) = &located.name else {
            return Err(ErrorCode::NotPermitted.into());
        };
        rustix::fs::utimensat(
            &located.parent,
            name.as_str(),
            &times.timestamps()?,
            AtFlags::SYMLINK_NOFOLLOW,
        )?;
        Ok(())
    }

    /// `set-times` of an open file.
    pub(crate) fn set_times(&self, file: &OpenFile, times: Times) -> StorageResult<()> {
        self.ask(&file.object, StorageAccess::Write)?;
        rustix::fs::futimens(&**file.file, &times.timestamps()?)?;
        Ok(())
    }

    /// `write` at an offset of an open file.
    pub(crate) fn write(&self, file: &OpenFile, bytes: &[u8], offset: u64) -> StorageResult<u64> {
        self.quota
            .write(bytes.len() as u64)
            .map_err(|limit| StorageError::Trap(limit.into()))?;
        let at = WriteAt::Offset(offset);
        Ok(super::stream::write(&file.file, at, bytes, &self.quota)? as u64)
    }

    /// `set-size` of an open file.
    pub(crate) fn set_size(&self, file: &OpenFile, size: u64) -> StorageResult<()> {
        self.ask(&file.object, StorageAccess::Write)?;
        let present = rustix::fs::fstat(&**file.file)?.st_size;
        let grown = size.saturating_sub(u64::try_from(present).unwrap_or(0));
        self.quota
            .write(grown)
            .map_err(|limit| StorageError::Trap(limit.into()))?;
        rustix::fs::ftruncate(&**file.file, size).map_err(|errno| {
            self.quota.not_written(grown);
            errno.into()
        })
    }
}

/// A descriptor taken out of the table for an operation in the I/O pool.
#[derive(Clone, Debug)]
pub(crate) enum DescriptorRef {
    Directory(Directory),
    File(OpenFile),
}

impl Descriptor {
    /// A copy that can be sent to the I/O pool.
    pub(crate) fn to_ref(&self) -> DescriptorRef {
        match self {
            Self::Directory(directory) => DescriptorRef::Directory(directory.clone()),
            Self::File(file) => DescriptorRef::File(file.clone()),
        }
    }
}

fn access_flags(request: OpenRequest) -> OFlags {
    let access = match (request.read, request.write || request.truncate) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    access | OFlags::NONBLOCK | OFlags::NOCTTY
}

fn open_file(file: File, place: Place, located: &Located, request: OpenRequest) -> Descriptor {
    Descriptor::File(OpenFile {
        file: Arc::new(Held {
            file,
            _place: place,
        }),
        object: located.object.clone(),
        read: request.read,
        write: request.write,
    })
}
