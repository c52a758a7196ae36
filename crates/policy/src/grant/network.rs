//! Decisions about outgoing requests and the connections that they need.

use std::net::SocketAddr;

use super::Grant;
use super::decide::deny;
use crate::address::{SpecialUse, metadata_name, special_use};
use crate::denial::{Denial, Origin, Permit, Permitted, Remedy, RuleRef};
use crate::error::Located;
use crate::http::{Fault, HttpHost, HttpScheme, Request};
use crate::language::{Document, NetworkRule};
use crate::operation::Operation;
use crate::pattern::HostPattern;
use crate::reason::Reason;

const RANGES: &str = "names that lead to special addresses (cidr)";

/// The network rules of one policy, those with a host.
pub(super) struct NetworkRules {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

/// One entry. In an allow list a key that is absent means its default, in a deny list everything.
struct Rule {
    host: HostPattern,
    entry: NetworkRule,
    reference: RuleRef,
}

impl Rule {
    fn of(rule: &Located<NetworkRule>, reference: RuleRef) -> Option<Self> {
        Some(Self {
            host: rule.value.host.as_ref()?.value.clone(),
            entry: rule.value.clone(),
            reference,
        })
    }

    /// Tells whether a request of one of its schemes may go to this port; a connection has no scheme of its own.
    fn allows_connection_to(&self, port: u16) -> bool {
        [HttpScheme::Http, HttpScheme::Https]
            .into_iter()
            .any(|scheme| self.entry.allows_scheme(scheme) && self.entry.allows_port(scheme, port))
    }

    /// Tells whether it is a deny entry about this request, and which of its keys says the most.
    fn denies(&self, request: &Request<'_>) -> Option<Reason> {
        let schemes = self.entry.schemes.as_ref();
        let fits = self.host.matches(&request.host)
            && schemes.is_none_or(|own| own.value.contains(&request.scheme))
            && self.denies_port(request.port)
            && self.entry.allows_method(request.method);
        fits.then_some(if self.entry.methods.is_some() {
            Reason::NetworkMethod
        } else if self.entry.ports.is_some() {
            Reason::NetworkPort
        } else if schemes.is_some() {
            Reason::NetworkScheme
        } else {
            Reason::NetworkHost
        })
    }

    fn denies_port(&self, port: u16) -> bool {
        let ports = self.entry.ports.as_ref();
        ports.is_none_or(|own| own.value.contains(&port))
    }

    /// Tells whether it is a deny entry about this connection. Where a name led to an address that the entry is about, the
    /// scheme and the method are not known, and it counts for all.
    fn denies_connection(&self, host: &HttpHost, address: SocketAddr) -> Option<Reason> {
        if !self.denies_port(address.port()) {
            return None;
        }
        if self.host.matches(host) && self.entry.schemes.is_none() && self.entry.methods.is_none() {
            return Some(Reason::NetworkHost);
        }
        let by_name = matches!(host, HttpHost::Name(_));
        (by_name && self.host.is_address(address.ip())).then_some(Reason::NetworkAddress)
    }
}

/// Why the rules of one policy do not allow something.
struct Unmet<'r> {
    reason: Reason,
    /// The deny entry, or an allow entry that is not enough.
    rule: Option<&'r RuleRef>,
    denied: bool,
}

impl NetworkRules {
    pub(super) fn of(document: &Document, origin: Origin) -> Self {
        let network = &document.permissions.network;
        let read = |entries: &[Located<NetworkRule>], list: &str| {
            let rules = entries.iter().enumerate().filter_map(|(index, rule)| {
                let section = format!("permissions.network.{list}[{index}]");
                let text = match list {
                    "deny" => format!("deny {}", rule.value),
                    _ => rule.value.to_string(),
                };
                Rule::of(rule, RuleRef::new(origin, section, rule.place, text))
            });
            rules.collect()
        };
        Self {
            allow: read(&network.allow, "allow"),
            deny: read(&network.deny, "deny"),
        }
    }

    /// Tells whether there is nothing that could be reached.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }

