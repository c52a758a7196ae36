//! Environment variables of one policy, ready to be asked.

use std::collections::BTreeMap;
use std::fmt;

use crate::denial::{Origin, RuleRef};
use crate::language::{Document, EnvironmentSource};

/// Where a variable's value comes from. `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum EnvironmentValue {
    /// The server's own variable of that key; absent there, absent for the guest.
    FromServer,
    /// This text, from the policy.
    Literal(String),
}

impl fmt::Debug for EnvironmentValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FromServer => formatter.write_str("FromServer"),
            Self::Literal(_) => formatter.write_str("Literal(…)"),
        }
    }
}

/// An allowed variable.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) value: EnvironmentValue,
    pub(crate) rule: RuleRef,
}

/// One policy's rules about variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct EnvironmentRules {
    pub(crate) allow: BTreeMap<String, Variable>,
    pub(crate) deny: BTreeMap<String, RuleRef>,
}

impl EnvironmentRules {
    pub(crate) fn of(document: &Document, origin: Origin) -> Self {
        let rules = &document.permissions.environment;
        let mut own = Self::default();
        for (index, rule) in rules.allow.iter().enumerate() {
            let value = match &rule.value.source {
                EnvironmentSource::Server => EnvironmentValue::FromServer,
                EnvironmentSource::Literal(text) => EnvironmentValue::Literal(text.clone()),
                // Refused at load until it is enforced; should one get here it grants nothing.
                EnvironmentSource::Secret(_) => continue,
            };
            let section = format!("permissions.environment.allow[{index}]");
            let rule_ref = RuleRef::new(origin, section, rule.place, rule.value.to_string());
            own.allow.entry(rule.value.key.clone()).or_insert(Variable {
                value,
                rule: rule_ref,
            });
        }
        for (index, rule) in rules.deny.iter().enumerate() {
            let section = format!("permissions.environment.deny[{index}]");
            let rule_ref =
                RuleRef::new(origin, section, rule.place, format!("deny {}", rule.value));
            own.deny.entry(rule.value.clone()).or_insert(rule_ref);
        }
        own
    }

    /// Returns the variable if it is allowed and not denied.
    pub(crate) fn get(&self, key: &str) -> Option<&Variable> {
        if self.deny.contains_key(key) {
            None
        } else {
            self.allow.get(key)
        }
    }

    /// Returns the variables that this and the ceiling allow. A value that the ceiling gives stands
    /// before the policy's: it is all that the ceiling would let the guest see.
    pub(crate) fn within(&self, ceiling: Option<&Self>) -> BTreeMap<String, Variable> {
        let mut variables = BTreeMap::new();
        for key in self.allow.keys() {
            let Some(own) = self.get(key) else { continue };
            let variable = match ceiling.map(|ceiling| ceiling.get(key)) {
                None => own,
                Some(None) => continue,
                Some(Some(limit)) => match limit.value {
                    EnvironmentValue::FromServer => own,
                    EnvironmentValue::Literal(_) => limit,
                },
            };
            variables.insert(key.clone(), variable.clone());
        }
        variables
    }
}
