//! Pulling from a registry that is honest, broken or hostile.

#![allow(clippy::indexing_slicing, reason = "tests")]

mod bounds;
mod https;
mod layers;
mod login;
mod manifests;
mod places;
mod redirects;
mod signatures;
mod stalls;

use std::time::Duration;

use casemate_artifact::{
    FetchDeadlines, FetchError, FetchRequest, Fetched, Reference, RemoteError, Sources, fetch,
};
use casemate_test_registry::Registry;

/// The smallest component there is.
const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

fn reference(text: &str) -> Reference {
    Reference::parse(text, "/".as_ref()).unwrap()
}

/// Fetches what a text names.
fn pull(sources: &Sources, text: &str) -> Result<Fetched, RemoteError> {
    match fetch(sources, FetchRequest::new(&reference(text))) {
        Ok(fetched) => Ok(fetched),
        Err(FetchError::Remote { error, .. }) => Err(*error),
        Err(other) => panic!("{other}"),
    }
}

/// A registry with one component as `acme/tool:1`.
fn with_tool() -> Registry {
    let registry = Registry::plain();
    registry.put_component("acme/tool", "1", WASM);
    registry
}

/// Pulls `acme/tool:1`.
fn pull_tool(registry: &Registry) -> Result<Fetched, RemoteError> {
    pull(&registry.sources(), &registry.reference("acme/tool:1"))
}

/// Deadlines that tests can wait for; each is longer than what an honest answer takes here.
fn soon() -> FetchDeadlines {
    FetchDeadlines {
        connect: Duration::from_millis(1500),
        head: Duration::from_millis(1500),
        idle: Duration::from_millis(1500),
        small: Duration::from_secs(3),
        window: Duration::from_millis(500),
        least: 100,
        total: Duration::from_secs(60),
    }
}
