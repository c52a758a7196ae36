//! Asking the person. The only place that decides whether there is one.

use crate::error::CommandError;
use crate::print::{FAINT, Page, Printer};
use crate::settings::Settings;
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64;
/// Longest password that is read, in bytes.
const MAX_SECRET: u64 = 4096;

/// How often a question is asked that was answered with something else.
const MAX_TRIES: usize = 3;

/// A person at a terminal: one who types and sees, on the terminal that controls the process.
pub(crate) struct Person(File);

impl Person {
    /// The person, if there is one. Input and errors must be terminals, so that neither a pipe of `yes` nor a
    /// program that hides the question answers it.
    pub(crate) fn present() -> Option<Self> {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return None;
        }
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .ok()?;
        Some(Self(terminal))
    }

    /// The terminal, for what is typed without being shown.
    pub(crate) fn terminal(&self) -> &File {
        &self.0
    }

    /// Asks a question that is answered no unless the answer is yes.
    pub(crate) fn agrees(&self, question: &str) -> bool {
        let answer = self.answer(&format!("{question} [y/N]"));
        answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "yes"))
    }

    /// Asks a question that is answered by one of some words or its first letter; asks again a few times if it is not.
    /// `None` at the end of input.
    pub(crate) fn chooses<'w>(&self, question: &str, words: &[&'w str]) -> Option<&'w str> {
        for _ in 0..MAX_TRIES {
            let answer = self.answer(question)?;
            let chosen = words.iter().find(|word| {
                **word == answer || (answer.chars().count() == 1 && word.starts_with(&answer))
            });
            if let Some(word) = chosen {
                return Some(word);
            }
        }
        None
    }

    /// What is typed after a question, in lower case without space around it; `None` at the end of input.
    fn answer(&self, question: &str) -> Option<String> {
        // What was typed before the question was seen does not answer it.
        tcflush(&self.0, QueueSelector::IFlush).ok()?;
        let question = crate::print::inert(question);
        write!(&self.0, "{question} ").ok()?;
        let mut answer = String::new();
        let read = BufReader::new(&self.0)
            .take(MAX_ANSWER)
            .read_line(&mut answer)
            .ok()?;
        (read > 0).then(|| answer.trim().to_ascii_lowercase())
    }

    /// Asks for a password, which the terminal does not show. `None` where it cannot be hidden or read.
    pub(crate) fn secret(&self, question: &str) -> Option<String> {
        let shown = tcgetattr(&self.0).ok()?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // What was typed before the question was seen is dropped.
        tcsetattr(&self.0, OptionalActions::Flush, &hidden).ok()?;
        let question = crate::print::inert(question);
        let mut answer = String::new();
        let read = write!(&self.0, "{question}").and_then(|()| {
            BufReader::new(&self.0)
                .take(MAX_SECRET)
                .read_line(&mut answer)
        });
        let restored = tcsetattr(&self.0, OptionalActions::Now, &shown);
        let _ = writeln!(&self.0);
        match (read, restored) {
            (Ok(1..), Ok(())) => Some(answer.trim_end_matches(['\r', '\n']).to_owned()),
            _ => None,
        }
    }
}

/// Has the person confirm that a component may do more. Returns only if it may.
///
/// `what` shows exactly what would be written. `yes` is `--yes`, which asks nothing and grants nothing.
pub(crate) fn confirm_widening(
    settings: &Settings,
    printer: &Printer,
    yes: bool,
    what: &Page,
    question: &str,
) -> Result<(), CommandError> {
    if settings.config.grants_without_terminal {
        let mut page = Page::default();
        page.styled(
            FAINT,
            "not asked: the configuration says grants.without-terminal = true",
        )
        .end();
        printer.note(&page);
        return Ok(());
    }
    let refuse = |message: &str| {
        Err(CommandError::denied(message).hint(
            "a person types this command in a terminal and answers there; nothing was changed",
        ))
    };
    if yes {
        printer.note(what);
        return refuse("this widens what the component may do, and --yes grants nothing");
    }
    let Some(person) = Person::present() else {
        printer.note(what);
        return refuse(
            "this widens what the component may do, and there is no terminal to confirm it on",
        );
    };
    printer.note(what);
    if person.agrees(question) {
        Ok(())
    } else {
        Err(CommandError::denied("not confirmed; nothing was changed"))
    }
}
