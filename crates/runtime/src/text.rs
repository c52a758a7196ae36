//! Does a text that a third party wrote for a model try to do more than describe?
//!
//! Pure rules over the text as it was written, before [`docs`](crate::docs) makes it safe to show. They find what hides
//! from a reader, what acts on a terminal, and what speaks to a model instead of describing a tool. A finding is a reason
//! to read the text, and never a proof of intent; no finding is no proof of the opposite. Work grows with the length of
//! the text, and memory by eight bytes for each word that is looked at.

mod characters;
mod instructions;

use crate::docs::{MAX_DOCS_BYTES, is_plain};
use std::collections::HashMap;
use unicode_security::skeleton;

/// Most findings that are kept of one component.
pub const MAX_FINDINGS: usize = 200;

/// Longest excerpt of a text in a finding, in characters before escaping.
const EXCERPT: usize = 72;

/// Shortest run of Base64 that is no longer a word, in characters.
const BASE64_RUN: usize = 64;

/// Something in a text or a name that a person should read before they trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFinding {
    /// The rule, a stable word: `text.hidden`, `text.ansi`, `text.bidi`, `text.instruction`, `text.lookalike`,
    /// `text.long`, `text.url`, `text.data-uri` or `text.base64`.
    pub rule: &'static str,
    /// Where it stands: `component`, the author's name of a tool, that and a parameter, or a type and its field.
    pub place: String,
    /// What it is, with an excerpt in which everything that does not show as itself is escaped.
    pub what: String,
}

/// What one rule found in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) rule: &'static str,
    /// Where the first of it begins, in bytes of the text.
    pub(crate) at: usize,
    pub(crate) what: String,
}

/// Judges one text, which stands at `place`. A rule that finds several things reports the first and how many.
#[must_use]
pub fn of_text(place: &str, text: &str) -> Vec<TextFinding> {
    let found = marks(text).into_iter();
    found.map(|mark| mark.at_place(place.to_owned())).collect()
}

/// Judges names that stand side by side, such as those of all tools: which of them can be taken for another.
///
/// Each is given with its place. Work grows with the number of names.
#[must_use]
pub fn of_names<'n>(names: impl IntoIterator<Item = (&'n str, &'n str)>) -> Vec<TextFinding> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut found = Vec::new();
    for (place, name) in names {
        match seen.get(shape(name).as_str()) {
            Some(other) if *other != name => found.push(TextFinding {
                rule: "text.lookalike",
                place: place.to_owned(),
                what: format!(
                    "the name {} can be taken for {}",
                    excerpt(name, 0),
                    excerpt(other, 0)
                ),
            }),
            Some(_) => {}
            None => {
                seen.insert(shape(name), name);
            }
        }
    }
    found
}

impl Mark {
    pub(crate) fn at_place(self, place: String) -> TextFinding {
        TextFinding {
            rule: self.rule,
            place,
            what: self.what,
        }
    }
}

/// Everything that the rules find in `text`, at most one mark of each rule but `text.instruction`, which has one for each kind.
pub(crate) fn marks(text: &str) -> Vec<Mark> {
    let mut found = characters::marks(text);
    found.extend(instructions::marks(text));
    if text.len() > MAX_DOCS_BYTES {
        found.push(Mark {
            rule: "text.long",
            at: 0,
            what: format!(
                "{} bytes of text, of which the first {MAX_DOCS_BYTES} at most are shown: {}",
                text.len(),
                excerpt(text, 0)
            ),
        });
    }
    found.extend(lookalike(text));
    found.extend(links(text));
    found.extend(base64(text));
    found
}

/// What a name looks like: letters that are easily taken for each other are one, and separators are none.
fn shape(name: &str) -> String {
    let letters: String = name
        .chars()
        .filter(|letter| !matches!(letter, '-' | '_' | '.' | ' ') && is_plain(*letter))
        .flat_map(char::to_lowercase)
        .collect();
    // Once more in small letters: the skeleton of a digit is a capital.
    skeleton(&letters).flat_map(char::to_lowercase).collect()
}

/// A word that mixes letters of another script among Latin ones that look the same, or that is made of letters for formulas.
fn lookalike(text: &str) -> Option<Mark> {
    if text.is_ascii() {
        return None;
    }
    let mut words = words(text).filter(|(_, word)| !word.is_ascii() && deceives(word));
    let (at, _) = words.next()?;
    Some(Mark {
        rule: "text.lookalike",
        at,
        what: format!(
            "{} with letters that look like others: {}",
            counted(1 + words.count(), "word"),
            excerpt(text, at)
        ),
    })
}

