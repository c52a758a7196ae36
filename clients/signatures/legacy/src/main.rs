//! What the crate `sigstore` does with signatures under a `.sig` tag: it makes keys, signs and verifies; nothing here is Casemate's.
//!
//! ```text
//! legacy-signatures generate PRIVATE PUBLIC                        a new key, encrypted as cosign does, and its public half
//! legacy-signatures sign PRIVATE REFERENCE [NAME=TEXT ...]         signs what a registry on loopback has and pushes the `.sig` tag
//! legacy-signatures verify PUBLIC REFERENCE [NAME=TEXT ...]        0 if a signature holds, 1 if none does
//! legacy-signatures payload PRIVATE REFERENCE DIGEST DIRECTORY     signs without a registry: `payload.json`, `signature.txt`
//! ```
//!
//! The password of a private key is that of `COSIGN_PASSWORD`. Exit status 2 for everything that is no verdict.

#![allow(
    clippy::disallowed_methods,
    reason = "that only one room reads the environment is about Casemate"
)]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use sigstore::cosign::constraint::{AnnotationMarker, PrivateKeySigner};
use sigstore::cosign::verification_constraint::{
    AnnotationVerifier, PublicKeyVerifier, VerificationConstraintVec,
};
use sigstore::cosign::{
    Client, ClientBuilder, Constraint, CosignCapabilities, SignatureLayer, verify_constraints,
};
use sigstore::crypto::SigningScheme;
use sigstore::crypto::signing_key::SigStoreKeyPair;
use sigstore::registry::{Auth, ClientConfig, ClientProtocol, OciReference};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SCHEME: SigningScheme = SigningScheme::ECDSA_P256_SHA256_ASN1;

fn password() -> Result<Vec<u8>> {
    Ok(std::env::var("COSIGN_PASSWORD")?.into_bytes())
}

fn annotations(words: &[&str]) -> Result<HashMap<String, String>> {
    let pair = |word: &&str| word.split_once('=').map(|(n, t)| (n.into(), t.into()));
    let pairs: Option<_> = words.iter().map(pair).collect();
    pairs.ok_or_else(|| "an annotation is NAME=TEXT".into())
}

fn client() -> Result<Client> {
    let config = ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    };
    Ok(ClientBuilder::default()
        .with_oci_client_config(config)
        .build()?)
}

fn generate(private: &str, public: &str) -> Result<()> {
    let pair = SCHEME.create_signer()?.to_sigstore_keypair()?;
    let sealed = pair.private_key_to_encrypted_pem(&password()?)?;
    std::fs::write(private, sealed.as_bytes())?;
    std::fs::write(public, pair.public_key_to_pem()?)?;
    Ok(())
}

/// A signed layer: the payload in `raw_data`, the signature beside it.
fn signed(
    private: &str,
    reference: &OciReference,
    digest: &str,
    annotations: HashMap<String, String>,
) -> Result<SignatureLayer> {
    let pair = SigStoreKeyPair::from_encrypted_pem(&std::fs::read(private)?, &password()?)?;
    let signer = PrivateKeySigner::new_with_signer(pair.to_sigstore_signer(&SCHEME)?);
    let mut layer = SignatureLayer::new_unsigned(reference, digest)?;
    let marked =
        annotations.is_empty() || AnnotationMarker::new(annotations).add_constraint(&mut layer)?;
    if !(marked && signer.add_constraint(&mut layer)?) {
        return Err("it was not signed".into());
    }
    Ok(layer)
}

async fn sign(
    private: &str,
    reference: &OciReference,
    marks: HashMap<String, String>,
) -> Result<()> {
    let mut client = client()?;
    let (place, digest) = client.triangulate(reference, &Auth::Anonymous).await?;
    let layer = signed(private, reference, &digest, marks)?;
    client
        .push_signature(None, &Auth::Anonymous, &place, vec![layer])
        .await?;
    Ok(())
}

/// How many signatures were of this artifact, and whether one of them is of this key and has these annotations.
async fn verify(
    public: &str,
    reference: &OciReference,
    marks: HashMap<String, String>,
) -> Result<(usize, bool)> {
    let key = PublicKeyVerifier::try_from(&std::fs::read(public)?)?;
    let mut constraints: VerificationConstraintVec = vec![Box::new(key)];
    if !marks.is_empty() {
        let annotations: BTreeMap<_, _> = marks.into_iter().collect();
        constraints.push(Box::new(AnnotationVerifier { annotations }));
    }
    let mut client = client()?;
    let layers = client
        .trusted_signature_layers(&Auth::Anonymous, reference)
        .await?;
    let held = verify_constraints(&layers, constraints.iter()).is_ok();
    Ok((layers.len(), held))
}

fn payload(private: &str, reference: &OciReference, digest: &str, directory: &Path) -> Result<()> {
    let layer = signed(private, reference, digest, HashMap::new())?;
    let signature = layer.signature.ok_or("it was not signed")?;
    std::fs::write(directory.join("payload.json"), layer.raw_data)?;
    std::fs::write(directory.join("signature.txt"), signature)?;
    Ok(())
}

fn run(words: &[&str]) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match words {
        ["generate", private, public] => generate(private, public)?,
        ["sign", private, reference, rest @ ..] => {
            runtime.block_on(sign(private, &reference.parse()?, annotations(rest)?))?;
        }
        ["verify", public, reference, rest @ ..] => {
            let (found, held) =
                runtime.block_on(verify(public, &reference.parse()?, annotations(rest)?))?;
            let verdict = if held { "accepted" } else { "refused" };
            println!("{verdict}: {found} signatures of this artifact");
            return Ok(held);
        }
        ["payload", private, reference, digest, directory] => {
            payload(private, &reference.parse()?, digest, directory.as_ref())?;
        }
        _ => return Err("generate, sign, verify or payload, and what each takes".into()),
    }
    Ok(true)
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
