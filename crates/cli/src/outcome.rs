//! What a call did, as its author sees it: result, refusals with what would allow them, the guest's own words.

use crate::arguments::Bindings;
use crate::error::{CommandError, ExitStatus};
use crate::print::{BAD, FAINT, Page, Printer, json_text};
use crate::settings::Settings;
use casemate_policy::{ComponentName, Remedy};
use casemate_runtime::{CallReport, Captured, DenialRecord, Outcome};
use serde_json::{Value, json};

/// Lines of a guest's stream that are shown; `--json` has all that was kept.
const MAX_LINES: usize = 100;
/// Longest line of a guest's stream that is shown, in characters.
const MAX_LINE: usize = 1_000;

/// A finished call.
pub(crate) struct Finished<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) bindings: &'a Bindings,
    pub(crate) component: &'a ComponentName,
    pub(crate) tool: &'a str,
    pub(crate) report: &'a CallReport,
}

impl Finished<'_> {
    /// Shows it and says how the process ends.
    pub(crate) fn show(
        &self,
        printer: &Printer,
        as_json: bool,
    ) -> Result<ExitStatus, CommandError> {
        let report = self.report;
        if as_json {
            printer.json(&self.json())?;
            return Ok(self.status());
        }
        printer.note(&self.guest_output());
        if let Outcome::Returned(value) = &report.outcome {
            printer.data(&result(value)?)?;
        } else {
            printer.note(&self.failure()?);
        }
        printer.note(&self.denials());
        Ok(self.status())
    }

    /// 0 when it returned; 3 when something was refused on the way to anything else.
    fn status(&self) -> ExitStatus {
        match &self.report.outcome {
            Outcome::Returned(_) => ExitStatus::Ok,
            Outcome::Refused { .. } => ExitStatus::Denied,
            Outcome::ToolError(_) | Outcome::Failed { .. } if !self.report.denials.is_empty() => {
                ExitStatus::Denied
            }
            Outcome::ToolError(_) | Outcome::Failed { .. } | Outcome::Cancelled => {
                ExitStatus::Failed
            }
        }
    }

    fn guest_output(&self) -> Page {
        let mut page = Page::default();
        for (stream, captured) in [
            ("stdout", &self.report.stdout),
            ("stderr", &self.report.stderr),
        ] {
            written(&mut page, stream, captured);
        }
        page
    }

    /// What Casemate says of a call that did not return.
    fn message(&self) -> Option<&str> {
        match &self.report.outcome {
            Outcome::Returned(_) | Outcome::ToolError(_) => None,
            Outcome::Refused { message, .. } | Outcome::Failed { message, .. } => Some(message),
            Outcome::Cancelled => Some("the call was cancelled"),
        }
    }

    fn failure(&self) -> Result<Page, CommandError> {
        let mut page = Page::default();
        match &self.report.outcome {
            Outcome::Returned(_) => {}
            Outcome::ToolError(value) => {
                page.styled(BAD, "error:")
                    .text(" the tool answered with an error")
                    .end();
                page.block("  ", &json_text(value.get("error").unwrap_or(value))?);
            }
            Outcome::Refused { reason, message } | Outcome::Failed { reason, message } => {
                page.styled(BAD, "error:")
                    .text(" ")
                    .word(message)
                    .text(&format!(" ({reason})"))
                    .end();
            }
            Outcome::Cancelled => {
                page.styled(BAD, "error:")
                    .text(" the call was cancelled")
                    .end();
            }
        }
        let told = self.message().unwrap_or_default();
        if let Some(detail) = &self.report.detail
            && !detail.is_empty()
            && !told.contains(detail)
        {
            page.block("  ", detail);
        }
        if !self.report.backtrace.is_empty() {
            page.styled(
                FAINT,
                "where the tool was, innermost first, in its own names:",
            )
            .end();
            for frame in &self.report.backtrace {
                page.text("  | ").word(frame).end();
            }
        }
        Ok(page)
    }

    fn denials(&self) -> Page {
        let mut page = Page::default();
        for denial in &self.report.denials {
            page.styled(BAD, "refused:")
                .text(" ")
                .word(&denial.subject)
                .text(&format!(" ({})", denial.reason));
            if denial.count > 1 {
                page.text(&format!(", {} times", denial.count));
            }
            page.end().text("  ").word(&denial.explanation).end();
            if let Some(remedy) = self.remedy(denial) {
                page.hint(&remedy);
            }
        }
        if !self.report.denials.is_empty() {
            page.styled(FAINT, &format!("call {}", self.report.id))
                .end();
        }
        page
    }

    /// What the person types, or whom he asks, to have it allowed; none where nothing would, as for a FIFO.
    fn remedy(&self, denial: &DenialRecord) -> Option<String> {
        Some(match denial.remedy.as_ref()? {
            Remedy::BindRoot(root) => {
                let binding = match root.as_str() {
                    "workspace" => "--workspace DIR".to_owned(),
                    other => format!("--root {other}=DIR"),
                };
                format!("{} {binding}", self.settings.command(&["call", self.tool]))
            }
            remedy => remedy_for(self.settings, self.component, remedy),
        })
    }

    fn json(&self) -> Value {
        let report = self.report;
        let (key, value) = match &report.outcome {
            Outcome::Returned(value) => (
                "result",
                value.get("result").cloned().unwrap_or(Value::Null),
            ),
            Outcome::ToolError(value) => {
                ("error", value.get("error").cloned().unwrap_or(Value::Null))
            }
            Outcome::Refused { message, .. } | Outcome::Failed { message, .. } => {
                ("message", json!(message))
            }
            Outcome::Cancelled => ("message", json!("the call was cancelled")),
        };
        let denials: Vec<Value> = report
            .denials
            .iter()
            .map(|denial| {
                json!({
                    "reason": denial.reason.as_str(),
                    "subject": denial.subject,
                    "explanation": denial.explanation,
                    "to_allow": self.remedy(denial),
                    "count": denial.count,
                })
            })
            .collect();
        json!({
            "call": report.id,
            "outcome": report.outcome.label(),
            "reason": report.outcome.reason().map(|reason| reason.as_str()),
            key: value,
            "denials": denials,
            "usage": report.usage,
            "stdout": report.stdout.text,
            "stdout_dropped": report.stdout.truncated,
            "stderr": report.stderr.text,
            "stderr_dropped": report.stderr.truncated,
            "detail": report.detail,
            "backtrace": report.backtrace,
            "workspace": self.bindings.workspace,
        })
    }
}

