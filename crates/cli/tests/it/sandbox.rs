//! A home, a user's home and a workspace of one test, and the binary run in them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The repository's example component and its WIT.
pub(crate) const NOTES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/rust/notes.wasm"
);
pub(crate) const NOTES_WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/rust/wit");
pub(crate) const SEED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../examples/policies/seed.yaml"
);

pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("not killed"),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// For snapshots.
    pub(crate) fn shown(&self) -> String {
        format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.out, self.err
        )
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.shown());
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let sandbox = Self {
            directory: tempfile::Builder::new()
                .prefix("sandbox-")
                .tempdir()
                .unwrap(),
        };
        for name in ["user", "work", "home"] {
            std::fs::create_dir(sandbox.path(name)).unwrap();
        }
        std::fs::write(sandbox.path("work/a.txt"), "a harbour\n").unwrap();
        sandbox
    }

    /// With the example installed as `notes`, nothing granted.
    pub(crate) fn with_notes() -> Self {
        let sandbox = Self::new();
        sandbox
            .run(&["add", NOTES, "--wit", NOTES_WIT, "--yes"])
            .exits(0);
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn policy(&self, text: &str) {
        std::fs::create_dir_all(self.path("home/policies")).unwrap();
        std::fs::write(self.path("home/policies/notes.yaml"), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casemate"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path("user"))
            .env("CASEMATE_HOME", self.path("home"))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have refused before it has read everything.
        let _ = stdin.write_all(input);
        drop(stdin);
        Run::of(&child.wait_with_output().unwrap())
    }

    /// Every file below the home with its bytes.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path("home"), &mut files);
        files
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.clone(), Vec::new());
            collect(&path, files);
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
}

/// Snapshots without paths, digests, ids and times of this run.
pub(crate) fn with_filters(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (pattern, word) in [
        (r"/[^\s:'\x22]*/sandbox-[A-Za-z0-9]{6}", "[DIR]"),
        (r"/[^\s'\x22]*/casemate-demo-[A-Za-z0-9]{6}", "[DEMO]"),
        (r"/[^\s:'\x22]*/debug/casemate", "[BIN]"),
        (r"/[^\s:'\x22]*/release/casemate", "[BIN]"),
        (r"/[^\s'\x22]*/examples/", "[REPO]/examples/"),
        (r"[0-9a-f]{64}", "[DIGEST]"),
        (r"\b[0-9a-f]{12}\b", "[DIGEST]"),
        (r"call [0-9a-f]{8,}", "call [ID]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?", "[TIME]"),
        (r"\+\d\d:\d\d", "[OFFSET]"),
        (r"\d+\.\d ms", "[MS]"),
        (r"\b(mon|tues|wednes|thurs|fri|satur|sun)day\b", "[DAY]"),
        (r"\bCES?T\b", "[ZONE]"),
        (r"19\d KiB", "[SIZE]"),
        (r"\d+\.\d MiB", "[SIZE]"),
        (r"in \d+\.\d s;", "in [TIME] s;"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings.bind(check);
}
