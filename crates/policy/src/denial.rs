//! The two answers to a request, and the words that explain them.

use std::fmt;

use crate::environment::EnvironmentValue;
use crate::error::{Place, printable};
use crate::mode::{ClockMode, RandomMode};
use crate::name::RootName;
use crate::reason::Reason;

/// Whose rule it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The person's policy of the component.
    Policy,
    /// The organisation's ceiling.
    Ceiling,
    /// What holds where neither says anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Policy => "policy",
            Self::Ceiling => "ceiling",
            Self::Default => "default",
        })
    }
}

/// Points to a rule for a person to find.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RuleRef {
    /// Whose rule it is.
    pub origin: Origin,
    /// The tool that it narrows, by its name under `tools` in the policy; `None` for a rule of the whole component.
    pub tool: Option<String>,
    /// Where in the language it stands, as in `permissions.storage.allow[0]`.
    pub section: String,
    /// The line in its file, counted from 1; 0 for a default, which stands in no file.
    pub line: u32,
    /// The column in its file, counted from 1; 0 for a default.
    pub column: u32,
    /// What it says, shortened to one line; never the value of a variable.
    pub text: String,
}

impl RuleRef {
    pub(crate) fn new(origin: Origin, section: String, place: Place, text: String) -> Self {
        Self {
            origin,
            tool: None,
            section,
            line: place.line,
            column: place.column,
            text,
        }
    }

    pub(crate) fn default_of(section: &str, text: String) -> Self {
        Self {
            origin: Origin::Default,
            tool: None,
            section: section.to_owned(),
            line: 0,
            column: 0,
            text,
        }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            Origin::Default => write!(formatter, "{} (default of {})", self.text, self.section),
            Origin::Policy | Origin::Ceiling => {
                write!(
                    formatter,
                    "{} ({}, line {}: {})",
                    self.text, self.origin, self.line, self.section
                )
            }
        }
    }
}

/// What a permit gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted<'g> {
    /// The use of the path.
    Storage,
    /// The link or move.
    Link,
    /// The request; each connection that it needs is asked about on its own.
    Request,
    /// The connection.
    Connect,
    /// The lookup; each connection to what it finds is asked about on its own.
    Lookup,
    /// A TCP socket; each connection is asked about on its own.
    Socket,
    /// The variable, with this value.
    Environment(&'g EnvironmentValue),
    /// The clock, showing this much.
    Clock(ClockMode),
    /// Random numbers of this kind.
    Random(RandomMode),
}

/// Proof that a grant allows an operation; only [`crate::Grant::decide`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a permit is the proof that the act needs"]
pub struct Permit<'g> {
    granted: Permitted<'g>,
    rule: Option<&'g RuleRef>,
}

impl<'g> Permit<'g> {
    pub(crate) fn new(granted: Permitted<'g>, rule: Option<&'g RuleRef>) -> Self {
        Self { granted, rule }
    }

    /// Returns what is given.
    pub fn granted(&self) -> &Permitted<'g> {
        &self.granted
    }

    /// Returns the rule that allows it.
    pub fn rule(&self) -> Option<&'g RuleRef> {
        self.rule
    }
}

/// What would change a denial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The arguments of `casemate grant NAME`, as in `["read", "fs://workspace/x"]`.
    Grant(Vec<String>),
    /// Binding this root to a directory.
    BindRoot(RootName),
    /// Only whoever keeps the organisation's ceiling can change it.
    Ceiling,
    /// Other rules for the tool of this name under `tools` in the policy.
    Tool(String),
    /// Another `clocks` in the policy.
    Clocks,
    /// Another `random` in the policy.
    Random,
    /// This method among the `methods` of the rule that the denial names.
    Methods(String),
    /// A pattern for the path among the `paths` of the rule that the denial names.
    Paths,
    /// An entry like the rule that the denial names, with this `cidr`, as in `10.1.0.5/32`.
    Range(String),
    /// Nothing in this release; the text names what is missing, as in `raw sockets`.
    NotInThisRelease(&'static str),
}

