//! Where connections go at all.

use std::sync::Arc;

use casemate_artifact::{
    Anonymous, ConnectError, FetchDeadlines, FetchRequest, RemoteError, Sources, fetch,
};
use casemate_policy::HttpScheme;
use casemate_test_registry::{Direct, FixedLogin, Registry, WASM as WASM_TYPE, digest};
use serde_json::json;

use super::{WASM, pull, reference, with_tool};

#[test]
fn s179_urls_of_a_layer_are_never_fetched() {
    let canary = with_tool();
    let registry = Registry::plain();
    let mut layer = registry.layer("acme/other", WASM_TYPE, WASM);
    layer["urls"] = json!([
        "http://169.254.169.254/latest/meta-data/",
        format!("http://{}/blob", canary.host()),
        format!("https://localhost:{}/blob", canary.port()),
    ]);
    // The bytes are not in this repository, so the blob is a 404.
    let image = registry.image("acme/tool", vec![layer]);
    registry.put_json("acme/tool", Some("1"), &image);
    let connector = registry.connector();
    let sources = registry.sources_with(
        connector.clone(),
        FixedLogin::none(),
        FetchDeadlines::default(),
    );
    let error = pull(&sources, &registry.reference("acme/tool:1")).unwrap_err();
    assert!(matches!(error, RemoteError::NotFound { .. }), "{error}");
    assert!(canary.seen().is_empty());
    assert!(
        connector
            .places()
            .iter()
            .all(|(place, _)| place.port == registry.port())
    );
    assert!(
        registry
            .seen()
            .iter()
            .any(|request| request.path().ends_with(&digest(WASM)))
    );
}

#[test]
fn s179_data_within_a_descriptor_is_not_believed() {
    let registry = Registry::plain();
    let mut layer = registry.layer("acme/tool", WASM_TYPE, WASM);
    layer["data"] = json!("AGFzbQ==");
    let image = registry.image("acme/tool", vec![layer]);
    registry.put_json("acme/tool", Some("1"), &image);
    let fetched = pull(&registry.sources(), &registry.reference("acme/tool:1")).unwrap();
    assert_eq!(fetched.artifact.bytes(), WASM);
}

#[test]
fn s184_a_certificate_of_an_unknown_authority_is_refused() {
    let registry = Registry::tls(&[]);
    registry.put_component("acme/tool", "1", WASM);
    let text = registry.reference("acme/tool:1");
    assert!(pull(&registry.sources(), &text).is_ok());
    let before = registry.seen().len();
    for connector in [Direct::new(None), Direct::new(Registry::tls(&[]).root())] {
        let sources =
            registry.sources_with(connector, FixedLogin::none(), FetchDeadlines::default());
        let error = pull(&sources, &text).unwrap_err();
        assert!(
            matches!(
                &error,
                RemoteError::Connect {
                    error: ConnectError::Tls(_),
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    assert_eq!(registry.seen().len(), before);
}

#[test]
fn s184_plain_http_is_for_registries_of_this_machine_that_are_named() {
    let registry = with_tool();
    let text = registry.reference("acme/tool:1");
    let connector = Direct::new(None).with_name("registry.example", registry.port(), true);
    let sources = || Sources::new(Arc::new(connector.clone()), Arc::new(Anonymous));
    let named = |host: &str| sources().with_plain_http(vec![host.parse().unwrap()]);
    let local = format!("localhost:{}", registry.port());
    let other = "127.0.0.1:1".to_owned();
    // (what is named, what is asked for, whether that is plain)
    for (sources, text, plain) in [
        (sources(), text.clone(), false),
        (named(&registry.host()), text.clone(), true),
        (named(&local), format!("oci://{local}/acme/tool:1"), true),
        (named(&other), text.clone(), false),
        (named(&local), text.clone(), false),
        (sources().with_plain_http_on_loopback(), text.clone(), true),
        (
            named("registry.example"),
            "oci://registry.example/acme/tool:1".to_owned(),
            false,
        ),
        (
            sources().with_plain_http_on_loopback(),
            "oci://registry.example/acme/tool:1".to_owned(),
            false,
        ),
    ] {
        let pulled = pull(&sources, &text);
        assert_eq!(pulled.is_ok(), plain, "{text}: {pulled:?}");
        let (place, _) = connector.places().pop().unwrap();
        assert_eq!(place.scheme == HttpScheme::Http, plain, "{text}");
    }
}

#[test]
fn without_a_network_there_are_files_only() {
    for text in ["oci://ghcr.io/acme/tool:1", "https://example.com/tool.wasm"] {
        let error = pull(&Sources::files_only(), text).unwrap_err();
        assert!(matches!(error, RemoteError::NoNetwork), "{error}");
        let error = fetch(&Sources::files_only(), FetchRequest::new(&reference(text)));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot fetch {text}")),
            "{error}"
        );
    }
}
