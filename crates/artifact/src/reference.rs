//! References: how a person names an artifact before anything is read.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use casemate_policy::Digest;
use url::Url;

mod https;
mod oci;
#[cfg(test)]
mod tests;

pub(crate) use https::host_of;
pub use https::{HttpsReference, HttpsReferenceError};
pub(crate) use oci::is_loopback;
pub use oci::{OciReference, OciReferenceError, Registry};

/// Longest reference text that is looked at, in bytes.
const MAX_REFERENCE_BYTES: usize = 4096;

/// Where an artifact is to be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reference {
    /// A local file; [`Reference::parse`] makes it absolute.
    File(PathBuf),
    /// An artifact in a registry.
    Oci(OciReference),
    /// A file behind a URL.
    Https(HttpsReference),
}

/// Why a text is not a reference that this release can fetch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Nothing but white space.
    #[error("a reference is empty")]
    Empty,
    /// Longer than any path can be.
    #[error("a reference of {length} bytes is too long (at most {MAX_REFERENCE_BYTES})")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A control character, which no file name a person types has.
    #[error("the reference {text:?} contains a control character")]
    ControlCharacter {
        /// The reference as given.
        text: String,
    },
    /// An `oci:` reference that names no artifact.
    #[error("{text} is no reference to a registry: {error}")]
    Oci {
        /// The reference as given.
        text: String,
        /// What is wrong with it.
        error: OciReferenceError,
    },
    /// A URL that names no file, or one that is not fetched.
    #[error("{text} cannot be fetched: {error}")]
    Https {
        /// The reference as given.
        text: String,
        /// What is wrong with it.
        error: HttpsReferenceError,
    },
    /// A scheme nobody knows.
    #[error("unknown scheme {scheme:?} in the reference {text}")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
        /// The reference as given.
        text: String,
    },
    /// A `file:` URL that names no local path.
    #[error("{text} does not name a local file: {reason}")]
    FileUrl {
        /// The reference as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReferenceError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            ReferenceError::Empty | ReferenceError::UnknownScheme { .. } => {
                Some("give the path of a component, such as ./tool.wasm".to_owned())
            }
            ReferenceError::Oci { error, .. } => Some(oci_hint(error)),
            ReferenceError::Https {
                error: HttpsReferenceError::PlainHttp,
                ..
            } => {
                Some("use the https:// address, or download the file and give its path".to_owned())
            }
            ReferenceError::Https { .. } => {
                Some("write https://HOST/PATH/tool.wasm, with #sha256:… to pin it".to_owned())
            }
            ReferenceError::FileUrl { .. } => {
                Some("an absolute path has three slashes: file:///dir/tool.wasm".to_owned())
            }
            ReferenceError::TooLong { .. } | ReferenceError::ControlCharacter { .. } => None,
        }
    }
}

impl Reference {
    /// Parses what a person typed: a path, absolute or relative to `base`, or a `file://`,
    /// `oci://` or `https://` URL.
    ///
    /// Nothing on disk is looked at. A text with a scheme is never taken for a path, so that a
    /// mistyped URL does not become a file name.
    pub fn parse(text: &str, base: &Path) -> Result<Reference, ReferenceError> {
        if text.trim().is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(ReferenceError::TooLong { length: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(ReferenceError::ControlCharacter {
                text: text.to_owned(),
            });
        }
        match scheme(text) {
            None => Ok(Reference::File(base.join(text))),
            Some(scheme) => match scheme.as_str() {
                "file" => file_url(text).map(Reference::File),
                "oci" => text
                    .parse()
                    .map(Reference::Oci)
                    .map_err(|error| ReferenceError::Oci {
                        text: text.to_owned(),
                        error,
                    }),
                "https" | "http" => {
                    text.parse()
                        .map(Reference::Https)
                        .map_err(|error| ReferenceError::Https {
                            text: text.to_owned(),
                            error,
                        })
                }
                _ => Err(ReferenceError::UnknownScheme {
                    scheme,
                    text: text.to_owned(),
                }),
            },
        }
    }
}

fn oci_hint(error: &OciReferenceError) -> String {
    match error {
        OciReferenceError::Registry { .. } => {
            "write the registry out, in lower case: oci://ghcr.io/OWNER/TOOL:TAG".to_owned()
        }
        OciReferenceError::Digest(_) => {
            "a pinned reference is written oci://REGISTRY/REPOSITORY@sha256:…".to_owned()
        }
        _ => "references look like oci://ghcr.io/owner/tool:1.0".to_owned(),
    }
}

/// The scheme in lower case when the text is a URL: `name://`, or `file:` and `oci:` with anything
/// behind.
fn scheme(text: &str) -> Option<String> {
    let (name, rest) = text.split_once(':')?;
    let mut letters = name.chars();
    let starts_well = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic());
    if !starts_well
        || !letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let known = matches!(name.as_str(), "file" | "oci");
    (known || rest.starts_with("//")).then_some(name)
}

fn file_url(text: &str) -> Result<PathBuf, ReferenceError> {
    let refuse = |reason: &str| ReferenceError::FileUrl {
        text: text.to_owned(),
        reason: reason.to_owned(),
    };
    let url = Url::from_str(text).map_err(|error| refuse(&error.to_string()))?;
    // `file:tool.wasm` would silently become /tool.wasm.
    if !text
        .get("file:".len()..)
        .is_some_and(|rest| rest.starts_with('/'))
    {
        return Err(refuse("the path is not absolute"));
    }
    match url.host_str() {
        None | Some("" | "localhost") => {}
        Some(host) => return Err(refuse(&format!("{host:?} is a host name there"))),
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse(
            "a query or fragment means nothing for a file (write %3F for ?, %23 for #)",
        ));
    }
    let path = url
        .to_file_path()
        .map_err(|()| refuse("the path cannot be decoded"))?;
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(refuse("it contains a NUL"));
    }
    Ok(path)
}

/// The `file:///…` text that is kept as the source of what was read at `path`.
///
/// The directory is resolved, so that a person finds it again from anywhere; the last component
/// stays as it was given, since a link there (`latest.wasm`) is the name the person knows.
pub(crate) fn source_of_file(path: &Path) -> String {
    let resolved = path
        .parent()
        .zip(path.file_name())
        .and_then(|(parent, name)| {
            let parent = if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            };
            Some(parent.canonicalize().ok()?.join(name))
        });
    let path = resolved.as_deref().unwrap_or(path);
    match Url::from_file_path(path) {
        Ok(url) => url.into(),
        Err(()) => format!("file:{}", path.display()),
    }
}

/// The source of bytes that came from no file, kept apart from every `file://` source.
pub(crate) fn source_of_memory(digest: &Digest) -> String {
    format!("memory:{digest}")
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reference::File(path) => match Url::from_file_path(path) {
                Ok(url) => formatter.write_str(url.as_str()),
                Err(()) => write!(formatter, "{}", path.display()),
            },
            Reference::Oci(reference) => reference.fmt(formatter),
            Reference::Https(reference) => reference.fmt(formatter),
        }
    }
}
