//! What are the tools called? Names for clients, and a digest that changes when a tool does.

use std::collections::HashMap;
use std::path::Path;

use casemate_policy::{ComponentName, Digest};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::inspect::InspectedTool;

/// Longest name of a tool, in characters, which are all ASCII.
pub const MAX_TOOL_NAME: usize = 40;

/// Hexadecimal digits of the hash at the end of a shortened name.
const HASH_DIGITS: usize = 8;

/// The name that a component gets after its file: `My_Tool.wasm` becomes `my-tool`.
#[must_use]
pub fn component_name(file: &Path) -> Option<ComponentName> {
    ComponentName::after(&file.file_stem()?.to_string_lossy())
}

/// Two functions of a component would have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{first} and {second} would both be called {name}")]
pub struct NameCollision {
    /// The name.
    pub name: String,
    /// The WIT name of one of them.
    pub first: String,
    /// The WIT name of the other.
    pub second: String,
}

/// The names by which a policy may speak of each of `tools`: its function's, the author's for it, and the one that
/// clients see. A function's name that several interfaces have means all of them.
pub(crate) fn policy_names(component: &ComponentName, tools: &[InspectedTool]) -> Vec<[String; 3]> {
    // Where two would be exposed under one name the component is not served at all.
    let exposed = tool_names(component, tools).unwrap_or_default();
    let mut exposed = exposed.into_iter();
    let names = tools.iter().map(|tool| {
        let function = tool.function.clone();
        let exposed = exposed.next().unwrap_or_else(|| function.clone());
        [function, tool.wit_name(), exposed]
    });
    names.collect()
}

/// The exposed names of `tools`, in their order.
///
/// `<component>_<function>` in `[a-z0-9_]`. Functions that would be called the same get the name of
/// their interface between; a function of the world has none and keeps its name. What is longer than
/// [`MAX_TOOL_NAME`] is cut and ends in a hash of the whole.
///
/// # Errors
///
/// When two functions would still be called the same.
pub fn tool_names(
    component: &ComponentName,
    tools: &[InspectedTool],
) -> Result<Vec<String>, NameCollision> {
    let plain: Vec<String> = tools
        .iter()
        .map(|tool| joined([component.as_str(), &tool.function]))
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *uses.entry(name).or_default() += 1;
    }
    let names: Vec<String> = tools
        .iter()
        .zip(&plain)
        .map(|(tool, name)| match &tool.interface {
            Some(interface) if uses.get(name.as_str()).is_some_and(|uses| *uses > 1) => joined([
                component.as_str(),
                short_interface(interface),
                &tool.function,
            ]),
            _ => name.clone(),
        })
        .map(shortened)
        .collect();
    let mut owners: HashMap<&str, &InspectedTool> = HashMap::new();
    for (name, tool) in names.iter().zip(tools) {
        if let Some(first) = owners.insert(name, tool) {
            return Err(NameCollision {
                name: name.clone(),
                first: first.wit_name(),
                second: tool.wit_name(),
            });
        }
    }
    Ok(names)
}

/// The digest of everything that a client is told of `tools`: names, titles, descriptions, schemas.
///
/// `names` are those of [`tool_names`]. Two lists have one digest only if a model could not tell
/// them apart.
#[must_use]
pub fn tools_hash(names: &[String], tools: &[InspectedTool]) -> Digest {
    let tools: Vec<Value> = names
        .iter()
        .zip(tools)
        .map(|(name, tool)| {
            json!({
                "name": name,
                "title": tool.wit_name(),
                "description": tool.docs,
                "inputSchema": tool.input_schema(),
                "outputSchema": tool.output_schema(),
            })
        })
        .collect();
    let mut text = String::from("casemate tools v1\n");
    canonical(&Value::Array(tools), &mut text);
    Digest::from_bytes(Sha256::digest(text.as_bytes()).into())
}

/// Appends `value` as JSON without whitespace, the keys of objects in order.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => canonical_object(object, out),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn canonical_object(object: &Map<String, Value>, out: &mut String) {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    out.push('{');
    for (index, (name, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        canonical(value, out);
    }
    out.push('}');
}

/// The interface's own name: `c` of `a:b/c@1.0.0`.
fn short_interface(interface: &str) -> &str {
    let name = interface
        .split_once('@')
        .map_or(interface, |(name, _)| name);
    name.rsplit_once('/').map_or(name, |(_, short)| short)
}

/// The parts in the alphabet of tool names, with `_` between.
fn joined<const N: usize>(parts: [&str; N]) -> String {
    let parts = parts.map(|part| {
        let letters = part
            .chars()
            .map(|letter| match letter.to_ascii_lowercase() {
                kept @ ('a'..='z' | '0'..='9') => kept,
                _ => '_',
            });
        letters.collect::<String>()
    });
    parts.join("_")
}

fn shortened(name: String) -> String {
    if name.len() <= MAX_TOOL_NAME {
        return name;
    }
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    // All ASCII, so characters are bytes.
    let kept: String = name.chars().take(MAX_TOOL_NAME - HASH_DIGITS - 1).collect();
    let hash: String = hash.chars().take(HASH_DIGITS).collect();
    format!("{}_{hash}", kept.trim_end_matches('_'))
}

#[cfg(test)]
mod tests;
