//! Names that people and file systems see: components, roots, tenants.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name in bytes; it becomes a file name and the prefix of tool names.
const MAX_NAME: usize = 32;

/// Says why a text is not a name.
///
/// All names share one alphabet, `^[a-z][a-z0-9-]{0,31}$`: it is safe as a file name on every
/// system, has no look-alikes, and cannot be mistaken for an option or a path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The text has no characters.
    #[error("a name cannot be empty")]
    Empty,
    /// The text is longer than 32 bytes.
    #[error("a name has at most 32 characters, this one has {0}")]
    TooLong(usize),
    /// The first character is not a lower-case letter.
    #[error("a name starts with a letter from a to z, not with {0:?}")]
    Start(char),
    /// A later character is outside the alphabet.
    #[error("a name holds only a to z, 0 to 9 and '-', not {0:?}")]
    Character(char),
}

fn check(text: &str) -> Result<(), NameError> {
    let mut characters = text.chars();
    let first = characters.next().ok_or(NameError::Empty)?;
    if text.len() > MAX_NAME {
        return Err(NameError::TooLong(text.chars().count()));
    }
    if !first.is_ascii_lowercase() {
        return Err(NameError::Start(first));
    }
    match characters.find(|character| !matches!(character, 'a'..='z' | '0'..='9' | '-')) {
        Some(character) => Err(NameError::Character(character)),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// Names an installed component: its policy file and the prefix of its tools.
    ///
    /// ```
    /// use casemate_policy::ComponentName;
    /// assert!("search-text".parse::<ComponentName>().is_ok());
    /// assert!("../../etc".parse::<ComponentName>().is_err());
    /// ```
    ComponentName
}

name_type! {
    /// Names a directory that a person binds, as in `fs://workspace/…` and `--workspace DIR`.
    RootName
}

name_type! {
    /// Names whose components, grants and records these are.
    ///
    /// A part of every key; on one person's machine there is only [`Tenant::local`].
    Tenant
}

impl Tenant {
    /// Returns the tenant of a single person's installation, `local`.
    pub fn local() -> Self {
        Self("local".to_owned())
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self::local()
    }
}

impl ComponentName {
    /// The name that a component gets after a text that somebody else chose, such as the name of its file without the
    /// ending: in lower case, with `-` for every other character. `None` where that is no name.
    pub fn after(text: &str) -> Option<Self> {
        let name: String = text
            .to_ascii_lowercase()
            .chars()
            .map(|character| match character {
                'a'..='z' | '0'..='9' => character,
                _ => '-',
            })
            .collect();
        name.trim_matches('-').parse().ok()
    }
}

#[cfg(test)]
mod tests;
