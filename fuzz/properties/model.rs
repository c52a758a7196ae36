//! What docs/policy.md says, written once more: for plainness and not for speed, and from nothing of the product.
//!
//! A policy is lists of words here, printed as YAML for the product and judged word by word for the comparison. Used by fuzz
//! targets and by the differential test of the runtime (S160).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub strict: bool,
    pub storage_allow: Vec<StorageRule>,
    pub storage_deny: Vec<StorageRule>,
    pub network_allow: Vec<NetworkRule>,
    pub network_deny: Vec<NetworkRule>,
    /// Keys, with a value or with the server's.
    pub variables: Vec<(String, Option<String>)>,
    pub variables_deny: Vec<String>,
    pub clocks: Option<&'static str>,
    pub random: Option<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub struct StorageRule {
    pub uri: String,
    pub read: bool,
    pub write: bool,
}

#[derive(Debug, Clone, Default)]
pub struct NetworkRule {
    /// `HOST:PORT`, beside nothing but a range.
    pub tcp: Option<(String, u16)>,
    pub host: Option<String>,
    pub cidr: Option<String>,
    pub schemes: Option<Vec<String>>,
    pub ports: Option<Vec<u16>>,
    pub methods: Option<Vec<String>>,
    pub paths: Option<Vec<String>>,
}

/// A request as it stands in a URL that has only one spelling; `host` is without brackets.
#[derive(Debug, Clone)]
pub struct Request {
    pub scheme: String,
    pub host: String,
    pub port: u16,
    pub method: String,
    pub path: String,
}

/// How a text stands in YAML: every JSON string does.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || (c as u32) >= 0x7f => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn words<T: ToString>(list: &[T]) -> String {
    let list: Vec<String> = list.iter().map(|word| quoted(&word.to_string())).collect();
    format!("[{}]", list.join(", "))
}

impl Policy {
    pub fn yaml(&self) -> String {
        let mut text = String::from("version: \"1.0\"\n");
        if self.strict {
            text.push_str("strict: true\n");
        }
        text.push_str("permissions:\n  storage:\n");
        for (list, rules) in [("allow", &self.storage_allow), ("deny", &self.storage_deny)] {
            let _ = writeln!(text, "    {list}:");
            for rule in rules {
                let access: Vec<&str> = [(rule.read, "read"), (rule.write, "write")]
                    .into_iter()
                    .filter_map(|(given, word)| given.then_some(word))
                    .collect();
                let _ = writeln!(
                    text,
                    "      - uri: {}\n        access: {}",
                    quoted(&rule.uri),
                    words(&access)
                );
            }
        }
        text.push_str("  network:\n");
        for (list, rules) in [("allow", &self.network_allow), ("deny", &self.network_deny)] {
            let _ = writeln!(text, "    {list}:");
            for rule in rules {
                let ports = rule.ports.as_ref().map(|ports| {
                    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                    format!("[{}]", ports.join(", "))
                });
                let tcp = rule
                    .tcp
                    .as_ref()
                    .map(|(host, port)| match host.contains(':') {
                        true => quoted(&format!("[{host}]:{port}")),
                        false => quoted(&format!("{host}:{port}")),
                    });
                let keys = [
                    ("tcp", tcp),
                    ("host", rule.host.as_deref().map(quoted)),
                    ("cidr", rule.cidr.as_deref().map(quoted)),
                    ("schemes", rule.schemes.as_deref().map(words)),
                    ("ports", ports),
                    ("methods", rule.methods.as_deref().map(words)),
                    ("paths", rule.paths.as_deref().map(words)),
                ];
                let keys: Vec<String> = keys
                    .into_iter()
                    .filter_map(|(key, value)| Some(format!("{key}: {}", value?)))
                    .collect();
                let _ = writeln!(text, "      - {}", keys.join("\n        "));
            }
        }
        text.push_str("  environment:\n    allow:\n");
        for (key, value) in &self.variables {
            let _ = writeln!(text, "      - key: {}", quoted(key));
            if let Some(value) = value {
                let _ = writeln!(text, "        value: {}", quoted(value));
            }
        }
        text.push_str("    deny:\n");
        for key in &self.variables_deny {
            let _ = writeln!(text, "      - key: {}", quoted(key));
        }
        for (key, value) in [("clocks", self.clocks), ("random", self.random)] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {key}: {value}");
            }
        }
        text
    }
}

