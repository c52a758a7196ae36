//! Showing that something slow is going on, on a terminal only.

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
