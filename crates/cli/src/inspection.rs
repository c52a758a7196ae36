//! What a component is, for a person or as JSON. The words in it are a third party's.

use crate::findings;
use crate::print::{BAD, FAINT, GOOD, Page, STRONG};
use casemate_policy::{ComponentName, Reach};
use casemate_runtime::inspect::reached::Reached;
use casemate_runtime::inspect::{Capability, InspectedComponent, InspectedTool};
use casemate_runtime::names::tool_names;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Longest line of a description in a list, in characters.
const MAX_SUMMARY: usize = 96;

/// An inspected component and what is known around it.
pub(crate) struct Inspection<'a> {
    pub(crate) component: &'a InspectedComponent,
    pub(crate) name: Option<&'a ComponentName>,
    pub(crate) source: &'a str,
}

impl Inspection<'_> {
    /// Exposed names of the tools where there is a name to put before them, else the author's.
    fn names(&self) -> Vec<String> {
        let tools = self.component.tools();
        self.name
            .and_then(|name| tool_names(name, tools).ok())
            .unwrap_or_else(|| tools.iter().map(InspectedTool::wit_name).collect())
    }

    /// What it could ask for that matters, in the order of importance.
    fn reach(&self) -> BTreeSet<Capability> {
        self.component
            .imports()
            .iter()
            .map(|import| import.capability)
            .collect()
    }

    /// Whether `add` would take it: something to call, and everything that it needs.
    pub(crate) fn runs_here(&self) -> bool {
        !self.component.tools().is_empty()
            && self.component.unknown_imports().next().is_none()
            && self.component.missing_features().is_empty()
    }

    /// Everything for a person who decides about it.
    pub(crate) fn page(&self) -> Page {
        self.with(None, &Page::default())
    }

    /// The same, with what is known of where it came from, and with what its tools can reach.
    pub(crate) fn with(&self, reached: Option<&Reached>, provenance: &Page) -> Page {
        let mut page = Page::default();
        let name = self.name.map_or("component", ComponentName::as_str);
        page.styled(STRONG, name)
            .text("  ")
            .text(&size(self.component.bytes_len()))
            .text("  ");
        page.styled(FAINT, &self.component.digest().to_string())
            .end();
        page.text("  from ").word(self.source).end();
        page.page(provenance);
        if let Some(docs) = self.component.docs() {
            page.text("  ").word(&summary(docs)).end();
        }
        self.tools(&mut page);
        self.capabilities(&mut page, reached);
        let other = self.component.initialisers();
        if !other.is_empty() {
            page.styled(
                FAINT,
                &format!(
                    "not tools: {} (called by the toolchain only)",
                    other.join(", ")
                ),
            )
            .end();
        }
        for warning in self.component.warnings() {
            page.warning(warning);
        }
        page
    }

    fn tools(&self, page: &mut Page) {
        page.end()
            .heading(&format!("Tools ({})", self.component.tools().len()));
        for (name, tool) in self.names().iter().zip(self.component.tools()) {
            page.text("  ")
                .styled(STRONG, name)
                .text("(")
                .word(&parameters(tool))
                .text(")")
                .end();
            if let Some(docs) = &tool.docs {
                page.text("      ").word(&summary(docs)).end();
            }
        }
        let unsupported = self.component.unsupported();
        if !unsupported.is_empty() {
            page.end().heading("Cannot be called");
            for export in unsupported {
                page.text("  ")
                    .word(&export.export)
                    .text(" ")
                    .word(&export.why)
                    .end();
            }
        }
    }

    fn capabilities(&self, page: &mut Page, reached: Option<&Reached>) {
        page.end().heading("It could ask for");
        let reach = self.reach();
        let rows: Vec<_> = reach
            .iter()
            .filter_map(|capability| {
                let mut row = vec![
                    capability.as_str().to_owned(),
                    in_words(*capability)?.to_owned(),
                ];
                row.extend(reached.map(|reached| {
                    let found = reached.capability(*capability);
                    findings::reach_in_words(found.as_ref())
                }));
                Some(row)
            })
            .collect();
        if rows.is_empty() {
            page.line("  nothing");
        }
        page.table(rows);
        let inside: Vec<&str> = reach
            .iter()
            .filter(|capability| {
                matches!(
                    capability,
                    Capability::Stdio | Capability::Terminal | Capability::Exit | Capability::Io
                )
            })
            .map(|capability| capability.as_str())
            .collect();
        if !inside.is_empty() {
            page.styled(
                FAINT,
                &format!("  {}: stays inside the sandbox", inside.join(", ")),
            )
            .end();
        }
        let unknown: Vec<&str> = self
            .component
            .unknown_imports()
            .map(|import| import.interface.as_str())
            .collect();
        if !unknown.is_empty() {
            page.text("  ")
                .styled(BAD, "cannot run here:")
                .text(" it imports ")
                .word(&unknown.join(", "))
                .end();
        }
        let missing = self.component.missing_features();
        if !missing.is_empty() {
            page.text("  ")
                .styled(BAD, "cannot run here:")
                .text(" it needs ")
                .word(&missing.join(", "))
                .end();
        }
    }

    /// Everything as JSON.
    pub(crate) fn json(&self) -> Value {
        let component = self.component;
        let tools: Vec<Value> = self
            .names()
            .iter()
            .zip(component.tools())
            .map(|(name, tool)| {
                json!({
                    "name": name,
                    "wit_name": tool.wit_name(),
                    "description": tool.docs,
                    "input_schema": tool.input_schema(),
                    "output_schema": tool.output_schema(),
                })
            })
            .collect();
        let imports: Vec<Value> = component
            .imports()
            .iter()
            .map(|import| {
                json!({
                    "interface": import.interface,
                    "capability": import.capability.as_str(),
                    "functions": import.functions,
                    "provided": import.provided,
                })
            })
            .collect();
        let code = component.code();
        json!({
            "name": self.name.map(ComponentName::as_str),
            "digest": component.digest().to_string(),
            "bytes": component.bytes_len(),
            "source": self.source,
            "description": component.docs(),
            "tools": tools,
            "unsupported": component.unsupported().iter()
                .map(|export| json!({ "export": export.export, "why": export.why })).collect::<Vec<_>>(),
            "initialisers": component.initialisers(),
            "could_ask_for": self.reach().iter().map(|capability| capability.as_str()).collect::<Vec<_>>(),
            "imports": imports,
            "missing_features": component.missing_features(),
            "producers": component.producers().iter()
                .map(|producer| json!({ "field": producer.field, "name": producer.name, "version": producer.version }))
                .collect::<Vec<_>>(),
            "code": {
                "modules": code.modules,
                "functions": code.functions,
                "bytes": code.code_bytes,
                "largest_function": code.largest_function,
                "memories": code.memories.iter()
                    .map(|memory| json!({ "min_bytes": memory.min_bytes, "max_bytes": memory.max_bytes })).collect::<Vec<_>>(),
            },
            "text_findings": findings::texts_json(component.text_findings()),
            "warnings": component.warnings(),
        })
    }
}

