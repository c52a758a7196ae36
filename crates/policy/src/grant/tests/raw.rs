use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const PUBLIC: &str = "198.41.0.4:5432";

#[test]
fn s116_s121_s122_without_a_rule_there_is_no_lookup_and_no_socket() {
    let requests = [
        "host: db.example",
        "cidr: \"10.0.0.0/8\"",
        "host: 198.41.0.4",
    ];
    for grant in [
        admit(&Policy::empty(), None),
        admit(&network(&requests, &[]), None),
    ] {
        assert_eq!(word(lookup(&grant, "db.example")), "denied.dns");
        assert_eq!(word(lookup(&grant, "198.41.0.4")), "denied.dns");
        assert_eq!(word(connect(&grant, None, PUBLIC)), "denied.socket");
        assert_eq!(
            word(connect(&grant, Some("db.example"), PUBLIC)),
            "denied.socket"
        );
        let create = Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        };
        let denial = grant.decide(&create).unwrap_err();
        assert_eq!(denial.reason().as_str(), "denied.socket");
        assert_eq!(
            denial.remedy().unwrap().to_string(),
            "casemate grant NAME network tcp://HOST:PORT"
        );
        assert!(!grant.reach().sockets);
    }
}

#[test]
fn s121_s122_only_tcp_sockets_are_made_and_none_listens() {
    let grant = admit(&network(&["tcp: \"db.example:5432\""], &[]), None);
    for action in [
        SocketAction::CreateUdp,
        SocketAction::Send,
        SocketAction::Bind,
        SocketAction::Listen,
        SocketAction::Connect,
    ] {
        for address in [None, Some(PUBLIC.parse().unwrap())] {
            let denial = grant
                .decide(&Operation::Socket { action, address })
                .unwrap_err();
            assert_eq!(denial.reason().as_str(), "denied.socket");
            assert!(
                matches!(denial.remedy(), Some(Remedy::NotInThisRelease(_))),
                "{denial}"
            );
        }
    }
    let create = Operation::Socket {
        action: SocketAction::CreateTcp,
        address: None,
    };
    assert_eq!(*grant.decide(&create).unwrap().granted(), Permitted::Socket);
    assert!(grant.reach().sockets && !grant.reach().network);
}

#[test]
fn s117_an_address_and_port_are_that_address_and_port() {
    let grant = admit(
        &network(
            &[
                "tcp: \"203.0.113.10:5432\"",
                "tcp: \"[2001:db8::1]:22\"",
                "tcp: \"127.0.0.1:9\"",
            ],
            &[],
        ),
        None,
    );
    for (address, expected) in [
        ("203.0.113.10:5432", "allowed"),
        ("203.0.113.10:5433", "denied.socket"),
        ("203.0.113.10:0", "denied.socket"),
        ("203.0.113.11:5432", "denied.socket"),
        ("[2001:db8::1]:22", "allowed"),
        ("[2001:db8::1]:5432", "denied.socket"),
        ("[2001:db8::2]:22", "denied.socket"),
        ("127.0.0.1:9", "allowed"),
        ("127.0.0.1:5432", "denied.socket"),
        ("[::ffff:203.0.113.10]:5432", "denied.socket"),
        ("[::ffff:127.0.0.1]:9", "denied.socket"),
        ("[64:ff9b::cb00:710a]:5432", "denied.socket"),
    ] {
        assert_eq!(word(connect(&grant, None, address)), expected, "{address}");
        // Under whichever name it was found: the entry names the address itself.
        assert_eq!(
            word(connect(&grant, Some("x.example"), address)),
            expected,
            "{address}"
        );
    }
}

