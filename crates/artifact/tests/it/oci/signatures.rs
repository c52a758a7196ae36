//! What claims to sign a manifest is found, as it came, and what cannot be had is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_artifact::{Evidence, MAX_SIGNATURES, RemoteError, SignatureItem};
use casemate_test_registry::{INDEX, MANIFEST, Registry, Reply};
use serde_json::{Value, json};

use super::{pull_tool, with_tool};

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn evidence(registry: &Registry) -> Evidence {
    let package = pull_tool(registry).unwrap().package.unwrap();
    let evidence = package.evidence().clone();
    // It survives being kept.
    let kept = evidence.to_json().unwrap();
    assert_eq!(Evidence::from_json(&kept).unwrap(), evidence);
    evidence
}

/// The tag that stands for the manifest of `acme/tool:1`, with this ending.
fn tag(registry: &Registry, ending: &str) -> String {
    let digest = registry.resolve("acme/tool", "1").unwrap();
    format!("{}{ending}", digest.replace(':', "-"))
}

/// A layer of cosign's tag.
fn signed(registry: &Registry, payload: &[u8], signature: &str) -> Value {
    let mut layer = registry.layer("acme/tool", PAYLOAD, payload);
    layer["annotations"] = json!({
        "dev.cosignproject.cosign/signature": signature,
        "dev.sigstore.cosign/certificate": "",
        "dev.sigstore.cosign/bundle": "{}",
    });
    layer
}

/// A manifest with a bundle that refers to `subject`.
fn referrer(registry: &Registry, bundle: &[u8], subject: &str) -> Value {
    let layer = registry.layer("acme/tool", BUNDLE, bundle);
    let mut manifest = registry.image("acme/tool", vec![layer]);
    manifest["artifactType"] = json!(BUNDLE);
    manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": subject, "size": 1 });
    manifest
}

#[test]
fn signatures_under_the_tag_of_cosign_are_found() {
    let registry = with_tool();
    let text = STANDARD.encode(b"a signature");
    let layers = vec![
        signed(&registry, b"{}", &text),
        signed(&registry, b"[]", &text),
    ];
    let image = registry.image("acme/tool", layers);
    registry.put_json("acme/tool", Some(&tag(&registry, ".sig")), &image);
    let found = evidence(&registry);
    let item = |payload: &[u8]| SignatureItem::Legacy {
        payload: payload.to_vec(),
        signature: b"a signature".to_vec(),
        certificate: None,
        chain: None,
        bundle: Some("{}".to_owned()),
    };
    assert_eq!(found.items(), [item(b"{}"), item(b"[]")]);
    assert_eq!(found.unusable(), []);
}

#[test]
fn bundles_are_found_by_referrers_and_by_the_tag_that_stands_in() {
    for known in [true, false] {
        let registry = with_tool();
        registry.set_referrers(known);
        let subject = registry.resolve("acme/tool", "1").unwrap();
        let manifest = referrer(&registry, b"{\"a\": 1}", &subject);
        let digest = registry.put_json("acme/tool", None, &manifest);
        // Something else that refers to it is none of our business.
        let mut sbom = registry.image("acme/tool", vec![]);
        sbom["artifactType"] = json!("application/spdx+json");
        sbom["subject"] = manifest["subject"].clone();
        let other = registry.put_json("acme/tool", None, &sbom);
        if !known {
            let entry = |digest: &str, artifact_type: &str| {
                json!({
                    "mediaType": MANIFEST, "digest": digest, "size": 1, "artifactType": artifact_type,
                })
            };
            let entries = json!([
                entry(&digest, BUNDLE),
                entry(&other, "application/spdx+json")
            ]);
            let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
            registry.put_json("acme/tool", Some(&tag(&registry, "")), &index);
        }
        let found = evidence(&registry);
        let json = b"{\"a\": 1}".to_vec();
        assert_eq!(found.items(), [SignatureItem::Bundle { json }], "{known}");
        assert_eq!(found.unusable(), []);
        let asked = |own: &str| {
            registry
                .seen()
                .iter()
                .any(|request| request.target.ends_with(own))
        };
        assert!(!asked(&other));
        assert_eq!(asked(&tag(&registry, "")), !known);
    }
}

