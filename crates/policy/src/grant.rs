//! Grants, and the one place where requests are decided.
//!
//! Order of evaluation, the same for every kind: the policy first, since its answer is the one that a person can
//! change; then the organisation's ceiling; then what is true outside of both, such as whether a root is bound. Within
//! a policy deny stands before allow, and what nothing allows is denied.

mod decide;
mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use self::network::NetworkRules;
use crate::denial::{Origin, RuleRef};
use crate::environment::{EnvironmentRules, Variable};
use crate::error::Warning;
use crate::identity::ArtifactIdentity;
use crate::language::{Access, Document};
use crate::limits::Limits;
use crate::mode::{ClockMode, RandomMode};
use crate::name::{RootName, Tenant};
use crate::pattern::{Anchor, StorageUri};
use crate::policy::Policy;
use crate::storage::{Mount, MountPlace, Places, StorageRules, intersect, mounts};

/// What a policy is admitted under: facts and bounds from outside of it.
#[derive(Debug, Clone)]
pub struct Admission<'a> {
    /// The organisation's ceiling, read like any policy: what it does not allow is not allowed.
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

struct Terms {
    identity: ArtifactIdentity,
    tenant: Tenant,
    policy: Layer,
    ceiling: Option<Layer>,
    bound_roots: BTreeSet<RootName>,
    /// The variables that policy and ceiling allow.
    variables: BTreeMap<String, Variable>,
    mounts: Vec<Mount>,
    limits: Limits,
    clocks: Setting<ClockMode>,
    random: Setting<RandomMode>,
    reach: Reach,
    rules: Vec<RuleRef>,
    warnings: Vec<Warning>,
}

/// One policy, compiled: the component's own or the ceiling.
struct Layer {
    places: Places,
    storage: StorageRules,
    network: NetworkRules,
    environment: EnvironmentRules,
    clocks: Setting<ClockMode>,
    random: Setting<RandomMode>,
}

/// A value and the rule or default that it comes from.
#[derive(Debug, Clone)]
struct Setting<T> {
    value: T,
    rule: RuleRef,
}

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

impl Layer {
    fn of(policy: &Policy, origin: Origin, strict: bool, outer: &Places) -> Self {
        let document = policy.document();
        Self {
            places: Places::of(document),
            storage: StorageRules::of(document, origin, outer),
            network: NetworkRules::of(document, origin),
            environment: EnvironmentRules::of(document, origin),
            clocks: clocks_of(document, origin, strict),
            random: random_of(document, origin, strict),
        }
    }
}

fn clocks_of(document: &Document, origin: Origin, strict: bool) -> Setting<ClockMode> {
    let section = "permissions.clocks";
    match document.permissions.clocks {
        Some(clocks) => Setting {
            value: clocks.value,
            rule: RuleRef::new(
                origin,
                section.to_owned(),
                clocks.place,
                format!("clocks: {}", clocks.value),
            ),
        },
        None => {
            let value = ClockMode::unsaid(strict);
            Setting {
                value,
                rule: RuleRef::default_of(section, format!("clocks: {value}")),
            }
        }
    }
}

fn random_of(document: &Document, origin: Origin, strict: bool) -> Setting<RandomMode> {
    let section = "permissions.random";
    match document.permissions.random {
        Some(random) => Setting {
            value: random.value,
            rule: RuleRef::new(
                origin,
                section.to_owned(),
                random.place,
                format!("random: {}", random.value),
            ),
        },
        None => {
            let value = RandomMode::unsaid(strict);
            Setting {
                value,
                rule: RuleRef::default_of(section, format!("random: {value}")),
            }
        }
    }
}

impl Grant {
    pub(crate) fn admit(
        policy: &Policy,
        identity: &ArtifactIdentity,
        admission: &Admission<'_>,
    ) -> Self {
        let ceiling_strict = admission
            .ceiling
            .is_some_and(|ceiling| ceiling.document().is_strict());
        let strict = admission.strict || ceiling_strict;
        let own = Layer::of(
            policy,
            Origin::Policy,
            strict || policy.document().is_strict(),
            &Places::default(),
        );
        let ceiling = admission
            .ceiling
            .map(|ceiling| Layer::of(ceiling, Origin::Ceiling, strict, &own.places));
        let limits = std::iter::once(policy)
            .chain(admission.ceiling)
            .map(|policy| &policy.document().permissions.limits);
        let storage: Vec<_> = match &ceiling {
            None => own
                .storage
                .grants()
                .iter()
                .map(|grant| (grant.uri.clone(), grant.access))
                .collect(),
            Some(ceiling) => intersect(own.storage.grants(), ceiling.storage.grants()),
        };
        let layers = || std::iter::once(&own).chain(&ceiling);
        // What is denied as a whole is not shown.
        let mut mounts = mounts(storage.iter().map(|(uri, _)| uri));
        mounts
            .retain(|mount| layers().all(|layer| own.storage.shares(&layer.storage, &mount.guest)));
        let reaches = |access: Access| {
            storage.iter().any(|(uri, granted)| {
                granted.covers(access) && !layers().any(|layer| layer.storage.denies(uri, access))
            })
        };
        let variables = own
            .environment
            .within(ceiling.as_ref().map(|layer| &layer.environment));
        let reach = Reach {
            storage_read: reaches(Access::READ),
            storage_write: reaches(Access::WRITE),
            network: !own.network.is_empty()
                && ceiling
                    .as_ref()
                    .is_none_or(|layer| !layer.network.is_empty()),
            sockets: false,
            environment: !variables.is_empty(),
            secrets: false,
        };
        let mut rules = rules_of(policy.document(), Origin::Policy);
        let mut warnings = policy.warnings().to_vec();
        warnings.extend(unbound_warnings(&own, &mounts, admission.bound_roots));
        warnings.sort_by_key(|warning| (warning.line, warning.column));
        let (mut clocks, mut random) = (own.clocks.clone(), own.random.clone());
        if let Some(layer) = &ceiling {
            if layer.clocks.value < clocks.value {
                clocks = layer.clocks.clone();
            }
            let value = RandomMode::lesser(random.value, layer.random.value);
            if value != random.value {
                random = layer.random.clone();
            }
        }
        if let Some(ceiling) = admission.ceiling {
            rules.extend(rules_of(ceiling.document(), Origin::Ceiling));
        }
        for rule in [&clocks.rule, &random.rule] {
            if rule.origin == Origin::Default {
                rules.push(rule.clone());
            }
        }
        Self(Arc::new(Terms {
            identity: identity.clone(),
            tenant: admission.tenant.clone(),
            policy: own,
            ceiling,
            bound_roots: admission.bound_roots.clone(),
            variables,
            mounts,
            limits: Limits::least(limits),
            clocks,
            random,
            reach,
            rules,
            warnings,
        }))
    }

