//! One call: a fresh store, a bounded run, a report and a record.

mod failure;

use self::failure::{Failure, classify, inert};
use crate::audit::{CallStart, Trailing, Usage};
use crate::component::{PrepareError, Prepared, chain};
use crate::enforce::{DenialRecord, LimitReached, Observed, Surroundings};
use crate::engine::{MAX_CALLS, Machine};
use crate::installed::{Installed, Places};
use crate::limits::{Meter, Metered};
use crate::output::{Capture, Captured};
use crate::runtime::Shared;
use crate::schema::byte_len;
use crate::storage::Quota;
use crate::value::{EmitError, Returned, returned};
use casemate_policy::{Digest, Limits, RandomMode, Reason};
use serde_json::Value;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use wasmtime::Store;
use wasmtime::component::Val;

use crate::enforce::Guest;

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The function returned: `{"result": …}`.
    Returned(Value),
    /// The function returned the `err` of its result: `{"error": …}`.
    ToolError(Value),
    /// The call ended on something that was not granted.
    Refused {
        /// Stable reason, `denied.…`.
        reason: Reason,
        /// What was asked for, without facts about the host.
        message: String,
    },
    /// The call ended on a trap, a limit or a defect.
    Failed {
        /// Stable reason: `trap.…`, `limit.…`, `internal`.
        reason: Reason,
        /// What ran out or broke, without facts about the host.
        message: String,
    },
    /// The caller took the call back.
    Cancelled,
}

impl Outcome {
    /// The word of the audit log.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Returned(_) => "ok",
            Self::ToolError(_) => "error",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The stable reason of a call that did not return.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Returned(_) | Self::ToolError(_) => None,
            Self::Refused { reason, .. } | Self::Failed { reason, .. } => Some(*reason),
            Self::Cancelled => Some(Reason::Cancelled),
        }
    }

    fn returned(&self) -> bool {
        matches!(self, Self::Returned(_))
    }

    fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self::Failed {
            reason,
            message: message.into(),
        }
    }
}

/// What a call did.
#[derive(Clone, Debug)]
pub struct CallReport {
    /// Id of the call, as it stands in the audit log.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The limit that ended it, with what was used and what was allowed.
    pub limit: Option<LimitReached>,
    /// What it was refused on the way, also when it did well.
    pub denials: Vec<DenialRecord>,
    /// What it used.
    pub usage: Usage,
    /// What it wrote to its standard output: the guest's text, not the result.
    pub stdout: Captured,
    /// What it wrote to its standard error.
    pub stderr: Captured,
    /// Chain of causes of a failure, for the log and the tool's author, never for a model.
    pub detail: Option<String>,
    /// Where the guest was when it was stopped, innermost first: at most eight lines of inert text
    /// with the guest's own names, for its author. Empty when it was not running.
    pub backtrace: Vec<String>,
}

impl CallReport {
    /// The report of a call of which nothing else is known than that a defect ended it.
    fn without_a_run(id: String, message: &str, error: &dyn std::error::Error) -> Self {
        Self {
            id,
            outcome: Outcome::failed(Reason::Internal, message),
            limit: None,
            denials: Vec::new(),
            usage: Usage::default(),
            stdout: Captured::default(),
            stderr: Captured::default(),
            detail: Some(chain(error)),
            backtrace: Vec::new(),
        }
    }
}

/// Longest text of a guest in one line of the log, in bytes.
const MAX_DETAIL: usize = 4_096;
/// Longest line of a backtrace, in bytes.
const MAX_FRAME: usize = 256;
/// Calls of one component that may wait for a slot.
const MAX_WAITING: usize = 256;

/// Everything that one call owns while it runs.
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) machine: Arc<Machine>,
    pub(crate) installed: Arc<Installed>,
    pub(crate) tool: usize,
    pub(crate) arguments: Vec<Val>,
    pub(crate) cancel: CancellationToken,
}

