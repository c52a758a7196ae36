//! What the lists mean together, under a ceiling, and what denials say.

use super::*;

#[test]
fn s081_patterns_for_everything_are_refused_or_warned_of() {
    for host in [
        "*",
        "**",
        "*.",
        "**.",
        "*:443",
        "host:*",
        "*.com",
        "**.com",
        "*.uk",
        "**.internal",
        "*.*.com",
        "*.example.*",
    ] {
        let error = Policy::parse(&rules(&[&format!("host: \"{host}\"")], &[])).unwrap_err();
        assert_eq!(
            (error.kind, error.line),
            (PolicyErrorKind::Language, 5),
            "{host}: {error}"
        );
    }
    for host in [
        "*.co.uk",
        "**.com.au",
        "*.github.io",
        "**.amazonaws.com",
        "*.workers.dev",
    ] {
        let loaded = policy(&rules(&[&format!("host: \"{host}\"")], &[]));
        let [warning] = loaded.warnings() else {
            panic!("{host}: {:?}", loaded.warnings())
        };
        assert!(
            warning.message.contains(host) && warning.message.contains("anyone"),
            "{warning}"
        );
        assert_eq!((warning.line, warning.column > 8), (5, true));
    }
    for host in [
        "*.example.com",
        "**.bbc.co.uk",
        "me.github.io",
        "*.me.github.io",
        "co.uk",
        "com",
    ] {
        assert_eq!(
            policy(&rules(&[&format!("host: \"{host}\"")], &[])).warnings(),
            [],
            "{host}"
        );
    }
    // In a deny list what is broad only takes away.
    let grant = grant(
        &["host: a.example.com", "host: a.example.org"],
        &["host: \"**.com\""],
    );
    assert_eq!(ask(&grant, "https", "a.example.com", "GET"), HOST);
    assert_eq!(ask(&grant, "https", "a.example.org", "GET"), "allowed");
}

#[test]
fn the_entry_that_comes_furthest_says_what_is_missing() {
    let grant = grant(
        &[
            "host: a.example, schemes: [http]",
            "host: \"*.b.example\", ports: [8443]",
            "host: a.example, ports: [8443], methods: [PUT]",
            "host: a.example, methods: [PUT]",
        ],
        &[],
    );
    let denial = |scheme, authority, method| {
        let target = HttpTarget::parse(scheme, authority, method, "/").unwrap();
        let denial = grant.decide(&target.operation()).unwrap_err();
        (
            denial.reason().to_string(),
            denial.rule().map(|rule| rule.line),
        )
    };
    assert_eq!(
        denial("https", "a.example", "GET"),
        (METHOD.to_owned(), Some(8))
    );
    assert_eq!(
        denial("https", "a.example:8443", "GET"),
        (METHOD.to_owned(), Some(7))
    );
    assert_eq!(
        denial("https", "a.example:9", "GET"),
        (PORT.to_owned(), Some(7))
    );
    assert_eq!(
        denial("http", "x.b.example", "GET"),
        (SCHEME.to_owned(), Some(6))
    );
    assert_eq!(denial("https", "c.example", "GET"), (HOST.to_owned(), None));
}

#[test]
fn deny_entries_win() {
    let grant = grant(
        &["host: \"**.example.com\", schemes: [http, https], ports: [80, 443, 8443]"],
        &[
            "host: bad.example.com",
            "host: a.example.com, methods: [DELETE, PUT]",
            "host: \"*.example.com\", schemes: [http], ports: [8443]",
            "host: b.example.com, schemes: [http]",
            "host: c.example.com, ports: [443]",
        ],
    );
    for (scheme, authority, method, expected) in [
        ("https", "bad.example.com", "GET", HOST),
        ("http", "BAD.example.com.:8443", "GET", HOST),
        ("https", "a.example.com", "GET", "allowed"),
        ("https", "a.example.com", "PUT", METHOD),
        ("http", "a.example.com:8443", "GET", PORT),
        ("https", "a.example.com:8443", "GET", "allowed"),
        ("http", "a.b.example.com:8443", "GET", "allowed"),
        ("http", "b.example.com", "GET", SCHEME),
        ("https", "b.example.com", "GET", "allowed"),
        ("https", "c.example.com", "GET", PORT),
        ("http", "c.example.com", "GET", "allowed"),
    ] {
        assert_eq!(
            ask(&grant, scheme, authority, method),
            expected,
            "{scheme} {authority} {method}"
        );
    }
    let target = HttpTarget::parse("https", "a.example.com", "PUT", "/").unwrap();
    let denial = grant.decide(&target.operation()).unwrap_err();
    assert_eq!(
        denial.explanation(),
        "a rule denies the method PUT to this host"
    );
    assert_eq!((denial.remedy(), denial.rule().unwrap().line), (None, 8));
    assert_eq!(
        denial.rule().unwrap().text,
        "deny a.example.com [methods: DELETE, PUT]"
    );
}

