//! What a policy allows, rule by rule: for whoever judges policies rather than requests.
//!
//! These are facts about a text. Whether a request is allowed is answered by [`crate::Grant::decide`] alone.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::{special_use, special_within};
use crate::denial::{Origin, RuleRef};
use crate::error::PolicyError;
use crate::http::HttpScheme;
use crate::language::{Document, EnvironmentSource, HeaderPart, NetworkRule, StorageRule, breadth};
use crate::path::VirtualPath;
use crate::pattern::{Anchor, HostPattern, PathPattern, StorageUri};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::storage::MountPlace;

/// One entry of an `allow` list that no `deny` entry takes back as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Where it stands and what it says, without values of variables.
    pub rule: RuleRef,
    /// What it allows.
    pub allowed: Allowed,
}

/// What an entry allows. `Debug` does not show values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Allowed {
    /// Files.
    Files(AllowedFiles),
    /// HTTP requests.
    Requests(AllowedRequests),
    /// Raw connections.
    Connections(AllowedPeer),
    /// An environment variable.
    Variable(AllowedVariable),
}

/// Files that an entry allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedFiles {
    /// A named root, or the machine's own tree.
    pub place: MountPlace,
    /// The guest path that all of it is at or below: the longest part of the pattern without a wildcard.
    pub base: VirtualPath,
    /// Whether it is everything below that path.
    pub subtree: bool,
    /// Whether it is that one path and nothing else.
    pub exact: bool,
    /// Whether files may be read.
    pub read: bool,
    /// Whether files may be written.
    pub write: bool,
}

/// HTTP requests that an entry allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedRequests {
    /// To whom.
    pub peer: AllowedPeer,
    /// Whether also without encryption.
    pub plain_http: bool,
    /// The headers that Casemate would put in, and what they are made of.
    pub headers: Vec<AllowedHeader>,
}

/// A header that an entry puts into requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHeader {
    /// Its name.
    pub name: String,
    /// The names of the secrets in it.
    pub secrets: Vec<String>,
    /// What is written out in it.
    pub text: HiddenText,
}

/// The hosts of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPeer {
    /// The host or pattern, or the range where there is no host.
    pub host: String,
    /// How many hosts that is.
    pub breadth: HostBreadth,
    /// What the addresses are for if they are not ordinary ones: "a private address".
    pub special: Option<&'static str>,
    /// Whether it is this machine and nothing else.
    pub loopback: bool,
}

/// How many hosts an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostBreadth {
    /// One name or address.
    One,
    /// `*.example.com`: every name with one more label.
    OneLabel,
    /// `**.example.com`: every name below.
    AnyDepth,
    /// A pattern below a domain in which anyone can have a name.
    Shared,
    /// A range of addresses without a name.
    Range,
}

/// A variable that an entry allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedVariable {
    /// Its key.
    pub key: String,
    /// Where its value comes from.
    pub value: VariableValue,
}

/// Where the value of an allowed variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VariableValue {
    /// The environment of the server.
    Server,
    /// The policy itself.
    Written(HiddenText),
    /// A secret of this name, which the tool would see. No release enforces it yet, so it stands in requests only.
    Secret(String),
}

/// Text of a policy that may be a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct HiddenText(String);

impl HiddenText {
    /// Returns the text, to be looked at and not to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for HiddenText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HiddenText(…)")
    }
}

impl Policy {
    /// Returns what the entries of the `allow` lists allow, in the order of the language; what the sections of single tools write
    /// into variables stands last, since these sections allow nothing else.
    pub fn allowances(&self) -> Vec<Allowance> {
        of(self.document())
    }
}

/// Reads what a policy asks for, also what this release does not enforce. The result allows nothing: it is for telling a
/// person what a third party would like to have.
///
/// # Errors
/// As [`Policy::parse`], but for what is merely not enforced.
pub fn asked(text: &str) -> Result<Vec<Allowance>, PolicyError> {
    let document = Document::read(text)?;
    document.breadth()?;
    Ok(of(&document))
}

fn of(document: &Document) -> Vec<Allowance> {
    let scope = Scope::of(document, Origin::Policy);
    let permissions = &document.permissions;
    let mut found = Vec::new();
    let denied = |rule: &StorageRule| {
        rule.access.each().all(|access| {
            let mut deny = permissions.storage.deny.iter();
            deny.any(|own| own.value.access.covers(access) && own.value.uri.denies(&rule.uri))
        })
    };
    for (index, rule) in permissions.storage.allow.iter().enumerate() {
        if !denied(&rule.value) {
            let section = format!("storage.allow[{index}]");
            found.push(Allowance {
                rule: scope.rule(&section, rule.place, rule.value.to_string()),
                allowed: Allowed::Files(files(&rule.value)),
            });
        }
    }
    for (index, rule) in permissions.network.allow.iter().enumerate() {
        let mut deny = permissions.network.deny.iter();
        if !deny.any(|own| own.value.denies(&rule.value)) {
            let section = format!("network.allow[{index}]");
            found.push(Allowance {
                rule: scope.rule(&section, rule.place, rule.value.to_string()),
                allowed: network(&rule.value),
            });
        }
    }
    variables(scope, false, &mut found);
    for tool in &permissions.tools {
        let scope = Scope::of_tool(&tool.name.value, &tool.permissions);
        variables(scope, true, &mut found);
    }
    found
}

