//! `wasi:random`: the operating system's generator, a seeded one, or a trap.

use super::bindings::random;
use crate::enforce::{Guest, LimitReached};
use casemate_policy::{RandomSource, Reason};

/// Bytes that one call may ask for.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;

fn bytes(guest: &mut Guest, source: RandomSource, len: u64) -> wasmtime::Result<Vec<u8>> {
    if len > MAX_RANDOM_BYTES {
        return Err(LimitReached::bytes(
            Reason::LimitOutput,
            "random numbers at once",
            len,
            MAX_RANDOM_BYTES,
        )
        .into());
    }
    let mut buffer = vec![0; usize::try_from(len)?];
    guest.fill_random(source, &mut buffer)?;
    Ok(buffer)
}

fn word(guest: &mut Guest, source: RandomSource) -> wasmtime::Result<u64> {
    let mut buffer = [0; 8];
    guest.fill_random(source, &mut buffer)?;
    Ok(u64::from_le_bytes(buffer))
}

impl random::random::Host for Guest {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(self, RandomSource::Secure, len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        word(self, RandomSource::Secure)
    }
}

impl random::insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        bytes(self, RandomSource::Insecure, len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        word(self, RandomSource::Insecure)
    }
}

impl random::insecure_seed::Host for Guest {
    fn insecure_seed(&mut self) -> wasmtime::Result<(u64, u64)> {
        Ok((
            word(self, RandomSource::Seed)?,
            word(self, RandomSource::Seed)?,
        ))
    }
}
