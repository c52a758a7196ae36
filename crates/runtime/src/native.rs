//! The one place with `unsafe`: native code back from bytes.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads native code that this process, or an earlier one with the same key, compiled.
///
/// Takes the proof that [`crate::cache`] makes after checking the authentication code of
/// exactly these bytes in memory; nothing else can make one.
pub(crate) fn load(
    engine: &Engine,
    bytes: &crate::cache::Authentic,
) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` runs whatever code the bytes hold. `Authentic` is minted only for a
    // buffer whose HMAC-SHA-256, under a key that only the person's account can read, matches;
    // the same buffer is passed here, so nothing can change in between. Wasmtime checks by
    // itself that the code was made by the same version with a compatible configuration.
    #[expect(
        unsafe_code,
        clippy::disallowed_methods,
        reason = "the audited loader of authenticated native code"
    )]
    unsafe {
        Component::deserialize(engine, bytes.as_slice())
    }
}
