use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::reason::Reason;

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const RELEASE: &str = "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1";

fn rules(text: &str) -> TrustRules {
    TrustPolicy::parse(text)
        .unwrap()
        .with_keys(fingerprint)
        .unwrap()
}

/// Stands for reading a key: its fingerprint is made of its file's name.
fn fingerprint(key: &KeySource) -> Result<Digest, String> {
    match key {
        KeySource::File(path) => {
            let mut bytes = [0; 32];
            for (byte, from) in bytes.iter_mut().zip(path.bytes()) {
                *byte = from;
            }
            Ok(Digest::from_bytes(bytes))
        }
        KeySource::Pem(_) => Err("no PEM here".to_owned()),
    }
}

fn key(file: &str) -> Signer {
    let fingerprint = fingerprint(&KeySource::File(file.to_owned())).unwrap();
    Signer::Key { fingerprint }
}

fn workflow(uri: &str, issuer: &str) -> Signer {
    Signer::identity(SubjectName::Uri(uri.to_owned()), issuer.to_owned()).unwrap()
}

fn person(email: &str, issuer: &str) -> Signer {
    Signer::identity(SubjectName::Email(email.to_owned()), issuer.to_owned()).unwrap()
}

/// A rule for everything with these entries under `signers`.
fn one(signers: &str) -> String {
    format!("version: \"1.0\"\nrules:\n  - match: \"**\"\n    signers:\n{signers}")
}

fn identity(pattern: &str) -> TrustRules {
    rules(&one(&format!(
        "      - {{ identity: \"{pattern}\", issuer: \"{GITHUB}\" }}\n"
    )))
}

