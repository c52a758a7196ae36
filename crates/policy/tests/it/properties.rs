use std::net::SocketAddr;

use casemate_policy::{
    Clock, EditError, Grant, HttpTarget, LinkKind, Operation, Permission, Policy, PolicyEdit,
    RandomSource, StorageAccess, VirtualPath, edit, widens,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{admit, policy};

/// What patterns mean, written for plainness and not for speed.
mod plain {
    pub(super) fn allowed(uri: &str, path: &str) -> bool {
        // A pattern for everything below a directory is not for the directory.
        let pattern = split(uri.strip_prefix("fs:/").unwrap());
        segments(&pattern, &split(path))
    }

    pub(super) fn denied(uri: &str, path: &str) -> bool {
        let mut pattern = split(uri.strip_prefix("fs:/").unwrap());
        if pattern.last() == Some(&"**") {
            pattern.pop();
        }
        let path = split(path);
        (1..=path.len()).any(|end| segments(&pattern, path.get(..end).unwrap()))
    }

    fn split(text: &str) -> Vec<&str> {
        text.split('/').filter(|part| !part.is_empty()).collect()
    }

    fn segments(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            (["**"], path) => !path.is_empty(),
            (["**", rest @ ..], path) => {
                (0..=path.len()).any(|skip| segments(rest, path.get(skip..).unwrap()))
            }
            ([first, rest @ ..], [name, path @ ..]) => {
                characters(first.as_bytes(), name.as_bytes()) && segments(rest, path)
            }
            ([], path) => path.is_empty(),
            (_, []) => false,
        }
    }

    fn characters(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([b'*', rest @ ..], name) => {
                (0..=name.len()).any(|skip| characters(rest, name.get(skip..).unwrap()))
            }
            ([first, rest @ ..], [byte, name @ ..]) => first == byte && characters(rest, name),
            ([], name) => name.is_empty(),
            (_, []) => false,
        }
    }
}

