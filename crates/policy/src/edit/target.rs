//! A network permission as a person types it.

use super::EditError;
use crate::error::{Located, Place, Refusal};
use crate::http::{HttpScheme, parse_port};
use crate::language::{NetworkRule, TcpTarget};
use crate::pattern::HostPattern;

/// Requests to a host, or raw connections to a host and port.
pub(super) enum Target {
    /// `HOST`, `HOST:PORT`, `http://HOST` or `http://HOST:PORT`, also with `https://`.
    Requests {
        host: HostPattern,
        scheme: Option<HttpScheme>,
        port: Option<u16>,
    },
    /// `tcp://HOST:PORT`.
    Raw(TcpTarget),
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, EditError> {
        if let Some(target) = text.strip_prefix("tcp://") {
            return Ok(Self::Raw(TcpTarget::parse(target)?));
        }
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let scheme = HttpScheme::parse(scheme).ok_or_else(|| {
                    Refusal::new(format!("{text:?} is neither http nor https nor tcp"))
                        .hint("write HOST[:PORT], http://HOST[:PORT], or tcp://HOST:PORT")
                })?;
                (Some(scheme), rest)
            }
            None => (None, text),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(Refusal::new(format!(
                "{text:?} has a path, and this is for all paths of a host"
            ))
            .hint("write HOST[:PORT], or http://HOST[:PORT]; for some paths, write paths: [\"/v1/**\"] into the policy file")
            .into());
        }
        let (host, port) = split(authority);
        let port = port
            .map(|port| {
                parse_port(port)
                    .ok_or_else(|| Refusal::new(format!("{port:?} is not a port from 1 to 65535")))
            })
            .transpose()?;
        let host = HostPattern::parse(host)?;
        Ok(Self::Requests { host, scheme, port })
    }

    pub(super) fn host(&self) -> &HostPattern {
        match self {
            Self::Requests { host, .. } => host,
            Self::Raw(target) => &target.host,
        }
    }

    /// Returns the entry that allows it: keys where they are not what an entry without them means.
    pub(super) fn allowing(&self) -> NetworkRule {
        match self {
            Self::Requests { host, scheme, port } => {
                let (scheme, port) = way(*scheme, *port);
                requests(
                    host,
                    (scheme != HttpScheme::Https).then_some(scheme),
                    (port != scheme.default_port()).then_some(port),
                )
            }
            Self::Raw(target) => raw(target),
        }
    }

    /// Returns the entry that denies it: what was not typed is denied whatever it is.
    pub(super) fn denying(&self) -> NetworkRule {
        match self {
            Self::Requests { host, scheme, port } => requests(host, *scheme, *port),
            Self::Raw(target) => raw(target),
        }
    }

    /// Returns the entry that denies what [`Target::allowing`] allows, and no more.
    pub(super) fn opposing(&self) -> NetworkRule {
        match self {
            Self::Requests { host, scheme, port } => {
                let (scheme, port) = way(*scheme, *port);
                requests(host, Some(scheme), Some(port))
            }
            Self::Raw(target) => raw(target),
        }
    }
}

fn way(scheme: Option<HttpScheme>, port: Option<u16>) -> (HttpScheme, u16) {
    let scheme = scheme.unwrap_or(HttpScheme::Https);
    (scheme, port.unwrap_or(scheme.default_port()))
}

fn raw(target: &TcpTarget) -> NetworkRule {
    NetworkRule {
        tcp: Some(Located::new(target.clone(), Place::START)),
        ..NetworkRule::default()
    }
}

fn requests(host: &HostPattern, scheme: Option<HttpScheme>, port: Option<u16>) -> NetworkRule {
    fn listed<T>(item: Option<T>) -> Option<Located<Vec<T>>> {
        Some(Located::new(vec![item?], Place::START))
    }
    NetworkRule {
        host: Some(Located::new(host.clone(), Place::START)),
        schemes: listed(scheme),
        ports: listed(port),
        ..NetworkRule::default()
    }
}

/// Takes a port off the end. An IPv6 address may stand without brackets; then it has no port.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}
