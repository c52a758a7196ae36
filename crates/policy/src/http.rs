//! Targets of outgoing requests, in the one form in which they are judged and used.
//!
//! What a guest writes is read once, strictly: a spelling that another program could read in another way is refused
//! and never repaired, apart from three things that DNS itself takes for equal: upper and lower case, a name in
//! Unicode and its A-labels, and one final dot.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Host;

use crate::denial::{Denial, bounded};
use crate::operation::Operation;
use crate::pattern::PlainPath;
use crate::reason::Reason;

/// The longest host name in bytes, as in DNS.
const MAX_NAME: usize = 253;
/// The longest label of a name in bytes, as in DNS.
const MAX_LABEL: usize = 63;
/// The longest text that is read as a name; in Unicode it can be longer than what comes of it.
const MAX_TEXT: usize = 1024;
/// The longest path in bytes; RFC 9110, 4.1, asks for lines of at least 8000.
pub(crate) const MAX_PATH: usize = 8192;
/// The longest method in bytes.
const MAX_METHOD: usize = 32;

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpScheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl HttpScheme {
    /// Returns `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the port where nothing is said: 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Reads exactly `http` or `https`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }
}

impl fmt::Display for HttpScheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The host of a request, in canonical form. Displays as in a URL, with brackets around an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HttpHost {
    /// A name: A-labels in lower case, without a final dot.
    Name(String),
    /// An address; never an IPv4 address within an IPv6 one (`::ffff:192.0.2.1`).
    Address(IpAddr),
}

impl HttpHost {
    /// Reads a name, or an address without brackets in its canonical spelling.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return canonical_address(text, address).map(Self::Address);
        }
        canonical_name(text).map(Self::Name).map_err(|fault| {
            Fault::new(
                Reason::NetworkHost,
                match fault {
                    NameFault::Address(address) => format!(
                        "the host is an unusual spelling of the address {address}; only the usual one is accepted"
                    ),
                    NameFault::Percent => {
                        "the host is percent-encoded; only its plain spelling is accepted".to_owned()
                    }
                    NameFault::Malformed(what) => format!("that is no host: {what}"),
                },
            )
        })
    }
}

impl HttpHost {
    /// Returns it as an [`Operation`] has it: an IPv6 address without brackets.
    pub fn to_plain(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

/// Reads what a guest wants looked up, in the one spelling in which rules name it.
///
/// # Errors
/// A denial with `denied.dns` and without remedy, since no rule allows it: what is neither a name nor an address, or is an
/// address in another spelling than its usual one, as in `0x7f.1` or `[::1]`.
pub fn lookup_name(text: &str) -> Result<HttpHost, Denial> {
    HttpHost::parse(text).map_err(|fault| {
        let subject = format!("dns {}", text.escape_default());
        Denial::new(Reason::Dns, bounded(&subject), fault.sentence)
    })
}

impl fmt::Display for HttpHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

/// Accepts an address only as it is written by itself, and no IPv4 address within an IPv6 one.
fn canonical_address(text: &str, address: IpAddr) -> Result<IpAddr, Fault> {
    let usual = match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(inner) => inner.to_ipv4_mapped().map_or(address, IpAddr::V4),
    };
    if usual == address && address.to_string() == text {
        return Ok(address);
    }
    Err(Fault::new(
        Reason::NetworkHost,
        format!(
            "the host is an unusual spelling of the address {usual}; only the usual one is accepted"
        ),
    ))
}

/// Why a text is not the name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// It is another spelling of this address: `2130706433`, `0x7f.1`, `127.1`.
    Address(Ipv4Addr),
    /// It holds a `%`.
    Percent,
    /// Anything else.
    Malformed(&'static str),
}

/// Brings a name to the form in which names are compared and looked up: A-labels, lower case, no final dot.
pub(crate) fn canonical_name(text: &str) -> Result<String, NameFault> {
    if text.is_empty() {
        return Err(NameFault::Malformed("it is empty"));
    }
    if text.len() > MAX_TEXT {
        return Err(NameFault::Malformed("it is longer than 253 characters"));
    }
    if text.contains('%') {
        return Err(NameFault::Percent);
    }
    if text.chars().any(|character| {
        character.is_whitespace() || character.is_control() || "/\\@?#[]:*".contains(character)
    }) {
        return Err(NameFault::Malformed(
            "it holds a character that no host name has",
        ));
    }
    let canonical = match Host::parse(text) {
        Ok(Host::Domain(domain)) => domain,
        Ok(Host::Ipv4(address)) => return Err(NameFault::Address(address)),
        Ok(Host::Ipv6(_)) | Err(_) => {
            return Err(NameFault::Malformed("it is neither a name nor an address"));
        }
    };
    let canonical = canonical.strip_suffix('.').unwrap_or(&canonical);
    if canonical.is_empty() || canonical.len() > MAX_NAME {
        return Err(NameFault::Malformed(
            "it is empty or longer than 253 characters",
        ));
    }
    // URLs have names that no host has; nothing else on the way should have to read them.
    if !canonical
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        return Err(NameFault::Malformed(
            "it holds a character that no host name has",
        ));
    }
    if canonical
        .split('.')
        .any(|label| label.is_empty() || label.len() > MAX_LABEL)
    {
        return Err(NameFault::Malformed(
            "a label is empty or longer than 63 characters",
        ));
    }
    Ok(canonical.to_owned())
}

