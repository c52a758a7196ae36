//! Bundles that Sigstore's public instances made, and every mutation of them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A genuine bundle: signed with a certificate, logged by Rekor, timestamped.
struct Genuine {
    name: &'static str,
    root: Option<&'static str>,
    kind: &'static str,
    identity: &'static str,
    issuer: &'static str,
    time: u64,
}

const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// By cosign 3, for a person: Rekor's promise and proof, and a timestamp of Sigstore's authority.
const COSIGN: Genuine = Genuine {
    name: "cosign-v3-blob.sigstore.json",
    root: None,
    kind: "email",
    identity: "w.vollprecht@gmail.com",
    issuer: "https://github.com/login/oauth",
    time: 1_764_787_002,
};
/// By a workflow at GitHub, bundle v0.2.
const WORKFLOW: Genuine = Genuine {
    name: "bundle_v3_github.whl.sigstore",
    root: None,
    kind: "identity",
    identity: "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
    issuer: GITHUB,
    time: 1_710_888_076,
};
/// By sigstore-python at the staging instance: Rekor v2, whose entries have no time of their own.
const REKOR_2: Genuine = Genuine {
    name: "staging-rekor-v2.txt.sigstore.json",
    root: Some("staging.root.json"),
    kind: "email",
    identity: "jku@goto.fi",
    issuer: "https://github.com/login/oauth",
    time: 1_749_470_258,
};

impl Genuine {
    fn json(&self) -> Value {
        serde_json::from_slice(&data(self.name)).unwrap()
    }

    /// What it signs, which stands for a manifest's digest.
    fn manifest(&self) -> Digest {
        use base64::Engine as _;
        let json = self.json();
        let digest = json["messageSignature"]["messageDigest"]["digest"]
            .as_str()
            .unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(digest)
            .unwrap();
        Digest::from_bytes(bytes.try_into().unwrap())
    }

    fn signer(&self) -> String {
        self.signer_with(self.identity, self.issuer)
    }

    fn signer_with(&self, identity: &str, issuer: &str) -> String {
        let kind = self.kind;
        format!("{{ {kind}: \"{identity}\", issuer: \"{issuer}\" }}")
    }

    fn verify(&self, signers: &str, json: &Value) -> Verification {
        let evidence = bundle(serde_json::to_vec(json).unwrap());
        verify(signers, self.root, &self.manifest(), &evidence)
    }

    /// Changes the bundle and says why it is refused then.
    fn refused(&self, change: impl FnOnce(&mut Value)) -> (Reason, String) {
        let mut json = self.json();
        let before = json.clone();
        change(&mut json);
        assert_ne!(json, before, "nothing was changed");
        let verification = self.verify(&self.signer(), &json);
        let (reason, why) = rejected(&verification);
        assert_eq!(verification.refusal(), Some(reason), "{why}");
        (reason, why.to_owned())
    }
}

fn entry(json: &mut Value) -> &mut Value {
    &mut json["verificationMaterial"]["tlogEntries"][0]
}

/// Changes a character in the middle of a text.
fn spoil(value: &mut Value) {
    let middle = value.as_str().unwrap().len() / 2;
    spoil_at(value, middle);
}

fn spoil_at(value: &mut Value, at: usize) {
    let text = value.as_str().unwrap();
    let other = if text.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    *value = json!(format!("{}{other}{}", &text[..at], &text[at + 1..]));
}

#[test]
fn genuine_bundles_are_accepted_with_signer_and_time() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        let verification = genuine.verify(&genuine.signer(), &genuine.json());
        let Verdict::Trusted { signer, rule } = verification.verdict() else {
            panic!("{}: {verification:?}", genuine.name);
        };
        let kind = if genuine.kind == "email" {
            "email"
        } else {
            "uri"
        };
        assert_eq!(
            signer.to_string(),
            format!("{kind} {} issuer {}", genuine.identity, genuine.issuer)
        );
        assert_eq!(rule, "**");
        assert_eq!(
            verification.signed_at(signer),
            Some(genuine.time),
            "{}",
            genuine.name
        );
        assert!(verification.rejected().is_empty());
    }
}

