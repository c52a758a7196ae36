//! Answers on their way to the client, in order and whole.

use serde::Serialize;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 256 * 1024;

/// A queue of lines and the stream that they go to.
///
/// Whoever flushes writes everything that is queued, so that many small answers make one write. A
/// flush that is dropped in the middle of a line leaves the rest to the next one.
pub(super) struct Output<W> {
    queue: Mutex<Vec<u8>>,
    writing: tokio::sync::Mutex<Writing<W>>,
    waiting: AtomicUsize,
    quit: CancellationToken,
    broken: CancellationToken,
}

struct Writing<W> {
    writer: W,
    bytes: Vec<u8>,
    written: usize,
}

impl<W> Output<W> {
    /// Writes to `writer` until `quit` is cancelled.
    pub(super) fn new(writer: W, quit: CancellationToken) -> Self {
        Self {
            queue: Mutex::default(),
            writing: tokio::sync::Mutex::new(Writing {
                writer,
                bytes: Vec::new(),
                written: 0,
            }),
            waiting: AtomicUsize::new(0),
            broken: quit.child_token(),
            quit,
        }
    }

    /// Queues `message` as a line.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be put into JSON, and then queues nothing.
    pub(super) fn push(&self, message: &impl Serialize) -> io::Result<()> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let before = queue.len();
        if let Err(error) = serde_json::to_writer(&mut *queue, message) {
            queue.truncate(before);
            return Err(error.into());
        }
        queue.push(b'\n');
        self.waiting
            .fetch_add(queue.len() - before, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes that the client has not taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Cancelled when the client takes no more.
    pub(super) fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }
}

impl<W: AsyncWrite + Unpin> Output<W> {
    /// Writes everything that is queued.
    ///
    /// # Errors
    ///
    /// Fails when the client takes no more, and ever after.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let written = tokio::select! {
            biased;
            () = self.quit.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
            written = self.write() => written,
        };
        if written.is_err() {
            self.broken.cancel();
        }
        written
    }

    async fn write(&self) -> io::Result<()> {
        let mut writing = self.writing.lock().await;
        let Writing {
            writer,
            bytes,
            written,
        } = &mut *writing;
        loop {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                bytes.clear();
                bytes.shrink_to(KEPT);
                *written = 0;
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.is_empty() {
                    break;
                }
                mem::swap(bytes, &mut *queue);
                continue;
            }
            let count = writer.write(rest).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            *written += count;
            self.waiting.fetch_sub(count, Ordering::Relaxed);
        }
        writer.flush().await
    }
}
