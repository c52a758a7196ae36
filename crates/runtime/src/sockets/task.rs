//! A step on the guests' threads, at the expense of its call.

use crate::limits::{Charged, Meter};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Something under way, which ends when this is dropped.
pub(super) struct Task<T>(JoinHandle<Option<T>>);

/// Where the steps of a call run, and what they are charged to.
#[derive(Clone)]
pub(crate) struct Threads {
    pub(crate) guests: Handle,
    pub(crate) meter: Arc<Meter>,
}

impl Threads {
    pub(super) fn run<T: Send + 'static>(
        &self,
        step: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        Task(self.guests.spawn(Charged {
            meter: Arc::clone(&self.meter),
            future: Box::pin(step),
        }))
    }
}

impl<T: Send + 'static> Task<T> {
    /// What became of it, if it is over; `None` where it was lost.
    pub(super) fn finished(&mut self) -> Poll<Option<T>> {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(self).poll(&mut context)
    }
}

impl<T: Send + 'static> Future for Task<T> {
    /// `None` when the processor time of the call was used up, when it panicked, or when its
    /// threads have ended.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context).map(|output| {
            output
                .inspect_err(|error| tracing::error!(%error, "a step of a socket was lost"))
                .ok()
                .flatten()
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
