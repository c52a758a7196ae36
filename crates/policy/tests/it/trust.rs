//! docs/trust.md: every example of a trust policy loads, and every key has one.

use casemate_policy::{Digest, KeySource, TrustPolicy};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/trust.md");

#[test]
fn every_example_of_a_trust_policy_loads() {
    let reference = std::fs::read_to_string(REFERENCE).unwrap();
    let examples: Vec<&str> = reference
        .split("```yaml\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 2);
    for example in &examples {
        let policy =
            TrustPolicy::parse(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        let known = |key: &KeySource| match key {
            KeySource::File(name) if name == "keys/example.pub" => Ok(Digest::from_bytes([0; 32])),
            KeySource::Pem(text) if text.starts_with("-----BEGIN PUBLIC KEY-----\n") => {
                Ok(Digest::from_bytes([1; 32]))
            }
            other => Err(format!("{other}")),
        };
        let rules = policy.with_keys(known).unwrap();
        assert!(rules.concern("ghcr.io/example/search"));
        assert!(!rules.concern("ghcr.io/examples/search"));
    }
    for key in [
        "match",
        "verification",
        "signers",
        "key",
        "identity",
        "email",
        "issuer",
        "annotations",
    ] {
        assert!(
            examples
                .iter()
                .any(|example| example.contains(&format!("{key}:"))),
            "no example of {key}"
        );
        assert!(
            reference.contains(&format!("| `{key}` |")),
            "{key} is not in the table"
        );
    }
}
