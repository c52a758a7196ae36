//! What storage and network rules match: `fs://` URIs and hosts.

mod host;
mod uri;

pub(crate) use host::HostPattern;
pub(crate) use uri::{Anchor, PathPattern, StorageUri};

#[cfg(test)]
mod tests;
