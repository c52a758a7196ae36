//! Credentials: with whose name a registry is asked.
//!
//! [`CredentialSources`] looks, in this order, into Casemate's own file ([`OwnCredentials`], written
//! by `casemate login`), Docker's `config.json` and Podman's `auth.json`, and stops at the first that
//! knows the registry. The files of the other two may name programs
//! (`docker-credential-NAME`), which are run within a deadline and bounds ([`Helpers`]).
//!
//! It fails closed: a file that cannot be read or trusted is an error, never "no credentials". A
//! [`Secret`] shows in no `Debug`, no error and no log, and its memory is overwritten when it goes.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::home::disk_hint;
use crate::read::FileKind;
use crate::sources::{CredentialError, Login};

mod check;
mod docker;
mod file;
mod helper;
mod key;
mod own;
#[cfg(test)]
mod tests;

pub use check::{LoginCheck, check_login};
pub use docker::CredentialSources;
pub use helper::Helpers;
pub use own::OwnCredentials;

/// Largest file of credentials, in bytes: 1 MiB.
pub const MAX_CREDENTIAL_BYTES: u64 = 1024 * 1024;

/// A user and a password; `Err` says what cannot be sent (RFC 7617, section 2).
fn basic(user: String, secret: &Secret) -> Result<Login, &'static str> {
    if user.is_empty() || secret.expose().is_empty() {
        return Err("the user or the password is empty");
    }
    if user.contains(':') || user.chars().any(char::is_control) {
        return Err("the user name has a colon or a control character");
    }
    if secret.expose().chars().any(char::is_control) {
        return Err("the password has a control character");
    }
    Ok(Login::Basic {
        user,
        secret: secret.expose().to_owned(),
    })
}

/// A refresh token; `Err` says what cannot be sent.
fn token(secret: &Secret) -> Result<Login, &'static str> {
    if secret.expose().is_empty() || secret.expose().chars().any(char::is_control) {
        return Err("the identity token is empty or has a control character");
    }
    Ok(Login::IdentityToken(secret.expose().to_owned()))
}

/// A text that nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text, for the one place that sends it.
    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// Why it is not known what to show to a registry. Never to be taken for "nothing".
///
/// No variant holds a part of a file's content or of a program's output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialFileError {
    /// A directory, pipe or device, or a link where none may be.
    #[error("{} is {kind}, not a file of credentials", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
        /// What is there.
        kind: FileKind,
    },
    /// Other users may read Casemate's own file, or the directory that it lies in.
    #[error("{} is open to other users (mode {mode:04o}) and is not used", path.display())]
    OpenToOthers {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Everybody may change a file that says which program is run and what it is told.
    #[error("{} can be written by every user (mode {mode:04o}) and is not trusted", path.display())]
    WorldWritable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither this user nor root owns it.
    #[error("{} belongs to another user (uid {owner}) and is not trusted", path.display())]
    ForeignOwner {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// More than [`MAX_CREDENTIAL_BYTES`].
    #[error("{} is too large: at most {limit} bytes are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// No JSON, or not in the shape of Docker's `config.json`.
    #[error("{}, line {line}, column {column}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
        /// What is wrong, without the text itself.
        what: &'static str,
    },
    /// What is kept for this registry makes no login.
    #[error("{}: what it has for {registry} is not usable: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file names a program in a way that could be something else.
    #[error("{} names a credential helper {name:?}, which is no helper's name", path.display())]
    HelperName {
        /// The file.
        path: PathBuf,
        /// What it says; at most 64 characters of it.
        name: String,
    },
    /// A file names a program that is not there.
    #[error("{} wants docker-credential-{name}, which is not on the PATH", path.display())]
    HelperMissing {
        /// The file.
        path: PathBuf,
        /// The helper.
        name: String,
    },
    /// The program did not come to an end.
    #[error("docker-credential-{name} gave no answer within {} s and was ended", waited.as_secs())]
    HelperSlow {
        /// The helper.
        name: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The program said more than any answer has.
    #[error("docker-credential-{name} printed more than {limit} bytes and was ended")]
    HelperFlood {
        /// The helper.
        name: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The program failed, or its answer means nothing.
    #[error("docker-credential-{name} {why}")]
    HelperFailed {
        /// The helper.
        name: String,
        /// How.
        why: String,
    },
    /// A registry's name that could be something else in a file.
    #[error("{registry:?} is no registry's name")]
    RegistryName {
        /// What was given.
        registry: String,
    },
    /// Another process is writing.
    #[error("another casemate is changing {} for more than {} s", path.display(), waited.as_secs())]
    Busy {
        /// The file that is locked.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, directory or program.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl CredentialFileError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            CredentialFileError::OpenToOthers { path, .. } => {
                Some(format!("chmod go-rwx {}", path.display()))
            }
            CredentialFileError::WorldWritable { path, .. } => {
                Some(format!("chmod o-w {}", path.display()))
            }
            CredentialFileError::ForeignOwner { path, .. } => {
                Some(format!("chown \"$(id -u)\" {}", path.display()))
            }
            CredentialFileError::NotRegular { path, .. } => {
                Some(format!("see what it is: ls -ld {}", path.display()))
            }
            CredentialFileError::HelperMissing { .. }
            | CredentialFileError::HelperSlow { .. }
            | CredentialFileError::HelperFlood { .. }
            | CredentialFileError::HelperFailed { .. }
            | CredentialFileError::HelperName { .. }
            | CredentialFileError::Unusable { .. } => Some(
                "casemate login REGISTRY keeps credentials of its own, which are asked first"
                    .to_owned(),
            ),
            CredentialFileError::RegistryName { .. } => {
                Some("a registry is a host, such as ghcr.io or 127.0.0.1:5000".to_owned())
            }
            CredentialFileError::Busy { path, .. } => Some(format!(
                "see which process holds it: fuser {}",
                path.display()
            )),
            CredentialFileError::Io { source, path, .. } => disk_hint(source, path),
            CredentialFileError::TooLarge { .. } | CredentialFileError::Malformed { .. } => None,
        }
    }
}

impl From<CredentialFileError> for CredentialError {
    fn from(error: CredentialFileError) -> Self {
        let mut message = error.to_string();
        if let CredentialFileError::Io { source, .. } = &error {
            message = format!("{message}: {source}");
        }
        CredentialError {
            message,
            hint: error.hint(),
        }
    }
}
