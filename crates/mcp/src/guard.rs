//! Around every request: a bound on how many run, and an answer also when one panics.

use rmcp::model::{
    ClientNotification, ClientRequest, ErrorCode, ErrorData, ProtocolVersion, ServerConfig,
    ServerResult,
};
use rmcp::service::{NotificationContext, RequestContext};
use rmcp::{RoleServer, Service};
use serde_json::json;
use std::borrow::Cow;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Requests of one client that may be in progress at once, calls that wait for their turn and
/// open subscriptions included.
pub(crate) const MAX_REQUESTS: usize = 1_024;

/// Code of an answer to a request that finds no room.
const BUSY: ErrorCode = ErrorCode(-32_000);

/// A service that answers whatever happens inside of `S`.
pub(crate) struct Guard<S> {
    inner: S,
    running: AtomicUsize,
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self {
            inner,
            running: AtomicUsize::new(0),
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

impl<S: Service<RoleServer>> Service<RoleServer> for Guard<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        let Some(_place) = self.enter() else {
            return Err(ErrorData::new(
                BUSY,
                format!("limit.concurrency: more than {MAX_REQUESTS} requests are in progress"),
                Some(json!({ "reason": "limit.concurrency" })),
            ));
        };
        match without_panic(self.inner.handle_request(request, context)).await {
            Some(result) => result,
            None => Err(defect("a request panicked")),
        }
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        match without_panic(self.inner.handle_notification(notification, context)).await {
            Some(result) => result,
            None => Err(defect("a notification panicked")),
        }
    }

    fn get_info(&self) -> ServerConfig {
        self.inner.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
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
