//! Signatures of keys, made here: what holds, and what is made to look like it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_artifact::{Signed, SigningKey, sign};
use casemate_policy::Signer;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "{ key: keys/own.pub }";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// A key, and a home whose policy asks for it everywhere.
struct Setup {
    key: SigningKey,
    _directory: TempDir,
    home: Home,
}

impl Setup {
    fn new() -> Self {
        Self::asking_for(KEY)
    }

    fn asking_for(signers: &str) -> Self {
        let key = SigningKey::generate().unwrap();
        let (directory, home) = trusting(signers);
        write_key(&home, "own.pub", &key.public().to_pem().unwrap());
        Self {
            key,
            _directory: directory,
            home,
        }
    }

    fn verify(&self, evidence: &Evidence) -> Verification {
        let verifier = Verifier::load(&self.home, None).unwrap();
        verifier.verify(REPOSITORY, &manifest(), evidence)
    }

    /// Signs bytes outside of Casemate, as anybody with the key can.
    fn raw(&self, bytes: &[u8]) -> String {
        let pem = self.key.to_pem(None).unwrap();
        let key = p256::ecdsa::SigningKey::from_pkcs8_pem(&pem).unwrap();
        let signature: p256::ecdsa::Signature = key.sign(bytes);
        STANDARD.encode(signature.to_der().as_bytes())
    }

    /// A bundle of this payload, correctly signed.
    fn envelope(&self, payload_type: &str, payload: &str) -> Value {
        let pae = format!(
            "DSSEv1 {} {payload_type} {} {payload}",
            payload_type.len(),
            payload.len()
        );
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "publicKey": { "hint": "whatever" } },
            "dsseEnvelope": {
                "payload": STANDARD.encode(payload),
                "payloadType": payload_type,
                "signatures": [{ "sig": self.raw(pae.as_bytes()) }],
            },
        })
    }

    fn legacy(&self, payload: &Value) -> Evidence {
        let payload = serde_json::to_vec(payload).unwrap();
        let signature = STANDARD.decode(self.raw(&payload)).unwrap();
        Evidence::new(vec![SignatureItem::Legacy {
            payload,
            signature,
            certificate: None,
            chain: None,
            bundle: None,
        }])
    }
}

fn manifest() -> Digest {
    sha256(b"the manifest")
}

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn own(setup: &Setup, annotations: &BTreeMap<String, String>) -> Signed {
    sign(&setup.key, REPOSITORY, &manifest(), annotations).unwrap()
}

/// Each form by itself.
fn forms(signed: &Signed) -> Vec<Evidence> {
    let items = signed.evidence().items().to_vec();
    items
        .into_iter()
        .map(|item| Evidence::new(vec![item]))
        .collect()
}

fn json_of(evidence: &Evidence) -> Value {
    match &evidence.items()[0] {
        SignatureItem::Bundle { json } => serde_json::from_slice(json).unwrap(),
        SignatureItem::Legacy { payload, .. } => serde_json::from_slice(payload).unwrap(),
    }
}

fn of_json(json: &Value) -> Evidence {
    bundle(serde_json::to_vec(json).unwrap())
}

#[test]
fn a_signature_of_a_named_key_is_trusted_in_both_forms() {
    let setup = Setup::new();
    let signed = own(&setup, &none());
    for evidence in forms(&signed) {
        let verification = setup.verify(&evidence);
        let Verdict::Trusted { signer, .. } = verification.verdict() else {
            panic!("{verification:?}");
        };
        let fingerprint = *setup.key.public().fingerprint();
        assert_eq!(*signer, Signer::Key { fingerprint });
        // A key's signature has no time that anybody vouches for.
        assert_eq!(verification.signed_at(signer), None);
    }
    assert_eq!(setup.verify(&signed.evidence()).verified().len(), 2);
}

#[test]
fn the_same_input_gives_the_same_signature() {
    let setup = Setup::new();
    let annotations = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    assert_eq!(own(&setup, &annotations), own(&setup, &annotations));
    assert_ne!(own(&setup, &annotations), own(&setup, &none()));
}

