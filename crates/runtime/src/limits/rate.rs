//! Calls per time.

use super::LimitReached;
use casemate_policy::{Rate, Reason};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When the calls of the last period were started, at most as many as the rate allows.
///
/// Every single one is kept, sixteen bytes each, so that in no stretch of time that is as long as the period more calls
/// start than a policy says. A bucket that is refilled, which is less to keep, lets twice as many through in some of
/// them, and does not know how many there were.
#[derive(Debug, Default)]
struct Started(Mutex<VecDeque<Duration>>);

/// A rate, and what was called so far.
#[derive(Clone, Debug)]
pub(crate) struct Paced {
    rate: Rate,
    /// What times are counted from.
    origin: Instant,
    started: Arc<Started>,
}

/// A call came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooEarly {
    pub(crate) limit: LimitReached,
    /// When a call would be let through, if no other comes before it.
    pub(crate) wait: Duration,
}

impl Paced {
    /// Starts to count, or goes on with what was counted `before`: another rate does not forget the calls that there were.
    pub(crate) fn at(rate: Rate, before: Option<&Self>) -> Self {
        match before {
            Some(before) => Self {
                rate,
                ..before.clone()
            },
            None => Self {
                rate,
                origin: Instant::now(),
                started: Arc::default(),
            },
        }
    }

    /// Counts a call that starts `now`.
    ///
    /// # Errors
    ///
    /// `limit.rate`, and when to try again. Such a call does not count.
    pub(crate) fn take(&self, now: Instant) -> Result<(), TooEarly> {
        let now = now.saturating_duration_since(self.origin);
        let period = self.rate.period();
        let mut started = self
            .started
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while started.front().is_some_and(|first| *first + period <= now) {
            started.pop_front();
        }
        let allowed = usize::try_from(self.rate.calls()).unwrap_or(usize::MAX);
        let Some(excess) = started.len().checked_sub(allowed) else {
            started.push_back(now);
            return Ok(());
        };
        // More than one must go first where the rate was lowered.
        let free = started.get(excess).map_or(now, |call| *call + period);
        Err(TooEarly {
            limit: LimitReached::count(
                Reason::LimitRate,
                words(period),
                started.len() + 1,
                allowed,
            ),
            wait: free.saturating_sub(now),
        })
    }

    /// Takes back the call that was counted last: something else kept it from starting.
    pub(crate) fn give_back(&self) {
        self.started
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_back();
    }
}

fn words(period: Duration) -> &'static str {
    match period.as_nanos() {
        1_000_000_000 => "calls in a second",
        60_000_000_000 => "calls in a minute",
        3_600_000_000_000 => "calls in an hour",
        // What a policy and a ceiling come to together.
        _ => "calls in the time of the rate",
    }
}

#[cfg(test)]
mod tests;
