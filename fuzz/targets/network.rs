#![no_main]
#![allow(dead_code, reason = "of the model, each target uses a part")]

#[path = "../properties/model.rs"]
mod model;
#[path = "../properties/network.rs"]
mod network;

libfuzzer_sys::fuzz_target!(|data: &[u8]| network::check(data));
