#![no_main]

#[path = "../properties/operations.rs"]
mod operations;
#[path = "../properties/policy.rs"]
mod policy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| policy::check(data));
