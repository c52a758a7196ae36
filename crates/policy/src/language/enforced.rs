//! Refuses what this release does not enforce, so that no rule is accepted and ignored.
//!
//! A later release that enforces a kind removes its lines here and nothing else.

use super::{EnvironmentSource, Permissions};
use crate::error::{Located, Place, PolicyError, PolicyErrorKind};

pub(super) fn check(permissions: &Permissions) -> Result<(), PolicyError> {
    let mut refused: Vec<(Place, String)> = Vec::new();
    kinds(permissions, &mut refused);
    for tool in &permissions.tools {
        kinds(&tool.permissions, &mut refused);
    }
    // The first in the file, so that a person can work from the top down.
    if let Some((place, what)) = refused.into_iter().min_by_key(|(place, _)| *place) {
        return Err(PolicyError::new(
            PolicyErrorKind::NotEnforced,
            place,
            format!("{what} is not enforced yet, and a rule that is not enforced is refused rather than ignored"),
        )
        .hint("remove it, or wait for the release that enforces it"));
    }
    Ok(())
}

fn kinds(permissions: &Permissions, refused: &mut Vec<(Place, String)>) {
    network(permissions, refused);
    for rule in &permissions.environment.allow {
        if let EnvironmentSource::Secret(secret) = &rule.value.source {
            refused.push((
                secret.place,
                "the secret of an environment entry".to_owned(),
            ));
        }
    }
}

fn network(permissions: &Permissions, refused: &mut Vec<(Place, String)>) {
    for Located { value: rule, .. } in permissions
        .network
        .allow
        .iter()
        .chain(&permissions.network.deny)
    {
        if let Some(headers) = &rule.headers {
            refused.push((headers.place, "the headers of a network entry".to_owned()));
        }
    }
}
