//! Every kind of question is answered by the function that decides, with the rule's file and line.

use crate::sandbox::{Run, Sandbox, with_filters};

const POLICY: &str = r#"version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: [read, write]
    deny:
      - uri: "fs://workspace/**/.git/**"
  network:
    allow:
      - host: "db.internal"
        cidr: "10.1.0.0/16"
        ports: [8443]
      - host: "127.0.0.1"
        schemes: [http]
        ports: [8080]
      - host: "api.example.com"
  environment:
    allow:
      - key: REGION
  clocks: coarse
"#;
const CEILING: &str = r#"version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: [read, write]
    deny:
      - uri: "fs://workspace/secret/**"
  network:
    allow:
      - host: "db.internal"
        cidr: "10.0.0.0/8"
        ports: [8443]
      - host: "127.0.0.1"
        schemes: [http]
        ports: [8080]
  clocks: frozen
"#;

fn asked(sandbox: &Sandbox, question: &[&str]) -> Run {
    let mut all = vec!["policy", "explain", "notes"];
    all.extend(question);
    all.extend(["--workspace", ".", "--ceiling", "ceiling.yaml"]);
    sandbox.run(&all)
}

fn scene() -> Sandbox {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(POLICY);
    std::fs::write(sandbox.path("work/ceiling.yaml"), CEILING).unwrap();
    sandbox
}

