//! Who signed these bytes? Verified on what is already held, offline, and bound to one manifest.
//!
//! A [`Verifier`] knows `trust.yaml`, the keys it names and the roots of Sigstore. It takes the digest of a manifest and the
//! [`Evidence`] that came with it, and answers with a [`Verification`]: which signatures hold, which do not and why, and what the
//! rules make of that. Nothing is fetched, nothing is cached: the same question has its answer worked out again each time.
//!
//! ```text
//! SignatureItem ─ claims: of this manifest? ─ key: P-256 over payload or DSSE envelope ──────┐
//!                                           └ certificate: chain, SCT, log, time (sigstore) ─┴► VerifiedSignature ─TrustRules::judge► Verdict
//! ```

mod bundle;
mod claims;
mod error;
mod key;
mod legacy;
mod outcome;
mod root;
mod sealed;
mod signing;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use casemate_policy::{
    Digest, KeySource, Reason, Signature, TrustJudgement, TrustPolicy, TrustRules,
};

use crate::home::Home;
use crate::package::{Evidence, SignatureItem};
use crate::protected::read_policy_path;
use outcome::Rejection;
use root::TrustRoot;

pub use error::{KeyError, RootError, TrustError};
pub use key::PublicKey;
pub use outcome::{RejectedSignature, SignatureForm, Verdict, Verification, VerifiedSignature};
pub use signing::{
    BUNDLE_MEDIA_TYPE, SIGNATURE_PREDICATE_TYPE, SIMPLE_SIGNING_MEDIA_TYPE, Signed, SigningKey,
    sign,
};

/// The most different keys that rules may name: each is tried on each signature.
const MAX_KEYS: usize = 256;

/// Verifies signatures under the trust policy of a home.
pub struct Verifier {
    rules: TrustRules,
    keys: BTreeMap<Digest, PublicKey>,
    root: TrustRoot,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Verifier")
            .field("rules", &self.rules)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Reads `trust.yaml`, the keys it names and the roots of Sigstore.
    ///
    /// Without `root` those are the public-good instance's, as they were when Casemate was built. Nothing is fetched.
    ///
    /// # Errors
    /// If one of these files is there and cannot be trusted, read or used; no rule is ever left out.
    pub fn load(home: &Home, root: Option<&Path>) -> Result<Self, TrustError> {
        let path = home.trust_file();
        let policy = match read_policy_path(&path)? {
            None => TrustPolicy::empty(),
            Some(file) => TrustPolicy::parse(&file.text)
                .map_err(|source| TrustError::Policy { path, source })?,
        };
        Self::new(&policy, home, root)
    }

    /// As [`Verifier::load`], with these rules in place of `trust.yaml`.
    ///
    /// # Errors
    /// As [`Verifier::load`].
    pub fn new(policy: &TrustPolicy, home: &Home, root: Option<&Path>) -> Result<Self, TrustError> {
        let mut keys = BTreeMap::new();
        let rules = policy.with_keys(|source| {
            let key = read_key(source, home)?;
            let fingerprint = *key.fingerprint();
            keys.insert(fingerprint, key);
            if keys.len() > MAX_KEYS {
                return Err(TrustError::TooManyKeys { most: MAX_KEYS });
            }
            Ok(fingerprint)
        })?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let root = match root {
            None => TrustRoot::pinned(now),
            Some(path) => TrustRoot::read(path, now)?,
        };
        Ok(Self { rules, keys, root })
    }

    /// Tells whether a rule is for this repository: `registry[:port]/repository`, or host and path of an `https` source.
    pub fn concerns(&self, repository: &str) -> bool {
        self.rules.concern(repository)
    }

    /// Verifies what claims to be signatures of `manifest`, and judges the result for `repository`.
    ///
    /// What was not signed, or not in a registry, has no evidence: with a rule for it, that is refused as well.
    pub fn verify(&self, repository: &str, manifest: &Digest, evidence: &Evidence) -> Verification {
        let mut verified = Vec::new();
        let mut rejected = Vec::new();
        for (index, item) in evidence.items().iter().enumerate() {
            match self.check(repository, manifest, item) {
                Ok(signature) => verified.push(signature),
                Err(rejection) => rejected.push(rejection.of(what(item, index))),
            }
        }
        for item in evidence.unusable() {
            rejected.push(RejectedSignature {
                what: outcome::plain(&item.what),
                reason: Reason::VerifySignature,
                why: outcome::plain(&item.why),
            });
        }
        let verdict = self.verdict(repository, &verified, &rejected);
        Verification {
            verdict,
            verified,
            rejected,
        }
    }

    fn check(
        &self,
        repository: &str,
        manifest: &Digest,
        item: &SignatureItem,
    ) -> Result<VerifiedSignature, Rejection> {
        match item {
            SignatureItem::Legacy { .. } => legacy::verify(self, repository, manifest, item),
            SignatureItem::Bundle { json } => bundle::verify(self, manifest, json),
        }
    }

    fn verdict(
        &self,
        repository: &str,
        verified: &[VerifiedSignature],
        rejected: &[RejectedSignature],
    ) -> Verdict {
        let signatures: Vec<Signature> = verified
            .iter()
            .map(|signature| Signature {
                signer: signature.signer.clone(),
                annotations: signature.annotations.clone(),
            })
            .collect();
        let reasons: Vec<Reason> = rejected.iter().map(|signature| signature.reason).collect();
        match self.rules.judge(repository, &signatures, &reasons) {
            TrustJudgement::NoRule => match verified.first() {
                Some(signature) => Verdict::Signed(signature.signer.clone()),
                None => Verdict::Unsigned,
            },
            TrustJudgement::Trusted { signer, rule } => Verdict::Trusted { signer, rule },
            TrustJudgement::Warned { expected, why } => Verdict::Warned { expected, why },
            TrustJudgement::Refused {
                reason,
                expected,
                why,
            } => Verdict::Refused {
                reason,
                expected,
                why,
            },
        }
    }

    /// Tries every key that a rule names; which rule that is, is judged afterwards.
    fn key_that(&self, holds: impl Fn(&PublicKey) -> bool) -> Result<&PublicKey, Rejection> {
        let found = self.keys.values().find(|key| holds(key));
        found.ok_or_else(|| match self.keys.is_empty() {
            true => Rejection::new(Reason::VerifyIdentity, "signed by a key that no rule names"),
            false => Rejection::new(
                Reason::VerifySignature,
                "no key that a rule names made this signature over these bytes",
            ),
        })
    }
}

fn read_key(source: &KeySource, home: &Home) -> Result<PublicKey, TrustError> {
    match source {
        KeySource::Pem(text) => PublicKey::from_pem(text).map_err(|source| TrustError::Key {
            path: home.trust_file(),
            source,
        }),
        KeySource::File(name) => PublicKey::read(&home.config_dir().join(name)),
    }
}

fn what(item: &SignatureItem, index: usize) -> String {
    let number = index + 1;
    match item {
        SignatureItem::Legacy { .. } => format!("signature {number} (.sig tag)"),
        SignatureItem::Bundle { .. } => format!("signature {number} (bundle)"),
    }
}
