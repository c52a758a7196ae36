//! The home: which directories and files belong to one installation.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use casemate_policy::ComponentName;

use crate::atomic::{directory_of, sync_directory};
use crate::store::ContentStore;

/// The two directories of one installation: configuration (what belongs in git) and data (the
/// rest).
///
/// It only knows names; [`Home::create`] makes the directories. Where they are, is the caller's
/// knowledge: this crate reads neither the environment nor the home directory of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
}

/// Why the directories of a home cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Something else has the name of a directory.
    #[error("{} is in the way: it is not a directory", path.display())]
    NotDirectory {
        /// What is in the way.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot create the directory {}", path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl HomeError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            HomeError::NotDirectory { .. } => {
                Some("move it away, or choose another place with --home DIR".to_owned())
            }
            HomeError::Create { .. } => {
                Some("choose a place that you can write with --home DIR".to_owned())
            }
        }
    }
}

impl HomeError {
    /// The path and what the operating system said, for stages that have a variant of their own for
    /// that.
    pub(crate) fn into_parts(self) -> (PathBuf, io::Error) {
        match self {
            HomeError::NotDirectory { path } => (path, io::ErrorKind::NotADirectory.into()),
            HomeError::Create { path, source } => (path, source),
        }
    }
}

impl Home {
    /// A home with separate configuration and data directories; both paths should be absolute.
    pub fn new(config: impl Into<PathBuf>, data: impl Into<PathBuf>) -> Home {
        Home {
            config: config.into(),
            data: data.into(),
        }
    }

    /// A home in one directory (`--home DIR`).
    pub fn single(directory: impl Into<PathBuf>) -> Home {
        let directory = directory.into();
        Home {
            config: directory.clone(),
            data: directory,
        }
    }

    /// The configuration directory.
    pub fn config_dir(&self) -> &Path {
        &self.config
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// `config.toml`.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// `trust.yaml`: whose signature is asked for. It need not be there.
    pub fn trust_file(&self) -> PathBuf {
        self.config.join("trust.yaml")
    }

    /// `keys/`, the public keys that `trust.yaml` names. It need not be there.
    pub fn keys_dir(&self) -> PathBuf {
        self.config.join("keys")
    }

    /// `casemate.lock`.
    pub fn lock_file(&self) -> PathBuf {
        self.config.join("casemate.lock")
    }

    /// The file that writers lock while they change the lock or a policy; it has no content.
    pub fn write_lock_file(&self) -> PathBuf {
        self.config.join(".lock")
    }

    /// `policies/`.
    pub fn policies_dir(&self) -> PathBuf {
        self.config.join("policies")
    }

    /// `policies/<name>.yaml`. A [`ComponentName`] has neither dots nor slashes, so the file lies
    /// in that directory.
    pub fn policy_file(&self, name: &ComponentName) -> PathBuf {
        self.policies_dir().join(format!("{}.yaml", name.as_str()))
    }

    /// `components/`, the content-addressed store.
    pub fn components_dir(&self) -> PathBuf {
        self.data.join("components")
    }

    /// `cache/`, what can be made again.
    pub fn cache_dir(&self) -> PathBuf {
        self.data.join("cache")
    }

    /// `audit/`.
    pub fn audit_dir(&self) -> PathBuf {
        self.data.join("audit")
    }

    /// `requests/`.
    pub fn requests_dir(&self) -> PathBuf {
        self.data.join("requests")
    }

    /// `secrets/`, for its owner's eyes only; made when the first secret is kept.
    pub fn secrets_dir(&self) -> PathBuf {
        self.data.join("secrets")
    }

    /// `secrets/registries.json`, what `casemate login` keeps.
    pub fn registries_file(&self) -> PathBuf {
        self.secrets_dir().join("registries.json")
    }

    /// The content store of this home.
    pub fn store(&self) -> ContentStore {
        ContentStore::new(self)
    }

    /// Every directory of the home, parents before children, each once.
    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.config.clone()];
        if self.data != self.config {
            directories.push(self.data.clone());
        }
        directories.push(self.policies_dir());
        directories.extend(self.data_directories());
        directories
    }

    /// The directories that nobody but Casemate has business in.
    pub(crate) fn data_directories(&self) -> [PathBuf; 4] {
        [
            self.components_dir(),
            self.cache_dir(),
            self.audit_dir(),
            self.requests_dir(),
        ]
    }

    /// Makes the directories that are missing, for their owner only (0700). Present ones are left
    /// as they are: [`Home::check`] reports what is wrong with them.
    pub fn create(&self) -> Result<(), HomeError> {
        self.directories()
            .iter()
            .try_for_each(|directory| create_directory(directory))
    }
}

/// Makes one directory, and its missing parents before it, 0700, and makes each name durable.
pub(crate) fn create_directory(path: &Path) -> Result<(), HomeError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(HomeError::NotDirectory {
                path: path.to_owned(),
            });
        }
        // Absent, or not reachable; making it says which.
        Err(_) => {}
    }
    let parent = directory_of(path);
    if matches!(std::fs::metadata(parent), Err(error) if error.kind() == io::ErrorKind::NotFound) {
        create_directory(parent)?;
    }
    let made = match std::fs::DirBuilder::new().mode(0o700).create(path) {
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    };
    made.and_then(|()| sync_directory(parent))
        .map_err(|source| HomeError::Create {
            path: path.to_owned(),
            source,
        })
}

/// What a person can do about an error of the disk at `path`.
pub(crate) fn disk_hint(source: &io::Error, path: &Path) -> Option<String> {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Some(format!(
            "see who may read and write it: ls -ld {}; another place is chosen with --home DIR",
            path.display()
        )),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some(format!(
                "make room there: df -h {}",
                directory_of(path).display()
            ))
        }
        _ => None,
    }
}
