//! What a grant consists of: a policy, and what narrows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::network::NetworkRules;
use super::{Admission, Reach, rules_of, rules_of_tool};
use crate::denial::{Origin, Remedy, RuleRef};
use crate::environment::{EnvironmentRules, Variable};
use crate::error::Warning;
use crate::identity::ArtifactIdentity;
use crate::language::{Access, LimitRules, Share, Tool};
use crate::limits::Limits;
use crate::mode::{ClockMode, RandomMode};
use crate::name::{RootName, Tenant};
use crate::path::VirtualPath;
use crate::pattern::{Anchor, StorageUri};
use crate::policy::Policy;
use crate::scope::Scope;
use crate::storage::{Mount, MountPlace, Places, StorageGrant, StorageRules, intersect, mounts};

/// Everything that a grant says, worked out.
pub(super) struct Terms {
    pub(super) source: Arc<Source>,
    /// What narrows the policy, in the order in which it is asked.
    pub(super) narrowings: Vec<Arc<Narrowing>>,
    /// The variables that all of them allow.
    pub(super) variables: BTreeMap<String, Variable>,
    pub(super) mounts: Vec<Mount>,
    pub(super) limits: Limits,
    pub(super) clocks: Setting<ClockMode>,
    pub(super) random: Setting<RandomMode>,
    pub(super) reach: Reach,
    pub(super) rules: Vec<RuleRef>,
    pub(super) warnings: Vec<Warning>,
}

/// What the grants of a component and of its tools have in common: the policy, compiled, and what it was admitted under.
pub(super) struct Source {
    pub(super) identity: ArtifactIdentity,
    pub(super) tenant: Tenant,
    pub(super) bound_roots: BTreeSet<RootName>,
    policy: Policy,
    ceiling: Option<(Policy, Arc<Narrowing>)>,
    pub(super) places: Places,
    pub(super) storage: StorageRules,
    pub(super) network: NetworkRules,
    pub(super) environment: EnvironmentRules,
    pub(super) clocks: Setting<ClockMode>,
    pub(super) random: Setting<RandomMode>,
}

/// What has to allow something too, compiled: a kind that is left out narrows nothing.
pub(super) struct Narrowing {
    pub(super) by: Narrower,
    storage: Option<StorageRules>,
    network: Option<NetworkRules>,
    environment: Option<EnvironmentRules>,
    clocks: Option<Setting<ClockMode>>,
    random: Option<Setting<RandomMode>>,
}

/// Who narrows a policy. Displays as the subject of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrower {
    /// The policy itself, for the tool of this name.
    Tool(String),
    Ceiling,
}

/// A value and the rule or default that it comes from.
#[derive(Debug, Clone)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) rule: RuleRef,
}

impl Narrower {
    /// Returns what would change that something is not allowed here.
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Tool(name) => Remedy::Tool(name.clone()),
            Self::Ceiling => Remedy::Ceiling,
        }
    }
}

impl fmt::Display for Narrower {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(name) => write!(formatter, "what the policy says of the tool {name:?}"),
            Self::Ceiling => formatter.write_str("the ceiling"),
        }
    }
}

impl Narrowing {
    /// Compiles a ceiling: a kind that is left out is not allowed at all, and clocks and randomness are their defaults.
    fn of_ceiling(ceiling: &Policy, strict: bool, places: &Places) -> Self {
        let scope = Scope::of(ceiling.document(), Origin::Ceiling);
        Self {
            by: Narrower::Ceiling,
            storage: Some(StorageRules::of(scope, places)),
            network: Some(NetworkRules::of(scope)),
            environment: Some(EnvironmentRules::of(scope)),
            clocks: Some(clocks_of(scope).unwrap_or_else(|| unsaid_clocks(strict))),
            random: Some(random_of(scope).unwrap_or_else(|| unsaid_random(strict))),
        }
    }

