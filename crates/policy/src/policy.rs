//! A policy that this release can enforce.

use std::collections::{BTreeMap, BTreeSet};

use crate::denial::{Origin, RuleRef};
use crate::environment::{EnvironmentRules, Variable};
use crate::error::{PolicyError, Warning};
use crate::grant::{Admission, Grant};
use crate::identity::ArtifactIdentity;
use crate::language::{
    Document, NetworkRule, Permissions, Rules, Share, StorageRule, Tool, nearest,
};
use crate::limits::{Limits, WrittenLimits};
use crate::mode::{ClockMode, RandomMode};
use crate::name::RootName;
use crate::pattern::Anchor;
use crate::scope::Scope;

/// What a person allows a component, read from a file and enforceable in this release.
///
/// Two policies are equal when they say the same in the same order, wherever it stands in the file.
///
/// ```
/// use casemate_policy::Policy;
///
/// let policy = Policy::parse(r#"
/// version: "1.0"
/// permissions:
///   storage:
///     allow:
///       - uri: "fs://workspace/**"
///         access: ["read"]
/// "#)?;
/// assert_eq!(Policy::parse(&policy.to_yaml())?, policy);
///
/// let error = Policy::parse("version: \"1.0\"\npermissions:\n  storage:\n    alow: []\n").unwrap_err();
/// assert_eq!((error.line, error.column), (4, 5));
/// assert_eq!(error.hint.as_deref(), Some("did you mean \"allow\"?"));
/// # Ok::<(), casemate_policy::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Policy {
    document: Document,
    warnings: Vec<Warning>,
}

