//! From an entry of the lock to what is served: verified, inspected, granted.

use crate::catalog::{Catalog, Problem, Tool};
use crate::component::{Plan, chain};
use crate::inspect::{IntakeLimits, inspect};
use crate::installed::Installed;
use crate::names::{policy_names, tool_names};
use crate::provenance::Trust;
use crate::runtime::Runtime;
use casemate_artifact::{LockEntry, LockFile, read_policy_file};
use casemate_policy::{Admission, ArtifactIdentity, ComponentName, Digest, Policy, PolicyError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What was loaded before, and what everything is verified with now.
pub(crate) struct Known<'a> {
    pub(crate) plans: &'a BTreeMap<(Digest, Option<Digest>), Arc<Plan>>,
    pub(crate) catalog: &'a Catalog,
    pub(crate) trust: &'a Trust,
}

impl Runtime {
    pub(crate) fn load(
        &self,
        name: &ComponentName,
        entry: &LockEntry,
        known: &Known<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<Installed>> {
        let mut problem = |reason: &str, message: String, hint: Option<String>, old: bool| {
            problems.push(Problem {
                component: name.clone(),
                reason: reason.to_owned(),
                message,
                hint,
                serving_previous: old,
            });
        };
        // Also where the bytes are known: rules and signatures may be others than before.
        let signer = match known.trust.check(entry) {
            Ok(signer) => signer,
            Err(error) => {
                let reason = error.reason();
                problem(
                    reason.as_str(),
                    chain(&error),
                    Some(error.hint(name)),
                    false,
                );
                return None;
            }
        };
        let plan = match known.plans.get(&(entry.digest, entry.docs)) {
            Some(plan) => Arc::clone(plan),
            None => match self.plan(entry) {
                Ok(plan) => plan,
                Err((reason, message)) => {
                    let hint =
                        format!("casemate sync; or: casemate remove {name}, then add it again");
                    problem(reason, message, Some(hint), false);
                    return None;
                }
            },
        };
        let named = known.catalog.components.get(name);
        let before = named.filter(|installed| installed.is_of(&entry.digest));
        let read =
            self.policy(name)
                .and_then(|(policy, hash)| match self.foreign(name, &plan, &policy) {
                    Some(error) => Err(self.wrong(name, &error)),
                    None => Ok((policy, hash)),
                });
        let (policy, hash) = match read {
            Ok(policy) => policy,
            Err(message) => {
                // A file that is half written or mistyped takes nothing away and adds nothing:
                // what was in force for these very bytes stays until a whole valid file is read.
                let hint = format!("casemate policy check {name}");
                problem("invalid.policy", message, Some(hint), before.is_some());
                return before.map(Arc::clone);
            }
        };
        let signer = signer.map(|signer| signer.to_string());
        let identity = ArtifactIdentity::new(entry.digest, entry.source.clone(), signer);
        if let Some(before) = before
            && before.policy == hash
            && *before.grant.identity() == identity
            && Arc::ptr_eq(&before.plan, &plan)
        {
            return Some(Arc::clone(before));
        }
        let admission = Admission {
            ceiling: self.ceiling.as_ref(),
            strict: self.strict,
            bound_roots: &self.bound,
            tenant: self.tenant.clone(),
        };
        if entry.verification_skipped {
            tracing::warn!(
                component = %name,
                "its signatures were not verified when it was added, and are not now"
            );
        }
        let grant = policy.admit(&identity, &admission);
        let before = named.map(|named| &**named);
        let installed = Installed::new(name.clone(), grant, hash, plan, before);
        Some(Arc::new(installed))
    }

    /// What is wrong with the first name under `tools` of a policy that is none of the component's.
    fn foreign(&self, name: &ComponentName, plan: &Plan, policy: &Policy) -> Option<PolicyError> {
        let known = policy_names(name, plan.inspected().tools());
        let known: Vec<&str> = known.iter().flatten().map(String::as_str).collect();
        policy.unknown_tool(&known)
    }

    fn plan(&self, entry: &LockEntry) -> Result<Arc<Plan>, (&'static str, String)> {
        let store = self.home.store();
        let artifact = store.load(entry).map_err(|error| {
            (
                error.reason().map_or("internal", |reason| reason.as_str()),
                chain(&error),
            )
        })?;
        let docs = entry.docs.and_then(|digest| match store.get_docs(&digest) {
            Ok(docs) => Some(docs),
            Err(error) => {
                tracing::warn!(error = chain(&error), "descriptions are not shown");
                None
            }
        });
        let inspected = inspect(artifact.bytes(), docs.as_deref(), &IntakeLimits::default())
            .map_err(|error| (error.reason(), chain(&error)))?;
        Ok(Arc::new(Plan::new(Arc::new(inspected), store)))
    }

    /// The policy of a name and the hash of its text; no file means nothing is granted.
    pub(crate) fn policy(&self, name: &ComponentName) -> Result<(Policy, Option<Digest>), String> {
        match read_policy_file(&self.home, name) {
            Ok(None) => Ok((Policy::empty(), None)),
            Ok(Some(file)) => match Policy::parse(&file.text) {
                Ok(policy) => Ok((policy, Some(file.hash))),
                Err(error) => Err(self.wrong(name, &error)),
            },
            Err(error) => Err(chain(&error)),
        }
    }

    fn wrong(&self, name: &ComponentName, error: &PolicyError) -> String {
        format!("{}: {error}", self.home.policy_file(name).display())
    }

    /// What is wrong with the first name under `tools` of a policy for an installed component that is none of its tools.
    /// Looks at the bytes, so that it answers for a component that is not served too.
    #[must_use]
    pub fn unknown_tool(&self, name: &ComponentName, policy: &Policy) -> Option<PolicyError> {
        let lock = LockFile::load(&self.home).ok()?;
        let plan = self.plan(lock.components.get(name)?).ok()?;
        self.foreign(name, &plan, policy)
    }

    pub(crate) fn publish(&self, catalog: &mut Catalog, installed: Arc<Installed>) {
        let inspected = Arc::clone(installed.plan.inspected());
        let mut refuse = |message: String| {
            catalog.problems.push(Problem {
                component: installed.name.clone(),
                reason: "invalid.component".to_owned(),
                message,
                hint: Some(format!("casemate remove {}", installed.name)),
                serving_previous: false,
            });
        };
        let names = match tool_names(&installed.name, inspected.tools()) {
            Ok(names) => names,
            Err(collision) => return refuse(collision.to_string()),
        };
        if let Some(taken) = names.iter().find_map(|name| catalog.tools.get(name)) {
            let message = format!(
                "its tool {} has the name of a tool of {}",
                taken.spec().name,
                taken.spec().component
            );
            return refuse(message);
        }
        for (index, (name, tool)) in names.into_iter().zip(inspected.tools()).enumerate() {
            let tool = Tool::new(name.clone(), index, tool, &installed, &self.shared);
            catalog.tools.insert(name, tool);
        }
        catalog.components.insert(installed.name.clone(), installed);
    }
}
