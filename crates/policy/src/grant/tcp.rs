//! Decisions about raw TCP: lookups, sockets and connections.
//!
//! Only a `tcp` entry allows any of them. A deny entry of any kind that is about the host and port denies them, also one
//! for some requests only: what goes through a raw connection is not looked at, and could be just that.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::Grant;
use super::decide::deny;
use super::network::{NetworkRules, Reached, Rule, never_reached, not_led};
use super::terms::Narrower;
use crate::denial::{Denial, Permit, Permitted, Remedy, RuleRef};
use crate::http::HttpHost;
use crate::language::TcpTarget;
use crate::operation::{Operation, SocketAction};
use crate::reason::Reason;

const UDP: &str = "UDP sockets";
const LISTENING: &str = "sockets that listen or are bound to an address";
const CONNECTIONS: &str = "raw connections";

/// The `tcp` entries of one policy.
pub(super) struct TcpRules {
    pub(super) allow: Vec<Rule>,
    pub(super) deny: Vec<Rule>,
}

/// The other side of a raw connection, or of one that a lookup could lead to.
struct Peer {
    /// The name that was looked up, otherwise the address.
    host: HttpHost,
    port: u16,
    /// The address, once it is known.
    reached: Option<Reached>,
}

/// Why the rules of one policy do not allow a connection.
struct Unmet<'r> {
    /// The deny entry, or an allow entry that leads elsewhere.
    rule: Option<&'r RuleRef>,
    denied: bool,
}

impl Rule {
    fn target(&self) -> Option<&TcpTarget> {
        self.entry.tcp.as_ref().map(|target| &target.value)
    }

    /// Tells whether it is an allow entry that names this host, whatever the port.
    fn is_for(&self, host: &HttpHost) -> bool {
        self.target()
            .is_some_and(|target| target.host.matches(host))
    }

    /// Tells whether it is a deny entry about this host and port.
    fn denies_raw(&self, peer: &Peer) -> bool {
        let target = self.target();
        let host = self.host().or(target.map(|target| &target.host));
        let led = |address| {
            let reached = peer.reached.as_ref();
            reached.is_some_and(|reached| reached.is_any(|other| other == address))
        };
        let there =
            host.is_none_or(|host| host.matches(&peer.host) || host.address().is_some_and(led));
        let range = |range: IpNet| {
            let reached = peer.reached.as_ref();
            reached.is_some_and(|reached| reached.is_any(|address| range.contains(&address)))
        };
        let port = match (target, &self.entry.ports) {
            (Some(target), _) => target.port == peer.port,
            (None, Some(ports)) => ports.value.contains(&peer.port),
            (None, None) => true,
        };
        there && port && self.range().is_none_or(range)
    }
}

impl NetworkRules {
    fn denies_raw(&self, peer: &Peer) -> Option<&Rule> {
        let mut all = self.tcp.deny.iter().chain(self.denials());
        all.find(|rule| rule.denies_raw(peer))
    }

    /// Judges a connection to an address; a name is one that a lookup led there from.
    fn judge_raw(&self, peer: &Peer, reached: &Reached) -> Result<&Rule, Unmet<'_>> {
        if let Some(rule) = self.denies_raw(peer) {
            return Err(Unmet {
                rule: Some(&rule.reference),
                denied: true,
            });
        }
        let mut elsewhere = None;
        for rule in &self.tcp.allow {
            let Some(target) = rule.target().filter(|target| target.port == peer.port) else {
                continue;
            };
            if target.host.is_address(reached.address) {
                return Ok(rule);
            }
            let named = matches!(peer.host, HttpHost::Name(_)) && target.host.matches(&peer.host);
            if !named {
                continue;
            }
            let leads = match rule.range() {
                Some(range) => range.contains(&reached.address),
                None => reached.special.is_none(),
            };
            if leads {
                return Ok(rule);
            }
            elsewhere.get_or_insert(&rule.reference);
        }
        Err(Unmet {
            rule: elsewhere,
            denied: false,
        })
    }

    /// Returns what allows connections to a host on some port, and the entry that denies those.
    fn connections<'r, 'h>(
        &'r self,
        host: &'h HttpHost,
    ) -> impl Iterator<Item = (&'r Rule, u16, Option<&'r Rule>)> + use<'r, 'h> {
        let rules = self.tcp.allow.iter().filter(|rule| rule.is_for(host));
        rules.filter_map(move |rule| {
            let port = rule.target()?.port;
            Some((rule, port, self.denies_raw(&Peer::of(host, port))))
        })
    }

    /// Tells whether connections to this host and port are allowed, wherever a name leads.
    fn connects(&self, host: &HttpHost, port: u16) -> bool {
        self.connections(host)
            .any(|(_, own, denied)| own == port && denied.is_none())
    }
}

