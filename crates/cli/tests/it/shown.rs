//! What a person sees.

use crate::guests::{self, TALKS};
use crate::sandbox::{NOTES, NOTES_WIT, Sandbox, with_filters};

#[test]
fn demo() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["demo"]).exits(0);
    assert!(run.err.is_empty(), "{}", run.shown());
    // The command that the denial names is the one that is typed next.
    let hint = run
        .out
        .lines()
        .find_map(|line| line.strip_prefix("hint: "))
        .unwrap();
    assert!(run.out.contains(&format!("$ {hint}\n")), "{}", run.shown());
    assert_eq!(
        sandbox.state().len(),
        0,
        "the home of the person is not touched"
    );
    with_filters(|| {
        insta::assert_snapshot!(run.out, @r#"
    Casemate, in a throw-away home
    A component in the sandbox reaches nothing that nobody granted. See for yourself:

    1. Install a component. Its author wrote a plain library; you see what it is before anything runs.
    $ casemate add [DEMO]/notes.wasm --name notes --wit [DEMO]/notes.wit --yes
    notes  [SIZE]  sha256:[DIGEST]
      from file:[DEMO]/notes.wasm
      A notebook: search, read and write text files, and tell the time anywhere.

    Tools (7)
      notes_search_text(folder, pattern, options?)
          Searches the text files of a folder and of all folders in it for a piece of text, and returns th…
      notes_read_lines(path, first, last?)
          Reads some lines of a text file of up to 8 MiB.
      notes_save_note(path, text, replace?)
          Writes a note of up to 1 MiB into a new file.
      notes_append_line(path, line)
          Adds one line at the end of a note, and makes the note where there is none.
      notes_current_time(zone)
          Tells the time in a zone.
      notes_convert_time(local, from-zone, to-zone)
          Tells what the clocks of one zone show when those of another show a given time; for a moment in …
      notes_list_zones(filter)
          Lists the time zones whose names contain a piece of text, with their present offsets.

    It could ask for
      files        read and write files in folders that you grant
      environment  see environment variables that you grant
      clocks       tell the time, and wait
      stdio, terminal, exit, io: stays inside the sandbox

    Grade
      B  (documentation 80 of 100)
      -10 a local file, which nobody vouches for  provenance.file
      -5  1 of 1 declared memories has no maximum  limits.memory-undeclared
      -5  neither the manifest nor the component names a licence  documentation.no-licence
      and 11 more: casemate report

    Granted
      nothing: no files, no network, no variables

    ok: added notes ([DIGEST]) with 7 tools
      what it may do: casemate policy show notes
      to let it do more: casemate grant notes read DIR

    2. Call a tool that needs no permission.
    $ casemate call notes_current_time '{"zone": "Europe/Oslo"}'
    {
      "zone": "Europe/Oslo",
      "local": "[TIME][OFFSET]",
      "utc": "[TIME]Z",
      "weekday": "[DAY]",
      "abbreviation": "[ZONE]",
      "next-change": {
        "utc": "[TIME]Z",
        "offset": "[OFFSET]",
        "abbreviation": "[ZONE]"
      }
    }

    3. Let it read one folder, and have it search there. The tool sees the folder as /workspace.
    $ casemate grant notes read [DEMO]/my-notes
    not asked: the configuration says grants.without-terminal = true
    notes: granted
      - uri: "fs://workspace/**"
        access: ["read"]
    written to [DEMO]/home/policies/notes.yaml
    $ casemate call notes_search_text '{"folder": "/workspace", "pattern": "harbour"}'
    {
      "matches": [
        {
          "path": "/workspace/ideas.txt",
          "line": 2,
          "column": 20,
          "text": "Ask Mira about the harbour."
        },
        {
          "path": "/workspace/meeting.md",
          "line": 3,
          "column": 16,
          "text": "Mira: ship the harbour map by Friday."
        }
      ],
      "files-searched": 2,
      "skipped": 0,
      "incomplete": null
    }

    4. Reading is not writing: this call is denied, with the reason and the command that would allow it.
    $ casemate call notes_save_note '{"path": "/workspace/todo.md", "text": "Ask Mira about the map."}'
    error: the tool answered with an error
      {
        "tag": "not-permitted",
        "val": "cannot write /workspace/todo.md: the tool is not permitted to"
      }
    refused: storage write /workspace/todo.md (denied.storage.write)
      no rule allows it to write this path
    hint: casemate grant notes write fs://workspace/todo.md
    call [ID]
    (exit status 3: denied)

    5. Type that command, and the same call is allowed. One file was granted, and nothing beside it.
    $ casemate grant notes write fs://workspace/todo.md
    not asked: the configuration says grants.without-terminal = true
    notes: granted
      - uri: "fs://workspace/todo.md"
        access: ["write"]
    written to [DEMO]/home/policies/notes.yaml
    $ casemate call notes_save_note '{"path": "/workspace/todo.md", "text": "Ask Mira about the map."}'
    {
      "path": "/workspace/todo.md",
      "bytes": 23
    }

    6. Every call left one line, with what it was refused.
    $ casemate log
    [TIME]Z  ok        notes_current_time  [MS]  by cli  call [ID]
    [TIME]Z  ok        notes_search_text  [MS]  by cli  call [ID]
    [TIME]Z  error     notes_save_note  [MS]  by cli  call [ID]
        refused storage write /workspace/todo.md (denied.storage.write)
    [TIME]Z  ok        notes_save_note  [MS]  by cli  call [ID]

    7. To use it for good: install it in your own home, and tell your AI client how to start Casemate.
    $ casemate add examples/rust/notes.wasm --wit examples/rust/wit
    $ casemate client-config claude-code
    # The server: .mcp.json in the project
    # the workspace is the project that Claude Code was started in
    {
      "mcpServers": {
        "casemate": {
          "command": "[BIN]",
          "args": [
            "--home",
            "[DIR]/home",
            "serve",
            "--workspace",
            "${CLAUDE_PROJECT_DIR:-.}"
          ]
        }
      }
    }

    # Rules for the agent: .claude/settings.json in the project, or ~/.claude/settings.json
    # the agent may neither type commands that grant nor edit policies
    {
      "permissions": {
        "deny": [
          "Bash(casemate add:*)",
          "Bash([BIN] add:*)",
          "Bash(casemate grant:*)",
          "Bash([BIN] grant:*)",
          "Bash(casemate limit:*)",
          "Bash([BIN] limit:*)",
          "Bash(casemate --home:*)",
          "Bash([BIN] --home:*)",
          "Bash(casemate -v:*)",
          "Bash([BIN] -v:*)",
          "Bash(casemate --verbose:*)",
          "Bash([BIN] --verbose:*)",
          "Edit([DIR]/home/**)"
        ]
      }
    }
    "#)
    });
}

