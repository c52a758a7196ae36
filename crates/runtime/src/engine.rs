//! The one engine: its configuration, its clock tick and the threads that guests run on.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails, WasmFeatures,
};

use crate::enforce::Guest;
use crate::inspect::{CONCURRENCY_FEATURES, ENGINE_FEATURES};
use crate::limits::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};

/// Calls that may run at once in one process, over all components.
pub(crate) const MAX_CALLS: u32 = 64;
/// Calls that may run at once in components with async exports.
const MAX_CONCURRENT_KIND_CALLS: u32 = 8;
/// Distance between two checks of a running guest.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// Threads for guests that did not finish in their first slice.
const GUEST_THREADS: usize = 2;
/// Threads for guest file operations.
const IO_THREADS: usize = 8;
/// Largest memory that a policy may grant, in bytes.
const MAX_MEMORY: usize = 4 << 30;

/// Why the engine could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the WebAssembly engine")]
pub struct EngineError(#[source] wasmtime::Error);

fn config(kind: Kind, parallel_compilation: bool) -> Config {
    let features = match kind {
        Kind::Ordinary => ENGINE_FEATURES,
        Kind::Concurrent => ENGINE_FEATURES.union(CONCURRENCY_FEATURES),
    };
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .async_stack_zeroing(true)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(NonZeroUsize::new(8))
        .wasm_features(WasmFeatures::all() - features, false)
        .wasm_features(features - WasmFeatures::GC_TYPES, true)
        .gc_support(false)
        .concurrency_support(kind == Kind::Concurrent)
        .parallel_compilation(parallel_compilation);
    config
}

fn pool(kind: Kind) -> PoolingAllocationConfig {
    let calls = match kind {
        Kind::Ordinary => MAX_CALLS,
        Kind::Concurrent => MAX_CONCURRENT_KIND_CALLS,
    };
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .total_core_instances(calls * 32)
        .total_memories((calls * 8).max(64))
        .total_tables((calls * 32).max(128))
        .total_stacks(calls)
        .max_core_instances_per_component(MAX_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_memories_per_module(4)
        .max_tables_per_module(8)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(MAX_MEMORY)
        .max_unused_warm_slots(8)
        .linear_memory_keep_resident(64 * 1024)
        .table_keep_resident(16 * 1024)
        .async_stack_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::No);
    pool
}

/// Which of the two engines runs a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything that exports ordinary functions only.
    Ordinary,
    /// Components that export async functions beside ordinary ones. Wasmtime's support for them
    /// is younger, so nothing else is exposed to it.
    Concurrent,
}

/// An engine and what is linked for its guests.
pub(crate) struct Realm {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
}

impl Realm {
    fn start(kind: Kind, parallel_compilation: bool) -> Result<Self, EngineError> {
        let mut config = config(kind, parallel_compilation);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(kind)));
        let engine = Engine::new(&config).map_err(EngineError)?;
        let mut linker = Linker::new(&engine);
        crate::wasi::link(&mut linker).map_err(EngineError)?;
        Ok(Self { engine, linker })
    }
}

/// Engines, tick and guest threads of a process.
pub(crate) struct Machine {
    ordinary: Realm,
    concurrent: Mutex<Option<Arc<Realm>>>,
    parallel_compilation: bool,
    guests: Option<tokio::runtime::Runtime>,
    ticker: Ticker,
    compiling: Mutex<()>,
}

/// A realm of a machine, borrowed or shared.
pub(crate) enum RealmRef<'m> {
    Ordinary(&'m Realm),
    Concurrent(Arc<Realm>),
}

impl std::ops::Deref for RealmRef<'_> {
    type Target = Realm;

    fn deref(&self) -> &Realm {
        match self {
            Self::Ordinary(realm) => realm,
            Self::Concurrent(realm) => realm,
        }
    }
}

