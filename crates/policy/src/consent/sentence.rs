//! Rules in plain words.

use super::Item;
use crate::http::HttpScheme;
use crate::language::{Access, EnvironmentRule, EnvironmentSource, NetworkRule, StorageRule};
use crate::mode::{ClockMode, RandomMode};
use crate::pattern::{HostPattern, PathPattern};

/// Most items of a list that are named; the others are counted.
const MAX_NAMED: usize = 8;

/// Words a rule; of a tool, what it narrows.
pub(super) fn of(item: &Item<'_>, tool: Option<&str>) -> String {
    let words = match item {
        Item::Storage(rule) => format!("{} {}", verbs(rule.access, "and"), files(rule)),
        Item::NoStorage(rule) => format!("never {} {}", verbs(rule.access, "or"), denied(rule)),
        Item::Network(rule) => network(rule),
        Item::NoNetwork(rule) => format!("never {}", denied_network(rule)),
        Item::Variable(rule) => variable(rule),
        Item::NoVariable(key) => format!("never see the environment variable {key}"),
        Item::Clocks(mode) => clocks(*mode).to_owned(),
        Item::Random(mode) => random(*mode),
        Item::Limit { key, amount } => limit(key, amount),
        Item::Nothing(kind) => {
            let kind = match *kind {
                "files" => "no files",
                "network" => "no network",
                _ => "no environment variables",
            };
            format!("have {kind}")
        }
    };
    match tool {
        Some(tool) => format!("{words} (only the tool {tool}, within what the component may)"),
        None => words,
    }
}

