use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::http::HttpTarget;
use crate::operation::{Clock, LinkKind, RandomSource, StorageAccess};
use crate::path::VirtualPath;
use crate::policy::widens;

/// A component that may do something of every kind, and tools that may do less.
const ISSUES: &str = r#"
version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://w/**"
        access: [read, write]
  network:
    allow:
      - host: "api.example"
      - host: "*.files.example"
      - tcp: "db.example:5432"
  environment:
    allow:
      - key: REGION
      - key: MODE
        value: quiet
  clocks: full
  random: secure
  resources:
    limits: { memory: 1Gi, time: 2m, cpu: 500m, output: 8Mi }
  tools:
    read-issue:
      network: { allow: [ { host: "api.example", methods: [GET] }, { host: "other.example" } ] }
      storage: { allow: [] }
    list-files:
      storage:
        deny:
          - uri: "fs://w/.git/**"
      environment:
        allow:
          - key: MODE
            value: loud
          - key: HOME
      clocks: none
      random: { seed: 7 }
      resources:
        limits: { memory: 64Mi, cpu-time: 1s, output: 64Mi }
    github_read_issue:
      network:
        deny:
          - host: "api.example"
            paths: [/admin/**]
    nothing-said:
"#;

fn read(grant: &Grant, path: &str) -> Result<(), Denial> {
    let path = VirtualPath::parse(path).unwrap();
    let access = StorageAccess::Read;
    let operation = Operation::Storage {
        path: &path,
        access,
        own: false,
    };
    grant.decide(&operation).map(|_| ())
}

fn send(grant: &Grant, method: &str, authority: &str, path: &str) -> Result<(), Denial> {
    let target = HttpTarget::parse("https", authority, method, path).unwrap();
    grant.decide(&target.operation()).map(|_| ())
}

fn variable(grant: &Grant, key: &str) -> Result<String, Denial> {
    let permit = grant.decide(&Operation::Environment { key })?;
    Ok(format!(
        "{:?} {}",
        permit.granted(),
        permit.rule().unwrap().section
    ))
}

#[test]
fn a_kind_that_is_left_out_is_the_components() {
    let grant = admit(&policy(ISSUES), None);
    let tool = grant.for_tool(&["read-issue"]);
    assert!(read(&grant, "/w/a").is_ok());
    assert!(read(&tool, "/w/a").is_err());
    assert!(tool.mounts().is_empty() && !grant.mounts().is_empty());
    assert!(variable(&tool, "REGION").is_ok());
    assert_eq!(tool.limits(), grant.limits());
    assert_eq!(
        (tool.clocks(), tool.random()),
        (grant.clocks(), grant.random())
    );
    assert!(grant.reach().storage_write && grant.reach().sockets);
    assert!(!tool.reach().storage_read && !tool.reach().storage_write && !tool.reach().sockets);
    assert!(tool.reach().network && tool.reach().environment);

    for (method, host, expected) in [
        ("GET", "api.example", true),
        ("PUT", "api.example", false),
        ("GET", "a.files.example", false),
        // What the component has not, a tool has not.
        ("GET", "other.example", false),
    ] {
        assert_eq!(
            send(&tool, method, host, "/").is_ok(),
            expected,
            "{method} {host}"
        );
    }
    assert!(send(&grant, "PUT", "api.example", "/").is_ok());

    let denial = send(&tool, "PUT", "api.example", "/").unwrap_err();
    assert_eq!(denial.reason().as_str(), "denied.network.method");
    assert_eq!(
        denial.to_string(),
        "a rule allows it, but what the policy says of the tool \"read-issue\" does not allow the method PUT to this host"
    );
    let rule = denial.rule().unwrap();
    assert_eq!(
        rule.section,
        "permissions.tools.read-issue.network.allow[0]"
    );
    assert_eq!(rule.line, 24);
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "change what stands under tools: \"read-issue\" in the policy"
    );
    // Where the component has no right either, that is what is missing first.
    let denial = send(&tool, "GET", "other.example", "/").unwrap_err();
    assert_eq!(
        denial.remedy().unwrap().to_string(),
        "casemate grant NAME network other.example"
    );
    let denial = read(&tool, "/w/a").unwrap_err();
    assert!(
        denial
            .to_string()
            .contains("the tool \"read-issue\" does not let it read"),
        "{denial}"
    );
    assert_eq!(
        denial.remedy(),
        Some(&Remedy::Tool("read-issue".to_owned()))
    );
}

#[test]
fn deny_alone_takes_away_from_what_the_component_has() {
    let grant = admit(&policy(ISSUES), None);
    let tool = grant.for_tool(&["list-files", "issues_list_files"]);
    assert!(read(&tool, "/w/a").is_ok());
    let denial = read(&tool, "/w/.git/config").unwrap_err();
    assert_eq!(
        denial.rule().unwrap().section,
        "permissions.tools.list-files.storage.deny[0]"
    );
    assert!(read(&grant, "/w/.git/config").is_ok());
    let from = VirtualPath::parse("/w/a").unwrap();
    let to = VirtualPath::parse("/w/.git").unwrap();
    let rename = Operation::StorageLink {
        from: &from,
        to: &to,
        kind: LinkKind::Rename,
        own: false,
    };
    assert!(grant.decide(&rename).is_ok() && tool.decide(&rename).is_err());

    // Of two values of a variable the tool's stands; one that the component has not stays away.
    assert_eq!(
        variable(&tool, "MODE").unwrap(),
        "Environment(Literal(…)) permissions.tools.list-files.environment.allow[0]"
    );
    let denial = variable(&tool, "REGION").unwrap_err();
    assert!(
        denial
            .to_string()
            .contains("the tool \"list-files\" does not allow this variable"),
        "{denial}"
    );
    assert_eq!(
        denial.remedy(),
        Some(&Remedy::Tool("list-files".to_owned()))
    );
    assert!(variable(&tool, "HOME").is_err());
    assert!(tool.environment_keys().eq(["MODE"]));

    let denial = tool
        .decide(&Operation::Clock { clock: Clock::Wall })
        .unwrap_err();
    assert!(
        denial
            .to_string()
            .contains("the tool \"list-files\" allows no clocks"),
        "{denial}"
    );
    assert_eq!(
        denial.rule().unwrap().section,
        "permissions.tools.list-files.clocks"
    );
    assert_eq!(
        denial.remedy(),
        Some(&Remedy::Tool("list-files".to_owned()))
    );
    assert_eq!(tool.random().to_string(), "{ seed: 7 }");

    // The least of each; what the tool does not write is as the component has it, not the default.
    let (own, all) = (tool.limits(), grant.limits());
    assert_eq!((own.memory, own.output), (64 << 20, 8 << 20));
    assert_eq!(own.time, all.time);
    assert_eq!((own.cpu.as_secs(), all.cpu.as_secs()), (1, 60));
}

#[test]
fn both_names_of_a_tool_count() {
    let grant = admit(&policy(ISSUES), None);
    let both = grant.for_tool(&["read-issue", "github_read_issue"]);
    assert!(send(&both, "GET", "api.example", "/a").is_ok());
    assert!(send(&both, "GET", "api.example", "/admin/a").is_err());
    assert!(send(&both, "PUT", "api.example", "/a").is_err());
    let exposed = grant.for_tool(&["github_read_issue"]);
    assert!(send(&exposed, "PUT", "api.example", "/a").is_ok());
    assert!(send(&exposed, "PUT", "api.example", "/admin/a").is_err());
    assert!(read(&exposed, "/w/a").is_ok());
    for names in [&["other"][..], &[], &["nothing-said"], &["READ-ISSUE"]] {
        let same = grant.for_tool(names);
        assert!(send(&same, "PUT", "api.example", "/admin/a").is_ok());
        assert_eq!(same.limits(), grant.limits());
    }
    // A tool's grant starts from the component's, also from another tool's.
    assert!(read(&both.for_tool(&["list-files"]), "/w/a").is_ok());
}

#[test]
fn rules_of_tools_are_listed_where_they_count() {
    let grant = admit(&policy(ISSUES), None);
    let sections = |grant: &Grant| -> Vec<String> {
        let rules = grant.rules();
        rules.iter().map(|rule| rule.section.clone()).collect()
    };
    let all = sections(&grant);
    for tool in ["read-issue", "list-files", "github_read_issue"] {
        let prefix = format!("permissions.tools.{tool}.");
        let of = |sections: &[String]| {
            sections
                .iter()
                .filter(|section| section.starts_with(&prefix))
                .count()
        };
        assert!(of(&all) > 0, "{all:?}");
        assert_eq!(of(&sections(&grant.for_tool(&[tool]))), of(&all));
        assert_eq!(of(&sections(&grant.for_tool(&["nothing-said"]))), 0);
    }
    let rules = grant.rules();
    let rule = rules
        .iter()
        .find(|rule| rule.section.ends_with("list-files.resources.limits.memory"));
    assert_eq!(
        rule.unwrap().to_string(),
        "memory: 64Mi (policy, line 38: permissions.tools.list-files.resources.limits.memory)"
    );
    assert_eq!(rule.unwrap().tool.as_deref(), Some("list-files"));
}

#[test]
fn a_tool_that_has_nothing_of_a_kind_is_listed_with_that() {
    let policy = policy(
        "version: \"1.0\"\npermissions:\n  environment: { allow: [{ key: REGION }] }\n  tools:\n    quiet: { environment: { allow: [] }, network: { deny: [{ host: a.example }] } }\n    other: {}\n",
    );
    let listed = |rules: Vec<crate::RuleRef>| -> Vec<(Option<String>, String, u32)> {
        rules
            .into_iter()
            .filter(|rule| rule.line > 0)
            .map(|rule| (rule.tool, rule.text, rule.line))
            .collect()
    };
    let quiet = || Some("quiet".to_owned());
    let all = vec![
        (None, "REGION".to_owned(), 3),
        (quiet(), "nothing of environment".to_owned(), 5),
        (quiet(), "deny a.example".to_owned(), 5),
    ];
    assert_eq!(listed(policy.rules()), all);
    let grant = admit(&policy, None);
    assert_eq!(listed(grant.rules()), all);
    assert_eq!(listed(grant.for_tool(&["quiet"]).rules()), all);
    assert_eq!(listed(grant.for_tool(&["other"]).rules()), all[..1]);
}

#[test]
fn the_ceiling_comes_after_the_tool() {
    let ceiling = policy(
        "version: \"1.0\"\npermissions:\n  network:\n    allow: [{ host: api.example, paths: [/v1/**] }]\n  clocks: coarse\n  resources: { limits: { memory: 32Mi } }\n",
    );
    let grant = admit(&policy(ISSUES), Some(&ceiling)).for_tool(&["read-issue"]);
    assert!(send(&grant, "GET", "api.example", "/v1/a").is_ok());
    let denial = send(&grant, "PUT", "api.example", "/v1/a").unwrap_err();
    assert_eq!(
        denial.remedy(),
        Some(&Remedy::Tool("read-issue".to_owned()))
    );
    let denial = send(&grant, "GET", "api.example", "/v2").unwrap_err();
    assert_eq!(denial.remedy(), Some(&Remedy::Ceiling));
    assert_eq!(grant.limits().memory, 32 << 20);
    assert_eq!(grant.clocks().as_str(), "coarse");
    assert!(
        variable(&grant, "REGION")
            .unwrap_err()
            .to_string()
            .contains("the ceiling")
    );
    // One that names tools is no ceiling: what it says of them would be lost.
    assert!(
        send(
            &admit(&policy(ISSUES), Some(&policy(ISSUES))),
            "GET",
            "api.example",
            "/"
        )
        .is_err()
    );
    let error = Policy::parse_ceiling(ISSUES).unwrap_err();
    assert_eq!((error.line, error.column), (23, 5));
    assert!(
        error.message.contains("a ceiling is for all components"),
        "{error}"
    );
    assert!(Policy::parse_ceiling("version: \"1.0\"\npermissions: { tools: {} }\n").is_ok());
}

#[test]
fn a_name_that_is_no_tool_is_an_error_with_place() {
    let policy = policy(ISSUES);
    let known = [
        "read-issue",
        "list-files",
        "github_read_issue",
        "nothing-said",
    ];
    assert_eq!(policy.unknown_tool(&known), None);
    for (known, place, hint) in [
        (
            &["read-issue", "list-files", "github_read_issue"][..],
            (44, 5),
            "its tools are read-issue, list-files, github_read_issue",
        ),
        (
            &["read-issues", "list-files", "nothing-said"],
            (23, 5),
            "did you mean \"read-issues\"?",
        ),
        (&[], (23, 5), "it has no tools at all: remove the entry"),
    ] {
        let error = policy.unknown_tool(known).unwrap();
        assert_eq!((error.line, error.column), place, "{error}");
        assert!(
            error.message.contains("the component has no tool"),
            "{error}"
        );
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
    let many: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(
        policy
            .unknown_tool(&many)
            .unwrap()
            .hint
            .unwrap()
            .ends_with("t7 and 42 more")
    );
}

#[test]
fn s144_mistakes_under_tools_are_errors_with_place() {
    for (lines, place, message) in [
        (
            "    x: { storage: {} }\n",
            (4, 10),
            "tools.x.storage: names neither allow nor deny",
        ),
        (
            "    x: { network: }\n",
            (4, 10),
            "tools.x.network: names neither allow nor deny",
        ),
        (
            "    x:\n      environment:\n",
            (5, 7),
            "tools.x.environment: names neither",
        ),
        ("    x: { storage: [] }\n", (4, 19), "expected a mapping"),
        (
            "    x: { netwrok: {} }\n",
            (4, 10),
            "unknown key \"netwrok\"",
        ),
        ("    x: { tools: {} }\n", (4, 10), "unknown key \"tools\""),
        (
            "    x: { strict: true }\n",
            (4, 10),
            "unknown key \"strict\"",
        ),
        ("    x: { runtime: {} }\n", (4, 10), "has no meaning here"),
        ("    x: { clocks: fulll }\n", (4, 18), "is not one of"),
        (
            "    x: { resources: { limits: { memory: 0 } } }\n",
            (4, 41),
            "nothing at all",
        ),
        (
            "    x: { network: { allow: [{ hots: a }] } }\n",
            (4, 31),
            "unknown key \"hots\"",
        ),
        (
            "    x: { network: { allow: [{ host: \"*\" }] } }\n",
            (4, 37),
            "every host",
        ),
        (
            "    x: { network: { allow: [{ host: 169.254.169.254 }] } }\n",
            (4, 37),
            "metadata service",
        ),
        (
            "    x: { storage: { allow: [{ uri: fs://w/a }] } }\n",
            (4, 29),
            "the access is missing",
        ),
        (
            "    x: { storage: { allow: [{ uri: \"fs:///w/a\", access: [read] }] }}\n    y: { storage: { deny: [{ uri: fs://w/a }] }}\n",
            (5, 28),
            "two places",
        ),
        ("    \"\": {}\n", (4, 5), "is not the name of a tool"),
        ("    \"a\\nb\": {}\n", (4, 5), "is not the name of a tool"),
        ("    x: {}\n    x: {}\n", (5, 5), "twice"),
        ("  - x\n", (4, 5), "expected a mapping"),
        ("    x: [storage]\n", (4, 8), "expected a mapping"),
        ("    x: none\n", (4, 8), "expected a mapping"),
    ] {
        let text = format!("version: \"1.0\"\npermissions:\n  tools:\n{lines}");
        let error = Policy::unenforced(&text).unwrap_err();
        assert!(error.message.contains(message), "{lines}: {error}");
        assert_eq!((error.line, error.column), place, "{lines}: {error}");
    }
}

#[test]
fn each_limit_is_one_of_a_tool_too() {
    for limit in ["concurrency: 1", "rate: 1/s", "memory: 1Mi", "time: 1s"] {
        let text = format!(
            "version: \"1.0\"\npermissions: {{ tools: {{ x: {{ resources: {{ limits: {{ {limit} }} }} }} }} }}\n"
        );
        Policy::parse(&text).unwrap();
    }
}

#[test]
fn an_entry_of_a_tool_that_allows_nothing_is_told_of() {
    let found = |tool: &str| -> Vec<String> {
        let text = format!(
            "version: \"1.0\"\npermissions:\n  storage: {{ allow: [{{ uri: \"fs://w/**\", access: [read] }}, {{ uri: \"fs://c/*/x\", access: [read] }}] }}\n  network: {{ allow: [{{ host: \"*.b.example\" }}, {{ tcp: \"db.example:1\" }}] }}\n  environment: {{ allow: [{{ key: A }}] }}\n  tools:\n    x: {{ {tool} }}\n"
        );
        let warnings = policy(&text).warnings().to_vec();
        assert!(warnings.iter().all(|warning| warning.line == 7));
        warnings
            .into_iter()
            .map(|warning| warning.message)
            .collect()
    };
    for (tool, what) in [
        (
            "storage: { allow: [{ uri: \"fs://w/a\", access: [write] }] }",
            "storage fs://w/a [write]",
        ),
        (
            "storage: { allow: [{ uri: \"fs://d/**\", access: [read] }] }",
            "storage fs://d/** [read]",
        ),
        (
            "network: { allow: [{ host: b.example }] }",
            "network b.example",
        ),
        (
            "network: { allow: [{ tcp: \"db.example:2\" }] }",
            "network tcp db.example:2",
        ),
        ("environment: { allow: [{ key: B }] }", "environment B"),
    ] {
        let found = found(tool);
        assert_eq!(found.len(), 1, "{tool}: {found:?}");
        assert!(
            found[0].starts_with(&format!(
                "tools.x: {what}: the component has no rule for it"
            )),
            "{found:?}"
        );
    }
    for tool in [
        "storage: { allow: [{ uri: \"fs://w/a\", access: [read, write] }, { uri: \"fs://c/**/y\", access: [read] }] }",
        "storage: { deny: [{ uri: \"fs://d/**\" }] }",
        "network: { allow: [{ host: a.b.example }, { host: \"**.example.com\", cidr: \"10.0.0.0/8\" }] }".replace("**.example.com", "**.b.example").as_str(),
        "network: { allow: [{ tcp: \"db.example:1\" }, { cidr: \"10.0.0.0/8\" }] }",
        "environment: { allow: [{ key: A, value: x }] }",
        "network: { allow: [] }, storage: { allow: [] }",
    ] {
        assert_eq!(found(tool), Vec::<String>::new(), "{tool}");
    }
}

