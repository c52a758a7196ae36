//! What a person did that an auditor should see, beside the records of calls.

use crate::error::CommandError;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// Appends one line to `audit/events.jsonl` of the home.
pub(crate) fn record(settings: &Settings, event: &str, facts: Value) -> Result<(), CommandError> {
    let path = settings.home.audit_dir().join("events.jsonl");
    let record = json!({
        "time": format!("{:.3}", jiff::Timestamp::now()),
        "event": event,
        "facts": facts,
    });
    let line = format!("{}\n", crate::print::json_line(&record)?);
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        // One write per line: appends of several processes do not mix.
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| CommandError::io("write", &path, &error))
}
