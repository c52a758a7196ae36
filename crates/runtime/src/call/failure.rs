//! What ended a call that did not return.

use super::{MAX_DETAIL, MAX_FRAME, Outcome};
use crate::enforce::{
    CapabilityDenied, Guest, GuestExit, LimitReached, MAX_COMPONENT_HANDLES, MAX_RESOURCES,
    hostcall_fuel,
};
use crate::limits::{MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES, TooEarly};
use casemate_policy::{Reason, TrapKind};
use std::time::Duration;
use wasmtime::component::ResourceTableError;
use wasmtime::{FrameInfo, PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// A call that did not return, with what the model may know and what the author should.
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    /// The limit that ran out, where that is why.
    pub(super) limit: Option<LimitReached>,
    pub(super) detail: String,
    pub(super) backtrace: Vec<String>,
}

impl Failure {
    pub(super) fn of(outcome: Outcome, detail: String) -> Self {
        Self {
            outcome,
            limit: None,
            detail,
            backtrace: Vec::new(),
        }
    }

    pub(super) fn internal(detail: &str) -> Self {
        tracing::error!(detail, "call failed");
        let message = "a defect in Casemate ended the call";
        Self::of(
            Outcome::failed(Reason::Internal, message),
            detail.to_owned(),
        )
    }
}

impl From<LimitReached> for Failure {
    fn from(limit: LimitReached) -> Self {
        let message = limit.to_string();
        Self {
            limit: Some(limit),
            ..Self::of(Outcome::failed(limit.reason, message.clone()), message)
        }
    }
}

impl From<TooEarly> for Failure {
    fn from(TooEarly { limit, wait }: TooEarly) -> Self {
        let wait = rounded_up(wait);
        let message = format!("{limit}; the next one is let through in {wait}");
        Self {
            limit: Some(limit),
            ..Self::of(Outcome::failed(limit.reason, message.clone()), message)
        }
    }
}

/// A time to wait, never told shorter than it is, so that nobody comes too early again.
fn rounded_up(wait: Duration) -> String {
    let micros = wait.as_micros();
    match micros.div_ceil(1_000).max(1) {
        millis @ 0..1_000 => format!("{millis} ms"),
        _ => format!("{} s", micros.div_ceil(1_000_000)),
    }
}

/// What an error of the guest's run means.
pub(super) fn classify(error: &wasmtime::Error, guest: &Guest) -> Failure {
    let limit = limit_of(error, guest);
    let outcome = match limit {
        Some(limit) => Outcome::failed(limit.reason, limit.to_string()),
        None => outcome_of(error),
    };
    Failure {
        outcome,
        limit,
        detail: inert(&causes(error), MAX_DETAIL),
        backtrace: backtrace(error),
    }
}

/// The limit that an error stands for, if it does.
fn limit_of(error: &wasmtime::Error, guest: &Guest) -> Option<LimitReached> {
    if let Some(limit) = error.downcast_ref::<LimitReached>() {
        return Some(*limit);
    }
    if error.is::<CapabilityDenied>() || error.is::<GuestExit>() {
        return None;
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Some(LimitReached::count(
            Reason::LimitHandles,
            "handles",
            MAX_RESOURCES + 1,
            MAX_RESOURCES,
        ));
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Some(pool(&full.to_string()));
    }
    if matches!(
        error.downcast_ref::<Trap>(),
        Some(Trap::Interrupt | Trap::OutOfFuel)
    ) {
        return Some(guest.meter.reached());
    }
    let whole = crate::component::chain(error.as_ref());
    worded(&whole, hostcall_fuel(guest.grant().limits()))
        // What a guest does after it was refused memory mostly means that.
        .or_else(|| guest.memory.refused())
}

/// Limits of the pool that all calls share, whose numbers Wasmtime only words.
fn pool(text: &str) -> LimitReached {
    let resource = [
        ("memory", "memories of all calls together"),
        ("tables", "tables of all calls together"),
        ("core instances", "core instances of all calls together"),
    ]
    .into_iter()
    .find(|(kind, _)| text.contains(kind))
    .map_or("calls at the same time", |(_, resource)| resource);
    let limit = first_number(text).unwrap_or_default();
    LimitReached::count(Reason::LimitConcurrency, resource, limit, limit)
}

/// Limits of a store whose errors Wasmtime keeps private and only words; each is pinned by a test.
fn worded(text: &str, fuel: u64) -> Option<LimitReached> {
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        let resource = "data that crosses the sandbox at once";
        return Some(LimitReached::bytes(
            Reason::LimitOutput,
            resource,
            fuel,
            fuel,
        ));
    }
    if text.contains("store handle limit exceeded") {
        return Some(LimitReached::count(
            Reason::LimitHandles,
            "handles of the component",
            MAX_COMPONENT_HANDLES + 1,
            MAX_COMPONENT_HANDLES,
        ));
    }
    let (_, count) = text.split_once("resource limit exceeded: ")?;
    let (resource, allowed) = [
        ("instance", "core instances", MAX_INSTANCES),
        ("memory", "memories", MAX_MEMORIES),
        ("table", "tables", MAX_TABLES),
    ]
    .into_iter()
    .find(|(kind, ..)| count.starts_with(kind))
    .map(|(_, resource, allowed)| (resource, u64::from(allowed)))?;
    let used = first_number(count).unwrap_or(allowed);
    Some(LimitReached::count(
        Reason::LimitMemory,
        resource,
        used,
        allowed,
    ))
}

fn first_number(text: &str) -> Option<u64> {
    text.split(|character: char| !character.is_ascii_digit())
        .find(|digits| !digits.is_empty())?
        .parse()
        .ok()
}

/// What an error means that is no limit.
fn outcome_of(error: &wasmtime::Error) -> Outcome {
    if let Some(denied) = error.downcast_ref::<CapabilityDenied>() {
        return Outcome::Refused {
            reason: denied.reason,
            message: format!("{} is not granted", denied.subject),
        };
    }
    if let Some(exit) = error.downcast_ref::<GuestExit>() {
        return Outcome::failed(Reason::Trap(TrapKind::Exit), exit.to_string());
    }
    if error.is::<ResourceTableError>() {
        return Outcome::failed(Reason::Trap(TrapKind::Other), "the tool misused a handle");
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => trapped(*trap),
        None => Outcome::failed(
            Reason::Trap(TrapKind::Other),
            "the tool broke the rules of its interface",
        ),
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
pub(super) fn inert(text: &str, most: usize) -> String {
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
        _ => TrapKind::Other,
    };
    Outcome::failed(Reason::Trap(kind), format!("the tool crashed: {trap}"))
}

#[cfg(test)]
mod tests;
