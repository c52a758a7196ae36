//! Pushing to a registry that is honest, lying or in the way, and attaching signatures there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_artifact::{
    FetchDeadlines, FetchRequest, LoginCheck, OciReference, PushContent, PushError, Pushed,
    Reference, RemoteError, SignatureItem, Sources, VerifiedArtifact, attach, check_login, fetch,
    push, sha256,
};
use casemate_policy::Digest;
use casemate_test_registry::{Auth, FixedLogin, INDEX, MANIFEST, Registry, Reply};
use serde_json::{Value, json};

const WASM: &[u8] = b"\0asm\x0d\0\x01\0";
const POLICY: &str = "version: \"1.0\"\npermissions: {}\n";
const WIT: &str = "/// Finds.\npackage acme:search;\n";

fn oci(text: &str) -> OciReference {
    match Reference::parse(text, "/".as_ref()).unwrap() {
        Reference::Oci(reference) => reference,
        other => panic!("{other:?}"),
    }
}

fn bare() -> PushContent {
    PushContent::new(
        VerifiedArtifact::from_memory(WASM.to_vec()),
        vec!["acme:search/find@1.0.0".to_owned()],
        vec!["wasi:io/poll@0.2.6".to_owned()],
    )
}

fn content() -> PushContent {
    let annotations = [
        ("org.opencontainers.image.version", "1.2.0"),
        ("org.opencontainers.image.title", "search"),
    ];
    bare()
        .with_policy(POLICY.to_owned())
        .with_wit(WIT.to_owned())
        .with_annotations(
            annotations
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        )
}

fn push_to(registry: &Registry, sources: &Sources) -> Result<Pushed, PushError> {
    push(
        sources,
        &oci(&registry.reference("acme/search:1")),
        &content(),
    )
}

fn remote(result: Result<impl std::fmt::Debug, PushError>) -> RemoteError {
    match result.unwrap_err() {
        PushError::Remote(error) => error,
        other => panic!("{other:?}"),
    }
}

/// Methods and paths, without the name of the repository.
fn asked(registry: &Registry) -> Vec<String> {
    let line = |request: &casemate_test_registry::Request| {
        let path = request.path().replace("/v2/acme/search/", "");
        let path = path
            .split_once("sha256:")
            .map_or(path.as_str(), |(before, _)| before);
        format!("{} {path}", request.method)
    };
    registry.seen().iter().map(line).collect()
}

fn wrote(registry: &Registry) -> bool {
    registry
        .seen()
        .iter()
        .any(|request| matches!(request.method.as_str(), "POST" | "PUT" | "PATCH"))
}

#[test]
fn what_is_pushed_is_pulled_again() {
    let registry = Registry::plain();
    let pushed = push_to(&registry, &registry.sources()).unwrap();
    assert_eq!((pushed.sent, pushed.present), (4, 0));
    assert_eq!(pushed.manifest, content().manifest_digest().unwrap());
    let reference = Reference::parse(&registry.reference("acme/search:1"), "/".as_ref()).unwrap();
    let fetched = fetch(&registry.sources(), FetchRequest::new(&reference)).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
    let package = fetched.package.unwrap();
    assert_eq!(*package.manifest(), pushed.manifest);
    assert_eq!(package.policy(), Some(POLICY));
    assert_eq!(package.wit(), Some(WIT));
    assert_eq!(
        package.annotations()["org.opencontainers.image.version"],
        "1.2.0"
    );
    assert_eq!(package.annotations().len(), 2);

    let manifest: Value = serde_json::from_slice(package.manifest_bytes()).unwrap();
    let config = registry.blob(
        "acme/search",
        manifest["config"]["digest"].as_str().unwrap(),
    );
    let config: Value = serde_json::from_slice(&config.unwrap()).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let digests: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    assert_eq!(
        config,
        json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": digests,
            "component": {
                "exports": ["acme:search/find@1.0.0"],
                "imports": ["wasi:io/poll@0.2.6"],
            },
        })
    );
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    let types: Vec<&Value> = layers.iter().map(|layer| &layer["mediaType"]).collect();
    assert_eq!(
        types,
        [
            "application/wasm",
            "application/vnd.wasm.policy.v1+yaml",
            "application/vnd.casemate.wit.v1+text"
        ]
    );
    // As in what `wkg` writes, the configuration says what it is.
    assert_eq!(manifest.get("artifactType"), None);
}

