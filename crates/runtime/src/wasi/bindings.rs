//! Host traits of every WASI 0.2 interface that is linked, generated from `wit/`.
//!
//! `wasi:io` and `wasi:http` come from the crates that own their resource types; all
//! other resources are types of this crate, so that no second code path to a file,
//! name or socket exists.

mod generated {
    use crate::storage::StorageError;
    use wasmtime_wasi_io::streams::StreamError;

    wasmtime::component::bindgen!({
        path: "wit",
        world: "casemate:host/imports",
        imports: {
            "wasi:filesystem/types.[method]descriptor.create-directory-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.link-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.metadata-hash": async | trappable,
            "wasi:filesystem/types.[method]descriptor.metadata-hash-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.open-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.read": async | trappable,
            "wasi:filesystem/types.[method]descriptor.read-directory": async | trappable,
            "wasi:filesystem/types.[method]descriptor.readlink-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.remove-directory-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.rename-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.set-size": async | trappable,
            "wasi:filesystem/types.[method]descriptor.set-times": async | trappable,
            "wasi:filesystem/types.[method]descriptor.set-times-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.stat": async | trappable,
            "wasi:filesystem/types.[method]descriptor.stat-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.symlink-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.sync": async | trappable,
            "wasi:filesystem/types.[method]descriptor.sync-data": async | trappable,
            "wasi:filesystem/types.[method]descriptor.unlink-file-at": async | trappable,
            "wasi:filesystem/types.[method]descriptor.write": async | trappable,
            "wasi:filesystem/types.[method]descriptor.is-same-object": async | trappable,
            "wasi:filesystem/types.[method]directory-entry-stream.read-directory-entry": async | trappable,
            default: trappable,
        },
        trappable_error_type: {
            "wasi:io/streams.stream-error" => StreamError,
            "wasi:filesystem/types.error-code" => StorageError,
        },
        with: {
            "wasi:io/poll": wasmtime_wasi_io::bindings::wasi::io::poll,
            "wasi:io/streams": wasmtime_wasi_io::bindings::wasi::io::streams,
            "wasi:io/error": wasmtime_wasi_io::bindings::wasi::io::error,
            "wasi:filesystem/types.descriptor": crate::storage::Descriptor,
            "wasi:filesystem/types.directory-entry-stream": crate::storage::EntryStream,
            "wasi:sockets/network.network": crate::wasi::sockets::Network,
            "wasi:sockets/tcp.tcp-socket": crate::sockets::TcpSocket,
            "wasi:sockets/udp.udp-socket": crate::wasi::sockets::Never,
            "wasi:sockets/udp.incoming-datagram-stream": crate::wasi::sockets::Never,
            "wasi:sockets/udp.outgoing-datagram-stream": crate::wasi::sockets::Never,
            "wasi:sockets/ip-name-lookup.resolve-address-stream": crate::sockets::Lookup,
            "wasi:cli/terminal-input.terminal-input": crate::wasi::cli::Terminal,
            "wasi:cli/terminal-output.terminal-output": crate::wasi::cli::Terminal,
        },
    });
}

pub(crate) use self::generated::LinkOptions;
pub(crate) use self::generated::wasi::*;
