//! Guests made in the test process, from WIT and core WAT, with no guest toolchain.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]
#![allow(clippy::unwrap_used, reason = "tests")]

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, PackageId, Resolve, WorldId};

fn resolve(wit: &str, world: &str) -> (Resolve, WorldId) {
    // Some types are still behind a gate of the parser.
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package: PackageId = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    (resolve, world)
}

fn encode(module: &mut Vec<u8>, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    embed_component_metadata(module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .module(module)
        .unwrap()
        .validate(true)
        .encode()
        .unwrap()
}

/// A component of `world` in the WIT text `wit`, whose core module is the text `core_wat`.
///
/// Partial WIT of WASI interfaces is enough: declare the functions that the guest imports.
pub fn component(wit: &str, world: &str, core_wat: &str) -> Vec<u8> {
    let (resolve, world) = resolve(wit, world);
    let mut module = wat::parse_str(core_wat).unwrap();
    encode(&mut module, &resolve, world)
}

/// The WASI 0.2.12 packages, in an order in which each finds what it uses.
const WASI: [(&str, &str); 7] = [
    ("io.wit", include_str!("../../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../../wit/deps/random.wit")),
    (
        "filesystem.wit",
        include_str!("../../wit/deps/filesystem.wit"),
    ),
    ("sockets.wit", include_str!("../../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../../wit/deps/cli.wit")),
    ("http.wit", include_str!("../wit/http.wit")),
];

/// The packages of WASI 0.2.12 under the version 0.2.`patch`, with what is still unstable in them or without.
pub fn wasi(patch: u32, unstable: bool) -> Resolve {
    let mut resolve = Resolve {
        all_features: unstable,
        ..Resolve::default()
    };
    for (name, text) in WASI {
        let mut text = text.replace("@0.2.12", &format!("@0.2.{patch}"));
        // A function that came later is there under the earlier version too.
        for later in patch + 1..=12 {
            let since = format!("@since(version = 0.2.{later})");
            text = text.replace(&since, "@since(version = 0.2.0)");
        }
        resolve.push_str(name, &text).unwrap();
    }
    resolve
}

/// A component whose WIT may import any interface of WASI 0.2.12 (`wasi:cli/stdout@0.2.12`).
pub fn wasi_component(wit: &str, world: &str, core_wat: &str) -> Vec<u8> {
    wasi_component_in(wasi(12, false), wit, world, core_wat)
}

/// The same over packages that were read before.
pub fn wasi_component_in(mut resolve: Resolve, wit: &str, world: &str, core_wat: &str) -> Vec<u8> {
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(core_wat).unwrap();
    encode(&mut module, &resolve, world)
}

/// A component of `world` whose every function traps: enough for everything short of a call.
pub fn hollow(wit: &str, world: &str) -> Vec<u8> {
    let (resolve, world) = resolve(wit, world);
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    encode(&mut module, &resolve, world)
}

/// `bytes` with one more custom section at the end.
pub fn with_custom_section(bytes: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    use wasm_encoder::{ComponentSection as _, CustomSection};
    let mut out = bytes.to_vec();
    CustomSection {
        name: name.into(),
        data: data.into(),
    }
    .append_to_component(&mut out);
    out
}
