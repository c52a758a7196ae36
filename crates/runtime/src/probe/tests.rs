#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, shared with the fuzz targets"
)]

use crate::probe;

#[path = "../../../../fuzz/properties/corpus.rs"]
mod corpus;
#[path = "../../../../fuzz/properties/model.rs"]
mod model;
#[path = "../../../../fuzz/properties/walk.rs"]
mod walk;

/// What the fuzz target of the walk checks, over the inputs that are kept for it.
#[test]
fn walks_that_were_found_by_fuzzing() {
    corpus::each("walk", walk::check);
}
