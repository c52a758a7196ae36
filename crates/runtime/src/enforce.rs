//! The enforcement point: the only way from a [`Grant`] to a store that runs a guest.
//!
//! Everything that a guest can ask of the world is a method of [`Guest`] or of a trait
//! implemented on it in [`crate::wasi`], and each of those that could reach outside the
//! sandbox asks [`Grant::decide`] through this module, which also keeps the record.

use crate::egress::{Budget, Gate, Kept, Listeners, Network, Traffic};
pub(crate) use crate::limits::LimitReached;
use crate::limits::{MemoryLimiter, Meter};
use crate::output::Capture;
use crate::sockets::{Sockets, Threads};
use crate::storage::{OpenPlaces, OwnHome, ProcessPlaces, Quota, Roots, Storage};
use crate::wasi::clocks::CallClock;
use crate::wasi::http::FIELD_SIZE_LIMIT;
use casemate_policy::{
    Clock, ClockMode, Denial, Grant, Limits, Operation, Permitted, RandomMode, RandomSource,
    Reason, Remedy,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpHooks};

/// Resources that one call may hold at once: streams, pollables, descriptors, fields.
pub(crate) const MAX_RESOURCES: usize = 4_096;
/// Handles that the component itself may hold at once.
pub(crate) const MAX_COMPONENT_HANDLES: usize = 4_096;
/// Bytes that lifting charges for one element of a list.
const FUEL_PER_ELEMENT: u64 = 40;
/// Least fuel for values that cross the boundary in one host call.
const MIN_HOSTCALL_FUEL: u64 = 8 * 1024 * 1024;
/// Different denials that one call records one by one; more are counted by their reason.
const MAX_DENIALS: usize = 64;
/// Bytes of what was asked for, in a record.
const MAX_SUBJECT: usize = 1_024;
/// Subject of the denials that are only counted.
const OTHERS: &str = "others, too many to list";

/// One refusal that a call met, as it is recorded and explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenialRecord {
    /// Stable reason.
    pub reason: Reason,
    /// What was asked for, for example `storage read /workspace/notes.txt`.
    pub subject: String,
    /// Why it was refused, in a person's words.
    pub explanation: String,
    /// What would change the verdict; none where no rule would, as for a FIFO.
    pub remedy: Option<Remedy>,
    /// The limit that ran out, the last time, where that is why.
    pub limit: Option<LimitReached>,
    /// How often the call asked for it.
    pub count: u64,
}

#[derive(Debug, Default)]
struct Trace {
    denials: Vec<DenialRecord>,
    looked_for_files: bool,
}

/// The refusals of one call. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    trace: Arc<Mutex<Trace>>,
}

impl Trail {
    /// Records a refusal; the same one again is counted.
    pub(crate) fn denied(&self, denial: &Denial) {
        self.record(DenialRecord {
            reason: denial.reason(),
            subject: denial.subject().to_owned(),
            explanation: denial.explanation().to_owned(),
            remedy: denial.remedy().cloned(),
            limit: None,
            count: 1,
        });
    }

    /// Records a refusal that no rule of any policy could turn into a permit: what was asked
    /// for is of a kind that is never served, such as a FIFO or a way out of a directory.
    pub(crate) fn refused(&self, reason: Reason, subject: String, explanation: &str) {
        self.record(DenialRecord {
            reason,
            subject,
            explanation: explanation.to_owned(),
            remedy: None,
            limit: None,
            count: 1,
        });
    }

    /// Records that a limit kept the guest from something, and that the call goes on.
    pub(crate) fn limited(&self, subject: String, limit: LimitReached) {
        self.record(DenialRecord {
            reason: limit.reason,
            subject,
            explanation: limit.to_string(),
            remedy: None,
            limit: Some(limit),
            count: 1,
        });
    }

    fn record(&self, mut denial: DenialRecord) {
        shorten(&mut denial.subject);
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |denial: &DenialRecord, known: &DenialRecord| {
            known.reason == denial.reason && known.subject == denial.subject
        };
        if !trace.denials.iter().any(|known| same(&denial, known))
            && trace.denials.len() >= MAX_DENIALS
        {
            // One entry for each reason, so that a guest cannot hide one kind behind another.
            OTHERS.clone_into(&mut denial.subject);
            "more was refused for this reason than is listed one by one"
                .clone_into(&mut denial.explanation);
            denial.remedy = None;
        }
        match trace.denials.iter_mut().find(|known| same(&denial, known)) {
            Some(known) => {
                known.count += 1;
                known.limit = denial.limit;
            }
            None => trace.denials.push(denial),
        }
    }

