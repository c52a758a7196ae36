//! Sentences that speak to a model instead of describing a tool.
//!
//! A small set of phrases, chosen so that descriptions of honest tools rarely match. Words are compared in small letters,
//! without invisible characters and with letters of other scripts read as the Latin ones that they look like.

use super::{Mark, excerpt};
use crate::docs::is_plain;
use std::collections::HashMap;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// How much of a text is searched for phrases, in bytes; what a model is shown of it is far less.
const SEARCHED: usize = 256 << 10;

/// What a phrase does, and its words. `a|b` is either word, `~3` up to three other words. The order of the kinds is the order
/// of the findings.
const PHRASES: &[(&str, &str)] = &[
    (
        OVERRIDES,
        "ignore|disregard|forget|override|bypass ~3 previous|prior|earlier|above|preceding|system|other|your ~2 instructions|instruction|prompt|prompts|rules|guidelines|directives|messages|context|policies",
    ),
    (
        OVERRIDES,
        "ignore|disregard|forget|override|bypass all|any|every|everything ~2 instructions|instruction|prompt|prompts|guidelines|directives",
    ),
    (
        OVERRIDES,
        "ignore|disregard|forget everything|anything|all ~1 above|before|earlier|previously",
    ),
    (
        OVERRIDES,
        "your new|real|true|actual instructions|task|goal|orders",
    ),
    (
        OVERRIDES,
        "new|hidden|secret|updated system instructions|prompt|message",
    ),
    (OVERRIDES, "system|developer prompt|prompts"),
    (OVERRIDES, "you are now"),
    (OVERRIDES, "pretend ~1 you"),
    (
        CONCEALS,
        "not|dont|never ~1 tell|inform|notify|mention|alert|warn|ask|disclose ~5 user|users|human|humans|person|operator",
    ),
    (
        CONCEALS,
        "without ~1 telling|informing|notifying|asking|mentioning|alerting|confirming|confirmation ~3 user|users|human|humans|person|operator",
    ),
    (
        CONCEALS,
        "hide|conceal|keep ~4 from ~1 user|users|human|humans|person|operator",
    ),
    (
        CONCEALS,
        "secretly|silently|covertly|discreetly ~2 send|call|forward|upload|exfiltrate|post|transmit|email|collect|invoke",
    ),
    (
        COMMANDS,
        "before|after|when|whenever|while ~1 using|calling|invoking|running ~1 this|any|other|another ~1 tool|tools ~8 read|call|send|use|invoke|run|open|fetch|execute|pass|include|upload",
    ),
    (
        COMMANDS,
        "read|call|send|use|invoke|run|open|fetch|execute|pass|include|upload ~6 before|after|whenever ~1 using|calling|invoking|running ~1 this|any|other|another ~1 tool|tools",
    ),
    (
        COMMANDS,
        "assistant|llm|chatgpt|claude|copilot|gemini must|should|shall|always|never|needs",
    ),
    (
        COMMANDS,
        "ai agent|model|assistant must|should|shall|always|never|needs",
    ),
    (
        COMMANDS,
        "dont|not|never ~1 use|call|invoke|trust any|all|other|another ~1 tool|tools",
    ),
    (
        COMMANDS,
        "always|must|only use|call|prefer|invoke this tool ~2 instead|first|before|over|rather",
    ),
    (
        COMMANDS,
        "instead of any|all|every|other|using ~1 other ~1 tool|tools",
    ),
    (
        PERMITS,
        "call|use|invoke|run|execute|type|approve|accept|confirm ~3 grant|revoke|permission|permissions|casemate",
    ),
    (PERMITS, "casemate grant|allow|add|limit|policy|trust"),
    (
        SECRETS,
        "send|forward|upload|post|email|transmit|exfiltrate|include|pass|copy ~6 conversation|chat ~1 history|transcript|context|log|messages",
    ),
    (
        SECRETS,
        "contents|content of ~3 ssh|env|credentials|passwd|keychain",
    ),
];

/// What is found as it stands, whatever is around it.
const MARKERS: &[(&str, &str)] = &[
    (MARKUP, "<important>"),
    (MARKUP, "<system>"),
    (MARKUP, "<system-"),
    (MARKUP, "<assistant"),
    (MARKUP, "<secret"),
    (MARKUP, "<instruction"),
    (MARKUP, "<|im_start|>"),
    (MARKUP, "<|system|>"),
    (MARKUP, "<|user|>"),
    (MARKUP, "[inst]"),
    (MARKUP, "[system]"),
    (MARKUP, "<<sys>>"),
    (SECRETS, "~/.ssh"),
    (SECRETS, "id_rsa"),
    (SECRETS, "id_ed25519"),
    (SECRETS, ".aws/credentials"),
    (SECRETS, "/etc/passwd"),
    (SECRETS, "/etc/shadow"),
    (SECRETS, "mcp.json"),
    (SECRETS, "claude_desktop_config"),
];

const OVERRIDES: &str = "tells a model to set aside what it was told";
const CONCEALS: &str = "asks to hide something from the user";
const COMMANDS: &str = "tells a model what to do beside this call";
const PERMITS: &str = "speaks of giving permissions";
const SECRETS: &str = "speaks of files or conversations that hold secrets";
const MARKUP: &str = "has markup that models take for instructions";

/// A word of a phrase: how many others may stand before it, and which it may be.
struct Step {
    gap: usize,
    words: Vec<u16>,
}

