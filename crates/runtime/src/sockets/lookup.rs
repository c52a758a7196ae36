//! Lookups, and the stream in which a guest gets what they found.

use super::lease::Leases;
use super::task::Task;
use crate::egress::{MAX_ADDRESSES, Network, ResolveError};
use crate::enforce::Trail;
use crate::wasi::bindings::sockets::network::ErrorCode;
use casemate_policy::{Grant, Operation};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime_wasi_io::poll::Pollable;

type Answer = Result<Vec<IpAddr>, ErrorCode>;

/// A name that may be looked up, and everything that its way needs.
pub(super) struct Question {
    pub(super) name: String,
    pub(super) limit: Duration,
    pub(super) network: Arc<Network>,
    pub(super) grant: Arc<Grant>,
    pub(super) trail: Trail,
    pub(super) leases: Arc<Leases>,
}

impl Question {
    /// The addresses, each of which the grant permits and the call holds a lease on.
    ///
    /// One that it denies spoils the whole answer, as for a request: a name that leads to the
    /// outside and to this machine at once is somebody's trick.
    pub(super) async fn answer(self) -> Answer {
        let found = self.network.resolve(&self.name, self.limit).await;
        let mut addresses = found.map_err(|error| {
            tracing::debug!(name = self.name, %error, "lookup failed");
            of_lookup(&error)
        })?;
        for address in &addresses {
            let operation = Operation::LookupAnswer {
                name: &self.name,
                address: *address,
            };
            if let Err(denial) = self.grant.decide(&operation) {
                self.trail.denied(&denial);
                return Err(ErrorCode::AccessDenied);
            }
        }
        addresses.truncate(MAX_ADDRESSES);
        self.leases.add(&self.name, &addresses);
        Ok(addresses)
    }
}

/// What a guest may know of a lookup that failed.
fn of_lookup(error: &ResolveError) -> ErrorCode {
    match error {
        ResolveError::Timeout => ErrorCode::TemporaryResolverFailure,
        ResolveError::Answer(_) => ErrorCode::NameUnresolvable,
        ResolveError::Failed(_) => ErrorCode::PermanentResolverFailure,
    }
}

/// A lookup of a guest; dropping it gives up.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct Lookup(State);

enum State {
    Asking {
        task: Task<Answer>,
        /// Among those that are under way.
        _place: OwnedSemaphorePermit,
    },
    Found(VecDeque<IpAddr>),
    Failed(ErrorCode),
}

impl State {
    fn of(answer: Option<Answer>) -> Self {
        match answer {
            Some(Ok(addresses)) => Self::Found(addresses.into()),
            Some(Err(code)) => Self::Failed(code),
            None => Self::Failed(ErrorCode::Unknown),
        }
    }
}

impl Lookup {
    pub(super) fn begun(task: Task<Answer>, place: OwnedSemaphorePermit) -> Self {
        Self(State::Asking {
            task,
            _place: place,
        })
    }

    pub(super) fn found(addresses: Vec<IpAddr>) -> Self {
        Self(State::Found(addresses.into()))
    }

    /// The next address, if there is one.
    ///
    /// # Errors
    ///
    /// `would-block` while nothing was answered, and then what went wrong, each time anew.
    pub(crate) fn next(&mut self) -> Result<Option<IpAddr>, ErrorCode> {
        if let State::Asking { task, .. } = &mut self.0 {
            match task.finished() {
                Poll::Pending => return Err(ErrorCode::WouldBlock),
                Poll::Ready(answer) => self.0 = State::of(answer),
            }
        }
        match &mut self.0 {
            State::Asking { .. } => Err(ErrorCode::WouldBlock),
            State::Found(addresses) => Ok(addresses.pop_front()),
            State::Failed(code) => Err(*code),
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let State::Asking { task, .. } = &mut self.0 {
            self.0 = State::of(task.await);
        }
    }
}
