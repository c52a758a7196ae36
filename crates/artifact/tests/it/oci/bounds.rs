//! Answers that are too much: each is cut off while it arrives.

use std::time::{Duration, Instant};

use casemate_artifact::{MAX_ANNOTATION_BYTES, MAX_ANNOTATIONS, ManifestError, RemoteError};
use casemate_test_registry::{Auth, MANIFEST, Registry, Reply, Step, WASM as WASM_TYPE};
use serde_json::{Value, json};

use super::{WASM, pull_tool, with_tool};

/// A head without a length, and then the same bytes again and again.
fn endless(head: &str, bytes: &[u8], times: u64) -> Reply {
    let head = format!("HTTP/1.1 {head}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    Reply::Raw(vec![
        Step::Send(head.into_bytes()),
        Step::Repeat(chunk, times),
    ])
}

#[test]
fn s182_documents_are_cut_off_while_they_arrive() {
    let start = Instant::now();
    let block = vec![b' '; 1 << 20];
    let gibibyte = 1 << 10;
    let announced = Reply::announcing(1 << 30, vec![Step::Repeat(block.clone(), gibibyte)]);
    let open = endless("200 OK\r\nContent-Type: application/json", &block, gibibyte);
    for (what, at, reply) in [
        ("manifest", "/manifests/1", announced.clone()),
        ("manifest without a length", "/manifests/1", open.clone()),
    ] {
        let registry = with_tool();
        registry.answer_at(at, reply);
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(error, RemoteError::TooLarge { limit, .. } if limit == 4 << 20),
            "{what}: {error}"
        );
    }
    // A list of referrers without an end is told, and there is no signature.
    let registry = with_tool();
    registry.answer_with(move |request| {
        let index = "200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json";
        let asked = request.path().contains("/referrers/");
        asked.then(|| endless(index, &vec![b' '; 1 << 20], 1 << 10))
    });
    let fetched = pull_tool(&registry).unwrap();
    let package = fetched.package.unwrap();
    assert_eq!(package.evidence().items(), []);
    assert!(
        package.evidence().unusable()[0]
            .why
            .contains("more than 4194304 bytes")
    );
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn s182_tokens_and_errors_are_cut_off_and_errors_not_repeated() {
    let start = Instant::now();
    let block = vec![b'M'; 1 << 20];
    let registry = with_tool();
    registry.set_auth(Auth::Bearer {
        realm: None,
        login: None,
    });
    registry.answer_at("/token", endless("200 OK", &block, 100));
    let error = pull_tool(&registry).unwrap_err();
    assert!(
        matches!(error, RemoteError::TooLarge { limit: 65536, .. }),
        "{error}"
    );
    for token in [
        "{}",
        "[]",
        "{\"token\": \"\"}",
        "{\"token\": \"a\\nb\"}",
        "{\"token\": 1}",
    ] {
        registry.answer_at("/token", Reply::new(200, token));
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(error, RemoteError::Token { .. }),
            "{token}: {error}"
        );
    }
    for status in ["500 Oops", "400 Bad"] {
        let registry = with_tool();
        registry.answer_at("/manifests/1", endless(status, &block, 100));
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(error, RemoteError::Status { code: None, .. }),
            "{error}"
        );
        assert!(!error.to_string().contains('M'), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn s182_heads_have_bounds() {
    let many = Reply::Raw(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Step::Repeat(b"X-Field: value\r\n".to_vec(), 1 << 20),
    ]);
    let long = Reply::Raw(vec![
        Step::Send(b"HTTP/1.1 200 OK\r\nX-Field: ".to_vec()),
        Step::Repeat(vec![b'x'; 1 << 16], 1 << 12),
    ]);
    let packed = Reply::new(200, "{}").with("Content-Encoding", "gzip");
    let interim = Reply::Raw(vec![Step::Repeat(b"nonsense\r\n".to_vec(), 1 << 16)]);
    for (what, reply) in [
        ("many", many),
        ("long", long),
        ("packed", packed),
        ("no HTTP", interim),
    ] {
        let registry = with_tool();
        registry.answer_at("/manifests/1", reply);
        let error = pull_tool(&registry).unwrap_err();
        assert!(matches!(error, RemoteError::Http { .. }), "{what}: {error}");
    }
}

#[test]
fn s182_manifests_have_so_many_of_everything_and_no_more() {
    let registry = Registry::plain();
    let wasm = registry.layer("acme/tool", WASM_TYPE, WASM);
    let text = registry.layer("acme/tool", "text/plain", b"x");
    let layers = |count: usize| {
        let mut layers = vec![text.clone(); count - 1];
        layers.push(wasm.clone());
        registry.image("acme/tool", layers)
    };
    let annotated = |count: usize, bytes: usize| {
        let mut image = registry.image("acme/tool", vec![wasm.clone()]);
        let own: serde_json::Map<String, Value> = (0..count)
            .map(|index| (format!("k{index:05}"), json!("v".repeat(bytes))))
            .collect();
        image["annotations"] = Value::Object(own);
        image
    };
    for (what, manifest, taken) in [
        ("128 layers", layers(128), true),
        ("129 layers", layers(129), false),
        ("all annotations", annotated(MAX_ANNOTATIONS, 1), true),
        (
            "one annotation more",
            annotated(MAX_ANNOTATIONS + 1, 1),
            false,
        ),
        (
            "a long annotation",
            annotated(1, MAX_ANNOTATION_BYTES - 6),
            true,
        ),
        (
            "a longer one",
            annotated(1, MAX_ANNOTATION_BYTES - 5),
            false,
        ),
    ] {
        registry.put_json("acme/tool", Some("1"), &manifest);
        match pull_tool(&registry) {
            Ok(_) => assert!(taken, "{what}"),
            Err(RemoteError::Manifest(ManifestError::Json { .. })) => assert!(!taken, "{what}"),
            Err(other) => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn s182_nesting_and_a_million_of_anything_end_at_once() {
    let start = Instant::now();
    let registry = Registry::plain();
    let deep = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"x\":{open}1{close}}}")
    };
    let million = |of: &str, item: &str| {
        let items = vec![item; 1_000_000].join(",");
        format!("{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\"{of}\":[{items}]}}")
    };
    let annotations: Vec<String> = (0..300_000)
        .map(|index| format!("\"{index}\":\"\""))
        .collect();
    let annotations = format!(
        "{{\"schemaVersion\":2,\"annotations\":{{{}}}}}",
        annotations.join(",")
    );
    for (what, text) in [
        ("lists in lists", deep("[", "]")),
        ("objects in objects", deep("{\"a\":", "}")),
        ("lists that never close", deep("[", "")),
        ("layers", million("layers", "{}")),
        ("entries", million("manifests", "1")),
        ("annotations", annotations),
    ] {
        assert!(text.len() < 4 << 20, "{what} would be refused for its size");
        registry.put_manifest("acme/tool", Some("1"), MANIFEST, text.as_bytes());
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(
                error,
                RemoteError::Manifest(ManifestError::TooDeep | ManifestError::Json { .. })
            ),
            "{what}: {error}"
        );
        assert!(error.to_string().len() < 300);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}
