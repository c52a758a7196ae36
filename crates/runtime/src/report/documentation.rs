//! What does it say about itself?

use super::purpose::Purpose;
use super::rubric;
use super::{Found, Place, ReportInput, short};
use crate::inspect::InspectedTool;
use crate::wit::WitType;

pub(super) fn judge(input: &ReportInput<'_>, purpose: &Purpose, found: &mut Found) {
    let component = input.component;
    if !purpose.is_declared() {
        found.add(
            &rubric::DOCUMENTATION_PURPOSE,
            "no category, no description and no documented world came with it",
            Place::component(),
        );
    }
    if component.docs().is_none() {
        found.add(
            &rubric::DOCUMENTATION_WORLD,
            "neither the component nor WIT that was given with it describes its world",
            Place::component(),
        );
    }
    for tool in component.tools() {
        let place = || Place::Component(format!("tool {}", short(&tool.wit_name())));
        if tool.docs.is_none() {
            found.add(
                &rubric::DOCUMENTATION_TOOL,
                "neither the component nor WIT that was given with it describes the tool",
                place(),
            );
        }
        for parameter in &tool.ty.params {
            if !is_described(tool, &parameter.name, &parameter.ty) {
                let what = format!(
                    "its description does not name the parameter {}, and the type says nothing of itself",
                    short(&parameter.name)
                );
                found.add(&rubric::DOCUMENTATION_PARAMETER, what, place());
            }
        }
    }
    let metadata = &input.metadata;
    if metadata.licences.is_none() {
        found.add(
            &rubric::DOCUMENTATION_LICENCE,
            "neither the manifest nor the component names a licence",
            Place::component(),
        );
    }
    if metadata.source.is_none() {
        found.add(
            &rubric::DOCUMENTATION_SOURCE,
            "neither the manifest nor the component says where its source is",
            Place::component(),
        );
    }
    if component.tools().is_empty() {
        found.note("it has no tool that can be called");
    }
}

/// Whether the function's text has the parameter's name as a word, or the parameter's type is described.
fn is_described(tool: &InspectedTool, name: &str, ty: &WitType) -> bool {
    let word = |character: char| character.is_alphanumeric() || character == '-';
    let spoken = name.replace('-', " ").to_lowercase();
    let in_text = tool.docs.as_deref().is_some_and(|docs| {
        let docs = docs.to_lowercase().replace('_', "-");
        docs.split(|character| !word(character))
            .any(|own| own == name)
            || spoken.contains(' ') && docs.contains(&spoken)
    });
    in_text || type_docs(ty).is_some()
}

fn type_docs(ty: &WitType) -> Option<&str> {
    match ty {
        WitType::Record(record) => record.docs.as_deref(),
        WitType::Variant(variant) => variant.docs.as_deref(),
        WitType::Enum(labels) => labels.docs.as_deref(),
        WitType::Flags(flags) => flags.docs.as_deref(),
        WitType::List(inner) | WitType::FixedList(inner, _) | WitType::Option(inner) => {
            type_docs(inner)
        }
        _ => None,
    }
}
