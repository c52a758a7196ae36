//! What may it reach, beside what its code can and what it says that it is for?

use std::collections::BTreeMap;

use casemate_policy::{
    Allowance, Allowed, AllowedFiles, AllowedPeer, HostBreadth, MountPlace, VariableValue,
};

use super::purpose::{Kind, Purpose};
use super::rubric;
use super::{Found, Origin, Origins, Place, ReportInput, short};
use crate::inspect::Capability;
use crate::inspect::reached::Reachability;

/// Variables that say how to show things and carry nothing else.
const ORDINARY: &[&str] = &[
    "COLUMNS", "LANG", "LANGUAGE", "LINES", "NO_COLOR", "TERM", "TZ",
];

/// Directories of the system, by their first name.
const SYSTEM: &[&str] = &[
    "Library", "System", "bin", "boot", "etc", "lib", "lib32", "lib64", "sbin", "usr", "var",
];

/// Directories that hold homes.
const HOMES: &[&str] = &["Users", "home"];

/// Whether the code can use a kind of permission.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Can {
    Yes,
    No(String),
    CannotTell(String),
}

pub(super) fn judge(
    input: &ReportInput<'_>,
    purpose: &Purpose,
    origins: &Origins<'_>,
    found: &mut Found,
) {
    let can: BTreeMap<Kind, Can> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, can(input, kind)))
        .collect();
    for (origin, allowances) in origins {
        kinds(*origin, allowances, purpose, &can, found);
        breadth(*origin, allowances, found);
    }
    let asked_for = |kind: Kind| {
        let mut all = origins.iter().flat_map(|(_, allowances)| *allowances);
        all.any(|allowance| kind_of(allowance) == Some(kind))
    };
    for kind in [Kind::Files, Kind::Requests, Kind::Connections] {
        match can.get(&kind) {
            Some(Can::Yes) if !purpose.expects(kind) && !asked_for(kind) => {
                let what = format!(
                    "its tools lead to code for {}, and {}",
                    kind.noun(),
                    purpose.quoted()
                );
                found.add(&rubric::REACH_CODE, what, Place::component());
            }
            Some(Can::CannotTell(why)) => {
                found.note(format!(
                    "whether its code can use {} cannot be told: {why}",
                    kind.noun()
                ));
            }
            _ => {}
        }
    }
    let unknown: Vec<&str> = input
        .component
        .unknown_imports()
        .map(|import| import.interface.as_str())
        .collect();
    if let Some(first) = unknown.first() {
        let mut what = format!("it imports {}", short(first));
        if let Some(more) = unknown.len().checked_sub(1).filter(|more| *more > 0) {
            what.push_str(&format!(" and {more} more"));
        }
        found.add(&rubric::REACH_IMPORT, what, Place::component());
    }
}

/// The kind of permission that an entry is about. What a policy writes into a variable takes nothing from the machine.
fn kind_of(allowance: &Allowance) -> Option<Kind> {
    match &allowance.allowed {
        Allowed::Files(_) => Some(Kind::Files),
        Allowed::Requests(_) => Some(Kind::Requests),
        Allowed::Connections(_) => Some(Kind::Connections),
        Allowed::Variable(variable) => match variable.value {
            VariableValue::Server if is_ordinary(&variable.key) => None,
            VariableValue::Written(_) => None,
            _ => Some(Kind::Variables),
        },
        _ => None,
    }
}

