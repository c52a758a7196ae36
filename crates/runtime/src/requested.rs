//! What does the author ask for? Policies that come with a component, which are requests and grant nothing.
//!
//! There are two places: the policy layer of an OCI artifact, and a custom section of the component itself that is written
//! when it is built. Nothing here, and nothing that calls this, applies them; a person does, by installing with them.

use crate::inspect::InspectedComponent;
use casemate_policy::{Policy, PolicyError};

/// The name of the custom section, in the outermost component.
pub const SECTION: &str = "casemate:permissions";

/// Longest request that is read, in bytes; it is as long as a policy may be.
pub const MAX_REQUEST_BYTES: usize = 64 << 10;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestOrigin {
    /// The policy layer of the artifact.
    Layer,
    /// The custom section of the component.
    Section,
}

impl RequestOrigin {
    /// A word for lists and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::Section => "section",
        }
    }
}

/// A policy that the author of a component asks for.
#[derive(Clone, Debug)]
pub struct Requested {
    /// Where it was found.
    pub origin: RequestOrigin,
    /// The text as found; a third party's.
    pub text: String,
    /// What it means, or why it means nothing.
    pub policy: Result<Policy, PolicyError>,
}

impl Requested {
    fn new(origin: RequestOrigin, text: &str) -> Self {
        Self {
            origin,
            text: text.to_owned(),
            policy: Policy::parse(text),
        }
    }
}

/// Everything that is asked for with a component: what its artifact's policy `layer` says, then its own section.
///
/// One that does not parse is there with its error. Two that differ are both there: it is for a person to choose.
#[must_use]
pub fn of(inspected: &InspectedComponent, layer: Option<&str>) -> Vec<Requested> {
    let layer = layer.map(|text| Requested::new(RequestOrigin::Layer, text));
    let section = inspected.permission_section();
    let section = section.map(|text| Requested::new(RequestOrigin::Section, text));
    layer.into_iter().chain(section).collect()
}

#[cfg(test)]
mod tests;