#[test]
fn s165_an_unsigned_artifact_is_refused_and_told_who_was_expected() {
    let setup = Setup::new();
    let verification = setup.verify(&Evidence::default());
    let Verdict::Refused {
        reason,
        expected,
        why,
    } = verification.verdict()
    else {
        panic!("{verification:?}");
    };
    assert_eq!(*reason, Reason::VerifySignature);
    assert_eq!(
        expected[0],
        format!("key {} (keys/own.pub)", setup.key.public().fingerprint())
    );
    assert!(why.contains("not signed"), "{why}");
    // Elsewhere it is only told.
    let (_directory, home) = trusting("");
    let verification =
        Verifier::load(&home, None)
            .unwrap()
            .verify(REPOSITORY, &manifest(), &Evidence::default());
    assert_eq!(*verification.verdict(), Verdict::Unsigned);
}

#[test]
fn s166_a_signature_of_another_key_is_refused() {
    let (setup, other) = (Setup::new(), Setup::new());
    for evidence in forms(&own(&other, &none())) {
        let verification = setup.verify(&evidence);
        let (reason, why) = rejected(&verification);
        assert_eq!(reason, Reason::VerifySignature);
        assert!(why.contains("no key that a rule names"), "{why}");
        // The hint of the right key changes nothing.
        if let SignatureItem::Bundle { .. } = &evidence.items()[0] {
            let mut json = json_of(&evidence);
            let hint = STANDARD.encode(setup.key.public().fingerprint().as_bytes());
            json["verificationMaterial"]["publicKey"]["hint"] = json!(hint);
            rejected(&setup.verify(&of_json(&json)));
        }
        // Without any rule it is nobody's, and never trusted.
        let (_directory, home) = trusting("");
        let verification =
            Verifier::load(&home, None)
                .unwrap()
                .verify(REPOSITORY, &manifest(), &evidence);
        assert_eq!(*verification.verdict(), Verdict::Unsigned);
        assert!(
            rejected(&verification)
                .1
                .contains("a key that no rule names")
        );
    }
}

#[test]
fn s169_two_signatures_do_not_complete_each_other() {
    let setup = Setup::asking_for("{ key: keys/own.pub, annotations: { env: prod, tier: one } }");
    let with = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        own(&setup, &pairs.collect())
    };
    let halves = [with(&[("env", "prod")]), with(&[("tier", "one")])];
    let items = halves
        .iter()
        .flat_map(|signed| signed.evidence().items().to_vec())
        .collect();
    let verification = setup.verify(&Evidence::new(items));
    assert_eq!(verification.verified().len(), 4);
    assert_eq!(verification.refusal(), Some(Reason::VerifyIdentity));
    for evidence in forms(&with(&[("env", "prod"), ("tier", "one")])) {
        assert_eq!(setup.verify(&evidence).refusal(), None);
    }
}

#[test]
fn s170_a_good_signature_of_another_artifact_is_refused() {
    let setup = Setup::new();
    let other = sign(
        &setup.key,
        REPOSITORY,
        &sha256(b"another manifest"),
        &none(),
    )
    .unwrap();
    for evidence in forms(&other) {
        let verification = setup.verify(&evidence);
        assert!(rejected(&verification).1.contains("another artifact"));
    }
    // Neither does it help to write the digest into what was signed.
    let mut payload: Value = serde_json::from_slice(other.payload()).unwrap();
    payload["critical"]["image"]["docker-manifest-digest"] = json!(manifest().to_string());
    let evidence = Evidence::new(vec![SignatureItem::Legacy {
        payload: serde_json::to_vec(&payload).unwrap(),
        signature: STANDARD.decode(other.signature()).unwrap(),
        certificate: None,
        chain: None,
        bundle: None,
    }]);
    assert_eq!(
        rejected(&setup.verify(&evidence)).0,
        Reason::VerifySignature
    );
}

