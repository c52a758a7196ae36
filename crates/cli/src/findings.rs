//! What was proved from a component's bytes beside its tools: reach, text, memory, requests, signatures.

use crate::inspection::size;
use crate::print::{BAD, CAUTION, FAINT, GOOD, Page, inert};
use casemate_artifact::{Package, Verdict, Verification};
use casemate_policy::consent::Statement;
use casemate_policy::{Digest, Policy, widens};
use casemate_runtime::inspect::InspectedComponent;
use casemate_runtime::inspect::reached::{Reachability, Reached};
use casemate_runtime::requested::Requested;
use casemate_runtime::text::{self, MAX_FINDINGS, TextFinding};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Most findings in texts that are shown to a person at once.
const MAX_SHOWN: usize = 12;

/// Whether tools can call what a capability is about, for a person; `None` where only types of it are imported.
pub(crate) fn reach_in_words(reach: Option<&Reachability>) -> String {
    match reach {
        None => "only its types are imported".to_owned(),
        Some(Reachability::Reachable) => "its tools can call it".to_owned(),
        Some(Reachability::Unreachable) => "imported, but no tool can call it".to_owned(),
        Some(Reachability::CannotTell { why }) => format!("cannot tell: {why}"),
    }
}

/// What a person should read first: in what a model is shown, and in the annotations of the artifact that it came in.
pub(crate) fn all_texts(
    component: &InspectedComponent,
    package: Option<&Package>,
) -> Vec<TextFinding> {
    let mut findings = component.text_findings().to_vec();
    for (key, value) in package.into_iter().flat_map(Package::annotations) {
        let found = text::of_text(&format!("annotation {}", inert(key)), value);
        // Addresses of sources and documents are what these annotations are for.
        let is_meant = |one: &TextFinding| {
            one.rule == "text.url" && key.starts_with("org.opencontainers.image.")
        };
        findings.extend(found.into_iter().filter(|one| !is_meant(one)));
    }
    findings.truncate(MAX_FINDINGS);
    findings
}

/// Reach as JSON.
pub(crate) fn reach_json(reached: &Reached) -> Value {
    let why = |reach: &Reachability| match reach {
        Reachability::CannotTell { why } => Some(why.clone()),
        Reachability::Reachable | Reachability::Unreachable => None,
    };
    let capabilities: Vec<Value> = reached
        .capabilities()
        .iter()
        .map(|one| {
            json!({
                "capability": one.capability.as_str(),
                "reached": one.reach.as_str(),
                "why": why(&one.reach),
                "functions": one.imported,
                "reachable": one.reachable,
            })
        })
        .collect();
    let functions: Vec<Value> = reached
        .functions()
        .iter()
        .map(|one| {
            json!({
                "interface": one.interface,
                "function": one.function,
                "capability": one.capability.as_str(),
                "reached": one.reach.as_str(),
            })
        })
        .collect();
    json!({ "capabilities": capabilities, "functions": functions })
}

/// What the names and descriptions hold that a person should read first.
pub(crate) fn texts(page: &mut Page, findings: &[TextFinding]) {
    if findings.is_empty() {
        return;
    }
    page.end()
        .heading(&format!("Read its texts first ({})", findings.len()));
    for finding in findings.iter().take(MAX_SHOWN) {
        page.text("  ")
            .styled(CAUTION, finding.rule)
            .text("  ")
            .word(&finding.place)
            .text(": ")
            .word(&finding.what)
            .end();
    }
    if let Some(more) = findings.len().checked_sub(MAX_SHOWN + 1) {
        page.line(&format!("  and {} more: --json", more + 1));
    }
}

pub(crate) fn texts_json(findings: &[TextFinding]) -> Vec<Value> {
    let findings = findings.iter();
    findings
        .map(|one| json!({ "rule": one.rule, "place": one.place, "what": one.what }))
        .collect()
}

