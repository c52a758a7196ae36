use std::net::SocketAddr;
use std::time::Duration;

use casemate_policy::{
    Admission, Clock, ClockMode, EnvironmentValue, Limits, LinkKind, Operation, Origin, Permitted,
    Policy, PolicyErrorKind, RandomMode, RandomSource, Remedy, SocketAction, StorageAccess, Tenant,
    VirtualPath, widens,
};

use StorageAccess::{Read, Remove, Traverse, Write};

use crate::{SEED, admit, identity, policy, roots, storage, verdict};

const CLOCKS: [Clock; 3] = [Clock::Wall, Clock::Monotonic, Clock::Wait];
const SOURCES: [RandomSource; 3] = [
    RandomSource::Secure,
    RandomSource::Insecure,
    RandomSource::Seed,
];

fn with(lines: &str) -> Policy {
    policy(&format!("version: \"1.0\"\npermissions:\n{lines}"))
}

fn request(host: &str) -> Operation<'_> {
    Operation::HttpRequest {
        scheme: "https",
        host,
        port: 443,
        method: "GET",
        path: "/",
    }
}

#[test]
fn lookups_and_sockets_are_denied() {
    let grant = admit(
        &with("  network:\n    allow:\n      - host: a.example\n"),
        None,
        &[],
    );
    assert_eq!(
        verdict(&grant, &Operation::Lookup { name: "a.example" }),
        "denied.dns"
    );
    let address: SocketAddr = "127.0.0.1:80".parse().unwrap();
    for action in [
        SocketAction::CreateTcp,
        SocketAction::CreateUdp,
        SocketAction::Connect,
        SocketAction::Bind,
        SocketAction::Listen,
        SocketAction::Send,
    ] {
        for address in [None, Some(address)] {
            assert_eq!(
                verdict(&grant, &Operation::Socket { action, address }),
                "denied.socket"
            );
        }
    }
}

#[test]
fn s129_s130_variables_are_given_one_by_one() {
    let rules = with(
        "  environment:\n    allow:\n      - key: REGION\n      - { key: MODE, value: fast }\n      - key: BOTH\n    deny:\n      - key: BOTH\n      - key: NEVER\n",
    );
    let grant = admit(&rules, None, &[]);
    assert_eq!(
        grant.environment_keys().collect::<Vec<_>>(),
        ["MODE", "REGION"]
    );
    let value = |key| {
        grant
            .decide(&Operation::Environment { key })
            .map(|permit| *permit.granted())
    };
    assert_eq!(
        value("REGION").unwrap(),
        Permitted::Environment(&EnvironmentValue::FromServer)
    );
    assert_eq!(
        value("MODE").unwrap(),
        Permitted::Environment(&EnvironmentValue::Literal("fast".to_owned()))
    );
    for key in [
        "BOTH",
        "NEVER",
        "region",
        "Region",
        "REGION ",
        "AWS_SECRET_ACCESS_KEY",
        "",
        "REGION\0",
    ] {
        assert!(value(key).is_err(), "{key:?}");
    }
    let denial = value("AWS_X").unwrap_err();
    assert_eq!(denial.subject(), "environment AWS_X");
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME env AWS_X"
    );
    assert_eq!(value("BOTH").unwrap_err().rule().unwrap().text, "deny BOTH");
    assert!(
        !format!("{grant:?}").contains("fast"),
        "values are not shown"
    );
    assert!(
        !format!(
            "{:?}",
            grant.decide(&Operation::Environment { key: "MODE" })
        )
        .contains("fast")
    );
    assert!(!grant.rules().iter().any(|rule| rule.text.contains("fast")));
}

