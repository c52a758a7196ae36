//! What is wrong with the files of a home, for `doctor`: it looks and changes nothing.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use casemate_policy::ComponentName;
use rustix::fs::Access;

use crate::atomic::{foreign_owner, world_writable};
use crate::home::Home;
use crate::protected::group_writable;
use crate::read::FileKind;

/// One thing that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a file or directory of a home.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Every user may write it; files that decide what is allowed are not read until that is
    /// mended.
    WorldWritable {
        /// The permission bits.
        mode: u32,
    },
    /// Everybody in its group may write it, too.
    GroupWritable {
        /// The permission bits.
        mode: u32,
    },
    /// Neither this user nor root owns it, so somebody else decides; files that decide what is
    /// allowed are not read until that is mended.
    ForeignOwner {
        /// Its owner's user id.
        owner: u32,
    },
    /// Other users may look into Casemate's own data.
    OpenToOthers {
        /// The permission bits.
        mode: u32,
    },
    /// A directory where a file should be, or the reverse, or a pipe or device.
    WrongKind {
        /// What is there; `None` for a regular file where a directory should be.
        found: Option<FileKind>,
    },
    /// A directory that this process cannot write.
    NotWritable,
    /// It cannot be looked at.
    Unreadable {
        /// What the operating system said.
        error: String,
    },
    /// A file among the policies that no component name leads to: it is never read.
    NeverRead,
}

impl Finding {
    /// What the person can type about it.
    pub fn hint(&self) -> Option<String> {
        let path = self.path.display();
        match &self.problem {
            Problem::WorldWritable { .. } => Some(format!("chmod o-w {path}")),
            Problem::GroupWritable { .. } => Some(format!("chmod g-w {path}")),
            Problem::OpenToOthers { .. } => Some(format!("chmod go-rwx {path}")),
            Problem::ForeignOwner { .. } => Some(format!("chown \"$(id -u)\" {path}")),
            Problem::NotWritable | Problem::Unreadable { .. } | Problem::WrongKind { .. } => {
                Some(format!("ls -ld {path}"))
            }
            Problem::NeverRead => {
                Some("policies are named <component>.yaml, in lower case".to_owned())
            }
        }
    }

    /// Whether it weakens or stops something now; the others are advice.
    pub fn is_error(&self) -> bool {
        match self.problem {
            Problem::WorldWritable { .. }
            | Problem::ForeignOwner { .. }
            | Problem::WrongKind { .. }
            | Problem::NotWritable
            | Problem::Unreadable { .. } => true,
            Problem::GroupWritable { .. } | Problem::OpenToOthers { .. } | Problem::NeverRead => {
                false
            }
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::WorldWritable { mode } => write!(
                formatter,
                "{path} can be written by every user (mode {mode:04o})"
            ),
            Problem::ForeignOwner { owner } => {
                write!(formatter, "{path} belongs to another user (uid {owner})")
            }
            Problem::GroupWritable { mode } => write!(
                formatter,
                "{path} can be written by everybody in its group (mode {mode:04o})"
            ),
            Problem::OpenToOthers { mode } => {
                write!(formatter, "{path} is open to other users (mode {mode:04o})")
            }
            Problem::WrongKind { found: Some(kind) } => write!(formatter, "{path} is {kind}"),
            Problem::WrongKind { found: None } => {
                write!(formatter, "{path} is a file and should be a directory")
            }
            Problem::NotWritable => write!(formatter, "{path} cannot be written by this user"),
            Problem::Unreadable { error } => {
                write!(formatter, "{path} cannot be looked at: {error}")
            }
            Problem::NeverRead => write!(
                formatter,
                "{path} is never read: no component has that name"
            ),
        }
    }
}

