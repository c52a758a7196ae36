//! What a tag leads to: manifests and indexes, layers, and who says what their digest is.

use casemate_artifact::{FetchRequest, ManifestError, RemoteError, WIT_MEDIA_TYPE, fetch, sha256};
use casemate_test_registry::{INDEX, MANIFEST, Registry, Reply, WASM as WASM_TYPE, digest};
use serde_json::{Value, json};

use super::{WASM, pull, pull_tool, reference, with_tool};

/// Another component.
const OTHER: &[u8] = b"\0asm\x0d\0\x01\0\0\x02\x01x";

/// What pulling a manifest that is answered for `acme/tool:1` fails with.
fn manifest_error(registry: &Registry) -> ManifestError {
    match pull_tool(registry).unwrap_err() {
        RemoteError::Manifest(error) => error,
        other => panic!("{other}"),
    }
}

/// A manifest's digest and bytes.
fn kept(registry: &Registry, image: &Value) -> (String, Vec<u8>) {
    let digest = registry.put_json("acme/tool", None, image);
    let bytes = registry.manifest("acme/tool", &digest).unwrap();
    (digest, bytes)
}

#[test]
fn a_component_is_pulled_with_what_came_along() {
    let registry = Registry::plain();
    let mut image = registry.image(
        "acme/tool",
        vec![
            registry.layer("acme/tool", "text/plain", b"never fetched"),
            registry.layer("acme/tool", "application/vnd.wasm.component.v1+wasm", WASM),
            registry.layer(
                "acme/tool",
                "application/vnd.wasm.policy.v1+yaml",
                b"version: \"1.0\"",
            ),
            registry.layer("acme/tool", WIT_MEDIA_TYPE, b"package a:b;"),
        ],
    );
    image["annotations"] = json!({ "org.opencontainers.image.version": "1.2.3" });
    let manifest = registry.put_json("acme/tool", Some("1"), &image);
    let fetched = pull_tool(&registry).unwrap();
    let text = registry.reference("acme/tool:1");
    assert_eq!(fetched.artifact.bytes(), WASM);
    assert_eq!(*fetched.artifact.digest(), sha256(WASM));
    assert_eq!(fetched.artifact.identity().source(), text);
    let package = fetched.package.unwrap();
    assert_eq!(package.manifest().to_string(), manifest);
    assert_eq!(sha256(package.manifest_bytes()), *package.manifest());
    assert_eq!(package.policy(), Some("version: \"1.0\""));
    assert_eq!(package.wit(), Some("package a:b;"));
    assert_eq!(
        package
            .annotations()
            .get("org.opencontainers.image.version"),
        Some(&"1.2.3".to_owned())
    );
    assert!(package.evidence().is_empty());
    // A layer that nobody asked for, and the configuration, stay where they are.
    let unwanted = [
        digest(b"never fetched"),
        image["config"]["digest"].to_string(),
    ];
    for request in registry.seen() {
        assert!(
            !unwanted
                .iter()
                .any(|own| request.target.contains(own.trim_matches('"')))
        );
    }
}

#[test]
fn s174_after_a_tag_was_resolved_everything_goes_by_digest() {
    let registry = with_tool();
    let first = registry.resolve("acme/tool", "1").unwrap();
    let other = registry.image(
        "acme/tool",
        vec![registry.layer("acme/tool", WASM_TYPE, OTHER)],
    );
    let (second, bytes) = kept(&registry, &other);
    let mut asked = 0;
    registry.answer_with(move |request| {
        if !request.path().ends_with("/manifests/1") {
            return None;
        }
        asked += 1;
        // From the second request on the tag is another artifact.
        (asked > 1).then(|| Reply::new(200, bytes.clone()).with("Content-Type", MANIFEST))
    });
    let fetched = pull_tool(&registry).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
    assert_eq!(fetched.package.unwrap().manifest().to_string(), first);
    let by_tag =
        |request: &&casemate_test_registry::Request| request.path().ends_with("/manifests/1");
    assert_eq!(registry.seen().iter().filter(by_tag).count(), 1);

    // Now it has moved for everybody, and who has pinned it gets what was pinned.
    let moved = pull_tool(&registry).unwrap();
    assert_eq!(moved.artifact.bytes(), OTHER);
    assert_eq!(moved.package.unwrap().manifest().to_string(), second);
    let tag = reference(&registry.reference("acme/tool:1"));
    let pinned = FetchRequest {
        manifest: Some(first.parse().unwrap()),
        ..FetchRequest::new(&tag)
    };
    let fetched = fetch(&registry.sources(), pinned).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
    let text = registry.reference(&format!("acme/tool:1@{first}"));
    let fetched = pull(&registry.sources(), &text).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
    assert_eq!(fetched.artifact.identity().source(), text);
}