/// Parameters with `?` behind those that may be left out.
fn parameters(tool: &InspectedTool) -> String {
    let schema = tool.input_schema();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let names = properties
        .into_iter()
        .flat_map(|properties| properties.keys());
    names
        .map(|name| {
            if required.contains(&name.as_str()) {
                name.clone()
            } else {
                format!("{name}?")
            }
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// The first sentence or line of a description.
fn summary(docs: &str) -> String {
    let line = docs.lines().next().unwrap_or_default();
    let sentence = line
        .split_inclusive(". ")
        .next()
        .unwrap_or_default()
        .trim_end();
    let mut short: String = sentence.chars().take(MAX_SUMMARY).collect();
    if short.len() < sentence.len() {
        short.push('…');
    }
    short
}

/// What a capability means, where it reaches out of the sandbox.
pub(crate) fn in_words(capability: Capability) -> Option<&'static str> {
    match capability {
        Capability::Files => Some("read and write files in folders that you grant"),
        Capability::Http => Some("send requests to hosts that you grant"),
        Capability::Sockets => Some("open network connections"),
        Capability::Names => Some("look up the addresses of hosts"),
        Capability::Environment => Some("see environment variables that you grant"),
        Capability::Clocks => Some("tell the time, and wait"),
        Capability::Random => Some("draw random numbers"),
        Capability::Logging => Some("write log records (not offered in this release)"),
        Capability::Unknown => Some("something that Casemate does not know"),
        _ => None,
    }
}

/// What a grant could reach, in a few words.
pub(crate) fn reach_in_words(reach: &Reach) -> String {
    let mut words = Vec::new();
    match (reach.storage_read, reach.storage_write) {
        (true, true) => words.push("reads and writes files"),
        (true, false) => words.push("reads files"),
        (false, true) => words.push("writes files"),
        (false, false) => {}
    }
    if reach.network {
        words.push("sends requests");
    }
    if reach.sockets {
        words.push("uses sockets");
    }
    if reach.environment {
        words.push("sees variables");
    }
    if reach.secrets {
        words.push("is given secrets");
    }
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ if bytes & 0xf_ffff == 0 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20),
    }
}

/// A line that says that something went well.
pub(crate) fn done(what: &str) -> Page {
    let mut page = Page::default();
    page.styled(GOOD, "ok:").text(" ").text(what).end();
    page
}