#[test]
fn s136_s138_clocks_and_random_numbers() {
    let cases = [
        ("", false, ClockMode::Frozen, RandomMode::Secure),
        ("", true, ClockMode::None, RandomMode::None),
        (
            "  clocks: none\n  random: none\n",
            false,
            ClockMode::None,
            RandomMode::None,
        ),
        (
            "  clocks: coarse\n  random: secure\n",
            true,
            ClockMode::Coarse,
            RandomMode::Secure,
        ),
        (
            "  clocks: full\n  random: { seed: 42 }\n",
            false,
            ClockMode::Full,
            RandomMode::Seed(42),
        ),
    ];
    for (lines, strict, clocks, random) in cases {
        let admission = Admission {
            ceiling: None,
            strict,
            bound_roots: &roots(&[]),
            tenant: Tenant::local(),
        };
        let grant = with(lines).admit(&identity(), &admission);
        assert_eq!(
            (grant.clocks(), grant.random()),
            (clocks, random),
            "{lines}"
        );
        for clock in CLOCKS {
            let decision = grant.decide(&Operation::Clock { clock });
            if clocks == ClockMode::None {
                assert_eq!(decision.unwrap_err().remedy(), Some(&Remedy::Clocks));
            } else {
                let permit = decision.unwrap();
                assert_eq!(*permit.granted(), Permitted::Clock(clocks));
                let origin = if lines.is_empty() {
                    Origin::Default
                } else {
                    Origin::Policy
                };
                assert_eq!(permit.rule().unwrap().origin, origin);
            }
        }
        for source in SOURCES {
            let decision = grant.decide(&Operation::Random { source });
            if random == RandomMode::None {
                assert_eq!(decision.unwrap_err().remedy(), Some(&Remedy::Random));
            } else {
                assert_eq!(*decision.unwrap().granted(), Permitted::Random(random));
            }
        }
    }
}

#[test]
fn strict_can_stand_in_the_file() {
    let strict = policy("version: \"1.0\"\nstrict: true\n");
    assert_eq!(admit(&strict, None, &[]).clocks(), ClockMode::None);
    assert_eq!(
        admit(&with("  clocks: full\n"), Some(&strict), &[]).clocks(),
        ClockMode::None
    );
    let full = policy("version: \"1.0\"\nstrict: true\npermissions: { clocks: full }\n");
    let grant = admit(&Policy::empty(), Some(&full), &[]);
    assert_eq!(
        (grant.clocks(), grant.random()),
        (ClockMode::None, RandomMode::None)
    );
}

#[test]
fn limits_are_the_least_over_the_defaults() {
    let of = |lines: &str| with(&format!("  resources: {{ limits: {{ {lines} }} }}\n"));
    let limits =
        |own: &str, ceiling: Option<&str>| *admit(&of(own), ceiling.map(of).as_ref(), &[]).limits();
    let default = Limits::default();
    assert_eq!(*admit(&Policy::empty(), None, &[]).limits(), default);
    assert_eq!(
        (default.memory, default.output, default.concurrency),
        (256 << 20, 1 << 20, 16)
    );
    assert_eq!(
        (default.cpu, default.time),
        (Duration::from_secs(10), Duration::from_secs(30))
    );

    let own = limits(
        "memory: 1Gi, cpu-time: 2m, time: 5m, output: 8Mi, concurrency: 64",
        None,
    );
    assert_eq!(
        (own.memory, own.output, own.concurrency),
        (1 << 30, 8 << 20, 64)
    );
    assert_eq!(
        (own.cpu, own.time),
        (Duration::from_secs(120), Duration::from_secs(300))
    );

    let both = limits(
        "memory: 1Gi, time: 5m",
        Some("memory: 512Mi, time: 10m, concurrency: 2"),
    );
    assert_eq!(
        (both.memory, both.concurrency, both.time),
        (512 << 20, 2, Duration::from_secs(300))
    );
    // A ceiling that says nothing of a limit allows its default, like any policy.
    assert_eq!(limits("memory: 1Gi", Some("time: 1m")).memory, 256 << 20);

    assert_eq!(limits("cpu: 500m", None).cpu, Duration::from_secs(15));
    assert_eq!(
        limits("cpu: 500m, time: 2m", None).cpu,
        Duration::from_secs(60)
    );
    assert_eq!(
        limits("cpu: 2, cpu-time: 5s", None).cpu,
        Duration::from_secs(5)
    );
    assert_eq!(
        limits("cpu: 500m, time: 2m", Some("time: 10s, cpu-time: 1m")).cpu,
        Duration::from_secs(5)
    );
}

