//! Guests against the runtime: what is granted works, what is not is refused, nothing breaks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/fixture.rs"]
mod fixture;

mod alone;
mod ambient;
mod compiling;
mod differential;
mod distribution;
mod egress;
mod files;
mod fuzzed;
mod intake;
mod limits;
mod name_server;
mod neighbours;
mod network;
mod rate;
mod reached;
mod registries;
mod resources;
mod revoking;
mod smoke;
mod sockets;
mod surface;
mod tools;
mod values_through_guest;
mod without_openat2;

use common::component;

/// A component with one function that returns 42.
fn ping() -> Vec<u8> {
    component(
        "package test:ping; world ping { export ping: func() -> u32; }",
        "ping",
        r#"(module (func (export "ping") (result i32) i32.const 42))"#,
    )
}
