//! `update`: take newer builds of what is installed. Until a person agreed to what changes, the old ones are served.

use crate::arguments::{Believed, Format, Overlook, Remote};
use crate::ask::Person;
use crate::changes;
use crate::commands::add::{events, install};
use crate::engine::{self, Opened};
use crate::error::{CommandError, ExitStatus};
use crate::inspection::done;
use crate::print::{BAD, Page, Printer};
use crate::progress::Arriving;
use crate::review::{Review, stopped};
use crate::settings::Settings;
use crate::signed::Signed;
use crate::trail;
use casemate_artifact::LockFile;
use casemate_policy::{ComponentName, Policy};
use casemate_runtime::{InstallPlan, UpdateOptions};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The components [default: all]
    names: Vec<ComponentName>,
    /// Change nothing; exit with 1 and the difference if anything would change
    #[arg(long, conflicts_with = "yes")]
    check: bool,
    /// Ask nothing; takes only what changes neither tools nor reach nor requests nor signer
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    overlook: Overlook,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    believed: Believed,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let lock = LockFile::load(&settings.home)?;
    for name in &arguments.names {
        if !lock.components.contains_key(name) {
            return Err(
                CommandError::usage(format!("no component is called {name}"))
                    .hint(settings.command(&["list"])),
            );
        }
    }
    let names: Vec<&ComponentName> = match arguments.names.as_slice() {
        [] => lock.components.keys().collect(),
        names => names.iter().collect(),
    };
    let opened =
        engine::open_to_install(settings, &arguments.remote, &arguments.believed, "update")?;
    let ceiling = opened.ceiling_policy()?;
    let run = Run {
        arguments,
        settings,
        printer,
        opened: &opened,
        ceiling: ceiling.as_ref(),
    };
    let mut all = Vec::new();
    let mut worst: Option<CommandError> = None;
    let mut changes = false;
    let several = names.len() > 1;
    for name in names {
        match run.one(name) {
            Ok(one) => {
                changes |= one.changes;
                all.push(one.json);
            }
            Err(error) => {
                all.push(json!({ "component": name.as_str(), "outcome": "failed", "error": error.shown().message }));
                // Others are not kept from what is new by one that fails; the last of the most serious is the result.
                if several {
                    let mut page = Page::default();
                    page.text(name.as_str()).text(": ");
                    page.styled(BAD, "not updated,")
                        .text(" ")
                        .word(&error.shown().message)
                        .end();
                    printer.note(&page);
                }
                let more_serious = |old: &CommandError| rank(&error) >= rank(old);
                if worst.as_ref().is_none_or(more_serious) {
                    worst = Some(error);
                }
            }
        }
    }
    if arguments.format.json {
        printer.json(&all)?;
    }
    match worst {
        Some(error) => Err(error),
        None if arguments.check && changes => Ok(ExitStatus::Failed),
        None => Ok(ExitStatus::Ok),
    }
}

fn rank(error: &CommandError) -> u8 {
    match error.shown().status {
        ExitStatus::Ok => 0,
        ExitStatus::Failed => 1,
        ExitStatus::Usage => 2,
        ExitStatus::Denied => 3,
    }
}

struct Run<'r> {
    arguments: &'r Arguments,
    settings: &'r Settings,
    printer: &'r Printer,
    opened: &'r Opened,
    ceiling: Option<&'r Policy>,
}

/// What became of one component.
struct One {
    /// Something changed, or would.
    changes: bool,
    json: Value,
}

impl Run<'_> {
    fn one(&self, name: &ComponentName) -> Result<One, CommandError> {
        let overlook = &self.arguments.overlook;
        let options = UpdateOptions {
            skip_verification: overlook.insecure_skip_verify,
            allow_signer_change: overlook.allow_signer_change,
            allow_downgrade: overlook.allow_downgrade,
        };
        let plan = self
            .opened
            .runtime
            .plan_update(name, options, &Arriving::new())?;
        let Some(plan) = plan else {
            let mut page = Page::default();
            page.line(&format!("{name}: nothing new"));
            self.tell(&page)?;
            return Ok(One {
                changes: false,
                json: json!({ "component": name.as_str(), "outcome": "current" }),
            });
        };
        let review = Review::of(self.settings, &plan, self.ceiling, true);
        let mut facts = facts(&plan, &review);
        let page = review.update_page(self.settings);
        if self.arguments.check {
            self.tell(&page)?;
            set(&mut facts, "outcome", json!("available"));
            return Ok(One {
                changes: true,
                json: facts,
            });
        }
        let text = self.decide(&plan, &review, &page)?;
        review.is_current(self.settings)?;
        let events = events(&plan, "update", false);
        let digest = plan.inspected().digest().short();
        install(&self.opened.runtime, plan, text.as_deref(), self.printer)?;
        for (event, facts) in events {
            trail::record(self.settings, event, facts)?;
        }
        let mut page = done(&format!("updated {name} ({digest})"));
        page.text("  to go back: ")
            .line(&self.settings.command(&["rollback", name.as_str()]));
        self.tell(&page)?;
        set(&mut facts, "outcome", json!("updated"));
        set(&mut facts, "granted", json!(text.is_some()));
        Ok(One {
            changes: true,
            json: facts,
        })
    }

    /// Data for people; with `--json` there is one document at the end.
    fn tell(&self, page: &Page) -> Result<(), CommandError> {
        match self.arguments.format.json {
            true => Ok(()),
            false => self.printer.data(page),
        }
    }

    /// What is agreed to: the text of the policy file, if it changes.
    fn decide(
        &self,
        plan: &InstallPlan,
        review: &Review<'_>,
        page: &Page,
    ) -> Result<Option<String>, CommandError> {
        let name = plan.name();
        self.printer.note(page);
        let person = Person::present().filter(|_| !self.arguments.yes);
        match (person, &review.offer) {
            (Some(person), Some(offer)) if !offer.ask.is_empty() => {
                review.pick(&person, &format!("Update {name}?"), offer)
            }
            (Some(person), _) => match person.agrees(&format!("Update {name}?")) {
                true => Ok(None),
                false => Err(stopped()),
            },
            (None, _) if self.arguments.yes && review.unasked().is_ok() => Ok(None),
            (None, _) => {
                let why = review.unasked().err();
                let why = why.unwrap_or(
                    "its bytes changed, and neither a person nor --yes says that it may",
                );
                let command = self.settings.command(&["update", name.as_str()]);
                Err(CommandError::denied(format!(
                    "{name} is not updated: {why}; what was installed is served on"
                ))
                .hint(format!(
                    "a person types this in a terminal and answers there: {command}"
                )))
            }
        }
    }
}

fn set(facts: &mut Value, key: &str, value: Value) {
    if let Value::Object(facts) = facts {
        facts.insert(key.to_owned(), value);
    }
}

/// What a plan would change.
fn facts(plan: &InstallPlan, review: &Review<'_>) -> Value {
    let previous = plan.previous();
    json!({
        "component": plan.name().as_str(),
        "from": previous.map(|previous| previous.digest.to_string()),
        "to": plan.inspected().digest().to_string(),
        "source": plan.source(),
        "version": plan.version(),
        "difference": plan.difference().map(changes::json),
        "signature": Signed::of(plan).json(),
        "requested": review.json(),
        "needs_a_person": review.unasked().err(),
    })
}