// ---- storage ----

/// The guest path of a URI, in segments: `fs://w/a` is `/w/a`, and so is `fs:///w/a`.
fn segments_of(uri: &str) -> Vec<&str> {
    split(uri.strip_prefix("fs:/").unwrap_or_default())
}

fn split(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !name.is_empty()).collect()
}

/// `**` is any number of names, `*` any characters of one.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        // At the end: everything below, and not the directory itself.
        (["**"], path) => !path.is_empty(),
        (["**", rest @ ..], path) => (0..=path.len()).any(|skip| matches(rest, &path[skip..])),
        ([first, rest @ ..], [name, path @ ..]) => {
            characters(first.as_bytes(), name.as_bytes()) && matches(rest, path)
        }
        ([], path) => path.is_empty(),
        (_, []) => false,
    }
}

fn characters(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*', rest @ ..], name) => (0..=name.len()).any(|skip| characters(rest, &name[skip..])),
        ([first, rest @ ..], [byte, name @ ..]) => first == byte && characters(rest, name),
        ([], name) => name.is_empty(),
        (_, []) => false,
    }
}

/// Whether the pattern could match something below `path`, whatever there is.
fn could_match_below(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        // It can stand for all names that are left, and for more.
        (["**", ..], _) => true,
        ([first, rest @ ..], [name, path @ ..]) => {
            characters(first.as_bytes(), name.as_bytes()) && could_match_below(rest, path)
        }
        ([], _) => false,
        (_, []) => true,
    }
}

/// The deny entry `uri` is about `path`: by itself, or by a directory above.
fn holds_for(uri: &str, path: &[&str]) -> bool {
    let mut pattern = segments_of(uri);
    if pattern.last() == Some(&"**") {
        pattern.pop();
    }
    (1..=path.len()).any(|end| matches(&pattern, &path[..end]))
}

fn could_hold_below(uri: &str, path: &[&str]) -> bool {
    let mut pattern = segments_of(uri);
    if pattern.last() == Some(&"**") {
        pattern.pop();
    }
    holds_for(uri, path) || could_match_below(&pattern, path)
}

/// The directory that a rule is about: what stands before the first pattern, or what holds its file.
fn base(uri: &str) -> Vec<&str> {
    let segments = segments_of(uri);
    let fixed = segments
        .iter()
        .take_while(|segment| !segment.contains('*'))
        .count();
    if fixed == segments.len() {
        segments[..fixed - 1].to_vec()
    } else {
        segments[..fixed].to_vec()
    }
}

/// `fs://NAME/…` is a root, `fs:///NAME/…` an absolute path.
fn is_absolute(uri: &str) -> bool {
    uri.starts_with("fs:///")
}

/// Reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    pub read: bool,
    pub write: bool,
}

impl Access {
    fn both(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
        }
    }

    pub fn any(self) -> bool {
        self.read || self.write
    }
}

impl Policy {
    /// Entries that `place` says are about the same place as the policy's own.
    fn allowed<'p>(&'p self, other: Option<&'p Policy>) -> impl Iterator<Item = &'p StorageRule> {
        self.storage_allow
            .iter()
            .filter(move |rule| same_place(rule, other))
    }

    fn denied<'p>(&'p self, other: Option<&'p Policy>) -> impl Iterator<Item = &'p StorageRule> {
        self.storage_deny
            .iter()
            .filter(move |rule| same_place(rule, other))
    }

    fn denied_at(&self, other: Option<&Policy>, path: &[&str]) -> Access {
        let mut access = Access::default();
        for rule in self.denied(other).filter(|rule| holds_for(&rule.uri, path)) {
            access.read |= rule.read;
            access.write |= rule.write;
        }
        access
    }