#[test]
fn the_same_content_is_the_same_manifest_and_is_sent_once() {
    let registry = Registry::plain();
    let first = push_to(&registry, &registry.sources()).unwrap();
    let before = registry.seen().len();
    let second = push_to(&registry, &registry.sources()).unwrap();
    assert_eq!(second.manifest, first.manifest);
    assert_eq!((second.sent, second.present, second.bytes), (0, 4, 0));
    assert_eq!(
        asked(&registry).split_off(before),
        [
            "HEAD blobs/",
            "HEAD blobs/",
            "HEAD blobs/",
            "HEAD blobs/",
            "PUT manifests/1"
        ]
    );
    // On every machine: a change of this digest is a change of what everybody has pushed and signed.
    assert_eq!(
        first.manifest.to_string(),
        "sha256:b8237d132b8e5d50f6f537cd848b821a17c5a49a12617bebcad929e466f2c14c"
    );
    let later = content().with_created("2026-11-22T00:00:00Z".to_owned());
    assert_ne!(later.manifest_digest().unwrap(), first.manifest);
}

#[test]
fn a_reference_with_a_digest_is_for_that_manifest() {
    let registry = Registry::plain();
    let digest = content().manifest_digest().unwrap();
    let pinned = oci(&registry.reference(&format!("acme/search@{digest}")));
    push(&registry.sources(), &pinned, &content()).unwrap();
    assert!(
        registry
            .manifest("acme/search", &digest.to_string())
            .is_some()
    );
    assert!(registry.tags("acme/search").is_empty());
    let before = registry.seen().len();
    let error = push(&registry.sources(), &pinned, &bare()).unwrap_err();
    assert!(matches!(error, PushError::OtherDigest { expected, .. } if expected == digest));
    assert_eq!(registry.seen().len(), before, "nothing was asked");
}

#[test]
fn what_could_not_be_pulled_again_is_not_sent() {
    let registry = Registry::plain();
    let many: BTreeMap<String, String> = (0..257)
        .map(|number| (number.to_string(), String::new()))
        .collect();
    let long = BTreeMap::from([("key".to_owned(), "x".repeat(65536))]);
    for content in [
        bare().with_policy("x".repeat(64 * 1024 + 1)),
        bare().with_wit("x".repeat(1024 * 1024 + 1)),
        bare().with_annotations(many),
        bare().with_annotations(long),
        bare().with_annotations(BTreeMap::from([(String::new(), String::new())])),
    ] {
        let error = push(
            &registry.sources(),
            &oci(&registry.reference("a/b:1")),
            &content,
        );
        assert!(matches!(error, Err(PushError::Content(_))));
    }
    assert!(registry.seen().is_empty());
}

#[test]
fn a_login_is_shown_where_it_is_asked_for() {
    let bearer = |login| Auth::Bearer { realm: None, login };
    let pair = Some(("me".to_owned(), "right".to_owned()));
    for auth in [
        Auth::Basic {
            user: "me".to_owned(),
            secret: "right".to_owned(),
        },
        bearer(pair),
    ] {
        let registry = Registry::plain();
        registry.set_auth(auth);
        let with =
            |login| registry.sources_with(registry.connector(), login, FetchDeadlines::default());
        let host: casemate_artifact::Registry = registry.host().parse().unwrap();
        let nobody = with(FixedLogin::none());
        let wrong = with(FixedLogin::basic("me", "hunter2"));
        let right = with(FixedLogin::basic("me", "right"));
        for (sources, logged_in) in [(&nobody, false), (&wrong, true)] {
            for error in [
                remote(push_to(&registry, sources)),
                check_login(sources, &host).unwrap_err(),
            ] {
                assert!(
                    matches!(&error, RemoteError::Unauthorized { logged_in: said, .. } if *said == logged_in),
                    "{error:?}"
                );
                assert!(error.hint().unwrap().contains("casemate login 127.0.0.1:"));
                assert!(!format!("{error} {error:?}").contains("hunter2"));
            }
        }
        assert!(registry.tags("acme/search").is_empty());
        assert_eq!(check_login(&right, &host).unwrap(), LoginCheck::Accepted);
        push_to(&registry, &right).unwrap();
    }
    let open = Registry::plain();
    let host = open.host().parse().unwrap();
    assert_eq!(
        check_login(&open.sources(), &host).unwrap(),
        LoginCheck::NotAsked
    );
}

