//! Storage URIs.
//!
//! `fs://ROOT/path` is below a named root and seen by the guest as `/ROOT/path`; `fs:///path` is absolute and seen as it
//! is. Segments are compared byte by byte, case included, and nothing is decoded: `%2e` is three characters. `*` stands for
//! a part of a segment, `**` for any number of segments; at the end it means everything below, not the directory itself.
//! `~`, `$`, `.` and `..` never name anything here.

use std::fmt;

use super::glob::{PathGlob, check_name, is_pattern};
use crate::error::Refusal;
use crate::name::RootName;
use crate::path::VirtualPath;

/// What the system shows of itself: an entry there can be anything, also a way out.
const SYSTEM: [&str; 3] = ["proc", "sys", "dev"];

/// Where the first segment of a guest path leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Anchor {
    Named(RootName),
    Absolute,
}

/// The guest paths that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathPattern {
    /// This path and nothing else.
    Exact(VirtualPath),
    /// Everything below this directory, at any depth, not the directory itself.
    Below(VirtualPath),
    /// A general pattern over guest paths.
    Glob(PathGlob),
}

impl PathPattern {
    /// Returns the directory or file at the fixed start of the pattern.
    pub(crate) fn base(&self) -> &VirtualPath {
        match self {
            Self::Exact(path) | Self::Below(path) => path,
            Self::Glob(glob) => glob.base(),
        }
    }

    /// Tells whether all that `other` matches is matched by this as well; false where that is not plain.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(path), Self::Exact(other)) => path == other,
            (Self::Exact(_), Self::Below(_) | Self::Glob(_)) => false,
            (Self::Below(base), Self::Exact(other)) => other.is_below(base),
            (Self::Below(base), Self::Below(other)) => other.starts_with(base),
            // What a pattern matches is below its base.
            (Self::Below(base), Self::Glob(other)) => other.base().starts_with(base),
            (Self::Glob(glob), Self::Exact(other)) => glob.matches(other),
            (Self::Glob(glob), Self::Below(other)) => glob.split().1 && glob.holds_for(other),
            (Self::Glob(glob), Self::Glob(other)) => glob == other,
        }
    }

    /// Tells whether this, in a deny list, denies all that `other` would there; false where that is not plain. What is
    /// denied is denied with all below it, and a final `/**` stands for the directory as well.
    pub(crate) fn denies(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(top) | Self::Below(top), _) => other.base().starts_with(top),
            (Self::Glob(glob), Self::Exact(other) | Self::Below(other)) => glob.holds_for(other),
            (Self::Glob(glob), Self::Glob(other)) => {
                other.split().0.starts_with(glob.split().0) || glob.holds_for(other.base())
            }
        }
    }
}

/// A storage rule's `uri`. Equal when they mean the same paths in the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageUri {
    pub(crate) anchor: Anchor,
    pub(crate) pattern: PathPattern,
}

impl StorageUri {
    /// Parses a URI.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let Some(rest) = text.strip_prefix("fs://") else {
            return Err(Refusal::new(format!("{text:?} is not a storage URI"))
                .hint("write fs://ROOT/path for a named root, or fs:///absolute/path"));
        };
        let Some((authority, path)) = rest.split_once('/') else {
            return Err(whole_root(text, rest));
        };
        let anchor = if authority.is_empty() {
            Anchor::Absolute
        } else {
            Anchor::Named(root_name(text, authority)?)
        };
        if path.is_empty() {
            return Err(whole_root(text, authority));
        }
        let segments: Vec<&str> = path.split('/').collect();
        for segment in &segments {
            check_segment(text, segment)?;
        }
        if anchor == Anchor::Absolute {
            check_absolute(text, &segments)?;
        }
        let pattern = pattern(text, &anchor, &segments)?;
        Ok(Self { anchor, pattern })
    }

    /// Builds the URI that names a guest path, for the remedy in a denial; `None` where no rule could.
    pub(crate) fn naming(anchor: Anchor, path: &VirtualPath, subtree: bool) -> Option<Self> {
        let pattern = if subtree {
            PathPattern::Below(path.clone())
        } else {
            PathPattern::Exact(path.clone())
        };
        let uri = Self { anchor, pattern };
        Self::parse(&uri.to_string())
            .ok()
            .filter(|parsed| *parsed == uri)
    }

    /// Tells whether all that `other` matches is matched by this as well.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.pattern.covers(&other.pattern)
    }

    /// Tells whether this, in a deny list, denies all that `other` is about.
    pub(crate) fn denies(&self, other: &Self) -> bool {
        self.anchor == other.anchor && self.pattern.denies(&other.pattern)
    }
}

