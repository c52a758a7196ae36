//! Who is shown a login, and who is not.

use casemate_artifact::{FetchDeadlines, Login, RemoteError};
use casemate_test_registry::{Auth, FixedLogin, Registry};

use super::{WASM, pull, pull_tool, with_tool};

const SECRET: &str = "pass:w0rd";

fn login() -> FixedLogin {
    FixedLogin::basic("ann", SECRET)
}

fn wants_basic() -> Auth {
    Auth::Basic {
        user: "ann".to_owned(),
        secret: SECRET.to_owned(),
    }
}

fn wants_token(realm: Option<String>) -> Auth {
    Auth::Bearer {
        realm,
        login: Some(("ann".to_owned(), SECRET.to_owned())),
    }
}

/// Whether somebody was shown a name and a password.
fn was_shown_a_login(registry: &Registry) -> bool {
    let seen = registry.seen();
    let mut shown = seen
        .iter()
        .filter_map(|request| request.header("authorization"));
    shown.any(|value| value.starts_with("Basic "))
        || seen.iter().any(|request| !request.body.is_empty())
}

/// A registry behind a public name, with a tool, and what it takes to reach it.
fn public(names: &[&str], auth: Auth) -> (Registry, casemate_test_registry::Direct) {
    let registry = Registry::tls(names);
    registry.put_component("acme/tool", "1", WASM);
    registry.set_auth(auth);
    let mut connector = registry.connector();
    for name in names {
        connector = connector.with_name(name, registry.port(), false);
    }
    (registry, connector)
}

#[test]
fn a_login_is_shown_only_once_it_is_asked_for() {
    let registry = with_tool();
    let known = login();
    let sources = registry.sources_with(
        registry.connector(),
        known.clone(),
        FetchDeadlines::default(),
    );
    let text = registry.reference("acme/tool:1");
    assert!(pull(&sources, &text).is_ok());
    assert_eq!(known.asked(), Vec::<String>::new());
    assert!(!was_shown_a_login(&registry));

    registry.set_auth(wants_basic());
    assert!(pull(&sources, &text).is_ok());
    assert_eq!(known.asked(), [registry.host()]);

    registry.set_auth(wants_token(None));
    assert!(pull(&sources, &text).is_ok());
    // The token's scope is what is needed, whatever the challenge wanted.
    let seen = registry.seen();
    let asked = seen
        .iter()
        .rfind(|request| request.path() == "/token")
        .unwrap();
    assert_eq!(
        asked.parameter("scope").as_deref(),
        Some("repository:acme/tool:pull")
    );
    assert_eq!(asked.parameter("service").as_deref(), Some("test"));
    // The login goes to the token server, the token to the registry.
    let after = seen.last().unwrap().header("authorization").unwrap();
    assert!(after.starts_with("Bearer "), "{after}");
}

