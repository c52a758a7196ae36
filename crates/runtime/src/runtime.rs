//! The operator's handle: what is installed, what is granted, and the catalog that follows.

use crate::audit::{AuditOpenError, AuditSink, JsonLines};
use crate::cache::{CacheError, NativeCache};
use crate::catalog::Catalog;
use crate::compile::{Compiler, InProcess};
use crate::component::{Plan, chain};
use crate::egress::{Listeners, Network};
use crate::engine::{EngineError, MAX_CALLS, Machine};
use crate::frozen::FrozenDifference;
use crate::load::Known;
use crate::provenance::Trust;
use crate::storage::{OwnHome, ProcessPlaces, Roots};
use casemate_artifact::{Home, HomeError, LockError, LockFile, Sources, Stamp};
use casemate_policy::{Digest, Policy, RootName, Tenant};
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
    /// A runtime that takes only what is locked found something else.
    #[error("what is installed is not exactly as locked ({} differences)", .0.len())]
    Frozen(Vec<FrozenDifference>),
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
    trust_root: Option<PathBuf>,
    frozen: bool,
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

    /// Verifies keyless signatures against the `trusted_root.json` in this file in place of the roots that Casemate was
    /// built with.
    #[must_use]
    pub fn trust_root(mut self, file: Option<PathBuf>) -> Self {
        self.trust_root = file;
        self
    }

    /// Opens only if everything is exactly as the lock says: bytes, manifests, signatures, docs, tools and policies.
    /// Whatever changes afterwards is not taken over.
    #[must_use]
    pub fn frozen(mut self, frozen: bool) -> Self {
        self.frozen = frozen;
        self
    }

    /// Opens the home, makes what is missing in it, and builds the first catalog.
    ///
    /// # Errors
    ///
    /// Fails when the home, its lock, cache or audit log cannot be used, and with [`OpenError::Frozen`] when
    /// [frozen](Self::frozen) and something is not as locked. A component that cannot
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
            trust_root: self.trust_root,
            frozen: self.frozen,
            catalogs,
            state: Mutex::new(State::default()),
        };
        runtime.reload()?;
        if runtime.frozen {
            let differences = runtime.frozen_differences()?;
            if !differences.is_empty() {
                return Err(OpenError::Frozen(differences));
            }
        }
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
    pub(crate) trust_root: Option<PathBuf>,
    /// Only what was locked when it was opened is served.
    frozen: bool,
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
            trust_root: None,
            frozen: false,
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

    /// Reloads when something in the home has changed. Returns whether it did; [frozen](RuntimeBuilder::frozen) it never
    /// does.
    ///
    /// # Errors
    ///
    /// Fails when the lock cannot be read; the old catalog stays.
    pub fn refresh(&self) -> Result<bool, OpenError> {
        if self.frozen || self.has_loaded(&self.home.stamp()) {
            return Ok(false);
        }
        self.reload()?;
        Ok(true)
    }

    /// Follows changes of the home until `stop` is cancelled; none are taken over where it is
    /// [frozen](RuntimeBuilder::frozen).
    ///
    /// A change is taken over once nothing has changed for a tenth of a second, and only if nothing
    /// changed while it was read: until then the state before stays.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut complained = false;
        let mut change: Option<Change> = None;
        if self.frozen {
            return stop.cancelled().await;
        }
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

    /// The trust policy of the home, not read yet.
    pub(crate) fn trust(&self) -> Trust {
        Trust::new(&self.home, self.trust_root.as_deref())
    }

    /// As [`Runtime::reload`]; with an expected state of the home only if that is what is there, before
    /// the reading and after it. Returns whether a catalog was published.
    fn rebuild(&self, expected: Option<&Stamp>) -> Result<bool, OpenError> {
        self.shared.own.changed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.frozen && state.stamp.is_some() {
            return Ok(false);
        }
        // Taken before reading, so that a change during the reading is seen next time.
        let stamp = self.home.stamp();
        if expected.is_some_and(|expected| *expected != stamp) {
            return Ok(false);
        }
        let lock = LockFile::load(&self.home)?;
        let trust = self.trust();
        let previous = self.catalog();
        let mut catalog = Catalog::default();
        let mut plans = BTreeMap::new();
        for (name, entry) in &lock.components {
            if entry.tenant != self.tenant {
                continue;
            }
            let known = Known {
                plans: &state.plans,
                catalog: &previous,
                trust: &trust,
            };
            let installed = self.load(name, entry, &known, &mut catalog.problems);
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
}
