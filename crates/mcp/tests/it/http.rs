//! Transcripts over HTTP: every byte of a request is the test's own.

mod bodies;
pub(crate) mod client;
mod eras;
mod foreign;
mod framing;
mod headers;
mod leaving;
mod limits;
mod sessions;