#[test]
fn without_a_rule_a_genuine_bundle_tells_who_signed_and_no_more() {
    let verification = WORKFLOW.verify("", &WORKFLOW.json());
    assert!(
        matches!(verification.verdict(), Verdict::Signed(signer) if signer.to_string().contains("trailofbits"))
    );
    assert_eq!(verification.refusal(), None);
}

#[test]
fn s170_a_bundle_of_another_artifact_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        let evidence = bundle(data(genuine.name));
        let other = sha256(b"another manifest");
        let verification = verify(&genuine.signer(), genuine.root, &other, &evidence);
        let (reason, why) = rejected(&verification);
        assert_eq!(reason, Reason::VerifySignature);
        assert!(why.contains("another artifact"), "{why}");
        // The digest that is written there does not help: the signature is not over it.
        let mut json = genuine.json();
        use base64::Engine as _;
        let digest = base64::engine::general_purpose::STANDARD.encode(other.as_bytes());
        json["messageSignature"]["messageDigest"]["digest"] = json!(digest);
        let evidence = bundle(serde_json::to_vec(&json).unwrap());
        let verification = verify(&genuine.signer(), genuine.root, &other, &evidence);
        rejected(&verification);
    }
}

#[test]
fn s166_a_genuine_bundle_of_another_identity_is_refused() {
    let other = WORKFLOW.signer_with("https://github.com/trailofbits/other/**", GITHUB);
    let verification = WORKFLOW.verify(&other, &WORKFLOW.json());
    assert_eq!(verification.refusal(), Some(Reason::VerifyIdentity));
    // It holds, and whose it is is told; it only is not the one that the rule names.
    assert_eq!(verification.verified().len(), 1);
    // A name in the bundle's place of another kind is another name.
    let as_uri = format!(
        "{{ identity: \"https://x/{}\", issuer: \"{}\" }}",
        COSIGN.identity, COSIGN.issuer
    );
    assert_eq!(
        COSIGN.verify(&as_uri, &COSIGN.json()).refusal(),
        Some(Reason::VerifyIdentity)
    );
}

#[test]
fn s167_a_genuine_bundle_of_another_issuer_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        let other = genuine.signer_with(genuine.identity, "https://accounts.google.com");
        let verification = genuine.verify(&other, &genuine.json());
        assert_eq!(verification.refusal(), Some(Reason::VerifyIdentity));
    }
}

#[test]
fn s168_patterns_of_a_rule_are_anchored_over_genuine_names() {
    let base = "https://github.com/trailofbits/rfc8785.py";
    for (pattern, fits) in [
        (
            format!("{base}/.github/workflows/release.yml@refs/tags/*"),
            true,
        ),
        (format!("{base}/**"), true),
        (
            format!("{base}/.github/workflows/release.yml@refs/heads/*"),
            false,
        ),
        (base.to_owned(), false),
        (format!("{base}-evil/**"), false),
        (
            "https://github.com/trailofbits/rfc8785/**".to_owned(),
            false,
        ),
        (
            format!("{base}/.github/workflows/Release.yml@refs/tags/*"),
            false,
        ),
    ] {
        let verification =
            WORKFLOW.verify(&WORKFLOW.signer_with(&pattern, GITHUB), &WORKFLOW.json());
        assert_eq!(verification.refusal().is_none(), fits, "{pattern}");
    }
}

#[test]
fn s171_a_bundle_without_its_log_entry_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        let (reason, why) =
            genuine.refused(|json| json["verificationMaterial"]["tlogEntries"] = json!([]));
        assert_eq!(reason, Reason::VerifySignature);
        assert!(why.contains("no entry of a transparency log"), "{why}");
        genuine.refused(|json| {
            json["verificationMaterial"]
                .as_object_mut()
                .unwrap()
                .remove("tlogEntries");
        });
    }
    let verification = verify(
        "",
        None,
        &sha256(b"x"),
        &bundle(data("bundle_no_log_entry.txt.sigstore")),
    );
    rejected(&verification);
}

