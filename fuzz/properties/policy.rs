//! Policy files: what loads is printed and read back as the same, and a change to the text is that change and no other.
//!
//! Input: the text of a file; after a NUL, if there is one, a change in the words of the command line (`grant read
//! fs://w/a`, `limit memory 64Mi`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use casemate_policy::{
    Admission, ArtifactIdentity, Clock, Digest, EditError, Grant, HttpTarget, LinkKind, Operation,
    Permission, Policy, PolicyEdit, RandomSource, RootName, SocketAction, StorageAccess, Tenant,
    VirtualPath, edit, widens,
};

/// Longer texts say nothing more, and the deepest answer would take its time.
const MAX_INPUT: usize = 8 << 10;

pub fn check(data: &[u8]) {
    let Some(data) = data.get(..data.len().min(MAX_INPUT)) else {
        return;
    };
    let Ok(data) = std::str::from_utf8(data) else {
        return;
    };
    let (text, change) = data
        .split_once('\0')
        .unwrap_or((data, "grant read fs://w/a"));
    let read = Policy::parse(text);
    match &read {
        Ok(policy) => {
            reads_back(policy);
            is_its_own_ceiling(policy);
        }
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1, "{error:?}");
            // One line more than there are: the end.
            let lines = text
                .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
                .count()
                + 1;
            assert!(
                usize::try_from(error.line).is_ok_and(|line| line <= lines),
                "{error:?} of {lines}"
            );
            is_printable(&error.to_string());
            is_printable(error.hint.as_deref().unwrap_or_default());
        }
    }
    if let Some(change) = change_of(change) {
        is_that_change(text, read.as_ref().ok(), &change);
    }
}

fn is_printable(text: &str) {
    assert!(
        !text
            .chars()
            .any(|character| character.is_control() && character != '\n'),
        "{text:?}"
    );
}

fn reads_back(policy: &Policy) {
    let printed = policy.to_yaml();
    let again = match Policy::parse(&printed) {
        Ok(again) => again,
        Err(error) => panic!("{error}\n{printed}"),
    };
    assert_eq!(&again, policy, "{printed}");
    assert_eq!(again.to_yaml(), printed);
    assert!(
        !widens(policy, &again) && !widens(&again, policy),
        "{printed}"
    );
    assert_eq!(answers(&admit(&again, None)), answers(&admit(policy, None)));
    let texts = |policy: &Policy| {
        policy
            .rules()
            .into_iter()
            .map(|rule| (rule.section, rule.text))
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&again), texts(policy));
    for warning in policy.warnings() {
        assert!(warning.line >= 1 && warning.column >= 1, "{warning:?}");
        is_printable(&warning.to_string());
    }
}

fn is_its_own_ceiling(policy: &Policy) {
    let nothing = answers(&admit(policy, Some(&Policy::empty())));
    // One that speaks of tools is no ceiling, and allows nothing as one.
    if Policy::parse_ceiling(&policy.to_yaml()).is_err() {
        assert_eq!(answers(&admit(policy, Some(policy))), nothing);
        return;
    }
    let strict = answers(&admit(policy, Some(policy)));
    assert_eq!(strict, answers(&admit(policy, None)));
    assert!(within(&nothing, &strict));
}

/// Reads a change as the command line has it.
fn change_of(text: &str) -> Option<PolicyEdit> {
    let mut words = text.trim_end_matches('\n').splitn(3, ' ');
    let (verb, kind, subject) = (words.next()?, words.next()?, words.next()?.to_owned());
    if verb == "limit" {
        return Some(PolicyEdit::Limit {
            key: kind.to_owned(),
            value: subject,
        });
    }
    let permission = match kind {
        "read" => Permission::Read(subject),
        "write" => Permission::Write(subject),
        "network" => Permission::Network(subject),
        "env" => Permission::Environment(subject),
        _ => return None,
    };
    match verb {
        "grant" => Some(PolicyEdit::Grant(permission)),
        "revoke" => Some(PolicyEdit::Revoke(permission)),
        "block" => Some(PolicyEdit::Block(permission)),
        _ => None,
    }
}