    /// The guest asked for its directories and has none.
    pub(crate) fn looked_for_files(&self) {
        self.trace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .looked_for_files = true;
    }

    /// The refusals so far.
    ///
    /// A guest without directories cannot name a file, so a call that `failed` after looking
    /// for them gets one entry that says so; many toolchains look at every start, which is
    /// no refusal when the call does well.
    pub(crate) fn denials(&self, failed: bool) -> Vec<DenialRecord> {
        let trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        let mut denials = trace.denials.clone();
        if failed && trace.looked_for_files {
            denials.push(DenialRecord {
                reason: Reason::StorageRead,
                subject: "storage (the tool looked for its folders)".to_owned(),
                explanation: "no rule gives this component any file or folder".to_owned(),
                // Which one it wanted is not known.
                remedy: Some(Remedy::Grant(vec!["read".to_owned(), "DIR".to_owned()])),
                limit: None,
                count: 1,
            });
        }
        denials
    }
}

/// Cuts what a guest asked for to what a record has room for.
fn shorten(subject: &mut String) {
    if subject.len() > MAX_SUBJECT {
        subject.truncate(subject.floor_char_boundary(MAX_SUBJECT));
        subject.push('…');
    }
}

/// The guest ended itself through `wasi:cli/exit` with this status.
#[derive(Debug, thiserror::Error)]
#[error("the tool exited with status {0} before it returned")]
pub(crate) struct GuestExit(pub(crate) u8);

/// A capability that has no error of its own in WASI was used without a grant.
#[derive(Debug, thiserror::Error)]
#[error("{subject} is not granted ({})", reason.as_str())]
pub(crate) struct CapabilityDenied {
    pub(crate) reason: Reason,
    pub(crate) subject: String,
}

/// State of one call: what the guest was granted and what it has done so far.
pub(crate) struct Guest {
    table: ResourceTable,
    grant: Arc<Grant>,
    trail: Trail,
    clock: CallClock,
    seeded: Option<ChaCha20Rng>,
    stdout: Capture,
    stderr: Capture,
    storage: Storage,
    environment: Arc<BTreeMap<String, String>>,
    http: WasiHttpCtx,
    gate: Gate,
    /// Made when the guest first asks for one: most never do.
    sockets: Option<Sockets>,
    pub(crate) memory: MemoryLimiter,
    pub(crate) meter: Arc<Meter>,
}

impl Guest {
    /// The grant of this call.
    pub(crate) fn grant(&self) -> Arc<Grant> {
        Arc::clone(&self.grant)
    }

    pub(crate) fn trail(&self) -> &Trail {
        &self.trail
    }

    pub(crate) fn table(&self) -> &ResourceTable {
        &self.table
    }

