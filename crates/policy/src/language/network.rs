//! Network rules: what a request may be, and what Casemate adds to it.

use std::fmt;

use ipnet::IpNet;

use super::decode::secret_name;
use super::fields::{Fields, parsed, unknown_word};
use crate::document::Node;
use crate::error::{Located, PolicyError, Refusal};
use crate::http::{HttpScheme, is_method, is_never_sent, parse_port};
use crate::pattern::HostPattern;

/// The longest path pattern or header value in bytes.
const MAX_TEXT: usize = 1024;

/// One entry of `network`: its keys must all hold. At least one of host, cidr and tcp is given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct NetworkRule {
    pub(crate) host: Option<Located<HostPattern>>,
    pub(crate) cidr: Option<Located<IpNet>>,
    pub(crate) tcp: Option<Located<TcpTarget>>,
    pub(crate) schemes: Option<Located<Vec<HttpScheme>>>,
    pub(crate) ports: Option<Located<Vec<u16>>>,
    pub(crate) methods: Option<Located<Vec<String>>>,
    pub(crate) paths: Option<Located<Vec<String>>>,
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
        let hosts = match (&self.host, &other.host) {
            (Some(own), Some(other)) => own.value.covers(&other.value),
            (None, _) | (_, None) => return self == other,
        };
        let methods = match (&self.methods, &other.methods) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(others)) => others.value.iter().all(|method| self.allows_method(method)),
        };
        let ways = || {
            other
                .ways()
                .all(|(scheme, port)| self.allows_scheme(scheme) && self.allows_port(scheme, port))
        };
        hosts && methods && ways()
    }

    /// Tells whether this entry of a deny list denies all that `other` does there.
    pub(crate) fn denies(&self, other: &Self) -> bool {
        fn holds<T: PartialEq>(
            own: &Option<Located<Vec<T>>>,
            other: &Option<Located<Vec<T>>>,
        ) -> bool {
            match (own, other) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(own), Some(other)) => other.value.iter().all(|item| own.value.contains(item)),
            }
        }
        let hosts = match (&self.host, &other.host) {
            (Some(own), Some(other)) => own.value.covers(&other.value),
            (None, _) | (_, None) => return self == other,
        };
        hosts
            && holds(&self.schemes, &other.schemes)
            && holds(&self.ports, &other.ports)
            && holds(&self.methods, &other.methods)
    }

    /// Writes the keys that a decision looks at beside the host: ` [schemes: http; ports: 80, 8080]`.
    fn write_keys(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn words<T: fmt::Display>(key: &Option<Located<Vec<T>>>) -> Option<String> {
            let words: Vec<String> = key.as_ref()?.value.iter().map(T::to_string).collect();
            Some(words.join(", "))
        }
        let keys = [
            ("schemes", words(&self.schemes)),
            ("ports", words(&self.ports)),
            ("methods", words(&self.methods)),
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
            (None, Some(tcp), _) => write!(formatter, "tcp {}", tcp.value),
            (None, None, Some(cidr)) => write!(formatter, "{}", cidr.value),
            (None, None, None) => formatter.write_str("nothing"),
        }
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
        tcp: fields.parsed("tcp", tcp)?,
        schemes: fields.parsed_list("schemes", scheme)?,
        ports: fields.parsed_list("ports", port)?,
        methods: fields.parsed_list("methods", method)?,
        paths: fields.parsed_list("paths", request_path)?,
        headers: fields
            .get("headers")
            .map(|node| headers(node, &fields.path_of("headers")))
            .transpose()?,
    };
    if rule.host.is_none() && rule.cidr.is_none() && rule.tcp.is_none() {
        return Err(PolicyError::language(
            fields.place,
            format!("{path}: the host is missing"),
        ));
    }
    if let Some(tcp) = &rule.tcp
        && let Some(other) = known
            .iter()
            .find(|key| **key != "tcp" && fields.get(key).is_some())
    {
        return Err(PolicyError::language(
            tcp.place,
            format!("{path}: tcp stands alone, not beside {other:?}"),
        ));
    }
    Ok(rule)
}

fn cidr(text: &str) -> Result<IpNet, Refusal> {
    let range: IpNet = text.parse().map_err(|_| {
        Refusal::new(format!("{text:?} is not a range of addresses"))
            .hint("write it as in 10.1.0.0/16")
    })?;
    let canonical = range.trunc();
    if canonical == range {
        Ok(range)
    } else {
        Err(
            Refusal::new(format!("{text:?} has bits set beyond its prefix"))
                .hint(format!("did you mean {canonical}?")),
        )
    }
}

fn tcp(text: &str) -> Result<TcpTarget, Refusal> {
    let hint = "write a name or address and a port, as in db.internal:5432";
    let Some((host, port_text)) = text.rsplit_once(':') else {
        return Err(Refusal::new(format!("{text:?} has no port")).hint(hint));
    };
    match HostPattern::parse(host)? {
        HostPattern::OneLabel(_) | HostPattern::AnyDepth(_) => Err(Refusal::new(format!(
            "{text:?} is a pattern; raw connections name one host"
        ))
        .hint(hint)),
        host => Ok(TcpTarget {
            host,
            port: port(port_text)?,
        }),
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

fn request_path(text: &str) -> Result<String, Refusal> {
    let refuse = |what: &str| Err(Refusal::new(format!("{text:?} {what}")));
    if !text.starts_with('/') {
        return refuse("does not start with '/'");
    }
    if text.len() > MAX_TEXT {
        return Err(Refusal::new(format!(
            "a path pattern has at most {MAX_TEXT} bytes"
        )));
    }
    if text
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || b"\\%?#;[]{}".contains(&byte))
    {
        return refuse("holds a character that path patterns do not have");
    }
    for segment in text.split('/') {
        if matches!(segment, "." | "..") || segment.contains("**") && segment != "**" {
            return refuse("holds a '.', '..' or mixed '**' segment");
        }
    }
    Ok(text.to_owned())
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
