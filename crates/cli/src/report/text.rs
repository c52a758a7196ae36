//! For a terminal.

use crate::inspection::size;
use crate::print::{BAD, CAUTION, FAINT, GOOD, Page, STRONG, inert};
use anstyle::Style;
use casemate_runtime::report::{Axis, Grade, Report};

/// Everything about a graded component.
pub(crate) fn page(report: &Report) -> Page {
    let mut page = Page::default();
    let grade = report.grade();
    page.styled(STRONG, &inert(report.name()))
        .text("  ")
        .styled(style(grade), &format!("grade {grade}"))
        .text("  ")
        .styled(FAINT, &report.digest().to_string())
        .end();
    page.text("  ")
        .text(&size(report.bytes_len()))
        .text(" from ")
        .word(report.source())
        .end();
    let purpose = report.purpose();
    if let Some(category) = &purpose.category {
        page.text("  category ").word(category).end();
    }
    match &purpose.description {
        Some(description) => page.text("  purpose ").word(description).end(),
        None => page.line("  no purpose is declared"),
    };
    page.end().heading("Axes");
    for axis in Axis::ALL {
        let score = report.score(axis);
        let grade = Grade::of(score);
        page.text(&format!("  {axis:<14}{score:>4}  "))
            .styled(style(grade), grade.as_str())
            .end();
    }
    page.end()
        .heading(&format!("Findings ({})", report.findings().len()));
    if report.findings().is_empty() {
        page.line("  none");
    }
    for finding in report.findings() {
        let rule = finding.rule;
        page.text("  ")
            .styled(CAUTION, &format!("-{}", finding.points))
            .text("  ")
            .styled(STRONG, rule.id)
            .text("  ")
            .word(rule.title)
            .end();
        page.text("      what   ").word(&finding.what).end();
        page.text("      where  ")
            .word(&finding.place.to_string())
            .end();
        page.text("      why    ").word(rule.why).end();
        page.text("      fix    ").word(rule.fix).end();
    }
    if !report.notes().is_empty() {
        page.end().heading("Notes");
        for note in report.notes() {
            page.text("  ").word(note).end();
        }
    }
    page
}

/// How a letter is shown.
pub(crate) fn style(grade: Grade) -> Style {
    match grade {
        Grade::A | Grade::B => GOOD,
        Grade::C => CAUTION,
        Grade::D | Grade::F => BAD,
    }
}
