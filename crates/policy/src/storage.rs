//! Storage rules of one policy, compiled for quick answers.
//!
//! A question walks up the path's own directories and looks each up; it takes as long as the path is deep, however many
//! rules there are, and allocates nothing.

use std::collections::HashMap;

use crate::denial::{Origin, RuleRef};
use crate::language::{Access, Document};
use crate::name::RootName;
use crate::operation::StorageAccess;
use crate::path::{VirtualPath, parent_text};
use crate::pattern::{Anchor, PathPattern, StorageUri};

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

/// Which rules, by index, allow reading and writing.
#[derive(Debug, Clone, Copy, Default)]
struct Cover {
    read: Option<usize>,
    write: Option<usize>,
}

impl Cover {
    fn add(&mut self, access: Access, index: usize) {
        if access.read {
            self.read.get_or_insert(index);
        }
        if access.write {
            self.write.get_or_insert(index);
        }
    }

    fn allows(self, access: StorageAccess) -> Option<usize> {
        match access {
            StorageAccess::Read => self.read,
            StorageAccess::Write => self.write,
            StorageAccess::Traverse => self.read.or(self.write),
        }
    }
}

/// All storage rules of one policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageRules {
    grants: Vec<StorageGrant>,
    exact: HashMap<VirtualPath, Cover>,
    below: HashMap<VirtualPath, Cover>,
    /// Directories between a mount and something granted, both included, and a rule that needs them.
    between: HashMap<VirtualPath, usize>,
}

impl StorageRules {
    /// Compiles a policy's rules, apart from those about another place than `places` says.
    pub(crate) fn of(document: &Document, origin: Origin, places: &Places) -> Self {
        let mut rules = Self::default();
        for (index, located) in document.permissions.storage.allow.iter().enumerate() {
            let rule = &located.value;
            // A general pattern is refused at load until it is enforced; should one get here it grants nothing.
            let Some(base) = rule.uri.pattern.base() else {
                continue;
            };
            if !places.agree(base, &rule.uri.anchor) {
                continue;
            }
            let own = rules.grants.len();
            let covers = match &rule.uri.pattern {
                PathPattern::Below(_) => &mut rules.below,
                PathPattern::Exact(_) | PathPattern::Glob(_) => &mut rules.exact,
            };
            covers
                .entry(base.clone())
                .or_default()
                .add(rule.access, own);
            let section = format!("permissions.storage.allow[{index}]");
            rules.grants.push(StorageGrant {
                uri: rule.uri.clone(),
                access: rule.access,
                rule: RuleRef::new(origin, section, located.place, rule.to_string()),
            });
        }
        let mounts = mounts(rules.grants.iter().map(|grant| &grant.uri));
        for (index, grant) in rules.grants.iter().enumerate() {
            let mut directory = directory(&grant.uri);
            while let Some(path) = directory {
                if !mounts.iter().any(|mount| path.starts_with(&mount.guest)) {
                    break;
                }
                directory = path.parent();
                rules.between.entry(path).or_insert(index);
            }
        }
        rules
    }

    pub(crate) fn grants(&self) -> &[StorageGrant] {
        &self.grants
    }

    /// Returns the rule that allows an access.
    pub(crate) fn allows(&self, path: &VirtualPath, access: StorageAccess) -> Option<&RuleRef> {
        let exact = self.exact.get(path).and_then(|cover| cover.allows(access));
        let index = exact
            .or_else(|| self.covers_of(path).find_map(|cover| cover.allows(access)))
            .or_else(|| match access {
                StorageAccess::Traverse => self.between.get(path).copied(),
                StorageAccess::Read | StorageAccess::Write => None,
            })?;
        self.grants.get(index).map(|grant| &grant.rule)
    }

    /// Returns the rule that allows moving `from` to `to` with all that is below it.
    ///
    /// One rule must allow writing at both ends, and subtree rules must allow reading at both: then everything
    /// below either name is readable and writable before and after, and no further rule can change that.
    pub(crate) fn allows_rename(&self, from: &VirtualPath, to: &VirtualPath) -> Option<&RuleRef> {
        let readable = |path| self.covers_of(path).any(|cover| cover.read.is_some());
        if !readable(from) || !readable(to) {
            return None;
        }
        self.writable_at_both(from, to)
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
        PathPattern::Glob(_) => None,
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

/// Returns what two sets of rules both allow.
pub(crate) fn intersect(
    left: &[StorageGrant],
    right: &[StorageGrant],
) -> Vec<(StorageUri, Access)> {
    let mut both = Vec::new();
    for own in left {
        for other in right {
            let access = own.access.intersection(other.access);
            let narrower = if own.uri.covers(&other.uri) {
                &other.uri
            } else if other.uri.covers(&own.uri) {
                &own.uri
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

/// Which place each first segment of a guest path stands for in a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(HashMap<String, Anchor>);

impl Places {
    pub(crate) fn of(document: &Document) -> Self {
        let rules = document.permissions.storage.allow.iter();
        Self(
            rules
                .filter_map(|rule| {
                    let first = rule
                        .value
                        .uri
                        .pattern
                        .base()?
                        .components()
                        .next()?
                        .to_owned();
                    Some((first, rule.value.uri.anchor.clone()))
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
