use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::grant::{Admission, Grant};
use crate::http::HttpTarget;
use crate::identity::{ArtifactIdentity, Digest};
use crate::name::Tenant;
use crate::operation::{Operation, StorageAccess};
use crate::path::VirtualPath;
use crate::policy::widens;

fn policy(entries: &str) -> Policy {
    let text = format!("version: \"1.0\"\npermissions:\n{entries}");
    match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn storage(uri: &str, access: &str) -> Policy {
    policy(&format!(
        "  storage:\n    allow:\n      - {{ uri: \"{uri}\", access: [{access}] }}\n"
    ))
}

fn network(entry: &str) -> Policy {
    policy(&format!("  network:\n    allow:\n      - {{ {entry} }}\n"))
}

fn only(policy: &Policy) -> Statement {
    let statements = policy.statements();
    assert_eq!(statements.len(), 1, "{statements:?}");
    statements.into_iter().next().unwrap()
}

#[test]
fn rules_are_plain_sentences_with_a_risk() {
    for (policy, words, risk) in [
        (
            storage("fs://workspace/**", "read"),
            "read all files below fs://workspace",
            Risk::Medium,
        ),
        (
            storage("fs://workspace/notes/**", "read"),
            "read all files below fs://workspace/notes",
            Risk::Low,
        ),
        (
            storage("fs://workspace/a.txt", "read"),
            "read the file fs://workspace/a.txt",
            Risk::Low,
        ),
        (
            storage("fs://workspace/**", "read, write"),
            "read and write all files below fs://workspace",
            Risk::High,
        ),
        (
            storage("fs://workspace/out/**", "write"),
            "write all files below fs://workspace/out",
            Risk::Medium,
        ),
        (
            storage("fs://workspace/*.md", "read"),
            "read all files that match fs://workspace/*.md",
            Risk::Medium,
        ),
        (
            storage("fs:///home/ann/**", "read"),
            "read all files below fs:///home/ann",
            Risk::High,
        ),
        (
            storage("fs:///home/ann/notes/**", "read"),
            "read all files below fs:///home/ann/notes",
            Risk::Low,
        ),
        (
            storage("fs:///home/ann/.ssh/**", "read"),
            "read all files below fs:///home/ann/.ssh",
            Risk::High,
        ),
        (
            storage("fs://workspace/.env", "read"),
            "read the file fs://workspace/.env",
            Risk::High,
        ),
        (
            storage("fs:///etc/app/conf", "write"),
            "write the file fs:///etc/app/conf",
            Risk::High,
        ),
        (
            storage("fs://workspace/a/**", "read, write, symlink"),
            "read, write and make symbolic links of all files below fs://workspace/a",
            Risk::Medium,
        ),
        (
            network("host: api.github.com"),
            "send requests to api.github.com over https",
            Risk::Medium,
        ),
        (
            network("host: api.github.com, methods: [GET, HEAD], paths: [\"/repos/**\"]"),
            "send GET and HEAD requests to api.github.com over https, only to /repos/**",
            Risk::Medium,
        ),
        (
            network("host: \"*.example.com\""),
            "send requests to any host directly below example.com over https",
            Risk::High,
        ),
        (
            network("host: \"**.example.com\""),
            "send requests to any host below example.com over https",
            Risk::High,
        ),
        (
            network("host: 127.0.0.1, schemes: [http], ports: [8080]"),
            "send requests to the address 127.0.0.1 over http (not encrypted) on port 8080",
            Risk::High,
        ),
        (
            network("host: a.example.com, schemes: [https, http], ports: [80, 443]"),
            "send requests to a.example.com over https and http (not encrypted) on ports 80 and 443",
            Risk::High,
        ),
        (
            network("cidr: 10.1.0.0/16"),
            "send requests to any address in 10.1.0.0/16 over https",
            Risk::High,
        ),
        (
            network("tcp: \"db.internal:5432\""),
            "open raw TCP connections to db.internal:5432",
            Risk::High,
        ),
        (
            policy("  environment:\n    allow:\n      - { key: REGION }\n"),
            "see the environment variable REGION",
            Risk::Low,
        ),
        (
            policy("  environment:\n    allow:\n      - { key: GITHUB_TOKEN }\n"),
            "see the environment variable GITHUB_TOKEN",
            Risk::High,
        ),
        (
            policy("  environment:\n    allow:\n      - { key: MODE, value: fast }\n"),
            "see a variable MODE with a value that the policy gives",
            Risk::Low,
        ),
        (
            policy("  clocks: full\n"),
            "tell the time as exactly as the machine does",
            Risk::Low,
        ),
        (
            policy("  resources:\n    limits: { memory: 1Gi }\n"),
            "use up to 1Gi of memory",
            Risk::Low,
        ),
    ] {
        let statement = only(&policy);
        assert_eq!((statement.words.as_str(), statement.risk), (words, risk));
        assert!(statement.allows, "{words}");
    }
}

#[test]
fn what_only_narrows_cannot_be_picked() {
    for (entries, words) in [
        (
            "  storage:\n    deny:\n      - { uri: \"fs://w/.git/**\" }\n",
            "never read, write or make symbolic links of fs://w/.git and what is below it",
        ),
        (
            "  network:\n    deny:\n      - { host: evil.example.com, methods: [POST] }\n",
            "never send POST requests to evil.example.com",
        ),
        (
            "  environment:\n    deny:\n      - { key: HOME }\n",
            "never see the environment variable HOME",
        ),
        ("  clocks: none\n", "have no clock"),
        ("  random: none\n", "have no random numbers"),
        (
            "  resources:\n    limits: { memory: 1Mi }\n",
            "use up to 1Mi of memory",
        ),
        (
            "  tools:\n    go:\n      network: { allow: [] }\n",
            "have no network (only the tool go, within what the component may)",
        ),
    ] {
        let policy = policy(entries);
        let statement = only(&policy);
        assert_eq!(statement.words, words);
        assert!(!statement.allows && statement.risk == Risk::None, "{words}");
        assert_eq!(policy.picked(&BTreeSet::new()), policy, "{words}");
    }
}

#[test]
fn credentials_are_known_by_their_names() {
    for key in [
        "GITHUB_TOKEN",
        "OPENAI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASSWORD",
        "password",
        "SSH_AUTH_SOCK",
        "DATABASE_URL",
        "ACCESSTOKEN",
        "SECRETS",
        "NPM_AUTH",
        "SENTRY_DSN",
        "KUBECONFIG",
        "API_KEY2",
    ] {
        assert!(risk::is_credential_key(key), "{key}");
    }
    for key in [
        "REGION",
        "LANG",
        "HOME",
        "PATH",
        "KEYBOARD",
        "TZ",
        "MONKEYS_COUNT",
        "PASSAGE",
        "COMPASS",
    ] {
        assert!(!risk::is_credential_key(key), "{key}");
    }
}

#[test]
fn long_lists_are_counted() {
    let ports: Vec<String> = (1..=30).map(|port: u16| port.to_string()).collect();
    let statement = only(&network(&format!(
        "host: a.example.com, ports: [{}]",
        ports.join(", ")
    )));
    assert_eq!(
        statement.words,
        "send requests to a.example.com over https on ports 1, 2, 3, 4, 5, 6, 7, 8 and 22 more"
    );
}

#[test]
fn dangerous_combinations_are_named() {
    let asks = policy(
        "  storage:\n    allow:\n      - { uri: \"fs://w/**\", access: [read, write] }\n  network:\n    allow:\n      - { host: a.example.com }\n  environment:\n    allow:\n      - { key: API_KEY }\n      - { key: LANG }\n",
    );
    let combinations = asks.combinations();
    let words: Vec<&str> = combinations.iter().map(|one| one.words.as_str()).collect();
    assert_eq!(
        words,
        [
            "send secrets that it sees (API_KEY) to a.example.com",
            "send what it reads (fs://w/**) to a.example.com",
            "write what comes from a.example.com into your files (fs://w/**)",
        ]
    );
    assert_eq!(combinations[0].rules, [2, 1]);
    assert_eq!(combinations[0].risk, Risk::High);
    assert_eq!(network("host: a.example.com").combinations(), []);
    assert_eq!(storage("fs://w/**", "read").combinations(), []);
    let key = policy(
        "  storage:\n    allow:\n      - { uri: \"fs://w/.env\", access: [read] }\n  network:\n    allow:\n      - { tcp: \"db:1\" }\n",
    );
    assert_eq!(
        key.combinations()[0].words,
        "send secrets that it sees (fs://w/.env) to db:1"
    );
}

#[test]
fn s151_a_part_is_what_was_picked_and_what_narrows() {
    let asks = Policy::parse(
        "version: \"1.0\"\ndescription: trust me\npermissions:\n  storage:\n    allow:\n      - { uri: \"fs://w/**\", access: [read] }\n    deny:\n      - { uri: \"fs://w/.git/**\" }\n  network:\n    allow:\n      - { host: a.example.com }\n      - { host: b.example.com }\n  random: { seed: 5 }\n  resources:\n    limits: { memory: 1Gi, time: 1s }\n  tools:\n    go:\n      network:\n        allow: [ { host: a.example.com } ]\n",
    )
    .unwrap();
    let part = asks.picked(&BTreeSet::from([3]));
    assert_eq!(
        part.to_yaml(),
        "version: \"1.0\"\npermissions:\n  storage:\n    deny:\n      - uri: \"fs://w/.git/**\"\n        access: [\"read\", \"write\", \"symlink\"]\n  network:\n    allow:\n      - host: \"b.example.com\"\n  random: none\n  resources:\n    limits:\n      time: \"1s\"\n  tools:\n    \"go\":\n      network:\n        allow:\n          - host: \"a.example.com\"\n"
    );
    assert!(!widens(&asks, &part));
    let all: BTreeSet<usize> = (0..asks.rules().len()).collect();
    let whole = asks.picked(&all);
    assert!(!widens(&asks, &whole) && !widens(&whole, &asks));
    assert_eq!(whole.description(), None);
}

#[test]
fn an_update_asks_for_what_grew_only() {
    let has = policy(
        "  storage:\n    allow:\n      - { uri: \"fs://w/**\", access: [read] }\n  network:\n    allow:\n      - { host: a.example.com }\n",
    );
    let asks = policy(
        "  storage:\n    allow:\n      - { uri: \"fs://w/notes/**\", access: [read] }\n      - { uri: \"fs://w/notes/**\", access: [write] }\n  network:\n    allow:\n      - { host: a.example.com, methods: [GET] }\n      - { host: c.example.com }\n  resources:\n    limits: { memory: 64Mi }\n",
    );
    assert_eq!(has.asks_beyond(&asks), BTreeSet::from([1, 3]));
    let joined = has.joined(&asks, &BTreeSet::from([3])).unwrap();
    assert_eq!(
        joined.to_yaml(),
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://w/**\"\n        access: [\"read\"]\n  network:\n    allow:\n      - host: \"a.example.com\"\n      - host: \"c.example.com\"\n"
    );
    assert_eq!(has.joined(&asks, &BTreeSet::new()).unwrap(), has);
    assert_eq!(joined.asks_beyond(&asks), BTreeSet::from([1]));
    assert_eq!(
        Policy::empty().asks_beyond(&asks),
        BTreeSet::from([0, 1, 2, 3])
    );
}

#[test]
fn a_limit_that_a_person_raised_is_not_lowered() {
    let has = policy("  resources:\n    limits: { memory: 2Gi }\n");
    let asks = policy("  resources:\n    limits: { memory: 1Gi, time: 2m }\n");
    assert_eq!(has.asks_beyond(&asks), BTreeSet::from([1]));
    let joined = has.joined(&asks, &BTreeSet::from([0, 1])).unwrap();
    assert_eq!(joined.limits().memory, Some(2 << 30));
    assert_eq!(
        joined.limits().time,
        Some(std::time::Duration::from_secs(120))
    );
}

#[test]
fn what_contradicts_is_an_error_and_is_asked_for() {
    let has = storage("fs://srv/**", "read");
    let asks = storage("fs:///srv/data/**", "read");
    assert_eq!(has.asks_beyond(&asks), BTreeSet::from([0]));
    assert!(has.joined(&asks, &BTreeSet::from([0])).is_err());
}

fn grant(policy: &Policy, tool: Option<&str>) -> Grant {
    let identity =
        ArtifactIdentity::new(Digest::from_bytes([7; 32]), "./tool.wasm".to_owned(), None);
    let bound_roots = BTreeSet::from(["w".parse().unwrap()]);
    let admission = Admission {
        ceiling: None,
        strict: false,
        bound_roots: &bound_roots,
        tenant: Tenant::local(),
    };
    let grant = policy.admit(&identity, &admission);
    tool.map_or_else(|| grant.clone(), |tool| grant.for_tool(&[tool]))
}

fn allowed(grant: &Grant) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    for path in ["/w/a", "/w/a/x", "/w/b", "/w/b/x", "/w/a/.git/x"] {
        for access in [StorageAccess::Read, StorageAccess::Write] {
            let virtual_path = VirtualPath::parse(path).unwrap();
            let operation = Operation::Storage {
                path: &virtual_path,
                access,
                own: false,
            };
            if grant.decide(&operation).is_ok() {
                allowed.insert(format!("{access:?} {path}"));
            }
        }
    }
    for host in ["a.example.com", "b.example.com", "c.b.example.com"] {
        for method in ["GET", "POST"] {
            let target = HttpTarget::parse("https", host, method, "/p").unwrap();
            if grant.decide(&target.operation()).is_ok() {
                allowed.insert(format!("{method} {host}"));
            }
        }
    }
    allowed.extend(grant.environment_keys().map(str::to_owned));
    allowed
}

