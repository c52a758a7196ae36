//! Places in a policy file, and what can be wrong there.

use std::fmt;

use thiserror::Error;

/// A line and a column of a policy file, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// A value and where it was written. Two are equal when their values are: where a rule stands
/// does not change what it means.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T> Located<T> {
    pub(crate) fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A value that does not mean anything: what is wrong, and what to write instead. The caller adds the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn at(self, place: Place) -> PolicyError {
        PolicyError::language(place, self.message).maybe_hint(self.hint)
    }
}

/// What kind of mistake a [`PolicyError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// The text is not the YAML that policies are written in, or exceeds its budgets.
    Syntax,
    /// A key, a value or a shape that the policy language does not have.
    Language,
    /// Part of the language, but this release cannot enforce it, so it is refused.
    NotEnforced,
    /// Two entries contradict each other.
    Conflict,
}

/// Says what is wrong with a policy file, and where.
///
/// Displays as `line 3, column 7: …`; a hint, where there is one, is for the shell to add.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct PolicyError {
    /// What kind of mistake it is.
    pub kind: PolicyErrorKind,
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// What is wrong, for a person.
    pub message: String,
    /// What to write instead, if that is clear.
    pub hint: Option<String>,
}

impl PolicyError {
    pub(crate) fn new(kind: PolicyErrorKind, place: Place, message: impl Into<String>) -> Self {
        Self {
            kind,
            line: place.line,
            column: place.column,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn language(place: Place, message: impl Into<String>) -> Self {
        Self::new(PolicyErrorKind::Language, place, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Something in a policy that is allowed to stand but does not do what one might expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, counted from 1.
    pub line: u32,
    /// The column in characters, counted from 1.
    pub column: u32,
    /// What to know, for a person.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

/// Escapes control characters of files and guests, which must not reach a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}
