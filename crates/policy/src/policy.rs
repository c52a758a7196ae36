//! A policy that this release can enforce.

use std::collections::BTreeSet;

use crate::denial::RuleRef;
use crate::environment::EnvironmentRules;
use crate::error::{PolicyError, Warning};
use crate::grant::{Admission, Grant};
use crate::identity::ArtifactIdentity;
use crate::language::{Document, StorageRule};
use crate::limits::{Limits, WrittenLimits};
use crate::mode::{ClockMode, RandomMode};
use crate::name::RootName;
use crate::pattern::Anchor;

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

    /// Returns the rules of the policy in the order of the language.
    pub fn rules(&self) -> Vec<RuleRef> {
        crate::grant::rules_of(&self.document, crate::denial::Origin::Policy)
    }

    /// Binds the policy to an artifact: the only way to a [`Grant`].
    pub fn admit(&self, identity: &ArtifactIdentity, admission: &Admission<'_>) -> Grant {
        Grant::admit(self, identity, admission)
    }
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
    widens_storage(before, after)
        || widens_network(before, after)
        || widens_environment(before, after)
        || widens_settings(before, after)
        || !after.document.permissions.tools.is_empty()
}

fn widens_storage(before: &Policy, after: &Policy) -> bool {
    let (old, new) = (
        &before.document.permissions.storage,
        &after.document.permissions.storage,
    );
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

fn widens_network(before: &Policy, after: &Policy) -> bool {
    let (old, new) = (
        &before.document.permissions.network,
        &after.document.permissions.network,
    );
    let allowed = |rule| old.allow.iter().any(|own| own.value.covers(rule));
    new.allow.iter().any(|rule| !allowed(&rule.value))
        || old
            .deny
            .iter()
            .any(|rule| !new.deny.iter().any(|own| own.value.denies(&rule.value)))
}

fn widens_environment(before: &Policy, after: &Policy) -> bool {
    let origin = crate::denial::Origin::Policy;
    let old = EnvironmentRules::of(&before.document, origin);
    let new = EnvironmentRules::of(&after.document, origin);
    new.within(None)
        .iter()
        .any(|(key, variable)| old.get(key).is_none_or(|own| own.value != variable.value))
}

fn widens_settings(before: &Policy, after: &Policy) -> bool {
    let limits =
        |policy: &Policy| Limits::least(std::iter::once(&policy.document.permissions.limits));
    // What is unsaid depends on the configuration's strictness, so both must hold.
    let clocks_or_random = |configured: bool| {
        let strict = |policy: &Policy| configured || policy.document.is_strict();
        let clocks = |policy: &Policy| {
            let written = policy.document.permissions.clocks;
            written.map_or(ClockMode::unsaid(strict(policy)), |clocks| clocks.value)
        };
        let random = |policy: &Policy| {
            let written = policy.document.permissions.random;
            written.map_or(RandomMode::unsaid(strict(policy)), |random| random.value)
        };
        let random_widens = match (random(before), random(after)) {
            (_, RandomMode::None) | (RandomMode::Secure, _) => false,
            (RandomMode::None, RandomMode::Secure | RandomMode::Seed(_)) => true,
            (RandomMode::Seed(_), RandomMode::Secure) => true,
            (RandomMode::Seed(old), RandomMode::Seed(new)) => old != new,
        };
        clocks(after) > clocks(before) || random_widens
    };
    !limits(after).within(&limits(before)) || clocks_or_random(false) || clocks_or_random(true)
}
