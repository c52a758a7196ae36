#![no_main]

#[path = "../properties/model.rs"]
mod model;
#[path = "../properties/network.rs"]
mod network;

libfuzzer_sys::fuzz_target!(|data: &[u8]| network::check(data));
