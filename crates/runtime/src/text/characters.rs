//! Characters that do not show, that act on a terminal, or that change the order in which a text is read.

use super::{Mark, counted, excerpt};
use crate::docs::is_plain;

/// Longest text in tag characters that is quoted, in characters.
const QUOTED: usize = 80;

/// Places of one kind.
#[derive(Default)]
struct Places {
    first: Option<usize>,
    count: usize,
}

impl Places {
    fn add(&mut self, at: usize) {
        self.first.get_or_insert(at);
        self.count += 1;
    }

    fn mark(&self, rule: &'static str, what: &str, text: &str) -> Option<Mark> {
        let at = self.first?;
        Some(Mark {
            rule,
            at,
            what: format!("{}: {}", counted(self.count, what), excerpt(text, at)),
        })
    }
}

pub(super) fn marks(text: &str) -> Vec<Mark> {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
    {
        return Vec::new();
    }
    let (mut hidden, mut acting, mut bidi, mut marks) = (
        Places::default(),
        Places::default(),
        Places::default(),
        Places::default(),
    );
    let mut right_to_left = false;
    // What tag characters spell, which is ASCII that nobody sees.
    let mut spelt = String::new();
    let mut before: Option<char> = None;
    let mut flag_tags = 0_u8;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let after = letters.peek().map(|(_, next)| *next);
        flag_tags = match (before, letter) {
            (Some('\u{1f3f4}'), _) => 7,
            (_, '\u{e0020}'..='\u{e007f}') => flag_tags.saturating_sub(1),
            _ => 0,
        };
        match letter {
            '\t' | '\n' | '\r' => {}
            control if control.is_control() => acting.add(at),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => bidi.add(at),
            '\u{200e}' | '\u{200f}' | '\u{61c}' => marks.add(at),
            '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' => {
                right_to_left = true;
            }
            '\u{feff}' if at == 0 => {}
            '\u{e0020}'..='\u{e007f}' if flag_tags > 0 => {}
            shown if is_plain(shown) || belongs(shown, before, after) => {}
            tag => {
                hidden.add(at);
                if let Some(said) = u32::from(tag).checked_sub(0xe0000)
                    && let Some(said @ ' '..='~') = char::from_u32(said)
                    && spelt.len() < QUOTED
                {
                    spelt.push(said);
                }
            }
        }
        before = Some(letter);
    }
    let mut found: Vec<Mark> = [
        acting.mark("text.ansi", "control character", text),
        bidi.mark("text.bidi", "character that reorders text", text),
        hidden.mark("text.hidden", "invisible character", text),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Marks of direction belong to scripts that are written so.
    if !right_to_left && bidi.first.is_none() {
        found.extend(marks.mark("text.bidi", "mark of direction", text));
    }
    if !spelt.is_empty()
        && let Some(mark) = found.iter_mut().find(|mark| mark.rule == "text.hidden")
    {
        mark.what = format!("{}; tag characters spell “{spelt}”", mark.what);
    }
    found
}

/// Whether an invisible character has its place in ordinary writing: joiners inside emoji and scripts that join, selectors
/// behind what they select.
fn belongs(letter: char, before: Option<char>, after: Option<char>) -> bool {
    let joins = |near: Option<char>| near.is_some_and(|near| near >= '\u{600}');
    let Some(before) = before else { return false };
    match letter {
        '\u{200c}' | '\u{200d}' => {
            (is_plain(before) || before == '\u{fe0f}') && joins(Some(before)) && joins(after)
        }
        '\u{fe0e}' | '\u{fe0f}' => {
            matches!(before, '0'..='9' | '#' | '*') || is_plain(before) && !before.is_ascii()
        }
        '\u{fe00}'..='\u{fe0d}' => is_plain(before) && before >= '\u{2000}',
        '\u{e0100}'..='\u{e01ef}' => {
            matches!(before, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        }
        '\u{180b}'..='\u{180f}' => matches!(before, '\u{1800}'..='\u{18af}'),
        _ => false,
    }
}