fn is_that_change(text: &str, before: Option<&Policy>, change: &PolicyEdit) {
    let edited = match (edit(text, change), before) {
        (Err(error), before) => {
            // A text that loads is never to blame for what the change is.
            assert_eq!(
                matches!(error, EditError::Policy(_)),
                before.is_none(),
                "{error:?}\n{text}"
            );
            is_printable(&error.to_string());
            return;
        }
        (Ok(edited), None) => panic!("changed although it does not load: {edited:?}"),
        (Ok(edited), Some(_)) => edited,
    };
    let Some(before) = before else { return };
    let after = match Policy::parse(&edited.text) {
        Ok(after) => after,
        Err(error) => panic!("{error}\n{}", edited.text),
    };
    assert_eq!(edited.changed, edited.text != text);
    let (old, new) = (answers(&admit(before, None)), answers(&admit(&after, None)));
    assert_eq!(before.description(), after.description());
    match change {
        PolicyEdit::Grant(_) => assert!(within(&old, &new), "{}", edited.text),
        PolicyEdit::Revoke(_) | PolicyEdit::Block(_) => {
            assert!(within(&new, &old), "{}", edited.text);
            assert!(!widens(before, &after), "{}", edited.text);
        }
        PolicyEdit::Limit { .. } => assert_eq!(old, new, "{}", edited.text),
    }
    if !matches!(change, PolicyEdit::Revoke(_)) {
        match edit(&edited.text, change) {
            Ok(again) => assert!(!again.changed, "{}", again.text),
            Err(error) => panic!("{error} when repeated\n{}", edited.text),
        }
        // Nothing that a person wrote is lost: comments stand where they stood, one after the other.
        let mut kept = edited.text.lines();
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with('#'))
        {
            assert!(
                kept.any(|own| own == line),
                "{line:?} is gone\n{}",
                edited.text
            );
        }
    }
}

fn admit(policy: &Policy, ceiling: Option<&Policy>) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    // Every named root is there, so that rules count and not what is bound.
    let bound_roots: BTreeSet<RootName> = policy.roots();
    let admission = Admission {
        ceiling,
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    policy.admit(&identity, &admission)
}

fn within(narrow: &[bool], wide: &[bool]) -> bool {
    narrow.len() == wide.len()
        && narrow
            .iter()
            .zip(wide)
            .all(|(narrow, wide)| !narrow || *wide)
}

/// Asks a grant a little of everything, and about what its own rules name.
fn answers(grant: &Grant) -> Vec<bool> {
    let mut answers = Vec::new();
    let mut ask = |operation: &Operation<'_>| {
        let decided = grant.decide(operation);
        let explanation = grant.explain(operation);
        assert_eq!(explanation.allowed, decided.is_ok(), "{explanation}");
        assert_eq!(
            explanation.reason,
            decided.as_ref().err().map(casemate_policy::Denial::reason)
        );
        answers.push(decided.is_ok());
    };
    let paths: Vec<VirtualPath> = [
        "/",
        "/w",
        "/w/a",
        "/w/a/b",
        "/w/.git/x.md",
        "/srv/data/x",
        "/srv/a",
    ]
    .iter()
    .filter_map(|path| VirtualPath::parse(path).ok())
    .collect();
    for path in &paths {
        for access in [
            StorageAccess::Read,
            StorageAccess::Write,
            StorageAccess::Remove,
            StorageAccess::Traverse,
        ] {
            ask(&super::operations::storage(path, access));
        }
        for to in &paths {
            for kind in [
                LinkKind::Hard,
                LinkKind::Symbolic,
                LinkKind::Rename,
                LinkKind::RenameFile,
            ] {
                ask(&super::operations::storage_link(path, to, kind));
            }
        }
    }
    for (scheme, authority) in [
        ("https", "api.example.com"),
        ("http", "a.b.example:8080"),
        ("https", "10.1.2.3"),
        ("http", "[::1]"),
    ] {
        for (method, path) in [("GET", "/"), ("POST", "/v1/a"), ("GET", "/v1/%2e%2e")] {
            let Ok(target) = HttpTarget::parse(scheme, authority, method, path) else {
                continue;
            };
            ask(&target.operation());
            for address in ["198.41.0.4", "10.1.2.3", "::1", "169.254.169.254"] {
                let Ok(address) = address.parse() else {
                    continue;
                };
                ask(&target.connect(SocketAddr::new(address, target.port()), false));
            }
        }
    }
    for name in ["db.internal", "a.b.example", "10.1.2.3"] {
        ask(&Operation::Lookup { name });
        for address in ["198.41.0.4", "10.1.2.3", "::1", "169.254.169.254"] {
            let Ok(address) = address.parse() else {
                continue;
            };
            ask(&Operation::LookupAnswer { name, address });
            for name in [None, Some(name)] {
                let address = SocketAddr::new(address, 5432);
                ask(&Operation::TcpConnect {
                    name,
                    address,
                    own: false,
                });
            }
        }
    }
    for action in [SocketAction::CreateTcp, SocketAction::CreateUdp] {
        let address = None;
        ask(&Operation::Socket { action, address });
    }
    for key in ["A", "LANG", "HOME"] {
        ask(&Operation::Environment { key });
    }
    for clock in [Clock::Wall, Clock::Monotonic, Clock::Wait] {
        ask(&Operation::Clock { clock });
    }
    for source in [
        RandomSource::Secure,
        RandomSource::Insecure,
        RandomSource::Seed,
    ] {
        ask(&Operation::Random { source });
    }
    answers
}
