//! Where this process listens itself, which no guest may reach.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

/// The process's own listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners(RwLock<Vec<SocketAddr>>);

impl Listeners {
    pub(crate) fn add(&self, listener: SocketAddr) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&listener) {
            known.push(listener);
        }
    }

    /// Whether a connection to `address` could end at one of them.
    pub(crate) fn reached_by(&self, address: SocketAddr) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .any(|listener| listener.port() == address.port() && same(listener.ip(), address.ip()))
    }
}

fn same(listener: IpAddr, address: IpAddr) -> bool {
    let (listener, address) = (listener.to_canonical(), address.to_canonical());
    if listener.is_unspecified() {
        return is_of_this_machine(address);
    }
    // All of 127.0.0.0/8 is one machine; a firewall may well lead one of them to another.
    listener == address || listener.is_loopback() && address.is_loopback()
}

/// Whether an address is one of this machine's: only those can be bound to. In doubt it is.
fn is_of_this_machine(address: IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || match UdpSocket::bind(SocketAddr::new(address, 0)) {
            Ok(_) => true,
            Err(error) => error.kind() != std::io::ErrorKind::AddrNotAvailable,
        }
}

#[cfg(test)]
mod tests {
    use super::Listeners;

    #[test]
    fn a_listener_is_reached_by_its_port_on_every_address_that_leads_there() {
        let listeners = Listeners::default();
        listeners.add("127.0.0.1:8080".parse().unwrap());
        listeners.add("0.0.0.0:9090".parse().unwrap());
        for (address, reached) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.2:8080", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("127.0.0.1:8081", false),
            ("203.0.113.1:8080", false),
            ("127.0.0.1:9090", true),
            ("[::1]:9090", true),
            // Of no machine: nothing can be bound to it.
            ("203.0.113.1:9090", false),
        ] {
            assert_eq!(
                listeners.reached_by(address.parse().unwrap()),
                reached,
                "{address}"
            );
        }
    }
}
