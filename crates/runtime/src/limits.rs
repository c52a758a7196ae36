//! Memory and CPU time of one call, and what is said when a limit runs out.

mod rate;
mod reached;

pub(crate) use rate::{Paced, TooEarly};
pub use reached::{LimitReached, Unit};

use casemate_policy::Reason;
use rustix::time::{ClockId, clock_gettime};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// Core instances of one component.
pub(crate) const MAX_INSTANCES: u32 = 256;
/// Tables of one component.
pub(crate) const MAX_TABLES: u32 = 128;
/// Memories of one component.
pub(crate) const MAX_MEMORIES: u32 = 64;
/// Elements of one table.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 20_000;
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
    /// The growth that was permitted last, while it may still fail.
    growing: usize,
    refused: Option<LimitReached>,
    meter: Arc<Meter>,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: u64, meter: Arc<Meter>) -> Self {
        Self {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: 0,
            growing: 0,
            refused: None,
            meter,
        }
    }

    /// The growth that was refused last.
    pub(crate) fn refused(&self) -> Option<LimitReached> {
        self.refused
    }

    fn grow(&mut self, bytes: usize) -> bool {
        let wanted = self.used.saturating_add(bytes);
        if wanted > self.limit {
            let (wanted, limit) = (wanted as u64, self.limit as u64);
            return self.refuse(LimitReached::bytes(
                Reason::LimitMemory,
                "memory",
                wanted,
                limit,
            ));
        }
        self.used = wanted;
        self.growing = bytes;
        self.meter.peak.fetch_max(wanted as u64, Ordering::Relaxed);
        true
    }

    fn refuse(&mut self, limit: LimitReached) -> bool {
        self.refused = Some(limit);
        false
    }

    /// A growth that was permitted did not happen.
    fn failed(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.growing));
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.growing = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.growing = 0;
        // The pool's own maximum is told as one of the table, where the table has none or a larger one.
        if desired > MAX_TABLE_ELEMENTS
            && maximum.is_none_or(|maximum| maximum >= MAX_TABLE_ELEMENTS)
        {
            return Ok(self.refuse(LimitReached::count(
                Reason::LimitMemory,
                "elements in one table",
                desired,
                MAX_TABLE_ELEMENTS,
            )));
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(TABLE_ELEMENT)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed();
        Ok(())
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
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
        if self.used() <= self.limit {
            return Ok(());
        }
        Err(self.reached().into())
    }

    /// Nanoseconds so far, the running slice included.
    fn used(&self) -> u64 {
        let slice = thread_time().saturating_sub(self.slice_started.load(Ordering::Relaxed));
        self.consumed.load(Ordering::Relaxed).saturating_add(slice)
    }

    /// The limit of processor time, with what has been used.
    pub(crate) fn reached(&self) -> LimitReached {
        let (used, allowed) = (self.used(), self.limit);
        LimitReached::time(
            Reason::LimitCpu,
            "processor time",
            Duration::from_nanos(used),
            Duration::from_nanos(allowed),
        )
    }
}

/// Charges work that is done for a call beside it, on whichever thread, and ends it without a
/// result once the processor time of the call is used up.
pub(crate) struct Charged<F> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) future: F,
}

impl<F: Future + Unpin> Future for Charged<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let started = thread_time();
        let output = Pin::new(&mut self.future).poll(context);
        let spent = thread_time().saturating_sub(started);
        let before = self.meter.consumed.fetch_add(spent, Ordering::Relaxed);
        match output {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if before.saturating_add(spent) > self.meter.limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
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