#[test]
fn add_shows_what_it_is_and_grants_nothing() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["add", NOTES, "--name", "jotter"]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 0
    --- stdout
    ok: added jotter ([DIGEST]) with 7 tools
      what it may do: casemate policy show jotter
      to let it do more: casemate grant jotter read DIR
    --- stderr
    jotter  [SIZE]  sha256:[DIGEST]
      from file:[REPO]/examples/rust/notes.wasm

    Tools (7)
      jotter_search_text(folder, pattern, options?)
      jotter_read_lines(path, first, last?)
      jotter_save_note(path, text, replace?)
      jotter_append_line(path, line)
      jotter_current_time(zone)
      jotter_convert_time(local, from-zone, to-zone)
      jotter_list_zones(filter)

    It could ask for
      files        read and write files in folders that you grant
      environment  see environment variables that you grant
      clocks       tell the time, and wait
      stdio, terminal, exit, io: stays inside the sandbox

    Grade
      F  (documentation 30 of 100)
      -15 no category, no description and no documented world came with it  documentation.no-purpose
      -10 a local file, which nobody vouches for  provenance.file
      -5  its tools lead to code for files, and no purpose is declared  reach.code
      and 20 more: casemate report

    Granted
      nothing: no files, no network, no variables
    "#)
    });
    let json = sandbox.run(&["add", NOTES, "--json"]).exits(0).json();
    assert_eq!(json["tools"].as_array().unwrap().len(), 7);
}

