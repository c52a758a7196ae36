//! Whether a login is one: the registry is asked.

use http::StatusCode;

use crate::oci::session::{Access, Session};
use crate::reference::Registry;
use crate::remote::RemoteError;
use crate::sources::Sources;
use crate::wire::{Ask, wait};

/// What a registry makes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginCheck {
    /// It asked for one and took this one.
    Accepted,
    /// It asked for none, so whether this one is right is not known.
    NotAsked,
}

/// Asks a registry whether it takes the login that `sources` has for it (OCI distribution spec 1.1,
/// "Determining Support": `GET /v2/`).
///
/// Blocking.
///
/// # Errors
///
/// Fails with [`RemoteError::Unauthorized`] when it does not, and when there is no answer.
pub fn check_login(sources: &Sources, registry: &Registry) -> Result<LoginCheck, RemoteError> {
    wait(&sources.deadlines, &registry.to_string(), || async {
        let mut session = Session::with(sources, registry, "", Access::Pull)?;
        let url = session.at("/v2/")?;
        let answer = session.ask(Ask::get(url)).await?;
        match (answer.status, session.was_logged_in()) {
            (StatusCode::OK, true) => Ok(LoginCheck::Accepted),
            (StatusCode::OK, false) => Ok(LoginCheck::NotAsked),
            _ => Err(answer
                .refusal("the start page of a registry", session.wire.deadlines)
                .await),
        }
    })
}