/// Adds the end of what a guest wrote to a stream. Whatever it writes, each of its lines stands behind a margin, so none can pass
/// for one of Casemate's.
fn written(page: &mut Page, stream: &str, captured: &Captured) {
    let Captured { text, truncated } = captured;
    if text.is_empty() {
        return;
    }
    let lines: Vec<&str> = text.lines().collect();
    let hidden = lines.len().saturating_sub(MAX_LINES);
    let mut before = Vec::new();
    if *truncated > 0 {
        before.push(format!("{truncated} bytes before are gone"));
    }
    if hidden > 0 {
        before.push(format!("{hidden} lines before are in --json"));
    }
    let before = if before.is_empty() {
        String::new()
    } else {
        format!(" ({})", before.join(", "))
    };
    page.styled(FAINT, &format!("{stream} of the tool{before}:"))
        .end();
    for line in lines.iter().skip(hidden) {
        let mut shown: String = line.chars().take(MAX_LINE).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        page.text("  | ").text(&shown).end();
    }
}

/// What would change a denial, with the component's name and this home in it.
pub(crate) fn remedy_for(
    settings: &Settings,
    component: &ComponentName,
    remedy: &Remedy,
) -> String {
    match remedy {
        Remedy::Grant(arguments) => {
            let mut line = vec!["grant", component.as_str()];
            line.extend(arguments.iter().map(String::as_str));
            settings.command(&line)
        }
        Remedy::Clocks | Remedy::Random => {
            format!(
                "{remedy} in {}",
                settings.home.policy_file(component).display()
            )
        }
        other => other.to_string(),
    }
}

/// The result: text as it is, anything else as JSON.
fn result(value: &Value) -> Result<Page, CommandError> {
    let mut page = Page::default();
    match value.get("result") {
        Some(Value::String(text)) => page.line(text.trim_end_matches('\n')),
        Some(value) => page.line(&json_text(value)?),
        None => &mut page,
    };
    Ok(page)
}
