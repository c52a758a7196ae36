//! How targets are read, and which hosts, schemes, ports and methods an entry is about.

use super::*;

#[test]
fn s079_a_name_is_that_name_and_no_other() {
    let grant = grant(&["host: api.example.com"], &[]);
    for (authority, expected) in [
        ("api.example.com", "allowed"),
        ("API.EXAMPLE.COM", "allowed"),
        ("api.example.com.", "allowed"),
        ("Api.Example.Com.:443", "allowed"),
        ("api.example.com..", HOST),
        ("api.example.com.evil.com", HOST),
        ("evilapi.example.com", HOST),
        ("example.com", HOST),
        ("a.api.example.com", HOST),
        ("api.example.co", HOST),
        ("api-example.com", HOST),
        (".api.example.com", HOST),
        ("api.example.com\0", HOST),
        ("api.example.com/", HOST),
        ("api.example.com?x", HOST),
        ("api.example.com#x", HOST),
        ("api.example.com\\x", HOST),
        ("api.example.com ", HOST),
        (" api.example.com", HOST),
        ("api.example.com;x", HOST),
        ("api.example.com,b.example.com", HOST),
        ("api{}.example.com", HOST),
        ("api\u{ad}.example.com", "allowed"),
        ("\u{430}pi.example.com", HOST),
        ("xn--pi-7kc.example.com", HOST),
    ] {
        assert_eq!(
            ask(&grant, "https", authority, "GET"),
            expected,
            "{authority:?}"
        );
    }
}

#[test]
fn s109_names_that_look_alike_are_not() {
    // The first letter of the second is Cyrillic, and so on: mixed scripts, digits of other scripts, invisible characters.
    let latin = "api.example.com";
    let lookalikes = [
        "\u{430}pi.example.com",
        "\u{430}\u{440}\u{456}.example.com",
        "api.ex\u{430}mple.com",
        "ap\u{131}.example.com",
        "ap\u{ed}.example.com",
        "api.example.c\u{3bf}m",
        "\u{1d44e}pi\u{2f}.example.com",
    ];
    let plain = grant(&[&format!("host: {latin}")], &[]);
    for name in lookalikes {
        assert_ne!(ask(&plain, "https", name, "GET"), "allowed", "{name:?}");
        let Ok(target) = get("https", name) else {
            continue;
        };
        // Whatever is shown of it is A-labels.
        let host = target.host().to_string();
        assert!(host.is_ascii() && host.contains("xn--"), "{host}");
        let denial = plain.decide(&target.operation()).unwrap_err();
        assert!(denial.subject().is_ascii(), "{}", denial.subject());
        assert!(denial.remedy().unwrap().to_string().is_ascii());

        // A rule with such a name is for that one alone, and says so.
        let policy = policy(&rules(&[&format!("host: \"{name}\"")], &[]));
        let rule = policy.rules().remove(0).text;
        assert_eq!(rule, host);
        let other = admit(&policy, None, &[]);
        assert_eq!(ask(&other, "https", name, "GET"), "allowed");
        assert_eq!(ask(&other, "https", &host, "GET"), "allowed");
        assert_ne!(ask(&other, "https", latin, "GET"), "allowed", "{name:?}");
        assert!(policy.to_yaml().is_ascii(), "{}", policy.to_yaml());
        let edited = edit("", &PolicyEdit::Grant(Permission::Network(name.to_owned()))).unwrap();
        assert!(
            edited.text.is_ascii() && edited.text.contains(&host),
            "{}",
            edited.text
        );
    }
    // What Unicode itself takes for the same letters is the same name; nothing else is.
    for name in [
        "\u{ff41}pi.example.com",
        "api\u{3002}example.com",
        "API.EXAMPLE.COM",
        "ap\u{ad}i.example.com",
    ] {
        assert_eq!(ask(&plain, "https", name, "GET"), "allowed", "{name:?}");
    }
}

