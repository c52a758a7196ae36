//! Files: what is granted works, nothing else is read, changed or told
//! (cases S039–S042, S049–S063, S065, S066, S068–S073).

mod changes;
mod denied;
mod escapes;
mod grants;
pub(crate) mod guest;
mod links;
mod namespace;
mod own;
mod quota;
mod second_names;
mod serving;
mod tools;

use crate::fixture::{Fixture, reason};
use casemate_policy::RootName;
use casemate_runtime::{CallReport, Outcome, RuntimeBuilder};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

/// First bytes of the file that no guest may ever see.
const MARKER: &str = "XOUTSIDE-MARKER";

pub(crate) const READ_WRITE: &str = r#"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read", "write"]
"#;

pub(crate) const READ_ONLY: &str = r#"
permissions:
  storage:
    allow:
      - uri: "fs://workspace/**"
        access: ["read"]
"#;

/// What a run prints whose kernel has no `openat2`.
pub(crate) const OPENAT2_ABSENT: &str = "files of guests are opened without openat2";

/// Whether the kernel lets this thread use `openat2`.
pub(crate) fn openat2_answers() -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match rustix::fs::openat2(CWD, ".", flags, Mode::empty(), ResolveFlags::BENEATH) {
        Ok(_here) => true,
        Err(errno) => {
            assert_eq!(errno, rustix::io::Errno::NOSYS);
            false
        }
    }
}

/// All of this module runs again in [`crate::without_openat2`], which reads what this prints.
#[test]
fn this_run_says_whether_it_has_openat2() {
    if openat2_answers() {
        println!("files of guests are opened with openat2");
    } else {
        println!("{OPENAT2_ABSENT}");
    }
}

/// A workspace with files, links and special files, something outside of it, and a guest.
pub(crate) struct Site {
    pub(crate) fixture: Fixture,
}

/// What a guest was told.
type Answer = Result<Value, String>;

impl Site {
    /// A site whose component `evil` has this policy.
    pub(crate) fn new(policy: &str) -> Self {
        Self::configured(policy, |builder| builder)
    }

    /// A site with one more root.
    pub(crate) fn with_root(name: &str, directory: &Path, policy: &str) -> Self {
        let name = name.parse::<RootName>().unwrap();
        Self::configured(policy, |builder| builder.root(name, directory))
    }

    fn configured(policy: &str, configure: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workspace = directory.path().join("ws");
        let config = directory.path().join("config");
        plant(directory.path());
        let root = |name: &str| name.parse::<RootName>().unwrap();
        let fixture = Fixture::in_directory(directory, |builder| {
            configure(builder)
                .root(root("workspace"), workspace)
                .root(root("config"), config)
        });
        let site = Self { fixture };
        site.install("evil", policy);
        site
    }

    /// Installs the guest once more, under another name and policy.
    pub(crate) fn install(&self, name: &str, policy: &str) {
        self.fixture.install(name, &guest::guest(), policy);
    }

    fn host(&self, path: &str) -> PathBuf {
        self.fixture.path().join(path)
    }

    /// One call of `evil` or, with `name:function`, of another component.
    pub(crate) fn call(&self, function: &str, arguments: Value) -> CallReport {
        let (name, function) = function.split_once(':').unwrap_or(("evil", function));
        let tool = format!("{name}_{}", function.replace('-', "_"));
        let report = self.fixture.call(&tool, arguments);
        let told = format!("{report:?} {:?}", self.fixture.records.all());
        assert!(!told.contains(MARKER), "{function}: {told}");
        let host = self.fixture.path().to_string_lossy().into_owned();
        assert!(!told.contains(&host), "{function}: {told}");
        report
    }

    /// The answer of a call that ends, whatever it met.
    fn ask(&self, function: &str, arguments: Value) -> Answer {
        answer(&self.call(function, arguments))
    }

    /// The answer of a call that is not refused anything.
    fn allowed(&self, function: &str, arguments: Value) -> Value {
        let report = self.call(function, arguments.clone());
        assert_eq!(report.denials, [], "{function} {arguments}");
        answer(&report).unwrap_or_else(|code| panic!("{function} {arguments}: {code}"))
    }

    /// A call that changes nothing, gets `code`, and leaves exactly this denial.
    fn refused(&self, function: &str, arguments: Value, code: &str, denied: (&str, &str)) {
        let report = self.harmless(function, &arguments, code);
        let denials: Vec<(&str, &str)> = report
            .denials
            .iter()
            .map(|denial| (denial.reason.as_str(), denial.subject.as_str()))
            .collect();
        assert_eq!(denials, [denied], "{function} {arguments}");
        assert!(!report.denials[0].explanation.is_empty());
        let record = self.fixture.records.all().pop().unwrap();
        assert_eq!(record.denials[0].reason, denied.0);
        assert_eq!(record.denials[0].subject, denied.1);
    }

