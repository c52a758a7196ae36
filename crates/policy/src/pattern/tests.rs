use super::*;
use crate::http::HttpHost;
use crate::path::VirtualPath;

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
        ("fs://w/*.txt", "Glob(\"/w/*.txt\" from \"/w\")"),
        ("fs://w/a/**/b", "Glob(\"/w/a/**/b\" from \"/w/a\")"),
        ("fs:///srv/x-*/**", "Glob(\"/srv/x-*/**\" from \"/srv\")"),
        ("fs://w/**/*", "Glob(\"/w/**/*\" from \"/w\")"),
    ];
    for (text, expected) in cases {
        let uri = StorageUri::parse(text).unwrap();
        let found = match &uri.pattern {
            PathPattern::Exact(path) => format!("Exact({:?})", path.as_str()),
            PathPattern::Below(path) => format!("Below({:?})", path.as_str()),
            PathPattern::Glob(glob) => {
                let text = glob.to_string();
                format!("Glob({text:?} from {:?})", glob.base().as_str())
            }
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
        "fs://w/[ab]/**",
        "fs://w/*.{js,ts}",
        "fs://w/a?",
        "fs://w/a\\b",
        "fs://w/**/**",
        "fs://w/a/**/**/b",
        "fs:///*/a",
        "fs:///**/a",
        "fs:///s*/**",
        "fs://w*/a",
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
    assert!(StorageUri::parse(&format!("fs://w/{}x", "**/a/".repeat(100))).is_ok());
    assert!(StorageUri::parse(&format!("fs://w/{}x", "**/".repeat(200))).is_err());
    assert!(StorageUri::parse(&format!("fs://w/{}", "{a,b}".repeat(30))).is_err());
    assert!(StorageUri::parse(&format!("fs://w/{}x", "**/a/".repeat(20_000))).is_err());
    assert!(StorageUri::parse(&format!("fs://w/{}", "a".repeat(5000))).is_err());
    // What makes naive matchers try everything.
    let glob = |text: &str| match StorageUri::parse(text).unwrap().pattern {
        PathPattern::Glob(glob) => glob,
        other => panic!("{other:?}"),
    };
    let deep = glob(&format!("fs://w/{}b", "**/a/".repeat(100)));
    let path = VirtualPath::parse(&format!("/w{}", "/a".repeat(2000))).unwrap();
    assert!(!deep.matches(&path));
    let stars = glob(&format!("fs://w/{}b", "*a".repeat(200)));
    let path = VirtualPath::parse(&format!("/w/{}", "a".repeat(4000))).unwrap();
    assert!(!stars.matches(&path));
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

#[test]
fn s062_s063_patterns_match_names_byte_by_byte() {
    // The pattern, then paths that it matches, then paths that it does not.
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "fs://w/*.md",
            &["/w/a.md", "/w/.md", "/w/*.md", "/w/a.b.md", "/w/a\nb.md"],
            &[
                "/w/a.MD",
                "/w/a.md/x",
                "/w/x/a.md",
                "/w",
                "/w/a.mdx",
                "/w-x/a.md",
                "/W/a.md",
            ],
        ),
        (
            "fs://w/**/*.md",
            &["/w/a.md", "/w/x/a.md", "/w/x/y/.md", "/w/a.md/b.md"],
            &["/w", "/w/a.md/b", "/wx/a.md", "/w/amd"],
        ),
        (
            "fs://w/src/*/test-*",
            &["/w/src/a/test-", "/w/src/*/test-x"],
            &[
                "/w/src/test-x",
                "/w/src/a/b/test-x",
                "/w/src/a/test",
                "/w/src//test-",
            ],
        ),
        (
            "fs://w/*/out/**",
            &["/w/a/out/x", "/w/a/out/x/y", "/w/out/out/out"],
            &["/w/a/out", "/w/out/x", "/w/a/b/out/x"],
        ),
        (
            "fs://w/**/a/**",
            &["/w/a/x", "/w/a/a", "/w/b/a/x/y", "/w/a/b/a/c"],
            &["/w/a", "/w/b/a", "/w/x/y"],
        ),
        (
            "fs://w/a*b*c",
            &["/w/abc", "/w/aXbYc", "/w/abbcc", "/w/abcbc"],
            &["/w/ab", "/w/ac", "/w/acb", "/w/a/b/c"],
        ),
        ("fs://w/x*x", &["/w/xx", "/w/xxx"], &["/w/x"]),
        (
            "fs://w/**/a/b",
            &["/w/a/b", "/w/a/a/b", "/w/a/b/a/b"],
            &["/w/a/b/c", "/w/b"],
        ),
        (
            "fs:///srv/d*/x",
            &["/srv/d/x", "/srv/dd/x"],
            &["/srv/x", "/etc/d/x"],
        ),
    ];
    for (text, inside, outside) in table {
        let uri = StorageUri::parse(text).unwrap();
        let PathPattern::Glob(glob) = &uri.pattern else {
            panic!("{text}")
        };
        for (paths, expected) in [(inside, true), (outside, false)] {
            for path in *paths {
                // A path with an empty component is none.
                let Ok(path) = VirtualPath::parse(path) else {
                    continue;
                };
                assert_eq!(glob.matches(&path), expected, "{text} {path}");
                let exact = PathPattern::Exact(path);
                assert_eq!(uri.pattern.covers(&exact), expected, "{text}");
            }
        }
    }
}

#[test]
fn what_a_pattern_covers_and_denies() {
    let pattern = |text: &str| StorageUri::parse(text).unwrap();
    // The first, the second, whether it covers it in an allow list, whether it denies it in a deny list.
    for (one, other, covers, denies) in [
        ("fs://w/**", "fs://w/*.md", true, true),
        ("fs://w/**", "fs://w", false, true),
        ("fs://w/a/**", "fs://w/a", false, true),
        ("fs://w/a", "fs://w/a/**", false, true),
        ("fs://w/a", "fs://w/a/*/b", false, true),
        ("fs://w/a/**", "fs://w/*/b", false, false),
        ("fs://w/*.md", "fs://w/a.md", true, true),
        ("fs://w/*.md", "fs://w/a.md/**", false, true),
        ("fs://w/*/**", "fs://w/a/**", true, true),
        ("fs://w/*/**", "fs://w/a/b/**", true, true),
        ("fs://w/*/**", "fs://w/**", false, false),
        ("fs://w/*", "fs://w/*/x", false, true),
        ("fs://w/*/x", "fs://w/*", false, false),
        ("fs://w/**/x", "fs://w/**/x", true, true),
        ("fs://w/**/x", "fs://w/**/x/**", false, true),
        ("fs://w/**/x/**", "fs://w/**/x", false, true),
        ("fs://w/**/x", "fs://v/**/x", false, false),
        ("fs://w/**", "fs:///w/x/**", false, false),
    ] {
        // What stands for a whole root is no rule of its own.
        let (one, other) = match other {
            "fs://w" => (
                pattern(one),
                StorageUri {
                    anchor: pattern(one).anchor,
                    pattern: PathPattern::Exact(VirtualPath::parse("/w").unwrap()),
                },
            ),
            _ => (pattern(one), pattern(other)),
        };
        assert_eq!(one.covers(&other), covers, "{one} covers {other}");
        assert_eq!(one.denies(&other), denies, "{one} denies {other}");
    }
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
