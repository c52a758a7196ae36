//! The two streams of a connection.
//!
//! What arrives stays with the operating system, in a buffer of bounded size, until the guest asks
//! for it; one piece of it at the most is held here. Of what the guest sends, what the operating
//! system does not take at once is held here, and no more is accepted until that is gone.

use super::connection::Connection;
use super::task::Task;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// Bytes that one read or write moves at the most.
const CHUNK: usize = 64 << 10;

fn failed(error: io::Error) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

/// What the other side sends.
pub(crate) struct Reader {
    connection: Arc<Connection>,
    state: Reading,
}

enum Reading {
    Open,
    Held(Bytes),
    Failed(io::Error),
    Ended,
}

impl Reader {
    pub(super) fn of(connection: &Arc<Connection>) -> Self {
        Self {
            connection: Arc::clone(connection),
            state: Reading::Open,
        }
    }

    /// Takes what is there, up to `most` bytes, which are not none.
    fn receive(&mut self, most: usize) {
        let mut buffer = vec![0; most.min(CHUNK)];
        self.state = match self.connection.stream.try_read(&mut buffer) {
            Ok(0) => Reading::Ended,
            Ok(count) => match self.connection.may_receive(count) {
                Ok(()) => {
                    buffer.truncate(count);
                    Reading::Held(buffer.into())
                }
                Err(over) => Reading::Failed(over),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Reading::Open,
            Err(error) => Reading::Failed(error),
        };
    }

    fn is_over(&self) -> bool {
        self.connection.ends().received
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Reader {
    async fn ready(&mut self) {
        while matches!(self.state, Reading::Open) && !self.is_over() {
            match self.connection.stream.readable().await {
                // Something is there, or it only seemed so.
                Ok(()) => self.receive(CHUNK),
                Err(error) => self.state = Reading::Failed(error),
            }
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl InputStream for Reader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if self.is_over() {
            self.state = Reading::Ended;
        }
        if matches!(self.state, Reading::Open) && size != 0 {
            self.receive(size);
        }
        match std::mem::replace(&mut self.state, Reading::Ended) {
            Reading::Held(mut bytes) => {
                let piece = bytes.split_to(size.min(bytes.len()));
                self.state = if bytes.is_empty() {
                    Reading::Open
                } else {
                    Reading::Held(bytes)
                };
                Ok(piece)
            }
            Reading::Open => {
                self.state = Reading::Open;
                Ok(Bytes::new())
            }
            Reading::Failed(error) => Err(failed(error)),
            Reading::Ended => Err(StreamError::Closed),
        }
    }
}

/// What the guest sends.
pub(crate) struct Writer {
    connection: Arc<Connection>,
    state: Writing,
}

enum Writing {
    Open,
    Sending(Task<io::Result<()>>),
    Failed(io::Error),
    Ended,
}

impl Writing {
    fn after(sent: Option<io::Result<()>>) -> Self {
        match sent {
            Some(Ok(())) => Self::Open,
            Some(Err(error)) => Self::Failed(error),
            None => Self::Failed(io::ErrorKind::Other.into()),
        }
    }
}

/// Sends what is left of a write, as there is room for it.
async fn send(connection: Arc<Connection>, rest: Bytes) -> io::Result<()> {
    let mut rest = rest;
    while !rest.is_empty() {
        connection.stream.writable().await?;
        let sent = connection.send_now(&rest)?;
        rest = rest.split_off(sent);
    }
    connection.all_sent()
}

impl Writer {
    pub(super) fn of(connection: &Arc<Connection>) -> Self {
        Self {
            connection: Arc::clone(connection),
            state: Writing::Open,
        }
    }

    /// How much may be written now.
    fn check(&mut self) -> StreamResult<usize> {
        if let Writing::Sending(task) = &mut self.state
            && let Poll::Ready(sent) = task.finished()
        {
            self.state = Writing::after(sent);
        }
        match std::mem::replace(&mut self.state, Writing::Ended) {
            sending @ Writing::Sending(_) => {
                self.state = sending;
                Ok(0)
            }
            Writing::Failed(error) => Err(failed(error)),
            Writing::Open if !self.connection.ends().sent => {
                self.state = Writing::Open;
                Ok(CHUNK)
            }
            Writing::Open | Writing::Ended => Err(StreamError::Closed),
        }
    }

    fn begin(&mut self, bytes: Bytes) -> io::Result<()> {
        self.connection.may_send(bytes.len())?;
        let mut rest = bytes;
        let sent = self.connection.send_now(&rest)?;
        rest = rest.split_off(sent);
        if !rest.is_empty() {
            self.connection.ends().sending = true;
            let connection = Arc::clone(&self.connection);
            let task = self.connection.threads.run(send(connection, rest));
            self.state = Writing::Sending(task);
        }
        Ok(())
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {
        if let Writing::Sending(task) = &mut self.state {
            self.state = Writing::after(task.await);
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl OutputStream for Writer {
    fn check_write(&mut self) -> StreamResult<usize> {
        self.check()
    }

    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check()? {
            return Err(StreamError::trap("more written than the stream allowed"));
        }
        self.begin(bytes).map_err(|error| {
            self.state = Writing::Ended;
            failed(error)
        })
    }

    fn flush(&mut self) -> StreamResult<()> {
        // Nothing waits here for more; `check_write` tells when the last of it was taken.
        match self.state {
            Writing::Ended => Err(StreamError::Closed),
            Writing::Open | Writing::Sending(_) | Writing::Failed(_) => Ok(()),
        }
    }

    /// A guest that drops its stream has sent what it wrote.
    async fn cancel(&mut self) {
        self.ready().await;
    }
}
