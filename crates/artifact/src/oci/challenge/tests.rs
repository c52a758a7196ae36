#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;
use http::HeaderValue;

fn of(fields: &[&str]) -> Option<Wanted> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(field).unwrap());
    }
    wanted(&headers)
}

fn bearer(realm: &str, service: Option<&str>) -> Option<Wanted> {
    Some(Wanted::Bearer {
        realm: realm.to_owned(),
        service: service.map(str::to_owned),
    })
}

#[test]
fn challenges_of_registries_are_read() {
    let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#;
    assert_eq!(
        of(&[hub]),
        bearer("https://auth.docker.io/token", Some("registry.docker.io"))
    );
    assert_eq!(of(&["Basic realm=\"x\""]), Some(Wanted::Basic));
    assert_eq!(of(&["BASIC"]), Some(Wanted::Basic));
    assert_eq!(
        of(&["Basic realm=\"a, Bearer b\", bearer realm=https, error=\"x\""]),
        bearer("https", None)
    );
    assert_eq!(
        of(&["Basic realm=\"x\"", "Bearer realm=\"y\\\"z\" , service = w"]),
        bearer("y\"z", Some("w"))
    );
    assert_eq!(of(&["Negotiate abc==, Basic realm=x"]), Some(Wanted::Basic));
}

#[test]
fn what_is_no_challenge_asks_for_nothing() {
    for text in [
        "",
        ",,,",
        "realm=\"x\"",
        "Bearer",
        "Bearer realm=\"x",
        "Bearer realm=\"x\\",
        "Bearer realm=\"a\",realm=\"b\"",
        "Digest realm=\"x\"",
    ] {
        assert_eq!(of(&[text]), None, "{text}");
    }
    let long = format!("Basic realm=\"{}\"", "x".repeat(5000));
    assert_eq!(of(&[&long]), None);
    assert_eq!(of(&["a,b,c,d,e,f,g,h,Basic"]), None);
}

proptest! {
    #[test]
    fn any_field_is_read_or_passed_over(text in "[ -~\\t]{0,200}") {
        let _ = of(&[&text]);
    }

    #[test]
    fn what_is_quoted_comes_out_as_it_was(realm in "[ -~]{0,40}") {
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert_eq!(of(&[&format!("Bearer realm=\"{quoted}\"")]), bearer(&realm, None));
    }
}
