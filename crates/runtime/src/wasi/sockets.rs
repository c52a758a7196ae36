//! `wasi:sockets`: linked whole, and refused where it begins.
//!
//! A socket or lookup can only come from `create-tcp-socket`, `create-udp-socket` and
//! `resolve-addresses`. Those ask the policy and, in this release, are always refused, so
//! no socket resource can exist: [`Never`] has no value, and each of its methods is an
//! error that only a defect in Wasmtime's handle table could reach.

use super::bindings::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress};
use super::bindings::sockets::{
    instance_network, ip_name_lookup, network, tcp, tcp_create_socket, udp, udp_create_socket,
};
use crate::enforce::Guest;
use casemate_policy::{Operation, SocketAction};
use wasmtime::component::Resource;
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

/// The handle that `instance-network` gives out; it carries no right.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub struct Network;

/// A socket, datagram stream or lookup: none can exist.
#[expect(unreachable_pub, reason = "the generated bindings name it")]
pub enum Never {}

fn no_such_handle<T>() -> wasmtime::Result<T> {
    wasmtime::bail!("no socket exists in this call")
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
    ) -> wasmtime::Result<Result<Resource<Never>, ErrorCode>> {
        self.refuse(&Operation::Lookup { name: &name });
        Ok(Err(ErrorCode::AccessDenied))
    }
}

impl ip_name_lookup::HostResolveAddressStream for Guest {
    fn resolve_next_address(
        &mut self,
        _stream: Resource<Never>,
    ) -> wasmtime::Result<Result<Option<network::IpAddress>, ErrorCode>> {
        no_such_handle()
    }

    fn subscribe(&mut self, _stream: Resource<Never>) -> wasmtime::Result<Resource<DynPollable>> {
        no_such_handle()
    }

    fn drop(&mut self, _stream: Resource<Never>) -> wasmtime::Result<()> {
        no_such_handle()
    }
}

impl tcp_create_socket::Host for Guest {
    fn create_tcp_socket(
        &mut self,
        _family: IpAddressFamily,
    ) -> wasmtime::Result<Result<Resource<Never>, ErrorCode>> {
        self.refuse(&Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        });
        Ok(Err(ErrorCode::AccessDenied))
    }
}

impl udp_create_socket::Host for Guest {
    fn create_udp_socket(
        &mut self,
        _family: IpAddressFamily,
    ) -> wasmtime::Result<Result<Resource<Never>, ErrorCode>> {
        self.refuse(&Operation::Socket {
            action: SocketAction::CreateUdp,
            address: None,
        });
        Ok(Err(ErrorCode::AccessDenied))
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

impl tcp::Host for Guest {}

impl tcp::HostTcpSocket for Guest {
    methods_without_a_socket! {
        start_bind(network: Resource<Network>, address: IpSocketAddress) -> Result<(), ErrorCode>;
        finish_bind() -> Result<(), ErrorCode>;
        start_connect(network: Resource<Network>, address: IpSocketAddress) -> Result<(), ErrorCode>;
        finish_connect() -> Result<(Resource<DynInputStream>, Resource<DynOutputStream>), ErrorCode>;
        start_listen() -> Result<(), ErrorCode>;
        finish_listen() -> Result<(), ErrorCode>;
        accept() -> Result<(Resource<Never>, Resource<DynInputStream>, Resource<DynOutputStream>), ErrorCode>;
        local_address() -> Result<IpSocketAddress, ErrorCode>;
        remote_address() -> Result<IpSocketAddress, ErrorCode>;
        is_listening() -> bool;
        address_family() -> IpAddressFamily;
        set_listen_backlog_size(value: u64) -> Result<(), ErrorCode>;
        keep_alive_enabled() -> Result<bool, ErrorCode>;
        set_keep_alive_enabled(value: bool) -> Result<(), ErrorCode>;
        keep_alive_idle_time() -> Result<u64, ErrorCode>;
        set_keep_alive_idle_time(value: u64) -> Result<(), ErrorCode>;
        keep_alive_interval() -> Result<u64, ErrorCode>;
        set_keep_alive_interval(value: u64) -> Result<(), ErrorCode>;
        keep_alive_count() -> Result<u32, ErrorCode>;
        set_keep_alive_count(value: u32) -> Result<(), ErrorCode>;
        hop_limit() -> Result<u8, ErrorCode>;
        set_hop_limit(value: u8) -> Result<(), ErrorCode>;
        receive_buffer_size() -> Result<u64, ErrorCode>;
        set_receive_buffer_size(value: u64) -> Result<(), ErrorCode>;
        send_buffer_size() -> Result<u64, ErrorCode>;
        set_send_buffer_size(value: u64) -> Result<(), ErrorCode>;
        subscribe() -> Resource<DynPollable>;
        shutdown(how: tcp::ShutdownType) -> Result<(), ErrorCode>;
    }
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
