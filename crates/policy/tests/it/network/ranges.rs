//! Ranges of addresses: where a name may lead, and which addresses may be asked for.

use super::*;

#[test]
fn s086_a_name_leads_inside_only_where_its_entry_has_a_range_that_covers_the_address() {
    let grant = grant(
        &[
            "host: db.internal, cidr: 10.1.0.0/16, ports: [443, 8080]",
            "host: \"*.v6.internal\", cidr: \"fd00:1::/32\"",
            "host: both.internal, cidr: 192.168.7.0/24",
            "host: both.internal",
            "host: other.internal",
        ],
        &[],
    );
    for (authority, address, expected) in [
        ("db.internal", "10.1.0.5", "allowed"),
        ("db.internal:8080", "10.1.255.255", "allowed"),
        ("db.internal", "10.2.0.5", ADDRESS),
        ("db.internal", "10.0.255.255", ADDRESS),
        ("db.internal", "127.0.0.1", ADDRESS),
        ("db.internal", "192.168.7.1", ADDRESS),
        // A range is all that its entry allows, public addresses included.
        ("db.internal", "8.8.8.8", ADDRESS),
        ("db.internal:9", "10.1.0.5", PORT),
        ("a.v6.internal", "fd00:1::5", "allowed"),
        ("a.v6.internal", "fd00:2::5", ADDRESS),
        ("a.b.v6.internal", "fd00:1::5", HOST),
        ("both.internal", "192.168.7.1", "allowed"),
        ("both.internal", "8.8.8.8", "allowed"),
        ("both.internal", "10.1.0.5", ADDRESS),
        // The range of one name is nothing for another.
        ("other.internal", "10.1.0.5", ADDRESS),
        ("other.internal", "192.168.7.1", ADDRESS),
        ("other.internal", "8.8.8.8", "allowed"),
    ] {
        assert_eq!(
            reached(&grant, authority, address),
            expected,
            "{authority} {address}"
        );
    }
    // The request itself is allowed wherever it leads, and an address needs an entry of its own.
    assert_eq!(ask(&grant, "https", "db.internal", "GET"), "allowed");
    assert_eq!(ask(&grant, "https", "10.1.0.5", "GET"), HOST);
}

#[test]
fn s086_all_keys_of_the_entry_with_the_range_must_hold() {
    let grant = grant(
        &[
            "host: a.internal, cidr: 10.0.0.0/8, schemes: [http], ports: [80, 8080], methods: [GET], paths: [\"/v1/**\"]",
            "host: a.internal, schemes: [http, https], ports: [80, 443, 8080]",
        ],
        &[],
    );
    for (scheme, port, method, path, expected) in [
        ("http", 80, "GET", "/v1/x", "allowed"),
        ("http", 8080, "GET", "/v1/x", "allowed"),
        ("https", 8080, "GET", "/v1/x", ADDRESS),
        ("http", 443, "GET", "/v1/x", ADDRESS),
        ("http", 80, "PUT", "/v1/x", ADDRESS),
        ("http", 80, "GET", "/v2", ADDRESS),
        ("http", 80, "GET", "/v1/%2e%2e/x", ADDRESS),
    ] {
        let authority = format!("a.internal:{port}");
        let target = HttpTarget::parse(scheme, &authority, method, path).unwrap();
        assert!(grant.decide(&target.operation()).is_ok());
        let connect = |address: &str| {
            let address = SocketAddr::new(address.parse().unwrap(), port);
            match grant.decide(&target.connect(address, false)) {
                Ok(_) => "allowed".to_owned(),
                Err(denial) => denial.reason().to_string(),
            }
        };
        assert_eq!(
            connect("10.0.0.5"),
            expected,
            "{scheme} {port} {method} {path}"
        );
        assert_eq!(connect("8.8.8.8"), "allowed");
    }
}

