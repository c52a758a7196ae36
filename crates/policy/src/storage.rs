//! Storage rules of one policy, compiled for quick answers.
//!
//! A question walks up the path's own directories and looks each up, which takes as long as the path is deep, however many
//! rules there are; only patterns with a `*` before their end are compared one name after the other.
//!
//! A deny rule holds for what it matches and for everything below, and a final `/**` there stands for the directory as well:
//! so what is denied has no part that is not, and neither its names nor those of its parts show.

mod globs;

use std::collections::HashMap;

use self::globs::Globs;
use crate::denial::RuleRef;
use crate::error::Located;
use crate::language::{Access, Permissions, StorageRule};
use crate::name::RootName;
use crate::operation::StorageAccess;
use crate::path::{VirtualPath, parent_text};
use crate::pattern::{Anchor, PathPattern, StorageUri};
use crate::scope::Scope;

/// A directory that a guest is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mount {
    /// Where the guest sees it.
    pub guest: VirtualPath,
    /// Where it is.
    pub place: MountPlace,
}

/// Where a mounted directory is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MountPlace {
    /// In a named root: the rest of the guest path after `/ROOT` is the path within it.
    Root(RootName),
    /// At the same absolute path.
    Absolute,
}

/// One compiled rule.
#[derive(Debug, Clone)]
pub(crate) struct StorageGrant {
    pub(crate) uri: StorageUri,
    pub(crate) access: Access,
    pub(crate) rule: RuleRef,
}

/// Which rules, by index, allow reading, writing and making symbolic links.
#[derive(Debug, Clone, Copy, Default)]
struct Cover {
    read: Option<usize>,
    write: Option<usize>,
    symlink: Option<usize>,
}

impl Cover {
    fn add(&mut self, access: Access, index: usize) {
        if access.read {
            self.read.get_or_insert(index);
        }
        if access.write {
            self.write.get_or_insert(index);
        }
        if access.symlink {
            self.symlink.get_or_insert(index);
        }
    }

    /// Adds rules for what has none yet.
    fn or(self, other: Self) -> Self {
        Self {
            read: self.read.or(other.read),
            write: self.write.or(other.write),
            symlink: self.symlink.or(other.symlink),
        }
    }

    /// Takes out what `denied` has a rule for.
    fn without(self, denied: Self) -> Self {
        Self {
            read: self.read.filter(|_| denied.read.is_none()),
            write: self.write.filter(|_| denied.write.is_none()),
            symlink: self.symlink.filter(|_| denied.symlink.is_none()),
        }
    }

    /// Returns a rule about what is in a place; whether links are made there is another matter.
    fn any(self) -> Option<usize> {
        self.read.or(self.write)
    }
}

