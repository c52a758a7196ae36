//! Who signed a component, for a person or as JSON. Names of signers and causes are a third party's words.

use crate::print::{BAD, CAUTION, FAINT, GOOD, Page};
use casemate_artifact::{Verdict, Verification};
use casemate_policy::Signer;
use casemate_runtime::{InstallPlan, SignerChange};
use serde_json::{Value, json};

/// Most signatures that do not hold of which is told why; the others are counted.
const MAX_REJECTED: usize = 3;

/// What is known of the signatures of a plan.
pub(crate) struct Signed<'p> {
    pub(crate) verification: &'p Verification,
    /// A file or a URL brings no signatures.
    pub(crate) local: bool,
    pub(crate) skipped: bool,
    pub(crate) change: Option<&'p SignerChange>,
    /// Whether what it replaces was signed by the same.
    pub(crate) known: bool,
    pub(crate) downgrade: Option<&'p str>,
}

impl<'p> Signed<'p> {
    pub(crate) fn of(plan: &'p InstallPlan) -> Self {
        let before = plan
            .previous()
            .and_then(|previous| previous.signer.as_ref());
        Self {
            verification: plan.verification(),
            local: plan.source().starts_with("file:"),
            skipped: plan.verification_skipped(),
            change: plan.signer_change(),
            known: before.is_some() && before == plan.signer(),
            downgrade: plan.downgrade(),
        }
    }

    /// For a person. A file of the person's own that nobody signed needs no word.
    pub(crate) fn page(&self) -> Page {
        let mut page = Page::default();
        if self.local
            && matches!(self.verification.verdict(), Verdict::Unsigned)
            && self.change.is_none()
        {
            return page;
        }
        page.heading("Signed by");
        self.verdict(&mut page);
        let rejected = self.verification.rejected();
        for signature in rejected.iter().take(MAX_REJECTED) {
            page.text("  ")
                .styled(CAUTION, "does not hold:")
                .text(" ")
                .word(&signature.what)
                .text(": ")
                .word(&signature.why)
                .end();
        }
        if let Some(more) = rejected
            .len()
            .checked_sub(MAX_REJECTED)
            .filter(|more| *more > 0)
        {
            page.line(&format!("  {more} more signatures do not hold"));
        }
        if let Some(change) = self.change {
            page.text("  ")
                .styled(BAD, "before it was")
                .text(" ")
                .word(&change.before.to_string())
                .end();
        }
        if let Some(why) = self.downgrade {
            page.text("  ")
                .styled(BAD, "older than what it replaces:")
                .text(" ")
                .word(why)
                .end();
        }
        page
    }

    fn verdict(&self, page: &mut Page) {
        match self.verification.verdict() {
            Verdict::Trusted { signer, rule } => {
                page.text("  ")
                    .styled(GOOD, "trusted:")
                    .text(" ")
                    .word(&signer.to_string())
                    .end();
                page.text("  ")
                    .styled(FAINT, "as trust.yaml asks for")
                    .text(" ")
                    .word(rule)
                    .end();
            }
            Verdict::Signed(signer) => {
                page.text("  ").word(&signer.to_string()).end();
                let note = match self.known {
                    true => "  the same as before; no rule of trust.yaml asks for it",
                    false => {
                        "  seen for the first time; no rule of trust.yaml says whether to rely on it"
                    }
                };
                page.styled(FAINT, note).end();
            }
            Verdict::Unsigned => {
                page.text("  ")
                    .styled(CAUTION, "unsigned:")
                    .line(" nobody says who made it");
            }
            Verdict::Warned { expected, why } => {
                page.text("  ")
                    .styled(CAUTION, "not as trust.yaml asks:")
                    .text(" ")
                    .word(why)
                    .end();
                expecting(page, expected);
                page.line("  the rule only warns");
            }
            Verdict::Refused { expected, why, .. } => {
                page.text("  ")
                    .styled(BAD, "NOT VERIFIED:")
                    .text(" ")
                    .word(why)
                    .end();
                expecting(page, expected);
            }
        }
        if self.skipped {
            page.text("  ")
                .styled(BAD, "taken all the same,")
                .line(" because of --insecure-skip-verify; the lock and the audit trail say so");
        }
    }

    /// As JSON.
    pub(crate) fn json(&self) -> Value {
        let (verdict, facts) = match self.verification.verdict() {
            Verdict::Trusted { signer, rule } => (
                "trusted",
                json!({ "signer": signer.to_string(), "rule": rule }),
            ),
            Verdict::Signed(signer) => ("signed", json!({ "signer": signer.to_string() })),
            Verdict::Unsigned => ("unsigned", json!({})),
            Verdict::Warned { expected, why } => {
                ("warned", json!({ "expected": expected, "why": why }))
            }
            Verdict::Refused {
                reason,
                expected,
                why,
            } => (
                "refused",
                json!({ "reason": reason.as_str(), "expected": expected, "why": why }),
            ),
        };
        let rejected = self.verification.rejected().iter();
        let rejected = rejected.map(|signature| {
            json!({ "what": signature.what, "reason": signature.reason.as_str(), "why": signature.why })
        });
        json!({
            "verdict": verdict,
            "facts": facts,
            "rejected": rejected.collect::<Vec<_>>(),
            "skipped": self.skipped,
            "signer_change": self.change.map(|change| json!({
                "before": change.before.to_string(),
                "now": change.now.as_ref().map(Signer::to_string),
            })),
            "downgrade": self.downgrade,
        })
    }
}

fn expecting(page: &mut Page, expected: &[String]) {
    for expected in expected {
        page.text("  expected ").word(expected).end();
    }
}
