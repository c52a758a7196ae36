//! A cheap answer to "did anything change?", for a server that asks several times a second.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::home::Home;

/// What the file system says about one file: it changes when the file is written, replaced, removed
/// or its permissions change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStamp(State);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Absent,
    /// Something is there that cannot be looked at; the reader will say why.
    Unknown(io::ErrorKind),
    Present {
        device: u64,
        inode: u64,
        size: u64,
        modified: (i64, i64),
        /// Also tells of `chmod`, and of writers that put the modification time back.
        changed: (i64, i64),
    },
}

impl FileStamp {
    /// Looks at a file, through links, without opening it.
    pub fn of(path: &Path) -> FileStamp {
        FileStamp(match std::fs::metadata(path) {
            Ok(metadata) => State::Present {
                device: metadata.dev(),
                inode: metadata.ino(),
                size: metadata.size(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::Absent,
            Err(error) => State::Unknown(error.kind()),
        })
    }
}

/// The state of everything that decides what a home serves: the lock, the configuration, every
/// `policies/*.yaml`, `trust.yaml` and every key in `keys/`.
///
/// Two equal stamps mean that nothing changed, up to the clock of the file system: a second write
/// in place, of the same length, within one tick of that clock (4 ms) can go unseen. Casemate's own
/// writes make a new file each time and are always seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    lock: FileStamp,
    config: FileStamp,
    /// Only the permission bits: its times change with every swap file of an editor.
    policies_mode: Option<u32>,
    policies: Vec<(OsString, FileStamp)>,
    trust: FileStamp,
    keys: Vec<(OsString, FileStamp)>,
}

impl Home {
    /// The present [`Stamp`]: one `stat` for each file, nothing is opened or read but the directory
    /// of policies.
    pub fn stamp(&self) -> Stamp {
        let directory = self.policies_dir();
        let policy = |name: &Path| {
            name.extension()
                .is_some_and(|extension| extension == "yaml")
        };
        Stamp {
            lock: FileStamp::of(&self.lock_file()),
            config: FileStamp::of(&self.config_file()),
            policies_mode: std::fs::metadata(&directory)
                .ok()
                .map(|metadata| metadata.mode()),
            policies: stamps(&directory, policy),
            trust: FileStamp::of(&self.trust_file()),
            // A trust policy takes keys of any name, but for those of editors.
            keys: stamps(&self.keys_dir(), |name| !hidden(name)),
        }
    }
}

/// The stamps of those files of a directory whose names are `wanted`, by name.
fn stamps(directory: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<(OsString, FileStamp)> {
    let mut stamps = Vec::new();
    // A directory that cannot be listed shows by the files that are gone from the list.
    if let Ok(entries) = std::fs::read_dir(directory) {
        for entry in entries.flatten() {
            if wanted(Path::new(&entry.file_name())) {
                stamps.push((entry.file_name(), FileStamp::of(&entry.path())));
            }
        }
    }
    stamps.sort_by(|left, right| left.0.cmp(&right.0));
    stamps
}

fn hidden(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().starts_with(b".")
}