    /// What this policy allows at `path`.
    fn access(&self, other: Option<&Policy>, path: &[&str]) -> Access {
        let denied = self.denied_at(other, path);
        let mut access = Access::default();
        for rule in self
            .allowed(other)
            .filter(|rule| matches(&segments_of(&rule.uri), path))
        {
            access.read |= rule.read && !denied.read;
            access.write |= rule.write && !denied.write;
        }
        access
    }

    /// What this policy allows at `path` or could allow below it.
    fn leads(&self, other: Option<&Policy>, path: &[&str]) -> Access {
        let denied = self.denied_at(other, path);
        let shown = self
            .allowed(other)
            .any(|rule| path.starts_with(&base(&rule.uri)));
        let mut access = Access::default();
        for rule in self.allowed(other) {
            let pattern = segments_of(&rule.uri);
            if matches(&pattern, path) || (shown && could_match_below(&pattern, path)) {
                access.read |= rule.read && !denied.read;
                access.write |= rule.write && !denied.write;
            }
        }
        access
    }

    fn could_deny_below(&self, other: Option<&Policy>, path: &[&str]) -> bool {
        self.denied(other)
            .any(|rule| could_hold_below(&rule.uri, path))
    }

    fn moves(&self, other: Option<&Policy>, from: &[&str], to: &[&str], directory: bool) -> bool {
        let denied = self.denied_at(other, from).any() || self.denied_at(other, to).any();
        // `/**` without other patterns.
        let subtrees = || {
            self.allowed(other)
                .filter(|rule| rule.uri.ends_with("/**") && rule.uri.matches('*').count() == 2)
        };
        let covers = |rule: &StorageRule, path: &[&str]| matches(&segments_of(&rule.uri), path);
        let write = subtrees().any(|rule| rule.write && covers(rule, from) && covers(rule, to));
        let read = [from, to]
            .iter()
            .all(|path| subtrees().any(|rule| rule.read && covers(rule, path)));
        // What is denied by its full name below a file's name counts too: there could be a directory instead.
        let below = |path: &[&str]| {
            self.denied(other).any(|rule| {
                let named = !rule.uri.trim_end_matches("/**").contains('*');
                (directory || named) && could_hold_below(&rule.uri, path)
            })
        };
        !denied && write && read && !below(from) && !below(to)
    }
}

/// Whether two rules are about one path of the guest and two places: `fs://NAME/…` and `fs:///NAME/…`.
pub fn is_elsewhere(one: &StorageRule, other: &StorageRule) -> bool {
    let same = segments_of(&one.uri).first() == segments_of(&other.uri).first();
    same && is_absolute(&one.uri) != is_absolute(&other.uri)
}

/// A ceiling's rule says nothing of what the policy calls by the same name.
fn same_place(rule: &StorageRule, policy: Option<&Policy>) -> bool {
    let rules = policy
        .into_iter()
        .flat_map(|policy| policy.storage_allow.iter().chain(&policy.storage_deny));
    !rules.into_iter().any(|own| is_elsewhere(own, rule))
}

/// A policy under a ceiling, and which roots are bound.
#[derive(Debug, Clone)]
pub struct World {
    pub policy: Policy,
    pub ceiling: Option<Policy>,
    pub bound: Vec<&'static str>,
}

impl World {
    fn layers(&self) -> impl Iterator<Item = (&Policy, Option<&Policy>)> {
        let ceiling = self
            .ceiling
            .iter()
            .map(|ceiling| (ceiling, Some(&self.policy)));
        std::iter::once((&self.policy, None)).chain(ceiling)
    }

    /// Whether the place of `path` is there: an absolute path is.
    fn bound(&self, path: &[&str]) -> bool {
        let rules = self
            .policy
            .storage_allow
            .iter()
            .chain(&self.policy.storage_deny);
        let of_place = |rule: &&StorageRule| segments_of(&rule.uri).first() == path.first();
        rules.filter(of_place).all(|rule| {
            is_absolute(&rule.uri) || path.first().is_some_and(|name| self.bound.contains(name))
        })
    }