impl Call {
    /// Runs the call to its report. Dropping the future ends the guest and records `cancelled`.
    ///
    /// The first slice runs where the caller polls: most calls end there, and handing a call to
    /// another thread costs more than such a call. What does not end is moved to the guests'
    /// own threads, so that a busy guest never holds up whoever reads requests.
    pub(crate) async fn run(self, start: CallStart) -> CallReport {
        let id = self.id.clone();
        let record = match Trailing::begin(Arc::clone(&self.shared.audit), start) {
            Ok(record) => record,
            Err(error) => {
                let message = "no record of the call could be kept, so it was not started";
                return CallReport::without_a_run(id, message, &error);
            }
        };
        let machine = Arc::clone(&self.machine);
        let mut running: Pin<Box<dyn Future<Output = CallReport> + Send>> =
            Box::pin(self.recorded(record));
        let Some(guests) = machine.guests().cloned() else {
            return running.await;
        };
        let first = poll_fn(|context| {
            let _guests = guests.enter();
            Poll::Ready(running.as_mut().poll(context))
        })
        .await;
        if let Poll::Ready(report) = first {
            return report;
        }
        let mut task = AbortOnDrop(guests.spawn(running));
        match (&mut task.0).await {
            Ok(report) => report,
            Err(error) => CallReport::without_a_run(id, "the call was lost", &error),
        }
    }

    async fn recorded(self, record: Trailing) -> CallReport {
        let limits = *self.installed.grant_of(self.tool).limits();
        let account = Account::open(record, &limits);
        // Before it waits for anything.
        if let Err(early) = self.installed.pace(self.tool, account.started) {
            return self.report(account, Err(early.into()));
        }
        self.bounded(account, limits).await
    }

    async fn bounded(self, mut account: Account, limits: Limits) -> CallReport {
        let _running = self.machine.enter();
        let cancel = self.cancel.clone();
        let ended = {
            let bounded = pin!(tokio::time::timeout(
                limits.time,
                without_panic(self.execute(&mut account))
            ));
            let cancelled = pin!(cancel.cancelled());
            tokio::select! {
                biased;
                () = cancelled => None,
                finished = bounded => Some(finished),
            }
        };
        let ended = match ended {
            None => Ok(Outcome::Cancelled),
            Some(Ok(Some(finished))) => finished,
            Some(Ok(None)) => Err(Failure::internal("a host function panicked")),
            Some(Err(_elapsed)) => Err(account.out_of_time(limits.time)),
        };
        self.report(account, ended)
    }

    fn report(self, mut account: Account, ended: Result<Outcome, Failure>) -> CallReport {
        let id = self.id;
        let (outcome, limit, detail, backtrace) = match ended {
            Ok(outcome) => (outcome, None, None, Vec::new()),
            Err(failure) => {
                let Failure {
                    outcome,
                    limit,
                    detail,
                    backtrace,
                } = failure;
                (outcome, limit, Some(detail), backtrace)
            }
        };
        let (usage, denials) = account.close(&outcome, limit);
        let observed = &account.observed;
        let (stdout, stderr) = (observed.stdout.take(), observed.stderr.take());
        for (stream, captured) in [("stdout", &stdout), ("stderr", &stderr)] {
            if !captured.text.is_empty() {
                let component = self.installed.name.as_str();
                let text = inert(&captured.text, MAX_DETAIL);
                tracing::info!(target: "casemate::guest", call = id, component, stream, text);
            }
        }
        CallReport {
            id,
            outcome,
            limit,
            denials,
            usage,
            stdout,
            stderr,
            detail,
            backtrace,
        }
    }

