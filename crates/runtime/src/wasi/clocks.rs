//! `wasi:clocks` over a clock that belongs to one call.
//!
//! With `frozen` the clock stands still while the guest computes and moves on only by the
//! time the call was really waiting, so that a guest can tell the date and sleep but cannot
//! time its own code. Deadlines are judged by the same clock: asking a pollable whether it
//! is ready does not reveal time either.

use super::bindings::clocks;
use crate::enforce::Guest;
use casemate_policy::{Clock, ClockMode};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

/// Step of the `coarse` clock.
pub(crate) const COARSE_STEP: Duration = Duration::from_millis(10);

/// What the monotonic clock shows when a call starts.
///
/// Any number would do but 0: a clock that stands at 0 is taken for a broken one, as by Go's
/// runtime ("nanotime returning zero"). A multiple of the coarse step, and the same for every call.
const MONOTONIC_START: Duration = Duration::from_secs(1);

/// The time that one call sees.
///
/// Shared with its deadlines. `waited` is nanoseconds; with 64 bits it lasts 584 years.
#[derive(Clone, Debug)]
pub(crate) struct CallClock {
    mode: ClockMode,
    started: Instant,
    started_wall: Duration,
    waited: Arc<AtomicU64>,
}

impl CallClock {
    /// A clock that starts now; `wall` is the real time at the start.
    pub(crate) fn start(mode: ClockMode, wall: SystemTime) -> Self {
        let mut started_wall = wall
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        if mode != ClockMode::Full {
            started_wall = floor(started_wall);
        }
        Self {
            mode,
            started: Instant::now(),
            started_wall,
            waited: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Time since the start of the call, as the guest sees it.
    fn elapsed(&self) -> Duration {
        match self.mode {
            ClockMode::Full => self.started.elapsed(),
            ClockMode::Coarse => floor(self.started.elapsed()),
            ClockMode::Frozen | ClockMode::None => {
                Duration::from_nanos(self.waited.load(Ordering::Relaxed))
            }
        }
    }

    /// How long until the guest sees `at`. The coarse clock gets there at its next step.
    fn until(&self, at: Duration) -> Duration {
        match self.mode {
            ClockMode::Full => at.saturating_sub(self.started.elapsed()),
            ClockMode::Coarse => ceil(at).saturating_sub(self.started.elapsed()),
            ClockMode::Frozen | ClockMode::None => at.saturating_sub(self.elapsed()),
        }
    }

    fn wall(&self) -> Duration {
        self.started_wall + self.elapsed()
    }

    fn resolution(&self) -> Duration {
        match self.mode {
            ClockMode::Full => Duration::from_nanos(1),
            ClockMode::Coarse | ClockMode::Frozen | ClockMode::None => COARSE_STEP,
        }
    }

    /// Runs `future` and lets the clock move on by the time it was really pending.
    ///
    /// What is ready at once adds nothing, whatever it cost the host.
    pub(crate) async fn waiting<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        // From before the first poll, in which a timer takes its start: a sleep of 50 ms moves
        // the clock on by no less.
        let begun = Instant::now();
        let mut pending = false;
        let output = std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => {
                pending = true;
                Poll::Pending
            }
        })
        .await;
        if pending {
            let waited = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.waited.fetch_add(waited, Ordering::Relaxed);
        }
        output
    }
}

fn floor(time: Duration) -> Duration {
    let step = COARSE_STEP.as_nanos();
    let steps = time.as_nanos() / step;
    Duration::from_nanos(u64::try_from(steps * step).unwrap_or(u64::MAX))
}

fn ceil(time: Duration) -> Duration {
    match floor(time) {
        floor if floor == time => time,
        floor => floor.saturating_add(COARSE_STEP),
    }
}

/// A moment of the call's clock that a guest waits for.
struct Deadline {
    clock: CallClock,
    at: Duration,
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        let remaining = self.clock.until(self.at);
        if !remaining.is_zero() {
            // Only waiting makes a deadline come. A guest that asks without waiting would
            // otherwise learn of real time whenever its thread is held up here.
            tokio::task::yield_now().await;
            // A duration too far for tokio's timer waits for ever; the wall limit ends it.
            tokio::time::sleep(remaining).await;
        }
    }
}

impl Guest {
    fn deadline(&mut self, at: Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.ask_clock(Clock::Wait)?;
        let clock = self.clock().clone();
        let table = self.table_mut();
        let deadline = table.push(Deadline { clock, at })?;
        subscribe(table, deadline)
    }
}

impl clocks::monotonic_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.ask_clock(Clock::Monotonic)?;
        let now = MONOTONIC_START.saturating_add(self.clock().elapsed());
        Ok(u64::try_from(now.as_nanos())?)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        self.ask_clock(Clock::Monotonic)?;
        Ok(u64::try_from(self.clock().resolution().as_nanos())?)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        // Deadlines count from the start of the call; a moment before it has passed.
        self.deadline(Duration::from_nanos(when).saturating_sub(MONOTONIC_START))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let at = self
            .clock()
            .elapsed()
            .saturating_add(Duration::from_nanos(duration));
        self.deadline(at)
    }
}

fn datetime(time: Duration) -> clocks::wall_clock::Datetime {
    clocks::wall_clock::Datetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

impl clocks::wall_clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        self.ask_clock(Clock::Wall)?;
        Ok(datetime(self.clock().wall()))
    }

    fn resolution(&mut self) -> wasmtime::Result<clocks::wall_clock::Datetime> {
        self.ask_clock(Clock::Wall)?;
        Ok(datetime(self.clock().resolution()))
    }
}
