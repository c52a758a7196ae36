//! Doing what a plan says: compile, keep, grant, bind.

use crate::compile::Compiled;
use crate::component::{compile, kind_of, link};
use crate::engine::EngineError;
use crate::inspect::InspectedComponent;
use crate::install::{InstallError, InstallPlan};
use crate::names::{policy_names, tools_hash};
use crate::runtime::Runtime;
use crate::update::PolicyReturn;
use casemate_artifact::{
    Evidence, EvidenceError, LockEntry, LockFile, PolicyText, SignatureItem, read_policy_file,
    remove_policy_file, sha256, write_policy_file,
};
use casemate_policy::{Digest, Policy};
use std::time::SystemTime;

impl Runtime {
    /// Whether native code for what is planned is in the cache, so that installing it compiles nothing.
    ///
    /// # Errors
    ///
    /// Fails when there is no engine.
    pub fn is_compiled(&self, plan: &InstallPlan) -> Result<bool, EngineError> {
        let machine = self.shared.machine()?;
        let realm = machine.realm(kind_of(&plan.inspected))?;
        let cached = self.shared.cache.get(&realm.engine, plan.artifact.digest());
        Ok(cached.is_some())
    }

    /// Compiles, keeps the bytes and what came with them, writes the policy if one is given, and binds the name. Blocks.
    ///
    /// What had the name before stays in the lock and in the store, with the text of its policy. Without a `policy` the
    /// file stays as it is; a plan to roll back puts the earlier one in its place where [`Rollback`](crate::Rollback)
    /// says so. The lock is written last: killed at any moment, the home is as before or as after.
    ///
    /// Returns what compiling took; `None` when the native code was in the cache.
    ///
    /// # Errors
    ///
    /// Fails when the component does not compile, something cannot be written, or the name was bound to something
    /// else since the plan was made; what is installed stays as it was.
    pub fn install(
        &self,
        plan: InstallPlan,
        policy: Option<&str>,
    ) -> Result<Option<Compiled>, InstallError> {
        if let Some(text) = policy {
            let known = policy_names(&plan.name, plan.inspected.tools());
            let known: Vec<&str> = known.iter().flatten().map(String::as_str).collect();
            if let Some(error) = Policy::parse(text)?.unknown_tool(&known) {
                return Err(error.into());
            }
        }
        let is_as_planned = |present: Option<&LockEntry>| {
            if present == plan.previous.as_ref().map(|previous| &previous.entry) {
                Ok(())
            } else {
                Err(InstallError::Outdated(plan.name.clone()))
            }
        };
        is_as_planned(LockFile::load(&self.home)?.components.get(&plan.name))?;
        let present = read_policy_file(&self.home, &plan.name)?;
        if let Some(rollback) = &plan.rollback
            && rollback.policy.now() != present.as_ref().map(|present| present.text.as_str())
        {
            return Err(InstallError::Outdated(plan.name));
        }

        let compiled = self.compiled(&plan.inspected, plan.artifact.bytes())?;
        let mut entry = self.kept(&plan)?;
        let store = self.home.store();
        let old_text = match (&plan.previous, &present) {
            (Some(_), Some(present)) => Some(store.put_policy(&present.text)?),
            _ => None,
        };
        entry.policy = self.granted(&plan, policy, present.as_ref())?;
        LockFile::update(&self.home, |lock| {
            let old = lock.components.get(&plan.name);
            is_as_planned(old)?;
            let rolled_back = plan.rollback.as_ref();
            // The newer of two that are swapped stays the newer one.
            let rolled_back = rolled_back.is_some_and(|rollback| !rollback.forward);
            let entry = match old.cloned() {
                Some(old) => entry.replacing(old, old_text, rolled_back),
                None => entry,
            };
            lock.components.insert(plan.name.clone(), entry);
            Ok::<_, InstallError>(())
        })?;
        self.collect();
        self.reload()?;
        Ok(compiled)
    }

