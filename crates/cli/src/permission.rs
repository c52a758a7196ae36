//! What a person types after `grant NAME`, as a permission of the policy language.

use crate::error::CommandError;
use crate::roots::{danger, real_prefix};
use crate::settings::Settings;
use casemate_policy::{Permission, RootName};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Kinds of permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Read a file, or all files below a directory
    Read,
    /// Write a file, or all files below a directory
    Write,
    /// Make symbolic links below a directory that it may write
    Symlink,
    /// Send requests to a host, or connect to a port of it
    Network,
    /// See an environment variable
    Env,
}

/// Reads `target` as a permission of this kind.
///
/// A path means what exists there: a directory its subtree, a file itself. It is written as part of a bound root of
/// the configuration where it lies in one. What must not be handed to tools is refused unless `dangerous` is set.
pub(crate) fn parse(
    settings: &Settings,
    kind: Kind,
    target: &str,
    dangerous: bool,
) -> Result<Permission, CommandError> {
    match kind {
        Kind::Read => Ok(Permission::Read(storage(
            settings, target, false, dangerous,
        )?)),
        Kind::Write => Ok(Permission::Write(storage(
            settings, target, true, dangerous,
        )?)),
        Kind::Symlink => Ok(Permission::Symlink(storage(
            settings, target, true, dangerous,
        )?)),
        Kind::Network => Ok(Permission::Network(target.to_owned())),
        Kind::Env => Ok(Permission::Environment(target.to_owned())),
    }
}

fn storage(
    settings: &Settings,
    target: &str,
    write: bool,
    dangerous: bool,
) -> Result<String, CommandError> {
    if let Some(rest) = target.strip_prefix("fs://") {
        if rest.starts_with('/') && !dangerous {
            refuse_danger(settings, &real_prefix(fixed_part(rest)))?;
        }
        return Ok(target.to_owned());
    }
    if target.contains("://") {
        return Err(
            CommandError::usage(format!("{target:?} is not a storage URI"))
                .hint("write a path, fs://ROOT/path for a named root, or fs:///absolute/path"),
        );
    }
    let (real, subtree) = existing(settings, target, write)?;
    if !dangerous {
        refuse_danger(settings, &real)?;
    }
    let place = match inside_root(settings, &real) {
        Some((root, rest)) => (format!("fs://{root}"), rest),
        None => ("fs://".to_owned(), real.clone()),
    };
    let Some(rest) = place.1.to_str() else {
        return Err(CommandError::usage(format!(
            "{} is not UTF-8, so no policy can name it",
            real.display()
        )));
    };
    let rest = rest.trim_start_matches('/');
    // In a rule these make a pattern, and `**` a subtree.
    if let Some(character) = rest
        .chars()
        .find(|character| "*?[]{}\\~$".contains(*character))
    {
        return Err(CommandError::usage(format!(
            "{} contains {character:?}, which no rule can name in this release",
            real.display()
        ))
        .hint("grant the directory that it is in, or rename it"));
    }
    let slash = if rest.is_empty() { "" } else { "/" };
    Ok(match subtree {
        true => format!("{}{slash}{rest}/**", place.0),
        false => format!("{}/{rest}", place.0),
    })
}

/// The real path of what exists at `target`, and whether it is a directory.
fn existing(
    settings: &Settings,
    target: &str,
    write: bool,
) -> Result<(PathBuf, bool), CommandError> {
    if target.is_empty() {
        return Err(CommandError::usage("an empty path names nothing"));
    }
    let path = settings.base.join(target);
    match path.canonicalize() {
        Ok(real) => {
            let kind = real
                .metadata()
                .map_err(|error| CommandError::io("look at", &real, &error))?;
            if kind.is_dir() || kind.is_file() {
                return Ok((real, kind.is_dir()));
            }
            Err(CommandError::usage(format!(
                "{} is neither a file nor a directory",
                real.display()
            )))
        }
        // A file to be made, in a directory that is there.
        Err(_) if write && !target.ends_with('/') && path.symlink_metadata().is_err() => {
            let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
            match (parent, path.file_name()) {
                (Some(parent), Some(name)) if parent.is_dir() => Ok((parent.join(name), false)),
                _ => Err(nothing_at(&path)),
            }
        }
        Err(_) => Err(nothing_at(&path)),
    }
}

fn nothing_at(path: &Path) -> CommandError {
    CommandError::usage(format!("there is nothing at {}", path.display()))
        .hint("name what exists, or write a URI: fs://ROOT/path, fs:///absolute/path, with /** for a subtree")
}

/// The root of the configuration that holds the path, the longest first, and the rest of the path.
fn inside_root(settings: &Settings, real: &Path) -> Option<(RootName, PathBuf)> {
    settings
        .config
        .roots
        .iter()
        .filter_map(|(name, directory)| {
            let directory = directory.canonicalize().ok()?;
            // A root that would not be bound leads nowhere.
            if danger(settings, &directory).is_some() {
                return None;
            }
            let rest = real.strip_prefix(&directory).ok()?.to_owned();
            Some((directory.components().count(), name.clone(), rest))
        })
        .max_by_key(|(depth, _, _)| *depth)
        .map(|(_, name, rest)| (name, rest))
}

/// The path before the first segment that is a pattern.
fn fixed_part(path: &str) -> &Path {
    let end = path
        .find(['*', '?', '[', '{'])
        .map_or(path.len(), |pattern| {
            path.get(..pattern)
                .and_then(|before| before.rfind('/'))
                .map_or(0, |slash| slash.max(1))
        });
    Path::new(path.get(..end).unwrap_or(path))
}

fn refuse_danger(settings: &Settings, path: &Path) -> Result<(), CommandError> {
    match danger(settings, path) {
        None => Ok(()),
        Some(why) => Err(CommandError::usage(format!("{} is not granted: {why}", path.display()))
            .hint("grant a directory that holds only what the tool needs, or insist with --allow-dangerous-root")),
    }
}
