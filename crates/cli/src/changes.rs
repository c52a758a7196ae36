//! What an update changes, for a person or as JSON. The words in it are a third party's.

use crate::inspection::in_words;
use crate::print::{BAD, CAUTION, FAINT, GOOD, Page, STRONG};
use casemate_runtime::difference::{
    Definition, Difference, Direction, ReachChange, SchemaChanges, TextChange, ToolChange,
    ToolChangeKind, cut, parting,
};
use casemate_runtime::inspect::Memory;
use serde_json::{Value, json};

/// Most characters of a text that are shown, before and after.
const MAX_TEXT: usize = 600;

/// Most functions that are named; the others are counted.
const MAX_FUNCTIONS: usize = 6;

/// Everything for a person; empty where nothing changed.
pub(crate) fn page(difference: &Difference) -> Page {
    let mut page = Page::default();
    if difference.is_empty() {
        return page;
    }
    page.heading("What changes");
    for change in &difference.tools {
        tool(&mut page, change);
    }
    for change in &difference.reach {
        reach(&mut page, change);
    }
    if let Some(docs) = &difference.docs {
        page.line("  what it says of itself");
        text(&mut page, "    ", docs);
    }
    for export in &difference.unsupported.added {
        page.text("  ")
            .styled(CAUTION, "+")
            .text(" cannot be called: ")
            .word(export)
            .end();
    }
    for export in &difference.unsupported.removed {
        page.text("  ")
            .styled(FAINT, "-")
            .text(" cannot be called: ")
            .word(export)
            .end();
    }
    quiet(&mut page, difference);
    page
}

/// What a person rarely decides by.
fn quiet(page: &mut Page, difference: &Difference) {
    if let Some((old, new)) = &difference.memories {
        let line = format!("  memories: {} → {}", memories(old), memories(new));
        page.styled(FAINT, &line).end();
    }
    if let Some((_, new)) = difference.concurrency {
        let now = if new { "now has" } else { "no longer has" };
        page.styled(
            FAINT,
            &format!("  it {now} functions for the asynchronous engine"),
        )
        .end();
    }
    let producers = &difference.producers;
    let named = |list: &[casemate_runtime::inspect::Producer]| {
        let names = list.iter();
        let names: Vec<String> = names
            .map(|producer| format!("{} {}", producer.name, producer.version))
            .collect();
        names.join(", ")
    };
    if !producers.is_empty() {
        page.styled(
            FAINT,
            &format!(
                "  made by: {} → {}",
                named(&producers.removed),
                named(&producers.added)
            ),
        )
        .end();
    }
    if let Some(first) = difference.versions.first() {
        let more = match difference.versions.len() {
            1 => String::new(),
            count => format!(", and {} more interfaces", count - 1),
        };
        page.styled(
            FAINT,
            &format!(
                "  versions: {} {} → {}{more}",
                first.interface, first.old, first.new
            ),
        )
        .end();
    }
}

fn memories(list: &[Memory]) -> String {
    let size = crate::inspection::size;
    let each = list.iter().map(|memory| match memory.max_bytes {
        Some(max) => format!("{} to {}", size(memory.min_bytes), size(max)),
        None => format!("{} or more", size(memory.min_bytes)),
    });
    let each: Vec<String> = each.take(MAX_FUNCTIONS).collect();
    match list.len().saturating_sub(MAX_FUNCTIONS) {
        _ if list.is_empty() => "none".to_owned(),
        0 => each.join(", "),
        more => format!("{} and {more} more", each.join(", ")),
    }
}

fn tool(page: &mut Page, change: &ToolChange) {
    match &change.kind {
        ToolChangeKind::Added { description } => {
            page.text("  ")
                .styled(GOOD, "+ tool ")
                .styled(STRONG, &change.name)
                .end();
            if let Some(description) = description {
                page.text("      ")
                    .word(&cut(description, 0, MAX_TEXT))
                    .end();
            }
        }
        ToolChangeKind::Removed => {
            page.text("  ")
                .styled(BAD, "- tool ")
                .styled(STRONG, &change.name)
                .end();
        }
        ToolChangeKind::Changed(definition) => {
            page.text("  ")
                .styled(CAUTION, "~ tool ")
                .styled(STRONG, &change.name)
                .end();
            changed(page, definition);
        }
    }
}

fn changed(page: &mut Page, definition: &Definition) {
    if let Some((old, new)) = &definition.title {
        page.text("      called ")
            .word(old)
            .text(" → ")
            .word(new)
            .end();
    }
    if let Some(description) = &definition.description {
        page.line("      description");
        text(page, "        ", description);
    }
    schema(page, "arguments", &definition.input);
    schema(page, "result", &definition.output);
}

