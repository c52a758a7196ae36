//! Limits of one call.

use std::time::Duration;

use crate::language::{Document, LimitRules};

/// What one call may use, in force: policy and ceiling over the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All linear memory and tables of the call together, in bytes.
    pub memory: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Time from start to end.
    pub time: Duration,
    /// Output and result, each, in bytes.
    pub output: u64,
    /// Calls of the component at the same time.
    pub concurrency: u32,
}

impl Default for Limits {
    /// Returns what holds where a policy says nothing.
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            cpu: Duration::from_secs(10),
            time: Duration::from_secs(30),
            output: 1 << 20,
            concurrency: 16,
        }
    }
}

/// The limits that a policy writes; `None` where it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WrittenLimits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processor time.
    pub cpu_time: Option<Duration>,
    /// The share of one processor in thousandths.
    pub cpu_millicores: Option<u32>,
    /// Time from start to end.
    pub time: Option<Duration>,
    /// Bytes of output.
    pub output: Option<u64>,
    /// Calls at the same time.
    pub concurrency: Option<u32>,
}

impl WrittenLimits {
    pub(crate) fn of(rules: &LimitRules) -> Self {
        Self {
            memory: rules.memory.map(|limit| limit.value),
            cpu_time: rules.cpu_time.map(|limit| limit.value),
            cpu_millicores: rules.cpu.map(|limit| limit.value.millicores),
            time: rules.time.map(|limit| limit.value),
            output: rules.output.map(|limit| limit.value),
            concurrency: rules.concurrency.map(|limit| limit.value),
        }
    }
}

impl Limits {
    /// Returns the least of what every policy allows, each over the defaults.
    ///
    /// A share of a processor (`cpu: "500m"`) is a budget: that share of the time limit in force. The default of
    /// processor time holds only for a policy that names neither a time nor a share.
    pub(crate) fn least<'d>(documents: impl Iterator<Item = &'d Document> + Clone) -> Self {
        let default = Self::default();
        let rules = documents.map(|document| &document.permissions.limits);
        let time = rules
            .clone()
            .map(|rules| rules.time.map_or(default.time, |limit| limit.value))
            .min()
            .unwrap_or(default.time);
        let cpu = |rules: &LimitRules| {
            let own = rules.cpu_time.map(|limit| limit.value);
            let share = rules.cpu.map(|limit| limit.value.of(time));
            own.into_iter().chain(share).min().unwrap_or(default.cpu)
        };
        Self {
            memory: least(
                rules
                    .clone()
                    .map(|rules| rules.memory.map(|limit| limit.value)),
                default.memory,
            ),
            cpu: rules.clone().map(cpu).min().unwrap_or(default.cpu),
            time,
            output: least(
                rules
                    .clone()
                    .map(|rules| rules.output.map(|limit| limit.value)),
                default.output,
            ),
            concurrency: least(
                rules.map(|rules| rules.concurrency.map(|limit| limit.value)),
                default.concurrency,
            ),
        }
    }

    /// Tells whether no limit is above the one in `other`.
    pub(crate) fn within(&self, other: &Self) -> bool {
        self.memory <= other.memory
            && self.cpu <= other.cpu
            && self.time <= other.time
            && self.output <= other.output
            && self.concurrency <= other.concurrency
    }
}

fn least<T: Ord + Copy>(written: impl Iterator<Item = Option<T>>, default: T) -> T {
    written
        .map(|limit| limit.unwrap_or(default))
        .min()
        .unwrap_or(default)
}
