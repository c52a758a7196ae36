//! Signatures under a trust root of our own (`tests/data/own`): each wrong one is wrong in one way only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

struct Own {
    vectors: Value,
    _directory: TempDir,
    verifier: Verifier,
}

impl Own {
    /// Asks for the right identity and issuer.
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/own/vectors.json");
        let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let word = |name: &str| vectors[name].as_str().unwrap().to_owned();
        let signer = format!(
            "{{ identity: \"{}\", issuer: \"{}\" }}",
            word("identity"),
            word("issuer")
        );
        let (directory, home) = trusting(&signer);
        let root = directory.path().join("root.json");
        std::fs::write(&root, vectors["root"].to_string()).unwrap();
        let verifier = Verifier::load(&home, Some(&root)).unwrap();
        Self {
            vectors,
            _directory: directory,
            verifier,
        }
    }

    fn word(&self, name: &str) -> &str {
        self.vectors[name].as_str().unwrap()
    }

    fn verify(&self, item: SignatureItem) -> Verification {
        let manifest = sha256(self.word("manifest").as_bytes());
        let evidence = Evidence::new(vec![item]);
        self.verifier
            .verify(self.word("repository"), &manifest, &evidence)
    }

    fn bundle(&self, name: &str) -> Verification {
        let json = &self.vectors["bundles"][name];
        assert!(json.is_object(), "there is no {name:?}");
        self.verify(SignatureItem::Bundle {
            json: json.to_string().into_bytes(),
        })
    }

    fn legacy(&self, name: &str) -> Verification {
        let signature = &self.vectors["legacy"][name];
        let text = |field: &str| signature[field].as_str().unwrap().to_owned();
        self.verify(SignatureItem::Legacy {
            payload: STANDARD.decode(text("payload")).unwrap(),
            signature: STANDARD.decode(text("signature")).unwrap(),
            certificate: Some(text("certificate")),
            chain: Some(text("chain")),
            bundle: Some(text("bundle")),
        })
    }

    #[track_caller]
    fn trusted(&self, verification: &Verification) {
        let Verdict::Trusted { signer, .. } = verification.verdict() else {
            panic!("{verification:?}");
        };
        let expected = format!(
            "uri {} issuer {}",
            self.word("identity"),
            self.word("issuer")
        );
        assert_eq!(signer.to_string(), expected);
        assert_eq!(
            verification.signed_at(signer),
            self.vectors["time"].as_u64()
        );
    }
}

#[test]
fn right_ones_are_trusted() {
    let own = Own::new();
    for name in [
        "right",
        "right, with a timestamp",
        "right, Rekor v2",
        "right, a statement",
    ] {
        own.trusted(&own.bundle(name));
    }
    own.trusted(&own.legacy("right"));
    for verification in [own.bundle("right, a statement"), own.legacy("right")] {
        assert_eq!(verification.verified()[0].annotations["env"], "prod");
    }
}

#[test]
fn s166_s167_another_identity_and_another_issuer_are_refused() {
    let own = Own::new();
    for verification in [
        own.bundle("another identity"),
        own.bundle("another issuer"),
        own.legacy("another identity"),
    ] {
        assert_eq!(
            verification.refusal(),
            Some(Reason::VerifyIdentity),
            "{verification:?}"
        );
        assert_eq!(verification.verified().len(), 1);
    }
}

#[test]
fn s170_s172_another_artifact_is_refused() {
    let own = Own::new();
    for name in ["another artifact", "a statement of another artifact"] {
        assert!(
            rejected(&own.bundle(name)).1.contains("another artifact"),
            "{name}"
        );
    }
    for name in ["a statement of two artifacts", "a statement of nothing"] {
        assert!(
            rejected(&own.bundle(name))
                .1
                .contains("exactly one subject"),
            "{name}"
        );
    }
    assert!(
        rejected(&own.bundle("an attestation"))
            .1
            .contains("not a signature")
    );
    assert!(
        rejected(&own.legacy("another artifact"))
            .1
            .contains("another artifact")
    );
    assert!(
        rejected(&own.legacy("another repository"))
            .1
            .contains("another repository")
    );
}

#[test]
fn s171_what_another_log_or_authority_vouches_for_is_refused() {
    let own = Own::new();
    for name in [
        "another authority",
        "another certificate log",
        "no certificate log",
        "another log",
        "logged for another artifact",
        "signed by another key",
    ] {
        let verification = own.bundle(name);
        assert_eq!(
            rejected(&verification).0,
            Reason::VerifySignature,
            "{name}: {verification:?}"
        );
    }
    for name in ["another log", "logged for another artifact"] {
        let verification = own.legacy(name);
        assert_eq!(
            rejected(&verification).0,
            Reason::VerifySignature,
            "{name}: {verification:?}"
        );
    }
}

#[test]
fn s173_outside_of_the_certificates_minutes_nothing_is_accepted() {
    let own = Own::new();
    for name in [
        "expired when it was logged",
        "not yet valid when it was logged",
        "expired when it was stamped",
        "expired when it was stamped, Rekor v2",
        "a backdated timestamp beside a later log entry",
    ] {
        let verification = own.bundle(name);
        assert_eq!(
            rejected(&verification).0,
            Reason::VerifyExpired,
            "{name}: {verification:?}"
        );
        assert_eq!(verification.refusal(), Some(Reason::VerifyExpired));
    }
    assert_eq!(
        rejected(&own.legacy("expired when it was logged")).0,
        Reason::VerifyExpired
    );
    let verification = own.bundle("no time at all, Rekor v2");
    assert!(
        rejected(&verification).1.contains("timestamp"),
        "{verification:?}"
    );
}

#[test]
fn every_vector_is_looked_at() {
    let own = Own::new();
    let mut right = 0;
    for name in own.vectors["bundles"].as_object().unwrap().keys() {
        let trusted = own.bundle(name).refusal().is_none();
        assert_eq!(trusted, name.starts_with("right"), "{name}");
        right += usize::from(trusted);
    }
    for name in own.vectors["legacy"].as_object().unwrap().keys() {
        assert_eq!(
            own.legacy(name).refusal().is_none(),
            name == "right",
            "{name}"
        );
    }
    assert_eq!(right, 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever is changed in the annotations of a `.sig` tag: no panic, and nobody else is trusted.
    #[test]
    fn mutated_annotations_never_make_another_signer(
        field in 0_usize..3, at in any::<prop::sample::Index>(), to in "[ -~]", cut in any::<bool>(),
    ) {
        let own = Own::new();
        let signature = &own.vectors["legacy"]["right"];
        let text = |name: &str| {
            let text = signature[name].as_str().unwrap().to_owned();
            if ["certificate", "chain", "bundle"][field] != name {
                return text;
            }
            let at = at.index(text.len());
            if cut { text[..at].to_owned() } else { format!("{}{to}{}", &text[..at], &text[at + 1..]) }
        };
        let verification = own.verify(SignatureItem::Legacy {
            payload: STANDARD.decode(text("payload")).unwrap(),
            signature: STANDARD.decode(text("signature")).unwrap(),
            certificate: Some(text("certificate")),
            chain: Some(text("chain")),
            bundle: Some(text("bundle")),
        });
        if let Some(signer) = verification.signer() {
            prop_assert!(signer.to_string().contains(own.word("identity")));
            prop_assert_eq!(verification.signed_at(signer), own.vectors["time"].as_u64());
        }
    }
}
