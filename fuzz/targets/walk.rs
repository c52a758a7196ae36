#![no_main]
#![allow(dead_code, reason = "of the model, each target uses a part")]

use casemate_runtime::probe;

#[path = "../properties/model.rs"]
mod model;
#[path = "../properties/walk.rs"]
mod walk;

libfuzzer_sys::fuzz_target!(|data: &[u8]| walk::check(data));