    pub fn access(&self, path: &str) -> Access {
        let path = split(path);
        if !self.bound(&path) {
            return Access::default();
        }
        let all = Access {
            read: true,
            write: true,
        };
        self.layers().fold(all, |access, (layer, other)| {
            access.both(layer.access(other, &path))
        })
    }

    /// Whether the name shows.
    pub fn looks(&self, path: &str) -> bool {
        let path = split(path);
        let all = Access {
            read: true,
            write: true,
        };
        let leads = self.layers().fold(all, |access, (layer, other)| {
            access.both(layer.leads(other, &path))
        });
        self.bound(&path) && leads.any()
    }

    /// Whether a directory may be removed.
    pub fn removes(&self, path: &str) -> bool {
        let below = split(path);
        self.access(path).write
            && !self
                .layers()
                .any(|(layer, other)| layer.could_deny_below(other, &below))
    }

    pub fn moves(&self, from: &str, to: &str, directory: bool) -> bool {
        let (from, to) = (split(from), split(to));
        self.bound(&from)
            && self
                .layers()
                .all(|(layer, other)| layer.moves(other, &from, &to, directory))
    }

    /// The value of a variable, `Some(None)` for the server's.
    pub fn variable(&self, key: &str) -> Option<Option<&str>> {
        let mut values = self.layers().map(|(layer, _)| {
            let denied = layer.variables_deny.iter().any(|own| own == key);
            let found = layer.variables.iter().find(|(own, _)| own == key);
            found.filter(|_| !denied).map(|(_, value)| value.as_deref())
        });
        let own = values.next().flatten()?;
        match values.next() {
            None => Some(own),
            Some(limit) => Some(limit?.or(own)),
        }
    }

    fn strict(&self) -> bool {
        self.ceiling.as_ref().is_some_and(|ceiling| ceiling.strict)
    }

    /// The word for the clocks.
    pub fn clocks(&self) -> &'static str {
        const ORDER: [&str; 4] = ["none", "frozen", "coarse", "full"];
        let rank = |word: &str| {
            ORDER
                .iter()
                .position(|own| *own == word)
                .unwrap_or_default()
        };
        let words = self.layers().map(|(layer, _)| {
            let unsaid = if self.strict() || layer.strict {
                "none"
            } else {
                "frozen"
            };
            layer.clocks.unwrap_or(unsaid)
        });
        words.min_by_key(|word| rank(word)).unwrap_or("none")
    }

    /// The words for random numbers.
    pub fn random(&self) -> &'static str {
        let words: Vec<&'static str> = self
            .layers()
            .map(|(layer, _)| {
                let unsaid = if self.strict() || layer.strict {
                    "none"
                } else {
                    "secure"
                };
                layer.random.unwrap_or(unsaid)
            })
            .collect();
        if words.contains(&"none") {
            return "none";
        }
        // A seed is less than none, and of two the ceiling's stands.
        words
            .iter()
            .rev()
            .find(|word| word.contains("seed"))
            .copied()
            .unwrap_or("secure")
    }

    /// Whether a request may be sent, as far as is known before its name is looked up.
    pub fn sends(&self, request: &Request) -> bool {
        let address = request.host.parse().ok();
        !never_host(&request.host)
            && self
                .layers()
                .all(|(layer, _)| layer.sends(request, address))
    }

    /// Whether the connection may be made that a request needs.
    pub fn connects(&self, request: &Request, address: IpAddr, own: bool) -> bool {
        let other = request
            .host
            .parse()
            .is_ok_and(|host: IpAddr| host != address);
        !own && !other
            && !never_host(&request.host)
            && special(address) != Some(Special::Never)
            && self
                .layers()
                .all(|(layer, _)| layer.connects(request, address))
    }
}

// ---- raw connections ----