/// Each kind of permission beside what the code can and what the purpose speaks of.
fn kinds(
    origin: Origin,
    allowances: &[Allowance],
    purpose: &Purpose,
    can: &BTreeMap<Kind, Can>,
    found: &mut Found,
) {
    let verb = origin.verb();
    for kind in Kind::ALL {
        let mut own = allowances
            .iter()
            .filter(|allowance| kind_of(allowance) == Some(kind));
        let Some(first) = own.next() else {
            continue;
        };
        let rules = match own.count() {
            0 => short(&first.rule.text),
            more => format!("{} and {more} more", short(&first.rule.text)),
        };
        match can.get(&kind) {
            Some(Can::No(why)) => {
                let what = format!(
                    "{verb} {rules}, and its code cannot use {}: {why}",
                    kind.noun()
                );
                found.once(
                    &rubric::REACH_UNREACHABLE,
                    kind.noun(),
                    what,
                    origin.place(first),
                );
            }
            Some(Can::CannotTell(why)) if kind == Kind::Variables => {
                found.note(format!(
                    "whether its code can use {} cannot be told: {why}",
                    kind.noun()
                ));
            }
            _ => {}
        }
        if !purpose.expects(kind) {
            let rule = match kind {
                Kind::Connections => &rubric::REACH_SOCKETS,
                Kind::Files | Kind::Requests | Kind::Variables => &rubric::REACH_PURPOSE,
            };
            let what = format!("{verb} {rules}, and {}", purpose.quoted());
            found.once(rule, kind.noun(), what, origin.place(first));
        }
    }
}

/// How broad single entries are, whatever the purpose.
fn breadth(origin: Origin, allowances: &[Allowance], found: &mut Found) {
    let verb = origin.verb();
    let mut directories: Vec<(String, &Allowance)> = Vec::new();
    let (mut read, mut send) = (None, None);
    for allowance in allowances {
        let text = short(&allowance.rule.text);
        let mut add = |rule, what: String| found.once(rule, &text, what, origin.place(allowance));
        match &allowance.allowed {
            Allowed::Files(files) => {
                match whole(files) {
                    Whole::Top => add(&rubric::REACH_TOP, format!("{verb} {text}")),
                    Whole::Home => add(&rubric::REACH_HOME, format!("{verb} {text}")),
                    Whole::Part => {}
                }
                directories.push((directory(files), allowance));
                if files.read {
                    read = read.or(Some(allowance));
                }
            }
            Allowed::Requests(requests) => {
                hosts(&requests.peer, &text, &verb, &mut add);
                if requests.plain_http && !requests.peer.loopback {
                    add(
                        &rubric::REACH_HTTP,
                        format!("{verb} {text}, over plain http"),
                    );
                }
                send = send.or(Some(allowance));
            }
            Allowed::Connections(peer) => {
                hosts(peer, &text, &verb, &mut add);
                send = send.or(Some(allowance));
            }
            Allowed::Variable(variable)
                if variable.value == VariableValue::Server && !is_ordinary(&variable.key) =>
            {
                add(
                    &rubric::REACH_ENVIRONMENT,
                    format!("{verb} {text} from the environment of the server"),
                );
            }
            _ => {}
        }
    }
    outermost(&mut directories);
    if let [(first, _), (second, allowance), rest @ ..] = directories.as_slice() {
        let mut what = format!("{verb} {} and {}", short(first), short(second));
        if !rest.is_empty() {
            what.push_str(&format!(" and {} more", rest.len()));
        }
        found.once(
            &rubric::REACH_DIRECTORIES,
            "",
            what,
            origin.place(allowance),
        );
    }
    if let (Some(read), Some(send)) = (read, send) {
        let what = format!(
            "{verb} reading {} together with {}",
            short(&read.rule.text),
            short(&send.rule.text)
        );
        found.once(&rubric::REACH_COMBINED, "", what, origin.place(send));
    }
}

