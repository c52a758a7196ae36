//! For a pull request.
//!
//! Texts of third parties stand in code spans alone (CommonMark 0.31, 6.1): nothing in one is a link, a picture, HTML, a mention
//! or a reference to an issue.

use crate::print::{Page, inert};
use casemate_runtime::report::{Axis, Grade, Report};

pub(crate) fn markdown(report: &Report) -> Page {
    let mut page = Page::default();
    page.line(&format!(
        "## Report card of {}: {}",
        code(report.name()),
        report.grade()
    ))
    .end();
    page.line(&format!(
        "`{}`, from {}.",
        report.digest(),
        code(report.source())
    ));
    match &report.purpose().description {
        Some(description) => page.line(&format!("It says that it is for: {}.", code(description))),
        None => page.line("It does not say what it is for."),
    };
    page.end()
        .line("| axis | score | grade |")
        .line("|---|---:|---|");
    for axis in Axis::ALL {
        let score = report.score(axis);
        page.line(&format!("| {axis} | {score} | {} |", Grade::of(score)));
    }
    page.end();
    if report.findings().is_empty() {
        page.line("Nothing was deducted.");
        return page;
    }
    page.line("| points | rule | what | where | fix |")
        .line("|---:|---|---|---|---|");
    for finding in report.findings() {
        page.line(&format!(
            "| {} | `{}` | {} | {} | {} |",
            finding.points,
            finding.rule.id,
            code(&finding.what),
            code(&finding.place.to_string()),
            // Our own words; the bar is what ends a cell.
            finding.rule.fix.replace('|', "\\|"),
        ));
    }
    page
}

/// A text as a code span that it cannot end, in a cell that it cannot end either.
fn code(text: &str) -> String {
    // Within a table a bar ends the cell even in a code span, and an escaped one does after a backslash of the text (GitHub
    // Flavored Markdown, 4.10); so another bar stands for it.
    let text = inert(text).replace('|', "\u{a6}");
    if text.trim().is_empty() {
        return "(nothing)".to_owned();
    }
    let longest = text
        .split(|character| character != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // One space at each end is taken away again; it keeps a backtick of the text apart from the fence.
    format!("{fence} {text} {fence}")
}
