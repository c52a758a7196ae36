//! Which texts is a model shown, and where does each stand?

use std::collections::BTreeSet;

use serde_json::Value;

use super::InspectedTool;
use crate::docs::{Docs, TypeDocs, parameter_docs};
use crate::text::{self, MAX_FINDINGS, TextFinding};

/// Findings of everything that reaches a model: descriptions as they were written, and names.
pub(super) fn findings(
    docs: &Docs,
    tools: &[InspectedTool],
    types: &[(String, &TypeDocs)],
) -> Vec<TextFinding> {
    let mut found = Vec::new();
    if let Some(written) = docs.interface(None) {
        found.extend(text::of_text("component", written.original()));
    }
    let names: Vec<String> = tools.iter().map(InspectedTool::wit_name).collect();
    for (tool, name) in tools.iter().zip(&names) {
        if let Some(written) = docs.function(tool.interface.as_deref(), &tool.function) {
            found.extend(of_tool(tool, name, written.original()));
        }
    }
    for (name, docs) in types {
        found.extend(of_type(name, docs));
        if found.len() > MAX_FINDINGS {
            break;
        }
    }
    found.extend(of_names(tools, &names));
    found.truncate(MAX_FINDINGS);
    found
}

/// Findings in what a tool's author says of it; those in a line about a parameter name the parameter.
fn of_tool(tool: &InspectedTool, name: &str, original: &str) -> Vec<TextFinding> {
    let place = |at: usize| {
        let (before, after) = original.split_at_checked(at).unwrap_or(("", original));
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let end = after.find('\n').map_or(original.len(), |end| at + end);
        let line = original.get(start..end).unwrap_or_default();
        // A line of megabytes is no list of parameters.
        let line = line.get(..line.floor_char_boundary(4096)).unwrap_or(line);
        let mut parameters = tool.ty.params.iter().map(|parameter| &parameter.name);
        match parameters.find(|parameter| parameter_docs(line, parameter).is_some()) {
            Some(parameter) => format!("{name}, parameter {parameter}"),
            None => name.to_owned(),
        }
    };
    text::marks(original)
        .into_iter()
        .map(|mark| {
            let place = place(mark.at);
            mark.at_place(place)
        })
        .collect()
}

/// Findings in what stands at a type and its fields, cases or labels.
fn of_type(name: &str, docs: &TypeDocs) -> Vec<TextFinding> {
    let own = docs.docs.iter().map(|written| (String::new(), written));
    let mut items: Vec<_> = docs.items.iter().collect();
    items.sort_unstable_by_key(|(item, _)| *item);
    let items = items
        .into_iter()
        .map(|(item, written)| (format!(", {item}"), written));
    own.chain(items)
        .flat_map(|(item, written)| {
            text::of_text(&format!("type {name}{item}"), written.original())
        })
        .collect()
}

/// Findings in names: those of tools, and those of everything in their schemas.
fn of_names(tools: &[InspectedTool], names: &[String]) -> Vec<TextFinding> {
    let functions = tools.iter().map(|tool| tool.function.as_str());
    let mut found = text::of_names(names.iter().map(String::as_str).zip(functions));
    for (tool, name) in tools.iter().zip(names) {
        let mut inside = BTreeSet::new();
        inside.insert(name.as_str());
        for schema in [tool.input_schema(), tool.output_schema()] {
            schema
                .values()
                .for_each(|value| names_in(value, &mut inside));
        }
        // What has fewer words is a name, whatever it says.
        let sentences = inside.into_iter().filter(|name| {
            !name.is_ascii() || name.len() > 64 || name.matches(['-', '_', ' ']).count() >= 2
        });
        for inner in sentences {
            found.extend(text::of_text(name, inner));
        }
    }
    found
}

/// The names that a schema gives: properties, and the words of enumerations. Schemas nest as far as types do.
fn names_in<'s>(schema: &'s Value, names: &mut BTreeSet<&'s str>) {
    match schema {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => {
                        names.extend(properties.keys().map(String::as_str));
                        properties.values().for_each(|value| names_in(value, names));
                    }
                    ("description", _) => {}
                    ("const" | "enum", Value::String(word)) => {
                        names.insert(word);
                    }
                    _ => names_in(value, names),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::String(word) => {
                        names.insert(word);
                    }
                    other => names_in(other, names),
                }
            }
        }
        _ => {}
    }
}
