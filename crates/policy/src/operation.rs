//! What a guest asks for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::path::VirtualPath;

/// One request of a guest, in canonical form; the only thing a grant decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Use of one path.
    Storage {
        /// The object's canonical path, links resolved.
        path: &'a VirtualPath,
        /// What is done with it.
        access: StorageAccess,
        /// Whether the object is Casemate's own home or below it, wherever the path says it is.
        own: bool,
    },
    /// A second name for something, or another name.
    StorageLink {
        /// The object that is linked to or moved.
        from: &'a VirtualPath,
        /// Its new name.
        to: &'a VirtualPath,
        /// Which of them.
        kind: LinkKind,
        /// Whether either is in Casemate's own home.
        own: bool,
    },
    /// An outgoing HTTP request.
    HttpRequest {
        /// `http` or `https`.
        scheme: &'a str,
        /// A name, or an address without brackets; see [`crate::HttpTarget::operation`].
        host: &'a str,
        /// The port, also where it is the scheme's own.
        port: u16,
        /// The method in capitals.
        method: &'a str,
        /// The path without the query.
        path: &'a str,
    },
    /// A connection that a permitted request needs, to one of the addresses that its host leads to.
    Connect {
        /// The scheme of the request.
        scheme: &'a str,
        /// Its host: a name, or an address without brackets.
        host: &'a str,
        /// Its method.
        method: &'a str,
        /// Its path without the query.
        path: &'a str,
        /// The address itself, or one that the name was resolved to, and the port.
        address: SocketAddr,
        /// Whether this process listens there.
        own: bool,
    },
    /// A lookup of a name, of its own and not for a request.
    Lookup {
        /// A name in canonical form, or an address without brackets; see [`crate::lookup_name`].
        name: &'a str,
    },
    /// An address that a permitted lookup found, before the guest is told of it.
    LookupAnswer {
        /// The name that was looked up, in canonical form.
        name: &'a str,
        /// One of the addresses that it leads to.
        address: IpAddr,
    },
    /// A connection of a raw TCP socket.
    TcpConnect {
        /// The name that this address was leased under by a lookup of this call, in canonical form; `None` without a lease.
        name: Option<&'a str>,
        /// The other side.
        address: SocketAddr,
        /// Whether this process listens there.
        own: bool,
    },
    /// Any other step with a raw socket.
    Socket {
        /// Which step.
        action: SocketAction,
        /// The other side, or the own one for binding; `None` before there is one.
        address: Option<SocketAddr>,
    },
    /// Reading an environment variable.
    Environment {
        /// Its key.
        key: &'a str,
    },
    /// Use of a clock.
    Clock {
        /// Which clock.
        clock: Clock,
    },
    /// Drawing random numbers.
    Random {
        /// From which interface.
        source: RandomSource,
    },
}

/// What is done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageAccess {
    /// Reading a file's content.
    Read,
    /// Creating or changing a file or directory, or removing a file.
    Write,
    /// Removing a directory: refused also where something below it is denied, which its emptiness would tell of.
    Remove,
    /// Looking at a name: stat of it, or listing it as a directory.
    Traverse,
}

/// A second or another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// A hard link.
    Hard,
    /// A symbolic link.
    Symbolic,
    /// Moving to another name, with everything below it.
    Rename,
    /// Moving what is no directory to another name.
    RenameFile,
}

/// A clock, or waiting for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Date and time of day.
    Wall,
    /// Time that only grows.
    Monotonic,
    /// Waiting for an instant or a duration.
    Wait,
}

/// An interface that gives random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RandomSource {
    /// `wasi:random/random`.
    Secure,
    /// `wasi:random/insecure`.
    Insecure,
    /// `wasi:random/insecure-seed`.
    Seed,
}

/// A step with a raw socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketAction {
    /// Creating a TCP socket.
    CreateTcp,
    /// Creating a UDP socket.
    CreateUdp,
    /// Connecting.
    Connect,
    /// Binding to an own address.
    Bind,
    /// Listening for connections.
    Listen,
    /// Sending a datagram.
    Send,
}

impl StorageAccess {
    /// Returns `read` or `write`; looking at a name is a way of reading.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read | Self::Traverse => "read",
            Self::Write | Self::Remove => "write",
        }
    }
}

fn write_network(formatter: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') && !host.starts_with('[') {
        write!(formatter, "network [{host}]:{port}")
    } else {
        write!(formatter, "network {host}:{port}")
    }
}

impl fmt::Display for Operation<'_> {
    /// Writes the subject of a denial: `storage read /workspace/x`, `network api.github.com:443`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage { path, access, .. } => {
                write!(formatter, "storage {} {path}", access.as_str())
            }
            Self::StorageLink { from, to, kind, .. } => {
                let word = match kind {
                    LinkKind::Hard => "link",
                    LinkKind::Symbolic => "symlink",
                    LinkKind::Rename | LinkKind::RenameFile => "rename",
                };
                write!(formatter, "storage {word} {from} -> {to}")
            }
            Self::HttpRequest { host, port, .. } => write_network(formatter, host, *port),
            // The address is not part of it: what a name leads to is nothing for a model.
            Self::Connect { host, address, .. } => write_network(formatter, host, address.port()),
            Self::Lookup { name } | Self::LookupAnswer { name, .. } => {
                write!(formatter, "dns {name}")
            }
            // With a lease the guest knows the name; without one it gave the address itself.
            Self::TcpConnect {
                name: Some(name),
                address,
                ..
            } => write!(formatter, "socket connect {name}:{}", address.port()),
            Self::TcpConnect { address, .. } => write!(formatter, "socket connect {address}"),
            Self::Socket { action, address } => {
                let word = match action {
                    SocketAction::CreateTcp => "create tcp",
                    SocketAction::CreateUdp => "create udp",
                    SocketAction::Connect => "connect",
                    SocketAction::Bind => "bind",
                    SocketAction::Listen => "listen",
                    SocketAction::Send => "send",
                };
                write!(formatter, "socket {word}")?;
                address.map_or(Ok(()), |address| write!(formatter, " {address}"))
            }
            Self::Environment { key } => write!(formatter, "environment {key}"),
            Self::Clock { clock } => formatter.write_str(match clock {
                Clock::Wall => "clock wall",
                Clock::Monotonic => "clock monotonic",
                Clock::Wait => "clock wait",
            }),
            Self::Random { source } => formatter.write_str(match source {
                RandomSource::Secure => "random secure",
                RandomSource::Insecure => "random insecure",
                RandomSource::Seed => "random seed",
            }),
        }
    }
}
