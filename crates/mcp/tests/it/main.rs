//! Transcripts: a client on in-memory pipes, a real runtime behind the server.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "../../../runtime/tests/common/mod.rs"]
mod common;

mod calls;
mod changes;
mod client;
mod eras;
mod filter;
mod fixture;
mod hostile;
mod http;
mod shutdown;

/// Held by tests that move megabytes about, or measure who does.
static LARGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