#[test]
fn every_answer_names_file_and_line_and_what_would_change_it() {
    let sandbox = scene();
    let mut shown = String::new();
    for question in [
        "storage read /workspace/a.txt",
        "storage list fs://workspace/.git",
        "storage write /workspace/secret/key",
        "storage write /elsewhere",
        "storage remove-directory /workspace/docs",
        "storage rename /workspace/a.txt /workspace/b.txt",
        "storage link /workspace/a.txt /workspace/b.txt",
        "storage symlink /workspace/a.txt /workspace/b.txt",
        "network POST http://127.0.0.1:8080/x",
        "network https://db.internal:8443/",
        "network https://db.internal:8443/ --address 10.2.0.1",
        "network api.example.com",
        "tcp db.internal:5432",
        "dns db.internal",
        "dns 0x7f.1",
        "socket tcp",
        "socket bind",
        "env REGION",
        "clock monotonic",
        "random seed",
        "socket udp",
    ] {
        let words: Vec<&str> = question.split(' ').collect();
        let run = asked(&sandbox, &words);
        shown.push_str(&format!("$ {question}\n{}\n", run.shown()));
    }
    with_filters(|| {
        insta::assert_snapshot!(shown, @r#"
    $ storage read /workspace/a.txt
    exit 0
    --- stdout
    allowed: storage read /workspace/a.txt
      why   a rule allows it
      rule  fs://workspace/** [read, write]
      at    [DIR]/home/policies/notes.yaml, line 5: permissions.storage.allow[0]
      to deny it: casemate block notes read fs://workspace/a.txt
    --- stderr

    $ storage list fs://workspace/.git
    exit 3
    --- stdout
    denied: storage read /workspace/.git (denied.storage.read)
      why   a rule denies it to read this path
      rule  deny fs://workspace/**/.git/** [read, write, symlink]
      at    [DIR]/home/policies/notes.yaml, line 8: permissions.storage.deny[0]
      to allow it: remove that rule by hand: it stands above whatever is granted
    --- stderr

    $ storage write /workspace/secret/key
    exit 3
    --- stdout
    denied: storage write /workspace/secret/key (denied.storage.write)
      why   a rule allows it, but the ceiling does not let it write this path
      rule  deny fs://workspace/secret/** [read, write, symlink]
      at    [DIR]/work/ceiling.yaml, line 8: permissions.storage.deny[0]
      to allow it: ask whoever keeps the ceiling [DIR]/work/ceiling.yaml
    --- stderr

    $ storage write /elsewhere
    exit 3
    --- stdout
    denied: storage write /elsewhere (denied.storage.write)
      why   no rule allows it to write this path
    --- stderr

    $ storage remove-directory /workspace/docs
    exit 3
    --- stdout
    denied: storage write /workspace/docs (denied.storage.write)
      why   a rule denies something that could be in this directory, so the directory cannot be removed
      rule  deny fs://workspace/**/.git/** [read, write, symlink]
      at    [DIR]/home/policies/notes.yaml, line 8: permissions.storage.deny[0]
      to allow it: remove that rule by hand: it stands above whatever is granted
    --- stderr

    $ storage rename /workspace/a.txt /workspace/b.txt
    exit 0
    --- stdout
    allowed: storage rename /workspace/a.txt -> /workspace/b.txt
      why   a rule allows it
      rule  fs://workspace/** [read, write]
      at    [DIR]/home/policies/notes.yaml, line 5: permissions.storage.allow[0]
      to deny it: casemate block notes write fs://workspace/b.txt
    --- stderr

    $ storage link /workspace/a.txt /workspace/b.txt
    exit 0
    --- stdout
    allowed: storage link /workspace/a.txt -> /workspace/b.txt
      why   a rule allows it
      rule  fs://workspace/** [read, write]
      at    [DIR]/home/policies/notes.yaml, line 5: permissions.storage.allow[0]
      to deny it: casemate block notes write fs://workspace/b.txt
    --- stderr

    $ storage symlink /workspace/a.txt /workspace/b.txt
    exit 3
    --- stdout
    denied: storage symlink /workspace/a.txt -> /workspace/b.txt (denied.storage.link)
      why   no rule allows symbolic links at /workspace/b.txt: making them takes a right of its own, symlink, beside write
      to allow it: casemate grant notes symlink fs://workspace/b.txt
    --- stderr

    $ network POST http://127.0.0.1:8080/x
    exit 0
    --- stdout
    allowed: network 127.0.0.1:8080
      why   a rule allows it
      rule  127.0.0.1 [schemes: http; ports: 8080]
      at    [DIR]/home/policies/notes.yaml, line 14: permissions.network.allow[1]
      to deny it: casemate block notes network 127.0.0.1
    --- stderr

    $ network https://db.internal:8443/
    exit 0
    --- stdout
    allowed: network db.internal:8443
      why   a rule allows it where the name leads to addresses in 10.1.0.0/16; where it does lead is not known here
      rule  db.internal [cidr: 10.1.0.0/16; ports: 8443]
      at    [DIR]/home/policies/notes.yaml, line 11: permissions.network.allow[0]
      note  where db.internal leads is not looked up here: a request is denied (denied.network.address) if that is a private or another special address without a cidr that covers it; --address IP asks
      to deny it: casemate block notes network db.internal
    --- stderr

    $ network https://db.internal:8443/ --address 10.2.0.1
    exit 3
    --- stdout
    denied: network db.internal:8443 (denied.network.address)
      why   db.internal leads to 10.2.0.1, which is a private address (10.0.0.0/8); such an address is reached only where an entry for the name has a cidr that covers it
      rule  db.internal [cidr: 10.1.0.0/16; ports: 8443]
      at    [DIR]/home/policies/notes.yaml, line 11: permissions.network.allow[0]
      to allow it: add a copy of that rule with cidr: "10.2.0.1/32"
    --- stderr

    $ network api.example.com
    exit 3
    --- stdout
    denied: network api.example.com:443 (denied.network.host)
      why   a rule allows it, but the ceiling does not allow this host
      rule  api.example.com
      at    [DIR]/home/policies/notes.yaml, line 17: permissions.network.allow[2]
      to allow it: ask whoever keeps the ceiling [DIR]/work/ceiling.yaml
    --- stderr

    $ tcp db.internal:5432
    exit 3
    --- stdout
    denied: socket connect db.internal:5432 (denied.socket)
      why   no rule allows raw connections to db.internal on port 5432
      to allow it: casemate grant notes network tcp://db.internal:5432
    --- stderr

    $ dns db.internal
    exit 3
    --- stdout
    denied: dns db.internal (denied.dns)
      why   no rule allows raw connections to it, and names are looked up for nothing else
      to allow it: casemate grant notes network tcp://db.internal:PORT
    --- stderr

    $ dns 0x7f.1
    exit 3
    --- stdout
    denied: dns 0x7f.1 (denied.dns)
      why   the host is an unusual spelling of the address 127.0.0.1; only the usual one is accepted
    --- stderr

    $ socket tcp
    exit 3
    --- stdout
    denied: socket create tcp (denied.socket)
      why   no rule allows raw connections
      to allow it: casemate grant notes network tcp://HOST:PORT
    --- stderr

    $ socket bind
    exit 3
    --- stdout
    denied: socket bind (denied.socket)
      why   sockets that listen or are bound to an address are refused in this release, whatever is granted
      to allow it: not in this release: sockets that listen or are bound to an address
    --- stderr

    $ env REGION
    exit 3
    --- stdout
    denied: environment REGION (denied.env)
      why   a rule allows it, but the ceiling does not allow this variable
      rule  REGION
      at    [DIR]/home/policies/notes.yaml, line 20: permissions.environment.allow[0]
      to allow it: ask whoever keeps the ceiling [DIR]/work/ceiling.yaml
    --- stderr

    $ clock monotonic
    exit 0
    --- stdout
    allowed: clock monotonic
      why   clocks are frozen
      rule  clocks: frozen
      at    [DIR]/work/ceiling.yaml, line 17: permissions.clocks
      to deny it: write clocks: none under permissions in [DIR]/home/policies/notes.yaml
    --- stderr

    $ random seed
    exit 0
    --- stdout
    allowed: random seed
      why   random numbers are secure
      rule  random: secure
      at    default of permissions.random
      to deny it: write random: none under permissions in [DIR]/home/policies/notes.yaml
    --- stderr

    $ socket udp
    exit 3
    --- stdout
    denied: socket create udp (denied.socket)
      why   UDP sockets are refused in this release, whatever is granted
      to allow it: not in this release: UDP sockets
    --- stderr
    "#)
    });
}

#[test]
fn json_has_file_and_line_of_policy_and_ceiling() {
    let sandbox = scene();
    let json = |question: &[&str], code: i32| {
        let mut all = question.to_vec();
        all.push("--json");
        asked(&sandbox, &all).exits(code).json()
    };
    let own = json(&["storage", "read", "/workspace/.git/config"], 3);
    assert_eq!(
        own["rule"]["file"],
        sandbox.text("home/policies/notes.yaml")
    );
    assert_eq!(own["rule"]["line"], 8, "{own}");
    let above = json(&["storage", "read", "/workspace/secret/key"], 3);
    assert_eq!(above["rule"]["file"], sandbox.text("work/ceiling.yaml"));
    assert_eq!(above["rule"]["line"], 8, "{above}");
    let to_allow = above["to_allow"].as_str().unwrap();
    assert!(to_allow.contains("whoever keeps the ceiling") && to_allow.contains("ceiling.yaml"));
    let default = json(&["random"], 0);
    assert!(default["rule"]["file"].is_null() && default["rule"]["line"].is_null());
    // What would deny it is a command that does.
    let allowed = json(&["storage", "write", "/workspace/a.txt"], 0);
    assert_eq!(
        allowed["to_deny"],
        "casemate block notes write fs://workspace/a.txt"
    );
    sandbox
        .run(&["block", "notes", "write", "fs://workspace/a.txt"])
        .exits(0);
    json(&["storage", "write", "/workspace/a.txt"], 3);
    json(&["storage", "read", "/workspace/a.txt"], 0);
}

#[test]
fn what_would_deny_it_does() {
    let sandbox = scene();
    for question in [
        "storage read /workspace/a.txt",
        "storage rename /workspace/a.txt /workspace/b.txt",
        "network http://127.0.0.1:8080/",
        "network https://db.internal:8443/ --address 10.1.2.3",
        "env REGION",
    ] {
        sandbox.policy(POLICY);
        let mut words: Vec<&str> = question.split(' ').collect();
        words.push("--json");
        // The ceiling here allows no variable.
        let ask = |sandbox: &Sandbox| {
            let mut all = vec!["policy", "explain", "notes"];
            all.extend(&words);
            all.extend(["--workspace", "."]);
            sandbox.run(&all)
        };
        let allowed = ask(&sandbox).exits(0).json();
        let command = allowed["to_deny"].as_str().unwrap().to_owned();
        let arguments: Vec<&str> = command.split(' ').skip(1).collect();
        sandbox.run(&arguments).exits(0);
        let denied = ask(&sandbox).exits(3).json();
        assert!(
            denied["rule"]["text"]
                .as_str()
                .unwrap()
                .starts_with("deny ")
        );
        let hand = denied["to_allow"].as_str().unwrap();
        assert!(hand.contains("by hand"), "{denied}");
    }
}

#[test]
fn questions_that_make_no_sense_are_usage() {
    let sandbox = scene();
    for (question, words) in [
        ("storage rename /workspace/a.txt", "two paths"),
        ("storage read /workspace/a.txt /workspace/b.txt", "one path"),
        ("storage read ../a.txt", "../a.txt"),
        ("tcp db.internal", "no HOST:PORT"),
        ("tcp db.internal:0x50", "no HOST:PORT"),
        ("tcp 2001:db8::1:5432", "no HOST:PORT"),
        ("tcp [2001:db8::1:5432", "no HOST:PORT"),
        ("tcp 10.0.0.1:5432 --address 10.0.0.2", "does not lead to"),
        (
            "network http://10.0.0.1/ --address 10.0.0.2",
            "does not lead to",
        ),
        ("network --address 10.0.0.999 x", "--address"),
        ("clock tomorrow", "tomorrow"),
    ] {
        let words_of: Vec<&str> = question.split(' ').collect();
        let run = asked(&sandbox, &words_of).exits(2);
        assert!(
            run.err.contains(words),
            "{question} {words} {}",
            run.shown()
        );
    }
}

const CONNECTIONS: &str = r#"version: "1.0"
permissions:
  network:
    allow:
      - tcp: "db.internal:5432"
        cidr: "10.1.0.0/16"
      - tcp: "10.1.0.7:5432"
      - tcp: "cache.example.com:6379"
"#;

#[test]
fn connections_and_lookups_are_explained_as_a_guest_would_do_them() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(CONNECTIONS);
    let ask = |question: &str, code: i32| {
        let mut all = vec!["policy", "explain", "notes"];
        all.extend(question.split(' '));
        all.push("--json");
        sandbox.run(&all).exits(code).json()
    };
    for (question, line) in [
        ("tcp db.internal:5432 --address 10.1.2.3", 5),
        ("tcp DB.Internal.:5432 --address 10.1.2.3", 5),
        ("tcp 10.1.0.7:5432", 7),
        ("tcp cache.example.com:6379", 8),
        ("tcp cache.example.com:6379 --address 198.41.0.4", 8),
        ("dns cache.example.com", 8),
        ("dns Db.internal", 5),
    ] {
        let answer = ask(question, 0);
        assert_eq!(answer["rule"]["line"], line, "{question}: {answer}");
        let file = sandbox.text("home/policies/notes.yaml");
        assert_eq!(answer["rule"]["file"], file, "{question}");
    }
    for (question, reason) in [
        ("tcp db.internal:5433 --address 10.1.2.3", "denied.socket"),
        ("tcp db.internal:5432 --address 10.2.0.1", "denied.socket"),
        (
            "tcp cache.example.com:6379 --address 10.0.0.1",
            "denied.socket",
        ),
        (
            "tcp cache.example.com:6379 --address 169.254.169.254",
            "denied.socket",
        ),
        ("tcp 10.1.0.8:5432", "denied.socket"),
        ("tcp 169.254.169.254:80", "denied.socket"),
        ("dns other.internal", "denied.dns"),
        ("dns 0x7f.1", "denied.dns"),
        ("tcp 0x7f.1:5432", "denied.dns"),
        ("socket udp", "denied.socket"),
        ("socket listen", "denied.socket"),
    ] {
        let answer = ask(question, 3);
        assert_eq!(answer["reason"], reason, "{question}: {answer}");
    }
    // An address that nobody spoke of is no reason to write a rule for it.
    let unsaid = ask("tcp db.internal:5432", 3);
    assert!(unsaid["to_allow"].is_null(), "{unsaid}");
    let note = unsaid["note"].as_str().unwrap();
    assert!(note.contains("--address IP asks for another"), "{unsaid}");
    let said = ask("tcp db.internal:5432 --address 10.2.0.1", 3);
    assert!(
        said["note"].is_null() && said["to_allow"].is_string(),
        "{said}"
    );
    ask("socket tcp", 0);
    let deny = ask("tcp cache.example.com:6379", 0)["to_deny"].clone();
    let command: Vec<&str> = deny.as_str().unwrap().split(' ').skip(1).collect();
    assert_eq!(
        command,
        ["block", "notes", "network", "tcp://cache.example.com:6379"]
    );
    sandbox.run(&command).exits(0);
    ask("tcp cache.example.com:6379", 3);
}

