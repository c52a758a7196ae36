//! What does it say it is for, and what does that make one expect it to reach?
//!
//! The words are compared as they are: whoever wants to deceive writes the word. So a purpose excuses a permission, and never
//! makes one harmless: what is granted is still judged by how broad it is.

use std::collections::BTreeSet;

use super::{Metadata, quoted};
use crate::inspect::InspectedComponent;

/// A kind of reach that a purpose can speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Files and directories.
    Files,
    /// HTTP requests.
    Requests,
    /// Raw connections and lookups.
    Connections,
    /// Environment variables.
    Variables,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Files,
        Self::Requests,
        Self::Connections,
        Self::Variables,
    ];

    /// What it is, for sentences: "may use …".
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Requests => "HTTP requests",
            Self::Connections => "raw connections",
            Self::Variables => "environment variables",
        }
    }
}

/// Words of `casemate.category`, and what one expects of such a tool. Other words are read like a description.
pub const CATEGORIES: &[(&str, &[Kind])] = &[
    ("compute", &[]),
    ("data", &[]),
    ("text", &[]),
    ("files", &[Kind::Files]),
    ("documents", &[Kind::Files]),
    ("web", &[Kind::Requests]),
    ("api", &[Kind::Requests]),
    ("network", &[Kind::Requests, Kind::Connections]),
    ("database", &[Kind::Connections, Kind::Requests]),
    ("communication", &[Kind::Requests, Kind::Connections]),
    (
        "development",
        &[Kind::Files, Kind::Requests, Kind::Variables],
    ),
];

/// Words of descriptions, and what one expects of a tool that is described so. An `s` at the end makes no difference.
pub const WORDS: &[(Kind, &[&str])] = &[
    (
        Kind::Files,
        &[
            "directory",
            "directories",
            "disk",
            "document",
            "file",
            "filesystem",
            "folder",
            "note",
            "path",
            "workspace",
        ],
    ),
    (
        Kind::Requests,
        &[
            "api", "browser", "crawl", "crawler", "download", "endpoint", "fetch", "fetches",
            "http", "https", "internet", "network", "online", "remote", "rest", "scrape", "server",
            "upload", "uri", "url", "web", "webhook", "webpage", "website", "weather",
        ],
    ),
    (
        Kind::Connections,
        &[
            "connect",
            "connection",
            "database",
            "dns",
            "email",
            "ftp",
            "imap",
            "internet",
            "ldap",
            "mail",
            "mqtt",
            "mysql",
            "network",
            "port",
            "postgre",
            "postgresql",
            "postgres",
            "redis",
            "sftp",
            "smtp",
            "socket",
            "ssh",
            "tcp",
        ],
    ),
    (
        Kind::Variables,
        &[
            "config",
            "configuration",
            "configure",
            "environment",
            "locale",
            "setting",
            "timezone",
            "variable",
        ],
    ),
];

/// Words that turn the meaning of one of the three words after them.
const NEGATIONS: &[&str] = &["no", "not", "never", "neither", "nor", "without"];

/// How many words after a negation it is for.
const NEGATED: usize = 3;

/// What a component says that it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// The declared category.
    pub category: Option<String>,
    /// The description of the whole: of the manifest, of the component's own section, or of its world.
    pub description: Option<String>,
    expected: BTreeSet<Kind>,
    tools: bool,
}

impl Purpose {
    /// Reads what the component and its manifest say. Descriptions of tools count for what is expected too.
    pub(super) fn of(metadata: &Metadata, component: &InspectedComponent) -> Self {
        let docs = component.docs().map(str::to_owned);
        let mut purpose = Self {
            category: metadata.category.clone(),
            description: metadata.description.clone().or_else(|| docs.clone()),
            ..Self::default()
        };
        if let Some(category) = &metadata.category {
            let word = category.trim().to_ascii_lowercase();
            match CATEGORIES.iter().find(|(known, _)| *known == word) {
                Some((_, kinds)) => purpose.expected.extend(kinds.iter().copied()),
                None => purpose.read(category),
            }
        }
        let whole = [metadata.description.as_deref(), docs.as_deref()];
        for text in whole.into_iter().flatten() {
            purpose.read(text);
        }
        for tool in component.tools() {
            if let Some(docs) = &tool.docs {
                purpose.tools = true;
                purpose.read(docs);
            }
        }
        purpose
    }

    /// Whether the component as a whole says anything.
    pub(super) fn is_declared(&self) -> bool {
        self.category.is_some() || self.description.is_some()
    }

    /// Whether it makes one expect that kind of reach.
    #[must_use]
    pub fn expects(&self, kind: Kind) -> bool {
        self.expected.contains(&kind)
    }

    /// The declared purpose in quotes, to stand in a finding.
    pub(super) fn quoted(&self) -> String {
        match (&self.category, &self.description) {
            (Some(category), Some(description)) => {
                format!(
                    "the purpose is {}, {}",
                    quoted(category),
                    quoted(description)
                )
            }
            (Some(text), None) | (None, Some(text)) => format!("the purpose is {}", quoted(text)),
            (None, None) if self.tools => {
                "no purpose is declared, and the descriptions of its tools do not speak of it"
                    .to_owned()
            }
            (None, None) => "no purpose is declared".to_owned(),
        }
    }

    fn read(&mut self, text: &str) {
        let lower = text.to_lowercase();
        let mut since_negation = usize::MAX;
        for word in lower.split(|character: char| !character.is_alphanumeric() && character != '\'')
        {
            if word.is_empty() {
                continue;
            }
            if NEGATIONS.contains(&word) || word.ends_with("n't") {
                since_negation = 0;
                continue;
            }
            since_negation = since_negation.saturating_add(1);
            if since_negation <= NEGATED {
                continue;
            }
            for (kind, words) in WORDS {
                let singular = word.strip_suffix('s').unwrap_or(word);
                if words.contains(&word) || words.contains(&singular) {
                    self.expected.insert(*kind);
                }
            }
        }
    }
}
