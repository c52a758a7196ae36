//! Decisions about links: a second name for a file, or a name that leads to another.

use super::Grant;
use super::decide::{deny, under};
use crate::denial::{Denial, Permit, Permitted, RuleRef};
use crate::error::printable;
use crate::operation::{LinkKind, Operation, StorageAccess};
use crate::path::VirtualPath;
use crate::reason::Reason;
use crate::storage::{Judgement, StorageRules};

/// What a link takes at one of its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Read,
    Write,
    /// Making symbolic links there.
    Symlink,
    /// Knowing whether it is there.
    See,
}

impl Need {
    /// Returns the word of the policy that gives it.
    fn word(self) -> &'static str {
        match self {
            Self::Read | Self::See => "read",
            Self::Write => "write",
            Self::Symlink => "symlink",
        }
    }

    fn judge<'r>(self, rules: &'r StorageRules, path: &VirtualPath) -> Judgement<'r> {
        match self {
            Self::Read => rules.judge(path, StorageAccess::Read),
            Self::Write => rules.judge(path, StorageAccess::Write),
            Self::Symlink => rules.judge_symlink(path),
            Self::See => rules.judge(path, StorageAccess::Traverse),
        }
    }

    /// Says what is missing at `path`.
    fn missing(self, path: &VirtualPath) -> String {
        let path = printable(path.as_str());
        match self {
            Self::Read | Self::Write => {
                format!(
                    "a second name needs read and write at both, and no rule allows {} at {path}",
                    self.word()
                )
            }
            Self::Symlink => format!(
                "no rule allows symbolic links at {path}: making them takes a right of its own, symlink, beside write"
            ),
            Self::See => {
                format!("a symbolic link leads only to what may be seen, and no rule shows {path}")
            }
        }
    }
}

impl Grant {
    /// Decides a link from `from`, the object, to `to`, its new name.
    ///
    /// A file with two names is under the rules of both, so a hard link takes reading and writing at each: it then opens
    /// nothing that is not open already. A symbolic link is judged again by where it leads whenever it is followed.
    pub(super) fn decide_link(
        &self,
        operation: &Operation<'_>,
        from: &VirtualPath,
        to: &VirtualPath,
        kind: LinkKind,
    ) -> Result<Permit<'_>, Denial> {
        let needs: &[(Need, &VirtualPath)] = match kind {
            LinkKind::Symbolic => &[(Need::Write, to), (Need::See, from), (Need::Symlink, to)],
            LinkKind::Hard | LinkKind::Rename | LinkKind::RenameFile => &[
                (Need::Read, from),
                (Need::Write, from),
                (Need::Read, to),
                (Need::Write, to),
            ],
        };
        // The last need is the one whose rule is named where all are met.
        let mut allowing = None;
        for (need, path) in needs {
            let rule = self.meet(operation, *need, path)?;
            allowing = Some(rule);
        }
        for (need, path) in needs {
            self.meet_narrowed(operation, *need, path, allowing)?;
        }
        if let Some(rule) = allowing {
            self.bound(operation, Reason::StorageLink, from, rule)?;
            self.bound(operation, Reason::StorageLink, to, rule)?;
        }
        Ok(Permit::new(Permitted::Link, allowing))
    }

    fn meet(
        &self,
        operation: &Operation<'_>,
        need: Need,
        path: &VirtualPath,
    ) -> Result<&RuleRef, Denial> {
        let reason = Reason::StorageLink;
        match need.judge(&self.0.source.storage, path) {
            Judgement::Allowed(rule) => Ok(rule),
            Judgement::Denied(rule) | Judgement::DeniedBelow(rule) => {
                let path = printable(path.as_str());
                let sentence = format!("a rule denies {} at {path}", need.word());
                Err(deny(operation, reason, &sentence).rule_is(Some(rule)))
            }
            Judgement::Unsaid => Err(deny(operation, reason, &need.missing(path))
                .remedy_is(self.storage_remedy(need.word(), path, need == Need::See))),
        }
    }

    fn meet_narrowed(
        &self,
        operation: &Operation<'_>,
        need: Need,
        path: &VirtualPath,
        rule: Option<&RuleRef>,
    ) -> Result<(), Denial> {
        for (index, (by, rules)) in self.0.narrower_storage().enumerate() {
            let judgement = match need.judge(rules, path) {
                Judgement::Allowed(_) if need == Need::See && !self.0.shared_by(index, path) => {
                    Judgement::Unsaid
                }
                judgement => judgement,
            };
            under(by, judgement, rule, || {
                let (word, path) = (need.word(), printable(path.as_str()));
                let sentence =
                    format!("a rule allows it, but {by} does not let it {word} at {path}");
                deny(operation, Reason::StorageLink, &sentence)
            })?;
        }
        Ok(())
    }
}
