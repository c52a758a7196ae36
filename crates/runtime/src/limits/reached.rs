//! Which limit ran out, how much was used and how much was allowed.

use casemate_policy::Reason;
use serde::Serialize;
use std::fmt;

/// What a limit is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Microseconds.
    #[serde(rename = "us")]
    Microseconds,
    /// Things, one by one.
    Count,
}

/// A limit that ran out.
///
/// Its text is one for everybody, without a fact about the host: `12.0 MiB of memory used, 8 MiB allowed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct LimitReached {
    /// Stable reason, `limit.…`.
    #[serde(skip)]
    pub reason: Reason,
    /// What ran out, in words that follow a number: `memory`, `open files`.
    pub resource: &'static str,
    /// What was in use together with what was asked for last. Where it is not known by how much
    /// the limit was passed this equals `allowed`.
    pub used: u64,
    /// The limit.
    pub allowed: u64,
    /// What both numbers count.
    pub unit: Unit,
}

impl LimitReached {
    /// A limit of things that are counted one by one.
    pub(crate) fn count(
        reason: Reason,
        resource: &'static str,
        used: impl TryInto<u64>,
        allowed: impl TryInto<u64>,
    ) -> Self {
        Self::of(reason, resource, used, allowed, Unit::Count)
    }

    /// A limit of bytes.
    pub(crate) fn bytes(
        reason: Reason,
        resource: &'static str,
        used: impl TryInto<u64>,
        allowed: impl TryInto<u64>,
    ) -> Self {
        Self::of(reason, resource, used, allowed, Unit::Bytes)
    }

    /// A limit of time.
    pub(crate) fn time(
        reason: Reason,
        resource: &'static str,
        used: std::time::Duration,
        allowed: std::time::Duration,
    ) -> Self {
        let (used, allowed) = (used.as_micros(), allowed.as_micros());
        Self::of(reason, resource, used, allowed, Unit::Microseconds)
    }

    fn of(
        reason: Reason,
        resource: &'static str,
        used: impl TryInto<u64>,
        allowed: impl TryInto<u64>,
        unit: Unit,
    ) -> Self {
        Self {
            reason,
            resource,
            used: used.try_into().unwrap_or(u64::MAX),
            allowed: allowed.try_into().unwrap_or(u64::MAX),
            unit,
        }
    }
}

impl fmt::Display for LimitReached {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, allowed) = self.amounts();
        let resource = self.resource;
        let exceeded = self.used > self.allowed;
        match self.unit {
            Unit::Bytes | Unit::Microseconds if exceeded => {
                write!(formatter, "{used} of {resource} used, {allowed} allowed")
            }
            Unit::Count if exceeded => write!(formatter, "{used} {resource}, {allowed} allowed"),
            Unit::Bytes | Unit::Microseconds => {
                write!(formatter, "more than the {allowed} of {resource} allowed")
            }
            Unit::Count => write!(formatter, "more than the {allowed} {resource} allowed"),
        }
    }
}

impl LimitReached {
    /// Both numbers in words, exact where they would look the same otherwise.
    fn amounts(&self) -> (String, String) {
        let rounded = match self.unit {
            Unit::Bytes => (size(self.used), size(self.allowed)),
            Unit::Microseconds => (duration(self.used), duration(self.allowed)),
            Unit::Count => return (grouped(self.used), grouped(self.allowed)),
        };
        if self.used <= self.allowed {
            return rounded;
        }
        if rounded.0 != rounded.1 && rounded.0.replace(".0 ", " ") != rounded.1 {
            return rounded;
        }
        let unit = match self.unit {
            Unit::Bytes => "bytes",
            Unit::Microseconds | Unit::Count => "µs",
        };
        let exact = |amount| format!("{} {unit}", grouped(amount));
        (exact(self.used), exact(self.allowed))
    }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit that they fill, with a decimal unless they are whole.
fn size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor {
            return in_units(bytes, factor, unit);
        }
    }
    format!("{bytes} bytes")
}

fn duration(microseconds: u64) -> String {
    for (unit, factor) in [("s", 1_000_000), ("ms", 1_000)] {
        if microseconds >= factor {
            return in_units(microseconds, factor, unit);
        }
    }
    format!("{microseconds} µs")
}

fn in_units(amount: u64, factor: u64, unit: &str) -> String {
    let (whole, rest) = (amount / factor, amount % factor);
    if rest == 0 {
        return format!("{} {unit}", grouped(whole));
    }
    // Cut, not rounded, so that 1 byte less than a unit never looks like one.
    let tenth = u128::from(rest) * 10 / u128::from(factor);
    format!("{}.{tenth} {unit}", grouped(whole))
}

#[cfg(test)]
mod tests;