#[test]
fn s172_the_reference_of_a_payload_has_its_documented_verdict() {
    let setup = Setup::new();
    let payload = |reference: Value, kind: &str, digest: &str| {
        json!({
            "critical": {
                "identity": { "docker-reference": reference },
                "image": { "docker-manifest-digest": digest },
                "type": kind,
            },
            "optional": null,
        })
    };
    let (kind, digest) = ("cosign container image signature", manifest().to_string());
    for reference in [
        REPOSITORY,
        "",
        "ghcr.io/example/search:1.2.0",
        "GHCR.io/example/search",
        "ghcr.io:443/example/search@sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ] {
        let verification = setup.verify(&setup.legacy(&payload(json!(reference), kind, &digest)));
        assert_eq!(
            verification.refusal(),
            None,
            "{reference}: {verification:?}"
        );
    }
    let mut absent = payload(json!(""), kind, &digest);
    absent["critical"]
        .as_object_mut()
        .unwrap()
        .remove("identity");
    assert_eq!(setup.verify(&setup.legacy(&absent)).refusal(), None);
    for (payload, why) in [
        (
            payload(json!("ghcr.io/example/other"), kind, &digest),
            "another repository",
        ),
        (
            payload(json!("ghcr.io/example/search/sub"), kind, &digest),
            "another repository",
        ),
        (
            payload(json!("evil.example/example/search"), kind, &digest),
            "another repository",
        ),
        (
            payload(json!("search"), kind, &digest),
            "another repository",
        ),
        (
            payload(json!("ghcr.io/example/Search"), kind, &digest),
            "another repository",
        ),
        (payload(json!(7), kind, &digest), "cannot be read"),
        (
            payload(json!(REPOSITORY), "atomic container signature", &digest),
            "of the type",
        ),
        (payload(json!(REPOSITORY), "", &digest), "of the type"),
        (payload(json!(REPOSITORY), kind, ""), "another artifact"),
        (
            payload(json!(REPOSITORY), kind, &digest.to_uppercase()),
            "another artifact",
        ),
        (
            payload(json!(REPOSITORY), kind, &manifest().hex()),
            "another artifact",
        ),
        (json!([]), "cannot be read"),
        (json!({}), "cannot be read"),
    ] {
        let verification = setup.verify(&setup.legacy(&payload));
        let (reason, found) = rejected(&verification);
        assert_eq!(reason, Reason::VerifySignature);
        assert!(found.contains(why), "{payload}: {found}");
    }
}

#[test]
fn s172_a_statement_has_one_subject_with_this_digest_and_is_a_signature() {
    let setup = Setup::new();
    let statement = |subjects: Value, predicate: &str, kind: &str| {
        json!({ "_type": kind, "subject": subjects, "predicateType": predicate, "predicate": {} })
            .to_string()
    };
    let (hex, in_toto) = (manifest().hex(), "application/vnd.in-toto+json");
    let subject = json!({ "digest": { "sha256": hex } });
    let other = json!({ "digest": { "sha256": sha256(b"other").hex() } });
    let good = statement(json!([subject]), PREDICATE, STATEMENT);
    assert_eq!(
        setup
            .verify(&of_json(&setup.envelope(in_toto, &good)))
            .refusal(),
        None
    );
    let named = json!({ "name": "x", "digest": { "sha512": "00", "sha256": hex }, "annotations": { "a": 1 } });
    let more = statement(json!([named]), PREDICATE, STATEMENT);
    assert_eq!(
        setup
            .verify(&of_json(&setup.envelope(in_toto, &more)))
            .refusal(),
        None
    );
    for (payload_type, payload, why) in [
        (
            in_toto,
            statement(json!([]), PREDICATE, STATEMENT),
            "exactly one subject",
        ),
        (
            in_toto,
            statement(json!([subject, other]), PREDICATE, STATEMENT),
            "exactly one subject",
        ),
        (
            in_toto,
            statement(json!([other, subject]), PREDICATE, STATEMENT),
            "exactly one subject",
        ),
        (
            in_toto,
            statement(json!([subject, subject]), PREDICATE, STATEMENT),
            "exactly one subject",
        ),
        (
            in_toto,
            statement(json!([other]), PREDICATE, STATEMENT),
            "another artifact",
        ),
        (
            in_toto,
            statement(
                json!([{ "digest": { "sha512": "00" } }]),
                PREDICATE,
                STATEMENT,
            ),
            "no sha256",
        ),
        (
            in_toto,
            statement(json!([{ "digest": {} }]), PREDICATE, STATEMENT),
            "no sha256",
        ),
        (
            in_toto,
            statement(
                json!([{ "digest": { "sha256": hex.to_uppercase() } }]),
                PREDICATE,
                STATEMENT,
            ),
            "another artifact",
        ),
        (
            in_toto,
            statement(
                json!([subject]),
                "https://slsa.dev/provenance/v1",
                STATEMENT,
            ),
            "an attestation, not a signature",
        ),
        (
            in_toto,
            statement(json!([subject]), "", STATEMENT),
            "an attestation",
        ),
        (
            in_toto,
            statement(
                json!([subject]),
                PREDICATE,
                "https://in-toto.io/Statement/v0.1",
            ),
            "version 1",
        ),
        (in_toto, "[]".to_owned(), "cannot be read"),
        (
            in_toto,
            format!("{{\"_type\":{}", "[".repeat(10_000)),
            "cannot be read",
        ),
        ("application/json", good.clone(), "not an in-toto statement"),
        (
            "application/vnd.in-toto+json; charset=utf-8",
            good.clone(),
            "not an in-toto statement",
        ),
        ("", good.clone(), "not an in-toto statement"),
    ] {
        let verification = setup.verify(&of_json(&setup.envelope(payload_type, &payload)));
        let (reason, found) = rejected(&verification);
        assert_eq!(reason, Reason::VerifySignature);
        assert!(found.contains(why), "{payload}: {found}");
    }
}