#[test]
fn s118_s120_only_names_that_a_rule_names_are_looked_up() {
    let grant = admit(
        &network(
            &[
                "tcp: \"db.example.com:5432\"",
                "tcp: \"10.0.0.5:22\"",
                "tcp: \"bücher.example:70\"",
                "host: api.example.com",
            ],
            &[],
        ),
        None,
    );
    for (name, expected) in [
        ("db.example.com", "allowed"),
        ("DB.Example.com.", "allowed"),
        ("10.0.0.5", "allowed"),
        ("xn--bcher-kva.example", "allowed"),
        ("BÜCHER.example", "allowed"),
        ("x.db.example.com", "denied.dns"),
        ("secret.of.the.guest.db.example.com", "denied.dns"),
        ("db.example.com.evil.example", "denied.dns"),
        ("db-example.com", "denied.dns"),
        ("example.com", "denied.dns"),
        ("api.example.com", "denied.dns"),
        ("10.0.0.6", "denied.dns"),
        ("169.254.169.254", "denied.dns"),
        ("metadata.google.internal", "denied.dns"),
        ("0x7f.1", "denied.dns"),
        ("2130706433", "denied.dns"),
        ("127.1", "denied.dns"),
        ("0x0a.0.0.5", "denied.dns"),
        ("::ffff:10.0.0.5", "denied.dns"),
        ("[::1]", "denied.dns"),
        ("::1", "denied.dns"),
        ("LOCALHOST.", "denied.dns"),
        ("db.example.com:5432", "denied.dns"),
        ("db.example.com%00.evil", "denied.dns"),
        ("d\u{432}.example.com", "denied.dns"),
        ("*.example.com", "denied.dns"),
        ("", "denied.dns"),
        (".", "denied.dns"),
        ("db..example.com", "denied.dns"),
        ("a b", "denied.dns"),
    ] {
        assert_eq!(word(lookup(&grant, name)), expected, "{name:?}");
        // The decision refuses by itself what is in no canonical form.
        if expected != "allowed" {
            assert!(
                grant.decide(&Operation::Lookup { name }).is_err(),
                "{name:?}"
            );
        }
    }
}

#[test]
fn s119_an_address_needs_the_lookup_of_its_name() {
    let grant = admit(&network(&["tcp: \"db.example:5432\""], &[]), None);
    assert_eq!(word(connect(&grant, Some("db.example"), PUBLIC)), "allowed");
    let denial = connect(&grant, None, PUBLIC).unwrap_err();
    assert_eq!(denial.reason().as_str(), "denied.socket");
    assert_eq!(
        denial.to_string(),
        "no rule allows raw connections to this address on port 5432, and the tool looked up no name that leads there"
    );
    assert_eq!(denial.subject(), "socket connect 198.41.0.4:5432");
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME network tcp://198.41.0.4:5432"
    );
    for (name, address) in [
        ("other.example", PUBLIC),
        ("db.example", "198.41.0.4:5433"),
        ("x.db.example", PUBLIC),
        // A lease of another address is none of this one.
        ("198.41.0.5", PUBLIC),
        ("", PUBLIC),
    ] {
        assert_eq!(
            word(connect(&grant, Some(name), address)),
            "denied.socket",
            "{name}"
        );
    }
}

#[test]
fn s120_s123_a_name_leads_to_public_addresses_or_into_its_cidr() {
    let grant = admit(
        &network(
            &[
                "tcp: \"db.example:1\"",
                "tcp: \"in.example:1\", cidr: \"10.1.0.0/16\"",
                "tcp: \"six.example:1\", cidr: \"fd00::/16\"",
            ],
            &[],
        ),
        None,
    );
    for (name, address, expected) in [
        ("db.example", "198.41.0.4:1", "allowed"),
        ("db.example", "[2600::1]:1", "allowed"),
        ("db.example", "10.1.0.4:1", "denied.socket"),
        ("db.example", "127.0.0.1:1", "denied.socket"),
        ("db.example", "[::1]:1", "denied.socket"),
        ("db.example", "[fd00::1]:1", "denied.socket"),
        ("db.example", "[fe80::1]:1", "denied.socket"),
        ("db.example", "[64:ff9b::a01:4]:1", "denied.socket"),
        ("in.example", "10.1.0.4:1", "allowed"),
        ("in.example", "10.2.0.4:1", "denied.socket"),
        ("in.example", "198.41.0.4:1", "denied.socket"),
        ("in.example", "[64:ff9b::a01:4]:1", "denied.socket"),
        ("in.example", "[::ffff:10.1.0.4]:1", "denied.socket"),
        ("six.example", "[fd00::1]:1", "allowed"),
        ("six.example", "[fd00:ec2::254]:1", "denied.socket"),
        ("six.example", "[fd01::1]:1", "denied.socket"),
    ] {
        assert_eq!(
            word(connect(&grant, Some(name), address)),
            expected,
            "{name} {address}"
        );
    }
    let denial = connect(&grant, Some("db.example"), "10.1.0.4:1").unwrap_err();
    assert_eq!(denial.subject(), "socket connect db.example:1");
    assert_eq!(
        denial.rule().unwrap().section,
        "permissions.network.allow[0]"
    );
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "add a copy of that rule with cidr: \"10.1.0.4/32\""
    );
    assert!(
        denial.to_string().contains("private address (10.0.0.0/8)"),
        "{denial}"
    );
}

