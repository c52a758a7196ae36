//! `wasi:http`: the stock data types, and requests that are all refused in this release.

use crate::enforce::{Guest, Trail};
use casemate_policy::{Grant, Operation};
use std::sync::Arc;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpCtxView, WasiHttpHooks,
};

/// Size of the headers that a guest may build, in bytes of memory.
pub(crate) const FIELD_SIZE_LIMIT: usize = 32 * 1024;

/// What stands between a guest's request and the network.
pub(crate) struct Egress {
    pub(crate) grant: Arc<Grant>,
    pub(crate) trail: Trail,
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Egress {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name| {
            DEFAULT_FORBIDDEN_HEADERS.contains(name)
                || matches!(name.as_str(), "expect" | "te" | "trailer")
        })
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _io: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let uri = request.uri();
        let scheme = uri.scheme_str().unwrap_or("https");
        let port = uri
            .port_u16()
            .unwrap_or(if scheme == "http" { 80 } else { 443 });
        let operation = Operation::HttpRequest {
            scheme,
            host: uri.host().unwrap_or_default(),
            port,
            method: request.method().as_str(),
            path: uri.path(),
        };
        // A permit is no connection yet: this release has no egress, and the policy grants
        // none. Should a permit ever come back here, the answer stays a refusal.
        if let Err(denial) = self.grant.decide(&operation) {
            self.trail.denied(&denial);
        }
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        64 * 1024
    }
}

impl Guest {
    /// The view that the stock `wasi:http` types work on.
    pub(crate) fn http(&mut self) -> WasiHttpCtxView<'_> {
        let (hooks, table, ctx) = self.http_parts();
        WasiHttpCtxView { hooks, table, ctx }
    }
}