    /// Judges a request: deny entries first, then host, scheme, port and method, each over the entries that are left.
    fn judge(&self, request: &Request<'_>) -> Result<&RuleRef, Unmet<'_>> {
        if let Some((reason, rule)) = self
            .deny
            .iter()
            .find_map(|rule| Some((rule.denies(request)?, rule)))
        {
            return Err(Unmet {
                reason,
                rule: Some(&rule.reference),
                denied: true,
            });
        }
        // The entry that comes furthest says what is missing.
        let stages = [
            Reason::NetworkHost,
            Reason::NetworkScheme,
            Reason::NetworkPort,
            Reason::NetworkMethod,
        ];
        let mut furthest: Option<(usize, &Rule)> = None;
        for rule in &self.allow {
            let stage = if !rule.host.matches(&request.host) {
                continue;
            } else if !rule.entry.allows_scheme(request.scheme) {
                1
            } else if !rule.entry.allows_port(request.scheme, request.port) {
                2
            } else if !rule.entry.allows_method(request.method) {
                3
            } else {
                return Ok(&rule.reference);
            };
            if furthest.is_none_or(|(other, _)| other < stage) {
                furthest = Some((stage, rule));
            }
        }
        let stage = furthest.map_or(0, |(stage, _)| stage);
        Err(Unmet {
            reason: stages.get(stage).copied().unwrap_or(Reason::NetworkHost),
            rule: furthest.map(|(_, rule)| &rule.reference),
            denied: false,
        })
    }

    /// Judges a connection to an address of `host`; `special` is what the address is for.
    fn judge_connection(
        &self,
        host: &HttpHost,
        address: SocketAddr,
        special: Option<SpecialUse>,
    ) -> Result<&RuleRef, Unmet<'_>> {
        if let Some((reason, rule)) = self
            .deny
            .iter()
            .find_map(|rule| Some((rule.denies_connection(host, address)?, rule)))
        {
            return Err(Unmet {
                reason,
                rule: Some(&rule.reference),
                denied: true,
            });
        }
        let of_host = || self.allow.iter().filter(|rule| rule.host.matches(host));
        let Some(rule) = of_host().find(|rule| rule.allows_connection_to(address.port())) else {
            let near = of_host().next();
            return Err(Unmet {
                reason: near.map_or(Reason::NetworkHost, |_| Reason::NetworkPort),
                rule: near.map(|rule| &rule.reference),
                denied: false,
            });
        };
        if special.is_none() || matches!(host, HttpHost::Address(_)) {
            return Ok(&rule.reference);
        }
        // A rule for some methods only says nothing of a connection, whose method is not known.
        let named = self.allow.iter().find(|rule| {
            rule.host.is_address(address.ip())
                && rule.entry.methods.is_none()
                && rule.allows_connection_to(address.port())
        });
        named.map(|rule| &rule.reference).ok_or(Unmet {
            reason: Reason::NetworkAddress,
            rule: Some(&rule.reference),
            denied: false,
        })
    }
}