    /// Compiles what a policy says of one tool.
    fn of_tool(policy: &Policy, tool: &Tool, places: &Places) -> Self {
        let permissions = tool.within(&policy.document().permissions);
        let scope = Scope::of_tool(&tool.name.value, &permissions);
        let narrows = |share: Share| share != Share::All;
        Self {
            by: Narrower::Tool(tool.name.value.clone()),
            storage: narrows(tool.storage).then(|| StorageRules::of(scope, places)),
            network: narrows(tool.network).then(|| NetworkRules::of(scope)),
            environment: narrows(tool.environment).then(|| EnvironmentRules::of(scope)),
            clocks: clocks_of(scope),
            random: random_of(scope),
        }
    }
}

fn clocks_of(scope: Scope<'_>) -> Option<Setting<ClockMode>> {
    let clocks = scope.permissions.clocks?;
    let text = format!("clocks: {}", clocks.value);
    Some(Setting {
        value: clocks.value,
        rule: scope.rule("clocks", clocks.place, text),
    })
}

fn random_of(scope: Scope<'_>) -> Option<Setting<RandomMode>> {
    let random = scope.permissions.random?;
    let text = format!("random: {}", random.value);
    Some(Setting {
        value: random.value,
        rule: scope.rule("random", random.place, text),
    })
}

fn unsaid_clocks(strict: bool) -> Setting<ClockMode> {
    let value = ClockMode::unsaid(strict);
    Setting {
        value,
        rule: RuleRef::default_of("permissions.clocks", format!("clocks: {value}")),
    }
}

fn unsaid_random(strict: bool) -> Setting<RandomMode> {
    let value = RandomMode::unsaid(strict);
    Setting {
        value,
        rule: RuleRef::default_of("permissions.random", format!("random: {value}")),
    }
}

impl Source {
    pub(super) fn of(
        policy: &Policy,
        identity: &ArtifactIdentity,
        admission: &Admission<'_>,
    ) -> Self {
        // What it says of tools would be lost, so such a policy is no ceiling, and what is none allows nothing.
        let nothing = Policy::empty();
        let of_all = |own: &Policy| own.document().permissions.tools.is_empty();
        let ceiling = admission
            .ceiling
            .map(|own| if of_all(own) { own } else { &nothing });
        let strict = admission.strict || ceiling.is_some_and(|own| own.document().is_strict());
        let own_strict = strict || policy.document().is_strict();
        let scope = Scope::of(policy.document(), Origin::Policy);
        let places = Places::of(scope.permissions);
        Self {
            identity: identity.clone(),
            tenant: admission.tenant.clone(),
            bound_roots: admission.bound_roots.clone(),
            policy: policy.clone(),
            ceiling: ceiling.map(|ceiling| {
                let narrowing = Narrowing::of_ceiling(ceiling, strict, &places);
                (ceiling.clone(), Arc::new(narrowing))
            }),
            storage: StorageRules::of(scope, &Places::default()),
            network: NetworkRules::of(scope),
            environment: EnvironmentRules::of(scope),
            clocks: clocks_of(scope).unwrap_or_else(|| unsaid_clocks(own_strict)),
            random: random_of(scope).unwrap_or_else(|| unsaid_random(own_strict)),
            places,
        }
    }

    /// Returns what the policy says of tools under one of these names.
    pub(super) fn tools<'s>(&'s self, names: &'s [&str]) -> impl Iterator<Item = &'s Tool> {
        let tools = &self.policy.document().permissions.tools;
        tools
            .iter()
            .filter(|tool| names.contains(&tool.name.value.as_str()))
    }
}

