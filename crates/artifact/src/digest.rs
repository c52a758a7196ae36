//! Hashing: the one place that turns bytes into a [`Digest`].

use std::collections::TryReserveError;

use casemate_policy::Digest;
use sha2::{Digest as _, Sha256};

/// Hashes bytes with SHA-256, as every digest in Casemate is made.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Bytes together with the digest that was computed from them; there is no way to make one without hashing.
pub(crate) struct Hashed {
    bytes: Vec<u8>,
    digest: Digest,
}

/// Bytes that are hashed while they arrive.
pub(crate) struct Hashing {
    bytes: Vec<u8>,
    hasher: Sha256,
}

impl Hashing {
    /// With room for `capacity` bytes, which the system gives only as they are filled.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Hashing, TryReserveError> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(capacity)?;
        Ok(Hashing {
            bytes,
            hasher: Sha256::new(),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.hasher.update(chunk);
        self.bytes.extend_from_slice(chunk);
    }

    pub(crate) fn finish(self) -> Hashed {
        Hashed {
            bytes: self.bytes,
            digest: Digest::from_bytes(self.hasher.finalize().into()),
        }
    }
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
