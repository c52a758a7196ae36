//! How a server presents itself, and one client on two byte streams from first message to last.

use crate::connection::Connection;
use crate::handler::{Ending, Handler};
use casemate_runtime::{Catalog, ToolSpec};
use rmcp::service::{QuitReason, ServerInitializeError};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long calls in progress may go on when the client has closed its end: a script that pipes
/// its requests in and waits gets the answers of quick calls.
const GRACE: Duration = Duration::from_millis(1_000);
/// How long stopping the calls and writing the answers may take after that.
pub(crate) const FLUSH: Duration = Duration::from_millis(700);

/// What the model is told of the server. The first 512 characters stand on their own.
const INSTRUCTIONS: &str = "Each tool runs in a sandbox and reaches only what the person has granted it. \
A result that says \"Casemate refused: …\" means that the tool was not allowed to reach that; \
a file or host it then calls missing may well exist. Calling again does not help: tell the person \
what was refused and the id of the call, and let them decide.";

/// Which tools of the catalogs are served. A tool that it refuses is neither listed nor callable: it
/// is answered as one that does not exist. It is asked for each tool of each new catalog and at each
/// call, so it should be quick, and must give one answer for one tool.
pub type ToolFilter = Arc<dyn Fn(&ToolSpec) -> bool + Send + Sync>;

/// How a server presents itself.
#[derive(Clone)]
pub struct ServeOptions {
    /// Version in `serverInfo`.
    pub version: String,
    /// What the model is told of the server as a whole; `None` for nothing.
    pub instructions: Option<String>,
    /// Which tools are served; `None` for all.
    pub tools: Option<ToolFilter>,
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServeOptions")
            .field("version", &self.version)
            .field("instructions", &self.instructions)
            .field("tools", &self.tools.as_ref().map(|_| "filtered"))
            .finish()
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: Some(INSTRUCTIONS.to_owned()),
            tools: None,
        }
    }
}

/// Why serving ended other than by the client's or the operator's wish.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The conversation could not begin.
    #[error("the client could not be served")]
    Handshake(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The loop that serves the client ended by a panic.
    #[error("a defect in Casemate ended the connection")]
    Defect(#[source] tokio::task::JoinError),
    /// Other machines could reach the listener.
    #[error(
        "{0} can be reached from other machines: MCP over HTTP has no authentication, so it is served \
         on a loopback address only, such as 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The listener cannot be used.
    #[error("the listening socket cannot be used")]
    Listener(#[source] io::Error),
}

/// Serves one client on this process's standard input and output, until the input ends or `stop`
/// is cancelled.
///
/// At the end no further message is read, calls in progress are stopped (when the input ended:
/// after a grace of a second), what is answered is written, and the function returns within two
/// seconds, however busy a guest is. Standard output carries messages and nothing else.
///
/// Where standard input is neither a pipe nor a socket a thread may go on waiting for it: shut the tokio runtime down
/// without waiting for blocking tasks.
///
/// # Errors
///
/// Fails when the client could not be greeted or on a defect.
pub async fn serve_stdio(
    catalogs: watch::Receiver<Arc<Catalog>>,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (input, output) = crate::stdio::streams();
    serve_on(input, output, catalogs, options, stop).await
}

/// Serves one client on any pair of byte streams, one message a line; see [`serve_stdio`].
///
/// # Errors
///
/// As [`serve_stdio`].
pub async fn serve_on<R, W>(
    reader: R,
    writer: W,
    catalogs: watch::Receiver<Arc<Catalog>>,
    options: ServeOptions,
    stop: CancellationToken,
) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let ending = Ending::default();
    // Also when this future is dropped: nothing goes on behind the caller's back.
    let quit = CancellationToken::new();
    let _on_drop = (
        ending.input.clone().drop_guard(),
        ending.calls.clone().drop_guard(),
        quit.clone().drop_guard(),
    );
    let handler = Handler::new(catalogs, options, ending.clone());
    let connection = Connection::new(
        reader,
        writer,
        stop.clone(),
        ending.input.clone(),
        quit.clone(),
    );
    let mut session = pin!(session(handler, connection));

    tokio::select! {
        ended = &mut session => return ended,
        () = ending.input.cancelled() => {}
        () = stop.cancelled() => {}
    }
    tokio::select! {
        ended = &mut session => return ended,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    ending.calls.cancel();
    match tokio::time::timeout(FLUSH, &mut session).await {
        Ok(ended) => ended,
        Err(_elapsed) => {
            tracing::warn!("the client does not read its answers, they are dropped");
            Ok(())
        }
    }
}

async fn session<R, W>(service: Handler, connection: Connection<R, W>) -> Result<(), ServeError>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    // rmcp's own token would cut the answers off; the connection ends its input instead.
    let running = match rmcp::serve_server(service, connection).await {
        Ok(running) => running,
        // It came and went without a word.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        // Its end of the answers is closed.
        Err(ServerInitializeError::TransportError { error, .. }) => {
            tracing::debug!(%error, "the client left during the handshake");
            return Ok(());
        }
        Err(error) => return Err(ServeError::Handshake(error.into())),
    };
    match running.waiting().await {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(ServeError::Defect(error)),
        Ok(_) => Ok(()),
    }
}
