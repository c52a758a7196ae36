//! `Grant::decide`, and the sentences that go with its answers.

use super::terms::{Narrower, Setting};
use super::{Grant, uri_for};
use crate::denial::{Denial, Explanation, Permit, Permitted, Remedy, RuleRef, bounded};
use crate::error::printable;
use crate::http::Request;
use crate::mode::{ClockMode, RandomMode};
use crate::name::RootName;
use crate::operation::{LinkKind, Operation, StorageAccess};
use crate::path::VirtualPath;
use crate::pattern::Anchor;
use crate::reason::Reason;
use crate::storage::Judgement;

const REMOVE_BELOW: &str =
    "a rule denies something that could be in this directory, so the directory cannot be removed";
const MOVE_BELOW: &str = "a rule denies something that could be in a directory of either name, so no directory is moved there or from there";
const OWN_HOME: &str = "that is in Casemate's own folder, and no rule makes it reachable";

impl Grant {
    /// Decides a request: the one decision point, pure and total.
    ///
    /// # Errors
    /// The denial, with its stable reason and what would change it.
    pub fn decide(&self, operation: &Operation<'_>) -> Result<Permit<'_>, Denial> {
        match *operation {
            Operation::Storage {
                own: true, access, ..
            } => {
                let reason = match access {
                    StorageAccess::Read | StorageAccess::Traverse => Reason::StorageRead,
                    StorageAccess::Write | StorageAccess::Remove => Reason::StorageWrite,
                };
                Err(deny(operation, reason, OWN_HOME))
            }
            Operation::StorageLink { own: true, .. } => {
                Err(deny(operation, Reason::StorageLink, OWN_HOME))
            }
            Operation::Storage {
                path,
                access,
                own: false,
            } => self.decide_storage(operation, path, access),
            Operation::StorageLink {
                from,
                to,
                kind,
                own: false,
            } => match kind {
                LinkKind::Hard | LinkKind::Symbolic => self.decide_link(operation, from, to, kind),
                LinkKind::Rename => self.decide_rename(operation, from, to, true),
                LinkKind::RenameFile => self.decide_rename(operation, from, to, false),
            },
            Operation::HttpRequest {
                scheme,
                host,
                port,
                method,
                path,
            } => self.decide_request(operation, Request::of(scheme, host, port, method, path)),
            Operation::Connect {
                scheme,
                host,
                method,
                path,
                address,
                own,
            } => {
                let request = Request::of(scheme, host, address.port(), method, path);
                self.decide_connection(operation, request, address.ip(), own)
            }
            Operation::Lookup { name } => self.decide_lookup(operation, name),
            Operation::LookupAnswer { name, address } => {
                self.decide_answer(operation, name, address)
            }
            Operation::Socket { action, .. } => self.decide_socket(operation, action),
            Operation::TcpConnect { name, address, own } => {
                self.decide_tcp(operation, name, address, own)
            }
            Operation::Environment { key } => self.decide_environment(operation, key),
            Operation::Clock { .. } => match self.0.clocks.value {
                ClockMode::None => Err(deny_setting(
                    operation,
                    Reason::Clock,
                    "clocks",
                    &self.0.clocks.rule,
                    self.0.source.clocks.value == ClockMode::None,
                    Remedy::Clocks,
                    self.0.stops_clocks(),
                )),
                mode @ (ClockMode::Frozen | ClockMode::Coarse | ClockMode::Full) => {
                    permit(Permitted::Clock(mode), &self.0.clocks)
                }
            },
            Operation::Random { .. } => match self.0.random.value {
                RandomMode::None => Err(deny_setting(
                    operation,
                    Reason::Random,
                    "random numbers",
                    &self.0.random.rule,
                    self.0.source.random.value == RandomMode::None,
                    Remedy::Random,
                    self.0.stops_random(),
                )),
                mode @ (RandomMode::Secure | RandomMode::Seed(_)) => {
                    permit(Permitted::Random(mode), &self.0.random)
                }
            },
        }
    }

    /// Explains what [`Grant::decide`] answers, for a person.
    pub fn explain(&self, operation: &Operation<'_>) -> Explanation {
        match self.decide(operation) {
            Ok(permit) => Explanation {
                allowed: true,
                subject: subject(operation),
                reason: None,
                sentence: match permit.granted() {
                    Permitted::Request => {
                        match permit.rule().and_then(|rule| self.range_of(rule)) {
                            Some(range) => format!(
                                "a rule allows it where the name leads to addresses in {range}; where it does lead is not known here"
                            ),
                            None => "a rule allows it".to_owned(),
                        }
                    }
                    Permitted::Storage
                    | Permitted::Link
                    | Permitted::Connect
                    | Permitted::Environment(_) => "a rule allows it".to_owned(),
                    Permitted::Lookup => "a rule allows raw connections to it".to_owned(),
                    Permitted::Socket => "a rule allows raw connections".to_owned(),
                    Permitted::Clock(mode) => format!("clocks are {mode}"),
                    Permitted::Random(mode) => format!("random numbers are {mode}"),
                },
                rule: permit.rule().cloned(),
                remedy: None,
            },
            Err(denial) => denial.into(),
        }
    }

    fn decide_storage(
        &self,
        operation: &Operation<'_>,
        path: &VirtualPath,
        access: StorageAccess,
    ) -> Result<Permit<'_>, Denial> {
        let (reason, word) = match access {
            StorageAccess::Read | StorageAccess::Traverse => (Reason::StorageRead, "read"),
            StorageAccess::Write | StorageAccess::Remove => (Reason::StorageWrite, "write"),
        };
        let rule = match self.0.source.storage.judge(path, access) {
            Judgement::Allowed(rule) => rule,
            Judgement::Denied(rule) => {
                let sentence = format!("a rule denies it to {word} this path");
                return Err(deny(operation, reason, &sentence).rule_is(Some(rule)));
            }
            Judgement::DeniedBelow(rule) => {
                return Err(deny(operation, reason, REMOVE_BELOW).rule_is(Some(rule)));
            }
            Judgement::Unsaid => {
                let subtree = access == StorageAccess::Traverse;
                let sentence = format!("no rule allows it to {word} this path");
                return Err(deny(operation, reason, &sentence)
                    .remedy_is(self.storage_remedy(word, path, subtree)));
            }
        };
        for (index, (by, rules)) in self.0.narrower_storage().enumerate() {
            // To be looked at, it takes a use that all allow.
            let judgement = match rules.judge(path, access) {
                Judgement::Allowed(_)
                    if access == StorageAccess::Traverse && !self.0.shared_by(index, path) =>
                {
                    Judgement::Unsaid
                }
                judgement => judgement,
            };
            under(by, judgement, Some(rule), || {
                let sentence =
                    format!("a rule allows it, but {by} does not let it {word} this path");
                deny(operation, reason, &sentence)
            })?;
        }
        self.bound(operation, reason, path, rule)?;
        Ok(Permit::new(Permitted::Storage, Some(rule)))
    }

