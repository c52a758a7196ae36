//! Docker's `config.json` and Podman's `auth.json`, behind Casemate's own file.

use std::path::{Path, PathBuf};

use super::file::{Owner, read};
use super::helper::Helpers;
use super::key::RegistryKey;
use super::{CredentialFileError, OwnCredentials};
use crate::home::Home;
use crate::sources::{CredentialError, Credentials, Login};

/// Everywhere that a person may have logged in, in the order in which it is asked.
#[derive(Clone, Debug)]
pub struct CredentialSources {
    own: OwnCredentials,
    others: Vec<PathBuf>,
    helpers: Helpers,
}

impl CredentialSources {
    /// Casemate's own credentials, and nothing of others.
    pub fn new(home: &Home) -> CredentialSources {
        CredentialSources {
            own: OwnCredentials::new(home),
            others: Vec::new(),
            helpers: Helpers::none(),
        }
    }

    /// Asks these files of Docker and Podman after the own one, in this order; absent ones are
    /// passed over.
    #[must_use]
    pub fn with_files(mut self, files: impl IntoIterator<Item = PathBuf>) -> CredentialSources {
        self.others.extend(files);
        self
    }

    /// Runs the programs that those files name.
    #[must_use]
    pub fn with_helpers(mut self, helpers: Helpers) -> CredentialSources {
        self.helpers = helpers;
        self
    }

    /// What one file knows, by itself or through a program that it names.
    fn in_file(
        &self,
        path: &Path,
        place: &RegistryKey<'_>,
    ) -> Result<Option<Login>, CredentialFileError> {
        let Some(config) = read(path, Owner::Other)? else {
            return Ok(None);
        };
        // One for this registry goes before the one for all, and both before the file itself:
        // so does Docker.
        let named = place.find(&config.cred_helpers);
        let name = named.map_or(config.creds_store.as_str(), |(_, name)| name);
        if !name.is_empty()
            && let Some(login) = self.helpers.ask(path, name, place.server())?
        {
            return Ok(Some(login));
        }
        let Some((key, Some(entry))) = place.find(&config.auths) else {
            return Ok(None);
        };
        entry.login().map_err(|why| CredentialFileError::Unusable {
            path: path.to_owned(),
            registry: key.to_owned(),
            why,
        })
    }

    /// What a person logged in with at a registry, `host[:port]`, or at a repository in it,
    /// `host[:port]/path`; `None` where nobody knows it.
    ///
    /// May wait for a program, 10 s at most for each file.
    pub fn find(&self, place: &str) -> Result<Option<Login>, CredentialFileError> {
        let Some(key) = RegistryKey::parse(place) else {
            return Err(CredentialFileError::RegistryName {
                registry: place.chars().take(128).collect(),
            });
        };
        if let Some(login) = self.own.of(place)? {
            return Ok(Some(login));
        }
        for path in &self.others {
            if let Some(login) = self.in_file(path, &key)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

impl Credentials for CredentialSources {
    fn of(&self, registry: &str) -> Result<Option<Login>, CredentialError> {
        Ok(self.find(registry)?)
    }

    fn of_repository(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialError> {
        Ok(self.find(&format!("{registry}/{repository}"))?)
    }
}