#[test]
fn s175_the_digest_is_of_the_bytes_and_a_header_that_lies_is_named() {
    let registry = with_tool();
    let honest = registry.resolve("acme/tool", "1").unwrap();
    let bytes = registry.manifest("acme/tool", "1").unwrap();
    let lie = digest(b"something else");
    let lying = Reply::new(200, bytes.clone())
        .with("Content-Type", MANIFEST)
        .with("Docker-Content-Digest", &lie);
    registry.answer_at("/manifests/1", lying);
    let error = pull_tool(&registry).unwrap_err();
    assert!(
        matches!(&error, RemoteError::LyingHeader { stated, found, .. }
            if stated.to_string() == lie && found.to_string() == honest),
        "{error}"
    );
    assert!(error.is_verification() && error.hint().is_some());

    // The same of a layer.
    let registry = with_tool();
    let layer = Reply::new(200, WASM).with("Docker-Content-Digest", &lie);
    registry.answer_at(digest(WASM), layer);
    let error = pull_tool(&registry).unwrap_err();
    assert!(matches!(&error, RemoteError::LyingHeader { .. }), "{error}");

    // Other white space is another manifest.
    let registry = with_tool();
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    let reply = Reply::new(200, pretty.clone())
        .with("Content-Type", MANIFEST)
        .with("Docker-Content-Digest", &honest);
    registry.answer_at(format!("/manifests/{honest}"), reply);
    let text = registry.reference(&format!("acme/tool@{honest}"));
    let error = pull(&registry.sources(), &text).unwrap_err();
    assert!(
        matches!(&error, RemoteError::Digest { expected, found, .. }
            if expected.to_string() == honest && found.to_string() == digest(&pretty)),
        "{error}"
    );
    // What a registry says without a body is never asked for.
    assert!(
        registry
            .seen()
            .iter()
            .all(|request| request.method == "GET")
    );

    // The digest of another algorithm is no lie.
    let registry = with_tool();
    let sha512 = format!("sha512:{}", "0".repeat(128));
    let reply = Reply::new(200, bytes)
        .with("Content-Type", MANIFEST)
        .with("Docker-Content-Digest", &sha512);
    registry.answer_at("/manifests/1", reply);
    assert!(pull_tool(&registry).is_ok());
}

