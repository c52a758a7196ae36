//! `doctor`: is everything in place, and does a tool run?

use crate::arguments::{Bindings, Format, Global};
use crate::commands::demo::EXAMPLE;
use crate::engine;
use crate::error::{CommandError, ExitStatus};
use crate::print::{BAD, CAUTION, GOOD, Page, Printer};
use crate::progress::during;
use crate::roots::danger;
use crate::settings::Settings;
use crate::trust;
use casemate_artifact::{Home, LockFile, Reference, Silent, read_policy_file, read_policy_path};
use casemate_policy::{ComponentName, Policy};
use casemate_runtime::{InstallRequest, Outcome, Runtime, has_openat2};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Where the machine's name servers stand.
const RESOLV_CONF: &str = "/etc/resolv.conf";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Good,
    Advice,
    Error,
}

/// One thing that was looked at.
struct Finding {
    level: Level,
    what: String,
    hint: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, what: impl Into<String>, hint: Option<String>) {
        self.0.push(Finding {
            level,
            what: what.into(),
            hint,
        });
    }

    fn good(&mut self, what: impl Into<String>) {
        self.add(Level::Good, what, None);
    }

    /// Adds an error. Where it says more of what is known already, it takes that one's place.
    fn error(&mut self, error: &CommandError) {
        let shown = error.shown();
        let known = |finding: &&mut Finding| {
            finding.level == Level::Error
                && finding.hint == shown.hint
                && shown.message.starts_with(&finding.what)
        };
        match self.0.iter_mut().find(known) {
            Some(finding) => finding.what = shown.message,
            None => self.add(Level::Error, shown.message, shown.hint),
        }
    }
}

/// With a configuration that may not load: then that is a finding like any other.
pub(crate) fn run(
    arguments: &Arguments,
    global: &Global,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    match Settings::load(global) {
        Ok(settings) => with(arguments, &settings, printer),
        Err(error) => {
            let settings = Settings::locate(global)?;
            let mut findings = Findings::default();
            findings.error(&error);
            look(&settings, &mut findings);
            report(arguments, printer, &findings)
        }
    }
}

pub(crate) fn with(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let mut findings = Findings::default();
    if settings.config.grants_without_terminal {
        findings.add(
            Level::Advice,
            "grants.without-terminal = true: any process of yours can grant anything",
            Some(format!(
                "remove it from {} where a person works",
                settings.home.config_file().display()
            )),
        );
    }
    look(settings, &mut findings);
    report(arguments, printer, &findings)
}

fn look(settings: &Settings, findings: &mut Findings) {
    home(settings, findings);
    roots(settings, findings);
    ceiling(findings);
    findings.good(if has_openat2() {
        "files of tools are opened with openat2: the kernel itself keeps them in their folders"
    } else {
        "files of tools are opened without openat2, which this kernel does not have or does not let this process use: the same is refused by looking at each name"
    });
    network(settings, findings);
    components(settings, findings);
    match during("trying a call", try_call) {
        Ok(()) => {
            findings.good("the engine runs: a tool was compiled and called in a throw-away home")
        }
        Err(error) => findings.error(&error),
    }
}

fn home(settings: &Settings, findings: &mut Findings) {
    let before = findings.0.len();
    for finding in settings.home.check() {
        let level = if finding.is_error() {
            Level::Error
        } else {
            Level::Advice
        };
        findings.add(level, finding.to_string(), finding.hint());
    }
    if findings.0.len() == before {
        let (config, data) = (settings.home.config_dir(), settings.home.data_dir());
        findings.good(if config == data {
            format!("home {}", config.display())
        } else {
            format!("home {} and {}", config.display(), data.display())
        });
    }
}

fn roots(settings: &Settings, findings: &mut Findings) {
    for (name, directory) in &settings.config.roots {
        match directory.canonicalize() {
            Ok(real) if !real.is_dir() => findings.add(
                Level::Error,
                format!(
                    "the root {name} is {}, which is not a directory",
                    directory.display()
                ),
                None,
            ),
            Ok(real) => match danger(settings, &real) {
                Some(why) => findings.add(
                    Level::Error,
                    format!("the root {name} is {}: {why}", directory.display()),
                    Some("bind a directory that holds only what tools may see".to_owned()),
                ),
                None => findings.good(format!("root {name} is {}", directory.display())),
            },
            Err(error) => findings.add(
                Level::Error,
                format!("the root {name} is {}: {error}", directory.display()),
                Some(format!(
                    "make it, or change {}",
                    settings.home.config_file().display()
                )),
            ),
        }
    }
}

fn ceiling(findings: &mut Findings) {
    let path = Path::new(engine::SYSTEM_CEILING);
    match read_policy_path(path) {
        Ok(None) => {}
        Ok(Some(_)) => match engine::ceiling_of(path) {
            Ok(_) => findings.good(format!("ceiling {}", path.display())),
            Err(error) => findings.error(&error),
        },
        Err(error) => findings.error(&error.into()),
    }
}