#[test]
fn loosening_a_tool_is_widening() {
    let of = |tools: &str| {
        policy(&format!(
            "version: \"1.0\"\npermissions:\n  storage: {{ allow: [{{ uri: \"fs://w/**\", access: [read, write] }}] }}\n  network: {{ allow: [{{ host: \"*.b.example\" }}] }}\n  environment: {{ allow: [{{ key: A }}] }}\n  clocks: full\n  tools: {{ {tools} }}\n"
        ))
    };
    for (before, after) in [
        ("x: { storage: { allow: [] } }", ""),
        ("x: { storage: { allow: [] } }", "x: {}"),
        (
            "x: { storage: { allow: [] } }",
            "y: { storage: { allow: [] } }",
        ),
        (
            "x: { storage: { allow: [] } }",
            "x: { storage: { deny: [{ uri: fs://w/a }] } }",
        ),
        (
            "x: { storage: { deny: [{ uri: fs://w/a }] } }",
            "x: { storage: { deny: [] } }",
        ),
        (
            "x: { storage: { deny: [{ uri: fs://w/a }] } }",
            "x: { storage: { allow: [{ uri: \"fs://w/**\", access: [read] }] } }",
        ),
        (
            "x: { network: { allow: [{ host: a.b.example, methods: [GET] }] } }",
            "x: { network: { allow: [{ host: a.b.example }] } }",
        ),
        (
            "x: { environment: { allow: [] } }",
            "x: { environment: { allow: [{ key: A }] } }",
        ),
        (
            "x: { environment: { deny: [{ key: A }] } }",
            "x: { environment: { deny: [] } }",
        ),
        ("x: { clocks: none }", "x: { clocks: frozen }"),
        ("x: { clocks: none }", "x: {}"),
        ("x: { random: { seed: 1 } }", "x: { random: { seed: 2 } }"),
        ("x: { random: none }", ""),
        (
            "x: { resources: { limits: { memory: 1Mi } } }",
            "x: { resources: { limits: { time: 1s } } }",
        ),
    ] {
        assert!(widens(&of(before), &of(after)), "{before} -> {after}");
        assert!(!widens(&of(before), &of(before)), "{before}");
    }
    for (before, after) in [
        ("", "x: { storage: { allow: [] } }"),
        (
            "",
            "x: { clocks: none, random: none, resources: { limits: { memory: 1Mi } } }",
        ),
        ("x: {}", ""),
        ("x: { storage: { deny: [] } }", ""),
        (
            "x: { storage: { deny: [{ uri: fs://w/a }] } }",
            "x: { storage: { allow: [], deny: [{ uri: \"fs://w/**\" }] } }",
        ),
        (
            "x: { network: { allow: [{ host: \"*.b.example\" }] } }",
            "x: { network: { allow: [{ host: a.b.example }] } }",
        ),
        (
            "x: { environment: { allow: [{ key: B }] } }",
            "x: { environment: { allow: [] } }",
        ),
        ("x: { clocks: full }", ""),
        ("x: { clocks: frozen }", "x: { clocks: none }"),
    ] {
        assert!(!widens(&of(before), &of(after)), "{before} -> {after}");
    }
}

