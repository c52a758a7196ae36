//! The request as a person sees it before answering.

use super::{Asked, MAX_SHOWN_RULES, Meaning, Offer};
use crate::print::{BAD, CAUTION, FAINT, Page};
use anstyle::Style;
use casemate_policy::consent::{Risk, Statement};
use casemate_runtime::requested::RequestOrigin;
use serde_json::{Value, json};

/// Columns of the longest word for a risk.
const RISK_WIDTH: usize = 6;

fn style(risk: Risk) -> Style {
    match risk {
        Risk::High => BAD,
        Risk::Medium => CAUTION,
        Risk::Low | Risk::None => FAINT,
    }
}

/// Where a request is from, for a person.
pub(crate) fn origin(origin: RequestOrigin) -> &'static str {
    match origin {
        RequestOrigin::Layer => "the policy that was published with it",
        RequestOrigin::Section => "what its author built into it",
    }
}

/// Everything that is asked for; `offer` is there where it can be agreed to.
pub(crate) fn page(asked: &Asked, offer: Option<&Offer>) -> Page {
    let mut page = Page::default();
    page.heading("It asks for").styled(
        FAINT,
        &format!(
            "  in {}; a request, of which nothing is granted yet",
            origin(asked.origin)
        ),
    );
    page.end();
    match (&asked.meaning, offer) {
        (Meaning::Policy(_), Some(offer)) => statements(&mut page, offer),
        (Meaning::Policy(_), None) => {}
        (Meaning::Invalid(error), _) => {
            page.text("  ")
                .styled(BAD, "an invalid policy:")
                .text(" ")
                .word(&error.to_string())
                .end();
            page.line("  it means nothing and grants nothing");
        }
        (Meaning::TooLong(count), _) => {
            page.line(&format!(
                "  {count} rules; more than {MAX_SHOWN_RULES} are not agreed to on a screen, so nothing of it is granted"
            ));
        }
    }
    if let Some(other) = asked.other {
        page.warning(&format!(
            "{} asks for something else; that is left aside, see casemate inspect",
            origin(other)
        ));
    }
    page
}

fn statements(page: &mut Page, offer: &Offer) {
    let allows = |statement: &&Statement| statement.allows;
    let (asked, narrows): (Vec<&Statement>, Vec<&Statement>) =
        offer.statements.iter().partition(allows);
    if asked.is_empty() {
        page.line("  nothing");
    }
    for statement in asked {
        page.text("  ").styled(
            style(statement.risk),
            &format!("{:RISK_WIDTH$}", statement.risk.as_str()),
        );
        page.text("  ").word(&statement.words);
        let index = &statement.index;
        if offer.barred.contains(index) {
            page.styled(CAUTION, "  (the ceiling forbids it, so it is not granted)");
        } else if !offer.ask.contains(index) {
            page.styled(FAINT, "  (not asked again)");
        } else if offer.above.contains(index) {
            page.styled(CAUTION, "  (only as far as the ceiling allows it)");
        }
        page.end();
        if let Some(why) = statement.why {
            page.text("          ").styled(FAINT, why).end();
        }
    }
    if !narrows.is_empty() {
        page.line("  and narrows itself, whatever you answer:");
        for statement in narrows {
            page.text("          ").word(&statement.words).end();
        }
    }
    let combinations = offer.combinations();
    if !combinations.is_empty() {
        page.text("  ")
            .styled(BAD, "Together")
            .line(" these would let it");
        for combination in combinations {
            page.text("  ").styled(
                style(combination.risk),
                &format!("{:RISK_WIDTH$}", combination.risk.as_str()),
            );
            page.text("  ").word(&combination.words).end();
        }
    }
}

/// The same as JSON.
pub(crate) fn json(asked: &Asked, offer: Option<&Offer>) -> Value {
    let mut value = json!({
        "origin": asked.origin.as_str(),
        "left_aside": asked.other.map(RequestOrigin::as_str),
    });
    let facts = match (&asked.meaning, offer) {
        (Meaning::Invalid(error), _) => json!({ "invalid": error.to_string() }),
        (Meaning::TooLong(count), _) => json!({ "too_long": count }),
        (Meaning::Policy(_), None) => json!({}),
        (Meaning::Policy(_), Some(offer)) => {
            let rules = offer.statements.iter().map(|statement| {
                json!({
                    "rule": statement.rule.text,
                    "section": statement.rule.section,
                    "tool": statement.rule.tool,
                    "means": statement.words,
                    "risk": statement.risk.as_str(),
                    "why": statement.why,
                    "asked": offer.ask.contains(&statement.index),
                    "forbidden_by_ceiling": offer.barred.contains(&statement.index),
                })
            });
            let together = offer.combinations();
            let together = together
                .iter()
                .map(|one| json!({ "could": one.words, "risk": one.risk.as_str() }));
            json!({ "rules": rules.collect::<Vec<_>>(), "together": together.collect::<Vec<_>>() })
        }
    };
    if let (Value::Object(value), Value::Object(facts)) = (&mut value, facts) {
        value.extend(facts);
    }
    value
}