fn whole_root(text: &str, authority: &str) -> Refusal {
    let refusal = Refusal::new(format!("{text:?} names no path"));
    if authority.is_empty() {
        refusal.hint("name a directory, as in fs:///srv/data/**")
    } else {
        refusal.hint(format!(
            "for everything below the root, write fs://{authority}/**"
        ))
    }
}

fn root_name(text: &str, authority: &str) -> Result<RootName, Refusal> {
    authority.parse().map_err(|error| {
        Refusal::new(format!(
            "{text:?} does not start with the name of a root: {error}"
        ))
        .hint("write fs://ROOT/path for a named root, or fs:///absolute/path with three slashes")
    })
}

fn check_segment(text: &str, segment: &str) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::new(format!("{text:?} {what}")));
    match segment {
        "" if text.ends_with('/') => Err(Refusal::new(format!("{text:?} ends with a slash")).hint(
            format!(
                "for everything below, write {}/**",
                text.trim_end_matches('/')
            ),
        )),
        "" => refuse("has an empty segment"),
        "." | ".." => refuse("has a '.' or '..' segment; a rule names the path itself"),
        _ if segment.starts_with('~') => {
            refuse("holds '~', which is never expanded; write the whole path")
        }
        _ if segment.contains('$') => {
            refuse("holds '$', and variables are never expanded; write the whole path")
        }
        _ if segment.chars().any(char::is_control) => refuse("holds a control character"),
        _ => check_name(text, segment),
    }
}

fn check_absolute(text: &str, segments: &[&str]) -> Result<(), Refusal> {
    let first = segments.first().copied().unwrap_or_default();
    if SYSTEM.contains(&first) {
        return Err(Refusal::new(format!(
            "{text:?} is refused: what /{first} shows leads out of every sandbox"
        )));
    }
    if segments.len() == 1 || is_pattern(first) {
        let what = if is_pattern(first) {
            "would reach the whole file system"
        } else {
            "is directly in the root directory"
        };
        return Err(Refusal::new(format!("{text:?} {what}"))
            .hint("name a directory, as in fs:///srv/data/**"));
    }
    Ok(())
}

fn pattern(text: &str, anchor: &Anchor, segments: &[&str]) -> Result<PathPattern, Refusal> {
    let (fixed, below) = match segments.split_last() {
        Some((&"**", fixed)) => (fixed, true),
        _ => (segments, false),
    };
    let mut guest = String::new();
    if let Anchor::Named(root) = anchor {
        guest.push('/');
        guest.push_str(root.as_str());
    }
    for segment in fixed {
        guest.push('/');
        guest.push_str(segment);
    }
    if fixed.iter().any(|segment| is_pattern(segment)) {
        if below {
            guest.push_str("/**");
        }
        return PathGlob::parse(text, guest).map(PathPattern::Glob);
    }
    let path = VirtualPath::parse(&guest)
        .map_err(|error| Refusal::new(format!("{text:?} is refused: {error}")))?;
    Ok(if below {
        PathPattern::Below(path)
    } else {
        PathPattern::Exact(path)
    })
}

impl fmt::Display for StorageUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A guest path starts with a slash, so the named form has two and the absolute one three.
        formatter.write_str(match self.anchor {
            Anchor::Named(_) => "fs:/",
            Anchor::Absolute => "fs://",
        })?;
        match &self.pattern {
            PathPattern::Exact(path) => write!(formatter, "{path}"),
            PathPattern::Below(path) => write!(formatter, "{path}/**"),
            PathPattern::Glob(glob) => write!(formatter, "{glob}"),
        }
    }
}
