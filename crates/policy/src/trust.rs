//! Whose signature a person asks for before an artifact is used.
//!
//! A trust policy is a list of rules; each names the repositories it is for and who may sign there. Here is only the
//! judgement: which signatures hold at all is a fact that *artifact* establishes from bytes, with the keys and roots that
//! the rules name.
//!
//! ```
//! use casemate_policy::{Signature, Signer, TrustJudgement, TrustPolicy};
//!
//! let policy = TrustPolicy::parse(r#"
//! version: "1.0"
//! rules:
//!   - match: "ghcr.io/example/**"
//!     signers:
//!       - identity: "https://github.com/example/tools/.github/workflows/release.yml@refs/tags/*"
//!         issuer: "https://token.actions.githubusercontent.com"
//! "#)?;
//! let rules = policy.with_keys(|_| Err("this policy names no key"))?;
//! let signer: Signer = "uri https://github.com/example/tools/.github/workflows/release.yml@refs/tags/v1.2.0 \
//!     issuer https://token.actions.githubusercontent.com".parse()?;
//! let signature = Signature::by(signer.clone());
//! assert!(matches!(
//!     rules.judge("ghcr.io/example/search", &[signature], &[]),
//!     TrustJudgement::Trusted { signer: by, .. } if by == signer
//! ));
//! assert!(matches!(rules.judge("ghcr.io/example/search", &[], &[]), TrustJudgement::Refused { .. }));
//! assert_eq!(rules.judge("ghcr.io/other/search", &[], &[]), TrustJudgement::NoRule);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod judge;
mod pattern;
mod signer;

use std::collections::BTreeMap;
use std::fmt;

use crate::error::PolicyError;
use crate::identity::Digest;
use pattern::{EmailPattern, PlacePattern, UriPattern};

pub use judge::TrustJudgement;
pub use signer::{Signer, SignerError, SubjectName};

/// A signature that was verified: the cryptography holds, and it is bound to the artifact in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Who made it.
    pub signer: Signer,
    /// What the signer wrote beside the digest, and signed with it.
    pub annotations: BTreeMap<String, String>,
}

impl Signature {
    /// A signature without annotations.
    pub fn by(signer: Signer) -> Self {
        Self {
            signer,
            annotations: BTreeMap::new(),
        }
    }
}

/// Where the public key of a rule is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeySource {
    /// A file beside `trust.yaml`: `keys/` and one name.
    File(String),
    /// The PEM text itself.
    Pem(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => formatter.write_str(path),
            Self::Pem(_) => formatter.write_str("the key in trust.yaml"),
        }
    }
}

/// The rules of `trust.yaml`, as they are written.
///
/// Until its keys were read ([`TrustPolicy::with_keys`]) it judges nothing.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    rules: Vec<Rule<KeySource>>,
}

/// The rules of `trust.yaml` with the fingerprints of their keys: what judges.
#[derive(Debug, Clone, Default)]
pub struct TrustRules {
    rules: Vec<Rule<(Digest, KeySource)>>,
}

/// One rule; `K` is how a key is named.
#[derive(Debug, Clone)]
struct Rule<K> {
    place: PlacePattern,
    verification: Enforcement,
    signers: Vec<Accepted<K>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enforcement {
    Require,
    Warn,
}

/// A signature that meets all of this meets the rule.
#[derive(Debug, Clone)]
struct Accepted<K> {
    who: Who<K>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum Who<K> {
    Key(K),
    Uri { san: UriPattern, issuer: String },
    Email { san: EmailPattern, issuer: String },
}

impl TrustPolicy {
    /// Reads `trust.yaml`; a text without content has no rules.
    ///
    /// # Errors
    /// If the text is more than 256 KiB or not the plain YAML that policies are written in, if a key or value is not part of
    /// the language, or if a rule would ask for less than it seems to: no signer, an identity without an issuer, a pattern
    /// that anybody fits.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        decode::trust(&crate::document::read(text)?)
    }

    /// No rules: nothing is required of any repository.
    pub fn empty() -> Self {
        Self::default()
    }

    /// One rule for every repository: a signature of this key.
    pub fn of_key(key: KeySource) -> Self {
        Self::of(Who::Key(key))
    }

    /// One rule for every repository: a keyless signature of this identity, exact or a pattern as in `trust.yaml`, by this
    /// issuer. An identity with `://` is a URI, any other an e-mail address.
    ///
    /// # Errors
    /// With what `trust.yaml` would be refused for.
    pub fn of_identity(identity: &str, issuer: &str) -> Result<Self, SignerError> {
        let issuer = decode::issuer(issuer).map_err(SignerError::from)?;
        let who = if identity.contains("://") {
            let san = UriPattern::parse(identity).map_err(SignerError::from)?;
            Who::Uri { san, issuer }
        } else {
            let san = EmailPattern::parse(identity).map_err(SignerError::from)?;
            Who::Email { san, issuer }
        };
        Ok(Self::of(who))
    }

    fn of(who: Who<KeySource>) -> Self {
        let accepted = Accepted {
            who,
            annotations: BTreeMap::new(),
        };
        Self {
            rules: vec![Rule {
                place: PlacePattern::everywhere(),
                verification: Enforcement::Require,
                signers: vec![accepted],
            }],
        }
    }

    /// Returns the keys that rules name, in the order of the file, each as often as it is named.
    pub fn keys(&self) -> impl Iterator<Item = &KeySource> {
        let signers = self.rules.iter().flat_map(|rule| &rule.signers);
        signers.filter_map(|accepted| match &accepted.who {
            Who::Key(key) => Some(key),
            Who::Uri { .. } | Who::Email { .. } => None,
        })
    }

    /// Puts the fingerprint of each key beside its name: the SHA-256 of the key's `SubjectPublicKeyInfo` (RFC 5280) in DER.
    ///
    /// # Errors
    /// The first one of `fingerprint`: a rule whose key cannot be read is never left out.
    pub fn with_keys<E>(
        &self,
        mut fingerprint: impl FnMut(&KeySource) -> Result<Digest, E>,
    ) -> Result<TrustRules, E> {
        let rules = self
            .rules
            .iter()
            .map(|rule| {
                Ok(Rule {
                    place: rule.place.clone(),
                    verification: rule.verification,
                    signers: rule
                        .signers
                        .iter()
                        .map(|accepted| accepted.with_key(&mut fingerprint))
                        .collect::<Result<_, E>>()?,
                })
            })
            .collect::<Result<_, E>>()?;
        Ok(TrustRules { rules })
    }
}

impl Accepted<KeySource> {
    fn with_key<E>(
        &self,
        fingerprint: impl FnOnce(&KeySource) -> Result<Digest, E>,
    ) -> Result<Accepted<(Digest, KeySource)>, E> {
        let who = match &self.who {
            Who::Key(key) => Who::Key((fingerprint(key)?, key.clone())),
            Who::Uri { san, issuer } => Who::Uri {
                san: san.clone(),
                issuer: issuer.clone(),
            },
            Who::Email { san, issuer } => Who::Email {
                san: san.clone(),
                issuer: issuer.clone(),
            },
        };
        Ok(Accepted {
            who,
            annotations: self.annotations.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