#[test]
fn widening_is_noticed_for_every_limit() {
    // Once a limit is enforced it can be read; until then there is nothing that could widen.
    let read = |key: &str, amount: &str| {
        Policy::parse(&format!(
            "version: \"1.0\"\npermissions:\n  resources: {{ limits: {{ {key}: {amount} }} }}\n"
        ))
    };
    let mut seen = 0;
    for (key, less, more) in [
        ("memory", "1Mi", "2Mi"),
        ("cpu", "100m", "200m"),
        ("cpu-time", "1s", "2s"),
        ("time", "1s", "2s"),
        ("output", "1Ki", "2Ki"),
        ("concurrency", "1", "2"),
        ("rate", "10/m", "10/s"),
        ("written", "1Mi", "2Mi"),
        ("files", "10", "11"),
        ("open-files", "10", "11"),
        ("requests", "1", "2"),
        ("sockets", "1", "2"),
        ("sent", "1Mi", "2Mi"),
        ("received", "1Mi", "2Mi"),
    ] {
        let (less, more) = match (read(key, less), read(key, more)) {
            (Ok(less), Ok(more)) => (less, more),
            (Err(error), Err(_)) => {
                assert_eq!(error.kind, PolicyErrorKind::NotEnforced, "{error}");
                continue;
            }
            _ => panic!("{key}"),
        };
        seen += 1;
        assert!(widens(&less, &more), "{key}");
        assert!(!widens(&more, &less), "{key}");
        assert!(!widens(&less, &less), "{key}");
        assert!(!widens(&Policy::empty(), &less), "{key}");
        assert!(widens(&less, &Policy::empty()), "{key}");
        let grant = |own: &Policy, ceiling: &Policy| *admit(own, Some(ceiling), &[]).limits();
        assert_eq!(grant(&less, &more), grant(&more, &less), "{key}");
        assert_eq!(grant(&less, &more), *admit(&less, None, &[]).limits());
        let rules = more.rules();
        assert_eq!(rules.len(), 1);
        assert_eq!(
            rules[0].section,
            format!("permissions.resources.limits.{key}")
        );
        assert!(
            rules[0].text.starts_with(&format!("{key}: ")),
            "{}",
            rules[0]
        );
    }
    assert!(seen >= 6);
}

#[test]
fn casemates_own_folder_is_out_of_reach_whatever_is_granted() {
    let grant = admit(
        &policy(
            "version: \"1.0\"\npermissions:\n  storage:\n    allow: [{ uri: \"fs://w/**\", access: [read, write] }]\n",
        ),
        None,
        &["w"],
    );
    let path = VirtualPath::parse("/w/casemate/policies/x.yaml").unwrap();
    for (access, reason) in [
        (Read, "denied.storage.read"),
        (Traverse, "denied.storage.read"),
        (Write, "denied.storage.write"),
        (Remove, "denied.storage.write"),
    ] {
        let ask = |own| {
            grant.decide(&Operation::Storage {
                path: &path,
                access,
                own,
            })
        };
        assert!(ask(false).is_ok());
        let denial = ask(true).unwrap_err();
        assert_eq!(denial.reason().as_str(), reason);
        assert!(
            denial.explanation().contains("Casemate's own folder"),
            "{denial}"
        );
        assert_eq!((denial.rule(), denial.remedy()), (None, None));
    }
    for kind in [
        LinkKind::Hard,
        LinkKind::Symbolic,
        LinkKind::Rename,
        LinkKind::RenameFile,
    ] {
        let denial = grant
            .decide(&Operation::StorageLink {
                from: &path,
                to: &path,
                kind,
                own: true,
            })
            .unwrap_err();
        assert_eq!(denial.reason().as_str(), "denied.storage.link");
        assert_eq!((denial.rule(), denial.remedy()), (None, None));
    }
}

