//! What went wrong, in WASI's terms.

use super::network::ResolveError;
use super::tls;
use std::error::Error as _;
use std::io;
use std::sync::OnceLock;
use wasmtime_wasi_http::Error;

/// Something of ours that ended a connection, and that hyper would only word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The request bodies of the call came to more than this many bytes.
    #[error("the request bodies are too large")]
    RequestBody(u64),
    /// The guest dropped the body that it had begun.
    #[error("the tool did not finish the body of its request")]
    Unfinished,
    /// The other side took nothing for too long.
    #[error("the server takes nothing")]
    WriteTimeout,
}

/// The first fault of a connection.
#[derive(Debug, Default)]
pub(super) struct Faults(OnceLock<Fault>);

impl Faults {
    pub(super) fn set(&self, fault: Fault) {
        // The first one is the cause.
        let _ = self.0.set(fault);
    }

    /// The WASI code for an error that hyper reports.
    pub(super) fn explain(&self, error: &hyper::Error) -> Error {
        match self.0.get() {
            Some(Fault::RequestBody(limit)) => Error::HttpRequestBodySize(Some(*limit)),
            Some(Fault::Unfinished) => Error::HttpProtocolError,
            Some(Fault::WriteTimeout) => Error::ConnectionWriteTimeout,
            None => of_hyper(error),
        }
    }
}

fn of_hyper(error: &hyper::Error) -> Error {
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_parse() {
        return Error::HttpProtocolError;
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    let mut cause = error.source();
    while let Some(error) = cause
        && !error.is::<io::Error>()
    {
        cause = error.source();
    }
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause {
        Some(cause) => of_stream(cause),
        None if error.is_canceled() || error.is_closed() => Error::ConnectionTerminated,
        None => Error::HttpProtocolError,
    }
}

fn of_stream(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::HttpResponseIncomplete,
        // hyper's own words for a body that breaks the rules, or rustls's for a record that does.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            if error
                .get_ref()
                .is_none_or(|cause| !cause.is::<rustls::Error>()) =>
        {
            Error::HttpProtocolError
        }
        _ => tls::failure(error),
    }
}

/// A connection that was not made.
pub(super) fn of_connect(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            Error::DestinationIpUnroutable
        }
        _ => Error::DestinationUnavailable,
    }
}

/// A name that was not resolved. What a server answered may be told, what failed here may not.
pub(super) fn of_lookup(error: ResolveError) -> Error {
    match error {
        ResolveError::Timeout => Error::DnsTimeout,
        ResolveError::Answer(rcode) => Error::DnsError {
            rcode: Some(rcode),
            info_code: None,
        },
        ResolveError::Failed(_) => Error::DnsError {
            rcode: None,
            info_code: None,
        },
    }
}
