//! Reading a file of credentials, in the shape of Docker's `config.json`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{CredentialFileError, MAX_CREDENTIAL_BYTES, Secret, basic, token};
use crate::atomic::{directory_of, foreign_owner, world_writable};
use crate::read::{Links, ReadError, read_regular};
use crate::sources::Login;

/// Base64 as Docker and Podman write it; hands sometimes leave the padding out.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whose file it is, which decides how closed it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Only Casemate writes it: nobody else may even read it, and no link leads there.
    Casemate,
    /// Docker's or Podman's: nobody else may change it.
    Other,
}

/// What Casemate takes from such a file. Everything else in it is somebody else's.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(deserialize_with = "or_default")]
    pub(super) auths: BTreeMap<String, Option<Entry>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) cred_helpers: BTreeMap<String, String>,
    /// The program for all registries; empty where there is none.
    #[serde(deserialize_with = "or_default")]
    pub(super) creds_store: String,
}

/// Programs in Go write `null` for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// What is kept for one registry.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    auth: Option<Secret>,
    identitytoken: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
}

impl Entry {
    /// The login; `None` for the empty entry that Docker leaves where a helper has the secret.
    pub(super) fn login(&self) -> Result<Option<Login>, &'static str> {
        if let Some(secret) = said(self.identitytoken.as_ref()) {
            return token(secret).map(Some);
        }
        if let Some(auth) = said(self.auth.as_ref()) {
            return decode(auth).map(Some);
        }
        match (&self.username, said(self.password.as_ref())) {
            (Some(user), Some(secret)) => basic(user.clone(), secret).map(Some),
            _ => Ok(None),
        }
    }
}

/// `base64(user:password)`, as in `auth`.
fn decode(auth: &Secret) -> Result<Login, &'static str> {
    let bytes = BASE64
        .decode(auth.expose().trim())
        .map(Zeroizing::new)
        .map_err(|_| "auth is not base64")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "auth is not text")?;
    let (user, secret) = text
        .split_once(':')
        .ok_or("auth is not of the form user:password")?;
    // Old versions of Docker padded with NUL.
    basic(
        user.to_owned(),
        &Secret::new(secret.trim_end_matches('\0').to_owned()),
    )
}

/// A secret that is one.
fn said(secret: Option<&Secret>) -> Option<&Secret> {
    secret.filter(|secret| !secret.expose().is_empty())
}

/// Reads the file; `None` when nothing at all has the name.
pub(super) fn read(path: &Path, owner: Owner) -> Result<Option<Config>, CredentialFileError> {
    let Some(bytes) = bytes(path, owner)? else {
        return Ok(None);
    };
    // An empty file is what `docker logout` of long ago and `touch` leave.
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Some(Config::default()));
    }
    // serde takes an array for a struct, and this one for an empty file.
    let parsed = match bytes.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(&bytes),
        _ => Err(serde::de::Error::custom("no object")),
    };
    // The message may quote what was read.
    parsed
        .map(Some)
        .map_err(|error: serde_json::Error| CredentialFileError::Malformed {
            path: path.to_owned(),
            line: error.line().max(1),
            column: error.column().max(1),
            what: match error.classify() {
                serde_json::error::Category::Data => "this is not what Docker's config.json has",
                _ => "this is not JSON",
            },
        })
}

fn bytes(path: &Path, owner: Owner) -> Result<Option<Zeroizing<Vec<u8>>>, CredentialFileError> {
    let at = || path.to_owned();
    let links = match owner {
        Owner::Casemate => Links::Refuse,
        Owner::Other => Links::Follow,
    };
    let file = match read_regular(path, MAX_CREDENTIAL_BYTES, links) {
        Ok(file) => file,
        Err(ReadError::Missing) => return Ok(None),
        Err(ReadError::NotRegular(kind)) => {
            return Err(CredentialFileError::NotRegular { path: at(), kind });
        }
        Err(ReadError::TooLarge { .. }) => {
            return Err(CredentialFileError::TooLarge {
                path: at(),
                limit: MAX_CREDENTIAL_BYTES,
            });
        }
        Err(ReadError::Io(source)) => {
            return Err(CredentialFileError::Io {
                action: "read",
                path: at(),
                source,
            });
        }
    };
    let bytes = Zeroizing::new(file.bytes);
    if let Some(owner) = foreign_owner(&file.metadata) {
        return Err(CredentialFileError::ForeignOwner { path: at(), owner });
    }
    match owner {
        Owner::Casemate => {
            refuse_open(path, &file.metadata)?;
            refuse_open_directory(directory_of(path))?;
        }
        Owner::Other => {
            if let Some(mode) = world_writable(&file.metadata) {
                return Err(CredentialFileError::WorldWritable { path: at(), mode });
            }
        }
    }
    Ok(Some(bytes))
}

/// Refuses a directory of Casemate's own into which others can look.
pub(super) fn refuse_open_directory(directory: &Path) -> Result<(), CredentialFileError> {
    let metadata =
        std::fs::symlink_metadata(directory).map_err(|source| CredentialFileError::Io {
            action: "look at",
            path: directory.to_owned(),
            source,
        })?;
    if let Some(owner) = foreign_owner(&metadata) {
        return Err(CredentialFileError::ForeignOwner {
            path: directory.to_owned(),
            owner,
        });
    }
    refuse_open(directory, &metadata)
}

fn refuse_open(path: &Path, metadata: &std::fs::Metadata) -> Result<(), CredentialFileError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(CredentialFileError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}
