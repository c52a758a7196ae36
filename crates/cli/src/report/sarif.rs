//! For code scanning: SARIF 2.1.0 (OASIS), as far as GitHub takes it.
//!
//! GitHub wants a location with a region for each result, a path relative to the repository, and a fingerprint that stays the
//! same while the finding does.

use casemate_policy::Digest;
use casemate_runtime::report::{Finding, Place, RUBRIC, RULES, Report, Rule};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::{Component, Path};

/// Where the things that findings are about lie, relative to the repository that the report is made in.
#[derive(Clone, Debug)]
pub(crate) struct Locations {
    pub(crate) component: String,
    pub(crate) policy: Option<String>,
}

/// The path as typed if it is one within the current directory, else the file's name: nothing of this machine is told.
pub(crate) fn relative(path: &Path) -> String {
    let names: Option<Vec<String>> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let is_reference = path.to_string_lossy().contains("://");
    match names {
        Some(names) if !is_reference && !names.is_empty() => names.join("/"),
        _ => path.file_name().map_or_else(
            || "component".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        ),
    }
}

pub(crate) fn sarif(report: &Report, locations: &Locations) -> Value {
    let results: Vec<Value> = report
        .findings()
        .iter()
        .map(|finding| result(report, finding, locations))
        .collect();
    let rules: Vec<Value> = RULES.iter().map(|rule| descriptor(rule)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Casemate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "grade": report.grade().as_str(),
                "rubric": RUBRIC,
                "digest": report.digest().to_string(),
            },
        }],
    })
}

fn descriptor(rule: &Rule) -> Value {
    let help = format!("{} {}", rule.why, rule.fix);
    json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": rule.why },
        "help": { "text": help, "markdown": format!("{}\n\n{}", rule.why, rule.fix) },
        "defaultConfiguration": { "level": level(rule.points) },
        "properties": {
            "tags": ["security", rule.axis.as_str()],
            "precision": "high",
            "problem.severity": severity(rule.points),
            "security-severity": security_severity(rule.points),
        },
    })
}

fn result(report: &Report, finding: &Finding, locations: &Locations) -> Value {
    let rule = finding.rule;
    let index = RULES.iter().position(|own| own.id == rule.id);
    let (uri, line) = match (&finding.place, &locations.policy) {
        (Place::Policy { line, .. }, Some(policy)) => (policy, (*line).max(1)),
        _ => (&locations.component, 1),
    };
    let text = format!(
        "{} ({}): {}. Takes {} of 100 from {}.",
        rule.title, finding.place, finding.what, finding.points, rule.axis
    );
    json!({
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": level(finding.points),
        "message": { "text": plain(&text) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": encoded(uri) },
            "region": { "startLine": line, "startColumn": 1 },
        }}],
        "partialFingerprints": { "primaryLocationLineHash": fingerprint(report, finding) },
        "properties": { "points": finding.points },
    })
}

/// The letters go down by ten: what takes three of them is an error, what takes one a warning.
fn level(points: u32) -> &'static str {
    match points {
        30.. => "error",
        10.. => "warning",
        _ => "note",
    }
}

fn severity(points: u32) -> &'static str {
    match level(points) {
        "error" => "error",
        "warning" => "warning",
        _ => "recommendation",
    }
}

/// GitHub's scale: over 9.0 critical, 7.0 high, 4.0 medium, below that low.
fn security_severity(points: u32) -> String {
    let tenths = (points * 2).min(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The same finding in the same component has the same one, whatever lines moved.
fn fingerprint(report: &Report, finding: &Finding) -> String {
    let section = match &finding.place {
        Place::Policy { section, .. } | Place::Request { section, .. } => section.clone(),
        place => place.to_string(),
    };
    let mut hash = Sha256::new();
    for part in [report.name(), finding.rule.id, &section, &finding.what] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = Digest::from_bytes(hash.finalize().into());
    format!("{}:1", digest.short())
}

/// Text in which nothing is a link or a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6).
fn plain(text: &str) -> String {
    crate::print::inert(text)
        .replace("](", "] (")
        .replace('{', "{{")
        .replace('}', "}}")
}

/// A path as a relative URI reference (RFC 3986, 4.2).
fn encoded(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