    async fn execute(&self, account: &mut Account) -> Result<Outcome, Failure> {
        let _slot = self.slot(&mut account.waiting).await?;
        let prepared = self.prepared().await?;
        // What was taken back while the call waited is not given to it any more.
        let installed = self.installed.latest().ok_or_else(gone)?;
        let grant = installed.grant_of(self.tool);
        if !Arc::ptr_eq(&installed, &self.installed) {
            account.under(installed.policy, seeded(grant.random()));
        }
        let observed = &account.observed;
        let surroundings = Surroundings {
            roots: Arc::clone(&self.shared.roots),
            environment: Arc::clone(&self.shared.environment),
            pool: self
                .machine
                .guests()
                .cloned()
                .ok_or_else(|| Failure::internal("the engine has stopped"))?,
            network: self.shared.network.clone(),
            listeners: Arc::clone(&self.shared.listeners),
            kept: Arc::clone(&installed.kept),
            own: Arc::clone(&self.shared.own),
            open_files: Arc::clone(&self.shared.open_files),
            strict_links: self.shared.strict_links,
        };
        let realm = self
            .machine
            .realm(self.installed.plan.kind())
            .map_err(|error| Failure::internal(&chain(&error)))?;
        let mut store = crate::enforce::store(&realm.engine, grant, &surroundings, observed);
        let guest = Box::pin(self.guest(&prepared, &mut store));
        let metered = Metered {
            meter: Arc::clone(&observed.meter),
            future: guest,
        };
        let results = metered.await;
        let results = results.map_err(|error| classify(&error, store.data()))?;
        // The store is gone before the answer: a guest holds nothing between calls.
        drop(store);
        let function = self
            .installed
            .plan
            .inspected()
            .tools()
            .get(self.tool)
            .ok_or_else(|| Failure::internal("the tool is gone"))?;
        match returned(&function.ty, &results, grant.limits().output) {
            Ok(value) => {
                let (Returned::Ok(json) | Returned::Err(json)) = &value;
                account.output = byte_len(json);
                Ok(match value {
                    Returned::Ok(json) => Outcome::Returned(json),
                    Returned::Err(json) => Outcome::ToolError(json),
                })
            }
            Err(EmitError::TooLarge { bytes, max_bytes }) => {
                Err(LimitReached::bytes(Reason::LimitOutput, "result", bytes, max_bytes).into())
            }
            Err(error @ EmitError::Mismatch) => Err(Failure::internal(&error.to_string())),
        }
    }

    /// Waits for a turn, within the wall limit of the call. Meanwhile `waiting` is for what.
    async fn slot(&self, waiting: &mut Option<LimitReached>) -> Result<Vec<Slot>, Failure> {
        let all = Places {
            allowed: MAX_CALLS,
            free: Arc::clone(&self.shared.slots),
        };
        let all = ("calls of all components at the same time", &all);
        let mut slots = Vec::with_capacity(3);
        for (resource, places) in self.installed.places_of(self.tool).chain([all]) {
            slots.push(self.turn(resource, places, waiting).await?);
        }
        *waiting = None;
        Ok(slots)
    }

    async fn turn(
        &self,
        resource: &'static str,
        places: &Places,
        waiting: &mut Option<LimitReached>,
    ) -> Result<Slot, Failure> {
        if let Ok(slot) = Arc::clone(&places.free).try_acquire_owned() {
            return Ok(slot);
        }
        let reason = Reason::LimitConcurrency;
        let _place = self.shared.wait(MAX_WAITING).ok_or_else(|| {
            let waiting = "waiting calls";
            LimitReached::count(reason, waiting, MAX_WAITING + 1, MAX_WAITING)
        })?;
        let allowed = places.allowed;
        *waiting = Some(LimitReached::count(reason, resource, allowed, allowed));
        let slot = Arc::clone(&places.free).acquire_owned().await;
        // Nobody closes them.
        slot.map_err(|_| Failure::internal("there are no turns any more"))
    }

    async fn prepared(&self) -> Result<Arc<Prepared>, Failure> {
        let failed = |error: PrepareError| {
            let detail = format!("{}: {}", error.what, error.detail);
            Failure::of(
                Outcome::failed(Reason::InvalidComponent, error.what),
                detail,
            )
        };
        self.installed
            .plan
            .prepared(&self.machine, &self.shared)
            .await
            .map_err(failed)
    }

