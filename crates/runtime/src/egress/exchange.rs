//! One request and its response over a connection that nothing else uses meanwhile.

use super::body::{Loan, Place, Progress, RequestBody, ResponseBody};
use super::budget::{Budget, Traffic};
use super::driver::{Driver, Way};
use super::failure::{Faults, of_connect, of_lookup};
use super::kept::{Destination, Kept};
use super::line::Line;
use super::listeners::Listeners;
use super::network::{
    Deadlines, MAX_ADDRESSES, MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS, Network, ResolveError,
    all_in_use,
};
use super::stream::{Connection, Counted, Waiting};
use crate::enforce::Trail;
use crate::limits::Meter;
use crate::wasi::http::is_forbidden;
use casemate_policy::{Grant, HttpHost, HttpScheme, HttpTarget, Reason};
use http::HeaderMap;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
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
    pub(super) kept: Arc<Kept>,
    pub(super) meter: Arc<Meter>,
}

/// A connection to use, and what it counts for.
struct Link {
    connection: Connection,
    peer: SocketAddr,
    turn: OwnedSemaphorePermit,
}

/// What the guest asked for, as often as it has to be said.
struct Asked {
    head: Parts,
    body: Arc<Loan>,
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
        let (head, body) = request.into_parts();
        let asked = Asked {
            head,
            body: Loan::of(body),
        };
        if let Some(link) = self.kept_link().await? {
            let before = line.traffic.received();
            let sent = self.speak(&asked, link, &place, line).await;
            let unheard = line.traffic.received() == before && !asked.body.is_taken();
            match sent {
                // The other side had closed it, as it may at any time.
                Err(error) if unheard && !matches!(error, Error::HttpResponseTimeout) => {
                    tracing::debug!(%error, "a kept connection was not there any more");
                }
                sent => return sent,
            }
        }
        let link = self.new_link(line).await?;
        self.speak(&asked, link, &place, line).await
    }

    /// A connection that an earlier request has left open to the same place, if this request may
    /// go out a second time where that fails (RFC 9110, 9.2.1: the methods that only ask), and if
    /// the grant lets it go to where that connection leads.
    async fn kept_link(&self) -> Result<Option<Link>, Error> {
        if !matches!(self.target.method(), "GET" | "HEAD" | "OPTIONS") {
            return Ok(None);
        }
        let to = self.destination();
        let kept = self.kept.take(&to, |peer| {
            let own = self.listeners.reached_by(peer);
            self.grant.decide(&self.target.connect(peer, own)).is_ok()
        });
        let Some((connection, peer)) = kept.await else {
            return Ok(None);
        };
        let turn = self.turn().await?;
        Ok(Some(Link {
            connection,
            peer,
            turn,
        }))
    }

    fn destination(&self) -> Destination {
        Destination {
            scheme: self.target.scheme(),
            host: self.target.host().clone(),
            port: self.target.port(),
        }
    }

    async fn new_link(&self, line: &Line) -> Result<Link, Error> {
        let addresses = self.addresses().await?;
        let turn = self.turn().await?;
        let (stream, peer) = self.dial(&addresses, line).await?;
        let connection = match self.target.scheme() {
            HttpScheme::Http => Connection::Plain(stream),
            HttpScheme::Https => {
                let roots = &self.network.roots;
                let stream = roots.connect(self.target.host(), stream, &self.deadlines);
                Connection::Encrypted(Box::new(stream.await?))
            }
        };
        Ok(Link {
            connection,
            peer,
            turn,
        })
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
    async fn dial(
        &self,
        addresses: &[SocketAddr],
        line: &Line,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        let end = Instant::now() + self.deadlines.connect;
        let mut failure = of_lookup(ResolveError::Answer("NOERROR".to_owned()));
        for (tried, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            let turn = end.saturating_duration_since(Instant::now()) / left;
            failure = match timeout(turn, self.network.dialer.dial(*address)).await {
                Ok(Ok(stream)) => {
                    line.connected(*address);
                    return Ok((stream, *address));
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
    async fn speak(&self, asked: &Asked, link: Link, place: &Place, line: &Arc<Line>) -> Sent {
        let faults = Arc::new(Faults::default());
        let counted = Counted {
            connection: link.connection,
            own: Arc::clone(&line.traffic),
            of_call: Arc::clone(&self.traffic),
            faults: Arc::clone(&faults),
            idle: self.deadlines.idle,
            writing: Waiting::default(),
        };
        let progress = Arc::new(Progress::begin());
        let request = self.rewritten(asked, &progress, &faults, place)?;
        #[expect(clippy::disallowed_methods, reason = "the request was decided")]
        let mut client = http1::Builder::new();
        let (mut sender, connection) = client
            .max_headers(MAX_RESPONSE_HEADERS)
            .max_header_size(MAX_RESPONSE_HEAD)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(counted))
            .await
            .map_err(|error| faults.explain(&error))?;
        let way = Way {
            kept: Arc::downgrade(&self.kept),
            network: Arc::clone(&self.network),
            to: self.destination(),
            peer: link.peer,
        };
        let until_then = (link.turn, Arc::clone(line));
        let mut driver = Driver::start(connection, way, Arc::clone(&self.meter), until_then);
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
        line.connected(link.peer);
        line.answered(response.status());
        if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::HttpUpgradeFailed);
        }
        driver.answered(sender);
        let ended = driver.ended();
        if response.body().is_end_stream() {
            ended.set();
        }
        let response = response.map(|incoming| {
            ResponseBody {
                inner: Some((incoming, Arc::clone(place))),
                idle: self.deadlines.idle,
                waiting: Waiting::default(),
                budget: Arc::clone(&self.budget),
                trail: self.trail.clone(),
                subject: self.subject.clone(),
                faults,
                line: Arc::clone(line),
                ended,
            }
            .boxed_unsync()
        });
        Ok((response, Box::new(driver.finished())))
    }

    /// The request as it goes out: the method, host, port and path that were judged, the guest's
    /// query and headers, and no header that is about the connection.
    fn rewritten(
        &self,
        asked: &Asked,
        progress: &Arc<Progress>,
        faults: &Arc<Faults>,
        place: &Place,
    ) -> Result<http::Request<RequestBody>, Error> {
        let written = asked.head.headers.iter();
        let mut headers: HeaderMap = written
            .filter(|(name, _)| !is_forbidden(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        // RFC 9110, 7.2: ours, whatever the guest wrote.
        let host = HeaderValue::try_from(self.target.authority())
            .map_err(|_| Error::HttpRequestUriInvalid)?;
        headers.insert(HOST, host);
        let mut path = self.target.path().to_owned();
        if let Some(query) = asked.head.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        let body = RequestBody {
            inner: Arc::clone(&asked.body),
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