#[test]
fn the_ceiling_takes_away() {
    let own = policy(
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - { uri: \"fs://w/**\", access: [read, write] }\n      - { uri: \"fs://c/a\", access: [read] }\n  network:\n    allow:\n      - host: a.example\n      - host: b.example\n  environment:\n    allow:\n      - key: A\n      - key: B\n      - { key: C, value: own }\n      - { key: D, value: own }\n  clocks: full\n  random: secure\n",
    );
    let ceiling = policy(
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - { uri: \"fs://w/src/**\", access: [read] }\n      - { uri: \"fs:///c/**\", access: [read] }\n  network:\n    allow:\n      - host: a.example\n  environment:\n    allow:\n      - { key: A, value: given }\n      - key: C\n      - { key: D, value: given }\n    deny:\n      - key: D\n  clocks: coarse\n  random: { seed: 7 }\n",
    );
    let grant = admit(&own, Some(&ceiling), &["w", "c"]);
    assert_eq!(storage(&grant, Read, "/w/src/a"), "allowed");
    assert_eq!(storage(&grant, Traverse, "/w/src"), "allowed");
    assert_eq!(storage(&grant, Write, "/w/src/a"), "denied.storage.write");
    assert_eq!(storage(&grant, Read, "/w/other"), "denied.storage.read");
    assert_eq!(
        storage(&grant, Read, "/c/a"),
        "denied.storage.read",
        "an absolute rule is another place"
    );
    let mounts: Vec<&str> = grant
        .mounts()
        .iter()
        .map(|mount| mount.guest.as_str())
        .collect();
    assert_eq!(mounts, ["/w/src"]);
    assert!(!grant.reach().storage_write && grant.reach().storage_read);

    let path = VirtualPath::parse("/w/other").unwrap();
    let denial = grant
        .decide(&Operation::Storage {
            path: &path,
            access: Read,
            own: false,
        })
        .unwrap_err();
    assert_eq!(denial.remedy(), Some(&Remedy::Ceiling));
    assert_eq!(
        grant.decide(&request("b.example")).unwrap_err().remedy(),
        Some(&Remedy::Ceiling)
    );

    assert_eq!(grant.environment_keys().collect::<Vec<_>>(), ["A", "C"]);
    let value = |key| match grant.decide(&Operation::Environment { key }) {
        Ok(permit) => format!("{:?}", permit.rule().unwrap().origin),
        Err(denial) => format!("{:?}", denial.remedy()),
    };
    assert_eq!(
        (value("A"), value("C")),
        ("Ceiling".to_owned(), "Policy".to_owned())
    );
    assert_eq!(
        (value("B"), value("D")),
        ("Some(Ceiling)".to_owned(), "Some(Ceiling)".to_owned())
    );

    assert_eq!(
        (grant.clocks(), grant.random()),
        (ClockMode::Coarse, RandomMode::Seed(7))
    );
    let none = with("  clocks: none\n  random: none\n");
    let off = admit(&own, Some(&none), &[]);
    assert_eq!(
        off.decide(&Operation::Clock { clock: Clock::Wall })
            .unwrap_err()
            .remedy(),
        Some(&Remedy::Ceiling)
    );
    assert_eq!(
        off.decide(&Operation::Random {
            source: RandomSource::Secure
        })
        .unwrap_err()
        .remedy(),
        Some(&Remedy::Ceiling)
    );
}

#[test]
fn a_ceiling_without_content_allows_nothing() {
    let grant = admit(
        &policy(SEED),
        Some(&Policy::empty()),
        &["workspace", "config"],
    );
    assert!(grant.mounts().is_empty());
    assert_eq!(storage(&grant, Read, "/workspace/a"), "denied.storage.read");
    assert_eq!(grant.reach(), casemate_policy::Reach::default());
}

#[test]
fn explanations_read_well() {
    let grant = admit(&policy(SEED), None, &["workspace", "config"]);
    let mut text = String::new();
    let paths = ["/workspace/a.txt", "/config/app.yaml", "/config/x"]
        .map(|path| VirtualPath::parse(path).unwrap());
    for path in &paths {
        text.push_str(&format!(
            "{}\n",
            grant.explain(&Operation::Storage {
                path,
                access: Write,
                own: false,
            })
        ));
    }
    let [from, to, _] = &paths;
    for operation in [
        Operation::StorageLink {
            from,
            to,
            kind: LinkKind::Rename,
            own: false,
        },
        request("api.openai.com"),
        request("api.github.com"),
        Operation::Lookup {
            name: "api.github.com",
        },
        Operation::Environment { key: "HOME" },
        Operation::Clock { clock: Clock::Wall },
        Operation::Random {
            source: RandomSource::Seed,
        },
    ] {
        text.push_str(&format!("{}\n", grant.explain(&operation)));
    }
    insta::assert_snapshot!(text, @r"
    allowed: storage write /workspace/a.txt
      why: a rule allows it
      rule: fs://workspace/** [read, write] (policy, line 6: permissions.storage.allow[0])
    denied: storage write /config/app.yaml (denied.storage.write)
      why: no rule allows it to write this path
      to change it: casemate grant NAME write fs://config/app.yaml
    denied: storage write /config/x (denied.storage.write)
      why: no rule allows it to write this path
      to change it: casemate grant NAME write fs://config/x
    denied: storage rename /workspace/a.txt -> /config/app.yaml (denied.storage.link)
      why: moving needs one rule that allows writing at both names, and reading at both, so that what can be read and written stays the same
    allowed: network api.openai.com:443
      why: a rule allows it
      rule: api.openai.com (policy, line 12: permissions.network.allow[0])
    denied: network api.github.com:443 (denied.network.host)
      why: no rule allows this host
      to change it: casemate grant NAME network api.github.com
    denied: dns api.github.com (denied.dns)
      why: no rule allows raw connections to it, and names are looked up for nothing else
      to change it: casemate grant NAME network tcp://api.github.com:PORT
    denied: environment HOME (denied.env)
      why: no rule allows this variable
      to change it: casemate grant NAME env HOME
    allowed: clock wall
      why: clocks are frozen
      rule: clocks: frozen (default of permissions.clocks)
    allowed: random seed
      why: random numbers are secure
      rule: random: secure (default of permissions.random)
    ");
}

#[test]
fn what_guests_say_cannot_reach_a_terminal_raw() {
    let grant = admit(&Policy::empty(), None, &[]);
    let path = VirtualPath::parse("/a\u{1b}[31m\n/b").unwrap();
    let host = format!("\u{1b}]0;x\u{7}{}", "h".repeat(100_000));
    for operation in [
        Operation::Storage {
            path: &path,
            access: Read,
            own: false,
        },
        Operation::StorageLink {
            from: &path,
            to: &path,
            kind: LinkKind::Hard,
            own: false,
        },
        request(&host),
        Operation::Lookup { name: &host },
    ] {
        let denial = grant.decide(&operation).unwrap_err();
        let words = format!(
            "{} {} {}",
            denial.subject(),
            denial.explanation(),
            grant.explain(&operation)
        );
        assert!(
            !words.replace('\n', "").contains(char::is_control),
            "{words:?}"
        );
        assert!(!denial.subject().contains('\n'));
        assert!(denial.subject().len() < 2000);
    }
}

#[test]
fn widening_is_noticed() {
    let lines = |lines: &str| with(lines);
    let wider = [
        ("", "  clocks: full\n"),
        ("  clocks: none\n", ""),
        ("  random: none\n", ""),
        ("  random: { seed: 1 }\n", "  random: secure\n"),
        ("  random: { seed: 1 }\n", "  random: { seed: 2 }\n"),
        ("", "  resources: { limits: { memory: 257Mi } }\n"),
        ("  resources: { limits: { time: 1s } }\n", ""),
        ("", "  environment: { allow: [{ key: A }] }\n"),
        (
            "  environment: { allow: [{ key: A, value: x }] }\n",
            "  environment: { allow: [{ key: A }] }\n",
        ),
        (
            "  environment: { allow: [{ key: A }], deny: [{ key: A }] }\n",
            "  environment: { allow: [{ key: A }] }\n",
        ),
        ("", "  network: { allow: [{ host: a.example }] }\n"),
        (
            "  network: { allow: [{ host: \"*.a.example\" }] }\n",
            "  network: { allow: [{ host: \"**.a.example\" }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example }] }\n",
            "  network: { allow: [{ host: a.example, schemes: [http] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example }] }\n",
            "  network: { allow: [{ host: a.example, schemes: [https, http] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example }] }\n",
            "  network: { allow: [{ host: a.example, ports: [443, 8443] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, ports: [80] }] }\n",
            "  network: { allow: [{ host: a.example }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, methods: [GET] }] }\n",
            "  network: { allow: [{ host: a.example }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, methods: [GET] }] }\n",
            "  network: { allow: [{ host: a.example, methods: [GET, PUT] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, paths: [/v1] }] }\n",
            "  network: { allow: [{ host: a.example }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, paths: [/v1/**] }] }\n",
            "  network: { allow: [{ host: a.example, paths: [/v1/a, /v1] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, paths: [\"/*/a\"] }] }\n",
            "  network: { allow: [{ host: a.example, paths: [\"/**/a\"] }] }\n",
        ),
        (
            "  network: { deny: [{ host: a.example, paths: [/v1/**] }] }\n",
            "  network: { deny: [{ host: a.example, paths: [/v1/a/**] }] }\n",
        ),
        (
            "  network: { deny: [{ host: a.example }] }\n",
            "  network: { deny: [{ host: a.example, paths: [/**] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example }] }\n",
            "  network: { allow: [{ host: a.example, cidr: 10.0.0.0/8 }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, cidr: 10.0.0.0/8 }] }\n",
            "  network: { allow: [{ host: a.example }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, cidr: 10.0.0.0/16 }] }\n",
            "  network: { allow: [{ host: a.example, cidr: 10.0.0.0/15 }] }\n",
        ),
        (
            "  network: { allow: [{ cidr: 10.0.0.0/8 }] }\n",
            "  network: { allow: [{ cidr: 10.0.0.0/8 }, { host: 10.0.0.5 }] }\n",
        ),
        (
            "  network: { deny: [{ cidr: 10.0.0.0/8 }] }\n",
            "  network: { deny: [{ cidr: 10.0.0.0/9 }] }\n",
        ),
        (
            "  network: { deny: [{ host: a.example }] }\n",
            "  network: { deny: [{ cidr: 10.0.0.0/8 }] }\n",
        ),
        (
            "  network: { deny: [{ cidr: 10.0.0.0/8 }] }\n",
            "  network: { deny: [{ host: a.example, cidr: 10.0.0.0/8 }] }\n",
        ),
        ("  network: { deny: [{ host: a.example }] }\n", ""),
        (
            "  network: { deny: [{ host: a.example }] }\n",
            "  network: { deny: [{ host: a.example, ports: [80] }] }\n",
        ),
        (
            "  storage: { allow: [{ uri: \"fs://w/a\", access: [read] }] }\n",
            "  storage: { allow: [{ uri: \"fs://w/a\", access: [read, write] }] }\n",
        ),
        (
            "  storage: { allow: [{ uri: \"fs://w/a\", access: [read] }] }\n",
            "  storage: { allow: [{ uri: \"fs:///w/a\", access: [read] }] }\n",
        ),
    ];
    for (before, after) in wider {
        assert!(widens(&lines(before), &lines(after)), "{before} -> {after}");
    }
    let not_wider = [
        ("", ""),
        ("  clocks: full\n", ""),
        ("", "  clocks: frozen\n  random: none\n"),
        ("  random: secure\n", "  random: { seed: 1 }\n"),
        (
            "  resources: { limits: { memory: 1Gi } }\n",
            "  resources: { limits: { memory: 512Mi } }\n",
        ),
        (
            "  environment: { allow: [{ key: A }] }\n",
            "  environment: { deny: [{ key: B }] }\n",
        ),
        (
            "  network: { allow: [{ host: \"**.a.example\" }] }\n",
            "  network: { allow: [{ host: \"x.a.example\" }], deny: [{ host: y }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, ports: [443, 80], methods: [GET, PUT] }] }\n",
            "  network: { allow: [{ host: a.example, methods: [PUT] }, { host: a.example, schemes: [https], ports: [80], methods: [GET] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, paths: [/v1/**, \"/b/*/c\", /d] }] }\n",
            "  network: { allow: [{ host: \"a.example\", paths: [\"/v1/x/**\", \"/v1/**/y*\", \"/b/x/c\", \"/b/*/c\", /d] }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example, cidr: 10.0.0.0/8 }, { cidr: 10.0.0.0/8, ports: [80, 443] }] }\n",
            "  network: { allow: [{ host: a.example, cidr: 10.1.0.0/16, methods: [GET] }, { cidr: 10.2.0.0/16 }] }\n",
        ),
        (
            "  network: { deny: [{ host: 10.0.0.5 }, { host: a.example, cidr: 10.1.0.0/16 }, { cidr: 10.2.0.0/16, ports: [80] }] }\n",
            "  network: { deny: [{ cidr: 10.0.0.0/8 }] }\n",
        ),
        (
            "  network: { allow: [{ host: a.example }], deny: [{ host: a.example, paths: [/v1/a] }] }\n",
            "  network: { allow: [{ host: a.example, paths: [/v1/**] }], deny: [{ host: a.example, paths: [/v1/**] }] }\n",
        ),
        (
            "  storage: { allow: [{ uri: \"fs://w/**\", access: [read, write] }] }\n",
            "  storage: { allow: [{ uri: \"fs://w/a/**\", access: [read] }, { uri: \"fs://w/b\", access: [write] }] }\n",
        ),
    ];
    for (before, after) in not_wider {
        // Unsaid clocks and randomness mean less under a strict configuration, so `frozen` after nothing may widen there.
        if after.contains("frozen") {
            assert!(widens(&lines(before), &lines(after)));
        } else {
            assert!(
                !widens(&lines(before), &lines(after)),
                "{before} -> {after}"
            );
        }
    }
}

#[test]
fn a_grant_knows_what_it_is_bound_to() {
    let grant = admit(&policy(SEED), None, &["workspace"]);
    assert_eq!(grant.identity(), &identity());
    assert_eq!(grant.tenant(), &Tenant::local());
    let sections: Vec<String> = grant
        .rules()
        .into_iter()
        .map(|rule| rule.to_string())
        .collect();
    assert_eq!(
        sections,
        [
            "fs://workspace/** [read, write] (policy, line 6: permissions.storage.allow[0])",
            "fs://config/app.yaml [read] (policy, line 8: permissions.storage.allow[1])",
            "api.openai.com (policy, line 12: permissions.network.allow[0])",
            "clocks: frozen (default of permissions.clocks)",
            "random: secure (default of permissions.random)",
        ]
    );
}