#[test]
fn s175_a_registry_that_lies_about_a_digest_is_not_believed() {
    let lie = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for (method, end, status) in [
        ("HEAD", "blobs/", 200),
        ("PUT", "blobs/uploads/", 201),
        ("PUT", "manifests/", 201),
    ] {
        let registry = Registry::plain();
        registry.answer_with(move |request| {
            let fits = request.method == method && request.path().contains(end);
            // A HEAD that says the right size, so that it would be taken for the blob.
            fits.then(|| Reply::new(status, WASM).with("Docker-Content-Digest", lie))
        });
        let error = remote(push_to(&registry, &registry.sources()));
        assert!(
            matches!(error, RemoteError::LyingHeader { .. }),
            "{method} {end}: {error:?}"
        );
        assert!(error.is_verification());
    }
    // What is no digest at all is no answer either.
    let registry = Registry::plain();
    registry.answer_with(|request| {
        (request.method == "PUT" && request.path().contains("manifests/"))
            .then(|| Reply::new(201, "").with("Docker-Content-Digest", "sha256:abc"))
    });
    let error = remote(push_to(&registry, &registry.sources()));
    assert!(matches!(error, RemoteError::Http { .. }), "{error:?}");
}

#[test]
fn an_upload_goes_to_the_registrys_own_origin_only() {
    let other = Registry::plain();
    let elsewhere = [
        format!("http://{}/v2/acme/search/blobs/uploads/1", other.host()),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://uploads.example/1".to_owned(),
        "//uploads.example/1".to_owned(),
        "ftp://127.0.0.1/1".to_owned(),
        "http://user:password@127.0.0.1:1/".to_owned(),
        "http://[".to_owned(),
    ];
    for location in elsewhere {
        let registry = Registry::plain();
        let reply = Reply::new(202, "").with("Location", &location);
        registry.answer_at("/blobs/uploads/", reply);
        let connector = registry.connector();
        let sources = registry.sources_with(
            connector.clone(),
            FixedLogin::basic("me", "hunter2"),
            FetchDeadlines::default(),
        );
        let error = remote(push_to(&registry, &sources));
        assert!(
            matches!(error, RemoteError::Redirect { .. }),
            "{location}: {error:?}"
        );
        for (place, _) in connector.places() {
            assert_eq!(place.port, registry.port(), "{location}");
        }
    }
    assert!(other.seen().is_empty());
    let registry = Registry::plain();
    registry.answer_at("/blobs/uploads/", Reply::new(202, ""));
    let error = remote(push_to(&registry, &registry.sources()));
    assert!(
        matches!(error, RemoteError::Redirect { .. }),
        "no Location: {error:?}"
    );
    // Nor does the upload itself follow anybody.
    let registry = Registry::plain();
    let target = format!("http://{}/", other.host());
    registry.answer_with(move |request| {
        (request.method == "PUT").then(|| Reply::redirect(307, &target))
    });
    let error = remote(push_to(&registry, &registry.sources()));
    assert!(matches!(error, RemoteError::Redirect { .. }), "{error:?}");
    assert!(other.seen().is_empty());
}

#[test]
fn a_location_may_be_relative_or_absolute_and_have_a_query() {
    for absolute in [false, true] {
        let registry = Registry::plain();
        let host = registry.host();
        let puts = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&puts);
        registry.answer_with(move |request| {
            let mut puts = seen.lock().unwrap();
            if request.path().ends_with("/blobs/uploads/") {
                let path = "/elsewhere/upload?_state=a%2Fb&n=1#part";
                let location = match absolute {
                    true => format!("http://{host}{path}"),
                    false => path.to_owned(),
                };
                return Some(Reply::new(202, "").with("Location", &location));
            }
            if request.path() == "/elsewhere/upload" {
                puts.push((request.target.clone(), request.body.clone()));
                return Some(Reply::new(201, ""));
            }
            request
                .path()
                .contains("/manifests/")
                .then(|| Reply::new(201, ""))
        });
        push_to(&registry, &registry.sources()).unwrap();
        let puts = puts.lock().unwrap();
        assert_eq!(puts.len(), 4);
        for (target, body) in puts.iter() {
            let digest = sha256(body).to_string().replace(':', "%3A");
            let expected = format!("/elsewhere/upload?_state=a%2Fb&n=1&digest={digest}");
            assert_eq!(*target, expected);
        }
    }
}