impl Peer {
    fn of(host: &HttpHost, port: u16) -> Self {
        let reached = match host {
            HttpHost::Address(address) => Some(Reached::at(*address)),
            HttpHost::Name(_) => None,
        };
        Self {
            host: host.clone(),
            port,
            reached,
        }
    }
}

impl Grant {
    pub(super) fn decide_lookup(
        &self,
        operation: &Operation<'_>,
        name: &str,
    ) -> Result<Permit<'_>, Denial> {
        let refuse = |sentence: &str| deny(operation, Reason::Dns, sentence);
        let host = HttpHost::parse(name).map_err(|fault| refuse(&fault.sentence))?;
        if let Some(special) = never_reached(&host) {
            let sentence = format!("it is {}, and no rule makes that reachable", special.name);
            return Err(refuse(&sentence));
        }
        let mut denied = None;
        let mut narrowed: Option<(&Rule, &Narrower)> = None;
        for (rule, port, by) in self.0.source.network.connections(&host) {
            if let Some(by) = by {
                denied.get_or_insert(by);
                continue;
            }
            let mut narrower = self.0.narrower_network();
            match narrower.find(|(_, rules)| !rules.connects(&host, port)) {
                None => return Ok(Permit::new(Permitted::Lookup, Some(&rule.reference))),
                Some((by, _)) => {
                    narrowed.get_or_insert((rule, by));
                }
            }
        }
        Err(match (narrowed, denied) {
            (Some((rule, by)), _) => refuse(&format!(
                "a rule allows raw connections to it, but {by} does not allow them"
            ))
            .rule_is(Some(&rule.reference))
            .remedy_is(Some(by.remedy())),
            (None, Some(rule)) => {
                refuse("a rule denies connections to it").rule_is(Some(&rule.reference))
            }
            (None, None) => refuse(
                "no rule allows raw connections to it, and names are looked up for nothing else",
            )
            .remedy_is(Some(grant_of(&host, "PORT"))),
        })
    }

    /// Permits an address that a lookup found if some connection to it would be: a guest learns no others.
    pub(super) fn decide_answer(
        &self,
        operation: &Operation<'_>,
        name: &str,
        address: IpAddr,
    ) -> Result<Permit<'_>, Denial> {
        let refuse = |sentence: &str| deny(operation, Reason::Dns, sentence);
        let host = HttpHost::parse(name).map_err(|fault| refuse(&fault.sentence))?;
        let mut last = None;
        for (_, port, _) in self.0.source.network.connections(&host) {
            match self.judge_tcp(Some(name), SocketAddr::new(address, port)) {
                Ok(rule) => return Ok(Permit::new(Permitted::Lookup, Some(rule))),
                Err(refusal) => last = Some(refusal),
            }
        }
        Err(match last {
            Some(refusal) => refusal.denial(operation, Reason::Dns),
            None => refuse("no rule allows raw connections to it"),
        })
    }

    pub(super) fn decide_socket(
        &self,
        operation: &Operation<'_>,
        action: SocketAction,
    ) -> Result<Permit<'_>, Denial> {
        let refuse = |sentence: &str| deny(operation, Reason::Socket, sentence);
        let never = |what: &'static str| {
            let sentence = format!("{what} are refused in this release, whatever is granted");
            refuse(&sentence).remedy_is(Some(Remedy::NotInThisRelease(what)))
        };
        match action {
            SocketAction::CreateUdp | SocketAction::Send => Err(never(UDP)),
            SocketAction::Bind | SocketAction::Listen => Err(never(LISTENING)),
            // Connections of TCP are asked about with their other side.
            SocketAction::Connect => Err(never(CONNECTIONS)),
            SocketAction::CreateTcp => {
                let Some(rule) = self.0.source.network.tcp.allow.first() else {
                    let remedy =
                        Remedy::Grant(vec!["network".to_owned(), "tcp://HOST:PORT".to_owned()]);
                    return Err(refuse("no rule allows raw connections").remedy_is(Some(remedy)));
                };
                let mut narrower = self.0.narrower_network();
                match narrower.find(|(_, rules)| rules.tcp.allow.is_empty()) {
                    None => Ok(Permit::new(Permitted::Socket, Some(&rule.reference))),
                    Some((by, _)) => Err(refuse(&format!(
                        "a rule allows raw connections, but {by} allows none"
                    ))
                    .rule_is(Some(&rule.reference))
                    .remedy_is(Some(by.remedy()))),
                }
            }
        }
    }

    pub(super) fn decide_tcp(
        &self,
        operation: &Operation<'_>,
        name: Option<&str>,
        address: SocketAddr,
        own: bool,
    ) -> Result<Permit<'_>, Denial> {
        if own {
            let sentence = "this server itself listens there, and no rule makes that reachable";
            return Err(deny(operation, Reason::Socket, sentence));
        }
        match self.judge_tcp(name, address) {
            Ok(rule) => Ok(Permit::new(Permitted::Connect, Some(rule))),
            Err(refusal) => Err(refusal.denial(operation, Reason::Socket)),
        }
    }

    /// Asks the policy for a connection, and then what narrows it.
    fn judge_tcp(&self, name: Option<&str>, address: SocketAddr) -> Result<&RuleRef, Refusal<'_>> {
        let peer = peer(name, address)?;
        let reached = Reached::at(address.ip());
        let judged = self.0.source.network.judge_raw(&peer, &reached);
        let rule = judged.map_err(|unmet| Refusal {
            sentence: unmet.sentence(&peer, &reached),
            rule: unmet.rule,
            remedy: unmet.remedy(&peer, &reached),
        })?;
        for (by, rules) in self.0.narrower_network() {
            rules.judge_raw(&peer, &reached).map_err(|unmet| {
                let sentence = unmet.sentence(&peer, &reached);
                Refusal {
                    sentence: format!("a rule allows it, but under {by} {sentence}"),
                    rule: unmet.rule.or(Some(&rule.reference)),
                    remedy: Some(by.remedy()),
                }
            })?;
        }
        Ok(&rule.reference)
    }
}

