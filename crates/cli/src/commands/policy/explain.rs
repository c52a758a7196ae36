//! `policy explain`: would this be allowed? Answered by the function that decides when a tool runs.

use super::{grant_of, rule_json};
use crate::arguments::{Bindings, Format};
use crate::error::{CommandError, ExitStatus};
use crate::outcome::remedy_for;
use crate::print::{BAD, GOOD, Page, Printer};
use crate::settings::Settings;
use casemate_policy::{
    Clock, ComponentName, Explanation, Grant, Operation, RandomSource, StorageAccess, VirtualPath,
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    name: ComponentName,
    #[command(subcommand)]
    question: Question,
    #[command(flatten)]
    bindings: Bindings,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// May it use a file or folder?
    Storage {
        access: Access,
        /// As the tool sees it (/workspace/a.txt) or as a URI (fs://workspace/a.txt)
        path: String,
    },
    /// May it send a request?
    Network {
        /// As in https://api.example.com/v1, or a host alone
        url: String,
    },
    /// May it see an environment variable?
    Env { key: String },
    /// May it tell the time?
    Clock {
        #[arg(default_value = "wall")]
        clock: ClockKind,
    },
    /// May it draw random numbers?
    Random {
        #[arg(default_value = "secure")]
        source: RandomKind,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Access {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClockKind {
    Wall,
    Monotonic,
    Wait,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RandomKind {
    Secure,
    Insecure,
    Seed,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let (_opened, grant) = grant_of(settings, &arguments.bindings, name)?;
    let explanation = answer(&grant, &arguments.question)?;
    let remedy = explanation
        .remedy
        .as_ref()
        .map(|remedy| remedy_for(settings, name, remedy));
    if arguments.format.json {
        printer.json(&json!({
            "component": name.as_str(),
            "allowed": explanation.allowed,
            "subject": explanation.subject,
            "reason": explanation.reason.map(|reason| reason.as_str()),
            "why": explanation.sentence,
            "rule": explanation.rule.as_ref().map(rule_json),
            "to_allow": remedy,
        }))?;
    } else {
        let mut page = Page::default();
        let (style, verdict) = if explanation.allowed {
            (GOOD, "allowed:")
        } else {
            (BAD, "denied:")
        };
        page.styled(style, verdict)
            .text(" ")
            .word(&explanation.subject);
        if let Some(reason) = explanation.reason {
            page.text(&format!(" ({reason})"));
        }
        page.end()
            .text("  why   ")
            .word(&explanation.sentence)
            .end();
        if let Some(rule) = &explanation.rule {
            page.text("  rule  ").word(&rule.to_string()).end();
        }
        if let Some(remedy) = &remedy {
            page.text("  to allow it: ").line(remedy);
        }
        printer.data(&page)?;
    }
    Ok(if explanation.allowed {
        ExitStatus::Ok
    } else {
        ExitStatus::Denied
    })
}

/// Asks the grant, the same function that decides when a tool runs.
fn answer(grant: &Grant, question: &Question) -> Result<Explanation, CommandError> {
    Ok(match question {
        Question::Storage { access, path } => {
            let path = guest_path(path)?;
            let access = match access {
                Access::Read => StorageAccess::Read,
                Access::Write => StorageAccess::Write,
            };
            grant.explain(&Operation::Storage {
                path: &path,
                access,
            })
        }
        Question::Network { url } => {
            let target = Target::parse(url)?;
            grant.explain(&Operation::HttpRequest {
                scheme: target.scheme,
                host: target.host,
                port: target.port,
                method: "GET",
                path: target.path,
            })
        }
        Question::Env { key } => grant.explain(&Operation::Environment { key }),
        Question::Clock { clock } => {
            let clock = match clock {
                ClockKind::Wall => Clock::Wall,
                ClockKind::Monotonic => Clock::Monotonic,
                ClockKind::Wait => Clock::Wait,
            };
            grant.explain(&Operation::Clock { clock })
        }
        Question::Random { source } => {
            let source = match source {
                RandomKind::Secure => RandomSource::Secure,
                RandomKind::Insecure => RandomSource::Insecure,
                RandomKind::Seed => RandomSource::Seed,
            };
            grant.explain(&Operation::Random { source })
        }
    })
}

/// The path as a tool sees it.
fn guest_path(text: &str) -> Result<VirtualPath, CommandError> {
    let guest = match text.strip_prefix("fs://") {
        Some(absolute) if absolute.starts_with('/') => absolute.to_owned(),
        Some(in_root) => format!("/{in_root}"),
        None => text.to_owned(),
    };
    VirtualPath::parse(&guest).map_err(|error| {
        CommandError::usage(format!("{text:?}: {error}")).hint(
            "write the path as the tool sees it, such as /workspace/a.txt or fs://workspace/a.txt",
        )
    })
}

/// The parts of a URL that a decision needs.
struct Target<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Target<'a> {
    fn parse(text: &'a str) -> Result<Self, CommandError> {
        let refuse = || {
            CommandError::usage(format!("{text:?} names no host"))
                .hint("write https://HOST[:PORT]/PATH, or HOST alone")
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(refuse()),
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        // `user@host` is how a URL is made to look like another one.
        if authority.contains(['@', '?', '#']) {
            return Err(refuse());
        }
        let bracketed = authority
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => authority
                .split_once(':')
                .map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| refuse())?,
            None => default_port,
        };
        let path = path.split(['?', '#']).next().unwrap_or("/");
        if host.is_empty() {
            return Err(refuse());
        }
        Ok(Self {
            scheme,
            host,
            port,
            path,
        })
    }
}
