//! One request and its response over one connection of their own.

use super::body::{Place, Progress, RequestBody, ResponseBody};
use super::budget::{Budget, Traffic};
use super::failure::{Faults, of_connect, of_lookup};
use super::listeners::Listeners;
use super::network::{
    Deadlines, MAX_ADDRESSES, MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS, Network, ResolveError,
    all_in_use,
};
use super::stream::{Connection, Counted, Waiting};
use crate::enforce::Trail;
use crate::wasi::http::is_forbidden;
use casemate_policy::{Grant, HttpHost, HttpScheme, HttpTarget, Reason};
use http::header::{CONNECTION, HOST, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use wasmtime_wasi_http::{Error, WasiBody};

/// What wasmtime-wasi-http takes for an answer: the response, and what keeps its connection going.
pub(crate) type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

/// Bytes that one connection holds in a buffer for each direction.
const BUFFER: usize = 64 << 10;

/// A request that was decided, and everything that its way out needs.
pub(super) struct Exchange {
    pub(super) target: HttpTarget,
    pub(super) subject: String,
    pub(super) grant: Arc<Grant>,
    pub(super) trail: Trail,
    pub(super) network: Arc<Network>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) budget: Arc<Budget>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) deadlines: Deadlines,
}

impl Exchange {
    /// Sends the request and waits for the head of the response.
    pub(super) async fn run(self, request: http::Request<WasiBody>, place: Place) -> Sent {
        let line = Arc::new(Line::begin(&self.target));
        let sent = self.exchange(request, place, &line).await;
        if let Err(error) = &sent {
            line.failed(error);
        }
        sent
    }

    async fn exchange(
        &self,
        request: http::Request<WasiBody>,
        place: Place,
        line: &Arc<Line>,
    ) -> Sent {
        let addresses = self.addresses().await?;
        let turn = self.turn().await?;
        let stream = self.dial(&addresses, line).await?;
        let connection = match self.target.scheme() {
            HttpScheme::Http => Connection::Plain(stream),
            HttpScheme::Https => {
                let roots = &self.network.roots;
                let stream = roots.connect(self.target.host(), stream, &self.deadlines);
                Connection::Encrypted(Box::new(stream.await?))
            }
        };
        self.speak(request, connection, turn, place, line).await
    }

