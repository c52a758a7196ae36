//! A step on the guests' threads.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Something under way, which ends when this is dropped.
pub(super) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(super) fn on(guests: &Handle, step: impl Future<Output = T> + Send + 'static) -> Self {
        Self(guests.spawn(step))
    }

    /// What became of it, if it is over; `None` where it was lost.
    pub(super) fn finished(&mut self) -> Poll<Option<T>> {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(self).poll(&mut context)
    }
}

impl<T: Send + 'static> Future for Task<T> {
    /// `None` when it panicked, or when its threads have ended.
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        Pin::new(&mut self.0).poll(context).map(|output| {
            output
                .inspect_err(|error| tracing::error!(%error, "a step of a socket was lost"))
                .ok()
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
