//! What changed between two builds of a component, in what a model is told and in what the host is asked for?
//!
//! Pure and deterministic: equal components give no difference, and the two orders of a comparison mirror each other. Bytes, code
//! size and addresses say nothing to a person and are left out; whoever compares those compares digests.

mod excerpt;
mod schema;

use crate::inspect::{Capability, InspectedComponent, InspectedTool, Memory, Producer};
use std::collections::{BTreeMap, BTreeSet};

pub use excerpt::{cut, parting};
pub use schema::{MAX_SCHEMA_CHANGES, MAX_SCHEMA_TEXT, SchemaChange, SchemaChanges};

/// What is different; every list is in the order of its names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Tools, by the names that clients see.
    pub tools: Vec<ToolChange>,
    /// What it can ask its host for, by capability: at most one entry each of what grew and of what shrank.
    pub reach: Vec<ReachChange>,
    /// Interfaces that are imported in other versions.
    pub versions: Vec<VersionChange>,
    /// The author's words about the whole.
    pub docs: Option<TextChange>,
    /// What made it.
    pub producers: ListChange<Producer>,
    /// Memories that its modules declare, before and after.
    pub memories: Option<(Vec<Memory>, Vec<Memory>)>,
    /// Exports that cannot be called, each with its reason.
    pub unsupported: ListChange<String>,
    /// Whether it needs the engine for async functions, before and after.
    pub concurrency: Option<(bool, bool)>,
}

/// A tool that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolChange {
    /// The name that clients see.
    pub name: String,
    /// What happened to it.
    pub kind: ToolChangeKind,
}

/// What happened to a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChangeKind {
    /// It is new.
    Added {
        /// The author's words about it.
        description: Option<String>,
    },
    /// It is gone.
    Removed,
    /// It says or takes something else.
    Changed(Box<Definition>),
}

/// What of a tool's definition changed; at least one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Definition {
    /// The author's name for it, which clients see as its title.
    pub title: Option<(String, String)>,
    /// The author's words about it.
    pub description: Option<TextChange>,
    /// The JSON Schema of its arguments.
    pub input: SchemaChanges,
    /// The JSON Schema of its result.
    pub output: SchemaChanges,
}

/// A text before and after; `None` where there was or is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextChange {
    /// Before.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

/// In which direction something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// There is more of it.
    Grew,
    /// There is less of it.
    Shrank,
}

/// What a component can now ask for and could not, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachChange {
    /// What kind of reach it is.
    pub capability: Capability,
    /// More or less.
    pub direction: Direction,
    /// All there is of this kind: it had none before, or has none now.
    pub whole: bool,
    /// Functions as `interface#function`, the interface without its version; an import that brings no function stands for itself.
    pub functions: Vec<String>,
}

/// An interface that is imported before and after, in other versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionChange {
    /// Its name without a version.
    pub interface: String,
    /// Its versions before, with commas between.
    pub old: String,
    /// Its versions now.
    pub new: String,
}

/// What came and what went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListChange<T> {
    /// What is only there now.
    pub added: Vec<T>,
    /// What was only there before.
    pub removed: Vec<T>,
}

impl<T> Default for ListChange<T> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
        }
    }
}

impl<T: Clone + PartialEq> ListChange<T> {
    fn between(old: &[T], new: &[T]) -> Self {
        let without = |list: &[T], other: &[T]| {
            let mut rest = other.to_vec();
            let mut left = Vec::new();
            for item in list {
                match rest.iter().position(|other| other == item) {
                    Some(index) => drop(rest.swap_remove(index)),
                    None => left.push(item.clone()),
                }
            }
            left
        };
        Self {
            added: without(new, old),
            removed: without(old, new),
        }
    }

    /// Whether nothing came and nothing went.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl TextChange {
    fn between(old: Option<&str>, new: Option<&str>) -> Option<Self> {
        (old != new).then(|| Self {
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        })
    }
}

impl Definition {
    fn between(old: &InspectedTool, new: &InspectedTool) -> Option<Self> {
        let (before, after) = (old.wit_name(), new.wit_name());
        let changed = Self {
            title: (before != after).then_some((before, after)),
            description: TextChange::between(old.docs.as_deref(), new.docs.as_deref()),
            input: SchemaChanges::between(old.input_schema(), new.input_schema()),
            output: SchemaChanges::between(old.output_schema(), new.output_schema()),
        };
        (changed != Self::default()).then_some(changed)
    }
}

