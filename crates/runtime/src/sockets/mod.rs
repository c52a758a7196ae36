//! Raw TCP sockets and lookups of guests.
//!
//! A lookup is decided by its name, asks the network's resolver, and leases what it found to this
//! call for a while. A connection is decided by its address, its port and the names under which
//! the call holds a lease on that address, and goes to exactly that address. A socket of the
//! operating system first exists when a connection was permitted; nothing is ever bound to an
//! address that a guest chose, and nothing listens.
//!
//! Lookups and connecting run on the guests' threads, as tasks that end with what waits for them.
//! All of it belongs to the call's store: when that is dropped, in whatever way, the other side
//! sees its connection end.

mod connection;
mod lease;
mod lookup;
mod options;
mod stream;
mod task;
mod tcp;

#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub use lookup::Lookup;
pub(crate) use options::Options;
pub(crate) use task::Threads;
pub(crate) use tcp::Shut;
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub use tcp::TcpSocket;

use crate::egress::{Budget, Listeners, MAX_LOOKUP_TIME, Network, Traffic};
use crate::enforce::{LimitReached, Trail};
use crate::wasi::bindings::sockets::network::ErrorCode;
use casemate_policy::{Denial, Grant, HttpHost, Operation, Reason, SocketAction, lookup_name};
use connection::Connecting;
use lease::Leases;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Lookups that one call may have under way at once.
pub const MAX_CALL_LOOKUPS: usize = 8;
/// Lookups that one call may begin, those that are refused not counted.
pub const MAX_LOOKUPS_PER_CALL: u32 = 256;

/// What stands between the sockets of one call and the network.
pub(crate) struct Sockets {
    grant: Arc<Grant>,
    trail: Trail,
    network: Option<Arc<Network>>,
    listeners: Arc<Listeners>,
    threads: Threads,
    budget: Arc<Budget>,
    traffic: Arc<Traffic>,
    leases: Arc<Leases>,
    places: Arc<Semaphore>,
    at_once: u32,
    lookups: Arc<Semaphore>,
    looked_up: u32,
}

impl Sockets {
    pub(crate) fn new(
        grant: Arc<Grant>,
        trail: Trail,
        network: Option<Arc<Network>>,
        listeners: Arc<Listeners>,
        threads: Threads,
        budget: Arc<Budget>,
        traffic: Arc<Traffic>,
    ) -> Self {
        let at_once = grant.limits().sockets;
        let time = network.as_ref().map(|network| network.lease());
        Self {
            grant,
            trail,
            network,
            listeners,
            threads,
            budget,
            traffic,
            leases: Arc::new(Leases::lasting(time.unwrap_or_default())),
            places: Arc::new(Semaphore::new(at_once as usize)),
            at_once,
            lookups: Arc::new(Semaphore::new(MAX_CALL_LOOKUPS)),
            looked_up: 0,
        }
    }

    fn denied(&self, denial: &Denial) -> ErrorCode {
        self.trail.denied(denial);
        ErrorCode::AccessDenied
    }

    fn decide(&self, operation: &Operation<'_>) -> Result<(), ErrorCode> {
        match self.grant.decide(operation) {
            Ok(_permit) => Ok(()),
            Err(denial) => Err(self.denied(&denial)),
        }
    }

    fn network(
        &self,
        reason: Reason,
        operation: &Operation<'_>,
    ) -> Result<Arc<Network>, ErrorCode> {
        self.network.clone().ok_or_else(|| {
            let why = "a rule allows it, but this program was started without a network";
            self.trail.refused(reason, operation.to_string(), why);
            ErrorCode::AccessDenied
        })
    }

    /// Records that one more of something would be more than there may be.
    fn limited(&self, operation: &Operation<'_>, what: &'static str, most: u64) {
        let limit = LimitReached::count(Reason::LimitHandles, what, most.saturating_add(1), most);
        self.trail.limited(operation.to_string(), limit);
    }

    /// Asks for a step that no rule permits: UDP, binding to an address, listening.
    pub(crate) fn refuse(&self, action: SocketAction, address: Option<SocketAddr>) -> ErrorCode {
        // Whatever a later policy might say of it, nothing here could do it.
        match self.decide(&Operation::Socket { action, address }) {
            Ok(()) => ErrorCode::NotSupported,
            Err(code) => code,
        }
    }