#[test]
fn s177_manifests_without_exactly_one_component_are_typed_errors() {
    let registry = Registry::plain();
    let wasm = registry.layer("acme/tool", WASM_TYPE, WASM);
    let other = registry.layer("acme/tool", "application/vnd.wasm.component.v1", OTHER);
    let text = registry.layer("acme/tool", "text/plain", b"x");
    let tar = registry.layer(
        "acme/tool",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        b"x",
    );
    let empty = registry.layer("acme/tool", WASM_TYPE, b"");
    let policy = registry.layer("acme/tool", "application/vnd.wasm.policy.v1+yaml", b"a: 1");
    let binary = registry.layer("acme/tool", "application/vnd.wasm.policy.v1+yaml", b"\xff");
    let image =
        |layers: Vec<&Value>| registry.image("acme/tool", layers.into_iter().cloned().collect());
    let mut no_config = image(vec![&wasm]);
    no_config.as_object_mut().unwrap().remove("config");
    let mut null_layers = image(vec![]);
    null_layers["layers"] = Value::Null;
    let mut sha512 = image(vec![&wasm]);
    sha512["layers"][0]["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
    let mut path = image(vec![&wasm]);
    path["layers"][0]["digest"] = json!("sha256:../../../etc/passwd");
    let mut both = image(vec![&wasm]);
    both["manifests"] = json!([wasm]);
    let mut version_1 = image(vec![&wasm]);
    version_1["schemaVersion"] = json!(1);
    let mut unknown = image(vec![&wasm]);
    unknown["mediaType"] = json!("application/vnd.oci.artifact.manifest.v1+json");
    let mut negative = image(vec![&wasm]);
    negative["layers"][0]["size"] = json!(-1);
    let ambiguous = |error: &ManifestError| matches!(error, ManifestError::Ambiguous(_));
    let unreadable = |error: &ManifestError| matches!(error, ManifestError::Json { .. });
    type Expected<'a> = &'a dyn Fn(&ManifestError) -> bool;
    let is = |own: ManifestError| move |error: &ManifestError| *error == own;
    let table: [(&str, &Value, Expected<'_>); 15] = [
        ("no layers", &image(vec![]), &is(ManifestError::NoWasm(0))),
        ("null layers", &null_layers, &is(ManifestError::NoWasm(0))),
        (
            "other layers",
            &image(vec![&text, &tar]),
            &is(ManifestError::NoWasm(2)),
        ),
        (
            "two",
            &image(vec![&wasm, &text, &other]),
            &is(ManifestError::SeveralWasm(2)),
        ),
        (
            "the same twice",
            &image(vec![&wasm, &wasm]),
            &is(ManifestError::SeveralWasm(2)),
        ),
        ("no bytes", &image(vec![&empty]), &is(ManifestError::Empty)),
        (
            "two policies",
            &image(vec![&wasm, &policy, &policy]),
            &is(ManifestError::Several("policy")),
        ),
        (
            "binary policy",
            &image(vec![&wasm, &binary]),
            &is(ManifestError::NotText("policy")),
        ),
        ("no config", &no_config, &is(ManifestError::NoConfig)),
        ("sha512", &sha512, &is(ManifestError::Digest("layer"))),
        ("a path", &path, &is(ManifestError::Digest("layer"))),
        ("image and index", &both, &ambiguous),
        ("version 1", &version_1, &is(ManifestError::Kind)),
        ("unknown kind", &unknown, &is(ManifestError::Kind)),
        ("negative", &negative, &unreadable),
    ];
    for (what, manifest, expected) in table {
        registry.put_json("acme/tool", Some("1"), manifest);
        let error = manifest_error(&registry);
        assert!(expected(&error), "{what}: {error:?}");
    }
    // What it says of itself and what the registry says of it differ.
    let bytes = serde_json::to_vec(&image(vec![&wasm])).unwrap();
    registry.put_manifest("acme/tool", Some("1"), INDEX, &bytes);
    assert!(ambiguous(&manifest_error(&registry)));
    for (what, text) in [
        ("nothing", ""),
        ("no JSON", "<html>"),
        ("a list", "[]"),
        ("half of one", "{\"schemaVersion\": 2,"),
        (
            "a key twice",
            "{\"schemaVersion\": 2, \"schemaVersion\": 2}",
        ),
    ] {
        registry.put_manifest("acme/tool", Some("1"), MANIFEST, text.as_bytes());
        let error = manifest_error(&registry);
        assert!(unreadable(&error), "{what}: {error:?}");
    }
}

#[test]
fn s177_indexes_lead_to_one_component_or_to_a_typed_error() {
    let registry = with_tool();
    let manifest = registry.resolve("acme/tool", "1").unwrap();
    let other = registry.image(
        "acme/tool",
        vec![registry.layer("acme/tool", WASM_TYPE, OTHER)],
    );
    let (other, _) = kept(&registry, &other);
    let entry = |digest: &str, os: &str, architecture: &str| {
        json!({
            "mediaType": MANIFEST, "digest": digest, "size": 100,
            "platform": { "os": os, "architecture": architecture },
        })
    };
    let index = |entries: Vec<Value>| json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    let wasip2 = entry(&manifest, "wasip2", "wasm");
    let wasip1 = entry(&other, "wasip1", "wasm");
    let linux = entry(&other, "linux", "amd64");
    let mut bare = wasip2.clone();
    bare.as_object_mut().unwrap().remove("platform");
    let mut typed = bare.clone();
    typed["artifactType"] = json!("application/vnd.wasm.config.v0+json");
    for entries in [
        vec![linux.clone(), wasip1.clone(), wasip2.clone()],
        vec![wasip2.clone(), wasip2.clone()],
        vec![linux.clone(), entry(&manifest, "js", "wasm")],
        vec![linux.clone(), typed.clone()],
        vec![bare.clone()],
    ] {
        registry.put_json("acme/tool", Some("1"), &index(entries));
        let fetched = pull_tool(&registry).unwrap();
        assert_eq!(fetched.artifact.bytes(), WASM);
        assert_eq!(fetched.package.unwrap().manifest().to_string(), manifest);
    }
    // An index in an index, also one that says it is none, and one that leads to itself.
    let (inner, _) = kept(&registry, &index(vec![wasip2.clone()]));
    let mut nested = entry(&inner, "wasip2", "wasm");
    let hidden = nested.clone();
    nested["mediaType"] = json!(INDEX);
    let second = entry(&other, "wasip2", "wasm");
    for (what, entries, expected) in [
        ("nested", vec![nested], ManifestError::NestedIndex),
        ("hidden", vec![hidden], ManifestError::NestedIndex),
        (
            "no platform",
            vec![linux.clone()],
            ManifestError::NoPlatform(1),
        ),
        ("nothing", vec![], ManifestError::NoPlatform(0)),
        (
            "bare among others",
            vec![bare, linux],
            ManifestError::NoPlatform(2),
        ),
        (
            "two",
            vec![wasip2, second],
            ManifestError::SeveralPlatforms(2),
        ),
    ] {
        registry.put_json("acme/tool", Some("1"), &index(entries));
        assert_eq!(manifest_error(&registry), expected, "{what}");
    }
    // A loop needs a digest that lies.
    let looped = format!("sha256:{}", "0".repeat(64));
    let itself = index(vec![entry(&looped, "wasip2", "wasm")]);
    registry.put_json("acme/tool", Some("1"), &itself);
    let bytes = serde_json::to_vec(&itself).unwrap();
    let reply = Reply::new(200, bytes).with("Content-Type", INDEX);
    registry.answer_at(format!("/manifests/{looped}"), reply);
    let error = pull_tool(&registry).unwrap_err();
    assert!(matches!(error, RemoteError::Digest { .. }), "{error}");
}

#[test]
fn s178_titles_are_no_paths_and_archives_stay_packed() {
    let long = "x".repeat(10 << 10);
    let place = tempfile::tempdir().unwrap();
    let absolute = place.path().join("escaped");
    for title in [
        "../../../../tmp/escaped",
        absolute.to_str().unwrap(),
        "a\0b",
        &long,
    ] {
        let registry = Registry::plain();
        let tar = "application/vnd.oci.image.layer.v1.tar";
        let mut wasm = registry.layer("acme/tool", WASM_TYPE, WASM);
        let mut archive = registry.layer("acme/tool", tar, b"../../x\0\0\0 as an archive has it");
        for layer in [&mut wasm, &mut archive] {
            layer["annotations"] = json!({
                "org.opencontainers.image.title": title,
                "io.deis.oras.content.unpack": "true",
            });
        }
        let image = registry.image("acme/tool", vec![archive.clone(), wasm]);
        registry.put_json("acme/tool", Some("1"), &image);
        let fetched = pull_tool(&registry).unwrap();
        assert_eq!(fetched.artifact.bytes(), WASM);
        assert!(!absolute.exists());
        let archive = archive["digest"].as_str().unwrap();
        let seen = registry.seen();
        assert!(seen.iter().all(|request| !request.target.contains(archive)));
    }
}

#[test]
fn manifests_of_docker_and_all_kinds_of_wasm_layers_are_taken() {
    for media_type in casemate_artifact::WASM_MEDIA_TYPES {
        let registry = Registry::plain();
        let layer = registry.layer("acme/tool", media_type, WASM);
        let mut image = registry.image("acme/tool", vec![layer]);
        image["mediaType"] = json!("application/vnd.docker.distribution.manifest.v2+json");
        registry.put_json("acme/tool", Some("1"), &image);
        assert_eq!(pull_tool(&registry).unwrap().artifact.bytes(), WASM);
        // Programs of before leave the field out; the answer's has to do.
        image.as_object_mut().unwrap().remove("mediaType");
        registry.put_json("acme/tool", Some("1"), &image);
        assert_eq!(pull_tool(&registry).unwrap().artifact.bytes(), WASM);
    }
}

#[test]
fn what_is_not_there_is_said_without_the_registry_s_words() {
    let registry = with_tool();
    let sources = registry.sources();
    let error = pull(&sources, &registry.reference("acme/tool:2")).unwrap_err();
    assert!(
        matches!(&error, RemoteError::NotFound { what, .. } if what == "tag 2"),
        "{error}"
    );
    registry.answer_at(
        "/manifests/1",
        Reply::new(
            403,
            "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\\u001b[31mMARK\"}]}",
        ),
    );
    let error = pull_tool(&registry).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("answered 403 DENIED") && !text.contains("MARK"),
        "{text}"
    );
    registry.answer_at(
        "/manifests/1",
        Reply::new(418, "{\"errors\":[{\"code\":\"MARK\"}]}"),
    );
    let text = pull_tool(&registry).unwrap_err().to_string();
    assert!(text.ends_with("answered 418"), "{text}");
}
