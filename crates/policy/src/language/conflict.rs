//! Entries that contradict each other within one file.

use std::collections::BTreeMap;

use super::{Document, EnvironmentSource, Permissions, StorageRule};
use crate::error::{Located, Place, PolicyError, PolicyErrorKind};
use crate::pattern::Anchor;

pub(super) fn check(document: &Document) -> Result<(), PolicyError> {
    let permissions = &document.permissions;
    check_places(permissions)?;
    for scope in
        std::iter::once(permissions).chain(permissions.tools.iter().map(|tool| &tool.permissions))
    {
        check_environment(scope)?;
    }
    Ok(())
}

/// A guest sees `fs://srv/…` and `fs:///srv/…` under one path, so a file may speak only of one of them.
fn check_places(permissions: &Permissions) -> Result<(), PolicyError> {
    let scopes =
        std::iter::once(permissions).chain(permissions.tools.iter().map(|tool| &tool.permissions));
    let rules = scopes.flat_map(|scope| scope.storage.allow.iter().chain(&scope.storage.deny));
    let mut seen: BTreeMap<String, (&Anchor, Place)> = BTreeMap::new();
    for Located { value: rule, place } in rules {
        let Some(first) = first_segment(rule) else {
            continue;
        };
        let (anchor, other) = *seen
            .entry(first.clone())
            .or_insert((&rule.uri.anchor, *place));
        if *anchor != rule.uri.anchor {
            return Err(PolicyError::new(
                PolicyErrorKind::Conflict,
                *place,
                format!(
                    "{} and the entry in line {} are two places that the guest would see under the same path /{first}",
                    rule.uri, other.line
                ),
            )
            .hint(format!("give the named root another name than {first:?}")));
        }
    }
    Ok(())
}

fn first_segment(rule: &StorageRule) -> Option<String> {
    let base = rule.uri.pattern.base();
    base.components().next().map(str::to_owned)
}

/// With two values for one key the order of entries would decide, and it must not.
fn check_environment(permissions: &Permissions) -> Result<(), PolicyError> {
    let mut seen: BTreeMap<&str, (&EnvironmentSource, Place)> = BTreeMap::new();
    for Located { value: rule, place } in &permissions.environment.allow {
        let (source, other) = *seen.entry(&rule.key).or_insert((&rule.source, *place));
        if *source != rule.source {
            return Err(PolicyError::new(
                PolicyErrorKind::Conflict,
                *place,
                format!("{:?} has another value in line {}", rule.key, other.line),
            )
            .hint("keep one of the two entries"));
        }
    }
    Ok(())
}
