//! Messages in and out, one a line: the seam between bytes and rmcp.
//!
//! rmcp drops what it cannot read in silence, has no bound on answers that nobody collects, and
//! lets two requests with one id answer for each other. This transport answers the first, waits
//! with the second and refuses the third, so that behind it there are only sound messages.

mod read;
mod write;

use crate::message::{self, Ids, MAX_MESSAGE, MAX_VALUES, Read, Rejection};
use read::{Lines, Next};
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, GetMeta as _, JsonRpcMessage, JsonRpcRequest,
    ProtocolVersion, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use write::Output;

/// Bytes of answers that may wait for the client to read them. Beyond, no request is read either.
const MAX_UNREAD: usize = 32 * 1024 * 1024;

/// A client on two byte streams.
pub(crate) struct Connection<R, W> {
    lines: Lines<R>,
    output: Arc<Output<W>>,
    ids: Ids,
    /// The client has chosen an era; before, rmcp takes a notification for the end.
    opened: bool,
    /// An answer of our own waits to be written.
    owed: bool,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl<R, W> Connection<R, W> {
    /// `stop` ends reading and `ended` is cancelled when reading has ended; `quit` ends writing.
    pub(crate) fn new(
        reader: R,
        writer: W,
        stop: CancellationToken,
        ended: CancellationToken,
        quit: CancellationToken,
    ) -> Self {
        Self {
            lines: Lines::new(reader, MAX_MESSAGE),
            output: Arc::new(Output::new(writer, quit)),
            ids: Ids::default(),
            opened: false,
            owed: false,
            stop,
            ended,
        }
    }

    /// The message to hand on; `None` when it has been dealt with.
    fn accept(&mut self, read: Read) -> Result<Option<ClientJsonRpcMessage>, Rejection> {
        match read {
            Read::Request { id, request } => {
                self.ids.open(&id)?;
                self.opened |= opens(&request);
                Ok(Some(JsonRpcMessage::request(*request, id)))
            }
            Read::Cancelled(notification, id) => {
                // One that is unknown or answered is nobody's.
                let known = self.ids.take_back(&id);
                Ok((known && self.opened).then(|| JsonRpcMessage::notification(notification)))
            }
            Read::Notification(notification) => Ok(self
                .opened
                .then(|| JsonRpcMessage::notification(notification))),
            Read::Nothing => Ok(None),
        }
    }
}

/// Whether `request` begins a conversation for rmcp, in either era.
fn opens(request: &ClientRequest) -> bool {
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&ProtocolVersion::V_2026_07_28)
                .is_empty()
                && meta
                    .protocol_version()
                    .is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version))
        }
    }
}

impl<R, W> Connection<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    async fn read(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            if self.owed || self.output.waiting() > MAX_UNREAD {
                // The future of this function may be dropped at any await and asked for again:
                // what is not written yet is still owed then.
                if self.output.flush().await.is_err() {
                    return None;
                }
                self.owed = false;
            }
            let read = match self.lines.next().await {
                Ok(Next::Line(line)) => message::read(&line, MAX_VALUES),
                Ok(Next::TooLong { id }) => Err(Rejection::too_long(id, MAX_MESSAGE)),
                Ok(Next::End) => return None,
                Err(error) => {
                    tracing::debug!(%error, "the client's messages cannot be read");
                    return None;
                }
            };
            match read.and_then(|read| self.accept(read)) {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(rejection) => {
                    if self.output.push(&rejection).is_err() {
                        return None;
                    }
                    self.owed = true;
                }
            }
        }
    }
}

impl<R, W> Transport<RoleServer> for Connection<R, W>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        match &message {
            JsonRpcMessage::Response(response) => self.ids.close(&response.id),
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    self.ids.close(id);
                }
            }
            JsonRpcMessage::Request(JsonRpcRequest { .. }) | JsonRpcMessage::Notification(_) => {}
        }
        // In the order in which they are sent, whichever future runs first.
        let pushed = self.output.push(&message);
        let output = Arc::clone(&self.output);
        async move {
            pushed?;
            output.flush().await
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        let stop = self.stop.clone();
        let broken = self.output.broken();
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            () = broken.cancelled() => None,
            message = self.read() => message,
        };
        if message.is_none() {
            self.ended.cancel();
            // Without input rmcp no longer tells its handlers what became of their notifications,
            // and a subscription just acknowledged would never end. It asks again after each answer.
            if !self.ids.are_closed() {
                return std::future::pending().await;
            }
        }
        message
    }

    async fn close(&mut self) -> io::Result<()> {
        self.ended.cancel();
        self.output.flush().await
    }
}
