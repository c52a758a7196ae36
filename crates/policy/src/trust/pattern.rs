//! What rules match: places, URIs and e-mail addresses. All of them from the first to the last character, byte by byte.

use std::fmt;

use crate::error::Refusal;
use crate::pattern::{NamePattern, Segment, check_name, fits};

/// The longest pattern in bytes.
const MAX_PATTERN: usize = 1024;

/// Which repositories a rule is for: `registry[:port]/repository`, or host and path of an `https` source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlacePattern {
    text: String,
    segments: Vec<Segment>,
}

/// Which URI a certificate may name: the scheme, the host and what comes first in the path are written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UriPattern {
    text: String,
    segments: Vec<Segment>,
}

/// Which e-mail address a certificate may name: the domain is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EmailPattern {
    text: String,
    name: Segment,
}

impl PlacePattern {
    pub(super) fn everywhere() -> Self {
        Self {
            text: "**".to_owned(),
            segments: vec![Segment::Deep],
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(
                Refusal::new(format!("{text:?} starts with {scheme:?}, and rules are for places whatever they are fetched with"))
                    .hint(format!("write {rest:?}")),
            );
        }
        let host = text.split('/').next().unwrap_or_default();
        if host.chars().any(|character| character.is_ascii_uppercase()) {
            return Err(Refusal::new(format!(
                "{text:?} holds a host in upper case, which no reference has"
            ))
            .hint(format!("write {:?}", host.to_ascii_lowercase())));
        }
        let path = text.get(host.len()..).unwrap_or_default();
        if text.contains('@')
            || path.contains(':')
            || text.ends_with('/')
            || text.split('/').any(str::is_empty)
        {
            return Err(Refusal::new(format!("{text:?} is not the name of a repository"))
                .hint("write registry[:port]/repository without tag and digest, such as \"ghcr.io/example/**\""));
        }
        let segments = segments(text)?;
        if segments.len() == 1 && segments != [Segment::Deep] {
            return Err(Refusal::new(format!(
                "{text:?} names a registry and no repository, so no reference fits it"
            ))
            .hint(format!("for all of its repositories write \"{text}/**\"")));
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// Tells whether a place fits. The host's case, a final dot and the port of `https` make no other place of it.
    pub(super) fn matches(&self, place: &str) -> bool {
        let (host, path) = place.split_once('/').unwrap_or((place, ""));
        let host = one_spelling(host);
        let names = std::iter::once(host.as_str()).chain(path.split('/'));
        // A rule may be written with the port as well.
        fits(&self.segments, names.clone()) || {
            let with_port = format!("{host}:443");
            let names = std::iter::once(with_port.as_str()).chain(path.split('/'));
            !host.contains(':') && fits(&self.segments, names)
        }
    }
}

fn one_spelling(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").unwrap_or(&host);
    match host.rsplit_once(':') {
        Some((name, port)) => format!("{}:{port}", name.strip_suffix('.').unwrap_or(name)),
        None => host.strip_suffix('.').unwrap_or(host).to_owned(),
    }
}

impl UriPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let example = "write it as the certificate has it, such as \
            \"https://github.com/OWNER/REPO/.github/workflows/release.yml@refs/tags/*\"";
        let wide = |what: &str| {
            Err(
                Refusal::new(format!("{text:?}: {what}, so anybody there would fit")).hint(
                    "write the scheme, the host and the owner out; * and ** may stand behind them",
                ),
            )
        };
        if text.trim_matches('*').is_empty() {
            return wide("nothing is written out");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Refusal::new(format!("{text:?} is not a URI")).hint(
                "an e-mail address belongs under email:; a URI starts with a scheme such as https://",
            ));
        };
        visible(text)?;
        let mut path = rest.split('/');
        let host = path.next().unwrap_or_default();
        if scheme.is_empty() || host.is_empty() {
            return Err(Refusal::new(format!("{text:?} is not a URI")).hint(example));
        }
        if scheme.contains('*') || host.contains('*') {
            return wide("the scheme or the host is a pattern");
        }
        if path.next().is_some_and(|owner| owner.contains('*')) {
            return wide("what comes first in the path is a pattern");
        }
        Ok(Self {
            text: text.to_owned(),
            segments: segments(text)?,
        })
    }

    pub(super) fn matches(&self, uri: &str) -> bool {
        fits(&self.segments, uri.split('/'))
    }
}

impl EmailPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        visible(text)?;
        let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        if local.is_empty() || domain.is_empty() || text.contains('/') {
            return Err(
                Refusal::new(format!("{text:?} is not an e-mail address")).hint(
                    "a URI belongs under identity:; an address looks like \"name@example.com\"",
                ),
            );
        }
        if domain.contains('*') {
            return Err(Refusal::new(format!(
                "{text:?}: the domain is a pattern, so anybody would fit"
            ))
            .hint("write the domain out; * may stand before the @"));
        }
        check_name(text, text)?;
        let name = match NamePattern::parse(text) {
            Some(pattern) => Segment::Name(pattern),
            None => Segment::Literal(text.to_owned()),
        };
        Ok(Self {
            text: text.to_owned(),
            name,
        })
    }

    pub(super) fn matches(&self, email: &str) -> bool {
        fits(std::slice::from_ref(&self.name), std::iter::once(email))
    }
}

/// Reads a pattern of segments between slashes.
fn segments(text: &str) -> Result<Vec<Segment>, Refusal> {
    visible(text)?;
    text.split('/')
        .map(|segment| {
            check_name(text, segment)?;
            match NamePattern::parse(segment) {
                _ if segment == "**" => Ok(Segment::Deep),
                Some(_) if segment.contains("**") => Err(Refusal::new(format!(
                    "{text:?} holds '**' beside other characters in one segment"
                ))
                .hint("** stands for any number of whole segments, * for a part of one")),
                Some(pattern) => Ok(Segment::Name(pattern)),
                None => Ok(Segment::Literal(segment.to_owned())),
            }
        })
        .collect()
}

/// Refuses what nobody could tell from something else by looking, and what is longer than any name.
pub(super) fn visible(text: &str) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > MAX_PATTERN {
        return Err(Refusal::new(format!(
            "expected 1 to {MAX_PATTERN} bytes, found {}",
            text.len()
        )));
    }
    match text.chars().find(|character| !character.is_ascii_graphic()) {
        None => Ok(()),
        Some(character) => Err(Refusal::new(format!(
            "{text:?} holds {}, and only visible ASCII characters can stand here",
            character.escape_unicode()
        ))),
    }
}

impl fmt::Display for PlacePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Display for UriPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Display for EmailPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
