//! What a runtime is given to reach the network, and the bounds that hold whatever it is given.

use super::dial::Direct;
use super::kept::{MAX_KEPT, MAX_KEPT_TIME};
use super::resolve::Dns;
use super::tls::TrustRoots;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::RequestOptions;

/// Connections that the requests and sockets of all calls may have at once; one more waits for its
/// turn, no longer than it may take to connect.
pub const MAX_CONNECTIONS: usize = 256;
/// Lookups that all calls may have at once; one more waits for its turn, and its time runs.
pub const MAX_LOOKUPS: usize = 128;
/// Fields in the head of a response, and in its trailer section.
pub const MAX_RESPONSE_HEADERS: usize = 100;
/// Bytes of the head of a response, and of its trailer section.
pub const MAX_RESPONSE_HEAD: usize = 32 << 10;
/// Addresses of one name that are tried; all of an answer are judged.
pub const MAX_ADDRESSES: usize = 16;
/// The longest that one name is looked up, over all servers and repetitions.
pub const MAX_LOOKUP_TIME: Duration = Duration::from_secs(5);
/// How long a lookup of a guest lets it connect to what was found, whatever time to live its
/// records have.
pub const LEASE: Duration = Duration::from_secs(60);
/// The longest deadline there is; more would end no call.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A step of the network that takes time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// No server answered in time.
    #[error("no name server answered in time")]
    Timeout,
    /// A server answered that there is nothing to reach: the response code in DNS's words, such
    /// as `NXDOMAIN`, or `NOERROR` where the name exists without addresses.
    #[error("the name servers answered {0}")]
    Answer(String),
    /// There was nobody to ask, or what came back was no answer. The text is for the log.
    #[error("no answer: {0}")]
    Failed(String),
}

/// Finds the addresses of a name.
pub trait Resolver: Send + Sync {
    /// Looks `name` up as it is: a whole name in lower-case A-labels without a final dot, never an
    /// address, with nothing appended to it.
    ///
    /// The answer is in the order in which the addresses are tried. It is asked once for each
    /// connection and dropped when the call ends.
    fn resolve<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Vec<IpAddr>, ResolveError>>;
}

/// Opens connections.
pub trait Dialer: Send + Sync {
    /// Connects to this address and to no other. Dropping it gives up.
    fn dial(&self, address: SocketAddr) -> Pending<'_, std::io::Result<TcpStream>>;
}

/// How long a request may take in each of its phases, each at most a day.
///
/// A guest may ask for less through its `request-options`, never for more. 0 is a deadline that
/// has passed: whatever is not there at once is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Until there is a connection, over all addresses; also the most for looking the name up, if
    /// less than [`MAX_LOOKUP_TIME`]. A guest's `connect-timeout` lowers it.
    pub connect: Duration,
    /// Until the TLS handshake is done. A guest's `connect-timeout` lowers it.
    pub tls: Duration,
    /// From the last byte that the guest gave of its request until the head of the response is
    /// there as a whole. A guest's `first-byte-timeout` lowers it.
    pub first_byte: Duration,
    /// Between two bytes of a body, in both directions, while the other side is waited for. A
    /// guest's `between-bytes-timeout` lowers it.
    pub idle: Duration,
}

impl Default for Deadlines {
    /// What the product uses. The wall limit of the call ends whatever these let go on.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
        }
    }
}

impl Deadlines {
    /// These, or less where the guest asks for less.
    pub(super) fn lowered(self, options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let least = |own: Duration, asked: Option<Duration>| {
            own.min(LONGEST).min(asked.unwrap_or(Duration::MAX))
        };
        Self {
            connect: least(self.connect, options.connect_timeout),
            tls: least(self.tls, options.connect_timeout),
            first_byte: least(self.first_byte, options.first_byte_timeout),
            idle: least(self.idle, options.between_bytes_timeout),
        }
    }
}