#[test]
fn what_compiling_a_large_component_costs_is_said_once() {
    let sandbox = Sandbox::new();
    let file = guests::write(&sandbox, "large", &guests::large());
    let first = sandbox.run(&["add", &file, "--yes"]).exits(0);
    let again = sandbox.run(&["add", &file, "--yes"]).exits(0);
    with_filters(|| {
        insta::assert_snapshot!(first.shown(), @r#"
    exit 0
    --- stdout
    ok: added large ([DIGEST]) with 1 tools
      compiled in [TIME] s; [SIZE] of native code, kept in the cache
      what it may do: casemate policy show large
      to let it do more: casemate grant large read DIR
    --- stderr
    large  [SIZE]  sha256:[DIGEST]
      from file:[DIR]/work/large.wasm

    Tools (1)
      large_run()

    It could ask for
      nothing

    Grade
      D  (documentation 65 of 100)
      -15 no category, no description and no documented world came with it  documentation.no-purpose
      -10 a local file, which nobody vouches for  provenance.file
      -5  1 of 1 declared memories has no maximum  limits.memory-undeclared
      and 4 more: casemate report

    Granted
      nothing: no files, no network, no variables

    compiling [SIZE] of WebAssembly, once
    "#);
        insta::assert_snapshot!(again.shown(), @r#"
    exit 0
    --- stdout
    ok: added large ([DIGEST]) with 1 tools
      not compiled: its native code was in the cache
      what it may do: casemate policy show large
      to let it do more: casemate grant large read DIR
    --- stderr
    large  [SIZE]  sha256:[DIGEST]
      from file:[DIR]/work/large.wasm

    Tools (1)
      large_run()

    It could ask for
      nothing

    Grade
      D  (documentation 65 of 100)
      -15 no category, no description and no documented world came with it  documentation.no-purpose
      -10 a local file, which nobody vouches for  provenance.file
      -5  1 of 1 declared memories has no maximum  limits.memory-undeclared
      and 4 more: casemate report

    Granted
      nothing: no files, no network, no variables

    Replaces
      [DIGEST] from file:[DIR]/work/large.wasm
    "#);
    });
    let json = |name: &str| {
        let file = guests::write(&sandbox, name, &guests::large().replace("run", name));
        sandbox.run(&["add", &file, "--json"]).exits(0).json()
    };
    let added = json("other");
    assert!(added["bytes"].as_u64().unwrap() > 1_600_000, "{added}");
    let compiled = &added["compiled"];
    assert!(compiled["milliseconds"].is_u64(), "{added}");
    assert!(
        compiled["native_bytes"].as_u64().unwrap() > 1_600_000,
        "{added}"
    );
    assert_eq!(json("other")["compiled"], serde_json::Value::Null);
}

#[test]
fn list() {
    let sandbox = Sandbox::with_notes();
    let run = sandbox.run(&["list", "--tools"]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 0
    --- stdout
      NAME   TOOLS  MAY REACH  DIGEST        VERSION  SIGNED BY  FROM
      notes  7      nothing    [DIGEST]  -        -          file:[REPO]/examples/rust/notes.wasm
      notes_append_line
      notes_convert_time
      notes_current_time
      notes_list_zones
      notes_read_lines
      notes_save_note
      notes_search_text
    --- stderr
    "#)
    });
    let json = sandbox.run(&["list", "--json"]).exits(0).json();
    assert_eq!(json[0]["name"], "notes");
    assert_eq!(json[0]["served"], true);
    assert_eq!(json[0]["may"]["read_files"], false);
    let empty = Sandbox::new();
    let run = empty.run(&["list"]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 0
    --- stdout
    --- stderr
    nothing is installed
    hint: casemate add TOOL.wasm
    "#)
    });
    assert_eq!(
        empty.run(&["list", "--json"]).exits(0).json(),
        serde_json::json!([])
    );
    assert!(empty.state().is_empty());
}