/// A policy as lists of entries, to be shuffled and added to. One name is a root everywhere, another an absolute path
/// everywhere, so that any two can be ceiling and policy of each other.
#[derive(Debug, Clone, Default)]
struct Draft {
    storage: Vec<(String, &'static str)>,
    denied_storage: Vec<(String, &'static str)>,
    requests: Vec<String>,
    denied_requests: Vec<String>,
    variables: Vec<&'static str>,
    denied_variables: Vec<&'static str>,
    clocks: Option<&'static str>,
    random: Option<&'static str>,
    limits: Vec<(&'static str, String)>,
    strict: Option<bool>,
}

const KEYS: [&str; 4] = ["A", "B", "C", "LONG_KEY"];
/// What entries of the network lists name.
const HOSTS: [&str; 7] = [
    "a.b.example",
    "*.a.b.example",
    "**.b.example",
    "x.a.b.example",
    "10.0.0.5",
    "198.41.0.4",
    "2001:db8::1",
];
/// What requests name, and what the names lead to.
const TARGETS: [&str; 6] = [
    "a.b.example",
    "x.a.b.example",
    "y.x.a.b.example",
    "b.example",
    "10.0.0.5",
    "[2001:db8::1]",
];
/// The last one is ambiguous.
const PATHS: [&str; 4] = ["/", "/v1/a", "/v1/b/c", "/v1/%2e%2e/a"];
/// What names lead to; the last but one carries the first.
const ADDRESSES: [&str; 6] = [
    "10.0.0.5",
    "10.1.0.9",
    "198.41.0.4",
    "2001:db8::1",
    "64:ff9b::a00:5",
    "169.254.169.254",
];
const RANGES: [&str; 7] = [
    "10.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.5/32",
    "198.41.0.0/16",
    "2001:db8::/32",
    "64:ff9b::/96",
    "169.254.0.0/16",
];

impl Draft {
    fn yaml(&self) -> String {
        let mut text = String::from("version: \"1.0\"\n");
        if let Some(strict) = self.strict {
            text.push_str(&format!("strict: {strict}\n"));
        }
        text.push_str("permissions:\n  storage:\n");
        for (list, rules) in [("allow", &self.storage), ("deny", &self.denied_storage)] {
            text.push_str(&format!("    {list}:\n"));
            for (uri, access) in rules {
                text.push_str(&format!(
                    "      - uri: \"{uri}\"\n        access: [{access}]\n"
                ));
            }
        }
        text.push_str("  network:\n    allow:\n");
        for request in &self.requests {
            text.push_str(request);
        }
        text.push_str("    deny:\n");
        for request in &self.denied_requests {
            text.push_str(request);
        }
        text.push_str("  environment:\n    allow:\n");
        for key in &self.variables {
            // One key is always given its value here, so that no two entries contradict each other.
            let value = if *key == "B" {
                "\n        value: \"x\""
            } else {
                ""
            };
            text.push_str(&format!("      - key: {key}{value}\n"));
        }
        text.push_str("    deny:\n");
        for key in &self.denied_variables {
            text.push_str(&format!("      - key: {key}\n"));
        }
        if let Some(clocks) = self.clocks {
            text.push_str(&format!("  clocks: {clocks}\n"));
        }
        if let Some(random) = self.random {
            text.push_str(&format!("  random: {random}\n"));
        }
        if !self.limits.is_empty() {
            text.push_str("  resources:\n    limits:\n");
        }
        for (key, value) in &self.limits {
            text.push_str(&format!("      {key}: {value}\n"));
        }
        text
    }

    fn policy(&self) -> Policy {
        policy(&self.yaml())
    }

    fn reversed(mut self) -> Self {
        self.storage.reverse();
        self.denied_storage.reverse();
        self.requests.reverse();
        self.denied_requests.reverse();
        self.variables.reverse();
        self.denied_variables.reverse();
        self
    }
}

fn uri() -> impl Strategy<Value = String> {
    let segments = vec(
        select(&["a", "b", "a-b", "a", "b", "*", "a*", "**/b", "**/a*b"][..]),
        1..4,
    );
    (
        select(&["fs://w", "fs://c", "fs:///srv"][..]),
        segments,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(place, segments, below, whole)| {
            let place = match segments.first() {
                // An absolute path starts with a name.
                Some(first) if place == "fs:///srv" && first.contains('*') => "fs:///srv/a",
                _ => place,
            };
            match (below, whole && place != "fs:///srv") {
                (true, true) => format!("{place}/**"),
                (true, false) => format!("{place}/{}/**", segments.join("/")),
                (false, _) => format!("{place}/{}", segments.join("/")),
            }
        })
}

fn storage() -> impl Strategy<Value = (String, &'static str)> {
    (
        uri(),
        select(
            &[
                "read",
                "write",
                "read, write",
                "symlink",
                "read, write, symlink",
            ][..],
        ),
    )
}

/// An entry of a network list, with some of its keys.
fn request() -> impl Strategy<Value = String> {
    let keys = (
        option::of(select(&["[http]", "[https]", "[https, http]"][..])),
        option::of(select(&["[443]", "[80]", "[8443, 443]"][..])),
        option::of(select(&["[GET]", "[POST, GET]"][..])),
        option::of(select(
            &[
                "[/**]",
                "[/v1/**]",
                "[/v1/*, /]",
                "[/v1/a]",
                "[/**/c, /v1/b/**]",
            ][..],
        )),
    );
    // A host, a range, or a name and a range.
    let place = (
        option::weighted(0.8, select(&HOSTS[..])),
        option::of(select(&RANGES[..])),
    );
    let place = place.prop_map(|(host, range)| match (host, range) {
        (Some(host), Some(range)) if host.ends_with("example") => {
            format!("      - host: \"{host}\"\n        cidr: \"{range}\"\n")
        }
        (Some(host), _) => format!("      - host: \"{host}\"\n"),
        (None, range) => format!("      - cidr: \"{}\"\n", range.unwrap_or("10.0.0.0/8")),
    });
    (place, keys).prop_map(|(mut text, (schemes, ports, methods, paths))| {
        for (key, words) in [
            ("schemes", schemes),
            ("ports", ports),
            ("methods", methods),
            ("paths", paths),
        ] {
            if let Some(words) = words {
                text.push_str(&format!("        {key}: {words}\n"));
            }
        }
        text
    })
}

/// A network permission as it is typed.
fn target() -> impl Strategy<Value = String> {
    let host = select(&HOSTS[..]).prop_map(|host| match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    });
    let ports = select(&["", ":443", ":80", ":8443"][..]);
    (select(&["", "http://", "https://"][..]), host, ports)
        .prop_map(|(scheme, host, port)| format!("{scheme}{host}{port}"))
}

fn limits() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    (
        option::of(1_u64..4096),
        option::of(1_u32..3600),
        option::of(1_u32..3600),
        option::of(1_u32..4000),
        option::of(1_u32..1024),
    )
        .prop_map(|(memory, time, cpu_time, cpu, concurrency)| {
            let written = [
                ("memory", memory.map(|memory| format!("{memory}Mi"))),
                ("time", time.map(|time| format!("{time}s"))),
                ("cpu-time", cpu_time.map(|time| format!("{time}s"))),
                ("cpu", cpu.map(|cpu| format!("{cpu}m"))),
                (
                    "concurrency",
                    concurrency.map(|concurrency| concurrency.to_string()),
                ),
            ];
            written
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect()
        })
}

fn draft() -> impl Strategy<Value = Draft> {
    let lists = (
        vec(storage(), 0..5),
        vec(storage(), 0..3),
        vec(request(), 0..4),
        vec(request(), 0..2),
        vec(select(&KEYS[..]), 0..4),
        vec(select(&KEYS[..]), 0..2),
    );
    let settings = (
        option::of(select(&["none", "frozen", "coarse", "full"][..])),
        option::of(select(
            &["none", "secure", "{ seed: 1 }", "{ seed: 2 }"][..],
        )),
        limits(),
        option::of(any::<bool>()),
    );
    (lists, settings).prop_map(
        |(
            (storage, denied_storage, requests, denied_requests, variables, denied_variables),
            (clocks, random, limits, strict),
        )| Draft {
            storage,
            denied_storage,
            requests,
            denied_requests,
            variables,
            denied_variables,
            clocks,
            random,
            limits,
            strict,
        },
    )
}

/// Returns the requests of the small alphabet.
fn targets() -> Vec<HttpTarget> {
    let mut targets = Vec::new();
    for authority in TARGETS {
        for scheme in ["http", "https"] {
            for port in [80, 443, 8443] {
                for method in ["GET", "PUT"] {
                    let authority = format!("{authority}:{port}");
                    let read = |path| HttpTarget::parse(scheme, &authority, method, path).unwrap();
                    let paths = match (scheme, port) {
                        ("https", 443) => &PATHS[..],
                        _ => &PATHS[..1],
                    };
                    targets.extend(paths.iter().copied().map(read));
                }
            }
        }
    }
    targets
}

/// The storage questions at the start of the answers: for each path reading, writing, looking.
const LOOKS: usize = 5 * (1 + 3 + 9) * 3;

/// The questions about links and moves, which follow those about removing: hard, symbolic, and two kinds of moves in turn.
const LINKS: std::ops::Range<usize> = LOOKS / 3 * 4..LOOKS / 3 * 4 + 10 * 13 * 4;

/// Asks a grant everything that the small alphabet has, and returns what was allowed, in order.
fn answers(grant: &Grant) -> Vec<bool> {
    let mut paths = Vec::new();
    for place in ["/w", "/c", "/srv", "/other", "/w-x"] {
        let mut level = vec![VirtualPath::parse(place).unwrap()];
        for _ in 0..3 {
            let next = level
                .iter()
                .flat_map(|path| ["a", "b", "a-b"].map(|name| path.join(name).unwrap()))
                .collect();
            paths.append(&mut level);
            level = next;
        }
    }
    let mut answers = Vec::new();
    let mut ask = |operation: &Operation<'_>| {
        answers.push(grant.decide(operation).is_ok());
    };
    for path in &paths {
        for access in [
            StorageAccess::Read,
            StorageAccess::Write,
            StorageAccess::Traverse,
        ] {
            ask(&Operation::Storage {
                path,
                access,
                own: false,
            });
        }
    }
    assert_eq!(paths.len() * 3, LOOKS);
    for path in &paths {
        ask(&Operation::Storage {
            path,
            access: StorageAccess::Remove,
            own: false,
        });
    }
    for from in paths.iter().step_by(7) {
        for to in paths.iter().step_by(5) {
            for kind in [
                LinkKind::Hard,
                LinkKind::Symbolic,
                LinkKind::Rename,
                LinkKind::RenameFile,
            ] {
                ask(&Operation::StorageLink {
                    from,
                    to,
                    kind,
                    own: false,
                });
            }
        }
    }
    assert_eq!(answers.len(), LINKS.end);
    let mut ask = |operation: &Operation<'_>| {
        answers.push(grant.decide(operation).is_ok());
    };
    for key in KEYS {
        ask(&Operation::Environment { key });
    }
    for target in targets() {
        ask(&target.operation());
        for address in ADDRESSES {
            let address = SocketAddr::new(address.parse().unwrap(), target.port());
            ask(&target.connect(address, false));
        }
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

fn ask(policy: &Policy, ceiling: Option<&Policy>) -> Vec<bool> {
    answers(&admit(policy, ceiling, &["w", "c"]))
}

/// Tells whether everything in `narrow` is in `wide`.
fn within(narrow: &[bool], wide: &[bool]) -> bool {
    narrow.len() == wide.len()
        && narrow
            .iter()
            .zip(wide)
            .all(|(narrow, wide)| !narrow || *wide)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_denied_by_one_more_allow(draft in draft(), rule in storage(), request in request(), key in select(&KEYS[..])) {
        let before = ask(&draft.policy(), None);
        let mut more = draft;
        more.storage.insert(0, rule);
        more.requests.push(request);
        more.variables.push(key);
        prop_assert!(within(&before, &ask(&more.policy(), None)));
    }

    #[test]
    fn nothing_is_allowed_by_one_more_deny(draft in draft(), rule in storage(), request in request(), key in select(&KEYS[..])) {
        let before = ask(&draft.policy(), None);
        let mut more = draft;
        more.denied_storage.insert(0, rule);
        more.denied_requests.push(request);
        more.denied_variables.push(key);
        prop_assert!(within(&ask(&more.policy(), None), &before));
    }

    #[test]
    fn the_order_of_entries_does_not_matter(draft in draft(), ceiling in draft()) {
        let (one, other) = (draft.policy(), draft.reversed().policy());
        let (ceiling, turned) = (ceiling.policy(), ceiling.reversed().policy());
        let (one, other) = (admit(&one, Some(&ceiling), &["w", "c"]), admit(&other, Some(&turned), &["w", "c"]));
        prop_assert_eq!(answers(&one), answers(&other));
        prop_assert_eq!(one.mounts(), other.mounts());
        prop_assert_eq!(one.limits(), other.limits());
        prop_assert_eq!(one.reach(), other.reach());
        prop_assert!(one.environment_keys().eq(other.environment_keys()));
    }

    #[test]
    fn explanations_say_what_is_decided(draft in draft(), ceiling in option::of(draft()), uri in uri()) {
        let ceiling = ceiling.map(|ceiling| ceiling.policy());
        let grant = admit(&draft.policy(), ceiling.as_ref(), &["w"]);
        let path = VirtualPath::parse(uri.trim_start_matches("fs:/").trim_end_matches("/**")).unwrap_or_else(|_| VirtualPath::root());
        for access in [StorageAccess::Read, StorageAccess::Write, StorageAccess::Traverse] {
            let operation = Operation::Storage { path: &path, access, own: false };
            let explanation = grant.explain(&operation);
            match grant.decide(&operation) {
                Ok(permit) => {
                    prop_assert!(explanation.allowed);
                    prop_assert_eq!(explanation.rule.as_ref(), permit.rule());
                }
                Err(denial) => {
                    prop_assert!(!explanation.allowed);
                    prop_assert_eq!(explanation.reason, Some(denial.reason()));
                    prop_assert_eq!(explanation.remedy.as_ref(), denial.remedy());
                }
            }
        }
        for target in targets() {
            let connections = ADDRESSES.map(|address| target.connect(SocketAddr::new(address.parse().unwrap(), target.port()), false));
            for operation in std::iter::once(target.operation()).chain(connections) {
                let explanation = grant.explain(&operation);
                match grant.decide(&operation) {
                    Ok(permit) => {
                        prop_assert!(explanation.allowed && explanation.reason.is_none());
                        prop_assert_eq!(explanation.rule.as_ref(), permit.rule());
                    }
                    Err(denial) => {
                        prop_assert!(!explanation.allowed);
                        prop_assert_eq!(explanation.reason, Some(denial.reason()));
                        prop_assert_eq!(explanation.rule.as_ref(), denial.rule());
                        prop_assert_eq!(explanation.remedy.as_ref(), denial.remedy());
                    }
                }
            }
        }
    }

    #[test]
    fn a_remedy_is_one(draft in draft(), uri in uri(), sample in 0_usize..9) {
        // What a denial proposes to grant can be granted, and then the operation is allowed.
        let text = draft.yaml();
        let grant = admit(&draft.policy(), None, &["w", "c"]);
        let path = VirtualPath::parse(uri.trim_start_matches("fs:/").trim_end_matches("/**")).unwrap_or_else(|_| VirtualPath::root());
        for access in [StorageAccess::Read, StorageAccess::Write, StorageAccess::Traverse] {
            let operation = Operation::Storage { path: &path, access, own: false };
            let Err(denial) = grant.decide(&operation) else { continue };
            let Some(casemate_policy::Remedy::Grant(arguments)) = denial.remedy() else { continue };
            let [word, uri] = arguments.as_slice() else { panic!("{arguments:?}") };
            let permission = match word.as_str() {
                "read" => Permission::Read(uri.clone()),
                _ => Permission::Write(uri.clone()),
            };
            let Ok(edited) = edit(&text, &PolicyEdit::Grant(permission)) else {
                // A name that is no root yet can be an absolute place in the policy.
                continue;
            };
            let after = admit(&policy(&edited.text), None, &["w", "c"]);
            // A root itself is no file: the subtree below it is all that can be granted.
            prop_assert!(after.decide(&operation).is_ok() || uri.ends_with("/**"), "{operation} {uri}");
        }
        for target in targets().into_iter().skip(sample).step_by(9) {
            let Err(denial) = grant.decide(&target.operation()) else { continue };
            let Some(casemate_policy::Remedy::Grant(arguments)) = denial.remedy() else { continue };
            let [word, target_text] = arguments.as_slice() else { panic!("{arguments:?}") };
            prop_assert_eq!(word, "network");
            let edited = edit(&text, &PolicyEdit::Grant(Permission::Network(target_text.clone())));
            prop_assert!(edited.is_ok(), "{edited:?}");
            let after = admit(&policy(&edited.unwrap().text), None, &["w", "c"]);
            prop_assert!(after.decide(&target.operation()).is_ok(), "{target:?} {target_text}");
        }
        for target in targets().into_iter().skip(sample).step_by(9) {
            for address in ADDRESSES {
                let operation = target.connect(SocketAddr::new(address.parse().unwrap(), target.port()), false);
                let Err(denial) = grant.decide(&operation) else { continue };
                let Some(casemate_policy::Remedy::Range(range)) = denial.remedy() else { continue };
                // A copy of the rule that the denial names, with this range.
                let section = &denial.rule().unwrap().section;
                let index = section.trim_start_matches("permissions.network.allow[").trim_end_matches(']');
                let entry = &draft.requests[index.parse::<usize>().unwrap()];
                let mut copy: String = entry.lines().filter(|line| !line.contains("cidr:")).map(|line| format!("{line}\n")).collect();
                copy.push_str(&format!("        cidr: \"{range}\"\n"));
                let mut more = draft.clone();
                more.requests.push(copy);
                let after = admit(&more.policy(), None, &["w", "c"]);
                prop_assert!(after.decide(&operation).is_ok(), "{target:?} {address} {denial}");
            }
        }
    }

    #[test]
    fn printing_then_parsing_is_identity(draft in draft()) {
        let policy = draft.policy();
        prop_assert_eq!(&Policy::parse(&policy.to_yaml()).unwrap(), &policy);
        prop_assert_eq!(Policy::parse(&policy.to_yaml()).unwrap().to_yaml(), policy.to_yaml());
    }

    #[test]
    fn under_a_ceiling_is_allowed_what_both_allow(mut draft in draft(), mut ceiling in draft()) {
        // Strictness of a ceiling reaches into the policy; it is compared on its own.
        draft.strict = None;
        ceiling.strict = None;
        let (policy, ceiling) = (draft.policy(), ceiling.policy());
        let grant = admit(&policy, Some(&ceiling), &["w", "c"]);
        let (own, other) = (ask(&policy, None), ask(&ceiling, None));
        let both: Vec<bool> = own.iter().zip(&other).map(|(own, other)| *own && *other).collect();
        let found = answers(&grant);
        prop_assert!(within(&found, &both));
        // What one lets be read and the other written is not to be looked at either.
        for (index, (found, both)) in found.iter().zip(&both).enumerate() {
            let look = index < LOOKS && index % 3 == 2;
            // A symbolic link takes a look at where it leads.
            let symlink = LINKS.contains(&index) && (index - LINKS.start) % 4 == 1;
            prop_assert!(found == both || look || symlink, "{}", index);
        }
        for limit in [admit(&policy, None, &[]), admit(&ceiling, None, &[])] {
            prop_assert!(grant.limits().memory <= limit.limits().memory);
            prop_assert!(grant.limits().cpu <= limit.limits().cpu);
            prop_assert!(grant.limits().time <= limit.limits().time);
            prop_assert!(grant.limits().concurrency <= limit.limits().concurrency);
            prop_assert!(grant.clocks() <= limit.clocks());
        }
    }

    #[test]
    fn every_mount_can_be_listed_unless_its_root_is_not_bound(draft in draft(), ceiling in option::of(draft())) {
        let ceiling = ceiling.map(|ceiling| ceiling.policy());
        let policy = draft.policy();
        for bound in [&["w", "c"][..], &["w"][..]] {
            let grant = admit(&policy, ceiling.as_ref(), bound);
            for mount in grant.mounts() {
                let allowed = grant.decide(&Operation::Storage { path: &mount.guest, access: StorageAccess::Traverse, own: false }).is_ok();
                let unbound = mount.guest.as_str().starts_with("/c") && bound.len() == 1;
                prop_assert_eq!(allowed, !unbound, "{}", mount.guest);
            }
        }
    }

    #[test]
    fn what_does_not_widen_allows_nothing_more(before in draft(), after in draft(), drop in any::<proptest::sample::Index>()) {
        // Unrelated policies nearly always widen; one with an entry less nearly never does.
        let mut less = before.clone();
        if !less.storage.is_empty() {
            less.storage.remove(drop.index(less.storage.len()));
        }
        let before = before.policy();
        for after in [after.policy(), less.policy()] {
            if !widens(&before, &after) {
                prop_assert!(within(&ask(&after, None), &ask(&before, None)));
            }
        }
        prop_assert!(!widens(&before, &less.policy()));
        prop_assert!(!widens(&before, &before));
    }

    #[test]
    fn what_is_granted_and_revoked_leaves_the_policy_as_it_was(
        draft in draft(),
        uri in uri(),
        target in target(),
        key in select(&KEYS[..]),
        printed in any::<bool>(),
    ) {
        let text = if printed { draft.policy().to_yaml() } else { draft.yaml() };
        let before = policy(&text);
        let permissions = [
            Permission::Read(uri.clone()),
            Permission::Write(uri.clone()),
            Permission::Symlink(uri),
            Permission::Network(target),
            Permission::Environment(key.to_owned()),
        ];
        for permission in permissions {
            let Ok(granted) = edit(&text, &PolicyEdit::Grant(permission.clone())) else {
                // Only a deny entry stands in the way of a grant.
                prop_assert!(!draft.denied_storage.is_empty() || !draft.denied_requests.is_empty() || !draft.denied_variables.is_empty());
                continue;
            };
            let after = policy(&granted.text);
            prop_assert_eq!(granted.changed, widens(&before, &after));
            if granted.changed {
                prop_assert!(within(&ask(&before, None), &ask(&after, None)));
                let revoked = edit(&granted.text, &PolicyEdit::Revoke(permission.clone()));
                // Entries for some requests to the same host do not make a grant superfluous, and are in the way of revoking.
                if matches!(permission, Permission::Network(_)) && draft.requests.iter().any(|entry| ["methods", "paths", "cidr"].iter().any(|key| entry.contains(key))) {
                    continue;
                }
                prop_assert!(revoked.is_ok(), "{revoked:?}\n{}", granted.text);
                prop_assert_eq!(policy(&revoked.unwrap().text), before.clone());
            }
        }
    }

    #[test]
    fn what_is_blocked_of_storage_is_denied_and_nothing_else(draft in draft(), uri in uri(), write in any::<bool>()) {
        let text = draft.yaml();
        let before = policy(&text);
        let permission = if write { Permission::Write(uri.clone()) } else { Permission::Read(uri.clone()) };
        let blocked = edit(&text, &PolicyEdit::Block(permission.clone())).unwrap();
        let after = policy(&blocked.text);
        prop_assert!(!widens(&before, &after));
        prop_assert_eq!(blocked.changed, widens(&after, &before));
        prop_assert!(within(&ask(&after, None), &ask(&before, None)));
        prop_assert!(!edit(&blocked.text, &PolicyEdit::Block(permission.clone())).unwrap().changed);
        let opened = edit(&blocked.text, &PolicyEdit::Grant(permission));
        prop_assert!(matches!(opened, Err(EditError::Blocked { .. })), "{opened:?}");
        if !uri.contains('*') {
            let path = VirtualPath::parse(&uri.replacen("fs://", "/", 1).replacen("//", "/", 1)).unwrap();
            let access = if write { StorageAccess::Write } else { StorageAccess::Read };
            let operation = Operation::Storage { path: &path, access, own: false };
            prop_assert!(admit(&after, None, &["w", "c"]).decide(&operation).is_err());
        }
    }

    #[test]
    fn patterns_agree_with_a_plain_matcher(allow in vec(uri(), 0..4), deny in vec(uri(), 0..3)) {
        let draft = Draft {
            storage: allow.iter().map(|uri| (uri.clone(), "read")).collect(),
            denied_storage: deny.iter().map(|uri| (uri.clone(), "read, write")).collect(),
            ..Draft::default()
        };
        let grant = admit(&draft.policy(), None, &["w", "c"]);
        let names = ["a", "b", "a-b", "ab", "aab", "*"];
        let mut level = vec!["/w".to_owned(), "/c".to_owned(), "/srv".to_owned()];
        for _ in 0..4 {
            level = level.iter().flat_map(|path| names.map(|name| format!("{path}/{name}"))).collect();
            for text in level.iter().step_by(level.len() / 300 + 1) {
                let path = VirtualPath::parse(text).unwrap();
                let denied = deny.iter().any(|uri| plain::denied(uri, text));
                let expected = !denied && allow.iter().any(|uri| plain::allowed(uri, text));
                let operation = Operation::Storage { path: &path, access: StorageAccess::Read, own: false };
                prop_assert_eq!(grant.decide(&operation).is_ok(), expected, "{}", text);
                // Whoever can read something can look at all the directories that lead there from a mount.
                if expected {
                    for directory in std::iter::successors(Some(path), VirtualPath::parent) {
                        if grant.mounts().iter().any(|mount| directory.starts_with(&mount.guest)) {
                            let look = Operation::Storage { path: &directory, access: StorageAccess::Traverse, own: false };
                            prop_assert!(grant.decide(&look).is_ok(), "{} for {}", directory, text);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_blocked_is_denied_and_nothing_else(draft in draft(), target in target()) {
        let text = draft.yaml();
        let before = policy(&text);
        let blocked = edit(&text, &PolicyEdit::Block(Permission::Network(target.clone()))).unwrap();
        let after = policy(&blocked.text);
        prop_assert!(!widens(&before, &after));
        prop_assert!(within(&ask(&after, None), &ask(&before, None)));
        prop_assert!(!edit(&blocked.text, &PolicyEdit::Block(Permission::Network(target.clone()))).unwrap().changed);
        let opened = edit(&blocked.text, &PolicyEdit::Grant(Permission::Network(target)));
        prop_assert!(matches!(opened, Err(EditError::Blocked { .. })), "{opened:?}");
    }

    #[test]
    fn any_limit_can_be_set(draft in draft(), memory in 1_u64..4096, concurrency in 1_u32..=1024) {
        let text = draft.yaml();
        let set = |text: &str, key: &str, value: String| {
            edit(text, &PolicyEdit::Limit { key: key.to_owned(), value }).unwrap().text
        };
        let text = set(&set(&text, "memory", format!("{memory}Mi")), "concurrency", concurrency.to_string());
        let limits = policy(&text).limits();
        prop_assert_eq!((limits.memory, limits.concurrency), (Some(memory << 20), Some(concurrency)));
    }

    #[test]
    fn no_text_panics(text in "(version: \"1.0\"\n)?(permissions:\n)?[ -~\n\t]{0,200}") {
        if let Err(error) = Policy::parse(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1);
        }
        let _ = edit(&text, &PolicyEdit::Grant(Permission::Read("fs://w/a".to_owned())));
    }

    #[test]
    fn no_broken_file_panics(draft in draft(), cut in any::<proptest::sample::Index>(), noise in select(&["", "-", ":", "[", "{", "\"", "#", " ", "\n", "\t", "&a", "*a", "!x"][..])) {
        let mut text = draft.yaml();
        let at = cut.index(text.len());
        text.insert_str(at, noise);
        for change in [PolicyEdit::Grant(Permission::Write("fs://w/a".to_owned())), PolicyEdit::Revoke(Permission::Environment("A".to_owned()))] {
            if let Ok(edited) = edit(&text, &change) {
                prop_assert!(Policy::parse(&edited.text).is_ok());
            }
        }
    }
}