impl Policy {
    /// Reads a policy; a text without content is [`Policy::empty`].
    ///
    /// # Errors
    /// If the text is more than 256 KiB or not the plain YAML that policies are written in, if a key or value is not
    /// part of the language, if two entries contradict each other, or if something is not enforced by this release.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::from_document(Document::read(text)?)
    }

    /// Reads a ceiling: a policy for all components, whose tools it cannot know.
    ///
    /// # Errors
    /// As [`Policy::parse`], and where `tools` names any.
    pub fn parse_ceiling(text: &str) -> Result<Self, PolicyError> {
        let document = Document::read(text)?;
        if let Some(tool) = document.permissions.tools.first() {
            return Err(PolicyError::language(
                tool.name.place,
                "permissions.tools: a ceiling is for all components, and tools are those of one",
            )
            .hint("write the section into the policy of the component"));
        }
        Self::from_document(document)
    }

    /// Returns what is wrong with the first name under `tools` that is none of `known`: the names in WIT of the component's tools
    /// and those that clients see.
    pub fn unknown_tool(&self, known: &[&str]) -> Option<PolicyError> {
        let mut tools = self.document.permissions.tools.iter();
        let name = &tools
            .find(|tool| !known.contains(&tool.name.value.as_str()))?
            .name;
        let error = PolicyError::language(
            name.place,
            format!(
                "permissions.tools: the component has no tool {:?}",
                name.value
            ),
        );
        Some(match nearest(&name.value, known) {
            Some(word) => error.hint(format!("did you mean {word:?}?")),
            None if known.is_empty() => error.hint("it has no tools at all: remove the entry"),
            None => error.hint(format!("its tools are {}", shown(known))),
        })
    }

    /// Reads a policy without asking whether this release enforces it.
    #[cfg(test)]
    pub(crate) fn unenforced(text: &str) -> Result<Self, PolicyError> {
        let document = Document::read(text)?;
        let warnings = document.breadth()?;
        Ok(Self { document, warnings })
    }

    /// Takes a document that is free of contradictions.
    pub(crate) fn from_document(document: Document) -> Result<Self, PolicyError> {
        let warnings = document.enforceable()?;
        Ok(Self { document, warnings })
    }

    /// Returns what no file means: nothing is allowed, and the default limits hold.
    pub fn empty() -> Self {
        Self {
            document: Document::empty(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// Returns what loads but does not do what one might expect, in the order of the file.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns what the file says of itself.
    pub fn description(&self) -> Option<&str> {
        self.document.description.as_deref()
    }

    /// Writes the policy in its plainest form; comments and layout are those of [`crate::edit`] to keep.
    pub fn to_yaml(&self) -> String {
        self.document.print()
    }

    /// Returns the limits as written.
    pub fn limits(&self) -> WrittenLimits {
        WrittenLimits::of(&self.document.permissions.limits)
    }

    /// Returns the named roots that the policy speaks of.
    pub fn roots(&self) -> BTreeSet<RootName> {
        let rules = self.document.permissions.storage.allow.iter();
        rules
            .filter_map(|rule| match &rule.value.uri.anchor {
                Anchor::Named(root) => Some(root.clone()),
                Anchor::Absolute => None,
            })
            .collect()
    }

    /// Returns the rules of the policy in the order of the language, those of single tools last.
    pub fn rules(&self) -> Vec<RuleRef> {
        let mut rules = crate::grant::rules_of(Scope::of(&self.document, Origin::Policy));
        let tools = self.document.permissions.tools.iter();
        rules.extend(tools.flat_map(crate::grant::rules_of_tool));
        rules
    }

    /// Binds the policy to an artifact: the only way to a [`Grant`].
    pub fn admit(&self, identity: &ArtifactIdentity, admission: &Admission<'_>) -> Grant {
        Grant::admit(self, identity, admission)
    }
}

/// Lists some names; there can be thousands.
fn shown(names: &[&str]) -> String {
    const MAX: usize = 8;
    let mut text = names
        .iter()
        .take(MAX)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = names.len().checked_sub(MAX).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

impl Default for Policy {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        // A file with a version and nothing else says what no file says.
        self.document.description == other.document.description
            && self.document.is_strict() == other.document.is_strict()
            && self.document.permissions == other.document.permissions
    }
}

/// Tells whether `after` may allow something that `before` does not: true unless it provably does not.
///
/// For asking a person to confirm. Some changes that widen nothing count as widening, such as two narrow rules that
/// replace parts of a broad one together.
pub fn widens(before: &Policy, after: &Policy) -> bool {
    let (old, new) = (&before.document.permissions, &after.document.permissions);
    widens_storage(&old.storage, &new.storage)
        || widens_network(&old.network, &new.network)
        || widens_environment(&variables(before, None), &variables(after, None))
        || widens_settings(before, after, old, new)
        || old.tools.iter().any(|tool| loosens(before, after, tool))
}

/// Tells whether `after` may hold a tool less tightly than `tool` of `before` does; both together hold it within the component's.
fn loosens(before: &Policy, after: &Policy, tool: &Tool) -> bool {
    let (old, new) = (&before.document.permissions, &after.document.permissions);
    let absent = Tool::unsaid(tool.name.clone());
    let other = new.tools.iter().find(|other| other.name == tool.name);
    let other = other.unwrap_or(&absent);
    let (own, kept) = (&tool.permissions, &other.permissions);
    let storage = loosened(tool.storage, other.storage, &own.storage, &kept.storage);
    let network = loosened(tool.network, other.network, &own.network, &kept.network);
    storage.is_none_or(|(old, new)| widens_storage(&old, &new))
        || network.is_none_or(|(old, new)| widens_network(&old, &new))
        || widens_environment(
            &variables(before, Some(tool)),
            &variables(after, Some(other)),
        )
        || widens_settings(before, after, &tool.within(old), &other.within(new))
}

/// Returns the lists to compare for a kind of which a tool had one share and has another; `None` if it now has all that it had
/// not.
fn loosened<A: Clone, D: Clone>(
    old: Share,
    new: Share,
    before: &Rules<A, D>,
    after: &Rules<A, D>,
) -> Option<(Rules<A, D>, Rules<A, D>)> {
    let deny_only = |rules: &Rules<A, D>| Rules {
        allow: Vec::new(),
        deny: rules.deny.clone(),
    };
    match (old, new) {
        (Share::Listed, Share::Listed) => Some((before.clone(), after.clone())),
        (Share::Listed, Share::All | Share::Rest) => None,
        // What the component has is compared on its own.
        (Share::All | Share::Rest, _) => Some((deny_only(before), deny_only(after))),
    }
}

fn widens_storage(
    old: &Rules<StorageRule, StorageRule>,
    new: &Rules<StorageRule, StorageRule>,
) -> bool {
    let allowed = |rule: &StorageRule| {
        rule.access.each().all(|access| {
            old.allow
                .iter()
                .any(|own| own.value.access.covers(access) && own.value.uri.covers(&rule.uri))
        })
    };
    let denied = |rule: &StorageRule| {
        rule.access.each().all(|access| {
            new.deny
                .iter()
                .any(|own| own.value.denies(&rule.uri, access))
        })
    };
    new.allow.iter().any(|rule| !allowed(&rule.value))
        || old.deny.iter().any(|rule| !denied(&rule.value))
}

fn widens_network(
    old: &Rules<NetworkRule, NetworkRule>,
    new: &Rules<NetworkRule, NetworkRule>,
) -> bool {
    let allowed = |rule| old.allow.iter().any(|own| own.value.covers(rule));
    new.allow.iter().any(|rule| !allowed(&rule.value))
        || old
            .deny
            .iter()
            .any(|rule| !new.deny.iter().any(|own| own.value.denies(&rule.value)))
}

fn widens_environment(old: &Variables, new: &Variables) -> bool {
    new.iter()
        .any(|(key, variable)| old.get(key).is_none_or(|own| own.value != variable.value))
}

type Variables = BTreeMap<String, Variable>;

/// Returns the variables that a component sees, or one of its tools.
fn variables(policy: &Policy, tool: Option<&Tool>) -> Variables {
    let component = EnvironmentRules::of(Scope::of(&policy.document, Origin::Policy)).granted();
    match tool.filter(|tool| tool.environment != Share::All) {
        Some(tool) => {
            let own = tool.within(&policy.document.permissions);
            EnvironmentRules::of(Scope::of_tool(&tool.name.value, &own)).narrow(component)
        }
        None => component,
    }
}

fn widens_settings(before: &Policy, after: &Policy, old: &Permissions, new: &Permissions) -> bool {
    let limits = |permissions: &Permissions| Limits::least(std::iter::once(&permissions.limits));
    // What is unsaid depends on the configuration's strictness, so both must hold.
    let clocks_or_random = |configured: bool| {
        let clocks = |policy: &Policy, own: &Permissions| {
            let unsaid = ClockMode::unsaid(configured || policy.document.is_strict());
            let component = policy
                .document
                .permissions
                .clocks
                .map_or(unsaid, |clocks| clocks.value);
            own.clocks
                .map_or(component, |clocks| clocks.value.min(component))
        };
        let random = |policy: &Policy, own: &Permissions| {
            let unsaid = RandomMode::unsaid(configured || policy.document.is_strict());
            let component = policy
                .document
                .permissions
                .random
                .map_or(unsaid, |random| random.value);
            own.random.map_or(component, |random| {
                RandomMode::lesser(component, random.value)
            })
        };
        let random_widens = match (random(before, old), random(after, new)) {
            (_, RandomMode::None) | (RandomMode::Secure, _) => false,
            (RandomMode::None, RandomMode::Secure | RandomMode::Seed(_)) => true,
            (RandomMode::Seed(_), RandomMode::Secure) => true,
            (RandomMode::Seed(old), RandomMode::Seed(new)) => old != new,
        };
        clocks(after, new) > clocks(before, old) || random_widens
    };
    !limits(new).within(&limits(old)) || clocks_or_random(false) || clocks_or_random(true)
}