#[test]
fn s171_a_log_entry_without_proof_or_with_a_wrong_one_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        genuine.refused(|json| {
            entry(json)
                .as_object_mut()
                .unwrap()
                .remove("inclusionProof");
        });
        genuine.refused(|json| {
            entry(json)["inclusionProof"]
                .as_object_mut()
                .unwrap()
                .remove("checkpoint");
        });
        genuine.refused(|json| spoil(&mut entry(json)["canonicalizedBody"]));
        genuine.refused(|json| {
            let hashes = entry(json)["inclusionProof"]["hashes"]
                .as_array_mut()
                .unwrap();
            if hashes.is_empty() {
                hashes.push(json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
            } else {
                hashes.pop();
            }
        });
        // The signed tree head: another root, and another signature.
        genuine.refused(|json| {
            let envelope = &mut entry(json)["inclusionProof"]["checkpoint"]["envelope"];
            let lines: Vec<&str> = envelope.as_str().unwrap().split('\n').collect();
            let mut root = json!(lines[2]);
            spoil(&mut root);
            let lines = [&lines[..2], &[root.as_str().unwrap()], &lines[3..]].concat();
            *envelope = json!(lines.join("\n"));
        });
        genuine.refused(|json| {
            let envelope = &mut entry(json)["inclusionProof"]["checkpoint"]["envelope"];
            let text = envelope.as_str().unwrap().to_owned();
            let mut signature = json!(text.trim_end().rsplit(' ').next().unwrap());
            let old = signature.as_str().unwrap().to_owned();
            spoil(&mut signature);
            *envelope = json!(text.replace(&old, signature.as_str().unwrap()));
        });
    }
    for genuine in [&COSIGN, &WORKFLOW] {
        genuine.refused(|json| spoil(&mut entry(json)["inclusionPromise"]["signedEntryTimestamp"]));
        // The promise names the log.
        genuine.refused(|json| spoil(&mut entry(json)["logId"]["keyId"]));
    }
    for name in [
        "bundle_no_checkpoint.txt.sigstore",
        "bundle_cve_2022_36056.txt.sigstore",
    ] {
        let json: Value = serde_json::from_slice(&data(name)).unwrap();
        use base64::Engine as _;
        let digest = json["messageSignature"]["messageDigest"]["digest"]
            .as_str()
            .unwrap();
        let digest = base64::engine::general_purpose::STANDARD
            .decode(digest)
            .unwrap();
        let digest = Digest::from_bytes(digest.try_into().unwrap());
        let verification = verify("", None, &digest, &bundle(data(name)));
        rejected(&verification);
    }
}

#[test]
fn s171_a_log_entry_of_another_signature_is_refused() {
    let donor = entry(&mut COSIGN.json()).clone();
    let (_, why) = WORKFLOW.refused(|json| *entry(json) = donor.clone());
    assert!(!why.is_empty());
    let donor = entry(&mut WORKFLOW.json()).clone();
    COSIGN.refused(|json| *entry(json) = donor.clone());
    // Beside its own it is refused as well.
    COSIGN.refused(|json| {
        json["verificationMaterial"]["tlogEntries"]
            .as_array_mut()
            .unwrap()
            .push(donor)
    });
}

#[test]
fn s171_a_log_that_the_root_does_not_name_is_refused() {
    // The staging instance's log, certificate authority and timestamp authority are unknown to the pinned root.
    let verification = verify("", None, &REKOR_2.manifest(), &bundle(data(REKOR_2.name)));
    rejected(&verification);
    let verification = verify(
        "",
        Some("staging.root.json"),
        &COSIGN.manifest(),
        &bundle(data(COSIGN.name)),
    );
    rejected(&verification);
}