    pub(crate) fn table_mut(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(crate) fn clock(&self) -> &CallClock {
        &self.clock
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(crate) fn stdout(&self) -> Capture {
        self.stdout.clone()
    }

    pub(crate) fn stderr(&self) -> Capture {
        self.stderr.clone()
    }

    /// The server's own value of a variable that the grant names.
    pub(crate) fn server_variable(&self, key: &str) -> Option<&str> {
        self.environment.get(key).map(String::as_str)
    }

    pub(crate) fn http_parts(
        &mut self,
    ) -> (&mut dyn WasiHttpHooks, &mut ResourceTable, &mut WasiHttpCtx) {
        (&mut self.gate, &mut self.table, &mut self.http)
    }

    /// What decides about raw sockets and lookups, beside the resources that it acts on.
    pub(crate) fn sockets(&mut self) -> (&mut Sockets, &mut ResourceTable) {
        let gate = &self.gate;
        let sockets = self.sockets.get_or_insert_with(|| {
            Sockets::new(
                Arc::clone(&gate.grant),
                gate.trail.clone(),
                gate.network.clone(),
                Arc::clone(&gate.listeners),
                Threads {
                    guests: gate.guests.clone(),
                    meter: Arc::clone(&gate.meter),
                },
                Arc::clone(&gate.budget),
                Arc::clone(&gate.traffic),
            )
        });
        (sockets, &mut self.table)
    }

    /// Asks for the clock; a refusal ends the call and names the capability.
    pub(crate) fn ask_clock(&self, clock: Clock) -> wasmtime::Result<()> {
        match self.grant.decide(&Operation::Clock { clock }) {
            Ok(_permit) => Ok(()),
            Err(denial) => Err(self.trapped(&denial)),
        }
    }

    /// Fills `buffer` from the generator that the policy names.
    pub(crate) fn fill_random(
        &mut self,
        source: RandomSource,
        buffer: &mut [u8],
    ) -> wasmtime::Result<()> {
        let grant = Arc::clone(&self.grant);
        let mode = match grant.decide(&Operation::Random { source }) {
            Ok(permit) => match permit.granted() {
                Permitted::Random(mode) => *mode,
                _ => RandomMode::None,
            },
            Err(denial) => return Err(self.trapped(&denial)),
        };
        match mode {
            RandomMode::Secure => Ok(getrandom::fill(buffer)
                .map_err(|error| wasmtime::format_err!("no randomness: {error}"))?),
            RandomMode::Seed(seed) => {
                self.seeded
                    .get_or_insert_with(|| ChaCha20Rng::seed_from_u64(seed))
                    .fill_bytes(buffer);
                Ok(())
            }
            RandomMode::None => wasmtime::bail!("randomness is not granted"),
        }
    }

    fn trapped(&self, denial: &Denial) -> wasmtime::Error {
        self.trail.denied(denial);
        CapabilityDenied {
            reason: denial.reason(),
            subject: denial.subject().to_owned(),
        }
        .into()
    }
}

/// What a call needs beside its grant.
pub(crate) struct Surroundings {
    pub(crate) roots: Arc<Roots>,
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    pub(crate) pool: tokio::runtime::Handle,
    pub(crate) network: Option<Arc<Network>>,
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) own: Arc<OwnHome>,
    pub(crate) open_files: Arc<ProcessPlaces>,
    pub(crate) strict_links: bool,
}

/// The streams, record, meter and traffic of a call, kept by the caller when the store is gone.
pub(crate) struct Observed {
    pub(crate) trail: Trail,
    pub(crate) stdout: Capture,
    pub(crate) stderr: Capture,
    pub(crate) meter: Arc<Meter>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) quota: Arc<Quota>,
}

/// Bytes of host memory that the values of one crossing of the sandbox may take.
pub(crate) fn hostcall_fuel(limits: &Limits) -> u64 {
    FUEL_PER_ELEMENT
        .saturating_mul(limits.output)
        .saturating_add(MIN_HOSTCALL_FUEL)
}

/// Makes the store of one call from its grant. No other function makes one.
pub(crate) fn store(
    engine: &Engine,
    grant: &Arc<Grant>,
    surroundings: &Surroundings,
    observed: &Observed,
) -> Store<Guest> {
    let limits = grant.limits();
    let clocks = grant.clocks();
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_RESOURCES);
    let budget = Arc::new(Budget::of(limits));
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(FIELD_SIZE_LIMIT);
    let guest = Guest {
        table,
        grant: Arc::clone(grant),
        trail: observed.trail.clone(),
        clock: CallClock::start(clocks, SystemTime::now()),
        seeded: None,
        stdout: observed.stdout.clone(),
        stderr: observed.stderr.clone(),
        storage: Storage {
            grant: Arc::clone(grant),
            trail: observed.trail.clone(),
            roots: Arc::clone(&surroundings.roots),
            pool: surroundings.pool.clone(),
            exact_times: clocks == ClockMode::Full,
            places: OpenPlaces::new(limits.open_files, &surroundings.open_files),
            quota: Arc::clone(&observed.quota),
            own: Arc::clone(&surroundings.own),
            strict_links: surroundings.strict_links,
        },
        environment: Arc::clone(&surroundings.environment),
        http,
        gate: Gate {
            grant: Arc::clone(grant),
            trail: observed.trail.clone(),
            network: surroundings.network.clone(),
            listeners: Arc::clone(&surroundings.listeners),
            guests: surroundings.pool.clone(),
            budget,
            traffic: Arc::clone(&observed.traffic),
            kept: Arc::clone(&surroundings.kept),
            meter: Arc::clone(&observed.meter),
        },
        sockets: None,
        memory: MemoryLimiter::new(limits.memory, Arc::clone(&observed.meter)),
        meter: Arc::clone(&observed.meter),
    };
    #[expect(clippy::disallowed_methods, reason = "this is the enforcement point")]
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    let fuel = hostcall_fuel(limits);
    store.set_hostcall_fuel(usize::try_from(fuel).unwrap_or(usize::MAX));
    store.set_max_component_handles(MAX_COMPONENT_HANDLES);
    // One tick to the next check: each check measures CPU time and lets others run.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        context.data().meter.check()?;
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

#[cfg(test)]
mod tests;