#[test]
fn s080_stars_stand_for_whole_labels() {
    let one = grant(&["host: \"*.example.com\""], &[]);
    let any = grant(&["host: \"**.example.com\""], &[]);
    for (authority, one_label, any_depth) in [
        ("a.example.com", "allowed", "allowed"),
        ("A.Example.Com.", "allowed", "allowed"),
        ("a-b.example.com", "allowed", "allowed"),
        ("a.b.example.com", HOST, "allowed"),
        ("example.com", HOST, HOST),
        (".example.com", HOST, HOST),
        ("aexample.com", HOST, HOST),
        ("a.example.com.evil.org", HOST, HOST),
        ("*.example.com", HOST, HOST),
        ("192.0.2.1", HOST, HOST),
    ] {
        assert_eq!(
            ask(&one, "https", authority, "GET"),
            one_label,
            "{authority}"
        );
        assert_eq!(
            ask(&any, "https", authority, "GET"),
            any_depth,
            "{authority}"
        );
    }
}

#[test]
fn s082_https_on_443_unless_a_rule_says_otherwise() {
    let plain = grant(&["host: a.example"], &[]);
    for (scheme, authority, expected) in [
        ("https", "a.example", "allowed"),
        ("https", "a.example:443", "allowed"),
        ("http", "a.example", SCHEME),
        ("http", "a.example:443", SCHEME),
        ("HTTPS", "a.example", SCHEME),
        ("ftp", "a.example", SCHEME),
        ("ws", "a.example", SCHEME),
        ("", "a.example", SCHEME),
        ("https", "a.example:8443", PORT),
        ("https", "a.example:80", PORT),
        ("https", "a.example:0", PORT),
        ("https", "a.example:65536", PORT),
        ("https", "a.example:0443", PORT),
        ("https", "a.example:", PORT),
        ("https", "a.example:+443", PORT),
        ("https", "a.example: 443", PORT),
        ("https", "a.example:443:443", PORT),
        ("https", "a.example:４４３", PORT),
        ("https", "", HOST),
        ("https", ":443", HOST),
    ] {
        assert_eq!(
            ask(&plain, scheme, authority, "GET"),
            expected,
            "{scheme} {authority}"
        );
    }
    let keys = grant(
        &[
            "host: a.example, schemes: [http]",
            "host: b.example, ports: [8443, 9443]",
            "host: c.example, schemes: [http, https], ports: [8080]",
            "host: d.example, schemes: [http, https]",
        ],
        &[],
    );
    for (scheme, authority, expected) in [
        ("http", "a.example", "allowed"),
        ("http", "a.example:80", "allowed"),
        ("https", "a.example", SCHEME),
        ("http", "a.example:443", PORT),
        ("https", "b.example:9443", "allowed"),
        ("https", "b.example", PORT),
        ("http", "b.example:8443", SCHEME),
        ("http", "c.example:8080", "allowed"),
        ("https", "c.example:8080", "allowed"),
        ("http", "c.example", PORT),
        ("https", "c.example", PORT),
        ("http", "d.example", "allowed"),
        ("https", "d.example", "allowed"),
        ("http", "d.example:443", PORT),
        ("https", "d.example:80", PORT),
    ] {
        assert_eq!(
            ask(&keys, scheme, authority, "GET"),
            expected,
            "{scheme} {authority}"
        );
    }
}

#[test]
fn s083_userinfo_is_refused() {
    let open = grant(&["host: good.com", "host: evil.com"], &[]);
    for authority in [
        "good.com@evil.com",
        "good.com:80@evil.com",
        "user:pw@good.com",
        "user@good.com",
        "@good.com",
        "good.com@",
        "a@b@good.com",
        "user%40x@good.com",
    ] {
        assert_eq!(ask(&open, "https", authority, "GET"), HOST, "{authority}");
        let denial = get("https", authority).unwrap_err();
        assert!(
            denial.explanation().contains("user information"),
            "{denial}"
        );
        assert_eq!(denial.remedy(), None);
    }
    let denial = get("https", "user:hunter2@good.com").unwrap_err();
    assert_eq!(denial.subject(), "network good.com");
    assert!(
        !format!("{denial:?}").contains("hunter2"),
        "a password is not shown"
    );
}

