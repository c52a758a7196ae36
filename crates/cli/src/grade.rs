//! The grade of what is about to be installed, and the facts that it shares with the report of what is.

use crate::print::Page;
use crate::report::style;
use crate::settings::Settings;
use casemate_artifact::{Reference, Verdict};
use casemate_policy::{Admission, ArtifactIdentity, Digest, Limits, Policy, Tenant};
use casemate_runtime::InstallPlan;
use casemate_runtime::inspect::IntakeLimits;
use casemate_runtime::inspect::reached::Reached;
use casemate_runtime::report::{
    Axis, Grade, Metadata, Provenance, Report, ReportInput, Signature, Source,
};
use casemate_runtime::requested::RequestOrigin;
use std::collections::BTreeSet;

/// Findings that are named beside a grade; `casemate report` names all.
const MAX_NAMED: usize = 3;

/// Grades what a plan would install, under `granted`, the policy that it would have.
pub(crate) fn of_plan(
    settings: &Settings,
    plan: &InstallPlan,
    granted: Option<&Policy>,
    ceiling: Option<&Policy>,
) -> Report {
    let component = plan.inspected();
    let reached = Reached::of(plan.bytes(), component, &IntakeLimits::default());
    let metadata = Metadata::of_component(plan.bytes());
    let mut input = ReportInput::new(plan.name().as_str(), component);
    input.reached = Some(&reached);
    input.metadata = match plan.package() {
        Some(package) => metadata.with_annotations(package.annotations()),
        None => metadata,
    };
    input.granted = granted;
    let requests = plan.requests().iter();
    input.requested = requests
        .map(|request| (where_asked(request.origin), request.text.as_str()))
        .collect();
    input.limits = limits_of(granted.unwrap_or(&Policy::empty()), ceiling);
    // What is about to be installed is pinned by its entry in the lock.
    if let Ok(reference) = Reference::parse(plan.source(), &settings.base) {
        input.provenance = provenance(&reference, plan.verification().verdict());
        input.provenance.pinned = true;
    }
    input.provenance.skipped = plan.verification_skipped();
    let previous = plan.previous();
    input.previous = previous.and_then(|previous| previous.inspected.as_deref());
    Report::of(&input)
}

/// One line with the letter, and the gravest of what is below an A.
pub(crate) fn page(report: &Report) -> Page {
    let grade = report.grade();
    let mut page = Page::default();
    page.heading("Grade");
    page.text("  ").styled(style(grade), grade.as_str());
    let low = Axis::ALL.into_iter().filter_map(|axis| {
        let score = report.score(axis);
        (Grade::of(score) > Grade::A).then(|| format!("{} {score}", axis.as_str()))
    });
    let low: Vec<String> = low.collect();
    if !low.is_empty() {
        page.text(&format!("  ({} of 100)", low.join(", ")));
    }
    page.end();
    let mut findings: Vec<_> = report.findings().iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.points));
    for finding in findings.iter().take(MAX_NAMED) {
        page.text(&format!("  -{:<3}", finding.points))
            .word(&finding.what)
            .text("  ")
            .text(finding.rule.id)
            .end();
    }
    if let Some(more) = findings
        .len()
        .checked_sub(MAX_NAMED)
        .filter(|more| *more > 0)
    {
        page.line(&format!("  and {more} more: casemate report"));
    }
    page
}

/// Where bytes come from and who vouches for them, as a report sees it.
pub(crate) fn provenance(reference: &Reference, verdict: &Verdict) -> Provenance {
    let (source, pinned) = match reference {
        Reference::File(_) => return Provenance::file(),
        Reference::Https(https) => (
            Source::Https(reference.to_string()),
            https.digest().is_some(),
        ),
        Reference::Oci(oci) => (
            Source::Registry(reference.to_string()),
            oci.digest().is_some(),
        ),
        other => (Source::Registry(other.to_string()), false),
    };
    let signature = match verdict {
        Verdict::Unsigned => Signature::None,
        Verdict::Signed(signer) => Signature::Untrusted {
            signer: signer.to_string(),
        },
        Verdict::Trusted { signer, rule } => Signature::Trusted {
            signer: signer.to_string(),
            rule: rule.clone(),
        },
        Verdict::Warned { why, .. } => Signature::Warned { why: why.clone() },
        Verdict::Refused { why, .. } => Signature::Refused { why: why.clone() },
    };
    Provenance {
        source,
        signature,
        pinned,
        skipped: false,
    }
}

/// The limits that follow from a policy under a ceiling.
pub(crate) fn limits_of(policy: &Policy, ceiling: Option<&Policy>) -> Limits {
    let nobody = ArtifactIdentity::new(Digest::from_bytes([0; 32]), String::new(), None);
    let admission = Admission {
        ceiling,
        strict: false,
        bound_roots: &BTreeSet::new(),
        tenant: Tenant::local(),
    };
    *policy.admit(&nobody, &admission).limits()
}

/// Where a request stands, for sentences.
pub(crate) fn where_asked(origin: RequestOrigin) -> &'static str {
    match origin {
        RequestOrigin::Layer => "policy layer",
        RequestOrigin::Section => "permission section",
    }
}
