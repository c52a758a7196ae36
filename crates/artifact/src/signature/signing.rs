//! Signing with a key: what cosign would have made of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_policy::Digest;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey as EcdsaKey};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding, PrivateKeyInfoRef};
use serde_json::json;

use super::claims::{self, Critical, Identity, Image, SimpleSigning, Statement, Subject};
use super::error::{KeyError, TrustError};
use super::key::{PublicKey, check_algorithm, one_label};
use super::sealed;
use crate::package::{Evidence, SignatureItem};
use crate::protected::{PolicyFileError, read_policy_path};

/// The media type of the bundles that are made here.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The media type of the payload of a signature under a `.sig` tag.
pub const SIMPLE_SIGNING_MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The predicate type of a bundle that is a signature, for the annotation of its manifest.
pub const SIGNATURE_PREDICATE_TYPE: &str = claims::SIGN_PREDICATE;

/// A private key on P-256.
pub struct SigningKey {
    key: EcdsaKey,
    public: PublicKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({})", self.public.fingerprint())
    }
}

impl SigningKey {
    /// Reads a private key in PEM: PKCS#8 (RFC 5958), or as cosign encrypts it, with its password.
    ///
    /// # Errors
    /// For anything else, with what it is where that can be told.
    pub fn from_pem(text: &str, password: Option<&str>) -> Result<Self, KeyError> {
        let not_pem = || KeyError::NotPem {
            expected: "private",
        };
        // OpenSSL writes the parameters of a curve before such a key.
        if text.contains("-----BEGIN EC PRIVATE KEY-----") {
            return Err(KeyError::Form("SEC 1"));
        }
        let label = one_label(text, "private")?;
        if sealed::LABELS.contains(&label) {
            return Self::from_der(&sealed::open(text, password)?);
        }
        match label {
            "PRIVATE KEY" => {
                let (_, document) = p256::pkcs8::der::SecretDocument::from_pem(text.trim())
                    .map_err(|_| not_pem())?;
                Self::from_der(document.as_bytes())
            }
            "ENCRYPTED PRIVATE KEY" => Err(KeyError::Encryption("PKCS#8 with a password")),
            "RSA PRIVATE KEY" => Err(KeyError::Algorithm {
                algorithm: "RSA".to_owned(),
            }),
            "PUBLIC KEY" => Err(KeyError::Public),
            "CERTIFICATE" => Err(KeyError::Certificate),
            _ => Err(not_pem()),
        }
    }

    fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let not_pem = || KeyError::NotPem {
            expected: "private",
        };
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| not_pem())?;
        check_algorithm(info.algorithm.oid, info.algorithm.parameters_oid().ok())?;
        let key = EcdsaKey::from_pkcs8_der(der).map_err(|_| not_pem())?;
        Self::of(key)
    }

    fn of(key: EcdsaKey) -> Result<Self, KeyError> {
        let public = PublicKey::of(*key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// If the operating system gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        // All but one in 2^32 numbers of 32 bytes are keys.
        for _ in 0..16 {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(|_| KeyError::Random)?;
            if let Ok(key) = EcdsaKey::from_slice(&bytes) {
                return Self::of(key);
            }
        }
        Err(KeyError::Random)
    }

    /// Reads a key file: under the rules for files that decide what is allowed, and not for everybody to read.
    ///
    /// # Errors
    /// If it is not there, not this user's or root's, can be read by everybody, or is no such key.
    pub fn read(path: &Path, password: Option<&str>) -> Result<Self, TrustError> {
        let file = read_policy_path(path)?.ok_or_else(|| TrustError::Missing {
            path: path.to_owned(),
        })?;
        let mode = std::fs::metadata(path)
            .map_err(|source| PolicyFileError::Io {
                action: "look at",
                path: path.to_owned(),
                source,
            })?
            .permissions()
            .mode();
        if mode & 0o004 != 0 {
            return Err(TrustError::Exposed {
                path: path.to_owned(),
                mode: mode & 0o7777,
            });
        }
        Self::from_pem(&file.text, password).map_err(|source| TrustError::Key {
            path: path.to_owned(),
            source,
        })
    }

    /// The key as PEM: encrypted as cosign does it where there is a password, else plain PKCS#8.
    ///
    /// # Errors
    /// If the operating system gives no random numbers.
    pub fn to_pem(&self, password: Option<&str>) -> Result<String, KeyError> {
        let failed = |_| KeyError::NotPem {
            expected: "private",
        };
        match password {
            None => {
                let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(failed)?;
                Ok((*pem).clone())
            }
            Some(password) => {
                let der = self.key.to_pkcs8_der().map_err(failed)?;
                sealed::seal(der.as_bytes(), password)
            }
        }
    }

    /// The public key that belongs to it.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// ECDSA with SHA-256 (RFC 6979, so that the same input gives the same signature), in DER.
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key.sign(bytes);
        signature.to_der().as_bytes().to_vec()
    }
}

