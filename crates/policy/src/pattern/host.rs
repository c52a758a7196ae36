//! Host patterns of network rules.

use std::fmt;
use std::net::IpAddr;

use crate::error::Refusal;
use crate::http::{HttpHost, NameFault, canonical_name};

/// The hosts that a network rule is about: names lower-case, in their ASCII form, without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HostPattern {
    /// One name.
    Name(String),
    /// `*.example.com`: exactly one label before the name, not the name itself.
    OneLabel(String),
    /// `**.example.com`: one or more labels before the name, not the name itself.
    AnyDepth(String),
    /// One address, in its only spelling.
    Address(IpAddr),
}

impl HostPattern {
    /// Parses `api.example.com`, `*.example.com`, `**.example.com`, `192.0.2.1`, `[2001:db8::1]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((scheme, rest)) = text.split_once("://") {
            let host = rest.split(['/', ':']).next().unwrap_or_default();
            return Err(
                Refusal::new(format!("{text:?} is a URL; a rule names a host")).hint(format!(
                    "write host: {host:?}, and the scheme in schemes: [{scheme}]"
                )),
            );
        }
        if let Some(address) = address(text) {
            return match address.to_canonical() {
                plain if plain == address => Ok(Self::Address(address)),
                plain => Err(Refusal::new(format!(
                    "{text:?} is an IPv4 address within an IPv6 one, which no request can name"
                ))
                .hint(format!("write {plain}"))),
            };
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && !host.contains(':')
        {
            return Err(
                Refusal::new(format!("{text:?} holds a port; a host has none")).hint(format!(
                    "write host: {host:?}, and the port in ports: [{port}]"
                )),
            );
        }
        if let Some(rest) = text.strip_prefix("**.") {
            return name(text, rest).map(Self::AnyDepth);
        }
        if let Some(rest) = text.strip_prefix("*.") {
            return name(text, rest).map(Self::OneLabel);
        }
        if matches!(text, "*" | "**") {
            return Err(
                Refusal::new(format!("{text:?} would be every host there is"))
                    .hint("name the hosts that the tool needs"),
            );
        }
        name(text, text).map(Self::Name)
    }

    /// Tells whether a requested host is one of these.
    pub(crate) fn matches(&self, host: &HttpHost) -> bool {
        match host {
            HttpHost::Name(name) => self.matches_name(name),
            HttpHost::Address(address) => self.is_address(*address),
        }
    }

    /// Returns the address, where it is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) | Self::OneLabel(_) | Self::AnyDepth(_) => None,
        }
    }

    /// Tells whether it is this address, and not a name that may lead to it.
    pub(crate) fn is_address(&self, address: IpAddr) -> bool {
        matches!(self, Self::Address(own) if *own == address)
    }

    /// Tells whether a name in canonical form is one of these.
    fn matches_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::OneLabel(own) => {
                labels_before(name, own).is_some_and(|labels| !labels.contains('.'))
            }
            Self::AnyDepth(own) => labels_before(name, own).is_some(),
            Self::Address(_) => false,
        }
    }

    /// Tells whether every host that `other` matches is matched by this as well.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Name(name)) => self.matches_name(name),
            (Self::AnyDepth(own), Self::OneLabel(name) | Self::AnyDepth(name)) => {
                own == name || labels_before(name, own).is_some()
            }
            (Self::OneLabel(own), Self::OneLabel(name)) => own == name,
            (Self::Address(own), Self::Address(other)) => own == other,
            (Self::OneLabel(_), Self::AnyDepth(_))
            | (Self::Name(_) | Self::Address(_), Self::OneLabel(_) | Self::AnyDepth(_))
            | (Self::Name(_) | Self::OneLabel(_) | Self::AnyDepth(_), Self::Address(_)) => false,
        }
    }
}

/// Returns the labels of `host` in front of `.base`.
fn labels_before<'h>(host: &'h str, base: &str) -> Option<&'h str> {
    host.strip_suffix(base)?
        .strip_suffix('.')
        .filter(|labels| !labels.is_empty())
}

fn address(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Brings a name to the form in which names are compared.
fn name(text: &str, name: &str) -> Result<String, Refusal> {
    if name.contains('*') {
        return Err(Refusal::new(format!("{text:?} has '*' inside a name"))
            .hint("a '*.' or '**.' stands only at the start, for whole labels"));
    }
    canonical_name(name).map_err(|fault| match fault {
        NameFault::Address(address) => {
            Refusal::new(format!("{text:?} is an unusual spelling of an address"))
                .hint(format!("write {address}"))
        }
        NameFault::Percent => Refusal::new(format!("{text:?} is not a host: it holds a '%'")),
        NameFault::Malformed(what) => Refusal::new(format!("{text:?} is not a host: {what}")),
    })
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::OneLabel(name) => write!(formatter, "*.{name}"),
            Self::AnyDepth(name) => write!(formatter, "**.{name}"),
            Self::Address(address) => write!(formatter, "{address}"),
        }
    }
}
