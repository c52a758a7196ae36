//! How far can it be trusted, and what speaks against it? The report card.
//!
//! Six axes of 0 to 100; every point that is missing is named by a [`Finding`] of a [`Rule`], and the letter of the whole is
//! that of the worst axis. The rubric is [`RULES`], in words in `docs/report.md`.
//!
//! A report is a function of its [`ReportInput`] and of nothing else: no clock, no disk, no network, no name of a directory. The
//! same component under the same policy, with the same facts about where it came from, has the same report everywhere.
//!
//! For a grade alone, as `add` shows it, there is [`grade_of`]; whatever else is known goes into the public fields of the input:
//!
//! ```
//! use casemate_runtime::inspect::reached::Reached;
//! use casemate_runtime::inspect::{IntakeLimits, inspect};
//! use casemate_runtime::report::{Metadata, ReportInput, grade_of};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bytes = b"\0asm\x0d\0\x01\0";
//! let limits = IntakeLimits::default();
//! let component = inspect(bytes, None, &limits)?;
//! let reached = Reached::of(bytes, &component, &limits);
//! let mut input = ReportInput::new("empty", &component);
//! input.reached = Some(&reached);
//! input.metadata = Metadata::of_component(bytes);
//! println!("{}", grade_of(&input));
//! # Ok(())
//! # }
//! ```

mod documentation;
mod limits;
mod metadata;
mod provenance;
mod purpose;
mod reach;
mod rubric;
mod secrets;
mod text;

use std::collections::BTreeSet;
use std::fmt;

use casemate_policy::{Allowance, Digest, Limits, Policy, PolicyError, asked};

use crate::docs::plain_text;
use crate::inspect::InspectedComponent;
use crate::inspect::reached::Reached;

pub use self::metadata::Metadata;
pub use self::provenance::{Provenance, Signature, Source};
pub use self::purpose::{CATEGORIES, Kind, Purpose, WORDS};
pub use self::rubric::{Axis, Grade, RULES, Rule, UnknownGrade};

/// The rubric of this release. It grows by one whenever a rule or its points change, so that reports can be compared.
pub const RUBRIC: u32 = 1;

/// Longest text of a third party within a finding, in bytes.
const MAX_QUOTED: usize = 160;

/// What a report is about: everything that it looks at.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    /// What it is called: an installed name, or the name of the file without its directory.
    pub name: &'a str,
    /// What is in the bytes.
    pub component: &'a InspectedComponent,
    /// Which of its imports tools can call; `None` where nobody followed the calls, and then nothing is deducted for that.
    pub reached: Option<&'a Reached>,
    /// What the component and its manifest say of themselves.
    pub metadata: Metadata,
    /// The policy that is, or would be, in force; `None` where nothing is granted.
    pub granted: Option<&'a Policy>,
    /// What it asks for, with a word for where it does: `policy layer`, `permission section`.
    pub requested: Vec<(&'static str, &'a str)>,
    /// The limits of one call in force.
    pub limits: Limits,
    /// Where the bytes come from, and who vouches for them.
    pub provenance: Provenance,
    /// The version before, if there is one.
    pub previous: Option<&'a InspectedComponent>,
}

impl<'a> ReportInput<'a> {
    /// Describes a local file of which nothing else is known: nothing granted, the default limits.
    #[must_use]
    pub fn new(name: &'a str, component: &'a InspectedComponent) -> Self {
        Self {
            name,
            component,
            reached: None,
            metadata: Metadata::default(),
            granted: None,
            requested: Vec::new(),
            limits: Limits::default(),
            provenance: Provenance::file(),
            previous: None,
        }
    }
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The component's bytes or texts; in words.
    Component(String),
    /// Where it came from.
    Source,
    /// The limits in force, from the policy, the ceiling or the defaults.
    Limits,
    /// The policy.
    Policy {
        /// Line in the file, from 1.
        line: u32,
        /// The place in the language, as in `permissions.storage.allow[0]`.
        section: String,
    },
    /// What the component asks for.
    Request {
        /// Where it asks: `policy layer`, `permission section`.
        origin: &'static str,
        /// Line in that text, from 1; 0 for the whole.
        line: u32,
        /// The place in the language.
        section: String,
    },
}

impl Place {
    fn component() -> Self {
        Self::Component("component".to_owned())
    }

    /// The line in the policy file, where it is there.
    #[must_use]
    pub fn policy_line(&self) -> Option<u32> {
        match self {
            Self::Policy { line, .. } => Some(*line),
            Self::Component(_) | Self::Source | Self::Limits | Self::Request { .. } => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(words) => formatter.write_str(words),
            Self::Source => formatter.write_str("source"),
            Self::Limits => formatter.write_str("limits in force"),
            Self::Policy { line, section } => write!(formatter, "policy, line {line}: {section}"),
            Self::Request {
                origin, line: 0, ..
            } => formatter.write_str(origin),
            Self::Request {
                origin,
                line,
                section,
            } => write!(formatter, "{origin}, line {line}: {section}"),
        }
    }
}

/// One deduction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule: its id, axis, reason and remedy.
    pub rule: &'static Rule,
    /// What it took, at least 1.
    pub points: u32,
    /// What was found. May quote a third party, on one line, cut, and without what does not show as itself.
    pub what: String,
    /// Where.
    pub place: Place,
}