    /// A call that changes nothing and gets `code`, which is no matter of permission.
    fn fails(&self, function: &str, arguments: Value, code: &str) {
        let report = self.harmless(function, &arguments, code);
        assert_eq!(report.denials, [], "{function} {arguments}");
    }

    fn harmless(&self, function: &str, arguments: &Value, code: &str) -> CallReport {
        let before = snapshot(self.fixture.path());
        let report = self.call(function, arguments.clone());
        assert_eq!(
            answer(&report),
            Err(code.to_owned()),
            "{function} {arguments} {:?}",
            report.denials
        );
        assert_eq!(
            snapshot(self.fixture.path()),
            before,
            "{function} {arguments}"
        );
        report
    }

    fn content(&self, path: &str) -> String {
        std::fs::read_to_string(self.host(path)).unwrap()
    }
}

/// What the function returned, or the code of its error.
fn answer(report: &CallReport) -> Answer {
    match &report.outcome {
        Outcome::Returned(value) => Ok(value["result"].clone()),
        Outcome::ToolError(value) => Err(value["error"].as_str().unwrap().to_owned()),
        other => panic!("{} {other:?} {:?}", reason(report), report.detail),
    }
}

/// Arguments of the functions that only name a path.
fn at(path: &str) -> Value {
    json!({"mount": 0, "path": path})
}

/// Arguments of the functions that name a path and may follow a symlink at its end.
pub(crate) fn seen(path: &str, follow: bool) -> Value {
    let how: &[&str] = if follow { &["symlink-follow"] } else { &[] };
    json!({"mount": 0, "how": how, "path": path})
}

/// Arguments of the functions that open a file for reading.
fn reading(path: &str) -> Value {
    opening(path, &[], &["read"])
}

/// Arguments of the functions that open a file, following symlinks.
pub(crate) fn opening(path: &str, open: &[&str], purpose: &[&str]) -> Value {
    json!({"mount": 0, "how": ["symlink-follow"], "path": path, "open": open, "for": purpose})
}

fn with(mut arguments: Value, key: &str, value: impl Into<Value>) -> Value {
    arguments[key] = value.into();
    arguments
}

/// The text of what `read` returned.
fn text(read: &Value) -> String {
    use base64::Engine as _;
    let bytes = read.get(0).unwrap_or(read).as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(bytes);
    String::from_utf8(bytes.unwrap()).unwrap()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The names that a listing returned, sorted.
fn names(listing: &Value) -> Vec<String> {
    let entries = listing.as_array().unwrap().iter();
    let mut names: Vec<String> = entries
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// Everything about an object that a guest could change.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: u32,
    size: u64,
    modified: (i64, i64),
    links: u64,
    content: Vec<u8>,
}

/// All objects below `ws`, `config` and `outside`.
fn snapshot(base: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut seen = BTreeMap::new();
    let mut pending: Vec<PathBuf> = ["ws", "config", "outside"]
        .iter()
        .map(|name| base.join(name))
        .collect();
    while let Some(path) = pending.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            std::fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if metadata.is_file() {
            std::fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            pending.extend(entries.map(|entry| entry.unwrap().path()));
        }
        let object = Seen {
            mode: metadata.mode(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            links: metadata.nlink(),
            content,
        };
        seen.insert(path, object);
    }
    seen
}

/// Makes the tree of a site.
fn plant(base: &Path) {
    let file = |path: &str, text: &str| {
        let path = base.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    file("ws/notes.txt", "notes");
    file("ws/conf.toml", "conf");
    file("ws/sub/inner.txt", "inner");
    file("ws/sub/deep/x.txt", "deep");
    file("ws-evil/x", MARKER);
    file("config/app.yaml", "app");
    file("config/other.yaml", "other");
    file("outside/marker.txt", MARKER);
    file("outside/dir/marker.txt", MARKER);
    let link = |target: &str, path: &str| symlink(target, base.join("ws").join(path)).unwrap();
    let host = base.to_str().unwrap();
    link(&format!("{host}/outside/marker.txt"), "absolute");
    link(&format!("{host}/outside"), "absolute-dir");
    link(&format!("{host}/ws/notes.txt"), "absolute-inside");
    link("../outside/marker.txt", "relative");
    link("../outside", "relative-dir");
    link("../outside/", "relative-dir-slash");
    link("relative-dir/", "to-dir-slash");
    link("sub/../../outside/marker.txt", "winding");
    link("self", "self");
    link("/proc/self/environ", "environ");
    link("/proc/self/root", "proc-root");
    link("sub/inner.txt", "inside");
    link("sub", "inside-dir");
    link("sub/", "inside-dir-slash");
    link("deep/../inner.txt", "sub/back");
    link("missing", "dangling");
    link("notes.txt", "chain-1");
    for number in 2..=41 {
        link(&format!("chain-{}", number - 1), &format!("chain-{number}"));
    }
}
