//! Files behind URLs.

use casemate_artifact::{FetchDeadlines, FetchLimits, FetchRequest, RemoteError, fetch, sha256};
use casemate_test_registry::{FixedLogin, Registry, Reply, Step};

use super::{WASM, pull, reference, soon};

fn server() -> Registry {
    let server = Registry::tls(&["files.example", "other.example"]);
    server.answer_at("/tool.wasm", Reply::new(200, WASM));
    server
}

fn url(server: &Registry, path: &str) -> String {
    format!("https://{}{path}", server.host())
}

#[test]
fn a_file_is_fetched_and_its_pin_is_checked() {
    let server = server();
    let plain = url(&server, "/tool.wasm");
    let pinned = format!("{plain}#{}", sha256(WASM));
    for text in [&plain, &pinned] {
        let fetched = pull(&server.sources(), text).unwrap();
        assert_eq!(fetched.artifact.bytes(), WASM);
        assert_eq!(fetched.artifact.identity().source(), text);
        assert_eq!(fetched.package, None);
    }
    assert!(
        server
            .seen()
            .iter()
            .all(|request| request.target == "/tool.wasm")
    );
    let other = format!("{plain}#{}", sha256(b"other"));
    let error = pull(&server.sources(), &other).unwrap_err();
    assert!(
        matches!(error, RemoteError::Digest { .. }) && error.is_verification(),
        "{error}"
    );
    let error = pull(&server.sources(), &url(&server, "/nothing.wasm")).unwrap_err();
    assert!(matches!(error, RemoteError::NotFound { .. }), "{error}");
}

#[test]
fn s181_urls_are_followed_by_the_same_rules() {
    let server = server();
    let connector = server
        .connector()
        .with_name("files.example", server.port(), false)
        .with_name("other.example", server.port(), false);
    let sources = server.sources_with(connector, FixedLogin::none(), FetchDeadlines::default());
    let start = "https://files.example/moved";
    server.answer_at(
        "/moved",
        Reply::redirect(302, "https://other.example/tool.wasm"),
    );
    assert!(pull(&sources, start).is_ok());
    server.answer_at("/moved", Reply::redirect(302, &url(&server, "/tool.wasm")));
    let error = pull(&sources, start).unwrap_err();
    assert!(format!("{error:?}").contains("Special"), "{error}");
    for location in [
        "http://other.example/tool.wasm",
        "http://127.0.0.1:1/tool.wasm",
    ] {
        server.answer_at("/moved", Reply::redirect(302, location));
        let error = pull(&sources, start).unwrap_err();
        assert!(matches!(error, RemoteError::Redirect { .. }), "{error}");
    }
    server.answer_at("/moved", Reply::redirect(302, "/moved"));
    let error = pull(&sources, start).unwrap_err();
    assert!(matches!(error, RemoteError::Redirect { .. }), "{error}");
}

#[test]
fn s182_s183_files_have_bounds_in_size_and_time() {
    let server = server();
    let block = vec![0; 1 << 16];
    let text = url(&server, "/tool.wasm");
    let parsed = reference(&text);
    let request = FetchRequest {
        limits: &FetchLimits { max_bytes: 1 << 20 },
        ..FetchRequest::new(&parsed)
    };
    let open = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    for reply in [
        Reply::announcing(1 << 40, vec![Step::Repeat(block.clone(), 1 << 10)]),
        Reply::Raw(vec![Step::Send(open), Step::Repeat(block, 1 << 10)]),
    ] {
        server.answer_at("/tool.wasm", reply);
        let error = fetch(&server.sources(), request).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes"), "{error}");
    }
    server.answer_at(
        "/tool.wasm",
        Reply::announcing(8, vec![Step::Send(WASM[..3].to_vec())]),
    );
    let error = pull(&server.sources(), &text).unwrap_err();
    assert!(matches!(error, RemoteError::Http { .. }), "{error}");
    let sources = server.sources_with(server.connector(), FixedLogin::none(), soon());
    for steps in [
        vec![Step::Hang],
        vec![Step::Send(WASM[..3].to_vec()), Step::Hang],
    ] {
        server.answer_at("/tool.wasm", Reply::announcing(8, steps));
        let error = pull(&sources, &text).unwrap_err();
        assert!(matches!(error, RemoteError::Timeout { .. }), "{error}");
    }
}