    async fn guest(
        &self,
        prepared: &Prepared,
        store: &mut Store<Guest>,
    ) -> wasmtime::Result<Vec<Val>> {
        let instance = prepared.plan.instantiate_async(&mut *store).await?;
        let export = prepared
            .exports
            .get(self.tool)
            .ok_or_else(|| wasmtime::format_err!("the tool is gone"))?;
        let function = instance
            .get_func(&mut *store, export)
            .ok_or_else(|| wasmtime::format_err!("the export is not a function"))?;
        let count = function.ty(&*store).results().len();
        let mut results = vec![Val::Bool(false); count];
        function
            .call_async(&mut *store, &self.arguments, &mut results)
            .await?;
        Ok(results)
    }
}

fn gone() -> Failure {
    let message = "the component was removed or replaced before the call had its turn";
    Failure::of(
        Outcome::failed(Reason::InvalidComponent, message),
        message.to_owned(),
    )
}

/// A place among the calls that run at the same time.
type Slot = OwnedSemaphorePermit;

/// What a call has used and met, and its record, which has all of that however the call ends.
struct Account {
    record: Option<Trailing>,
    observed: Observed,
    started: Instant,
    output: u64,
    /// What has no room for the call at the moment.
    waiting: Option<LimitReached>,
}

impl Account {
    fn open(record: Trailing, limits: &Limits) -> Self {
        Self {
            record: Some(record),
            observed: Observed {
                trail: crate::enforce::Trail::default(),
                stdout: Capture::default(),
                stderr: Capture::default(),
                meter: Arc::new(Meter::new(limits.cpu)),
                traffic: Arc::default(),
                quota: Arc::new(Quota::new(limits)),
            },
            started: Instant::now(),
            output: 0,
            waiting: None,
        }
    }

    /// The policy in force when the guest starts.
    fn under(&mut self, policy: Option<Digest>, seeded: bool) {
        if let Some(record) = &mut self.record {
            record.under(policy, seeded);
        }
    }

    fn out_of_time(&self, allowed: Duration) -> Failure {
        let Some(limit) = self.waiting else {
            let used = self.started.elapsed();
            return LimitReached::time(Reason::LimitTime, "time", used, allowed).into();
        };
        let message = format!("{limit}: no turn came within {} ms", allowed.as_millis());
        Failure {
            limit: Some(limit),
            ..Failure::of(Outcome::failed(limit.reason, message.clone()), message)
        }
    }

    fn usage(&self) -> Usage {
        let observed = &self.observed;
        Usage {
            cpu_us: micros(observed.meter.consumed()),
            wall_us: micros(self.started.elapsed()),
            memory: observed.meter.peak(),
            output: self.output,
            sent: observed.traffic.sent(),
            received: observed.traffic.received(),
            written: observed.quota.written(),
            files: observed.quota.files(),
        }
    }

    /// Writes the record of a call that has ended.
    fn close(
        &mut self,
        outcome: &Outcome,
        limit: Option<LimitReached>,
    ) -> (Usage, Vec<DenialRecord>) {
        let usage = self.usage();
        let denials = self.observed.trail.denials(!outcome.returned());
        if let Some(mut record) = self.record.take() {
            record.observe(usage, &denials);
            let reason = outcome.reason().map(|reason| reason.as_str().to_owned());
            record.end(outcome.label(), reason, limit);
        }
        (usage, denials)
    }
}

impl Drop for Account {
    /// Of a call that nobody waits for any more.
    fn drop(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.observe(self.usage(), &self.observed.trail.denials(true));
        }
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `None` when the future panicked; whatever it held is dropped with it.
async fn without_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    poll_fn(move |context| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_panic) => Poll::Ready(None),
        }
    })
    .await
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A short random id for a call.
///
/// # Errors
///
/// Fails when the operating system has no randomness.
pub(crate) fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}

/// Whether a grant makes random numbers that are not random.
pub(crate) fn seeded(mode: RandomMode) -> bool {
    matches!(mode, RandomMode::Seed(_))
}

#[cfg(test)]
mod tests;
