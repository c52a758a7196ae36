//! Whether signatures meet the rules.

use std::fmt;

use super::{
    Accepted, Enforcement, KeySource, Rule, Signature, Signer, SubjectName, TrustRules, Who,
};
use crate::identity::Digest;
use crate::reason::Reason;

/// What the rules say of an artifact with these signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustJudgement {
    /// No rule is for this repository.
    NoRule,
    /// Every rule for it is met.
    Trusted {
        /// Whose signature met the first of them.
        signer: Signer,
        /// What that rule matches.
        rule: String,
    },
    /// A rule that only warns is not met; those that require are.
    Warned {
        /// Whom the rule names.
        expected: Vec<String>,
        /// What is wrong, for a person.
        why: String,
    },
    /// A rule is not met.
    Refused {
        /// `verify.signature`, `verify.identity` or `verify.expired`.
        reason: Reason,
        /// Whom the rule names.
        expected: Vec<String>,
        /// What is wrong, for a person.
        why: String,
    },
}

impl TrustRules {
    /// Tells whether a rule is for this repository: `registry[:port]/repository`, or host and path of an `https` source.
    pub fn concern(&self, repository: &str) -> bool {
        self.rules.iter().any(|rule| rule.place.matches(repository))
    }

    /// Tells whether a rule names this key, for whatever repository.
    pub fn know(&self, key: &Digest) -> bool {
        let mut signers = self.rules.iter().flat_map(|rule| &rule.signers);
        signers.any(|accepted| matches!(&accepted.who, Who::Key((known, _)) if known == key))
    }

    /// Judges an artifact of `repository` by its verified signatures; `rejected` says why others do not hold.
    ///
    /// Every rule for the repository has to be met, each by one signature that meets all of one of its entries.
    pub fn judge(
        &self,
        repository: &str,
        verified: &[Signature],
        rejected: &[Reason],
    ) -> TrustJudgement {
        let mut met: Option<(&Signature, &TrustRule)> = None;
        let mut warned = None;
        for rule in self
            .rules
            .iter()
            .filter(|rule| rule.place.matches(repository))
        {
            match (rule.met_by(verified), rule.verification) {
                (Some(signature), _) => met = met.or(Some((signature, rule))),
                (None, Enforcement::Require) => {
                    let reason = missing(verified, rejected);
                    return TrustJudgement::Refused {
                        reason,
                        expected: rule.expected(),
                        why: rule.complaint(verified, rejected),
                    };
                }
                (None, Enforcement::Warn) => warned = warned.or(Some(rule)),
            }
        }
        match (warned, met) {
            (Some(rule), _) => TrustJudgement::Warned {
                expected: rule.expected(),
                why: rule.complaint(verified, rejected),
            },
            (None, Some((signature, rule))) => TrustJudgement::Trusted {
                signer: signature.signer.clone(),
                rule: rule.place.to_string(),
            },
            (None, None) => TrustJudgement::NoRule,
        }
    }
}

type TrustRule = Rule<(Digest, KeySource)>;

impl TrustRule {
    /// One signature meets all of one entry; two never complete each other.
    fn met_by<'s>(&self, verified: &'s [Signature]) -> Option<&'s Signature> {
        verified
            .iter()
            .find(|signature| self.signers.iter().any(|accepted| accepted.fits(signature)))
    }

    fn expected(&self) -> Vec<String> {
        self.signers.iter().map(ToString::to_string).collect()
    }

    fn complaint(&self, verified: &[Signature], rejected: &[Reason]) -> String {
        let rule = &self.place;
        if let Some(signature) = verified.first() {
            let unlike = self
                .signers
                .iter()
                .any(|accepted| accepted.names(signature));
            let signer = &signature.signer;
            return if unlike {
                format!(
                    "it is signed by {signer} without the annotations that the rule for {rule} asks for"
                )
            } else {
                format!("it is signed by {signer}, whom the rule for {rule} does not name")
            };
        }
        match rejected.len() {
            0 => format!("it is not signed, and the rule for {rule} asks for a signature"),
            1 => format!(
                "its signature does not hold, and the rule for {rule} asks for one that does"
            ),
            many => format!(
                "none of its {many} signatures holds, and the rule for {rule} asks for one that does"
            ),
        }
    }
}

fn missing(verified: &[Signature], rejected: &[Reason]) -> Reason {
    if !verified.is_empty() {
        Reason::VerifyIdentity
    } else if rejected.contains(&Reason::VerifyExpired) {
        Reason::VerifyExpired
    } else if !rejected.is_empty()
        && rejected
            .iter()
            .all(|reason| *reason == Reason::VerifyIdentity)
    {
        Reason::VerifyIdentity
    } else {
        Reason::VerifySignature
    }
}

impl Accepted<(Digest, KeySource)> {
    fn fits(&self, signature: &Signature) -> bool {
        self.names(signature)
            && self
                .annotations
                .iter()
                .all(|(key, value)| signature.annotations.get(key) == Some(value))
    }

    fn names(&self, signature: &Signature) -> bool {
        match (&self.who, &signature.signer) {
            (Who::Key((key, _)), Signer::Key { fingerprint }) => key == fingerprint,
            (
                Who::Uri { san, issuer },
                Signer::Identity {
                    san: SubjectName::Uri(uri),
                    issuer: by,
                },
            ) => san.matches(uri) && issuer == by,
            (
                Who::Email { san, issuer },
                Signer::Identity {
                    san: SubjectName::Email(email),
                    issuer: by,
                },
            ) => san.matches(email) && issuer == by,
            (
                Who::Key(_) | Who::Uri { .. } | Who::Email { .. },
                Signer::Key { .. } | Signer::Identity { .. },
            ) => false,
        }
    }
}

impl fmt::Display for Accepted<(Digest, KeySource)> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Who::Key((fingerprint, source)) => write!(formatter, "key {fingerprint} ({source})")?,
            Who::Uri { san, issuer } => write!(formatter, "uri {san} issuer {issuer}")?,
            Who::Email { san, issuer } => write!(formatter, "email {san} issuer {issuer}")?,
        }
        for (key, value) in &self.annotations {
            write!(formatter, ", annotation {key}={value}")?;
        }
        Ok(())
    }
}
