//! Network rules: what a request may be, and what Casemate adds to it.

use std::fmt;

use ipnet::IpNet;

use super::decode::secret_name;
use super::fields::{Fields, parsed, unknown_word};
use crate::document::Node;
use crate::error::{Located, PolicyError, Refusal};
use crate::http::{HttpScheme, is_method, is_never_sent, parse_port};
use crate::pattern::{HostPattern, PlainPath, RoutePattern};

/// The longest header value in bytes.
const MAX_TEXT: usize = 1024;
/// The most patterns for paths in one entry.
const MAX_PATHS: usize = 64;
/// The most words of a key that are shown where a rule is named.
const MAX_SHOWN: usize = 8;

/// One entry of `network`: its keys must all hold. At least one of host, cidr and tcp is given; beside tcp only a cidr.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct NetworkRule {
    pub(crate) host: Option<Located<HostPattern>>,
    pub(crate) cidr: Option<Located<IpNet>>,
    pub(crate) tcp: Option<Located<TcpTarget>>,
    pub(crate) schemes: Option<Located<Vec<HttpScheme>>>,
    pub(crate) ports: Option<Located<Vec<u16>>>,
    pub(crate) methods: Option<Located<Vec<String>>>,
    pub(crate) paths: Option<Located<Vec<RoutePattern>>>,
    pub(crate) headers: Option<Located<Vec<Header>>>,
}

/// A raw connection's target: one name or address, and a port.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TcpTarget {
    pub(crate) host: HostPattern,
    pub(crate) port: u16,
}

impl fmt::Display for TcpTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::Address(address) if address.is_ipv6() => {
                write!(formatter, "[{address}]:{}", self.port)
            }
            host => write!(formatter, "{host}:{}", self.port),
        }
    }
}

/// A header that Casemate puts into a request; the guest never sees the secrets in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: Vec<HeaderPart>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum HeaderPart {
    Text(String),
    Secret(String),
}

impl NetworkRule {
    /// Tells whether it allows requests of this scheme: https alone where nothing is said.
    pub(crate) fn allows_scheme(&self, scheme: HttpScheme) -> bool {
        match &self.schemes {
            Some(schemes) => schemes.value.contains(&scheme),
            None => scheme == HttpScheme::Https,
        }
    }

    /// Tells whether it allows this port to requests of this scheme: the scheme's own where nothing is said.
    pub(crate) fn allows_port(&self, scheme: HttpScheme, port: u16) -> bool {
        match &self.ports {
            Some(ports) => ports.value.contains(&port),
            None => port == scheme.default_port(),
        }
    }

    /// Tells whether it allows this method: any where nothing is said.
    pub(crate) fn allows_method(&self, method: &str) -> bool {
        match &self.methods {
            Some(methods) => methods.value.iter().any(|own| own == method),
            None => true,
        }
    }

    /// Tells whether it allows this path: any where nothing is said, and otherwise none that is ambiguous.
    pub(crate) fn allows_path(&self, path: &Result<PlainPath<'_>, &'static str>) -> bool {
        let Some(paths) = &self.paths else {
            return true;
        };
        let path = path.as_ref().ok();
        path.is_some_and(|path| paths.value.iter().any(|own| own.allows(path)))
    }

    /// Tells whether it denies this path: any where nothing is said, and otherwise whatever is ambiguous.
    pub(crate) fn denies_path(&self, path: &Result<PlainPath<'_>, &'static str>) -> bool {
        match (&self.paths, path) {
            (None, _) | (Some(_), Err(_)) => true,
            (Some(paths), Ok(path)) => paths.value.iter().any(|own| own.denies(path)),
        }
    }

