//! What one call may write, create and hold open.

use super::{Storage, StorageError, StorageResult};
use crate::enforce::LimitReached;
use casemate_policy::{Limits, Reason};
use rustix::process::{Resource, getrlimit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A sum that never passes its limit.
#[derive(Debug)]
struct Counter {
    used: AtomicU64,
    limit: u64,
}

impl Counter {
    fn new(limit: u64) -> Self {
        Self {
            used: AtomicU64::new(0),
            limit,
        }
    }

    /// Adds `amount`, unless the limit would be passed: then what the sum would have been.
    fn charge(&self, amount: u64) -> Result<(), u64> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(amount).filter(|sum| *sum <= self.limit)
            })
            .map(drop)
            .map_err(|used| used.saturating_add(amount))
    }

    fn give_back(&self, amount: u64) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one call has written and created. Passing a limit ends the call, before anything is done.
#[derive(Debug)]
pub(crate) struct Quota {
    written: Counter,
    files: Counter,
}

impl Quota {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            written: Counter::new(limits.written),
            files: Counter::new(u64::from(limits.files)),
        }
    }

    /// Bytes written so far, and bytes by which files grew without being written.
    pub(crate) fn written(&self) -> u64 {
        self.written.used()
    }

    /// Files, directories and links created so far.
    pub(crate) fn files(&self) -> u64 {
        self.files.used()
    }

    /// Charges bytes that are about to be written, or by which a file is about to grow.
    ///
    /// # Errors
    ///
    /// `limit.storage`.
    pub(super) fn write(&self, bytes: u64) -> Result<(), LimitReached> {
        self.written.charge(bytes).map_err(|wanted| {
            LimitReached::bytes(
                Reason::LimitStorage,
                "file writes",
                wanted,
                self.written.limit,
            )
        })
    }

    /// Gives back what was charged and then not written.
    pub(super) fn not_written(&self, bytes: u64) {
        self.written.give_back(bytes);
    }

    /// Makes something new under the quota.
    ///
    /// # Errors
    ///
    /// `limit.storage` before anything is made, or what `make` returns; then nothing is charged.
    pub(super) fn create<T>(
        &self,
        make: impl FnOnce() -> rustix::io::Result<T>,
    ) -> StorageResult<T> {
        self.files.charge(1).map_err(|wanted| {
            StorageError::Trap(
                LimitReached::count(
                    Reason::LimitStorage,
                    "files created",
                    wanted,
                    self.files.limit,
                )
                .into(),
            )
        })?;
        make().map_err(|errno| {
            self.files.give_back(1);
            errno.into()
        })
    }
}

/// Where files and listings may be open: so many in one call, and so many in all calls, since each is
/// a descriptor of the whole process, which needs others to serve at all.
#[derive(Clone, Debug)]
pub(crate) struct OpenPlaces {
    call: Arc<Semaphore>,
    limit: u32,
    process: Arc<ProcessPlaces>,
}

/// The places of all calls.
#[derive(Debug)]
pub(crate) struct ProcessPlaces {
    places: Arc<Semaphore>,
    limit: usize,
}

impl ProcessPlaces {
    /// A quarter of the descriptors that this process may have: the rest is for connections, for the
    /// walks that are under way, and for Casemate itself.
    pub(crate) fn of_this_process() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let limit = usize::try_from(descriptors / 4)
            .unwrap_or(usize::MAX)
            .clamp(16, 65_536);
        Self {
            places: Arc::new(Semaphore::new(limit)),
            limit,
        }
    }
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _call: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl OpenPlaces {
    /// The places of one call.
    pub(crate) fn new(limit: u32, process: &Arc<ProcessPlaces>) -> Self {
        Self {
            call: Arc::new(Semaphore::new(limit as usize)),
            limit,
            process: Arc::clone(process),
        }
    }

    fn take(&self) -> Result<Place, LimitReached> {
        let call = Arc::clone(&self.call).try_acquire_owned().map_err(|_| {
            let limit = u64::from(self.limit);
            LimitReached::count(Reason::LimitHandles, "open files", limit + 1, limit)
        })?;
        let process = Arc::clone(&self.process.places)
            .try_acquire_owned()
            .map_err(|_| {
                let limit = self.process.limit;
                LimitReached::count(
                    Reason::LimitHandles,
                    "open files of all calls together",
                    limit + 1,
                    limit,
                )
            })?;
        Ok(Place {
            _call: call,
            _process: process,
        })
    }
}

impl Storage {
    /// A place for one more open file; having no more ends the call.
    pub(super) fn place(&self) -> StorageResult<Place> {
        self.places
            .take()
            .map_err(|limit| StorageError::Trap(limit.into()))
    }
}

#[cfg(test)]
mod tests;
