//! A connection that counts what passes, and gives up when the other side takes nothing.

use super::budget::Traffic;
use super::failure::{Fault, Faults};
use rustix::net::RecvFlags;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::client::TlsStream;

/// Plain or encrypted.
pub(super) enum Connection {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Ready once something arrives or the other side closes, while nothing is expected.
    pub(super) async fn stirs(&mut self) {
        let mut byte = [0];
        poll_fn(|context| {
            let mut buffer = ReadBuf::new(&mut byte);
            // Records of TLS that carry nothing, such as tickets, are no answer to anything.
            self.as_stream().poll_read(context, &mut buffer).map(|_| ())
        })
        .await;
    }

    /// Whether nothing has arrived that was not read, not even an end.
    pub(super) fn is_quiet(&self) -> bool {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream.get_ref().0,
        };
        let mut byte = [0];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(
            rustix::net::recv(stream, &mut byte, flags),
            Err(rustix::io::Errno::AGAIN)
        )
    }

    fn as_stream(&mut self) -> Pin<&mut dyn Stream> {
        match self {
            Self::Plain(stream) => Pin::<&mut TcpStream>::new(stream),
            Self::Encrypted(stream) => Pin::<&mut TlsStream<TcpStream>>::new(stream),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite {}
impl Stream for TcpStream {}
impl Stream for TlsStream<TcpStream> {}

/// A deadline that runs only while something is waited for.
#[derive(Default)]
pub(super) struct Waiting(Option<Pin<Box<Sleep>>>);

impl Waiting {
    /// Something came, or was taken.
    pub(super) fn over(&mut self) {
        self.0 = None;
    }

    /// Nothing yet: ready once that has lasted for `limit` without a break.
    pub(super) fn poll(&mut self, limit: Duration, context: &mut Context<'_>) -> Poll<()> {
        self.0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)))
            .as_mut()
            .poll(context)
    }
}

/// A connection as hyper uses it.
pub(super) struct Counted {
    pub(super) connection: Connection,
    pub(super) own: Arc<Traffic>,
    pub(super) of_call: Arc<Traffic>,
    pub(super) faults: Arc<Faults>,
    pub(super) idle: Duration,
    pub(super) writing: Waiting,
}

impl Counted {
    fn written<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.over();
            return written;
        }
        if self.writing.poll(self.idle, context).is_pending() {
            return Poll::Pending;
        }
        self.faults.set(Fault::WriteTimeout);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.connection.as_stream().poll_read(context, buffer);
        let read_now = buffer.filled().len().saturating_sub(before);
        self.own.add_received(read_now);
        self.of_call.add_received(read_now);
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.connection.as_stream().poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = written {
            self.own.add_sent(written);
            self.of_call.add_sent(written);
        }
        self.written(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.connection.as_stream().poll_flush(context);
        self.written(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.connection.as_stream().poll_shutdown(context);
        self.written(shut, context)
    }
}
