//! Hosts and ranges that no rule may allow, and rules that mean more or less than they look.

use icu_normalizer::ComposingNormalizerBorrowed;
use ipnet::IpNet;

use super::{NetworkRule, Permissions};
use crate::address::{metadata_name, never_range, special_use};
use crate::error::{Place, PolicyError, Refusal, Warning};
use crate::pattern::HostPattern;

/// Second labels under which registries of countries give names to anyone, as in `co.uk`.
const REGISTRIES: [&str; 20] = [
    "ac", "asso", "co", "com", "edu", "gen", "go", "gob", "gouv", "gov", "id", "ind", "ltd", "me",
    "mil", "ne", "net", "nom", "or", "org",
];

/// Domains of providers under which anyone can have a name. Neither list is complete; a pattern that is on one is
/// surely broader than it looks.
const SHARED: [&str; 32] = [
    "amazonaws.com",
    "appspot.com",
    "azurewebsites.net",
    "blob.core.windows.net",
    "blogspot.com",
    "cloudapp.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "core.windows.net",
    "deno.dev",
    "duckdns.org",
    "elasticbeanstalk.com",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "netlify.app",
    "ngrok.app",
    "ngrok.io",
    "nip.io",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "run.app",
    "s3.amazonaws.com",
    "sslip.io",
    "supabase.co",
    "trycloudflare.com",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// The shortest prefixes of ranges that a rule may allow: the largest private network of IPv4, and of IPv6 less than what a
/// registry of a continent has.
const MIN_PREFIX_V4: u8 = 8;
const MIN_PREFIX_V6: u8 = 16;

/// Refuses what no rule may allow, the first in the file, and warns of what does not do what one might expect.
pub(super) fn check(permissions: &Permissions) -> Result<Vec<Warning>, PolicyError> {
    let tools = permissions.tools.iter().map(|tool| &tool.permissions);
    let scopes = std::iter::once(permissions).chain(tools);
    let allow = || scopes.clone().flat_map(|scope| &scope.network.allow);
    if let Some((place, refusal)) = allow()
        .flat_map(|rule| refusals(&rule.value))
        .min_by_key(|(place, _)| *place)
    {
        return Err(refusal.at(place));
    }
    let mut warnings: Vec<Warning> = allow()
        .filter_map(|rule| {
            let (place, host) = named(&rule.value)?;
            Some(warning(place, doubt(host, &rule.value)?))
        })
        .collect();
    let storage = scopes.flat_map(|scope| scope.storage.allow.iter().chain(&scope.storage.deny));
    warnings.extend(storage.filter_map(|rule| {
        let uri = rule.value.uri.to_string();
        Some(warning(rule.place, decomposed(&uri)?))
    }));
    warnings.extend(super::idle::check(permissions));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    Ok(warnings)
}

/// Says that a name is written as few are: what looks the same on a screen is then another name.
fn decomposed(uri: &str) -> Option<String> {
    let composed = ComposingNormalizerBorrowed::new_nfc().is_normalized(uri);
    (!composed).then(|| {
        format!(
            "storage {uri}: this is not in Unicode's composed form (NFC), and names are compared byte by byte: it is not for names in that form, which look the same"
        )
    })
}

/// Returns the host of an entry, for requests or raw connections.
pub(super) fn named(rule: &NetworkRule) -> Option<(Place, &HostPattern)> {
    let host = rule.host.as_ref().map(|host| (host.place, &host.value));
    let tcp = || rule.tcp.as_ref().map(|tcp| (tcp.place, &tcp.value.host));
    host.or_else(tcp)
}

fn refusals(rule: &NetworkRule) -> impl Iterator<Item = (Place, Refusal)> {
    let range = rule.cidr.as_ref();
    let host = named(rule).and_then(|(place, host)| Some((place, allowable(host).err()?)));
    let range = range.and_then(|range| Some((range.place, allowable_range(range.value).err()?)));
    host.into_iter().chain(range)
}

pub(super) fn warning(place: Place, message: String) -> Warning {
    Warning {
        line: place.line,
        column: place.column,
        message,
    }
}

/// Refuses a host that no rule may allow.
pub(crate) fn allowable(host: &HostPattern) -> Result<(), Refusal> {
    let never = match host {
        HostPattern::Name(name) => metadata_name(name),
        HostPattern::Address(address) => special_use(*address).filter(|special| special.never),
        HostPattern::OneLabel(base) | HostPattern::AnyDepth(base) => {
            if base.contains('.') {
                return Ok(());
            }
            return Err(Refusal::new(format!(
                "\"{host}\" would be every host below the top-level domain {base:?}"
            ))
            .hint("name the hosts that the tool needs"));
        }
    };
    match never {
        None => Ok(()),
        Some(special) => Err(Refusal::new(format!(
            "\"{host}\" is {}, and no rule makes that reachable",
            special.name
        ))
        .hint("remove the entry")),
    }
}

/// Refuses a range that no rule may allow.
fn allowable_range(range: IpNet) -> Result<(), Refusal> {
    let least = match range {
        IpNet::V4(_) => MIN_PREFIX_V4,
        IpNet::V6(_) => MIN_PREFIX_V6,
    };
    if range.prefix_len() < least {
        return Err(Refusal::new(format!(
            "\"{range}\" covers too much: a range in allow has a prefix of {least} at least"
        ))
        .hint("name the networks that the tool needs"));
    }
    match never_range(range) {
        None => Ok(()),
        Some(special) => Err(Refusal::new(format!(
            "\"{range}\" is {}, and no rule makes that reachable",
            special.name
        ))
        .hint("remove the entry")),
    }
}

/// Says what the host of an entry means that looks like something else. A range beside it tells where a name may lead.
fn doubt(host: &HostPattern, rule: &NetworkRule) -> Option<String> {
    let base = match host {
        HostPattern::Name(name) if is_local(name) && rule.cidr.is_none() => {
            return Some(match &rule.tcp {
                None => format!(
                    "network {host}: every request is denied, since it leads to this machine: write its address, host: \"127.0.0.1\""
                ),
                Some(tcp) => format!(
                    "network tcp {}: every connection is denied, since the name leads to this machine: write its address, tcp: \"127.0.0.1:{}\"",
                    tcp.value, tcp.value.port
                ),
            });
        }
        HostPattern::Name(_) | HostPattern::Address(_) => return None,
        HostPattern::OneLabel(base) | HostPattern::AnyDepth(base) => base,
    };
    is_shared(base).then(|| {
        format!(
            "network {host}: anyone can have a name below {base}, so this allows requests to anyone"
        )
    })
}

/// Tells whether a name is kept for the machine itself (RFC 6761, 6.3).
fn is_local(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Tells whether anyone can have a name below a domain, as far as is known here.
pub(crate) fn is_shared(base: &str) -> bool {
    if SHARED.contains(&base) {
        return true;
    }
    let (second, top) = base.rsplit_once('.').unwrap_or_default();
    top.len() == 2 && REGISTRIES.contains(&second)
}