#[test]
fn a_thousand_rules_of_a_component_and_a_tool_are_decided_quickly() {
    let list = |entry: &dyn Fn(usize) -> String| -> String {
        (0..500)
            .map(|index| format!("        - {{ {} }}\n", entry(index)))
            .collect()
    };
    let storage = list(&|index| format!("uri: \"fs://w/d{index}/*/x/**\", access: [read]"));
    let raw = list(&|index| format!("tcp: \"h{index}.example:5432\""));
    let requests = list(&|index| format!("host: \"*.h{index}.example\", methods: [GET]"));
    let kinds =
        format!("    storage:\n      allow:\n{storage}    network:\n      allow:\n{raw}{requests}");
    let component = kinds.replace("\n  ", "\n");
    let component = component.trim_start_matches("  ");
    let text = format!("version: \"1.0\"\npermissions:\n  {component}  tools:\n   x:\n{kinds}");
    let grant = admit(&policy(&text), None);
    let tool = grant.for_tool(&["x"]);
    let path = VirtualPath::parse("/w/d499/a/x/b").unwrap();
    let target = HttpTarget::parse("https", "a.h499.example", "GET", "/").unwrap();
    let operations = [
        (
            "storage",
            Operation::Storage {
                path: &path,
                access: StorageAccess::Read,
                own: false,
            },
        ),
        ("request", target.operation()),
        (
            "lookup",
            Operation::Lookup {
                name: "h499.example",
            },
        ),
        (
            "connection",
            Operation::TcpConnect {
                name: Some("h499.example"),
                address: "198.41.0.4:5432".parse().unwrap(),
                own: false,
            },
        ),
    ];
    for (whose, grant) in [("component", &grant), ("tool", &tool)] {
        for (what, operation) in &operations {
            // The fastest of many rounds: others can have the machine meanwhile.
            let round = || {
                let started = std::time::Instant::now();
                for _ in 0..10 {
                    assert!(std::hint::black_box(grant.decide(operation)).is_ok());
                }
                started.elapsed() / 10
            };
            let each = (0..50).map(|_| round()).min().unwrap();
            println!("{whose}, {what}: {each:?} for each decision");
            // For a debug build; a release build takes microseconds.
            assert!(
                each < std::time::Duration::from_millis(2),
                "{whose}, {what}: {each:?}"
            );
        }
    }
}

