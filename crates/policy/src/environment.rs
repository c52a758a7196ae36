//! Environment variables of one policy, ready to be asked.

use std::collections::BTreeMap;
use std::fmt;

use crate::denial::RuleRef;
use crate::language::EnvironmentSource;
use crate::scope::Scope;

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
    pub(crate) fn of(scope: Scope<'_>) -> Self {
        let rules = &scope.permissions.environment;
        let mut own = Self::default();
        for (index, rule) in rules.allow.iter().enumerate() {
            let value = match &rule.value.source {
                EnvironmentSource::Server => EnvironmentValue::FromServer,
                EnvironmentSource::Literal(text) => EnvironmentValue::Literal(text.clone()),
                // Refused at load until it is enforced; should one get here it grants nothing.
                EnvironmentSource::Secret(_) => continue,
            };
            let section = format!("environment.allow[{index}]");
            let rule_ref = scope.rule(&section, rule.place, rule.value.to_string());
            own.allow.entry(rule.value.key.clone()).or_insert(Variable {
                value,
                rule: rule_ref,
            });
        }
        for (index, rule) in rules.deny.iter().enumerate() {
            let section = format!("environment.deny[{index}]");
            let rule_ref = scope.rule(&section, rule.place, format!("deny {}", rule.value));
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

    /// Returns the variables that are allowed.
    pub(crate) fn granted(&self) -> BTreeMap<String, Variable> {
        let allowed = self.allow.iter();
        allowed
            .filter(|(key, _)| !self.deny.contains_key(*key))
            .map(|(key, variable)| (key.clone(), variable.clone()))
            .collect()
    }

    /// Returns those of `variables` that are allowed here too. A value that is given here stands before another: it is all
    /// that the guest may see.
    pub(crate) fn narrow(
        &self,
        variables: BTreeMap<String, Variable>,
    ) -> BTreeMap<String, Variable> {
        let narrowed = variables.into_iter().filter_map(|(key, variable)| {
            let own = self.get(&key)?;
            match own.value {
                EnvironmentValue::FromServer => Some((key, variable)),
                EnvironmentValue::Literal(_) => Some((key, own.clone())),
            }
        });
        narrowed.collect()
    }
}