fn deceives(word: &str) -> bool {
    use unicode_script::{Script, UnicodeScript as _};
    let mut latin = false;
    let mut posing = false;
    let mut styled = 0_usize;
    for letter in word.chars() {
        match letter.script() {
            _ if matches!(letter, '\u{1d400}'..='\u{1d7ff}' | '\u{ff21}'..='\u{ff5a}' | '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}') =>
            {
                styled += 1;
            }
            Script::Latin => latin = true,
            Script::Common | Script::Inherited => {}
            _ => posing |= looks_latin(letter),
        }
    }
    latin && posing || styled >= 3
}

/// Whether a letter of another script is easily taken for a letter of ASCII.
fn looks_latin(letter: char) -> bool {
    let mut alone = [0; 4];
    let mut shape = skeleton(letter.encode_utf8(&mut alone));
    matches!((shape.next(), shape.next()), (Some(first), None) if first.is_ascii_alphabetic())
}

/// Words of letters and digits, with their places in bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let split = text.split(|letter: char| !letter.is_alphanumeric());
    split.filter(|word| !word.is_empty()).map(move |word| {
        // Both are parts of one string.
        (word.as_ptr().addr() - text.as_ptr().addr(), word)
    })
}

/// Addresses, and data that is written as one.
fn links(text: &str) -> impl Iterator<Item = Mark> {
    let mut urls = Vec::new();
    let mut data = Vec::new();
    for (colon, _) in text.match_indices(':') {
        let (before, after) = text.split_at(colon);
        let scheme = before
            .rsplit(|letter: char| !letter.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        let start = colon - scheme.len();
        let is = |known: &str| scheme.eq_ignore_ascii_case(known);
        if ["http", "https", "ftp", "file", "ws", "wss"]
            .into_iter()
            .any(is)
            && after.starts_with("://")
            || is("javascript")
        {
            urls.push(start);
        } else if is("data") {
            let head: String = after.chars().take(100).collect();
            let head = head.to_ascii_lowercase();
            let media = |letter: char| letter.is_ascii_alphanumeric() || "/;=+-.:".contains(letter);
            if let Some((media_type, _)) = head.split_once(',')
                && media_type.chars().all(media)
                && (media_type.contains('/') || media_type.contains(";base64"))
            {
                data.push(start);
            }
        }
    }
    let mark = move |rule, what, places: Vec<usize>| {
        let at = *places.first()?;
        Some(Mark {
            rule,
            at,
            what: format!("{}: {}", counted(places.len(), what), excerpt(text, at)),
        })
    };
    let urls = mark("text.url", "address", urls);
    let data = mark("text.data-uri", "data URI", data);
    urls.into_iter().chain(data)
}

/// Long runs that are rather data than words: capitals, small letters and digits without a break.
fn base64(text: &str) -> Option<Mark> {
    let is_data = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/');
    let mut runs = text.split(|letter| !is_data(letter)).filter(|run| {
        run.len() >= BASE64_RUN
            && run.contains(|letter: char| letter.is_ascii_uppercase())
            && run.contains(|letter: char| letter.is_ascii_lowercase())
            && run.contains(|letter: char| letter.is_ascii_digit())
    });
    let first = runs.next()?;
    let at = first.as_ptr().addr() - text.as_ptr().addr();
    Some(Mark {
        rule: "text.base64",
        at,
        what: format!(
            "{} that looks like data in Base64, {} characters: {}",
            counted(1 + runs.count(), "run"),
            first.len(),
            excerpt(text, at)
        ),
    })
}

/// `1 word`, `2 words`.
fn counted(count: usize, what: &str) -> String {
    match (count, what.ends_with('s')) {
        (1, _) => format!("1 {what}"),
        (_, true) => format!("{count} {what}es"),
        (_, false) => format!("{count} {what}s"),
    }
}

/// What stands around byte `at`, in quotation marks; what does not show as itself is escaped.
pub(crate) fn excerpt(text: &str, at: usize) -> String {
    let (before, after) = text.split_at_checked(at).unwrap_or(("", text));
    let lead = before.chars().rev().take(EXCERPT / 3);
    let lead = lead
        .take_while(|letter| *letter != '\n')
        .map(char::len_utf8)
        .sum::<usize>();
    let begin = before.len() - lead;
    let mut shown = String::from("“");
    if begin > 0 {
        shown.push('…');
    }
    let mut rest = text.get(begin..).unwrap_or(after).chars();
    for letter in rest.by_ref().take(EXCERPT) {
        match letter {
            '\n' | '\t' | '\r' => shown.push(' '),
            plain if is_plain(plain) => shown.push(plain),
            hidden => shown.extend(hidden.escape_unicode()),
        }
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    shown.push('”');
    shown
}

#[cfg(test)]
mod tests;
