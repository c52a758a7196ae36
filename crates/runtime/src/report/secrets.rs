//! Which secrets is it given, or could it read?
//!
//! No value is ever part of a finding.

use casemate_policy::{Allowance, Allowed, AllowedFiles, VariableValue};

use super::rubric;
use super::{Found, Origins, Place, short};

/// Words of keys whose values are credentials, between underscores.
const WORDS: &[&str] = &[
    "APIKEY",
    "AUTH",
    "BEARER",
    "COOKIE",
    "CREDENTIAL",
    "CREDENTIALS",
    "JWT",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PRIVATE",
    "PWD",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
];

/// Keys that are credentials, or lead to some, as a whole.
const KEYS: &[&str] = &[
    "DATABASE_URL",
    "DOCKER_CONFIG",
    "GNUPGHOME",
    "KUBECONFIG",
    "NETRC",
    "PGPASSFILE",
    "SSH_AUTH_SOCK",
];

/// What the secrets of well-known services begin with.
const PREFIXES: &[&str] = &[
    "-----BEGIN ",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJhbGciOi",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hf_",
    "npm_",
    "pypi-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "Bearer ",
    "Basic ",
];

/// Names of files and directories where credentials are kept.
const FILES: &[&str] = &[
    ".aws",
    ".azure",
    ".docker",
    ".env",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pgpass",
    ".pypirc",
    ".ssh",
    "id_ed25519",
    "id_rsa",
];

/// Ends of names of files that hold keys.
const ENDS: &[&str] = &[".key", ".p12", ".pem", ".pfx"];

/// The shortest run of characters that is taken for random.
const MIN_RANDOM: usize = 24;

pub(super) fn judge(origins: &Origins<'_>, found: &mut Found) {
    for (origin, allowances) in origins {
        let verb = origin.verb();
        let mut network = None;
        let mut exposed = false;
        for allowance in *allowances {
            let subject = &allowance.rule.text;
            let mut add =
                |rule, what: String| found.once(rule, subject, what, origin.place(allowance));
            match &allowance.allowed {
                Allowed::Variable(variable) => {
                    let key = short(&variable.key);
                    match &variable.value {
                        VariableValue::Secret(name) => {
                            let name = short(name);
                            add(
                                &rubric::SECRETS_EXPOSED,
                                format!("{verb} {key}, the secret {name}, as a variable"),
                            );
                            exposed = true;
                        }
                        VariableValue::Written(text)
                            if is_secret(text.expose())
                                || is_credential(&variable.key) && !text.expose().is_empty() =>
                        {
                            add(
                                &rubric::SECRETS_LITERAL,
                                format!("the value of {key} stands there and looks like a secret"),
                            );
                            exposed = true;
                        }
                        VariableValue::Server if is_credential(&variable.key) => {
                            add(
                                &rubric::SECRETS_VARIABLE,
                                format!("{verb} {key} from the environment of the server"),
                            );
                            exposed = true;
                        }
                        _ => {}
                    }
                }
                Allowed::Requests(requests) => {
                    network = network.or(Some(allowance));
                    for header in &requests.headers {
                        if is_secret(header.text.expose()) && header.secrets.is_empty() {
                            let name = short(&header.name);
                            add(
                                &rubric::SECRETS_LITERAL,
                                format!("the header {name} stands there and looks like a secret"),
                            );
                        }
                    }
                }
                Allowed::Connections(_) => network = network.or(Some(allowance)),
                Allowed::Files(files) if holds_credentials(files, allowance) => {
                    add(
                        &rubric::SECRETS_FILES,
                        format!("{verb} {}", short(&allowance.rule.text)),
                    );
                    exposed |= files.read;
                }
                _ => {}
            }
        }
        if let Some(network) = network.filter(|_| exposed) {
            let what = format!("a credential, and {verb} {}", short(&network.rule.text));
            let place: Place = origin.place(network);
            found.once(&rubric::SECRETS_NETWORK, "", what, place);
        }
    }
}

/// Whether a key is one of a credential.
fn is_credential(key: &str) -> bool {
    let upper = key.to_ascii_uppercase();
    KEYS.contains(&upper.as_str())
        || upper
            .split(['_', '-', '.'])
            .any(|word| WORDS.contains(&word))
        || ["_KEY", "_KEY_ID", "APIKEY", "PASSWORD", "SECRET", "TOKEN"]
            .iter()
            .any(|end| upper.ends_with(end))
}

/// Whether a text looks like a secret: begins like those of a known service, or is long and random.
fn is_secret(text: &str) -> bool {
    let text = text.trim();
    PREFIXES
        .iter()
        .any(|prefix| text.starts_with(prefix) && text.len() >= prefix.len() + 8)
        || text.split_whitespace().any(is_random)
}

/// Whether a word is long and has digits and both cases, or is a long number in hexadecimal: no word of a language, no path
/// and no host.
fn is_random(word: &str) -> bool {
    let letters =
        |character: char| character.is_ascii_alphanumeric() || "+/=_-".contains(character);
    if word.len() < MIN_RANDOM || !word.chars().all(letters) || word.starts_with('/') {
        return false;
    }
    let count = |test: fn(&char) -> bool| word.chars().filter(test).count();
    let digits = count(char::is_ascii_digit);
    let mixed = count(char::is_ascii_uppercase) >= 3 && count(char::is_ascii_lowercase) >= 3;
    let hexadecimal = count(char::is_ascii_hexdigit) == word.len();
    digits >= 3 && (mixed || hexadecimal && word.len() >= 32)
}

/// Whether a rule is about files of credentials by their names.
fn holds_credentials(files: &AllowedFiles, allowance: &Allowance) -> bool {
    let pattern = allowance.rule.text.split(" [").next().unwrap_or_default();
    let named =
        |segment: &str| FILES.contains(&segment) || ENDS.iter().any(|end| segment.ends_with(end));
    (files.read || files.write) && pattern.split('/').any(named)
}
