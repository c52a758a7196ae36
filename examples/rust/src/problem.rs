//! What an I/O error means to the caller.

use std::io::{Error, ErrorKind};

use crate::bindings::exports::casemate_examples::notes::files::FileError;

/// The error number `notcapable` of WASI, which `ErrorKind` has no word for.
const NOT_CAPABLE: i32 = 76;

/// Tells why `path` could not be used; `doing` completes "cannot …", for example "read".
pub fn explain(doing: &str, path: &str, error: &Error) -> FileError {
    match error.kind() {
        ErrorKind::NotFound => FileError::NotFound(format!("there is no {path}")),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileError::NotPermitted(
            format!("cannot {doing} {path}: the tool is not permitted to"),
        ),
        ErrorKind::IsADirectory => FileError::NotAFile(format!("{path} is a folder")),
        ErrorKind::NotADirectory => {
            FileError::NotAFolder(format!("{path}, or a part of it, is not a folder"))
        }
        ErrorKind::AlreadyExists => FileError::AlreadyExists(format!(
            "{path} exists; it was left as it is (`replace` replaces it)"
        )),
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
            FileError::InvalidArgument(format!("{path:?} is no path"))
        }
        // The path is in none of the folders that the host opened for this component, or leads out of one. Standard
        // libraries differ: some hand on WASI's number, some make an error of their own, which has none.
        _ if matches!(error.raw_os_error(), Some(NOT_CAPABLE) | None) => FileError::NotPermitted(
            format!("cannot {doing} {path}: it is in no folder that the tool was given"),
        ),
        _ => FileError::Failed(format!("cannot {doing} {path}: {error}")),
    }
}
