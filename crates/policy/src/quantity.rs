//! Amounts as policies write them: sizes, durations, shares of a processor, rates.
//!
//! Only plain decimal digits and a known unit: `1e3`, `0x10`, `1_000`, `.inf`, `-1`, `0` and
//! anything with a space are refused, whatever YAML would make of them.

use std::fmt;
use std::time::Duration;

use crate::error::Refusal;

const KI: u64 = 1024;

/// The largest memory of one call: all that a 32-bit guest can address.
const MAX_MEMORY: u64 = 4 * KI * KI * KI;
const MAX_OUTPUT: u64 = 64 * KI * KI;
const MAX_TIME: Duration = Duration::from_secs(3600);
const MAX_CONCURRENCY: u64 = 1024;
/// 1024 processors.
const MAX_SHARE: u64 = 1_024_000;
const MAX_RATE: u64 = 1_000_000;
/// The most bytes that a call writes, sends or receives.
const MAX_TRAFFIC: u64 = 1024 * KI * KI * KI;
const MAX_FILES: u64 = 1_000_000;
const MAX_OPEN_FILES: u64 = 1024;
const MAX_REQUESTS: u64 = 64;
const MAX_SOCKETS: u64 = 256;

fn refuse<T>(message: impl Into<String>, hint: Option<&str>) -> Result<T, Refusal> {
    Err(Refusal {
        message: message.into(),
        hint: hint.map(str::to_owned),
    })
}

/// A share of one processor in thousandths, as Kubernetes counts it: `500m` is half of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CpuShare {
    pub(crate) millicores: u32,
}

impl CpuShare {
    /// Returns the processor time that this share of `time` is.
    pub(crate) fn of(self, time: Duration) -> Duration {
        // At most 1,024,000 times 3600 s in nanoseconds: far inside u128, and the quotient in u64.
        let nanoseconds = time.as_nanos() * u128::from(self.millicores) / 1000;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// Calls per period: at most this many in any stretch of time that is as long. Displays as in `600/m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    calls: u32,
    period: Duration,
}

/// The periods that a policy names.
const PERIODS: [(&str, Duration); 3] = [
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_secs(60)),
    ("h", Duration::from_secs(3600)),
];

impl Rate {
    /// Returns how many calls, 1 to 1,000,000.
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Returns in what time. A policy names a second, a minute or an hour; under a ceiling it can be any between.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Returns the highest rate that keeps to both.
    pub(crate) fn least(self, other: Self) -> Self {
        let slower = if self.no_faster(other) { self } else { other };
        let calls = self.calls.min(other.calls);
        if calls == slower.calls {
            return slower;
        }
        // The slower of the two with the smaller burst: its calls take as long as they would there, rounded up.
        let nanoseconds = (slower.period.as_nanos() * u128::from(calls))
            .div_ceil(u128::from(slower.calls.max(1)));
        Self {
            calls,
            period: Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)),
        }
    }

    /// Tells whether whoever keeps to this keeps to `other`.
    pub(crate) fn within(self, other: Self) -> bool {
        self.calls <= other.calls && self.no_faster(other)
    }

    /// Compares calls per time.
    fn no_faster(self, other: Self) -> bool {
        u128::from(self.calls) * other.period.as_nanos()
            <= u128::from(other.calls) * self.period.as_nanos()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PERIODS.iter().find(|(_, period)| *period == self.period) {
            Some((letter, _)) => write!(formatter, "{}/{letter}", self.calls),
            None => write!(formatter, "{} in {:?}", self.calls, self.period),
        }
    }
}

/// Splits `256Mi` into its digits and its unit, and reads the digits.
fn split(text: &str) -> Result<(u64, &str), Refusal> {
    let digits_end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return refuse(format!("{text:?} does not start with a digit"), None);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return refuse(format!("{text:?} starts with a zero"), None);
    }
    match digits.parse() {
        Ok(0) => refuse(
            format!("{text:?} is nothing at all; a limit is at least 1"),
            None,
        ),
        Ok(number) => Ok((number, unit)),
        Err(_) => refuse(format!("{text:?} is too large"), None),
    }
}

fn size(text: &str, maximum: u64, maximum_text: &str) -> Result<u64, Refusal> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1000 * 1000,
        "G" => 1000 * 1000 * 1000,
        "Ki" => KI,
        "Mi" => KI * KI,
        "Gi" => KI * KI * KI,
        _ => {
            let hint = "write bytes, or a number with Ki, Mi, Gi (of 1024) or k, M, G (of 1000), as in \"256Mi\"";
            return refuse(
                format!("{text:?} is not a size: unknown unit {unit:?}"),
                Some(hint),
            );
        }
    };
    match number.checked_mul(factor) {
        Some(bytes) if bytes <= maximum => Ok(bytes),
        _ => refuse(format!("{text:?} is more than {maximum_text}"), None),
    }
}

/// Parses a limit of memory in bytes, at most 4 GiB.
pub(crate) fn memory(text: &str) -> Result<u64, Refusal> {
    size(
        text,
        MAX_MEMORY,
        "4Gi, the most that a component can address",
    )
}

/// Parses a limit of output in bytes, at most 64 MiB.
pub(crate) fn output(text: &str) -> Result<u64, Refusal> {
    size(text, MAX_OUTPUT, "64Mi, the largest output limit")
}