#[test]
fn a_registry_that_says_no_is_quoted_by_its_code_alone() {
    let secret = "<b>internal.example 10.0.0.1</b>";
    for (method, part, status, body) in [
        (
            "POST",
            "uploads",
            403,
            json!({"errors": [{"code": "DENIED", "message": secret}]}),
        ),
        ("PUT", "manifests", 413, json!(secret)),
        ("PUT", "uploads", 500, json!({"errors": [{"code": secret}]})),
        ("POST", "uploads", 200, json!({})),
        ("PUT", "manifests", 202, json!({})),
    ] {
        let registry = Registry::plain();
        registry.answer_with(move |request| {
            let fits = request.method == method && request.path().contains(part);
            fits.then(|| Reply::new(status, body.to_string()))
        });
        let error = remote(push_to(&registry, &registry.sources()));
        assert!(
            matches!(&error, RemoteError::Status { status: said, .. } if *said == status),
            "{error:?}"
        );
        let shown = format!("{error} {error:?} {:?}", error.hint());
        assert!(!shown.contains("internal"), "{shown}");
        assert!(registry.resolve("acme/search", "1").is_none());
    }
}

#[test]
fn without_a_network_nothing_is_pushed() {
    let error = push(
        &Sources::files_only(),
        &oci("oci://ghcr.io/a/b:1"),
        &content(),
    );
    assert!(matches!(remote(error), RemoteError::NoNetwork));
}

fn bundle(number: u8) -> SignatureItem {
    let statement = json!({
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "number": number,
    });
    let json = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "dsseEnvelope": { "payload": STANDARD.encode(statement.to_string()) },
    });
    SignatureItem::Bundle {
        json: json.to_string().into_bytes(),
    }
}

fn legacy(number: u8) -> SignatureItem {
    SignatureItem::Legacy {
        payload: b"{\"critical\":{}}".to_vec(),
        signature: vec![number; 70],
        certificate: None,
        chain: None,
        bundle: (number == 9).then(|| "{}".to_owned()),
    }
}

/// The signatures that a pull finds.
fn found(registry: &Registry, manifest: &Digest) -> Vec<SignatureItem> {
    let text = registry.reference(&format!("acme/search@{manifest}"));
    let reference = Reference::parse(&text, "/".as_ref()).unwrap();
    let fetched = fetch(&registry.sources(), FetchRequest::new(&reference)).unwrap();
    let package = fetched.package.unwrap();
    assert!(
        package.evidence().unusable().is_empty(),
        "{:?}",
        package.evidence()
    );
    package.evidence().items().to_vec()
}

fn attach_to(
    registry: &Registry,
    manifest: &Digest,
    items: &[SignatureItem],
) -> Result<casemate_artifact::Attached, PushError> {
    let reference = oci(&registry.reference("acme/search:1"));
    attach(&registry.sources(), &reference, manifest, items)
}

#[test]
fn signatures_are_attached_where_a_pull_finds_them() {
    for referrers in [true, false] {
        let registry = Registry::plain();
        registry.set_referrers(referrers);
        let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
        let both = [legacy(1), bundle(1)];
        let attached = attach_to(&registry, &manifest, &both).unwrap();
        assert_eq!(attached.listed_by_registry, referrers);
        assert_eq!(attached.referrers.len(), 1);
        assert_eq!(found(&registry, &manifest), both);
        // Others add theirs, and nobody's is lost or there twice.
        attach_to(&registry, &manifest, &[legacy(9), bundle(2)]).unwrap();
        attach_to(&registry, &manifest, &both).unwrap();
        let all = found(&registry, &manifest);
        assert_eq!(all.len(), 4, "{all:?}");
        for item in [legacy(1), legacy(9), bundle(1), bundle(2)] {
            assert!(all.contains(&item), "{item:?}");
        }
        let hex = manifest.hex();
        let fallback = format!("sha256-{hex}");
        let mut tags = vec!["1".to_owned(), format!("sha256-{hex}.sig")];
        if !referrers {
            tags.push(fallback.clone());
        }
        tags.sort();
        assert_eq!(registry.tags("acme/search"), tags);
        if !referrers {
            let index: Value =
                serde_json::from_slice(&registry.manifest("acme/search", &fallback).unwrap())
                    .unwrap();
            assert_eq!(index["mediaType"], INDEX);
            let entries = index["manifests"].as_array().unwrap();
            assert_eq!(entries.len(), 2);
            for entry in entries {
                assert_eq!(
                    entry["artifactType"],
                    "application/vnd.dev.sigstore.bundle.v0.3+json"
                );
                assert_eq!(
                    entry["annotations"],
                    json!({
                        "dev.sigstore.bundle.content": "dsse-envelope",
                        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
                    })
                );
            }
        }
        let referrer = registry
            .manifest("acme/search", &attached.referrers[0].to_string())
            .unwrap();
        let referrer: Value = serde_json::from_slice(&referrer).unwrap();
        let size = registry.manifest("acme/search", "1").unwrap().len();
        assert_eq!(
            referrer["subject"],
            json!({"mediaType": MANIFEST, "digest": manifest.to_string(), "size": size})
        );
        assert_eq!(
            referrer["config"]["mediaType"],
            "application/vnd.oci.empty.v1+json"
        );
    }
}