impl fmt::Display for Remedy {
    /// Writes what to do, with NAME for the component.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(arguments) => {
                formatter.write_str("casemate grant NAME")?;
                arguments
                    .iter()
                    .try_for_each(|argument| write!(formatter, " {}", shell_word(argument)))
            }
            Self::BindRoot(root) if root.as_str() == "workspace" => {
                formatter.write_str("start with --workspace DIR")
            }
            Self::BindRoot(root) => write!(formatter, "start with --root {root}=DIR"),
            Self::Ceiling => formatter.write_str("ask whoever keeps the ceiling"),
            Self::Tool(name) => write!(
                formatter,
                "change what stands under tools: {name:?} in the policy"
            ),
            Self::Clocks => {
                formatter.write_str("write clocks: frozen (or coarse, or full) under permissions")
            }
            Self::Random => formatter.write_str("write random: secure under permissions"),
            Self::Methods(method) => write!(formatter, "add {method} to the methods of that rule"),
            Self::Paths => formatter.write_str("add a pattern for it to the paths of that rule"),
            Self::Range(range) => {
                write!(formatter, "add a copy of that rule with cidr: \"{range}\"")
            }
            Self::NotInThisRelease(what) => {
                write!(formatter, "not in this release: {what}")
            }
        }
    }
}

/// Quotes an argument for a POSIX shell where it needs quoting; a path can hold anything.
fn shell_word(argument: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:@%+,".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// The longest subject in characters, for what a guest can make as long as it likes.
const MAX_SUBJECT: usize = 512;

/// Makes a subject of a guest's text: control characters escaped, and cut where it is too long.
pub(crate) fn bounded(text: &str) -> String {
    let head = match text.char_indices().nth(MAX_SUBJECT) {
        None => return printable(text),
        Some((end, _)) => text.get(..end).unwrap_or_default(),
    };
    format!("{}…", printable(head))
}

/// A refusal: a stable reason, and for a person why and what would change it. Displays as the explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial(Box<Content>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    reason: Reason,
    subject: String,
    explanation: String,
    rule: Option<RuleRef>,
    remedy: Option<Remedy>,
}

impl Denial {
    pub(crate) fn new(reason: Reason, subject: String, explanation: String) -> Self {
        Self(Box::new(Content {
            reason,
            subject,
            explanation,
            rule: None,
            remedy: None,
        }))
    }

    pub(crate) fn rule_is(mut self, rule: Option<&RuleRef>) -> Self {
        self.0.rule = rule.cloned();
        self
    }

    pub(crate) fn remedy_is(mut self, remedy: Option<Remedy>) -> Self {
        self.0.remedy = remedy;
        self
    }

    /// Returns the stable reason.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Returns what was asked for, as in `storage read /workspace/x`; control characters are escaped.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Returns why, in a sentence for a person.
    pub fn explanation(&self) -> &str {
        &self.0.explanation
    }

    /// Returns the rule that denies it, or that allows it but is not enough.
    pub fn rule(&self) -> Option<&RuleRef> {
        self.0.rule.as_ref()
    }

    /// Returns what would change it.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.0.remedy.as_ref()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.explanation)
    }
}

impl std::error::Error for Denial {}

/// A decision in words: what was asked, the verdict, the rule behind it and what would change it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the operation is allowed.
    pub allowed: bool,
    /// What was asked for; control characters are escaped.
    pub subject: String,
    /// The stable reason of a denial.
    pub reason: Option<Reason>,
    /// Why, in a sentence.
    pub sentence: String,
    /// The rule behind the decision.
    pub rule: Option<RuleRef>,
    /// What would change a denial.
    pub remedy: Option<Remedy>,
}

impl From<Denial> for Explanation {
    /// Explains a denial that came without a decision, as from [`crate::HttpTarget::parse`].
    fn from(denial: Denial) -> Self {
        let content = *denial.0;
        Self {
            allowed: false,
            subject: content.subject,
            reason: Some(content.reason),
            sentence: content.explanation,
            rule: content.rule,
            remedy: content.remedy,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        write!(formatter, "{verdict}: {}", self.subject)?;
        if let Some(reason) = self.reason {
            write!(formatter, " ({reason})")?;
        }
        write!(formatter, "\n  why: {}", self.sentence)?;
        if let Some(rule) = &self.rule {
            write!(formatter, "\n  rule: {rule}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(formatter, "\n  to change it: {remedy}")?;
        }
        Ok(())
    }
}
