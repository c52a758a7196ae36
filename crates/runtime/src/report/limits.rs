//! What may a call use up?
//!
//! The maxima are those above which one component can take a machine of a few gigabytes and cores from the others.

use std::time::Duration;

use super::rubric::{self, Rule};
use super::{Found, Place, ReportInput};

const MIB: u64 = 1 << 20;

/// Bytes of memory; above the second it is grave.
const MEMORY: [u64; 2] = [512 * MIB, 1024 * MIB];
const CPU: Duration = Duration::from_secs(60);
const TIME: Duration = Duration::from_secs(300);
const OUTPUT: u64 = 4 * MIB;
/// All calls of a process at once.
const CONCURRENCY: u32 = 64;
const WRITTEN: u64 = 1024 * MIB;
const FILES: u32 = 10_000;
const TRAFFIC: u64 = 256 * MIB;

pub(super) fn judge(input: &ReportInput<'_>, found: &mut Found) {
    let limits = &input.limits;
    let [much, extreme] = MEMORY;
    let mut over = |rule: &'static Rule, is: bool, what: String| {
        if is {
            found.add(rule, what, Place::Limits);
        }
    };
    let memory = format!("memory is {}", size(limits.memory));
    let is_extreme = limits.memory > extreme;
    over(
        &rubric::LIMITS_MEMORY,
        limits.memory > much && !is_extreme,
        memory.clone(),
    );
    over(&rubric::LIMITS_MEMORY_EXTREME, is_extreme, memory);
    over(
        &rubric::LIMITS_CPU,
        limits.cpu > CPU,
        format!("cpu-time is {:?}", limits.cpu),
    );
    over(
        &rubric::LIMITS_TIME,
        limits.time > TIME,
        format!("time is {:?}", limits.time),
    );
    over(
        &rubric::LIMITS_OUTPUT,
        limits.output > OUTPUT,
        format!("output is {}", size(limits.output)),
    );
    over(
        &rubric::LIMITS_CONCURRENCY,
        limits.concurrency > CONCURRENCY,
        format!("concurrency is {}", limits.concurrency),
    );
    over(
        &rubric::LIMITS_WRITTEN,
        limits.written > WRITTEN || limits.files > FILES,
        format!(
            "written is {}, files is {}",
            size(limits.written),
            limits.files
        ),
    );
    over(
        &rubric::LIMITS_TRAFFIC,
        limits.sent > TRAFFIC || limits.received > TRAFFIC,
        format!(
            "sent is {}, received is {}",
            size(limits.sent),
            size(limits.received)
        ),
    );
    let memories = &input.component.code().memories;
    let open = memories
        .iter()
        .filter(|memory| memory.max_bytes.is_none())
        .count();
    if open > 0 {
        let what = format!(
            "{open} of {} declared memories {} no maximum",
            memories.len(),
            if open == 1 { "has" } else { "have" }
        );
        found.add(&rubric::LIMITS_DECLARED, what, Place::component());
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        _ if bytes.is_multiple_of(MIB) => format!("{} MiB", bytes / MIB),
        _ if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} B"),
    }
}
