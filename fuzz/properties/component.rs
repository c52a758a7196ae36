//! Bytes that may be a component: looking at them is harmless, and what is listed keeps to its bounds.

use std::collections::HashSet;

use casemate_policy::ComponentName;
use casemate_runtime::docs::MAX_DOCS_BYTES;
use casemate_runtime::inspect::reached::{Reachability, Reached};
use casemate_runtime::inspect::{InspectError, InspectedComponent, IntakeLimits, inspect};
use casemate_runtime::names::{MAX_TOOL_NAME, tool_names};
use casemate_runtime::requested;
use casemate_runtime::schema::{MAX_SCHEMA_BYTES, input_schema, output_schema};
use casemate_runtime::text::MAX_FINDINGS;
use serde_json::Value;

/// The longest message about a file.
const MAX_MESSAGE: usize = 1024;

pub fn check(data: &[u8]) {
    let limits = IntakeLimits::default();
    match inspect(data, None, &limits) {
        Ok(component) => {
            assert_eq!(component.bytes_len(), data.len() as u64);
            is_bounded(&component, &limits);
            tools_are_usable(&component);
            is_refused_beyond(data, &component);
            reach_is_decided(data, &component, &limits);
            texts_are_quoted(&component);
        }
        Err(error) => {
            is_shown(&error.to_string());
            assert_eq!(error.reason(), "invalid.component");
            assert!(
                error.offset().is_none_or(|offset| offset <= data.len()),
                "{error:?}"
            );
        }
    }
    // The text of WIT is of strangers too; beside a component that loads it only documents.
    if let Ok(wit) = std::str::from_utf8(data) {
        let looked = inspect(EMPTY, Some(wit), &limits);
        assert!(looked.is_ok_and(|component| component.tools().is_empty()));
    }
}

/// A component without anything.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// Each imported function has an answer, and following the calls ends.
fn reach_is_decided(data: &[u8], component: &InspectedComponent, limits: &IntakeLimits) {
    let reached = Reached::of(data, component, limits);
    let imported = component
        .imports()
        .iter()
        .map(|import| import.functions.len());
    assert_eq!(reached.functions().len(), imported.sum::<usize>());
    for function in reached.functions() {
        if let Reachability::CannotTell { why } = &function.reach {
            is_shown(why);
        }
    }
    for asked in requested::of(component, None) {
        assert!(asked.text.len() <= requested::MAX_REQUEST_BYTES);
    }
}

fn texts_are_quoted(component: &InspectedComponent) {
    assert!(component.text_findings().len() <= MAX_FINDINGS);
    for finding in component.text_findings() {
        assert!(finding.rule.starts_with("text."));
        is_shown(&finding.place);
        is_shown(&finding.what);
    }
}

fn is_shown(text: &str) {
    let shown = text.len() <= MAX_MESSAGE && !text.chars().any(char::is_control);
    assert!(shown, "{text:?}");
}

fn is_bounded(component: &InspectedComponent, limits: &IntakeLimits) {
    let functions = component.tools().len() + component.initialisers().len();
    assert!(functions as u64 <= limits.exports, "{functions}");
    for docs in component.docs().into_iter().chain(
        component
            .tools()
            .iter()
            .filter_map(|tool| tool.docs.as_deref()),
    ) {
        assert!(docs.len() <= MAX_DOCS_BYTES + 8, "{}", docs.len());
        let inert = |character: char| !character.is_control() || character == '\n';
        assert!(docs.chars().all(inert), "{docs:?}");
    }
    for text in component
        .warnings()
        .iter()
        .chain(component.missing_features())
    {
        is_shown(text);
    }
    for producer in component.producers() {
        is_shown(&producer.name);
        is_shown(&producer.version);
    }
    for import in component.unknown_imports() {
        assert!(!import.provided && !import.interface.is_empty());
    }
}

/// Each tool has a name of its own, and schemas that are what its type says.
fn tools_are_usable(component: &InspectedComponent) {
    for tool in component.tools() {
        for (schema, again) in [
            (tool.input_schema(), input_schema(&tool.ty)),
            (tool.output_schema(), output_schema(&tool.ty)),
        ] {
            assert_eq!(again.as_ref(), Ok(schema));
            assert_eq!(schema.get("type"), Some(&Value::from("object")));
            let text = serde_json::to_string(schema).unwrap_or_default();
            assert!(
                !text.is_empty() && text.len() as u64 <= MAX_SCHEMA_BYTES,
                "{}",
                text.len()
            );
        }
    }
    let Ok(name) = "a-name".parse::<ComponentName>() else {
        return;
    };
    let Ok(names) = tool_names(&name, component.tools()) else {
        return;
    };
    assert_eq!(names.len(), component.tools().len());
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    for name in names {
        let plain = name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        assert!(plain && name.len() <= MAX_TOOL_NAME, "{name:?}");
    }
}

/// One byte less than there is, is too little.
fn is_refused_beyond(data: &[u8], component: &InspectedComponent) {
    let limits = IntakeLimits {
        component_bytes: component.bytes_len().saturating_sub(1),
        ..IntakeLimits::default()
    };
    let refused = inspect(data, None, &limits);
    assert!(
        matches!(refused, Err(InspectError::Limit { .. })),
        "{refused:?}"
    );
}
