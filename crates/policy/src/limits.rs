//! Limits of one call.

use std::time::Duration;

use crate::language::LimitRules;
use crate::quantity::Rate;

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
    /// Calls of the component per time; `None` for as many as there are.
    pub rate: Option<Rate>,
    /// Bytes that the call writes to files.
    pub written: u64,
    /// Files, directories and links that the call creates.
    pub files: u32,
    /// Files and streams of directory entries open at the same time.
    pub open_files: u32,
    /// HTTP requests in flight at the same time.
    pub requests: u32,
    /// TCP sockets at the same time.
    pub sockets: u32,
    /// Bytes that the call sends over the network: bodies of requests, and what goes through sockets.
    pub sent: u64,
    /// Bytes that the call receives over the network: bodies of responses, and what comes through sockets.
    pub received: u64,
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
            rate: None,
            written: 256 << 20,
            files: 1000,
            open_files: 128,
            requests: 8,
            sockets: 16,
            sent: 8 << 20,
            received: 16 << 20,
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
    /// Calls per time.
    pub rate: Option<Rate>,
    /// Bytes written to files.
    pub written: Option<u64>,
    /// Files created.
    pub files: Option<u32>,
    /// Files open at the same time.
    pub open_files: Option<u32>,
    /// HTTP requests in flight at the same time.
    pub requests: Option<u32>,
    /// TCP sockets at the same time.
    pub sockets: Option<u32>,
    /// Bytes sent.
    pub sent: Option<u64>,
    /// Bytes received.
    pub received: Option<u64>,
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
            rate: rules.rate.map(|limit| limit.value),
            written: rules.written.map(|limit| limit.value),
            files: rules.files.map(|limit| limit.value),
            open_files: rules.open_files.map(|limit| limit.value),
            requests: rules.requests.map(|limit| limit.value),
            sockets: rules.sockets.map(|limit| limit.value),
            sent: rules.sent.map(|limit| limit.value),
            received: rules.received.map(|limit| limit.value),
        }
    }
}

impl Limits {
    /// Returns the least of what every policy allows, each over the defaults.
    ///
    /// A share of a processor (`cpu: "500m"`) is a budget: that share of the time limit in force. The default of
    /// processor time holds only for a policy that names neither a time nor a share.
    pub(crate) fn least<'d>(rules: impl Iterator<Item = &'d LimitRules> + Clone) -> Self {
        let default = Self::default();
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
        macro_rules! least {
            ($field:ident) => {
                rules
                    .clone()
                    .map(|rules| rules.$field.map_or(default.$field, |limit| limit.value))
                    .min()
                    .unwrap_or(default.$field)
            };
        }
        Self {
            memory: least!(memory),
            cpu: rules.clone().map(cpu).min().unwrap_or(default.cpu),
            time,
            output: least!(output),
            concurrency: least!(concurrency),
            rate: rules
                .clone()
                .filter_map(|rules| Some(rules.rate?.value))
                .reduce(Rate::least),
            written: least!(written),
            files: least!(files),
            open_files: least!(open_files),
            requests: least!(requests),
            sockets: least!(sockets),
            sent: least!(sent),
            received: least!(received),
        }
    }

    /// Tells whether no limit is above the one in `other`.
    pub(crate) fn within(&self, other: &Self) -> bool {
        let rate = match (self.rate, other.rate) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(other)) => own.within(other),
        };
        rate && self.memory <= other.memory
            && self.cpu <= other.cpu
            && self.time <= other.time
            && self.output <= other.output
            && self.concurrency <= other.concurrency
            && self.written <= other.written
            && self.files <= other.files
            && self.open_files <= other.open_files
            && self.requests <= other.requests
            && self.sockets <= other.sockets
            && self.sent <= other.sent
            && self.received <= other.received
    }
}
