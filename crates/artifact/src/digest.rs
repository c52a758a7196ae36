//! Hashing: the one place that turns bytes into a [`Digest`].

use casemate_policy::Digest;
use sha2::{Digest as _, Sha256};

/// Hashes bytes with SHA-256, as every digest in Casemate is made.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Bytes together with the digest that was computed from them; there is no other way to make one.
pub(crate) struct Hashed {
    bytes: Vec<u8>,
    digest: Digest,
}

impl Hashed {
    pub(crate) fn new(bytes: Vec<u8>) -> Hashed {
        let digest = sha256(&bytes);
        Hashed { bytes, digest }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Digest) {
        (self.bytes, self.digest)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
