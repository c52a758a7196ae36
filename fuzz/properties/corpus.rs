//! The inputs that are kept for a target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Checks each of them, and the empty one; names the file of one that fails.
pub fn each(target: &str, check: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 10,
        "{} has {} files",
        directory.display(),
        files.len()
    );
    check(&[]);
    for file in files {
        let data = std::fs::read(&file).unwrap();
        let held = catch_unwind(AssertUnwindSafe(|| check(&data))).is_ok();
        assert!(held, "the input is {}", file.display());
    }
}
