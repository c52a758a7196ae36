//! Commands as a person types them.

use crate::print::inert;

/// Quotes an argument for a POSIX shell where it needs quoting.
pub(crate) fn word(argument: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_./:@%+,=".contains(character);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", inert(argument).replace('\'', r"'\''"))
    }
}

/// Joins arguments to a line that a shell splits into the same arguments.
pub(crate) fn line<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    arguments
        .into_iter()
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn arguments_are_quoted_where_a_shell_would_split_or_expand() {
        for (argument, typed) in [
            ("fs://workspace/a.txt", "fs://workspace/a.txt"),
            ("fs://workspace/**", "'fs://workspace/**'"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
            ("~/x", "'~/x'"),
        ] {
            assert_eq!(super::word(argument), typed);
        }
    }
}