/// How much code and memory there is, and what made it.
pub(crate) fn code(page: &mut Page, component: &InspectedComponent) {
    let code = component.code();
    if code.modules == 0 {
        return;
    }
    page.end().heading("Code");
    page.line(&format!(
        "  {} in {}, {}; the largest {}",
        counted(code.functions, "function"),
        counted(code.modules, "module"),
        size(code.code_bytes),
        size(code.largest_function),
    ));
    for memory in &code.memories {
        let most = match memory.max_bytes {
            Some(most) => format!("at most {}", size(most)),
            None => "no maximum of its own".to_owned(),
        };
        page.line(&format!(
            "  memory: {} from the start, {most}",
            size(memory.min_bytes)
        ));
    }
    let made: Vec<String> = component
        .producers()
        .iter()
        .map(|one| format!("{} {}", one.name, one.version).trim().to_owned())
        .collect();
    if !made.is_empty() {
        page.text("  made with ").word(&made.join(", ")).end();
    }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// What is asked for, what is granted, and what was granted to the version before.
pub(crate) struct Permissions<'p> {
    pub(crate) requests: &'p [Requested],
    /// What the policy file of the installed component says; `None` where it is not installed.
    pub(crate) granted: Option<Policy>,
    pub(crate) ceiling: Option<Policy>,
    /// The version before it, and what it was granted.
    pub(crate) before: Option<(Digest, Policy)>,
}

/// One rule, and who has it.
struct Row {
    statement: Statement,
    requested: bool,
    granted: bool,
    /// The ceiling takes it away, in whole or in part.
    narrowed: bool,
    before: bool,
}

impl Permissions<'_> {
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let requested = self
            .requests
            .iter()
            .filter_map(|request| request.policy.as_ref().ok());
        for policy in requested {
            self.add(&mut rows, policy, |row| row.requested = true);
        }
        if let Some(granted) = &self.granted {
            self.add(&mut rows, granted, |row| row.granted = true);
        }
        if let Some((_, before)) = &self.before {
            self.add(&mut rows, before, |row| row.before = true);
        }
        // The worst first; those that are as bad stay in their order.
        rows.sort_by_key(|row| std::cmp::Reverse(row.statement.risk));
        rows
    }

    fn add(&self, rows: &mut Vec<Row>, policy: &Policy, mark: impl Fn(&mut Row)) {
        for statement in policy.statements() {
            let known = rows
                .iter_mut()
                .find(|row| row.statement.words == statement.words);
            if let Some(row) = known {
                mark(row);
                continue;
            }
            let alone = policy.picked(&BTreeSet::from([statement.index]));
            let narrowed = statement.allows
                && self
                    .ceiling
                    .as_ref()
                    .is_some_and(|ceiling| widens(ceiling, &alone));
            let mut row = Row {
                statement,
                requested: false,
                granted: false,
                narrowed,
                before: false,
            };
            mark(&mut row);
            rows.push(row);
        }
    }

    /// A table with a column for each that there is something to say of.
    pub(crate) fn page(&self, page: &mut Page) {
        for request in self.requests {
            if let Err(error) = &request.policy {
                page.end().styled(CAUTION, "warning:").text(&format!(
                    " what it asks for in its {} cannot be read: ",
                    request.origin.as_str()
                ));
                page.word(&error.to_string()).end();
            }
        }
        let rows = self.rows();
        let origins: Vec<&str> = self
            .requests
            .iter()
            .map(|request| request.origin.as_str())
            .collect();
        page.end().heading("Permissions");
        if origins.is_empty() {
            page.line("  it asks for none by itself");
        } else {
            page.line(&format!(
                "  it asks in its {}; that grants nothing",
                origins.join(" and in its ")
            ));
        }
        if rows.is_empty() {
            return;
        }
        let installed = self.granted.is_some();
        let mut head = vec![
            "RISK".to_owned(),
            "IT MAY".to_owned(),
            "REQUESTED".to_owned(),
        ];
        if installed {
            head.push("GRANTED".to_owned());
        }
        if self.before.is_some() {
            head.push("BEFORE".to_owned());
        }
        let said = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let body = rows.iter().map(|row| {
            let risk = match row.statement.allows {
                true => row.statement.risk.as_str(),
                false => "narrows",
            };
            let mut line = vec![
                risk.to_owned(),
                row.statement.words.clone(),
                said(row.requested),
            ];
            if installed {
                line.push(match (row.granted, row.narrowed) {
                    (true, true) => "less: the ceiling".to_owned(),
                    (granted, _) => said(granted),
                });
            }
            if self.before.is_some() {
                line.push(said(row.before));
            }
            line
        });
        page.table(std::iter::once(head).chain(body));
        if let Some((digest, _)) = &self.before {
            page.styled(
                FAINT,
                &format!("  before: what {} was granted", digest.short()),
            )
            .end();
        }
    }

    pub(crate) fn json(&self) -> Value {
        let requests: Vec<Value> = self
            .requests
            .iter()
            .map(|request| {
                json!({
                    "origin": request.origin.as_str(),
                    "text": request.text,
                    "error": request.policy.as_ref().err().map(ToString::to_string),
                })
            })
            .collect();
        let rows: Vec<Value> = self
            .rows()
            .iter()
            .map(|row| {
                json!({
                    "may": row.statement.words,
                    "tool": row.statement.rule.tool,
                    "allows": row.statement.allows,
                    "risk": row.statement.risk.as_str(),
                    "why": row.statement.why,
                    "requested": row.requested,
                    "granted": self.granted.as_ref().map(|_| row.granted),
                    "narrowed_by_ceiling": row.narrowed,
                    "before": self.before.as_ref().map(|_| row.before),
                })
            })
            .collect();
        json!({
            "requests": requests,
            "rules": rows,
            "before": self.before.as_ref().map(|(digest, _)| digest.to_string()),
        })
    }
}

