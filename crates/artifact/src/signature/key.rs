//! Public keys: ECDSA on P-256, in PEM.

use std::path::Path;

use casemate_policy::Digest;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::spki::{
    DecodePublicKey, EncodePublicKey, ObjectIdentifier, SubjectPublicKeyInfoRef,
};

use super::error::{KeyError, TrustError};
use crate::digest::sha256;
use crate::protected::read_policy_path;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// What other programs make, by object identifier.
const OTHERS: [(&str, &str); 8] = [
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
    ("1.3.132.0.34", "ECDSA P-384"),
    ("1.3.132.0.35", "ECDSA P-521"),
    ("1.3.132.0.10", "ECDSA secp256k1"),
    ("1.2.840.10040.4.1", "DSA"),
];

/// A public key that signatures are verified with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    /// `SubjectPublicKeyInfo` (RFC 5280) in DER: one encoding for one key, whatever the file had.
    spki: Vec<u8>,
    fingerprint: Digest,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PublicKey({})", self.fingerprint)
    }
}

impl PublicKey {
    /// Reads one key in PEM (RFC 7468, `PUBLIC KEY`).
    ///
    /// # Errors
    /// For anything else, with what it is where that can be told.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let label = one_label(text, "public")?;
        match label {
            "PUBLIC KEY" => {}
            "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE" => {
                return Err(KeyError::Certificate);
            }
            "RSA PUBLIC KEY" => {
                return Err(KeyError::Algorithm {
                    algorithm: "RSA".to_owned(),
                });
            }
            label if label.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
            _ => return Err(KeyError::NotPem { expected: "public" }),
        }
        let not_pem = KeyError::NotPem { expected: "public" };
        let (_, document) =
            p256::pkcs8::der::Document::from_pem(text.trim()).map_err(|_| not_pem.clone())?;
        let spki =
            SubjectPublicKeyInfoRef::try_from(document.as_bytes()).map_err(|_| not_pem.clone())?;
        check_algorithm(spki.algorithm.oid, spki.algorithm.parameters_oid().ok())?;
        let key = VerifyingKey::from_public_key_der(document.as_bytes()).map_err(|_| not_pem)?;
        Self::of(key)
    }

    pub(super) fn of(key: VerifyingKey) -> Result<Self, KeyError> {
        let spki = key
            .to_public_key_der()
            .map_err(|_| KeyError::NotPem { expected: "public" })?
            .into_vec();
        let fingerprint = sha256(&spki);
        Ok(Self {
            key,
            spki,
            fingerprint,
        })
    }

    /// Reads a key file under the rules for files that decide what is allowed.
    ///
    /// # Errors
    /// If it is not there, not this user's or root's, can be written by everybody, or is no such key.
    pub fn read(path: &Path) -> Result<Self, TrustError> {
        let file = read_policy_path(path)?.ok_or_else(|| TrustError::Missing {
            path: path.to_owned(),
        })?;
        Self::from_pem(&file.text).map_err(|source| TrustError::Key {
            path: path.to_owned(),
            source,
        })
    }

    /// The SHA-256 of the key's `SubjectPublicKeyInfo` in DER.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }

    /// The key as PEM, `PUBLIC KEY`.
    ///
    /// # Errors
    /// If it cannot be written down, which no key that was read is.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.key
            .to_public_key_pem(p256::pkcs8::LineEnding::LF)
            .map_err(|_| KeyError::NotPem { expected: "public" })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Tells whether `signature`, in DER, is this key's over what has this SHA-256.
    pub(super) fn signed(&self, digest: &Digest, signature: &[u8]) -> bool {
        Signature::from_der(signature).is_ok_and(|signature| {
            self.key
                .verify_prehash(digest.as_bytes(), &signature)
                .is_ok()
        })
    }
}

/// Returns the label of a PEM text that holds one block.
pub(super) fn one_label<'t>(text: &'t str, expected: &'static str) -> Result<&'t str, KeyError> {
    let mut labels = text.match_indices("-----BEGIN ").filter_map(|(at, begin)| {
        let rest = text.get(at + begin.len()..)?;
        rest.split_once("-----").map(|(label, _)| label)
    });
    let not_pem = KeyError::NotPem { expected };
    let label = labels.next().ok_or(not_pem)?;
    match labels.count() {
        0 => Ok(label),
        more => Err(KeyError::Several(more + 1)),
    }
}

/// Refuses what is not ECDSA on P-256, by name.
pub(super) fn check_algorithm(
    algorithm: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
) -> Result<(), KeyError> {
    let identifier = match (algorithm, curve) {
        (EC, Some(P256)) => return Ok(()),
        (EC, Some(curve)) => curve,
        (algorithm, _) => algorithm,
    };
    let text = identifier.to_string();
    let name = OTHERS.iter().find(|(known, _)| *known == text);
    let algorithm = name.map_or(text.clone(), |(_, name)| (*name).to_owned());
    Err(KeyError::Algorithm { algorithm })
}
