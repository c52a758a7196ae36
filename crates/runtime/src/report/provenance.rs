//! Where do the bytes come from, and who vouches for them?

use std::fmt;

use super::rubric;
use super::{Found, Place, ReportInput, short};

/// What is known of where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Where they were fetched.
    pub source: Source,
    /// Who signed them.
    pub signature: Signature,
    /// Whether these bytes and no others are meant: a digest in the reference, or an entry of the lock.
    pub pinned: bool,
    /// Whether the person had verification skipped.
    pub skipped: bool,
}

/// Where the bytes were fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine. Its directory is no part of a report.
    File,
    /// A server, without signatures: the reference.
    Https(String),
    /// A registry: the reference.
    Registry(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => formatter.write_str("file"),
            Self::Https(reference) | Self::Registry(reference) => {
                formatter.write_str(&short(reference))
            }
        }
    }
}

/// Who signed them, as the trust policy of this home judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Nobody, and no rule asks for anybody.
    None,
    /// Somebody whom no rule names.
    Untrusted {
        /// The signer.
        signer: String,
    },
    /// Somebody whom a rule names.
    Trusted {
        /// The signer.
        signer: String,
        /// The rule.
        rule: String,
    },
    /// Not who a rule asks for, which merely warns.
    Warned {
        /// Why it does not meet the rule.
        why: String,
    },
    /// Not who a rule asks for.
    Refused {
        /// Why it does not meet the rule.
        why: String,
    },
}

impl Provenance {
    /// A local file.
    #[must_use]
    pub fn file() -> Self {
        Self {
            source: Source::File,
            signature: Signature::None,
            pinned: false,
            skipped: false,
        }
    }
}

pub(super) fn judge(input: &ReportInput<'_>, found: &mut Found) {
    let Provenance {
        source,
        signature,
        pinned,
        skipped,
    } = &input.provenance;
    let mut add = |rule, what: String| found.add(rule, what, Place::Source);
    if *skipped {
        add(
            &rubric::PROVENANCE_SKIPPED,
            "installed with --insecure-skip-verify".to_owned(),
        );
    }
    let remote = match source {
        // Neither a signature nor a digest is looked for: whoever can change the file can change them.
        Source::File => {
            add(
                &rubric::PROVENANCE_FILE,
                "a local file, which nobody vouches for".to_owned(),
            );
            false
        }
        Source::Https(_) | Source::Registry(_) => true,
    };
    match signature {
        // Said already by what is graver.
        Signature::None if *skipped || !remote => {}
        Signature::None => add(
            &rubric::PROVENANCE_UNSIGNED,
            match source {
                Source::Registry(_) => "no signature is attached to it".to_owned(),
                Source::File | Source::Https(_) => {
                    "fetched from a server, where nothing is signed".to_owned()
                }
            },
        ),
        Signature::Untrusted { signer } => add(
            &rubric::PROVENANCE_UNTRUSTED,
            format!("signed by {}, whom no rule names", short(signer)),
        ),
        Signature::Trusted { .. } => {}
        Signature::Warned { why } => add(&rubric::PROVENANCE_WARNED, short(why)),
        Signature::Refused { why } => add(&rubric::PROVENANCE_REFUSED, short(why)),
    }
    if remote && !pinned {
        add(
            &rubric::PROVENANCE_UNPINNED,
            "the reference has no digest".to_owned(),
        );
    }
    if matches!(source, Source::Registry(_)) && input.metadata.version.is_none() {
        add(
            &rubric::PROVENANCE_VERSION,
            "neither the manifest nor the component says a version".to_owned(),
        );
    }
    if let Signature::Trusted { signer, rule } = signature {
        found.note(format!(
            "signed by {}, as the rule {} asks for",
            short(signer),
            short(rule)
        ));
    }
}