#[test]
fn s173_without_a_trusted_time_nothing_is_accepted() {
    // Rekor v2 gives no time, so all hangs on the timestamp authority.
    let (reason, why) = REKOR_2.refused(|json| {
        json["verificationMaterial"]
            .as_object_mut()
            .unwrap()
            .remove("timestampVerificationData");
    });
    assert_eq!(reason, Reason::VerifySignature);
    assert!(why.contains("timestamp"), "{why}");
    let name = "bundle_v3_no_signed_time.txt.sigstore.json";
    let json: Value = serde_json::from_slice(&data(name)).unwrap();
    use base64::Engine as _;
    let digest = json["messageSignature"]["messageDigest"]["digest"]
        .as_str()
        .unwrap();
    let digest = base64::engine::general_purpose::STANDARD
        .decode(digest)
        .unwrap();
    let digest = Digest::from_bytes(digest.try_into().unwrap());
    let verification = verify("", None, &digest, &bundle(data(name)));
    assert!(
        rejected(&verification).1.contains("timestamp"),
        "{verification:?}"
    );
}

#[test]
fn s173_another_time_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW] {
        for seconds in [-86_400, -3_600, 3_600, 86_400 * 365 * 3] {
            let time = i64::try_from(genuine.time).unwrap() + seconds;
            genuine.refused(|json| entry(json)["integratedTime"] = json!(time.to_string()));
        }
    }
    // A timestamp that is genuine, of something else.
    let donor = REKOR_2.json()["verificationMaterial"]["timestampVerificationData"].clone();
    COSIGN.refused(|json| json["verificationMaterial"]["timestampVerificationData"] = donor);
    for genuine in [&COSIGN, &REKOR_2] {
        genuine.refused(|json| {
            let stamps =
                &mut json["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
            let token = &mut stamps[0]["signedTimestamp"];
            // The authority's signature is the end of it; certificates before it are signed by others.
            let end = token.as_str().unwrap().len() - 12;
            spoil_at(token, end);
        });
    }
}

#[test]
fn a_certificate_that_no_certificate_log_of_the_root_vouches_for_is_refused() {
    let json: Value = serde_json::from_slice(&data("other-ct-key.sigstore.json")).unwrap();
    use base64::Engine as _;
    let digest = json["messageSignature"]["messageDigest"]["digest"]
        .as_str()
        .unwrap();
    let digest = base64::engine::general_purpose::STANDARD
        .decode(digest)
        .unwrap();
    let digest = Digest::from_bytes(digest.try_into().unwrap());
    let evidence = bundle(data("other-ct-key.sigstore.json"));
    let verification = verify("", Some("other-ct-key.root.json"), &digest, &evidence);
    let (_, why) = rejected(&verification);
    assert!(
        why.to_lowercase().contains("certificate timestamp"),
        "{why}"
    );
}

#[test]
fn a_wrong_signature_or_certificate_is_refused() {
    for genuine in [&COSIGN, &WORKFLOW, &REKOR_2] {
        genuine.refused(|json| spoil(&mut json["messageSignature"]["signature"]));
        genuine.refused(|json| json["messageSignature"]["signature"] = json!(""));
        genuine.refused(|json| {
            let material = &mut json["verificationMaterial"];
            if material.get("certificate").is_some() {
                spoil(&mut material["certificate"]["rawBytes"]);
            } else {
                spoil(&mut material["x509CertificateChain"]["certificates"][0]["rawBytes"]);
            }
        });
        genuine.refused(|json| json["mediaType"] = json!("application/json"));
    }
    // Somebody else's certificate, with the name that is asked for.
    let donor =
        WORKFLOW.json()["verificationMaterial"]["x509CertificateChain"]["certificates"][0].clone();
    COSIGN.refused(|json| json["verificationMaterial"]["certificate"] = donor);
}

