//! Private keys as cosign encrypts them: scrypt (RFC 7914) and NaCl's secretbox, as JSON in PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};

use super::error::KeyError;

/// The PEM labels that cosign has used; the first is the present one.
pub(super) const LABELS: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];
/// What cosign chooses: 64 MiB of memory and about a tenth of a second.
const OWN: Parameters = Parameters {
    n: 65_536,
    r: 8,
    p: 1,
};
/// The most memory that a file may ask for, in bytes.
const MAX_MEMORY: u64 = 256 << 20;
/// The most passes over that memory.
const MAX_PASSES: u64 = 4;
/// The longest salt and key in a file, in bytes.
const MAX_PART: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// Encrypts a key in PKCS#8 DER and returns the PEM text.
pub(super) fn seal(der: &[u8], password: &str) -> Result<String, KeyError> {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    getrandom::fill(&mut salt).map_err(|_| KeyError::Random)?;
    getrandom::fill(&mut nonce).map_err(|_| KeyError::Random)?;
    let unsupported = KeyError::Encryption("scrypt");
    let key = derive(password, &salt, OWN)?;
    let ciphertext = XSalsa20Poly1305::new(&key)
        .encrypt(Nonce::from_slice(&nonce), der)
        .map_err(|_| unsupported.clone())?;
    let sealed = Sealed {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: OWN,
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher {
            name: "nacl/secretbox".to_owned(),
            nonce: STANDARD.encode(nonce),
        },
        ciphertext: STANDARD.encode(ciphertext),
    };
    let json = serde_json::to_vec(&sealed).map_err(|_| unsupported)?;
    let [label, _] = LABELS;
    Ok(pem(label, &json))
}

/// Decrypts a key of such a PEM text; the result is PKCS#8 DER.
pub(super) fn open(text: &str, password: Option<&str>) -> Result<Vec<u8>, KeyError> {
    let not_pem = || KeyError::NotPem {
        expected: "private",
    };
    let json = body(text).ok_or_else(not_pem)?;
    let sealed: Sealed = serde_json::from_slice(&json).map_err(|_| not_pem())?;
    if sealed.kdf.name != "scrypt" {
        return Err(KeyError::Encryption("only scrypt derives keys here"));
    }
    if sealed.cipher.name != "nacl/secretbox" {
        return Err(KeyError::Encryption(
            "only nacl/secretbox encrypts keys here",
        ));
    }
    let salt = part(&sealed.kdf.salt).ok_or_else(not_pem)?;
    let nonce = part(&sealed.cipher.nonce)
        .and_then(|nonce| <[u8; 24]>::try_from(nonce).ok())
        .ok_or_else(not_pem)?;
    let ciphertext = part(&sealed.ciphertext).ok_or_else(not_pem)?;
    check(sealed.kdf.params)?;
    let password = password.ok_or(KeyError::PasswordNeeded)?;
    let key = derive(password, &salt, sealed.kdf.params)?;
    XSalsa20Poly1305::new(&key)
        .decrypt(Nonce::from_slice(&nonce), ciphertext.as_slice())
        .map_err(|_| KeyError::WrongPassword)
}

/// A file does not choose how much memory and time this process spends on it.
fn check(parameters: Parameters) -> Result<(), KeyError> {
    let Parameters { n, r, p } = parameters;
    let memory = n.saturating_mul(128).saturating_mul(u64::from(r));
    let fits = n.is_power_of_two() && n > 1 && (1..=64).contains(&r) && p >= 1;
    if fits && memory <= MAX_MEMORY && u64::from(p) <= MAX_PASSES {
        Ok(())
    } else {
        Err(KeyError::Encryption(
            "its scrypt parameters are beyond 256 MiB and 4 passes, or make no sense",
        ))
    }
}

fn derive(password: &str, salt: &[u8], parameters: Parameters) -> Result<Key, KeyError> {
    let unsupported = KeyError::Encryption("its scrypt parameters make no sense");
    let log_n = u8::try_from(parameters.n.trailing_zeros()).map_err(|_| unsupported.clone())?;
    let mut key = Key::default();
    let parameters = scrypt::Params::new(log_n, parameters.r, parameters.p, key.len())
        .map_err(|_| unsupported.clone())?;
    scrypt::scrypt(password.as_bytes(), salt, &parameters, &mut key).map_err(|_| unsupported)?;
    Ok(key)
}

fn part(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    (bytes.len() <= MAX_PART).then_some(bytes)
}

/// The bytes between the first and the second line of dashes.
fn body(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let text: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok()
}

fn pem(label: &str, bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}