/// A policy of some entries out of a few, for the component and two tools.
fn policies() -> impl Strategy<Value = Policy> {
    let storage = prop::sample::subsequence(
        vec![
            "{ uri: \"fs://w/**\", access: [read] }",
            "{ uri: \"fs://w/a/**\", access: [read, write] }",
            "{ uri: \"fs://w/b\", access: [write] }",
            "{ uri: \"fs://w/*/x\", access: [read] }",
        ],
        0..4,
    );
    let denied = prop::sample::subsequence(
        vec![
            "{ uri: \"fs://w/a/.git/**\" }",
            "{ uri: \"fs://w/b\", access: [write] }",
        ],
        0..2,
    );
    let network = prop::sample::subsequence(
        vec![
            "{ host: a.example.com }",
            "{ host: b.example.com, methods: [GET] }",
            "{ host: \"**.example.com\" }",
        ],
        0..3,
    );
    let refused = prop::sample::subsequence(
        vec![
            "{ host: c.b.example.com }",
            "{ host: a.example.com, methods: [POST] }",
        ],
        0..2,
    );
    let keys = prop::sample::subsequence(vec!["{ key: A }", "{ key: B_TOKEN }"], 0..3);
    let part = (storage, denied, network, refused, keys, 0..8_u8);
    let settings = prop::sample::subsequence(
        vec![
            "clocks: full",
            "random: { seed: 1 }",
            "resources: { limits: { memory: 1Gi, cpu: 2000m, time: 2m, files: 5 } }",
        ],
        0..4,
    );
    (
        part.clone(),
        prop::option::of(part.clone()),
        prop::option::of(part),
        settings,
    )
        .prop_map(|(component, one, two, settings)| {
            let mut text = String::from("version: \"1.0\"\npermissions:\n");
            for line in settings {
                text.push_str(&format!("  {line}\n"));
            }
            type Part<'a> = (
                Vec<&'a str>,
                Vec<&'a str>,
                Vec<&'a str>,
                Vec<&'a str>,
                Vec<&'a str>,
                u8,
            );
            let write = |text: &mut String,
                         indent: &str,
                         (storage, denied, network, refused, keys, kinds): &Part<'_>,
                         all: bool| {
                let list = |entries: &[&str]| entries.join(", ");
                if all || kinds & 1 != 0 {
                    text.push_str(&format!(
                        "{indent}storage: {{ allow: [{}], deny: [{}] }}\n",
                        list(storage),
                        list(denied)
                    ));
                }
                if all || kinds & 2 != 0 {
                    text.push_str(&format!(
                        "{indent}network: {{ allow: [{}], deny: [{}] }}\n",
                        list(network),
                        list(refused)
                    ));
                }
                if all || kinds & 4 != 0 {
                    text.push_str(&format!(
                        "{indent}environment: {{ allow: [{}] }}\n",
                        list(keys)
                    ));
                }
            };
            write(&mut text, "  ", &component, true);
            let tools: Vec<(&str, &Part<'_>)> = [("one", &one), ("two", &two)]
                .into_iter()
                .filter_map(|(name, part)| Some((name, part.as_ref().filter(|part| part.5 != 0)?)))
                .collect();
            if !tools.is_empty() {
                text.push_str("  tools:\n");
                for (name, part) in tools {
                    text.push_str(&format!("    {name}:\n"));
                    write(&mut text, "      ", part, false);
                }
            }
            match Policy::parse(&text) {
                Ok(policy) => policy,
                Err(error) => panic!("{error}\n{text}"),
            }
        })
}

