use crate::error::ExitStatus;

#[test]
fn addresses_of_this_machine_are_read() {
    for (text, address) in [
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("127.1.2.3:1", "127.1.2.3:1"),
        ("[::1]:0", "[::1]:0"),
        ("localhost:8080", "127.0.0.1:8080"),
        ("8080", "127.0.0.1:8080"),
        ("0", "127.0.0.1:0"),
    ] {
        assert_eq!(super::address(text).unwrap().to_string(), address);
    }
}

#[test]
fn others_are_refused() {
    for text in [
        "0.0.0.0:8080",
        "[::]:8080",
        "192.168.1.2:80",
        "[::ffff:127.0.0.1]:80",
        "[::ffff:0.0.0.0]:80",
        "[fe80::1]:80",
        "",
        "127.0.0.1",
        "::1",
        "localhost",
        "localhost.:80",
        "65536",
        "-1",
        "+80",
        "80 ",
        "localhost:+80",
        "127.1:80",
        "0x7f000001:80",
        "example.com:80",
        "127.0.0.1:80/mcp",
        "http://127.0.0.1:80",
        "user@127.0.0.1:80",
    ] {
        let error = super::address(text).unwrap_err().shown();
        assert_eq!(error.status, ExitStatus::Usage, "{text}");
        assert!(error.hint.is_some(), "{text}");
    }
}
