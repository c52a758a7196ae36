//! What a tag leads to: manifests and indexes, layers, and who says what their digest is.

use casemate_artifact::{WIT_MEDIA_TYPE, sha256};
use casemate_test_registry::{Registry, digest};
use serde_json::json;

use super::{WASM, pull_tool};

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
