//! Speak MCP: the only crate that names rmcp.
//!
//! [`serve_stdio`] gives the tools of a catalog to one client, in both eras of the protocol: the
//! stateless 2026-07-28 and the handshakes before it. It is handed nothing but snapshots of the
//! catalog, so that nothing in a conversation can change what is installed or granted.
//!
//! A call goes through four places: `connection` reads a line and answers what is no message,
//! `guard` bounds how much runs and catches panics, `handler` finds the tool and checks its
//! arguments, `answer` words what came of it.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod guard;
mod handler;
mod listing;
mod serve;
mod text;

pub use connection::MAX_MESSAGE;
pub use serve::{ServeError, ServeOptions, ToolFilter, serve_on, serve_stdio};