#[test]
fn connections_are_granted_revoked_and_blocked() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy("version: \"1.0\"\n");
    let target = "tcp://db.internal:5432";
    let run = sandbox.run(&["grant", "notes", "network", target]).exits(3);
    assert!(run.err.contains("this widens"), "{}", run.shown());
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[grants]\nwithout-terminal = true\n",
    )
    .unwrap();
    let explain = || {
        sandbox
            .run(&["policy", "explain", "notes", "tcp", "db.internal:5432"])
            .code
    };
    assert_eq!(explain(), 3);
    sandbox.run(&["grant", "notes", "network", target]).exits(0);
    assert_eq!(explain(), 0);
    sandbox
        .run(&["revoke", "notes", "network", target])
        .exits(0);
    assert_eq!(explain(), 3);
    sandbox.run(&["block", "notes", "network", target]).exits(0);
    sandbox.run(&["grant", "notes", "network", target]).exits(2);
    for odd in [
        "tcp://db.internal",
        "tcp://db.internal:0",
        "tcp://*.internal:1",
        "tcp://",
    ] {
        sandbox.run(&["grant", "notes", "network", odd]).exits(2);
    }
}

const NARROWED: &str = r#"version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: [read, write]
  tools:
    read-lines:
      storage:
        allow:
          - uri: "fs://workspace/a.txt"
            access: [read]
