//! Taking rules of another policy over into a policy's text.

use std::collections::BTreeSet;

use super::change::{
    ENVIRONMENT_ALLOW, ENVIRONMENT_DENY, NETWORK_ALLOW, NETWORK_DENY, STORAGE_ALLOW, STORAGE_DENY,
    key_lines,
};
use super::draft::Draft;
use super::{EditError, Edited};
use crate::error::Located;
use crate::language::{Rules, environment_lines, network_lines, storage_lines};
use crate::policy::Policy;

/// Adds the `picked` rules of `other`, by their numbers in its [`Policy::rules`], to a policy's text, as [`Policy::joined`] says.
///
/// Comments and layout stay where only entries of lists are added; otherwise the text is the whole policy in its plainest form.
///
/// ```
/// use casemate_policy::{Policy, adopt};
/// use std::collections::BTreeSet;
///
/// let asks = Policy::parse("version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - { host: a.example.com, methods: [GET] }\n")?;
/// let edited = adopt("# mine\nversion: \"1.0\"\n", &asks, &BTreeSet::from([0]))?;
/// assert_eq!(edited.text, "# mine\nversion: \"1.0\"\npermissions:\n  network:\n    allow:\n      - host: \"a.example.com\"\n        methods: [\"GET\"]\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the text does not load, or entries of the two policies contradict each other.
pub fn adopt(text: &str, other: &Policy, picked: &BTreeSet<usize>) -> Result<Edited, EditError> {
    let before = Policy::parse(text)?;
    let joined = before.joined(other, picked)?;
    let whole = joined.to_yaml();
    let rule = other.picked(picked).to_yaml();
    if joined == before {
        return Ok(Edited {
            text: text.to_owned(),
            rule,
            changed: false,
        });
    }
    let appended = append(text, &joined).ok().filter(|text| {
        let read = Policy::parse(text);
        read.is_ok_and(|read| read == joined)
    });
    Ok(Edited {
        text: appended.unwrap_or(whole),
        rule,
        changed: true,
    })
}

/// Appends what lists of `joined` have beyond those of the text.
fn append(text: &str, joined: &Policy) -> Result<String, EditError> {
    let mut draft = Draft::open(text)?;
    let new = &joined.document().permissions;
    let old = draft.document.permissions.clone();
    for rule in added(&old.storage, &new.storage).0 {
        let lines = storage_lines(&rule.value);
        draft.append(&STORAGE_ALLOW, &lines, |own| {
            own.storage.allow.push(rule.clone())
        })?;
    }
    for rule in added(&old.storage, &new.storage).1 {
        let lines = storage_lines(&rule.value);
        draft.append(&STORAGE_DENY, &lines, |own| {
            own.storage.deny.push(rule.clone())
        })?;
    }
    for rule in added(&old.network, &new.network).0 {
        let lines = network_lines(&rule.value);
        draft.append(&NETWORK_ALLOW, &lines, |own| {
            own.network.allow.push(rule.clone())
        })?;
    }
    for rule in added(&old.network, &new.network).1 {
        let lines = network_lines(&rule.value);
        draft.append(&NETWORK_DENY, &lines, |own| {
            own.network.deny.push(rule.clone())
        })?;
    }
    for rule in added(&old.environment, &new.environment).0 {
        let lines = environment_lines(&rule.value);
        draft.append(&ENVIRONMENT_ALLOW, &lines, |own| {
            own.environment.allow.push(rule.clone());
        })?;
    }
    for rule in added(&old.environment, &new.environment).1 {
        let lines = key_lines(&rule.value);
        draft.append(&ENVIRONMENT_DENY, &lines, |own| {
            own.environment.deny.push(rule.clone())
        })?;
    }
    Ok(draft.text)
}

/// The entries at the ends of lists that grew there.
fn added<'r, A, D>(
    old: &Rules<A, D>,
    new: &'r Rules<A, D>,
) -> (&'r [Located<A>], &'r [Located<D>]) {
    let allow = new.allow.get(old.allow.len()..).unwrap_or_default();
    let deny = new.deny.get(old.deny.len()..).unwrap_or_default();
    (allow, deny)
}