impl Grant {
    pub(super) fn decide_request(
        &self,
        operation: &Operation<'_>,
        request: Result<Request<'_>, Fault>,
    ) -> Result<Permit<'_>, Denial> {
        let request = request.map_err(|fault| deny(operation, fault.reason, &fault.sentence))?;
        if let Some(special) = never_reached(&request.host) {
            let sentence = format!("it is {}, and no rule makes that reachable", special.name);
            return Err(deny(operation, Reason::NetworkHost, &sentence));
        }
        let rule = self.0.policy.network.judge(&request).map_err(|unmet| {
            let remedy = if unmet.denied {
                None
            } else if unmet.reason == Reason::NetworkMethod {
                Some(Remedy::Methods(request.method.to_owned()))
            } else {
                Some(grant_of(&request))
            };
            deny(operation, unmet.reason, &unmet.sentence(&request))
                .rule_is(unmet.rule)
                .remedy_is(remedy)
        })?;
        if let Some(ceiling) = &self.0.ceiling
            && let Err(unmet) = ceiling.network.judge(&request)
        {
            let sentence = unmet.sentence_of_ceiling(&request);
            return Err(under_ceiling(operation, &unmet, rule, &sentence));
        }
        Ok(Permit::new(Permitted::Request, Some(rule)))
    }

    pub(super) fn decide_connection(
        &self,
        operation: &Operation<'_>,
        host: &str,
        address: SocketAddr,
        own: bool,
    ) -> Result<Permit<'_>, Denial> {
        let host = HttpHost::parse(host)
            .map_err(|fault| deny(operation, fault.reason, &fault.sentence))?;
        let refuse = |sentence: &str| Err(deny(operation, Reason::NetworkAddress, sentence));
        let ip = address.ip();
        if own {
            return refuse("this server itself listens there, and no rule makes that reachable");
        }
        if matches!(&host, HttpHost::Address(named) if *named != ip) {
            return refuse(&format!("{ip} is not the address that was asked for"));
        }
        let special = special_use(ip);
        if let Some(special) = special
            .filter(|special| special.never)
            .or(never_reached(&host))
        {
            return refuse(&format!(
                "it leads to {ip}, which is {}, and no rule makes that reachable",
                special.name
            ));
        }
        let unmet_sentence = |unmet: &Unmet<'_>| match (unmet.reason, special) {
            (Reason::NetworkAddress, Some(special)) if !unmet.denied => format!(
                "{host} leads to {ip}, which is {}; such an address is reached only where the host of a rule is that address",
                special.name
            ),
            (Reason::NetworkAddress, _) => format!("{host} leads to {ip}, which a rule denies"),
            (Reason::NetworkPort, _) if !unmet.denied => {
                format!(
                    "a rule allows this host, but none allows port {} of it",
                    address.port()
                )
            }
            _ if unmet.denied => "a rule denies this host".to_owned(),
            _ => "no rule allows this host".to_owned(),
        };
        let rule = self
            .0
            .policy
            .network
            .judge_connection(&host, address, special)
            .map_err(|unmet| {
                let by_range = unmet.reason == Reason::NetworkAddress && !unmet.denied;
                deny(operation, unmet.reason, &unmet_sentence(&unmet))
                    .rule_is(unmet.rule)
                    .remedy_is(by_range.then_some(Remedy::NotInThisRelease(RANGES)))
            })?;
        if let Some(ceiling) = &self.0.ceiling
            && let Err(unmet) = ceiling.network.judge_connection(&host, address, special)
        {
            let sentence = format!(
                "a rule allows it, but under the ceiling {}",
                unmet_sentence(&unmet)
            );
            return Err(under_ceiling(operation, &unmet, rule, &sentence));
        }
        Ok(Permit::new(Permitted::Connect, Some(rule)))
    }
}

impl Unmet<'_> {
    /// Says what is missing or denied of a request to `host`.
    fn what(&self, request: &Request<'_>, host: &str) -> String {
        match self.reason {
            Reason::NetworkScheme => format!("{} to {host}", request.scheme),
            Reason::NetworkPort => format!("port {} of {host}", request.port),
            Reason::NetworkMethod => format!("the method {} to {host}", request.method),
            _ => host.to_owned(),
        }
    }

    fn sentence(&self, request: &Request<'_>) -> String {
        if self.denied {
            format!("a rule denies {}", self.what(request, "this host"))
        } else if self.rule.is_none() {
            "no rule allows this host".to_owned()
        } else {
            let what = self.what(request, "it");
            format!("a rule allows this host, but none allows {what}")
        }
    }

    fn sentence_of_ceiling(&self, request: &Request<'_>) -> String {
        let verb = if self.denied {
            "denies"
        } else {
            "does not allow"
        };
        let what = self.what(request, "this host");
        format!("a rule allows it, but the ceiling {verb} {what}")
    }
}

/// Denies what the policy's `rule` allows; the ceiling's own entry is named where there is one.
fn under_ceiling(
    operation: &Operation<'_>,
    unmet: &Unmet<'_>,
    rule: &RuleRef,
    sentence: &str,
) -> Denial {
    deny(operation, unmet.reason, sentence)
        .rule_is(unmet.rule.or(Some(rule)))
        .remedy_is(Some(Remedy::Ceiling))
}

/// Returns what a host is that nothing makes reachable.
fn never_reached(host: &HttpHost) -> Option<SpecialUse> {
    match host {
        HttpHost::Name(name) => metadata_name(name),
        HttpHost::Address(address) => special_use(*address).filter(|special| special.never),
    }
}

/// Writes what a person grants so that there is a rule for this host, scheme and port.
fn grant_of(request: &Request<'_>) -> Remedy {
    let scheme = match request.scheme {
        HttpScheme::Https => "",
        HttpScheme::Http => "http://",
    };
    let port = if request.port == request.scheme.default_port() {
        String::new()
    } else {
        format!(":{}", request.port)
    };
    let target = format!("{scheme}{}{port}", request.host);
    Remedy::Grant(vec!["network".to_owned(), target])
}
