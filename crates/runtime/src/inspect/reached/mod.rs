//! Which of its imports can a component's tools really call?
//!
//! Toolchains import more than a program uses: an adapter for WASI preview 1 asks for files and sockets whatever the program
//! does. This follows the calls from the tools through the component's structure and the code of its core modules, without
//! running or compiling any of it.
//!
//! [`Reachability::Unreachable`] is a proof: there is no run of a tool in which that function is called. It holds for
//! components as Casemate runs them, freshly instantiated for each call of one tool and never by an export that is not a
//! tool. What happens while an instance is made counts as reachable, and so do destructors, allocation and clean-up
//! functions of what is called. [`Reachability::Reachable`] is no proof of the opposite: a call stands in code that can be
//! reached if every branch is taken and every reference of a fitting type is used, which a run need not do.
//!
//! References to functions are followed by their origins: a function can be called through a table only if some segment, or
//! some reachable instruction, puts a reference to it there. A table's slots are told apart while nothing moves references
//! at run time, which is what the tables between a program and its adapter look like. Instructions of proposals that this
//! does not model, and threads, end in [`Reachability::CannotTell`].

mod definitions;
mod flow;
mod linking;

use std::collections::BTreeMap;

use super::imports::Capability;
use super::{InspectedComponent, IntakeLimits};

/// Whether tools can call an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reachability {
    /// There is a way from a tool to a call of it.
    Reachable,
    /// No run of a tool calls it.
    Unreachable,
    /// This could not be decided.
    CannotTell {
        /// Why, to be read after "cannot tell:".
        why: String,
    },
}

impl Reachability {
    /// A word for lists and JSON: `yes`, `no` or `cannot-tell`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reachable => "yes",
            Self::Unreachable => "no",
            Self::CannotTell { .. } => "cannot-tell",
        }
    }
}

/// An imported function, and whether tools can call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedFunction {
    /// The import's name, such as `wasi:filesystem/types@0.2.6`.
    pub interface: String,
    /// The function's name in it, such as `[method]descriptor.read`.
    pub function: String,
    /// What it is about.
    pub capability: Capability,
    /// Whether tools can call it.
    pub reach: Reachability,
}

/// A capability that is asked for, and whether tools can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedCapability {
    /// Which one.
    pub capability: Capability,
    /// Whether tools can call a function that uses it. Making a request that is never sent uses no network, and asking which
    /// folders there are opens none of them.
    pub reach: Reachability,
    /// How many of its functions are imported.
    pub imported: usize,
    /// How many of those can be called, as far as is known.
    pub reachable: usize,
}

/// Which imports tools can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    functions: Vec<ReachedFunction>,
}

impl Reached {
    /// Follows the calls in `bytes`, the component that `inspected` was made of under the same `limits`.
    ///
    /// Each reachable body is read once for each instance of its module. Work and memory are bounded by `limits` and by
    /// constants above what Casemate runs; beyond them the answer is [`Reachability::CannotTell`]. A Python component of 18.9 MB
    /// took 0.4 s in a build without optimisation: this is for commands, and not for each start of a server.
    #[must_use]
    pub fn of(bytes: &[u8], inspected: &InspectedComponent, limits: &IntakeLimits) -> Self {
        let has_functions = |import: &super::Import| !import.functions.is_empty();
        if !inspected.imports().iter().any(has_functions) {
            return Self {
                functions: Vec::new(),
            };
        }
        let (called, decided) = flow::called(bytes, inspected, limits);
        let mut functions = Vec::new();
        for import in inspected.imports() {
            for function in &import.functions {
                let reach = match &decided {
                    _ if called.contains(&(import.interface.as_str(), function.as_str())) => {
                        Reachability::Reachable
                    }
                    Ok(()) => Reachability::Unreachable,
                    Err(undecided) => Reachability::CannotTell {
                        why: undecided.why.clone(),
                    },
                };
                functions.push(ReachedFunction {
                    interface: import.interface.clone(),
                    function: function.clone(),
                    capability: import.capability,
                    reach,
                });
            }
        }
        Self { functions }
    }

    /// Every imported function, in the component's order.
    #[must_use]
    pub fn functions(&self) -> &[ReachedFunction] {
        &self.functions
    }

    /// What can be said of each capability that functions are imported of, in their order.
    #[must_use]
    pub fn capabilities(&self) -> Vec<ReachedCapability> {
        let mut found: BTreeMap<Capability, ReachedCapability> = BTreeMap::new();
        for function in &self.functions {
            let entry = found
                .entry(function.capability)
                .or_insert(ReachedCapability {
                    capability: function.capability,
                    reach: Reachability::Unreachable,
                    imported: 0,
                    reachable: 0,
                });
            entry.imported += 1;
            entry.reachable += usize::from(function.reach == Reachability::Reachable);
            if uses(function)
                && entry.reach != Reachability::Reachable
                && function.reach != Reachability::Unreachable
            {
                entry.reach = function.reach.clone();
            }
        }
        found.into_values().collect()
    }

    /// What can be said of one capability; `None` where no function of it is imported.
    #[must_use]
    pub fn capability(&self, capability: Capability) -> Option<Reachability> {
        let mut found = self.capabilities().into_iter();
        let found = found.find(|one| one.capability == capability);
        found.map(|one| one.reach)
    }
}

/// Whether a call of the function uses what its capability is about, and does not only prepare or describe a use.
fn uses(function: &ReachedFunction) -> bool {
    let interface = function
        .interface
        .split_once('@')
        .map_or(function.interface.as_str(), |(name, _)| name);
    match function.capability {
        Capability::Http => interface == "wasi:http/outgoing-handler",
        Capability::Files => {
            interface != "wasi:filesystem/preopens" && function.function != "filesystem-error-code"
        }
        Capability::Sockets => interface != "wasi:sockets/instance-network",
        _ => true,
    }
}

/// Why something could not be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Undecided {
    why: String,
}

impl Undecided {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl From<wasmparser::BinaryReaderError> for Undecided {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::new(format!(
            "its code cannot be read at byte {}",
            error.offset()
        ))
    }
}

/// The item of an index that validation has checked outside of bodies.
fn item<T>(items: &[T], index: impl TryInto<usize>) -> Result<&T, Undecided> {
    let index = index.try_into().ok();
    index
        .and_then(|index| items.get(index))
        .ok_or_else(|| Undecided::new("it refers to something that is not there"))
}

#[cfg(test)]
mod tests;
