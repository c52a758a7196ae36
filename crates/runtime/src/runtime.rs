//! The operator's handle: what is installed, what is granted, and the catalog that follows.

use crate::audit::{AuditOpenError, AuditSink, JsonLines};
use crate::cache::{CacheError, NativeCache};
use crate::catalog::{Catalog, Problem, Tool};
use crate::compile::{Compiler, InProcess};
use crate::component::{Plan, chain};
use crate::egress::{Listeners, Network};
use crate::engine::{EngineError, MAX_CALLS, Machine};
use crate::inspect::{IntakeLimits, inspect};
use crate::installed::Installed;
use crate::names::{policy_names, tool_names};
use crate::storage::{OwnHome, ProcessPlaces, Roots};
use casemate_artifact::{
    Home, HomeError, LockEntry, LockError, LockFile, Sources, Stamp, read_policy_file,
};
use casemate_policy::{Admission, ComponentName, Digest, Policy, PolicyError, RootName, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Distance between two looks at the home for changes.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// How long the home must have been quiet before a change is taken over. A file that is written in
/// place is there by half for a while, and half of a policy can allow more than the whole.
const QUIET: Duration = Duration::from_millis(100);
/// How long changes may go on before the log tells that none is taken over.
const RESTLESS: Duration = Duration::from_secs(5);

/// Why a runtime could not be opened or reloaded.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The home's directories could not be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The lock could not be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The audit log could not be opened.
    #[error(transparent)]
    Audit(#[from] AuditOpenError),
    /// The cache of compiled components could not be opened.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// What a runtime is opened with. Everything is closed until set.
pub struct RuntimeBuilder {
    home: Home,
    tenant: Tenant,
    roots: Roots,
    ceiling: Option<Policy>,
    strict: bool,
    environment: BTreeMap<String, String>,
    audit: Option<Arc<dyn AuditSink>>,
    compiler: Arc<dyn Compiler>,
    parallel_compilation: bool,
    network: Option<Network>,
    sources: Sources,
    strict_links: bool,
    own_directories: Vec<PathBuf>,
}

impl RuntimeBuilder {
    /// Binds a named root to a host directory, which `fs://NAME/…` then means.
    #[must_use]
    pub fn root(mut self, name: RootName, directory: impl Into<std::path::PathBuf>) -> Self {
        self.roots.insert(name, directory.into());
        self
    }

    /// Intersects every policy with this one.
    #[must_use]
    pub fn ceiling(mut self, ceiling: Policy) -> Self {
        self.ceiling = Some(ceiling);
        self
    }

    /// Starts from no clock and no randomness where a policy does not say.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Variables that a policy may hand on by name; the runtime never reads the process's own.
    #[must_use]
    pub fn environment(mut self, environment: BTreeMap<String, String>) -> Self {
        self.environment = environment;
        self
    }

    /// Keeps audit records elsewhere than in the home.
    #[must_use]
    pub fn audit(mut self, audit: Arc<dyn AuditSink>) -> Self {
        self.audit = Some(audit);
        self
    }

    /// Compiles with something else than this process.
    #[must_use]
    pub fn compiler(mut self, compiler: Arc<dyn Compiler>) -> Self {
        self.compiler = compiler;
        self
    }

    /// Compiles on all cores. For a command that a person waits for, not for a server.
    #[must_use]
    pub fn parallel_compilation(mut self, parallel: bool) -> Self {
        self.parallel_compilation = parallel;
        self
    }

    /// Lets requests that a policy allows go out. Without a network each of them is refused.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = Some(network);
        self
    }

    /// Lets components be fetched from these sources; without it from files only.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Refuses files that have more than one name: a hard link that somebody made in a granted folder is the
    /// file that it was made of, which may lie elsewhere.
    #[must_use]
    pub fn strict_links(mut self, strict: bool) -> Self {
        self.strict_links = strict;
        self
    }

    /// Directories that no tool reaches, whatever its policy says, beside the home of this runtime, which none ever
    /// does: the homes of other installations, for example.
    #[must_use]
    pub fn own_directory(mut self, directory: PathBuf) -> Self {
        self.own_directories.push(directory);
        self
    }

    /// Opens the home, makes what is missing in it, and builds the first catalog.
    ///
    /// # Errors
    ///
    /// Fails when the home, its lock, cache or audit log cannot be used. A component that cannot
    /// be served is no error: it stands in [`Catalog::problems`].
    pub fn open(self) -> Result<Runtime, OpenError> {
        self.home.create()?;
        let audit = match self.audit {
            Some(audit) => audit,
            None => Arc::new(JsonLines::open(&audit_file(&self.home))?),
        };
        let cache = NativeCache::open(&self.home.cache_dir())?;
        let bound = self.roots.keys().cloned().collect();
        let mut own = self.own_directories;
        own.extend([
            self.home.config_dir().to_owned(),
            self.home.data_dir().to_owned(),
        ]);
        let shared = Arc::new(Shared {
            audit,
            cache,
            compiler: self.compiler,
            roots: Arc::new(self.roots),
            environment: Arc::new(self.environment),
            slots: Arc::new(Semaphore::new(MAX_CALLS as usize)),
            waiting: AtomicUsize::new(0),
            machine: Mutex::new(None),
            parallel_compilation: self.parallel_compilation,
            network: self.network.map(Arc::new),
            listeners: Arc::default(),
            own: Arc::new(OwnHome::new(own)),
            open_files: Arc::new(ProcessPlaces::of_this_process()),
            strict_links: self.strict_links,
        });
        let (catalogs, _) = watch::channel(Arc::new(Catalog::default()));
        let runtime = Runtime {
            home: self.home,
            tenant: self.tenant,
            ceiling: self.ceiling,
            strict: self.strict,
            bound,
            shared,
            sources: self.sources,
            catalogs,
            state: Mutex::new(State::default()),
        };
        runtime.reload()?;
        Ok(runtime)
    }
}

/// Where the audit log of a home is.
#[must_use]
pub fn audit_file(home: &Home) -> std::path::PathBuf {
    home.audit_dir().join("calls.jsonl")
}

/// What all calls of a process share.
pub(crate) struct Shared {
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) cache: NativeCache,
    pub(crate) compiler: Arc<dyn Compiler>,
    pub(crate) roots: Arc<Roots>,
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    /// Calls that may run at once over all components.
    pub(crate) slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    machine: Mutex<Option<Arc<Machine>>>,
    parallel_compilation: bool,
    pub(crate) network: Option<Arc<Network>>,
    pub(crate) listeners: Arc<Listeners>,
    /// Casemate's own directories.
    pub(crate) own: Arc<OwnHome>,
    /// Files that all calls together may have open.
    pub(crate) open_files: Arc<ProcessPlaces>,
    pub(crate) strict_links: bool,
}

