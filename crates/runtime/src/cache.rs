//! Native code, kept so that neither a call nor a restart compiles again.
//!
//! A file is `magic ‖ HMAC-SHA-256 ‖ code`. The code authenticates the component's digest, the
//! engine's compatibility hash and the machine code, under a random key that lives beside
//! the files with mode 0600. What does not check out is ignored and compiled anew.

use casemate_artifact::write_atomic;
use casemate_policy::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{FileType, Mode, OFlags};
use sha2::Sha256;
use std::fs::File;
use std::hash::{Hash as _, Hasher};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use wasmtime::Engine;

const MAGIC: &[u8; 16] = b"casemate-native1";
const KEY_LENGTH: usize = 32;
const MAC_LENGTH: usize = 32;
/// Largest cache file that is read, in bytes: the largest component compiles to a tenth of it.
const MAX_FILE: u64 = 1 << 30;

/// Bytes whose authentication code was checked in this process.
pub(crate) struct Authentic {
    file: Vec<u8>,
}

impl Authentic {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.file
            .get(MAGIC.len() + MAC_LENGTH..)
            .unwrap_or_default()
    }
}

/// Why native code could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the cache of compiled components at {}", path.display())]
pub struct CacheError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Native code of components, by digest and engine.
pub(crate) struct NativeCache {
    directory: PathBuf,
    key: [u8; KEY_LENGTH],
}

impl NativeCache {
    /// Opens the cache in `directory`, making its key on first use.
    ///
    /// # Errors
    ///
    /// Fails when the directory cannot be read or the key cannot be written.
    pub(crate) fn open(directory: &Path) -> Result<Self, CacheError> {
        let failed = |source| CacheError {
            path: directory.to_owned(),
            source,
        };
        let key_file = directory.join("key");
        let key = match read_private(&key_file).map_err(failed)? {
            Some(bytes) if bytes.len() == KEY_LENGTH => bytes,
            _ => {
                // A key that is missing, readable by others or damaged is replaced, and
                // with it everything that it had authenticated.
                let mut fresh = vec![0; KEY_LENGTH];
                getrandom::fill(&mut fresh)
                    .map_err(|error| failed(std::io::Error::other(error)))?;
                write_atomic(&key_file, &fresh, 0o600).map_err(failed)?;
                fresh
            }
        };
        let mut fixed = [0; KEY_LENGTH];
        for (to, from) in fixed.iter_mut().zip(&key) {
            *to = *from;
        }
        Ok(Self {
            directory: directory.to_owned(),
            key: fixed,
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{}.native", digest.hex()))
    }

    fn mac(&self, engine: &Engine, digest: &Digest, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(MAGIC);
        mac.update(digest.as_bytes());
        mac.update(&compatibility(engine).to_le_bytes());
        mac.update(&(code.len() as u64).to_le_bytes());
        mac.update(code);
        Some(mac)
    }

    /// The native code of `digest`, if it is there and authentic.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> Option<Authentic> {
        let path = self.path(digest);
        let file = match read_private(&path) {
            Ok(Some(file)) => file,
            Ok(None) => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled component ignored");
                return None;
            }
        };
        let code = file.strip_prefix(MAGIC.as_slice())?;
        let (tag, code) = code.split_at_checked(MAC_LENGTH)?;
        let mac = self.mac(engine, digest, code)?;
        if mac.verify_slice(tag).is_err() {
            tracing::warn!(path = %path.display(), "compiled component is not authentic, ignored");
            return None;
        }
        Some(Authentic { file })
    }

    /// Keeps native code that was just compiled, and returns it as authentic.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written; the code is then usable for this process only.
    pub(crate) fn put(
        &self,
        engine: &Engine,
        digest: &Digest,
        code: &[u8],
    ) -> (Option<Authentic>, Result<(), CacheError>) {
        let Some(mac) = self.mac(engine, digest, code) else {
            return (None, Ok(()));
        };
        let mut file = Vec::with_capacity(MAGIC.len() + MAC_LENGTH + code.len());
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&mac.finalize().into_bytes());
        file.extend_from_slice(code);
        let path = self.path(digest);
        let written =
            write_atomic(&path, &file, 0o600).map_err(|source| CacheError { path, source });
        (Some(Authentic { file }), written)
    }

    /// Forgets the native code of `digest`.
    pub(crate) fn remove(&self, digest: &Digest) {
        // A file that cannot be removed is harmless: it is looked up by digest only.
        let _ = std::fs::remove_file(self.path(digest));
    }
}

/// Identifies Wasmtime's version and every setting that compiled code depends on.
fn compatibility(engine: &Engine) -> u64 {
    /// FNV-1a: the standard hasher promises no stable value between builds.
    struct Stable(u64);
    impl Hasher for Stable {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Stable(0xcbf2_9ce4_8422_2325);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Reads a regular file that belongs to this user and that nobody else can write or read.
fn read_private(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let handle = match rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let stat = rustix::fs::fstat(&handle)?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let own = stat.st_uid == rustix::process::geteuid().as_raw();
    let private = stat.st_mode & 0o077 == 0 && stat.st_nlink == 1;
    if !(regular && own && private) {
        tracing::warn!(path = %path.display(), "file is not private to this user, ignored");
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::from(handle).take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
