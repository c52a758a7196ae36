//! Installing, removing, and changing what is granted: the operator's side, never a model's.

use crate::compile::Compiled;
use crate::component::{PrepareError, chain, compile, kind_of, link};
use crate::engine::EngineError;
use crate::inspect::{Capability, InspectError, InspectedComponent, IntakeLimits, inspect};
use crate::names::{NameCollision, component_name, policy_names, tool_names, tools_hash};
use crate::runtime::{OpenError, Runtime};
use casemate_artifact::{
    FetchError, FetchRequest, LockEntry, LockError, LockFile, PolicyFileError, Reference,
    StoreError, VerifiedArtifact, fetch, gc, update_policy_file,
};
use casemate_policy::{ComponentName, Digest, EditError, Edited, Policy, PolicyEdit, PolicyError};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Age below which bytes without a name are left alone.
const GC_GRACE: Duration = Duration::from_secs(3600);

/// Why a component was not installed. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The bytes could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The bytes are no component that Casemate takes in.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It imports what no host has.
    #[error("the component imports what Casemate does not have: {}", interfaces.join(", "))]
    UnknownImports {
        /// The interfaces.
        interfaces: Vec<String>,
    },
    /// It needs a WebAssembly proposal that is switched off.
    #[error("the component needs {}, which Casemate does not run", features.join(", "))]
    MissingFeatures {
        /// The proposals.
        features: Vec<String>,
    },
    /// It has nothing to call.
    #[error(
        "the component exports no function that can be a tool{}",
        because(unsupported)
    )]
    NoTools {
        /// What it exports instead, and why that cannot be called.
        unsupported: Vec<String>,
    },
    /// Two of its functions would have one name.
    #[error(transparent)]
    Names(#[from] NameCollision),
    /// Another component has a tool of that name.
    #[error("its tool {tool} would have the name of a tool of {owner}")]
    Taken {
        /// The exposed name.
        tool: String,
        /// The component that has it.
        owner: ComponentName,
    },
    /// No name could be made from the file's.
    #[error("no component can be called after {}", path.display())]
    NoName {
        /// The file.
        path: PathBuf,
    },
    /// It does not compile.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The bytes could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock could not be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The policy does not hold.
    #[error("the policy is not valid: {0}")]
    Policy(#[from] PolicyError),
    /// The policy could not be written.
    #[error(transparent)]
    PolicyFile(#[from] PolicyFileError),
    /// The catalog could not be rebuilt.
    #[error(transparent)]
    Open(#[from] OpenError),
}

fn because(unsupported: &[String]) -> String {
    if unsupported.is_empty() {
        String::new()
    } else {
        format!(": {}", unsupported.join("; "))
    }
}

/// Why a change of a policy or a removal did not happen. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No component has that name.
    #[error("no component is called {0}")]
    Unknown(ComponentName),
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

/// What an installation would do: looked at, not yet done.
pub struct InstallPlan {
    name: ComponentName,
    artifact: VerifiedArtifact,
    inspected: Arc<InspectedComponent>,
    author_wit: Option<String>,
    tool_names: Vec<String>,
    previous: Option<Previous>,
}

/// The component that a plan would replace.
#[derive(Clone, Debug)]
pub struct Previous {
    /// Digest of its bytes.
    pub digest: Digest,
    /// Where it came from.
    pub source: String,
    /// What the new bytes can ask for and the old ones cannot.
    pub grown: Vec<Capability>,
    /// The same file of the person's own, built anew.
    pub same_source: bool,
}

impl InstallPlan {
    /// The name it would get.
    #[must_use]
    pub fn name(&self) -> &ComponentName {
        &self.name
    }

    /// What was found in the bytes.
    #[must_use]
    pub fn inspected(&self) -> &InspectedComponent {
        &self.inspected
    }

    /// Exposed names of its tools, in the order of [`InspectedComponent::tools`].
    #[must_use]
    pub fn tool_names(&self) -> &[String] {
        &self.tool_names
    }

    /// Where the bytes came from.
    #[must_use]
    pub fn source(&self) -> &str {
        self.artifact.identity().source()
    }

    /// What has the name now.
    #[must_use]
    pub fn previous(&self) -> Option<&Previous> {
        self.previous.as_ref()
    }
}

impl Runtime {
    /// Fetches and inspects, and changes nothing.
    ///
    /// `author_wit` is WIT text that describes the tools; types come from the binary. Without a
    /// `name` the component is called after its file.
    ///
    /// # Errors
    ///
    /// Fails for whatever makes the component unfit to be installed under that name.
    pub fn plan_install(
        &self,
        reference: &Reference,
        name: Option<ComponentName>,
        author_wit: Option<String>,
    ) -> Result<InstallPlan, InstallError> {
        let artifact = fetch(&self.sources, FetchRequest::new(reference))?.artifact;
        let inspected = Arc::new(inspect(
            artifact.bytes(),
            author_wit.as_deref(),
            &IntakeLimits::default(),
        )?);
        let interfaces: Vec<String> = inspected
            .unknown_imports()
            .map(|import| import.interface.clone())
            .collect();
        if !interfaces.is_empty() {
            return Err(InstallError::UnknownImports { interfaces });
        }
        if inspected.tools().is_empty() {
            return Err(InstallError::NoTools {
                unsupported: inspected
                    .unsupported()
                    .iter()
                    .map(|export| format!("{} {}", export.export, export.why))
                    .collect(),
            });
        }
        if !inspected.missing_features().is_empty() {
            return Err(InstallError::MissingFeatures {
                features: inspected.missing_features().to_vec(),
            });
        }
        let name = match name {
            Some(name) => name,
            None => name_of(reference)?,
        };
        let tool_names = tool_names(&name, inspected.tools())?;
        let catalog = self.catalog();
        for tool in &tool_names {
            if let Some(taken) = catalog.tool(tool)
                && taken.spec().component != name
            {
                return Err(InstallError::Taken {
                    tool: tool.clone(),
                    owner: taken.spec().component.clone(),
                });
            }
        }
        let previous = LockFile::load(&self.home)?
            .components
            .get(&name)
            .map(|entry| self.previous(entry, &artifact, &inspected));
        Ok(InstallPlan {
            name,
            artifact,
            inspected,
            author_wit,
            tool_names,
            previous,
        })
    }

    fn previous(
        &self,
        entry: &LockEntry,
        artifact: &VerifiedArtifact,
        inspected: &InspectedComponent,
    ) -> Previous {
        let capabilities = |component: &InspectedComponent| {
            component
                .imports()
                .iter()
                .map(|import| import.capability)
                .collect::<BTreeSet<Capability>>()
        };
        let before = self
            .home
            .store()
            .load(entry)
            .ok()
            .and_then(|artifact| inspect(artifact.bytes(), None, &IntakeLimits::default()).ok())
            // What cannot be read any more could ask for nothing: everything counts as grown.
            .map(|before| capabilities(&before))
            .unwrap_or_default();
        Previous {
            digest: entry.digest,
            source: entry.source.clone(),
            grown: capabilities(inspected)
                .difference(&before)
                .copied()
                .collect(),
            same_source: entry.source == artifact.identity().source(),
        }
    }

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

    /// Compiles, keeps the bytes, writes the policy if one is given, and binds the name. Blocks.
    ///
    /// The lock is written last: killed at any moment, the home is as before or as after.
    ///
    /// Returns what compiling took; `None` when the native code was in the cache.
    ///
    /// # Errors
    ///
    /// Fails when the component does not compile or something cannot be written; what is
    /// installed stays as it was.
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
        let machine = self.shared.machine()?;
        let digest = *plan.artifact.digest();
        let realm = machine.realm(kind_of(&plan.inspected))?;
        let compiled = if self.shared.cache.get(&realm.engine, &digest).is_none() {
            let _turn = machine.turn_to_compile();
            let (component, compiled) = compile(
                &realm,
                &self.shared.cache,
                &*self.shared.compiler,
                &digest,
                plan.artifact.bytes(),
            )?;
            // The interfaces are known; a function in one of them may not be.
            if let Err(error) = link(&realm, &component) {
                self.shared.cache.remove(&digest);
                return Err(error.into());
            }
            Some(compiled)
        } else {
            None
        };
        let store = self.home.store();
        store.put(&plan.artifact)?;
        let docs = plan
            .author_wit
            .as_deref()
            .map(|text| store.put_docs(text))
            .transpose()?;
        if let Some(text) = policy {
            casemate_artifact::write_policy_file(&self.home, &plan.name, text)?;
        }
        let mut entry = LockEntry::new(
            digest,
            plan.artifact.identity().source().to_owned(),
            tools_hash(&plan.tool_names, plan.inspected.tools()),
            crate::audit::timestamp(SystemTime::now()),
        );
        entry.tenant = self.tenant.clone();
        entry.docs = docs;
        LockFile::update(&self.home, |lock| {
            lock.components.insert(plan.name.clone(), entry);
            Ok::<_, InstallError>(())
        })?;
        self.collect();
        self.reload()?;
        Ok(compiled)
    }

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
    fn collect(&self) {
        if let Err(error) = gc(&self.home, GC_GRACE, SystemTime::now()) {
            tracing::warn!(error = chain(&error), "unused files stay");
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
        if !LockFile::load(&self.home)?.components.contains_key(name) {
            return Err(ChangeError::Unknown(name.clone()));
        }
        let mut edited = None;
        update_policy_file(&self.home, name, |present| {
            let text = present.map_or("", |present| present.text.as_str());
            let change = casemate_policy::edit(text, edit)?;
            let new = change.changed.then(|| change.text.clone());
            edited = Some(change);
            Ok::<_, ChangeError>(new)
        })?;
        self.reload()?;
        edited.ok_or_else(|| ChangeError::Unknown(name.clone()))
    }
}

fn name_of(reference: &Reference) -> Result<ComponentName, InstallError> {
    let name = match reference {
        Reference::File(path) => component_name(path),
        Reference::Oci(reference) => reference.component_name(),
        Reference::Https(reference) => reference.component_name(),
        _ => None,
    };
    name.ok_or_else(|| InstallError::NoName {
        path: match reference {
            Reference::File(path) => path.clone(),
            other => other.to_string().into(),
        },
    })
}

/// The full chain of an installation error, for logs.
impl InstallError {
    /// Everything that is known of the cause, for the log and the author.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Prepare(error) => error.detail.clone(),
            other => chain(other),
        }
    }
}
