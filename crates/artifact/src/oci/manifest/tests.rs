#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn brackets_within_text_nest_nothing() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(!is_too_deep(deep(MAX_DEPTH).as_bytes()));
    assert!(is_too_deep(deep(MAX_DEPTH + 1).as_bytes()));
    let text = format!("{{\"a\": \"{}\", \"b\\\"{{\": 1}}", "[".repeat(100));
    assert!(!is_too_deep(text.as_bytes()));
    let many = "[]".repeat(100);
    assert!(!is_too_deep(many.as_bytes()));
}

/// A manifest with all that is read of one, and more.
fn whole() -> Value {
    let layer = json!({
        "mediaType": "application/wasm", "digest": format!("sha256:{}", "a".repeat(64)),
        "size": 8, "urls": ["http://x"], "data": "AA==", "annotations": { "a": "b" },
    });
    json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "x/y", "config": layer,
        "layers": [layer], "subject": layer, "annotations": { "c": "d" },
    })
}

/// What a reader must hold to whatever it is given.
fn holds(bytes: &[u8], content_type: Option<&str>) {
    match Manifest::read(bytes, content_type) {
        Ok(Manifest::Image(image)) => {
            assert!(image.layers.len() <= MAX_LAYERS);
            assert!(image.annotations.len() <= MAX_ANNOTATIONS);
            if let Ok(wasm) = image.wasm() {
                assert!(wasm.size > 0 && wasm.is_of(&WASM_MEDIA_TYPES));
            }
        }
        Ok(Manifest::Index(index)) => {
            assert!(index.entries.len() <= MAX_ENTRIES);
            if let Ok(chosen) = index.choose() {
                assert!(!chosen.is_of(&[OCI_INDEX, DOCKER_LIST]));
            }
        }
        // What is told repeats nothing.
        Err(error) => assert!(error.to_string().len() < 200, "{error}"),
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        holds(&bytes, Some(OCI_MANIFEST));
        holds(&bytes, None);
    }

    #[test]
    fn a_manifest_with_other_bytes_in_it_is_read_or_refused(
        at in any::<proptest::sample::Index>(),
        with in proptest::collection::vec(any::<u8>(), 0..6),
        cut in 0_usize..6,
    ) {
        let mut bytes = serde_json::to_vec(&whole()).unwrap();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with);
        for content_type in [None, Some(OCI_MANIFEST), Some(OCI_INDEX), Some("text/html")] {
            holds(&bytes, content_type);
        }
    }

    #[test]
    fn a_manifest_with_other_values_in_it_is_read_or_refused(
        key in proptest::sample::select(vec![
            "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations",
        ]),
        value in proptest::sample::select(vec![
            json!(null), json!(0), json!(2.5), json!("x"), json!([]), json!({}), json!([null]),
            json!([{}]), json!([[]]), json!(OCI_INDEX), json!({ "a": 1 }), json!({ "a": null }),
        ]),
    ) {
        let mut manifest = whole();
        manifest[key] = value;
        holds(&serde_json::to_vec(&manifest).unwrap(), None);
    }
}
