//! `wasi:io`: streams, errors and waiting, with the call's clock told of every real wait.
//!
//! Nothing here reaches outside the sandbox by itself: a stream or pollable exists only
//! because another interface was permitted to make it.

use crate::enforce::{Guest, LimitReached};
use casemate_policy::Reason;
use wasmtime::component::Resource;
use wasmtime_wasi_io::bindings::wasi::io::{error, poll, streams};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError, StreamResult};

/// Entries that one `poll` may name; each is lent out while it waits, and so counts as a handle.
const MAX_POLL: usize = 2_048;

impl poll::Host for Guest {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > MAX_POLL {
            return Err(LimitReached::count(
                Reason::LimitHandles,
                "pollables in one poll",
                pollables.len(),
                MAX_POLL,
            )
            .into());
        }
        let clock = self.clock().clone();
        clock.waiting(self.table_mut().poll(pollables)).await
    }
}

impl poll::HostPollable for Guest {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        let clock = self.clock().clone();
        clock.waiting(self.table_mut().block(pollable)).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(self.table_mut(), pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(self.table_mut(), pollable)
    }
}

impl error::Host for Guest {}

impl error::HostError for Guest {
    fn to_debug_string(
        &mut self,
        error: Resource<wasmtime_wasi_io::streams::Error>,
    ) -> wasmtime::Result<String> {
        // Host text (paths, operating system messages) stays with the host.
        self.table_mut().get(&error)?;
        Ok("the operation failed".to_owned())
    }

    fn drop(&mut self, error: Resource<wasmtime_wasi_io::streams::Error>) -> wasmtime::Result<()> {
        error::HostError::drop(self.table_mut(), error)
    }
}

impl streams::Host for Guest {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        let error = match error {
            StreamError::LastOperationFailed(cause) => {
                // A body that ends because the call has no processor time left is the end of the call.
                self.meter.check()?;
                StreamError::LastOperationFailed(super::http::as_error_code(cause))
            }
            other => other,
        };
        self.table_mut().convert_stream_error(error)
    }
}

impl streams::HostInputStream for Guest {
    fn read(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<Vec<u8>> {
        streams::HostInputStream::read(self.table_mut(), stream, len)
    }

    async fn blocking_read(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<Vec<u8>> {
        let clock = self.clock().clone();
        clock
            .waiting(self.table_mut().blocking_read(stream, len))
            .await
    }

    fn skip(&mut self, stream: Resource<DynInputStream>, len: u64) -> StreamResult<u64> {
        self.table_mut().skip(stream, len)
    }

    async fn blocking_skip(
        &mut self,
        stream: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let clock = self.clock().clone();
        clock
            .waiting(self.table_mut().blocking_skip(stream, len))
            .await
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostInputStream::subscribe(self.table_mut(), stream)
    }

    async fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        streams::HostInputStream::drop(self.table_mut(), stream).await
    }
}

impl streams::HostOutputStream for Guest {
    fn check_write(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<u64> {
        self.table_mut().check_write(stream)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.table_mut().write(stream, bytes)
    }

    async fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        let clock = self.clock().clone();
        clock
            .waiting(self.table_mut().blocking_write_and_flush(stream, bytes))
            .await
    }

    fn flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        self.table_mut().flush(stream)
    }

    async fn blocking_flush(&mut self, stream: Resource<DynOutputStream>) -> StreamResult<()> {
        let clock = self.clock().clone();
        clock.waiting(self.table_mut().blocking_flush(stream)).await
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostOutputStream::subscribe(self.table_mut(), stream)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, len: u64) -> StreamResult<()> {
        self.table_mut().write_zeroes(stream, len)
    }

    async fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        len: u64,
    ) -> StreamResult<()> {
        let clock = self.clock().clone();
        clock
            .waiting(
                self.table_mut()
                    .blocking_write_zeroes_and_flush(stream, len),
            )
            .await
    }

    fn splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        source: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        self.table_mut().splice(stream, source, len)
    }

    async fn blocking_splice(
        &mut self,
        stream: Resource<DynOutputStream>,
        source: Resource<DynInputStream>,
        len: u64,
    ) -> StreamResult<u64> {
        let clock = self.clock().clone();
        clock
            .waiting(self.table_mut().blocking_splice(stream, source, len))
            .await
    }

    async fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        streams::HostOutputStream::drop(self.table_mut(), stream).await
    }
}
