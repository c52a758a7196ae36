//! The text of the lock: TOML on one side, the types of the domain on the other.
//!
//! Whatever a hand or a merge made of the file is either read as it stands or refused with the line and column of the
//! value that is wrong; nothing is skipped and nothing is guessed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Lock, LockEntry, LockError, MAX_PREVIOUS, Replaced};

/// Longest `source` in bytes: the longest path, each byte written as `%41`.
const MAX_SOURCE_BYTES: usize = 3 * 4096 + 16;
/// Longest `added` in bytes; a time in RFC 3339 has 20 to 35.
const MAX_ADDED_BYTES: usize = 64;
/// Longest `version` in bytes.
pub(super) const MAX_VERSION_BYTES: usize = 128;
/// Longest `signer` in bytes: two URLs and the words between them.
const MAX_SIGNER_BYTES: usize = 8192;

pub(super) const HEADER: &str =
    "# Written by casemate: binds each name to the exact bytes that run under it.\n";

/// Where in the text something is wrong, in bytes, and what.
type Wrong = (usize, String);

/// The version alone, so that a later format is recognised whatever else it contains.
#[derive(Deserialize)]
struct WireVersion {
    version: Option<toml::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLock {
    version: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    components: BTreeMap<Spanned<String>, WireEntry>,
}

/// An entry, or one that it replaced; which keys belong to which is checked after reading, where their places are
/// known.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WireEntry {
    digest: Spanned<String>,
    source: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification_skipped: Option<Spanned<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Spanned<String>>,
    tools: Spanned<String>,
    tenant: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    docs: Option<Spanned<String>>,
    added: Spanned<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy_text: Option<Spanned<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rolled_back: Option<Spanned<bool>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Spanned<WireEntry>>,
}

impl Lock {
    /// The version of the format that this release writes. It reads version 1 as well, where nothing is known of
    /// manifests, signers and policies, and writes it as version 2 with the next change.
    pub const VERSION: i64 = 2;

    /// Reads the text of a lock; `path` is for the messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Lock, LockError> {
        let malformed = |position, message| LockError::Malformed {
            path: path.to_owned(),
            position,
            message,
        };
        let toml_error = |error: toml::de::Error| {
            let position = error
                .span()
                .and_then(|span| line_and_column(text, span.start));
            malformed(position, error.message().to_owned())
        };
        let stated: WireVersion = toml::from_str(text).map_err(toml_error)?;
        let version = match stated.version {
            Some(toml::Value::Integer(version @ 1..=Lock::VERSION)) => version,
            Some(toml::Value::Integer(found)) if found > Lock::VERSION => {
                return Err(LockError::FutureVersion {
                    path: path.to_owned(),
                    found,
                    supported: Lock::VERSION,
                });
            }
            Some(other) => {
                let message = format!("version = {other} is not a version of the lock");
                return Err(malformed(None, message));
            }
            None => return Err(malformed(None, "version is missing".to_owned())),
        };
        let wire: WireLock = toml::from_str(text).map_err(toml_error)?;
        let mut components = BTreeMap::new();
        for (name, entry) in wire.components {
            let at = name.span().start;
            let name = name.into_inner();
            let wrong = |at, message| malformed(line_and_column(text, at), message);
            let parsed = name
                .parse()
                .map_err(|error| wrong(at, format!("components.{name:?}: {error}")))?;
            let entry = entry
                .entry(version)
                .map_err(|(at, reason)| wrong(at, format!("components.{name}.{reason}")))?;
            components.insert(parsed, entry);
        }
        Ok(Lock { components })
    }

    /// The text of the lock: the same for equal locks, and [`Lock::parse`] gives the lock back.
    pub(crate) fn print(&self) -> Result<String, LockError> {
        let refused = |reason: String| LockError::Refused { reason };
        let mut components = BTreeMap::new();
        for (name, entry) in &self.components {
            let wire = WireEntry::printed(entry)
                .map_err(|reason| refused(format!("components.{name}.{reason}")))?;
            components.insert(unplaced(name.as_str().to_owned()), wire);
        }
        let body = toml::to_string(&WireLock {
            version: Lock::VERSION,
            components,
        })
        .map_err(|error| refused(error.to_string()))?;
        Ok(format!("{HEADER}{body}"))
    }
}

impl WireEntry {
    /// The entry under a name, in a file of that version.
    fn entry(mut self, version: i64) -> Result<LockEntry, Wrong> {
        if version < 2
            && let Some((at, key)) = self.first_key_of_version_2()
        {
            return Err((at, format!("{key}: version 1 has no such key")));
        }
        if let Some((at, key)) = self.key_of_replaced() {
            return Err((at, format!("{key}: only an entry of `previous` has this")));
        }
        let previous = std::mem::take(&mut self.previous);
        if let Some(beyond) = previous.get(MAX_PREVIOUS) {
            return Err((
                beyond.span().start,
                format!("previous: at most {MAX_PREVIOUS} are kept"),
            ));
        }
        let mut entry = self.fields()?;
        for (index, replaced) in previous.into_iter().enumerate() {
            let replaced = replaced
                .into_inner()
                .replaced()
                .map_err(|(at, reason)| (at, format!("previous.{index}.{reason}")))?;
            entry.previous.push(replaced);
        }
        Ok(entry)
    }

    /// An entry of `previous`.
    fn replaced(self) -> Result<Replaced, Wrong> {
        if let Some(nested) = self.previous.first() {
            let message = "previous: has none of its own".to_owned();
            return Err((nested.span().start, message));
        }
        Ok(Replaced {
            policy_text: optional("policy-text", self.policy_text.as_ref())?,
            rolled_back: self.rolled_back.as_ref().is_some_and(|set| *set.get_ref()),
            entry: self.fields()?,
        })
    }

