//! Patterns over guest paths: `*` within a segment, `**` for any number of whole segments.

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

impl NamePattern {
    fn parse(segment: &str) -> Option<Self> {
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
            return ancestors(path).any(|directory| fits(top, &directory));
        }
        fits(top, path)
    }

    /// Tells whether it matches this path or a directory above, a final `/**` standing for the directory as well.
    pub(crate) fn holds_for(&self, path: &VirtualPath) -> bool {
        let (top, _) = self.split();
        fits(top, path) || ancestors(path).any(|directory| fits(top, &directory))
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

/// Matches whole paths, in the number of segments times that of components: only the last `**` is ever tried again.
fn fits(segments: &[Segment], path: &VirtualPath) -> bool {
    let names: Vec<&str> = path.components().collect();
    let (mut at, mut name) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while let Some(text) = names.get(name) {
        let fits = match segments.get(at) {
            Some(Segment::Deep) => {
                again = Some((at, name));
                at += 1;
                continue;
            }
            Some(Segment::Literal(literal)) => literal == text,
            Some(Segment::Name(pattern)) => pattern.matches(text),
            None => false,
        };
        if fits {
            (at, name) = (at + 1, name + 1);
        } else if let Some((deep, from)) = again {
            again = Some((deep, from + 1));
            (at, name) = (deep + 1, from + 1);
        } else {
            return false;
        }
    }
    segments
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|segment| *segment == Segment::Deep))
}
