#![no_main]
#![allow(dead_code, reason = "of the model, each target uses a part")]

#[path = "../properties/model.rs"]
mod model;
#[path = "../properties/operations.rs"]
mod operations;
#[path = "../properties/path.rs"]
mod path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::check(data));
