//! Parts of long texts, so that a person sees where two of them differ.

/// Characters that are shown before the place where two texts part.
const BEFORE: usize = 50;

/// Where to begin showing `most` characters of two texts: at their beginning if both are short enough, else a little before the
/// place where they begin to differ.
#[must_use]
pub fn parting(old: &str, new: &str, most: usize) -> usize {
    let fits = |text: &str| text.chars().count() <= most;
    if fits(old) && fits(new) {
        return 0;
    }
    let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b);
    same.count().saturating_sub(BEFORE)
}

/// `most` characters of a text, with the number of characters that are left out before and after them.
#[must_use]
pub fn cut(text: &str, from: usize, most: usize) -> String {
    let all = text.chars().count();
    let shown: String = text.chars().skip(from).take(most).collect();
    let rest = all.saturating_sub(from).saturating_sub(most);
    let before = match from.min(all) {
        0 => String::new(),
        skipped => format!("({skipped} characters) … "),
    };
    let after = match rest {
        0 => String::new(),
        left => format!(" … ({left} more characters)"),
    };
    format!("{before}{shown}{after}")
}
