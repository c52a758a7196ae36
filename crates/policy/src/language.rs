//! The whole policy language as typed values.
//!
//! Everything that a policy can say is here, also what this release does not enforce yet; that is refused afterwards, in
//! one pass of its own (`enforced`), so that a later release only lifts lines there.

pub(crate) mod breadth;
mod conflict;
mod decode;
mod enforced;
pub(crate) mod fields;
mod idle;
mod limits;
mod network;
mod print;

use std::fmt;

use crate::document;
use crate::error::{Located, PolicyError, Warning};
use crate::mode::{ClockMode, RandomMode};
use crate::pattern::StorageUri;

pub(crate) use breadth::allowable;
pub(crate) use decode::environment_key;
pub(crate) use fields::nearest;
pub(crate) use limits::LimitRules;
pub(crate) use network::{Header, HeaderPart, NetworkRule, TcpTarget};

/// A policy file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// `1.0` or another `1.N`; `None` only for a file without content.
    pub(crate) version: Option<Located<String>>,
    pub(crate) description: Option<String>,
    pub(crate) strict: Option<Located<bool>>,
    pub(crate) permissions: Permissions,
}

/// The `permissions` section, and each of its `tools`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Permissions {
    pub(crate) storage: Rules<StorageRule, StorageRule>,
    pub(crate) network: Rules<NetworkRule, NetworkRule>,
    pub(crate) environment: Rules<EnvironmentRule, String>,
    pub(crate) clocks: Option<Located<ClockMode>>,
    pub(crate) random: Option<Located<RandomMode>>,
    pub(crate) limits: LimitRules,
    pub(crate) tools: Vec<Tool>,
}

/// What one tool of a component has of the component's permissions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    /// Its name in WIT, or the one that clients see.
    pub(crate) name: Located<String>,
    /// What is written; its own `tools` is empty.
    pub(crate) permissions: Permissions,
    pub(crate) storage: Share,
    pub(crate) network: Share,
    pub(crate) environment: Share,
}

/// How much of a kind of permission a tool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// All that the component has: nothing is written.
    All,
    /// What the component has, but for what the `deny` list names.
    Rest,
    /// What the `allow` list names, as far as the component has it.
    Listed,
}

impl Share {
    fn of<A: Clone, D: Clone>(self, own: &Rules<A, D>, component: &Rules<A, D>) -> Rules<A, D> {
        let allow = match self {
            Self::All | Self::Rest => component.allow.clone(),
            Self::Listed => own.allow.clone(),
        };
        Rules {
            allow,
            deny: own.deny.clone(),
        }
    }
}

impl Tool {
    /// Returns a tool of which nothing is written.
    pub(crate) fn unsaid(name: Located<String>) -> Self {
        Self {
            name,
            permissions: Permissions::default(),
            storage: Share::All,
            network: Share::All,
            environment: Share::All,
        }
    }

    /// Returns the rules that a request of the tool has to pass beside the component's own: what is left out stands there as
    /// the component has it.
    pub(crate) fn within(&self, component: &Permissions) -> Permissions {
        let own = &self.permissions;
        Permissions {
            storage: self.storage.of(&own.storage, &component.storage),
            network: self.network.of(&own.network, &component.network),
            environment: self
                .environment
                .of(&own.environment, &component.environment),
            clocks: own.clocks,
            random: own.random,
            limits: own.limits.or(&component.limits),
            tools: Vec::new(),
        }
    }
}

/// The `allow` and `deny` lists of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rules<A, D> {
    pub(crate) allow: Vec<Located<A>>,
    pub(crate) deny: Vec<Located<D>>,
}

impl<A, D> Default for Rules<A, D> {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
        }
    }
}

/// Reading, writing, making symbolic links: any of them; none implies another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Access {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) symlink: bool,
}

impl Access {
    pub(crate) const NONE: Self = Self {
        read: false,
        write: false,
        symlink: false,
    };
    pub(crate) const READ: Self = Self {
        read: true,
        ..Self::NONE
    };
    pub(crate) const WRITE: Self = Self {
        write: true,
        ..Self::NONE
    };
    pub(crate) const SYMLINK: Self = Self {
        symlink: true,
        ..Self::NONE
    };
    pub(crate) const ALL: Self = Self {
        read: true,
        write: true,
        symlink: true,
    };
    /// The words that policies use, and what each stands for.
    pub(crate) const WORDS: [(&'static str, Self); 3] = [
        ("read", Self::READ),
        ("write", Self::WRITE),
        ("symlink", Self::SYMLINK),
    ];

    /// Returns the words that policies use.
    pub(crate) fn words(self) -> impl Iterator<Item = &'static str> {
        let all = Self::WORDS.into_iter();
        all.filter_map(move |(word, access)| self.covers(access).then_some(word))
    }

