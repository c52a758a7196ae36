//! What a person types that is no answer to a question: a name, and what nobody may see.

use crate::ask::Person;
use crate::error::CommandError;
use crate::print::inert;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr,
};
use std::fs::File;
use std::io::{Read as _, Write as _};

/// Longest line that is read, in bytes.
const MAX_LINE: usize = 16 * 1024;

/// What ends a line, as a terminal in raw mode sends it.
const ENTER: [u8; 2] = [b'\n', b'\r'];
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const ERASE: [u8; 2] = [8, 127];
const ERASE_ALL: u8 = 21;

/// Whether what is typed is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    Shown,
    Hidden,
}

/// Asks for a line. Empty only if nothing was typed before the line's end.
///
/// # Errors
///
/// Fails when the person gives up (Ctrl-C, Ctrl-D), and when the terminal does.
pub(crate) fn line(person: &Person, question: &str, echo: Echo) -> Result<String, CommandError> {
    let terminal = person.terminal();
    let failed = |error: &std::io::Error| {
        CommandError::failed(format!("cannot read from the terminal: {error}"))
    };
    // What was typed before the question was seen does not answer it.
    tcflush(terminal, QueueSelector::IFlush).map_err(|errno| failed(&errno.into()))?;
    let raw = Raw::on(terminal).map_err(|error| failed(&error))?;
    let typed = read(terminal, &inert(question), echo);
    drop(raw);
    typed
        .map_err(|error| failed(&error))?
        .ok_or_else(|| CommandError::failed("given up; nothing was changed"))
}

/// Reads byte by byte, so that giving up is seen at once and nothing is shown but what should be.
fn read(mut terminal: &File, question: &str, echo: Echo) -> std::io::Result<Option<String>> {
    write!(terminal, "{question}")?;
    let mut line: Vec<u8> = Vec::new();
    let whole = loop {
        let mut byte = [0];
        let [typed] = match terminal.read(&mut byte)? {
            0 => break None,
            _ => byte,
        };
        match typed {
            byte if ENTER.contains(&byte) => break Some(line),
            INTERRUPT => break None,
            END if line.is_empty() => break None,
            byte if ERASE.contains(&byte) => erase(&mut line, terminal, echo)?,
            ERASE_ALL => {
                while !line.is_empty() {
                    erase(&mut line, terminal, echo)?;
                }
            }
            byte if byte < b' ' || line.len() >= MAX_LINE => {}
            byte => {
                line.push(byte);
                if echo == Echo::Shown {
                    terminal.write_all(&[byte])?;
                }
            }
        }
    };
    writeln!(terminal)?;
    Ok(whole.and_then(|line| String::from_utf8(line).ok()))
}

/// Takes the last character away.
fn erase(line: &mut Vec<u8>, mut terminal: &File, echo: Echo) -> std::io::Result<()> {
    let is_continuation = |byte: u8| byte & 0xc0 == 0x80;
    while line.pop().is_some_and(is_continuation) {}
    if echo == Echo::Shown {
        terminal.write_all(b"\x08 \x08")?;
    }
    Ok(())
}

/// A terminal that shows nothing by itself and sends each byte at once; as before when it is dropped.
struct Raw<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Raw<'a> {
    fn on(terminal: &'a File) -> std::io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Now, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // Nobody can be told that the terminal has gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