/// A place among the waiting calls.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// The engine, started on first use.
    pub(crate) fn machine(&self) -> Result<Arc<Machine>, EngineError> {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(machine) = &*machine {
            return Ok(Arc::clone(machine));
        }
        let started = Machine::start(self.parallel_compilation)?;
        *machine = Some(Arc::clone(&started));
        Ok(started)
    }

    /// A place in the queue, unless `most` calls already wait.
    pub(crate) fn wait(&self, most: usize) -> Option<Waiting<'_>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= most {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Waiting(&self.waiting))
    }
}

/// A change of the home that is not taken over yet.
struct Change {
    /// What was seen last.
    stamp: Stamp,
    /// When it was first seen that something changes.
    since: Instant,
    /// Whether the log was told that it goes on.
    told: bool,
}

#[derive(Default)]
struct State {
    stamp: Option<Stamp>,
    plans: BTreeMap<(Digest, Option<Digest>), Arc<Plan>>,
}

/// The operator's handle on one home. It changes things; what it hands out does not.
pub struct Runtime {
    pub(crate) home: Home,
    pub(crate) tenant: Tenant,
    pub(crate) ceiling: Option<Policy>,
    pub(crate) strict: bool,
    pub(crate) bound: BTreeSet<RootName>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sources: Sources,
    catalogs: watch::Sender<Arc<Catalog>>,
    state: Mutex<State>,
}

impl Runtime {
    /// Starts to configure a runtime over `home`.
    #[must_use]
    pub fn builder(home: Home) -> RuntimeBuilder {
        RuntimeBuilder {
            home,
            tenant: Tenant::default(),
            roots: Roots::new(),
            ceiling: None,
            strict: false,
            environment: BTreeMap::new(),
            audit: None,
            compiler: Arc::new(InProcess),
            parallel_compilation: false,
            network: None,
            sources: Sources::files_only(),
            strict_links: false,
            own_directories: Vec::new(),
        }
    }

