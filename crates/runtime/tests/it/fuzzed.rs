//! What the fuzz targets of `fuzz/` check, over the inputs that are kept there.

#![allow(unreachable_pub, reason = "shared with the fuzz targets")]

#[path = "../../../../fuzz/properties/component.rs"]
mod component;
#[path = "../../../../fuzz/properties/corpus.rs"]
mod corpus;
#[path = "../../../../fuzz/properties/values.rs"]
mod values;

#[test]
fn components_that_were_found_by_fuzzing() {
    corpus::each("component", component::check);
    for example in [
        &include_bytes!("../../../../examples/c/checksums.wasm")[..],
        include_bytes!("../../../../examples/rust/notes.wasm"),
    ] {
        component::check(example);
    }
}

#[test]
fn arguments_that_were_found_by_fuzzing() {
    corpus::each("values", values::check);
}
