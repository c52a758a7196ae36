//! Grants, and the one place where requests are decided.
//!
//! Order of evaluation, the same for every kind: the policy first, since its answer is the one that a person can
//! change; then what it says of the tool; then the organisation's ceiling; then what is true outside of all, such as whether
//! a root is bound. In each deny stands before allow, and what nothing allows is denied.

mod decide;
mod link;
mod network;
mod tcp;
mod terms;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use self::terms::{Source, Terms};
use crate::denial::RuleRef;
use crate::error::Warning;
use crate::identity::ArtifactIdentity;
use crate::language::{Rules, Share, Tool};
use crate::limits::Limits;
use crate::mode::{ClockMode, RandomMode};
use crate::name::{RootName, Tenant};
use crate::pattern::{Anchor, StorageUri};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::storage::Mount;

/// What a policy is admitted under: facts and bounds from outside of it.
#[derive(Debug, Clone)]
pub struct Admission<'a> {
    /// The organisation's ceiling, from [`Policy::parse_ceiling`]: what it does not allow is not allowed. A policy that names
    /// tools is none, and allows nothing.
    pub ceiling: Option<&'a Policy>,
    /// Whether clocks and randomness start from none where a policy says nothing. Also set by `strict: true` in the
    /// ceiling, or in a policy for itself.
    pub strict: bool,
    /// The named roots that are bound to a directory.
    pub bound_roots: &'a BTreeSet<RootName>,
    /// Whose grant it is.
    pub tenant: Tenant,
}

/// What one artifact may do. Cheap to clone; never changes.
///
/// Only [`Policy::admit`] makes one:
///
/// ```compile_fail,E0423
/// use casemate_policy::Grant;
/// let grant = Grant(todo!());
/// ```
///
/// ```compile_fail,E0277
/// fn from_nothing<T: Default>() -> T { T::default() }
/// let grant: casemate_policy::Grant = from_nothing();
/// ```
#[derive(Clone)]
pub struct Grant(Arc<Terms>);

/// What a grant could reach, for annotations and lists.
///
/// Counts what the rules allow, also where a root is not bound or a kind is not enforced yet, so that it never says
/// less than what a later start could bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// Reads files.
    pub storage_read: bool,
    /// Writes files.
    pub storage_write: bool,
    /// Sends requests.
    pub network: bool,
    /// Uses raw sockets.
    pub sockets: bool,
    /// Reads environment variables.
    pub environment: bool,
    /// Is given secrets.
    pub secrets: bool,
}

impl Grant {
    pub(crate) fn admit(
        policy: &Policy,
        identity: &ArtifactIdentity,
        admission: &Admission<'_>,
    ) -> Self {
        let source = Arc::new(Source::of(policy, identity, admission));
        Self(Arc::new(Terms::of(source, None)))
    }

    /// Returns the grant of one tool, known by any of these names: what the component may do, as far as the policy's `tools`
    /// allow it to this one; the same grant where they do not name it. Always starts from what the component may do.
    #[must_use]
    pub fn for_tool(&self, names: &[&str]) -> Self {
        if self.0.source.tools(names).next().is_none() {
            return self.clone();
        }
        let source = Arc::clone(&self.0.source);
        Self(Arc::new(Terms::of(source, Some(names))))
    }

    /// Returns the artifact that the grant is bound to.
    pub fn identity(&self) -> &ArtifactIdentity {
        &self.0.source.identity
    }

    /// Returns whose grant it is.
    pub fn tenant(&self) -> &Tenant {
        &self.0.source.tenant
    }

    /// Returns the directories to show to the guest: outermost only, sorted by guest path. A root that is not bound
    /// is among them; every operation below it is denied with that reason.
    pub fn mounts(&self) -> &[Mount] {
        &self.0.mounts
    }