    /// Returns the schemes that it allows, each with the ports to which it allows them.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (HttpScheme, u16)> {
        [HttpScheme::Https, HttpScheme::Http]
            .into_iter()
            .filter(|scheme| self.allows_scheme(*scheme))
            .flat_map(|scheme| {
                let ports = match &self.ports {
                    Some(ports) => ports.value.clone(),
                    None => vec![scheme.default_port()],
                };
                ports.into_iter().map(move |port| (scheme, port))
            })
    }

    /// Tells whether this entry of an allow list allows all that `other` does there, as far as entries with a host go.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if self.tcp.is_some() || other.tcp.is_some() {
            let range = match (&self.cidr, &other.cidr) {
                (None, None) => true,
                (Some(own), Some(part)) => own.value.contains(&part.value),
                (None, Some(_)) | (Some(_), None) => false,
            };
            return self.tcp == other.tcp && range;
        }
        let places = match (&self.host, &self.cidr, &other.host, &other.cidr) {
            // Without a range it is about public addresses, with one about those in it.
            (Some(own), None, Some(other), None) => own.value.covers(&other.value),
            (Some(own), Some(range), Some(other), Some(part)) => {
                own.value.covers(&other.value) && range.value.contains(&part.value)
            }
            (None, Some(range), None, Some(part)) => range.value.contains(&part.value),
            _ => return self == other,
        };
        let ways = || {
            other
                .ways()
                .all(|(scheme, port)| self.allows_scheme(scheme) && self.allows_port(scheme, port))
        };
        places
            && hold(&self.methods, &other.methods, PartialEq::eq)
            && hold(&self.paths, &other.paths, RoutePattern::covers)
            && ways()
    }

    /// Returns the host that it is about, by whichever key.
    fn peer(&self) -> Option<&HostPattern> {
        let tcp = || self.tcp.as_ref().map(|tcp| &tcp.value.host);
        self.host.as_ref().map(|host| &host.value).or_else(tcp)
    }

    /// Tells whether this entry of a deny list denies all that `other` does there.
    pub(crate) fn denies(&self, other: &Self) -> bool {
        let host = match (self.peer(), other.peer()) {
            (None, _) => true,
            (Some(own), Some(other)) => own.covers(other),
            (Some(_), None) => false,
        };
        let range = match (&self.cidr, &other.cidr) {
            (None, _) => self.peer().is_some(),
            (Some(own), Some(part)) => own.value.contains(&part.value),
            (Some(own), None) => other
                .peer()
                .and_then(HostPattern::address)
                .is_some_and(|address| own.value.contains(&address)),
        };
        match (&self.tcp, &other.tcp) {
            // Of requests it says nothing.
            (Some(_), None) => return false,
            (Some(own), Some(other)) => return host && range && own.value.port == other.value.port,
            // An entry for some requests denies raw connections too, since they could carry just those.
            (None, Some(other)) => {
                let ports = self.ports.as_ref();
                let port = ports.is_none_or(|ports| ports.value.contains(&other.value.port));
                return host && range && port;
            }
            (None, None) => {}
        }
        host && range
            && hold(&self.schemes, &other.schemes, PartialEq::eq)
            && hold(&self.ports, &other.ports, PartialEq::eq)
            && hold(&self.methods, &other.methods, PartialEq::eq)
            && hold(&self.paths, &other.paths, RoutePattern::covers)
    }

    /// Writes the keys that a decision looks at beside the host: ` [schemes: http; ports: 80, 8080]`.
    fn write_keys(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn words<T: fmt::Display>(key: &Option<Located<Vec<T>>>) -> Option<String> {
            let all = &key.as_ref()?.value;
            let mut words: Vec<String> = all.iter().take(MAX_SHOWN).map(T::to_string).collect();
            if let Some(more) = all.len().checked_sub(MAX_SHOWN).filter(|more| *more > 0) {
                words.push(format!("{more} more"));
            }
            Some(words.join(", "))
        }
        let range = self.cidr.as_ref().filter(|_| self.peer().is_some());
        let keys = [
            ("cidr", range.map(|range| range.value.to_string())),
            ("schemes", words(&self.schemes)),
            ("ports", words(&self.ports)),
            ("methods", words(&self.methods)),
            ("paths", words(&self.paths)),
        ];
        let given: Vec<String> = keys
            .into_iter()
            .filter_map(|(key, words)| Some(format!("{key}: {}", words?)))
            .collect();
        if given.is_empty() {
            return Ok(());
        }
        write!(formatter, " [{}]", given.join("; "))
    }
}

