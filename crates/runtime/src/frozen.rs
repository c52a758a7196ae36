//! Serving only what is exactly as locked: every difference, named.

use crate::component::chain;
use crate::names::{tool_names, tools_hash};
use crate::runtime::Runtime;
use casemate_artifact::{LockEntry, LockError, LockFile, StoreError, read_policy_file};
use casemate_policy::{ComponentName, Digest};
use std::fmt;

/// Which part of an entry is not as locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrozenPart {
    /// The component's bytes.
    Bytes,
    /// The manifest, the signatures, or what the rules of `trust.yaml` make of them.
    Provenance,
    /// The WIT docs.
    Docs,
    /// The policy that the author asked for.
    Request,
    /// The tools that a client is told of.
    Tools,
    /// The policy file.
    Policy,
    /// It cannot be served for another reason.
    Component,
}

impl FrozenPart {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Provenance => "provenance",
            Self::Docs => "docs",
            Self::Request => "request",
            Self::Tools => "tools",
            Self::Policy => "policy",
            Self::Component => "component",
        }
    }
}

/// One thing that is not as locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenDifference {
    /// The component's name.
    pub component: ComponentName,
    /// What is not as locked.
    pub part: FrozenPart,
    /// What is the matter with it.
    pub message: String,
    /// A command that helps.
    pub hint: String,
}

impl fmt::Display for FrozenDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (component, part) = (&self.component, self.part.as_str());
        write!(formatter, "{component}, {part}: {}", self.message)
    }
}

impl Runtime {
    /// Everything that is not exactly as the lock says, in the order of names. It looks at what was loaded, so that
    /// what is served afterwards is what was looked at.
    ///
    /// # Errors
    ///
    /// Fails when the lock cannot be read.
    pub(crate) fn frozen_differences(&self) -> Result<Vec<FrozenDifference>, LockError> {
        let lock = LockFile::load(&self.home)?;
        let mut differences = Vec::new();
        for (name, entry) in &lock.components {
            if entry.tenant == self.tenant {
                self.compare(name, entry, &mut differences);
            }
        }
        let catalog = self.catalog();
        for problem in catalog.problems() {
            // One that was found above has its own words there.
            if !differences
                .iter()
                .any(|found| found.component == problem.component)
            {
                differences.push(FrozenDifference {
                    component: problem.component.clone(),
                    part: FrozenPart::Component,
                    message: problem.message.clone(),
                    hint: problem.hint.clone().unwrap_or_default(),
                });
            }
        }
        Ok(differences)
    }

    fn compare(&self, name: &ComponentName, entry: &LockEntry, to: &mut Vec<FrozenDifference>) {
        let mut differs = |part, message: String, hint: String| {
            to.push(FrozenDifference {
                component: name.clone(),
                part,
                message,
                hint,
            });
        };
        let sync = || "casemate sync".to_owned();
        let store = self.home.store();
        if let Err(error) = store.load(entry) {
            differs(FrozenPart::Bytes, chain(&error), sync());
        }
        if let Err(error) = self.trust().check(entry) {
            differs(FrozenPart::Provenance, chain(&error), error.hint(name));
        }
        let docs = entry.docs.map(|docs| store.get_docs(&docs).map(drop));
        let request = entry.request.map(|text| store.get_policy(&text).map(drop));
        let mut stored = |part, kept: Option<Result<(), StoreError>>| {
            if let Some(Err(error)) = kept {
                differs(part, chain(&error), sync());
            }
        };
        stored(FrozenPart::Docs, docs);
        stored(FrozenPart::Request, request);
        let catalog = self.catalog();
        let loaded = catalog.components.get(name);
        if let Some(loaded) = loaded {
            let inspected = loaded.plan.inspected();
            if *inspected.digest() != entry.digest {
                let message = "the lock was changed while it was read".to_owned();
                differs(FrozenPart::Bytes, message, "run it again".to_owned());
            }
            let found = tool_names(name, inspected.tools())
                .map(|names| tools_hash(&names, inspected.tools()));
            match found {
                Ok(found) if found == entry.tools => {}
                Ok(found) => differs(
                    FrozenPart::Tools,
                    format!("they hash to {found}, and {} is locked", entry.tools),
                    format!("casemate update {name}"),
                ),
                Err(error) => differs(
                    FrozenPart::Tools,
                    error.to_string(),
                    format!("casemate remove {name}"),
                ),
            }
        }
        let policy = match loaded {
            Some(loaded) => Ok(loaded.policy),
            None => read_policy_file(&self.home, name).map(|file| file.map(|file| file.hash)),
        };
        let hint = format!("casemate policy lock {name}, or restore the file");
        match policy {
            Ok(found) if found == entry.policy => {}
            Ok(found) => differs(
                FrozenPart::Policy,
                format!(
                    "{}, and {} is locked",
                    file(found, "it hashes to"),
                    file(entry.policy, "")
                ),
                hint,
            ),
            Err(error) => differs(FrozenPart::Policy, chain(&error), hint),
        }
    }
}

fn file(hash: Option<Digest>, verb: &str) -> String {
    match hash {
        Some(hash) if verb.is_empty() => hash.to_string(),
        Some(hash) => format!("{verb} {hash}"),
        None if verb.is_empty() => "no file".to_owned(),
        None => "there is no file".to_owned(),
    }
}