#[test]
fn what_others_keep_under_the_tags_stays() {
    let registry = Registry::plain();
    registry.set_referrers(false);
    let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
    let fallback = format!("sha256-{}", manifest.hex());
    let entry = json!({
        "mediaType": MANIFEST, "digest": format!("sha256:{}", "a".repeat(64)), "size": 5,
        "artifactType": "application/spdx+json", "x-own": {"kept": true},
    });
    registry.put_json(
        "acme/search",
        Some(&fallback),
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry], "annotations": {"a": "b"}}),
    );
    attach_to(&registry, &manifest, &[bundle(1)]).unwrap();
    let index: Value =
        serde_json::from_slice(&registry.manifest("acme/search", &fallback).unwrap()).unwrap();
    assert_eq!(index["manifests"][0], entry);
    assert_eq!(index["annotations"], json!({"a": "b"}));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_no_list_of_signatures_is_left_alone() {
    for (tag, in_the_way) in [
        (
            "",
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": "x", "digest": "sha256:x", "size": 1}, "layers": []}),
        ),
        (
            "",
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": {}}),
        ),
        ("", json!("text")),
        (
            ".sig",
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}),
        ),
        (".sig", json!([1])),
    ] {
        let registry = Registry::plain();
        registry.set_referrers(false);
        let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
        let tag = format!("sha256-{}{tag}", manifest.hex());
        let before = registry.put_json("acme/search", Some(&tag), &in_the_way);
        let item = if tag.ends_with(".sig") {
            legacy(1)
        } else {
            bundle(1)
        };
        let error = attach_to(&registry, &manifest, &[item]).unwrap_err();
        assert!(
            matches!(error, PushError::InTheWay { .. }),
            "{in_the_way}: {error:?}"
        );
        assert_eq!(registry.resolve("acme/search", &tag), Some(before));
    }
}

#[test]
fn no_more_signatures_are_added_than_are_looked_at() {
    let registry = Registry::plain();
    let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
    let sixteen: Vec<SignatureItem> = (0..16).map(legacy).collect();
    attach_to(&registry, &manifest, &sixteen).unwrap();
    let error = attach_to(&registry, &manifest, &[legacy(200)]).unwrap_err();
    assert!(matches!(error, PushError::Content(_)), "{error:?}");
    assert_eq!(found(&registry, &manifest).len(), 16);
}

#[test]
fn s175_a_signature_is_attached_to_bytes_that_hash_to_the_digest() {
    let registry = Registry::plain();
    let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
    let other = bare().manifest_digest().unwrap();
    let error = remote(attach_to(&registry, &other, &[bundle(1)]));
    assert!(matches!(error, RemoteError::NotFound { .. }), "{error:?}");
    let bytes = registry.manifest("acme/search", "1").unwrap();
    registry.answer_at(
        format!("/manifests/{manifest}"),
        Reply::new(200, [bytes, b" ".to_vec()].concat()).with("Content-Type", MANIFEST),
    );
    let before = registry.seen().len();
    let error = remote(attach_to(&registry, &manifest, &[legacy(1), bundle(1)]));
    assert!(matches!(error, RemoteError::Digest { .. }), "{error:?}");
    assert!(registry.seen().len() > before);
    assert!(
        !registry.seen()[before..]
            .iter()
            .any(|request| request.method != "GET")
    );
    assert!(wrote(&registry), "by the push");
    assert_eq!(registry.tags("acme/search"), ["1"]);
    let text = SignatureItem::Bundle {
        json: b"{\"mediaType\":\"text/plain\"}".to_vec(),
    };
    let registry = Registry::plain();
    let manifest = push_to(&registry, &registry.sources()).unwrap().manifest;
    let error = attach_to(&registry, &manifest, &[text]).unwrap_err();
    assert!(matches!(error, PushError::Content(_)), "{error:?}");
}