#[test]
fn the_ceiling_counts_for_each_key() {
    let own = policy(&rules(
        &[
            "host: \"**.example.com\", schemes: [http, https], ports: [80, 443, 8443]",
            "host: b.org",
            "host: 10.0.0.5",
        ],
        &[],
    ));
    let ceiling = policy(&rules(
        &["host: \"*.example.com\", methods: [GET]"],
        &["host: x.example.com"],
    ));
    let grant = admit(&own, Some(&ceiling), &[]);
    let denial = |scheme, authority, method| {
        let target = HttpTarget::parse(scheme, authority, method, "/").unwrap();
        let denial = grant.decide(&target.operation()).unwrap_err();
        assert_eq!(denial.remedy(), Some(&Remedy::Ceiling));
        let rule = denial.rule().unwrap();
        (
            denial.reason().to_string(),
            rule.origin,
            rule.line,
            denial.explanation().to_owned(),
        )
    };
    assert_eq!(ask(&grant, "https", "a.example.com", "GET"), "allowed");
    for (scheme, authority, method, reason, origin, line, what) in [
        (
            "https",
            "a.b.example.com",
            "GET",
            HOST,
            Origin::Policy,
            5,
            "does not allow this host",
        ),
        (
            "http",
            "a.example.com",
            "GET",
            SCHEME,
            Origin::Ceiling,
            5,
            "does not allow http to this host",
        ),
        (
            "https",
            "a.example.com:8443",
            "GET",
            PORT,
            Origin::Ceiling,
            5,
            "does not allow port 8443 of this host",
        ),
        (
            "https",
            "a.example.com",
            "PUT",
            METHOD,
            Origin::Ceiling,
            5,
            "does not allow the method PUT to this host",
        ),
        (
            "https",
            "x.example.com",
            "GET",
            HOST,
            Origin::Ceiling,
            7,
            "denies this host",
        ),
        (
            "https",
            "b.org",
            "GET",
            HOST,
            Origin::Policy,
            6,
            "does not allow this host",
        ),
    ] {
        let sentence = format!("a rule allows it, but the ceiling {what}");
        assert_eq!(
            denial(scheme, authority, method),
            (reason.to_owned(), origin, line, sentence)
        );
    }
    // The address is opened by the policy, and not by the ceiling.
    let denial = connect(&grant, "a.example.com", "10.0.0.5").unwrap_err();
    assert_eq!(
        (denial.reason().as_str(), denial.remedy()),
        (ADDRESS, Some(&Remedy::Ceiling))
    );
    let both = policy(&rules(&["host: \"*.example.com\"", "host: 10.0.0.5"], &[]));
    assert_eq!(
        reached(&admit(&own, Some(&both), &[]), "a.example.com", "10.0.0.5"),
        "allowed"
    );
    assert!(grant.reach().network);
    assert!(!admit(&own, Some(&Policy::empty()), &[]).reach().network);
}

#[test]
fn remedies_name_what_is_to_be_granted() {
    let grant = grant(&["host: a.example, methods: [GET]"], &["host: bad.example"]);
    for (scheme, authority, expected) in [
        (
            "https",
            "B.example.",
            Some("casemate grant NAME network b.example"),
        ),
        (
            "https",
            "b.example:8443",
            Some("casemate grant NAME network b.example:8443"),
        ),
        (
            "http",
            "b.example",
            Some("casemate grant NAME network http://b.example"),
        ),
        (
            "http",
            "b.example:443",
            Some("casemate grant NAME network http://b.example:443"),
        ),
        (
            "http",
            "[::1]:8080",
            Some("casemate grant NAME network 'http://[::1]:8080'"),
        ),
        (
            "https",
            "10.0.0.5",
            Some("casemate grant NAME network 10.0.0.5"),
        ),
        (
            "https",
            "a.example:8443",
            Some("casemate grant NAME network a.example:8443"),
        ),
        (
            "http",
            "a.example",
            Some("casemate grant NAME network http://a.example"),
        ),
        ("https", "bad.example", None),
        ("https", "169.254.169.254", None),
    ] {
        let target = get(scheme, authority).unwrap();
        let denial = grant.decide(&target.operation()).unwrap_err();
        let remedy = denial.remedy().map(ToString::to_string);
        assert_eq!(remedy.as_deref(), expected, "{scheme} {authority}");
    }
}

#[test]
fn many_rules_are_decided_quickly() {
    let allow: Vec<String> = (0..1000)
        .map(|index| {
            format!("host: \"**.h{index}.example.com\", methods: [GET, PUT], ports: [443, 8443]")
        })
        .collect();
    let deny: Vec<String> = (0..1000)
        .map(|index| format!("host: \"*.d{index}.example.com\""))
        .collect();
    let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
    let deny: Vec<&str> = deny.iter().map(String::as_str).collect();
    let many = policy(&rules(&allow, &deny));
    let grant = admit(&many, Some(&many), &[]);
    let target = get("https", "a.b.h999.example.com:8443").unwrap();
    let address = SocketAddr::new("93.184.216.34".parse().unwrap(), 8443);
    let started = Instant::now();
    for _ in 0..1000 {
        assert!(grant.decide(&target.operation()).is_ok());
        assert!(grant.decide(&target.connect(address, false)).is_ok());
    }
    // Not optimised, and beside other tests; a release build took 43 µs for each on two busy cores.
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}
