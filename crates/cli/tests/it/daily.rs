//! Clients, the log, the doctor.

use crate::sandbox::{Sandbox, with_filters};

#[test]
fn client_configurations() {
    let sandbox = Sandbox::new();
    let mut all = String::new();
    for client in ["claude-code", "vscode", "cursor", "codex"] {
        let run = sandbox.run(&["client-config", client]).exits(0);
        all.push_str(&run.out);
        let json = sandbox
            .run(&["--home", "elsewhere", "client-config", client, "--json"])
            .exits(0)
            .json();
        let server = json["server"]["content"].as_str().unwrap();
        assert!(
            server.contains(&format!("\"{}\"", sandbox.text("work/elsewhere"))),
            "{server}"
        );
        if client != "codex" {
            serde_json::from_str::<serde_json::Value>(server).unwrap();
        }
    }
    with_filters(|| {
        insta::assert_snapshot!(all, @r#"
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
    # The server: .vscode/mcp.json
    # the workspace is the folder that is open
    {
      "servers": {
        "casemate": {
          "type": "stdio",
          "command": "[BIN]",
          "args": [
            "--home",
            "[DIR]/home",
            "serve",
            "--workspace",
            "${workspaceFolder}"
          ]
        }
      }
    }

    # Rules for the agent: .vscode/settings.json, or the user's settings.json
    # the agent's commands that grant, and its edits of policies, always wait for your approval
    {
      "chat.tools.terminal.autoApprove": {
        "/casemate\\b.*\\s(add|grant|limit)\\b/": {
          "approve": false,
          "matchCommandLine": true
        }
      },
      "chat.tools.edits.autoApprove": {
        "[DIR]/home/**": false
      }
    }
    # The server: .cursor/mcp.json
    # the workspace is the folder that is open
    {
      "mcpServers": {
        "casemate": {
          "command": "[BIN]",
          "args": [
            "--home",
            "[DIR]/home",
            "serve",
            "--workspace",
            "${workspaceFolder}"
          ]
        }
      }
    }

    # Rules for the agent: .cursor/cli.json in the project, or ~/.cursor/cli-config.json
    # for the Cursor agent; in the editor, keep casemate out of the commands that run without asking
    {
      "permissions": {
        "allow": [],
        "deny": [
          "Shell(casemate)",
          "Shell([BIN])",
          "Write([DIR]/home/**)"
        ]
      }
    }
    # The server: .codex/config.toml in a trusted project
    # Codex has no variable for the project: `.` is where Codex was started; write a path for another
    [mcp_servers.casemate]
    command = "[BIN]"
    args = ["--home", "[DIR]/home", "serve", "--workspace", "."]

    # Rules for the agent: ~/.codex/rules/casemate.rules
    # the agent may not type commands that grant
    prefix_rule(
        pattern = [["casemate","[BIN]"], ["add","grant","limit","--home","-v","--verbose"]],
        decision = "forbidden",
        justification = "A person grants permissions: ask for this to be typed in a terminal.",
    )
    "#)
    });
}

#[test]
fn client_configurations_for_a_server_that_runs() {
    let sandbox = Sandbox::new();
    let url = "http://127.0.0.1:8080/mcp";
    let mut all = String::new();
    for client in ["claude-code", "vscode", "cursor", "codex"] {
        let run = sandbox
            .run(&["client-config", client, "--http", url])
            .exits(0);
        let (server, rules) = run.out.split_once("# Rules").unwrap();
        assert!(rules.contains("casemate"), "{}", run.shown());
        all.push_str(server);
    }
    with_filters(|| {
        insta::assert_snapshot!(all, @r#"
    # The server: .mcp.json in the project
    # start the server first; its workspace is the one that it was started with
    {
      "mcpServers": {
        "casemate": {
          "type": "http",
          "url": "http://127.0.0.1:8080/mcp"
        }
      }
    }

    # The server: .vscode/mcp.json
    # start the server first; its workspace is the one that it was started with
    {
      "servers": {
        "casemate": {
          "type": "http",
          "url": "http://127.0.0.1:8080/mcp"
        }
      }
    }

    # The server: .cursor/mcp.json
    # start the server first; its workspace is the one that it was started with
    {
      "mcpServers": {
        "casemate": {
          "url": "http://127.0.0.1:8080/mcp"
        }
      }
    }

    # The server: .codex/config.toml in a trusted project
    # start the server first; its workspace is the one that it was started with
    [mcp_servers.casemate]
    url = "http://127.0.0.1:8080/mcp"
    "#)
    });
    for wrong in [
        "",
        "127.0.0.1:8080",
        "http://127.0.0.1:8080",
        "http:///mcp",
        "file:///mcp",
        "http://127.0.0.1:8080/m cp",
        "http://127.0.0.1:8080/\u{1b}[2J",
    ] {
        let run = sandbox
            .run(&["client-config", "codex", "--http", wrong])
            .exits(2);
        assert!(run.err.contains("hint: it is what"), "{}", run.shown());
    }
}

#[test]
fn doctor_tells_whom_tls_trusts_and_who_is_asked_for_names() {
    let sandbox = Sandbox::new();
    std::fs::write(
        sandbox.path("home/config.toml"),
        "[network]\ncertificates = \"own.pem\"\n",
    )
    .unwrap();
    let run = sandbox.run(&["doctor"]).exits(1);
    assert!(
        run.out.contains("error:  there is no file") && run.out.contains("own.pem"),
        "{}",
        run.shown()
    );
    // What cannot be trusted is no reason to run with less.
    let run = sandbox.run(&["serve"]).exits(2);
    assert!(run.err.contains("there is no file"), "{}", run.shown());
    std::fs::write(sandbox.path("home/own.pem"), include_str!("../own.pem")).unwrap();
    let run = sandbox.run(&["doctor"]).exits(0);
    for part in [
        "ok:     TLS trusts ",
        "ok:     TLS trusts 1 more of",
        "home/own.pem",
    ] {
        assert!(run.out.contains(part), "{part} {}", run.shown());
    }
    assert!(
        run.out.contains("names are looked up at") || run.out.contains("by address only"),
        "{}",
        run.shown()
    );
    sandbox.run(&["serve"]).exits(0);
}

#[test]
fn the_log_is_filtered() {
    let sandbox = Sandbox::with_notes();
    sandbox
        .run(&["call", "notes_current_time", r#"{"zone": "UTC"}"#])
        .exits(0);
    sandbox
        .run(&["call", "notes_read_lines", r#"{"path": "/x", "first": 1}"#])
        .exits(3);
    let lines = |arguments: &[&str]| {
        let mut all = vec!["log", "--json"];
        all.extend(arguments);
        sandbox.run(&all).exits(0).out.lines().count()
    };
    assert_eq!(lines(&[]), 2);
    assert_eq!(lines(&["--denied"]), 1);
    assert_eq!(lines(&["--tool", "notes_current_time"]), 1);
    assert_eq!(lines(&["--tool", "notes_current_time", "--denied"]), 0);
    assert_eq!(lines(&["--since", "1h"]), 2);
    assert_eq!(lines(&["--since", "0s"]), 0);
    sandbox.run(&["log", "--since", "yesterday"]).exits(2);
}

#[test]
fn the_log_is_followed() {
    use std::io::BufRead as _;
    let sandbox = Sandbox::with_notes();
    let mut follower = sandbox
        .command(&["log", "--follow"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(follower.stdout.take().unwrap()).lines();
    for zone in ["UTC", "Europe/Oslo"] {
        let json = format!(r#"{{"zone": "{zone}"}}"#);
        sandbox.run(&["call", "notes_current_time", &json]).exits(0);
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("notes_current_time"), "{line}");
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn doctor_finds_nothing_wrong_with_a_good_home() {
    let sandbox = Sandbox::with_notes();
    let run = sandbox.run(&["doctor"]).exits(0);
    assert!(run.out.contains("the engine runs"), "{}", run.shown());
    assert!(run.out.contains("openat2"), "{}", run.shown());
    assert_eq!(
        sandbox.run(&["doctor", "--json"]).exits(0).json()["healthy"],
        true
    );
    // Bytes that are not those that were locked are not served.
    let stored = std::fs::read_dir(sandbox.path("home/components")).unwrap();
    for file in stored
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "wasm"))
    {
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, "other bytes").unwrap();
    }
    let run = sandbox.run(&["doctor"]).exits(1);
    assert!(run.out.contains("verify.digest"), "{}", run.shown());
    sandbox.run(&["inspect", "notes"]).exits(3);
    sandbox.run(&["call", "notes_word_count"]).exits(3);
}
