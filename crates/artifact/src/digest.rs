//! Hashing: the one place that turns bytes into a [`Digest`].

use casemate_policy::Digest;
use sha2::{Digest as _, Sha256};

/// Hashes bytes with SHA-256, as every digest in Casemate is made.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