impl Terms {
    /// Works out what a component may do, or one of its tools.
    pub(super) fn of(source: Arc<Source>, names: Option<&[&str]>) -> Self {
        let tools: Vec<&Tool> = names
            .map(|names| source.tools(names).collect())
            .unwrap_or_default();
        let ceiling = source.ceiling.as_ref();
        let narrowings: Vec<Arc<Narrowing>> = tools
            .iter()
            .map(|tool| Arc::new(Narrowing::of_tool(&source.policy, tool, &source.places)))
            .chain(ceiling.map(|(_, narrowing)| Arc::clone(narrowing)))
            .collect();
        let variables = narrowings
            .iter()
            .filter_map(|narrowing| narrowing.environment.as_ref())
            .fold(source.environment.granted(), |variables, rules| {
                rules.narrow(variables)
            });
        let own = &source.policy.document().permissions;
        let limits: Vec<LimitRules> = std::iter::once(own.limits.clone())
            .chain(tools.iter().map(|tool| tool.within(own).limits))
            .chain(ceiling.map(|(ceiling, _)| ceiling.document().permissions.limits.clone()))
            .collect();
        let clocks = narrowings
            .iter()
            .filter_map(|narrowing| narrowing.clocks.as_ref())
            .fold(&source.clocks, |least, own| {
                if own.value < least.value { own } else { least }
            })
            .clone();
        let random = narrowings
            .iter()
            .filter_map(|narrowing| narrowing.random.as_ref())
            .fold(&source.random, |least, own| {
                let value = RandomMode::lesser(least.value, own.value);
                if value == least.value { least } else { own }
            })
            .clone();
        let mut terms = Self {
            narrowings,
            variables,
            mounts: Vec::new(),
            limits: Limits::least(limits.iter()),
            rules: source.rules(&tools, names.is_some(), &clocks, &random),
            clocks,
            random,
            reach: Reach::default(),
            warnings: Vec::new(),
            source,
        };
        terms.mounts_and_reach();
        terms.warnings = source_warnings(&terms);
        terms
    }

    /// Returns the storage rules that all have to allow something.
    pub(super) fn storage_rules(&self) -> impl Iterator<Item = &StorageRules> + Clone {
        let narrower = self.narrower_storage().map(|(_, rules)| rules);
        std::iter::once(&self.source.storage).chain(narrower)
    }

    /// Tells whether a path may be looked at for a use that the policy and what narrows it have in common, up to and with the
    /// one of this number.
    pub(super) fn shared_by(&self, index: usize, path: &VirtualPath) -> bool {
        StorageRules::share(self.storage_rules().take(index.saturating_add(2)), path)
    }

    pub(super) fn narrower_storage(
        &self,
    ) -> impl Iterator<Item = (&Narrower, &StorageRules)> + Clone {
        self.narrowings
            .iter()
            .filter_map(|own| Some((&own.by, own.storage.as_ref()?)))
    }

    pub(super) fn narrower_network(&self) -> impl Iterator<Item = (&Narrower, &NetworkRules)> {
        self.narrowings
            .iter()
            .filter_map(|own| Some((&own.by, own.network.as_ref()?)))
    }

    /// Returns who first takes a variable away that the policy allows.
    pub(super) fn hides(&self, key: &str) -> Option<&Narrower> {
        let hides = |own: &&Arc<Narrowing>| {
            let rules = own.environment.as_ref();
            rules.is_some_and(|rules| rules.get(key).is_none())
        };
        self.narrowings.iter().find(hides).map(|own| &own.by)
    }

    /// Returns who first has no clock where the policy has one.
    pub(super) fn stops_clocks(&self) -> Option<&Narrower> {
        let stops = |own: &&Arc<Narrowing>| {
            let clocks = own.clocks.as_ref();
            clocks.is_some_and(|clocks| clocks.value == ClockMode::None)
        };
        self.narrowings.iter().find(stops).map(|own| &own.by)
    }

    /// Returns who first has no random numbers where the policy has some.
    pub(super) fn stops_random(&self) -> Option<&Narrower> {
        let stops = |own: &&Arc<Narrowing>| {
            let random = own.random.as_ref();
            random.is_some_and(|random| random.value == RandomMode::None)
        };
        self.narrowings.iter().find(stops).map(|own| &own.by)
    }

