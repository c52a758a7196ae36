//! What do its texts do to whoever reads them?

use std::collections::BTreeMap;

use super::rubric::{self, RULES, Rule};
use super::{Found, Place, ReportInput, quoted, short};
use crate::inspect::InspectedTool;

pub(super) fn judge(input: &ReportInput<'_>, found: &mut Found) {
    let own = input.component.text_findings().iter();
    for finding in own.chain(&input.metadata.findings) {
        let place = match finding.place.as_str() {
            place @ ("component" | "description") => place.to_owned(),
            place if place.starts_with("annotation") => place.to_owned(),
            place => format!("tool {}", short(place)),
        };
        found.add(
            rule_of(finding.rule),
            short(&finding.what),
            Place::Component(place),
        );
    }
    if let Some(previous) = input.previous {
        drift(previous.tools(), input.component.tools(), found);
    }
}

/// The rule of the same name. A name that is not in the rubric is judged as the gravest.
fn rule_of(id: &str) -> &'static Rule {
    let mut rules = RULES.iter().copied();
    rules
        .find(|rule| rule.id == id)
        .unwrap_or(&rubric::TEXT_HIDDEN)
}

/// Tools of the version before whose words are others now.
fn drift(before: &[InspectedTool], now: &[InspectedTool], found: &mut Found) {
    let before: BTreeMap<String, &InspectedTool> =
        before.iter().map(|tool| (tool.wit_name(), tool)).collect();
    for tool in now {
        let name = tool.wit_name();
        let Some(old) = before.get(&name) else {
            continue;
        };
        if old.docs != tool.docs {
            let said = |docs: &Option<String>| docs.as_deref().map_or("nothing".to_owned(), quoted);
            let what = format!("it said {}, and says {}", said(&old.docs), said(&tool.docs));
            let place = Place::Component(format!("tool {}", short(&name)));
            found.add(&rubric::TEXT_DRIFT, what, place);
        }
    }
}
