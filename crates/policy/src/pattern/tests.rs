use super::*;
use crate::http::HttpHost;

#[test]
fn storage_uris_have_one_meaning() {
    let cases = [
        ("fs://workspace/**", "Below(\"/workspace\")"),
        ("fs://workspace/a/**", "Below(\"/workspace/a\")"),
        ("fs://config/app.yaml", "Exact(\"/config/app.yaml\")"),
        ("fs:///srv/data/**", "Below(\"/srv/data\")"),
        ("fs:///etc/hosts", "Exact(\"/etc/hosts\")"),
        ("fs://w/%2e%2e/x y", "Exact(\"/w/%2e%2e/x y\")"),
        ("fs://w/-x/a~/…", "Exact(\"/w/-x/a~/…\")"),
        ("fs://w/*.txt", "Glob(\"/w/*.txt\")"),
        ("fs://w/a/**/b", "Glob(\"/w/a/**/b\")"),
        ("fs:///srv/[ab]/**", "Glob(\"/srv/[ab]/**\")"),
    ];
    for (text, expected) in cases {
        let uri = StorageUri::parse(text).unwrap();
        let found = match &uri.pattern {
            PathPattern::Exact(path) => format!("Exact({:?})", path.as_str()),
            PathPattern::Below(path) => format!("Below({:?})", path.as_str()),
            PathPattern::Glob(glob) => format!("Glob({glob:?})"),
        };
        assert_eq!(found, expected, "{text}");
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn s150_uris_that_are_refused() {
    let refused = [
        "",
        "workspace/**",
        "/etc/passwd",
        "file:///etc/passwd",
        "fs:/workspace/a",
        "FS://workspace/a",
        "fs://",
        "fs:///",
        "fs:///**",
        "fs:///*",
        "fs:///vmlinuz",
        "fs://workspace",
        "fs://workspace/",
        "fs://workspace/a/",
        "fs://workspace//a",
        "fs://workspace/../etc",
        "fs://workspace/a/..",
        "fs://workspace/./a",
        "fs://~/a",
        "fs://workspace/~/a",
        "fs:///~root/a",
        "fs://workspace/$HOME/a",
        "fs://$HOME/a",
        "fs:///${HOME}/a/**",
        "fs://Workspace/a",
        "fs://work space/a",
        "fs://*/a",
        "fs://../a",
        "fs://w/a\0b",
        "fs://w/a\nb",
        "fs://w/***",
        "fs:///d/***",
        "fs://w/a**/b",
        "fs://w/[a",
        "fs://w/{a",
        "fs://user@w/a",
        "fs://w:80/a",
        "fs://w/**/",
    ];
    for text in refused {
        assert!(StorageUri::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn s067_what_the_system_shows_of_itself_is_refused() {
    for text in [
        "fs:///proc/**",
        "fs:///proc/self/root/etc",
        "fs:///sys/**",
        "fs:///dev/fd/3",
        "fs:///dev/**",
    ] {
        let refusal = StorageUri::parse(text).unwrap_err();
        assert!(
            refusal.message.contains("leads out of every sandbox"),
            "{text}"
        );
    }
    // A named root of that name is a directory that a person binds, seen below its own name.
    assert!(StorageUri::parse("fs://dev/**").is_ok());
}

#[test]
fn s064_patterns_are_bounded() {
    let started = std::time::Instant::now();
    let _ = StorageUri::parse(&format!("fs://w/{}x", "**/".repeat(200)));
    let _ = StorageUri::parse(&format!("fs://w/{}", "{a,b}".repeat(30)));
    assert!(StorageUri::parse(&format!("fs://w/{}x", "**/".repeat(20_000))).is_err());
    assert!(StorageUri::parse(&format!("fs://w/{}", "{a,".repeat(100))).is_err());
    assert!(started.elapsed() < std::time::Duration::from_secs(1));
    assert!(StorageUri::parse(&format!("fs://w/{}", "a".repeat(5000))).is_err());
}

#[test]
fn hosts_are_canonical() {
    let cases = [
        ("api.openai.com", "api.openai.com"),
        ("API.OpenAI.com.", "api.openai.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*.Example.com", "*.example.com"),
        ("**.example.com", "**.example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("localhost", "localhost"),
    ];
    for (text, expected) in cases {
        let pattern = HostPattern::parse(text).unwrap();
        assert_eq!(pattern.to_string(), expected, "{text}");
        assert_eq!(HostPattern::parse(expected).unwrap(), pattern);
    }
}

#[test]
fn hosts_that_are_refused() {
    for text in [
        "",
        "*",
        "**",
        "*.",
        "**.",
        ".",
        "a..b",
        "a.*.com",
        "*a.com",
        "***.com",
        "*.*.com",
        "https://x.com",
        "x.com:443",
        "x.com/a",
        "user@x.com",
        "a b",
        "a;b.com",
        "a&b.com",
        "x.com\n",
        "127.1",
        "0x7f.1",
        "::ffff:127.0.0.1",
        "[::ffff:7f00:1]",
        "2130706433",
        "x.com?",
        "[::1",
        "%41.com",
        "fs://w/a",
        &"a".repeat(64),
        &["abcdefghi"; 30].join("."),
    ] {
        assert!(HostPattern::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(
        HostPattern::parse("x.com:8080").unwrap_err().hint.unwrap(),
        "write host: \"x.com\", and the port in ports: [8080]"
    );
}

#[test]
fn wildcards_stand_for_whole_labels() {
    let cases = [
        ("*.x.com", "a.x.com", true),
        ("*.x.com", "A.X.COM.", true),
        ("*.x.com", "x.com", false),
        ("*.x.com", "a.b.x.com", false),
        ("*.x.com", "ax.com", false),
        ("**.x.com", "a.b.x.com", true),
        ("**.x.com", "a.x.com", true),
        ("**.x.com", "x.com", false),
        ("x.com", "x.com.", true),
        ("x.com", "x.com.evil.org", false),
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("::1", "::1", true),
        ("**.x.com", "192.0.2.1", false),
    ];
    for (pattern, host, expected) in cases {
        let host = HttpHost::parse(host).unwrap();
        assert_eq!(
            HostPattern::parse(pattern).unwrap().matches(&host),
            expected,
            "{pattern} {host}"
        );
    }
    let covers = |left: &str, right: &str| {
        HostPattern::parse(left)
            .unwrap()
            .covers(&HostPattern::parse(right).unwrap())
    };
    assert!(covers("**.x.com", "*.x.com"));
    assert!(covers("**.x.com", "**.y.x.com"));
    assert!(covers("*.x.com", "a.x.com"));
    assert!(!covers("*.x.com", "**.x.com"));
    assert!(!covers("*.x.com", "*.y.x.com"));
    assert!(!covers("a.x.com", "*.x.com"));
}