const RULES: [&str; 7] = [
    "uri: \"fs://w/**\", access: [read]",
    "uri: \"fs://w/**\", access: [read, write]",
    "uri: \"fs://w/a/**\", access: [write, read, symlink]",
    "uri: \"fs://w/*/b\", access: [read, symlink]",
    "uri: \"fs://w/a\", access: [write]",
    "uri: \"fs://c/**\", access: [read]",
    "uri: \"fs://w/**/b\", access: [write]",
];
const PEERS: [&str; 8] = [
    "host: a.b.example",
    "host: \"*.b.example\"",
    "host: a.b.example, methods: [GET]",
    "host: a.b.example, paths: [/v1/**]",
    "host: a.b.example, cidr: \"10.0.0.0/8\"",
    "cidr: \"10.0.0.0/8\"",
    "tcp: \"a.b.example:443\"",
    "tcp: \"a.b.example:443\", cidr: \"10.0.0.0/8\"",
];
const VARIABLES: [&str; 3] = ["key: A", "key: B", "key: C, value: x"];

/// A kind as one or two lists, or none at all.
fn kind(
    name: &'static str,
    entries: &'static [&'static str],
    tool: bool,
) -> impl Strategy<Value = String> {
    let write = |list: Option<Vec<&str>>, key: &str| match list {
        Some(list) => {
            let entries: Vec<String> = list.iter().map(|entry| format!("{{ {entry} }}")).collect();
            format!("{key}: [{}]", entries.join(", "))
        }
        None => String::new(),
    };
    let strip = |entry: &&'static str| entry.trim_end_matches(", value: x");
    let lists = (
        option::of(vec(select(entries), 0..4)),
        option::of(vec(select(entries), 0..2)),
    );
    lists.prop_map(move |(allow, deny)| {
        if tool && allow.is_none() && deny.is_none() {
            return String::new();
        }
        let deny = deny.map(|deny| deny.iter().map(strip).collect());
        let lists = [write(allow, "allow"), write(deny, "deny")];
        let lists: Vec<String> = lists.into_iter().filter(|list| !list.is_empty()).collect();
        format!("{name}: {{ {} }}", lists.join(", "))
    })
}

