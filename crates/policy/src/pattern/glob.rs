//! Patterns over paths: `*` within a segment, `**` for any number of whole segments.

use std::fmt;

use crate::error::Refusal;
use crate::path::VirtualPath;

/// The longest pattern in bytes.
const MAX_GLOB: usize = 512;
/// What other tools take for a pattern: refused rather than taken for a name.
const FOREIGN: [char; 6] = ['?', '[', ']', '{', '}', '\\'];

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Segment {
    /// `**`: any number of whole segments, also none.
    Deep,
    /// This name.
    Literal(String),
    /// A name with `*` in it.
    Name(NamePattern),
}

/// A name with at least one `*`, each for any number of characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NamePattern {
    first: String,
    inner: Vec<String>,
    last: String,
}

/// A pattern over guest paths that is more than a final `/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathGlob {
    text: String,
    base: VirtualPath,
    segments: Vec<Segment>,
}

impl Segment {
    /// Tells whether it stands for this one name.
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Deep => true,
            Self::Literal(literal) => literal == name,
            Self::Name(pattern) => pattern.matches(name),
        }
    }
}

impl NamePattern {
    /// Reads a name with at least one `*`; `None` for one without.
    pub(crate) fn parse(segment: &str) -> Option<Self> {
        let (first, rest) = segment.split_once('*')?;
        let (inner, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let inner = inner.split('*').filter(|piece| !piece.is_empty());
        Some(Self {
            first: first.to_owned(),
            inner: inner.map(str::to_owned).collect(),
            last: last.to_owned(),
        })
    }

    /// The pattern `*`.
    pub(crate) fn any() -> Self {
        Self {
            first: String::new(),
            inner: Vec::new(),
            last: String::new(),
        }
    }

    /// Returns what a name that fits starts with.
    pub(crate) fn first(&self) -> &str {
        &self.first
    }

    /// Returns what a name that fits ends with.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    /// Tells whether a name fits, byte by byte.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some(mut rest) = name
            .strip_prefix(self.first.as_str())
            .and_then(|rest| rest.strip_suffix(self.last.as_str()))
        else {
            return false;
        };
        // The earliest place for each piece leaves the most for those after it.
        self.inner
            .iter()
            .all(|piece| match rest.split_once(piece.as_str()) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
    }
}

/// Tells whether a segment holds what makes it a pattern.
pub(crate) fn is_pattern(segment: &str) -> bool {
    segment.contains('*')
}

/// Refuses what reads like a pattern of another language.
pub(crate) fn check_name(text: &str, segment: &str) -> Result<(), Refusal> {
    match segment
        .chars()
        .find(|character| FOREIGN.contains(character))
    {
        None => Ok(()),
        Some(character) => Err(Refusal::new(format!(
            "{text:?} holds {character:?}, and patterns have only * and **"
        ))
        .hint("write one entry for each, or * where the character stands")),
    }
}

impl PathGlob {
    /// Parses a guest path with patterns; `uri` is what a person wrote. Its fixed start has at least one segment.
    pub(crate) fn parse(uri: &str, text: String) -> Result<Self, Refusal> {
        if text.len() > MAX_GLOB {
            return Err(Refusal::new(format!(
                "a pattern has at most {MAX_GLOB} bytes, this one has {}",
                text.len()
            )));
        }
        let names = || text.split('/').skip(1);
        if names().any(|name| name.contains("**") && name != "**") {
            return Err(Refusal::new(format!(
                "{uri:?} holds '**' beside other characters in one segment"
            ))
            .hint("** stands for any number of whole segments, * for a part of one"));
        }
        if names()
            .zip(names().skip(1))
            .any(|pair| pair == ("**", "**"))
        {
            return Err(
                Refusal::new(format!("{uri:?} holds '**' twice in a row")).hint("write it once")
            );
        }
        let mut base = VirtualPath::root();
        for name in names().take_while(|name| !is_pattern(name)) {
            base = base
                .join(name)
                .map_err(|error| Refusal::new(format!("{uri:?} is refused: {error}")))?;
        }
        let segments = names()
            .map(|name| match NamePattern::parse(name) {
                _ if name == "**" => Segment::Deep,
                Some(pattern) => Segment::Name(pattern),
                None => Segment::Literal(name.to_owned()),
            })
            .collect();
        Ok(Self {
            text,
            base,
            segments,
        })
    }

    /// Returns the directory that everything it matches is below.
    pub(crate) fn base(&self) -> &VirtualPath {
        &self.base
    }

    /// Returns the segments without a final `/**`, and whether there is one.
    pub(crate) fn split(&self) -> (&[Segment], bool) {
        match self.segments.split_last() {
            Some((Segment::Deep, top)) => (top, true),
            _ => (&self.segments, false),
        }
    }

    /// Tells whether it matches this path.
    pub(crate) fn matches(&self, path: &VirtualPath) -> bool {
        let (top, below) = self.split();
        if below {
            return ancestors(path).any(|directory| fits(top, directory.components()));
        }
        fits(top, path.components())
    }

    /// Tells whether it matches this path or a directory above, a final `/**` standing for the directory as well.
    pub(crate) fn holds_for(&self, path: &VirtualPath) -> bool {
        let (top, _) = self.split();
        fits(top, path.components())
            || ancestors(path).any(|directory| fits(top, directory.components()))
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn ancestors(path: &VirtualPath) -> impl Iterator<Item = VirtualPath> {
    std::iter::successors(path.parent(), VirtualPath::parent)
}

/// Matches all of `names`, in the number of segments times that of names: only the last `**` is ever tried again.
pub(crate) fn fits<'n>(segments: &[Segment], names: impl Iterator<Item = &'n str> + Clone) -> bool {
    let (mut left, mut names) = (segments, names);
    // What follows the last `**`, and the names behind those that it stands for so far.
    let mut again = None;
    loop {
        let mut after = names.clone();
        let Some(name) = after.next() else {
            return left.iter().all(|segment| *segment == Segment::Deep);
        };
        match left.split_first() {
            Some((Segment::Deep, rest)) => {
                again = Some((rest, names.clone()));
                left = rest;
                continue;
            }
            Some((segment, rest)) if segment.is(name) => {
                (left, names) = (rest, after);
                continue;
            }
            Some(_) | None => {}
        }
        let Some((rest, mut from)) = again else {
            return false;
        };
        from.next();
        (left, names) = (rest, from.clone());
        again = Some((rest, from));
    }
}
