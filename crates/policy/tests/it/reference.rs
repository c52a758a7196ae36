//! docs/policy.md is the reference of the language: every example loads, and every key has one.

use std::collections::BTreeSet;

use casemate_policy::{Limits, Policy, PolicyErrorKind, Reason};

use crate::policy;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/policy.md");
/// A key that no mapping of the language has.
const NO_KEY: &str = "zzzz";

fn reference() -> String {
    std::fs::read_to_string(REFERENCE).unwrap()
}

fn examples(text: &str) -> Vec<String> {
    let blocks = text.split("```yaml\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    // Sections stand there as they do below `permissions`.
    let whole = |block: &str| match block.starts_with("version") {
        true => block.to_owned(),
        false => format!("version: \"1.0\"\npermissions:\n{block}"),
    };
    blocks.map(whole).collect()
}

/// Returns the keys of the mapping at the end of a path, as the decoder itself lists them; `None` where there is none.
fn keys(path: &[String]) -> Option<Vec<String>> {
    let mut value = format!("{{ {NO_KEY}: 1 }}");
    for step in path.iter().rev() {
        value = match step.as_str() {
            "[]" => format!("[{value}]"),
            key => format!("{{ {key}: {value} }}"),
        };
    }
    // In a file of its own line, since a version comes first.
    let text = match path.first().map(String::as_str) {
        None => format!("{NO_KEY}: 1\n"),
        Some(_) => {
            let inner = value.trim_start_matches("{ ").strip_suffix(" }").unwrap();
            format!("version: \"1.0\"\n{inner}\n")
        }
    };
    let error = Policy::parse(&text).err()?;
    let list = error.hint?.strip_prefix("known keys here: ")?.to_owned();
    if !error.message.contains(NO_KEY) {
        return None;
    }
    Some(list.split(", ").map(str::to_owned).collect())
}

/// Collects the keys of a mapping and of all that can stand below it.
fn collect(path: &[String], all: &mut BTreeSet<String>) {
    let Some(known) = keys(path) else { return };
    for key in known {
        let below = |steps: &[&str]| -> Vec<String> {
            let steps = steps.iter().map(|step| (*step).to_owned());
            path.iter().cloned().chain(steps).collect()
        };
        collect(&below(&[&key]), all);
        collect(&below(&[&key, "[]"]), all);
        // A mapping with names of the writer's choice.
        collect(&below(&[&key, "any"]), all);
        all.insert(key);
    }
}

/// Tells whether a text has `key:`, and not as the end of another key.
fn has_key(text: &str, key: &str) -> bool {
    text.match_indices(&format!("{key}:")).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && before != '-')
    })
}

/// Returns the keys that the reference says are refused, as in `**Not enforced yet, so refused:** `headers`.`
fn not_enforced(text: &str) -> BTreeSet<String> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("**Not enforced yet, so refused:**"));
    lines
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_example_loads_without_a_warning() {
    let examples = examples(&reference());
    assert!(examples.len() >= 9, "{}", examples.len());
    for example in examples {
        let policy = policy(&example);
        assert_eq!(policy.warnings(), [], "{example}");
        assert_eq!(
            Policy::parse(&policy.to_yaml()).unwrap(),
            policy,
            "{example}"
        );
    }
}

#[test]
fn every_key_has_an_example() {
    let mut known = BTreeSet::new();
    collect(&[], &mut known);
    // The walk went through lists, and below names of the writer's choice.
    for key in ["version", "uri", "tcp", "secret", "memory", "tools", "seed"] {
        assert!(known.contains(key), "{known:?}");
    }
    assert!(known.len() > 40, "{known:?}");
    let text = reference();
    let examples = examples(&text).join("\n");
    let refused = not_enforced(&text);
    for key in known {
        assert!(
            has_key(&examples, &key) != refused.contains(&key),
            "docs/policy.md needs an example of {key:?}, or says that it is not enforced, and not both"
        );
    }
}

#[test]
fn what_the_reference_says_is_refused_is_refused() {
    for key in not_enforced(&reference()) {
        let lines = match key.as_str() {
            "headers" => {
                "  network: { allow: [{ host: a.example, headers: { x-key: \"{secret:k}\" } }] }\n"
            }
            "secret" => "  environment: { allow: [{ key: A, secret: a }] }\n",
            _ => panic!("docs/policy.md says that {key:?} is not enforced"),
        };
        let error = Policy::parse(&format!("version: \"1.0\"\npermissions:\n{lines}")).unwrap_err();
        assert_eq!(error.kind, PolicyErrorKind::NotEnforced, "{error}");
        assert!(error.message.contains(&key), "{error}");
    }
}

#[test]
fn the_table_of_limits_is_the_one_of_the_code() {
    let text = reference();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip_while(|line| !line.starts_with("| limit | default |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let path = ["permissions", "resources", "limits"].map(str::to_owned);
    let keys = keys(&path).unwrap();
    let mut documented: Vec<&str> = rows.iter().map(|row| row[1].trim_matches('`')).collect();
    documented.sort_unstable();
    let mut sorted: Vec<&str> = keys.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    assert_eq!(documented, sorted);
    for row in rows {
        let (key, default, most) = (row[1].trim_matches('`'), row[2], row[3]);
        let read = |amount: &str| {
            Policy::parse(&format!(
                "version: \"1.0\"\npermissions: {{ resources: {{ limits: {{ {key}: {amount} }} }} }}\n"
            ))
        };
        // What stands as the most loads, and one more does not.
        assert!(read(most).is_ok(), "{key}: {most}");
        let end = most
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(most.len());
        let more = most[..end].parse::<u64>().unwrap() + 1;
        assert!(
            read(&format!("{more}{}", &most[end..])).is_err(),
            "{key}: {more}"
        );
        // The default is what holds without the key: to write it changes nothing.
        if !["", "none"].contains(&default) {
            let limits = |policy: &Policy| *crate::admit(policy, None, &[]).limits();
            assert_eq!(limits(&read(default).unwrap()), Limits::default(), "{key}");
        }
        // Each names the reason that it ends in, or the row that does.
        let words: Vec<&str> = row[5].split('`').skip(1).step_by(2).collect();
        let named =
            |word: &&str| word.parse::<Reason>().is_ok() || keys.iter().any(|key| key == word);
        assert!(words.iter().any(named), "{key}: {words:?}");
    }
}