impl Machine {
    /// Starts the engine with its pool of instances.
    ///
    /// # Errors
    ///
    /// Fails when the operating system gives no address space or threads.
    pub(crate) fn start(parallel_compilation: bool) -> Result<Arc<Self>, EngineError> {
        let ordinary = Realm::start(Kind::Ordinary, parallel_compilation)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(GUEST_THREADS)
            .max_blocking_threads(IO_THREADS)
            .thread_name("casemate-guest")
            .enable_time()
            .enable_io()
            .build()
            .map_err(|error| EngineError(error.into()))?;
        let ticker =
            Ticker::start(ordinary.engine.clone()).map_err(|error| EngineError(error.into()))?;
        Ok(Arc::new(Self {
            ordinary,
            concurrent: Mutex::new(None),
            parallel_compilation,
            guests: Some(guests),
            ticker,
            compiling: Mutex::new(()),
        }))
    }

    /// The engine that runs a component; the one for async exports starts on first use.
    ///
    /// # Errors
    ///
    /// Fails when that start fails.
    pub(crate) fn realm(&self, kind: Kind) -> Result<RealmRef<'_>, EngineError> {
        match kind {
            Kind::Ordinary => Ok(RealmRef::Ordinary(&self.ordinary)),
            Kind::Concurrent => {
                let mut concurrent = self
                    .concurrent
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if let Some(realm) = &*concurrent {
                    return Ok(RealmRef::Concurrent(Arc::clone(realm)));
                }
                let realm = Arc::new(Realm::start(kind, self.parallel_compilation)?);
                self.ticker.add(realm.engine.clone());
                *concurrent = Some(Arc::clone(&realm));
                Ok(RealmRef::Concurrent(realm))
            }
        }
    }

    /// Waits for the turn to compile: one component at a time, since a large one takes hundreds of megabytes while it
    /// compiles. Blocks.
    pub(crate) fn turn_to_compile(&self) -> MutexGuard<'_, ()> {
        self.compiling
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where guests run that did not finish in their first slice.
    pub(crate) fn guests(&self) -> Option<&tokio::runtime::Handle> {
        self.guests.as_ref().map(tokio::runtime::Runtime::handle)
    }

    /// Marks a call as running until the guard is dropped.
    pub(crate) fn enter(&self) -> Running {
        self.ticker.enter()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // A thread stuck in a file operation must not hold up the end of the process.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

/// Ticks without a call after which the ticking thread sleeps.
const IDLE_TICKS: u32 = 200;

/// Advances the engine's epoch from a thread of its own: a task of an async runtime would
/// starve as soon as every worker runs a guest.
struct Ticker {
    shared: Arc<TickerShared>,
    thread: Option<JoinHandle<()>>,
}

struct TickerShared {
    engines: Mutex<Vec<Engine>>,
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// A call that is running: while one exists, the epoch advances.
pub(crate) struct Running {
    shared: Arc<TickerShared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(TickerShared {
            engines: Mutex::new(vec![engine]),
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let thread = std::thread::Builder::new()
            .name("casemate-tick".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.run()
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    fn add(&self, engine: Engine) {
        self.shared
            .engines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(engine);
    }

    fn enter(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        // The thread announces its sleep before it looks for calls a last time, so either it
        // sees this one or it is seen asleep here.
        if self.shared.asleep.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl TickerShared {
    fn run(&self) {
        let mut idle = 0;
        while !self.stop.load(Ordering::SeqCst) {
            std::thread::sleep(TICK);
            for engine in &*self.engines.lock().unwrap_or_else(PoisonError::into_inner) {
                engine.increment_epoch();
            }
            if self.running.load(Ordering::SeqCst) > 0 {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle < IDLE_TICKS {
                continue;
            }
            idle = 0;
            self.asleep.store(true, Ordering::SeqCst);
            while self.running.load(Ordering::SeqCst) == 0 && !self.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            self.asleep.store(false, Ordering::SeqCst);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread ends within one tick; nothing it holds outlives it.
            let _ = thread.join();
        }
    }
}
