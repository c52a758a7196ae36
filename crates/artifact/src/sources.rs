//! What fetching needs besides a reference: a way to connect, credentials, bounds in time.
//!
//! Nothing here opens a connection, reads a file or knows a certificate: all of that is handed in,
//! so that an embedding program decides whether artifacts can be fetched over a network at all.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use casemate_policy::{HttpHost, HttpScheme};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::reference::{Registry, is_loopback};

/// A step that takes time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whether TLS is spoken, with `host` as the name that the certificate has to bear.
    pub scheme: HttpScheme,
    /// The host.
    pub host: HttpHost,
    /// The port.
    pub port: u16,
}

impl Place {
    /// Whether it is this machine, by its spelling alone.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// `host[:port]`, as a `Host` field has it (RFC 9110, 7.2).
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, self.authority())
    }
}

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that was made.
pub struct Connected {
    /// What passes over it; TLS is done where the place asks for it.
    pub stream: Box<dyn Stream>,
    /// Whether the address at the other end is a special-use one (RFC 6890), such as a loopback or
    /// a private one.
    pub special: bool,
}

impl fmt::Debug for Connected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connected")
            .field("special", &self.special)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no addresses; why, in a few words.
    #[error("the name cannot be looked up: {0}")]
    Name(String),
    /// An address of the name may not be connected to; what it is for.
    #[error("it leads to {0}")]
    Special(String),
    /// Nobody answers there; why, in a few words.
    #[error("there is no connection: {0}")]
    Failed(String),
    /// A step of it took too long.
    #[error("there is no answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// TLS came to nothing, for example because of the certificate; why, in a few words.
    #[error("TLS failed: {0}")]
    Tls(String),
}

/// Opens connections to registries and servers.
pub trait Connector: Send + Sync {
    /// Connects, with the handshake of TLS where the place asks for it.
    ///
    /// Without `special`, a place any of whose addresses is a special-use one is refused. A metadata
    /// service of a cloud, and what no packet should go to, always is. The address that was judged
    /// is the one that is connected to. Dropping it gives up.
    fn connect<'a>(
        &'a self,
        to: &'a Place,
        special: bool,
    ) -> Pending<'a, Result<Connected, ConnectError>>;
}

/// What a person logs in to a registry with.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// A name and a password, or a token in its place.
    Basic {
        /// The name.
        user: String,
        /// The password.
        secret: String,
    },
    /// A token that a token server takes as `refresh_token` (OAuth 2.0, RFC 6749, section 6).
    IdentityToken(String),
}

// What stands in it is for the registry alone.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Basic { .. } => "Login::Basic(..)",
            Self::IdentityToken(_) => "Login::IdentityToken(..)",
        })
    }
}

/// Why credentials could not be had, for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CredentialError {
    /// What went wrong, and with which file or program; nothing secret.
    pub message: String,
    /// What the person can do about it.
    pub hint: Option<String>,
}

/// Knows what a person logs in to registries with.
pub trait Credentials: Send + Sync {
    /// The login for a registry, written as [`Registry`] displays; `docker.io` for Docker Hub. May
    /// block. It is asked only once the registry has asked for credentials.
    ///
    /// # Errors
    ///
    /// Fails when the place where it would be cannot be read; "there is none" is no error.
    fn of(&self, registry: &str) -> Result<Option<Login>, CredentialError>;

    /// The login for one repository of a registry, where it has one of its own; else that of the
    /// registry.
    ///
    /// # Errors
    ///
    /// As [`Credentials::of`].
    fn of_repository(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialError> {
        let _no_login_of_its_own = repository;
        self.of(registry)
    }
}

/// Nobody is logged in to anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anonymous;

impl Credentials for Anonymous {
    fn of(&self, _registry: &str) -> Result<Option<Login>, CredentialError> {
        Ok(None)
    }
}

/// Told how the bytes of an artifact arrive.
pub trait Progress: Sync {
    /// They begin to; `total` is their number.
    fn started(&self, total: u64);
    /// So many more have arrived.
    fn advanced(&self, bytes: u64);
    /// The connection broke, and the rest is asked for from this byte on.
    fn resumed(&self, at: u64);
    /// All have arrived and hash to what they should.
    fn finished(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _total: u64) {}
    fn advanced(&self, _bytes: u64) {}
    fn resumed(&self, _at: u64) {}
    fn finished(&self) {}
}

/// How long fetching may take in each of its phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchDeadlines {
    /// Until there is a connection, with its name looked up and TLS done.
    pub connect: Duration,
    /// From the request until the head of the response is there as a whole.
    pub head: Duration,
    /// Between two bytes of a body.
    pub idle: Duration,
    /// For the whole of a body that is not the artifact's own: manifests, tokens, signatures.
    pub small: Duration,
    /// In each such time the artifact's own body has to bring `least` bytes.
    pub window: Duration,
    /// See `window`.
    pub least: u64,
    /// For everything, from the first connection to the last byte.
    pub total: Duration,
}

impl Default for FetchDeadlines {
    /// What the product uses: the slowest line that is waited for brings 1 KiB in a second.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            small: Duration::from_secs(60),
            window: Duration::from_secs(60),
            least: 60 << 10,
            total: Duration::from_secs(60 * 60),
        }
    }
}

/// What fetching needs besides a reference. A clone is cheap.
#[derive(Clone)]
pub struct Sources {
    pub(crate) network: Option<Reach>,
    pub(crate) deadlines: FetchDeadlines,
}

/// The network as fetching has it.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) plain_http: PlainHttp,
}

/// Which registries are spoken to without TLS; besides, they have to be on this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlainHttp {
    registries: Arc<[Registry]>,
    every_loopback: bool,
}

impl PlainHttp {
    pub(crate) fn covers(&self, registry: &Registry) -> bool {
        registry.is_loopback() && (self.every_loopback || self.registries.contains(registry))
    }
}

impl Sources {
    /// Files and what can be reached with this connector.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>, credentials: Arc<dyn Credentials>) -> Self {
        Self::with_deadlines(connector, credentials, FetchDeadlines::default())
    }

    /// The same with other deadlines than the product's.
    #[must_use]
    pub fn with_deadlines(
        connector: Arc<dyn Connector>,
        credentials: Arc<dyn Credentials>,
        deadlines: FetchDeadlines,
    ) -> Self {
        Self {
            network: Some(Reach {
                connector,
                credentials,
                plain_http: PlainHttp::default(),
            }),
            deadlines,
        }
    }

    /// Files only: everything else is refused.
    #[must_use]
    pub fn files_only() -> Self {
        Self {
            network: None,
            deadlines: FetchDeadlines::default(),
        }
    }

    /// Speaks plain HTTP to these registries, as far as they are on this machine; others keep TLS,
    /// whether they are named here or not.
    #[must_use]
    pub fn with_plain_http(mut self, registries: Vec<Registry>) -> Self {
        if let Some(reach) = &mut self.network {
            reach.plain_http.registries = registries.into();
        }
        self
    }

    /// Speaks plain HTTP to every registry on this machine.
    #[must_use]
    pub fn with_plain_http_on_loopback(mut self) -> Self {
        if let Some(reach) = &mut self.network {
            reach.plain_http.every_loopback = true;
        }
        self
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sources")
            .field("network", &self.network.is_some())
            .field("deadlines", &self.deadlines)
            .finish_non_exhaustive()
    }
}