impl World {
    /// Whether a raw connection may be made to `address`, which a lookup of `name` led to.
    pub fn connects_raw(&self, name: Option<&str>, address: IpAddr, port: u16, own: bool) -> bool {
        let literal = name.and_then(|name| name.parse::<IpAddr>().ok());
        let other = literal.is_some_and(|literal| literal != address);
        let never = special(address) == Some(Special::Never) || name.is_some_and(never_host);
        !own && !other
            && !never
            && self
                .layers()
                .all(|(layer, _)| layer.connects_raw(name, address, port))
    }

    /// Whether the tool may have a name looked up: for a connection that all allow, wherever the name leads.
    pub fn looks_up(&self, name: &str) -> bool {
        !never_host(name)
            && self.policy.raw_ports(name).any(|port| {
                self.layers()
                    .all(|(layer, _)| layer.could_connect_raw(name, port))
            })
    }

    /// Whether the tool is told of an address that a lookup found.
    pub fn tells(&self, name: &str, address: IpAddr) -> bool {
        self.policy
            .raw_ports(name)
            .any(|port| self.connects_raw(Some(name), address, port, false))
    }

    /// Whether there may be a TCP socket at all.
    pub fn has_sockets(&self) -> bool {
        self.layers()
            .all(|(layer, _)| layer.network_allow.iter().any(|rule| rule.tcp.is_some()))
    }
}

impl Policy {
    /// Ports of the entries that name a host.
    fn raw_ports(&self, name: &str) -> impl Iterator<Item = u16> {
        let targets = self
            .network_allow
            .iter()
            .filter_map(|rule| rule.tcp.as_ref());
        targets
            .filter(move |(host, _)| host == name)
            .map(|(_, port)| *port)
    }

    /// Any deny entry about the host and port denies, whatever else it is about.
    fn denies_raw(&self, name: &str, address: Option<IpAddr>, port: u16) -> bool {
        let known: Vec<IpAddr> = address
            .into_iter()
            .chain(address.and_then(carried))
            .collect();
        self.network_deny.iter().any(|rule| {
            let own = rule
                .tcp
                .as_ref()
                .map(|(host, _)| host.as_str())
                .or(rule.host.as_deref());
            let host = own.is_none_or(|own| {
                host_matches(own, name) || known.iter().any(|address| own.parse() == Ok(*address))
            });
            let range = rule.cidr.is_none() || known.iter().any(|address| rule.in_range(*address));
            let ports = match (&rule.tcp, &rule.ports) {
                (Some((_, own)), _) => *own == port,
                (None, Some(own)) => own.contains(&port),
                (None, None) => true,
            };
            host && range && ports
        })
    }

    fn could_connect_raw(&self, name: &str, port: u16) -> bool {
        self.raw_ports(name).any(|own| own == port)
            && !self.denies_raw(name, name.parse().ok(), port)
    }

    fn connects_raw(&self, name: Option<&str>, address: IpAddr, port: u16) -> bool {
        let literal = address.to_string();
        let asked = name.unwrap_or(&literal);
        let allowed = self.network_allow.iter().any(|rule| {
            let Some((host, own)) = &rule.tcp else {
                return false;
            };
            let leads = match &rule.cidr {
                Some(_) => rule.in_range(address),
                None => special(address).is_none(),
            };
            *own == port && (*host == literal || (host == asked && leads))
        });
        allowed && !self.denies_raw(asked, Some(address), port)
    }
}

// ---- network ----

impl NetworkRule {
    /// Whether its host is the requested one.
    fn is_for(&self, host: &str) -> bool {
        self.host
            .as_deref()
            .is_some_and(|own| host_matches(own, host))
    }

    fn in_range(&self, address: IpAddr) -> bool {
        self.cidr
            .as_deref()
            .is_some_and(|cidr| in_range(cidr, address))
    }

