//! The only place that opens a connection.

use super::network::{Dialer, Pending};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Plain TCP from this machine, whatever proxy its environment names.
pub(super) struct Direct;

impl Dialer for Direct {
    fn dial(&self, address: SocketAddr) -> Pending<'_, std::io::Result<TcpStream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // The address was judged, so it has to be the one at the other end.
            let peer = stream.peer_addr()?;
            if (peer.ip(), peer.port()) != (address.ip(), address.port()) {
                return Err(std::io::Error::other("connected to another address"));
            }
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}
