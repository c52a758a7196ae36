//! The point where a request of a guest is decided, before anything of it leaves.

use super::budget::{Budget, Traffic};
use super::exchange::{Exchange, Sent};
use super::kept::Kept;
use super::listeners::Listeners;
use super::network::Network;
use crate::enforce::Trail;
use crate::limits::{Charged, Meter};
use casemate_policy::{Grant, HttpTarget, Reason};
use std::sync::Arc;
use tokio::task::JoinHandle;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// What stands between the requests of one call and the network.
pub(crate) struct Gate {
    pub(crate) grant: Arc<Grant>,
    pub(crate) trail: Trail,
    /// Where granted requests go; without one they go nowhere.
    pub(crate) network: Option<Arc<Network>>,
    pub(crate) listeners: Arc<Listeners>,
    /// Where requests run: never on the thread that reads messages of a client.
    pub(crate) guests: tokio::runtime::Handle,
    pub(crate) budget: Arc<Budget>,
    pub(crate) traffic: Arc<Traffic>,
    /// What earlier requests of the component have left open.
    pub(crate) kept: Arc<Kept>,
    pub(crate) meter: Arc<Meter>,
}

impl Gate {
    /// Decides a request, and starts it if it may go. Dropping what is returned ends it.
    ///
    /// # Errors
    ///
    /// `HTTP-request-denied` for what is not granted, `HTTP-request-body-size` for a body that
    /// announces more than the call may still send, `connection-limit-reached` for one request
    /// too many at once. Each of them is on the call's record.
    pub(crate) fn send(
        &self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Running, Error> {
        let target = self.decide(&request)?;
        let subject = target.operation().to_string();
        let Some(network) = self.network.clone() else {
            let why = "a rule allows it, but this program was started without a network";
            self.trail.refused(Reason::NetworkHost, subject, why);
            return Err(Error::HttpRequestDenied);
        };
        if let Err(over) = self.budget.could_send(announced(&request)) {
            self.trail.limited(subject, over);
            return Err(Error::HttpRequestBodySize(Some(over.allowed)));
        }
        let place = match self.budget.place() {
            Ok(place) => place,
            Err(over) => {
                self.trail.limited(subject, over);
                return Err(Error::ConnectionLimitReached);
            }
        };
        let exchange = Exchange {
            deadlines: network.deadlines.lowered(options),
            grant: Arc::clone(&self.grant),
            trail: self.trail.clone(),
            network,
            listeners: Arc::clone(&self.listeners),
            budget: Arc::clone(&self.budget),
            traffic: Arc::clone(&self.traffic),
            kept: Arc::clone(&self.kept),
            meter: Arc::clone(&self.meter),
            target,
            subject,
        };
        let charged = Charged {
            meter: Arc::clone(&self.meter),
            future: Box::pin(exchange.run(request, Arc::new(place))),
        };
        Ok(Running(self.guests.spawn(charged)))
    }

    /// Brings the target to its canonical form, and asks the grant.
    fn decide(&self, request: &http::Request<WasiBody>) -> Result<HttpTarget, Error> {
        let uri = request.uri();
        let target = HttpTarget::parse(
            uri.scheme_str().unwrap_or("https"),
            uri.authority().map_or("", http::uri::Authority::as_str),
            request.method().as_str(),
            uri.path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str),
        );
        let denied = match target {
            Ok(target) => match self.grant.decide(&target.operation()) {
                Ok(_permit) => return Ok(target),
                Err(denial) => denial,
            },
            Err(denial) => denial,
        };
        self.trail.denied(&denied);
        Err(Error::HttpRequestDenied)
    }
}

/// The length that a request announces; wasmtime-wasi-http has seen to it that it is one number.
fn announced(request: &http::Request<WasiBody>) -> u64 {
    request
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse().ok())
        .unwrap_or_default()
}

/// A request under way, which ends when this is dropped.
pub(crate) struct Running(JoinHandle<Option<Sent>>);

impl Running {
    /// Waits for the head of the response.
    pub(crate) async fn response(mut self) -> Sent {
        match (&mut self.0).await {
            Ok(Some(sent)) => sent,
            // The call has no processor time left, which ends it.
            Ok(None) => Err(Error::ConnectionTerminated),
            Err(error) => {
                tracing::error!(%error, "a request was lost");
                Err(Error::InternalError(None))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
