//! Paths of requests, and the patterns that network rules have for them.
//!
//! Servers and the proxies before them read an odd path each in their own way. So a path that a pattern is compared
//! with has one reading: what is ambiguous is refused and never repaired.

use std::borrow::Cow;
use std::fmt;

use super::glob::{NamePattern, Segment, fits};
use crate::error::Refusal;
use crate::http::MAX_PATH;

/// The longest pattern in bytes.
const MAX_PATTERN: usize = 1024;

/// The path of a request, without its query, that everyone reads in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainPath<'a> {
    raw: &'a str,
    /// As it is for a server that decodes it; where nothing is encoded, the same.
    decoded: Cow<'a, str>,
}

impl<'a> PlainPath<'a> {
    /// Checks a path.
    ///
    /// # Errors
    /// What makes it ambiguous, as part of a sentence: segments `.` and `..`, empty segments but for the last, `\` and
    /// `;`; percent-encodings that are none, are no UTF-8, or stand for a character that means something in a path or needs no
    /// encoding; control and non-ASCII characters; more than 8192 bytes.
    pub(crate) fn parse(raw: &'a str) -> Result<Self, &'static str> {
        if !raw.starts_with('/') {
            return Err("it does not start with '/'");
        }
        if raw.len() > MAX_PATH {
            return Err("it is longer than 8192 bytes");
        }
        if raw
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || b"?#".contains(&byte))
        {
            return Err("it holds a character that has to be percent-encoded");
        }
        if raw.contains('\\') {
            return Err("it holds a '\\'");
        }
        if raw.contains(';') {
            return Err("it holds a ';'");
        }
        if raw.contains("//") {
            return Err("it holds an empty segment ('//')");
        }
        let decoded = decode(raw)?;
        // Some servers cut spaces off the ends of a segment.
        if decoded
            .split('/')
            .any(|segment| matches!(segment.trim(), "." | ".."))
        {
            return Err("it holds a segment '.' or '..'");
        }
        Ok(Self { raw, decoded })
    }

    /// Returns it as it was written.
    pub(crate) fn as_str(&self) -> &'a str {
        self.raw
    }
}

/// Decodes what is percent-encoded, if nothing else means the same.
fn decode(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    let mut parts = raw.split('%');
    let head = parts.next().unwrap_or_default();
    let mut decoded = head.as_bytes().to_vec();
    for part in parts {
        let byte = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .ok_or("it holds a '%' that encodes nothing")?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            return Err("it encodes a character that needs no encoding, as %2e does");
        }
        if byte.is_ascii_control() || b"/\\%?#;".contains(&byte) {
            return Err("it encodes a character that means something in a path, as %2f does");
        }
        decoded.push(byte);
        decoded.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    if decoded.len() == raw.len() {
        return Ok(Cow::Borrowed(raw));
    }
    // Overlong forms, which some decoders take for '.' and '/', are no UTF-8 either.
    match String::from_utf8(decoded) {
        Ok(decoded) if !decoded.contains(char::is_control) => Ok(Cow::Owned(decoded)),
        Ok(_) | Err(_) => Err("what it encodes is no text in UTF-8"),
    }
}

/// The paths that a network rule is about. Upper and lower case are different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoutePattern {
    text: String,
    segments: Vec<Segment>,
}

impl RoutePattern {
    /// Reads `/v1/**`: `*` stands for any part of a segment, `**` for any number of whole ones, at the end for one or more.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: &str| Err(Refusal::new(format!("{text:?} {what}")));
        if text.len() > MAX_PATTERN {
            return Err(Refusal::new(format!(
                "a pattern for paths has at most {MAX_PATTERN} bytes"
            )));
        }
        let Some(path) = text.strip_prefix('/') else {
            return refuse("does not start with '/'");
        };
        if text
            .bytes()
            .any(|byte| !byte.is_ascii_graphic() || b"\\%?#;[]{}".contains(&byte))
        {
            return Err(Refusal::new(format!(
                "{text:?} holds a character that patterns for paths do not have"
            ))
            .hint("write * for a part of a segment, and ** for any number of segments"));
        }
        if text.contains("//") {
            return refuse("holds an empty segment, and such paths are never allowed");
        }
        let mut segments = Vec::new();
        for segment in path.split('/') {
            match segment {
                "." | ".." => {
                    return refuse("holds a segment '.' or '..', and such paths are never allowed");
                }
                "**" if segments.last() == Some(&Segment::Deep) => {}
                "**" => segments.push(Segment::Deep),
                _ if segment.contains("**") => {
                    return refuse("holds '**' beside other characters in one segment");
                }
                _ => segments.push(match NamePattern::parse(segment) {
                    Some(pattern) => Segment::Name(pattern),
                    None => Segment::Literal(segment.to_owned()),
                }),
            }
        }
        // At the end it stands for at least one, which may be the empty one behind a final slash.
        if segments.last() == Some(&Segment::Deep) {
            segments.insert(segments.len() - 1, Segment::Name(NamePattern::any()));
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// Tells whether it is about a path, for an entry that allows: as it is sent, and as it is decoded.
    pub(crate) fn allows(&self, path: &PlainPath<'_>) -> bool {
        self.matches(path.raw) && self.matches(&path.decoded)
    }

    /// Tells whether it is about a path, for an entry that denies: as it is sent, or as it is decoded.
    pub(crate) fn denies(&self, path: &PlainPath<'_>) -> bool {
        self.matches(path.raw) || self.matches(&path.decoded)
    }

    fn matches(&self, path: &str) -> bool {
        path.strip_prefix('/')
            .is_some_and(|names| fits(&self.segments, names.split('/')))
    }

    /// Tells whether all that `other` is about is covered by this as well; false where that is not plain.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        if self.text == other.text {
            return true;
        }
        let fixed = |segment: &Segment| matches!(segment, Segment::Literal(_));
        if other.segments.iter().all(fixed) {
            return self.matches(&other.text);
        }
        // `/a/**` covers what has one segment more at least, and `**` at an end never stands alone.
        let Some((Segment::Deep, rest)) = self.segments.split_last() else {
            return false;
        };
        let base = rest.split_last().map_or(rest, |(_, base)| base);
        !base.contains(&Segment::Deep)
            && other.segments.len() > base.len()
            && other.segments.starts_with(base)
    }
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