    /// The addresses to connect to, each of which the grant permits.
    ///
    /// One that it denies spoils the whole answer: a name that leads to the outside and to this
    /// machine at once is somebody's trick, whichever of them would have been tried first.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Error> {
        let found = self.resolved().await?;
        let mut addresses = Vec::new();
        for address in found {
            let address = SocketAddr::new(address, self.target.port());
            let own = self.listeners.reached_by(address);
            match self.grant.decide(&self.target.connect(address, own)) {
                Ok(_permit) => addresses.push(address),
                Err(denial) => {
                    self.trail.denied(&denial);
                    return Err(Error::DestinationIpProhibited);
                }
            }
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    async fn resolved(&self) -> Result<Vec<IpAddr>, Error> {
        let name = match self.target.host() {
            HttpHost::Address(address) => return Ok(vec![*address]),
            HttpHost::Name(name) => name,
        };
        let found = self.network.resolve(name, self.deadlines.connect).await;
        found.map_err(|error| {
            tracing::debug!(host = %name, %error, "lookup failed");
            of_lookup(error)
        })
    }

    /// Waits for one of the connections that all calls share.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Some(turn) = self.network.turn(self.deadlines.connect).await {
            return Ok(turn);
        }
        self.trail.refused(
            Reason::LimitConcurrency,
            self.subject.clone(),
            &all_in_use(),
        );
        Err(Error::ConnectionLimitReached)
    }

    /// Connects to the first of the addresses that takes it. Each gets an equal part of the time
    /// that is left, so that one that never answers does not hide the others.
    async fn dial(&self, addresses: &[SocketAddr], line: &Line) -> Result<TcpStream, Error> {
        let end = Instant::now() + self.deadlines.connect;
        let mut failure = of_lookup(ResolveError::Answer("NOERROR".to_owned()));
        for (tried, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let turn = end.saturating_duration_since(Instant::now()) / left;
            failure = match timeout(turn, self.network.dialer.dial(*address)).await {
                Ok(Ok(stream)) => {
                    line.connected(*address);
                    return Ok(stream);
                }
                Ok(Err(error)) => {
                    tracing::debug!(%address, %error, "connection failed");
                    of_connect(&error)
                }
                Err(_elapsed) => Error::ConnectionTimeout,
            };
        }
        Err(failure)
    }

    /// Speaks HTTP/1.1 over the connection.
    async fn speak(
        &self,
        request: http::Request<WasiBody>,
        connection: Connection,
        turn: OwnedSemaphorePermit,
        place: Place,
        line: &Arc<Line>,
    ) -> Sent {
        let faults = Arc::new(Faults::default());
        let counted = Counted {
            connection,
            own: Arc::clone(&line.traffic),
            of_call: Arc::clone(&self.traffic),
            faults: Arc::clone(&faults),
            idle: self.deadlines.idle,
            writing: Waiting::default(),
        };
        let progress = Arc::new(Progress::begin());
        let request = self.rewritten(request, &progress, &faults, &place)?;
        #[expect(clippy::disallowed_methods, reason = "the request was decided")]
        let mut client = http1::Builder::new();
        let (mut sender, connection) = client
            .max_headers(MAX_RESPONSE_HEADERS)
            .max_header_size(MAX_RESPONSE_HEAD)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(counted))
            .await
            .map_err(|error| faults.explain(&error))?;
        let kept = (turn, Arc::clone(line));
        let driver = Driver(tokio::spawn(async move {
            let _kept = kept;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        }));
        let mut sending = pin!(sender.send_request(request));
        let mut due = pin!(sleep_until(progress.last() + self.deadlines.first_byte));
        let response = loop {
            tokio::select! {
                biased;
                response = &mut sending => break response.map_err(|error| faults.explain(&error))?,
                () = &mut due => {
                    let later = progress.last() + self.deadlines.first_byte;
                    if later <= Instant::now() {
                        return Err(Error::HttpResponseTimeout);
                    }
                    due.as_mut().reset(later);
                }
            }
        };
        line.answered(response.status());
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed);
        }
        let response = response.map(|incoming| {
            ResponseBody {
                inner: Some((incoming, place)),
                idle: self.deadlines.idle,
                waiting: Waiting::default(),
                budget: Arc::clone(&self.budget),
                trail: self.trail.clone(),
                subject: self.subject.clone(),
                faults,
                line: Arc::clone(line),
            }
            .boxed_unsync()
        });
        Ok((response, Box::new(driver.finished())))
    }

    /// The request as it goes out: the method, host, port and path that were judged, the guest's
    /// query and headers, and no header that is about the connection.
    fn rewritten(
        &self,
        request: http::Request<WasiBody>,
        progress: &Arc<Progress>,
        faults: &Arc<Faults>,
        place: &Place,
    ) -> Result<http::Request<RequestBody>, Error> {
        let (mut guest, inner) = request.into_parts();
        let mut headers = std::mem::take(&mut guest.headers);
        let forbidden: Vec<_> = headers
            .keys()
            .filter(|name| is_forbidden(name))
            .cloned()
            .collect();
        for name in forbidden {
            headers.remove(name);
        }
        // RFC 9110, 7.2: ours, whatever the guest wrote.
        let host = HeaderValue::try_from(self.target.authority())
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        headers.insert(HOST, host);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut path = self.target.path().to_owned();
        if let Some(query) = guest.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        let body = RequestBody {
            inner,
            budget: Arc::clone(&self.budget),
            trail: self.trail.clone(),
            subject: self.subject.clone(),
            progress: Arc::clone(progress),
            faults: Arc::clone(faults),
            _place: Arc::clone(place),
        };
        let mut request = http::Request::builder()
            .method(self.target.method())
            .uri(path)
            .body(body)
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// The task that moves the bytes of a connection, which ends when this is dropped.
struct Driver(JoinHandle<()>);

impl Driver {
    async fn finished(mut self) -> Result<(), Error> {
        // What went wrong is told through the body.
        let _ = (&mut self.0).await;
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The line that a request leaves in the log when the last of it is gone: where it went and how
/// much it moved, never its query, headers or bodies.
pub(super) struct Line {
    method: String,
    host: String,
    port: u16,
    path: String,
    address: OnceLock<SocketAddr>,
    status: AtomicU16,
    failure: OnceLock<String>,
    traffic: Arc<Traffic>,
}

impl Line {
    fn begin(target: &HttpTarget) -> Self {
        Self {
            method: target.method().to_owned(),
            host: target.host().to_string(),
            port: target.port(),
            path: target.path().to_owned(),
            address: OnceLock::new(),
            status: AtomicU16::new(0),
            failure: OnceLock::new(),
            traffic: Arc::default(),
        }
    }

    fn connected(&self, address: SocketAddr) {
        // One request connects once.
        let _ = self.address.set(address);
    }

    fn answered(&self, status: http::StatusCode) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: &Error) {
        // The first failure is the cause.
        let _ = self.failure.set(error.to_string());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let status = self.status.load(Ordering::Relaxed);
        tracing::debug!(
            target: "casemate::egress",
            method = self.method,
            host = self.host,
            port = self.port,
            path = self.path,
            address = self.address.get().map(tracing::field::display),
            status = (status != 0).then_some(status),
            failure = self.failure.get(),
            sent = self.traffic.sent(),
            received = self.traffic.received(),
            "request"
        );
    }
}