#[test]
fn s118_s120_an_answer_is_shown_if_a_connection_there_is_allowed() {
    let allow = [
        "tcp: \"db.example:1\"",
        "tcp: \"db.example:2\", cidr: \"10.0.0.0/8\"",
        "tcp: \"10.0.0.7:3\"",
    ];
    let open = admit(&network(&allow, &[]), None);
    let denied = admit(&network(&allow, &["cidr: \"198.41.0.0/16\""]), None);
    let ceiling = network(&["tcp: \"db.example:1\""], &[]);
    let under = admit(&network(&allow, &[]), Some(&ceiling));
    for (name, address, answers) in [
        ("db.example", "198.41.0.4", [true, false, true]),
        ("db.example", "198.42.0.4", [true, true, true]),
        ("db.example", "10.0.0.5", [true, true, false]),
        ("db.example", "192.168.0.5", [false, false, false]),
        ("db.example", "169.254.169.254", [false, false, false]),
        ("db.example", "::ffff:10.0.0.5", [false, false, false]),
        ("other.example", "198.42.0.4", [false, false, false]),
        ("10.0.0.7", "10.0.0.7", [true, true, false]),
        ("10.0.0.7", "10.0.0.8", [false, false, false]),
        ("0x7f.1", "127.0.0.1", [false, false, false]),
    ] {
        let address = address.parse().unwrap();
        let operation = Operation::LookupAnswer { name, address };
        for (grant, expected) in [&open, &denied, &under].into_iter().zip(answers) {
            match grant.decide(&operation) {
                Ok(permit) => {
                    assert!(expected, "{name} {address}");
                    assert_eq!(*permit.granted(), Permitted::Lookup);
                }
                Err(denial) => {
                    assert!(!expected, "{name} {address}: {denial}");
                    assert_eq!(denial.reason().as_str(), "denied.dns");
                    assert!(grant.explain(&operation).reason.is_some());
                }
            }
        }
    }
}

