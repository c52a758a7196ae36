//! What goes back to a client.

use super::sessions::InUse;
use crate::message::Rejection;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use rmcp::model::ErrorCode;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The methods of the endpoint.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");

/// Why a request is not served.
pub(super) enum Refusal {
    /// With a status and nothing else.
    Status(StatusCode),
    /// With an answer of JSON-RPC.
    Message(StatusCode, Rejection),
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self::Status(status)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection.code() {
            // A sound message all the same, answered like one that a tool refuses.
            ErrorCode::INVALID_PARAMS => StatusCode::OK,
            crate::guard::BUSY => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::INTERNAL_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::Message(status, rejection)
    }
}

impl Refusal {
    pub(super) fn into_response(self) -> Response<Reply> {
        let (status, message) = match self {
            Self::Status(status) => (status, None),
            Self::Message(status, rejection) => (status, serde_json::to_vec(&rejection).ok()),
        };
        let mut response = match message {
            None => Response::new(Reply::new(Empty::new().boxed(), Held::default())),
            Some(message) => {
                let body = Full::new(Bytes::from(message)).boxed();
                let mut response = Response::new(Reply::new(body, Held::default()));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
        };
        *response.status_mut() = status;
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, METHODS);
        }
        guarded(response)
    }
}

/// Keeps a browser from taking a response for anything but what it says.
pub(super) fn guarded(mut response: Response<Reply>) -> Response<Reply> {
    response
        .headers_mut()
        .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a response holds until it is sent or dropped.
#[derive(Default)]
pub(super) struct Held {
    pub(super) in_use: Option<InUse>,
    pub(super) stream: Option<OwnedSemaphorePermit>,
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// The body of a response.
pub(super) struct Reply {
    body: BoxBody<Bytes, Infallible>,
    until: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    held: Held,
}

impl Reply {
    pub(super) fn new(body: BoxBody<Bytes, Infallible>, held: Held) -> Self {
        Self {
            body,
            until: None,
            held,
        }
    }

    /// Ends when `stop` is cancelled, if not before.
    pub(super) fn until(mut self, stop: CancellationToken) -> Self {
        self.until = Some(Box::pin(stop.cancelled_owned()));
        self
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(until) = &mut self.until
            && until.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none()
            && let Some(in_use) = &mut self.held.in_use
        {
            in_use.answered();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
