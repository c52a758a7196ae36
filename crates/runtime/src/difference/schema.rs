//! Where two JSON Schemas differ.

use super::excerpt::{cut, parting};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most places of one schema that are told; the others are counted.
pub const MAX_SCHEMA_CHANGES: usize = 24;

/// Most characters of a value that are told.
pub const MAX_SCHEMA_TEXT: usize = 300;

/// Levels below which values are compared as a whole.
const MAX_DEPTH: usize = 96;

/// Where two schemas differ, in the order of the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaChanges {
    /// The first [`MAX_SCHEMA_CHANGES`] places.
    pub told: Vec<SchemaChange>,
    /// How many more there are.
    pub more: usize,
}

/// One place in which two schemas differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// A JSON pointer (RFC 6901) into the schema; into an array of values it names the array.
    pub path: String,
    /// The value before as JSON, `None` where there was none.
    pub old: Option<String>,
    /// The value after as JSON, `None` where there is none.
    pub new: Option<String>,
}

impl SchemaChanges {
    /// Compares two schemas. The order of keys means nothing.
    pub(super) fn between(old: &Map<String, Value>, new: &Map<String, Value>) -> Self {
        let mut changes = Self::default();
        changes.objects("", old, new, 0);
        changes
    }

    /// Whether the schemas are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// In how many places they differ.
    #[must_use]
    pub fn len(&self) -> usize {
        self.told.len().saturating_add(self.more)
    }

    fn tell(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        if self.told.len() >= MAX_SCHEMA_CHANGES {
            self.more = self.more.saturating_add(1);
            return;
        }
        let (old, new) = (old.map(Value::to_string), new.map(Value::to_string));
        // Both are cut from the same place on, so that what differs is in what is shown.
        let from = match (&old, &new) {
            (Some(old), Some(new)) => parting(old, new, MAX_SCHEMA_TEXT),
            _ => 0,
        };
        self.told.push(SchemaChange {
            path: path.to_owned(),
            old: old.map(|text| cut(&text, from, MAX_SCHEMA_TEXT)),
            new: new.map(|text| cut(&text, from, MAX_SCHEMA_TEXT)),
        });
    }

    fn values(&mut self, path: &str, old: &Value, new: &Value, depth: usize) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) if depth < MAX_DEPTH => {
                self.objects(path, old, new, depth);
            }
            (Value::Array(old), Value::Array(new)) if depth < MAX_DEPTH => {
                self.arrays(path, old, new, depth);
            }
            _ if old == new => {}
            _ => self.tell(path, Some(old), Some(new)),
        }
    }

    fn objects(
        &mut self,
        path: &str,
        old: &Map<String, Value>,
        new: &Map<String, Value>,
        depth: usize,
    ) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => self.values(&path, old, new, depth + 1),
                (old, new) => self.tell(&path, old, new),
            }
        }
    }

    fn arrays(&mut self, path: &str, old: &[Value], new: &[Value], depth: usize) {
        let texts = |list: &[Value]| list.iter().all(Value::is_string);
        if texts(old) && texts(new) {
            self.lists(path, old, new);
            return;
        }
        for index in 0..old.len().max(new.len()) {
            let path = format!("{path}/{index}");
            match (old.get(index), new.get(index)) {
                (Some(old), Some(new)) => self.values(&path, old, new, depth + 1),
                (old, new) => self.tell(&path, old, new),
            }
        }
    }

    /// Lists of words, such as `required` and `enum`: what came and what went, or that the order changed.
    fn lists(&mut self, path: &str, old: &[Value], new: &[Value]) {
        let words = |list: &[Value]| -> BTreeSet<String> {
            let words = list.iter().filter_map(Value::as_str);
            words.map(str::to_owned).collect()
        };
        let (before, after) = (words(old), words(new));
        if before == after {
            if old != new {
                let list = |list: &[Value]| Value::Array(list.to_vec());
                self.tell(path, Some(&list(old)), Some(&list(new)));
            }
            return;
        }
        for word in before.difference(&after) {
            self.tell(path, Some(&Value::from(word.as_str())), None);
        }
        for word in after.difference(&before) {
            self.tell(path, None, Some(&Value::from(word.as_str())));
        }
    }
}
