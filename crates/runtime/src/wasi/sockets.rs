//! `wasi:sockets`: lookups and outgoing TCP by the rules of the policy; everything else is refused.
//!
//! UDP is refused where it begins, so that no UDP socket can exist: [`Never`] has no value, and
//! each of its methods is an error that only a defect in Wasmtime's handle table could reach.

use super::bindings::sockets::network::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress,
};
use super::bindings::sockets::{
    instance_network, ip_name_lookup, network, tcp, tcp_create_socket, udp, udp_create_socket,
};
use crate::enforce::Guest;
use crate::sockets::{Lookup, Options, Shut, TcpSocket};
use casemate_policy::SocketAction;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::{DynPollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// The handle that `instance-network` gives out; it carries no right.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct Network;

/// A UDP socket or datagram stream: none can exist.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub enum Never {}

/// An address as WASI has it.
fn of_ip(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(address) => IpAddress::Ipv4(address.octets().into()),
        IpAddr::V6(address) => IpAddress::Ipv6(address.segments().into()),
    }
}

fn of_address(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => IpSocketAddress::Ipv4(Ipv4SocketAddress {
            port: address.port(),
            address: address.ip().octets().into(),
        }),
        SocketAddr::V6(address) => IpSocketAddress::Ipv6(Ipv6SocketAddress {
            port: address.port(),
            flow_info: 0,
            address: address.ip().segments().into(),
            scope_id: 0,
        }),
    }
}

/// An address as a guest names it; the flow label is none of its business.
fn address_of(address: IpSocketAddress) -> SocketAddr {
    match address {
        IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }) => {
            SocketAddrV4::new(Ipv4Addr::from(<[u8; 4]>::from(address)), port).into()
        }
        IpSocketAddress::Ipv6(address) => {
            let ip = Ipv6Addr::from(<[u16; 8]>::from(address.address));
            SocketAddrV6::new(ip, address.port, 0, address.scope_id).into()
        }
    }
}

fn no_such_handle<T>() -> wasmtime::Result<T> {
    wasmtime::bail!("no such socket exists in this call")
}

impl network::Host for Guest {
    fn network_error_code(
        &mut self,
        error: Resource<wasmtime_wasi_io::streams::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        self.table_mut().get(&error)?;
        Ok(None)
    }
}

impl network::HostNetwork for Guest {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        self.table_mut().delete(network)?;
        Ok(())
    }
}

impl instance_network::Host for Guest {
    fn instance_network(&mut self) -> wasmtime::Result<Resource<Network>> {
        Ok(self.table_mut().push(Network)?)
    }
}

impl ip_name_lookup::Host for Guest {
    fn resolve_addresses(
        &mut self,
        _network: Resource<Network>,
        name: String,
    ) -> wasmtime::Result<Result<Resource<Lookup>, ErrorCode>> {
        let (sockets, table) = self.sockets();
        Ok(match sockets.look_up(&name) {
            Ok(lookup) => Ok(table.push(lookup)?),
            Err(code) => Err(code),
        })
    }
}

impl ip_name_lookup::HostResolveAddressStream for Guest {
    fn resolve_next_address(
        &mut self,
        stream: Resource<Lookup>,
    ) -> wasmtime::Result<Result<Option<IpAddress>, ErrorCode>> {
        let next = self.table_mut().get_mut(&stream)?.next();
        Ok(next.map(|address| address.map(of_ip)))
    }

    fn subscribe(&mut self, stream: Resource<Lookup>) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table_mut(), stream)
    }

    fn drop(&mut self, stream: Resource<Lookup>) -> wasmtime::Result<()> {
        self.table_mut().delete(stream)?;
        Ok(())
    }
}

impl tcp_create_socket::Host for Guest {
    fn create_tcp_socket(
        &mut self,
        family: IpAddressFamily,
    ) -> wasmtime::Result<Result<Resource<TcpSocket>, ErrorCode>> {
        let (sockets, table) = self.sockets();
        Ok(match sockets.create(family == IpAddressFamily::Ipv6) {
            Ok(socket) => Ok(table.push(socket)?),
            Err(code) => Err(code),
        })
    }
}