"#;

#[test]
fn one_tool_is_asked_for_by_either_of_its_names() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(NARROWED);
    let ask = |path: &str, more: &[&str]| {
        let mut all = vec!["policy", "explain", "notes", "storage", "read", path];
        all.extend(["--workspace", ".", "--json"]);
        all.extend(more);
        sandbox.run(&all)
    };
    ask("/workspace/b.txt", &[]).exits(0);
    let title = "casemate-examples:notes/files@0.1.0#read-lines";
    for name in ["read-lines", "notes_read_lines", title] {
        let own = ask("/workspace/a.txt", &["--tool", name]).exits(0).json();
        assert_eq!(own["tool"], "notes_read_lines");
        let beside = ask("/workspace/b.txt", &["--tool", name]).exits(3).json();
        assert_eq!(beside["reason"], "denied.storage.read", "{beside}");
        let to_allow = beside["to_allow"].as_str().unwrap();
        assert!(to_allow.contains("tools: \"read-lines\""), "{beside}");
    }
    // What the policy does not narrow may do what the component may.
    ask("/workspace/b.txt", &["--tool", "save-note"]).exits(0);
    // A name that is no tool of this component is a mistake in the policy.
    sandbox.policy(&NARROWED.replace("read-lines", "read-linez"));
    let check = sandbox.run(&["policy", "check", "notes"]).exits(2);
    for words in ["notes.yaml: line 8, column 5: ", "read-linez", "read-lines"] {
        assert!(check.err.contains(words), "{words}: {}", check.shown());
    }
    let refused = ask("/workspace/a.txt", &[]);
    assert!(
        refused.code == 2 && refused.err.contains("read-linez"),
        "{}",
        refused.shown()
    );
    sandbox.policy(NARROWED);
    for name in ["read", "other_read_lines", ""] {
        let run = ask("/workspace/a.txt", &["--tool", name]).exits(2);
        assert!(run.err.contains("has no tool"), "{}", run.shown());
    }
}