/// A graded component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    name: String,
    digest: Digest,
    bytes: u64,
    source: String,
    purpose: Purpose,
    scores: [u32; 6],
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Report {
    /// Grades a component.
    #[must_use]
    pub fn of(input: &ReportInput<'_>) -> Self {
        let purpose = Purpose::of(&input.metadata, input.component);
        let mut found = Found::default();
        let granted = input.granted.map(Policy::allowances).unwrap_or_default();
        let requests: Vec<_> = input
            .requested
            .iter()
            .map(|(origin, text)| (*origin, asked(text)))
            .collect();
        let mut origins = vec![(Origin::Policy, granted.as_slice())];
        for (origin, request) in &requests {
            match request {
                Ok(allowances) => origins.push((Origin::Request(origin), allowances)),
                Err(error) => unreadable(origin, error, &mut found),
            }
        }
        reach::judge(input, &purpose, &origins, &mut found);
        limits::judge(input, &mut found);
        provenance::judge(input, &mut found);
        secrets::judge(&origins, &mut found);
        text::judge(input, &mut found);
        documentation::judge(input, &purpose, &mut found);
        let (findings, scores) = found.deducted();
        Self {
            name: input.name.to_owned(),
            digest: *input.component.digest(),
            bytes: input.component.bytes_len(),
            source: input.provenance.source.to_string(),
            purpose,
            scores,
            findings,
            notes: found.notes,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes that it is about.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many bytes they are.
    #[must_use]
    pub fn bytes_len(&self) -> u64 {
        self.bytes
    }

    /// Where they come from: `file`, or the reference.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the component says that it is for.
    #[must_use]
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The score of an axis, 0 to 100.
    #[must_use]
    pub fn score(&self, axis: Axis) -> u32 {
        let mut axes = Axis::ALL.into_iter().zip(self.scores);
        axes.find(|(own, _)| *own == axis)
            .map_or(0, |(_, score)| score)
    }

    /// The letter of the whole: that of its worst axis.
    #[must_use]
    pub fn grade(&self) -> Grade {
        Grade::of(self.scores.into_iter().min().unwrap_or(0))
    }

    /// Every deduction, by axis, the gravest first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was looked at and took nothing, such as what cannot be told from the bytes.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// The letter of a component: [`Report::of`] without the reasons.
#[must_use]
pub fn grade_of(input: &ReportInput<'_>) -> Grade {
    Report::of(input).grade()
}

/// Whose rules are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The policy's: granted.
    Policy,
    /// Those of a request.
    Request(&'static str),
}

impl Origin {
    /// "the policy allows", "the policy layer asks for".
    fn verb(self) -> String {
        match self {
            Self::Policy => "the policy allows".to_owned(),
            Self::Request(origin) => format!("the {origin} asks for"),
        }
    }

    fn place(self, allowance: &Allowance) -> Place {
        let (line, section) = (allowance.rule.line, allowance.rule.section.clone());
        match self {
            Self::Policy => Place::Policy { line, section },
            Self::Request(origin) => Place::Request {
                origin,
                line,
                section,
            },
        }
    }
}

/// Rules with their origin.
type Origins<'a> = [(Origin, &'a [Allowance])];

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    findings: Vec<(&'static Rule, String, Place)>,
    /// What was said already, by rule and subject.
    seen: BTreeSet<(&'static str, String)>,
    notes: Vec<String>,
}

impl Found {
    fn add(&mut self, rule: &'static Rule, what: impl Into<String>, place: Place) {
        self.findings.push((rule, what.into(), place));
    }

    /// Adds what is said once of a subject: what the policy allows is not deducted for again where it is asked for too.
    fn once(&mut self, rule: &'static Rule, subject: &str, what: impl Into<String>, place: Place) {
        if self.seen.insert((rule.id, subject.to_owned())) {
            self.add(rule, what, place);
        }
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Deducts: each finding its rule's points until the rule has taken all that it may. What comes after is counted in the
    /// last finding, so that a thousand of a kind stay a few lines.
    fn deducted(&mut self) -> (Vec<Finding>, [u32; 6]) {
        let mut findings = Vec::new();
        let mut scores = [100_u32; 6];
        for (axis, score) in Axis::ALL.into_iter().zip(&mut scores) {
            let mut own = Vec::new();
            for rule in RULES.iter().filter(|rule| rule.axis == axis) {
                own.extend(self.of_rule(rule));
            }
            own.sort_by_key(|finding| std::cmp::Reverse(finding.points));
            let taken: u32 = own.iter().map(|finding| finding.points).sum();
            *score = score.saturating_sub(taken);
            findings.extend(own);
        }
        (findings, scores)
    }

    fn of_rule(&self, rule: &'static Rule) -> Vec<Finding> {
        let all = self.findings.iter().filter(|(own, ..)| own.id == rule.id);
        // Nothing depends on the order in which things were looked at.
        let mut all: Vec<(&Place, &String)> = all.map(|(_, what, place)| (place, what)).collect();
        all.sort();
        all.dedup();
        let mut left = rule.most;
        let mut found: Vec<Finding> = Vec::new();
        let mut more = 0_usize;
        for (place, what) in all {
            if left == 0 {
                more += 1;
                continue;
            }
            let points = rule.points.min(left);
            left -= points;
            found.push(Finding {
                rule,
                points,
                what: what.clone(),
                place: place.clone(),
            });
        }
        if more > 0
            && let Some(last) = found.last_mut()
        {
            last.what.push_str(&format!(" (and {more} more)"));
        }
        found
    }
}

/// A request that is no policy, whatever else is.
fn unreadable(origin: &'static str, error: &PolicyError, found: &mut Found) {
    let what = format!("the {origin} is no policy: {}", short(&error.to_string()));
    let place = Place::Request {
        origin,
        line: 0,
        section: String::new(),
    };
    found.add(&rubric::REACH_REQUEST, what, place);
}

/// A third party's text on one line, cut, without what does not show as itself.
fn short(text: &str) -> String {
    plain_text(text, MAX_QUOTED).replace('\n', " ")
}

/// The same in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text).replace('"', "'"))
}

#[cfg(test)]
mod tests;