fn verbs(access: Access, last: &str) -> String {
    let mut verbs: Vec<&str> = Vec::new();
    if access.read {
        verbs.push("read");
    }
    if access.write {
        verbs.push("write");
    }
    if access.symlink {
        verbs.push("make symbolic links of");
    }
    match verbs.split_last() {
        None => "do nothing with".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

fn files(rule: &StorageRule) -> String {
    let uri = rule.uri.to_string();
    match &rule.uri.pattern {
        PathPattern::Exact(_) => format!("the file {uri}"),
        PathPattern::Below(_) => {
            let directory = uri.strip_suffix("/**").unwrap_or(&uri);
            format!("all files below {directory}")
        }
        PathPattern::Glob(_) => format!("all files that match {uri}"),
    }
}

fn denied(rule: &StorageRule) -> String {
    let uri = rule.uri.to_string();
    match &rule.uri.pattern {
        PathPattern::Exact(_) | PathPattern::Below(_) => {
            let directory = uri.strip_suffix("/**").unwrap_or(&uri);
            format!("{directory} and what is below it")
        }
        PathPattern::Glob(_) => format!("what matches {uri}, and what is below that"),
    }
}

fn network(rule: &NetworkRule) -> String {
    if let Some(tcp) = &rule.tcp {
        let target = &tcp.value;
        return format!(
            "open raw TCP connections to {target}{}",
            range_of(rule, &target.host)
        );
    }
    format!(
        "send {} to {} over {}{}",
        requests(rule),
        peer(rule),
        ways(rule),
        paths(rule)
    )
}

fn denied_network(rule: &NetworkRule) -> String {
    if let Some(tcp) = &rule.tcp {
        return format!("open raw TCP connections to {}", tcp.value);
    }
    let schemes = rule.schemes.as_ref().map(|schemes| {
        let names = schemes
            .value
            .iter()
            .map(|scheme| scheme.as_str().to_owned());
        format!(" over {}", listed(names.collect(), "or"))
    });
    let ports = rule.ports.as_ref().map(|ports| {
        let ports = ports.value.iter().map(u16::to_string);
        format!(" on port {}", listed(ports.collect(), "or"))
    });
    format!(
        "send {} to {}{}{}{}",
        requests(rule),
        peer(rule),
        schemes.unwrap_or_default(),
        ports.unwrap_or_default(),
        paths(rule)
    )
}

fn requests(rule: &NetworkRule) -> String {
    match &rule.methods {
        None => "requests".to_owned(),
        Some(methods) => format!("{} requests", listed(methods.value.clone(), "and")),
    }
}

/// Whom a rule leads to, in words.
pub(super) fn peer(rule: &NetworkRule) -> String {
    if let Some(tcp) = &rule.tcp {
        return tcp.value.to_string();
    }
    match (&rule.host, &rule.cidr) {
        (Some(host), _) => {
            let name = match &host.value {
                HostPattern::Name(name) => name.clone(),
                HostPattern::Address(address) => format!("the address {address}"),
                HostPattern::OneLabel(base) => format!("any host directly below {base}"),
                HostPattern::AnyDepth(base) => format!("any host below {base}"),
            };
            format!("{name}{}", range_of(rule, &host.value))
        }
        (None, Some(range)) => format!("any address in {}", range.value),
        (None, None) => "nobody".to_owned(),
    }
}

fn range_of(rule: &NetworkRule, host: &HostPattern) -> String {
    match (&rule.cidr, host.address()) {
        (Some(range), None) => format!(", also at addresses in {}", range.value),
        _ => String::new(),
    }
}

fn ways(rule: &NetworkRule) -> String {
    let schemes: Vec<String> = [HttpScheme::Https, HttpScheme::Http]
        .into_iter()
        .filter(|scheme| rule.allows_scheme(*scheme))
        .map(|scheme| match scheme {
            HttpScheme::Https => "https".to_owned(),
            HttpScheme::Http => "http (not encrypted)".to_owned(),
        })
        .collect();
    let schemes = listed(schemes, "and");
    match &rule.ports {
        None => schemes,
        Some(ports) => {
            let many = if ports.value.len() == 1 { "" } else { "s" };
            let ports = ports.value.iter().map(u16::to_string).collect();
            format!("{schemes} on port{many} {}", listed(ports, "and"))
        }
    }
}

fn paths(rule: &NetworkRule) -> String {
    match &rule.paths {
        None => String::new(),
        Some(paths) => {
            let paths = paths.value.iter().map(ToString::to_string).collect();
            format!(", only to {}", listed(paths, "and"))
        }
    }
}

fn variable(rule: &EnvironmentRule) -> String {
    match &rule.source {
        EnvironmentSource::Server => format!("see the environment variable {}", rule.key),
        EnvironmentSource::Literal(_) => format!(
            "see a variable {} with a value that the policy gives",
            rule.key
        ),
        EnvironmentSource::Secret(name) => {
            format!("see the secret {} as the variable {}", name.value, rule.key)
        }
    }
}

fn clocks(mode: ClockMode) -> &'static str {
    match mode {
        ClockMode::None => "have no clock",
        ClockMode::Frozen => "tell the time at which its call began",
        ClockMode::Coarse => "tell the time in steps of 10 ms",
        ClockMode::Full => "tell the time as exactly as the machine does",
    }
}

fn random(mode: RandomMode) -> String {
    match mode {
        RandomMode::None => "have no random numbers".to_owned(),
        RandomMode::Secure => "draw random numbers".to_owned(),
        RandomMode::Seed(seed) => {
            format!("draw the same random numbers in every call (seed {seed})")
        }
    }
}

fn limit(key: &str, amount: &str) -> String {
    match key {
        "memory" => format!("use up to {amount} of memory"),
        "cpu" => format!("use up to {amount} of a processor"),
        "cpu-time" => format!("use up to {amount} of processor time in a call"),
        "time" => format!("take up to {amount} for a call"),
        "output" => format!("give up to {amount} of output"),
        "concurrency" => format!("run up to {amount} calls at once"),
        "rate" => format!("be called up to {amount}"),
        "written" => format!("write up to {amount} in a call"),
        "files" => format!("create up to {amount} files in a call"),
        "open-files" => format!("have up to {amount} files open"),
        "requests" => format!("have up to {amount} requests in flight"),
        "sockets" => format!("have up to {amount} sockets"),
        "sent" => format!("send up to {amount} in a call"),
        "received" => format!("receive up to {amount} in a call"),
        other => format!("have the limit {other} of {amount}"),
    }
}

/// The first few, and how many more.
pub(super) fn listed(mut items: Vec<String>, last: &str) -> String {
    if let Some(more) = items.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        items.truncate(MAX_NAMED);
        items.push(format!("{more} more"));
    }
    match items.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}
