//! `oci://registry[:port]/repository[:tag][@digest]`, in its one spelling.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use casemate_policy::{ComponentName, Digest, HttpHost, lookup_name};

/// Longest registry and repository together, in bytes (OCI distribution spec, "Pulling manifests").
const MAX_NAME_BYTES: usize = 255;
/// Longest tag, in bytes (OCI distribution spec, "Pulling manifests").
const MAX_TAG_BYTES: usize = 128;
/// The port that a registry has where none is written.
const HTTPS_PORT: u16 = 443;

/// Why a text is not a reference to an artifact in a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OciReferenceError {
    /// It is not `oci://` and something.
    #[error("a reference to a registry is written oci://REGISTRY/REPOSITORY:TAG")]
    Form,
    /// There is a user name, a query, a fragment, white space or a percent sign.
    #[error("it holds {0:?}, which no registry, repository or tag has")]
    Character(char),
    /// The first part is no host.
    #[error("{text:?} is no registry: {why}")]
    Registry {
        /// The part before the first `/`.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The middle part is no repository.
    #[error("{text:?} is no repository: {why}")]
    Repository {
        /// The part between the registry and the tag.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What follows `:` is no tag.
    #[error(
        "{0:?} is no tag: it has 1 to 128 letters, digits, '_', '.' and '-', and does not begin with '.' or '-'"
    )]
    Tag(String),
    /// What follows `@` is no digest.
    #[error("{0:?} is no digest: sha256: and 64 lower-case hexadecimal digits follow @")]
    Digest(String),
}

/// A registry: a host and, where it is not the usual one, a port.
///
/// Displays as `host[:port]`, an IPv6 address in brackets. There is one spelling for each: names are
/// in lower-case A-labels, and port 443 is left out unless the host is a loopback one (which may
/// speak plain HTTP, where 443 is not the usual port).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    host: HttpHost,
    port: Option<u16>,
}

impl Registry {
    /// The host.
    pub fn host(&self) -> &HttpHost {
        &self.host
    }

    /// The port, where it is not the usual one of the scheme that the registry is spoken to with.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is on this machine: a loopback address, or `localhost`.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host is this machine, by its spelling alone.
pub(crate) fn is_loopback(host: &HttpHost) -> bool {
    match host {
        HttpHost::Name(name) => name == "localhost",
        HttpHost::Address(address) => address.is_loopback(),
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.host)?;
        match self.port {
            Some(port) => write!(formatter, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Registry {
    type Err = OciReferenceError;

    /// Reads `host[:port]`. A host without a dot and without a port is refused unless it is
    /// `localhost`: whoever writes `oci://acme/tool` left out the registry.
    fn from_str(text: &str) -> Result<Self, OciReferenceError> {
        let refuse = |why: String| OciReferenceError::Registry {
            text: text.to_owned(),
            why,
        };
        let (host_text, port) = split_port(text).map_err(|why| refuse(why.to_owned()))?;
        let host = match bracketed(host_text) {
            Some(inner) => match inner.parse::<IpAddr>() {
                Ok(IpAddr::V6(_)) => lookup_name(inner),
                _ => return Err(refuse("only an IPv6 address stands in brackets".to_owned())),
            },
            None => lookup_name(host_text),
        }
        .map_err(|_| refuse("that is no host name and no address".to_owned()))?;
        if host.to_string() != host_text {
            return Err(refuse(format!("it has one spelling, {host}")));
        }
        if let HttpHost::Name(name) = &host
            && port.is_none()
            && name != "localhost"
            && !name.contains('.')
        {
            return Err(refuse(
                "there is no default registry, and that names none".to_owned(),
            ));
        }
        let port = port.filter(|port| *port != HTTPS_PORT || is_loopback(&host));
        Ok(Self { host, port })
    }
}

fn bracketed(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

/// Splits a port off; the colons of an IPv6 address are inside brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        None => return Ok((text, None)),
        Some((_, port)) if port.ends_with(']') => return Ok((text, None)),
        Some(parts) => parts,
    };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number != 0 && !port.starts_with('0') => Ok((host, Some(number))),
        _ => Err("a port is a number from 1 to 65535"),
    }
}

/// An artifact in a registry.
///
/// Displays as `oci://registry[:port]/repository[:tag][@sha256:…]`, which is its identity: nothing
/// in it is replaced, shortened or left out, so that two texts that differ in a registry, a
/// character of a repository, a tag or a digest stay two. Where neither tag nor digest was written
/// the tag is `latest`, and is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OciReference {
    registry: Registry,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl OciReference {
    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The repository within it, such as `acme/tools/search`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` where only a digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of a manifest, which counts more than the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry[:port]/repository`: the text that rules of trust match.
    pub fn repository_name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The name that a component gets where none is given: the last part of the repository with
    /// `_` and `.` as `-`. `None` where that is no name, such as one that begins with a digit.
    pub fn component_name(&self) -> Option<ComponentName> {
        let last = self.repository.rsplit('/').next()?;
        last.replace(['_', '.'], "-").parse().ok()
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for OciReference {
    type Err = OciReferenceError;

    fn from_str(text: &str) -> Result<Self, OciReferenceError> {
        let rest = text.strip_prefix("oci://").ok_or(OciReferenceError::Form)?;
        let (registry_text, path) = rest.split_once('/').ok_or(OciReferenceError::Form)?;
        if let Some(foreign) = rest
            .chars()
            .find(|character| character.is_whitespace() || "?#%\\".contains(*character))
        {
            return Err(OciReferenceError::Character(foreign));
        }
        if registry_text.contains('@') {
            return Err(OciReferenceError::Character('@'));
        }
        let registry: Registry = registry_text.parse()?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => {
                let parsed = digest
                    .parse()
                    .map_err(|_| OciReferenceError::Digest(digest.to_owned()))?;
                (path, Some(parsed))
            }
            None => (path, None),
        };
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some((_, tag)) => return Err(OciReferenceError::Tag(tag.to_owned())),
            None => (path, None),
        };
        check_repository(repository, registry_text.len())?;
        Ok(Self {
            registry,
            repository: repository.to_owned(),
            tag: tag.or_else(|| digest.is_none().then(|| "latest".to_owned())),
            digest,
        })
    }
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= MAX_TAG_BYTES
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}

/// The grammar of the OCI distribution spec: parts of lower-case letters and digits, with one `.`,
/// one or two `_`, or any number of `-` between them.
fn check_repository(text: &str, registry: usize) -> Result<(), OciReferenceError> {
    let refuse = |why| {
        Err(OciReferenceError::Repository {
            text: text.to_owned(),
            why,
        })
    };
    if text.is_empty() {
        return refuse("it is empty");
    }
    if registry + 1 + text.len() > MAX_NAME_BYTES {
        return refuse("with its registry it is longer than 255 characters");
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return refuse("it has capital letters");
    }
    if !text.split('/').all(is_repository_part) {
        return refuse(
            "its parts are lower-case letters and digits, with '.', '_', '__' or '-' between them",
        );
    }
    Ok(())
}

fn is_repository_part(part: &str) -> bool {
    let separators = part.split(|byte: char| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let between = |separator: &str| {
        matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
    };
    let at_end = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    at_end(part.bytes().next())
        && at_end(part.bytes().last())
        && separators.into_iter().all(between)
}
