//! What a person is asked to agree to: a policy in sentences, ranked by risk, and the part of it that was agreed to.
//!
//! Every rule of a policy is in exactly one [`Statement`], so that what is asked for is what would be written. A component's
//! request is a policy like any other until a person picks from it; nothing here grants anything.

mod choice;
mod combination;
mod risk;
mod sentence;

use std::fmt;

use crate::denial::{Origin, RuleRef};
use crate::language::{
    Access, EnvironmentRule, LimitRules, NetworkRule, Permissions, Rules, Share, StorageRule, Tool,
};
use crate::limits::Limits;
use crate::mode::{ClockMode, RandomMode};
use crate::policy::Policy;
use crate::scope::Scope;

pub use combination::Combination;

/// How bad it is if the tool, or whoever tells it what to do, means ill. Ordered from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Risk {
    /// It only takes away.
    None,
    /// Little is reached by it.
    Low,
    /// Something of value is reached, as most tools need it.
    Medium,
    /// Secrets, much of a person's data, or parts of the network that trust whoever is in them.
    High,
}

impl Risk {
    /// Returns a word for lists and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl fmt::Display for Risk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One rule of a policy in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// The number of the rule in [`Policy::rules`].
    pub index: usize,
    /// Where the rule stands, and for which tool.
    pub rule: RuleRef,
    /// Whether the component may do more by it than without, so that it can be picked; otherwise it only narrows, and stays.
    pub allows: bool,
    /// How bad it is.
    pub risk: Risk,
    /// What it means, to be read after "it may": `read all files below fs://workspace`. Text of the policy in it may be foreign.
    pub words: String,
    /// What makes it as bad as that, if that is not plain.
    pub why: Option<&'static str>,
}

impl Policy {
    /// Returns each rule of [`Policy::rules`] as a sentence, in the same order.
    pub fn statements(&self) -> Vec<Statement> {
        let permissions = &self.document().permissions;
        let mut items = items(permissions);
        for tool in &permissions.tools {
            items.extend(items_of_tool(tool));
        }
        let rules = self.rules();
        debug_assert_eq!(rules.len(), items.len());
        rules
            .into_iter()
            .zip(items)
            .enumerate()
            .map(|(index, (rule, item))| {
                let allows = rule.tool.is_none() && item.allows(permissions);
                let (risk, why) = match allows {
                    true => risk::of(&item),
                    false => (Risk::None, None),
                };
                Statement {
                    index,
                    words: sentence::of(&item, rule.tool.as_deref()),
                    rule,
                    allows,
                    risk,
                    why,
                }
            })
            .collect()
    }
}

/// What one rule says.
#[derive(Debug, Clone)]
enum Item<'p> {
    Storage(&'p StorageRule),
    NoStorage(&'p StorageRule),
    Network(&'p NetworkRule),
    NoNetwork(&'p NetworkRule),
    Variable(&'p EnvironmentRule),
    NoVariable(&'p str),
    Clocks(ClockMode),
    Random(RandomMode),
    Limit {
        key: &'static str,
        amount: String,
    },
    /// A tool has nothing of this kind.
    Nothing(&'static str),
}

impl Item<'_> {
    /// Whether a component may do more with this rule than without, or might with a stricter configuration.
    fn allows(&self, permissions: &Permissions) -> bool {
        match self {
            Self::Storage(rule) => rule.access != Access::NONE,
            Self::Network(_) | Self::Variable(_) => true,
            Self::NoStorage(_) | Self::NoNetwork(_) | Self::NoVariable(_) | Self::Nothing(_) => {
                false
            }
            Self::Clocks(mode) => *mode != ClockMode::None,
            Self::Random(mode) => *mode != RandomMode::None,
            Self::Limit { key, .. } => raises(&permissions.limits, key),
        }
    }
}

/// Whether a limit lets a call use more than it could without this line.
fn raises(limits: &LimitRules, key: &str) -> bool {
    let without = choice::without_limit(limits, key);
    let least = |rules: &LimitRules| Limits::least(std::iter::once(rules));
    !least(limits).within(&least(&without))
}

/// What the rules say, in the order of [`crate::grant::rules_of`].
fn items(permissions: &Permissions) -> Vec<Item<'_>> {
    let Permissions {
        storage,
        network,
        environment,
        ..
    } = permissions;
    let mut items: Vec<Item<'_>> = Vec::new();
    items.extend(storage.allow.iter().map(|rule| Item::Storage(&rule.value)));
    items.extend(storage.deny.iter().map(|rule| Item::NoStorage(&rule.value)));
    items.extend(network.allow.iter().map(|rule| Item::Network(&rule.value)));
    items.extend(network.deny.iter().map(|rule| Item::NoNetwork(&rule.value)));
    let variables = environment.allow.iter();
    items.extend(variables.map(|rule| Item::Variable(&rule.value)));
    let denied = environment.deny.iter();
    items.extend(denied.map(|rule| Item::NoVariable(&rule.value)));
    items.extend(permissions.clocks.map(|clocks| Item::Clocks(clocks.value)));
    items.extend(permissions.random.map(|random| Item::Random(random.value)));
    items.extend(permissions.limits.written().map(|limit| Item::Limit {
        key: limit.key,
        amount: limit.amount,
    }));
    items
}

/// The same for a tool, in the order of [`crate::grant::rules_of_tool`].
fn items_of_tool(tool: &Tool) -> Vec<Item<'_>> {
    fn nothing<A, D>(
        share: Share,
        rules: &Rules<A, D>,
        kind: &'static str,
    ) -> Option<Item<'static>> {
        (share == Share::Listed && rules.allow.is_empty()).then_some(Item::Nothing(kind))
    }
    let own = &tool.permissions;
    let mut all: Vec<Item<'_>> = Vec::new();
    all.extend(nothing(tool.storage, &own.storage, "files"));
    all.extend(nothing(tool.network, &own.network, "network"));
    all.extend(nothing(tool.environment, &own.environment, "variables"));
    all.extend(items(own));
    all
}

/// The rules of a whole policy, without those of tools.
fn component_rules(policy: &Policy) -> usize {
    crate::grant::rules_of(Scope::of(policy.document(), Origin::Policy)).len()
}

#[cfg(test)]
mod tests;