    /// Compiles unless the cache has the native code.
    pub(crate) fn compiled(
        &self,
        inspected: &InspectedComponent,
        bytes: &[u8],
    ) -> Result<Option<Compiled>, InstallError> {
        let machine = self.shared.machine()?;
        let digest = inspected.digest();
        let realm = machine.realm(kind_of(inspected))?;
        if self.shared.cache.get(&realm.engine, digest).is_some() {
            return Ok(None);
        }
        let _turn = machine.turn_to_compile();
        let (component, compiled) = compile(
            &realm,
            &self.shared.cache,
            &*self.shared.compiler,
            digest,
            bytes,
        )?;
        // The interfaces are known; a function in one of them may not be.
        if let Err(error) = link(&realm, &component) {
            self.shared.cache.remove(digest);
            return Err(error.into());
        }
        Ok(Some(compiled))
    }

    /// Puts everything that a plan brings into the store, and gives the entry that names it.
    fn kept(&self, plan: &InstallPlan) -> Result<LockEntry, InstallError> {
        let store = self.home.store();
        store.put(&plan.artifact)?;
        let text = plan.author_wit.as_deref();
        let docs = text.map(|text| store.put_docs(text)).transpose()?;
        if let Some(rollback) = &plan.rollback {
            return Ok(rollback.entry.clone());
        }
        let mut entry = LockEntry::new(
            *plan.artifact.digest(),
            plan.source().to_owned(),
            tools_hash(&plan.tool_names, plan.inspected.tools()),
            crate::audit::timestamp(SystemTime::now()),
        );
        let origin = &plan.origin;
        let manifest = origin.manifest.as_ref();
        entry.manifest = manifest
            .map(|(_, bytes)| store.put_manifest(bytes))
            .transpose()?;
        entry.evidence = match &origin.evidence {
            Some(evidence) => Some(store.put_evidence(&in_order(evidence)?)?),
            None => None,
        };
        let request = origin.request.as_deref();
        entry.request = request.map(|text| store.put_policy(text)).transpose()?;
        entry.signer = plan.signer.clone();
        entry.verification_skipped = plan.verification_skipped;
        entry.set_version(plan.version());
        entry.docs = docs;
        entry.tenant = self.tenant.clone();
        Ok(entry)
    }

    /// Brings the policy file to what the plan says; gives the hash that the lock notes for it.
    fn granted(
        &self,
        plan: &InstallPlan,
        policy: Option<&str>,
        present: Option<&PolicyText>,
    ) -> Result<Option<Digest>, InstallError> {
        if let Some(text) = policy {
            write_policy_file(&self.home, &plan.name, text)?;
            return Ok(Some(sha256(text.as_bytes())));
        }
        if let Some(rollback) = &plan.rollback {
            match (&rollback.policy, present) {
                (PolicyReturn::Restored { then, now }, _) if then == now => {}
                (
                    PolicyReturn::Restored {
                        then: Some(text), ..
                    },
                    _,
                ) => {
                    write_policy_file(&self.home, &plan.name, text)?;
                }
                (PolicyReturn::Restored { then: None, .. }, Some(present)) => {
                    remove_policy_file(&self.home, &plan.name, &present.hash)?;
                }
                (PolicyReturn::Restored { then: None, .. }, None)
                | (PolicyReturn::Kept { .. }, _) => {}
            }
            return Ok(rollback.entry.policy);
        }
        Ok(match &plan.previous {
            // What was edited by hand stays so, and a server that is frozen refuses it.
            Some(previous) => previous.entry.policy,
            None => present.map(|present| present.hash),
        })
    }
}

/// Signatures as they are kept: each once, in an order that does not depend on the registry's.
pub(crate) fn in_order(evidence: &Evidence) -> Result<Vec<u8>, EvidenceError> {
    let mut items: Vec<(String, SignatureItem)> = Vec::new();
    for item in evidence.items() {
        items.push((serde_json::to_string(item)?, item.clone()));
    }
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    items.dedup_by(|(one, _), (other, _)| one == other);
    Evidence::new(items.into_iter().map(|(_, item)| item).collect()).to_json()
}
