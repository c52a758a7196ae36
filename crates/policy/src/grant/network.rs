//! Decisions about outgoing requests and the connections that they need.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Grant;
use super::decide::deny;
use super::tcp::TcpRules;
use super::terms::Narrower;
use crate::address::{SpecialUse, embedded_v4, metadata_name, special_range, special_use};
use crate::denial::{Denial, Permit, Permitted, Remedy, RuleRef, bounded};
use crate::error::Located;
use crate::http::{Fault, HttpHost, HttpScheme, Request};
use crate::language::NetworkRule;
use crate::operation::Operation;
use crate::pattern::HostPattern;
use crate::reason::Reason;
use crate::scope::Scope;

/// The network rules of one policy: those about requests have a host or a range, those about raw connections `tcp`.
pub(super) struct NetworkRules {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
    pub(super) tcp: TcpRules,
}

/// One entry. In an allow list a key that is absent means its default, in a deny list everything.
pub(super) struct Rule {
    pub(super) entry: NetworkRule,
    pub(super) reference: RuleRef,
}

/// An address to connect to.
pub(super) struct Reached {
    pub(super) address: IpAddr,
    /// The IPv4 address in an IPv6 one.
    inner: Option<IpAddr>,
    pub(super) special: Option<SpecialUse>,
}

impl Reached {
    pub(super) fn at(address: IpAddr) -> Self {
        let inner = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(outer) => embedded_v4(outer).map(IpAddr::V4),
        };
        Self {
            address,
            inner,
            special: special_use(address),
        }
    }

    /// Tells whether the address, or one in it, is one of those.
    pub(super) fn is_any(&self, of: impl Fn(IpAddr) -> bool) -> bool {
        of(self.address) || self.inner.is_some_and(of)
    }
}

impl Rule {
    pub(super) fn host(&self) -> Option<&HostPattern> {
        self.entry.host.as_ref().map(|host| &host.value)
    }

    pub(super) fn range(&self) -> Option<IpNet> {
        self.entry.cidr.as_ref().map(|range| range.value)
    }

    /// Tells whether it is an allow entry about the host of this request; a range alone is about addresses.
    fn names(&self, request: &Request<'_>) -> bool {
        match (self.host(), self.range(), &request.host) {
            (Some(host), _, asked) => host.matches(asked),
            (None, Some(range), HttpHost::Address(address)) => range.contains(address),
            (None, _, _) => false,
        }
    }

    /// Returns the first of its keys after the host that does not allow this request.
    fn missing(&self, request: &Request<'_>) -> Option<Stage> {
        if !self.entry.allows_scheme(request.scheme) {
            Some(Stage::Scheme)
        } else if !self.entry.allows_port(request.scheme, request.port) {
            Some(Stage::Port)
        } else if !self.entry.allows_method(request.method) {
            Some(Stage::Method)
        } else if !self.entry.allows_path(&request.path) {
            Some(Stage::Path)
        } else {
            None
        }
    }

    /// Tells whether it is a deny entry about this request and this address, and which of its keys says the most.
    fn denies(&self, request: &Request<'_>, reached: Option<&Reached>) -> Option<Reason> {
        let named = self.host().is_some_and(|host| host.matches(&request.host));
        let led = || {
            let own = self.host().and_then(HostPattern::address);
            reached.is_some_and(|reached| reached.is_any(|address| own == Some(address)))
        };
        let host = self.host().is_none() || named || led();
        let range = || match self.range() {
            Some(range) => {
                reached.is_some_and(|reached| reached.is_any(|address| range.contains(&address)))
            }
            None => self.host().is_some(),
        };
        let entry = &self.entry;
        let schemes = || {
            let own = entry.schemes.as_ref();
            own.is_none_or(|own| own.value.contains(&request.scheme))
        };
        let ports = || {
            let own = entry.ports.as_ref();
            own.is_none_or(|own| own.value.contains(&request.port))
        };
        let fits = host
            && range()
            && schemes()
            && ports()
            && entry.allows_method(request.method)
            && entry.denies_path(&request.path);
        fits.then_some(if !named || entry.cidr.is_some() {
            Reason::NetworkAddress
        } else if entry.paths.is_some() {
            Reason::NetworkPath
        } else if entry.methods.is_some() {
            Reason::NetworkMethod
        } else if entry.ports.is_some() {
            Reason::NetworkPort
        } else if entry.schemes.is_some() {
            Reason::NetworkScheme
        } else {
            Reason::NetworkHost
        })
    }
}

/// How far an allow entry fits, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Scheme,
    Port,
    Method,
    Path,
    Address,
}

