//! Where names lead, and what is never reached.

use super::*;

#[test]
fn s085_metadata_services_are_never_reached() {
    for host in [
        "169.254.169.254",
        "\"fd00:ec2::254\"",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
        "0.0.0.0",
        "\"::\"",
        "224.0.0.251",
        "\"ff02::1\"",
        "255.255.255.255",
        "\"64:ff9b::a9fe:a9fe\"",
    ] {
        let entry = format!("host: {host}");
        let error = Policy::parse(&rules(&["host: a.example", &entry], &[])).unwrap_err();
        assert_eq!(
            (error.kind, error.line),
            (PolicyErrorKind::Language, 6),
            "{host}: {error}"
        );
        assert!(
            error.message.contains("no rule makes that reachable"),
            "{error}"
        );
        policy(&rules(&[], &[&entry]));
    }
    let grant = grant(&["host: a.example", "host: \"**.google.internal\""], &[]);
    for authority in [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "0.0.0.0",
        "[::]",
        "[ff02::1]",
        "255.255.255.255",
    ] {
        let target = get("https", authority).unwrap();
        let denial = grant.decide(&target.operation()).unwrap_err();
        assert_eq!(
            (denial.reason().as_str(), denial.remedy()),
            (HOST, None),
            "{authority}"
        );
        assert!(
            denial
                .explanation()
                .contains("no rule makes that reachable")
        );
    }
    for address in [
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.5",
        "::ffff:93.184.216.34",
        "64:ff9b::a9fe:a9fe",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let denial = connect(&grant, "a.example", address).unwrap_err();
        assert_eq!(
            (denial.reason().as_str(), denial.remedy()),
            (ADDRESS, None),
            "{address}"
        );
    }
    assert_eq!(
        reached(&grant, "metadata.google.internal", "8.8.8.8"),
        ADDRESS
    );
}

#[test]
fn s086_s090_names_do_not_lead_to_special_addresses() {
    let grant = grant(&["host: a.example"], &[]);
    assert_eq!(reached(&grant, "a.example", "93.184.216.34"), "allowed");
    assert_eq!(
        reached(&grant, "a.example", "2606:2800:220:1::1"),
        "allowed"
    );
    for address in [
        "127.0.0.1",
        "10.0.0.5",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
    ] {
        let denial = connect(&grant, "a.example", address).unwrap_err();
        assert_eq!(denial.reason().as_str(), ADDRESS, "{address}");
        assert!(
            matches!(denial.remedy(), Some(Remedy::Range(_))),
            "{address}"
        );
        assert_eq!(
            denial.subject(),
            "network a.example:443",
            "the address is not for models"
        );
        assert!(denial.explanation().contains(address), "{denial}");
        assert_eq!(denial.rule().unwrap().line, 5);
    }
    let denial = connect(&grant, "a.example", "127.0.0.1").unwrap_err();
    assert_eq!(
        denial.explanation(),
        "a.example leads to 127.0.0.1, which is a loopback address (127.0.0.0/8); such an address is reached only where an entry for the name has a cidr that covers it"
    );
}

#[test]
fn s086_a_rule_for_the_address_itself_reaches_it() {
    let local = grant(
        &[
            "host: 127.0.0.1, schemes: [http], ports: [8080]",
            "host: \"::1\"",
            "host: 10.0.0.5, methods: [GET]",
            "host: a.example, schemes: [https, http], ports: [443, 8080]",
        ],
        &[],
    );
    assert_eq!(ask(&local, "http", "127.0.0.1:8080", "GET"), "allowed");
    assert_eq!(
        reached(&local, "http://127.0.0.1:8080", "127.0.0.1"),
        "allowed"
    );
    assert_eq!(reached(&local, "[::1]", "::1"), "allowed");
    assert_eq!(reached(&local, "10.0.0.5", "10.0.0.5"), "allowed");
    // A name may lead there too, by requests that the rule allows.
    assert_eq!(
        reached(&local, "http://a.example:8080", "127.0.0.1"),
        "allowed"
    );
    assert_eq!(reached(&local, "a.example", "127.0.0.1"), ADDRESS);
    assert_eq!(reached(&local, "a.example", "::1"), "allowed");
    // All keys of that rule must hold.
    assert_eq!(reached(&local, "a.example", "10.0.0.5"), "allowed");
    let put = HttpTarget::parse("https", "a.example", "PUT", "/").unwrap();
    let put = put.connect("10.0.0.5:443".parse().unwrap(), false);
    assert_eq!(local.decide(&put).unwrap_err().reason().as_str(), ADDRESS);
    assert_eq!(reached(&local, "a.example", "10.0.0.6"), ADDRESS);
    // An address leads to itself.
    assert_eq!(reached(&local, "[::1]", "127.0.0.1"), ADDRESS);
    // Connections are judged on their own as well.
    assert_eq!(reached(&local, "b.example", "8.8.8.8"), HOST);
    assert_eq!(reached(&local, "a.example:9000", "8.8.8.8"), PORT);
    assert_eq!(reached(&local, "127.0.0.1:9000", "127.0.0.1"), SCHEME);
}

#[test]
fn s105_own_listeners_are_never_reached() {
    let grant = grant(&["host: 127.0.0.1, schemes: [http], ports: [8080]"], &[]);
    let target = get("http", "127.0.0.1:8080").unwrap();
    let address: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    assert!(grant.decide(&target.connect(address, false)).is_ok());
    let denial = grant.decide(&target.connect(address, true)).unwrap_err();
    assert_eq!((denial.reason().as_str(), denial.remedy()), (ADDRESS, None));
    assert!(denial.explanation().contains("this server itself"));
}

#[test]
fn a_denied_address_is_denied_to_names_that_lead_to_it() {
    let grant = grant(
        &[
            "host: \"**.example.com\", ports: [443, 8443]",
            "host: 198.41.0.4, ports: [443, 8443]",
        ],
        &[
            "host: 93.184.216.34",
            "host: 198.41.0.4, ports: [8443], methods: [PUT]",
            "host: no.example.com",
        ],
    );
    let denial = connect(&grant, "a.example.com", "93.184.216.34").unwrap_err();
    assert_eq!((denial.reason().as_str(), denial.remedy()), (ADDRESS, None));
    assert_eq!(denial.rule().unwrap().text, "deny 93.184.216.34");
    assert_eq!(reached(&grant, "a.example.com", "93.184.216.35"), "allowed");
    assert_eq!(reached(&grant, "a.example.com", "198.41.0.4"), "allowed");
    assert_eq!(
        reached(&grant, "a.example.com:8443", "198.41.0.4"),
        "allowed"
    );
    for (authority, reason) in [("a.example.com:8443", ADDRESS), ("198.41.0.4:8443", METHOD)] {
        let put = HttpTarget::parse("https", authority, "PUT", "/").unwrap();
        let put = put.connect("198.41.0.4:8443".parse().unwrap(), false);
        let denial = grant.decide(&put).unwrap_err();
        assert_eq!(denial.reason().as_str(), reason, "{authority}");
    }
    assert_eq!(reached(&grant, "no.example.com", "8.8.8.8"), HOST);
}