impl Guest {
    fn socket(&mut self, socket: &Resource<TcpSocket>) -> wasmtime::Result<&mut TcpSocket> {
        Ok(self.table_mut().get_mut(socket)?)
    }

    /// Changes an option to a value for which 0 has no meaning.
    fn set_option<N: Default + PartialEq>(
        &mut self,
        socket: &Resource<TcpSocket>,
        value: N,
        change: fn(&mut Options, N),
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let socket = self.socket(socket)?;
        if value == N::default() {
            return Ok(Err(ErrorCode::InvalidArgument));
        }
        Ok(socket.set(|options| change(options, value)))
    }

    fn option<N>(
        &mut self,
        socket: &Resource<TcpSocket>,
        read: fn(&Options) -> N,
    ) -> wasmtime::Result<Result<N, ErrorCode>> {
        Ok(Ok(read(self.socket(socket)?.options())))
    }
}

impl tcp::Host for Guest {}

impl tcp::HostTcpSocket for Guest {
    fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        _network: Resource<Network>,
        address: IpSocketAddress,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let address = address_of(address);
        let (sockets, table) = self.sockets();
        Ok(match table.get_mut(&socket)?.bind(address) {
            Ok(true) => Ok(()),
            Ok(false) => Err(sockets.refuse(SocketAction::Bind, Some(address))),
            Err(code) => Err(code),
        })
    }

    fn finish_bind(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        Ok(self.socket(&socket)?.finish_bind())
    }

    fn start_connect(
        &mut self,
        socket: Resource<TcpSocket>,
        _network: Resource<Network>,
        address: IpSocketAddress,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let (sockets, table) = self.sockets();
        Ok(sockets.connect(table.get_mut(&socket)?, address_of(address)))
    }

    fn finish_connect(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<(Resource<DynInputStream>, Resource<DynOutputStream>), ErrorCode>>
    {
        let table = self.table_mut();
        Ok(match table.get_mut(&socket)?.finish_connect() {
            Ok((reader, writer)) => {
                let input: DynInputStream = Box::new(reader);
                let output: DynOutputStream = Box::new(writer);
                Ok((table.push(input)?, table.push(output)?))
            }
            Err(code) => Err(code),
        })
    }

    fn start_listen(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let (sockets, table) = self.sockets();
        table.get(&socket)?;
        Ok(Err(sockets.refuse(SocketAction::Listen, None)))
    }

    fn finish_listen(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.socket(&socket)?;
        Ok(Err(ErrorCode::NotInProgress))
    }

    fn accept(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<
        Result<
            (
                Resource<TcpSocket>,
                Resource<DynInputStream>,
                Resource<DynOutputStream>,
            ),
            ErrorCode,
        >,
    > {
        // No socket ever listens.
        self.socket(&socket)?;
        Ok(Err(ErrorCode::InvalidState))
    }

    fn local_address(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<IpSocketAddress, ErrorCode>> {
        Ok(self.socket(&socket)?.local_address().map(of_address))
    }

    fn remote_address(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<IpSocketAddress, ErrorCode>> {
        Ok(self.socket(&socket)?.remote_address().map(of_address))
    }

    fn is_listening(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<bool> {
        self.socket(&socket)?;
        Ok(false)
    }

    fn address_family(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<IpAddressFamily> {
        Ok(if self.socket(&socket)?.is_ipv6() {
            IpAddressFamily::Ipv6
        } else {
            IpAddressFamily::Ipv4
        })
    }

    fn set_listen_backlog_size(
        &mut self,
        socket: Resource<TcpSocket>,
        _value: u64,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.socket(&socket)?;
        Ok(Err(ErrorCode::NotSupported))
    }

    fn keep_alive_enabled(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<bool, ErrorCode>> {
        self.option(&socket, Options::keep_alive)
    }

    fn set_keep_alive_enabled(
        &mut self,
        socket: Resource<TcpSocket>,
        value: bool,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let socket = self.socket(&socket)?;
        Ok(socket.set(|options| options.set_keep_alive(value)))
    }

    fn keep_alive_idle_time(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u64, ErrorCode>> {
        self.option(&socket, Options::idle)
    }

    fn set_keep_alive_idle_time(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u64,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_idle)
    }

    fn keep_alive_interval(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u64, ErrorCode>> {
        self.option(&socket, Options::interval)
    }

    fn set_keep_alive_interval(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u64,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_interval)
    }

    fn keep_alive_count(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u32, ErrorCode>> {
        self.option(&socket, Options::probes)
    }

    fn set_keep_alive_count(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u32,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_probes)
    }

    fn hop_limit(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u8, ErrorCode>> {
        self.option(&socket, Options::hops)
    }

    fn set_hop_limit(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u8,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_hops)
    }

    fn receive_buffer_size(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u64, ErrorCode>> {
        self.option(&socket, Options::receive)
    }

    fn set_receive_buffer_size(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u64,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_receive)
    }

    fn send_buffer_size(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Result<u64, ErrorCode>> {
        self.option(&socket, Options::send)
    }

    fn set_send_buffer_size(
        &mut self,
        socket: Resource<TcpSocket>,
        value: u64,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.set_option(&socket, value, Options::set_send)
    }

    fn subscribe(
        &mut self,
        socket: Resource<TcpSocket>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.table_mut(), socket)
    }

    fn shutdown(
        &mut self,
        socket: Resource<TcpSocket>,
        how: tcp::ShutdownType,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        let how = match how {
            tcp::ShutdownType::Receive => Shut::Receive,
            tcp::ShutdownType::Send => Shut::Send,
            tcp::ShutdownType::Both => Shut::Both,
        };
        Ok(self.socket(&socket)?.shut_down(how))
    }

    fn drop(&mut self, socket: Resource<TcpSocket>) -> wasmtime::Result<()> {
        self.table_mut().delete(socket)?;
        Ok(())
    }
}

impl udp_create_socket::Host for Guest {
    fn create_udp_socket(
        &mut self,
        _family: IpAddressFamily,
    ) -> wasmtime::Result<Result<Resource<Never>, ErrorCode>> {
        let (sockets, _) = self.sockets();
        Ok(Err(sockets.refuse(SocketAction::CreateUdp, None)))
    }
}

/// Writes the methods of a resource that has no value.
macro_rules! methods_without_a_socket {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, _socket: Resource<Never> $(, $argument: $kind)*) -> wasmtime::Result<$result> {
            $(let _ = $argument;)*
            no_such_handle()
        })*

        fn drop(&mut self, _socket: Resource<Never>) -> wasmtime::Result<()> {
            no_such_handle()
        }
    };
}

impl udp::Host for Guest {}

impl udp::HostUdpSocket for Guest {
    methods_without_a_socket! {
        start_bind(network: Resource<Network>, address: IpSocketAddress) -> Result<(), ErrorCode>;
        finish_bind() -> Result<(), ErrorCode>;
        stream(address: Option<IpSocketAddress>) -> Result<(Resource<Never>, Resource<Never>), ErrorCode>;
        local_address() -> Result<IpSocketAddress, ErrorCode>;
        remote_address() -> Result<IpSocketAddress, ErrorCode>;
        address_family() -> IpAddressFamily;
        unicast_hop_limit() -> Result<u8, ErrorCode>;
        set_unicast_hop_limit(value: u8) -> Result<(), ErrorCode>;
        receive_buffer_size() -> Result<u64, ErrorCode>;
        set_receive_buffer_size(value: u64) -> Result<(), ErrorCode>;
        send_buffer_size() -> Result<u64, ErrorCode>;
        set_send_buffer_size(value: u64) -> Result<(), ErrorCode>;
        subscribe() -> Resource<DynPollable>;
    }
}

impl udp::HostIncomingDatagramStream for Guest {
    methods_without_a_socket! {
        receive(max_results: u64) -> Result<Vec<udp::IncomingDatagram>, ErrorCode>;
        subscribe() -> Resource<DynPollable>;
    }
}

impl udp::HostOutgoingDatagramStream for Guest {
    methods_without_a_socket! {
        check_send() -> Result<u64, ErrorCode>;
        send(datagrams: Vec<udp::OutgoingDatagram>) -> Result<u64, ErrorCode>;
        subscribe() -> Resource<DynPollable>;
    }
}
