//! Paths as the guest sees them.

use std::borrow::Borrow;
use std::fmt;

use thiserror::Error;

/// The longest path in bytes, as on Linux.
const MAX_PATH: usize = 4096;

/// An absolute guest path in its one canonical spelling.
///
/// `/`-separated, without empty components, `.`, `..` or NUL, at most 4096 bytes. `/` itself is
/// allowed. Compared byte by byte: the object reached is judged, so the runtime resolves links
/// and the real spelling before it builds one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath(String);

/// Says why a text is not a canonical guest path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PathError {
    /// The path does not start with `/`.
    #[error("the path is not absolute")]
    Relative,
    /// Two slashes in a row, or one at the end.
    #[error("the path has an empty component")]
    Empty,
    /// A component is `.` or `..`.
    #[error("the path has the component {0:?}")]
    Dots(&'static str),
    /// The path holds a NUL byte.
    #[error("the path holds a NUL byte")]
    Nul,
    /// A single component holds a `/`.
    #[error("a path component holds a '/'")]
    Separator,
    /// The path is longer than 4096 bytes.
    #[error("the path has {0} bytes, more than 4096")]
    TooLong(usize),
}

fn check_component(component: &str) -> Result<(), PathError> {
    match component {
        "" => Err(PathError::Empty),
        "." => Err(PathError::Dots(".")),
        ".." => Err(PathError::Dots("..")),
        _ if component.contains('\0') => Err(PathError::Nul),
        _ if component.contains('/') => Err(PathError::Separator),
        _ => Ok(()),
    }
}

impl VirtualPath {
    /// Returns the path `/`.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Parses a canonical path; nothing is normalised, any other spelling is an error.
    ///
    /// # Errors
    /// Names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH {
            return Err(PathError::TooLong(text.len()));
        }
        let rest = text.strip_prefix('/').ok_or(PathError::Relative)?;
        if !rest.is_empty() {
            rest.split('/').try_for_each(check_component)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// Appends one component.
    ///
    /// # Errors
    /// If `component` is empty, `.`, `..`, or holds `/` or NUL, or if the result is too long.
    pub fn join(&self, component: &str) -> Result<Self, PathError> {
        check_component(component)?;
        let mut text = String::with_capacity(self.0.len() + 1 + component.len());
        text.push_str(&self.0);
        if !text.ends_with('/') {
            text.push('/');
        }
        text.push_str(component);
        if text.len() > MAX_PATH {
            return Err(PathError::TooLong(text.len()));
        }
        Ok(Self(text))
    }

    /// Returns the directory that holds this path; `None` for `/`.
    pub fn parent(&self) -> Option<Self> {
        parent_text(&self.0).map(|text| Self(text.to_owned()))
    }

    /// Returns the last component; `None` for `/`.
    pub fn file_name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Returns the components from the root on; none for `/`.
    pub fn components(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/').filter(|component| !component.is_empty())
    }

    /// Tells whether this path is `base` or below it, by whole components: `/a-b` is not below `/a`.
    pub fn starts_with(&self, base: &Self) -> bool {
        self == base || self.is_below(base)
    }

    /// Tells whether this path is below `base` and not `base` itself.
    pub fn is_below(&self, base: &Self) -> bool {
        base.0 == "/" && self.0 != "/"
            || self
                .0
                .strip_prefix(&base.0)
                .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the text of the parent directory without allocating.
pub(crate) fn parent_text(text: &str) -> Option<&str> {
    match text.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

impl fmt::Display for VirtualPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for VirtualPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

// Equality, order and hash are those of the text, so that sets of paths can be asked with a slice.
impl Borrow<str> for VirtualPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
