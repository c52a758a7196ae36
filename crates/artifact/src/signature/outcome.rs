//! What verification found.

use std::collections::BTreeMap;

use casemate_policy::{Reason, Signer};

/// The longest text of a rejection, in characters.
const MAX_WHY: usize = 400;

/// Which signatures of a manifest hold, and what the rules make of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub(super) verdict: Verdict,
    pub(super) verified: Vec<VerifiedSignature>,
    pub(super) rejected: Vec<RejectedSignature>,
}

/// What the trust policy makes of the signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule, and no signature that holds.
    Unsigned,
    /// No rule, and a signature that holds: who made it is known, not whether that is anybody to rely on.
    Signed(Signer),
    /// Every rule is met.
    Trusted {
        /// Whose signature met the first rule.
        signer: Signer,
        /// What that rule matches.
        rule: String,
    },
    /// A rule that only warns is not met.
    Warned {
        /// Whom it names.
        expected: Vec<String>,
        /// What is wrong.
        why: String,
    },
    /// A rule is not met: this must not be used.
    Refused {
        /// `verify.signature`, `verify.identity` or `verify.expired`.
        reason: Reason,
        /// Whom it names.
        expected: Vec<String>,
        /// What is wrong.
        why: String,
    },
}

/// How a signature came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// Under the tag `sha256-….sig`: a "simple signing" payload.
    Legacy,
    /// A Sigstore bundle that refers to the manifest.
    Bundle,
}

impl SignatureForm {
    /// The word for it: `legacy` or `bundle`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Bundle => "bundle",
        }
    }
}

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedSignature {
    /// Who made it.
    pub signer: Signer,
    /// What was signed beside the digest.
    pub annotations: BTreeMap<String, String>,
    /// When it was there at the latest, in seconds since 1970: the earliest time that a log or a timestamp authority of the
    /// trust root vouches for. `None` without such: what a signer says of the time himself is not believed.
    pub time: Option<u64>,
    /// How it came.
    pub form: SignatureForm,
}

/// A signature that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedSignature {
    /// Which one.
    pub what: String,
    /// The stable word for it.
    pub reason: Reason,
    /// What is wrong with it, for a person; without control characters.
    pub why: String,
}

impl Verification {
    /// Nothing was there to verify, and no rule can be about it: a file of this machine.
    pub fn nothing() -> Self {
        Self {
            verdict: Verdict::Unsigned,
            verified: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// What the rules make of it.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The signatures that hold.
    pub fn verified(&self) -> &[VerifiedSignature] {
        &self.verified
    }

    /// Those that do not, and why.
    pub fn rejected(&self) -> &[RejectedSignature] {
        &self.rejected
    }

    /// The signer to show and to remember: whoever met the rule, or the first whose signature holds.
    pub fn signer(&self) -> Option<&Signer> {
        match &self.verdict {
            Verdict::Trusted { signer, .. } | Verdict::Signed(signer) => Some(signer),
            Verdict::Unsigned | Verdict::Warned { .. } | Verdict::Refused { .. } => {
                self.verified.first().map(|signature| &signature.signer)
            }
        }
    }

    /// Tells whether a signature of this signer holds, among others or not: a registry chooses their order.
    pub fn is_signed_by(&self, signer: &Signer) -> bool {
        self.verified
            .iter()
            .any(|signature| signature.signer == *signer)
    }

    /// The earliest proven time of a signature of this signer, in seconds since 1970.
    pub fn signed_at(&self, signer: &Signer) -> Option<u64> {
        let own = self
            .verified
            .iter()
            .filter(|signature| signature.signer == *signer);
        own.filter_map(|signature| signature.time).min()
    }

    /// The word of the refusal, if a rule that requires a signature is not met.
    pub fn refusal(&self) -> Option<Reason> {
        match &self.verdict {
            Verdict::Refused { reason, .. } => Some(*reason),
            Verdict::Unsigned
            | Verdict::Signed(_)
            | Verdict::Trusted { .. }
            | Verdict::Warned { .. } => None,
        }
    }
}

/// Why one signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejection {
    reason: Reason,
    why: String,
}

impl Rejection {
    pub(super) fn new(reason: Reason, why: impl AsRef<str>) -> Self {
        Self {
            reason,
            why: plain(why.as_ref()),
        }
    }

    /// A signature that is missing what it needs, or is wrong.
    pub(super) fn wrong(why: impl AsRef<str>) -> Self {
        Self::new(Reason::VerifySignature, why)
    }

    pub(super) fn of(self, what: String) -> RejectedSignature {
        RejectedSignature {
            what,
            reason: self.reason,
            why: self.why,
        }
    }
}

/// One line of bounded length without control characters: causes quote what strangers wrote.
pub(super) fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .map(|character| match character {
            character if character.is_control() => ' ',
            character => character,
        })
        .take(MAX_WHY)
        .collect();
    if text.chars().nth(MAX_WHY).is_some() {
        plain.push('…');
    }
    plain
}
