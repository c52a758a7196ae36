//! Changes to a policy's text that keep its comments and layout.
//!
//! A change is made twice: on the typed policy, which says what shall come out, and on the text, line by line. Only
//! a text that reads back as exactly the intended policy is returned; where the layout does not allow a safe change, the
//! person is asked to edit by hand.

mod adopt;
mod change;
mod draft;
mod layout;
mod target;

use thiserror::Error;

pub use self::adopt::adopt;
use self::draft::Draft;
use self::layout::ByHand;
use crate::error::{PolicyError, Refusal};

/// One permission, as a person names it on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Reading what a storage URI names.
    Read(String),
    /// Writing what a storage URI names.
    Write(String),
    /// Making symbolic links at what a storage URI names; to make one, that place has to be writable too.
    Symlink(String),
    /// Requests to `HOST[:PORT]` over https, or to `http://HOST[:PORT]`; or raw connections to `tcp://HOST:PORT`. To block
    /// `HOST` denies it whatever the scheme and port, raw connections included.
    Network(String),
    /// The environment variable of this key, with the server's value.
    Environment(String),
}

/// A change to a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEdit {
    /// Adds what allows the permission, unless something does already.
    Grant(Permission),
    /// Removes what allows exactly this permission.
    Revoke(Permission),
    /// Adds what denies the permission.
    Block(Permission),
    /// Sets a limit, by its key in `permissions.resources.limits`.
    Limit {
        /// The limit's key.
        key: String,
        /// The amount as policies write it.
        value: String,
    },
}

/// A changed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// The rule that was written, removed or found to be there already, as YAML.
    pub rule: String,
    /// Whether the text differs from the one before.
    pub changed: bool,
}

/// Says why a policy was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EditError {
    /// The file as it is does not load, so nothing is changed in it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What was asked for is not part of the policy language, or not enforced by this release.
    #[error("{message}")]
    Refused {
        /// What is wrong with it.
        message: String,
        /// What to write instead, if that is clear.
        hint: Option<String>,
    },
    /// A deny rule stands against it, and deny wins.
    #[error("line {line} denies it ({rule}), and deny wins: remove that entry by hand first")]
    Blocked {
        /// The line of the deny rule.
        line: u32,
        /// What it says.
        rule: String,
    },
    /// Another rule would still allow it.
    #[error("line {line} still allows it ({rule}): revoke or narrow that rule")]
    StillGranted {
        /// The line of the other rule.
        line: u32,
        /// What it says.
        rule: String,
    },
    /// The layout of the file does not allow a safe change.
    #[error("line {line}: {reason}; change the file by hand")]
    ByHand {
        /// The line that stands in the way.
        line: u32,
        /// Why.
        reason: &'static str,
    },
}

impl EditError {
    /// Returns what to write instead, if that is clear.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Policy(error) => error.hint.as_deref(),
            Self::Refused { hint, .. } => hint.as_deref(),
            Self::Blocked { .. } | Self::StillGranted { .. } | Self::ByHand { .. } => None,
        }
    }
}

impl From<Refusal> for EditError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused {
            message: refusal.message,
            hint: refusal.hint,
        }
    }
}

impl From<ByHand> for EditError {
    fn from(by_hand: ByHand) -> Self {
        Self::ByHand {
            line: by_hand.line,
            reason: by_hand.reason,
        }
    }
}

/// Applies a change to a policy's text; an empty text is a policy that allows nothing.
///
/// ```
/// use casemate_policy::{Permission, PolicyEdit, edit};
///
/// let text = "# mine\nversion: \"1.0\"  # the first\n";
/// let grant = PolicyEdit::Grant(Permission::Environment("REGION".to_owned()));
/// let edited = edit(text, &grant)?;
/// assert_eq!(edited.text, "# mine\nversion: \"1.0\"  # the first\npermissions:\n  environment:\n    allow:\n      - key: \"REGION\"\n");
/// assert!(!edit(&edited.text, &grant)?.changed);
/// # Ok::<(), casemate_policy::EditError>(())
/// ```
///
/// # Errors
/// If the text does not load, if the change means nothing or is not enforced, if other rules stand against it, or if the
/// layout does not allow it. The text is then as it was.
pub fn edit(text: &str, edit: &PolicyEdit) -> Result<Edited, EditError> {
    let mut draft = Draft::open(text)?;
    let rule = match edit {
        PolicyEdit::Grant(permission) => change::grant(&mut draft, permission)?,
        PolicyEdit::Revoke(permission) => change::revoke(&mut draft, permission)?,
        PolicyEdit::Block(permission) => change::block(&mut draft, permission)?,
        PolicyEdit::Limit { key, value } => change::limit(&mut draft, key, value)?,
    };
    let changed = draft.text != text;
    Ok(Edited {
        text: draft.text,
        rule,
        changed,
    })
}

#[cfg(test)]
mod tests;