#[test]
fn s085_s090_what_is_never_reached_is_not_reached_by_a_range() {
    let ranges = [
        "169.254.0.0/16",
        "100.64.0.0/10",
        "168.63.0.0/16",
        "192.0.0.0/24",
        "255.255.255.0/24",
        "\"fd00::/16\"",
        "\"64:ff9b::/96\"",
        "\"2002::/16\"",
        "\"2001::/32\"",
        "\"::/96\"",
        "127.0.0.0/8",
    ];
    let mut entries = Vec::new();
    for range in ranges {
        entries.push(format!("host: a.example, cidr: {range}"));
        entries.push(format!("cidr: {range}"));
    }
    entries.push("host: metadata.internal, cidr: 169.254.0.0/16".to_owned());
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    let open = grant(&entries, &[]);
    for address in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "255.255.255.255",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "::",
        "0.0.0.0",
        "224.0.0.1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
    ] {
        let denial = connect(&open, "a.example", address).unwrap_err();
        assert_eq!(
            (denial.reason().as_str(), denial.remedy()),
            (ADDRESS, None),
            "{address}"
        );
        assert!(
            denial
                .explanation()
                .contains("no rule makes that reachable"),
            "{denial}"
        );
        let authority = match address.contains(':') {
            true => format!("[{address}]"),
            false => address.to_owned(),
        };
        assert_eq!(ask(&open, "https", &authority, "GET"), HOST, "{address}");
    }
    // What those ranges hold beside is reached: forms of IPv4 addresses by their own ranges.
    for address in [
        "169.254.1.1",
        "100.64.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "::7f00:1",
        "127.0.0.1",
    ] {
        assert_eq!(reached(&open, "a.example", address), "allowed", "{address}");
    }
    let inner = grant(&["host: a.example, cidr: 127.0.0.0/8"], &[]);
    for address in ["64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "::1"] {
        assert_eq!(reached(&inner, "a.example", address), ADDRESS, "{address}");
    }
    let target = get("https", "a.example").unwrap();
    let own = target.connect("127.0.0.1:443".parse().unwrap(), true);
    let denial = inner.decide(&own).unwrap_err();
    assert_eq!((denial.reason().as_str(), denial.remedy()), (ADDRESS, None));
}

#[test]
fn s087_each_address_of_an_answer_is_judged() {
    let grant = grant(
        &["host: a.example", "host: b.example, cidr: 10.0.0.0/8"],
        &[],
    );
    let verdicts = |name: &str| {
        ["93.184.216.34", "127.0.0.1", "10.0.0.5"].map(|address| reached(&grant, name, address))
    };
    assert_eq!(verdicts("a.example"), ["allowed", ADDRESS, ADDRESS]);
    assert_eq!(verdicts("b.example"), [ADDRESS, ADDRESS, "allowed"]);
}

#[test]
fn a_range_alone_is_about_requests_to_addresses() {
    let grant = grant(
        &[
            "cidr: 10.1.0.0/16, ports: [443, 8080]",
            "cidr: \"fd00:1::/32\", methods: [GET]",
            "cidr: 9.9.9.0/24",
            "host: a.example",
        ],
        &[],
    );
    for (authority, expected) in [
        ("10.1.0.5", "allowed"),
        ("10.1.0.5:8080", "allowed"),
        ("10.1.0.5:8443", PORT),
        ("10.2.0.5", HOST),
        ("[fd00:1::5]", "allowed"),
        ("[fd00:2::5]", HOST),
        ("9.9.9.9", "allowed"),
        ("9.9.8.9", HOST),
        ("b.example", HOST),
    ] {
        assert_eq!(
            ask(&grant, "https", authority, "GET"),
            expected,
            "{authority}"
        );
    }
    assert_eq!(ask(&grant, "https", "[fd00:1::5]", "PUT"), METHOD);
    assert_eq!(reached(&grant, "10.1.0.5", "10.1.0.5"), "allowed");
    // No name is led there by it.
    assert_eq!(reached(&grant, "a.example", "10.1.0.5"), ADDRESS);
    assert_eq!(reached(&grant, "a.example", "9.9.9.9"), "allowed");
    assert_eq!(reached(&grant, "b.example", "9.9.9.9"), HOST);
}