#[test]
fn what_is_named_and_cannot_be_had_is_told() {
    let subject_of = |registry: &Registry| registry.resolve("acme/tool", "1").unwrap();
    type Breaks<'a> = (&'a str, &'a dyn Fn(&Registry), &'a str);
    let cases: [Breaks<'_>; 7] = [
        (
            "a missing referrer",
            &|registry| {
                registry.set_referrers(false);
                let missing = format!("sha256:{}", "1".repeat(64));
                let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
                    { "mediaType": MANIFEST, "digest": missing, "size": 1, "artifactType": BUNDLE },
                ] });
                registry.put_json("acme/tool", Some(&tag(registry, "")), &index);
            },
            "has no manifest",
        ),
        (
            "a referrer of something else",
            &|registry| {
                registry.set_referrers(false);
                let other = format!("sha256:{}", "2".repeat(64));
                let manifest = referrer(registry, b"{}", &other);
                let digest = registry.put_json("acme/tool", None, &manifest);
                let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
                    { "mediaType": MANIFEST, "digest": digest, "size": 1 },
                ] });
                registry.put_json("acme/tool", Some(&tag(registry, "")), &index);
            },
            "refers to something else",
        ),
        (
            "a bundle that is too large",
            &|registry| {
                let mut manifest = referrer(registry, b"{}", &subject_of(registry));
                manifest["layers"][0]["size"] = json!(1 << 30);
                registry.put_json("acme/tool", None, &manifest);
            },
            "more than 1048576 bytes",
        ),
        (
            "a payload of another digest",
            &|registry| {
                let mut layer = signed(registry, b"{}", "AAAA");
                let other = registry.put_blob("acme/tool", b"[]");
                let reply = Reply::new(200, "{}");
                registry.answer_at(other.clone(), reply);
                layer["digest"] = json!(other);
                let image = registry.image("acme/tool", vec![layer]);
                registry.put_json("acme/tool", Some(&tag(registry, ".sig")), &image);
            },
            "hashes to",
        ),
        (
            "no signature in it",
            &|registry| {
                let layer = registry.layer("acme/tool", PAYLOAD, b"{}");
                let image = registry.image("acme/tool", vec![layer]);
                registry.put_json("acme/tool", Some(&tag(registry, ".sig")), &image);
            },
            "no signature annotation",
        ),
        (
            "a signature that is none",
            &|registry| {
                let layer = signed(registry, b"{}", "not base64!");
                let image = registry.image("acme/tool", vec![layer]);
                registry.put_json("acme/tool", Some(&tag(registry, ".sig")), &image);
            },
            "not base64",
        ),
        (
            "no manifest at all",
            &|registry| {
                let tag = tag(registry, ".sig");
                registry.put_manifest("acme/tool", Some(&tag), MANIFEST, b"<html>");
            },
            "cannot be read",
        ),
    ];
    for (what, breaks, why) in cases {
        let registry = with_tool();
        breaks(&registry);
        let found = evidence(&registry);
        assert_eq!(found.items(), [], "{what}");
        let [unusable] = found.unusable() else {
            panic!("{what}: {found:?}");
        };
        assert!(unusable.why.contains(why), "{what}: {unusable:?}");
    }
}

#[test]
fn more_signatures_than_are_looked_at_are_told() {
    let registry = with_tool();
    let layers = (0..20)
        .map(|index| signed(&registry, format!("{index}").as_bytes(), "AAAA"))
        .collect();
    let image = registry.image("acme/tool", layers);
    registry.put_json("acme/tool", Some(&tag(&registry, ".sig")), &image);
    let subject = registry.resolve("acme/tool", "1").unwrap();
    for index in 0..20 {
        let bundle = format!("{{\"n\": {index}}}");
        let manifest = referrer(&registry, bundle.as_bytes(), &subject);
        registry.put_json("acme/tool", None, &manifest);
    }
    let found = evidence(&registry);
    assert_eq!(found.items().len(), 2 * MAX_SIGNATURES);
    assert_eq!(found.unusable().len(), 2);
    assert!(found.unusable()[0].why.contains("16"));
}

#[test]
fn a_registry_that_does_not_say_whether_there_are_signatures_ends_the_pull() {
    for at in [".sig", "/referrers/"] {
        let registry = with_tool();
        registry.answer_with(move |request| {
            request
                .path()
                .contains(at)
                .then(|| Reply::new(503, "later"))
        });
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(error, RemoteError::Status { status: 503, .. }),
            "{at}: {error}"
        );
    }
}
