//! `https://host[:port]/path[#sha256:…]`: one file behind a URL.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use casemate_policy::{ComponentName, Digest, HttpHost, lookup_name};
use url::{Host, Url};

/// Why a text is not a reference to a file behind a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsReferenceError {
    /// It is no URL.
    #[error("it is no URL: {0}")]
    Url(String),
    /// The scheme is `http`.
    #[error("what comes over plain HTTP can be changed by everybody on the way")]
    PlainHttp,
    /// There is a user name or a password in it.
    #[error("a user name or password does not belong into a reference")]
    UserInfo,
    /// The host is not one, or not in its usual spelling.
    #[error("{0:?} is no host in its usual spelling")]
    Host(String),
    /// What follows `#` is no digest.
    #[error("{0:?} is no digest: sha256: and 64 lower-case hexadecimal digits follow #")]
    Digest(String),
}

/// A file that a server gives out over HTTPS, and the digest that it must have if one is written.
///
/// Displays as the URL in its normal form (URL standard: host in lower case, no default port, dot
/// segments resolved) and, behind `#`, the digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpsReference {
    url: Url,
    host: HttpHost,
    digest: Option<Digest>,
}

impl HttpsReference {
    /// The URL, without the digest.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The host.
    pub fn host(&self) -> &HttpHost {
        &self.host
    }

    /// The digest that the bytes must have.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `host[:port]/path`: the text that rules of trust match. A query is no part of it.
    pub fn place(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}{}", self.host, self.url.path()),
            None => format!("{}{}", self.host, self.url.path()),
        }
    }

    /// The name that a component gets where none is given: the last part of the path without its
    /// ending, in lower case, with `-` for every other character. `None` where that is no name.
    pub fn component_name(&self) -> Option<ComponentName> {
        let last = self.url.path_segments()?.next_back()?;
        ComponentName::after(&Path::new(last).file_stem()?.to_string_lossy())
    }
}

impl fmt::Display for HttpsReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url.as_str())?;
        match &self.digest {
            Some(digest) => write!(formatter, "#{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for HttpsReference {
    type Err = HttpsReferenceError;

    fn from_str(text: &str) -> Result<Self, HttpsReferenceError> {
        let mut url =
            Url::parse(text).map_err(|error| HttpsReferenceError::Url(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" => return Err(HttpsReferenceError::PlainHttp),
            other => return Err(HttpsReferenceError::Url(format!("its scheme is {other}"))),
        }
        let digest = match url.fragment() {
            None => None,
            Some(fragment) => Some(
                fragment
                    .parse()
                    .map_err(|_| HttpsReferenceError::Digest(fragment.to_owned()))?,
            ),
        };
        url.set_fragment(None);
        let host = host_of(&url)?;
        Ok(Self { url, host, digest })
    }
}

/// The host of a URL that may be connected to: no user name, and a host that a rule can name.
pub(crate) fn host_of(url: &Url) -> Result<HttpHost, HttpsReferenceError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(HttpsReferenceError::UserInfo);
    }
    let text = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        None => String::new(),
    };
    lookup_name(&text).map_err(|_| HttpsReferenceError::Host(text))
}