#[test]
fn s172_an_envelope_has_exactly_one_signature() {
    let setup = Setup::new();
    let json = json_of(&forms(&own(&setup, &none()))[1]);
    let change = |change: &dyn Fn(&mut Value)| {
        let mut json = json.clone();
        change(&mut json);
        let verification = setup.verify(&of_json(&json));
        rejected(&verification);
    };
    let one = json["dsseEnvelope"]["signatures"][0].clone();
    change(&|json| json["dsseEnvelope"]["signatures"] = json!([]));
    change(&|json| json["dsseEnvelope"]["signatures"] = json!([one, one]));
    change(&|json| json["dsseEnvelope"]["signatures"][0]["sig"] = json!(""));
    change(&|json| {
        json.as_object_mut().unwrap().remove("dsseEnvelope");
    });
    change(&|json| json["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.4+json"));
    change(&|json| json["verificationMaterial"] = json!({}));
    // A certificate in the place of the key makes it keyless, and then a log is asked for.
    change(&|json| json["verificationMaterial"] = json!({ "certificate": { "rawBytes": "MAA=" } }));
}

#[test]
fn s172_a_signature_over_the_manifest_itself_is_accepted_and_over_another_is_not() {
    let setup = Setup::new();
    let message = |digest: &Digest, algorithm: &str, signed: &[u8]| {
        of_json(&json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": { "publicKey": { "hint": "" } },
            "messageSignature": {
                "messageDigest": { "algorithm": algorithm, "digest": STANDARD.encode(digest.as_bytes()) },
                "signature": setup.raw(signed),
            },
        }))
    };
    let good = message(&manifest(), "SHA2_256", b"the manifest");
    assert_eq!(setup.verify(&good).refusal(), None);
    for wrong in [
        message(&sha256(b"another"), "SHA2_256", b"another"),
        message(&manifest(), "SHA2_256", b"another"),
        message(&manifest(), "SHA2_512", b"the manifest"),
    ] {
        rejected(&setup.verify(&wrong));
    }
    let mut without = json_of(&good);
    without["messageSignature"]
        .as_object_mut()
        .unwrap()
        .remove("messageDigest");
    assert!(
        rejected(&setup.verify(&of_json(&without)))
            .1
            .contains("what it signs")
    );
}

#[test]
fn s171_a_log_entry_beside_a_key_has_to_be_right() {
    let setup = Setup::new();
    let mut json = json_of(&forms(&own(&setup, &none()))[1]);
    let donor: Value = serde_json::from_slice(&data("cosign-v3-blob.sigstore.json")).unwrap();
    json["verificationMaterial"]["tlogEntries"] =
        donor["verificationMaterial"]["tlogEntries"].clone();
    rejected(&setup.verify(&of_json(&json)));
}