    /// The home of this runtime.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The present catalog.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalogs.borrow())
    }

    /// Catalogs as they change. All that a server of requests is given.
    #[must_use]
    pub fn catalogs(&self) -> watch::Receiver<Arc<Catalog>> {
        self.catalogs.subscribe()
    }

    /// Notes that this process listens at `address`, so that no request of a guest goes there,
    /// whatever a policy says. The unspecified address means every address of this machine.
    pub fn listens_on(&self, address: SocketAddr) {
        self.shared.listeners.add(address);
    }

    /// Loads native code of every component, so that no first call waits for it. Blocks.
    pub fn warm(&self) {
        let catalog = self.catalog();
        let Ok(machine) = self.shared.machine() else {
            return;
        };
        for installed in catalog.components.values() {
            let prepared =
                installed
                    .plan
                    .prepare(&machine, &self.shared.cache, &*self.shared.compiler);
            if let Err(error) = prepared {
                tracing::error!(component = %installed.name, detail = error.detail, "{error}");
            }
        }
    }

    /// Reloads when something in the home has changed. Returns whether it did.
    ///
    /// # Errors
    ///
    /// Fails when the lock cannot be read; the old catalog stays.
    pub fn refresh(&self) -> Result<bool, OpenError> {
        if self.has_loaded(&self.home.stamp()) {
            return Ok(false);
        }
        self.reload()?;
        Ok(true)
    }

    /// Follows changes of the home until `stop` is cancelled.
    ///
    /// A change is taken over once nothing has changed for a tenth of a second, and only if nothing
    /// changed while it was read: until then the state before stays.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut complained = false;
        let mut change: Option<Change> = None;
        loop {
            let pause = if change.is_some() {
                QUIET
            } else {
                WATCH_INTERVAL
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let runtime = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || runtime.follow(change)).await;
            change = match looked {
                Ok(Ok(change)) => {
                    complained &= change.is_some();
                    change
                }
                Ok(Err(error)) => {
                    if !complained {
                        complained = true;
                        tracing::error!(
                            error = chain(&error),
                            "the change is not taken over, the last good state stays"
                        );
                    }
                    None
                }
                Err(error) => {
                    tracing::error!(%error, "reload failed");
                    None
                }
            };
        }
    }

    /// One look at the home: takes over the change that was seen before if it has stayed, and returns
    /// the one to look at again.
    fn follow(&self, before: Option<Change>) -> Result<Option<Change>, OpenError> {
        let stamp = self.home.stamp();
        if self.has_loaded(&stamp) {
            return Ok(None);
        }
        match before {
            Some(before) if before.stamp == stamp => {
                if self.rebuild(Some(&stamp))? {
                    self.warm();
                    return Ok(None);
                }
                Ok(Some(before))
            }
            Some(mut before) => {
                if !before.told && before.since.elapsed() > RESTLESS {
                    before.told = true;
                    tracing::warn!(
                        "files of the home keep changing: the last good state stays until they are left alone"
                    );
                }
                Ok(Some(Change { stamp, ..before }))
            }
            None => Ok(Some(Change {
                stamp,
                since: Instant::now(),
                told: false,
            })),
        }
    }

    fn has_loaded(&self, stamp: &Stamp) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stamp.as_ref() == Some(stamp)
    }

    /// Builds the catalog anew from the lock and the policy files, and publishes it whole.
    ///
    /// # Errors
    ///
    /// Fails when the lock cannot be read; the old catalog stays.
    pub fn reload(&self) -> Result<(), OpenError> {
        self.rebuild(None).map(drop)
    }

    /// As [`Runtime::reload`]; with an expected state of the home only if that is what is there, before
    /// the reading and after it. Returns whether a catalog was published.
    fn rebuild(&self, expected: Option<&Stamp>) -> Result<bool, OpenError> {
        self.shared.own.changed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before reading, so that a change during the reading is seen next time.
        let stamp = self.home.stamp();
        if expected.is_some_and(|expected| *expected != stamp) {
            return Ok(false);
        }
        let lock = LockFile::load(&self.home)?;
        let previous = self.catalog();
        let mut catalog = Catalog::default();
        let mut plans = BTreeMap::new();
        for (name, entry) in &lock.components {
            if entry.tenant != self.tenant {
                continue;
            }
            let installed = self.load(name, entry, &state, &previous, &mut catalog.problems);
            if let Some(installed) = installed {
                plans.insert((entry.digest, entry.docs), Arc::clone(&installed.plan));
                self.publish(&mut catalog, installed);
            }
        }
        if expected.is_some() && self.home.stamp() != stamp {
            return Ok(false);
        }
        for problem in &catalog.problems {
            if !previous.problems.contains(problem) {
                tracing::warn!(
                    component = %problem.component,
                    reason = problem.reason,
                    "{}",
                    problem.message
                );
            }
        }
        state.plans = plans;
        state.stamp = Some(stamp);
        for (name, installed) in &previous.components {
            match catalog.components.get(name) {
                Some(same) if Arc::ptr_eq(same, installed) => {}
                other => installed.replaced(other.map(Arc::clone)),
            }
        }
        self.catalogs.send_replace(Arc::new(catalog));
        Ok(true)
    }

    fn load(
        &self,
        name: &ComponentName,
        entry: &LockEntry,
        state: &State,
        previous: &Catalog,
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
        let plan = match state.plans.get(&(entry.digest, entry.docs)) {
            Some(plan) => Arc::clone(plan),
            None => match self.plan(entry) {
                Ok(plan) => plan,
                Err((reason, message)) => {
                    let hint = format!("casemate remove {name}, then add it again");
                    problem(reason, message, Some(hint), false);
                    return None;
                }
            },
        };
        let named = previous.components.get(name);
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
        if let Some(before) = before
            && before.policy == hash
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
        let grant = policy.admit(&entry.identity(), &admission);
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

    fn publish(&self, catalog: &mut Catalog, installed: Arc<Installed>) {
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