    fn fields(&self) -> Result<LockEntry, Wrong> {
        let version = self.version.as_ref();
        let version = version.map(|text| line("version", text, MAX_VERSION_BYTES));
        let signer = self.signer.as_ref();
        if let Some(signer) = signer {
            line("signer", signer, MAX_SIGNER_BYTES)?;
        }
        let skipped = self.verification_skipped.as_ref();
        Ok(LockEntry {
            digest: value("digest", &self.digest)?,
            source: line("source", &self.source, MAX_SOURCE_BYTES)?,
            manifest: optional("manifest", self.manifest.as_ref())?,
            evidence: optional("evidence", self.evidence.as_ref())?,
            signer: optional("signer", signer)?,
            verification_skipped: skipped.is_some_and(|set| *set.get_ref()),
            version: version.transpose()?,
            tools: value("tools", &self.tools)?,
            tenant: value("tenant", &self.tenant)?,
            policy: optional("policy", self.policy.as_ref())?,
            request: optional("request", self.request.as_ref())?,
            docs: optional("docs", self.docs.as_ref())?,
            added: line("added", &self.added, MAX_ADDED_BYTES)?,
            previous: Vec::new(),
        })
    }

    fn first_key_of_version_2(&self) -> Option<(usize, &'static str)> {
        let texts = [
            ("manifest", &self.manifest),
            ("evidence", &self.evidence),
            ("signer", &self.signer),
            ("version", &self.version),
            ("policy", &self.policy),
            ("request", &self.request),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(key, text)| Some((text.as_ref()?.span().start, key)));
        let skipped = self.verification_skipped.as_ref();
        let skipped = skipped.map(|set| (set.span().start, "verification-skipped"));
        let previous = self.previous.first();
        let previous = previous.map(|replaced| (replaced.span().start, "previous"));
        texts.chain(skipped).chain(previous).min()
    }

    fn key_of_replaced(&self) -> Option<(usize, &'static str)> {
        let text = self.policy_text.as_ref();
        let text = text.map(|text| (text.span().start, "policy-text"));
        let rolled_back = self.rolled_back.as_ref();
        text.or(rolled_back.map(|set| (set.span().start, "rolled-back")))
    }

    /// The entry as it is written, if it could be read again.
    fn printed(entry: &LockEntry) -> Result<WireEntry, String> {
        let mut wire = WireEntry::of(entry);
        if entry.previous.len() > MAX_PREVIOUS {
            return Err(format!("previous: at most {MAX_PREVIOUS} are kept"));
        }
        for (index, replaced) in entry.previous.iter().enumerate() {
            let mut inner = WireEntry::of(&replaced.entry);
            let told = |reason| format!("previous.{index}.{reason}");
            inner.fields().map_err(|(_, reason)| told(reason))?;
            if !replaced.entry.previous.is_empty() {
                return Err(told("previous: has none of its own".to_owned()));
            }
            inner.policy_text = replaced.policy_text.map(|digest| text(&digest));
            inner.rolled_back = replaced.rolled_back.then(|| unplaced(true));
            wire.previous.push(unplaced(inner));
        }
        match wire.fields() {
            Ok(_) => Ok(wire),
            Err((_, reason)) => Err(reason),
        }
    }

    fn of(entry: &LockEntry) -> WireEntry {
        WireEntry {
            digest: text(&entry.digest),
            source: text(&entry.source),
            manifest: entry.manifest.as_ref().map(text),
            evidence: entry.evidence.as_ref().map(text),
            signer: entry.signer.as_ref().map(text),
            verification_skipped: entry.verification_skipped.then(|| unplaced(true)),
            version: entry.version.as_ref().map(text),
            tools: text(&entry.tools),
            tenant: unplaced(entry.tenant.as_str().to_owned()),
            policy: entry.policy.as_ref().map(text),
            request: entry.request.as_ref().map(text),
            docs: entry.docs.as_ref().map(text),
            added: text(&entry.added),
            policy_text: None,
            rolled_back: None,
            previous: Vec::new(),
        }
    }
}

/// A value that goes into the text; places exist only when reading.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn text(value: &impl Display) -> Spanned<String> {
    unplaced(value.to_string())
}

fn value<T: FromStr<Err: Display>>(key: &str, text: &Spanned<String>) -> Result<T, Wrong> {
    let parsed = text.get_ref().parse();
    parsed.map_err(|error| (text.span().start, format!("{key}: {error}")))
}

fn optional<T: FromStr<Err: Display>>(
    key: &str,
    text: Option<&Spanned<String>>,
) -> Result<Option<T>, Wrong> {
    text.map(|text| value(key, text)).transpose()
}

/// Text that is printed to terminals, so it must be one short line without control characters.
fn line(key: &str, text: &Spanned<String>, limit: usize) -> Result<String, Wrong> {
    check_line(text.get_ref(), limit)
        .map_err(|reason| (text.span().start, format!("{key}: {reason}")))?;
    Ok(text.get_ref().clone())
}

pub(super) fn check_line(text: &str, limit: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > limit {
        let length = text.len();
        return Err(format!("has {length} bytes, at most {limit} are allowed"));
    }
    if text.chars().any(char::is_control) {
        return Err("contains a control character".to_owned());
    }
    Ok(())
}

/// Line and column (in characters), both from 1, of a byte offset.
fn line_and_column(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    Some((line, before.get(line_start..)?.chars().count() + 1))
}