#[test]
fn a_denied_range_is_denied_to_addresses_in_it_and_to_names_that_lead_there() {
    let open = grant(
        &[
            "host: a.example",
            "host: b.example, cidr: 10.0.0.0/8",
            "host: c.example, cidr: \"64:ff9b::/96\"",
            "cidr: 10.0.0.0/8",
            "host: 10.9.0.5",
            "host: 198.41.0.4",
            "host: \"64:ff9b::a09:5\"",
        ],
        &[
            "cidr: 10.9.0.0/16",
            "cidr: 198.41.0.0/16, methods: [PUT]",
            "host: a.example, cidr: 9.9.9.0/24",
            "host: 9.9.8.8",
        ],
    );
    for (authority, address, expected) in [
        ("b.example", "10.1.0.5", "allowed"),
        ("b.example", "10.9.0.5", ADDRESS),
        ("10.1.0.5", "10.1.0.5", "allowed"),
        ("10.9.0.5", "10.9.0.5", ADDRESS),
        // In IPv6 dress as well, for ranges and for addresses.
        ("c.example", "64:ff9b::a01:5", "allowed"),
        ("c.example", "64:ff9b::a09:5", ADDRESS),
        ("c.example", "64:ff9b::909:808", ADDRESS),
        ("[64:ff9b::a09:5]", "64:ff9b::a09:5", ADDRESS),
        // Of a name and a range both must hold.
        ("a.example", "9.9.9.9", ADDRESS),
        ("a.example", "9.9.8.8", ADDRESS),
        ("a.example", "9.9.7.7", "allowed"),
        ("a.example", "198.41.0.4", "allowed"),
    ] {
        assert_eq!(
            reached(&open, authority, address),
            expected,
            "{authority} {address}"
        );
    }
    assert_eq!(ask(&open, "https", "10.1.0.5", "GET"), "allowed");
    assert_eq!(ask(&open, "https", "10.9.0.5", "GET"), ADDRESS);
    assert_eq!(ask(&open, "https", "[64:ff9b::a09:5]", "GET"), ADDRESS);
    assert_eq!(ask(&open, "https", "198.41.0.4", "GET"), "allowed");
    assert_eq!(ask(&open, "https", "198.41.0.4", "PUT"), ADDRESS);
    assert_eq!(ask(&open, "https", "a.example", "GET"), "allowed");
    let denial = connect(&open, "b.example", "10.9.0.5").unwrap_err();
    assert_eq!(
        (denial.explanation(), denial.remedy()),
        ("b.example leads to 10.9.0.5, which a rule denies", None)
    );
    assert_eq!(denial.rule().unwrap().text, "deny 10.9.0.0/16");
    let denial = connect(&open, "10.9.0.5", "10.9.0.5").unwrap_err();
    assert_eq!(denial.explanation(), "a rule denies this address");
    let denial = connect(&open, "a.example", "9.9.9.9").unwrap_err();
    assert_eq!(
        denial.rule().unwrap().text,
        "deny a.example [cidr: 9.9.9.0/24]"
    );
    // In a deny list what is broad only takes away.
    let none = grant(
        &["host: a.example", "host: 10.0.0.5"],
        &["cidr: 0.0.0.0/0", "cidr: \"::/0\""],
    );
    assert_eq!(reached(&none, "a.example", "8.8.8.8"), ADDRESS);
    assert_eq!(reached(&none, "a.example", "2606:4700::1"), ADDRESS);
    assert_eq!(ask(&none, "https", "10.0.0.5", "GET"), ADDRESS);
}

