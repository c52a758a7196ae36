//! A policy's text and what it says, changed together.

use super::EditError;
use super::layout::{ByHand, Layout};
use crate::error::PolicyError;
use crate::language::{Document, Permissions};
use crate::policy::Policy;

/// A text and the policy that it holds, changed together.
pub(super) struct Draft {
    pub(super) text: String,
    pub(super) document: Document,
}

impl Draft {
    pub(super) fn open(text: &str) -> Result<Self, EditError> {
        let policy = Policy::parse(text)?;
        Ok(Self {
            text: text.to_owned(),
            document: policy.document().clone(),
        })
    }

    /// Makes one step on both, and takes it only if both come to the same.
    pub(super) fn step(
        &mut self,
        intended: impl FnOnce(&mut Permissions),
        written: impl FnOnce(&Layout<'_>) -> Result<String, ByHand>,
    ) -> Result<(), EditError> {
        let mut document = self.document.clone();
        intended(&mut document.permissions);
        // What is not written yet stands nowhere.
        let refused = |error: PolicyError| EditError::Refused {
            message: error.message,
            hint: error.hint,
        };
        crate::language::check_conflicts(&document).map_err(refused)?;
        let intended = Policy::from_document(document).map_err(refused)?;
        let text = written(&Layout::of(&self.text)?)?;
        match Policy::parse(&text) {
            Ok(read) if read == intended => {
                self.document = read.document().clone();
                self.text = text;
                Ok(())
            }
            Ok(_) | Err(_) => Err(EditError::ByHand {
                line: 1,
                reason: "the layout of this file is too unusual for a safe change",
            }),
        }
    }

    /// Adds an entry at the end of a list.
    pub(super) fn append(
        &mut self,
        list: &[&str],
        lines: &[String],
        intended: impl FnOnce(&mut Permissions),
    ) -> Result<(), EditError> {
        self.step(intended, |layout| layout.append(list, lines))
    }
}