/// What requests of tools lean on. Nothing is sent: whom a tool may reach is its policy's business.
fn network(settings: &Settings, findings: &mut Findings) {
    let system = trust::system_certificates();
    let count = system.certificates.len();
    findings.good(match system.file {
        Some(file) => format!("TLS trusts {count} certificates of {}", file.display()),
        None => {
            format!("TLS trusts {count} certificates that are built in, since the system has none")
        }
    });
    match trust::own(settings) {
        Ok(None) => {}
        Ok(Some(own)) => findings.good(format!(
            "TLS trusts {} more of {}",
            own.certificates.len(),
            own.file.unwrap_or_default().display()
        )),
        Err(error) => findings.error(&error),
    }
    let path = Path::new(RESOLV_CONF);
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let servers = name_servers(&text);
            if servers.is_empty() {
                findings.add(
                    Level::Advice,
                    format!(
                        "{RESOLV_CONF} names no name server: tools can reach hosts by address only"
                    ),
                    None,
                );
            } else {
                findings.good(format!("names are looked up at {}", servers.join(", ")));
            }
        }
        Err(error) => findings.add(
            Level::Advice,
            format!("cannot read {RESOLV_CONF}: {error}; tools can reach hosts by address only"),
            None,
        ),
    }
}

/// The name servers that a resolver of the C library would take from the file's text.
fn name_servers(text: &str) -> Vec<String> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    servers.take(3).map(str::to_owned).collect()
}

fn components(settings: &Settings, findings: &mut Findings) {
    let lock = match LockFile::load(&settings.home) {
        Ok(lock) => lock,
        Err(error) => return findings.error(&error.into()),
    };
    if lock.components.is_empty() {
        return findings.good("nothing is installed yet");
    }
    let mut broken = 0;
    let mut policies = BTreeMap::new();
    for name in lock.components.keys() {
        match policy(settings, name) {
            Ok(policy) => {
                policies.insert(name, policy);
            }
            Err(error) => {
                broken += 1;
                findings.error(&error);
            }
        }
    }
    // Roots are judged above; one that is refused must not hide what else is wrong.
    let plain = Settings {
        config: Default::default(),
        ..settings.clone()
    };
    match engine::open(&plain, &Bindings::default(), "doctor", false) {
        Ok(opened) => {
            let catalog = opened.runtime.catalog();
            for problem in catalog.problems() {
                let policy = policies.get(&problem.component);
                if problem.reason == "invalid.policy" && policy.is_none() {
                    // Told above.
                    continue;
                }
                broken += 1;
                let path = settings.home.policy_file(&problem.component);
                let known = policy.map_or(Ok(()), |policy| {
                    opened.knows_tools(&problem.component, policy, &path)
                });
                if let Err(error) = known {
                    findings.error(&error);
                    continue;
                }
                let what = format!(
                    "{} is not served: {} ({})",
                    problem.component, problem.message, problem.reason
                );
                findings.add(
                    Level::Error,
                    what,
                    problem.hint.as_deref().map(|hint| settings.rehome(hint)),
                );
            }
        }
        Err(error) => {
            broken += 1;
            findings.error(&error);
        }
    }
    if broken == 0 {
        findings.good(format!(
            "{} components installed, each with its bytes and a policy that loads",
            lock.components.len()
        ));
    }
}

/// The policy of a component; one that allows nothing where there is no file.
fn policy(settings: &Settings, name: &ComponentName) -> Result<Policy, CommandError> {
    match read_policy_file(&settings.home, name)? {
        None => Ok(Policy::empty()),
        Some(file) => Policy::parse(&file.text).map_err(|error| CommandError::Policy {
            path: settings.home.policy_file(name),
            error,
        }),
    }
}

/// Installs the example in a throw-away home and calls it.
fn try_call() -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        CommandError::failed(format!("a tool cannot be run here: {error}"))
    };
    let directory = tempfile::tempdir().map_err(|error| failed(&error))?;
    let file = directory.path().join("notes.wasm");
    std::fs::write(&file, EXAMPLE).map_err(|error| failed(&error))?;
    let runtime = Runtime::builder(Home::single(directory.path().join("home")))
        .parallel_compilation(true)
        .open()?;
    let plan = runtime.plan_install(
        InstallRequest::new(Reference::parse("notes.wasm", directory.path())?),
        &Silent,
    )?;
    runtime.install(plan, None)?;
    let catalog = runtime.catalog();
    let tool = catalog
        .tool("notes_current_time")
        .ok_or_else(|| failed(&"the example has no such tool"))?;
    let arguments = tool.parse_args(json!({ "zone": "UTC" }))?;
    let tokio = engine::on_this_thread()?;
    let report = tokio.block_on(tool.call("doctor", arguments, CancellationToken::new()))?;
    match report.outcome {
        Outcome::Returned(_) => Ok(()),
        other => Err(failed(&format!(
            "{} {}",
            other.label(),
            report.detail.unwrap_or_default()
        ))),
    }
}

fn report(
    arguments: &Arguments,
    printer: &Printer,
    findings: &Findings,
) -> Result<ExitStatus, CommandError> {
    let failed = findings
        .0
        .iter()
        .any(|finding| finding.level == Level::Error);
    let status = if failed {
        ExitStatus::Failed
    } else {
        ExitStatus::Ok
    };
    if arguments.format.json {
        let findings: Vec<Value> = findings
            .0
            .iter()
            .map(|finding| {
                let level = match finding.level {
                    Level::Good => "ok",
                    Level::Advice => "advice",
                    Level::Error => "error",
                };
                json!({ "level": level, "what": finding.what, "hint": finding.hint })
            })
            .collect();
        printer.json(&json!({ "healthy": !failed, "findings": findings }))?;
        return Ok(status);
    }
    let mut page = Page::default();
    for finding in &findings.0 {
        match finding.level {
            Level::Good => page.styled(GOOD, "ok:     "),
            Level::Advice => page.styled(CAUTION, "advice: "),
            Level::Error => page.styled(BAD, "error:  "),
        };
        page.word(&finding.what).end();
        if let Some(hint) = &finding.hint {
            page.text("        ").hint(hint);
        }
    }
    printer.data(&page)?;
    Ok(status)
}
