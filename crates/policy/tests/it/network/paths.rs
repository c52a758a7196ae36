//! Paths of requests: what patterns mean, and that an ambiguous path fits none.

use super::*;

fn path(grant: &Grant, method: &str, path: &str) -> String {
    let decision = HttpTarget::parse("https", "a.example", method, path)
        .and_then(|target| grant.decide(&target.operation()).map(|_| ()));
    match decision {
        Ok(()) => "allowed".to_owned(),
        Err(denial) => denial.reason().to_string(),
    }
}

/// Whoever asks without a target is not stopped by how targets are read.
fn untargeted(grant: &Grant, path: &str) -> Result<(), Denial> {
    let operation = Operation::HttpRequest {
        scheme: "https",
        host: "a.example",
        port: 443,
        method: "GET",
        path,
    };
    grant.decide(&operation).map(|_| ())
}

/// Paths that servers read in more than one way, each of which some server takes for one above `/v1`, beside it, or another.
const AMBIGUOUS: [&str; 52] = [
    "/v1/../admin",
    "/v1/./x",
    "/v1/..",
    "/v1/.",
    "/..",
    "/.",
    "/../v1/x",
    "/v1/%2e%2e/admin",
    "/v1/%2E%2E/admin",
    "/v1/%2e./admin",
    "/v1/.%2e/admin",
    "/v1/%2e",
    "/v1/%252e%252e/admin",
    "/v1/%25/x",
    "/v1/..;/admin",
    "/v1/..;x=y/admin",
    "/v1/x;y",
    "/v1/;",
    "/v1/..%3b/admin",
    "/v1%2fadmin",
    "/v1/%2Fadmin",
    "/v1/..%2fadmin",
    "/v1/x%2f..%2f..%2fadmin",
    "/v1\\..\\admin",
    "/v1/\\admin",
    "/v1/..%5cadmin",
    "/v1/%5Cadmin",
    "//admin",
    "//v1/x",
    "/v1//x",
    "/v1/x//",
    "//",
    "/v1/%61",
    "/v1/%7E",
    "/v1/%2D",
    "/v1/%5f",
    "/v1/%30",
    "/v1/%",
    "/v1/%2",
    "/v1/%zz",
    "/v1/%+2e",
    "/v1/%u002e%u002e/admin",
    "/v1/x%00.png",
    "/v1/x%0d%0a",
    "/v1/x%7f",
    "/v1/x%3fy",
    "/v1/x%23y",
    "/v1/%c0%ae%c0%ae/admin",
    "/v1/%c0%af/admin",
    "/v1/%ff",
    "/v1/..%20/admin",
    "/v1/%C2%80",
];

#[test]
fn s095_an_ambiguous_path_fits_no_pattern() {
    let narrow = grant(&["host: a.example, paths: [\"/v1/**\"]"], &[]);
    let wide = grant(&["host: a.example, paths: [\"/**\"]"], &[]);
    let open = grant(&["host: a.example"], &[]);
    for text in AMBIGUOUS {
        assert_eq!(path(&narrow, "GET", text), PATH, "{text}");
        assert_eq!(path(&wide, "GET", text), PATH, "{text}");
        assert_eq!(path(&open, "GET", text), "allowed", "{text}");
        let denial = untargeted(&wide, text).unwrap_err();
        assert!(
            denial.explanation().starts_with(
                "a rule is about paths, and this one can be read in more than one way: "
            ),
            "{denial}"
        );
        assert_eq!((denial.remedy(), denial.rule().unwrap().line), (None, 5));
    }
    for text in [
        "*",
        "http://evil/",
        "/v1#x",
        "v1",
        "/v1/ä",
        "/v1/x y",
        "/v1/\u{1}",
    ] {
        assert_eq!(path(&narrow, "GET", text), PATH, "{text}");
        assert_eq!(path(&open, "GET", text), PATH, "{text}");
        let denial = untargeted(&wide, text).unwrap_err();
        assert_eq!(denial.reason().as_str(), PATH, "{text}");
    }
    // A query is no part of the path.
    for (text, expected) in [
        ("/v1?/../", PATH),
        ("/v1/?/../", "allowed"),
        ("/v1/x?a=/../b%2e%2e;//", "allowed"),
        ("/v1/x?", "allowed"),
    ] {
        assert_eq!(path(&narrow, "GET", text), expected, "{text}");
    }
    let why = |text| {
        untargeted(&wide, text)
            .unwrap_err()
            .explanation()
            .to_owned()
    };
    assert!(why("/v1/%2e").ends_with("it encodes a character that needs no encoding, as %2e does"));
    assert!(why("/v1/..").ends_with("it holds a segment '.' or '..'"));
    assert!(why(&format!("/{}", "a".repeat(8192))).ends_with("it is longer than 8192 bytes"));
}

