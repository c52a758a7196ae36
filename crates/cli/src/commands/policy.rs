//! `policy show | check | explain`: what is in force, whether it loads, and why it decides as it does.

use crate::arguments::{Bindings, Format};
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::inspection::{done, size};
use crate::location::installed;
use crate::outcome::remedy_for;
use crate::print::{BAD, CAUTION, FAINT, GOOD, Page, Printer, STRONG};
use crate::settings::Settings;
use casemate_artifact::{LockFile, read_policy_path};
use casemate_policy::{
    Clock, ComponentName, Explanation, Grant, Limits, MountPlace, Operation, Origin, Policy,
    RandomSource, RuleRef, StorageAccess, VirtualPath,
};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show what a component may do: rules, folders, limits, warnings
    Show(ShowArguments),
    /// Check that a policy loads and can be enforced
    Check(CheckArguments),
    /// Say whether something is allowed, by which rule, and what would change it
    Explain(ExplainArguments),
}

#[derive(Debug, Args)]
struct ShowArguments {
    /// The component
    name: ComponentName,
    #[command(flatten)]
    bindings: Bindings,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// An installed component, or the path of a policy
    #[arg(value_name = "NAME|FILE")]
    policy: String,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
struct ExplainArguments {
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
    match &arguments.command {
        PolicyCommand::Show(arguments) => show(arguments, settings, printer),
        PolicyCommand::Check(arguments) => check(arguments, settings, printer),
        PolicyCommand::Explain(arguments) => explain(arguments, settings, printer),
    }
}

/// Opens the home and finds the grant in force. A policy that does not load is the error that says where.
fn grant_of(
    settings: &Settings,
    bindings: &Bindings,
    name: &ComponentName,
) -> Result<(Opened, Arc<Grant>), CommandError> {
    installed(settings, name)?;
    let path = settings.home.policy_file(name);
    if read_policy_path(&path)?.is_some() {
        engine::policy_of(&path)?;
    }
    let opened = engine::open(settings, bindings, "policy", false)?;
    let catalog = opened.runtime.catalog();
    let Some(grant) = catalog.grant(name) else {
        let why = catalog
            .problems()
            .iter()
            .find(|problem| &problem.component == name);
        let message = why.map_or_else(
            || "it cannot be loaded".to_owned(),
            |problem| problem.message.clone(),
        );
        return Err(
            CommandError::failed(format!("{name} is not served: {message}"))
                .hint(settings.command(&["doctor"])),
        );
    };
    let grant = Arc::clone(grant);
    Ok((opened, grant))
}

fn show(
    arguments: &ShowArguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let (opened, grant) = grant_of(settings, &arguments.bindings, name)?;
    let path = settings.home.policy_file(name);
    let exists = path.symlink_metadata().is_ok();
    let mounts: Vec<(String, Option<String>)> = grant
        .mounts()
        .iter()
        .map(|mount| {
            let bound = match &mount.place {
                MountPlace::Root(root) => opened.roots.bound.get(root).map(|directory| {
                    let below = mount.guest.as_str().trim_start_matches('/');
                    let below = below
                        .strip_prefix(root.as_str())
                        .unwrap_or(below)
                        .trim_start_matches('/');
                    directory
                        .join(below)
                        .display()
                        .to_string()
                        .trim_end_matches('/')
                        .to_owned()
                }),
                MountPlace::Absolute => Some(mount.guest.as_str().to_owned()),
            };
            (mount.guest.as_str().to_owned(), bound)
        })
        .collect();
    let limits = limits(grant.limits());
    if arguments.format.json {
        let rules: Vec<Value> = grant.rules().iter().map(rule_json).collect();
        printer.json(&json!({
            "component": name.as_str(),
            "digest": grant.identity().digest().to_string(),
            "source": grant.identity().source(),
            "policy": exists.then_some(&path),
            "rules": rules,
            "folders": mounts.iter().map(|(guest, host)| json!({ "tool_sees": guest, "directory": host })).collect::<Vec<_>>(),
            "variables": grant.environment_keys().collect::<Vec<_>>(),
            "clocks": grant.clocks().as_str(),
            "random": grant.random().to_string(),
            "limits": limits.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "warnings": grant.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
        return Ok(ExitStatus::Ok);
    }
    let mut page = Page::default();
    page.styled(STRONG, name.as_str()).text("  ");
    page.styled(FAINT, &grant.identity().digest().to_string())
        .end();
    page.text("  from ").word(grant.identity().source()).end();
    match exists {
        true => page
            .text("  policy ")
            .word(&path.display().to_string())
            .end(),
        false => page.line("  no policy file: nothing is granted"),
    };
    page.end().heading("Rules");
    page.table(grant.rules().iter().map(|rule| {
        let place = match rule.origin {
            Origin::Default => "default".to_owned(),
            origin => format!("{origin}, line {}", rule.line),
        };
        vec![rule.text.clone(), place]
    }));
    page.end().heading("Folders");
    if mounts.is_empty() {
        page.line("  none");
    }
    for (guest, host) in &mounts {
        page.text("  ").word(guest).text("  ");
        match host {
            Some(host) if host == guest => page.styled(FAINT, "the same path"),
            Some(host) => page.word(host),
            None => page.styled(CAUTION, "not bound: denied"),
        };
        page.end();
    }
    page.end().heading("Limits");
    page.table(
        limits
            .into_iter()
            .map(|(key, value)| vec![key.to_owned(), value]),
    );
    printer.data(&page)?;
    let mut warnings = Page::default();
    for warning in grant.warnings() {
        warnings.warning(&warning.to_string());
    }
    for (root, why) in &opened.roots.missing {
        warnings.warning(&format!(
            "the configuration binds {root} to what cannot be bound, {why}"
        ));
    }
    printer.note(&warnings);
    Ok(ExitStatus::Ok)
}

fn rule_json(rule: &RuleRef) -> Value {
    json!({
        "origin": rule.origin.to_string(),
        "section": rule.section,
        "line": (rule.line > 0).then_some(rule.line),
        "text": rule.text,
    })
}

fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    vec![
        ("memory", size(limits.memory)),
        ("cpu-time", format!("{:?}", limits.cpu)),
        ("time", format!("{:?}", limits.time)),
        ("output", size(limits.output)),
        ("concurrency", limits.concurrency.to_string()),
    ]
}

fn check(
    arguments: &CheckArguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let text = &arguments.policy;
    let name: Option<ComponentName> = text.parse().ok();
    let known = match &name {
        Some(name) => {
            let lock = LockFile::load(&settings.home)?;
            lock.components.contains_key(name)
                || settings.home.policy_file(name).symlink_metadata().is_ok()
        }
        None => false,
    };
    let path: PathBuf = match &name {
        Some(name) if known => settings.home.policy_file(name),
        _ => settings.base.join(text),
    };
    let policy = match read_policy_path(&path)? {
        Some(file) => Policy::parse(&file.text),
        None if known => Ok(Policy::empty()),
        None => {
            return Err(CommandError::usage(format!(
                "there is neither a component nor a file {text:?}"
            ))
            .hint(settings.command(&["list"])));
        }
    };
    if arguments.format.json {
        let (warnings, error) = match &policy {
            Ok(policy) => (
                policy.warnings().iter().map(ToString::to_string).collect(),
                Value::Null,
            ),
            Err(error) => (
                Vec::new(),
                json!({
                    "line": error.line, "column": error.column, "message": error.message, "hint": error.hint,
                }),
            ),
        };
        printer.json(&json!({ "policy": path, "valid": policy.is_ok(), "warnings": warnings, "error": error }))?;
        return Ok(if policy.is_ok() {
            ExitStatus::Ok
        } else {
            ExitStatus::Usage
        });
    }
    let policy = policy.map_err(|error| CommandError::Policy {
        path: path.clone(),
        error,
    })?;
    let mut page = done(&path.display().to_string());
    page.table(
        policy
            .rules()
            .into_iter()
            .map(|rule| vec![rule.text, format!("line {}", rule.line)]),
    );
    printer.data(&page)?;
    let mut warnings = Page::default();
    for warning in policy.warnings() {
        warnings.warning(&warning.to_string());
    }
    printer.note(&warnings);
    Ok(ExitStatus::Ok)
}

fn explain(
    arguments: &ExplainArguments,
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