    /// Returns the artifact that the grant is bound to.
    pub fn identity(&self) -> &ArtifactIdentity {
        &self.0.identity
    }

    /// Returns whose grant it is.
    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
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

    /// Returns the policy's rules, then the ceiling's, then the defaults in force.
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
            .field("identity", &self.0.identity)
            .field("tenant", &self.0.tenant)
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

/// Warns once for each root that is granted and not bound, at its first rule.
fn unbound_warnings(layer: &Layer, mounts: &[Mount], bound: &BTreeSet<RootName>) -> Vec<Warning> {
    let unbound: BTreeSet<&RootName> = mounts
        .iter()
        .filter_map(|mount| match &mount.place {
            MountPlace::Root(root) if !bound.contains(root) => Some(root),
            MountPlace::Root(_) | MountPlace::Absolute => None,
        })
        .collect();
    let first_rule = |root: &RootName| {
        let anchor = Anchor::Named(root.clone());
        layer
            .storage
            .grants()
            .iter()
            .find(move |grant| grant.uri.anchor == anchor)
    };
    unbound
        .into_iter()
        .filter_map(|root| {
            let rule = &first_rule(root)?.rule;
            Some(Warning {
                line: rule.line,
                column: rule.column,
                message: format!(
                    "the root {root:?} is not bound to a directory, so fs://{root} is denied",
                    root = root.as_str()
                ),
            })
        })
        .collect()
}

/// Lists a policy's rules in the order of the language.
pub(crate) fn rules_of(document: &Document, origin: Origin) -> Vec<RuleRef> {
    let permissions = &document.permissions;
    let mut rules = Vec::new();
    let mut push =
        |section: String, place, text| rules.push(RuleRef::new(origin, section, place, text));
    for (index, rule) in permissions.storage.allow.iter().enumerate() {
        push(
            format!("permissions.storage.allow[{index}]"),
            rule.place,
            rule.value.to_string(),
        );
    }
    for (index, rule) in permissions.storage.deny.iter().enumerate() {
        push(
            format!("permissions.storage.deny[{index}]"),
            rule.place,
            format!("deny {}", rule.value),
        );
    }
    for (list, entries) in [
        ("allow", &permissions.network.allow),
        ("deny", &permissions.network.deny),
    ] {
        for (index, rule) in entries.iter().enumerate() {
            let text = if list == "deny" {
                format!("deny {}", rule.value)
            } else {
                rule.value.to_string()
            };
            push(
                format!("permissions.network.{list}[{index}]"),
                rule.place,
                text,
            );
        }
    }
    for (index, rule) in permissions.environment.allow.iter().enumerate() {
        push(
            format!("permissions.environment.allow[{index}]"),
            rule.place,
            rule.value.to_string(),
        );
    }
    for (index, rule) in permissions.environment.deny.iter().enumerate() {
        push(
            format!("permissions.environment.deny[{index}]"),
            rule.place,
            format!("deny {}", rule.value),
        );
    }
    if let Some(clocks) = permissions.clocks {
        push(
            "permissions.clocks".to_owned(),
            clocks.place,
            format!("clocks: {}", clocks.value),
        );
    }
    if let Some(random) = permissions.random {
        push(
            "permissions.random".to_owned(),
            random.place,
            format!("random: {}", random.value),
        );
    }
    for limit in permissions.limits.written() {
        push(
            format!("permissions.resources.limits.{}", limit.key),
            limit.place,
            format!("{}: {}", limit.key, limit.amount),
        );
    }
    rules
}

/// Builds the URI of a remedy for a guest path, or for the nearest directory above that a rule can name.
fn uri_for(anchor: &Anchor, path: &crate::path::VirtualPath, subtree: bool) -> Option<StorageUri> {
    StorageUri::naming(anchor.clone(), path, subtree).or_else(|| {
        std::iter::successors(path.parent(), crate::path::VirtualPath::parent)
            .find_map(|directory| StorageUri::naming(anchor.clone(), &directory, true))
    })
}
