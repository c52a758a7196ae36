//! Bounded reading of regular files, whatever sits at the path.
//!
//! A path can name a FIFO that never ends, a device, a directory, a sparse file of terabytes or a
//! file that grows while it is read. So the order is: open without blocking, ask the *opened*
//! object what it is, refuse by kind, refuse by the size it claims, then read at most one byte more
//! than the limit, since the size may lie.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

#[cfg(test)]
mod tests;

/// What kind of object a path named where a regular file was needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A block or character device.
    Device,
    /// A socket.
    Socket,
    /// A symbolic link, where links are not followed.
    SymbolicLink,
    /// A symbolic link that leads to nothing.
    DanglingLink,
    /// Anything else that is not a regular file.
    Other,
}

impl std::fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            FileKind::Directory => "a directory",
            FileKind::Fifo => "a named pipe",
            FileKind::Device => "a device",
            FileKind::Socket => "a socket",
            FileKind::SymbolicLink => "a symbolic link",
            FileKind::DanglingLink => "a symbolic link that leads to nothing",
            FileKind::Other => "not a regular file",
        })
    }
}

impl FileKind {
    /// The kind behind a file type; `None` for a regular file.
    pub(crate) fn of(file_type: std::fs::FileType) -> Option<FileKind> {
        if file_type.is_file() {
            None
        } else if file_type.is_dir() {
            Some(FileKind::Directory)
        } else if file_type.is_fifo() {
            Some(FileKind::Fifo)
        } else if file_type.is_block_device() || file_type.is_char_device() {
            Some(FileKind::Device)
        } else if file_type.is_socket() {
            Some(FileKind::Socket)
        } else if file_type.is_symlink() {
            Some(FileKind::SymbolicLink)
        } else {
            Some(FileKind::Other)
        }
    }
}

/// Whether the last component of a path may be a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// A person's own files: many keep their configuration in a linked repository.
    Follow,
    /// Files that only Casemate writes: a link there is somebody's doing.
    Refuse,
}

/// Why a bounded read failed; each stage turns it into its own error.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Nothing is at the path, not even a link.
    Missing,
    /// Something is there that is not a regular file.
    NotRegular(FileKind),
    /// More bytes than the limit; the size when the file states it.
    TooLarge { size: Option<u64> },
    /// The operating system refused.
    Io(io::Error),
}

/// A whole file as it was read, with what the opened object said about itself.
#[derive(Debug)]
pub(crate) struct WholeFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Metadata,
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_regular(path: &Path, limit: u64, links: Links) -> Result<WholeFile, ReadError> {
    let (file, metadata) = open_regular(path, links)?;
    if metadata.len() > limit {
        return Err(ReadError::TooLarge {
            size: Some(metadata.len()),
        });
    }
    let bytes = read_capped(file, limit, metadata.len())?;
    Ok(WholeFile { bytes, metadata })
}

/// Opens a regular file for reading and never waits for it.
pub(crate) fn open_regular(path: &Path, links: Links) -> Result<(File, Metadata), ReadError> {
    let mut flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = open_present(path, flags, links)?;
    let metadata = file.metadata().map_err(ReadError::Io)?;
    match FileKind::of(metadata.file_type()) {
        None => Ok((file, metadata)),
        Some(kind) => Err(ReadError::NotRegular(kind)),
    }
}

/// How often a name that appears between two looks is tried again.
const TRIES: u32 = 16;

/// Opens what has the name, and says precisely when nothing has it.
fn open_present(path: &Path, flags: OFlags, links: Links) -> Result<File, ReadError> {
    for _ in 0..TRIES {
        let opened = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
        let errno = match opened {
            Ok(descriptor) => return Ok(File::from(descriptor)),
            Err(errno) => errno,
        };
        if errno != Errno::NOENT {
            return Err(why_not_opened(path, links, errno));
        }
        // The name may exist even so: a link to nothing must not be taken for absence.
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_symlink() => {
                return Err(ReadError::NotRegular(FileKind::DanglingLink));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(ReadError::Missing);
            }
            Err(error) => return Err(ReadError::Io(error)),
            // A writer made it between the two looks (seen with two processes and a new home).
            Ok(_) => {}
        }
    }
    Err(ReadError::Io(Errno::NOENT.into()))
}

fn why_not_opened(path: &Path, links: Links, errno: Errno) -> ReadError {
    match errno {
        Errno::LOOP if links == Links::Refuse => ReadError::NotRegular(FileKind::SymbolicLink),
        // What opening a socket says, and a device without a driver.
        Errno::NXIO => match std::fs::metadata(path)
            .ok()
            .and_then(|found| FileKind::of(found.file_type()))
        {
            Some(kind) => ReadError::NotRegular(kind),
            None => ReadError::Io(errno.into()),
        },
        _ => ReadError::Io(errno.into()),
    }
}

/// Reads to the end, and one byte past `limit` at most. `expected` only sizes the buffer.
fn read_capped(reader: impl Read, limit: u64, expected: u64) -> Result<Vec<u8>, ReadError> {
    // One byte more than the claim, so that the end is seen without growing the buffer.
    let capacity = usize::try_from(expected.min(limit).saturating_add(1)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(capacity);
    reader
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(ReadError::Io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(ReadError::TooLarge { size: None });
    }
    Ok(bytes)
}
