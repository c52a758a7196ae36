//! `WWW-Authenticate` (RFC 9110, 11.6.1): how a registry wants to be asked.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Longest field that is read, in bytes.
const MAX_FIELD: usize = 4 << 10;
/// Most challenges that are read.
const MAX_CHALLENGES: usize = 8;

/// One challenge: a scheme in lower case and its parameters, names in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A token of this server (Docker's token authentication).
    Bearer {
        realm: String,
        service: Option<String>,
    },
    /// Name and password.
    Basic,
}

/// What the answer's head asks for; a token rather than a password.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Wanted> {
    let mut challenges = Vec::new();
    for field in headers.get_all(WWW_AUTHENTICATE) {
        let text = field.to_str().ok().filter(|text| text.len() <= MAX_FIELD);
        challenges.extend(text.into_iter().flat_map(read));
        if challenges.len() > MAX_CHALLENGES {
            return None;
        }
    }
    let bearer = challenges.iter().find(|own| own.scheme == "bearer");
    if let Some(bearer) = bearer {
        return Some(Wanted::Bearer {
            realm: bearer.parameter("realm")?.to_owned(),
            service: bearer.parameter("service").map(str::to_owned),
        });
    }
    let basic = challenges.iter().any(|own| own.scheme == "basic");
    basic.then_some(Wanted::Basic)
}

impl Challenge {
    fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(own, _)| own == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// Reads `scheme name=value, name="value", scheme …`; stops at what is not that.
fn read(text: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, after)) = token(rest) else {
            return challenges;
        };
        let after_space = after.trim_start_matches([' ', '\t']);
        match (after_space.strip_prefix('='), challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let value = value.trim_start_matches([' ', '\t']);
                match parameter_value(value) {
                    Some((value, after)) => {
                        let name = word.to_ascii_lowercase();
                        challenge.parameters.push((name, value));
                        rest = after;
                    }
                    None if value.starts_with('"') => return challenges,
                    // Padding of a `token68`.
                    None => rest = value.trim_start_matches('='),
                }
            }
            (Some(_), None) => return challenges,
            (None, _) => {
                challenges.push(Challenge {
                    scheme: word.to_ascii_lowercase(),
                    parameters: Vec::new(),
                });
                rest = after;
            }
        }
    }
}

fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = text
        .bytes()
        .position(|byte| !is_token(byte))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests;