fn files(rule: &StorageRule) -> AllowedFiles {
    let StorageUri { anchor, pattern } = &rule.uri;
    let place = match anchor {
        Anchor::Named(root) => MountPlace::Root(root.clone()),
        Anchor::Absolute => MountPlace::Absolute,
    };
    AllowedFiles {
        place,
        base: pattern.base().clone(),
        subtree: matches!(pattern, PathPattern::Below(_)),
        exact: matches!(pattern, PathPattern::Exact(_)),
        read: rule.access.read,
        write: rule.access.write,
    }
}

fn network(rule: &NetworkRule) -> Allowed {
    let range = rule.cidr.as_ref().map(|range| range.value);
    if let Some(tcp) = &rule.tcp {
        return Allowed::Connections(peer(Some(&tcp.value.host), range));
    }
    let headers = rule.headers.iter().flat_map(|headers| &headers.value);
    Allowed::Requests(AllowedRequests {
        peer: peer(rule.host.as_ref().map(|host| &host.value), range),
        plain_http: rule.allows_scheme(HttpScheme::Http),
        headers: headers
            .map(|header| {
                let mut own = AllowedHeader {
                    name: header.name.clone(),
                    secrets: Vec::new(),
                    text: HiddenText(String::new()),
                };
                for part in &header.value {
                    match part {
                        HeaderPart::Text(text) => own.text.0.push_str(text),
                        HeaderPart::Secret(name) => own.secrets.push(name.clone()),
                    }
                }
                own
            })
            .collect(),
    })
}

fn peer(host: Option<&HostPattern>, range: Option<IpNet>) -> AllowedPeer {
    let own = host.and_then(HostPattern::address).map(IpNet::from);
    let addresses = range.or(own);
    let special = match addresses {
        Some(range) if range.prefix_len() == range.max_prefix_len() => special_use(range.addr()),
        Some(range) => special_within(range),
        None => None,
    };
    let text = match (host, range) {
        (Some(host), _) => host.to_string(),
        (None, Some(range)) => range.to_string(),
        (None, None) => String::new(),
    };
    let breadth = match host {
        None => HostBreadth::Range,
        Some(HostPattern::Name(_) | HostPattern::Address(_)) => HostBreadth::One,
        Some(HostPattern::OneLabel(base) | HostPattern::AnyDepth(base))
            if breadth::is_shared(base) =>
        {
            HostBreadth::Shared
        }
        Some(HostPattern::OneLabel(_)) => HostBreadth::OneLabel,
        Some(HostPattern::AnyDepth(_)) => HostBreadth::AnyDepth,
    };
    AllowedPeer {
        host: text,
        breadth,
        special: special.map(|special| special.name),
        loopback: addresses.is_some_and(is_loopback),
    }
}

/// Tells whether a range holds nothing but this machine: 127.0.0.0/8 and ::1 (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).
fn is_loopback(range: IpNet) -> bool {
    let ends = [range.network(), range.broadcast()];
    ends.iter().all(IpAddr::is_loopback)
}

/// Adds the variables of a file, or those that the section of a tool writes: one that it merely lists is the component's.
fn variables(scope: Scope<'_>, of_tool: bool, found: &mut Vec<Allowance>) {
    let rules = &scope.permissions.environment;
    for (index, rule) in rules.allow.iter().enumerate() {
        let value = match &rule.value.source {
            EnvironmentSource::Server if of_tool => continue,
            EnvironmentSource::Server => VariableValue::Server,
            EnvironmentSource::Literal(text) => VariableValue::Written(HiddenText(text.clone())),
            EnvironmentSource::Secret(name) => VariableValue::Secret(name.value.clone()),
        };
        if rules.deny.iter().any(|own| own.value == rule.value.key) {
            continue;
        }
        let section = format!("environment.allow[{index}]");
        found.push(Allowance {
            rule: scope.rule(&section, rule.place, rule.value.to_string()),
            allowed: Allowed::Variable(AllowedVariable {
                key: rule.value.key.clone(),
                value,
            }),
        });
    }
}

#[cfg(test)]
mod tests;