proptest! {
    /// Nothing is hidden: each rule is in one sentence, in the order of the rules, and sentences of what allows have a risk.
    #[test]
    fn every_rule_is_in_exactly_one_sentence(policy in policies()) {
        let (rules, statements) = (policy.rules(), policy.statements());
        prop_assert_eq!(statements.len(), rules.len());
        for (index, (rule, statement)) in rules.iter().zip(&statements).enumerate() {
            prop_assert_eq!(statement.index, index);
            prop_assert_eq!(&statement.rule, rule);
            prop_assert_eq!(statement.risk == Risk::None, !statement.allows);
            prop_assert!(!statement.words.is_empty());
            // What a rule is about is named in its sentence.
            let section = rule.section.rsplit('.').next().unwrap_or_default();
            if section.starts_with("allow[") || section.starts_with("deny[") {
                let text = rule.text.trim_start_matches("deny ");
                let subject = text.split([' ', '[']).next().unwrap_or_default().trim_end_matches("/**").trim_start_matches("**.");
                prop_assert!(statement.words.contains(subject), "{} / {}", rule.text, statement.words);
            }
        }
    }

    /// Whatever is picked of a request allows nothing that the request does not allow, and reads back as itself.
    #[test]
    fn s151_a_part_never_allows_more(asks in policies(), picks in prop::collection::vec(any::<bool>(), 40)) {
        let picked: BTreeSet<usize> = (0..40).filter(|index| picks[*index]).collect();
        let part = asks.picked(&picked);
        prop_assert!(!widens(&asks, &part), "{}\n{}", asks.to_yaml(), part.to_yaml());
        prop_assert_eq!(&Policy::parse(&part.to_yaml()).unwrap(), &part);
        let nothing = asks.picked(&BTreeSet::new());
        prop_assert!(!widens(&Policy::empty(), &nothing), "{}", nothing.to_yaml());
        for tool in [None, Some("one"), Some("two")] {
            prop_assert!(allowed(&grant(&part, tool)).is_subset(&allowed(&grant(&asks, tool))));
        }
    }

    /// What is joined allows what either allows and nothing else; what is not asked beyond widens nothing.
    #[test]
    fn what_is_joined_comes_from_one_of_the_two(has in policies(), asks in policies(), picks in prop::collection::vec(any::<bool>(), 40)) {
        let picked: BTreeSet<usize> = (0..40).filter(|index| picks[*index]).collect();
        let joined = has.joined(&asks, &picked).unwrap();
        prop_assert_eq!(&Policy::parse(&joined.to_yaml()).unwrap(), &joined);
        for tool in [None, Some("one"), Some("two")] {
            let either: BTreeSet<String> = allowed(&grant(&has, tool)).union(&allowed(&grant(&asks, tool))).cloned().collect();
            let got = allowed(&grant(&joined, tool));
            let texts = || format!("{tool:?}\n{}\n{}\n{}", has.to_yaml(), asks.to_yaml(), joined.to_yaml());
            prop_assert!(got.is_subset(&either), "{}", texts());
            let [old, new, both] = [&has, &asks, &joined].map(|policy| grant(policy, tool));
            prop_assert!(both.clocks() <= old.clocks().max(new.clocks()), "{}", texts());
            let (old, new, both) = (old.limits(), new.limits(), both.limits());
            prop_assert!(both.memory <= old.memory.max(new.memory) && both.files <= old.files.max(new.files), "{}", texts());
            prop_assert!(both.memory >= old.memory, "{}", texts());
        }
        let text = has.to_yaml();
        let adopted = crate::adopt(&text, &asks, &picked).unwrap();
        prop_assert_eq!(&Policy::parse(&adopted.text).unwrap(), &joined);
        prop_assert_eq!(adopted.changed, adopted.text != text);
        let beyond = has.asks_beyond(&asks);
        let unasked: BTreeSet<usize> = picked.difference(&beyond).copied().collect();
        for index in unasked {
            let same = has.joined(&asks, &BTreeSet::from([index])).unwrap();
            prop_assert!(allowed(&grant(&same, None)).is_subset(&allowed(&grant(&has, None))));
        }
    }
}