#[test]
fn s120_s123_some_addresses_are_never_reached() {
    // As wide as rules can be.
    let grant = admit(
        &network(
            &[
                "tcp: \"any.example:80\"",
                "tcp: \"any.example:80\", cidr: \"169.254.0.0/16\"",
                "tcp: \"any.example:80\", cidr: \"100.0.0.0/8\"",
                "tcp: \"any.example:80\", cidr: \"fd00::/16\"",
                "tcp: \"any.example:80\", cidr: \"fe80::/16\"",
            ],
            &[],
        ),
        None,
    );
    for address in [
        "169.254.169.254:80",
        "169.254.170.2:80",
        "100.100.100.200:80",
        "[fd00:ec2::254]:80",
        "0.0.0.0:80",
        "0.1.2.3:80",
        "[::]:80",
        "255.255.255.255:80",
        "224.0.0.251:80",
        "239.255.255.250:80",
        "[ff02::1]:80",
        "[::ffff:10.0.0.1]:80",
        "[::ffff:198.41.0.4]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "[2002:a9fe:a9fe::1]:80",
    ] {
        for name in [None, Some("any.example")] {
            let denial = connect(&grant, name, address).unwrap_err();
            assert_eq!(denial.reason().as_str(), "denied.socket");
            assert!(
                denial.to_string().contains("no rule makes that reachable"),
                "{denial}"
            );
            assert_eq!(denial.remedy(), None);
        }
    }
    assert_eq!(
        word(connect(&grant, Some("any.example"), "169.254.1.1:80")),
        "allowed"
    );
    assert_eq!(
        word(connect(&grant, Some("any.example"), "[fe80::1]:80")),
        "allowed"
    );
    // With a scope it is an address of one interface.
    assert_eq!(
        word(connect(&grant, Some("any.example"), "[fe80::1%2]:80")),
        "denied.socket"
    );
    // Whoever listens in this process is not reached.
    let own = Operation::TcpConnect {
        name: Some("any.example"),
        address: PUBLIC.parse().unwrap(),
        own: true,
    };
    assert!(
        grant
            .decide(&own)
            .unwrap_err()
            .to_string()
            .contains("itself listens")
    );
    for entry in [
        "tcp: \"169.254.169.254:80\"",
        "tcp: \"metadata.google.internal:80\"",
        "tcp: \"0.0.0.0:80\"",
        "tcp: \"[::]:80\"",
        "tcp: \"224.0.0.251:80\"",
        "tcp: \"255.255.255.255:80\"",
        "tcp: \"a.example:80\", cidr: \"224.0.0.0/8\"",
        "tcp: \"a.example:80\", cidr: \"169.254.169.254/32\"",
        "tcp: \"a.example:80\", cidr: \"0.0.0.0/0\"",
    ] {
        let text =
            format!("version: \"1.0\"\npermissions: {{ network: {{ allow: [{{ {entry} }}] }} }}\n");
        assert!(Policy::unenforced(&text).is_err(), "{entry}");
    }
}

#[test]
fn what_any_deny_entry_names_is_denied_to_raw_connections() {
    for (deny, by_name, by_address, looked_up) in [
        ("tcp: \"db.example:5432\"", false, true, false),
        ("tcp: \"db.example:5433\"", true, true, true),
        ("tcp: \"198.41.0.4:5432\"", false, false, true),
        ("tcp: \"198.41.0.5:5432\"", true, true, true),
        ("host: db.example", false, true, false),
        ("host: \"*.example\"", false, true, false),
        ("host: \"**.com\"", true, true, true),
        ("host: db.example, ports: [5432]", false, true, false),
        ("host: db.example, ports: [443]", true, true, true),
        ("host: 198.41.0.4", false, false, true),
        ("cidr: \"198.41.0.0/16\"", false, false, true),
        ("cidr: \"198.42.0.0/16\"", true, true, true),
        ("cidr: \"198.41.0.0/16\", ports: [5432]", false, false, true),
        (
            "host: db.example, cidr: \"198.41.0.0/16\"",
            false,
            true,
            true,
        ),
        (
            "host: other.example, cidr: \"198.41.0.0/16\"",
            true,
            true,
            true,
        ),
        // What goes through could be just these requests.
        ("host: db.example, methods: [DELETE]", false, true, false),
        ("host: db.example, paths: [/v1/**]", false, true, false),
        ("host: db.example, schemes: [http]", false, true, false),
        (
            "tcp: \"db.example:5432\", cidr: \"198.41.0.0/16\"",
            false,
            true,
            true,
        ),
        (
            "tcp: \"db.example:5432\", cidr: \"10.0.0.0/8\"",
            true,
            true,
            true,
        ),
    ] {
        let allow = ["tcp: \"db.example:5432\"", "tcp: \"198.41.0.4:5432\""];
        let grant = admit(&network(&allow, &[deny]), None);
        let (name, address) = (
            connect(&grant, Some("db.example"), PUBLIC),
            connect(&grant, None, PUBLIC),
        );
        assert_eq!(
            (name.is_ok(), address.is_ok()),
            (by_name, by_address),
            "{deny}"
        );
        assert_eq!(lookup(&grant, "db.example").is_ok(), looked_up, "{deny}");
        for denial in [name.err(), address.err()].into_iter().flatten() {
            assert!(denial.rule().unwrap().text.starts_with("deny "), "{denial}");
            assert_eq!(denial.remedy(), None);
        }
        // Under a ceiling it denies the same.
        let grant = admit(&network(&allow, &[]), Some(&network(&allow, &[deny])));
        assert_eq!(
            connect(&grant, Some("db.example"), PUBLIC).is_ok(),
            by_name,
            "{deny}"
        );
        assert_eq!(connect(&grant, None, PUBLIC).is_ok(), by_address, "{deny}");
        assert_eq!(lookup(&grant, "db.example").is_ok(), looked_up, "{deny}");
    }
    // Of requests an entry for raw connections says nothing.
    let grant = admit(
        &network(&["host: db.example"], &["tcp: \"db.example:443\""]),
        None,
    );
    let target = crate::http::HttpTarget::parse("https", "db.example", "GET", "/").unwrap();
    assert!(grant.decide(&target.operation()).is_ok());
    // Nor does one with a cidr send any.
    let grant = admit(
        &network(&["tcp: \"db.example:443\", cidr: \"10.0.0.0/8\""], &[]),
        None,
    );
    let target = crate::http::HttpTarget::parse("https", "10.0.0.5", "GET", "/").unwrap();
    assert!(grant.decide(&target.operation()).is_err());
    assert!(!grant.reach().network);
}

