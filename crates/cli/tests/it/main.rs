//! The real binary, from outside: arguments in, exit status, standard output and error out.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod approving;
mod bad_input;
mod bindings;
#[path = "../../../runtime/tests/common/mod.rs"]
mod common;
mod consenting;
mod daily;
mod desk;
mod ending;
mod explained;
mod frozen;
mod guests;
mod help;
mod inert;
mod inspected;
mod policies;
mod publishing;
mod registries;
mod reloading;
mod report;
mod sandbox;
mod seed;
mod serve;
mod shown;
mod signing;
mod trusted_files;
mod updating;
mod widening;
