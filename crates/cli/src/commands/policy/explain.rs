//! `policy explain`: would this be allowed? Answered by the function that decides when a tool runs.

mod question;
mod remedies;

use self::question::{Answer, Question, Questioned};
use super::{Granted, grant_of, rule_json};
use crate::arguments::{Bindings, Format, component};
use crate::error::{CommandError, ExitStatus};
use crate::print::{BAD, GOOD, Page, Printer};
use crate::settings::Settings;
use casemate_policy::{ComponentName, Explanation, Grant};
use casemate_runtime::Catalog;
use clap::Args;
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The component
    #[arg(value_parser = component)]
    name: ComponentName,
    #[command(subcommand)]
    question: Question,
    /// Ask for one tool, as it is narrowed under `tools` in the policy: its name, or the author's
    #[arg(long, global = true, value_name = "TOOL")]
    tool: Option<String>,
    #[command(flatten)]
    bindings: Bindings,
    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let name = &arguments.name;
    let granted = grant_of(settings, &arguments.bindings, name)?;
    let catalog = granted.opened.runtime.catalog();
    let tool = arguments
        .tool
        .as_deref()
        .map(|tool| Tool::find(settings, &catalog, name, tool))
        .transpose()?;
    let grant = match &tool {
        Some(tool) => &tool.grant,
        None => &granted.grant,
    };
    let asked = Questioned {
        settings,
        roots: &granted.opened.roots,
        grant,
    };
    let Answer {
        explanation,
        subject,
        note,
    } = asked.answer(&arguments.question)?;
    let change = remedies::change(&granted, settings, name, &explanation, &subject);
    let (to_allow, to_deny) = if explanation.allowed {
        (None, change)
    } else {
        (change, None)
    };
    if arguments.format.json {
        printer.json(&json!({
            "component": name.as_str(),
            "tool": tool.as_ref().map(|tool| &tool.exposed),
            "allowed": explanation.allowed,
            "subject": explanation.subject,
            "reason": explanation.reason.map(|reason| reason.as_str()),
            "why": explanation.sentence,
            "rule": explanation.rule.as_ref().map(|rule| rule_json(&granted, rule)),
            "to_allow": to_allow,
            "to_deny": to_deny,
            "note": note,
        }))?;
    } else {
        let mut page = answered(&granted, &explanation);
        for (word, line) in [
            ("  note  ", &note),
            ("  to allow it: ", &to_allow),
            ("  to deny it: ", &to_deny),
        ] {
            if let Some(line) = line {
                page.text(word).word(line).end();
            }
        }
        printer.data(&page)?;
    }
    Ok(if explanation.allowed {
        ExitStatus::Ok
    } else {
        ExitStatus::Denied
    })
}

/// The verdict, why, and the rule with its place.
fn answered(granted: &Granted, explanation: &Explanation) -> Page {
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
        page.text("  rule  ").word(&rule.text).end();
        page.text("  at    ").word(&granted.place(rule)).end();
    }
    page
}

/// One function of the component.
struct Tool {
    exposed: String,
    wit: String,
    /// The one that its calls have.
    grant: Arc<Grant>,
}

impl Tool {
    /// Finds it by the name that clients see, or by the author's where no other has that.
    fn find(
        settings: &Settings,
        catalog: &Catalog,
        component: &ComponentName,
        text: &str,
    ) -> Result<Self, CommandError> {
        let own = || {
            catalog
                .tools()
                .filter(|tool| &tool.spec().component == component)
                .map(|tool| Self {
                    exposed: tool.spec().name.clone(),
                    wit: tool.spec().title.clone(),
                    grant: Arc::clone(tool.grant()),
                })
        };
        if let Some(tool) = own().find(|tool| tool.exposed == text || tool.wit == text) {
            return Ok(tool);
        }
        let mut same = own().filter(|tool| tool.function() == text);
        match (same.next(), same.next()) {
            (Some(tool), None) => Ok(tool),
            (Some(_), Some(_)) => Err(CommandError::usage(format!(
                "{component} has more than one tool {text:?}; say which by its whole name"
            ))),
            (None, _) => Err(CommandError::usage(format!(
                "{component} has no tool {text:?}"
            ))),
        }
        .map_err(|error| error.hint(settings.command(&["list", "--tools"])))
    }

    /// The author's name without package and interface.
    fn function(&self) -> &str {
        self.wit.rsplit(['#', '/']).next().unwrap_or(&self.wit)
    }
}
