//! Casemate's own implementation of every linked WASI 0.2 interface.
//!
//! Linking is not granting: every component gets the whole of WASI 0.2, and each function
//! that could reach something outside the sandbox asks [`crate::enforce::Guest::ask`], which
//! asks `Grant::decide`. What a component imports and is not listed here is refused when
//! the component is installed.

pub(crate) mod bindings;
pub(crate) mod cli;
pub(crate) mod clocks;
mod filesystem;
pub(crate) mod heads;
pub(crate) mod http;
mod io;
mod random;
pub(crate) mod sockets;

use crate::enforce::Guest;
use wasmtime::component::{HasSelf, Linker};

/// Links every interface, one by one, so that a new one in a later WASI cannot slip in.
///
/// # Errors
///
/// Fails when an interface is defined twice, which is a defect of this function.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use bindings::{cli, clocks, filesystem, random, sockets};
    use wasmtime_wasi_http::p2::bindings::http;
    use wasmtime_wasi_io::bindings::wasi::io as wasi_io;
    type Own = HasSelf<Guest>;
    // The defaults link nothing that WASI still marks as unstable.
    let options = &bindings::LinkOptions::default();
    let http_options = &wasmtime_wasi_http::p2::bindings::LinkOptions::default();

    wasi_io::error::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    wasi_io::poll::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    wasi_io::streams::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    clocks::wall_clock::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    clocks::monotonic_clock::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    random::random::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    random::insecure::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    random::insecure_seed::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::environment::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::exit::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::stdin::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::stdout::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::stderr::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::terminal_input::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::terminal_output::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::terminal_stdin::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::terminal_stdout::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    cli::terminal_stderr::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    filesystem::types::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    filesystem::preopens::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::network::add_to_linker::<Guest, Own>(linker, &options.into(), |guest| guest)?;
    sockets::instance_network::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::ip_name_lookup::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::tcp::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::tcp_create_socket::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::udp::add_to_linker::<Guest, Own>(linker, |guest| guest)?;
    sockets::udp_create_socket::add_to_linker::<Guest, Own>(linker, |guest| guest)?;

    // The stock data types of HTTP (fields, requests, bodies) over our hooks: the only way
    // from a request to a connection is `send_request`, which decides.
    http::types::add_to_linker::<Guest, wasmtime_wasi_http::WasiHttp>(
        linker,
        &http_options.into(),
        http_view,
    )?;
    http::outgoing_handler::add_to_linker::<Guest, wasmtime_wasi_http::WasiHttp>(
        linker, http_view,
    )?;
    heads::link(linker)?;
    Ok(())
}

fn http_view(guest: &mut Guest) -> wasmtime_wasi_http::WasiHttpCtxView<'_> {
    guest.http()
}
