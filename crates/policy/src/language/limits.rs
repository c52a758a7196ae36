//! The keys of `resources.limits`: one table for whatever reads, writes or lists them.

use std::time::Duration;

use crate::error::{Located, Place, Refusal};
use crate::quantity::{self, CpuShare, Rate};

/// A limit as it stands in a policy.
pub(crate) struct WrittenLimit {
    pub(crate) key: &'static str,
    pub(crate) place: Place,
    /// The amount in its plainest form.
    pub(crate) amount: String,
}

macro_rules! limits {
    ($($field:ident: $kind:ty = $key:literal, $read:path, $print:path;)*) => {
        /// The `resources.limits` section as written.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub(crate) struct LimitRules {
            $(pub(crate) $field: Option<Located<$kind>>,)*
        }

        impl LimitRules {
            /// All keys, in the order in which they are written.
            pub(crate) const KEYS: &'static [&'static str] = &[$($key),*];

            /// Reads the text of one of the [keys](Self::KEYS); `false` if it is none.
            pub(crate) fn read(&mut self, key: &str, text: &str, place: Place) -> Result<bool, Refusal> {
                match key {
                    $($key => self.$field = Some(Located::new($read(text)?, place)),)*
                    _ => return Ok(false),
                }
                Ok(true)
            }

            /// Returns these limits, and those of `other` where there is none.
            pub(crate) fn or(&self, other: &Self) -> Self {
                Self {
                    $($field: self.$field.or(other.$field),)*
                }
            }

            /// Returns the limits that are given, in the order of the keys.
            pub(crate) fn written(&self) -> impl Iterator<Item = WrittenLimit> {
                let all = [
                    $(self.$field.as_ref().map(|limit| WrittenLimit {
                        key: $key,
                        place: limit.place,
                        amount: $print(limit.value),
                    })),*
                ];
                all.into_iter().flatten()
            }
        }
    };
}

limits! {
    memory: u64 = "memory", quantity::memory, quantity::print_size;
    cpu: CpuShare = "cpu", quantity::cpu_share, quantity::print_share;
    cpu_time: Duration = "cpu-time", quantity::duration, quantity::print_duration;
    time: Duration = "time", quantity::duration, quantity::print_duration;
    output: u64 = "output", quantity::output, quantity::print_size;
    concurrency: u32 = "concurrency", quantity::concurrency, quantity::print_count;
    rate: Rate = "rate", quantity::rate, quantity::print_rate;
    written: u64 = "written", quantity::traffic, quantity::print_size;
    files: u32 = "files", quantity::files, quantity::print_count;
    open_files: u32 = "open-files", quantity::open_files, quantity::print_count;
    requests: u32 = "requests", quantity::requests, quantity::print_count;
    sockets: u32 = "sockets", quantity::sockets, quantity::print_count;
    sent: u64 = "sent", quantity::traffic, quantity::print_size;
    received: u64 = "received", quantity::traffic, quantity::print_size;
}

impl LimitRules {
    /// Writes an amount as YAML: a number as it is, what has a unit in quotes.
    pub(crate) fn yaml(amount: &str) -> String {
        if amount.bytes().all(|byte| byte.is_ascii_digit()) {
            amount.to_owned()
        } else {
            super::quoted(amount)
        }
    }
}
