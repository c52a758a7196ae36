//! The part of a requested policy that a person agreed to, alone or beside what was granted before.

use std::collections::BTreeSet;

use super::{Item, component_rules, items};
use crate::error::{Located, Place, PolicyError};
use crate::language::{
    EnvironmentRule, LimitRules, NetworkRule, Permissions, Rules, Share, StorageRule, Tool,
    check_conflicts,
};
use crate::limits::Limits;
use crate::mode::{ClockMode, RandomMode};
use crate::policy::{Policy, widens};

impl Policy {
    /// Returns this policy with those of its rules that are `picked`, by their numbers in [`Policy::rules`], and with all that
    /// narrow. What it says of itself is left out: in a person's file these would be another's words.
    ///
    /// Allows nothing that this policy does not allow.
    pub fn picked(&self, picked: &BTreeSet<usize>) -> Policy {
        let mut document = self.document().clone();
        document.description = None;
        let permissions = &mut document.permissions;
        let kept = Kept::of(self, picked);
        retain(&mut permissions.storage.allow, &kept.storage);
        retain(&mut permissions.network.allow, &kept.network);
        retain(&mut permissions.environment.allow, &kept.environment);
        let none = |clocks: &Located<ClockMode>| clocks.value == ClockMode::None;
        permissions.clocks = permissions
            .clocks
            .filter(|clocks| kept.clocks || none(clocks));
        permissions.random = match permissions.random {
            // Without the line there would be secure numbers, which are more than those of a seed.
            Some(random) if !kept.random && matches!(random.value, RandomMode::Seed(_)) => {
                Some(Located::new(RandomMode::None, random.place))
            }
            random => random.filter(|own| kept.random || own.value == RandomMode::None),
        };
        for key in &kept.dropped_limits {
            permissions.limits = without_limit(&permissions.limits, key);
        }
        // Less of what was free of contradictions is so too; should it ever not be, nothing is picked.
        Policy::from_document(document).unwrap_or_default()
    }

    /// Returns this policy and, beside it, the `picked` rules of another, by their numbers in its [`Policy::rules`].
    ///
    /// What this one allows it goes on to allow, but for what the other denies within a kind of which something is picked. A tool that
    /// the other narrows has of what is new only what it has there.
    ///
    /// # Errors
    /// If entries of the two contradict each other.
    pub fn joined(&self, other: &Policy, picked: &BTreeSet<usize>) -> Result<Policy, PolicyError> {
        let kept = Kept::of(other, picked);
        if kept.nothing() {
            return Ok(self.clone());
        }
        let mut document = self.document().clone();
        let new = &other.document().permissions;
        let old = document.permissions.clone();
        document.version = document
            .version
            .or_else(|| other.document().version.clone());
        let permissions = &mut document.permissions;
        join(&mut permissions.storage, &new.storage, &kept.storage);
        join(&mut permissions.network, &new.network, &kept.network);
        join(
            &mut permissions.environment,
            &new.environment,
            &kept.environment,
        );
        if kept.clocks {
            permissions.clocks = match (permissions.clocks, new.clocks) {
                (Some(own), Some(other)) if own.value >= other.value => Some(own),
                (own, other) => other.or(own),
            };
        }
        if kept.random {
            permissions.random = match (permissions.random, new.random) {
                (Some(own), Some(other))
                    if RandomMode::lesser(own.value, other.value) == other.value =>
                {
                    Some(own)
                }
                // What is unsaid is secure, or in a strict configuration nothing at all.
                (None, Some(other)) if matches!(other.value, RandomMode::Seed(_)) => None,
                (own, other) => other.or(own),
            };
        }
        for key in &kept.limits {
            take_limit(&mut permissions.limits, &new.limits, key);
        }
        join_tools(&mut permissions.tools, &old, new, &kept);
        check_conflicts(&document)?;
        Policy::from_document(document)
    }

    /// Returns the numbers of the rules of `request`, in its [`Policy::rules`], that would let a component with this policy do more:
    /// what a person has to be asked about.
    pub fn asks_beyond(&self, request: &Policy) -> BTreeSet<usize> {
        let statements = request.statements();
        let allowing = statements.iter().filter(|statement| statement.allows);
        allowing
            .map(|statement| statement.index)
            .filter(
                |index| match self.joined(request, &BTreeSet::from([*index])) {
                    Ok(joined) => widens(self, &joined),
                    Err(_) => true,
                },
            )
            .collect()
    }
}