/// What the rules of one policy say of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judgement<'r> {
    /// This rule allows it, and none denies it.
    Allowed(&'r RuleRef),
    /// This deny rule holds for it.
    Denied(&'r RuleRef),
    /// This deny rule could hold for something below it.
    DeniedBelow(&'r RuleRef),
    /// No rule allows it.
    Unsaid,
}

/// All storage rules of one policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageRules {
    grants: Vec<StorageGrant>,
    exact: HashMap<VirtualPath, Cover>,
    below: HashMap<VirtualPath, Cover>,
    globs: Globs,
    /// Directories between a mount and something granted, both included, and rules that need them.
    between: HashMap<VirtualPath, Cover>,
    denials: Denials,
}

/// The deny rules of one policy.
#[derive(Debug, Clone, Default)]
struct Denials {
    rules: Vec<StorageGrant>,
    /// What is denied with all below it.
    tops: HashMap<VirtualPath, Cover>,
    /// Directories above something denied.
    above: HashMap<VirtualPath, Cover>,
    globs: Globs,
}

impl Denials {
    fn add(&mut self, rule: StorageGrant) {
        let (access, index) = (rule.access, self.rules.len());
        match &rule.uri.pattern {
            PathPattern::Exact(top) | PathPattern::Below(top) => {
                self.tops.entry(top.clone()).or_default().add(access, index);
                for directory in std::iter::successors(top.parent(), VirtualPath::parent) {
                    self.above.entry(directory).or_default().add(access, index);
                }
            }
            PathPattern::Glob(glob) => self.globs.add_denied(glob, access, index),
        }
        self.rules.push(rule);
    }

    /// Returns the rules that deny a path.
    fn of(&self, path: &VirtualPath) -> Cover {
        if self.rules.is_empty() {
            return Cover::default();
        }
        let tops = std::iter::successors(Some(path.as_str()), |path| parent_text(path))
            .filter_map(|top| self.tops.get(top).copied());
        tops.fold(self.globs.find(path.as_str()).at_or_above, Cover::or)
    }

    /// Returns a rule that denies something below a directory, whether that exists or not.
    fn below(&self, directory: &VirtualPath) -> Option<&RuleRef> {
        let patterns = || self.rule(self.globs.find(directory.as_str()).below.any()?);
        self.named_below(directory).or_else(patterns)
    }

    /// Returns a rule that denies something below a directory under its full name.
    fn named_below(&self, directory: &VirtualPath) -> Option<&RuleRef> {
        self.rule(self.above.get(directory)?.any()?)
    }

    fn rule(&self, index: usize) -> Option<&RuleRef> {
        self.rules.get(index).map(|rule| &rule.rule)
    }
}

/// Takes a list of a policy's rules over, apart from those about another place than `places` says.
fn compiled(
    rules: &[Located<StorageRule>],
    list: &str,
    scope: Scope<'_>,
    places: &Places,
) -> Vec<StorageGrant> {
    let mut grants = Vec::new();
    for (index, located) in rules.iter().enumerate() {
        let rule = &located.value;
        if !places.agree(rule.uri.pattern.base(), &rule.uri.anchor) {
            continue;
        }
        let section = format!("storage.{list}[{index}]");
        let text = match list {
            "deny" => format!("deny {rule}"),
            _ => rule.to_string(),
        };
        grants.push(StorageGrant {
            uri: rule.uri.clone(),
            access: rule.access,
            rule: scope.rule(&section, located.place, text),
        });
    }
    grants
}

impl StorageRules {
    /// Compiles a policy's rules, apart from those about another place than `places` says.
    pub(crate) fn of(scope: Scope<'_>, places: &Places) -> Self {
        let storage = &scope.permissions.storage;
        let mut rules = Self::default();
        let grants = compiled(&storage.allow, "allow", scope, places);
        for (index, grant) in grants.iter().enumerate() {
            match &grant.uri.pattern {
                PathPattern::Below(base) => {
                    rules
                        .below
                        .entry(base.clone())
                        .or_default()
                        .add(grant.access, index);
                }
                PathPattern::Exact(file) => {
                    rules
                        .exact
                        .entry(file.clone())
                        .or_default()
                        .add(grant.access, index);
                }
                PathPattern::Glob(glob) => rules.globs.add(glob, grant.access, index),
            }
        }
        let mounts = mounts(grants.iter().map(|grant| &grant.uri));
        for (index, grant) in grants.iter().enumerate() {
            let mut directory = directory(&grant.uri);
            while let Some(path) = directory {
                if !mounts.iter().any(|mount| path.starts_with(&mount.guest)) {
                    break;
                }
                directory = path.parent();
                rules
                    .between
                    .entry(path)
                    .or_default()
                    .add(grant.access, index);
            }
        }
        for rule in compiled(&storage.deny, "deny", scope, places) {
            rules.denials.add(rule);
        }
        rules.grants = grants;
        rules
    }

    /// Returns the allow rules.
    pub(crate) fn grants(&self) -> &[StorageGrant] {
        &self.grants
    }

    /// Tells whether one deny rule denies all of this.
    pub(crate) fn denies(&self, uri: &StorageUri, access: Access) -> bool {
        let mut denials = self.denials.rules.iter();
        denials.any(|rule| rule.access.covers(access) && rule.uri.denies(uri))
    }

    /// Judges one access.
    pub(crate) fn judge(&self, path: &VirtualPath, access: StorageAccess) -> Judgement<'_> {
        let denied = self.denials.of(path);
        match access {
            StorageAccess::Read => self.judgement(denied.read, || self.allowed(path).read),
            StorageAccess::Write => self.judgement(denied.write, || self.allowed(path).write),
            StorageAccess::Remove => {
                let judgement = self.judge(path, StorageAccess::Write);
                // What may not be read here may not be read below either, and an empty directory tells of that.
                let at = || self.denials.rule(denied.read?);
                match (judgement, self.denials.below(path).or_else(at)) {
                    (Judgement::Allowed(_), Some(rule)) => Judgement::DeniedBelow(rule),
                    _ => judgement,
                }
            }
            // What can neither be read nor written, nor leads to something that can, does not show.
            StorageAccess::Traverse => {
                let hidden = match (denied.read, denied.write) {
                    (Some(rule), Some(_)) => Some(rule),
                    _ => None,
                };
                let judgement = self.judgement(hidden, || self.use_at(path, denied).any());
                match (
                    judgement,
                    denied.read.and_then(|index| self.denials.rule(index)),
                ) {
                    (Judgement::Unsaid, Some(rule)) => Judgement::Denied(rule),
                    _ => judgement,
                }
            }
        }
    }

    /// Judges making a symbolic link, apart from writing there.
    pub(crate) fn judge_symlink(&self, path: &VirtualPath) -> Judgement<'_> {
        let denied = self.denials.of(path);
        self.judgement(denied.symlink, || self.allowed(path).symlink)
    }

    /// Tells whether a path, or something that it leads to, may be read under all of these, or written under all.
    pub(crate) fn share<'r>(all: impl Iterator<Item = &'r Self>, path: &VirtualPath) -> bool {
        let (mut read, mut write) = (true, true);
        for rules in all {
            let own = rules.use_at(path, rules.denials.of(path));
            read &= own.read.is_some();
            write &= own.write.is_some();
        }
        read || write
    }

    /// Returns the rules for a path and for what it could lead to.
    fn use_at(&self, path: &VirtualPath, denied: Cover) -> Cover {
        let found = self.globs.find(path.as_str());
        let between = self.between.get(path).copied().unwrap_or_default();
        let own = self.named(path).or(found.at);
        own.or(between).or(found.below).without(denied)
    }

    fn judgement(
        &self,
        denied: Option<usize>,
        allowed: impl FnOnce() -> Option<usize>,
    ) -> Judgement<'_> {
        if let Some(rule) = denied.and_then(|index| self.denials.rule(index)) {
            return Judgement::Denied(rule);
        }
        match allowed().and_then(|index| self.rule(index)) {
            Some(rule) => Judgement::Allowed(rule),
            None => Judgement::Unsaid,
        }
    }

    /// Judges moving `from` to `to`, with all that is below it if it may be a directory.
    ///
    /// One rule must allow writing at both ends, and subtree rules must allow reading at both, and no rule may deny
    /// anything at either end or below: then everything below either name is readable and writable before and after.
    pub(crate) fn judge_rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        directory: bool,
    ) -> Judgement<'_> {
        let denied = self.denials.of(from).or(self.denials.of(to)).any();
        if let Some(rule) = denied.and_then(|index| self.denials.rule(index)) {
            return Judgement::Denied(rule);
        }
        let readable = |path| self.covers_of(path).any(|cover| cover.read.is_some());
        let rule = self.writable_at_both(from, to);
        let Some(rule) = rule.filter(|_| readable(from) && readable(to)) else {
            return Judgement::Unsaid;
        };
        // Another call can put a directory where there was a file, so names count for a file too. A directory in which
        // a pattern denies something is never put anywhere.
        let below = |path| match directory {
            true => self.denials.below(path),
            false => self.denials.named_below(path),
        };
        match below(from).or_else(|| below(to)) {
            Some(denied) => Judgement::DeniedBelow(denied),
            None => Judgement::Allowed(rule),
        }
    }

    /// Returns the subtree rule that allows writing at both ends.
    pub(crate) fn writable_at_both(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
    ) -> Option<&RuleRef> {
        let index = self
            .covers_of(from)
            .filter_map(|cover| cover.write)
            .find(|index| self.covers_of(to).any(|cover| cover.write == Some(*index)))?;
        self.rule(index)
    }

    /// Returns the rules that allow reading and writing a path itself.
    fn allowed(&self, path: &VirtualPath) -> Cover {
        self.named(path).or(self.globs.find(path.as_str()).at)
    }

    fn named(&self, path: &VirtualPath) -> Cover {
        let exact = self.exact.get(path).copied().unwrap_or_default();
        self.covers_of(path).fold(exact, Cover::or)
    }

    fn rule(&self, index: usize) -> Option<&RuleRef> {
        self.grants.get(index).map(|grant| &grant.rule)
    }

    /// Returns the subtrees that a path is in, the innermost first.
    fn covers_of<'r>(&'r self, path: &'r VirtualPath) -> impl Iterator<Item = Cover> + 'r {
        std::iter::successors(parent_text(path.as_str()), |path| parent_text(path))
            .filter_map(|directory| self.below.get(directory).copied())
    }
}