    /// Returns the keys of the variables to show to the guest, sorted; [`Grant::decide`] gives the values.
    pub fn environment_keys(&self) -> impl Iterator<Item = &str> {
        self.0.variables.keys().map(String::as_str)
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Returns what clocks show.
    pub fn clocks(&self) -> ClockMode {
        self.0.clocks.value
    }

    /// Returns what random numbers are.
    pub fn random(&self) -> RandomMode {
        self.0.random.value
    }

    /// Returns what the grant could reach.
    pub fn reach(&self) -> Reach {
        self.0.reach
    }

    /// Returns the policy's rules, those of single tools last, then the ceiling's, then the defaults in force.
    pub fn rules(&self) -> Vec<RuleRef> {
        self.0.rules.clone()
    }

    /// Returns the policy's warnings and one for every root that is not bound.
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<String> = self.0.rules.iter().map(RuleRef::to_string).collect();
        formatter
            .debug_struct("Grant")
            .field("identity", &self.0.source.identity)
            .field("tenant", &self.0.source.tenant)
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

/// Lists a policy's rules in the order of the language.
pub(crate) fn rules_of(scope: Scope<'_>) -> Vec<RuleRef> {
    fn listed<A: fmt::Display, D: fmt::Display>(
        scope: Scope<'_>,
        kind: &str,
        rules: &Rules<A, D>,
    ) -> Vec<RuleRef> {
        let allow = rules.allow.iter().enumerate().map(|(index, rule)| {
            let section = format!("{kind}.allow[{index}]");
            scope.rule(&section, rule.place, rule.value.to_string())
        });
        let deny = rules.deny.iter().enumerate().map(|(index, rule)| {
            let section = format!("{kind}.deny[{index}]");
            scope.rule(&section, rule.place, format!("deny {}", rule.value))
        });
        allow.chain(deny).collect()
    }
    let permissions = scope.permissions;
    let mut rules = listed(scope, "storage", &permissions.storage);
    rules.extend(listed(scope, "network", &permissions.network));
    rules.extend(listed(scope, "environment", &permissions.environment));
    if let Some(clocks) = permissions.clocks {
        let text = format!("clocks: {}", clocks.value);
        rules.push(scope.rule("clocks", clocks.place, text));
    }
    if let Some(random) = permissions.random {
        let text = format!("random: {}", random.value);
        rules.push(scope.rule("random", random.place, text));
    }
    rules.extend(permissions.limits.written().map(|limit| {
        let section = format!("resources.limits.{}", limit.key);
        let text = format!("{}: {}", limit.key, limit.amount);
        scope.rule(&section, limit.place, text)
    }));
    rules
}

/// Lists what a policy says of one tool. A kind of which the tool has nothing is a rule too, though no entry says so.
pub(crate) fn rules_of_tool(tool: &Tool) -> Vec<RuleRef> {
    let scope = Scope::of_tool(&tool.name.value, &tool.permissions);
    let own = &tool.permissions;
    let listed = |share: Share, empty: bool| share == Share::Listed && empty;
    let nothing = [
        (
            "storage",
            listed(tool.storage, own.storage.allow.is_empty()),
        ),
        (
            "network",
            listed(tool.network, own.network.allow.is_empty()),
        ),
        (
            "environment",
            listed(tool.environment, own.environment.allow.is_empty()),
        ),
    ];
    let mut rules: Vec<RuleRef> = nothing
        .into_iter()
        .filter(|(_, nothing)| *nothing)
        .map(|(kind, _)| {
            let text = format!("nothing of {kind}");
            scope.rule(&format!("{kind}.allow"), tool.name.place, text)
        })
        .collect();
    rules.extend(rules_of(scope));
    rules
}

/// Builds the URI of a remedy for a guest path, or for the nearest directory above that a rule can name.
fn uri_for(anchor: &Anchor, path: &crate::path::VirtualPath, subtree: bool) -> Option<StorageUri> {
    StorageUri::naming(anchor.clone(), path, subtree).or_else(|| {
        std::iter::successors(path.parent(), crate::path::VirtualPath::parent)
            .find_map(|directory| StorageUri::naming(anchor.clone(), &directory, true))
    })
}

#[cfg(test)]
mod tests;