/// Parses a duration of at least 1 ms and at most an hour.
pub(crate) fn duration(text: &str) -> Result<Duration, Refusal> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => {
            let what = if unit.is_empty() {
                "the unit is missing".to_owned()
            } else {
                format!("unknown unit {unit:?}")
            };
            let hint = "write a number with ms, s, m or h, as in \"30s\"";
            return refuse(format!("{text:?} is not a duration: {what}"), Some(hint));
        }
    };
    match number.checked_mul(milliseconds).map(Duration::from_millis) {
        Some(duration) if duration <= MAX_TIME => Ok(duration),
        _ => refuse(
            format!("{text:?} is more than 1h, the longest time limit"),
            None,
        ),
    }
}

/// Parses a share of a processor: `500m`, `1`, `0.5`.
pub(crate) fn cpu_share(text: &str) -> Result<CpuShare, Refusal> {
    let hint = "write thousandths of a processor (\"500m\") or processors (\"1\", \"0.5\")";
    let millicores = if let Some((whole, fraction)) = text.split_once('.') {
        decimal_thousandths(whole, fraction)
    } else {
        match split(text)? {
            (number, "m") => Some(number),
            (number, "") => number.checked_mul(1000),
            _ => None,
        }
    };
    match millicores {
        Some(0) => refuse(format!("{text:?} is no share at all"), Some(hint)),
        Some(millicores) if millicores <= MAX_SHARE => Ok(CpuShare {
            millicores: u32::try_from(millicores).unwrap_or(u32::MAX),
        }),
        Some(_) => refuse(format!("{text:?} is more than 1024 processors"), None),
        None => refuse(
            format!("{text:?} is not a share of a processor"),
            Some(hint),
        ),
    }
}

/// Reads `0.25` as 250; at most three digits follow the point.
fn decimal_thousandths(whole: &str, fraction: &str) -> Option<u64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole)
        || !digits(fraction)
        || fraction.len() > 3
        || whole.len() > 4
        || whole.len() > 1 && whole.starts_with('0')
    {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let thousandths: u64 = format!("{fraction:0<3}").parse().ok()?;
    Some(whole * 1000 + thousandths)
}

/// Parses a number of bytes that are written, sent or received, at most 1 TiB.
pub(crate) fn traffic(text: &str) -> Result<u64, Refusal> {
    size(
        text,
        MAX_TRAFFIC,
        "1024Gi, the most that one call may be allowed",
    )
}

/// Reads a whole number without a unit; `what` is what it counts.
fn count(text: &str, maximum: u64, what: &str) -> Result<u32, Refusal> {
    match split(text)? {
        (number, "") if number <= maximum => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        (_, "") => refuse(format!("{text:?} is more than {maximum} {what}"), None),
        _ => refuse(
            format!("{text:?} is not a number of {what}"),
            Some("write a whole number, as in 16"),
        ),
    }
}

/// Parses a number of calls at the same time, 1 to 1024.
pub(crate) fn concurrency(text: &str) -> Result<u32, Refusal> {
    count(text, MAX_CONCURRENCY, "calls at the same time")
}

/// Parses a number of files that a call creates, 1 to 1,000,000.
pub(crate) fn files(text: &str) -> Result<u32, Refusal> {
    count(text, MAX_FILES, "files that one call creates")
}

/// Parses a number of files that are open at once, 1 to 1024.
pub(crate) fn open_files(text: &str) -> Result<u32, Refusal> {
    count(text, MAX_OPEN_FILES, "files open at the same time")
}

/// Parses a number of requests in flight, 1 to 64.
pub(crate) fn requests(text: &str) -> Result<u32, Refusal> {
    count(text, MAX_REQUESTS, "requests at the same time")
}

/// Parses a number of sockets, 1 to 256.
pub(crate) fn sockets(text: &str) -> Result<u32, Refusal> {
    count(text, MAX_SOCKETS, "sockets at the same time")
}

/// Parses calls per second, minute or hour: `600/m`.
pub(crate) fn rate(text: &str) -> Result<Rate, Refusal> {
    let (number, unit) = split(text)?;
    let letter = unit.strip_prefix('/');
    let Some((_, period)) = PERIODS.iter().find(|(name, _)| letter == Some(name)) else {
        return refuse(
            format!("{text:?} is not a rate"),
            Some("write calls per s, m or h, as in \"600/m\""),
        );
    };
    if number > MAX_RATE {
        return refuse(
            format!("{text:?} is more than a million calls per period"),
            None,
        );
    }
    Ok(Rate {
        calls: u32::try_from(number).unwrap_or(u32::MAX),
        period: *period,
    })
}

/// Writes bytes with the largest binary unit that divides them.
pub(crate) fn print_size(bytes: u64) -> String {
    for (unit, factor) in [("Gi", KI * KI * KI), ("Mi", KI * KI), ("Ki", KI)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}

/// Writes a duration with the largest unit that divides it; policies hold whole milliseconds.
pub(crate) fn print_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if milliseconds >= factor && milliseconds.is_multiple_of(factor) {
            return format!("{}{unit}", milliseconds / factor);
        }
    }
    format!("{milliseconds}ms")
}

/// Writes a share in thousandths of a processor.
pub(crate) fn print_share(share: CpuShare) -> String {
    format!("{}m", share.millicores)
}

/// Writes a rate.
pub(crate) fn print_rate(rate: Rate) -> String {
    rate.to_string()
}

/// Writes a number of things.
pub(crate) fn print_count(count: u32) -> String {
    count.to_string()
}

#[cfg(test)]
mod tests;