/// Which rules of a policy are picked, by kind.
#[derive(Default)]
struct Kept {
    storage: Vec<bool>,
    network: Vec<bool>,
    environment: Vec<bool>,
    clocks: bool,
    random: bool,
    /// Limits that are picked.
    limits: Vec<&'static str>,
    /// Limits that raise something and are not picked.
    dropped_limits: Vec<&'static str>,
}

impl Kept {
    fn of(policy: &Policy, picked: &BTreeSet<usize>) -> Self {
        let permissions = &policy.document().permissions;
        let mut kept = Self::default();
        let all = items(permissions);
        debug_assert_eq!(all.len(), component_rules(policy));
        for (index, item) in all.iter().enumerate() {
            let is_picked = picked.contains(&index);
            match item {
                Item::Storage(_) => kept.storage.push(is_picked),
                Item::Network(_) => kept.network.push(is_picked),
                Item::Variable(_) => kept.environment.push(is_picked),
                Item::Clocks(_) => kept.clocks = is_picked && item.allows(permissions),
                Item::Random(_) => kept.random = is_picked && item.allows(permissions),
                Item::Limit { key, .. } if is_picked => kept.limits.push(key),
                Item::Limit { key, .. } if item.allows(permissions) => {
                    kept.dropped_limits.push(key);
                }
                Item::Limit { .. }
                | Item::NoStorage(_)
                | Item::NoNetwork(_)
                | Item::NoVariable(_)
                | Item::Nothing(_) => {}
            }
        }
        kept
    }

    fn nothing(&self) -> bool {
        let any = |list: &[bool]| list.contains(&true);
        !(any(&self.storage)
            || any(&self.network)
            || any(&self.environment)
            || self.clocks
            || self.random
            || !self.limits.is_empty())
    }
}

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    list.retain(|_| keep.next().copied().unwrap_or(false));
}

fn chosen<'r, T: Clone>(
    list: &'r [Located<T>],
    keep: &'r [bool],
) -> impl Iterator<Item = Located<T>> + 'r {
    let keep = keep.iter().copied();
    list.iter()
        .zip(keep)
        .filter(|(_, keep)| *keep)
        .map(|(rule, _)| Located::new(rule.value.clone(), Place::START))
}

fn join<A: Clone + PartialEq, D: Clone + PartialEq>(
    rules: &mut Rules<A, D>,
    new: &Rules<A, D>,
    keep: &[bool],
) {
    let picked: Vec<Located<A>> = chosen(&new.allow, keep).collect();
    if picked.is_empty() {
        return;
    }
    add(&mut rules.allow, picked.into_iter());
    add(&mut rules.deny, new.deny.iter().cloned());
}

fn add<T: PartialEq>(list: &mut Vec<Located<T>>, more: impl Iterator<Item = Located<T>>) {
    for rule in more {
        if !list.contains(&rule) {
            list.push(rule);
        }
    }
}

/// Narrows tools as `new` does. A tool that had all that the component had keeps that, and gets of what is new what is listed for it.
fn join_tools(tools: &mut Vec<Tool>, old: &Permissions, new: &Permissions, kept: &Kept) {
    for tool in &new.tools {
        if !tools.iter().any(|own| own.name == tool.name) {
            tools.push(Tool::unsaid(tool.name.clone()));
        }
    }
    for own in tools.iter_mut() {
        let absent = Tool::unsaid(own.name.clone());
        let named = new.tools.iter().find(|tool| tool.name == own.name);
        let tool = named.unwrap_or(&absent);
        let (theirs, mine) = (&tool.permissions, &mut own.permissions);
        let part = Part {
            component: &old.storage,
            picked: chosen(&new.storage.allow, &kept.storage).collect(),
            meet: meet_files,
        };
        part.share(
            &mut own.storage,
            &mut mine.storage,
            tool.storage,
            &theirs.storage,
        );
        let part = Part {
            component: &old.network,
            picked: chosen(&new.network.allow, &kept.network).collect(),
            meet: meet_peers,
        };
        part.share(
            &mut own.network,
            &mut mine.network,
            tool.network,
            &theirs.network,
        );
        let part = Part {
            component: &old.environment,
            picked: chosen(&new.environment.allow, &kept.environment).collect(),
            meet: meet_variables,
        };
        let share = tool.environment;
        part.share(
            &mut own.environment,
            &mut mine.environment,
            share,
            &theirs.environment,
        );
        if kept.clocks {
            mine.clocks = lesser(mine.clocks, theirs.clocks, ClockMode::min);
        }
        if kept.random {
            mine.random = lesser(mine.random, theirs.random, RandomMode::lesser);
        }
        if !kept.limits.is_empty() {
            lower_limits(&mut mine.limits, &theirs.limits);
        }
    }
    tools.retain(|tool| *tool != Tool::unsaid(tool.name.clone()));
}

