//! Byte streams over open regular files, on the bounded I/O pool.

use super::{Held, OpenFile, Quota, Storage, StorageError};
use crate::enforce::LimitReached;
use bytes::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{InputStream, OutputStream, StreamError, StreamResult};

/// Bytes that one read or write moves at the most.
pub(crate) const CHUNK: usize = 64 * 1024;

fn failed(error: impl Into<wasmtime::Error>) -> StreamError {
    StreamError::LastOperationFailed(error.into())
}

/// Keeps an operation from being done for a guest that asks without waiting: how often it asked
/// until then would be a clock.
async fn only_by_waiting() {
    tokio::task::yield_now().await;
}

enum Reading {
    Idle,
    Pending(JoinHandle<std::io::Result<Vec<u8>>>),
    Ready(Bytes),
    Failed(std::io::Error),
    Ended,
}

/// Reads a file from an offset to its end.
pub(crate) struct FileReader {
    file: Arc<Held>,
    offset: u64,
    pool: Handle,
    state: Reading,
}

impl FileReader {
    pub(crate) fn new(file: &OpenFile, offset: u64, pool: Handle) -> Self {
        Self {
            file: Arc::clone(&file.file),
            offset,
            pool,
            state: Reading::Idle,
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileReader {
    async fn ready(&mut self) {
        if matches!(self.state, Reading::Idle) {
            let file = Arc::clone(&self.file);
            let offset = self.offset;
            self.state = Reading::Pending(self.pool.spawn_blocking(move || {
                let mut buffer = vec![0; CHUNK];
                let count = file.read_at(&mut buffer, offset)?;
                buffer.truncate(count);
                Ok(buffer)
            }));
        }
        if let Reading::Pending(task) = &mut self.state {
            only_by_waiting().await;
            self.state = match task.await {
                Ok(Ok(bytes)) if bytes.is_empty() => Reading::Ended,
                Ok(Ok(bytes)) => {
                    self.offset = self.offset.saturating_add(bytes.len() as u64);
                    Reading::Ready(bytes.into())
                }
                Ok(Err(error)) => Reading::Failed(error),
                Err(error) => Reading::Failed(std::io::Error::other(error)),
            };
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl InputStream for FileReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match std::mem::replace(&mut self.state, Reading::Ended) {
            Reading::Ready(mut bytes) => {
                let chunk = bytes.split_to(size.min(bytes.len()));
                self.state = if bytes.is_empty() {
                    Reading::Idle
                } else {
                    Reading::Ready(bytes)
                };
                Ok(chunk)
            }
            Reading::Failed(error) => Err(failed(error)),
            Reading::Ended => Err(StreamError::Closed),
            waiting @ (Reading::Idle | Reading::Pending(_)) => {
                self.state = waiting;
                Ok(Bytes::new())
            }
        }
    }
}

/// Where a stream writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WriteAt {
    Offset(u64),
    End,
}

enum Writing {
    Idle,
    Pending(JoinHandle<Result<usize, WriteError>>),
    Failed(WriteError),
    Ended,
}

/// Why bytes were not written.
#[derive(Debug)]
pub(crate) enum WriteError {
    Io(std::io::Error),
    Limit(LimitReached),
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LimitReached> for WriteError {
    fn from(limit: LimitReached) -> Self {
        Self::Limit(limit)
    }
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => failed(error),
            WriteError::Limit(limit) => Self::Trap(limit.into()),
        }
    }
}

impl From<WriteError> for StorageError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => error.into(),
            WriteError::Limit(limit) => Self::Trap(limit.into()),
        }
    }
}

/// Writes to a file, one chunk at a time.
pub(crate) struct FileWriter {
    file: Arc<Held>,
    at: WriteAt,
    pool: Handle,
    quota: Arc<Quota>,
    state: Writing,
}

impl FileWriter {
    pub(crate) fn new(file: &OpenFile, at: WriteAt, storage: &Storage) -> Self {
        Self {
            file: Arc::clone(&file.file),
            at,
            pool: storage.pool.clone(),
            quota: Arc::clone(&storage.quota),
            state: Writing::Idle,
        }
    }
}

/// Writes all of `bytes`, which are charged to `quota` already; a gap that it leaves in the file is charged here.
pub(crate) fn write(
    file: &File,
    at: WriteAt,
    bytes: &[u8],
    quota: &Quota,
) -> Result<usize, WriteError> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let mut rest = bytes;
    let written = charged_gap(file, at, quota).and_then(|()| write_all(file, at, &mut rest));
    if let Err(error) = written {
        quota.not_written(rest.len() as u64);
        return Err(error);
    }
    Ok(bytes.len())
}

/// Charges what lies between the end of a file and the offset that is written to: as soon as something is
/// written there, the file is as large.
fn charged_gap(file: &File, at: WriteAt, quota: &Quota) -> Result<(), WriteError> {
    let WriteAt::Offset(offset) = at else {
        return Ok(());
    };
    let size = file.metadata()?.len();
    Ok(quota.write(offset.saturating_sub(size))?)
}

fn write_all(file: &File, mut at: WriteAt, rest: &mut &[u8]) -> Result<(), WriteError> {
    while !rest.is_empty() {
        let count = match at {
            WriteAt::Offset(offset) => file.write_at(rest, offset)?,
            WriteAt::End => rustix::io::pwritev2(
                file,
                &[std::io::IoSlice::new(rest)],
                0,
                rustix::io::ReadWriteFlags::APPEND,
            )
            .map_err(std::io::Error::from)?,
        };
        if count == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
        }
        *rest = rest.get(count..).unwrap_or_default();
        if let WriteAt::Offset(offset) = &mut at {
            *offset = offset.saturating_add(count as u64);
        }
    }
    Ok(())
}

#[wasmtime_wasi_io::async_trait]
impl Pollable for FileWriter {
    async fn ready(&mut self) {
        if let Writing::Pending(task) = &mut self.state {
            only_by_waiting().await;
            self.state = match task.await {
                Ok(Ok(count)) => {
                    if let WriteAt::Offset(offset) = &mut self.at {
                        *offset = offset.saturating_add(count as u64);
                    }
                    Writing::Idle
                }
                Ok(Err(error)) => Writing::Failed(error),
                Err(error) => Writing::Failed(std::io::Error::other(error).into()),
            };
        }
    }
}

impl FileWriter {
    fn check(&mut self) -> StreamResult<usize> {
        match std::mem::replace(&mut self.state, Writing::Ended) {
            Writing::Idle => {
                self.state = Writing::Idle;
                Ok(CHUNK)
            }
            pending @ Writing::Pending(_) => {
                self.state = pending;
                Ok(0)
            }
            Writing::Failed(error) => Err(error.into()),
            Writing::Ended => Err(StreamError::Closed),
        }
    }
}

#[wasmtime_wasi_io::async_trait]
impl OutputStream for FileWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let permitted = self.check()?;
        if bytes.len() > permitted {
            return Err(StreamError::trap("more written than the stream allowed"));
        }
        self.quota
            .write(bytes.len() as u64)
            .map_err(WriteError::from)?;
        let (file, quota, at) = (Arc::clone(&self.file), Arc::clone(&self.quota), self.at);
        let task = self
            .pool
            .spawn_blocking(move || write(&file, at, &bytes, &quota));
        self.state = Writing::Pending(task);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        // Every write goes to the file at once; `check_write` waits for it.
        match &self.state {
            Writing::Ended => Err(StreamError::Closed),
            _ => Ok(()),
        }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.check()
    }

    async fn cancel(&mut self) {
        self.ready().await;
    }
}