fn section(tool: bool) -> impl Strategy<Value = String> {
    let settings = (
        option::of(select(&["none", "frozen", "coarse", "full"][..])),
        option::of(select(
            &["none", "secure", "{ seed: 1 }", "{ seed: 2 }"][..],
        )),
        option::of(1_u32..64),
        option::of(1_u32..64),
        option::of(1_u32..64),
        option::of(select(&["10/s", "100/m", "1000/h"][..])),
    );
    let kinds = (
        kind("storage", &RULES, tool),
        kind("network", &PEERS, tool),
        kind("environment", &VARIABLES, tool),
    );
    (kinds, settings).prop_map(
        |((storage, network, environment), (clocks, random, memory, time, cpu, rate))| {
            let mut parts = vec![storage, network, environment];
            parts.extend(clocks.map(|clocks| format!("clocks: {clocks}")));
            parts.extend(random.map(|random| format!("random: {random}")));
            let limits: Vec<String> = [
                memory
                    .map(|memory| format!("memory: {memory}Mi, files: {memory}, sent: {memory}Ki")),
                time.map(|time| format!("time: {time}s")),
                cpu.map(|cpu| format!("cpu: {cpu}0m")),
                rate.map(|rate| format!("rate: {rate}")),
            ]
            .into_iter()
            .flatten()
            .collect();
            parts.push(format!(
                "resources: {{ limits: {{ {} }} }}",
                limits.join(", ")
            ));
            parts.retain(|part| !part.is_empty());
            parts.join(", ")
        },
    )
}