#[test]
fn s172_attestations_and_odd_envelopes_are_no_signatures() {
    for (name, part) in [
        (
            "conda-attestation.sigstore.json",
            "attestation, not a signature",
        ),
        ("dsse-2sigs.sigstore.json", "cannot be read"),
    ] {
        let verification = verify("", None, &sha256(b"x"), &bundle(data(name)));
        assert!(
            rejected(&verification).1.contains(part),
            "{name}: {verification:?}"
        );
    }
    // A certificate for another kind of name.
    let json: Value = serde_json::from_slice(&data("othername.sigstore.json")).unwrap();
    if let Some(digest) = json["messageSignature"]["messageDigest"]["digest"].as_str() {
        use base64::Engine as _;
        let digest = base64::engine::general_purpose::STANDARD
            .decode(digest)
            .unwrap();
        let digest = Digest::from_bytes(digest.try_into().unwrap());
        let verification = verify("", None, &digest, &bundle(data("othername.sigstore.json")));
        let (reason, why) = rejected(&verification);
        assert_eq!(reason, Reason::VerifyIdentity);
        assert!(why.contains("neither a URI nor an e-mail"), "{why}");
    }
}

#[test]
fn a_signature_of_a_managed_key_is_accepted_with_its_log_entry() {
    let manifest = sha256(&data("managed-key.txt"));
    let key = String::from_utf8(data("managed-key.pub")).unwrap();
    let check = |json: &Value| {
        let (_directory, home) = trusting("{ key: keys/managed.pub }");
        write_key(&home, "managed.pub", &key);
        let verifier = Verifier::load(&home, None).unwrap();
        verifier.verify(
            REPOSITORY,
            &manifest,
            &bundle(serde_json::to_vec(json).unwrap()),
        )
    };
    let json: Value = serde_json::from_slice(&data("managed-key.sigstore.json")).unwrap();
    let verification = check(&json);
    assert!(
        matches!(verification.verdict(), Verdict::Trusted { .. }),
        "{verification:?}"
    );
    assert!(verification.verified()[0].time.is_some());
    // The entry is not asked for; where there is one it has to be right.
    let mut other = json.clone();
    entry(&mut other)["integratedTime"] = json!("1700000000");
    rejected(&check(&other));
    let mut without = json;
    without["verificationMaterial"]
        .as_object_mut()
        .unwrap()
        .remove("tlogEntries");
    let verification = check(&without);
    assert!(
        matches!(verification.verdict(), Verdict::Trusted { .. }),
        "{verification:?}"
    );
    assert_eq!(verification.verified()[0].time, None);
}

#[test]
fn bundles_beyond_the_bounds_are_refused_before_they_cost_anything() {
    let (_, why) = COSIGN.refused(|json| {
        let one = entry(json).clone();
        json["verificationMaterial"]["tlogEntries"] = json!(vec![one; 9]);
    });
    assert!(why.contains("9 log entries"), "{why}");
    COSIGN.refused(|json| {
        let stamps =
            &mut json["verificationMaterial"]["timestampVerificationData"]["rfc3161Timestamps"];
        *stamps = json!(vec![stamps[0].clone(); 9]);
    });
    let manifest = COSIGN.manifest();
    for json in [
        vec![b' '; (1 << 20) + 1],
        format!("{{\"a\":{}", "[".repeat(500_000)).into_bytes(),
        format!(
            "{{\"dsseEnvelope\":{}{}}}",
            "[".repeat(200_000),
            "]".repeat(200_000)
        )
        .into_bytes(),
        b"\xff\xfe".to_vec(),
        Vec::new(),
        b"null".to_vec(),
        b"{}".to_vec(),
    ] {
        rejected(&verify("", None, &manifest, &bundle(json)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever is cut off or flipped: no panic, and nothing that is asked for is accepted but the very same statement.
    #[test]
    fn mutated_bytes_of_genuine_bundles_never_panic(
        which in 0_usize..3, at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>(),
    ) {
        let genuine = [&COSIGN, &WORKFLOW, &REKOR_2][which];
        let mut bytes = data(genuine.name);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        let verification = verify(&genuine.signer(), genuine.root, &genuine.manifest(), &bundle(bytes));
        // A flipped bit may hit what is not signed by anybody, such as a space; then the signer is the same.
        if let Some(signer) = verification.signer() {
            prop_assert!(signer.to_string().contains(genuine.identity));
        }
        prop_assert!(!(cut && verification.signer().is_some()) || at + 2 > data(genuine.name).len());
    }
}
