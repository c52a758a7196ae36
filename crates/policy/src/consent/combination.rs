//! Permissions that are worse together than each by itself.

use super::risk::{holds_credentials, is_credential_key};
use super::sentence::{listed, peer};
use super::{Item, Risk, items};
use crate::language::{Access, EnvironmentSource};
use crate::policy::Policy;

/// Rules that together allow what none of them allows alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Combination {
    /// How bad it is.
    pub risk: Risk,
    /// What it could do, as a sentence after "it could": `send what it reads to api.example.com`.
    pub words: String,
    /// The numbers of the rules in [`Policy::rules`].
    pub rules: Vec<usize>,
}

#[derive(Default)]
struct Side {
    rules: Vec<usize>,
    names: Vec<String>,
}

impl Side {
    fn add(&mut self, index: usize, name: String) {
        self.rules.push(index);
        self.names.push(name);
    }

    fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Policy {
    /// Returns what the component's rules allow together, the worst first. What single tools are narrowed to is left aside: one
    /// tool's result can be another's argument.
    pub fn combinations(&self) -> Vec<Combination> {
        let (mut secrets, mut reads, mut writes, mut network) = (
            Side::default(),
            Side::default(),
            Side::default(),
            Side::default(),
        );
        for (index, item) in items(&self.document().permissions).iter().enumerate() {
            match item {
                Item::Storage(rule) => {
                    let name = rule.uri.to_string();
                    if rule.access.covers(Access::READ) {
                        if holds_credentials(rule) {
                            secrets.add(index, name.clone());
                        }
                        reads.add(index, name.clone());
                    }
                    if rule.access.covers(Access::WRITE) {
                        writes.add(index, name);
                    }
                }
                Item::Network(rule) => network.add(index, peer(rule)),
                Item::Variable(rule) => {
                    let secret = match &rule.source {
                        EnvironmentSource::Server => is_credential_key(&rule.key),
                        EnvironmentSource::Literal(_) => false,
                        EnvironmentSource::Secret(_) => true,
                    };
                    if secret {
                        secrets.add(index, rule.key.clone());
                    }
                }
                _ => {}
            }
        }
        let with_network = |risk, side: &Side, words: &dyn Fn(String, String) -> String| {
            (!side.is_empty() && !network.is_empty()).then(|| Combination {
                risk,
                words: words(
                    listed(side.names.clone(), "and"),
                    listed(network.names.clone(), "and"),
                ),
                rules: side.rules.iter().chain(&network.rules).copied().collect(),
            })
        };
        [
            with_network(Risk::High, &secrets, &|what, whom| {
                format!("send secrets that it sees ({what}) to {whom}")
            }),
            with_network(Risk::High, &reads, &|what, whom| {
                format!("send what it reads ({what}) to {whom}")
            }),
            with_network(Risk::Medium, &writes, &|what, whom| {
                format!("write what comes from {whom} into your files ({what})")
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
