//! Redirects: of a layer's bytes only, to the outside only, and without what is for the registry.

use casemate_artifact::{FetchDeadlines, RemoteError};
use casemate_test_registry::{Auth, Direct, FixedLogin, Registry, Reply, digest};

use super::{WASM, pull, pull_tool, with_tool};

/// A registry under a public name that wants a token, and a host beside it that has the blob.
struct Public {
    registry: Registry,
    cdn: Registry,
    connector: Direct,
}

impl Public {
    fn new() -> Self {
        let registry = Registry::tls(&["registry.example"]);
        registry.put_component("acme/tool", "1", WASM);
        registry.set_auth(Auth::Bearer {
            realm: Some("https://registry.example/token".to_owned()),
            login: None,
        });
        let cdn = Registry::tls(&["cdn.example", "inside.example"]);
        cdn.answer_at("/blob", Reply::new(200, WASM));
        let roots = [&registry, &cdn].map(|own| own.root().unwrap());
        let connector = Direct::trusting(roots.to_vec())
            .with_name("registry.example", registry.port(), false)
            .with_name("cdn.example", cdn.port(), false)
            .with_name("inside.example", cdn.port(), true);
        Self {
            registry,
            cdn,
            connector,
        }
    }

    fn redirecting(&self, location: &str) -> Result<casemate_artifact::Fetched, RemoteError> {
        self.registry
            .answer_at(digest(WASM), Reply::redirect(307, location));
        self.pull()
    }

    fn pull(&self) -> Result<casemate_artifact::Fetched, RemoteError> {
        let sources = self.registry.sources_with(
            self.connector.clone(),
            FixedLogin::none(),
            FetchDeadlines::default(),
        );
        pull(&sources, "oci://registry.example/acme/tool:1")
    }
}

#[test]
fn s181_another_host_gives_the_bytes_and_gets_no_authorization() {
    let public = Public::new();
    for status in [301, 302, 303, 307, 308] {
        let reply = Reply::redirect(status, "https://cdn.example/blob?signature=x#part");
        public.registry.answer_at(digest(WASM), reply);
        let fetched = public.pull().unwrap();
        assert_eq!(fetched.artifact.bytes(), WASM);
    }
    let seen = public.cdn.seen();
    assert_eq!(seen.len(), 5);
    for request in &seen {
        assert_eq!(request.target, "/blob?signature=x");
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("host"), Some("cdn.example"));
    }
    // The registry itself had one.
    let seen = public.registry.seen();
    assert!(seen.last().unwrap().header("authorization").is_some());
}

#[test]
fn s181_inside_addresses_and_plain_http_are_refused() {
    let public = Public::new();
    let port = public.cdn.port();
    for location in [
        format!("https://127.0.0.1:{port}/blob"),
        format!("https://localhost:{port}/blob"),
        "https://inside.example/blob".to_owned(),
        "https://10.0.0.1/blob".to_owned(),
        "https://[::1]/blob".to_owned(),
    ] {
        let error = public.redirecting(&location).unwrap_err();
        assert!(
            format!("{error:?}").contains("Special"),
            "{location}: {error:?}"
        );
    }
    for location in [
        "http://cdn.example/blob".to_owned(),
        format!("http://127.0.0.1:{port}/blob"),
        "file:///etc/passwd".to_owned(),
        "ftp://cdn.example/blob".to_owned(),
        "https://ann:word@cdn.example/blob".to_owned(),
        "https://cdn.example:0/blob".to_owned(),
        "https://".to_owned(),
    ] {
        let error = public.redirecting(&location).unwrap_err();
        assert!(
            matches!(error, RemoteError::Redirect { .. }),
            "{location}: {error}"
        );
    }
    public.registry.answer_at(digest(WASM), Reply::new(307, ""));
    assert!(matches!(public.pull(), Err(RemoteError::Redirect { .. })));
    assert!(public.cdn.seen().is_empty());
}

#[test]
fn s181_hops_are_counted() {
    let registry = with_tool();
    let own = digest(WASM);
    let mut hops = 0;
    registry.answer_with(move |request| {
        if !request.path().ends_with(&own) && !request.path().starts_with("/hop") {
            return None;
        }
        hops += 1;
        Some(Reply::redirect(307, &format!("/hop{hops}")))
    });
    let error = pull_tool(&registry).unwrap_err();
    assert!(
        matches!(&error, RemoteError::Redirect { why, .. } if why.contains("5")),
        "{error}"
    );
    let seen = registry.seen();
    let hops = seen
        .iter()
        .filter(|request| request.path().starts_with("/hop"))
        .count();
    assert_eq!(hops, 5);

    // Five are enough for whoever means it.
    let registry = with_tool();
    let own = digest(WASM);
    registry.answer_with(move |request| {
        let path = request.path();
        match path.strip_prefix("/hop") {
            Some("5") => Some(Reply::new(200, WASM)),
            Some(hop) => {
                let next = hop.parse::<u32>().unwrap() + 1;
                Some(Reply::redirect(302, &format!("/hop{next}")))
            }
            None => path.ends_with(&own).then(|| Reply::redirect(302, "/hop1")),
        }
    });
    assert_eq!(pull_tool(&registry).unwrap().artifact.bytes(), WASM);
}

#[test]
fn s181_authorization_stays_at_the_registry_and_never_comes_back() {
    let public = Public::new();
    // Within the registry it goes along.
    public.registry.answer_at("/within", Reply::new(200, WASM));
    assert!(public.redirecting("/within").is_ok());
    let seen = public.registry.seen();
    assert!(seen.last().unwrap().header("authorization").is_some());
    // Over another host and back it does not.
    let back = Reply::redirect(302, "https://registry.example/within");
    public.cdn.answer_at("/back", back);
    assert!(public.redirecting("https://cdn.example/back").is_ok());
    let seen = public.registry.seen();
    let last = seen.last().unwrap();
    assert_eq!(
        (last.path(), last.header("authorization")),
        ("/within", None)
    );
}

#[test]
fn s181_only_layers_come_from_elsewhere() {
    let public = Public::new();
    let manifest = public.registry.manifest("acme/tool", "1").unwrap();
    let reply = Reply::new(200, manifest).with("Content-Type", casemate_test_registry::MANIFEST);
    public.cdn.answer_at("/manifest", reply);
    let away = Reply::redirect(307, "https://cdn.example/manifest");
    public.registry.answer_at("/manifests/1", away);
    let error = public.pull().unwrap_err();
    assert!(matches!(error, RemoteError::Redirect { .. }), "{error}");
    assert!(public.cdn.seen().is_empty());
}

#[test]
fn s181_a_registry_on_this_machine_may_send_to_this_machine() {
    let registry = with_tool();
    let other = with_tool();
    other.answer_at("/blob", Reply::new(200, WASM));
    let location = format!("http://{}/blob", other.host());
    registry.answer_at(digest(WASM), Reply::redirect(307, &location));
    assert!(pull_tool(&registry).is_ok());
    let elsewhere = Reply::redirect(307, "http://192.0.2.1/blob");
    registry.answer_at(digest(WASM), elsewhere);
    let error = pull_tool(&registry).unwrap_err();
    assert!(matches!(error, RemoteError::Redirect { .. }), "{error}");
}
