//! From a component's bytes to a plan that calls are made from.

use crate::cache::NativeCache;
use crate::compile::{Compiled, Compiler};
use crate::enforce::Guest;
use crate::engine::{EngineError, Kind, Machine, Realm};
use crate::inspect::InspectedComponent;
use crate::limits::{LimitReached, MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES};
use crate::runtime::Shared;
use casemate_artifact::ContentStore;
use casemate_policy::{Digest, Reason};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::watch;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

/// Why a component cannot be run.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}")]
pub struct PrepareError {
    /// What failed, for people and logs.
    pub what: String,
    /// The full chain of causes.
    pub detail: String,
}

impl PrepareError {
    fn new(what: impl Into<String>, cause: &dyn std::error::Error) -> Self {
        let detail = chain(cause);
        let what = match too_many(&detail) {
            Some(limit) => format!("{}: {limit}", what.into()),
            None => what.into(),
        };
        Self { what, detail }
    }
}

/// The parts of a component that are more than the pool has for one, whose numbers Wasmtime only words.
fn too_many(text: &str) -> Option<LimitReached> {
    let (_, counted) = text.split_once("The component transitively contains ")?;
    let (used, kind) = counted.split_once(' ')?;
    let (resource, allowed) = [
        ("core module instances", "core instances", MAX_INSTANCES),
        ("Wasm linear memories", "memories", MAX_MEMORIES),
        ("tables", "tables", MAX_TABLES),
    ]
    .into_iter()
    .find(|(words, ..)| kind.starts_with(words))
    .map(|(_, resource, allowed)| (resource, allowed))?;
    let used: u64 = used.parse().ok()?;
    Some(LimitReached::count(
        Reason::LimitMemory,
        resource,
        used,
        allowed,
    ))
}

impl From<EngineError> for PrepareError {
    fn from(error: EngineError) -> Self {
        Self::new("the engine does not start", &error)
    }
}

/// The engine that runs a component.
pub(crate) fn kind_of(inspected: &InspectedComponent) -> Kind {
    if inspected.needs_concurrency() {
        Kind::Concurrent
    } else {
        Kind::Ordinary
    }
}

/// An error and all its causes on one line, for logs and for a tool's author.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Native code with its imports resolved and its exports looked up.
pub(crate) struct Prepared {
    pub(crate) plan: InstancePre<Guest>,
    /// One index per inspected tool, in the same order.
    pub(crate) exports: Vec<ComponentExportIndex>,
}

/// The bytes of a digest, prepared at most once and shared by all grants over them.
pub(crate) struct Plan {
    inspected: Arc<InspectedComponent>,
    store: ContentStore,
    prepared: OnceLock<Result<Arc<Prepared>, PrepareError>>,
    /// A thread was started for calls that wait.
    started: AtomicBool,
    /// Whether `prepared` is there.
    done: watch::Sender<bool>,
}

impl Plan {
    pub(crate) fn new(inspected: Arc<InspectedComponent>, store: ContentStore) -> Self {
        Self {
            inspected,
            store,
            prepared: OnceLock::new(),
            started: AtomicBool::new(false),
            done: watch::Sender::new(false),
        }
    }

    pub(crate) fn inspected(&self) -> &Arc<InspectedComponent> {
        &self.inspected
    }

    /// The engine that runs it.
    pub(crate) fn kind(&self) -> Kind {
        kind_of(&self.inspected)
    }

    /// The plan, if it was prepared before. Never blocks.
    pub(crate) fn ready(&self) -> Option<Result<Arc<Prepared>, PrepareError>> {
        self.prepared.get().cloned()
    }

    /// Prepares the component: from the cache, or by compiling it. Blocks, also while another thread prepares it.
    ///
    /// # Errors
    ///
    /// Fails when the bytes are not those of the digest, do not compile, or lack an export.
    pub(crate) fn prepare(
        &self,
        machine: &Machine,
        cache: &NativeCache,
        compiler: &dyn Compiler,
    ) -> Result<Arc<Prepared>, PrepareError> {
        // A compiler is anybody's; whoever waits must hear of its panic too.
        let load = || {
            catch_unwind(AssertUnwindSafe(|| self.load(machine, cache, compiler)))
                .unwrap_or_else(|_panic| {
                    Err(PrepareError {
                        what: "the component does not compile".to_owned(),
                        detail: "the compiler panicked".to_owned(),
                    })
                })
                .map(Arc::new)
        };
        let prepared = self.prepared.get_or_init(load).clone();
        self.done.send_replace(true);
        prepared
    }

