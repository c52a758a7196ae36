//! For programs, as `docs/report.schema.json` says.

use casemate_runtime::report::{Axis, Grade, RUBRIC, Report};
use serde_json::{Value, json};

/// The version of the form.
const FORMAT: u32 = 1;

pub(crate) fn json(report: &Report) -> Value {
    let purpose = report.purpose();
    let axes: Vec<Value> = Axis::ALL
        .into_iter()
        .map(|axis| {
            let score = report.score(axis);
            json!({ "axis": axis.as_str(), "score": score, "grade": Grade::of(score).as_str() })
        })
        .collect();
    let findings: Vec<Value> = report
        .findings()
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.rule.id,
                "axis": finding.rule.axis.as_str(),
                "points": finding.points,
                "title": finding.rule.title,
                "what": finding.what,
                "where": finding.place.to_string(),
                "why": finding.rule.why,
                "fix": finding.rule.fix,
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "rubric": RUBRIC,
        "name": report.name(),
        "digest": report.digest().to_string(),
        "bytes": report.bytes_len(),
        "source": report.source(),
        "purpose": { "category": purpose.category, "description": purpose.description },
        "grade": report.grade().as_str(),
        "axes": axes,
        "findings": findings,
        "notes": report.notes(),
    })
}