/// Why a connection is denied, whatever it was asked for.
struct Refusal<'g> {
    sentence: String,
    rule: Option<&'g RuleRef>,
    remedy: Option<Remedy>,
}

impl Refusal<'_> {
    fn denial(self, operation: &Operation<'_>, reason: Reason) -> Denial {
        deny(operation, reason, &self.sentence)
            .rule_is(self.rule)
            .remedy_is(self.remedy)
    }
}

impl From<String> for Refusal<'_> {
    /// Refuses what no rule makes reachable.
    fn from(sentence: String) -> Self {
        Self {
            sentence,
            rule: None,
            remedy: None,
        }
    }
}

/// Reads the other side of a connection, or says what no rule makes reachable about it.
fn peer(name: Option<&str>, address: SocketAddr) -> Result<Peer, String> {
    let host = match name {
        Some(name) => HttpHost::parse(name).map_err(|fault| fault.sentence)?,
        None => HttpHost::Address(address.ip()),
    };
    if matches!(host, HttpHost::Address(named) if named != address.ip()) {
        return Err(format!("{} is not what was looked up", address.ip()));
    }
    if matches!(address, SocketAddr::V6(address) if address.scope_id() != 0) {
        return Err("the address names a network interface, and no rule does".to_owned());
    }
    let reached = Reached::at(address.ip());
    let special = reached.special.filter(|special| special.never);
    if let Some(special) = special.or(never_reached(&host)) {
        return Err(format!(
            "{} is {}, and no rule makes that reachable",
            address.ip(),
            special.name
        ));
    }
    Ok(Peer {
        host,
        port: address.port(),
        reached: Some(reached),
    })
}

impl Unmet<'_> {
    fn sentence(&self, peer: &Peer, reached: &Reached) -> String {
        let port = peer.port;
        match (&peer.host, self.rule) {
            (HttpHost::Name(name), Some(_)) if self.denied => {
                format!(
                    "a rule denies raw connections to {name}, or to {} where it leads, on port {port}",
                    reached.address
                )
            }
            (HttpHost::Address(_), Some(_)) => {
                format!("a rule denies raw connections to this address on port {port}")
            }
            (HttpHost::Name(name), Some(_)) => not_led(name, reached),
            (HttpHost::Name(name), None) => {
                format!("no rule allows raw connections to {name} on port {port}")
            }
            (HttpHost::Address(_), None) => {
                format!(
                    "no rule allows raw connections to this address on port {port}, and the tool looked up no name that leads there"
                )
            }
        }
    }

    /// Returns what would change it; where an entry denies it, nothing does that one would propose.
    fn remedy(&self, peer: &Peer, reached: &Reached) -> Option<Remedy> {
        if self.denied {
            None
        } else if self.rule.is_some() {
            Some(Remedy::Range(IpNet::from(reached.address).to_string()))
        } else {
            Some(grant_of(&peer.host, &peer.port.to_string()))
        }
    }
}

/// Writes what a person grants so that there is a rule for this host and port.
fn grant_of(host: &HttpHost, port: &str) -> Remedy {
    Remedy::Grant(vec!["network".to_owned(), format!("tcp://{host}:{port}")])
}
