//! Reading mappings, lists and words out of nodes, with errors that say where and what instead.

use super::LimitRules;
use crate::document::{Entry, Node, Value};
use crate::error::{Located, Place, PolicyError, Refusal};

/// A mapping with the path that errors name it by.
pub(crate) struct Fields<'n> {
    pub(crate) path: String,
    pub(crate) place: Place,
    entries: &'n [Entry],
}

/// Keys that other programs' policies have and that mean nothing here.
const MEANINGLESS: [(&str, &str); 2] = [
    (
        "runtime",
        "it chooses between ways to run a component, and Casemate has one: Wasmtime",
    ),
    (
        "ipc",
        "components have no channels to other processes here, so there is nothing to allow",
    ),
];

/// Keys that are often written one level too high or too low, and where they belong.
const ELSEWHERE: [(&str, &str); 10] = [
    ("permissions", "the top of the file"),
    ("version", "the top of the file"),
    ("storage", "permissions"),
    ("network", "permissions"),
    ("environment", "permissions"),
    ("clocks", "permissions"),
    ("random", "permissions"),
    ("resources", "permissions"),
    ("tools", "permissions"),
    ("limits", "permissions.resources"),
];

impl<'n> Fields<'n> {
    /// Reads a mapping with no other keys than `known`; nothing is an empty one.
    pub(crate) fn of(node: &'n Node, path: &str, known: &[&str]) -> Result<Self, PolicyError> {
        let entries = match &node.value {
            Value::Null => &[],
            Value::Map(entries) => entries.as_slice(),
            Value::Scalar(_) | Value::List(_) => {
                let what = if path.is_empty() { "a policy" } else { path };
                return Err(PolicyError::language(
                    node.place,
                    format!("{what}: expected a mapping, found {}", node.describe()),
                ));
            }
        };
        if let Some(entry) = entries
            .iter()
            .find(|entry| !known.contains(&entry.key.as_str()))
        {
            return Err(unknown_key(entry, path, known));
        }
        Ok(Self {
            path: path.to_owned(),
            place: node.place,
            entries,
        })
    }

    /// Returns the node of a key, also where it holds nothing.
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// Returns the path of a key.
    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Reads a key's text through `parse`.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Result<Option<Located<T>>, PolicyError> {
        self.get(key)
            .map(|node| parsed(node, &self.path_of(key), parse))
            .transpose()
    }

    /// Reads a key's list of texts, each through `parse`.
    pub(crate) fn parsed_list<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Result<Option<Located<Vec<T>>>, PolicyError> {
        let Some(node) = self.get(key) else {
            return Ok(None);
        };
        let path = self.path_of(key);
        let items = list(node, &path)?;
        if items.is_empty() {
            return Err(
                PolicyError::language(node.place, format!("{path}: the list is empty"))
                    .hint("name at least one, or remove the key"),
            );
        }
        let values = items
            .iter()
            .enumerate()
            .map(|(index, item)| Ok(parsed(item, &format!("{path}[{index}]"), &parse)?.value))
            .collect::<Result<_, PolicyError>>()?;
        Ok(Some(Located::new(values, node.place)))
    }

    /// Reads a mapping whose keys are names of the writer's choice.
    pub(crate) fn open(node: &'n Node, path: &str) -> Result<&'n [Entry], PolicyError> {
        match &node.value {
            Value::Null => Ok(&[]),
            Value::Map(entries) => Ok(entries),
            Value::Scalar(_) | Value::List(_) => Err(PolicyError::language(
                node.place,
                format!("{path}: expected a mapping, found {}", node.describe()),
            )),
        }
    }
}

/// Appends a key to a path.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Reads a list; nothing is an empty one.
pub(crate) fn list<'n>(node: &'n Node, path: &str) -> Result<&'n [Node], PolicyError> {
    match &node.value {
        Value::Null => Ok(&[]),
        Value::List(items) => Ok(items),
        Value::Scalar(_) | Value::Map(_) => Err(PolicyError::language(
            node.place,
            format!("{path}: expected a list, found {}", node.describe()),
        )
        .hint("start each entry of a list with \"- \"")),
    }
}

/// Reads a scalar's text.
pub(crate) fn text<'n>(node: &'n Node, path: &str) -> Result<&'n str, PolicyError> {
    match &node.value {
        Value::Scalar(text) => Ok(text),
        Value::Null | Value::List(_) | Value::Map(_) => Err(PolicyError::language(
            node.place,
            format!("{path}: expected a value, found {}", node.describe()),
        )),
    }
}

/// Reads a scalar through `parse`.
pub(crate) fn parsed<T>(
    node: &Node,
    path: &str,
    parse: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Located<T>, PolicyError> {
    match parse(text(node, path)?) {
        Ok(value) => Ok(Located::new(value, node.place)),
        Err(refusal) => Err(Refusal {
            message: format!("{path}: {}", refusal.message),
            hint: refusal.hint,
        }
        .at(node.place)),
    }
}

/// Refuses a word that is none of `known`, with the nearest one as a hint.
pub(crate) fn unknown_word(text: &str, known: &[&str]) -> Refusal {
    let refusal = Refusal::new(format!("{text:?} is not one of {}", known.join(", ")));
    match nearest(text, known) {
        Some(word) => refusal.hint(format!("did you mean {word:?}?")),
        None => refusal,
    }
}

fn unknown_key(entry: &Entry, path: &str, known: &[&str]) -> PolicyError {
    let key = entry.key.as_str();
    let within = if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    };
    if let Some((_, reason)) = MEANINGLESS.iter().find(|(name, _)| *name == key) {
        return PolicyError::language(
            entry.place,
            format!("{within}the section {key:?} has no meaning here: {reason}"),
        )
        .hint("remove the section");
    }
    let error = PolicyError::language(entry.place, format!("{within}unknown key {key:?}"));
    if let Some(word) = nearest(key, known) {
        return error.hint(format!("did you mean {word:?}?"));
    }
    let home = match ELSEWHERE.iter().find(|(name, _)| *name == key) {
        Some((_, home)) => Some(*home),
        None => LimitRules::KEYS
            .contains(&key)
            .then_some("permissions.resources.limits"),
    };
    match home {
        Some(home) => error.hint(format!("{key:?} belongs under {home}")),
        None => error.hint(format!("known keys here: {}", known.join(", "))),
    }
}

/// Returns the word that a mistyped one most likely is.
pub(crate) fn nearest<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    if text.len() > 32 {
        return None;
    }
    let lower = text.to_lowercase();
    words
        .iter()
        .map(|word| (distance(&lower, word), *word))
        .filter(|(distance, word)| *distance <= 2 && *distance * 2 <= word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein's distance, row by row.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, character) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut last = index + 1;
        next.push(last);
        for ((above, above_next), other) in row.iter().zip(row.iter().skip(1)).zip(&right) {
            last = (above + usize::from(character != *other))
                .min(above_next + 1)
                .min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
