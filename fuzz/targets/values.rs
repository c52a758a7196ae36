#![no_main]

#[path = "../properties/values.rs"]
mod values;

libfuzzer_sys::fuzz_target!(|data: &[u8]| values::check(data));
