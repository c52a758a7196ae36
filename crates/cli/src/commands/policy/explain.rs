//! `policy explain`: would this be allowed? Answered by the function that decides when a tool runs.

use super::{grant_of, rule_json};
use crate::arguments::{Bindings, Format};
use crate::error::{CommandError, ExitStatus};
use crate::outcome::remedy_for;
use crate::print::{BAD, GOOD, Page, Printer};
use crate::settings::Settings;
use casemate_policy::{
    Clock, ComponentName, Explanation, Grant, HttpHost, HttpTarget, Operation, RandomSource,
    Reason, StorageAccess, VirtualPath,
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
    #[command(override_usage = "casemate policy explain [OPTIONS] <NAME> network [METHOD] <URL>")]
    Network {
        /// As in https://api.example.com/v1 or HOST[:PORT], with a method before it if that is not GET
        #[arg(value_name = "URL", required = true, num_args = 1..=2)]
        request: Vec<String>,
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
    let Answer { explanation, note } = answer(&grant, &arguments.question)?;
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
            "note": note,
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
        if let Some(note) = &note {
            page.text("  note  ").word(note).end();
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

struct Answer {
    explanation: Explanation,
    /// What the answer cannot know.
    note: Option<String>,
}

/// Asks the grant, the same function that decides when a tool runs.
fn answer(grant: &Grant, question: &Question) -> Result<Answer, CommandError> {
    let explanation = match question {
        Question::Storage { access, path } => {
            let path = guest_path(path)?;
            let access = match access {
                Access::Read => StorageAccess::Read,
                Access::Write => StorageAccess::Write,
            };
            grant.explain(&Operation::Storage {
                path: &path,
                access,
                own: false,
            })
        }
        Question::Network { request } => return request_answer(grant, request),
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
    };
    Ok(Answer {
        explanation,
        note: None,
    })
}

/// Answers for `URL` or `METHOD URL`, read as it is read when a tool sends a request.
fn request_answer(grant: &Grant, request: &[String]) -> Result<Answer, CommandError> {
    let (method, url) = match request {
        [url] => ("GET", url),
        [method, url] => (method.as_str(), url),
        _ => return Err(CommandError::usage("a request is [METHOD] URL")),
    };
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    // A fragment is never part of a request.
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => (rest, "/"),
    };
    if authority.is_empty() {
        return Err(CommandError::usage(format!("{url:?} names no host"))
            .hint("write https://HOST[:PORT]/PATH, or HOST[:PORT] alone"));
    }
    let target = match HttpTarget::parse(scheme, authority, method, path) {
        Ok(target) => target,
        Err(denial) => {
            return Ok(Answer {
                explanation: denial.into(),
                note: None,
            });
        }
    };
    let explanation = grant.explain(&target.operation());
    let note = match target.host() {
        HttpHost::Name(name) if explanation.allowed => Some(format!(
            "where {name} leads is not looked up here: a request is denied ({}) if that is a private or another special address without a cidr that covers it",
            Reason::NetworkAddress
        )),
        HttpHost::Name(_) | HttpHost::Address(_) => None,
    };
    Ok(Answer { explanation, note })
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