/// Returns the directory that a rule needs to be shown: its base, or what holds its file.
fn directory(uri: &StorageUri) -> Option<VirtualPath> {
    match &uri.pattern {
        PathPattern::Below(base) => Some(base.clone()),
        PathPattern::Exact(file) => file.parent(),
        PathPattern::Glob(glob) => Some(glob.base().clone()),
    }
}

/// Returns the directories to show for some rules: outermost only, sorted.
pub(crate) fn mounts<'u>(uris: impl Iterator<Item = &'u StorageUri>) -> Vec<Mount> {
    let mut all: Vec<Mount> = uris
        .filter_map(|uri| {
            let place = match &uri.anchor {
                Anchor::Named(root) => MountPlace::Root(root.clone()),
                Anchor::Absolute => MountPlace::Absolute,
            };
            Some(Mount {
                guest: directory(uri)?,
                place,
            })
        })
        .collect();
    // By depth, so that what holds another comes before it.
    all.sort_by_key(|mount| mount.guest.components().count());
    let mut outermost: Vec<Mount> = Vec::new();
    for mount in all {
        if !outermost
            .iter()
            .any(|outer| mount.guest.starts_with(&outer.guest))
        {
            outermost.push(mount);
        }
    }
    outermost.sort();
    outermost
}

/// Returns what two sets of rules both allow, or for patterns that may overlap one that allows no less.
pub(crate) fn intersect<'r>(
    left: &[(StorageUri, Access)],
    right: impl Iterator<Item = &'r StorageGrant>,
) -> Vec<(StorageUri, Access)> {
    let mut both = Vec::new();
    for other in right {
        for (own, granted) in left {
            let access = granted.intersection(other.access);
            let narrower = if own.covers(&other.uri) {
                &other.uri
            } else if other.uri.covers(own) {
                own
            } else if let Some(inner) = overlap(own, &other.uri) {
                inner
            } else {
                continue;
            };
            if !access.is_none() {
                both.push((narrower.clone(), access));
            }
        }
    }
    both
}

