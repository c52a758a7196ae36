//! A guest's standard streams: captured and bounded, never the server's own.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// Bytes of one stream that are kept; older ones are dropped and counted.
pub(crate) const CAPTURE_LIMIT: usize = 64 * 1024;

/// An input that is at its end.
pub(crate) struct Closed;

#[wasmtime_wasi_io::async_trait]
impl Pollable for Closed {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi_io::async_trait]
impl InputStream for Closed {
    fn read(&mut self, _size: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

#[derive(Debug, Default)]
struct Tail {
    bytes: Vec<u8>,
    dropped: u64,
}

/// The last [`CAPTURE_LIMIT`] bytes that a guest wrote to a stream. Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Capture {
    tail: Arc<Mutex<Tail>>,
}

impl Capture {
    fn push(&self, bytes: &[u8]) {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.bytes.extend_from_slice(bytes);
        // Trim at twice the limit, so that each byte is moved once at the most.
        if tail.bytes.len() > 2 * CAPTURE_LIMIT {
            let excess = tail.bytes.len() - CAPTURE_LIMIT;
            tail.bytes.drain(..excess);
            tail.dropped += excess as u64;
        }
    }

    /// What was captured, with a marker where the beginning was dropped.
    pub(crate) fn take(&self) -> Captured {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = std::mem::take(&mut tail.bytes);
        if bytes.len() > CAPTURE_LIMIT {
            let excess = bytes.len() - CAPTURE_LIMIT;
            bytes.drain(..excess);
            tail.dropped += excess as u64;
        }
        Captured {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            truncated: tail.dropped,
        }
    }
}

/// Text that a guest wrote to one of its streams: data, never to be printed unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The last part of what was written, invalid UTF-8 replaced.
    pub text: String,
    /// Bytes dropped from the beginning.
    pub truncated: u64,
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi_io::async_trait]
impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CAPTURE_LIMIT)
    }
}
