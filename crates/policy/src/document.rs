//! From YAML text to a small tree in which every node knows its place, within fixed budgets.
//!
//! Policies use a plain subset of YAML: mappings with text keys, lists and scalars. Anchors,
//! aliases, merge keys, tags, includes, several documents and byte-order marks are refused, so that what
//! a person reads at a place is what stands there. Scalars keep their source text: whether `1e3`, `on` or
//! `0o17` means anything is decided where the value is used, never by YAML's guess of a type.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{
    Error as YamlError, Location, MergeKeyPolicy, MessageFormatter, NonFiniteFloatPolicy, Spanned,
    Tagged, UserMessageFormatter,
};

use crate::error::{Place, PolicyError, PolicyErrorKind, printable};

/// The longest policy text in bytes.
const MAX_TEXT: usize = 256 * 1024;
/// The deepest useful nesting is `tools: {name: {network: {allow: [{methods: [GET]}]}}}`, 9 levels.
const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 50_000;

/// One YAML node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// Bytes of the source: all of a scalar, only the start of a list or mapping.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    /// A scalar's text: quotes and escapes resolved, unquoted ones as they stand in the source.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) span: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// Says what stands here, for "expected …, found …".
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(text) if text.chars().count() > 40 => "a longer text".to_owned(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// Returns the entry of a mapping with this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            Value::Null | Value::Scalar(_) | Value::List(_) => None,
        }
    }
}

/// Reads one YAML document; no text, or comments alone, is [`Value::Null`].
///
/// # Errors
/// If the text is not YAML, uses more than the plain subset, or exceeds a budget.
pub(crate) fn read(text: &str) -> Result<Node, PolicyError> {
    if text.len() > MAX_TEXT {
        return Err(PolicyError::new(
            PolicyErrorKind::Syntax,
            Place::START,
            format!(
                "a policy has at most {} KiB, this one has {}",
                MAX_TEXT / 1024,
                text.len().div_ceil(1024)
            ),
        ));
    }
    if text.starts_with('\u{feff}') {
        return Err(PolicyError::new(
            PolicyErrorKind::Syntax,
            Place::START,
            "the file starts with a byte-order mark",
        )
        .hint("save it as UTF-8 without a byte-order mark"));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_anchors: 0,
            max_aliases: 0,
            max_merge_keys: 0,
            max_documents: 1,
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_TEXT,
        },
        emit_comments: false,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        strict_booleans: true,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    let raw: RawNode =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| syntax(&error))?;
    locate(raw, text)
}

fn place(location: &Location) -> Place {
    Place {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX).max(1),
    }
}

fn span(location: &Location, text: &str) -> Range<usize> {
    let span = location.span();
    let start = span
        .byte_offset()
        .and_then(|offset| usize::try_from(offset).ok());
    let length = span
        .byte_len()
        .and_then(|length| usize::try_from(length).ok());
    match (start, length) {
        (Some(start), Some(length)) if text.get(start..start + length).is_some() => {
            start..start + length
        }
        _ => 0..0,
    }
}

fn syntax(error: &YamlError) -> PolicyError {
    let place = error
        .location()
        .map_or(Place::START, |location| place(&location));
    let message = match error.without_snippet() {
        YamlError::Budget { breach, .. } => match breach {
            BudgetBreach::Anchors { .. } | BudgetBreach::Aliases { .. } => {
                "anchors and aliases (& and *) are not part of the policy language".to_owned()
            }
            BudgetBreach::Documents { .. } => {
                "a policy is one YAML document, here a second one starts".to_owned()
            }
            BudgetBreach::Depth { .. } => format!("nested deeper than {MAX_DEPTH} levels"),
            _ => "the file is too large or too complex for a policy".to_owned(),
        },
        YamlError::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key {key:?} is given twice")
        }
        YamlError::MergeKeyNotAllowed { .. } => {
            "merge keys (<<) are not part of the policy language".to_owned()
        }
        YamlError::UnsupportedTag { .. } => TAGS.to_owned(),
        other => printable(&UserMessageFormatter.format_message(other)),
    };
    PolicyError::new(PolicyErrorKind::Syntax, place, message)
}

const TAGS: &str = "tags (!…) are not part of the policy language";

fn locate(raw: RawNode, text: &str) -> Result<Node, PolicyError> {
    let place = place(&raw.referenced);
    let span = span(&raw.referenced, text);
    let Tagged(value, tag) = raw.value;
    if tag.is_some() {
        return Err(PolicyError::new(PolicyErrorKind::Syntax, place, TAGS));
    }
    let value = match value {
        Raw::Null => Value::Null,
        Raw::Text(scalar) => Value::Scalar(scalar),
        Raw::Typed => Value::Scalar(text.get(span.clone()).unwrap_or_default().to_owned()),
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| locate(item, text))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| entry(key, value, text))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Node { place, span, value })
}

fn entry(key: RawKey, value: RawNode, text: &str) -> Result<Entry, PolicyError> {
    let place = place(&key.referenced);
    let Tagged(name, tag) = key.value;
    if tag.is_some() {
        return Err(PolicyError::new(PolicyErrorKind::Syntax, place, TAGS));
    }
    Ok(Entry {
        key: name,
        place,
        span: span(&key.referenced, text),
        node: locate(value, text)?,
    })
}

type RawNode = Spanned<Tagged<Raw>>;
type RawKey = Spanned<Tagged<String>>;

/// A node as the deserializer hands it over. Depth is bounded by the budget, so recursion is safe.
enum Raw {
    Null,
    Text(String),
    /// An unquoted scalar that YAML takes for a number or a boolean; its text is in the source.
    Typed,
    List(Vec<RawNode>),
    Map(Vec<(RawKey, RawNode)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Typed)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests;