/// Asks everything of a small alphabet.
fn answers(grant: &Grant) -> Vec<bool> {
    let mut answers = Vec::new();
    let mut ask = |operation: &Operation<'_>| {
        let decision = grant.decide(operation);
        let explanation = grant.explain(operation);
        assert_eq!(explanation.allowed, decision.is_ok());
        answers.push(decision.is_ok());
    };
    let paths: Vec<VirtualPath> = [
        "/w", "/w/a", "/w/a/b", "/w/a/c", "/w/b", "/w/c/b", "/c", "/c/a", "/d",
    ]
    .into_iter()
    .map(|path| VirtualPath::parse(path).unwrap())
    .collect();
    for path in &paths {
        for access in [
            StorageAccess::Read,
            StorageAccess::Write,
            StorageAccess::Remove,
            StorageAccess::Traverse,
        ] {
            ask(&Operation::Storage {
                path,
                access,
                own: false,
            });
        }
        for to in &paths {
            for kind in [
                LinkKind::Hard,
                LinkKind::Symbolic,
                LinkKind::Rename,
                LinkKind::RenameFile,
            ] {
                ask(&Operation::StorageLink {
                    from: path,
                    to,
                    kind,
                    own: false,
                });
            }
        }
    }
    for authority in ["a.b.example", "c.b.example", "10.0.0.5"] {
        for method in ["GET", "PUT"] {
            for path in ["/", "/v1/a", "/v1/%2e"] {
                let target = HttpTarget::parse("https", authority, method, path).unwrap();
                ask(&target.operation());
                for address in ["10.0.0.5:443", "198.41.0.4:443"] {
                    ask(&target.connect(address.parse().unwrap(), false));
                }
            }
        }
        ask(&Operation::Lookup { name: authority });
        for address in ["10.0.0.5:443", "198.41.0.4:443"] {
            let address: SocketAddr = address.parse().unwrap();
            ask(&Operation::LookupAnswer {
                name: authority,
                address: address.ip(),
            });
            ask(&Operation::TcpConnect {
                name: Some(authority),
                address,
                own: false,
            });
            ask(&Operation::TcpConnect {
                name: None,
                address,
                own: false,
            });
        }
    }
    ask(&Operation::Socket {
        action: SocketAction::CreateTcp,
        address: None,
    });
    for key in ["A", "B", "C", "D"] {
        ask(&Operation::Environment { key });
    }
    ask(&Operation::Clock { clock: Clock::Wall });
    ask(&Operation::Random {
        source: RandomSource::Secure,
    });
    answers
}