/// What is wrong with a request, whatever any rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    pub(crate) sentence: String,
}

impl Fault {
    fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self {
            reason,
            sentence: sentence.into(),
        }
    }
}

/// What rules judge of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) scheme: HttpScheme,
    pub(crate) host: HttpHost,
    pub(crate) port: u16,
    pub(crate) method: &'a str,
    /// The path, or what makes it ambiguous, which matters only where a rule is about paths.
    pub(crate) path: Result<PlainPath<'a>, &'static str>,
}

impl<'a> Request<'a> {
    /// Checks the parts of an operation; those that come from an [`HttpTarget`] pass.
    pub(crate) fn of(
        scheme: &str,
        host: &str,
        port: u16,
        method: &'a str,
        path: &'a str,
    ) -> Result<Self, Fault> {
        let scheme = scheme_of(scheme)?;
        let host = HttpHost::parse(host)?;
        if port == 0 {
            return Err(Fault::new(Reason::NetworkPort, PORT));
        }
        check_method(method)?;
        Ok(Self {
            scheme,
            host,
            port,
            method,
            path: PlainPath::parse(path),
        })
    }
}

const PORT: &str = "a port is a number from 1 to 65535, written without zeros in front";

fn scheme_of(text: &str) -> Result<HttpScheme, Fault> {
    HttpScheme::parse(text).ok_or_else(|| {
        Fault::new(
            Reason::NetworkScheme,
            "only http and https requests can be sent",
        )
    })
}

/// Reads a port as RFC 3986 writes it, from 1 to 65535, in its only spelling.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

/// Tells whether a text is a method in capitals; the methods that are in use consist of letters and `-`.
pub(crate) fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_METHOD
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
}

/// Tells whether a method is never sent for a component: it makes a tunnel, or shows what was added to the request.
pub(crate) fn is_never_sent(method: &str) -> bool {
    matches!(method, "CONNECT" | "TRACE")
}

fn check_method(method: &str) -> Result<(), Fault> {
    if !is_method(method) {
        return Err(Fault::new(
            Reason::NetworkMethod,
            "the method is not a word in capitals, as GET is",
        ));
    }
    if is_never_sent(method) {
        return Err(Fault::new(
            Reason::NetworkMethod,
            format!("{method} is never sent for a component"),
        ));
    }
    Ok(())
}

/// Takes `host` or `host:port` apart; the host may be an IPv6 address in brackets.
fn split_authority(authority: &str) -> Result<(HttpHost, Option<u16>), Fault> {
    if authority.contains('@') {
        return Err(Fault::new(
            Reason::NetworkHost,
            "there is user information before the host, and such a target is refused",
        ));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inner, rest) = rest
                .split_once(']')
                .ok_or_else(|| not_an_address("the bracket is not closed"))?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port),
                None if rest.is_empty() => None,
                None => return Err(not_an_address("something follows the bracket")),
            };
            let address: Ipv6Addr = inner
                .parse()
                .map_err(|_| not_an_address("no IPv6 address is in the brackets"))?;
            let address = canonical_address(inner, IpAddr::V6(address))?;
            (HttpHost::Address(address), port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            (HttpHost::parse(host)?, port)
        }
    };
    let port = port
        .map(|port| parse_port(port).ok_or_else(|| Fault::new(Reason::NetworkPort, PORT)))
        .transpose()?;
    Ok((host, port))
}

