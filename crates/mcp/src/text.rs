//! Foreign text inside Casemate's own sentences.

use std::fmt::Write as _;

/// `text` as a quotable part of a sentence, at most about `max` characters long.
///
/// Letters and digits of any script and ASCII punctuation show as themselves; everything else,
/// such as line ends, escapes, bidirectional and invisible characters, as `\u{…}`: what comes
/// from a guest or a model can neither end the line nor rearrange it.
pub(crate) fn shown(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max) + 4);
    for (count, character) in text.chars().enumerate() {
        if count == max {
            out.push('…');
            break;
        }
        if shows(character) {
            out.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", character.escape_unicode());
        }
    }
    out
}

fn shows(character: char) -> bool {
    match character {
        ' '..='~' => true,
        // Letters by class that are blank by look: the Hangul fillers.
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        other => other.is_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn ordinary_text_shows_as_itself() {
        assert_eq!(
            shown("storage read /workspace/Ærø.txt", 80),
            "storage read /workspace/Ærø.txt"
        );
    }

    #[test]
    fn what_could_break_the_sentence_is_escaped() {
        assert_eq!(
            shown("a\nb\u{1b}[2J\u{202e}\u{200b}\u{9b}\u{3164}", 80),
            "a\\u{a}b\\u{1b}[2J\\u{202e}\\u{200b}\\u{9b}\\u{3164}"
        );
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shown("ææææ", 2), "ææ…");
        assert_eq!(shown("ææ", 2), "ææ");
    }
}
