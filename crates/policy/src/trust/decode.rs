//! From nodes to rules.

use std::collections::BTreeMap;

use super::pattern::{EmailPattern, PlacePattern, UriPattern, visible};
use super::{Accepted, Enforcement, KeySource, Rule, TrustPolicy, Who};
use crate::document::{Node, Value};
use crate::error::{PolicyError, Refusal};
use crate::language::fields::{Fields, list, parsed, unknown_word};

/// The most rules of a file.
const MAX_RULES: usize = 256;
/// The most signers of a rule.
const MAX_SIGNERS: usize = 64;
/// The most annotations of a signer.
const MAX_ANNOTATIONS: usize = 32;
/// The longest key in PEM, in bytes.
const MAX_PEM: usize = 16 * 1024;

pub(super) fn trust(node: &Node) -> Result<TrustPolicy, PolicyError> {
    if matches!(node.value, Value::Null) {
        return Ok(TrustPolicy::empty());
    }
    let fields = Fields::of(node, "", &["version", "rules"])?;
    let version = fields.parsed("version", |text| match text {
        "1.0" => Ok(()),
        _ => Err(Refusal::new(format!("unknown version {text:?}"))
            .hint("this release reads version: \"1.0\"")),
    })?;
    if version.is_none() {
        return Err(PolicyError::language(node.place, "the version is missing")
            .hint("start the file with version: \"1.0\""));
    }
    let Some(node) = fields.get("rules") else {
        return Ok(TrustPolicy::empty());
    };
    let rules = each(node, "rules", MAX_RULES, rule)?;
    Ok(TrustPolicy { rules })
}

/// Reads a list of at most `most` entries.
fn each<T>(
    node: &Node,
    path: &str,
    most: usize,
    read: impl Fn(&Node, &str) -> Result<T, PolicyError>,
) -> Result<Vec<T>, PolicyError> {
    let items = list(node, path)?;
    if items.len() > most {
        return Err(PolicyError::language(
            node.place,
            format!("{path}: at most {most} entries, found {}", items.len()),
        ));
    }
    items
        .iter()
        .enumerate()
        .map(|(index, item)| read(item, &format!("{path}[{index}]")))
        .collect()
}

fn rule(node: &Node, path: &str) -> Result<Rule<KeySource>, PolicyError> {
    let fields = Fields::of(node, path, &["match", "verification", "signers"])?;
    let missing = |key: &str, hint: &str| {
        PolicyError::language(fields.place, format!("{path}: {key} is missing")).hint(hint)
    };
    let Some(place) = fields.parsed("match", PlacePattern::parse)? else {
        return Err(missing(
            "match",
            "say which repositories it is for, such as match: \"ghcr.io/example/**\"",
        ));
    };
    let verification = fields.parsed("verification", |text| match text {
        "require" => Ok(Enforcement::Require),
        "warn" => Ok(Enforcement::Warn),
        _ => Err(unknown_word(text, &["require", "warn"])),
    })?;
    let no_signers = "a rule names who may sign: a key, or an identity with its issuer";
    let Some(node) = fields.get("signers") else {
        return Err(missing("signers", no_signers));
    };
    let signers = each(node, &fields.path_of("signers"), MAX_SIGNERS, signer)?;
    if signers.is_empty() {
        return Err(PolicyError::language(
            node.place,
            format!("{path}.signers: the list is empty"),
        )
        .hint(no_signers));
    }
    Ok(Rule {
        place: place.value,
        verification: verification.map_or(Enforcement::Require, |located| located.value),
        signers,
    })
}

