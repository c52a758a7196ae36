//! What the log tells about a request.

use super::budget::Traffic;
use casemate_policy::HttpTarget;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use wasmtime_wasi_http::Error;

/// The line that a request leaves in the log when the last of it is gone: where it went and how
/// much it moved, never its query, headers or bodies.
pub(super) struct Line {
    method: String,
    host: String,
    port: u16,
    path: String,
    address: OnceLock<SocketAddr>,
    status: AtomicU16,
    failure: OnceLock<String>,
    pub(super) traffic: Arc<Traffic>,
}

impl Line {
    pub(super) fn begin(target: &HttpTarget) -> Self {
        Self {
            method: target.method().to_owned(),
            host: target.host().to_string(),
            port: target.port(),
            path: target.path().to_owned(),
            address: OnceLock::new(),
            status: AtomicU16::new(0),
            failure: OnceLock::new(),
            traffic: Arc::default(),
        }
    }

    pub(super) fn connected(&self, address: SocketAddr) {
        // One request connects once.
        let _ = self.address.set(address);
    }

    pub(super) fn answered(&self, status: http::StatusCode) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &Error) {
        // The first failure is the cause.
        let _ = self.failure.set(error.to_string());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let status = self.status.load(Ordering::Relaxed);
        tracing::debug!(
            target: "casemate::egress",
            method = self.method,
            host = self.host,
            port = self.port,
            path = self.path,
            address = self.address.get().map(tracing::field::display),
            status = (status != 0).then_some(status),
            failure = self.failure.get(),
            sent = self.traffic.sent(),
            received = self.traffic.received(),
            "request"
        );
    }
}
