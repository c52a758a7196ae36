//! What came of a call, in the protocol's words.

use crate::text::shown;
use casemate_policy::Reason;
use casemate_runtime::{CallReport, DenialRecord, LimitReached, Outcome, Usage};
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Refusals that are worded in a result; more are counted.
const MAX_DENIAL_LINES: usize = 8;
/// Refusals that are given as data in a result.
const MAX_DENIAL_ENTRIES: usize = 64;
/// Characters of what was asked for.
const MAX_SUBJECT: usize = 256;
/// Characters of one of Casemate's own messages.
const MAX_MESSAGE: usize = 1_024;

/// Key of the call's id in `_meta` of a result.
const CALL: &str = "casemate/call";
/// Key of the refusals in `_meta` of a result.
const DENIALS: &str = "casemate/denials";
/// Key of the limit that ended the call in `_meta` of a result.
const LIMIT: &str = "casemate/limit";
/// Key of what the call used in `_meta` of a result.
const USAGE: &str = "casemate/usage";

/// The result of a call that was started.
pub(crate) fn of(report: CallReport) -> CallToolResult {
    let CallReport {
        id,
        outcome,
        limit,
        denials,
        usage,
        ..
    } = report;
    let mut result = match outcome {
        Outcome::Returned(value) => {
            let mut result = CallToolResult::success(vec![text_of(&value, "result")]);
            result.structured_content = Some(value);
            result
        }
        Outcome::ToolError(value) => {
            let mut result = CallToolResult::error(vec![text_of(&value, "error")]);
            result.structured_content = Some(value);
            result
        }
        Outcome::Refused { reason, message } | Outcome::Failed { reason, message } => {
            failure(reason, &message, Some(&id))
        }
        // The caller hears nothing of a call that it took back; whoever is still here when the
        // server ends does.
        Outcome::Cancelled => failure(
            Reason::Cancelled,
            "the call was stopped before it returned",
            Some(&id),
        ),
    };
    if !denials.is_empty() {
        result
            .content
            .push(ContentBlock::text(refusals(&denials, &id)));
    }
    result.meta = Some(meta(&id, limit, &denials, usage));
    result
}

/// A result for something that ended a call, or kept it from starting.
pub(crate) fn failure(reason: Reason, message: &str, id: Option<&str>) -> CallToolResult {
    let mut text = format!("{reason}: {}", shown(message, MAX_MESSAGE));
    if let Some(id) = id {
        // Writing to a string cannot fail.
        let _ = write!(text, " (call {id})");
    }
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// The value below `key`: a string as it is, anything else as JSON.
fn text_of(value: &Value, key: &str) -> ContentBlock {
    ContentBlock::text(match value.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => value.to_string(),
    })
}

/// Casemate's own block: what was refused, with the reason and the id, and nothing of the guest's
/// beyond the escaped name of what it asked for. It names no command, since a model may have a shell.
fn refusals(denials: &[DenialRecord], id: &str) -> String {
    let mut text = String::new();
    for denial in denials.iter().take(MAX_DENIAL_LINES) {
        let subject = shown(&denial.subject, MAX_SUBJECT);
        let _ = write!(text, "Casemate refused: {subject}");
        if let Some(limit) = denial.limit {
            let _ = write!(text, ": {limit}");
        }
        let _ = writeln!(text, " ({}), call {id}", denial.reason);
    }
    if let Some(more) = denials.len().checked_sub(MAX_DENIAL_LINES + 1) {
        let _ = writeln!(text, "and {} more", more + 1);
    }
    text.truncate(text.trim_end().len());
    text
}

fn meta(
    id: &str,
    limit: Option<LimitReached>,
    denials: &[DenialRecord],
    usage: Usage,
) -> MetaObject {
    let mut meta = Map::new();
    meta.insert(CALL.to_owned(), Value::from(id));
    // Maps and numbers only, so it does not fail.
    let usage = serde_json::to_value(usage).unwrap_or_default();
    meta.insert(USAGE.to_owned(), usage);
    if let Some(limit) = limit {
        meta.insert(LIMIT.to_owned(), limit_as_json(limit));
    }
    if !denials.is_empty() {
        let entries = denials.iter().take(MAX_DENIAL_ENTRIES).map(entry);
        meta.insert(DENIALS.to_owned(), Value::Array(entries.collect()));
    }
    MetaObject(meta)
}

fn entry(denial: &DenialRecord) -> Value {
    let mut entry = json!({
        "reason": denial.reason.as_str(),
        "subject": shown(&denial.subject, MAX_SUBJECT),
        "count": denial.count,
    });
    if let (Some(limit), Some(entry)) = (denial.limit, entry.as_object_mut()) {
        entry.insert("limit".to_owned(), limit_as_json(limit));
    }
    entry
}

fn limit_as_json(limit: LimitReached) -> Value {
    serde_json::to_value(limit).unwrap_or_default()
}

#[cfg(test)]
mod tests;
