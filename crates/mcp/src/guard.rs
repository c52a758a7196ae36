//! Around every request: a bound on how many run, and an answer also when one panics.

use rmcp::model::{ErrorCode, ErrorData};
use serde_json::json;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Requests that may be in progress at once in one server, calls that wait for their turn and open
/// subscriptions included.
pub(crate) const MAX_REQUESTS: usize = 1_024;

/// Code of an answer to a request that finds no room.
pub(crate) const BUSY: ErrorCode = ErrorCode(-32_000);

/// Counts the requests in progress.
#[derive(Default)]
pub(crate) struct Guard {
    running: AtomicUsize,
}

impl Guard {
    /// What came of `request`; an error when there is no room for it, or when it panicked.
    pub(crate) async fn run<T>(
        &self,
        request: impl Future<Output = Result<T, ErrorData>>,
    ) -> Result<T, ErrorData> {
        let Some(_place) = self.enter() else {
            return Err(ErrorData::new(
                BUSY,
                format!("limit.concurrency: more than {MAX_REQUESTS} requests are in progress"),
                Some(json!({ "reason": "limit.concurrency" })),
            ));
        };
        match without_panic(request).await {
            Some(result) => result,
            None => Err(defect("a request panicked")),
        }
    }

    fn enter(&self) -> Option<Place<'_>> {
        let place = Place(&self.running);
        (self.running.fetch_add(1, Ordering::Relaxed) < MAX_REQUESTS).then_some(place)
    }
}

/// One of the requests in progress, until it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Logs `what` under an id and gives the client the id and nothing else.
pub(crate) fn defect(what: &str) -> ErrorData {
    let id = correlation_id();
    tracing::error!(id, "{what}");
    ErrorData::internal_error(
        format!("internal: a defect in Casemate, logged under {id}"),
        Some(json!({ "reason": "internal", "id": id })),
    )
}

/// An id to find a log line by; unique enough, and no secret.
pub(crate) fn correlation_id() -> String {
    // Each `RandomState` has other keys.
    format!("{:08x}", RandomState::new().build_hasher().finish() >> 32)
}

/// `None` when the future panicked. It is not polled again.
async fn without_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(
        move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_panic) => Poll::Ready(None),
        },
    )
    .await
}

#[cfg(test)]
mod tests;
