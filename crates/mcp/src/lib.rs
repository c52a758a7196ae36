//! Speak MCP: the only crate that names rmcp.
//!
//! [`serve_stdio`] gives the tools of a catalog to one client and [`serve_http`] to all of a machine,
//! in both eras of the protocol: the stateless 2026-07-28 and the handshakes before it. They are
//! handed nothing but snapshots of the catalog, so that nothing in a conversation can change what is
//! installed or granted.
//!
//! A call goes through five places: `connection` reads a line, or `http` a request, `message` tells
//! what is no message, `handler` finds the tool and checks its arguments, `guard` bounds how much
//! runs and catches panics, `answer` words what came of it.

#![forbid(unsafe_code)]

mod answer;
mod connection;
mod guard;
mod handler;
mod http;
mod listing;
mod message;
mod serve;
mod stdio;
mod text;

pub use self::http::serve_http;
pub use message::MAX_MESSAGE;
pub use serve::{ServeError, ServeOptions, ToolFilter, serve_on, serve_stdio};
