//! Text that is safe to show: no control character of a file, a guest or an argument reaches the terminal.

use crate::arguments::Global;
use crate::error::{CommandError, ExitStatus};
use crate::settings::rehome;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;

#[cfg(test)]
mod tests;

/// Names, headings.
pub(crate) const STRONG: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What was refused or failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What to know.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default();
/// What to type.
pub(crate) const COMMAND: Style = AnsiColor::Cyan.on_default();

/// Text for a person, built from pieces that are made inert one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page(String);

impl Page {
    /// Adds text; its line breaks stay, its control characters are escaped.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        inert_into(&mut self.0, text, true);
        self
    }

    /// Adds text in a style.
    pub(crate) fn styled(&mut self, style: Style, text: &str) -> &mut Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{style}");
        inert_into(&mut self.0, text, true);
        let _ = write!(self.0, "{style:#}");
        self
    }

    /// Adds text on one line: its line breaks are escaped too.
    pub(crate) fn word(&mut self, text: &str) -> &mut Self {
        inert_into(&mut self.0, text, false);
        self
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, text: &str) -> &mut Self {
        self.text(text).end()
    }

    /// Adds a heading of its own line.
    pub(crate) fn heading(&mut self, text: &str) -> &mut Self {
        self.styled(STRONG, text).end()
    }

    /// Ends the line.
    pub(crate) fn end(&mut self) -> &mut Self {
        self.0.push('\n');
        self
    }

    /// Adds every line of `text` after `margin`.
    pub(crate) fn block(&mut self, margin: &str, text: &str) -> &mut Self {
        for line in text.lines() {
            self.text(margin).text(line).end();
        }
        self
    }

    /// Adds `hint: …` on a line of its own.
    pub(crate) fn hint(&mut self, hint: &str) -> &mut Self {
        self.styled(COMMAND, "hint:").text(" ").text(hint).end()
    }

    /// Adds `warning: …` on a line of its own.
    pub(crate) fn warning(&mut self, warning: &str) -> &mut Self {
        self.styled(CAUTION, "warning:")
            .text(" ")
            .text(warning)
            .end()
    }

    /// Adds another page.
    pub(crate) fn page(&mut self, other: &Page) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Adds rows in aligned columns, after two spaces.
    pub(crate) fn table(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> &mut Self {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        for row in rows {
            table.add_row(row.iter().map(|cell| inert(cell)));
        }
        for line in table.to_string().lines() {
            // Each cell begins with one space already.
            self.0.push(' ');
            self.0.push_str(line.trim_end());
            self.0.push('\n');
        }
        self
    }

    /// What a person reads, without styles.
    #[cfg(test)]
    pub(crate) fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.0).to_string()
    }

    /// Whether nothing was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Text on one line without anything that acts on a terminal or deceives a reader.
pub(crate) fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    inert_into(&mut out, text, false);
    out
}

fn inert_into(out: &mut String, text: &str, lines: bool) {
    for character in text.chars() {
        match character {
            '\n' if lines => out.push('\n'),
            '\t' if lines => out.push(' '),
            shown if is_inert(shown) => out.push(shown),
            other => out.extend(other.escape_default()),
        }
    }
}

/// Whether a character shows as itself, in its place, on every terminal.
///
/// Not so are controls of both sets, bidirectional and zero-width formatting, and tag characters.
fn is_inert(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Indented JSON in which everything that is not inert stands as `\uXXXX`: the same value, safe to show.
pub(crate) fn json_text(value: &impl Serialize) -> Result<String, CommandError> {
    Ok(escape_json(&serde_json::to_string_pretty(value)?))
}

/// One line of JSON, safe to show.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, CommandError> {
    Ok(escape_json(&serde_json::to_string(value)?))
}

fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for character in text.chars() {
        if character == '\n' || is_inert(character) {
            out.push(character);
            continue;
        }
        // Outside of strings serialised JSON has none of these.
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Where output goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// Notes go to standard output as well: a demonstration is data as a whole.
    merged: bool,
}

impl Printer {
    /// Data to standard output, everything else to standard error.
    pub(crate) fn standard() -> Self {
        Self { merged: false }
    }

    /// Everything to standard output, in order.
    pub(crate) fn merged() -> Self {
        Self { merged: true }
    }

    /// Prints what the command is about.
    pub(crate) fn data(self, page: &Page) -> Result<(), CommandError> {
        let mut out = anstream::stdout().lock();
        out.write_all(page.0.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Prints JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), CommandError> {
        let mut text = json_text(value)?;
        text.push('\n');
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Prints what is not data.
    pub(crate) fn note(self, page: &Page) {
        // Nobody can be told that nobody can be told.
        if self.merged {
            let _ = self.data(page);
        } else {
            let mut out = anstream::stderr().lock();
            let _ = out.write_all(page.0.as_bytes()).and_then(|()| out.flush());
        }
    }

    /// Prints an error and its hint, and says with which status to end.
    pub(crate) fn error(self, error: &CommandError, global: &Global) -> ExitStatus {
        let shown = error.shown();
        let mut page = Page::default();
        page.styled(BAD, "error:")
            .text(" ")
            .word(&shown.message)
            .end();
        if let Some(hint) = &shown.hint {
            let home = global.home.as_deref().filter(|_| !global.hide_home);
            page.hint(&rehome(hint, home));
        }
        self.note(&page);
        shown.status
    }

    /// Prints what clap has to say: help and version are data, the rest is a mistake of use.
    pub(crate) fn usage(self, error: &clap::Error) -> ExitStatus {
        if error.use_stderr() {
            let mut page = Page::default();
            page.text(&error.render().to_string());
            self.note(&page);
            return ExitStatus::Usage;
        }
        let mut out = anstream::stdout().lock();
        let _ = write!(out, "{}", error.render().ansi()).and_then(|()| out.flush());
        ExitStatus::Ok
    }
}