/// A tool that the component does not have, with a typo or by a name that nothing is near to.
#[test]
fn a_tool_that_there_is_not_is_reported_with_its_place_wherever_it_can_be() {
    let sandbox = Sandbox::with_notes();
    let file = sandbox.text("home/policies/notes.yaml");
    for (name, hint) in [
        ("read-linez", "hint: did you mean \"read-lines\"?"),
        (
            "notes_read_linez",
            "hint: did you mean \"notes_read_lines\"?",
        ),
        ("teapot", "hint: its tools are "),
    ] {
        sandbox.policy(&NARROWED.replace("read-lines", name));
        let place = format!(
            "/policies/notes.yaml: line 8, column 5: permissions.tools: the component has no tool {name:?}"
        );
        for command in [
            &["policy", "show", "notes"][..],
            &["policy", "check", "notes"],
            &["policy", "check", &file],
            &["policy", "check", "../home/policies/notes.yaml"],
            &["policy", "explain", "notes", "clock"],
        ] {
            let run = sandbox.run(command).exits(2);
            for words in [place.as_str(), hint] {
                assert!(
                    run.err.contains(words),
                    "{command:?} {words}: {}",
                    run.shown()
                );
            }
        }
        let doctor = sandbox.run(&["doctor"]).exits(1);
        for words in [place.as_str(), hint] {
            assert!(doctor.out.contains(words), "{words}: {}", doctor.shown());
        }
        assert!(
            !doctor.out.contains("a policy that loads"),
            "{}",
            doctor.shown()
        );
        let json = sandbox
            .run(&["policy", "check", &file, "--json"])
            .exits(2)
            .json();
        assert_eq!(json["error"]["line"], 8, "{json}");
    }
    // The same text in a file of no component can only be read as the language is.
    std::fs::copy(&file, sandbox.path("work/other.yaml")).unwrap();
    sandbox.run(&["policy", "check", "other.yaml"]).exits(0);
    sandbox.policy(NARROWED);
    sandbox.run(&["policy", "check", &file]).exits(0);
    sandbox.run(&["doctor"]).exits(0);
}

