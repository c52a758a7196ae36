#![no_main]

#[path = "../properties/component.rs"]
mod component;

libfuzzer_sys::fuzz_target!(|data: &[u8]| component::check(data));