    /// The keys of an allow entry beside host and range.
    fn keys_allow(&self, request: &Request) -> bool {
        let scheme = match &self.schemes {
            Some(schemes) => schemes.contains(&request.scheme),
            None => request.scheme == "https",
        };
        let port = match &self.ports {
            Some(ports) => ports.contains(&request.port),
            None => request.port == if request.scheme == "https" { 443 } else { 80 },
        };
        let method = self
            .methods
            .as_ref()
            .is_none_or(|methods| methods.contains(&request.method));
        let path = self
            .paths
            .as_ref()
            .is_none_or(|paths| match readings(&request.path) {
                Some((raw, decoded)) => paths
                    .iter()
                    .any(|own| path_matches(own, &raw) && path_matches(own, &decoded)),
                None => false,
            });
        scheme && port && method && path
    }

    /// The keys of a deny entry beside host and range: one that is absent is anything.
    fn keys_deny(&self, request: &Request) -> bool {
        let path = self
            .paths
            .as_ref()
            .is_none_or(|paths| match readings(&request.path) {
                Some((raw, decoded)) => paths
                    .iter()
                    .any(|own| path_matches(own, &raw) || path_matches(own, &decoded)),
                None => true,
            });
        self.schemes
            .as_ref()
            .is_none_or(|own| own.contains(&request.scheme))
            && self
                .ports
                .as_ref()
                .is_none_or(|own| own.contains(&request.port))
            && self
                .methods
                .as_ref()
                .is_none_or(|own| own.contains(&request.method))
            && path
    }

    fn denies(&self, request: &Request, address: Option<IpAddr>) -> bool {
        // Where an address is known, and an IPv4 one in it.
        let known: Vec<IpAddr> = address
            .into_iter()
            .chain(address.and_then(carried))
            .collect();
        let host = match self.host.as_deref() {
            None => true,
            Some(own) => {
                self.is_for(&request.host)
                    || known.iter().any(|address| own.parse() == Ok(*address))
            }
        };
        let range = match &self.cidr {
            None => true,
            Some(_) => known.iter().any(|address| self.in_range(*address)),
        };
        host && range && self.keys_deny(request)
    }
}

impl Policy {
    fn http_allow(&self) -> impl Iterator<Item = &NetworkRule> {
        self.network_allow.iter().filter(|rule| rule.tcp.is_none())
    }

    fn http_deny(&self) -> impl Iterator<Item = &NetworkRule> {
        self.network_deny.iter().filter(|rule| rule.tcp.is_none())
    }

    fn sends(&self, request: &Request, address: Option<IpAddr>) -> bool {
        let allowed = self.http_allow().any(|rule| {
            let place = match (&rule.host, address) {
                (Some(_), _) => rule.is_for(&request.host),
                (None, Some(address)) => rule.in_range(address),
                (None, None) => false,
            };
            place && rule.keys_allow(request)
        });
        allowed && !self.http_deny().any(|rule| rule.denies(request, address))
    }

    fn connects(&self, request: &Request, address: IpAddr) -> bool {
        if request.host.parse() == Ok(address) {
            return self.sends(request, Some(address));
        }
        let entry_for_address = || {
            self.http_allow().any(|rule| {
                rule.host
                    .as_deref()
                    .is_some_and(|own| own.parse() == Ok(address))
                    && rule.keys_allow(request)
            })
        };
        let allowed = self.http_allow().any(|rule| {
            let leads = match &rule.cidr {
                Some(_) => rule.in_range(address),
                None => special(address).is_none() || entry_for_address(),
            };
            rule.is_for(&request.host) && rule.keys_allow(request) && leads
        });
        allowed
            && !self
                .http_deny()
                .any(|rule| rule.denies(request, Some(address)))
    }
}