#[test]
fn s095_an_ambiguous_path_is_denied_wherever_a_deny_entry_is_about_paths() {
    let grant = grant(
        &["host: a.example", "host: a.example, paths: [\"/**\"]"],
        &["host: a.example, methods: [GET], paths: [\"/admin/**\"]"],
    );
    for text in AMBIGUOUS {
        assert_eq!(path(&grant, "GET", text), PATH, "{text}");
        // The deny entry is about GET, and for PUT one without paths allows whatever one with them does.
        assert_eq!(path(&grant, "PUT", text), "allowed", "{text}");
    }
    assert_eq!(path(&grant, "GET", "/v1/x"), "allowed");
    assert_eq!(path(&grant, "GET", "/admin/x"), PATH);
}

#[test]
fn s095_what_a_deny_entry_names_is_denied_in_every_spelling() {
    let grant = grant(
        &["host: a.example"],
        &["host: a.example, paths: [\"/users/@me\", \"/m:run\", \"/a+b/*\"]"],
    );
    for (text, expected) in [
        ("/users/@me", PATH),
        ("/users/%40me", PATH),
        ("/users/%40%6de", PATH),
        ("/users/@you", "allowed"),
        ("/users/%40you", "allowed"),
        ("/m%3Arun", PATH),
        ("/m%3arun", PATH),
        ("/a%2bb/x", PATH),
        ("/a+b/%C3%A4", PATH),
        ("/a+b", "allowed"),
        ("/a%20b/x", "allowed"),
    ] {
        assert_eq!(path(&grant, "GET", text), expected, "{text}");
    }
}

#[test]
fn s095_patterns_stand_for_whole_segments_or_parts_of_one() {
    for (pattern, allowed, denied) in [
        ("/", &["/", ""][..], &["/a", "/a/"][..]),
        (
            "/v1",
            &["/v1"],
            &["/v1/", "/V1", "/v1/x", "/v", "/v11", "/"],
        ),
        ("/v1/", &["/v1/"], &["/v1", "/v1/x"]),
        (
            "/v1/**",
            &[
                "/v1/",
                "/v1/x",
                "/v1/x/",
                "/v1/x/y/z",
                "/v1/x%20y",
                "/v1/%C3%A4",
                "/v1/...",
                "/v1/.x",
            ],
            &[
                "/v1",
                "/v1x",
                "/v1-beta/x",
                "/V1/x",
                "/v2/x",
                "/",
                "/x/v1/x",
            ],
        ),
        ("/**", &["/", "/a", "/a/b/"], &[]),
        (
            "/v1/*",
            &["/v1/", "/v1/x", "/v1/x:run"],
            &["/v1", "/v1/x/", "/v1/x/y"],
        ),
        (
            "/v1/*/items",
            &["/v1/a/items", "/v1/%40/items"],
            &["/v1/items", "/v1/a/b/items", "/v1/a/items/", "/v1/a/itemsx"],
        ),
        (
            "/v1/**/items",
            &[
                "/v1/items",
                "/v1/a/items",
                "/v1/a/b/items",
                "/v1/items/items",
            ],
            &["/v1/a", "/items", "/v1/items/", "/v1/items/x", "/v1/xitems"],
        ),
        (
            "/**/a/*/b/**",
            &["/a/x/b/c", "/z/a/x/b/c/d", "/a/a/a/x/b/b/b", "/a/x/a/y/b/"],
            &["/a/x/b", "/a/b/c", "/a/x/y/b/c"],
        ),
        (
            "/x-*.json",
            &["/x-.json", "/x-1.json", "/x-.json.json"],
            &["/x-1.jsonx", "/x.json", "/x-1/2.json", "/x-json"],
        ),
        (
            "/a*b*c",
            &["/abc", "/aXbYc", "/abbcc"],
            &["/ab", "/acb", "/ac"],
        ),
        ("/aa*aa", &["/aaaa", "/aaxaa"], &["/aaa", "/aa"]),
    ] {
        let grant = grant(&[&format!("host: a.example, paths: [\"{pattern}\"]")], &[]);
        for text in allowed {
            assert_eq!(path(&grant, "GET", text), "allowed", "{pattern} {text}");
        }
        for text in denied {
            assert_eq!(path(&grant, "GET", text), PATH, "{pattern} {text}");
        }
    }
}

