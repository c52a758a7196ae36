//! One call: a fresh store, a bounded run, a report and a record.

use crate::audit::{CallStart, Trailing, Usage};
use crate::component::{Installed, Prepared, chain};
use crate::enforce::{
    CapabilityDenied, DenialRecord, GuestExit, LimitReached, Observed, Surroundings,
};
use crate::engine::Machine;
use crate::limits::{Meter, Metered};
use crate::output::{Capture, Captured};
use crate::runtime::Shared;
use crate::schema::byte_len;
use crate::value::{EmitError, Returned, returned};
use casemate_policy::{Limits, RandomMode, Reason, TrapKind};
use serde_json::Value;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::Val;
use wasmtime::{FrameInfo, Store, Trap, WasmBacktrace};

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

    async fn recorded(self, mut record: Trailing) -> CallReport {
        let started = Instant::now();
        let limits = *self.installed.grant.limits();
        let observed = Observed {
            trail: crate::enforce::Trail::default(),
            stdout: Capture::default(),
            stderr: Capture::default(),
            meter: Arc::new(Meter::new(limits.cpu)),
            traffic: Arc::default(),
        };
        let _running = self.machine.enter();
        let id = self.id.clone();
        let cancel = self.cancel.clone();
        let mut usage = Usage::default();
        let mut told = None;
        let outcome = {
            let bounded = pin!(tokio::time::timeout(
                limits.time,
                without_panic(self.execute(&limits, &observed, &mut usage))
            ));
            let cancelled = pin!(cancel.cancelled());
            tokio::select! {
                biased;
                () = cancelled => Outcome::Cancelled,
                finished = bounded => match finished {
                    Ok(Some(Ok(outcome))) => outcome,
                    Ok(Some(Err(failure))) => {
                        told = Some((failure.detail, failure.backtrace));
                        failure.outcome
                    }
                    Ok(None) => {
                        tracing::error!(call = id, "a host function panicked");
                        Outcome::failed(Reason::Internal, "a defect in Casemate ended the call")
                    }
                    Err(_elapsed) => Outcome::failed(
                        Reason::LimitTime,
                        format!("the call took longer than {} ms", limits.time.as_millis()),
                    ),
                },
            }
        };
        usage.memory = observed.meter.peak();
        usage.cpu_us = micros(observed.meter.consumed());
        usage.wall_us = micros(started.elapsed());
        usage.sent = observed.traffic.sent();
        usage.received = observed.traffic.received();
        let denials = observed.trail.denials(!outcome.returned());
        record.observe(usage, &denials);
        record.end(
            outcome.label(),
            outcome.reason().map(|reason| reason.as_str().to_owned()),
        );
        let (stdout, stderr) = (observed.stdout.take(), observed.stderr.take());
        for (stream, captured) in [("stdout", &stdout), ("stderr", &stderr)] {
            if !captured.text.is_empty() {
                let component = self.installed.name.as_str();
                let text = inert(&captured.text, MAX_DETAIL);
                tracing::info!(target: "casemate::guest", call = id, component, stream, text);
            }
        }
        let (detail, backtrace) = told.unzip();
        CallReport {
            id,
            outcome,
            denials,
            usage,
            stdout,
            stderr,
            detail,
            backtrace: backtrace.unwrap_or_default(),
        }
    }

    async fn execute(
        &self,
        limits: &Limits,
        observed: &Observed,
        usage: &mut Usage,
    ) -> Result<Outcome, Failure> {
        let _slot = self.slot().await?;
        let prepared = self.prepared().await?;
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
        };
        let realm = self
            .machine
            .realm(self.installed.plan.kind())
            .map_err(|error| Failure::internal(&chain(&error)))?;
        let mut store = crate::enforce::store(
            &realm.engine,
            &self.installed.grant,
            &surroundings,
            observed,
        );
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
        match returned(&function.ty, &results, limits.output) {
            Ok(value) => {
                let (Returned::Ok(json) | Returned::Err(json)) = &value;
                usage.output = byte_len(json);
                Ok(match value {
                    Returned::Ok(json) => Outcome::Returned(json),
                    Returned::Err(json) => Outcome::ToolError(json),
                })
            }
            Err(error @ EmitError::TooLarge { .. }) => {
                Ok(Outcome::failed(Reason::LimitOutput, error.to_string()))
            }
            Err(error @ EmitError::Mismatch) => Err(Failure::internal(&error.to_string())),
        }
    }

    /// Waits for a turn, within the wall limit of the call.
    async fn slot(&self) -> Result<Slots, Failure> {
        let full = || Failure {
            outcome: Outcome::failed(
                Reason::LimitConcurrency,
                "too many calls of this component are waiting",
            ),
            detail: "the queue of waiting calls is full".to_owned(),
            backtrace: Vec::new(),
        };
        let own = Arc::clone(&self.installed.slots);
        let own = match Arc::clone(&own).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _waiting = self.shared.wait(MAX_WAITING).ok_or_else(full)?;
                own.acquire_owned().await.map_err(|_| full())?
            }
        };
        let all = Arc::clone(&self.shared.slots);
        let all = match Arc::clone(&all).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => {
                let _waiting = self.shared.wait(MAX_WAITING).ok_or_else(full)?;
                all.acquire_owned().await.map_err(|_| full())?
            }
        };
        Ok(Slots {
            _own: own,
            _all: all,
        })
    }

    async fn prepared(&self) -> Result<Arc<Prepared>, Failure> {
        let failed = |error: crate::component::PrepareError| Failure {
            outcome: Outcome::failed(Reason::InvalidComponent, error.what.clone()),
            detail: format!("{}: {}", error.what, error.detail),
            backtrace: Vec::new(),
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

struct Slots {
    _own: tokio::sync::OwnedSemaphorePermit,
    _all: tokio::sync::OwnedSemaphorePermit,
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A call that did not return, with what the model may know and what the author should.
struct Failure {
    outcome: Outcome,
    detail: String,
    backtrace: Vec<String>,
}

impl Failure {
    fn internal(detail: &str) -> Self {
        tracing::error!(detail, "call failed");
        Self {
            outcome: Outcome::failed(Reason::Internal, "a defect in Casemate ended the call"),
            detail: detail.to_owned(),
            backtrace: Vec::new(),
        }
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

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What an error of the guest's run means.
fn classify(error: &wasmtime::Error, guest: &Guest) -> Failure {
    let outcome = if let Some(denied) = error.downcast_ref::<CapabilityDenied>() {
        Outcome::Refused {
            reason: denied.reason,
            message: format!("{} is not granted", denied.subject),
        }
    } else if let Some(limit) = error.downcast_ref::<LimitReached>() {
        Outcome::failed(limit.reason, limit.what.clone())
    } else if let Some(exit) = error.downcast_ref::<GuestExit>() {
        Outcome::failed(Reason::Trap(TrapKind::Exit), exit.to_string())
    } else if guest.memory.refused() {
        Outcome::failed(
            Reason::LimitMemory,
            format!(
                "the tool needs more than its {} bytes of memory",
                guest.grant().limits().memory
            ),
        )
    } else if let Some(table) = error.downcast_ref::<wasmtime::component::ResourceTableError>() {
        match table {
            wasmtime::component::ResourceTableError::Full => {
                Outcome::failed(Reason::LimitHandles, "the tool holds too many handles")
            }
            _ => Outcome::failed(Reason::Trap(TrapKind::Other), "the tool misused a handle"),
        }
    } else if error
        .downcast_ref::<wasmtime::PoolConcurrencyLimitError>()
        .is_some()
    {
        Outcome::failed(
            Reason::LimitConcurrency,
            "no instance is free for this component",
        )
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        trapped(*trap)
    } else {
        by_text(error)
    };
    Failure {
        outcome,
        detail: inert(&causes(error), MAX_DETAIL),
        backtrace: backtrace(error),
    }
}

/// An error and its causes, without the guest's stack, which [`backtrace`] has.
fn causes(error: &wasmtime::Error) -> String {
    let stack = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string);
    error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| stack.as_ref() != Some(cause))
        .collect::<Vec<_>>()
        .join(": ")
}

/// The frames of the guest's stack that came with an error.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map_or(&[][..], WasmBacktrace::frames);
    let line = |frame: &FrameInfo| {
        let function = match frame.func_name() {
            Some(name) => name.to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        let module = frame.module().name().unwrap_or("module");
        let place = frame
            .module_offset()
            .map_or(String::new(), |offset| format!(" at {offset:#x}"));
        // The place stays whole whatever the names are.
        let names = inert(&format!("{module}: {function}"), MAX_FRAME);
        format!("{names}{place}")
    };
    frames.iter().map(line).collect()
}

/// A guest's text on one line, without what acts on a terminal, cut to `most` bytes.
fn inert(text: &str, most: usize) -> String {
    let mut line = String::new();
    for character in text.chars() {
        if line.len() > most - 16 {
            line.push('…');
            break;
        }
        if character.is_control() || !crate::docs::is_plain(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Limits whose errors Wasmtime keeps private and only words.
fn by_text(error: &wasmtime::Error) -> Outcome {
    let text = chain(error.as_ref());
    if text.contains("fuel allocated for hostcalls") {
        Outcome::failed(
            Reason::LimitOutput,
            "too much data crossed the sandbox in one host call",
        )
    } else if text.contains("component handles")
        || text.contains("handle") && text.contains("limit")
    {
        Outcome::failed(Reason::LimitHandles, "the tool holds too many handles")
    } else {
        Outcome::failed(
            Reason::Trap(TrapKind::Other),
            "the tool broke the rules of its interface",
        )
    }
}

fn trapped(trap: Trap) -> Outcome {
    let kind = match trap {
        Trap::StackOverflow => TrapKind::StackOverflow,
        Trap::UnreachableCodeReached => TrapKind::Unreachable,
        Trap::MemoryOutOfBounds => TrapKind::MemoryOutOfBounds,
        Trap::HeapMisaligned => TrapKind::HeapMisaligned,
        Trap::TableOutOfBounds => TrapKind::TableOutOfBounds,
        Trap::IndirectCallToNull | Trap::BadSignature => TrapKind::IndirectCall,
        Trap::IntegerOverflow => TrapKind::IntegerOverflow,
        Trap::IntegerDivisionByZero => TrapKind::DivisionByZero,
        Trap::BadConversionToInteger => TrapKind::BadConversion,
        Trap::NullReference => TrapKind::NullReference,
        Trap::ArrayOutOfBounds => TrapKind::ArrayOutOfBounds,
        Trap::CastFailure => TrapKind::CastFailure,
        Trap::CannotEnterComponent | Trap::CannotLeaveComponent => TrapKind::CannotEnter,
        Trap::InvalidChar
        | Trap::StringOutOfBounds
        | Trap::ListOutOfBounds
        | Trap::InvalidDiscriminant
        | Trap::UnalignedPointer => TrapKind::CanonicalAbi,
        Trap::Interrupt | Trap::OutOfFuel => {
            return Outcome::failed(Reason::LimitCpu, "the tool was interrupted");
        }
        _ => TrapKind::Other,
    };
    Outcome::failed(Reason::Trap(kind), format!("the tool crashed: {trap}"))
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
