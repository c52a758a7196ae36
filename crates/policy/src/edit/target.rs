//! A network permission as a person types it.

use super::EditError;
use crate::error::{Located, Place, Refusal};
use crate::http::{HttpScheme, parse_port};
use crate::language::NetworkRule;
use crate::pattern::HostPattern;

/// `HOST`, `HOST:PORT`, `http://HOST` or `http://HOST:PORT`, also with `https://`.
pub(super) struct Target {
    host: HostPattern,
    scheme: Option<HttpScheme>,
    port: Option<u16>,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, EditError> {
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let scheme = HttpScheme::parse(scheme).ok_or_else(|| {
                    Refusal::new(format!("{text:?} is neither http nor https"))
                        .hint("write HOST[:PORT], or http://HOST[:PORT]")
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
        Ok(Self { host, scheme, port })
    }

    pub(super) fn host(&self) -> &HostPattern {
        &self.host
    }

    fn way(&self) -> (HttpScheme, u16) {
        let scheme = self.scheme.unwrap_or(HttpScheme::Https);
        (scheme, self.port.unwrap_or(scheme.default_port()))
    }

    /// Returns the entry that allows it: keys where they are not what an entry without them means.
    pub(super) fn allowing(&self) -> NetworkRule {
        let (scheme, port) = self.way();
        self.rule(
            (scheme != HttpScheme::Https).then_some(scheme),
            (port != scheme.default_port()).then_some(port),
        )
    }

    /// Returns the entry that denies it: what was not typed is denied whatever it is.
    pub(super) fn denying(&self) -> NetworkRule {
        self.rule(self.scheme, self.port)
    }

    /// Returns the entry that denies what [`Target::allowing`] allows, and no more.
    pub(super) fn opposing(&self) -> NetworkRule {
        let (scheme, port) = self.way();
        self.rule(Some(scheme), Some(port))
    }

    fn rule(&self, scheme: Option<HttpScheme>, port: Option<u16>) -> NetworkRule {
        fn listed<T>(item: Option<T>) -> Option<Located<Vec<T>>> {
            Some(Located::new(vec![item?], Place::START))
        }
        NetworkRule {
            host: Some(Located::new(self.host.clone(), Place::START)),
            schemes: listed(scheme),
            ports: listed(port),
            ..NetworkRule::default()
        }
    }
}

/// Takes a port off the end. An IPv6 address may stand without brackets; then it has no port.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}