    fn decide_rename(
        &self,
        operation: &Operation<'_>,
        from: &VirtualPath,
        to: &VirtualPath,
        directory: bool,
    ) -> Result<Permit<'_>, Denial> {
        let reason = Reason::StorageLink;
        let rule = match self.0.source.storage.judge_rename(from, to, directory) {
            Judgement::Allowed(rule) => rule,
            Judgement::Denied(rule) => {
                let sentence = "a rule denies something about one of the two names";
                return Err(deny(operation, reason, sentence).rule_is(Some(rule)));
            }
            Judgement::DeniedBelow(rule) => {
                return Err(deny(operation, reason, MOVE_BELOW).rule_is(Some(rule)));
            }
            Judgement::Unsaid => {
                let sentence = "moving needs one rule that allows writing at both names, and reading at both, \
                                so that what can be read and written stays the same";
                let word = if self.0.source.storage.writable_at_both(from, to).is_some() {
                    "read"
                } else {
                    "write"
                };
                let remedy = common_directory(from, to)
                    .and_then(|directory| self.storage_remedy(word, &directory, true));
                return Err(deny(operation, reason, sentence).remedy_is(remedy));
            }
        };
        for (by, rules) in self.0.narrower_storage() {
            under(
                by,
                rules.judge_rename(from, to, directory),
                Some(rule),
                || {
                    let sentence =
                        format!("a rule allows it, but {by} does not let it move this path");
                    deny(operation, reason, &sentence)
                },
            )?;
        }
        self.bound(operation, reason, from, rule)?;
        Ok(Permit::new(Permitted::Link, Some(rule)))
    }

    /// Refuses what is below a named root without a directory; both names of a move are below the same one.
    pub(super) fn bound(
        &self,
        operation: &Operation<'_>,
        reason: Reason,
        path: &VirtualPath,
        rule: &RuleRef,
    ) -> Result<(), Denial> {
        match self.0.source.places.get(path) {
            Some(Anchor::Named(root)) if !self.0.source.bound_roots.contains(root) => {
                let sentence = format!(
                    "a rule allows it, but the root {:?} is not bound to a directory",
                    root.as_str()
                );
                Err(deny(operation, reason, &sentence)
                    .rule_is(Some(rule))
                    .remedy_is(Some(Remedy::BindRoot(root.clone()))))
            }
            Some(Anchor::Named(_) | Anchor::Absolute) | None => Ok(()),
        }
    }

    pub(super) fn storage_remedy(
        &self,
        word: &str,
        path: &VirtualPath,
        subtree: bool,
    ) -> Option<Remedy> {
        let anchor = self.anchor_of(path)?;
        let uri = uri_for(&anchor, path, subtree)?;
        Some(Remedy::Grant(vec![word.to_owned(), uri.to_string()]))
    }

    /// Tells which place a guest path is in: a root that a rule names or that is bound, otherwise an absolute path.
    fn anchor_of(&self, path: &VirtualPath) -> Option<Anchor> {
        if let Some(anchor) = self.0.source.places.get(path) {
            return Some(anchor.clone());
        }
        let first = path.components().next()?;
        let root = first
            .parse::<RootName>()
            .ok()
            .filter(|root| self.0.source.bound_roots.contains(root));
        Some(root.map_or(Anchor::Absolute, Anchor::Named))
    }

    fn decide_environment(
        &self,
        operation: &Operation<'_>,
        key: &str,
    ) -> Result<Permit<'_>, Denial> {
        if let Some(variable) = self.0.variables.get(key) {
            return Ok(Permit::new(
                Permitted::Environment(&variable.value),
                Some(&variable.rule),
            ));
        }
        let policy = &self.0.source.environment;
        if let Some(rule) = policy.deny.get(key) {
            return Err(deny(
                operation,
                Reason::Environment,
                "a rule denies this variable",
            )
            .rule_is(Some(rule)));
        }
        Err(match policy.allow.get(key) {
            Some(variable) => {
                let by = self.0.hides(key);
                let who = by.map_or_else(|| "the policy".to_owned(), Narrower::to_string);
                let sentence = format!("a rule allows it, but {who} does not allow this variable");
                deny(operation, Reason::Environment, &sentence)
                    .rule_is(Some(&variable.rule))
                    .remedy_is(by.map(Narrower::remedy))
            }
            None => deny(
                operation,
                Reason::Environment,
                "no rule allows this variable",
            )
            .remedy_is(
                crate::language::environment_key(key)
                    .ok()
                    .map(|key| Remedy::Grant(vec!["env".to_owned(), key])),
            ),
        })
    }
}

