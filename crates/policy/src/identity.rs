//! What an artifact is: its digest and where it came from.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The SHA-256 of some bytes, written `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Says why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The text does not start with `sha256:`.
    #[error("a digest starts with \"sha256:\"")]
    Algorithm,
    /// What follows is not 64 lower-case hexadecimal digits.
    #[error("a sha256 digest has 64 lower-case hexadecimal digits")]
    Digits,
}

impl Digest {
    /// Wraps the 32 bytes of a SHA-256.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hexadecimal digits, without the algorithm.
    pub fn hex(&self) -> String {
        self.digits().collect()
    }

    /// Returns the first 12 hexadecimal digits, for people to recognise it by.
    pub fn short(&self) -> String {
        self.digits().take(12).collect()
    }

    fn digits(&self) -> impl Iterator<Item = char> + '_ {
        self.0
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").ok_or(DigestError::Algorithm)?;
        if digits.len() != 64 {
            return Err(DigestError::Digits);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            *byte = pair
                .iter()
                .try_fold(0, |value, digit| Some(value << 4 | digit_value(*digit)?))
                .ok_or(DigestError::Digits)?;
        }
        Ok(Self(bytes))
    }
}

/// Upper case is refused, so that one digest has one spelling.
fn digit_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

/// Identifies the bytes that a grant is bound to, never a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArtifactIdentity {
    digest: Digest,
    source: String,
    signer: Option<String>,
}

impl ArtifactIdentity {
    /// Describes bytes with `digest` that came from `source` and, if verified, were signed by `signer`.
    pub fn new(digest: Digest, source: String, signer: Option<String>) -> Self {
        Self {
            digest,
            source,
            signer,
        }
    }

    /// Returns the digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the reference that the bytes were fetched from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the verified signer, if there is one.
    pub fn signer(&self) -> Option<&str> {
        self.signer.as_deref()
    }
}

#[cfg(test)]
mod tests;
