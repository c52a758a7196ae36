//! What the requests and sockets of one call may use together, and what they have used.

use super::network::{MAX_REQUEST_BODIES, MAX_REQUESTS, MAX_RESPONSE_BODIES};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes on the wire: HTTP with its heads and bodies, before encryption, and raw sockets.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// What one call sent or received ran over its limit, which is this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverBudget(pub(crate) u64);

/// The bounds of one call, shared by its requests and sockets.
#[derive(Debug)]
pub(crate) struct Budget {
    places: Arc<Semaphore>,
    request_bodies: AtomicU64,
    response_bodies: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MAX_REQUESTS)),
            request_bodies: AtomicU64::new(0),
            response_bodies: AtomicU64::new(0),
        }
    }
}

impl Budget {
    /// A place for one more request at the same time, if there is one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Whether so much could still be sent.
    pub(super) fn could_send(&self, bytes: u64) -> Result<(), OverBudget> {
        let sent = self.request_bodies.load(Ordering::Relaxed);
        within(sent.saturating_add(bytes), MAX_REQUEST_BODIES)
    }

    pub(crate) fn send(&self, bytes: usize) -> Result<(), OverBudget> {
        spend(&self.request_bodies, bytes, MAX_REQUEST_BODIES)
    }

    pub(crate) fn receive(&self, bytes: usize) -> Result<(), OverBudget> {
        spend(&self.response_bodies, bytes, MAX_RESPONSE_BODIES)
    }
}

fn spend(spent: &AtomicU64, bytes: usize, limit: u64) -> Result<(), OverBudget> {
    let bytes = bytes as u64;
    // What is refused counts as well, so that it stays refused; 2^64 bytes never come.
    let before = spent.fetch_add(bytes, Ordering::Relaxed);
    within(before.saturating_add(bytes), limit)
}

fn within(bytes: u64, limit: u64) -> Result<(), OverBudget> {
    if bytes > limit {
        return Err(OverBudget(limit));
    }
    Ok(())
}
