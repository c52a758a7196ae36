//! Which limit ran out, how much was used and how much was allowed.

use casemate_policy::Reason;
use serde::Serialize;
use std::fmt::{self, Write as _};

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
    /// Both numbers in words, as exact as it takes to tell them apart.
    fn amounts(&self) -> (String, String) {
        let (units, smallest) = match self.unit {
            Unit::Bytes => (&SIZES[..], "bytes"),
            Unit::Microseconds => (&DURATIONS[..], "µs"),
            Unit::Count => return (grouped(self.used), grouped(self.allowed)),
        };
        let words = |decimals| {
            let in_words = |amount| in_units(amount, units, smallest, decimals);
            (in_words(self.used), in_words(self.allowed))
        };
        let told_apart = |(used, allowed): &(Amount, Amount)| used.cut != allowed.cut;
        let (used, allowed) = [1, 3]
            .map(words)
            .into_iter()
            .find(|amounts| self.used <= self.allowed || told_apart(amounts))
            .unwrap_or_else(|| {
                let exact = |amount| in_units(amount, &[], smallest, 0);
                (exact(self.used), exact(self.allowed))
            });
        (used.text, allowed.text)
    }
}

const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const DURATIONS: [(&str, u64); 2] = [("s", 1_000_000), ("ms", 1_000)];

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

/// An amount in words.
struct Amount {
    text: String,
    /// The unit and the digits that are shown, to compare.
    cut: (u64, u128),
}

/// An amount in the largest of `units` that it fills. Decimals are cut, not rounded, so that one byte less than a unit
/// never looks like one; where the amount is whole there are none.
fn in_units(amount: u64, units: &[(&str, u64)], smallest: &str, decimals: u32) -> Amount {
    let found = units.iter().find(|(_, factor)| amount >= *factor);
    let (unit, factor) = found.copied().unwrap_or((smallest, 1));
    let scale = 10_u128.pow(decimals);
    let cut = u128::from(amount) * scale / u128::from(factor);
    let mut text = grouped(amount / factor);
    if !amount.is_multiple_of(factor) {
        let places = decimals as usize;
        // Writing to a string cannot fail.
        let _ = write!(text, ".{:0places$}", cut % scale);
    }
    Amount {
        text: format!("{text} {unit}"),
        cut: (factor, cut),
    }
}

#[cfg(test)]
mod tests;