impl fmt::Display for NetworkRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.tcp, &self.cidr) {
            (Some(host), _, _) => {
                write!(formatter, "{}", host.value)?;
                self.write_keys(formatter)
            }
            (None, Some(tcp), _) => {
                write!(formatter, "tcp {}", tcp.value)?;
                self.write_keys(formatter)
            }
            (None, None, Some(cidr)) => {
                write!(formatter, "{}", cidr.value)?;
                self.write_keys(formatter)
            }
            (None, None, None) => formatter.write_str("nothing"),
        }
    }
}

/// Tells whether all items of another entry's key are among those of this one, where no key means all there are.
fn hold<T>(
    own: &Option<Located<Vec<T>>>,
    other: &Option<Located<Vec<T>>>,
    covers: impl Fn(&T, &T) -> bool,
) -> bool {
    match (own, other) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(other)) => other
            .value
            .iter()
            .all(|item| own.value.iter().any(|own| covers(own, item))),
    }
}

pub(super) fn network_rule(node: &Node, path: &str) -> Result<NetworkRule, PolicyError> {
    let known = [
        "host", "cidr", "tcp", "schemes", "ports", "methods", "paths", "headers",
    ];
    let fields = Fields::of(node, path, &known)?;
    let rule = NetworkRule {
        host: fields.parsed("host", HostPattern::parse)?,
        cidr: fields.parsed("cidr", cidr)?,
        tcp: fields.parsed("tcp", TcpTarget::parse)?,
        schemes: fields.parsed_list("schemes", scheme)?,
        ports: fields.parsed_list("ports", port)?,
        methods: fields.parsed_list("methods", method)?,
        paths: fields.parsed_list("paths", RoutePattern::parse)?,
        headers: fields
            .get("headers")
            .map(|node| headers(node, &fields.path_of("headers")))
            .transpose()?,
    };
    if let Some(paths) = &rule.paths
        && paths.value.len() > MAX_PATHS
    {
        return Err(PolicyError::language(
            paths.place,
            format!(
                "{path}.paths: an entry has at most {MAX_PATHS} patterns, this one has {}",
                paths.value.len()
            ),
        )
        .hint("write a second entry for the others"));
    }
    if rule.host.is_none() && rule.cidr.is_none() && rule.tcp.is_none() {
        return Err(PolicyError::language(
            fields.place,
            format!("{path}: the host is missing"),
        ));
    }
    if let (Some(host), Some(range)) = (&rule.host, &rule.cidr)
        && host.value.address().is_some()
    {
        return Err(PolicyError::language(
            range.place,
            format!("{path}: the host is an address, and its cidr says nothing more"),
        )
        .hint("keep one of the two"));
    }
    if let Some(tcp) = &rule.tcp {
        let beside = |key: &&&str| !matches!(**key, "tcp" | "cidr") && fields.get(key).is_some();
        if let Some(other) = known.iter().find(beside) {
            return Err(PolicyError::language(
                tcp.place,
                format!("{path}: {other:?} is about HTTP requests, and tcp about raw connections, which have none"),
            )
            .hint("write two entries; the port of tcp stands in its value"));
        }
        if let (Some(range), Some(_)) = (&rule.cidr, tcp.value.host.address()) {
            return Err(PolicyError::language(
                range.place,
                format!("{path}: tcp names an address, and its cidr says nothing more"),
            )
            .hint("keep one of the two"));
        }
    }
    Ok(rule)
}

fn cidr(text: &str) -> Result<IpNet, Refusal> {
    let range: IpNet = text.parse().map_err(|_| {
        Refusal::new(format!("{text:?} is not a range of addresses"))
            .hint("write it as in 10.1.0.0/16")
    })?;
    let canonical = range.trunc();
    if canonical != range {
        return Err(
            Refusal::new(format!("{text:?} has bits set beyond its prefix"))
                .hint(format!("did you mean {canonical}?")),
        );
    }
    if let IpNet::V6(outer) = range
        && let Some(inner) = outer.addr().to_ipv4_mapped()
        && let Some(prefix) = outer.prefix_len().checked_sub(96)
    {
        return Err(Refusal::new(format!(
            "{text:?} is a range of IPv4 addresses within IPv6 ones, which no request reaches"
        ))
        .hint(format!("write {inner}/{prefix}")));
    }
    Ok(range)
}

