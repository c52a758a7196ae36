//! Requests that guests send: what a rule allows arrives, everything beside it is refused.

mod addresses;
mod bounds;
mod deadlines;
mod dns;
pub(crate) mod guest;
mod heads;
pub(crate) mod namespace;
mod reuse;
pub(crate) mod server;
mod targets;
mod tls;
mod tools;
mod wire;
pub(crate) mod world;
