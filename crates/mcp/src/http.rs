//! MCP over streamable HTTP at `/mcp`: who may connect, how many, and until when.
//!
//! A request goes through `access`, which refuses what a web page could have sent, `body`, which
//! collects it within bounds, and `message`, as on standard input; only then rmcp sees it.
//! `sessions` keeps the conversations of older clients, `reply` is what goes back.

mod access;
mod body;
mod endpoint;
mod reply;
mod sessions;
mod socket;

use crate::handler::{Ending, Handler};
use crate::serve::{FLUSH, ServeError, ServeOptions};
use casemate_runtime::Catalog;
use endpoint::Endpoint;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket::{STALLED, Socket};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections at once.
const MAX_CONNECTIONS: usize = 256;
/// What a connection beyond is told before it is closed.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// Headers of a request, and their bytes with the request line.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// How long the headers of a request may take, and how long a connection may wait for its next one.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes that hyper reads or holds back at once for a connection.
const BUFFER: usize = 64 * 1024;
/// How long to wait when the system has no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(50);

/// Serves every client that connects to `listener`, until `stop` is cancelled.
///
/// There is no authentication: whoever can connect can call what is served. So the listener must be
/// on a loopback address, and requests that a web page could have caused are refused by their
/// `Host` and `Origin`.
///
/// At the end nobody is accepted any more, calls in progress are stopped, what is answered is
/// written, and the function returns within two seconds, however busy a guest is.
///
/// # Errors
///
/// Fails at once when the listener is not on a loopback address or cannot be used.
pub async fn serve_http(
    listener: std::net::TcpListener,
    catalogs: watch::Receiver<Arc<Catalog>>,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    if !address.ip().is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    listener
        .set_nonblocking(true)
        .map_err(ServeError::Listener)?;
    let listener = TcpListener::from_std(listener).map_err(ServeError::Listener)?;

    let ending = Ending::default();
    let over = CancellationToken::new();
    // Also when this future is dropped: nothing goes on behind the caller's back.
    let _on_drop = (
        ending.input.clone().drop_guard(),
        ending.calls.clone().drop_guard(),
        over.clone().drop_guard(),
    );
    let handler = Handler::new(catalogs, options, ending.clone());
    let endpoint = Endpoint::new(handler, address, ending.input.clone(), over.clone());
    let endpoint = Arc::new(endpoint);
    let mut connections = JoinSet::new();
    tokio::select! {
        () = stop.cancelled() => {}
        never = accept(&listener, &endpoint, &mut connections) => match never {},
    }
    drop(listener);
    ending.input.cancel();
    ending.calls.cancel();
    let answered = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(FLUSH, answered).await.is_err() {
        tracing::warn!("clients do not read their answers, they are dropped");
    }
    over.cancel();
    connections.shutdown().await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    endpoint: &Arc<Endpoint>,
    connections: &mut JoinSet<()>,
) -> Infallible {
    let mut full = false;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(NO_ROOM).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        if connections.len() < MAX_CONNECTIONS {
            full = false;
            connections.spawn(serve(stream, Arc::clone(endpoint)));
            continue;
        }
        // Once, or a client could fill the log with them.
        if !full {
            tracing::warn!("{MAX_CONNECTIONS} connections are open, others are closed");
        }
        full = true;
        // It may as well not be heard.
        let _ = stream.try_write(FULL);
    }
}

/// Serves one connection to its end.
async fn serve(stream: TcpStream, endpoint: Arc<Endpoint>) {
    // Or each event of a stream waits for the acknowledgement of the one before: 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection cannot be made quick");
    }
    let stopped = endpoint.stopped();
    let service = service_fn(move |request| {
        let endpoint = Arc::clone(&endpoint);
        async move { Ok::<_, Infallible>(endpoint.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Socket::new(stream, STALLED)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
