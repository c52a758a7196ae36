//! The cases of [`crate::files`] once more, in a process whose kernel has no `openat2`.
//!
//! Nothing tells that process so but the kernel's own answer: a seccomp filter, which it inherits,
//! answers `ENOSYS` as a kernel before 5.6 does.

use crate::files::{OPENAT2_ABSENT, openat2_answers};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

/// The tests that run twice.
const TWICE: &str = "files::";
/// `openat2`, the same on every architecture.
const OPENAT2: i64 = 437;
const ENOSYS: u32 = 38;

fn this_binary(arguments: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).output().unwrap()
}

/// Runs in a thread whose children have no `openat2`; other threads keep theirs.
pub(crate) fn where_openat2_is_blocked<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    let filter = SeccompFilter::new(
        BTreeMap::from([(OPENAT2, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(ENOSYS),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| {
            seccompiler::apply_filter(&filter).unwrap();
            assert!(!openat2_answers());
            run()
        });
        blocked.join().unwrap()
    })
}

/// The names before `mark` in the lines of a test binary's output.
fn named(output: &Output, start: &str, mark: &str) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.strip_prefix(start)?.strip_suffix(mark))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn s052_every_case_of_files_holds_where_openat2_is_blocked() {
    let all = named(
        &this_binary(&[TWICE, "--list", "--format", "terse"]),
        "",
        ": test",
    );
    assert!(all.len() > 40, "{all:?}");
    let output = where_openat2_is_blocked(|| this_binary(&[TWICE, "--show-output"]));
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains(OPENAT2_ABSENT), "{told}");
    // The same tests, each of them, and none left out or ignored.
    assert_eq!(named(&output, "test ", " ... ok"), all);
    let count = format!(
        "test result: ok. {} passed; 0 failed; 0 ignored;",
        all.len()
    );
    assert!(told.contains(&count), "{told}");
}
