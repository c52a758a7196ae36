//! How bad a rule is if the tool means ill.

use ipnet::IpNet;

use super::{Item, Risk};
use crate::address::special_use;
use crate::http::HttpScheme;
use crate::language::{Access, EnvironmentRule, EnvironmentSource, NetworkRule, StorageRule};
use crate::mode::ClockMode;
use crate::pattern::{Anchor, HostPattern, PathPattern};

type Judged = (Risk, Option<&'static str>);

/// Parts of the names of variables that hold credentials, between underscores or at the end.
const CREDENTIAL_WORDS: [&str; 18] = [
    "KEY",
    "APIKEY",
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASS",
    "PWD",
    "CREDENTIAL",
    "CREDENTIALS",
    "AUTH",
    "AUTHORIZATION",
    "COOKIE",
    "SESSION",
    "PRIVATE",
    "PAT",
    "DSN",
    "JWT",
];

/// Variables that lead to credentials under other names: agents, sockets and files that hold them.
const CREDENTIAL_KEYS: [&str; 8] = [
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DATABASE_URL",
    "REDIS_URL",
    "MONGODB_URI",
    "KUBECONFIG",
    "NETRC",
];

/// Names of files and directories that hold credentials.
const CREDENTIAL_FILES: [&str; 22] = [
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".config",
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".env",
    ".git-credentials",
    ".password-store",
    ".mozilla",
    ".local",
    "id_rsa",
    "id_ed25519",
    "credentials",
    "secrets",
    "keyrings",
    "shadow",
];

/// Directories in which people have everything.
const HOMES: [&str; 4] = ["home", "root", "Users", "export"];

/// Directories of the system, which other programs believe.
const SYSTEM: [&str; 9] = [
    "etc", "var", "usr", "bin", "sbin", "lib", "boot", "opt", "run",
];

pub(super) fn of(item: &Item<'_>) -> Judged {
    match item {
        Item::Storage(rule) => storage(rule),
        Item::Network(rule) => network(rule),
        Item::Variable(rule) => variable(rule),
        Item::Clocks(ClockMode::Full) => {
            (Risk::Low, Some("exact time helps to measure other work"))
        }
        Item::Clocks(_) | Item::Random(_) => (Risk::Low, None),
        Item::Limit { .. } => (Risk::Low, Some("more than is usual")),
        Item::NoStorage(_) | Item::NoNetwork(_) | Item::NoVariable(_) | Item::Nothing(_) => {
            (Risk::None, None)
        }
    }
}

/// Whether a variable of this key likely holds a credential.
pub(super) fn is_credential_key(key: &str) -> bool {
    let upper = key.to_ascii_uppercase();
    let word = |word: &str| {
        let word = word.trim_end_matches(|character: char| character.is_ascii_digit());
        let plural = word.strip_suffix('S').unwrap_or(word);
        let glued = ["APIKEY", "TOKEN", "SECRET", "PASSWORD"];
        CREDENTIAL_WORDS.contains(&word)
            || CREDENTIAL_WORDS.contains(&plural)
            || glued.iter().any(|end| plural.ends_with(end))
    };
    CREDENTIAL_KEYS.contains(&upper.as_str())
        || upper
            .split(|character: char| !character.is_ascii_alphanumeric())
            .any(word)
}

/// Whether files of a rule likely hold credentials.
pub(super) fn holds_credentials(rule: &StorageRule) -> bool {
    let uri = rule.uri.to_string();
    let mut segments = uri.split('/').skip(2);
    segments.any(|segment| {
        let plain = segment.trim_matches('*');
        CREDENTIAL_FILES.contains(&plain)
            || segment.ends_with(".pem")
            || segment.ends_with(".key")
            || plain.starts_with(".env.")
    })
}

/// Whether a rule of files takes in a whole home directory, or what holds several.
fn is_home(rule: &StorageRule) -> bool {
    let base = rule.uri.pattern.base();
    let mut segments = base.components();
    let first = segments.next().unwrap_or_default();
    let depth = segments.count();
    match &rule.uri.anchor {
        Anchor::Named(root) => {
            depth == 0 && matches!(root.as_str(), "home" | "user" | "users" | "documents")
        }
        Anchor::Absolute if first == "root" => depth == 0,
        Anchor::Absolute => HOMES.contains(&first) && depth <= 1,
    }
}

fn is_system(rule: &StorageRule) -> bool {
    let first = rule.uri.pattern.base().components().next();
    rule.uri.anchor == Anchor::Absolute && first.is_some_and(|first| SYSTEM.contains(&first))
}

/// Whether a rule takes in all of a named root, or much of a machine.
fn is_broad(rule: &StorageRule) -> bool {
    let depth = rule.uri.pattern.base().components().count();
    let tree = match &rule.uri.pattern {
        PathPattern::Exact(_) => false,
        PathPattern::Below(_) | PathPattern::Glob(_) => true,
    };
    let shallow = match &rule.uri.anchor {
        Anchor::Named(_) => depth <= 1,
        Anchor::Absolute => depth <= 2,
    };
    tree && shallow
}

fn storage(rule: &StorageRule) -> Judged {
    let tree = !matches!(rule.uri.pattern, PathPattern::Exact(_));
    let changes = rule.access.covers(Access::WRITE) || rule.access.covers(Access::SYMLINK);
    if holds_credentials(rule) {
        return (
            Risk::High,
            Some("keys and passwords are kept in such places"),
        );
    }
    if tree && is_home(rule) {
        return (
            Risk::High,
            Some("everything of a person is there, keys and passwords too"),
        );
    }
    match (changes, is_broad(rule)) {
        (true, _) if is_system(rule) => (Risk::High, Some("other programs believe what is there")),
        (true, true) => (Risk::High, Some("it can change or delete everything there")),
        (true, false) => (Risk::Medium, None),
        (false, true) => (Risk::Medium, None),
        (false, false) => (Risk::Low, None),
    }
}

fn network(rule: &NetworkRule) -> Judged {
    if rule.tcp.is_some() {
        return (
            Risk::High,
            Some("no rule sees what a raw connection carries"),
        );
    }
    let inside = |address| special_use(address).is_some();
    match rule.host.as_ref().map(|host| &host.value) {
        Some(HostPattern::Address(address)) if inside(*address) => {
            return (
                Risk::High,
                Some("this machine or a private network, where many servers ask for no password"),
            );
        }
        Some(HostPattern::OneLabel(_) | HostPattern::AnyDepth(_)) => {
            return (
                Risk::High,
                Some("many hosts, also such as do not exist yet"),
            );
        }
        Some(HostPattern::Name(_) | HostPattern::Address(_)) | None => {}
    }
    if let Some(range) = &rule.cidr {
        return (
            Risk::High,
            Some(match range.value {
                IpNet::V4(_) | IpNet::V6(_) => {
                    "a network from inside, where many servers ask for no password"
                }
            }),
        );
    }
    if rule.allows_scheme(HttpScheme::Http) {
        return (
            Risk::High,
            Some("whoever is on the way can read and change it"),
        );
    }
    (Risk::Medium, None)
}

fn variable(rule: &EnvironmentRule) -> Judged {
    match &rule.source {
        EnvironmentSource::Literal(_) => (Risk::Low, None),
        EnvironmentSource::Secret(_) => (Risk::High, Some("it is a secret")),
        EnvironmentSource::Server if is_credential_key(&rule.key) => {
            (Risk::High, Some("variables of such names hold credentials"))
        }
        EnvironmentSource::Server => (Risk::Low, None),
    }
}