#[test]
fn the_ceiling_counts_for_raw_connections() {
    let own = network(
        &[
            "tcp: \"db.example:5432\", cidr: \"10.0.0.0/8\"",
            "tcp: \"10.0.0.5:22\"",
        ],
        &[],
    );
    for (ceiling, found, connected, by_address) in [
        (
            network(&["tcp: \"db.example:5432\", cidr: \"10.0.0.0/8\""], &[]),
            true,
            true,
            false,
        ),
        (
            network(
                &[
                    "tcp: \"db.example:5432\", cidr: \"10.0.0.5/32\"",
                    "tcp: \"10.0.0.5:22\"",
                ],
                &[],
            ),
            true,
            true,
            true,
        ),
        (
            network(&["tcp: \"db.example:5432\""], &[]),
            true,
            false,
            false,
        ),
        (
            network(&["tcp: \"db.example:5433\""], &[]),
            false,
            false,
            false,
        ),
        (
            network(&["host: db.example", "cidr: \"10.0.0.0/8\""], &[]),
            false,
            false,
            false,
        ),
        (network(&[], &[]), false, false, false),
    ] {
        let grant = admit(&own, Some(&ceiling));
        let answers = [
            (lookup(&grant, "db.example"), found),
            (
                connect(&grant, Some("db.example"), "10.0.0.5:5432"),
                connected,
            ),
            (connect(&grant, None, "10.0.0.5:22"), by_address),
        ];
        for (answer, expected) in answers {
            match answer {
                Ok(()) => assert!(expected),
                Err(denial) => {
                    assert!(!expected, "{denial}");
                    assert_eq!(denial.remedy(), Some(&Remedy::Ceiling), "{denial}");
                    assert!(denial.to_string().contains("the ceiling"), "{denial}");
                }
            }
        }
        let create = Operation::Socket {
            action: SocketAction::CreateTcp,
            address: None,
        };
        assert_eq!(grant.decide(&create).is_ok(), grant.reach().sockets);
    }
}