fn text(page: &mut Page, margin: &str, change: &TextChange) {
    let none = || "(none)".to_owned();
    let from = match (&change.old, &change.new) {
        (Some(old), Some(new)) => parting(old, new, MAX_TEXT),
        _ => 0,
    };
    let shown = |text: &Option<String>| {
        text.as_deref()
            .map_or_else(none, |text| cut(text, from, MAX_TEXT))
    };
    page.text(margin)
        .styled(BAD, "was ")
        .word(&shown(&change.old))
        .end();
    page.text(margin)
        .styled(GOOD, "is  ")
        .word(&shown(&change.new))
        .end();
}

fn schema(page: &mut Page, what: &str, changes: &SchemaChanges) {
    for change in &changes.told {
        page.text("      ")
            .text(what)
            .text(" ")
            .word(&change.path)
            .text(": ");
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => page.word(old).text(" → ").word(new),
            (None, Some(new)) => page.text("new ").word(new),
            (Some(old), None) => page.text("gone ").word(old),
            (None, None) => page,
        };
        page.end();
    }
    if changes.more > 0 {
        page.line(&format!("      {what}: {} more places", changes.more));
    }
}

fn reach(page: &mut Page, change: &ReachChange) {
    let capability = change.capability.as_str();
    let words = in_words(change.capability).unwrap_or("stays inside the sandbox");
    let functions: Vec<&str> = change
        .functions
        .iter()
        .take(MAX_FUNCTIONS)
        .map(String::as_str)
        .collect();
    let mut named = functions.join(", ");
    if let Some(more) = change
        .functions
        .len()
        .checked_sub(MAX_FUNCTIONS)
        .filter(|more| *more > 0)
    {
        named.push_str(&format!(" and {more} more functions"));
    }
    match (change.direction, change.whole) {
        (Direction::Grew, true) => {
            page.text("  ")
                .styled(BAD, "+ it can now ask for ")
                .text(capability)
                .text(": ")
                .line(words);
        }
        (Direction::Grew, false) => {
            page.text("  ")
                .styled(CAUTION, "+ it can ask for more of ")
                .line(capability);
        }
        (Direction::Shrank, true) => {
            page.text("  ")
                .styled(GOOD, "- it no longer asks for ")
                .line(capability);
        }
        (Direction::Shrank, false) => {
            page.text("  ")
                .styled(GOOD, "- it asks for less of ")
                .line(capability);
        }
    }
    page.text("      ").word(&named).end();
}

/// The same as JSON.
pub(crate) fn json(difference: &Difference) -> Value {
    let tools = difference.tools.iter().map(|change| {
        let (kind, facts) = match &change.kind {
            ToolChangeKind::Added { description } => {
                ("added", json!({ "description": description }))
            }
            ToolChangeKind::Removed => ("removed", Value::Null),
            ToolChangeKind::Changed(definition) => ("changed", definition_json(definition)),
        };
        json!({ "tool": change.name, "change": kind, "definition": facts })
    });
    let reach = difference.reach.iter().map(|change| {
        let direction = match change.direction {
            Direction::Grew => "grew",
            Direction::Shrank => "shrank",
        };
        json!({
            "capability": change.capability.as_str(),
            "direction": direction,
            "whole": change.whole,
            "functions": change.functions,
        })
    });
    json!({
        "tools": tools.collect::<Vec<_>>(),
        "reach": reach.collect::<Vec<_>>(),
        "description": difference.docs.as_ref().map(text_json),
        "unsupported": { "added": difference.unsupported.added, "removed": difference.unsupported.removed },
        "versions": difference.versions.iter().map(|change| json!({
            "interface": change.interface, "old": change.old, "new": change.new,
        })).collect::<Vec<_>>(),
        "memories_changed": difference.memories.is_some(),
        "producers_changed": !difference.producers.is_empty(),
    })
}

fn text_json(change: &TextChange) -> Value {
    json!({ "old": change.old, "new": change.new })
}

fn definition_json(definition: &Definition) -> Value {
    let schema = |changes: &SchemaChanges| {
        let told = changes.told.iter();
        let told =
            told.map(|change| json!({ "path": change.path, "old": change.old, "new": change.new }));
        json!({ "changes": told.collect::<Vec<_>>(), "more": changes.more })
    };
    json!({
        "title": definition.title.as_ref().map(|(old, new)| json!({ "old": old, "new": new })),
        "description": definition.description.as_ref().map(text_json),
        "input": schema(&definition.input),
        "output": schema(&definition.output),
    })
}

#[cfg(test)]
mod tests;