#[test]
fn s084_odd_spellings_of_addresses_are_refused() {
    let literals = [
        "host: 127.0.0.1",
        "host: \"::1\"",
        "host: 10.0.0.1",
        "host: \"2001:db8::1\"",
    ];
    let grant = grant(&literals, &[]);
    for authority in ["127.0.0.1", "[::1]", "10.0.0.1:443", "[2001:db8::1]:443"] {
        assert_eq!(
            ask(&grant, "https", authority, "GET"),
            "allowed",
            "{authority}"
        );
    }
    for authority in [
        "2130706433",
        "0x7f000001",
        "0X7F000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "127.0.0.01",
        "1",
        "0",
        "0x0",
        "%31%32%37.0.0.1",
        "127.0.0.1%00",
        "%6c.example",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "::1",
        "::1:443",
        "[0:0:0:0:0:0:0:1]",
        "[::0001]",
        "[2001:DB8::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:169.254.169.254]",
        "[::1%25lo]",
        "[::1%lo]",
        "[127.0.0.1]",
        "[::1",
        "::1]",
        "[::1]x",
        "[]",
        "[::]",
        "256.0.0.1",
        "1.2.3.4.5",
        "127.0.0.1.1",
        "10.0.0.1x@",
    ] {
        assert_eq!(ask(&grant, "https", authority, "GET"), HOST, "{authority}");
        let Err(denial) = get("https", authority) else {
            // `[::]` is well written; that it is never reached is for the decision to say.
            assert_eq!(authority, "[::]");
            continue;
        };
        assert_eq!(denial.remedy(), None, "{authority}");
    }
    let sentence = |authority| get("http", authority).unwrap_err().explanation().to_owned();
    assert_eq!(
        sentence("2130706433"),
        "the host is an unusual spelling of the address 127.0.0.1; only the usual one is accepted"
    );
    assert!(sentence("[::ffff:10.0.0.1]").contains("the address 10.0.0.1;"));
    assert!(sentence("%6c.example").contains("percent-encoded"));
    // Whoever asks without a target gets the same answers.
    for host in [
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "::ffff:127.0.0.1",
        "a%2eb",
        "a@b",
        "",
    ] {
        let operation = Operation::HttpRequest {
            scheme: "https",
            host,
            port: 443,
            method: "GET",
            path: "/",
        };
        let denial = grant.decide(&operation).unwrap_err();
        assert_eq!(
            (denial.reason().as_str(), denial.remedy()),
            (HOST, None),
            "{host}"
        );
    }
}

#[test]
fn s096_methods_are_words_in_capitals() {
    let get_only = grant(&["host: a.example, methods: [GET]"], &[]);
    let any = grant(&["host: a.example"], &[]);
    for (method, restricted, open) in [
        ("GET", "allowed", "allowed"),
        ("POST", METHOD, "allowed"),
        ("M-SEARCH", METHOD, "allowed"),
        ("get", METHOD, METHOD),
        ("Get", METHOD, METHOD),
        ("GET ", METHOD, METHOD),
        (" GET", METHOD, METHOD),
        ("GET\r\n", METHOD, METHOD),
        ("", METHOD, METHOD),
        ("CONNECT", METHOD, METHOD),
        ("TRACE", METHOD, METHOD),
        ("ＧＥＴ", METHOD, METHOD),
        (&"A".repeat(33), METHOD, METHOD),
    ] {
        assert_eq!(
            ask(&get_only, "https", "a.example", method),
            restricted,
            "{method:?}"
        );
        assert_eq!(ask(&any, "https", "a.example", method), open, "{method:?}");
    }
    let target = HttpTarget::parse("https", "a.example", "DELETE", "/").unwrap();
    let denial = get_only.decide(&target.operation()).unwrap_err();
    assert_eq!(
        denial.explanation(),
        "a rule allows this host, but none allows the method DELETE to it"
    );
    assert_eq!(denial.remedy(), Some(&Remedy::Methods("DELETE".to_owned())));
    assert_eq!(denial.rule().unwrap().text, "a.example [methods: GET]");
}

