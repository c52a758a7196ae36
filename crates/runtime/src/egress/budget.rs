//! What the requests and sockets of one call may use together, and what they have used.

use crate::limits::LimitReached;
use casemate_policy::{Limits, Reason};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
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

/// Requests that one call may begin, one after another and at once.
pub const MAX_REQUESTS_OF_CALL: u32 = 1_000;

/// The bounds of one call, shared by its requests and sockets.
#[derive(Debug)]
pub(crate) struct Budget {
    requests: u32,
    begun: AtomicU32,
    places: Arc<Semaphore>,
    sent: Spending,
    received: Spending,
}

/// Bytes that were used of those that may be.
#[derive(Debug)]
struct Spending {
    resource: &'static str,
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// The bounds that a policy sets: requests at once, and bytes in both directions, of which the
    /// heads of requests and responses are none.
    pub(crate) fn of(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            begun: AtomicU32::new(0),
            places: Arc::new(Semaphore::new(limits.requests as usize)),
            sent: Spending::up_to(limits.sent, "data sent over the network"),
            received: Spending::up_to(limits.received, "data received over the network"),
        }
    }

    /// A place for one more request, which has it until its bodies, in both directions, have come to
    /// their end or were dropped.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, LimitReached> {
        let over = |resource, allowed: u32| {
            LimitReached::count(Reason::LimitHandles, resource, allowed + 1, allowed)
        };
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| over("HTTP requests at once", self.requests))?;
        // Those that found no place count for nothing: what they cost is the guest's own time.
        if self.begun.fetch_add(1, Ordering::Relaxed) >= MAX_REQUESTS_OF_CALL {
            self.begun.store(MAX_REQUESTS_OF_CALL, Ordering::Relaxed);
            return Err(over("HTTP requests", MAX_REQUESTS_OF_CALL));
        }
        Ok(place)
    }

    /// Whether so much could still be sent.
    pub(super) fn could_send(&self, bytes: u64) -> Result<(), LimitReached> {
        self.sent.could(bytes)
    }

    pub(crate) fn send(&self, bytes: usize) -> Result<(), LimitReached> {
        self.sent.spend(bytes)
    }

    pub(crate) fn receive(&self, bytes: usize) -> Result<(), LimitReached> {
        self.received.spend(bytes)
    }
}

impl Spending {
    fn up_to(limit: u64, resource: &'static str) -> Self {
        Self {
            resource,
            limit,
            used: AtomicU64::new(0),
        }
    }

    fn could(&self, bytes: u64) -> Result<(), LimitReached> {
        let used = self.used.load(Ordering::Relaxed);
        self.within(used.saturating_add(bytes))
    }

    fn spend(&self, bytes: usize) -> Result<(), LimitReached> {
        let bytes = bytes as u64;
        // What is refused counts as well, so that it stays refused; 2^64 bytes never come.
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        self.within(before.saturating_add(bytes))
    }

    fn within(&self, bytes: u64) -> Result<(), LimitReached> {
        if bytes > self.limit {
            let reason = Reason::LimitBody;
            return Err(LimitReached::bytes(
                reason,
                self.resource,
                bytes,
                self.limit,
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