#[test]
fn inspect_writes_nothing_and_knows_an_installed_name() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["inspect", NOTES, "--wit", NOTES_WIT]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 0
    --- stdout
    notes  [SIZE]  sha256:[DIGEST]
      from file:[REPO]/examples/rust/notes.wasm
      A notebook: search, read and write text files, and tell the time anywhere.

    Tools (7)
      notes_search_text(folder, pattern, options?)
          Searches the text files of a folder and of all folders in it for a piece of text, and returns th…
      notes_read_lines(path, first, last?)
          Reads some lines of a text file of up to 8 MiB.
      notes_save_note(path, text, replace?)
          Writes a note of up to 1 MiB into a new file.
      notes_append_line(path, line)
          Adds one line at the end of a note, and makes the note where there is none.
      notes_current_time(zone)
          Tells the time in a zone.
      notes_convert_time(local, from-zone, to-zone)
          Tells what the clocks of one zone show when those of another show a given time; for a moment in …
      notes_list_zones(filter)
          Lists the time zones whose names contain a piece of text, with their present offsets.

    It could ask for
      files        read and write files in folders that you grant  its tools can call it
      environment  see environment variables that you grant        its tools can call it
      clocks       tell the time, and wait                         its tools can call it
      stdio, terminal, exit, io: stays inside the sandbox

    Code
      397 functions in 4 modules, 120 KiB; the largest 7 KiB
      memory: [SIZE] from the start, no maximum of its own
      made with wit-component 0.238.0, wit-bindgen-rust 0.45.0, Rust, rustc 1.91.0 (f8297e351 2025-10-28), wit-component 0.245.1

    Permissions
      it asks for none by itself

    not installed; to install it, with nothing granted: casemate add [REPO]/examples/rust/notes.wasm
    --- stderr
    "#)
    });
    assert!(sandbox.state().is_empty());
    let json = sandbox.run(&["inspect", NOTES, "--json"]).exits(0).json();
    assert_eq!(json["installed"], false);
    sandbox
        .run(&[
            "add", NOTES, "--name", "jotter", "--wit", NOTES_WIT, "--yes",
        ])
        .exits(0);
    let json = sandbox
        .run(&["inspect", "jotter", "--json"])
        .exits(0)
        .json();
    assert_eq!(
        (&json["installed"], &json["tools"][0]["name"]),
        (&true.into(), &"jotter_search_text".into())
    );
    assert!(
        json["tools"][0]["description"]
            .as_str()
            .unwrap()
            .starts_with("Searches")
    );
}

#[test]
fn a_denied_call_names_the_reason_and_what_would_allow_it() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy("version: \"1.0\"\npermissions:\n  storage:\n    allow:\n      - uri: \"fs://workspace/**\"\n        access: [read]\n");
    let save = r#"{"path": "/workspace/new.txt", "text": "x"}"#;
    let run = sandbox.run(&["call", "notes_save_note", save, "--workspace", "."]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 3
    --- stdout
    --- stderr
    error: the tool answered with an error
      {
        "tag": "not-permitted",
        "val": "cannot write /workspace/new.txt: the tool is not permitted to"
      }
    refused: storage write /workspace/new.txt (denied.storage.write)
      no rule allows it to write this path
    hint: casemate grant notes write fs://workspace/new.txt
    call [ID]
    "#)
    });
    let json = sandbox
        .run(&[
            "call",
            "notes_save_note",
            save,
            "--workspace",
            ".",
            "--json",
        ])
        .exits(3)
        .json();
    assert_eq!(json["outcome"], "error");
    assert_eq!(
        json["denials"][0]["to_allow"],
        "casemate grant notes write fs://workspace/new.txt"
    );
    // Without any rule there is no folder at all, and the tool cannot say more than that.
    std::fs::remove_file(sandbox.path("home/policies/notes.yaml")).unwrap();
    let run = sandbox.run(&["call", "notes_save_note", save]);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 3
    --- stdout
    --- stderr
    error: the tool answered with an error
      {
        "tag": "not-permitted",
        "val": "cannot write /workspace/new.txt: it is in no folder that the tool was given"
      }
    refused: storage (the tool looked for its folders) (denied.storage.read)
      no rule gives this component any file or folder
    hint: casemate grant notes read DIR
    call [ID]
    "#)
    });
}