    /// Returns what it consists of.
    pub(crate) fn each(self) -> impl Iterator<Item = Self> {
        let all = Self::WORDS.into_iter().map(|(_, access)| access);
        all.filter(move |access| self.covers(*access))
    }

    /// Tells whether all of `other` is part of this.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.intersection(other) == other
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            read: self.read || other.read,
            write: self.write || other.write,
            symlink: self.symlink || other.symlink,
        }
    }

    pub(crate) fn intersection(self, other: Self) -> Self {
        Self {
            read: self.read && other.read,
            write: self.write && other.write,
            symlink: self.symlink && other.symlink,
        }
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self {
            read: self.read && !other.read,
            write: self.write && !other.write,
            symlink: self.symlink && !other.symlink,
        }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StorageRule {
    pub(crate) uri: StorageUri,
    pub(crate) access: Access,
}

impl StorageRule {
    /// Tells whether this, in a deny list, denies all of that access.
    pub(crate) fn denies(&self, uri: &StorageUri, access: Access) -> bool {
        self.access.covers(access) && self.uri.denies(uri)
    }
}

impl fmt::Display for StorageRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.access.words().collect();
        write!(formatter, "{} [{}]", self.uri, words.join(", "))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EnvironmentRule {
    pub(crate) key: String,
    pub(crate) source: EnvironmentSource,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum EnvironmentSource {
    /// The value of this key in the server's environment.
    Server,
    /// The value written in the policy.
    Literal(String),
    /// A secret's name.
    Secret(Located<String>),
}

impl fmt::Display for EnvironmentRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            EnvironmentSource::Server => formatter.write_str(&self.key),
            EnvironmentSource::Literal(_) => write!(formatter, "{} (value given here)", self.key),
            EnvironmentSource::Secret(name) => {
                write!(formatter, "{} (secret {})", self.key, name.value)
            }
        }
    }
}

impl Document {
    /// Returns what no file, or one without content, means.
    pub(crate) fn empty() -> Self {
        Self {
            version: None,
            description: None,
            strict: None,
            permissions: Permissions::default(),
        }
    }

    /// Reads a policy in the whole language, enforced or not.
    pub(crate) fn read(text: &str) -> Result<Self, PolicyError> {
        let document = decode::document(&document::read(text)?)?;
        conflict::check(&document)?;
        Ok(document)
    }

    /// Refuses what this release does not enforce and what nothing may allow, and warns of what means more or less than it
    /// seems to.
    pub(crate) fn enforceable(&self) -> Result<Vec<Warning>, PolicyError> {
        enforced::check(&self.permissions)?;
        self.breadth()
    }

    /// Refuses what nothing may allow, and warns of what means more or less than it seems to.
    pub(crate) fn breadth(&self) -> Result<Vec<Warning>, PolicyError> {
        breadth::check(&self.permissions)
    }

    /// Writes the policy so that reading it again gives the same.
    pub(crate) fn print(&self) -> String {
        print::document(self)
    }

    pub(crate) fn is_strict(&self) -> bool {
        self.strict.is_some_and(|strict| strict.value)
    }
}

/// Refuses `document` if two of its entries contradict each other.
pub(crate) fn check_conflicts(document: &Document) -> Result<(), PolicyError> {
    conflict::check(document)
}

/// Renders a storage entry as the lines of a YAML mapping.
pub(crate) fn storage_lines(rule: &StorageRule) -> Vec<String> {
    print::storage(rule)
}

/// Renders a network entry as the lines of a YAML mapping.
pub(crate) fn network_lines(rule: &NetworkRule) -> Vec<String> {
    print::network(rule)
}

/// Renders an entry about a variable as the lines of a YAML mapping.
pub(crate) fn environment_lines(rule: &EnvironmentRule) -> Vec<String> {
    print::environment(rule)
}

/// Renders a scalar as YAML text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    print::quoted(text)
}

#[cfg(test)]
mod tests;
