//! `client-config`: what to paste into an MCP client so that it starts Casemate or connects to it, and the rules by which that client keeps its agent
//! from typing what only a person should.

use crate::arguments::Format;
use crate::environment;
use crate::error::{CommandError, ExitStatus};
use crate::print::{FAINT, Page, Printer, STRONG};
use crate::settings::Settings;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// Commands that can widen what a tool may do, or bring in new code.
const WIDENING: [&str; 3] = ["add", "grant", "limit"];
/// Options that may stand before a command and would hide it from a rule about prefixes.
const BEFORE: [&str; 3] = ["--home", "-v", "--verbose"];

/// Where Codex looks for servers of a project.
const CODEX: &str = ".codex/config.toml in a trusted project";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The client
    client: Client,
    /// Connect to a server that runs already, as `serve --http` names it, instead of starting one
    #[arg(long, value_name = "URL")]
    http: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    ClaudeCode,
    Vscode,
    Cursor,
    Codex,
}

/// A file and what to put into it.
struct Snippet {
    file: String,
    text: String,
    note: &'static str,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let program = environment::program().map_err(|error| {
        CommandError::failed(format!("cannot tell where this program is: {error}"))
    })?;
    let Some(program) = program.to_str() else {
        return Err(CommandError::failed(
            "this program lies at a path that is not UTF-8",
        ));
    };
    let client = arguments.client;
    let server = match &arguments.http {
        Some(url) => connection(client, checked(url)?)?,
        None => server(client, &Start { program, settings })?,
    };
    let rules = rules(client, program, settings)?;
    if arguments.format.json {
        let shown = |snippet: &Snippet| json!({ "file": snippet.file, "content": snippet.text, "note": snippet.note });
        printer.json(&json!({ "server": shown(&server), "rules": shown(&rules) }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    page.styled(FAINT, "# The server: ")
        .styled(STRONG, &server.file)
        .end();
    page.styled(FAINT, "# ").styled(FAINT, server.note).end();
    page.line(&server.text).end();
    page.styled(FAINT, "# Rules for the agent: ")
        .styled(STRONG, &rules.file)
        .end();
    page.styled(FAINT, "# ").styled(FAINT, rules.note).end();
    page.line(&rules.text);
    printer.data(&page)?;
    Ok(ExitStatus::Ok)
}

/// How the client starts the server.
struct Start<'a> {
    program: &'a str,
    settings: &'a Settings,
}

impl Start<'_> {
    fn arguments(&self, workspace: &str) -> Vec<String> {
        let home = &self.settings.home;
        // A client does not hand on the variables of the shell that this was typed in.
        let single = home.config_dir() == home.data_dir();
        let home = single
            .then(|| ["--home".to_owned(), home.config_dir().display().to_string()])
            .into_iter()
            .flatten();
        home.chain(["serve", "--workspace", workspace].map(str::to_owned))
            .collect()
    }
}

fn pretty(value: &Value) -> Result<String, CommandError> {
    crate::print::json_text(value)
}

fn server(client: Client, start: &Start<'_>) -> Result<Snippet, CommandError> {
    let Start { program, .. } = start;
    Ok(match client {
        Client::ClaudeCode => Snippet {
            file: ".mcp.json in the project".to_owned(),
            // Claude Code expands environment variables and starts project servers in the project's directory.
            text: pretty(&json!({ "mcpServers": { "casemate": {
                "command": program,
                "args": start.arguments("${CLAUDE_PROJECT_DIR:-.}"),
            }}}))?,
            note: "the workspace is the project that Claude Code was started in",
        },
        Client::Vscode => Snippet {
            file: ".vscode/mcp.json".to_owned(),
            text: pretty(&json!({ "servers": { "casemate": {
                "type": "stdio",
                "command": program,
                "args": start.arguments("${workspaceFolder}"),
            }}}))?,
            note: "the workspace is the folder that is open",
        },
        Client::Cursor => Snippet {
            file: ".cursor/mcp.json".to_owned(),
            text: pretty(&json!({ "mcpServers": { "casemate": {
                "command": program,
                "args": start.arguments("${workspaceFolder}"),
            }}}))?,
            note: "the workspace is the folder that is open",
        },
        Client::Codex => {
            let arguments: toml_edit::Array = start.arguments(".").into_iter().collect();
            Snippet {
                file: CODEX.to_owned(),
                text: codex([
                    ("command", toml_edit::value(*program)),
                    ("args", toml_edit::value(arguments)),
                ]),
                note: "Codex has no variable for the project: `.` is where Codex was started; write a path for another",
            }
        }
    })
}

