//! Which of the installed tools are served: by their component and by their name.

use crate::error::CommandError;
use crate::settings::Settings;
use casemate_artifact::LockFile;
use casemate_policy::ComponentName;
use casemate_runtime::{Catalog, ToolSpec};
use globset::{Glob, GlobMatcher};
use std::collections::BTreeSet;

#[cfg(test)]
mod tests;

/// Longest pattern, in bytes: names of tools have at most 40.
const MAX_PATTERN: usize = 256;

/// What is served: tools of one of these components, with a name that one of these patterns matches. Where none is given, any will do.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    only: BTreeSet<ComponentName>,
    patterns: Vec<GlobMatcher>,
}

impl Selection {
    /// `None` when everything is served.
    ///
    /// # Errors
    ///
    /// Refuses a name that nothing installed has, and a pattern that is none.
    pub(crate) fn new(
        settings: &Settings,
        only: &[ComponentName],
        patterns: &[String],
    ) -> Result<Option<Self>, CommandError> {
        if only.is_empty() && patterns.is_empty() {
            return Ok(None);
        }
        let lock = LockFile::load(&settings.home)?;
        if let Some(name) = only
            .iter()
            .find(|name| !lock.components.contains_key(*name))
        {
            return Err(
                CommandError::usage(format!("no component is called {name}"))
                    .hint(settings.command(&["list"])),
            );
        }
        let patterns = patterns
            .iter()
            .map(|text| pattern(text))
            .collect::<Result<_, _>>()?;
        Ok(Some(Self {
            only: only.iter().cloned().collect(),
            patterns,
        }))
    }

    /// Whether a tool is served.
    pub(crate) fn has(&self, tool: &ToolSpec) -> bool {
        self.has_component(&tool.component)
            && (self.patterns.is_empty()
                || self
                    .patterns
                    .iter()
                    .any(|pattern| pattern.is_match(&tool.name)))
    }

    fn has_component(&self, component: &ComponentName) -> bool {
        self.only.is_empty() || self.only.contains(component)
    }

    /// The patterns that match no tool of the components that are served.
    pub(crate) fn without_effect<'s>(
        &'s self,
        catalog: &'s Catalog,
    ) -> impl Iterator<Item = &'s str> {
        let matches = |pattern: &GlobMatcher| {
            catalog
                .tools()
                .map(casemate_runtime::Tool::spec)
                .any(|tool| self.has_component(&tool.component) && pattern.is_match(&tool.name))
        };
        self.patterns
            .iter()
            .filter(move |pattern| !matches(pattern))
            .map(|pattern| pattern.glob().glob())
    }
}

fn pattern(text: &str) -> Result<GlobMatcher, CommandError> {
    if text.len() > MAX_PATTERN {
        return Err(CommandError::usage(format!(
            "a pattern of --tools has {} bytes, more than {MAX_PATTERN}",
            text.len()
        )));
    }
    Glob::new(text)
        .map(|glob| glob.compile_matcher())
        .map_err(|error| {
            CommandError::usage(format!("--tools {text:?} is no pattern: {}", error.kind()))
                .hint("write it as notes_* or *_{read,list}_*, in quotes")
        })
}