#[test]
fn a_login_that_is_missing_or_wrong_is_said() {
    for auth in [wants_basic(), wants_token(None)] {
        let registry = with_tool();
        registry.set_auth(auth);
        let error = pull_tool(&registry).unwrap_err();
        assert!(
            matches!(
                &error,
                RemoteError::Unauthorized {
                    logged_in: false,
                    ..
                }
            ),
            "{error}"
        );
        let hint = error.hint().unwrap();
        assert_eq!(hint, format!("casemate login {}", registry.host()));
        let wrong = FixedLogin::basic("ann", "guess");
        let sources = registry.sources_with(registry.connector(), wrong, FetchDeadlines::default());
        let error = pull(&sources, &registry.reference("acme/tool:1")).unwrap_err();
        assert!(
            matches!(
                &error,
                RemoteError::Unauthorized {
                    logged_in: true,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("guess"));
    }
}

#[test]
fn an_identity_token_is_exchanged() {
    let registry = with_tool();
    registry.set_auth(Auth::Bearer {
        realm: None,
        login: Some((String::new(), "refresh-me".to_owned())),
    });
    let login = FixedLogin::of(Login::IdentityToken("refresh-me".to_owned()));
    let sources = registry.sources_with(registry.connector(), login, FetchDeadlines::default());
    assert!(pull(&sources, &registry.reference("acme/tool:1")).is_ok());
    let seen = registry.seen();
    let asked = seen
        .iter()
        .find(|request| request.path() == "/token")
        .unwrap();
    assert_eq!(asked.method, "POST");
    let form = String::from_utf8(asked.body.clone()).unwrap();
    assert!(form.contains("grant_type=refresh_token") && form.contains("scope=repository%3Aacme"));
    assert!(asked.header("authorization").is_none());
}

#[test]
fn s180_a_realm_in_the_clear_is_not_asked() {
    let canary = with_tool();
    for (registry, connector, text) in [
        {
            let registry = with_tool();
            let text = registry.reference("acme/tool:1");
            let connector = registry.connector();
            (registry, connector, text)
        },
        {
            let (registry, connector) = public(&["registry.example"], Auth::Open);
            (
                registry,
                connector,
                "oci://registry.example/acme/tool:1".to_owned(),
            )
        },
    ] {
        for realm in [
            format!("http://{}/token", canary.host()),
            format!("http://localhost:{}/token", canary.port()),
            "http://169.254.169.254/latest/".to_owned(),
            "file:///etc/passwd".to_owned(),
            "token".to_owned(),
            format!("https://ann@{}/token", canary.host()),
        ] {
            registry.set_auth(wants_token(Some(realm.clone())));
            let known = login();
            let sources =
                registry.sources_with(connector.clone(), known.clone(), FetchDeadlines::default());
            let error = pull(&sources, &text).unwrap_err();
            assert!(
                matches!(error, RemoteError::Realm { .. }),
                "{realm}: {error}"
            );
            assert_eq!(known.asked(), Vec::<String>::new());
        }
        assert!(!was_shown_a_login(&registry));
    }
    assert!(canary.seen().is_empty());
}

#[test]
fn s180_a_realm_on_another_host_gets_no_login() {
    // One certificate for both names; what counts is who asks whom for what.
    let names = ["registry.example", "evil.example"];
    let (registry, connector) = public(&names, Auth::Open);
    let text = "oci://registry.example/acme/tool:1";
    let realm = Some("https://evil.example/token".to_owned());
    registry.set_auth(wants_token(realm.clone()));
    let known = login();
    let sources =
        registry.sources_with(connector.clone(), known.clone(), FetchDeadlines::default());
    let error = pull(&sources, text).unwrap_err();
    assert!(
        matches!(&error, RemoteError::ForeignRealm { realm, .. } if realm == "https://evil.example"),
        "{error}"
    );
    assert_eq!(known.asked(), Vec::<String>::new());
    assert!(!was_shown_a_login(&registry));

    // What gives tokens to everybody is enough for what is public.
    registry.set_auth(Auth::Bearer { realm, login: None });
    assert!(pull(&sources, text).is_ok());
    assert!(!was_shown_a_login(&registry));

    // The same host at another port is another place.
    let elsewhere = format!("https://registry.example:{}/token", registry.port());
    registry.set_auth(wants_token(Some(elsewhere)));
    let error = pull(&sources, text).unwrap_err();
    assert!(matches!(error, RemoteError::ForeignRealm { .. }), "{error}");
    assert!(!was_shown_a_login(&registry));
}

#[test]
fn s180_a_realm_inside_is_out_of_reach_of_a_public_registry() {
    let canary = Registry::tls(&[]);
    let (registry, connector) = public(&["registry.example"], Auth::Open);
    for realm in [
        format!("https://{}/token", canary.host()),
        format!("https://localhost:{}/token", canary.port()),
        "https://10.0.0.1/token".to_owned(),
    ] {
        registry.set_auth(wants_token(Some(realm.clone())));
        let sources = registry.sources_with(connector.clone(), login(), FetchDeadlines::default());
        let error = pull(&sources, "oci://registry.example/acme/tool:1").unwrap_err();
        assert!(
            format!("{error:?}").contains("Special"),
            "{realm}: {error:?}"
        );
    }
    assert!(canary.seen().is_empty() && !was_shown_a_login(&registry));
}

#[test]
fn docker_hub_is_where_everybody_expects_it() {
    let names = [
        "registry-1.docker.io",
        "auth.docker.io",
        "elsewhere.docker.io",
    ];
    let realm = Some("https://auth.docker.io/token".to_owned());
    let (registry, connector) = public(&names, wants_token(realm));
    registry.put_component("library/tool", "1", WASM);
    let known = login();
    let sources = registry.sources_with(connector, known.clone(), FetchDeadlines::default());
    for text in ["oci://docker.io/acme/tool:1", "oci://docker.io/tool:1"] {
        let fetched = pull(&sources, text).unwrap();
        assert_eq!(fetched.artifact.identity().source(), text);
    }
    // Its login is known by the name that people use.
    assert_eq!(known.asked(), ["docker.io", "docker.io"]);
    let realm = Some("https://elsewhere.docker.io/token".to_owned());
    registry.set_auth(wants_token(realm));
    let error = pull(&sources, "oci://docker.io/acme/tool:1").unwrap_err();
    assert!(matches!(error, RemoteError::ForeignRealm { .. }), "{error}");
    assert_eq!(known.asked().len(), 2);
}
