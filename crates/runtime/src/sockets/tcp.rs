//! A TCP socket as a guest sees it: created, connected once, shut down.

use super::connection::{Connection, Place, of_stream};
use super::options::Options;
use super::stream::{Reader, Writer};
use super::task::Task;
use crate::wasi::bindings::sockets::network::ErrorCode;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use wasmtime_wasi_io::poll::Pollable;

/// A direction, or both, that a guest closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shut {
    Receive,
    Send,
    Both,
}

/// A socket of a guest. Before it connects it is none of the operating system's.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct TcpSocket {
    ipv6: bool,
    options: Options,
    place: Place,
    state: State,
}

/// What becomes of connecting.
type Connected = Result<Box<Connection>, ErrorCode>;

enum State {
    Unbound,
    Binding,
    Bound,
    Connecting(Task<Connected>),
    /// It is decided, and the guest was not told.
    Answered(Connected),
    Connected(Arc<Connection>),
    /// After a connection that failed, nothing is left to do.
    Closed,
}

impl State {
    fn answered(result: Option<Connected>) -> Self {
        Self::Answered(result.unwrap_or(Err(ErrorCode::Unknown)))
    }
}

/// Whether both are IPv4, or IPv6 and not IPv4 in disguise: sockets for IPv6 are for that alone.
fn of_family(ipv6: bool, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !ipv6,
        IpAddr::V6(address) => ipv6 && address.to_ipv4_mapped().is_none(),
    }
}

fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_multicast() && !address.is_broadcast(),
        IpAddr::V6(address) => !address.is_multicast(),
    }
}

impl TcpSocket {
    pub(super) fn new(ipv6: bool, place: Place) -> Self {
        Self {
            ipv6,
            options: Options::default(),
            place,
            state: State::Unbound,
        }
    }