fn not_an_address(what: &str) -> Fault {
    Fault::new(Reason::NetworkHost, format!("that is no host: {what}"))
}

/// Returns the path of a request's target (RFC 9112, 3.2.1), `/` where it is empty.
fn path_of(path_and_query: &str) -> Result<&str, Fault> {
    let refuse = |what: &str| Err(Fault::new(Reason::NetworkPath, what));
    let path = match path_and_query.split_once('?') {
        Some((path, _)) => path,
        None => path_and_query,
    };
    if !path.is_empty() && !path.starts_with('/') {
        return refuse("the path does not start with '/'");
    }
    if path.len() > MAX_PATH {
        return refuse("the path is longer than 8192 bytes");
    }
    if path_and_query
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || byte == b'#')
    {
        return refuse("the path or query holds a character that has to be percent-encoded");
    }
    Ok(if path.is_empty() { "/" } else { path })
}

/// Target of an outgoing request in canonical form: what is judged is what is used.
///
/// ```
/// use casemate_policy::{HttpHost, HttpTarget};
///
/// let target = HttpTarget::parse("https", "API.Example.com.", "GET", "/v1/items?page=2")?;
/// assert_eq!(target.host(), &HttpHost::Name("api.example.com".to_owned()));
/// assert_eq!((target.port(), target.path()), (443, "/v1/items"));
///
/// let denial = HttpTarget::parse("http", "2130706433", "GET", "/").unwrap_err();
/// assert_eq!(denial.reason().as_str(), "denied.network.host");
/// # Ok::<(), casemate_policy::Denial>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    scheme: HttpScheme,
    host: HttpHost,
    /// The host without brackets.
    host_text: String,
    port: u16,
    method: String,
    path: String,
}

impl HttpTarget {
    /// Reads what a guest gave. `authority` is `host` or `host:port`, an IPv6 address in brackets; `path_and_query` starts with
    /// `/` or is empty. A query is looked at and not kept.
    ///
    /// # Errors
    /// A denial without remedy, since no rule allows any of these: another scheme than exactly `http` or `https`; user
    /// information; a host that is no name, or an address in another spelling than its usual one; a port that is not 1 to 65535 in
    /// plain digits; a method that is not a word in capitals of at most 32 bytes, or CONNECT or TRACE; a path that is not
    /// printable ASCII, has a fragment, or is longer than 8192 bytes.
    pub fn parse(
        scheme: &str,
        authority: &str,
        method: &str,
        path_and_query: &str,
    ) -> Result<Self, Denial> {
        // What stands before an `@` can be a password, so it is not part of what is shown.
        let shown = authority.rsplit('@').next().unwrap_or_default();
        let read = || -> Result<Self, Fault> {
            let scheme = scheme_of(scheme)?;
            let (host, port) = split_authority(authority)?;
            check_method(method)?;
            let path = path_of(path_and_query)?;
            let host_text = host.to_plain();
            Ok(Self {
                scheme,
                host,
                host_text,
                port: port.unwrap_or(scheme.default_port()),
                method: method.to_owned(),
                path: path.to_owned(),
            })
        };
        read().map_err(|fault| {
            Denial::new(
                fault.reason,
                bounded(&format!("network {}", shown.escape_default())),
                fault.sentence,
            )
        })
    }

    /// Returns how it is sent.
    pub fn scheme(&self) -> HttpScheme {
        self.scheme
    }

    /// Returns the host.
    pub fn host(&self) -> &HttpHost {
        &self.host
    }

    /// Returns the port, the scheme's own where none was given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the method, a word in capitals.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns `host` or, with another port than the scheme's own, `host:port`: the value of the `Host` header.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns the request, for [`crate::Grant::decide`].
    pub fn operation(&self) -> Operation<'_> {
        Operation::HttpRequest {
            scheme: self.scheme.as_str(),
            host: &self.host_text,
            port: self.port,
            method: &self.method,
            path: &self.path,
        }
    }

    /// Returns the connection to one address of the host, for [`crate::Grant::decide`] after the request was permitted.
    /// `own` says that this process listens there.
    pub fn connect(&self, address: SocketAddr, own: bool) -> Operation<'_> {
        Operation::Connect {
            scheme: self.scheme.as_str(),
            host: &self.host_text,
            method: &self.method,
            path: &self.path,
            address,
            own,
        }
    }
}