fn signer(node: &Node, path: &str) -> Result<Accepted<KeySource>, PolicyError> {
    let fields = Fields::of(
        node,
        path,
        &["key", "identity", "email", "issuer", "annotations"],
    )?;
    let key = fields.parsed("key", key)?;
    let uri = fields.parsed("identity", UriPattern::parse)?;
    let email = fields.parsed("email", EmailPattern::parse)?;
    let issuer = fields.parsed("issuer", issuer)?;
    let who = match (key, uri, email, issuer) {
        (Some(key), None, None, None) => Who::Key(key.value),
        (None, Some(uri), None, Some(issuer)) => Who::Uri {
            san: uri.value,
            issuer: issuer.value,
        },
        (None, None, Some(email), Some(issuer)) => Who::Email {
            san: email.value,
            issuer: issuer.value,
        },
        (key, uri, email, issuer) => {
            return Err(mixture(
                &fields,
                path,
                key.is_some(),
                uri.is_some() || email.is_some(),
                uri.is_some() && email.is_some(),
                issuer.is_some(),
            ));
        }
    };
    let annotations = match fields.get("annotations") {
        Some(node) => annotations(node, &fields.path_of("annotations"))?,
        None => BTreeMap::new(),
    };
    Ok(Accepted { who, annotations })
}

/// Says why these keys make no signer: a constraint that is half there is never dropped.
fn mixture(
    fields: &Fields<'_>,
    path: &str,
    key: bool,
    identity: bool,
    both: bool,
    issuer: bool,
) -> PolicyError {
    let (what, hint) = match (key, identity, issuer) {
        (true, ..) => (
            "a key stands alone, without identity, email and issuer",
            "write one entry for each: any one of them meets the rule",
        ),
        _ if both => (
            "a certificate names a URI or an e-mail address, not both",
            "write one entry for each: any one of them meets the rule",
        ),
        (false, true, false) => (
            "the issuer is missing",
            "anybody can get a certificate for any identity from an issuer of his own; add such as \
             issuer: \"https://token.actions.githubusercontent.com\"",
        ),
        (false, false, true) => (
            "an issuer without identity or email",
            "everybody with an account there would fit; add identity: or email:",
        ),
        (false, ..) => (
            "names nobody",
            "add key: FILE, or identity: (or email:) and issuer:",
        ),
    };
    PolicyError::language(fields.place, format!("{path}: {what}")).hint(hint)
}

fn key(text: &str) -> Result<KeySource, Refusal> {
    if text.trim_start().starts_with("-----BEGIN") {
        if text.len() > MAX_PEM {
            return Err(Refusal::new(format!(
                "a key has at most {MAX_PEM} bytes, this one has {}",
                text.len()
            )));
        }
        return Ok(KeySource::Pem(text.to_owned()));
    }
    let name = text.strip_prefix("keys/").unwrap_or_default();
    let plain = !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 255
        && !name.contains(|character: char| {
            character.is_control() || character == '\\' || character == '/'
        });
    if plain {
        Ok(KeySource::File(text.to_owned()))
    } else {
        Err(
            Refusal::new("expected a file in the directory keys/, or a key in PEM").hint(
                "keys lie beside trust.yaml in keys/, so that a change of one is seen: key: keys/example.pub",
            ),
        )
    }
}

/// Checks the URL of an issuer, which is compared character by character.
pub(super) fn issuer(text: &str) -> Result<String, Refusal> {
    visible(text)?;
    if text.contains('*') {
        return Err(Refusal::new(format!(
            "{text:?} is a pattern, and an issuer is written out in full"
        )));
    }
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err(
            Refusal::new(format!("{text:?} is not the URL of an issuer"))
                .hint("it starts with https://, such as \"https://accounts.google.com\""),
        ),
    }
}

fn annotations(node: &Node, path: &str) -> Result<BTreeMap<String, String>, PolicyError> {
    let entries = Fields::open(node, path)?;
    if entries.is_empty() || entries.len() > MAX_ANNOTATIONS {
        return Err(PolicyError::language(
            node.place,
            format!(
                "{path}: expected 1 to {MAX_ANNOTATIONS} entries, found {}",
                entries.len()
            ),
        )
        .hint("remove the key if nothing is asked for"));
    }
    entries
        .iter()
        .map(|entry| {
            let value = parsed(&entry.node, &format!("{path}.{}", entry.key), |text| {
                Ok(text.to_owned())
            })?;
            Ok((entry.key.clone(), value.value))
        })
        .collect()
}
