//! The report card in the formats that people and machines read. Texts of third parties are inert in each of them.

mod badge;
mod json;
mod markdown;
mod sarif;
mod text;

pub(crate) use badge::badge;
pub(crate) use json::json;
pub(crate) use markdown::markdown;
pub(crate) use sarif::{Locations, relative, sarif};
pub(crate) use text::{page, style};

#[cfg(test)]
mod tests;
