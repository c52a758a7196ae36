//! Where a server listens: on this machine only.

use crate::error::CommandError;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

#[cfg(test)]
mod tests;

/// An address of the loopback interface, from `127.0.0.1:8080`, `[::1]:0`, `localhost:8080` or a port alone.
///
/// # Errors
///
/// Refuses any other address: whoever can reach it could call the tools, and nothing asks who that is.
pub(crate) fn address(text: &str) -> Result<SocketAddr, CommandError> {
    let local = |port: &str| {
        // Numbers of Rust may begin with a plus.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.then(|| port.parse().ok())??;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    let address = text
        .parse()
        .ok()
        .or_else(|| local(text))
        // By definition, whatever a name server or /etc/hosts would say.
        .or_else(|| local(text.strip_prefix("localhost:")?))
        .ok_or_else(|| {
            CommandError::usage(format!("{text:?} is no address and port to listen on"))
                .hint("write it as 127.0.0.1:8080, [::1]:8080 or 8080; port 0 takes a free one")
        })?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let port = address.port();
    Err(CommandError::usage(format!(
        "{address} could be reached from other machines, and nothing asks who calls: not started"
    ))
    .hint(format!(
        "casemate serve --http 127.0.0.1:{port}; from another machine, through what asks, such as ssh -L"
    )))
}

/// Begins to listen.
///
/// # Errors
///
/// Fails when another program listens there, or the address is not one of this machine.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).map_err(|error| {
        let refused =
            |why: &str| CommandError::failed(format!("cannot listen on {address}: {why}"));
        match error.kind() {
            ErrorKind::AddrInUse => refused("another program listens there").hint(format!(
                "choose another port, or let the system choose: --http {}",
                SocketAddr::new(address.ip(), 0)
            )),
            ErrorKind::PermissionDenied => {
                refused("this port is kept for the system").hint("choose a port from 1024 on")
            }
            _ => refused(&error.to_string()),
        }
    })
}
