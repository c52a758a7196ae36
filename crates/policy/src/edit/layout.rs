//! Surgery on the lines of a policy file.
//!
//! Places come from the parsed nodes; what is not part of the change stays byte for byte. Lists and mappings in block
//! style can grow and shrink; in flow style (`[…]`, `{…}`) only words and limits on one line can.

use std::ops::Range;

use crate::document::{self, Entry, Node, Value};
use crate::error::PolicyError;

/// The line that stands in the way of a change, and why.
pub(super) struct ByHand {
    pub(super) line: u32,
    pub(super) reason: &'static str,
}

fn by_hand<T>(node: &Node, reason: &'static str) -> Result<T, ByHand> {
    Err(ByHand {
        line: node.place.line,
        reason,
    })
}

const FLOW: &str = "this list or mapping is written in one line, with brackets";
const ODD: &str = "the layout here is too unusual for a safe change";

/// A text with its nodes.
pub(super) struct Layout<'t> {
    text: &'t str,
    root: Node,
    newline: &'static str,
    /// Spaces per level, as the file has them.
    step: usize,
}

/// What is put below a key.
#[derive(Clone, Copy)]
enum Content<'c> {
    /// The lines of one list entry.
    Item(&'c [String]),
    /// A line `key: value`.
    Pair(&'c str),
}

impl<'t> Layout<'t> {
    pub(super) fn of(text: &'t str) -> Result<Self, PolicyError> {
        let root = document::read(text)?;
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let step = first_step(text, &root).unwrap_or(2);
        Ok(Self {
            text,
            root,
            newline,
            step,
        })
    }

    /// Adds an entry at the end of the list at `path`, with the sections that lead to it.
    pub(super) fn append(&self, path: &[&str], lines: &[String]) -> Result<String, ByHand> {
        self.put(path, Content::Item(lines))
    }

    /// Removes an entry of the list at `path`.
    pub(super) fn remove(&self, path: &[&str], index: usize) -> Result<String, ByHand> {
        let entry = self.find(path)?;
        let list = &entry.node;
        let Value::List(items) = &list.value else {
            return by_hand(list, ODD);
        };
        let Some(item) = items.get(index) else {
            return by_hand(list, ODD);
        };
        if self.is_flow(list) {
            return by_hand(list, FLOW);
        }
        let lines = self.item_lines(item)?;
        if items.len() > 1 {
            return Ok(self.splice(&[(lines, "")]));
        }
        let colon = self.after_colon(entry)?;
        Ok(self.splice(&[(colon..colon, " []"), (lines, "")]))
    }

    /// Writes a list of words under `key` in an entry of the list at `path`.
    pub(super) fn set_words(
        &self,
        path: &[&str],
        index: usize,
        key: &str,
        words: &[&str],
    ) -> Result<String, ByHand> {
        let list = &self.find(path)?.node;
        let item = match &list.value {
            Value::List(items) => items.get(index),
            Value::Null | Value::Scalar(_) | Value::Map(_) => None,
        };
        let Some(node) = item
            .and_then(|item| item.entry(key))
            .map(|entry| &entry.node)
        else {
            return by_hand(list, ODD);
        };
        let Value::List(present) = &node.value else {
            return by_hand(node, ODD);
        };
        let quote = |word: &str| {
            let first = present
                .first()
                .and_then(|word| self.text.get(word.span.clone()));
            match first.and_then(|text| text.chars().next()) {
                Some('\'') => format!("'{word}'"),
                Some('"') => format!("\"{word}\""),
                Some(_) | None => word.to_owned(),
            }
        };
        if self.is_flow(node) {
            let span = node.span.start..self.end_of(node);
            if self
                .text
                .get(span.clone())
                .is_none_or(|text| text.contains(['\n', '#']))
            {
                return by_hand(node, ODD);
            }
            let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
            return Ok(self.splice(&[(span, &format!("[{}]", words.join(", ")))]));
        }
        let has =
            |node: &Node, word: &str| matches!(&node.value, Value::Scalar(text) if text == word);
        let mut changes: Vec<(Range<usize>, String)> = Vec::new();
        for item in present
            .iter()
            .filter(|item| !words.iter().any(|word| has(item, word)))
        {
            changes.push((self.item_lines(item)?, String::new()));
        }
        let indent = self.indent_of(node)?;
        let end = self.line_after(self.end_of(node));
        for word in words
            .iter()
            .filter(|word| !present.iter().any(|item| has(item, word)))
        {
            let mut line = self.lead(end);
            self.push_line(&mut line, indent, &format!("- {}", quote(word)));
            changes.push((end..end, line));
        }
        let changes: Vec<(Range<usize>, &str)> = changes
            .iter()
            .map(|(range, text)| (range.clone(), text.as_str()))
            .collect();
        Ok(self.splice(&changes))
    }

    /// Writes `key: value` in the mapping at `path`, with the sections that lead to it.
    pub(super) fn set_scalar(
        &self,
        path: &[&str],
        key: &str,
        value: &str,
    ) -> Result<String, ByHand> {
        if let Ok(section) = self.find(path) {
            if let Some(entry) = section.node.entry(key) {
                return Ok(self.splice(&[(entry.node.span.clone(), value)]));
            }
            if let Value::Map(entries) = &section.node.value
                && let Some(last) = entries.last()
                && self.is_flow(&section.node)
            {
                let end = self.end_of_entry(last);
                return Ok(self.splice(&[(end..end, &format!(", {key}: {value}"))]));
            }
        }
        self.put(path, Content::Pair(&format!("{key}: {value}")))
    }

    /// Puts content below the last key of `path`, and writes the keys that are missing.
    fn put(&self, path: &[&str], content: Content<'_>) -> Result<String, ByHand> {
        let mut node = &self.root;
        let mut parent: Option<&Entry> = None;
        let mut rest = path.iter();
        loop {
            let missing = rest.as_slice();
            match &node.value {
                Value::Map(entries) if !entries.is_empty() => {
                    if let Some(key) = missing.first()
                        && let Some(entry) = node.entry(key)
                    {
                        node = &entry.node;
                        parent = Some(entry);
                        rest.next();
                        continue;
                    }
                    return self.insert_in_block(node, missing, content);
                }
                Value::List(items) if !items.is_empty() => {
                    return self.insert_in_block(node, missing, content);
                }
                Value::Null | Value::Map(_) | Value::List(_) => {
                    return match parent {
                        Some(entry) => self.fill(entry, missing, content),
                        None => self.start(missing, content),
                    };
                }
                Value::Scalar(_) => return by_hand(node, ODD),
            }
        }
    }

    /// Appends to a list or mapping that has entries.
    fn insert_in_block(
        &self,
        node: &Node,
        missing: &[&str],
        content: Content<'_>,
    ) -> Result<String, ByHand> {
        if self.is_flow(node) {
            return by_hand(node, FLOW);
        }
        let indent = self.indent_of(node)?;
        let at = self.after_comments(self.line_after(self.end_of(node)), indent);
        let mut text = self.lead(at);
        self.push_nested(&mut text, indent, missing, content);
        Ok(self.splice(&[(at..at, &text)]))
    }

    /// Puts the first entry below a key that holds nothing, `[]` or `{}`.
    fn fill(
        &self,
        entry: &Entry,
        missing: &[&str],
        content: Content<'_>,
    ) -> Result<String, ByHand> {
        let indent = self.indent_at(entry.span.start, &entry.node)? + self.step;
        let colon = self.after_colon(entry)?;
        let nothing = match &entry.node.value {
            Value::Null => entry.node.span.start..entry.node.span.end,
            Value::List(_) | Value::Map(_) | Value::Scalar(_) => {
                entry.node.span.start..self.end_of(&entry.node)
            }
        };
        let nothing = if nothing.is_empty() || nothing.start < colon {
            colon..colon
        } else {
            colon..nothing.end
        };
        let between = self.text.get(nothing.clone()).unwrap_or_default();
        if between.contains(['\n', '#']) {
            return by_hand(&entry.node, ODD);
        }
        let at = self.after_comments(self.line_after(nothing.end), indent.saturating_sub(1));
        let mut text = self.lead(at);
        self.push_nested(&mut text, indent, missing, content);
        Ok(self.splice(&[(nothing, ""), (at..at, &text)]))
    }

    /// Writes the first content of a file that has none.
    fn start(&self, missing: &[&str], content: Content<'_>) -> Result<String, ByHand> {
        let plain = |line: &str| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line == "---"
        };
        if !self.text.lines().all(plain) {
            return by_hand(&self.root, ODD);
        }
        let at = self.text.len();
        let mut text = self.lead(at);
        self.push_line(&mut text, 0, "version: \"1.0\"");
        self.push_nested(&mut text, 0, missing, content);
        Ok(self.splice(&[(at..at, &text)]))
    }

    fn push_nested(
        &self,
        text: &mut String,
        mut indent: usize,
        keys: &[&str],
        content: Content<'_>,
    ) {
        for key in keys {
            self.push_line(text, indent, &format!("{key}:"));
            indent += self.step;
        }
        match content {
            Content::Pair(pair) => self.push_line(text, indent, pair),
            Content::Item(lines) => {
                for (index, line) in lines.iter().enumerate() {
                    let lead = if index == 0 { "- " } else { "  " };
                    self.push_line(text, indent, &format!("{lead}{line}"));
                }
            }
        }
    }

    fn push_line(&self, text: &mut String, indent: usize, line: &str) {
        text.push_str(&" ".repeat(indent));
        text.push_str(line);
        text.push_str(self.newline);
    }

    fn find(&self, path: &[&str]) -> Result<&Entry, ByHand> {
        let mut node = &self.root;
        let mut found = None;
        for key in path {
            let Some(entry) = node.entry(key) else {
                return by_hand(node, ODD);
            };
            node = &entry.node;
            found = Some(entry);
        }
        match found {
            Some(entry) => Ok(entry),
            None => by_hand(node, ODD),
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text
            .get(node.span.start..)
            .is_some_and(|text| text.starts_with(['[', '{']))
    }

    /// Returns the whole lines of a list entry, from its dash on.
    fn item_lines(&self, item: &Node) -> Result<Range<usize>, ByHand> {
        let dash = self.dash_of(item)?;
        let end = self.end_of(item);
        if self.is_rest_blank(end) {
            Ok(dash - self.indent_at(dash, item)?..self.line_after(end))
        } else {
            by_hand(item, ODD)
        }
    }

    /// Returns the offset of the dash in front of a list entry.
    fn dash_of(&self, item: &Node) -> Result<usize, ByHand> {
        let before = self
            .text
            .get(..item.span.start)
            .unwrap_or_default()
            .trim_end();
        match before.strip_suffix('-') {
            Some(before_dash) => Ok(before_dash.len()),
            None => by_hand(item, ODD),
        }
    }

    /// Returns the indentation of the entries of a block list or mapping.
    fn indent_of(&self, node: &Node) -> Result<usize, ByHand> {
        match &node.value {
            // The parser's own place of a list is the dash or what follows it, so it is looked for.
            Value::List(items) => match items.last() {
                Some(item) => self.indent_at(self.dash_of(item)?, item),
                None => by_hand(node, ODD),
            },
            Value::Map(entries) => match entries.first() {
                Some(entry) => self.indent_at(entry.span.start, node),
                None => by_hand(node, ODD),
            },
            Value::Null | Value::Scalar(_) => by_hand(node, ODD),
        }
    }

    /// Tells whether nothing but a comment follows on the line.
    fn is_rest_blank(&self, offset: usize) -> bool {
        let rest = self
            .text
            .get(offset..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    /// Returns the spaces before a key or dash that is the first of its line.
    fn indent_at(&self, offset: usize, node: &Node) -> Result<usize, ByHand> {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        if line.bytes().all(|byte| byte == b' ') {
            Ok(line.len())
        } else {
            by_hand(node, ODD)
        }
    }

    fn after_colon(&self, entry: &Entry) -> Result<usize, ByHand> {
        let rest = self.text.get(entry.span.end..).unwrap_or_default();
        let trimmed = rest.trim_start_matches(' ');
        if trimmed.starts_with(':') {
            Ok(entry.span.end + (rest.len() - trimmed.len()) + 1)
        } else {
            by_hand(&entry.node, ODD)
        }
    }

    /// Returns the start of the line after the one that holds `offset`, or the end of the text.
    fn line_after(&self, offset: usize) -> usize {
        let rest = self.text.get(offset..).unwrap_or_default();
        rest.find('\n')
            .map_or(self.text.len(), |newline| offset + newline + 1)
    }

    /// Skips comment lines that are indented further than `indent`: they belong to what stands before them.
    fn after_comments(&self, mut offset: usize, indent: usize) -> usize {
        while let Some(line) = self
            .text
            .get(offset..)
            .and_then(|rest| rest.split_inclusive('\n').next())
        {
            let content = line.trim_start_matches(' ');
            if !content.starts_with('#') || line.len() - content.len() <= indent {
                break;
            }
            offset += line.len();
        }
        offset
    }

    /// Returns the newline that is missing before text put at `offset`.
    fn lead(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or_default();
        if before.is_empty() || before.ends_with('\n') {
            String::new()
        } else {
            self.newline.to_owned()
        }
    }

    fn end_of_entry(&self, entry: &Entry) -> usize {
        self.end_of(&entry.node).max(entry.span.end)
    }

    /// Returns the offset after the last character of a node.
    fn end_of(&self, node: &Node) -> usize {
        let last = match &node.value {
            Value::Null => return node.span.end,
            Value::Scalar(_) => {
                let text = self.text.get(..node.span.end).unwrap_or_default();
                return text.trim_end().len().max(node.span.start);
            }
            Value::List(items) => items.last().map(|item| self.end_of(item)),
            Value::Map(entries) => entries.last().map(|entry| self.end_of_entry(entry)),
        };
        if !self.is_flow(node) {
            return last.unwrap_or(node.span.end);
        }
        self.closing_bracket(last.unwrap_or(node.span.start + 1))
    }

    /// Returns the offset after the bracket that closes a flow collection; only space, commas and comments stand before it.
    fn closing_bracket(&self, mut offset: usize) -> usize {
        loop {
            let rest = self.text.get(offset..).unwrap_or_default();
            match rest.bytes().next() {
                None => return offset,
                Some(b']' | b'}') => return offset + 1,
                Some(b'#') => offset = self.line_after(offset),
                Some(_) => offset += rest.chars().next().map_or(1, char::len_utf8),
            }
        }
    }

    /// Replaces ranges, which do not overlap, by texts.
    fn splice(&self, changes: &[(Range<usize>, &str)]) -> String {
        let mut sorted: Vec<_> = changes.to_vec();
        sorted.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(self.text.len() + 128);
        let mut from = 0;
        for (range, replacement) in sorted {
            text.push_str(self.text.get(from..range.start).unwrap_or_default());
            text.push_str(replacement);
            from = range.end;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        text
    }
}

/// Returns the indentation of the first section below `permissions`.
fn first_step(text: &str, root: &Node) -> Option<usize> {
    let Value::Map(entries) = &root.entry("permissions")?.node.value else {
        return None;
    };
    let before = text.get(..entries.first()?.span.start)?;
    let line = before.rsplit('\n').next()?;
    let spaces = line.bytes().all(|byte| byte == b' ');
    Some(line.len()).filter(|step| spaces && (1..=8).contains(step))
}