fn accepts(rules: &TrustRules, signer: Signer) -> bool {
    match rules.judge("ghcr.io/org/repo", &[Signature::by(signer)], &[]) {
        TrustJudgement::Trusted { .. } => true,
        TrustJudgement::Refused { reason, .. } => {
            assert_eq!(reason, Reason::VerifyIdentity);
            false
        }
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> PolicyError {
    match TrustPolicy::parse(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error,
    }
}

#[test]
fn s165_unsigned_is_refused_and_says_who_was_expected() {
    let rules = rules(&one(&format!(
        "      - {{ identity: \"{RELEASE}\", issuer: \"{GITHUB}\" }}\n      - key: keys/a.pub\n"
    )));
    let judged = rules.judge("ghcr.io/org/repo", &[], &[]);
    let TrustJudgement::Refused {
        reason,
        expected,
        why,
    } = judged
    else {
        panic!("{judged:?}");
    };
    assert_eq!(reason, Reason::VerifySignature);
    assert_eq!(expected[0], format!("uri {RELEASE} issuer {GITHUB}"));
    assert!(
        expected[1].starts_with("key sha256:6b6579732f61"),
        "{expected:?}"
    );
    assert!(expected[1].ends_with("(keys/a.pub)"), "{expected:?}");
    assert!(why.contains("not signed"), "{why}");
}

#[test]
fn s166_another_identity_of_the_same_issuer_is_refused() {
    let rules = identity(RELEASE);
    assert!(accepts(&rules, workflow(RELEASE, GITHUB)));
    for other in [
        "https://github.com/org/other/.github/workflows/release.yml@refs/tags/v1",
        "https://github.com/org/repo/.github/workflows/test.yml@refs/tags/v1",
        "https://github.com/evil/repo/.github/workflows/release.yml@refs/tags/v1",
    ] {
        assert!(!accepts(&rules, workflow(other, GITHUB)), "{other}");
    }
    // No signer at all is not a rule that everybody meets.
    let error = refused("version: \"1.0\"\nrules:\n  - match: \"**\"\n    signers: []\n");
    assert_eq!((error.line, error.column), (4, 14));
    assert!(
        refused("version: \"1.0\"\nrules:\n  - match: \"**\"\n")
            .message
            .contains("signers is missing")
    );
}

#[test]
fn s167_an_identity_holds_with_its_issuer_only() {
    let rules = identity(RELEASE);
    for issuer in [
        "https://accounts.google.com",
        "https://token.actions.githubusercontent.com/",
        "https://token.actions.githubusercontent.com.evil.example",
        "https://TOKEN.actions.githubusercontent.com",
        "http://token.actions.githubusercontent.com",
    ] {
        assert!(!accepts(&rules, workflow(RELEASE, issuer)), "{issuer}");
    }
    let error = refused(&one(&format!("      - identity: \"{RELEASE}\"\n")));
    assert_eq!((error.line, error.column), (5, 9));
    assert!(error.message.contains("the issuer is missing"), "{error}");
    assert!(error.hint.unwrap().contains("issuer of his own"));
    for half in [
        format!("      - issuer: \"{GITHUB}\"\n"),
        "      - { email: \"a@example.com\" }\n".to_owned(),
        format!("      - {{ key: keys/a.pub, issuer: \"{GITHUB}\" }}\n"),
        format!("      - {{ identity: \"{RELEASE}\", issuer: \"\" }}\n"),
        format!("      - {{ identity: \"{RELEASE}\", issuer: \"https://*\" }}\n"),
        format!(
            "      - {{ identity: \"{RELEASE}\", issuer: \"token.actions.githubusercontent.com\" }}\n"
        ),
        format!("      - {{ identity: \"{RELEASE}\", issuer: }}\n"),
        format!("      - {{ identity: \"{RELEASE}\", isuer: \"{GITHUB}\" }}\n"),
        format!(
            "      - {{ identity: \"{RELEASE}\", email: \"a@example.com\", issuer: \"{GITHUB}\" }}\n"
        ),
        "      - {}\n".to_owned(),
        "      -\n".to_owned(),
    ] {
        refused(&one(&half));
    }
}

#[test]
fn s168_patterns_are_anchored_typed_and_take_case_seriously() {
    let fits = |pattern: &str, uri: &str| accepts(&identity(pattern), workflow(uri, GITHUB));
    let tags = "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/*";
    assert!(fits(tags, RELEASE));
    assert!(fits("https://github.com/org/repo/**", RELEASE));
    assert!(fits(
        "https://github.com/org/repo/.github/workflows/*@refs/tags/v*",
        RELEASE
    ));
    for (pattern, uri) in [
        // A prefix is no match, and `*` does not cross a slash.
        ("https://github.com/org/repo", RELEASE),
        (
            "https://github.com/org/repo",
            "https://github.com/org/repo-evil/.github/workflows/x.yml@refs/heads/main",
        ),
        (
            "https://github.com/org/repo/**",
            "https://github.com/org/repo-evil/.github/workflows/x.yml@refs/heads/main",
        ),
        ("https://github.com/org/repo/*", RELEASE),
        (
            tags,
            "https://github.com/org/repo/.github/workflows/release.yml@refs/heads/attacker",
        ),
        (
            tags,
            "https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1/x",
        ),
        (
            tags,
            "https://evil.example/https://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1",
        ),
        (
            tags,
            "http://github.com/org/repo/.github/workflows/release.yml@refs/tags/v1",
        ),
        (
            tags,
            "https://github.com/Org/repo/.github/workflows/release.yml@refs/tags/v1",
        ),
        (
            tags,
            "https://github.com/org/repo/.github/workflows/RELEASE.yml@refs/tags/v1",
        ),
        (
            tags,
            "https://github.com./org/repo/.github/workflows/release.yml@refs/tags/v1",
        ),
        (
            tags,
            "https://github.com/org/repo/../repo/.github/workflows/release.yml@refs/tags/v1",
        ),
        (
            "https://github.com/org/repo/**/release.yml@refs/tags/v1",
            "https://github.com/org/repo-evil/a/release.yml@refs/tags/v1",
        ),
    ] {
        assert!(!fits(pattern, uri), "{pattern} {uri}");
    }
    // The kind of the name is part of it.
    let email = rules(&one(&format!(
        "      - {{ email: \"dev@example.com\", issuer: \"{GITHUB}\" }}\n"
    )));
    assert!(accepts(&email, person("dev@example.com", GITHUB)));
    assert!(!accepts(&email, workflow("dev@example.com", GITHUB)));
    assert!(!accepts(&email, person("Dev@example.com", GITHUB)));
    assert!(!accepts(
        &email,
        person("dev@example.com.evil.example", GITHUB)
    ));
    assert!(!accepts(&identity(RELEASE), person(RELEASE, GITHUB)));
    let any = rules(&one(&format!(
        "      - {{ email: \"*@example.com\", issuer: \"{GITHUB}\" }}\n"
    )));
    assert!(accepts(&any, person("dev@example.com", GITHUB)));
    assert!(!accepts(&any, person("dev@evil.example", GITHUB)));
    assert!(!accepts(
        &any,
        person("x@evil.example/y@example.comx", GITHUB)
    ));
}

#[test]
fn s168_patterns_that_anybody_fits_are_refused() {
    for wide in [
        "**",
        "*",
        "https://**",
        "https://*",
        "*://github.com/org/repo",
        "https://*/org/repo",
        "https://*.com/org/repo",
        "https://github.com/**",
        "https://github.com/*/repo",
        "https://github*/org/repo",
        "https:///org/repo",
        "org/repo",
        "https://github.com/o[r]g/repo",
        "https://github.com/org/r?po",
        "https://github.com/org/a**b",
        "https://github.com/org/r\\u0435po",
        "https://github.com/org/repo ",
        "",
    ] {
        refused(&one(&format!(
            "      - {{ identity: \"{wide}\", issuer: \"{GITHUB}\" }}\n"
        )));
    }
    for wide in [
        "*",
        "**",
        "*@*",
        "*@*.com",
        "dev@",
        "@example.com",
        "https://github.com/o@x",
    ] {
        refused(&one(&format!(
            "      - {{ email: \"{wide}\", issuer: \"{GITHUB}\" }}\n"
        )));
    }
}

#[test]
fn s169_one_signature_has_to_meet_all_of_an_entry() {
    let text = one(&format!(
        "      - identity: \"{RELEASE}\"\n        issuer: \"{GITHUB}\"\n        annotations: {{ env: prod, tier: one }}\n"
    ));
    let rules = rules(&text);
    let with = |signer: Signer, pairs: &[(&str, &str)]| Signature {
        signer,
        annotations: pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let judge = |signatures: &[Signature]| rules.judge("ghcr.io/org/repo", signatures, &[]);
    let stranger = workflow("https://github.com/evil/repo/x@y", GITHUB);
    let own = workflow(RELEASE, GITHUB);
    let halves = [
        with(own.clone(), &[("env", "prod")]),
        with(own.clone(), &[("tier", "one")]),
        with(stranger, &[("env", "prod"), ("tier", "one")]),
    ];
    let judged = judge(&halves);
    assert!(
        matches!(&judged, TrustJudgement::Refused { reason: Reason::VerifyIdentity, why, .. } if why.contains("annotations")),
        "{judged:?}"
    );
    let [first, second, third] = halves;
    let whole = with(
        own.clone(),
        &[("env", "prod"), ("tier", "one"), ("more", "x")],
    );
    let judged = judge(&[first, second, third, whole]);
    assert!(matches!(judged, TrustJudgement::Trusted { signer, .. } if signer == own));
}

#[test]
fn every_rule_that_matches_has_to_be_met() {
    let rules = rules(
        "version: \"1.0\"\nrules:\n\
         - { match: \"ghcr.io/**\", signers: [{ key: keys/company.pub }] }\n\
         - { match: \"ghcr.io/team/**\", signers: [{ key: keys/team.pub }, { key: keys/backup.pub }] }\n\
         - { match: \"ghcr.io/team/new/*\", verification: warn, signers: [{ key: keys/new.pub }] }\n",
    );
    let judge = |place: &str, keys: &[&str]| {
        let signatures: Vec<_> = keys.iter().map(|file| Signature::by(key(file))).collect();
        rules.judge(place, &signatures, &[])
    };
    assert_eq!(judge("docker.io/x/y", &[]), TrustJudgement::NoRule);
    assert!(
        matches!(judge("ghcr.io/x", &["keys/company.pub"]), TrustJudgement::Trusted { signer, rule } if signer == key("keys/company.pub") && rule == "ghcr.io/**")
    );
    assert!(matches!(
        judge("ghcr.io/team/a", &["keys/company.pub"]),
        TrustJudgement::Refused { .. }
    ));
    assert!(matches!(
        judge("ghcr.io/team/a", &["keys/team.pub"]),
        TrustJudgement::Refused { .. }
    ));
    assert!(matches!(
        judge("ghcr.io/team/a", &["keys/backup.pub", "keys/company.pub"]),
        TrustJudgement::Trusted { .. }
    ));
    let warned = judge("ghcr.io/team/new/a", &["keys/team.pub", "keys/company.pub"]);
    assert!(
        matches!(&warned, TrustJudgement::Warned { expected, .. } if expected[0].contains("new.pub")),
        "{warned:?}"
    );
    // What is required is required where another rule only warns.
    assert!(matches!(
        judge("ghcr.io/team/new/a", &["keys/new.pub"]),
        TrustJudgement::Refused { .. }
    ));
}

#[test]
fn a_place_has_one_spelling() {
    let rules = rules(
        "version: \"1.0\"\nrules:\n\
         - { match: \"ghcr.io/org/**\", signers: [{ key: keys/a.pub }] }\n\
         - { match: \"example.com:443/tools/*\", signers: [{ key: keys/a.pub }] }\n\
         - { match: \"127.0.0.1:5000/*\", signers: [{ key: keys/a.pub }] }\n",
    );
    for place in [
        "ghcr.io/org/a",
        "GHCR.io/org/a/b",
        "ghcr.io:443/org/a",
        "ghcr.io./org/a",
        "ghcr.io.:443/org/a",
        "ghcr.io/org",
        "example.com/tools/x.wasm",
        "example.com:443/tools/x.wasm",
        "127.0.0.1:5000/a",
    ] {
        assert!(rules.concern(place), "{place}");
    }
    for place in [
        "ghcr.io/organisation/a",
        "ghcr.io:8443/org/a",
        "evil.example/ghcr.io/org/a",
        "xghcr.io/org/a",
        "example.com/tools/a/x.wasm",
        "127.0.0.1:5001/a",
        "127.0.0.1/a",
        "",
    ] {
        assert!(!rules.concern(place), "{place}");
    }
    for wrong in [
        "https://ghcr.io/org/**",
        "oci://ghcr.io/**",
        "GHCR.io/org/**",
        "ghcr.io",
        "ghcr.io/org/a:1",
        "ghcr.io//a",
        "ghcr.io/a/",
        "ghcr.io/a@sha256:0",
        "",
    ] {
        let text = format!(
            "version: \"1.0\"\nrules: [{{ match: \"{wrong}\", signers: [{{ key: keys/a.pub }}] }}]\n"
        );
        let error = refused(&text);
        assert_eq!(error.line, 2, "{error}");
    }
}

#[test]
fn what_is_written_wrongly_is_refused_with_its_place() {
    for (text, line, column, message) in [
        ("rules: []\n", 1, 1, "the version is missing"),
        ("version: \"2.0\"\n", 1, 10, "unknown version"),
        ("version: \"1.0\"\nruels: []\n", 2, 1, "unknown key"),
        (
            "version: \"1.0\"\nrules:\n  - mach: \"**\"\n",
            3,
            5,
            "unknown key",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { match: \"**\", verification: none, signers: [{ key: keys/a }] }\n",
            3,
            34,
            "not one of require, warn",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { match: \"**\", verification: , signers: [{ key: keys/a }] }\n",
            3,
            32,
            "expected a value",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { signers: [{ key: keys/a }] }\n",
            3,
            5,
            "match is missing",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { match: \"**\", signers: [{ key: /etc/a }] }\n",
            3,
            37,
            "in the directory keys/",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { match: \"**\", signers: [{ key: keys/../b }] }\n",
            3,
            37,
            "in the directory keys/",
        ),
        (
            "version: \"1.0\"\nrules:\n  - { match: \"**\", signers: [{ key: keys/a, annotations: {} }] }\n",
            3,
            58,
            "expected 1 to 32",
        ),
    ] {
        let error = refused(text);
        assert_eq!((error.line, error.column), (line, column), "{error}");
        assert!(error.message.contains(message), "{error}");
    }
    let many = "  - { match: \"**\", signers: [{ key: keys/a }] }\n".repeat(257);
    assert!(
        refused(&format!("version: \"1.0\"\nrules:\n{many}"))
            .message
            .contains("at most 256")
    );
}

#[test]
fn no_content_is_no_rules_and_a_key_that_cannot_be_read_is_no_rule_less() {
    for text in [
        "",
        "# nothing\n",
        "version: \"1.0\"\n",
        "version: \"1.0\"\nrules: []\n",
    ] {
        let rules = rules(text);
        assert_eq!(rules.judge("ghcr.io/a/b", &[], &[]), TrustJudgement::NoRule);
    }
    let policy = TrustPolicy::parse(&one("      - key: keys/a.pub\n      - key: |\n          -----BEGIN PUBLIC KEY-----\n          AA==\n          -----END PUBLIC KEY-----\n")).unwrap();
    assert_eq!(policy.keys().count(), 2);
    assert!(matches!(policy.keys().nth(1), Some(KeySource::Pem(text)) if text.contains("AA==")));
    assert!(policy.with_keys(fingerprint).is_err());
}

#[test]
fn rules_of_the_command_line_hold_for_every_repository() {
    let rules = TrustPolicy::of_identity(RELEASE, GITHUB)
        .unwrap()
        .with_keys(fingerprint)
        .unwrap();
    assert!(accepts(&rules, workflow(RELEASE, GITHUB)));
    assert!(!accepts(
        &rules,
        workflow(RELEASE, "https://accounts.google.com")
    ));
    let rules = TrustPolicy::of_key(KeySource::File("keys/a.pub".to_owned()))
        .with_keys(fingerprint)
        .unwrap();
    assert!(accepts(&rules, key("keys/a.pub")));
    assert!(!accepts(&rules, key("keys/b.pub")));
    assert!(rules.know(&fingerprint(&KeySource::File("keys/a.pub".to_owned())).unwrap()));
    let rules = TrustPolicy::of_identity("dev@example.com", GITHUB)
        .unwrap()
        .with_keys(fingerprint)
        .unwrap();
    assert!(accepts(&rules, person("dev@example.com", GITHUB)));
    for (identity, issuer) in [
        ("**", GITHUB),
        ("https://github.com/**", GITHUB),
        (RELEASE, ""),
        (RELEASE, "*"),
        ("*@*", GITHUB),
    ] {
        assert!(
            TrustPolicy::of_identity(identity, issuer).is_err(),
            "{identity} {issuer}"
        );
    }
}

#[test]
fn the_reason_tells_what_happened_to_the_signatures_that_do_not_hold() {
    let rules = rules(&one("      - key: keys/a.pub\n"));
    let reason = |rejected: &[Reason]| match rules.judge("x/y", &[], rejected) {
        TrustJudgement::Refused { reason, .. } => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(&[]), Reason::VerifySignature);
    assert_eq!(
        reason(&[Reason::VerifySignature, Reason::VerifyExpired]),
        Reason::VerifyExpired
    );
    assert_eq!(reason(&[Reason::VerifyIdentity]), Reason::VerifyIdentity);
    assert_eq!(
        reason(&[Reason::VerifyIdentity, Reason::VerifySignature]),
        Reason::VerifySignature
    );
}

#[test]
fn a_signer_has_one_spelling() {
    for signer in [
        key("keys/a.pub"),
        workflow(RELEASE, GITHUB),
        person("dev@example.com", GITHUB),
    ] {
        let text = signer.to_string();
        assert_eq!(text.parse::<Signer>().unwrap(), signer, "{text}");
    }
    for wrong in [
        "",
        "key",
        "key sha256:00",
        "uri x",
        "uri x issuer",
        "uri  issuer https://x",
        "uri x  issuer y",
        "uri x issuer y z",
        "uri x issuer y ",
        " uri x issuer y",
        "dns x issuer y",
        "email x\u{202e} issuer y",
        "uri x\nissuer y",
    ] {
        assert!(wrong.parse::<Signer>().is_err(), "{wrong:?}");
    }
    assert!(
        Signer::identity(
            SubjectName::Uri("https://a b".to_owned()),
            GITHUB.to_owned()
        )
        .is_err()
    );
    assert!(Signer::identity(SubjectName::Uri("x".repeat(2049)), GITHUB.to_owned()).is_err());
}

fn segment() -> impl Strategy<Value = String> {
    "[a-z]{1,3}"
}

proptest! {
    /// A pattern without `*` is met by itself and by nothing else.
    #[test]
    fn an_exact_identity_is_met_by_itself_alone(
        own in proptest::collection::vec(segment(), 1..5),
        other in proptest::collection::vec(segment(), 1..5),
    ) {
        let uri = |names: &[String]| format!("https://host.example/{}", names.join("/"));
        let rules = identity(&uri(&own));
        prop_assert!(accepts(&rules, workflow(&uri(&own), GITHUB)));
        prop_assert_eq!(accepts(&rules, workflow(&uri(&other), GITHUB)), own == other);
        let longer = format!("{}x", uri(&own));
        prop_assert!(!accepts(&rules, workflow(&longer, GITHUB)));
        let longer = format!("x{}", uri(&own));
        prop_assert!(!accepts(&rules, workflow(&longer, GITHUB)));
    }

    /// Whatever fits a pattern starts with what is written out before its first `*`, and ends with what stands behind the last.
    #[test]
    fn patterns_are_anchored_at_both_ends(
        head in segment(), middle in "[*]{1,2}", tail in segment(), uri in "https://h/[a-c/*]{0,12}",
    ) {
        let pattern = format!("https://h/{head}/{middle}/{tail}");
        if accepts(&identity(&pattern), workflow(&uri, GITHUB)) {
            let start = format!("https://h/{head}/");
            let end = format!("/{tail}");
            prop_assert!(uri.starts_with(&start));
            prop_assert!(uri.ends_with(&end));
        }
    }

    /// A signature more never makes a judgement worse, and none is ever trusted without a signature that a rule names.
    #[test]
    fn more_signatures_never_make_it_worse(keys in proptest::collection::vec("[a-d]", 0..4), more in "[a-d]") {
        let rules = rules("version: \"1.0\"\nrules:\n\
            - { match: \"**\", signers: [{ key: keys/a }, { key: keys/b }] }\n\
            - { match: \"**\", verification: warn, signers: [{ key: keys/c }] }\n");
        let rank = |names: &[String]| {
            let signatures: Vec<_> = names.iter().map(|name| Signature::by(key(&format!("keys/{name}")))).collect();
            match rules.judge("x/y", &signatures, &[]) {
                TrustJudgement::Refused { .. } => 0,
                TrustJudgement::Warned { .. } => 1,
                TrustJudgement::Trusted { .. } => 2,
                TrustJudgement::NoRule => 3,
            }
        };
        let before = rank(&keys);
        let required = keys.iter().any(|name| name == "a" || name == "b");
        prop_assert_eq!(before > 0, required);
        prop_assert!(before < 3);
        let mut after = keys.clone();
        after.push(more);
        prop_assert!(rank(&after) >= before);
    }

    #[test]
    fn no_text_panics(text in "\\PC*", place in "\\PC*") {
        let _ = TrustPolicy::parse(&text);
        let _ = text.parse::<Signer>();
        let _ = TrustPolicy::of_identity(&text, GITHUB);
        let rules = identity("https://h/o/**");
        let _ = rules.concern(&place);
    }
}

#[test]
fn annotations_are_compared_as_text() {
    let text = one("      - { key: keys/a.pub, annotations: { n: 1e3, on: yes } }\n");
    let rules = rules(&text);
    let signature = Signature {
        signer: key("keys/a.pub"),
        annotations: BTreeMap::from([
            ("n".to_owned(), "1e3".to_owned()),
            ("on".to_owned(), "yes".to_owned()),
        ]),
    };
    assert!(matches!(
        rules.judge("x/y", &[signature], &[]),
        TrustJudgement::Trusted { .. }
    ));
}