fn lesser<T: Copy>(
    own: Option<Located<T>>,
    other: Option<Located<T>>,
    least: impl FnOnce(T, T) -> T,
) -> Option<Located<T>> {
    match (own, other) {
        (Some(own), Some(other)) => Some(Located::new(least(own.value, other.value), own.place)),
        (own, other) => own.or(other),
    }
}

/// One kind of permission of a component: what it had, and what is added to it.
struct Part<'p, A, D> {
    component: &'p Rules<A, D>,
    picked: Vec<Located<A>>,
    /// What two rules both allow, as far as that is plain.
    meet: fn(&A, &A) -> Option<A>,
}

impl<A: Clone + PartialEq, D: Clone + PartialEq> Part<'_, A, D> {
    /// Joins what a tool has with what it is to have of what is new.
    fn share(&self, has: &mut Share, rules: &mut Rules<A, D>, shall: Share, new: &Rules<A, D>) {
        if self.picked.is_empty() {
            return;
        }
        // A list may name what the component had not, and that must not come to life by what the component gets now.
        let mut listed = match has {
            Share::Listed => self.common(&rules.allow, &self.component.allow),
            Share::All | Share::Rest => self.component.allow.clone(),
        };
        match shall {
            // Where a person narrowed it, that stays.
            Share::All | Share::Rest => {}
            Share::Listed => {
                let added = self.common(&new.allow, &self.picked);
                add(&mut listed, added.into_iter());
            }
        }
        *has = match (*has, shall) {
            (Share::Listed, _) | (_, Share::Listed) => {
                rules.allow = listed;
                Share::Listed
            }
            (Share::Rest, _) | (_, Share::Rest) => Share::Rest,
            (Share::All, Share::All) => Share::All,
        };
        add(&mut rules.deny, new.deny.iter().cloned());
    }

    /// What both lists allow.
    fn common(&self, list: &[Located<A>], other: &[Located<A>]) -> Vec<Located<A>> {
        let mut common = Vec::new();
        for rule in list {
            let met = other
                .iter()
                .filter_map(|other| (self.meet)(&rule.value, &other.value));
            add(&mut common, met.map(|met| Located::new(met, Place::START)));
        }
        common
    }
}

fn meet_files(one: &StorageRule, other: &StorageRule) -> Option<StorageRule> {
    let access = one.access.intersection(other.access);
    let uri = if one.uri.covers(&other.uri) {
        &other.uri
    } else if other.uri.covers(&one.uri) {
        &one.uri
    } else {
        return None;
    };
    (!access.is_none()).then(|| StorageRule {
        uri: uri.clone(),
        access,
    })
}

fn meet_peers(one: &NetworkRule, other: &NetworkRule) -> Option<NetworkRule> {
    if one.covers(other) {
        Some(other.clone())
    } else {
        other.covers(one).then(|| one.clone())
    }
}

fn meet_variables(one: &EnvironmentRule, other: &EnvironmentRule) -> Option<EnvironmentRule> {
    (one.key == other.key).then(|| one.clone())
}

/// The limits without one of them.
pub(super) fn without_limit(limits: &LimitRules, key: &str) -> LimitRules {
    let mut rest = LimitRules::default();
    for limit in limits.written().filter(|limit| limit.key != key) {
        set_limit(&mut rest, limit.key, &limit.amount, limit.place);
    }
    rest
}

/// Raises a limit to the one of another policy, if that is above it.
fn take_limit(limits: &mut LimitRules, from: &LimitRules, key: &str) {
    let Some(limit) = from.written().find(|limit| limit.key == key) else {
        return;
    };
    let mut raised = limits.clone();
    set_limit(&mut raised, key, &limit.amount, limit.place);
    let least = |rules: &LimitRules| Limits::least(std::iter::once(rules));
    if least(limits).within(&least(&raised)) {
        *limits = raised;
    }
}

/// Lowers limits to those of another policy that are below them.
fn lower_limits(limits: &mut LimitRules, to: &LimitRules) {
    for limit in to.written() {
        let mut lowered = limits.clone();
        set_limit(&mut lowered, limit.key, &limit.amount, limit.place);
        let least = |rules: &LimitRules| Limits::least(std::iter::once(rules));
        let unsaid = !limits.written().any(|own| own.key == limit.key);
        if unsaid || least(&lowered).within(&least(limits)) {
            *limits = lowered;
        }
    }
}

fn set_limit(limits: &mut LimitRules, key: &str, amount: &str, place: Place) {
    // What was printed reads back; a limit that did not would be left out, which is the default.
    let _ = limits.read(key, amount, place);
}
