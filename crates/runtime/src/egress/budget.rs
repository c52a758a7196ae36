//! What the requests and sockets of one call may use together, and what they have used.

use casemate_policy::Limits;
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
    requests: u32,
    places: Arc<Semaphore>,
    sent: Spending,
    received: Spending,
}

/// Bytes that were used of those that may be.
#[derive(Debug)]
struct Spending {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// The bounds that a policy sets: requests at once, and bytes in both directions, of which the
    /// heads of requests and responses are none.
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            places: Arc::new(Semaphore::new(limits.requests as usize)),
            sent: Spending::up_to(limits.sent),
            received: Spending::up_to(limits.received),
        }
    }

    /// Requests that may be under way at once. One is under way until its bodies, in both
    /// directions, have come to their end or were dropped.
    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    /// A place for one more request at the same time, if there is one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Whether so much could still be sent.
    pub(super) fn could_send(&self, bytes: u64) -> Result<(), OverBudget> {
        self.sent.could(bytes)
    }

    pub(crate) fn send(&self, bytes: usize) -> Result<(), OverBudget> {
        self.sent.spend(bytes)
    }

    pub(crate) fn receive(&self, bytes: usize) -> Result<(), OverBudget> {
        self.received.spend(bytes)
    }
}

impl Spending {
    fn up_to(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    fn could(&self, bytes: u64) -> Result<(), OverBudget> {
        let used = self.used.load(Ordering::Relaxed);
        self.within(used.saturating_add(bytes))
    }

    fn spend(&self, bytes: usize) -> Result<(), OverBudget> {
        let bytes = bytes as u64;
        // What is refused counts as well, so that it stays refused; 2^64 bytes never come.
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        self.within(before.saturating_add(bytes))
    }

    fn within(&self, bytes: u64) -> Result<(), OverBudget> {
        if bytes > self.limit {
            return Err(OverBudget(self.limit));
        }
        Ok(())
    }
}
