//! The person's signing key, and its password.

use crate::ask::Person;
use crate::environment;
use crate::error::CommandError;
use crate::settings::Settings;
use casemate_artifact::{KeyError, SigningKey, TrustError};
use std::path::Path;

/// Reads a signing key; its password comes from the environment, or from the person where the key asks for one.
pub(crate) fn key(settings: &Settings, file: &Path) -> Result<SigningKey, CommandError> {
    let path = settings.base.join(file);
    let password = environment::key_password();
    match SigningKey::read(&path, password.as_deref()) {
        Err(TrustError::Key {
            source: KeyError::PasswordNeeded,
            path,
        }) => {
            let question = format!("Password of {}: ", path.display());
            let asked = Person::present().and_then(|person| person.secret(&question));
            Ok(SigningKey::read(&path, asked.as_deref())?)
        }
        read => Ok(read?),
    }
}

/// The password for a new key: from the environment, or asked twice; `None` where nobody gives one.
pub(crate) fn new_password() -> Result<Option<String>, CommandError> {
    if let Some(password) = environment::key_password() {
        return Ok(Some(password));
    }
    let Some(person) = Person::present() else {
        return Ok(None);
    };
    let unread = || CommandError::failed("the password could not be read; no key was made");
    let first = person
        .secret("Password of the new key, empty for none: ")
        .ok_or_else(unread)?;
    if first.is_empty() {
        return Ok(None);
    }
    let second = person.secret("The same again: ").ok_or_else(unread)?;
    match first == second {
        true => Ok(Some(first)),
        false => Err(CommandError::usage(
            "the two passwords differ; no key was made",
        )),
    }
}
