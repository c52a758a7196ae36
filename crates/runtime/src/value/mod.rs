//! JSON ↔ component values, exactly as the schemas of [`schema`](crate::schema) say.
//!
//! Nothing is rounded without saying so: an integer that a type cannot hold is an error, and a
//! 64-bit integer beyond what a JSON client keeps exact is given as a string of digits. Values are
//! as deep as their type, which inspection bounds; their size is bounded here, both ways.

mod emit;
mod parse;

pub use self::emit::{EmitError, Returned, result_to_json, returned};
pub use self::parse::{InvalidArguments, MAX_ARGUMENT_VALUES, parse_args};

/// The largest integer that every JSON client keeps exact: 2^53 − 1.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// How JSON spells what its numbers cannot: both directions, `f32` and `f64`.
const NAN: &str = "NaN";
const INFINITY: &str = "Infinity";
const NEGATIVE_INFINITY: &str = "-Infinity";

#[cfg(test)]
mod tests;
