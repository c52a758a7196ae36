//! Files, reached by walking from a bound root one component at a time.
//!
//! Order of evaluation, and why:
//!
//! 1. A guest path is walked from its directory's root, one component per `openat2`, as a
//!    handle that gives no right to content, so that no spelling, symlink or race leads elsewhere.
//! 2. Symlinks are read and walked by the same loop; what is judged is the canonical path
//!    that the walk ends at, not the one that was asked for.
//! 3. [`Storage::ask`] asks `Grant::decide` before anything is created, opened or changed.
//! 4. The last component is opened by name below the parent that was walked, never by path,
//!    and must be a regular file or a directory: a FIFO or device is refused before `open`.
//!
//! What is denied looks absent, unless the guest may see the object in another way. Casemate's own home
//! and file systems of the kernel are denied by what they are ([`standing`]), wherever they appear.

mod act;
mod beneath;
mod links;
mod listing;
mod quota;
mod spelling;
mod standing;
mod stream;
mod walk;

pub use self::beneath::has_openat2;
use crate::enforce::Trail;
use crate::wasi::bindings::filesystem::types::ErrorCode;
use casemate_policy::{Grant, Mount, Operation, Reason, RootName, StorageAccess, VirtualPath};
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use act::{DescriptorRef, NewTime, OpenRequest, Stat, Times};
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub use listing::EntryStream;
pub(crate) use quota::{OpenPlaces, ProcessPlaces, Quota};
pub(crate) use standing::{Object, OwnHome, Standing};
pub(crate) use stream::{FileReader, FileWriter, WriteAt};
pub(crate) use walk::{Follow, Located};

/// Host directories that a person bound to named roots.
pub type Roots = BTreeMap<RootName, PathBuf>;

/// Why a storage function did not succeed: a code for the guest, or the end of the call.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
#[derive(Debug)]
pub enum StorageError {
    /// The guest sees this code.
    Code(ErrorCode),
    /// The call ends.
    Trap(wasmtime::Error),
}

/// What a storage function returns.
pub(crate) type StorageResult<T> = Result<T, StorageError>;

impl From<ErrorCode> for StorageError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<wasmtime::component::ResourceTableError> for StorageError {
    fn from(error: wasmtime::component::ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<rustix::io::Errno> for StorageError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Code(code(errno))
    }
}

impl From<std::io::Error> for StorageError {
    fn from(error: std::io::Error) -> Self {
        let errno = rustix::io::Errno::from_io_error(&error);
        Self::Code(errno.map_or(ErrorCode::Io, code))
    }
}

impl From<tokio::task::JoinError> for StorageError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Trap(wasmtime::Error::new(error))
    }
}

/// The WASI code of an operating-system error.
pub(crate) fn code(errno: rustix::io::Errno) -> ErrorCode {
    use rustix::io::Errno;
    match errno {
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::EXIST => ErrorCode::Exist,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::ACCESS => ErrorCode::Access,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::LOOP => ErrorCode::Loop,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::XDEV => ErrorCode::CrossDevice,
        Errno::BUSY => ErrorCode::Busy,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::OPNOTSUPP => ErrorCode::Unsupported,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => ErrorCode::InsufficientMemory,
        _ => ErrorCode::Io,
    }
}

/// An open regular file in its place among those that a call may have.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    _place: quota::Place,
}

impl Deref for Held {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// An open file or directory of a guest.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub enum Descriptor {
    /// A directory, kept as a path: each use walks there again, so that a handle never
    /// outlives the grant or follows a directory that was moved away.
    Directory(Directory),
    /// An open regular file.
    File(OpenFile),
}

/// A directory that a guest may name.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    pub(crate) mount: Mount,
    pub(crate) path: VirtualPath,
    pub(crate) mutable: bool,
}

/// An open regular file and what it was opened for.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    pub(crate) file: Arc<Held>,
    pub(crate) object: Object,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// Everything that a storage operation needs, cheap to clone into the I/O pool.
#[derive(Clone)]
pub(crate) struct Storage {
    pub(crate) grant: Arc<Grant>,
    pub(crate) trail: Trail,
    pub(crate) roots: Arc<Roots>,
    pub(crate) pool: tokio::runtime::Handle,
    pub(crate) exact_times: bool,
    /// Where files and listings of this call, and of all calls, may be open.
    pub(crate) places: OpenPlaces,
    /// What this call has written and created.
    pub(crate) quota: Arc<Quota>,
    /// Casemate's own home, which no guest reaches.
    pub(crate) own: Arc<OwnHome>,
    /// Whether files with more than one name are refused.
    pub(crate) strict_links: bool,
}

impl Storage {
    /// Runs a blocking operation in the I/O pool.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Self) -> StorageResult<T> + Send + 'static,
    ) -> StorageResult<T> {
        let storage = self.clone();
        self.pool
            .spawn_blocking(move || operation(&storage))
            .await?
    }

    /// Asks whether an object may be reached in this way, and records a refusal.
    ///
    /// # Errors
    ///
    /// `no-entry` where nothing allows the guest to see the object, `not-permitted` where it
    /// may be seen in another way.
    pub(crate) fn ask(&self, object: &Object, access: StorageAccess) -> StorageResult<()> {
        let Some(operation) = operation(object, access) else {
            let reason = match access {
                StorageAccess::Read | StorageAccess::Traverse => Reason::StorageRead,
                StorageAccess::Write | StorageAccess::Remove => Reason::StorageWrite,
            };
            let _shown = self.refuse(
                &object.path,
                reason,
                "it is in a file system of the kernel, and those are never reached",
            );
            return Err(ErrorCode::NoEntry.into());
        };
        match self.grant.decide(&operation) {
            Ok(_permit) => Ok(()),
            Err(denial) => {
                self.trail.denied(&denial);
                if self.visible(object) {
                    Err(ErrorCode::NotPermitted.into())
                } else {
                    Err(ErrorCode::NoEntry.into())
                }
            }
        }
    }

    /// Whether the guest may know that an object exists, without a record: all that may be read or
    /// written, and what leads there, may be looked at.
    pub(crate) fn visible(&self, object: &Object) -> bool {
        operation(object, StorageAccess::Traverse)
            .is_some_and(|operation| self.grant.decide(&operation).is_ok())
    }

    /// Records the refusal of something that no rule could permit.
    pub(crate) fn refuse(
        &self,
        path: &VirtualPath,
        reason: Reason,
        explanation: &str,
    ) -> StorageError {
        // The subject in the words of every other denial, made safe to show.
        let access = match reason {
            Reason::StorageWrite => StorageAccess::Write,
            _ => StorageAccess::Read,
        };
        let operation = Operation::Storage {
            path,
            access,
            own: false,
        };
        let subject = self.grant.explain(&operation).subject;
        self.trail.refused(reason, subject, explanation);
        ErrorCode::NotPermitted.into()
    }

    /// Asks to see an object (its metadata, its name).
    pub(crate) fn ask_visible(&self, object: &Object) -> StorageResult<()> {
        if self.visible(object) {
            return Ok(());
        }
        self.ask(object, StorageAccess::Read)
    }
}

/// What the policy is asked; nothing where no policy could say yes.
fn operation(object: &Object, access: StorageAccess) -> Option<Operation<'_>> {
    let own = match object.standing {
        Standing::Ordinary => false,
        Standing::Own => true,
        Standing::Kernel => return None,
    };
    Some(Operation::Storage {
        path: &object.path,
        access,
        own,
    })
}
