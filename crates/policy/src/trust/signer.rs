//! Who signed: a key, or an identity that an issuer vouched for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::error::Refusal;
use crate::identity::Digest;

/// The longest subject or issuer in bytes.
const MAX_NAME: usize = 2048;

/// Whoever made a signature that was verified.
///
/// It has one spelling, which locks and audit records keep: `key sha256:…`, `uri https://… issuer https://…` or
/// `email … issuer …`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signer {
    /// Who holds a private key.
    Key {
        /// The SHA-256 of the public key's `SubjectPublicKeyInfo` (RFC 5280) in DER.
        fingerprint: Digest,
    },
    /// Whom an OpenID Connect issuer took for this, as a Sigstore certificate says.
    Identity {
        /// The certificate's subject.
        san: SubjectName,
        /// The issuer's URL.
        issuer: String,
    },
}

/// The subject alternative name (RFC 5280, 4.2.1.6) of a signing certificate; two of different kinds are never equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectName {
    /// A URI, as workflows and other machines have.
    Uri(String),
    /// An e-mail address, as people have.
    Email(String),
}

/// Says why a text is no signer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SignerError {
    message: String,
    hint: Option<String>,
}

impl SignerError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// Returns what to write instead, if that is clear.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl From<Refusal> for SignerError {
    fn from(refusal: Refusal) -> Self {
        Self {
            message: refusal.message,
            hint: refusal.hint,
        }
    }
}

impl Signer {
    /// A keyless signer, as a certificate names it.
    ///
    /// # Errors
    /// If a name is empty, longer than 2 KiB, or holds anything but visible ASCII characters: it could not be written down
    /// and read again, and would not look like what it is.
    pub fn identity(san: SubjectName, issuer: String) -> Result<Self, SignerError> {
        check(san.as_str())?;
        check(&issuer)?;
        Ok(Self::Identity { san, issuer })
    }
}

impl SubjectName {
    /// Returns the name without its kind.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Uri(name) | Self::Email(name) => name,
        }
    }
}

fn check(name: &str) -> Result<(), SignerError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(SignerError::new(format!(
            "the name of a signer has 1 to {MAX_NAME} bytes, this one has {}",
            name.len()
        )));
    }
    match name.chars().find(|character| !character.is_ascii_graphic()) {
        None => Ok(()),
        Some(character) => Err(SignerError::new(format!(
            "the name of a signer holds {}",
            character.escape_unicode()
        ))),
    }
}

impl fmt::Display for SubjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(name) => write!(formatter, "uri {name}"),
            Self::Email(name) => write!(formatter, "email {name}"),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { fingerprint } => write!(formatter, "key {fingerprint}"),
            Self::Identity { san, issuer } => write!(formatter, "{san} issuer {issuer}"),
        }
    }
}

impl FromStr for Signer {
    type Err = SignerError;

    fn from_str(text: &str) -> Result<Self, SignerError> {
        let words: Vec<&str> = text.splitn(6, ' ').collect();
        match words.as_slice() {
            ["key", digest] => match digest.parse() {
                Ok(fingerprint) => Ok(Self::Key { fingerprint }),
                Err(error) => Err(SignerError::new(format!("{error}"))),
            },
            ["uri", name, "issuer", issuer] => {
                Self::identity(SubjectName::Uri((*name).to_owned()), (*issuer).to_owned())
            }
            ["email", name, "issuer", issuer] => {
                Self::identity(SubjectName::Email((*name).to_owned()), (*issuer).to_owned())
            }
            _ => Err(SignerError::new(
                "a signer is \"key sha256:…\", \"uri … issuer …\" or \"email … issuer …\"",
            )),
        }
    }
}

impl Serialize for Signer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
