//! Connections to registries and servers that artifacts come from.
//!
//! Nothing of a guest comes here: what is fetched was named by the person, and this is how their own
//! program goes there. What it has in common with the way of a guest's request is the network and its
//! bounds, and that the address which was judged is the one that is connected to.

use super::network::{MAX_ADDRESSES, Network, ResolveError, all_in_use};
use casemate_artifact::{ConnectError, Connected, Connector, Place};
use casemate_policy::{AddressUse, HttpHost, HttpScheme, fetch_by_name, fetch_from};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use wasmtime_wasi_http::Error;

/// Reaches registries over a [`Network`]: its resolver, its dialer, its trusted certificates.
#[derive(Clone, Debug)]
pub struct RegistryConnector {
    network: Arc<Network>,
}

impl RegistryConnector {
    /// A connector over this network.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self {
            network: Arc::new(network),
        }
    }

    async fn reach(&self, to: &Place, special: bool) -> Result<Connected, ConnectError> {
        let judged = self.addresses(to, special).await?;
        let deadlines = &self.network.deadlines;
        let turn = self.network.turn(deadlines.connect).await;
        let turn = turn.ok_or_else(|| ConnectError::Failed(all_in_use()))?;
        let (stream, used) = self.dial(&judged).await?;
        let special = used == AddressUse::Special;
        let stream: Box<dyn casemate_artifact::Stream> = match to.scheme {
            HttpScheme::Http => Box::new(Held {
                stream,
                _turn: turn,
            }),
            HttpScheme::Https => {
                let tls = self.network.roots.connect(&to.host, stream, deadlines);
                let stream = tls.await.map_err(|error| match error {
                    Error::ConnectionTimeout => ConnectError::Timeout(deadlines.tls),
                    error => ConnectError::Tls(because(&error).to_owned()),
                })?;
                Box::new(Held {
                    stream,
                    _turn: turn,
                })
            }
        };
        Ok(Connected { stream, special })
    }

    /// The addresses of a place, each judged; one that may not be reached spoils the whole answer.
    async fn addresses(
        &self,
        to: &Place,
        special: bool,
    ) -> Result<Vec<(SocketAddr, AddressUse)>, ConnectError> {
        let refused = |what: &str| ConnectError::Special(what.to_owned());
        let found = match &to.host {
            HttpHost::Address(address) => vec![*address],
            // It is not for a name server to say where this machine is (RFC 6761, 6.3).
            HttpHost::Name(name) if name == "localhost" => vec![
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ],
            HttpHost::Name(name) => {
                fetch_by_name(name).map_err(refused)?;
                let limit = self.network.deadlines.connect;
                let found = self.network.resolve(name, limit).await;
                found.map_err(|error| match error {
                    ResolveError::Answer(code) => ConnectError::Name(code),
                    error => ConnectError::Name(error.to_string()),
                })?
            }
        };
        let mut judged = Vec::new();
        for address in found {
            let used = fetch_from(address, special).map_err(refused)?;
            judged.push((SocketAddr::new(address, to.port), used));
        }
        judged.truncate(MAX_ADDRESSES);
        Ok(judged)
    }

    /// Connects to the first that takes it, each within an equal part of the time that is left.
    async fn dial(
        &self,
        judged: &[(SocketAddr, AddressUse)],
    ) -> Result<(TcpStream, AddressUse), ConnectError> {
        let limit = self.network.deadlines.connect;
        let end = Instant::now() + limit;
        let mut failure = ConnectError::Name("it has no address".to_owned());
        for (tried, (address, used)) in judged.iter().enumerate() {
            let left = u32::try_from(judged.len() - tried).unwrap_or(u32::MAX);
            let turn = end.saturating_duration_since(Instant::now()) / left;
            failure = match timeout(turn, self.network.dialer.dial(*address)).await {
                Ok(Ok(stream)) => return Ok((stream, *used)),
                Ok(Err(error)) => ConnectError::Failed(error.kind().to_string()),
                Err(_elapsed) => ConnectError::Timeout(limit),
            };
        }
        Err(failure)
    }
}

/// What a failed handshake means to a person.
fn because(error: &Error) -> &'static str {
    match error {
        Error::TlsCertificateError => {
            "its certificate is of no authority that is trusted here, or not for this host"
        }
        Error::TlsAlertReceived { .. } => "it refuses the handshake",
        Error::TlsProtocolError => "what it speaks is no TLS",
        _ => "the handshake broke off",
    }
}

impl Connector for RegistryConnector {
    fn connect<'a>(
        &'a self,
        to: &'a Place,
        special: bool,
    ) -> Pin<Box<dyn Future<Output = Result<Connected, ConnectError>> + Send + 'a>> {
        Box::pin(self.reach(to, special))
    }
}

/// A connection with its place among those that the process may have.
struct Held<S> {
    stream: S,
    _turn: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