#[test]
fn targets_of_raw_connections_are_one_host_and_a_port() {
    let parse = |entry: &str| {
        Policy::unenforced(&format!(
            "version: \"1.0\"\npermissions:\n  network:\n    allow:\n      - {{ {entry} }}\n"
        ))
    };
    for (entry, message) in [
        ("tcp: a.example", "has no port"),
        ("tcp: \"a.example:0\"", "not a port"),
        ("tcp: \"a.example:065\"", "not a port"),
        ("tcp: \"a.example:65536\"", "not a port"),
        ("tcp: \"a.example:\"", "not a port"),
        ("tcp: \"a.example:*\"", "not a port"),
        ("tcp: \":5432\"", "is not a host"),
        ("tcp: \"*:5432\"", "every host"),
        ("tcp: \"*.example.com:5432\"", "is a pattern"),
        ("tcp: \"**.example.com:5432\"", "is a pattern"),
        ("tcp: \"tcp://a.example:5432\"", "is a URL"),
        ("tcp: \"2001:db8::1:5432\"", "without brackets"),
        ("tcp: \"[2001:db8::1]\"", "has no port"),
        ("tcp: \"[::ffff:10.0.0.1]:22\"", "IPv4 address within"),
        ("tcp: \"0x7f.1:22\"", "unusual spelling"),
        ("tcp: \"user@a.example:22\"", "is not a host"),
        ("tcp: [\"a.example:22\"]", "expected a value"),
        (
            "tcp: \"a.example:22\", host: a.example",
            "\"host\" is about HTTP requests",
        ),
        (
            "tcp: \"a.example:22\", ports: [22]",
            "\"ports\" is about HTTP requests",
        ),
        (
            "tcp: \"a.example:22\", schemes: [http]",
            "\"schemes\" is about HTTP requests",
        ),
        (
            "tcp: \"a.example:22\", methods: [GET]",
            "\"methods\" is about HTTP requests",
        ),
        (
            "tcp: \"a.example:22\", paths: [/]",
            "\"paths\" is about HTTP requests",
        ),
        (
            "tcp: \"a.example:22\", headers: { a: b }",
            "\"headers\" is about HTTP requests",
        ),
        (
            "tcp: \"10.0.0.5:22\", cidr: \"10.0.0.0/8\"",
            "says nothing more",
        ),
        ("tpc: \"a.example:22\"", "unknown key"),
    ] {
        let error = parse(entry).unwrap_err();
        assert!(error.message.contains(message), "{entry}: {error}");
        assert_eq!(error.line, 5, "{entry}: {error}");
    }
    // A name for this machine leads nowhere by itself.
    let warnings = parse("tcp: \"localhost:5432\"")
        .unwrap()
        .warnings()
        .to_vec();
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        warnings[0].message,
        "network tcp localhost:5432: every connection is denied, since the name leads to this machine: write its address, tcp: \"127.0.0.1:5432\""
    );
    let requests = parse("host: localhost").unwrap().warnings().to_vec();
    assert!(
        requests.len() == 1 && requests[0].message.contains("every request is denied"),
        "{requests:?}"
    );
    assert!(
        parse("tcp: \"localhost:5432\", cidr: \"127.0.0.0/8\"")
            .unwrap()
            .warnings()
            .is_empty()
    );
    let policy = parse("tcp: \"DB.Example.:5432\", cidr: \"10.0.0.0/8\"").unwrap();
    let rules: Vec<String> = policy
        .rules()
        .iter()
        .map(|rule| rule.text.clone())
        .collect();
    assert_eq!(rules, ["tcp db.example:5432 [cidr: 10.0.0.0/8]"]);
    assert_eq!(Policy::unenforced(&policy.to_yaml()).unwrap(), policy);
}

const ALLOW: [&str; 8] = [
    "tcp: \"a.example:1\"",
    "tcp: \"a.example:2\"",
    "tcp: \"a.example:1\", cidr: \"10.0.0.0/8\"",
    "tcp: \"b.example:1\", cidr: \"198.41.0.0/16\"",
    "tcp: \"10.0.0.5:1\"",
    "tcp: \"198.41.0.4:2\"",
    "host: a.example",
    "cidr: \"10.0.0.0/8\"",
];
const DENY: [&str; 8] = [
    "tcp: \"a.example:1\"",
    "tcp: \"10.0.0.5:1\"",
    "host: \"*.example\"",
    "host: a.example, ports: [2]",
    "host: a.example, cidr: \"10.0.0.0/24\"",
    "cidr: \"198.41.0.0/16\"",
    "host: 10.0.0.5",
    "host: b.example, methods: [GET]",
];

