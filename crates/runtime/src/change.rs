//! Changing what is granted, and taking components away.

use crate::component::chain;
use crate::runtime::{OpenError, Runtime};
use casemate_artifact::{
    LockError, LockFile, PolicyFileError, gc, read_policy_file, sha256, update_policy_file,
};
use casemate_policy::{ComponentName, Digest, EditError, Edited, Policy, PolicyEdit, PolicyError};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Age below which bytes without a name are left alone.
const GC_GRACE: Duration = Duration::from_secs(3600);

/// Why a change of a policy or a removal did not happen. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No component has that name.
    #[error("no component is called {0}")]
    Unknown(ComponentName),
    /// The policy file does not load, so it is not locked.
    #[error("{}: {error}", path.display())]
    Policy {
        /// The policy file.
        path: PathBuf,
        /// What is wrong with it.
        error: PolicyError,
    },
    /// The text could not be changed as asked.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The policy file could not be read or written.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
    /// The lock could not be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The catalog could not be rebuilt.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// What [`Runtime::lock_policy`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyLocked {
    /// The hash that the lock had; `None` for no policy file.
    pub before: Option<Digest>,
    /// The hash of the file as it is, which the lock has now.
    pub after: Option<Digest>,
}

impl Runtime {
    /// Takes a component out of the lock. Its policy file is kept beside, renamed to
    /// `NAME.yaml.removed`, so that the next component of that name starts with nothing and no
    /// hand-written line is lost.
    ///
    /// # Errors
    ///
    /// Fails when no component has that name or something cannot be written.
    pub fn remove(&self, name: &ComponentName) -> Result<(), ChangeError> {
        let unused = LockFile::update(&self.home, |lock| {
            let Some(entry) = lock.components.remove(name) else {
                return Err(ChangeError::Unknown(name.clone()));
            };
            let still_used = lock
                .components
                .values()
                .any(|other| other.digest == entry.digest);
            let unused = (!still_used).then_some(entry.digest);
            let policy = self.home.policy_file(name);
            match std::fs::rename(&policy, policy.with_extension("yaml.removed")) {
                Ok(()) => Ok(unused),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(unused),
                Err(source) => Err(ChangeError::PolicyFile(PolicyFileError::Io {
                    action: "set aside",
                    path: policy,
                    source,
                })),
            }
        })?;
        if let Some(digest) = unused {
            self.shared.cache.remove(&digest);
        }
        self.collect();
        self.reload()?;
        Ok(())
    }

    /// Deletes bytes that no name is bound to any more, but not what another process may be
    /// about to bind.
    pub(crate) fn collect(&self) {
        match gc(&self.home, GC_GRACE, SystemTime::now()) {
            // Nobody can return to these any more.
            Ok(report) => report
                .components
                .iter()
                .for_each(|digest| self.shared.cache.remove(digest)),
            Err(error) => tracing::warn!(error = chain(&error), "unused files stay"),
        }
    }

    /// Changes the policy of a component, keeping the comments and layout of its file.
    ///
    /// # Errors
    ///
    /// Fails when no component has that name, or the file cannot be changed without risk to what
    /// a person wrote.
    pub fn change_policy(
        &self,
        name: &ComponentName,
        edit: &PolicyEdit,
    ) -> Result<Edited, ChangeError> {
        let lock = LockFile::load(&self.home)?;
        if !lock.components.contains_key(name) {
            return Err(ChangeError::Unknown(name.clone()));
        }
        let mut edited = None;
        let mut before = None;
        update_policy_file(&self.home, name, |present| {
            before = present.map(|present| present.hash);
            let text = present.map_or("", |present| present.text.as_str());
            let change = casemate_policy::edit(text, edit)?;
            let new = change.changed.then(|| change.text.clone());
            edited = Some(change);
            Ok::<_, ChangeError>(new)
        })?;
        let edited = edited.ok_or_else(|| ChangeError::Unknown(name.clone()))?;
        if edited.changed {
            let after = Some(sha256(edited.text.as_bytes()));
            LockFile::note_policy(&self.home, name, before, after)?;
        }
        self.reload()?;
        Ok(edited)
    }

    /// Notes in the lock that the policy file of a component is meant to be as it is, edits by hand included.
    ///
    /// # Errors
    ///
    /// Fails when no component has that name, or the file does not load.
    pub fn lock_policy(&self, name: &ComponentName) -> Result<PolicyLocked, ChangeError> {
        let present = read_policy_file(&self.home, name)?;
        if let Some(present) = &present {
            Policy::parse(&present.text).map_err(|error| ChangeError::Policy {
                path: self.home.policy_file(name),
                error,
            })?;
        }
        let after = present.map(|present| present.hash);
        let before = LockFile::update(&self.home, |lock| match lock.components.get_mut(name) {
            Some(entry) => Ok(std::mem::replace(&mut entry.policy, after)),
            None => Err(ChangeError::Unknown(name.clone())),
        })?;
        self.reload()?;
        Ok(PolicyLocked { before, after })
    }
}