impl Home {
    /// Looks at owners, permission bits and kinds of the files and directories; those that do not
    /// exist yet are fine.
    ///
    /// The findings are in a fixed order. Contents are not read.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Findings(Vec::new());
        for directory in self.directories() {
            findings.directory(&directory);
        }
        for directory in self.data_directories() {
            findings.privacy(&directory);
        }
        findings.secrets(&self.secrets_dir(), &self.registries_file());
        for file in [self.config_file(), self.lock_file(), self.write_lock_file()] {
            findings.file(&file);
        }
        findings.policies(&self.policies_dir());
        findings.0
    }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: &Path, problem: Problem) {
        self.0.push(Finding {
            path: path.to_owned(),
            problem,
        });
    }

    /// What is there, or nothing when it does not exist; other errors are findings.
    fn look(&mut self, path: &Path) -> Option<Metadata> {
        match std::fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if std::fs::symlink_metadata(path).is_ok() {
                    self.add(
                        path,
                        Problem::WrongKind {
                            found: Some(FileKind::DanglingLink),
                        },
                    );
                }
                None
            }
            Err(error) => {
                self.add(
                    path,
                    Problem::Unreadable {
                        error: error.to_string(),
                    },
                );
                None
            }
        }
    }

    fn owner_and_mode(&mut self, path: &Path, metadata: &Metadata) {
        if let Some(mode) = world_writable(metadata) {
            self.add(path, Problem::WorldWritable { mode });
        }
        if let Some(owner) = foreign_owner(metadata) {
            self.add(path, Problem::ForeignOwner { owner });
        }
    }

    fn directory(&mut self, path: &Path) {
        let Some(metadata) = self.look(path) else {
            return;
        };
        if !metadata.is_dir() {
            return self.add(
                path,
                Problem::WrongKind {
                    found: FileKind::of(metadata.file_type()),
                },
            );
        }
        self.owner_and_mode(path, &metadata);
        if rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            self.add(path, Problem::NotWritable);
        }
    }

    fn privacy(&mut self, path: &Path) {
        // Kinds and errors were reported with the other directories.
        let Ok(metadata) = std::fs::metadata(path) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() && mode & 0o077 != 0 && mode & 0o002 == 0 {
            self.add(path, Problem::OpenToOthers { mode });
        }
    }

    /// The directory of secrets, which is there once there are any, and the file in it. Neither is
    /// used while others can look into it.
    fn secrets(&mut self, directory: &Path, file: &Path) {
        for path in [directory, file] {
            let Some(metadata) = self.look(path) else {
                continue;
            };
            if let Some(owner) = foreign_owner(&metadata) {
                self.add(path, Problem::ForeignOwner { owner });
            }
            let mode = metadata.permissions().mode() & 0o7777;
            if world_writable(&metadata).is_some() {
                self.add(path, Problem::WorldWritable { mode });
            } else if mode & 0o077 != 0 {
                self.add(path, Problem::OpenToOthers { mode });
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let Some(metadata) = self.look(path) else {
            return;
        };
        match FileKind::of(metadata.file_type()) {
            Some(kind) => self.add(path, Problem::WrongKind { found: Some(kind) }),
            None => {
                self.owner_and_mode(path, &metadata);
                // Worse was said above.
                if world_writable(&metadata).is_none()
                    && let Some(mode) = group_writable(path)
                {
                    self.add(path, Problem::GroupWritable { mode });
                }
            }
        }
    }

    fn policies(&mut self, directory: &Path) {
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            // Absent, or not a directory, which was reported.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return;
            }
            Err(error) => {
                return self.add(
                    directory,
                    Problem::Unreadable {
                        error: error.to_string(),
                    },
                );
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
            let named = stem.parse::<ComponentName>().is_ok();
            match (extension, named) {
                ("yaml", true) => self.file(&path),
                // What a person may take for a policy; other files are their own business.
                ("yaml", false) => self.add(&path, Problem::NeverRead),
                (other, _)
                    if other.eq_ignore_ascii_case("yaml") || other.eq_ignore_ascii_case("yml") =>
                {
                    self.add(&path, Problem::NeverRead);
                }
                _ => {}
            }
        }
    }
}