#[test]
fn a_certificate_under_a_sig_tag_needs_its_log_entry() {
    let setup = Setup::new();
    let signed = own(&setup, &none());
    let certificate = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for (certificate, bundle, why) in [
        (certificate, None, "no entry of a transparency log"),
        (certificate, Some("{}"), "cannot be read"),
        ("", Some("{}"), "cannot be read"),
    ] {
        let evidence = Evidence::new(vec![SignatureItem::Legacy {
            payload: signed.payload().to_vec(),
            signature: STANDARD.decode(signed.signature()).unwrap(),
            certificate: Some(certificate.to_owned()),
            chain: None,
            bundle: bundle.map(str::to_owned),
        }]);
        let verification = setup.verify(&evidence);
        assert!(rejected(&verification).1.contains(why), "{verification:?}");
    }
}

#[test]
fn s165_what_could_not_be_fetched_is_told() {
    let setup = Setup::new();
    let json = json!({ "items": [], "unusable": [{ "what": "sha256:00", "why": "the registry\u{1b}[31m failed" }] });
    let evidence = Evidence::from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    let verification = setup.verify(&evidence);
    assert_eq!(rejected(&verification).1, "the registry [31m failed");
}

#[test]
fn s166_every_rule_for_a_repository_is_asked() {
    let (setup, other) = (Setup::new(), Setup::new());
    let text = "version: \"1.0\"\nrules:\n\
        - { match: \"ghcr.io/example/**\", signers: [{ key: keys/own.pub }] }\n\
        - { match: \"ghcr.io/example/search\", signers: [{ key: keys/other.pub }] }\n";
    std::fs::write(setup.home.trust_file(), text).unwrap();
    write_key(
        &setup.home,
        "other.pub",
        &other.key.public().to_pem().unwrap(),
    );
    let (mine, theirs) = (own(&setup, &none()), own(&other, &none()));
    assert_eq!(
        setup.verify(&mine.evidence()).refusal(),
        Some(Reason::VerifyIdentity)
    );
    assert_eq!(
        setup.verify(&theirs.evidence()).refusal(),
        Some(Reason::VerifyIdentity)
    );
    let both = [mine.evidence().items(), theirs.evidence().items()].concat();
    let verification = setup.verify(&Evidence::new(both));
    assert_eq!(verification.refusal(), None);
    for key in [&setup.key, &other.key] {
        let fingerprint = *key.public().fingerprint();
        assert!(verification.is_signed_by(&Signer::Key { fingerprint }));
    }
    // Another repository has another rule.
    let verifier = Verifier::load(&setup.home, None).unwrap();
    let elsewhere = sign(&setup.key, "ghcr.io/example/other", &manifest(), &none()).unwrap();
    let verification = verifier.verify("ghcr.io/example/other", &manifest(), &elsewhere.evidence());
    assert_eq!(verification.refusal(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is cut off or flipped: no panic, and what is trusted still says the same of the same manifest.
    #[test]
    fn mutated_bytes_of_key_signatures_are_never_trusted_for_more(
        form in 0_usize..2, at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>(),
    ) {
        let setup = Setup::new();
        let signed = own(&setup, &none());
        let mutate = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            bytes
        };
        let item = match &signed.evidence().items()[form] {
            SignatureItem::Legacy { payload, signature, .. } => SignatureItem::Legacy {
                payload: mutate(payload),
                signature: signature.clone(),
                certificate: None,
                chain: None,
                bundle: None,
            },
            SignatureItem::Bundle { json } => SignatureItem::Bundle { json: mutate(json) },
        };
        let verification = setup.verify(&Evidence::new(vec![item]));
        if form == 0 {
            // All of a payload is signed.
            prop_assert!(verification.verified().is_empty());
        }
        for signature in verification.verified() {
            prop_assert!(!cut);
            prop_assert!(signature.annotations.is_empty());
        }
    }

    #[test]
    fn no_bytes_panic(json in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC*") {
        let (_directory, home) = trusting("");
        let verifier = Verifier::load(&home, None).unwrap();
        verifier.verify(&text, &manifest(), &bundle(json.clone()));
        let item = SignatureItem::Legacy {
            payload: json.clone(),
            signature: json,
            certificate: Some(text.clone()),
            chain: Some(text.clone()),
            bundle: Some(text.clone()),
        };
        verifier.verify(&text, &manifest(), &Evidence::new(vec![item]));
        let _ = SigningKey::from_pem(&text, Some(&text));
        let _ = casemate_artifact::PublicKey::from_pem(&text);
    }
}