impl Difference {
    /// Compares two components. `old_names` and `new_names` are the exposed names of their tools, in the order of
    /// [`InspectedComponent::tools`]; a tool without one goes by its author's name.
    ///
    /// ```
    /// # fn differs(old: &casemate_runtime::inspect::InspectedComponent, new: &casemate_runtime::inspect::InspectedComponent) -> bool {
    /// use casemate_runtime::difference::Difference;
    /// !Difference::between(old, new, &[], &[]).is_empty()
    /// # }
    /// ```
    #[must_use]
    pub fn between(
        old: &InspectedComponent,
        new: &InspectedComponent,
        old_names: &[String],
        new_names: &[String],
    ) -> Self {
        let unsupported = |component: &InspectedComponent| -> Vec<String> {
            let exports = component.unsupported().iter();
            exports
                .map(|export| format!("{} {}", export.export, export.why))
                .collect()
        };
        let memories = |component: &InspectedComponent| component.code().memories.clone();
        let concurrency = (old.needs_concurrency(), new.needs_concurrency());
        Self {
            tools: tools(&named(old, old_names), &named(new, new_names)),
            reach: reach(old, new),
            versions: versions(old, new),
            docs: TextChange::between(old.docs(), new.docs()),
            producers: ListChange::between(old.producers(), new.producers()),
            memories: Some((memories(old), memories(new))).filter(|(old, new)| old != new),
            unsupported: ListChange::between(&unsupported(old), &unsupported(new)),
            concurrency: Some(concurrency).filter(|(old, new)| old != new),
        }
    }

    /// Whether nothing that this knows of is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can ask its host for something that it could not ask for.
    #[must_use]
    pub fn grew(&self) -> bool {
        self.grown().next().is_some()
    }

    /// What it can ask for and could not.
    pub fn grown(&self) -> impl Iterator<Item = &ReachChange> {
        self.reach
            .iter()
            .filter(|change| change.direction == Direction::Grew)
    }

    /// Whether a model is told something else than before: tools came or went, or their names, words or schemas changed.
    #[must_use]
    pub fn changes_definitions(&self) -> bool {
        !self.tools.is_empty()
    }
}

type Named<'a> = BTreeMap<String, &'a InspectedTool>;

fn named<'a>(component: &'a InspectedComponent, names: &[String]) -> Named<'a> {
    let mut names = names.iter();
    let tools = component.tools().iter();
    tools
        .map(|tool| {
            let name = names.next().cloned().unwrap_or_else(|| tool.wit_name());
            (name, tool)
        })
        .collect()
}

fn tools(old: &Named<'_>, new: &Named<'_>) -> Vec<ToolChange> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changes = names.into_iter().filter_map(|name| {
        let kind = match (old.get(name), new.get(name)) {
            (None, None) => return None,
            (None, Some(tool)) => ToolChangeKind::Added {
                description: tool.docs.clone(),
            },
            (Some(_), None) => ToolChangeKind::Removed,
            (Some(old), Some(new)) => {
                ToolChangeKind::Changed(Box::new(Definition::between(old, new)?))
            }
        };
        Some(ToolChange {
            name: name.clone(),
            kind,
        })
    });
    changes.collect()
}

/// The name without its version, and the version.
fn split(interface: &str) -> (&str, &str) {
    interface.split_once('@').unwrap_or((interface, ""))
}

fn reach(old: &InspectedComponent, new: &InspectedComponent) -> Vec<ReachChange> {
    let (old, new) = (asks(old), asks(new));
    let capabilities: BTreeSet<Capability> = old.keys().chain(new.keys()).copied().collect();
    let none = BTreeSet::new();
    let mut changes = Vec::new();
    for capability in capabilities {
        let before = old.get(&capability).unwrap_or(&none);
        let after = new.get(&capability).unwrap_or(&none);
        for (direction, more, less) in [
            (Direction::Grew, after, before),
            (Direction::Shrank, before, after),
        ] {
            let functions: Vec<String> = more.difference(less).cloned().collect();
            if !functions.is_empty() {
                changes.push(ReachChange {
                    capability,
                    direction,
                    whole: less.is_empty(),
                    functions,
                });
            }
        }
    }
    changes
}

/// What a component asks of its host, by capability.
fn asks(component: &InspectedComponent) -> BTreeMap<Capability, BTreeSet<String>> {
    let mut asks: BTreeMap<Capability, BTreeSet<String>> = BTreeMap::new();
    for import in component.imports() {
        let (interface, _) = split(&import.interface);
        let functions = asks.entry(import.capability).or_default();
        if import.functions.is_empty() {
            functions.insert(interface.to_owned());
        }
        let names = import.functions.iter();
        functions.extend(names.map(|function| format!("{interface}#{function}")));
    }
    asks
}

fn versions(old: &InspectedComponent, new: &InspectedComponent) -> Vec<VersionChange> {
    let (old, new) = (imported(old), imported(new));
    let changes = old.iter().filter_map(|(interface, before)| {
        let after = new.get(interface)?;
        let words = |versions: &BTreeSet<&str>| {
            let versions: Vec<&str> = versions.iter().copied().collect();
            versions.join(", ")
        };
        (before != after).then(|| VersionChange {
            interface: (*interface).to_owned(),
            old: words(before),
            new: words(after),
        })
    });
    changes.collect()
}

fn imported(component: &InspectedComponent) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut imported: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for import in component.imports() {
        let (interface, version) = split(&import.interface);
        imported.entry(interface).or_default().insert(version);
    }
    imported
}

#[cfg(test)]
mod tests;
