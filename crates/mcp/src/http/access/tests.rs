use super::*;

fn status(request: http::request::Builder) -> u16 {
    let access = Access::new("127.0.0.1:8765".parse().unwrap());
    match access.check(&request.body(()).unwrap()) {
        Ok(()) => 200,
        Err(status) => status.as_u16(),
    }
}

fn host(host: &str) -> u16 {
    status(Request::post("/mcp").header(HOST, host))
}

fn origin(origin: &str) -> u16 {
    status(
        Request::post("/mcp")
            .header(HOST, "localhost:8765")
            .header(ORIGIN, origin),
    )
}

#[test]
fn s197_only_loopback_names_are_hosts() {
    for ours in [
        "localhost",
        "LocalHost:8765",
        "127.0.0.1",
        "127.0.0.1:8765",
        "[::1]",
        "[::1]:8765",
    ] {
        assert_eq!(host(ours), 200, "{ours}");
    }
    for foreign in [
        "",
        ":8765",
        "evil.com",
        "evil.com:8765",
        "127.0.0.1.evil.com",
        "localhost.evil.com:8765",
        "localhost.",
        "localhost:",
        "localhost:80",
        "localhost:+8765",
        "localhost:08765x",
        "localhost:8765:8765",
        "localhost:88765",
        "127.0.0.1.nip.io",
        "127.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.01",
        "127.0.0.2",
        "0.0.0.0",
        "::1",
        "[::1",
        "[::1]x",
        "[::]",
        "[::ffff:127.0.0.1]",
        "user@localhost",
        "localhost@evil.com",
        "localhost, evil.com",
        "localhost/",
        " localhost",
    ] {
        assert_ne!(host(foreign), 200, "{foreign}");
    }
    assert_eq!(status(Request::post("/mcp")), 400);
    let two = Request::post("/mcp").header(HOST, "localhost");
    assert_eq!(status(two.header(HOST, "localhost")), 400);
}

#[test]
fn s197_an_absolute_target_is_judged_like_a_host() {
    for (uri, expected) in [
        ("http://localhost:8765/mcp", 200),
        ("http://evil.com/mcp", 403),
        ("http://localhost:1/mcp", 403),
        ("https://localhost:8765/mcp", 403),
        ("http://user@localhost:8765/mcp", 403),
    ] {
        let request = Request::post(uri).header(HOST, "localhost:8765");
        assert_eq!(status(request), expected, "{uri}");
    }
}

#[test]
fn s196_only_the_servers_own_origin_passes() {
    for ours in [
        "http://localhost:8765",
        "http://127.0.0.1:8765",
        "http://[::1]:8765",
    ] {
        assert_eq!(origin(ours), 200, "{ours}");
    }
    for foreign in [
        "",
        "null",
        "https://evil.com",
        "http://localhost.evil.com",
        "http://localhost.evil.com:8765",
        "http://127.0.0.1.nip.io",
        "http://127.0.0.1.nip.io:8765",
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:8765",
        "http://localhost:8765/",
        "http://localhost:8765.evil.com",
        "HTTP://localhost:8765",
        "file://",
        "localhost:8765",
        "http://localhost:8765 http://evil.com",
    ] {
        assert_eq!(origin(foreign), 403, "{foreign}");
    }
}

#[test]
fn other_paths_are_not_there() {
    for (path, expected) in [
        ("/mcp", 200),
        ("/mcp?x=1", 200),
        ("/", 404),
        ("/mcp/", 404),
        ("/MCP", 404),
        ("/mcp/../mcp", 404),
        ("//mcp", 404),
        ("/%6dcp", 404),
        ("/.well-known/oauth-protected-resource", 404),
    ] {
        let request = Request::post(path).header(HOST, "localhost");
        assert_eq!(status(request), expected, "{path}");
    }
}
