//! Connections that stay open behind a response, for a next request of the same component.
//!
//! A set of them belongs to one installed component under one policy: other bytes, another policy
//! or another name has another set, and a set that nobody has any more closes what is in it. There
//! are no secrets in this release, so all requests of a component have the same (empty) set of
//! secrets; with secrets a set would have to be for one of those too.
//!
//! Kept is only what has nothing of the request before in it: its response was read to the end,
//! the other side agreed, and not a byte came since. What comes unasked, or an end, closes it.

use super::stream::Connection;
use casemate_policy::{HttpHost, HttpScheme};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long a connection is kept for a next request.
pub const MAX_KEPT_TIME: Duration = Duration::from_secs(10);
/// Connections that all components together may keep.
pub const MAX_KEPT: usize = 32;
/// Connections that one component may keep.
const MAX_OF_COMPONENT: usize = 8;
/// Connections of one component that may be kept to one place.
const MAX_TO_PLACE: usize = 2;

/// What a connection was made for. Its TLS proved exactly this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) scheme: HttpScheme,
    pub(super) host: HttpHost,
    pub(super) port: u16,
}

/// The connections that one component keeps.
#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<Idle>>);

struct Idle {
    to: Destination,
    peer: SocketAddr,
    asking: oneshot::Sender<oneshot::Sender<Connection>>,
    watch: Watch,
}

/// The task that has a kept connection; dropping it closes the connection.
struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Kept {
    /// Takes a connection to this place that is still open, with the address that it goes to, which
    /// `may` has to allow.
    pub(super) async fn take(
        &self,
        to: &Destination,
        may: impl Fn(SocketAddr) -> bool,
    ) -> Option<(Connection, SocketAddr)> {
        loop {
            let idle = self.find(to, &may)?;
            let (give, given) = oneshot::channel();
            if idle.asking.send(give).is_ok()
                && let Ok(connection) = given.await
            {
                return Some((connection, idle.peer));
            }
        }
    }

    fn find(&self, to: &Destination, may: impl Fn(SocketAddr) -> bool) -> Option<Idle> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|idle| !idle.watch.0.is_finished());
        // The youngest is the likeliest to be open.
        let found = kept
            .iter()
            .rposition(|idle| &idle.to == to && may(idle.peer))?;
        Some(kept.remove(found))
    }

    /// Keeps a connection for this time, and closes the oldest ones where there are too many.
    pub(super) fn put(
        &self,
        to: Destination,
        peer: SocketAddr,
        connection: Connection,
        time: Duration,
        among_all: OwnedSemaphorePermit,
    ) {
        let (asking, asked) = oneshot::channel();
        let watch = Watch(tokio::spawn(watch(connection, asked, time, among_all)));
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|idle| !idle.watch.0.is_finished());
        let to_place = kept.iter().filter(|idle| idle.to == to).count();
        let oldest = match () {
            () if to_place >= MAX_TO_PLACE => kept.iter().position(|idle| idle.to == to),
            () if kept.len() >= MAX_OF_COMPONENT => Some(0),
            () => None,
        };
        if let Some(oldest) = oldest {
            kept.remove(oldest);
        }
        kept.push(Idle {
            to,
            peer,
            asking,
            watch,
        });
    }
}

/// Holds a connection until somebody asks for it, the other side stirs, or its time is over.
async fn watch(
    mut connection: Connection,
    asked: oneshot::Receiver<oneshot::Sender<Connection>>,
    time: Duration,
    _among_all: OwnedSemaphorePermit,
) {
    let give = tokio::select! {
        biased;
        () = connection.stirs() => return,
        give = asked => give,
        () = sleep(time) => return,
    };
    // What the kernel has and nobody was woken for yet counts too.
    if let Ok(give) = give
        && connection.is_quiet()
    {
        let _ = give.send(connection);
    }
}
