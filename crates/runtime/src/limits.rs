//! Memory and CPU time of one call.

use crate::enforce::LimitReached;
use casemate_policy::Reason;
use rustix::time::{ClockId, clock_gettime};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Core instances of one component.
const MAX_INSTANCES: usize = 256;
/// Tables of one component.
const MAX_TABLES: usize = 128;
/// Memories of one component.
const MAX_MEMORIES: usize = 64;
/// Bytes that an element of a table counts for.
const TABLE_ELEMENT: usize = 16;

/// Counts the bytes of all memories and tables of a call together.
///
/// A growth over the limit fails as `memory.grow` does (the guest sees -1); that it was
/// refused is kept, so that a trap that follows can be told as what it is.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: usize,
    used: usize,
    refused: bool,
    meter: Arc<Meter>,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: u64, meter: Arc<Meter>) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            refused: false,
            meter,
        }
    }

    /// Whether a growth was refused.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }

    fn grow(&mut self, bytes: usize) -> bool {
        match self.used.checked_add(bytes) {
            Some(used) if used <= self.limit => {
                self.used = used;
                self.meter.peak.fetch_max(used as u64, Ordering::Relaxed);
                true
            }
            _ => {
                self.refused = true;
                false
            }
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(TABLE_ELEMENT)))
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds)
}

/// CPU time and memory of one call; the time is measured on whichever thread polls it.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: u64,
    consumed: AtomicU64,
    slice_started: AtomicU64,
    peak: AtomicU64,
}

impl Meter {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit: u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX),
            consumed: AtomicU64::new(0),
            slice_started: AtomicU64::new(0),
            peak: AtomicU64::new(0),
        }
    }

    /// Most bytes of memories and tables in use at once.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// CPU time of the slices that have ended.
    pub(crate) fn consumed(&self) -> Duration {
        Duration::from_nanos(self.consumed.load(Ordering::Relaxed))
    }

    /// Ends the call when its CPU time, the running slice included, is over the limit.
    ///
    /// # Errors
    ///
    /// `limit.cpu`.
    pub(crate) fn check(&self) -> wasmtime::Result<()> {
        let slice = thread_time().saturating_sub(self.slice_started.load(Ordering::Relaxed));
        let used = self.consumed.load(Ordering::Relaxed).saturating_add(slice);
        if used <= self.limit {
            return Ok(());
        }
        Err(LimitReached {
            reason: Reason::LimitCpu,
            what: format!(
                "{} ms of CPU time used, {} ms allowed",
                used / 1_000_000,
                self.limit / 1_000_000
            ),
        }
        .into())
    }
}

/// Charges the CPU time of each poll of a future to a meter.
pub(crate) struct Metered<F> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) future: F,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let started = thread_time();
        self.meter.slice_started.store(started, Ordering::Relaxed);
        let output = Pin::new(&mut self.future).poll(context);
        self.meter
            .consumed
            .fetch_add(thread_time().saturating_sub(started), Ordering::Relaxed);
        output
    }
}
