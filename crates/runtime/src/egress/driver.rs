//! The task that moves the bytes of a connection while a request uses it.

use super::body::RequestBody;
use super::kept::{Destination, Kept};
use super::network::Network;
use super::stream::{Connection, Counted};
use crate::limits::{Charged, Meter};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wasmtime_wasi_http::Error;

/// How long a connection whose response was read to its end, and that no call has any more, may
/// take to become free for another request, or to be closed in order.
const LINGER: Duration = Duration::from_secs(1);

pub(super) type Sender = SendRequest<RequestBody>;
type Http = http1::Connection<TokioIo<Counted>, RequestBody>;

/// Whether the body of a response was read to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended(Arc<End>);

#[derive(Debug, Default)]
struct End {
    reached: AtomicBool,
    told: Notify,
}

impl Ended {
    pub(super) fn set(&self) {
        self.0.reached.store(true, Ordering::Release);
        self.0.told.notify_one();
    }

    fn is_set(&self) -> bool {
        self.0.reached.load(Ordering::Acquire)
    }

    async fn wait(&self) {
        while !self.is_set() {
            self.0.told.notified().await;
        }
    }
}

/// Where a connection goes that can be used again.
pub(super) struct Way {
    pub(super) kept: Weak<Kept>,
    pub(super) network: Arc<Network>,
    pub(super) to: Destination,
    pub(super) peer: SocketAddr,
}

/// A connection in use. Dropping this closes it, unless the response was read to its end.
pub(super) struct Driver {
    task: JoinHandle<Option<()>>,
    ended: Ended,
    /// Given back once the head of the response is there; with it the connection can be kept.
    sender: Option<oneshot::Sender<Sender>>,
    _held: oneshot::Sender<()>,
}

impl Driver {
    /// Moves bytes until the connection has ended or is kept; `until_then` is held as long.
    pub(super) fn start<T: Send + 'static>(
        connection: Http,
        way: Way,
        meter: Arc<Meter>,
        until_then: T,
    ) -> Self {
        let ended = Ended::default();
        let (sender, given) = oneshot::channel();
        let (held, let_go) = oneshot::channel();
        let over = ended.clone();
        let driving = Box::pin(async move {
            let free = free(drive(connection, given), let_go, &over).await;
            drop(until_then);
            if let Some(connection) = free {
                way.keep(connection);
            }
        });
        Self {
            task: tokio::spawn(Charged {
                meter,
                future: driving,
            }),
            ended,
            sender: Some(sender),
            _held: held,
        }
    }

    /// Lets the connection be kept behind this response.
    pub(super) fn answered(&mut self, sender: Sender) {
        if let Some(give) = self.sender.take() {
            let _ = give.send(sender);
        }
    }

    pub(super) fn ended(&self) -> Ended {
        self.ended.clone()
    }

    /// Waits until nothing moves any more.
    pub(super) async fn finished(mut self) -> Result<(), Error> {
        // What went wrong is told through the body.
        let _ = (&mut self.task).await;
        Ok(())
    }
}

impl Way {
    fn keep(self, connection: Connection) {
        if let Some(kept) = self.kept.upgrade()
            && let Some(among_all) = self.network.place_to_keep()
        {
            kept.put(
                self.to,
                self.peer,
                connection,
                self.network.kept_time(),
                among_all,
            );
        }
    }
}

/// Drives a connection for as long as a call has it, and returns it if its response was read to the
/// end and it can be used again.
async fn free(
    driven: impl Future<Output = Option<Connection>>,
    mut let_go: oneshot::Receiver<()>,
    over: &Ended,
) -> Option<Connection> {
    let mut driven = pin!(driven);
    let free = tokio::select! {
        biased;
        free = &mut driven => free,
        _ = &mut let_go => return match over.is_set() {
            true => timeout(LINGER, driven).await.ok().flatten(),
            false => None,
        },
    };
    let connection = free?;
    // All of it has come; the guest may still be reading.
    tokio::select! {
        biased;
        () = over.wait() => {}
        _ = let_go => {}
    }
    over.is_set().then_some(connection)
}

/// Moves the bytes of one request and its response. What is left in the end is a connection that
/// has nothing of them in it, or none.
async fn drive(mut connection: Http, given: oneshot::Receiver<Sender>) -> Option<Connection> {
    let sender = tokio::select! {
        biased;
        done = run(&mut connection) => return close(connection, done).await,
        sender = given => sender.ok(),
    };
    let free = match sender {
        None => false,
        Some(mut sender) => tokio::select! {
            biased;
            done = run(&mut connection) => return close(connection, done).await,
            // It is free when both directions are done with, and neither side has said close.
            ready = sender.ready() => ready.is_ok(),
        },
    };
    // Nobody can send on it any more, so that it comes to its end.
    let done = run(&mut connection).await;
    if !free || done.is_err() {
        return close(connection, done).await;
    }
    let parts = connection.into_parts();
    // Bytes behind the response are nobody's.
    parts
        .read_buf
        .is_empty()
        .then(|| parts.io.into_inner().connection)
}

async fn run(connection: &mut Http) -> hyper::Result<()> {
    poll_fn(|context| connection.poll_without_shutdown(context)).await
}

async fn close(connection: Http, done: hyper::Result<()>) -> Option<Connection> {
    match done {
        Ok(()) => {
            let _ = connection.into_parts().io.into_inner().shutdown().await;
        }
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
    None
}