impl Stage {
    fn reason(self) -> Reason {
        match self {
            Self::Scheme => Reason::NetworkScheme,
            Self::Port => Reason::NetworkPort,
            Self::Method => Reason::NetworkMethod,
            Self::Path => Reason::NetworkPath,
            Self::Address => Reason::NetworkAddress,
        }
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
    pub(super) fn of(scope: Scope<'_>) -> Self {
        let network = &scope.permissions.network;
        let read = |entries: &[Located<NetworkRule>], list: &str| {
            let rules = entries.iter().enumerate().map(|(index, rule)| {
                let section = format!("network.{list}[{index}]");
                let text = match list {
                    "deny" => format!("deny {}", rule.value),
                    _ => rule.value.to_string(),
                };
                Rule {
                    entry: rule.value.clone(),
                    reference: scope.rule(&section, rule.place, text),
                }
            });
            rules.partition::<Vec<Rule>, _>(|rule| rule.entry.tcp.is_some())
        };
        let (raw_allow, allow) = read(&network.allow, "allow");
        let (raw_deny, deny) = read(&network.deny, "deny");
        Self {
            allow,
            deny,
            tcp: TcpRules {
                allow: raw_allow,
                deny: raw_deny,
            },
        }
    }

    /// Tells whether there is no request that could be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty()
    }

    /// Returns the deny entries about requests, which hold for raw connections too: those could carry the same.
    pub(super) fn denials(&self) -> &[Rule] {
        &self.deny
    }

