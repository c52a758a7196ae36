//! Casemate's own file: `DATA/secrets/registries.json`, 0600 in a directory of 0700.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use serde::Serialize;
use zeroize::Zeroizing;

use super::CredentialFileError;
use super::file::{BASE64, Owner, read, refuse_open_directory};
use super::key::RegistryKey;
use crate::atomic::write_atomic;
use crate::guard::{GuardError, WriteGuard};
use crate::home::{Home, create_directory};
use crate::sources::Login;

/// What `casemate login` keeps. It has the shape of `auths` in Docker's `config.json`.
#[derive(Clone, Debug)]
pub struct OwnCredentials {
    home: Home,
}

/// An entry as it is written.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Kept {
    Auth(Zeroizing<String>),
    IdentityToken(Zeroizing<String>),
}

#[derive(Serialize)]
struct Written<'a> {
    auths: &'a BTreeMap<String, Kept>,
}

impl Kept {
    fn of(login: &Login) -> Kept {
        match login {
            Login::Basic { user, secret } => {
                let text = Zeroizing::new(format!("{user}:{secret}"));
                Kept::Auth(Zeroizing::new(BASE64.encode(text.as_bytes())))
            }
            Login::IdentityToken(secret) => Kept::IdentityToken(Zeroizing::new(secret.clone())),
        }
    }
}

impl OwnCredentials {
    /// Those of a home. Nothing is read or made yet.
    pub fn new(home: &Home) -> OwnCredentials {
        OwnCredentials { home: home.clone() }
    }

    /// The file.
    pub fn file(&self) -> PathBuf {
        self.home.registries_file()
    }

    /// What is kept for a registry, `host[:port]`.
    pub fn of(&self, registry: &str) -> Result<Option<Login>, CredentialFileError> {
        let place = place(registry)?;
        Ok(self.all()?.remove(&place.own_key()))
    }

    /// Keeps a login for a registry, `host[:port]`, in the place of an earlier one.
    pub fn keep(&self, registry: &str, login: &Login) -> Result<(), CredentialFileError> {
        let place = place(registry)?;
        self.change(|logins| {
            logins.insert(place.own_key(), login.clone());
            true
        })
        .map(|_| ())
    }

    /// Forgets what is kept for a registry; says whether there was anything.
    pub fn forget(&self, registry: &str) -> Result<bool, CredentialFileError> {
        let place = place(registry)?;
        if !self.file().exists() {
            return Ok(false);
        }
        self.change(|logins| logins.remove(&place.own_key()).is_some())
    }

    fn all(&self) -> Result<BTreeMap<String, Login>, CredentialFileError> {
        let path = self.file();
        let Some(config) = read(&path, Owner::Casemate)? else {
            return Ok(BTreeMap::new());
        };
        let mut logins = BTreeMap::new();
        for (registry, entry) in config.auths {
            let login = entry.unwrap_or_default().login();
            match login {
                Ok(Some(login)) => {
                    logins.insert(registry, login);
                }
                Ok(None) => {}
                Err(why) => {
                    return Err(CredentialFileError::Unusable {
                        path,
                        registry,
                        why,
                    });
                }
            }
        }
        Ok(logins)
    }

    /// Writes the file anew if `change` says that it changed something.
    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Login>) -> bool,
    ) -> Result<bool, CredentialFileError> {
        let _guard = WriteGuard::acquire(&self.home)?;
        let mut logins = self.all()?;
        if !change(&mut logins) {
            return Ok(false);
        }
        let directory = self.home.secrets_dir();
        create_directory(&directory).map_err(|error| {
            let (path, source) = error.into_parts();
            CredentialFileError::Io {
                action: "create",
                path,
                source,
            }
        })?;
        refuse_open_directory(&directory)?;
        let kept = logins
            .iter()
            .map(|(registry, login)| (registry.clone(), Kept::of(login)))
            .collect();
        let path = self.file();
        let written = Written { auths: &kept };
        serde_json::to_vec_pretty(&written)
            .map_err(std::io::Error::from)
            .map(Zeroizing::new)
            .and_then(|bytes| write_atomic(&path, &bytes, 0o600))
            .map_err(|source| CredentialFileError::Io {
                action: "write",
                path,
                source,
            })?;
        Ok(true)
    }
}

fn place(registry: &str) -> Result<RegistryKey<'_>, CredentialFileError> {
    RegistryKey::parse(registry).ok_or_else(|| CredentialFileError::RegistryName {
        registry: registry.chars().take(128).collect(),
    })
}

impl From<GuardError> for CredentialFileError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Busy { path, waited } => CredentialFileError::Busy { path, waited },
            GuardError::NotRegular { path, kind } => CredentialFileError::NotRegular { path, kind },
            GuardError::Io {
                action,
                path,
                source,
            } => CredentialFileError::Io {
                action,
                path,
                source,
            },
        }
    }
}
