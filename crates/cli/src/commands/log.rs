//! `log`: the audit trail.

use crate::error::{CommandError, ExitStatus};
use crate::print::{BAD, FAINT, GOOD, Page, Printer, STRONG, json_line};
use crate::settings::Settings;
use casemate_runtime::audit_file;
use clap::Args;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

/// Distance between two looks for new lines.
const POLL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Go on as calls end
    #[arg(long)]
    follow: bool,
    /// Only calls that met a refusal
    #[arg(long)]
    denied: bool,
    /// Only this tool
    #[arg(long)]
    tool: Option<String>,
    /// Only calls of the last while, such as 90s, 15m, 1h, 7d
    #[arg(long, value_parser = parse_while)]
    since: Option<Duration>,
    /// Print the records as they are, one JSON object a line
    #[arg(long)]
    json: bool,
}

fn parse_while(text: &str) -> Result<Duration, String> {
    let refuse = || format!("{text:?} is no length of time; write 90s, 15m, 1h or 7d");
    let unit = text.chars().last().ok_or_else(refuse)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(refuse()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    // `u64` takes a sign; a length has none.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refuse());
    }
    let number: u64 = number.parse().map_err(|_| refuse())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(refuse)
}

pub(crate) fn run(
    arguments: &Arguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitStatus, CommandError> {
    let path = audit_file(&settings.home);
    let oldest = match arguments.since {
        Some(since) => Some(
            jiff::Timestamp::now()
                .checked_sub(since)
                .map_err(|_| CommandError::usage("--since reaches back before all calendars"))?,
        ),
        None => None,
    };
    let filter = Filter { arguments, oldest };
    let mut trail = Trail {
        path: &path,
        file: None,
        line: 0,
    };
    let mut told = false;
    loop {
        let mut page = Page::default();
        while let Some(line) = trail.next()? {
            match serde_json::from_str::<Value>(&line) {
                Ok(record) if filter.shows(&record) => {
                    if arguments.json {
                        page.line(&json_line(&record)?);
                    } else {
                        page.page(&entry(&record));
                    }
                }
                Ok(_) => {}
                Err(_) => {
                    let mut note = Page::default();
                    note.warning(&format!(
                        "{}, line {}: not a record",
                        path.display(),
                        trail.line
                    ));
                    printer.note(&note);
                }
            }
        }
        if !page.is_empty() {
            told = true;
            printer.data(&page)?;
        }
        if !arguments.follow {
            break;
        }
        std::thread::sleep(POLL);
    }
    if !told && !arguments.json {
        let mut page = Page::default();
        page.line("no such calls");
        printer.note(&page);
    }
    Ok(ExitStatus::Ok)
}

/// The lines of the log, from its beginning, also when it is replaced meanwhile.
struct Trail<'a> {
    path: &'a Path,
    file: Option<(BufReader<File>, u64)>,
    line: u64,
}

impl Trail<'_> {
    /// The next whole line; `None` when there is none yet.
    fn next(&mut self) -> Result<Option<String>, CommandError> {
        let failed = |error: &std::io::Error| CommandError::io("read", self.path, error);
        let present = match self.path.metadata() {
            Ok(metadata) => metadata.ino(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let known = self.file.as_ref().map(|(_, inode)| *inode);
        if known != Some(present) {
            let file = File::open(self.path).map_err(|error| failed(&error))?;
            self.file = Some((BufReader::new(file), present));
            self.line = 0;
        }
        let Some((reader, _)) = &mut self.file else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = reader
            .read_until(b'\n', &mut bytes)
            .map_err(|error| failed(&error))?;
        if bytes.last() != Some(&b'\n') {
            // A line that is being written is read again when it is whole.
            let back = i64::try_from(read).unwrap_or(i64::MAX);
            reader
                .seek(SeekFrom::Current(-back))
                .map_err(|error| failed(&error))?;
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

struct Filter<'a> {
    arguments: &'a Arguments,
    oldest: Option<jiff::Timestamp>,
}

impl Filter<'_> {
    fn shows(&self, record: &Value) -> bool {
        let denied = record
            .get("denials")
            .and_then(Value::as_array)
            .is_some_and(|denials| !denials.is_empty());
        let tool = self.arguments.tool.as_deref();
        let recent = self.oldest.is_none_or(|oldest| {
            let time = word(record, "time").parse::<jiff::Timestamp>();
            time.is_ok_and(|time| time >= oldest)
        });
        (!self.arguments.denied || denied)
            && tool.is_none_or(|tool| tool == word(record, "tool"))
            && recent
    }
}

fn word<'a>(record: &'a Value, key: &str) -> &'a str {
    record.get(key).and_then(Value::as_str).unwrap_or("?")
}

/// One call for a person.
fn entry(record: &Value) -> Page {
    let mut page = Page::default();
    let outcome = word(record, "outcome");
    page.styled(FAINT, word(record, "time")).text("  ");
    page.styled(
        if outcome == "ok" { GOOD } else { BAD },
        &format!("{outcome:<9}"),
    )
    .text(" ");
    page.styled(STRONG, word(record, "tool"));
    if let Some(wall) = record.pointer("/usage/wall_us").and_then(Value::as_u64) {
        page.text(&format!("  {}.{} ms", wall / 1000, wall % 1000 / 100));
    }
    page.text("  by ").word(word(record, "caller"));
    page.text("  call ").word(word(record, "call"));
    if let Some(reason) = record.get("reason").and_then(Value::as_str) {
        page.text("  ").word(reason);
    }
    page.end();
    let denials = record.get("denials").and_then(Value::as_array);
    for denial in denials.into_iter().flatten() {
        page.text("    ")
            .styled(BAD, "refused")
            .text(" ")
            .word(word(denial, "subject"));
        page.text(" (").word(word(denial, "reason")).text(")");
        match denial.get("count").and_then(Value::as_u64) {
            Some(count) if count > 1 => page.text(&format!(", {count} times")),
            _ => &mut page,
        };
        page.end();
    }
    page
}

#[cfg(test)]
mod tests {
    use super::parse_while;

    #[test]
    fn lengths_of_time_have_a_number_and_a_unit() {
        assert_eq!(parse_while("90s").unwrap().as_secs(), 90);
        assert_eq!(parse_while("7d").unwrap().as_secs(), 7 * 86_400);
        for wrong in [
            "",
            "h",
            "1",
            "-1h",
            "+1h",
            "1y",
            "1.5h",
            "99999999999999999999s",
            "1 h",
        ] {
            assert!(parse_while(wrong).is_err(), "{wrong}");
        }
    }
}
