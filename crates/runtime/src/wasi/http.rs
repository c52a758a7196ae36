//! `wasi:http`: the stock data types over our own way out.

use crate::egress::{Gate, Sent};
use crate::enforce::Guest;
use http::HeaderName;
use std::sync::Arc;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpCtxView, WasiHttpHooks,
};

/// Size of the headers that a guest may build, in bytes of memory.
pub(crate) const FIELD_SIZE_LIMIT: usize = 32 * 1024;
/// Bytes that a guest may hand over in one write of a body.
pub(super) const CHUNK: usize = 64 * 1024;
/// Writes of a body that wait for the network, beside the one that is on its way.
pub(super) const CHUNKS: usize = 1;

/// Fields that are about the connection, or that ask the next server for something that Casemate
/// does not do. A guest can neither set nor see them.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || matches!(name.as_str(), "expect" | "te" | "trailer")
}

impl WasiHttpHooks for Gate {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _io: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        match self.send(request, options) {
            Ok(running) => Box::new(running.response()),
            Err(error) => Box::new(async { Err(error) }),
        }
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

/// An error of a stream, in the form in which `http-error-code` finds it.
///
/// A body ends with the error that egress gave it, while `http-error-code` of wasmtime-wasi-http
/// 48.0.8 only looks for a code of WASI, so that a guest would never learn which it was.
pub(crate) fn as_error_code(error: wasmtime::Error) -> wasmtime::Error {
    let code = match error.downcast_ref::<Error>() {
        Some(Error::HttpResponseBodySize(size)) => ErrorCode::HttpResponseBodySize(*size),
        Some(Error::HttpRequestBodySize(size)) => ErrorCode::HttpRequestBodySize(*size),
        Some(Error::ConnectionReadTimeout) => ErrorCode::ConnectionReadTimeout,
        Some(Error::ConnectionWriteTimeout) => ErrorCode::ConnectionWriteTimeout,
        Some(Error::ConnectionTerminated) => ErrorCode::ConnectionTerminated,
        Some(Error::HttpResponseIncomplete) => ErrorCode::HttpResponseIncomplete,
        Some(Error::HttpResponseHeaderSectionSize(size)) => {
            ErrorCode::HttpResponseTrailerSectionSize(*size)
        }
        Some(Error::TlsProtocolError) => ErrorCode::TlsProtocolError,
        Some(Error::TlsCertificateError) => ErrorCode::TlsCertificateError,
        Some(_) => ErrorCode::HttpProtocolError,
        None => return error,
    };
    code.into()
}

impl Guest {
    /// The view that the stock `wasi:http` types work on.
    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (hooks, table, ctx) = self.http_parts();
        WasiHttpCtxView { hooks, table, ctx }
    }
}
