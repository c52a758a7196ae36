#![no_main]

use casemate_runtime::inspect::{IntakeLimits, inspect};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = inspect(data, None, &IntakeLimits::default());
});
