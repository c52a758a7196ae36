#![no_main]

#[path = "../properties/model.rs"]
mod model;
#[path = "../properties/operations.rs"]
mod operations;
#[path = "../properties/path.rs"]
mod path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::check(data));
