//! What granting, revoking, blocking and limiting mean for a policy.

use super::draft::Draft;
use super::target::Target;
use super::{EditError, Permission};
use crate::error::{Located, Place};
use crate::language::{
    Access, EnvironmentRule, EnvironmentSource, LimitRules, NetworkRule, Permissions, StorageRule,
    allowable, environment_key, nearest, network_lines, quoted, storage_lines,
};
use crate::pattern::StorageUri;

pub(super) const STORAGE_ALLOW: [&str; 3] = ["permissions", "storage", "allow"];
pub(super) const STORAGE_DENY: [&str; 3] = ["permissions", "storage", "deny"];
pub(super) const NETWORK_ALLOW: [&str; 3] = ["permissions", "network", "allow"];
pub(super) const NETWORK_DENY: [&str; 3] = ["permissions", "network", "deny"];
pub(super) const ENVIRONMENT_ALLOW: [&str; 3] = ["permissions", "environment", "allow"];
pub(super) const ENVIRONMENT_DENY: [&str; 3] = ["permissions", "environment", "deny"];
const LIMITS: [&str; 3] = ["permissions", "resources", "limits"];

fn entry(lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        text.push_str(if index == 0 { "- " } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The intended policy is compared without places, so new rules stand nowhere in particular.
fn new<T>(value: T) -> Located<T> {
    Located::new(value, Place::START)
}

pub(super) fn grant(draft: &mut Draft, permission: &Permission) -> Result<String, EditError> {
    match permission {
        Permission::Read(uri) => grant_storage(draft, uri, Access::READ),
        Permission::Write(uri) => grant_storage(draft, uri, Access::WRITE),
        Permission::Symlink(uri) => grant_storage(draft, uri, Access::SYMLINK),
        Permission::Network(target) => grant_network(draft, &Target::parse(target)?),
        Permission::Environment(key) => {
            let key = environment_key(key)?;
            let lines = key_lines(&key);
            let environment = &draft.document.permissions.environment;
            if let Some(rule) = environment.deny.iter().find(|rule| rule.value == key) {
                return Err(blocked(rule.place, &rule.value));
            }
            if !environment.allow.iter().any(|rule| rule.value.key == key) {
                let rule = EnvironmentRule {
                    key,
                    source: EnvironmentSource::Server,
                };
                draft.append(&ENVIRONMENT_ALLOW, &lines, |permissions| {
                    permissions.environment.allow.push(new(rule))
                })?;
            }
            Ok(entry(&lines))
        }
    }
}

fn blocked(place: Place, rule: &str) -> EditError {
    EditError::Blocked {
        line: place.line,
        rule: rule.to_owned(),
    }
}

pub(super) fn key_lines(key: &str) -> Vec<String> {
    vec![format!("key: {}", quoted(key))]
}

fn grant_network(draft: &mut Draft, target: &Target) -> Result<String, EditError> {
    allowable(target.host())?;
    let rule = target.allowing();
    let lines = network_lines(&rule);
    let network = &draft.document.permissions.network;
    let opposing = target.opposing();
    if let Some(deny) = network
        .deny
        .iter()
        .find(|deny| deny.value.denies(&opposing))
    {
        return Err(blocked(deny.place, &deny.value.to_string()));
    }
    if !network.allow.iter().any(|own| own.value.covers(&rule)) {
        draft.append(&NETWORK_ALLOW, &lines, |permissions| {
            permissions.network.allow.push(new(rule))
        })?;
    }
    Ok(entry(&lines))
}

/// Removes the entries for exactly this host, scheme and port, whatever their other keys.
fn revoke_network(draft: &mut Draft, target: &Target) -> Result<String, EditError> {
    let rule = target.allowing();
    let raw = rule.tcp.is_some();
    let same = |own: &Located<NetworkRule>| {
        let host = own.value.host.as_ref().map(|host| &host.value);
        match raw {
            true => own.value.tcp == rule.tcp,
            false => host == Some(target.host()) && own.value.ways().eq(rule.ways()),
        }
    };
    let others = |own: &&Located<NetworkRule>| {
        if raw || own.value.tcp.is_some() {
            return false;
        }
        let there = match (&own.value.host, &own.value.cidr, target.host().address()) {
            (Some(host), _, _) => host.value.covers(target.host()),
            (None, Some(range), Some(address)) => range.value.contains(&address),
            (None, _, _) => false,
        };
        let ways = || {
            rule.ways()
                .any(|way| own.value.ways().any(|own| own == way))
        };
        there && ways() && !same(own)
    };
    if let Some(other) = draft.document.permissions.network.allow.iter().find(others) {
        return Err(EditError::StillGranted {
            line: other.place.line,
            rule: other.value.to_string(),
        });
    }
    remove_all(
        draft,
        &NETWORK_ALLOW,
        |permissions| permissions.network.allow.iter().position(same),
        |permissions, index| drop(permissions.network.allow.remove(index)),
    )?;
    Ok(entry(&network_lines(&rule)))
}

fn block_network(draft: &mut Draft, target: &Target) -> Result<String, EditError> {
    let rule = target.denying();
    let lines = network_lines(&rule);
    let deny = &draft.document.permissions.network.deny;
    if !deny.iter().any(|own| own.value.denies(&rule)) {
        draft.append(&NETWORK_DENY, &lines, |permissions| {
            permissions.network.deny.push(new(rule))
        })?;
    }
    Ok(entry(&lines))
}

fn grant_storage(draft: &mut Draft, uri: &str, access: Access) -> Result<String, EditError> {
    let uri = StorageUri::parse(uri)?;
    let storage = &draft.document.permissions.storage;
    if let Some(deny) = storage
        .deny
        .iter()
        .find(|deny| deny.value.denies(&uri, access))
    {
        return Err(blocked(deny.place, &deny.value.to_string()));
    }
    let rules = &storage.allow;
    let enough = rules
        .iter()
        .find(|rule| rule.value.uri.covers(&uri) && rule.value.access.covers(access));
    if let Some(rule) = enough {
        return Ok(entry(&storage_lines(&rule.value)));
    }
    let Some(index) = rules.iter().position(|rule| rule.value.uri == uri) else {
        let rule = StorageRule { uri, access };
        let lines = storage_lines(&rule);
        draft.append(&STORAGE_ALLOW, &lines, |permissions| {
            permissions.storage.allow.push(new(rule))
        })?;
        return Ok(entry(&lines));
    };
    let access = rules
        .get(index)
        .map_or(access, |rule| rule.value.access.union(access));
    set_access(draft, index, access)?;
    Ok(entry(&storage_lines(&StorageRule { uri, access })))
}

fn set_access(draft: &mut Draft, index: usize, access: Access) -> Result<(), EditError> {
    draft.step(
        |permissions| {
            if let Some(rule) = permissions.storage.allow.get_mut(index) {
                rule.value.access = access;
            }
        },
        |layout| {
            layout.set_words(
                &STORAGE_ALLOW,
                index,
                "access",
                &access.words().collect::<Vec<_>>(),
            )
        },
    )
}

pub(super) fn revoke(draft: &mut Draft, permission: &Permission) -> Result<String, EditError> {
    match permission {
        Permission::Read(uri) => revoke_storage(draft, uri, Access::READ),
        Permission::Write(uri) => revoke_storage(draft, uri, Access::WRITE),
        Permission::Symlink(uri) => revoke_storage(draft, uri, Access::SYMLINK),
        Permission::Network(target) => revoke_network(draft, &Target::parse(target)?),
        Permission::Environment(key) => {
            let key = environment_key(key)?;
            remove_all(
                draft,
                &ENVIRONMENT_ALLOW,
                |permissions| {
                    permissions
                        .environment
                        .allow
                        .iter()
                        .position(|rule| rule.value.key == key)
                },
                |permissions, index| drop(permissions.environment.allow.remove(index)),
            )?;
            Ok(entry(&key_lines(&key)))
        }
    }
}

/// Removes entries from a list for as long as `find` gives one.
fn remove_all(
    draft: &mut Draft,
    list: &[&str],
    find: impl Fn(&Permissions) -> Option<usize>,
    remove: impl Fn(&mut Permissions, usize),
) -> Result<(), EditError> {
    while let Some(index) = find(&draft.document.permissions) {
        draft.step(
            |permissions| remove(permissions, index),
            |layout| layout.remove(list, index),
        )?;
    }
    Ok(())
}

fn revoke_storage(draft: &mut Draft, uri: &str, access: Access) -> Result<String, EditError> {
    let uri = StorageUri::parse(uri)?;
    let others = |rule: &&Located<StorageRule>| {
        rule.value.uri != uri && rule.value.uri.covers(&uri) && rule.value.access.covers(access)
    };
    if let Some(rule) = draft.document.permissions.storage.allow.iter().find(others) {
        return Err(EditError::StillGranted {
            line: rule.place.line,
            rule: rule.value.to_string(),
        });
    }
    let find = |permissions: &Permissions| {
        let rules = &permissions.storage.allow;
        rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.value.uri == uri && rule.value.access.covers(access))
            .map(|(index, rule)| (index, rule.value.access.without(access)))
    };
    while let Some((index, rest)) = find(&draft.document.permissions) {
        if rest.is_none() {
            draft.step(
                |permissions| drop(permissions.storage.allow.remove(index)),
                |layout| layout.remove(&STORAGE_ALLOW, index),
            )?;
        } else {
            set_access(draft, index, rest)?;
        }
    }
    Ok(entry(&storage_lines(&StorageRule { uri, access })))
}

pub(super) fn block(draft: &mut Draft, permission: &Permission) -> Result<String, EditError> {
    match permission {
        Permission::Read(uri) => block_storage(draft, uri, Access::READ),
        Permission::Write(uri) => block_storage(draft, uri, Access::WRITE),
        Permission::Symlink(uri) => block_storage(draft, uri, Access::SYMLINK),
        Permission::Network(target) => block_network(draft, &Target::parse(target)?),
        Permission::Environment(key) => {
            let key = environment_key(key)?;
            let lines = key_lines(&key);
            if !draft
                .document
                .permissions
                .environment
                .deny
                .iter()
                .any(|rule| rule.value == key)
            {
                draft.append(&ENVIRONMENT_DENY, &lines, |permissions| {
                    permissions.environment.deny.push(new(key))
                })?;
            }
            Ok(entry(&lines))
        }
    }
}

fn block_storage(draft: &mut Draft, uri: &str, access: Access) -> Result<String, EditError> {
    let rule = StorageRule {
        uri: StorageUri::parse(uri)?,
        access,
    };
    let lines = storage_lines(&rule);
    let deny = &draft.document.permissions.storage.deny;
    if !deny.iter().any(|own| own.value.denies(&rule.uri, access)) {
        draft.append(&STORAGE_DENY, &lines, |permissions| {
            permissions.storage.deny.push(new(rule))
        })?;
    }
    Ok(entry(&lines))
}

pub(super) fn limit(draft: &mut Draft, key: &str, value: &str) -> Result<String, EditError> {
    let mut limits = draft.document.permissions.limits.clone();
    if !limits.read(key, value, Place::START)? {
        return Err(unknown_limit(key));
    }
    let written = LimitRules::yaml(value);
    if limits != draft.document.permissions.limits {
        draft.step(
            |permissions| permissions.limits = limits,
            |layout| layout.set_scalar(&LIMITS, key, &written),
        )?;
    }
    Ok(format!("{key}: {written}\n"))
}

fn unknown_limit(key: &str) -> EditError {
    let known = LimitRules::KEYS;
    EditError::Refused {
        message: format!("{key:?} is not a limit; limits are {}", known.join(", ")),
        hint: nearest(key, known).map(|word| format!("did you mean {word:?}?")),
    }
}
