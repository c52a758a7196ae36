//! Follows JSON text that is too large to keep, or too odd to read, for the id of the request.

use super::{Id, MAX_ID};
use rmcp::model::RequestId;

/// Longest text of an id: escapes take six bytes a character.
const MAX_TEXT: usize = 6 * MAX_ID + 2;

/// A position in JSON text. What it finds is right for valid JSON and unspecified for other text.
#[derive(Default)]
pub(crate) struct Scan {
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Below the outermost object: the value of `id` is next, or here.
    at_id: bool,
    /// A key, or the value of `id`, as text; longer text is cut and then no id.
    text: Vec<u8>,
    id: Option<RequestId>,
    values: usize,
}

impl Scan {
    /// Goes on over `bytes`.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.step(byte);
        }
    }

    /// The id of the outermost object, once the text has been fed to its end.
    pub(crate) fn id(self) -> Option<RequestId> {
        (self.depth == 0 && !self.in_string)
            .then_some(self.id)
            .flatten()
    }

    /// How many values there are, give or take a factor of two.
    pub(crate) fn values(&self) -> usize {
        self.values
    }

    fn step(&mut self, byte: u8) {
        if self.in_string {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.values += 1;
                // An id that is no scalar is none.
                self.keep(byte);
                self.depth = self.depth.saturating_add(1);
                if self.depth == 1 {
                    self.text.clear();
                }
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    self.end_value();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            b',' => {
                self.values += 1;
                if self.depth == 1 {
                    self.end_value();
                }
            }
            b':' if self.depth == 1 => {
                self.at_id = self.text == b"\"id\"";
                self.text.clear();
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            other => self.keep(other),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.text.len() <= MAX_TEXT {
            self.text.push(byte);
        }
    }

    fn end_value(&mut self) {
        if self.at_id {
            self.id = match serde_json::from_slice(&self.text) {
                Ok(Id::Valid(id)) => Some(id),
                Ok(Id::Invalid) | Err(_) => None,
            };
        }
        self.at_id = false;
        self.text.clear();
    }
}

#[cfg(test)]
mod tests;