fn answers(grant: &Grant) -> Vec<bool> {
    let mut answers = Vec::new();
    for name in [
        "a.example",
        "b.example",
        "c.example",
        "10.0.0.5",
        "198.41.0.4",
    ] {
        answers.push(lookup(grant, name).is_ok());
        for address in [
            "10.0.0.5",
            "10.0.1.5",
            "198.41.0.4",
            "198.41.0.5",
            "198.42.0.1",
            "64:ff9b::a00:5",
        ] {
            for port in 1..=3 {
                let address = SocketAddr::new(address.parse().unwrap(), port);
                for name in [Some(name), None] {
                    let operation = Operation::TcpConnect {
                        name,
                        address,
                        own: false,
                    };
                    let explanation = grant.explain(&operation);
                    let decision = grant.decide(&operation);
                    assert_eq!(explanation.allowed, decision.is_ok());
                    assert_eq!(
                        explanation.rule.as_ref(),
                        match &decision {
                            Ok(permit) => permit.rule(),
                            Err(denial) => denial.rule(),
                        }
                    );
                    answers.push(decision.is_ok());
                }
            }
        }
    }
    answers
}

fn within(narrow: &[bool], wide: &[bool]) -> bool {
    narrow
        .iter()
        .zip(wide)
        .all(|(narrow, wide)| !narrow || *wide)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn raw_connections_are_monotone(
        allow in proptest::collection::vec(select(&ALLOW[..]), 0..5),
        deny in proptest::collection::vec(select(&DENY[..]), 0..3),
        more in select(&ALLOW[..]),
        less in select(&DENY[..]),
    ) {
        let before = network(&allow, &deny);
        let found = answers(&admit(&before, None));
        let wider = network(&[&allow[..], &[more]].concat(), &deny);
        let narrower = network(&allow, &[&deny[..], &[less]].concat());
        prop_assert!(within(&found, &answers(&admit(&wider, None))));
        prop_assert!(within(&answers(&admit(&narrower, None)), &found));
        prop_assert!(!crate::policy::widens(&before, &narrower));
        prop_assert!(!crate::policy::widens(&wider, &before));
    }

    #[test]
    fn under_a_ceiling_goes_what_both_allow(
        own in (proptest::collection::vec(select(&ALLOW[..]), 0..6), proptest::collection::vec(select(&DENY[..]), 0..2)),
        ceiling in (proptest::collection::vec(select(&ALLOW[..]), 0..6), proptest::collection::vec(select(&DENY[..]), 0..2)),
    ) {
        let (own, ceiling) = (network(&own.0, &own.1), network(&ceiling.0, &ceiling.1));
        let both = answers(&admit(&own, Some(&ceiling)));
        let (one, other) = (answers(&admit(&own, None)), answers(&admit(&ceiling, None)));
        for (index, (both, (one, other))) in both.iter().zip(one.iter().zip(&other)).enumerate() {
            // A lookup takes a port that both allow; everything else is what both allow.
            let lookup = index % 37 == 0;
            prop_assert!(*both == (*one && *other) || (lookup && !both), "{}", index);
        }
        if !crate::policy::widens(&ceiling, &own) {
            prop_assert!(within(&one, &other));
        }
    }

    #[test]
    fn names_to_look_up_have_one_spelling(text in "[a-zA-Z0-9.\\-_äßא。①\\[\\]:%]{0,24}") {
        if let Ok(host) = crate::http::lookup_name(&text) {
            let plain = host.to_plain();
            prop_assert_eq!(crate::http::lookup_name(&plain).unwrap().to_plain(), plain);
        }
    }
}