    fn mounts_and_reach(&mut self) {
        let source = &self.source;
        let denied = |uri: &StorageUri, access: Access| {
            self.storage_rules().any(|rules| rules.denies(uri, access))
        };
        let reaches = |access: Access| {
            let open =
                |rule: &&StorageGrant| rule.access.covers(access) && !denied(&rule.uri, access);
            let narrower: Vec<Vec<&StorageGrant>> = self
                .narrower_storage()
                .map(|(_, rules)| rules.grants().iter().filter(open).collect())
                .collect();
            source.storage.grants().iter().filter(open).any(|rule| {
                let own = vec![(rule.uri.clone(), rule.access)];
                let common = narrower
                    .iter()
                    .fold(own, |own, rules| intersect(&own, rules.iter().copied()));
                common.iter().any(|(uri, _)| !denied(uri, access))
            })
        };
        let networks =
            || std::iter::once(&source.network).chain(self.narrower_network().map(|own| own.1));
        let reach = Reach {
            storage_read: reaches(Access::READ),
            storage_write: reaches(Access::WRITE),
            network: networks().all(|rules| !rules.is_empty()),
            sockets: networks().all(|rules| !rules.tcp.allow.is_empty()),
            environment: !self.variables.is_empty(),
            secrets: false,
        };
        let own = source.storage.grants().iter();
        let own: Vec<_> = own.map(|rule| (rule.uri.clone(), rule.access)).collect();
        let common = self.narrower_storage().fold(own, |own, (_, rules)| {
            intersect(&own, rules.grants().iter())
        });
        let mut mounts = mounts(common.iter().map(|(uri, _)| uri));
        // What is denied as a whole is not shown.
        mounts.retain(|mount| StorageRules::share(self.storage_rules(), &mount.guest));
        self.reach = reach;
        self.mounts = mounts;
    }
}

impl Source {
    /// Lists the rules of the policy, of the tools that it is about, and of the ceiling, then the defaults in force.
    fn rules(
        &self,
        tools: &[&Tool],
        narrowed: bool,
        clocks: &Setting<ClockMode>,
        random: &Setting<RandomMode>,
    ) -> Vec<RuleRef> {
        let document = self.policy.document();
        let mut rules = rules_of(Scope::of(document, Origin::Policy));
        if narrowed {
            rules.extend(tools.iter().flat_map(|tool| rules_of_tool(tool)));
        } else {
            rules.extend(document.permissions.tools.iter().flat_map(rules_of_tool));
        }
        if let Some((ceiling, _)) = &self.ceiling {
            rules.extend(rules_of(Scope::of(ceiling.document(), Origin::Ceiling)));
        }
        let defaults = [&clocks.rule, &random.rule];
        rules.extend(
            defaults
                .into_iter()
                .filter(|rule| rule.origin == Origin::Default)
                .cloned(),
        );
        rules
    }
}

/// Returns the policy's warnings, and one for each root that is granted and not bound, at its first rule.
fn source_warnings(terms: &Terms) -> Vec<Warning> {
    let source = &terms.source;
    let unbound: BTreeSet<&RootName> = terms
        .mounts
        .iter()
        .filter_map(|mount| match &mount.place {
            MountPlace::Root(root) if !source.bound_roots.contains(root) => Some(root),
            MountPlace::Root(_) | MountPlace::Absolute => None,
        })
        .collect();
    let first_rule = |root: &RootName| {
        let anchor = Anchor::Named(root.clone());
        let mut grants = source.storage.grants().iter();
        grants.find(move |grant| grant.uri.anchor == anchor)
    };
    let unbound = unbound.into_iter().filter_map(|root| {
        let rule = &first_rule(root)?.rule;
        Some(Warning {
            line: rule.line,
            column: rule.column,
            message: format!(
                "the root {root:?} is not bound to a directory, so fs://{root} is denied",
                root = root.as_str()
            ),
        })
    });
    let mut warnings = source.policy.warnings().to_vec();
    warnings.extend(unbound);
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    warnings
}