#[test]
fn keys_of_an_entry_hold_together_and_one_entry_is_enough() {
    let own = policy(&rules(
        &[
            "host: a.example, methods: [GET], paths: [\"/v1/**\", \"/status\"]",
            "host: a.example, methods: [PUT], paths: [\"/v1/own/**\"]",
        ],
        &["host: a.example, paths: [\"/v1/secret/**\"]"],
    ));
    let grant = admit(&own, None, &[]);
    for (method, text, expected) in [
        ("GET", "/v1/x", "allowed"),
        ("GET", "/status", "allowed"),
        ("GET", "/v2/x", PATH),
        ("PUT", "/v1/own/x", "allowed"),
        ("PUT", "/v1/x", PATH),
        ("PUT", "/status", PATH),
        ("POST", "/v1/x", METHOD),
        ("POST", "/v2", METHOD),
        ("GET", "/v1/secret/x", PATH),
        ("POST", "/v1/secret/x", PATH),
        ("GET", "/v1/secret", "allowed"),
    ] {
        assert_eq!(path(&grant, method, text), expected, "{method} {text}");
    }
    let denial = |grant: &Grant, method, text| {
        let target = HttpTarget::parse("https", "a.example", method, text).unwrap();
        grant.decide(&target.operation()).unwrap_err()
    };
    let missing = denial(&grant, "PUT", "/v1/x?key=1");
    assert_eq!(
        missing.explanation(),
        "a rule allows this host, but none allows the path /v1/x of it"
    );
    assert_eq!(
        (missing.remedy(), missing.subject()),
        (Some(&Remedy::Paths), "network a.example:443")
    );
    assert_eq!(
        missing.rule().unwrap().text,
        "a.example [methods: PUT; paths: /v1/own/**]"
    );
    assert_eq!(
        Remedy::Paths.to_string(),
        "add a pattern for it to the paths of that rule"
    );
    let denied = denial(&grant, "GET", "/v1/secret/x");
    assert_eq!(
        (denied.explanation(), denied.remedy()),
        ("a rule denies the path /v1/secret/x of this host", None)
    );
    assert_eq!(
        denied.rule().unwrap().text,
        "deny a.example [paths: /v1/secret/**]"
    );
    // The ceiling, and ambiguity under a ceiling.
    let ceiling = policy(&rules(&["host: a.example, paths: [\"/v1/**\"]"], &[]));
    let under = admit(
        &policy(&rules(&["host: a.example"], &[])),
        Some(&ceiling),
        &[],
    );
    assert_eq!(path(&under, "GET", "/v1/x"), "allowed");
    for (text, why) in [
        (
            "/v2",
            "a rule allows it, but the ceiling does not allow the path /v2 of this host",
        ),
        (
            "/v1/../x",
            "a rule allows it, but under the ceiling a rule is about paths, and this one can be read in more than one way: it holds a segment '.' or '..'",
        ),
    ] {
        let denial = denial(&under, "GET", text);
        assert_eq!(
            (denial.explanation(), denial.reason().as_str()),
            (why, PATH)
        );
        assert_eq!(denial.remedy(), Some(&Remedy::Ceiling));
        assert_eq!(denial.rule().unwrap().origin, Origin::Ceiling);
    }
    assert_eq!(Policy::parse(&own.to_yaml()).unwrap(), own);
}

#[test]
fn a_long_path_makes_no_long_sentence() {
    let grant = grant(&["host: a.example, paths: [/v1]"], &[]);
    let long = format!("/{}", "a".repeat(8000));
    let denial = untargeted(&grant, &long).unwrap_err();
    assert!(denial.explanation().len() < 700, "{denial}");
}

