//! Why a trust policy, a key or a trust root cannot be used.

use std::path::PathBuf;

use casemate_policy::PolicyError;

use crate::protected::PolicyFileError;

/// Why there is no verifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file is there and cannot be trusted or read.
    #[error(transparent)]
    File(#[from] PolicyFileError),
    /// `trust.yaml` is not a trust policy.
    #[error("{}, {source}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: PolicyError,
    },
    /// A file that is named is not there.
    #[error("there is no file {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A private key that everybody on the machine can read.
    #[error("{} can be read by every user (mode {mode:04o}), so it is no secret", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key cannot be used.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file that holds it.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// More keys than are tried.
    #[error("the trust policy names more than {most} keys")]
    TooManyKeys {
        /// How many are tried.
        most: usize,
    },
    /// The trust root cannot be used.
    #[error("{}: {source}", path.display())]
    Root {
        /// The file that holds it.
        path: PathBuf,
        /// What is wrong with it.
        source: RootError,
    },
}

/// Why a text is not a key that Casemate can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No PEM (RFC 7468), or not what its label says.
    #[error("this is not a {expected} key in PEM")]
    NotPem {
        /// `public` or `private`.
        expected: &'static str,
    },
    /// A private key where a public one belongs.
    #[error("this is a private key, and a public one belongs here")]
    Private,
    /// A public key where a private one belongs.
    #[error("this is a public key, and signing needs the private one")]
    Public,
    /// A certificate.
    #[error("this is a certificate, not a key")]
    Certificate,
    /// More than one.
    #[error("there are {0} PEM blocks, and one key is one file")]
    Several(usize),
    /// Not ECDSA on the curve P-256.
    #[error("{algorithm} keys are not supported, only ECDSA P-256")]
    Algorithm {
        /// Its name, or its object identifier.
        algorithm: String,
    },
    /// An encrypted key, and no password.
    #[error("the key is encrypted")]
    PasswordNeeded,
    /// An encrypted key, and another password.
    #[error("the password does not fit the key, or the key was altered")]
    WrongPassword,
    /// Encrypted in a way that is not read.
    #[error("the key is encrypted in a way that is not supported: {0}")]
    Encryption(&'static str),
    /// A private key in another form than PKCS#8.
    #[error("the key is in {0} form, and PKCS#8 is read")]
    Form(&'static str),
    /// No randomness.
    #[error("the operating system gives no random numbers")]
    Random,
}

impl KeyError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotPem { expected: "public" } | Self::Several(_) => {
                "a key file starts with -----BEGIN PUBLIC KEY----- and holds nothing else; \
                 casemate sign --generate-key PREFIX makes a pair"
            }
            Self::NotPem { .. } | Self::Public => {
                "casemate sign --generate-key PREFIX makes a pair; PREFIX.key is the private key"
            }
            Self::Private => {
                "name the public key, and keep the private one off this machine: \
                 openssl ec -in KEY -pubout > NAME.pub"
            }
            Self::Certificate => "openssl x509 -in FILE -pubkey -noout > NAME.pub",
            Self::Algorithm { .. } => {
                "casemate sign --generate-key PREFIX makes a pair that is supported, as cosign generate-key-pair does"
            }
            Self::PasswordNeeded | Self::WrongPassword => {
                "give its password in CASEMATE_KEY_PASSWORD or COSIGN_PASSWORD, or on a terminal when asked"
            }
            Self::Encryption(_) | Self::Form(_) => {
                "openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW; chmod 600 NEW"
            }
            Self::Random => return None,
        };
        Some(hint.to_owned())
    }
}

/// Why a file is not a trust root that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// Not the JSON of a trust root.
    #[error("this is not a Sigstore trusted root: {0}")]
    Content(String),
    /// Without an authority of some kind nothing could ever be verified.
    #[error("the trust root names no {0}")]
    Incomplete(&'static str),
    /// Nothing in it is valid any more.
    #[error("every {0} of the trust root has expired")]
    Expired(&'static str),
}

impl TrustError {
    /// What the person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Policy { source, .. } => source.hint.clone(),
            Self::Missing { path } => Some(format!(
                "put it there, or name another: ls -l {}",
                path.parent().unwrap_or(path).display()
            )),
            Self::Exposed { path, .. } => Some(format!(
                "chmod 600 {}; if others could read it, make another key",
                path.display()
            )),
            Self::Key { source, .. } => source.hint(),
            Self::TooManyKeys { .. } => None,
            Self::Root { source, .. } => Some(
                match source {
                    RootError::Content(_) | RootError::Incomplete(_) => {
                        "a trusted_root.json is meant, as cosign trusted-root create writes it; \
                         without --trust-root the one that Casemate was built with is used"
                    }
                    RootError::Expired(_) => {
                        "get a newer trusted_root.json from where this one came"
                    }
                }
                .to_owned(),
            ),
        }
    }
}
