//! Which of two versions is the lower one, where that can be told (Semantic Versioning 2.0, 11)?

use std::cmp::Ordering;

/// Whether `one` is a lower version than `other`. Texts that are no versions are not compared: `false`.
pub(crate) fn is_lower(one: &str, other: &str) -> bool {
    match (Version::parse(one), Version::parse(other)) {
        (Some(one), Some(other)) => one.compare(&other) == Ordering::Less,
        _ => false,
    }
}

/// One to four numbers, and what marks a version before the release.
struct Version<'a> {
    numbers: [u64; 4],
    before: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (release, before) = match text.split_once('-') {
            Some((release, before)) => (release, Some(before)),
            None => (text, None),
        };
        let mut numbers = [0; 4];
        let mut parts = release.split('.');
        for (number, part) in numbers.iter_mut().zip(&mut parts) {
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *number = part.parse().ok()?;
        }
        parts.next().is_none().then_some(Self { numbers, before })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.before, other.before) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(one), Some(other)) => identifiers(one, other),
            })
    }
}

/// Numbers among the identifiers by their value, and below words; a longer list after an equal shorter one.
fn identifiers(one: &str, other: &str) -> Ordering {
    let key = |part: &str| match part.parse::<u64>() {
        Ok(number) => (0, number, String::new()),
        Err(_) => (1, 0, part.to_owned()),
    };
    one.split('.').map(key).cmp(other.split('.').map(key))
}

#[cfg(test)]
mod tests {
    use super::is_lower;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let rising = [
            "0.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "v1.0.1",
            "1.2",
            "1.10.0+build",
            "2",
        ];
        for (index, one) in rising.iter().enumerate() {
            for (other_index, other) in rising.iter().enumerate() {
                assert_eq!(is_lower(one, other), index < other_index, "{one} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_version_is_older_than_nothing() {
        for text in [
            "",
            "latest",
            "1.x",
            "1..2",
            "1.2.3.4.5",
            "-1",
            "1.99999999999999999999",
            "１",
        ] {
            assert!(
                !is_lower(text, "9.9.9") && !is_lower("0.0.0", text),
                "{text}"
            );
        }
        assert!(!is_lower("1.0", "1.0.0") && !is_lower("1.0.0", "1.0"));
    }
}