const OF_TOOLS: &str = r#"version: "1.0"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: [read, write]
  environment:
    allow:
      - key: REGION
  tools:
    read-lines:
      storage:
        allow:
          - uri: "fs://workspace/a.txt"
            access: [read]
      environment: { allow: [] }
      resources: { limits: { time: 5s } }
    notes_save_note:
      clocks: none
"#;

#[test]
fn rules_of_a_tool_are_shown_under_it() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(OF_TOOLS);
    let show = sandbox.run(&["policy", "show", "notes"]).exits(0);
    let rules = show
        .out
        .split("\nRules\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next();
    insta::assert_snapshot!(rules.unwrap(), @r"
    fs://workspace/** [read, write]  policy, line 5
    REGION                           policy, line 9
    clocks: frozen                   default
    random: secure                   default
    only for the tool notes_save_note
      clocks: none  policy, line 19
    only for the tool read-lines
      nothing of environment       policy, line 11
      fs://workspace/a.txt [read]  policy, line 14
      time: 5s                     policy, line 17
    ");
    let check = sandbox.run(&["policy", "check", "notes"]).exits(0);
    with_filters(|| {
        insta::assert_snapshot!(check.out, @r"
    ok: [DIR]/home/policies/notes.yaml
      fs://workspace/** [read, write]  line 5
      REGION                           line 9
      only for the tool notes_save_note
        clocks: none  line 19
      only for the tool read-lines
        nothing of environment       line 11
        fs://workspace/a.txt [read]  line 14
        time: 5s                     line 17
    ")
    });
    let json = sandbox
        .run(&["policy", "show", "notes", "--json"])
        .exits(0)
        .json();
    let texts = |rules: &serde_json::Value| -> Vec<String> {
        let rules = rules.as_array().unwrap().iter();
        rules
            .map(|rule| rule["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        texts(&json["rules"]),
        [
            "fs://workspace/** [read, write]",
            "REGION",
            "clocks: frozen",
            "random: secure"
        ]
    );
    assert_eq!(
        texts(&json["tools"]["read-lines"]),
        [
            "nothing of environment",
            "fs://workspace/a.txt [read]",
            "time: 5s"
        ]
    );
    assert_eq!(texts(&json["tools"]["notes_save_note"]), ["clocks: none"]);
    assert_eq!(json["tools"]["read-lines"][1]["line"], 14);
    // Before it is confirmed, too.
    let fresh = Sandbox::new();
    let file = fresh.text("work/policy.yaml");
    std::fs::write(&file, OF_TOOLS).unwrap();
    let add = fresh
        .run(&["add", crate::sandbox::NOTES, "--policy", &file])
        .exits(3);
    for line in ["  REGION\n", "  time: 5s, only for the tool read-lines\n"] {
        assert!(add.err.contains(line), "{line}: {}", add.shown());
    }
}

/// A component may have any name, also that of a kind of question.
#[test]
fn a_component_named_like_a_kind_is_explained() {
    let sandbox = Sandbox::new();
    for name in ["tcp", "env", "random"] {
        sandbox
            .run(&["add", crate::sandbox::NOTES, "--name", name, "--yes"])
            .exits(0);
    }
    for (question, code, words) in [
        (
            "tcp tcp 127.0.0.1:80",
            3,
            "casemate grant tcp network tcp://127.0.0.1:80",
        ),
        ("env env REGION", 3, "casemate grant env env REGION"),
        ("env random", 0, "policies/env.yaml"),
        ("random clock", 0, "policies/random.yaml"),
        ("random random", 0, "policies/random.yaml"),
        ("--tool tcp_read_lines tcp clock", 0, "policies/tcp.yaml"),
        ("--workspace random env random", 0, "policies/env.yaml"),
        ("--json tcp env tcp", 3, "casemate grant tcp env tcp"),
    ] {
        let all: Vec<&str> = ["policy", "explain"]
            .into_iter()
            .chain(question.split(' '))
            .collect();
        std::fs::create_dir_all(sandbox.path("work/random")).unwrap();
        let run = sandbox.run(&all).exits(code);
        assert!(run.out.contains(words), "{question}: {}", run.shown());
    }
    let home = sandbox.text("home");
    sandbox
        .run(&["--home", &home, "-v", "policy", "explain", "tcp", "clock"])
        .exits(0);
    // Help is where it was, and a question without a component is still none.
    for arguments in ["tcp --help", "help tcp", "notes tcp --help"] {
        let all: Vec<&str> = ["policy", "explain"]
            .into_iter()
            .chain(arguments.split(' '))
            .collect();
        let run = sandbox.run(&all).exits(0);
        assert!(
            run.out.contains("<HOST:PORT>"),
            "{arguments}: {}",
            run.shown()
        );
    }
    for arguments in ["tcp", "tcp 127.0.0.1:80", "clock"] {
        let all: Vec<&str> = ["policy", "explain"]
            .into_iter()
            .chain(arguments.split(' '))
            .collect();
        sandbox.run(&all).exits(2);
    }
}

#[test]
fn a_raw_connection_is_explained_as_it_is_granted() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(CONNECTIONS);
    for (target, code) in [
        ("10.1.0.7:5432", 0),
        ("cache.example.com:6379", 0),
        ("db.internal:1", 3),
        ("0x7f.1:80", 3),
        ("db.internal", 2),
    ] {
        let ask = |kind: &str, target: &str| {
            sandbox
                .run(&["policy", "explain", "notes", kind, target])
                .exits(code)
        };
        let raw = ask("network", &format!("tcp://{target}"));
        assert_eq!(raw.shown(), ask("tcp", target).shown());
    }
    let all = [
        "policy",
        "explain",
        "notes",
        "network",
        "tcp://db.internal:5432",
    ];
    sandbox
        .run(&[&all[..], &["--address", "10.1.2.3"]].concat())
        .exits(0);
    sandbox
        .run(&[&all[..], &["--address", "10.2.0.1"]].concat())
        .exits(3);
}

/// An allow rule that covers Casemate's own folder: nothing in it is reachable, by whatever path leads there.
#[test]
fn s068_the_own_home_is_explained_as_it_is_denied() {
    let sandbox = Sandbox::with_notes();
    let all = sandbox.text("");
    sandbox.policy(&format!(
        "version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://{all}**\"\n        access: [read, write]\n      - uri: \"fs://all/**\"\n        access: [read, write]\n"
    ));
    std::os::unix::fs::symlink(sandbox.path("home"), sandbox.path("work/link")).unwrap();
    let binding = format!("all={all}");
    let ask = |access: &str, path: &str| {
        sandbox.run(&[
            "policy",
            "explain",
            "notes",
            "storage",
            access,
            path,
            "--root",
            &binding,
            "--allow-dangerous-root",
        ])
    };
    for path in [
        &sandbox.text("home/policies/notes.yaml"),
        &sandbox.text("home"),
        &sandbox.text("home/not/there"),
        &sandbox.text("work/link/policies/notes.yaml"),
        "/all/home/config.toml",
        "fs://all/work/link",
    ] {
        for access in ["read", "write", "list", "remove", "remove-directory"] {
            let run = ask(access, path).exits(3);
            assert!(run.out.contains("Casemate's own folder"), "{}", run.shown());
            assert!(!run.out.contains("to allow it"), "{}", run.shown());
        }
    }
    ask("read", "/all/work/a.txt").exits(0);
    ask("read", &sandbox.text("work/a.txt")).exits(0);
}
