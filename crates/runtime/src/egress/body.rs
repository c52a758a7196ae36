//! Bodies that are counted, in both directions.

use super::budget::Budget;
use super::driver::Ended;
use super::failure::{Fault, Faults};
use super::line::Line;
use super::stream::Waiting;
use crate::enforce::Trail;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, WasiBody};

/// When the guest last gave a part of its request.
#[derive(Debug)]
pub(super) struct Progress(Mutex<Instant>);

impl Progress {
    pub(super) fn begin() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A request's place among those that a call may have under way, which its bodies keep.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// A body of a request that another connection can take over, as long as nothing of it was taken.
pub(super) struct Loan(Mutex<Lent>);

struct Lent {
    body: WasiBody,
    taken: bool,
    ended: bool,
}

impl Loan {
    pub(super) fn of(body: WasiBody) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Lent {
            body,
            taken: false,
            ended: false,
        })))
    }

    /// Whether somebody has got a part of it.
    pub(super) fn is_taken(&self) -> bool {
        self.lent().taken
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_frame(&self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let lent = &mut *self.lent();
        if lent.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut lent.body).poll_frame(context));
        match frame {
            Some(_) => lent.taken = true,
            None => lent.ended = true,
        }
        Poll::Ready(frame)
    }
}

/// The body of a request: what the guest gives, within the call's budget.
pub(super) struct RequestBody {
    pub(super) inner: Arc<Loan>,
    pub(super) budget: Arc<Budget>,
    pub(super) trail: Trail,
    pub(super) subject: String,
    pub(super) progress: Arc<Progress>,
    pub(super) faults: Arc<Faults>,
    pub(super) _place: Place,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = ready!(self.inner.poll_frame(context));
        self.progress.now();
        let fault = match frame {
            None => return Poll::Ready(None),
            Some(Ok(frame)) => match self.budget.send(frame.data_ref().map_or(0, Bytes::len)) {
                Ok(()) => return Poll::Ready(Some(Ok(frame))),
                Err(over) => {
                    self.trail.limited(self.subject.clone(), over);
                    Fault::RequestBody(over.allowed)
                }
            },
            Some(Err(_)) => Fault::Unfinished,
        };
        self.faults.set(fault);
        Poll::Ready(Some(Err(fault)))
    }

    fn is_end_stream(&self) -> bool {
        let lent = self.inner.lent();
        lent.ended || lent.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.lent().body.size_hint()
    }
}

/// The body of a response: what the server gives, within the call's budget and in time.
pub(super) struct ResponseBody {
    /// `None` once it has ended in whatever way, and with it the request.
    pub(super) inner: Option<(Incoming, Place)>,
    pub(super) idle: Duration,
    pub(super) waiting: Waiting,
    pub(super) budget: Arc<Budget>,
    pub(super) trail: Trail,
    pub(super) subject: String,
    pub(super) faults: Arc<Faults>,
    pub(super) line: Arc<Line>,
    pub(super) ended: Ended,
}

impl ResponseBody {
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.inner = None;
        self.line.failed(&error);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some((inner, _)) = &mut self.inner else {
            return Poll::Ready(None);
        };
        match Pin::new(inner).poll_frame(context) {
            Poll::Pending => {
                let idle = self.idle;
                ready!(self.waiting.poll(idle, context));
                self.fail(Error::ConnectionReadTimeout)
            }
            Poll::Ready(None) => {
                self.ended.set();
                self.inner = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                let error = self.faults.explain(&error);
                self.fail(error)
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting.over();
                match self.budget.receive(frame.data_ref().map_or(0, Bytes::len)) {
                    Ok(()) => {
                        // A guest that knows how much there is need not read once more.
                        if frame.is_trailers() || self.is_end_stream() {
                            self.ended.set();
                        }
                        Poll::Ready(Some(Ok(frame)))
                    }
                    Err(over) => {
                        self.trail.limited(self.subject.clone(), over);
                        self.fail(Error::HttpResponseBodySize(Some(over.allowed)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner
            .as_ref()
            .is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}
