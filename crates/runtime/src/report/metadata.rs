//! What a component or its manifest says of itself: description, version, licence, source. A third party's words.

use std::collections::BTreeMap;

use wasmparser::{Chunk, Parser, Payload};

use crate::docs::plain_text;
use crate::text::{TextFinding, of_text};

/// Longest text of one kind that is kept, in bytes.
const MAX_BYTES: usize = 2 * 1024;

/// Longest description that is looked at, in bytes.
const MAX_READ: usize = 64 * 1024;

/// Says of itself what stands in the custom sections of the outermost component (`description`, `version`, `licenses`,
/// `source`, `homepage`; the names that `wasm-tools metadata add` writes) or in the annotations of its manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// `casemate.category` of the manifest.
    pub category: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Under which licence it is.
    pub licences: Option<String>,
    /// Where its source is, or its home page.
    pub source: Option<String>,
    /// What was found in the description as it was written.
    pub(super) findings: Vec<TextFinding>,
}

impl Metadata {
    /// Reads the custom sections of a component. Whatever cannot be read is absent; `bytes` were inspected, so that they are
    /// small enough.
    #[must_use]
    pub fn of_component(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let mut homepage = None;
        let mut parser = Parser::new(0);
        let mut rest = bytes;
        while let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) {
            rest = rest.get(consumed..).unwrap_or_default();
            match payload {
                // What is inside is another's: skipped as a whole.
                Payload::ModuleSection {
                    unchecked_range, ..
                }
                | Payload::ComponentSection {
                    unchecked_range, ..
                } => rest = rest.get(unchecked_range.len()..).unwrap_or_default(),
                Payload::CustomSection(section) => {
                    let Ok(text) = std::str::from_utf8(section.data()) else {
                        continue;
                    };
                    let place = match section.name() {
                        "description" => &mut found.description,
                        "version" => &mut found.version,
                        "licenses" => &mut found.licences,
                        "source" => &mut found.source,
                        "homepage" => &mut homepage,
                        _ => continue,
                    };
                    if place.is_none() {
                        *place = shown(text);
                        if section.name() == "description" {
                            found.findings = of_text("description", cut(text));
                        }
                    }
                }
                Payload::End(_) => break,
                _ => {}
            }
        }
        found.source = found.source.or(homepage);
        found
    }

    /// Puts the annotations of a manifest before what is there (OCI image spec, annotations.md, pre-defined keys).
    #[must_use]
    pub fn with_annotations(mut self, annotations: &BTreeMap<String, String>) -> Self {
        let of = |key: &str| annotations.get(key).and_then(|text| shown(text));
        self.category = of("casemate.category").or(self.category);
        if let Some(text) = annotations.get("org.opencontainers.image.description") {
            self.description = shown(text);
            let annotated = of_text("annotation org.opencontainers.image.description", cut(text));
            self.findings.extend(annotated);
        }
        self.version = of("org.opencontainers.image.version").or(self.version);
        self.licences = of("org.opencontainers.image.licenses").or(self.licences);
        self.source = of("org.opencontainers.image.source")
            .or_else(|| of("org.opencontainers.image.url"))
            .or(self.source);
        self
    }
}

/// As much of a text as is looked at.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_READ))
        .unwrap_or(text)
}

fn shown(text: &str) -> Option<String> {
    let text = plain_text(cut(text), MAX_BYTES);
    (!text.is_empty()).then_some(text)
}
