//! What the fuzz targets of `fuzz/` check, over the inputs that are kept there.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "shared with the fuzz targets"
)]

#[path = "../../../../fuzz/properties/corpus.rs"]
mod corpus;
#[path = "../../../../fuzz/properties/model.rs"]
mod model;
#[path = "../../../../fuzz/properties/network.rs"]
mod network;
#[path = "../../../../fuzz/properties/operations.rs"]
mod operations;
#[path = "../../../../fuzz/properties/path.rs"]
mod path;
#[path = "../../../../fuzz/properties/policy.rs"]
mod policy;

#[test]
fn policies_that_were_found_by_fuzzing() {
    corpus::each("policy", policy::check);
}

#[test]
fn paths_and_patterns_that_were_found_by_fuzzing() {
    corpus::each("path", path::check);
}

#[test]
fn requests_and_rules_that_were_found_by_fuzzing() {
    corpus::each("network", network::check);
}