/// Returns the one of two patterns that starts further down, unless it is plain that nothing fits both.
fn overlap<'u>(one: &'u StorageUri, other: &'u StorageUri) -> Option<&'u StorageUri> {
    let is = |kind: fn(&PathPattern) -> bool| [one, other].iter().any(|uri| kind(&uri.pattern));
    let glob = is(|pattern| matches!(pattern, PathPattern::Glob(_)));
    // Whether a single path fits is known.
    let exact = is(|pattern| matches!(pattern, PathPattern::Exact(_)));
    if one.anchor != other.anchor || !glob || exact {
        return None;
    }
    let (base, inner) = (directory(one)?, directory(other)?);
    if inner.starts_with(&base) {
        Some(other)
    } else if base.starts_with(&inner) {
        Some(one)
    } else {
        None
    }
}

/// Which place each first segment of a guest path stands for in a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(HashMap<String, Anchor>);

impl Places {
    pub(crate) fn of(permissions: &Permissions) -> Self {
        let storage = &permissions.storage;
        let rules = storage.allow.iter().chain(&storage.deny);
        Self(
            rules
                .filter_map(|rule| {
                    let uri = &rule.value.uri;
                    let first = uri.pattern.base().components().next()?.to_owned();
                    Some((first, uri.anchor.clone()))
                })
                .collect(),
        )
    }

    /// Returns the place that a guest path is in, where a rule speaks of it.
    pub(crate) fn get(&self, path: &VirtualPath) -> Option<&Anchor> {
        self.0.get(path.components().next()?)
    }

    /// Tells whether a rule about `path` in `anchor` speaks of the same place, or of one not spoken of.
    fn agree(&self, path: &VirtualPath, anchor: &Anchor) -> bool {
        self.get(path).is_none_or(|own| own == anchor)
    }
}