/// Who signed it, as far as signatures of registries go.
pub(crate) fn signed(page: &mut Page, manifest: Option<&Digest>, verification: &Verification) {
    if let Some(manifest) = manifest {
        page.text("  manifest ")
            .styled(FAINT, &manifest.to_string())
            .end();
    }
    let expects = |expected: &[String]| format!("expected {}", expected.join(" or "));
    page.text("  ");
    match verification.verdict() {
        Verdict::Unsigned => page.styled(CAUTION, "unsigned"),
        Verdict::Signed(signer) => page
            .text("signed by ")
            .word(&signer.to_string())
            .styled(FAINT, " (no rule in trust.yaml says whether to trust that)"),
        Verdict::Trusted { signer, rule } => page
            .styled(GOOD, "signed")
            .text(" by ")
            .word(&signer.to_string())
            .text(", as trust.yaml requires for ")
            .word(rule),
        Verdict::Warned { expected, why } => page
            .styled(CAUTION, "not signed as trust.yaml says: ")
            .word(why)
            .text("; ")
            .word(&expects(expected)),
        Verdict::Refused {
            reason,
            expected,
            why,
        } => page
            .styled(BAD, "refused: ")
            .word(why)
            .text(&format!(" ({reason}); "))
            .word(&expects(expected)),
    };
    page.end();
    for rejected in verification.rejected() {
        page.text("  a signature does not hold: ")
            .word(&rejected.what)
            .text(": ")
            .word(&rejected.why)
            .end();
    }
}

pub(crate) fn signed_json(manifest: Option<&Digest>, verification: &Verification) -> Value {
    let (verdict, rule, why, expected) = match verification.verdict() {
        Verdict::Unsigned => ("unsigned", None, None, None),
        Verdict::Signed(_) => ("signed", None, None, None),
        Verdict::Trusted { rule, .. } => ("trusted", Some(rule), None, None),
        Verdict::Warned { expected, why } => ("warned", None, Some(why), Some(expected)),
        Verdict::Refused { expected, why, .. } => ("refused", None, Some(why), Some(expected)),
    };
    json!({
        "manifest": manifest.map(ToString::to_string),
        "verdict": verdict,
        "signer": verification.signer().map(ToString::to_string),
        "rule": rule,
        "reason": verification.refusal().map(|reason| reason.to_string()),
        "why": why,
        "expected": expected,
        "rejected": verification.rejected().iter()
            .map(|one| json!({ "what": one.what, "reason": one.reason.to_string(), "why": one.why })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