#[test]
fn a_crash_shows_its_author_what_the_tool_wrote_and_where_it_was() {
    let sandbox = Sandbox::new();
    let file = guests::write(&sandbox, "talks", TALKS);
    sandbox.run(&["add", &file, "--yes"]).exits(0);
    let run = sandbox.run(&["call", "talks_fail"]).exits(1);
    with_filters(|| {
        insta::assert_snapshot!(run.shown(), @r#"
    exit 1
    --- stdout
    --- stderr
    stderr of the tool:
      | panicked at src/lib.rs:7
      | ok: forged\u{1b}[2J \u{202e}
      | 
      | last
    error: the tool crashed: wasm trap: wasm `unreachable` instruction executed (trap.unreachable)
    where the tool was, innermost first, in its own names:
      | main: panic at 0x26c
      | main: work\nok: forged at 0x271
      | main: function 4 at 0x281
    "#)
    });
    let json = sandbox
        .run(&["call", "talks_fail", "--json"])
        .exits(1)
        .json();
    assert_eq!(json["reason"], "trap.unreachable");
    assert_eq!(json["stderr_dropped"], 0);
    assert!(json["stderr"].as_str().unwrap().ends_with("\n\nlast\n"));
    assert_eq!(json["backtrace"].as_array().unwrap().len(), 3, "{json}");
    // Of much only the end is shown.
    let run = sandbox.run(&["call", "talks_chatter"]).exits(0);
    let mut lines = run.err.lines();
    assert_eq!(
        lines.next(),
        Some("stderr of the tool (50 lines before are in --json):")
    );
    assert_eq!(lines.count(), 100, "{}", run.shown());
    let json = sandbox
        .run(&["call", "talks_chatter", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["stderr"].as_str().unwrap().lines().count(), 150);
}

#[test]
fn policies_are_shown_and_explained() {
    let sandbox = Sandbox::with_notes();
    sandbox.policy(&std::fs::read_to_string(crate::sandbox::SEED).unwrap());
    let show = sandbox.run(&["policy", "show", "notes", "--workspace", "."]);
    let explain = sandbox.run(&[
        "policy",
        "explain",
        "notes",
        "storage",
        "write",
        "fs://workspace/a.txt",
        "--workspace",
        ".",
    ]);
    let denied = sandbox.run(&["policy", "explain", "notes", "env", "REGION"]);
    let all = [show, explain, denied].map(|run| run.shown()).join("\n");
    with_filters(|| {
        insta::assert_snapshot!(all, @r#"
    exit 0
    --- stdout
    notes  sha256:[DIGEST]
      from file:[REPO]/examples/rust/notes.wasm
      policy [DIR]/home/policies/notes.yaml

    Rules
      fs://workspace/** [read, write]  policy, line 6
      fs://config/app.yaml [read]      policy, line 8
      api.openai.com                   policy, line 12
      clocks: frozen                   default
      random: secure                   default

    Roots
      workspace  [DIR]/work

    Folders
      /config     not bound: denied
      /workspace  [DIR]/work

    Limits
      memory       256 MiB
      cpu-time     10s
      time         30s
      output       1 MiB
      concurrency  16
      rate         as many as come
      written      256 MiB
      files        1000
      open-files   128
      requests     8
      sockets      16
      sent         8 MiB
      received     16 MiB
    --- stderr
    warning: line 8, column 9: the root "config" is not bound to a directory, so fs://config is denied

    exit 0
    --- stdout
    allowed: storage write /workspace/a.txt
      why   a rule allows it
      rule  fs://workspace/** [read, write]
      at    [DIR]/home/policies/notes.yaml, line 6: permissions.storage.allow[0]
      to deny it: casemate block notes write fs://workspace/a.txt
    --- stderr

    exit 3
    --- stdout
    denied: environment REGION (denied.env)
      why   no rule allows this variable
      to allow it: casemate grant notes env REGION
    --- stderr
    "#)
    });
}