#[test]
fn denials_say_which_range_is_missing() {
    let own = policy(&rules(
        &[
            "host: a.example, ports: [8443]",
            "host: b.example, cidr: 10.0.0.0/8",
            "host: c.example",
        ],
        &[],
    ));
    let grant = admit(&own, None, &[]);
    let denial = connect(&grant, "a.example:8443", "192.168.1.5").unwrap_err();
    assert_eq!(
        denial.explanation(),
        "a.example leads to 192.168.1.5, which is a private address (192.168.0.0/16); such an address is reached only where an entry for the name has a cidr that covers it"
    );
    assert_eq!(denial.rule().unwrap().text, "a.example [ports: 8443]");
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "add a copy of that rule with cidr: \"192.168.1.5/32\""
    );
    let denial = connect(&grant, "c.example", "4000::1").unwrap_err();
    assert!(
        denial
            .explanation()
            .contains("which is an address that nobody was given; such"),
        "{denial}"
    );
    let denial = connect(&grant, "b.example", "9.9.9.9").unwrap_err();
    assert_eq!(
        denial.explanation(),
        "b.example leads to 9.9.9.9, which the cidr of no entry for the name covers"
    );
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME network b.example"
    );
    let explained = |authority: &str| {
        let target = get("https", authority).unwrap();
        let explanation = grant.explain(&target.operation());
        assert!(explanation.allowed);
        explanation.sentence
    };
    assert_eq!(
        explained("b.example"),
        "a rule allows it where the name leads to addresses in 10.0.0.0/8; where it does lead is not known here"
    );
    assert_eq!(explained("c.example"), "a rule allows it");
    // A ceiling needs ranges of its own.
    let bare = policy(&rules(&["host: b.example"], &[]));
    let under = admit(&own, Some(&bare), &[]);
    let denial = connect(&under, "b.example", "10.0.0.5").unwrap_err();
    assert_eq!(
        (
            denial.reason().as_str(),
            denial.remedy(),
            denial.rule().unwrap().origin
        ),
        (ADDRESS, Some(&Remedy::Ceiling), Origin::Ceiling)
    );
    assert!(
        denial.explanation().starts_with(
            "a rule allows it, but under the ceiling b.example leads to 10.0.0.5, which is"
        ),
        "{denial}"
    );
    let part = policy(&rules(
        &[
            "host: b.example, cidr: 10.1.0.0/16",
            "host: c.example, cidr: 10.1.0.0/16",
        ],
        &[],
    ));
    let under = admit(&own, Some(&part), &[]);
    assert_eq!(reached(&under, "b.example", "10.1.0.5"), "allowed");
    assert_eq!(reached(&under, "b.example", "10.2.0.5"), ADDRESS);
    assert_eq!(reached(&under, "c.example", "10.1.0.5"), ADDRESS);
    assert_eq!(Policy::parse(&own.to_yaml()).unwrap(), own);
}

#[test]
fn s081_ranges_that_no_rule_may_allow() {
    for (range, expected) in [
        ("0.0.0.0/0", "covers too much"),
        ("\"::/0\"", "covers too much"),
        ("8.0.0.0/7", "covers too much"),
        ("128.0.0.0/1", "covers too much"),
        ("\"2000::/3\"", "covers too much"),
        ("\"fc00::/7\"", "covers too much"),
        ("\"2600::/15\"", "covers too much"),
        ("0.0.0.0/8", "unspecified"),
        ("224.0.0.0/8", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("169.254.169.254/32", "metadata"),
        ("\"fd00:ec2::254/128\"", "metadata"),
        ("\"ff02::/16\"", "multicast"),
        ("\"64:ff9b::a9fe:a9fe/128\"", "metadata"),
        ("\"::ffff:10.0.0.0/104\"", "which no request reaches"),
    ] {
        for entry in [
            format!("host: a.example, cidr: {range}"),
            format!("cidr: {range}"),
        ] {
            let error = Policy::parse(&rules(&["host: b.example", &entry], &[])).unwrap_err();
            assert_eq!(
                (error.kind, error.line),
                (PolicyErrorKind::Language, 6),
                "{range}: {error}"
            );
            assert!(error.message.contains(expected), "{range}: {error}");
            assert!(error.hint.is_some(), "{range}: {error}");
        }
    }
    for range in [
        "10.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "\"fd00::/16\"",
        "\"::1/128\"",
    ] {
        policy(&rules(
            &[
                &format!("host: a.example, cidr: {range}"),
                &format!("cidr: {range}"),
            ],
            &[],
        ));
    }
    let error = Policy::parse(&rules(&["host: 10.0.0.5, cidr: 10.0.0.0/8"], &[])).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("keep one of the two"));
    let error = Policy::parse(&rules(
        &["host: a.example, cidr: \"::ffff:10.0.0.0/104\""],
        &[],
    ))
    .unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("write 10.0.0.0/8"));
    // Where a range says where it leads, a name of this machine means what it says.
    let local = |entry: &str| policy(&rules(&[entry], &[])).warnings().len();
    assert_eq!(local("host: localhost"), 1);
    assert_eq!(local("host: localhost, cidr: 127.0.0.0/8"), 0);
}