    /// Judges a request, with the address to connect to once that is known: deny entries first, then host, scheme, port,
    /// method, path and address, each over the entries that are left.
    fn judge(&self, request: &Request<'_>, reached: Option<&Reached>) -> Result<&Rule, Unmet<'_>> {
        if let Some((reason, rule)) = self
            .deny
            .iter()
            .find_map(|rule| Some((rule.denies(request, reached)?, rule)))
        {
            return Err(Unmet {
                reason,
                rule: Some(&rule.reference),
                denied: true,
            });
        }
        let led = reached.filter(|_| matches!(request.host, HttpHost::Name(_)));
        let opened = led.is_some_and(|reached| self.opens(request, reached));
        // The entry that comes furthest says what is missing.
        let mut furthest: Option<(Stage, &Rule)> = None;
        for rule in self.allow.iter().filter(|rule| rule.names(request)) {
            let missing = rule.missing(request).or_else(|| {
                let reached = led?;
                let leads = match rule.range() {
                    Some(range) => range.contains(&reached.address),
                    None => reached.special.is_none() || opened,
                };
                (!leads).then_some(Stage::Address)
            });
            let Some(stage) = missing else {
                return Ok(rule);
            };
            if furthest.is_none_or(|(other, _)| other < stage) {
                furthest = Some((stage, rule));
            }
        }
        Err(Unmet {
            reason: furthest.map_or(Reason::NetworkHost, |(stage, _)| stage.reason()),
            rule: furthest.map(|(_, rule)| &rule.reference),
            denied: false,
        })
    }

    /// Tells whether a special address to which a name leads is itself the host of an entry for such a request.
    fn opens(&self, request: &Request<'_>, reached: &Reached) -> bool {
        reached.special.is_some()
            && self.allow.iter().any(|rule| {
                rule.host().and_then(HostPattern::address) == Some(reached.address)
                    && rule.missing(request).is_none()
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
        let reached = match &request.host {
            HttpHost::Address(address) => Some(Reached::at(*address)),
            HttpHost::Name(_) => None,
        };
        let rule = self.judge(operation, &request, reached.as_ref())?;
        Ok(Permit::new(Permitted::Request, Some(rule)))
    }

    pub(super) fn decide_connection(
        &self,
        operation: &Operation<'_>,
        request: Result<Request<'_>, Fault>,
        address: IpAddr,
        own: bool,
    ) -> Result<Permit<'_>, Denial> {
        let request = request.map_err(|fault| deny(operation, fault.reason, &fault.sentence))?;
        let refuse = |sentence: &str| Err(deny(operation, Reason::NetworkAddress, sentence));
        if own {
            return refuse("this server itself listens there, and no rule makes that reachable");
        }
        if matches!(&request.host, HttpHost::Address(named) if *named != address) {
            return refuse(&format!("{address} is not the address that was asked for"));
        }
        let reached = Reached::at(address);
        if let Some(special) = reached
            .special
            .filter(|special| special.never)
            .or(never_reached(&request.host))
        {
            return refuse(&format!(
                "it leads to {address}, which is {}, and no rule makes that reachable",
                special.name
            ));
        }
        let rule = self.judge(operation, &request, Some(&reached))?;
        Ok(Permit::new(Permitted::Connect, Some(rule)))
    }

    /// Asks the policy, and then what narrows it.
    fn judge(
        &self,
        operation: &Operation<'_>,
        request: &Request<'_>,
        reached: Option<&Reached>,
    ) -> Result<&RuleRef, Denial> {
        let judged = self.0.source.network.judge(request, reached);
        let rule = judged.map_err(|unmet| {
            deny(operation, unmet.reason, &unmet.sentence(request, reached))
                .rule_is(unmet.rule)
                .remedy_is(unmet.remedy(request, reached))
        })?;
        for (by, rules) in self.0.narrower_network() {
            if let Err(unmet) = rules.judge(request, reached) {
                let sentence = unmet.sentence_under(by, request, reached);
                return Err(deny(operation, unmet.reason, &sentence)
                    .rule_is(unmet.rule.or(Some(&rule.reference)))
                    .remedy_is(Some(by.remedy())));
            }
        }
        Ok(&rule.reference)
    }

    /// Says what holds a permitted request to a name still to certain addresses.
    pub(super) fn range_of(&self, rule: &RuleRef) -> Option<IpNet> {
        let rules = &self.0.source.network.allow;
        let rule = rules.iter().find(|own| own.reference == *rule)?;
        rule.host().and(rule.range())
    }
}

impl Unmet<'_> {
    /// Says what is missing or denied of a request to `host`.
    fn what(&self, request: &Request<'_>, host: &str) -> String {
        match (self.reason, &request.path) {
            (Reason::NetworkScheme, _) => format!("{} to {host}", request.scheme),
            (Reason::NetworkPort, _) => format!("port {} of {host}", request.port),
            (Reason::NetworkMethod, _) => format!("the method {} to {host}", request.method),
            (Reason::NetworkPath, Ok(path)) => {
                format!("the path {} of {host}", bounded(path.as_str()))
            }
            _ => host.to_owned(),
        }
    }

    /// Says what neither host nor keys alone say: where the request leads, or how its path could be read.
    fn whole(&self, request: &Request<'_>, reached: Option<&Reached>) -> Option<String> {
        match (self.reason, &request.path, reached) {
            (Reason::NetworkPath, Err(ambiguity), _) => Some(format!(
                "a rule is about paths, and this one can be read in more than one way: {ambiguity}"
            )),
            (Reason::NetworkAddress, _, Some(reached)) => {
                Some(self.address(&request.host, reached))
            }
            _ => None,
        }
    }

    fn address(&self, host: &HttpHost, reached: &Reached) -> String {
        match host {
            HttpHost::Address(_) => "a rule denies this address".to_owned(),
            HttpHost::Name(_) if self.denied => {
                format!("{host} leads to {}, which a rule denies", reached.address)
            }
            HttpHost::Name(name) => not_led(name, reached),
        }
    }

    fn sentence(&self, request: &Request<'_>, reached: Option<&Reached>) -> String {
        if let Some(whole) = self.whole(request, reached) {
            whole
        } else if self.denied {
            format!("a rule denies {}", self.what(request, "this host"))
        } else if self.rule.is_none() {
            "no rule allows this host".to_owned()
        } else {
            let what = self.what(request, "it");
            format!("a rule allows this host, but none allows {what}")
        }
    }

    fn sentence_under(
        &self,
        by: &Narrower,
        request: &Request<'_>,
        reached: Option<&Reached>,
    ) -> String {
        if let Some(whole) = self.whole(request, reached) {
            return format!("a rule allows it, but under {by} {whole}");
        }
        let verb = if self.denied {
            "denies"
        } else {
            "does not allow"
        };
        let what = self.what(request, "this host");
        format!("a rule allows it, but {by} {verb} {what}")
    }

    /// Returns what would change it; where an entry denies it, or a path is ambiguous, nothing does that one would propose.
    fn remedy(&self, request: &Request<'_>, reached: Option<&Reached>) -> Option<Remedy> {
        let special = reached.filter(|reached| reached.special.is_some());
        match (self.reason, special) {
            _ if self.denied => None,
            (Reason::NetworkMethod, _) => Some(Remedy::Methods(request.method.to_owned())),
            (Reason::NetworkPath, _) => request.path.is_ok().then_some(Remedy::Paths),
            (Reason::NetworkAddress, Some(reached)) => {
                Some(Remedy::Range(IpNet::from(reached.address).to_string()))
            }
            _ => Some(grant_of(request)),
        }
    }
}

/// Says why a name that a rule allows does not lead there.
pub(super) fn not_led(name: &str, reached: &Reached) -> String {
    let address = reached.address;
    match reached.special {
        Some(special) => {
            let range = special_range(address).map_or(String::new(), |range| format!(" ({range})"));
            format!(
                "{name} leads to {address}, which is {}{range}; such an address is reached only where an entry for the name has a cidr that covers it",
                special.name
            )
        }
        None => {
            format!("{name} leads to {address}, which the cidr of no entry for the name covers")
        }
    }
}

/// Returns what a host is that nothing makes reachable.
pub(super) fn never_reached(host: &HttpHost) -> Option<SpecialUse> {
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