impl TcpTarget {
    /// Parses `db.internal:5432`, `192.0.2.1:5432` or `[2001:db8::1]:5432`.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let hint = "write a name or address and a port, as in db.internal:5432";
        if let Some((_, rest)) = text.split_once("://") {
            return Err(Refusal::new(format!("{text:?} is a URL"))
                .hint(format!("write {:?}", rest.trim_end_matches('/'))));
        }
        let split = text.rsplit_once(':').filter(|_| !text.ends_with(']'));
        let Some((host, port_text)) = split else {
            return Err(Refusal::new(format!("{text:?} has no port")).hint(hint));
        };
        // Without brackets the port could be part of the address.
        if host.contains(':') && !host.starts_with('[') {
            return Err(
                Refusal::new(format!("{text:?} has an IPv6 address without brackets"))
                    .hint("write it as in [2001:db8::1]:5432"),
            );
        }
        match HostPattern::parse(host)? {
            HostPattern::OneLabel(_) | HostPattern::AnyDepth(_) => Err(Refusal::new(format!(
                "{text:?} is a pattern; raw connections name one host"
            ))
            .hint(hint)),
            host => Ok(Self {
                host,
                port: port(port_text)?,
            }),
        }
    }
}

fn port(text: &str) -> Result<u16, Refusal> {
    parse_port(text).ok_or_else(|| Refusal::new(format!("{text:?} is not a port from 1 to 65535")))
}

fn scheme(text: &str) -> Result<HttpScheme, Refusal> {
    HttpScheme::parse(text).ok_or_else(|| unknown_word(text, &["https", "http"]))
}

fn method(text: &str) -> Result<String, Refusal> {
    if is_never_sent(text) {
        Err(Refusal::new(format!(
            "{text} is never sent for a component"
        )))
    } else if is_method(text) {
        Ok(text.to_owned())
    } else {
        Err(Refusal::new(format!("{text:?} is not a method"))
            .hint("write it in capitals, as in GET"))
    }
}

fn headers(node: &Node, path: &str) -> Result<Located<Vec<Header>>, PolicyError> {
    let mut headers: Vec<Header> = Vec::new();
    for entry in Fields::open(node, path)? {
        let name = header_name(&entry.key).map_err(|refusal| refusal.at(entry.place))?;
        if headers.iter().any(|header| header.name == name) {
            return Err(PolicyError::language(
                entry.place,
                format!("{path}: the header {name:?} is given twice"),
            ));
        }
        let value = parsed(&entry.node, &format!("{path}.{name}"), template)?.value;
        headers.push(Header { name, value });
    }
    if headers.is_empty() {
        return Err(PolicyError::language(
            node.place,
            format!("{path}: names no header"),
        ));
    }
    Ok(Located::new(headers, node.place))
}

fn header_name(text: &str) -> Result<String, Refusal> {
    // Those that frame the connection or name its target are Casemate's alone.
    const OWN: [&str; 13] = [
        "host",
        "cookie",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "transfer-encoding",
        "content-length",
        "upgrade",
        "te",
        "trailer",
        "expect",
    ];
    let name = text.to_ascii_lowercase();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$&'*+^`|~".contains(&byte);
    if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
        return Err(Refusal::new(format!(
            "{text:?} is not the name of a header"
        )));
    }
    if OWN.contains(&name.as_str()) {
        return Err(Refusal::new(format!(
            "the header {name:?} cannot be given by a rule"
        )));
    }
    Ok(name)
}

/// Splits `Bearer {secret:openai}` into text and names of secrets.
fn template(text: &str) -> Result<Vec<HeaderPart>, Refusal> {
    if text.len() > MAX_TEXT
        || text
            .bytes()
            .any(|byte| !(byte == b' ' || byte.is_ascii_graphic()))
    {
        return Err(Refusal::new(
            "a header value is printable ASCII of at most 1024 bytes",
        ));
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let unknown = || Refusal::new(format!("{text:?} holds a '{{' that is no {{secret:NAME}}"));
        let (inner, after) = after.split_once('}').ok_or_else(unknown)?;
        let name = secret_name(inner.strip_prefix("secret:").ok_or_else(unknown)?)?;
        if !before.is_empty() {
            parts.push(HeaderPart::Text(before.to_owned()));
        }
        parts.push(HeaderPart::Secret(name));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(HeaderPart::Text(rest.to_owned()));
    }
    Ok(parts)
}