fn within(narrow: &[bool], wide: &[bool]) -> bool {
    narrow.len() == wide.len()
        && narrow
            .iter()
            .zip(wide)
            .all(|(narrow, wide)| !narrow || *wide)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_a_tool_may_the_component_may(
        component in section(false),
        tool in section(true),
        other in section(true),
        ceiling in option::of(section(false)),
    ) {
        let text = format!("version: \"1.0\"\npermissions: {{ {component}, tools: {{ x: {{ {tool} }}, y: {{ {other} }} }} }}\n");
        let all = policy(&text);
        let ceiling = ceiling.map(|ceiling| policy(&format!("version: \"1.0\"\npermissions: {{ {ceiling} }}\n")));
        let grant = admit(&all, ceiling.as_ref());
        let component = answers(&grant);
        let (one, both) = (grant.for_tool(&["x"]), grant.for_tool(&["x", "y"]));
        for (narrow, wide) in [(&one, &grant), (&both, &one), (&both, &grant.for_tool(&["y"]))] {
            prop_assert!(within(&answers(narrow), &answers(wide)), "{}", text);
            prop_assert!(narrow.limits().within(wide.limits()));
            prop_assert!(narrow.clocks() <= wide.clocks());
            let shown = |mount: &Mount| wide.mounts().iter().any(|outer| mount.guest.starts_with(&outer.guest));
            prop_assert!(narrow.mounts().iter().all(shown));
            prop_assert!(narrow.environment_keys().all(|key| wide.environment_keys().any(|other| other == key)));
            let (narrow, wide) = (narrow.reach(), wide.reach());
            prop_assert!(!narrow.storage_read || wide.storage_read);
            prop_assert!(!narrow.storage_write || wide.storage_write);
            prop_assert!(!narrow.network || wide.network);
            prop_assert!(!narrow.sockets || wide.sockets);
            prop_assert!(!narrow.environment || wide.environment);
        }
        prop_assert_eq!(answers(&grant.for_tool(&["z"])), component);
        // What stands there is printed as it is, and narrows as much when it is read again.
        let again = policy(&all.to_yaml());
        prop_assert_eq!(&again, &all);
        prop_assert_eq!(answers(&admit(&again, ceiling.as_ref()).for_tool(&["x"])), answers(&one));
    }

    #[test]
    fn a_change_that_does_not_widen_gives_no_tool_more(
        component in section(false),
        before in section(true),
        after in section(true),
        kept in any::<bool>(),
    ) {
        let of = |tool: &str| policy(&format!("version: \"1.0\"\npermissions: {{ {component}, tools: {{ x: {{ {tool} }} }} }}\n"));
        let (before, after) = (of(&before), of(if kept { &before } else { &after }));
        if kept {
            prop_assert!(!widens(&before, &after));
        }
        if !widens(&before, &after) {
            let answers = |policy: &Policy| answers(&admit(policy, None).for_tool(&["x"]));
            prop_assert!(within(&answers(&after), &answers(&before)));
        }
    }
}