    pub(crate) fn is_ipv6(&self) -> bool {
        self.ipv6
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Changes options, of a connection that there is as well.
    ///
    /// # Errors
    ///
    /// `unknown` when the operating system refuses it.
    pub(crate) fn set(&mut self, change: impl FnOnce(&mut Options)) -> Result<(), ErrorCode> {
        change(&mut self.options);
        if let State::Connected(connection) = &self.state {
            let applied = self.options.apply(&connection.stream, self.ipv6);
            applied.map_err(|error| of_stream(&error))?;
        }
        Ok(())
    }

    /// Whether it is bound to this address by being unbound: to none that a guest chose.
    ///
    /// # Errors
    ///
    /// `invalid-argument` for an address of the other family or of many, `invalid-state` for a
    /// socket that is bound. `Ok(false)` for every address but the unspecified one with port 0.
    pub(crate) fn bind(&mut self, local: SocketAddr) -> Result<bool, ErrorCode> {
        if !matches!(self.state, State::Unbound) {
            return Err(match self.state {
                State::Binding | State::Connecting(_) | State::Answered(_) => {
                    ErrorCode::ConcurrencyConflict
                }
                _ => ErrorCode::InvalidState,
            });
        }
        if !of_family(self.ipv6, local.ip()) || !is_unicast(local.ip()) {
            return Err(ErrorCode::InvalidArgument);
        }
        let implicit = local.ip().is_unspecified() && local.port() == 0;
        if implicit {
            self.state = State::Binding;
        }
        Ok(implicit)
    }

    /// # Errors
    ///
    /// `not-in-progress` without [`Self::bind`].
    pub(crate) fn finish_bind(&mut self) -> Result<(), ErrorCode> {
        match self.state {
            State::Binding => {
                self.state = State::Bound;
                Ok(())
            }
            _ => Err(ErrorCode::NotInProgress),
        }
    }

    /// Whether a connection to this address can be asked for.
    ///
    /// # Errors
    ///
    /// `invalid-state` and `concurrency-conflict` for what was begun or is over,
    /// `invalid-argument` for an address of the other family, of IPv4 in IPv6, of no machine, of
    /// many or with a scope, and for port 0.
    pub(super) fn may_connect(&self, remote: SocketAddr) -> Result<(), ErrorCode> {
        match self.state {
            State::Unbound | State::Bound => {}
            State::Binding | State::Connecting(_) | State::Answered(_) => {
                return Err(ErrorCode::ConcurrencyConflict);
            }
            State::Connected(_) | State::Closed => return Err(ErrorCode::InvalidState),
        }
        let scoped = matches!(remote, SocketAddr::V6(address) if address.scope_id() != 0);
        if !of_family(self.ipv6, remote.ip())
            || !is_unicast(remote.ip())
            || remote.ip().is_unspecified()
            || remote.port() == 0
            || scoped
        {
            return Err(ErrorCode::InvalidArgument);
        }
        Ok(())
    }

    pub(super) fn connecting(&mut self, task: Task<Connected>) {
        self.state = State::Connecting(task);
    }

    /// The streams of a connection that was made.
    ///
    /// # Errors
    ///
    /// `not-in-progress` when none was begun, `would-block` while it is under way, and why it
    /// failed, after which the socket is of no use.
    pub(crate) fn finish_connect(&mut self) -> Result<(Reader, Writer), ErrorCode> {
        if let State::Connecting(task) = &mut self.state {
            match task.finished() {
                Poll::Pending => return Err(ErrorCode::WouldBlock),
                Poll::Ready(result) => self.state = State::answered(result),
            }
        }
        if !matches!(self.state, State::Answered(_)) {
            return Err(ErrorCode::NotInProgress);
        }
        let State::Answered(result) = std::mem::replace(&mut self.state, State::Closed) else {
            return Err(ErrorCode::NotInProgress);
        };
        let mut connection = result?;
        connection.keep(&self.place);
        let connection: Arc<Connection> = Arc::from(connection);
        // What was set meanwhile.
        let applied = self.options.apply(&connection.stream, self.ipv6);
        applied.map_err(|error| of_stream(&error))?;
        let streams = (Reader::of(&connection), Writer::of(&connection));
        self.state = State::Connected(connection);
        Ok(streams)
    }

    /// The unspecified address and port 0: which of this machine's addresses a connection left
    /// by, and from which port, is nothing that a guest needs.
    ///
    /// # Errors
    ///
    /// `invalid-state` for a socket that is not bound.
    pub(crate) fn local_address(&self) -> Result<SocketAddr, ErrorCode> {
        match self.state {
            State::Bound | State::Connected(_) => {
                let address: IpAddr = if self.ipv6 {
                    Ipv6Addr::UNSPECIFIED.into()
                } else {
                    Ipv4Addr::UNSPECIFIED.into()
                };
                Ok(SocketAddr::new(address, 0))
            }
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// The address that was connected to.
    ///
    /// # Errors
    ///
    /// `invalid-state` for a socket that is not connected.
    pub(crate) fn remote_address(&self) -> Result<SocketAddr, ErrorCode> {
        match &self.state {
            State::Connected(connection) => Ok(connection.remote()),
            _ => Err(ErrorCode::InvalidState),
        }
    }

    /// Ends one direction or both; what was written before still goes out.
    ///
    /// # Errors
    ///
    /// `invalid-state` for a socket that is not connected.
    pub(crate) fn shut_down(&self, how: Shut) -> Result<(), ErrorCode> {
        let State::Connected(connection) = &self.state else {
            return Err(ErrorCode::InvalidState);
        };
        let shut = || -> io::Result<()> {
            if matches!(how, Shut::Receive | Shut::Both) {
                connection.no_more_to_receive()?;
            }
            if matches!(how, Shut::Send | Shut::Both) {
                connection.no_more_to_send()?;
            }
            Ok(())
        };
        shut().map_err(|error| of_stream(&error))
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for TcpSocket {
    async fn ready(&mut self) {
        if let State::Connecting(task) = &mut self.state {
            self.state = State::answered(task.await);
        }
    }
}
