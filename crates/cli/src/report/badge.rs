//! A badge: one static picture, without script, link or font of its own.

use crate::print::{Page, inert};
use casemate_runtime::report::{Grade, Report};

pub(crate) fn badge(report: &Report) -> Page {
    let grade = report.grade();
    let colour = match grade {
        Grade::A => "#2e7d32",
        Grade::B => "#558b2f",
        Grade::C => "#b26a00",
        Grade::D => "#c75300",
        Grade::F => "#b71c1c",
    };
    let title = escaped(&format!(
        "Casemate report card of {}: {grade}",
        report.name()
    ));
    let mut page = Page::default();
    page.line(&format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="98" height="20" viewBox="0 0 98 20" role="img" aria-label="{title}">
  <title>{title}</title>
  <rect width="98" height="20" rx="3" fill="#37474f"/>
  <path d="M74 0h21a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H74z" fill="{colour}"/>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">
    <text x="37" y="14">casemate</text>
    <text x="86" y="14" font-weight="bold">{grade}</text>
  </g>
</svg>"##
    ));
    page
}

/// Text for XML: nothing that begins markup, ends an attribute, or is no character of XML 1.0.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in inert(text).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML at all (XML 1.0, 2.2).
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