#[test]
fn patterns_for_paths_are_checked_and_bounded() {
    for (paths, expected) in [
        ("[]", "the list is empty"),
        ("[v1]", "does not start with '/'"),
        ("[\"\"]", "does not start with '/'"),
        ("[\"/a/../b\"]", "'.' or '..'"),
        ("[\"/a/.\"]", "'.' or '..'"),
        ("[\"/a//b\"]", "empty segment"),
        ("[\"/a/x**\"]", "'**' beside"),
        ("[\"/a/***\"]", "'**' beside"),
        ("[\"/a%2fb\"]", "a character"),
        ("[\"/a?b\"]", "a character"),
        ("[\"/a[b]\"]", "a character"),
        ("[\"/{a,b}\"]", "a character"),
        ("[\"/a;b\"]", "a character"),
        ("[\"/a b\"]", "a character"),
        ("[\"/ä\"]", "a character"),
        ("[\"/a\\\\b\"]", "a character"),
        ("[/ok, \"https://a.example/\"]", "paths[1]: "),
    ] {
        for list in [0, 1] {
            let entry = format!("host: b.example, paths: {paths}");
            let lists = [
                &["host: a.example", entry.as_str()][..],
                &["host: a.example"],
            ];
            let text = rules(lists[list], lists[1 - list]);
            let error = Policy::parse(&text).unwrap_err();
            assert_eq!(
                (error.kind, error.line),
                (PolicyErrorKind::Language, 6 + 2 * list as u32),
                "{paths}: {error}"
            );
            assert!(error.message.contains(expected), "{paths}: {error}");
            assert!(error.column > 8, "{error}");
        }
    }
    let long = |length: usize| format!("host: a.example, paths: [\"/{}\"]", "a".repeat(length));
    policy(&rules(&[&long(1023)], &[]));
    let error = Policy::parse(&rules(&[&long(1024)], &[])).unwrap_err();
    assert!(error.message.contains("at most 1024 bytes"), "{error}");
    let many = |count: usize| {
        let patterns: Vec<String> = (0..count).map(|index| format!("/{index}")).collect();
        format!("host: a.example, paths: [{}]", patterns.join(", "))
    };
    let most = policy(&rules(&[&many(64)], &[]));
    assert_eq!(
        most.rules()[0].text,
        "a.example [paths: /0, /1, /2, /3, /4, /5, /6, /7, 56 more]"
    );
    let error = Policy::parse(&rules(&[&many(65)], &[])).unwrap_err();
    assert!(error.message.contains("at most 64 patterns"), "{error}");
    assert_eq!((error.line, error.column), (5, 35));
}

#[test]
fn hostile_patterns_and_paths_are_compared_quickly() {
    let stars = "/**/a*a*a*a*a*a*a*b".repeat(50);
    let deep = format!("/{}", "**/a/".repeat(200));
    let grant = grant(
        &[
            &format!("host: a.example, paths: [\"{stars}\", \"{deep}x\"]"),
            &format!("host: a.example, paths: [\"/{}\"]", "a*".repeat(500)),
        ],
        &[],
    );
    let started = Instant::now();
    for text in ["a".repeat(8000), "a/".repeat(4000), "aaaaaaaa/".repeat(900)] {
        let text = format!("/{text}").trim_end_matches('/').to_owned() + "c/d";
        assert_eq!(path(&grant, "GET", &text), PATH);
    }
    // Not optimised, and beside other tests.
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

proptest! {
    #[test]
    fn what_fits_a_pattern_fits_it_decoded(pattern in "/([a:*]{1,3}|\\*\\*)(/([a:*]{1,2}|\\*\\*)){0,3}", text in "/(a|:|%3a|%20|/|\\.|%2e|%2f|;){0,8}") {
        let entry = format!("host: a.example, paths: [\"{pattern}\"]");
        if Policy::parse(&rules(&[&entry], &[])).is_err() {
            prop_assert!(pattern.contains("**"));
            return Ok(());
        }
        let allow = grant(&[&entry], &[]);
        let deny = grant(&["host: a.example"], &[&entry]);
        let decoded = text.replace("%3a", ":").replace("%20", "_");
        let ambiguous = ["%2e", "%2f", ";", "//"].iter().any(|odd| text.contains(odd)) || decoded.split('/').any(|segment| matches!(segment.trim_matches('_'), "." | ".."));
        prop_assert_eq!(untargeted(&grant(&["host: a.example, paths: [\"/**\"]"], &[]), &text).is_err(), ambiguous, "{}", text);
        if ambiguous {
            prop_assert!(untargeted(&allow, &text).is_err() && untargeted(&deny, &text).is_err());
        } else {
            // An entry that allows is about both spellings, one that denies about either.
            let fits = untargeted(&allow, &text).is_ok();
            let denied = untargeted(&deny, &text).is_err();
            let decoded_fits = untargeted(&allow, &decoded).is_ok();
            prop_assert_eq!(untargeted(&deny, &decoded).is_err(), decoded_fits);
            prop_assert!(!fits || decoded_fits);
            prop_assert!(denied || !decoded_fits);
            prop_assert!(text != decoded || fits == denied);
        }
    }
}
