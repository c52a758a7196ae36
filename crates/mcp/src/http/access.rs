//! Which requests may come in at all: those that no web page of another origin can have caused.
//!
//! A page that a browser of this machine shows can send requests to loopback addresses, and after
//! DNS rebinding under a name of its own. Such a request names that page in `Origin` or that name in
//! `Host`. Both are judged as text, for the resolver is not to be trusted with the question.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The path of the endpoint.
pub(super) const PATH: &str = "/mcp";

/// The names of a server.
pub(super) struct Access {
    address: SocketAddr,
}

impl Access {
    /// For a server that listens on `address`.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Whether `request` is for this server, and from no page of another origin.
    ///
    /// # Errors
    ///
    /// The status to refuse it with: 400 without one clear `Host`, 403 for a foreign `Host` or
    /// `Origin`, 404 for another path.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), StatusCode> {
        let host = only(request.headers(), HOST)?.ok_or(StatusCode::BAD_REQUEST)?;
        if !self.is_ours(host) {
            return Err(StatusCode::FORBIDDEN);
        }
        // RFC 9112, section 3.2.2: an absolute target goes before Host, so both are judged.
        let uri = request.uri();
        if uri.scheme_str().is_some_and(|scheme| scheme != "http")
            || uri.authority().is_some_and(|it| !self.is_ours(it.as_str()))
        {
            return Err(StatusCode::FORBIDDEN);
        }
        match only(request.headers(), ORIGIN) {
            Ok(None) => {}
            Ok(Some(origin)) if self.is_our_origin(origin) => {}
            Ok(Some(_)) | Err(_) => return Err(StatusCode::FORBIDDEN),
        }
        if uri.path() != PATH {
            return Err(StatusCode::NOT_FOUND);
        }
        Ok(())
    }

    /// Whether `authority` is a loopback name, without a port or with the one listened on.
    fn is_ours(&self, authority: &str) -> bool {
        split(authority).is_some_and(|(host, port)| {
            self.is_loopback(host) && port.is_none_or(|port| port == self.address.port())
        })
    }

    /// Whether `origin` is what a browser sends for pages of this server itself (RFC 6454).
    fn is_our_origin(&self, origin: &str) -> bool {
        let authority = origin.strip_prefix("http://");
        authority.and_then(split).is_some_and(|(host, port)| {
            self.is_loopback(host) && port.unwrap_or(80) == self.address.port()
        })
    }

    fn is_loopback(&self, host: Host<'_>) -> bool {
        match host {
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            Host::Address(address) => {
                address == Ipv4Addr::LOCALHOST
                    || address == Ipv6Addr::LOCALHOST
                    || address == self.address.ip()
            }
        }
    }
}

enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

/// The host and the port of an authority; `None` for what is none.
fn split(authority: &str) -> Option<(Host<'_>, Option<u16>)> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (address, rest) = bracketed.split_once(']')?;
            (Host::Address(IpAddr::V6(address.parse().ok()?)), rest)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (name, rest) = authority.split_at(end);
            let address = name
                .parse()
                .map(|address| Host::Address(IpAddr::V4(address)));
            (address.unwrap_or(Host::Name(name)), rest)
        }
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(port.parse().ok()?),
        Some(_) => return None,
    };
    Some((host, port))
}

/// The one value of a header, if it is there.
///
/// # Errors
///
/// 400 when it is there more than once or is no text.
pub(super) fn only(
    headers: &HeaderMap,
    name: impl http::header::AsHeaderName,
) -> Result<Option<&str>, StatusCode> {
    let mut values = headers.get_all(name).into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests;
