//! `client-config`: what to paste into an MCP client so that it starts Casemate, and the rules by which that client keeps its agent
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

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The client
    client: Client,
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
    let server = server(client, &Start { program, settings })?;
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
            let mut table = toml_edit::Table::new();
            table.insert("command", toml_edit::value(*program));
            let arguments: toml_edit::Array = start.arguments(".").into_iter().collect();
            table.insert("args", toml_edit::value(arguments));
            let mut servers = toml_edit::Table::new();
            servers.set_implicit(true);
            servers.insert("casemate", toml_edit::Item::Table(table));
            let mut document = toml_edit::DocumentMut::new();
            document.insert("mcp_servers", toml_edit::Item::Table(servers));
            Snippet {
                file: ".codex/config.toml in a trusted project".to_owned(),
                text: document.to_string().trim_end().to_owned(),
                note: "Codex has no variable for the project: `.` is where Codex was started; write a path for another",
            }
        }
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