pub fn host_matches(pattern: &str, host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() || pattern.parse::<IpAddr>().is_ok() {
        return pattern == host;
    }
    let labels: Vec<&str> = host.split('.').collect();
    let own: Vec<&str> = pattern.split('.').collect();
    match own.as_slice() {
        ["**", rest @ ..] => labels.len() > rest.len() && labels.ends_with(rest),
        ["*", rest @ ..] => labels.len() == rest.len() + 1 && labels.ends_with(rest),
        own => own == labels.as_slice(),
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

fn in_range(cidr: &str, address: IpAddr) -> bool {
    let Some((network, prefix)) = cidr.split_once('/') else {
        return false;
    };
    let (Ok(network), Ok(prefix)) = (network.parse::<IpAddr>(), prefix.parse::<u32>()) else {
        return false;
    };
    let ((network, width), (address, other)) = (bits(network), bits(address));
    width == other && (prefix == 0 || (network ^ address) >> (128 - prefix) == 0)
}

/// A path with one reading: as it is sent, and as it is decoded.
fn readings(path: &str) -> Option<(String, String)> {
    if !path.starts_with('/')
        || path.len() > 8192
        || path.contains(['\\', ';'])
        || path.contains("//")
    {
        return None;
    }
    let bytes = path.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'%' {
            decoded.push(bytes[at]);
            at += 1;
            continue;
        }
        let digits = path.get(at + 1..at + 3)?;
        if !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric()
            || b"-._~/\\%?#;".contains(&byte)
            || byte < 0x20
            || byte == 0x7f
        {
            return None;
        }
        decoded.push(byte);
        at += 3;
    }
    let decoded = String::from_utf8(decoded).ok()?;
    if decoded.chars().any(char::is_control)
        || decoded
            .split('/')
            .any(|segment| matches!(segment.trim(), "." | ".."))
    {
        return None;
    }
    Some((path.to_owned(), decoded))
}

fn path_matches(pattern: &str, path: &str) -> bool {
    fn fits(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            (["**"], path) => !path.is_empty(),
            (["**", rest @ ..], path) => (0..=path.len()).any(|skip| fits(rest, &path[skip..])),
            ([first, rest @ ..], [name, path @ ..]) => {
                characters(first.as_bytes(), name.as_bytes()) && fits(rest, path)
            }
            ([], path) => path.is_empty(),
            (_, []) => false,
        }
    }
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    fits(&pattern, &path)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// Reachable by a rule for the address, or with a cidr.
    Asked,
    Never,
}

const NEVER: [&str; 17] = [
    "169.254.169.254/32",
    "169.254.170.2/32",
    "169.254.170.23/32",
    "169.254.42.42/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fd00:ec2::254/128",
    "fd00:ec2::23/128",
    "fd20:ce::254/128",
    "fd00:42::42/128",
    "0.0.0.0/8",
    "::/128",
    "224.0.0.0/4",
    "ff00::/8",
    "255.255.255.255/32",
    "::ffff:0:0/96",
];
const ASKED: [&str; 16] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    // Of IPv6, what is within the range of the public ones; all outside of it is special.
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
];

/// The IPv4 address that an IPv6 one carries.
fn carried(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    if address == Ipv6Addr::UNSPECIFIED || address == Ipv6Addr::LOCALHOST {
        return None;
    }
    let [a, b, c, d, e, f, g, h] = address.segments();
    let joined = |high: u16, low: u16| {
        Some(IpAddr::V4(Ipv4Addr::from(
            (u32::from(high) << 16) | u32::from(low),
        )))
    };
    match (a, b) {
        (0x64, 0xff9b) => joined(g, h),
        (0x2002, _) => joined(b, c),
        (0x2001, 0) => joined(!g, !h),
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0 || f == 0xffff) => joined(g, h),
        (0, 0) if (c, d, e, f) == (0, 0, 0xffff, 0) => joined(g, h),
        _ => None,
    }
}

pub fn special(address: IpAddr) -> Option<Special> {
    let within = |ranges: &[&str], address| ranges.iter().any(|range| in_range(range, address));
    let never =
        within(&NEVER, address) || carried(address).is_some_and(|inner| within(&NEVER, inner));
    let public = |address: IpAddr| address.is_ipv4() || in_range("2000::/3", address);
    if never {
        Some(Special::Never)
    } else if within(&ASKED, address) || in_range("3fff::/20", address) || !public(address) {
        Some(Special::Asked)
    } else {
        None
    }
}

fn never_host(host: &str) -> bool {
    match host.parse() {
        Ok(address) => special(address) == Some(Special::Never),
        Err(_) => host == "metadata.google.internal",
    }
}