/// One signature of a manifest, in both forms that cosign reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    payload: Vec<u8>,
    signature: Vec<u8>,
    bundle: Vec<u8>,
}

impl Signed {
    /// The payload for a `.sig` tag, of [`SIMPLE_SIGNING_MEDIA_TYPE`].
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signature over [`Signed::payload`] in base64, for the annotation `dev.cosignproject.cosign/signature`.
    pub fn signature(&self) -> String {
        STANDARD.encode(&self.signature)
    }

    /// The bundle, JSON of [`BUNDLE_MEDIA_TYPE`].
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// Both forms as evidence, as somebody who fetches them has it.
    pub fn evidence(&self) -> Evidence {
        Evidence::new(vec![
            SignatureItem::Legacy {
                payload: self.payload.clone(),
                signature: self.signature.clone(),
                certificate: None,
                chain: None,
                bundle: None,
            },
            SignatureItem::Bundle {
                json: self.bundle.clone(),
            },
        ])
    }
}

/// Signs `manifest` of `repository` (`registry[:port]/repository`). The same input gives the same bytes.
///
/// # Errors
/// If the documents cannot be written down, which no text that was parsed leads to.
pub fn sign(
    key: &SigningKey,
    repository: &str,
    manifest: &Digest,
    annotations: &BTreeMap<String, String>,
) -> Result<Signed, serde_json::Error> {
    let values: BTreeMap<String, serde_json::Value> = annotations
        .iter()
        .map(|(name, text)| (name.clone(), json!(text)))
        .collect();
    let values = (!values.is_empty()).then_some(values);
    let payload = serde_json::to_vec(&SimpleSigning {
        critical: Critical {
            identity: Identity {
                reference: repository.to_owned(),
            },
            image: Image {
                digest: manifest.to_string(),
            },
            kind: claims::SIMPLE_TYPE.to_owned(),
        },
        optional: values.clone(),
    })?;
    let statement = serde_json::to_vec(&Statement {
        kind: claims::STATEMENT.to_owned(),
        subject: vec![Subject {
            digest: BTreeMap::from([("sha256".to_owned(), manifest.hex())]),
            annotations: Some(values.unwrap_or_default()),
        }],
        predicate_type: claims::SIGN_PREDICATE.to_owned(),
        predicate: json!({}),
    })?;
    let envelope = key.sign(&claims::pae(claims::IN_TOTO, &statement));
    let bundle = serde_json::to_vec(&json!({
        "mediaType": BUNDLE_MEDIA_TYPE,
        "verificationMaterial": {
            // As cosign names a key: a hint for whoever looks for it, which nobody has to believe.
            "publicKey": { "hint": STANDARD.encode(key.public.fingerprint().as_bytes()) },
        },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&statement),
            "payloadType": claims::IN_TOTO,
            "signatures": [{ "sig": STANDARD.encode(envelope) }],
        },
    }))?;
    let signature = key.sign(&payload);
    Ok(Signed {
        payload,
        signature,
        bundle,
    })
}
