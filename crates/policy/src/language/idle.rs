//! Entries of tools that allow nothing, since the component has nothing of it.

use super::breadth::{named, warning};
use super::{NetworkRule, Permissions, StorageRule};
use crate::error::{Located, Warning};
use crate::pattern::PathPattern;

/// Warns of each entry in an allow list of a tool that plainly has nothing in common with any of the component's.
pub(super) fn check(permissions: &Permissions) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for tool in &permissions.tools {
        let (own, name) = (&tool.permissions, &tool.name.value);
        let mut warn = |place, what: String| {
            let message = format!(
                "tools.{name}: {what}: the component has no rule for it, and a tool gets nothing that the component has not"
            );
            warnings.push(warning(place, message));
        };
        let idle = idle(&own.storage.allow, &permissions.storage.allow, shares_files);
        for rule in idle {
            warn(rule.place, format!("storage {}", rule.value));
        }
        let idle = self::idle(&own.network.allow, &permissions.network.allow, shares_peers);
        for rule in idle {
            warn(rule.place, format!("network {}", rule.value));
        }
        let (variables, component) = (&own.environment.allow, &permissions.environment.allow);
        for rule in self::idle(variables, component, |own, other| own.key == other.key) {
            warn(rule.place, format!("environment {}", rule.value));
        }
    }
    warnings
}

/// Returns the entries that share nothing with any of the component's.
fn idle<'r, T>(
    own: &'r [Located<T>],
    component: &'r [Located<T>],
    shares: impl Fn(&T, &T) -> bool + 'r,
) -> impl Iterator<Item = &'r Located<T>> {
    own.iter().filter(move |rule| {
        let mut component = component.iter();
        !component.any(|other| shares(&rule.value, &other.value))
    })
}

/// Tells whether something may fit both; patterns with a `*` before their end may fit anything in their place.
fn shares_files(own: &StorageRule, other: &StorageRule) -> bool {
    let patterns = [own, other].map(|rule| matches!(rule.uri.pattern, PathPattern::Glob(_)));
    let overlap = own.uri.covers(&other.uri) || other.uri.covers(&own.uri);
    let place = own.uri.anchor == other.uri.anchor;
    !own.access.intersection(other.access).is_none()
        && place
        && (overlap || patterns.contains(&true))
}

/// Tells whether a request, or a raw connection, may fit both.
fn shares_peers(own: &NetworkRule, other: &NetworkRule) -> bool {
    if own.tcp.is_some() || other.tcp.is_some() {
        return own.tcp == other.tcp;
    }
    match (named(own), named(other)) {
        (Some((_, own)), Some((_, other))) => own.covers(other) || other.covers(own),
        // What a range has in common with a host or another range takes addresses to tell.
        (None, _) | (_, None) => true,
    }
}