fn hosts(
    peer: &AllowedPeer,
    text: &str,
    verb: &str,
    add: &mut impl FnMut(&'static super::Rule, String),
) {
    match peer.breadth {
        HostBreadth::OneLabel | HostBreadth::AnyDepth => {
            add(&rubric::REACH_WILDCARD, format!("{verb} {text}"));
        }
        HostBreadth::Shared => add(&rubric::REACH_SHARED, format!("{verb} {text}")),
        HostBreadth::One | HostBreadth::Range => {}
    }
    if let Some(special) = peer.special {
        add(&rubric::REACH_PRIVATE, format!("{verb} {text}: {special}"));
    }
}

fn is_ordinary(key: &str) -> bool {
    ORDINARY.contains(&key) || key.starts_with("LC_")
}

/// Whether an entry is about a whole directory that nobody should grant as a whole.
enum Whole {
    Part,
    Home,
    Top,
}

fn whole(files: &AllowedFiles) -> Whole {
    // A named root is what the person binds; which directory that is, is no part of the policy.
    if files.place != MountPlace::Absolute || files.exact {
        return Whole::Part;
    }
    let names: Vec<&str> = files
        .base
        .as_str()
        .split('/')
        .filter(|name| !name.is_empty())
        .collect();
    match names.as_slice() {
        ["root"] => Whole::Home,
        [first] | [first, _] if HOMES.contains(first) => Whole::Home,
        // What Casemate itself shows as one may lie in /var.
        [first] | [first, _] if SYSTEM.contains(first) => Whole::Top,
        [] | [_] => Whole::Top,
        _ => Whole::Part,
    }
}

/// The directory that an entry is in.
fn directory(files: &AllowedFiles) -> String {
    let base = files.base.as_str();
    match base.rsplit_once('/') {
        Some((parent, _)) if files.exact && !parent.is_empty() => parent.to_owned(),
        _ => base.to_owned(),
    }
}

/// Keeps the directories that are in no other one, sorted, each once.
fn outermost(directories: &mut Vec<(String, &Allowance)>) {
    directories.sort_by(|(own, _), (other, _)| own.cmp(other));
    directories.dedup_by(|(own, _), (other, _)| own == other);
    let all: Vec<String> = directories.iter().map(|(path, _)| path.clone()).collect();
    directories.retain(|(path, _)| {
        let below = |other: &String| {
            path.strip_prefix(other.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        !all.iter().any(below)
    });
}

/// The functions without which a kind of permission is of no use: from no other one does a guest get a first descriptor,
/// an answer, a socket or a value.
fn gates(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Files => &[("wasi:filesystem/preopens", "get-directories")],
        Kind::Requests => &[("wasi:http/outgoing-handler", "handle")],
        Kind::Connections => &[
            ("wasi:sockets/tcp-create-socket", "create-tcp-socket"),
            ("wasi:sockets/ip-name-lookup", "resolve-addresses"),
        ],
        Kind::Variables => &[("wasi:cli/environment", "get-environment")],
    }
}

/// What a kind of permission is about among the imports.
fn capabilities(kind: Kind) -> &'static [Capability] {
    match kind {
        Kind::Files => &[Capability::Files],
        Kind::Requests => &[Capability::Http],
        Kind::Connections => &[Capability::Sockets, Capability::Names],
        Kind::Variables => &[Capability::Environment],
    }
}

fn can(input: &ReportInput<'_>, kind: Kind) -> Can {
    let gates = gates(kind);
    let is_gate = |import: &str, function: &str| {
        let name = import.split('@').next().unwrap_or_default();
        gates.contains(&(name, function))
    };
    let imported = input.component.imports().iter().any(|import| {
        let mut functions = import.functions.iter();
        functions.any(|function| is_gate(&import.interface, function))
    });
    if !imported {
        let names: Vec<String> = gates
            .iter()
            .map(|(interface, function)| format!("{interface}#{function}"))
            .collect();
        return Can::No(format!("it does not import {}", names.join(" or ")));
    }
    let Some(reached) = input.reached else {
        return Can::CannotTell("its calls were not followed".to_owned());
    };
    let opened = reached.functions().iter();
    let opened = opened
        .filter(|function| is_gate(&function.interface, &function.function))
        .map(|function| function.reach.clone());
    let used = capabilities(kind).iter();
    let used = used.filter_map(|capability| reached.capability(*capability));
    // Both are needed: a way in, and something that is done with it.
    match (best(opened), best(used)) {
        (Some(Reachability::Reachable), Some(Reachability::Reachable)) => Can::Yes,
        (Some(Reachability::CannotTell { why }), Some(_))
        | (Some(_), Some(Reachability::CannotTell { why })) => Can::CannotTell(why),
        _ => Can::No("no tool leads to a call of what it imports for that".to_owned()),
    }
}

/// The most that any of them says.
fn best(all: impl Iterator<Item = Reachability>) -> Option<Reachability> {
    all.reduce(|one, other| match (&one, &other) {
        (Reachability::Reachable, _)
        | (Reachability::CannotTell { .. }, Reachability::Unreachable) => one,
        _ => match other {
            Reachability::Unreachable => one,
            other => other,
        },
    })
}
