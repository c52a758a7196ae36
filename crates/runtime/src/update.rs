//! What would replace an installed component: a newer build from where it came from, or the one before it.

use crate::install::{InstallError, InstallPlan, Obtained, Origin, UpdateOptions, obtained};
use crate::provenance;
use crate::runtime::Runtime;
use casemate_artifact::{
    LockEntry, LockFile, Progress, Reference, Silent, StoreError, read_policy_file, sha256,
};
use casemate_policy::ComponentName;
use std::path::Path;

/// What returning to the entry before does to the policy.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// What becomes of the policy file.
    pub policy: PolicyReturn,
    /// It returns to the newer of the two, from which somebody went back before.
    pub forward: bool,
    /// The entry that is returned to.
    pub(crate) entry: LockEntry,
}

/// What becomes of the policy file; a text is `None` where there is or was no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyReturn {
    /// The file is what Casemate wrote: it becomes what it was when the entry was replaced.
    Restored {
        /// What it says.
        now: Option<String>,
        /// What it said, and will say.
        then: Option<String>,
    },
    /// A person edited the file since: it stays.
    Kept {
        /// What it says, and will say.
        now: Option<String>,
        /// What it said.
        then: Option<String>,
    },
}

impl PolicyReturn {
    pub(crate) fn now(&self) -> Option<&str> {
        match self {
            Self::Restored { now, .. } | Self::Kept { now, .. } => now.as_deref(),
        }
    }
}

impl Runtime {
    /// Fetches what the source of an installed component has now; `None` where that is what is installed. Changes
    /// nothing. Blocks.
    ///
    /// # Errors
    ///
    /// As [`Runtime::plan_install`], and when no component has that name.
    pub fn plan_update(
        &self,
        name: &ComponentName,
        options: UpdateOptions,
        progress: &dyn Progress,
    ) -> Result<Option<InstallPlan>, InstallError> {
        let lock = LockFile::load(&self.home)?;
        let Some(entry) = lock.components.get(name) else {
            return Err(InstallError::Unknown(name.clone()));
        };
        let reference = Reference::parse(&entry.source, Path::new("/")).map_err(|error| {
            InstallError::Source {
                name: name.clone(),
                error,
            }
        })?;
        let fetched = self.fetched(&reference, None, progress)?;
        let mut obtained = obtained(fetched, None);
        let manifest = obtained.origin.manifest.as_ref();
        let same_bytes = *obtained.artifact.digest() == entry.digest
            && manifest.map(|(digest, _)| *digest) == entry.manifest;
        if same_bytes || obtained.author_wit.is_none() {
            // What a person said about the tools holds for the next build, too.
            let docs = entry.docs.map(|docs| self.home.store().get_docs(&docs));
            obtained.author_wit = docs.and_then(Result::ok).map(|text| (text, false));
        }
        let plan = self.consider(name.clone(), obtained, options, Some(entry))?;
        let docs = plan
            .author_wit
            .as_deref()
            .map(|text| sha256(text.as_bytes()));
        let same = same_bytes
            && plan.signer() == entry.signer.as_ref()
            && plan.verification_skipped == entry.verification_skipped
            && docs == entry.docs;
        Ok((!same).then_some(plan))
    }

    /// What going back to the entry before would do. Changes nothing. Blocks; where the bytes of that entry are not
    /// in the store, because the lock came from elsewhere, they are fetched.
    ///
    /// The two entries change places, so that going back twice is where it began. What is gone back to is verified
    /// under the present rules.
    ///
    /// # Errors
    ///
    /// Fails when no component has that name, nothing had the name before, or what it was does not hold any more.
    pub fn plan_rollback(&self, name: &ComponentName) -> Result<InstallPlan, InstallError> {
        let lock = LockFile::load(&self.home)?;
        let Some(present) = lock.components.get(name) else {
            return Err(InstallError::Unknown(name.clone()));
        };
        let Some(replaced) = present.previous.first() else {
            return Err(InstallError::NoPrevious(name.clone()));
        };
        let entry = &replaced.entry;
        self.complete(name, entry, &Silent)?;
        self.trust().check(entry)?;
        let store = self.home.store();
        let manifest = match entry.manifest {
            Some(digest) => Some((digest, store.get_manifest(&digest)?)),
            None => None,
        };
        let docs = entry.docs.map(|docs| store.get_docs(&docs)).transpose()?;
        let request = entry.request.map(|text| store.get_policy(&text));
        let obtained = Obtained {
            artifact: store.load(entry)?,
            author_wit: docs.map(|text| (text, false)),
            origin: Origin {
                package: None,
                manifest,
                evidence: Some(provenance::bound(&store, entry)?),
                request: request.transpose()?,
                version: entry.version.clone(),
            },
        };
        // Asked for by name: that it is older, or of another signer, is why.
        let options = UpdateOptions {
            skip_verification: entry.verification_skipped,
            allow_signer_change: true,
            allow_downgrade: true,
        };
        let mut plan = self.consider(name.clone(), obtained, options, Some(present))?;
        plan.rollback = Some(Rollback {
            policy: self.policy_return(name, present)?,
            forward: replaced.rolled_back,
            entry: entry.clone(),
        });
        Ok(plan)
    }

    fn policy_return(
        &self,
        name: &ComponentName,
        present: &LockEntry,
    ) -> Result<PolicyReturn, InstallError> {
        let file = read_policy_file(&self.home, name)?;
        let as_written = file.as_ref().map(|file| file.hash) == present.policy;
        let now = file.map(|file| file.text);
        let then = present.previous.first();
        let then = match then.and_then(|replaced| replaced.policy_text) {
            None => None,
            Some(text) => match self.home.store().get_policy(&text) {
                Ok(text) => Some(text),
                // The lock came from elsewhere, where the text was kept.
                Err(StoreError::Missing { .. }) => {
                    return Ok(PolicyReturn::Kept { now, then: None });
                }
                Err(error) => return Err(error.into()),
            },
        };
        Ok(if as_written {
            PolicyReturn::Restored { now, then }
        } else {
            PolicyReturn::Kept { now, then }
        })
    }
}