#[test]
fn targets_are_read_once() {
    let target = HttpTarget::parse("http", "Bücher.Example.:8080", "POST", "/a/b?token=x").unwrap();
    assert_eq!(target.scheme(), HttpScheme::Http);
    assert_eq!(
        target.host(),
        &HttpHost::Name("xn--bcher-kva.example".to_owned())
    );
    assert_eq!(
        (target.port(), target.method(), target.path()),
        (8080, "POST", "/a/b")
    );
    assert_eq!(target.authority(), "xn--bcher-kva.example:8080");
    assert_eq!(
        target.operation(),
        Operation::HttpRequest {
            scheme: "http",
            host: "xn--bcher-kva.example",
            port: 8080,
            method: "POST",
            path: "/a/b",
        }
    );
    assert!(
        !format!("{target:?}").contains("token"),
        "a query is not kept"
    );
    let target = HttpTarget::parse("https", "[2001:db8::1]:443", "GET", "").unwrap();
    assert_eq!(
        target.host(),
        &HttpHost::Address("2001:db8::1".parse::<IpAddr>().unwrap())
    );
    assert_eq!(
        (target.authority().as_str(), target.path()),
        ("[2001:db8::1]", "/")
    );
    assert_eq!(target.operation().to_string(), "network [2001:db8::1]:443");
}

#[test]
fn s095_paths_that_are_no_paths_are_refused() {
    let path = |text: &str| match HttpTarget::parse("https", "a.example", "GET", text) {
        Ok(target) => target.path().to_owned(),
        Err(denial) => denial.reason().to_string(),
    };
    for (text, expected) in [
        ("", "/"),
        ("?a=b", "/"),
        ("/a?b?c", "/a"),
        ("/a%2fb/../c", "/a%2fb/../c"),
        ("*", "denied.network.path"),
        ("a", "denied.network.path"),
        ("http://evil/", "denied.network.path"),
        ("/a b", "denied.network.path"),
        ("/a?b c", "denied.network.path"),
        ("/a\r\nHost: evil", "denied.network.path"),
        ("/a?b\n", "denied.network.path"),
        ("/a#b", "denied.network.path"),
        ("/ä", "denied.network.path"),
        ("/\u{7f}", "denied.network.path"),
    ] {
        assert_eq!(path(text), expected, "{text:?}");
    }
    assert_eq!(path(&format!("/{}", "a".repeat(8191))).len(), 8192);
    assert_eq!(
        path(&format!("/{}", "a".repeat(8192))),
        "denied.network.path"
    );
}

#[test]
fn names_are_bounded() {
    let long = ["abcdefghi"; 25].join(".");
    assert!(get("https", &long).is_ok());
    for authority in [
        format!("{long}.abcd"),
        "a".repeat(64),
        format!("{}.example", "a".repeat(64)),
        "a.".repeat(100_000),
        "ß".repeat(100_000),
        "[".repeat(100_000),
        "\u{1b}[31m".repeat(100_000),
    ] {
        let denial = get("https", &authority).unwrap_err();
        assert_eq!(denial.reason().as_str(), HOST);
        assert!(
            denial
                .subject()
                .chars()
                .all(|shown| shown.is_ascii() || shown == '…')
        );
        assert!(denial.subject().len() < 8192 && !denial.subject().contains('\u{1b}'));
    }
}

proptest! {
    #[test]
    fn what_is_canonical_stays_as_it_is(scheme in "https?", host in "[a-zA-Z0-9.\\-_äß。①\\[\\]:%]{1,24}", port in prop::option::of(any::<u16>()), path in "/[a-z/.%?]{0,8}") {
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        if let Ok(target) = HttpTarget::parse(&scheme, &authority, "GET", &path) {
            let again = HttpTarget::parse(target.scheme().as_str(), &target.authority(), target.method(), target.path());
            prop_assert_eq!(again.unwrap(), target);
        }
    }

    #[test]
    fn no_target_panics(scheme in any::<String>(), authority in any::<String>(), method in any::<String>(), path in any::<String>()) {
        let grant = grant(&["host: a.example"], &[]);
        for scheme in [scheme.as_str(), "https"] {
            for method in [method.as_str(), "GET"] {
                match HttpTarget::parse(scheme, &authority, method, &path) {
                    Ok(target) => prop_assert_eq!(grant.decide(&target.operation()).is_ok(), target.host() == &HttpHost::Name("a.example".to_owned()) && target.port() == 443),
                    Err(denial) => prop_assert!(denial.remedy().is_none() && denial.subject().starts_with("network ") && !denial.subject().contains(char::is_control)),
                }
                let operation = Operation::HttpRequest { scheme, host: &authority, port: 443, method, path: &path };
                let explanation = grant.explain(&operation);
                prop_assert_eq!(explanation.allowed, grant.decide(&operation).is_ok());
            }
        }
    }
}