/// The table of the server in Codex's configuration.
fn codex<const N: usize>(entries: [(&str, toml_edit::Item); N]) -> String {
    let table = toml_edit::Table::from_iter(entries);
    let mut servers = toml_edit::Table::new();
    servers.set_implicit(true);
    servers.insert("casemate", toml_edit::Item::Table(table));
    let mut document = toml_edit::DocumentMut::new();
    document.insert("mcp_servers", toml_edit::Item::Table(servers));
    document.to_string().trim_end().to_owned()
}

/// A URL that a client can be told.
fn checked(url: &str) -> Result<&str, CommandError> {
    let hint =
        "it is what casemate serve --http says when it starts, such as http://127.0.0.1:8080/mcp";
    let after = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .filter(|_| url.bytes().all(|byte| byte.is_ascii_graphic()));
    match after.map(|after| after.split_once('/')) {
        Some(Some((authority, _))) if !authority.is_empty() => Ok(url),
        Some(_) => Err(CommandError::usage(format!("{url:?} has no host or no path")).hint(hint)),
        None => Err(CommandError::usage(format!("{url:?} is no URL of a server")).hint(hint)),
    }
}

/// How the client connects to a server that was started before.
fn connection(client: Client, url: &str) -> Result<Snippet, CommandError> {
    let (file, text) = match client {
        Client::ClaudeCode => (
            ".mcp.json in the project",
            pretty(&json!({ "mcpServers": { "casemate": { "type": "http", "url": url } } }))?,
        ),
        Client::Vscode => (
            ".vscode/mcp.json",
            pretty(&json!({ "servers": { "casemate": { "type": "http", "url": url } } }))?,
        ),
        Client::Cursor => (
            ".cursor/mcp.json",
            pretty(&json!({ "mcpServers": { "casemate": { "url": url } } }))?,
        ),
        Client::Codex => (CODEX, codex([("url", toml_edit::value(url))])),
    };
    Ok(Snippet {
        file: file.to_owned(),
        text,
        note: "start the server first; its workspace is the one that it was started with",
    })
}

fn rules(client: Client, program: &str, settings: &Settings) -> Result<Snippet, CommandError> {
    let own = settings.home.config_dir().display().to_string();
    Ok(match client {
        Client::ClaudeCode => {
            let mut deny: Vec<String> = Vec::new();
            for command in WIDENING.into_iter().chain(BEFORE) {
                deny.push(format!("Bash(casemate {command}:*)"));
                deny.push(format!("Bash({program} {command}:*)"));
            }
            // Two slashes: an absolute path.
            deny.push(format!("Edit(/{own}/**)"));
            Snippet {
                file: ".claude/settings.json in the project, or ~/.claude/settings.json".to_owned(),
                text: pretty(&json!({ "permissions": { "deny": deny } }))?,
                note: "the agent may neither type commands that grant nor edit policies",
            }
        }
        Client::Vscode => {
            // Wherever in the line, so that nothing written before the command hides it.
            let pattern = format!(r"/casemate\b.*\s({})\b/", WIDENING.join("|"));
            Snippet {
                file: ".vscode/settings.json, or the user's settings.json".to_owned(),
                text: pretty(&json!({
                    "chat.tools.terminal.autoApprove": { pattern: { "approve": false, "matchCommandLine": true } },
                    "chat.tools.edits.autoApprove": { format!("{own}/**"): false },
                }))?,
                note: "the agent's commands that grant, and its edits of policies, always wait for your approval",
            }
        }
        Client::Cursor => Snippet {
            file: ".cursor/cli.json in the project, or ~/.cursor/cli-config.json".to_owned(),
            text: pretty(&json!({ "permissions": { "allow": [], "deny": [
                "Shell(casemate)",
                format!("Shell({program})"),
                format!("Write({own}/**)"),
            ]}}))?,
            note: "for the Cursor agent; in the editor, keep casemate out of the commands that run without asking",
        },
        Client::Codex => {
            let programs = pretty_line(&["casemate", program])?;
            let commands: Vec<&str> = WIDENING.into_iter().chain(BEFORE).collect();
            let commands = pretty_line(&commands)?;
            Snippet {
                file: "~/.codex/rules/casemate.rules".to_owned(),
                text: format!(
                    "prefix_rule(\n    pattern = [{programs}, {commands}],\n    decision = \"forbidden\",\n    \
                     justification = \"A person grants permissions: ask for this to be typed in a terminal.\",\n)"
                ),
                note: "the agent may not type commands that grant",
            }
        }
    })
}

fn pretty_line(words: &[&str]) -> Result<String, CommandError> {
    crate::print::json_line(&words)
}
