//! A seeded violation: everything here is refused by clippy.toml or by the workspace's lints, and `.ci/run` fails when clippy
//! lets any of it through. A path in clippy.toml that names nothing is a warning at most, so that without this check a
//! renamed function would leave its ban behind, dead.
//!
//! `.ci/run` copies this file for a moment to where the compiler sees it, as an example of `casemate-runtime`; it is no part of
//! the workspace. One function a line of `disallowed-methods`, in its order, then one a lint.

use wasmtime::component::Component;
use wasmtime::{Engine, Store};

fn store_new(engine: &Engine) {
    let _ = Store::new(engine, ());
}
fn store_try_new(engine: &Engine) {
    let _ = Store::try_new(engine, ());
}
fn wasi_ctx_builder() {
    let _ = wasmtime_wasi::WasiCtx::builder();
}
fn wasi_ctx_builder_new() {
    let _ = wasmtime_wasi::WasiCtxBuilder::new();
}
fn wasi_add_to_linker_async<T: wasmtime_wasi::WasiView>(linker: &mut wasmtime::component::Linker<T>) {
    let _ = wasmtime_wasi::p2::add_to_linker_async(linker);
}
fn wasi_add_to_linker_sync<T: wasmtime_wasi::WasiView>(linker: &mut wasmtime::component::Linker<T>) {
    let _ = wasmtime_wasi::p2::add_to_linker_sync(linker);
}
fn http_add_to_linker_async<T>(linker: &mut wasmtime::component::Linker<T>)
where
    T: wasmtime_wasi::WasiView + wasmtime_wasi_http::WasiHttpView + 'static,
{
    let _ = wasmtime_wasi_http::p2::add_to_linker_async(linker);
}
fn http_add_only_http_to_linker_async<T>(linker: &mut wasmtime::component::Linker<T>)
where
    T: wasmtime_wasi_http::WasiHttpView + 'static,
{
    let _ = wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker);
}
fn component_new(engine: &Engine) {
    let _ = Component::new(engine, b"");
}
fn component_from_file(engine: &Engine) {
    let _ = Component::from_file(engine, "");
}
fn component_from_binary(engine: &Engine) {
    let _ = Component::from_binary(engine, b"");
}
#[expect(unsafe_code, reason = "the ban is on the function, whoever calls it")]
fn component_deserialize(engine: &Engine) {
    let _ = unsafe { Component::deserialize(engine, b"") };
}
#[expect(unsafe_code, reason = "the ban is on the function, whoever calls it")]
fn component_deserialize_file(engine: &Engine) {
    let _ = unsafe { Component::deserialize_file(engine, "") };
}
fn hyper_builder_new() {
    let _ = hyper::client::conn::http1::Builder::new();
}
async fn hyper_handshake(io: hyper_util::rt::TokioIo<tokio::net::TcpStream>) {
    let _ = hyper::client::conn::http1::handshake::<_, http_body_util::Empty<bytes::Bytes>>(io).await;
}
async fn lookup_host() {
    let _ = tokio::net::lookup_host("localhost:80").await;
}
fn any_identity() {
    let _ = sigstore_verify::VerificationPolicy::any_identity();
}
fn skip_tlog_unsafe(policy: sigstore_verify::VerificationPolicy) {
    let _ = policy.skip_tlog_unsafe();
}
fn skip_sct(policy: sigstore_verify::VerificationPolicy) {
    let _ = policy.skip_sct();
}
fn skip_certificate_chain(policy: sigstore_verify::VerificationPolicy) {
    let _ = policy.skip_certificate_chain();
}
fn skip_tlog_unsafe_with_a_key(policy: sigstore_verify::PublicKeyVerificationPolicy) {
    let _ = policy.skip_tlog_unsafe();
}
fn env_var() {
    let _ = std::env::var("HOME");
}
fn env_var_os() {
    let _ = std::env::var_os("HOME");
}
fn env_vars() {
    let _ = std::env::vars();
}
fn env_vars_os() {
    let _ = std::env::vars_os();
}

// unsafe_code
fn unsafe_code(pointer: *const u8) -> u8 {
    unsafe { *pointer }
}
// clippy::unwrap_used, expect_used, indexing_slicing, panic, todo, unimplemented, unreachable, exit
fn unwrap_used(value: Option<u8>) -> u8 {
    value.unwrap()
}
fn expect_used(value: Option<u8>) -> u8 {
    value.expect("a value")
}
fn indexing_slicing(list: &[u8]) -> u8 {
    list[0]
}
fn panic() {
    panic!("no");
}
fn todo() {
    todo!();
}
fn unimplemented() {
    unimplemented!();
}
fn unreachable() {
    unreachable!();
}
fn exit() {
    std::process::exit(1);
}
// clippy::print_stdout, print_stderr, dbg_macro, allow_attributes_without_reason
fn print_stdout() {
    println!();
}
fn print_stderr() {
    eprintln!();
}
fn dbg_macro(value: u8) {
    dbg!(value);
}
#[allow(dead_code)]
fn allow_attributes_without_reason() {}

fn main() {}
