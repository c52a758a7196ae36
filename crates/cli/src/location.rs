//! Which component a person means: an installed name, or a file.

use crate::arguments::Remote;
use crate::engine;
use crate::error::CommandError;
use crate::progress::Arriving;
use crate::settings::Settings;
use casemate_artifact::{
    Evidence, FetchRequest, LockEntry, LockFile, Package, Reference, Sources, VerifiedArtifact,
    fetch,
};
use casemate_policy::ComponentName;
use casemate_runtime::docs::{MAX_WIT_BYTES, bundle_wit};
use casemate_runtime::names::component_name;
use std::path::{Path, PathBuf};

/// The lock entry of an installed component.
pub(crate) fn installed(
    settings: &Settings,
    name: &ComponentName,
) -> Result<LockEntry, CommandError> {
    let mut lock = LockFile::load(&settings.home)?;
    lock.components.remove(name).ok_or_else(|| {
        CommandError::usage(format!("no component is called {name}"))
            .hint(settings.command(&["list"]))
    })
}

/// The signatures that were kept when a component was added; none where none came with it.
pub(crate) fn kept_evidence(
    settings: &Settings,
    entry: &LockEntry,
) -> Result<Evidence, CommandError> {
    let Some(digest) = &entry.evidence else {
        return Ok(Evidence::default());
    };
    let json = settings.home.store().get_evidence(digest)?;
    Evidence::from_json(&json).map_err(|error| {
        CommandError::failed(format!("the kept signatures cannot be read: {error}"))
    })
}

/// A component's bytes, with what is known besides them.
pub(crate) struct Found {
    pub(crate) artifact: VerifiedArtifact,
    /// WIT text that describes it.
    pub(crate) docs: Option<String>,
    /// The name that it is installed under, or would be called after its file.
    pub(crate) name: Option<ComponentName>,
    /// What the lock says of it, where it is installed.
    pub(crate) entry: Option<LockEntry>,
    /// What came with it from a registry; nothing of it is verified.
    pub(crate) package: Option<Package>,
}

impl Found {
    /// Whether it is what is installed, rather than a file or what a reference names.
    pub(crate) fn is_installed(&self) -> bool {
        self.entry.is_some()
    }
}

/// Finds what `text` means: the installed component of that name, or else the file, or what a registry or server
/// gives for it now.
pub(crate) fn find(
    settings: &Settings,
    remote: &Remote,
    text: &str,
) -> Result<Found, CommandError> {
    if let Ok(name) = text.parse::<ComponentName>() {
        if let Some(entry) = LockFile::load(&settings.home)?.components.remove(&name) {
            let store = settings.home.store();
            let artifact = store.load(&entry)?;
            let docs = entry.docs.map(|docs| store.get_docs(&docs)).transpose()?;
            return Ok(Found {
                artifact,
                docs,
                name: Some(name),
                entry: Some(entry),
                package: None,
            });
        }
        if settings.base.join(text).symlink_metadata().is_err() {
            return Err(CommandError::usage(format!(
                "no component is called {name}, and there is no such file"
            ))
            .hint(settings.command(&["list"])));
        }
    }
    let reference = Reference::parse(text, &settings.base)?;
    let sources = match &reference {
        Reference::File(_) => Sources::files_only(),
        _ => engine::sources(settings, remote)?,
    };
    let request = FetchRequest {
        progress: &Arriving::new(),
        ..FetchRequest::new(&reference)
    };
    let fetched = fetch(&sources, request)?;
    let package = fetched.package;
    Ok(Found {
        artifact: fetched.artifact,
        docs: (package.as_ref()).and_then(|package| package.wit().map(str::to_owned)),
        name: match &reference {
            Reference::File(path) => component_name(path),
            Reference::Oci(reference) => reference.component_name(),
            Reference::Https(reference) => reference.component_name(),
            _ => None,
        },
        entry: None,
        package,
    })
}

/// Reads the author's WIT text: one file, or the `.wit` files of a package's directory.
pub(crate) fn author_wit(settings: &Settings, path: &Path) -> Result<String, CommandError> {
    let path = settings.base.join(path);
    let mut files = Vec::new();
    if path.is_dir() {
        collect(&path, &mut files)?;
        files.sort();
        if files.is_empty() {
            return Err(CommandError::usage(format!(
                "{} holds no .wit file",
                path.display()
            )));
        }
    } else {
        files.push(path.clone());
    }
    let mut texts = Vec::new();
    let mut left = MAX_WIT_BYTES as u64;
    for file in files {
        let text = read_text(&file, left)?;
        left -= text.len() as u64;
        let name = file
            .strip_prefix(&path)
            .unwrap_or(&file)
            .display()
            .to_string();
        texts.push((name, text));
    }
    Ok(bundle_wit(
        texts
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str())),
    ))
}

/// Adds the WIT files of a package's directory. Those of other packages, in `deps`, describe nothing of its own.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), CommandError> {
    let failed = |error: &std::io::Error| CommandError::io("read", directory, error);
    for entry in std::fs::read_dir(directory).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "wit") {
            files.push(path);
        }
    }
    Ok(())
}

fn read_text(path: &Path, most: u64) -> Result<String, CommandError> {
    use std::io::Read as _;
    let failed = |error: &std::io::Error| CommandError::io("read", path, error);
    // A pipe or device must not be waited for.
    if !path.metadata().map_err(|error| failed(&error))?.is_file() {
        return Err(CommandError::usage(format!(
            "{} is not a regular file",
            path.display()
        )));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(most + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(&error))?;
    if text.len() as u64 > most {
        return Err(CommandError::usage(format!(
            "the WIT text is larger than {MAX_WIT_BYTES} bytes"
        )));
    }
    Ok(text)
}
