//! Registries (OCI distribution spec 1.1): what a reference names, fetched with suspicion.
//!
//! A digest is always that of the bytes that came; after a tag was resolved once, everything is asked
//! for by digest. `urls` and `data` of descriptors and titles of layers are never looked at, layers
//! that nobody asked for never fetched, archives never unpacked.

mod blob;
mod challenge;
mod evidence;
mod manifest;
mod pull;
pub(crate) mod session;

pub(crate) use blob::Rate;
pub(crate) use pull::{Document, Key, manifest as document, pull};