/// The network that granted requests of guests go out to.
pub struct Network {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) roots: TrustRoots,
    pub(super) deadlines: Deadlines,
    connections: Arc<Semaphore>,
    lookups: Semaphore,
    keepable: Arc<Semaphore>,
    lease: Duration,
    kept_time: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unconnected {
    /// None of those that all calls share became free in time; in a person's words.
    NoTurn(String),
    /// Nobody answered in time.
    Timeout,
    /// The operating system could not.
    Failed(std::io::Error),
}

impl Network {
    /// A network of these parts.
    #[must_use]
    pub fn new(
        resolver: Arc<dyn Resolver>,
        dialer: Arc<dyn Dialer>,
        roots: TrustRoots,
        deadlines: Deadlines,
    ) -> Self {
        Self {
            resolver,
            dialer,
            roots,
            deadlines,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            lookups: Semaphore::new(MAX_LOOKUPS),
            keepable: Arc::new(Semaphore::new(MAX_KEPT)),
            lease: LEASE,
            kept_time: MAX_KEPT_TIME,
        }
    }

    /// The machine's own network: the name servers of `/etc/resolv.conf`, plain TCP.
    ///
    /// Nothing is read before the first lookup, and again when that file has changed: a server may
    /// start before the network does, and a laptop changes networks.
    #[must_use]
    pub fn system(roots: TrustRoots) -> Self {
        Self::system_with(Arc::new(Dns::system()), roots)
    }

    /// The machine's own network with names looked up by `resolver`, such as [`Dns::servers`].
    #[must_use]
    pub fn system_with(resolver: Arc<dyn Resolver>, roots: TrustRoots) -> Self {
        Self::new(resolver, Arc::new(Direct), roots, Deadlines::default())
    }

    /// The same with another time than [`LEASE`], at most a day; 0 is a lease that has ended.
    #[must_use]
    pub fn with_lease(mut self, time: Duration) -> Self {
        self.lease = time.min(LONGEST);
        self
    }

    /// The same with less time than [`MAX_KEPT_TIME`]; 0 keeps no connection.
    #[must_use]
    pub fn with_kept_time(mut self, time: Duration) -> Self {
        self.kept_time = time.min(MAX_KEPT_TIME);
        self
    }

    pub(super) fn kept_time(&self) -> Duration {
        self.kept_time
    }

    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// How long connecting may take.
    pub(crate) fn connect_time(&self) -> Duration {
        self.deadlines.connect.min(LONGEST)
    }

    /// A connection to this address, within the time for connecting, waiting for a turn included.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> Result<(TcpStream, OwnedSemaphorePermit), Unconnected> {
        let end = Instant::now() + self.connect_time();
        let Some(turn) = self.turn(self.connect_time()).await else {
            return Err(Unconnected::NoTurn(all_in_use()));
        };
        match timeout_at(end, self.dialer.dial(address)).await {
            Ok(Ok(stream)) => Ok((stream, turn)),
            Ok(Err(error)) => Err(Unconnected::Failed(error)),
            Err(_elapsed) => Err(Unconnected::Timeout),
        }
    }

    /// The addresses of a name, which has `limit` for it and no more than [`MAX_LOOKUP_TIME`].
    pub(crate) async fn resolve(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<Vec<IpAddr>, ResolveError> {
        let lookup = async {
            // Never closed.
            let _turn = self.lookups.acquire().await.ok();
            self.resolver.resolve(name).await
        };
        match timeout(limit.min(MAX_LOOKUP_TIME), lookup).await {
            Ok(found) => found,
            Err(_elapsed) => Err(ResolveError::Timeout),
        }
    }

    /// A place among the connections that all components may keep, if one is free.
    pub(super) fn place_to_keep(&self) -> Option<OwnedSemaphorePermit> {
        if self.kept_time.is_zero() {
            return None;
        }
        Arc::clone(&self.keepable).try_acquire_owned().ok()
    }

    /// One of the connections that all calls share, if there is one within `limit`.
    pub(crate) async fn turn(&self, limit: Duration) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.connections).acquire_owned();
        timeout(limit, turn).await.ok()?.ok()
    }
}

/// Why nothing more can be connected to at the moment.
pub(super) fn all_in_use() -> String {
    format!("all {MAX_CONNECTIONS} connections are in use")
}

impl std::fmt::Debug for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Network")
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}