    /// Waits until the component is prepared, by a thread of its own where none has begun: compiling takes seconds, and
    /// neither a thread that runs guests nor one that serves their files may wait for that.
    ///
    /// # Errors
    ///
    /// As [`Plan::prepare`], and when there is no thread.
    pub(crate) async fn prepared(
        self: &Arc<Self>,
        machine: &Arc<Machine>,
        shared: &Arc<Shared>,
    ) -> Result<Arc<Prepared>, PrepareError> {
        if let Some(ready) = self.ready() {
            return ready;
        }
        let mut done = self.done.subscribe();
        if !self.started.swap(true, Ordering::SeqCst) {
            let (plan, machine, shared) =
                (Arc::clone(self), Arc::clone(machine), Arc::clone(shared));
            std::thread::Builder::new()
                .name("casemate-load".to_owned())
                .spawn(move || plan.prepare(&machine, &shared.cache, &*shared.compiler))
                .map_err(|error| {
                    self.started.store(false, Ordering::SeqCst);
                    PrepareError::new("the component cannot be loaded", &error)
                })?;
        }
        // The sender is a field of this plan, so it does not go away.
        let _ = done.wait_for(|done| *done).await;
        self.ready().unwrap_or_else(|| {
            Err(PrepareError {
                what: "the component was not loaded".to_owned(),
                detail: String::new(),
            })
        })
    }

    fn load(
        &self,
        machine: &Machine,
        cache: &NativeCache,
        compiler: &dyn Compiler,
    ) -> Result<Prepared, PrepareError> {
        let digest = self.inspected.digest();
        let realm = machine.realm(self.kind())?;
        let component = native(&realm, cache, digest, || {
            let artifact = self
                .store
                .get(digest)
                .map_err(|error| PrepareError::new("the component cannot be read", &error))?;
            let _turn = machine.turn_to_compile();
            let (component, _) = compile(&realm, cache, compiler, digest, artifact.bytes())?;
            Ok(component)
        })?;
        let plan = link(&realm, &component)?;
        let mut exports = Vec::with_capacity(self.inspected.tools().len());
        for tool in self.inspected.tools() {
            exports.push(
                find(&component, tool.interface.as_deref(), &tool.function).ok_or_else(|| {
                    PrepareError {
                        what: format!("the component has no function {}", tool.wit_name()),
                        detail: String::new(),
                    }
                })?,
            );
        }
        Ok(Prepared { plan, exports })
    }
}

/// Resolves the imports of `component`.
///
/// # Errors
///
/// Fails when it imports a function that is not linked, or one of another type.
pub(crate) fn link(
    realm: &Realm,
    component: &Component,
) -> Result<InstancePre<Guest>, PrepareError> {
    realm
        .linker
        .instantiate_pre(component)
        .map_err(|error| PrepareError::new("the component cannot be linked", error.as_ref()))
}

fn find(
    component: &Component,
    interface: Option<&str>,
    function: &str,
) -> Option<ComponentExportIndex> {
    match interface {
        Some(interface) => {
            let instance = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&instance), function)
        }
        None => component.get_export_index(None, function),
    }
}

/// The component from the cache, or from `compile`.
fn native(
    realm: &Realm,
    cache: &NativeCache,
    digest: &Digest,
    compile: impl FnOnce() -> Result<Component, PrepareError>,
) -> Result<Component, PrepareError> {
    if let Some(authentic) = cache.get(&realm.engine, digest) {
        match crate::native::load(&realm.engine, &authentic) {
            Ok(component) => return Ok(component),
            Err(error) => tracing::warn!(%digest, %error, "compiled component does not load"),
        }
    }
    compile()
}

/// Compiles `bytes` and keeps the native code. Its caller has the [turn](Machine::turn_to_compile).
///
/// # Errors
///
/// Fails with the compiler's reason. A cache that cannot be written is a warning.
pub(crate) fn compile(
    realm: &Realm,
    cache: &NativeCache,
    compiler: &dyn Compiler,
    digest: &Digest,
    bytes: &[u8],
) -> Result<(Component, Compiled), PrepareError> {
    let failed = "the component does not compile";
    let started = Instant::now();
    tracing::info!(%digest, bytes = bytes.len(), "compiling");
    let code = compiler
        .compile(&realm.engine, bytes)
        .map_err(|error| PrepareError::new(failed, &error))?;
    let compiled = Compiled {
        time: started.elapsed(),
        native_bytes: code.len() as u64,
    };
    tracing::info!(%digest, native_bytes = compiled.native_bytes, time = ?compiled.time, "compiled");
    let (authentic, written) = cache.put(&realm.engine, digest, &code);
    if let Err(error) = written {
        tracing::warn!(error = chain(&error), "compiled component is not kept");
    }
    let authentic = authentic.ok_or_else(|| PrepareError {
        what: failed.to_owned(),
        detail: "no authentication code could be made".to_owned(),
    })?;
    let component = crate::native::load(&realm.engine, &authentic).map_err(|error| {
        cache.remove(digest);
        PrepareError::new(failed, error.as_ref())
    })?;
    Ok((component, compiled))
}
