//! Named roots: which directories a person binds, and which he probably did not mean to.

use crate::arguments::Bindings;
use crate::error::CommandError;
use crate::settings::Settings;
use casemate_policy::RootName;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// The roots of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BoundRoots {
    /// Real directories by name.
    pub(crate) bound: BTreeMap<RootName, PathBuf>,
    /// Those that only `--allow-dangerous-root` let through, and why they are dangerous.
    pub(crate) dangerous: BTreeMap<RootName, String>,
    /// Roots of the configuration that are not bound, and why.
    pub(crate) missing: BTreeMap<RootName, String>,
}

impl BoundRoots {
    /// Resolves the roots of the configuration and of the command line, which stands first.
    ///
    /// A directory of the command line that does not exist is an error; one of the configuration stays unbound, so
    /// that what names it is denied.
    pub(crate) fn resolve(settings: &Settings, bindings: &Bindings) -> Result<Self, CommandError> {
        let mut typed = BTreeMap::new();
        if let Some(directory) = &bindings.workspace {
            let name = "workspace"
                .parse()
                .map_err(|_| CommandError::failed("no such root"))?;
            typed.insert(name, settings.base.join(directory));
        }
        for binding in &bindings.roots {
            let (name, directory) = parse_binding(binding)?;
            if typed
                .insert(name.clone(), settings.base.join(directory))
                .is_some()
            {
                return Err(CommandError::usage(format!(
                    "the root {name} is bound twice"
                )));
            }
        }
        let mut roots = Self::default();
        for (name, directory) in &typed {
            let real = real_directory(directory).map_err(|why| {
                CommandError::usage(format!(
                    "the root {name} cannot be bound to {}: {why}",
                    directory.display()
                ))
            })?;
            roots.bind(settings, bindings, name, real)?;
        }
        for (name, directory) in &settings.config.roots {
            if typed.contains_key(name) {
                continue;
            }
            match real_directory(directory) {
                Ok(real) => roots.bind(settings, bindings, name, real)?,
                Err(why) => {
                    roots
                        .missing
                        .insert(name.clone(), format!("{}: {why}", directory.display()));
                }
            }
        }
        Ok(roots)
    }

    fn bind(
        &mut self,
        settings: &Settings,
        bindings: &Bindings,
        name: &RootName,
        directory: PathBuf,
    ) -> Result<(), CommandError> {
        if let Some(why) = danger(settings, &directory) {
            if !bindings.allow_dangerous_root {
                return Err(CommandError::usage(format!(
                    "the root {name} is not bound to {}: {why}",
                    directory.display()
                ))
                .hint("bind a directory that holds only what tools may see, or insist with --allow-dangerous-root"));
            }
            self.dangerous.insert(name.clone(), why);
        }
        self.bound.insert(name.clone(), directory);
        Ok(())
    }
}

fn parse_binding(text: &str) -> Result<(RootName, &str), CommandError> {
    let refuse = |why: String| {
        Err(CommandError::usage(format!("--root {text:?}: {why}")).hint("write --root NAME=DIR"))
    };
    match text.split_once('=') {
        Some((_, "")) | None => refuse("it names no directory".to_owned()),
        Some((name, directory)) => match name.parse() {
            Ok(name) => Ok((name, directory)),
            Err(error) => refuse(error.to_string()),
        },
    }
}

fn real_directory(directory: &Path) -> Result<PathBuf, String> {
    let real = directory
        .canonicalize()
        .map_err(|error| error.to_string())?;
    if real.is_dir() {
        Ok(real)
    } else {
        Err("it is not a directory".to_owned())
    }
}

/// Why a directory is not to be handed to a tool, if it is not. `directory` is a real path.
///
/// `/`; the user's home directory and what contains it; Casemate's own directories, what lies in them and what
/// contains them, since who writes there grants himself anything.
pub(crate) fn danger(settings: &Settings, directory: &Path) -> Option<String> {
    if directory == Path::new("/") {
        return Some("it is the root of the file system".to_owned());
    }
    for own in [settings.home.config_dir(), settings.home.data_dir()] {
        let own = real_prefix(own);
        if directory.starts_with(&own) {
            return Some("it belongs to Casemate itself".to_owned());
        }
        if own.starts_with(directory) {
            return Some(format!("it contains Casemate's own {}", own.display()));
        }
    }
    let user_home = settings.user_home.as_deref().map(real_prefix)?;
    if directory == user_home {
        return Some("it is your home directory".to_owned());
    }
    user_home
        .starts_with(directory)
        .then(|| "it contains your home directory".to_owned())
}

/// Whether what is at `place`, or would be, is in one of Casemate's own directories.
pub(crate) fn belongs_to_casemate(settings: &Settings, place: &Path) -> bool {
    let place = real_prefix(place);
    [settings.home.config_dir(), settings.home.data_dir()]
        .into_iter()
        .any(|own| place.starts_with(real_prefix(own)))
}

/// The path with the links of its existing part resolved.
pub(crate) fn real_prefix(path: &Path) -> PathBuf {
    for prefix in path.ancestors() {
        if let Ok(real) = prefix.canonicalize() {
            return match path.strip_prefix(prefix) {
                Ok(rest) if rest.as_os_str().is_empty() => real,
                Ok(rest) => real.join(rest),
                Err(_) => real,
            };
        }
    }
    path.to_owned()
}