/// The phrases, with their words as numbers.
struct Phrases {
    numbers: HashMap<&'static str, u16>,
    phrases: Vec<(&'static str, Vec<Step>)>,
    /// By the first word.
    begin: HashMap<u16, Vec<usize>>,
}

/// A word that is in no phrase.
const OTHER: u16 = 0;
/// The end of a sentence, which no phrase reaches over.
const STOP: u16 = 1;

static KNOWN: LazyLock<Phrases> = LazyLock::new(|| {
    let mut known = Phrases {
        numbers: HashMap::new(),
        phrases: Vec::new(),
        begin: HashMap::new(),
    };
    for (kind, text) in PHRASES {
        let mut steps: Vec<Step> = Vec::new();
        let mut gap = 0;
        for part in text.split(' ') {
            if let Some(count) = part.strip_prefix('~') {
                gap = count.parse().unwrap_or(0);
                continue;
            }
            let words = part.split('|').map(|word| known.number(word)).collect();
            steps.push(Step { gap, words });
            gap = 0;
        }
        let index = known.phrases.len();
        for word in steps
            .first()
            .map(|step| step.words.clone())
            .into_iter()
            .flatten()
        {
            known.begin.entry(word).or_default().push(index);
        }
        known.phrases.push((kind, steps));
    }
    known
});

impl Phrases {
    fn number(&mut self, word: &'static str) -> u16 {
        let next = u16::try_from(self.numbers.len()).map_or(OTHER, |count| count + STOP + 1);
        *self.numbers.entry(word).or_insert(next)
    }
}

pub(super) fn marks(text: &str) -> Vec<Mark> {
    let searched = text.floor_char_boundary(SEARCHED);
    let text = text.get(..searched).unwrap_or(text);
    // The first place of each kind.
    let mut found: Vec<(&'static str, usize)> = Vec::new();
    let mut add = |kind: &'static str, at: usize| match found.iter_mut().find(|one| one.0 == kind) {
        Some(one) => one.1 = one.1.min(at),
        None => found.push((kind, at)),
    };
    let lower = text.to_ascii_lowercase();
    for (kind, marker) in MARKERS {
        if let Some(at) = lower.find(marker) {
            add(kind, at);
        }
    }
    let words = numbered(text);
    let mut matched = vec![false; KNOWN.phrases.len()];
    for (index, (at, word)) in words.iter().enumerate() {
        if *word <= STOP {
            continue;
        }
        for phrase in KNOWN.begin.get(word).into_iter().flatten() {
            let (Some((kind, steps)), Some(matched)) =
                (KNOWN.phrases.get(*phrase), matched.get_mut(*phrase))
            else {
                continue;
            };
            if !*matched && begins(words.get(index + 1..).unwrap_or_default(), steps) {
                *matched = true;
                add(kind, *at as usize);
            }
        }
    }
    let kinds = [OVERRIDES, CONCEALS, COMMANDS, PERMITS, SECRETS, MARKUP];
    kinds
        .into_iter()
        .filter_map(|kind| found.iter().find(|one| one.0 == kind))
        .map(|(kind, at)| Mark {
            rule: "text.instruction",
            at: *at,
            what: format!("{kind}: {}", excerpt(text, *at)),
        })
        .collect()
}

/// Whether the words after the first one go on as `steps` after their first.
fn begins(words: &[(u32, u16)], steps: &[Step]) -> bool {
    // Which words so far can be the last one of the phrase, each by one bit; the word before `words` is bit 0.
    let mut ends = 1_u64;
    for step in steps.iter().skip(1) {
        let mut candidates = 0;
        for distance in 1..=step.gap + 1 {
            candidates |= ends
                .checked_shl(u32::try_from(distance).unwrap_or(64))
                .unwrap_or(0);
        }
        ends = 0;
        for (index, (_, word)) in words.iter().take(63).enumerate() {
            if *word == STOP {
                break;
            }
            let bit = 1_u64 << (index + 1);
            if candidates < bit {
                break;
            }
            if candidates & bit != 0 && step.words.contains(word) {
                ends |= bit;
            }
        }
        if ends == 0 {
            return false;
        }
    }
    true
}

/// The words of a text as numbers, each with the place where it begins.
fn numbered(text: &str) -> Vec<(u32, u16)> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let before = word.len();
        match letter {
            _ if letter.is_ascii_alphanumeric() => word.push(letter.to_ascii_lowercase()),
            // An apostrophe inside a word, and what does not show, separate nothing.
            '\'' | '\u{2019}' if !word.is_empty() => continue,
            _ if letter.is_ascii() => {}
            _ if !is_plain(letter) && !matches!(letter, '\u{2028}' | '\u{2029}') => continue,
            _ => fold(letter, &mut word),
        }
        if word.len() > before {
            if before == 0 {
                start = at;
            }
            continue;
        }
        end_word(&mut word, start, &mut words);
        let ends = matches!(letter, '.' | '!' | '?' | ';')
            && letters.peek().is_none_or(|(_, next)| next.is_whitespace());
        if ends {
            words.push((u32::try_from(at).unwrap_or(u32::MAX), STOP));
        }
    }
    end_word(&mut word, start, &mut words);
    words
}

fn end_word(word: &mut String, start: usize, words: &mut Vec<(u32, u16)>) {
    if !word.is_empty() {
        let number = KNOWN.numbers.get(word.as_str()).copied().unwrap_or(OTHER);
        words.push((u32::try_from(start).unwrap_or(u32::MAX), number));
        word.clear();
    }
}

/// Appends what a letter beyond ASCII stands for or looks like, if that is a letter or a digit.
fn fold(letter: char, word: &mut String) {
    for plain in letter.to_lowercase().nfkc() {
        let mut alone = [0; 4];
        if plain.is_ascii() {
            word.extend(plain.to_lowercase().filter(char::is_ascii_alphanumeric));
            continue;
        }
        let shown = skeleton(plain.encode_utf8(&mut alone)).flat_map(char::to_lowercase);
        word.extend(shown.filter(|shown| shown.is_alphanumeric()));
    }
}
