//! A connection on its way and while it lasts.

use super::options::Options;
use super::task::Threads;
use crate::egress::{Budget, Network, Traffic, Unconnected};
use crate::enforce::{LimitReached, Trail};
use crate::wasi::bindings::sockets::network::ErrorCode;
use casemate_policy::Reason;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// A socket's place among those that a call may have, which all its parts keep.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// A connection that was decided, and everything that its way needs.
pub(super) struct Connecting {
    pub(super) subject: String,
    pub(super) name: Option<String>,
    pub(super) remote: SocketAddr,
    pub(super) network: Arc<Network>,
    pub(super) options: Options,
    pub(super) trail: Trail,
    pub(super) budget: Arc<Budget>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) threads: Threads,
}

impl Connecting {
    pub(super) async fn run(self) -> Result<Box<Connection>, ErrorCode> {
        let (stream, turn) = match self.network.connect(self.remote).await {
            Ok(connected) => connected,
            Err(error) => return Err(self.failed(&error)),
        };
        let applied = self.options.apply(&stream, self.remote.is_ipv6());
        applied.map_err(|error| of_stream(&error))?;
        Ok(Box::new(Connection {
            stream,
            name: self.name,
            subject: self.subject,
            remote: self.remote,
            trail: self.trail,
            budget: self.budget,
            of_call: self.traffic,
            own: Traffic::default(),
            threads: self.threads,
            ends: Mutex::default(),
            _turn: turn,
            place: None,
        }))
    }

    fn failed(&self, error: &Unconnected) -> ErrorCode {
        match error {
            Unconnected::NoTurn(why) => {
                let subject = self.subject.clone();
                self.trail.refused(Reason::LimitConcurrency, subject, why);
                ErrorCode::NewSocketLimit
            }
            Unconnected::Timeout => ErrorCode::Timeout,
            Unconnected::Failed(error) => {
                tracing::debug!(address = %self.remote, %error, "connection failed");
                of_stream(error)
            }
        }
    }
}

/// The code of WASI for a failure of the operating system.
pub(super) fn of_stream(error: &io::Error) -> ErrorCode {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
        io::ErrorKind::ConnectionReset => ErrorCode::ConnectionReset,
        io::ErrorKind::ConnectionAborted => ErrorCode::ConnectionAborted,
        io::ErrorKind::TimedOut => ErrorCode::Timeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            ErrorCode::RemoteUnreachable
        }
        _ => ErrorCode::Unknown,
    }
}

/// Which directions are over.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The guest receives no more.
    pub(super) received: bool,
    /// The guest sends no more…
    pub(super) sent: bool,
    /// …once this was taken.
    pub(super) sending: bool,
}

/// An established connection, which ends when its socket and both streams were dropped.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    name: Option<String>,
    subject: String,
    remote: SocketAddr,
    trail: Trail,
    budget: Arc<Budget>,
    of_call: Arc<Traffic>,
    own: Traffic,
    pub(super) threads: Threads,
    ends: Mutex<Ends>,
    _turn: OwnedSemaphorePermit,
    place: Option<Place>,
}

impl Connection {
    /// Keeps the place of the socket that it is of until both are gone.
    pub(super) fn keep(&mut self, place: &Place) {
        self.place = Some(Place::clone(place));
    }

    pub(super) fn remote(&self) -> SocketAddr {
        self.remote
    }

    pub(super) fn ends(&self) -> MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what the guest is about to send, within what its call may send.
    pub(super) fn may_send(&self, bytes: usize) -> Result<(), io::Error> {
        let spent = self.budget.send(bytes);
        spent.map_err(|over| self.over(over))
    }

    /// Counts what arrived, within what the call may receive.
    pub(super) fn may_receive(&self, bytes: usize) -> Result<(), io::Error> {
        self.own.add_received(bytes);
        self.of_call.add_received(bytes);
        let spent = self.budget.receive(bytes);
        spent.map_err(|over| self.over(over))
    }

    fn over(&self, limit: LimitReached) -> io::Error {
        self.trail.limited(self.subject.clone(), limit);
        io::ErrorKind::QuotaExceeded.into()
    }

    /// Takes as much of these bytes as there is room for now.
    pub(super) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..)
            && !rest.is_empty()
        {
            match self.stream.try_write(rest) {
                Ok(taken) => {
                    self.own.add_sent(taken);
                    self.of_call.add_sent(taken);
                    sent += taken;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// The guest sends no more: the other side is told as soon as all was taken.
    pub(super) fn no_more_to_send(&self) -> io::Result<()> {
        let mut ends = self.ends();
        if ends.sent {
            return Ok(());
        }
        ends.sent = true;
        if ends.sending {
            return Ok(());
        }
        finish(&self.stream)
    }

    /// What was left over has been taken.
    pub(super) fn all_sent(&self) -> io::Result<()> {
        let mut ends = self.ends();
        ends.sending = false;
        if ends.sent {
            return finish(&self.stream);
        }
        Ok(())
    }

    /// The guest receives no more; what is there already is left.
    pub(super) fn no_more_to_receive(&self) -> io::Result<()> {
        let mut ends = self.ends();
        if ends.received {
            return Ok(());
        }
        ends.received = true;
        ended(rustix::net::shutdown(
            &self.stream,
            rustix::net::Shutdown::Read,
        ))
    }
}

fn finish(stream: &TcpStream) -> io::Result<()> {
    ended(rustix::net::shutdown(stream, rustix::net::Shutdown::Write))
}

/// What the other side has ended already needs no end.
fn ended(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Drop for Connection {
    /// The line that a connection leaves in the log: where it went and how much it moved.
    fn drop(&mut self) {
        tracing::debug!(
            target: "casemate::egress",
            name = self.name,
            address = %self.remote,
            sent = self.own.sent(),
            received = self.own.received(),
            "connection"
        );
    }
}
