//! Showing that something slow is going on, on a terminal only.

use casemate_artifact::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::borrow::Cow;
use std::io::IsTerminal as _;
use std::time::Duration;

/// Distance between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Whether a spinner would be seen.
pub(crate) fn is_shown() -> bool {
    std::io::stderr().is_terminal()
}

/// Runs `work` while a spinner says `what`, and for how long.
pub(crate) fn during<T>(what: impl Into<Cow<'static, str>>, work: impl FnOnce() -> T) -> T {
    if !is_shown() {
        return work();
    }
    let bar = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(FRAME);
    let done = work();
    bar.finish_and_clear();
    done
}

/// How the bytes of an artifact arrive: a bar on a terminal, nothing elsewhere.
#[derive(Debug)]
pub(crate) struct Arriving(ProgressBar);

impl Arriving {
    /// A bar that shows itself with the first bytes.
    pub(crate) fn new() -> Self {
        if !is_shown() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::no_length();
        let template = "fetching {bytes} of {total_bytes} {wide_bar} {bytes_per_sec} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Arriving {
    fn started(&self, total: u64) {
        self.0.reset();
        self.0.set_length(total);
    }

    fn advanced(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn resumed(&self, at: u64) {
        self.0.set_position(at);
        self.0.set_message("(resumed)");
    }

    fn finished(&self) {
        self.0.finish_and_clear();
    }
}
