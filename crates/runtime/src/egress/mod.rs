//! Requests of guests on their way out: decide, resolve, check, connect, exchange, count.
//!
//! One pass, and every value that was judged is the value that is used. The target is brought to
//! its only spelling and judged; its name is resolved once; every address of the answer is judged,
//! and if one of them may not be reached, none is; the connection goes to a judged address and to
//! nothing else; TLS verifies the name that the policy named. There is no proxy, no redirect, no
//! cookie and no decompression.
//!
//! All of it runs on the guests' threads, and is charged to the call. What a request owns is dropped
//! with the call's store, so that the end of a call, in whatever way, closes its connections. Only a
//! connection whose response was read to its end may stay open for a moment, for the same component
//! under the same policy (`kept`).

mod body;
mod budget;
mod dial;
mod driver;
mod exchange;
mod failure;
mod gate;
mod kept;
mod line;
mod listeners;
mod network;
mod registry;
mod resolve;
mod stream;
mod tls;

pub use budget::MAX_REQUESTS_OF_CALL;
pub(crate) use budget::{Budget, Traffic};
pub(crate) use exchange::Sent;
pub(crate) use gate::Gate;
pub(crate) use kept::Kept;
pub(crate) use listeners::Listeners;
pub(crate) use network::Unconnected;

pub use kept::{MAX_KEPT, MAX_KEPT_TIME};
pub use network::{
    Deadlines, Dialer, LEASE, MAX_ADDRESSES, MAX_CONNECTIONS, MAX_LOOKUP_TIME, MAX_LOOKUPS,
    MAX_RESPONSE_HEAD, MAX_RESPONSE_HEADERS, Network, Pending, ResolveError, Resolver,
};
pub use registry::RegistryConnector;
pub use resolve::Dns;
pub use tls::TrustRoots;