    /// Makes a socket, which is none of the operating system's before it connects.
    ///
    /// # Errors
    ///
    /// `access-denied` without a rule, `new-socket-limit` with as many as the call may have.
    pub(crate) fn create(&self, ipv6: bool) -> Result<TcpSocket, ErrorCode> {
        let operation = Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        };
        self.decide(&operation)?;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.limited(&operation, "sockets", u64::from(self.at_once));
            return Err(ErrorCode::NewSocketLimit);
        };
        Ok(TcpSocket::new(ipv6, Arc::new(place)))
    }

    /// Begins to look up a name; an address that a rule names is answered at once.
    ///
    /// # Errors
    ///
    /// `access-denied` for what no rule names, `temporary-resolver-failure` with
    /// [`MAX_CALL_LOOKUPS`] under way, `permanent-resolver-failure` after [`MAX_LOOKUPS_PER_CALL`].
    pub(crate) fn look_up(&mut self, text: &str) -> Result<Lookup, ErrorCode> {
        let host = lookup_name(text).map_err(|denial| self.denied(&denial))?;
        let name = match &host {
            HttpHost::Name(name) => name.clone(),
            HttpHost::Address(address) => address.to_string(),
        };
        let operation = Operation::Lookup { name: &name };
        self.decide(&operation)?;
        if let HttpHost::Address(address) = host {
            return Ok(Lookup::found(vec![address]));
        }
        let network = self.network(Reason::Dns, &operation)?;
        let Ok(place) = Arc::clone(&self.lookups).try_acquire_owned() else {
            self.limited(&operation, "lookups at once", MAX_CALL_LOOKUPS as u64);
            return Err(ErrorCode::TemporaryResolverFailure);
        };
        if self.looked_up >= MAX_LOOKUPS_PER_CALL {
            let most = u64::from(MAX_LOOKUPS_PER_CALL);
            self.limited(&operation, "lookups of one call", most);
            return Err(ErrorCode::PermanentResolverFailure);
        }
        self.looked_up += 1;
        let question = lookup::Question {
            name,
            limit: network.connect_time().min(MAX_LOOKUP_TIME),
            network,
            grant: Arc::clone(&self.grant),
            trail: self.trail.clone(),
            leases: Arc::clone(&self.leases),
        };
        Ok(Lookup::begun(self.threads.run(question.answer()), place))
    }

    /// Begins to connect a socket to this address, if that is permitted under one of the names
    /// that the call holds a lease on it by, or by itself.
    ///
    /// # Errors
    ///
    /// `access-denied`, and those of [`TcpSocket::may_connect`].
    pub(crate) fn connect(
        &self,
        socket: &mut TcpSocket,
        remote: SocketAddr,
    ) -> Result<(), ErrorCode> {
        socket.may_connect(remote)?;
        let own = self.listeners.reached_by(remote);
        let names = self.leases.names(remote.ip());
        let name = self.permitted(&names, remote, own)?;
        let operation = Operation::TcpConnect {
            name,
            address: remote,
            own,
        };
        let network = self.network(Reason::Socket, &operation)?;
        let connecting = Connecting {
            subject: operation.to_string(),
            name: name.map(str::to_owned),
            remote,
            network,
            options: *socket.options(),
            trail: self.trail.clone(),
            budget: Arc::clone(&self.budget),
            traffic: Arc::clone(&self.traffic),
            threads: self.threads.clone(),
        };
        socket.connecting(self.threads.run(connecting.run()));
        Ok(())
    }

    /// The name under which a connection is permitted; `None` where its address is named itself.
    fn permitted<'n>(
        &self,
        names: &'n [String],
        address: SocketAddr,
        own: bool,
    ) -> Result<Option<&'n str>, ErrorCode> {
        let mut first = None;
        let names = names.iter().map(|name| Some(name.as_str()));
        for name in names.chain([None]) {
            let operation = Operation::TcpConnect { name, address, own };
            match self.grant.decide(&operation) {
                Ok(_permit) => return Ok(name),
                // What was asked for under a name is what a person would grant.
                Err(denial) => first = first.or(Some(denial)),
            }
        }
        Err(first.map_or(ErrorCode::AccessDenied, |denial| self.denied(&denial)))
    }
}
