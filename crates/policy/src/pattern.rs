//! What storage and network rules match: `fs://` URIs, hosts, and paths of requests.

mod glob;
mod host;
mod route;
mod uri;

pub(crate) use glob::{NamePattern, PathGlob, Segment, check_name, fits};
pub(crate) use host::HostPattern;
pub(crate) use route::{PlainPath, RoutePattern};
pub(crate) use uri::{Anchor, PathPattern, StorageUri};

#[cfg(test)]
mod tests;
