//! Opening one name below a directory that is open already, and nothing else.
//!
//! With `openat2` the kernel itself refuses what the walk never asks for: a way out of the
//! directory, a symlink, a magic link of `/proc`. Where a kernel (before 5.6) or a sandbox
//! around this process does not have it, `openat` with `O_NOFOLLOW` opens the same objects,
//! since the walk only ever passes single names.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use std::sync::OnceLock;

const RESOLVE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS);

/// Opens `name`, a single component, below `parent`. A symlink of that name is opened itself
/// with `O_PATH`, and is `ELOOP` without.
pub(super) fn open(parent: impl AsFd, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    debug_assert!(!name.contains('/') && name != "..", "one name: {name:?}");
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if has_openat2() {
        rustix::fs::openat2(parent, name, flags, mode, RESOLVE)
    } else {
        rustix::fs::openat(parent, name, flags, mode)
    }
}

/// Whether this process has `openat2`: asked once, by a call that opens nothing either way. Where it does
/// not, the files of guests are opened by `openat`, one name after another, and the same is refused.
#[must_use]
pub fn has_openat2() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let nothing = rustix::fs::openat2(
            rustix::fs::ABS,
            ".",
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            RESOLVE,
        );
        let there = means_there(nothing.err());
        tracing::debug!(openat2 = there, "how files of guests are opened");
        there
    })
}

/// What the answer to a call with no directory means: the kernel that has the call finds the
/// descriptor bad; one that does not have it, or a filter in front of it, never looks.
fn means_there(errno: Option<Errno>) -> bool {
    !matches!(errno, Some(Errno::NOSYS | Errno::PERM))
}

#[cfg(test)]
mod tests;
