//! Where in a policy file rules stand, and whose they are.

use crate::denial::{Origin, RuleRef};
use crate::error::Place;
use crate::language::{Document, Permissions};

/// The permissions of a file, or of one tool in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'d> {
    pub(crate) permissions: &'d Permissions,
    origin: Origin,
    tool: Option<&'d str>,
}

impl<'d> Scope<'d> {
    /// Returns the permissions of a whole file.
    pub(crate) fn of(document: &'d Document, origin: Origin) -> Self {
        Self {
            permissions: &document.permissions,
            origin,
            tool: None,
        }
    }

    /// Returns those of one tool in a component's policy.
    pub(crate) fn of_tool(name: &'d str, permissions: &'d Permissions) -> Self {
        Self {
            permissions,
            origin: Origin::Policy,
            tool: Some(name),
        }
    }

    /// Names a rule by the place of its section, as in `storage.allow[0]`.
    pub(crate) fn rule(&self, section: &str, place: Place, text: String) -> RuleRef {
        let section = match self.tool {
            Some(tool) => format!("permissions.tools.{tool}.{section}"),
            None => format!("permissions.{section}"),
        };
        RuleRef {
            tool: self.tool.map(str::to_owned),
            ..RuleRef::new(self.origin, section, place, text)
        }
    }
}