/// Denies what a setting switches off: who narrows the policy is to blame where that alone would allow it.
fn deny_setting(
    operation: &Operation<'_>,
    reason: Reason,
    what: &str,
    rule: &RuleRef,
    own: bool,
    remedy: Remedy,
    narrower: Option<&Narrower>,
) -> Denial {
    let (by, remedy) = match narrower.filter(|_| !own) {
        Some(by) => (by.to_string(), by.remedy()),
        None => ("the policy".to_owned(), remedy),
    };
    deny(operation, reason, &format!("{by} allows no {what}"))
        .rule_is(Some(rule))
        .remedy_is(Some(remedy))
}

fn permit<'g, T>(permitted: Permitted<'g>, setting: &'g Setting<T>) -> Result<Permit<'g>, Denial> {
    Ok(Permit::new(permitted, Some(&setting.rule)))
}

pub(super) fn deny(operation: &Operation<'_>, reason: Reason, sentence: &str) -> Denial {
    Denial::new(reason, subject(operation), sentence.to_owned())
}

fn subject(operation: &Operation<'_>) -> String {
    let text = operation.to_string();
    match operation {
        // Paths are bounded by themselves.
        Operation::Storage { .. } | Operation::StorageLink { .. } => printable(&text),
        Operation::HttpRequest { .. }
        | Operation::Connect { .. }
        | Operation::Lookup { .. }
        | Operation::LookupAnswer { .. }
        | Operation::Socket { .. }
        | Operation::TcpConnect { .. }
        | Operation::Environment { .. }
        | Operation::Clock { .. }
        | Operation::Random { .. } => bounded(&text),
    }
}

/// Takes the answer of what narrows the policy to what `rule` of it allows; the rule to look at is the one that denies.
pub(super) fn under(
    by: &Narrower,
    judgement: Judgement<'_>,
    rule: Option<&RuleRef>,
    denial: impl FnOnce() -> Denial,
) -> Result<(), Denial> {
    let rule = match judgement {
        Judgement::Allowed(_) => return Ok(()),
        Judgement::Denied(deny) | Judgement::DeniedBelow(deny) => Some(deny),
        Judgement::Unsaid => rule,
    };
    Err(denial().rule_is(rule).remedy_is(Some(by.remedy())))
}

/// Returns the innermost directory that holds both paths.
fn common_directory(from: &VirtualPath, to: &VirtualPath) -> Option<VirtualPath> {
    std::iter::successors(from.parent(), VirtualPath::parent)
        .find(|directory| to.is_below(directory))
}
