//! Sigstore bundles: signed by a key, or with a certificate of a moment.

use std::collections::BTreeMap;

use casemate_policy::{Digest, Reason, Signer, SubjectName};
use sigstore_verify::types::bundle::{MessageSignature, VerificationMaterialContent};
use sigstore_verify::types::{Bundle, DerPublicKey, HashAlgorithm, Sha256Hash, SignatureContent};
use sigstore_verify::{
    CertificateError, Error, IdentityMatcher, PublicKeyVerificationPolicy, SubjectAltName,
    TimestampError, TransparencyLogError, VerificationPolicy, VerificationResult,
};

use super::outcome::{Rejection, SignatureForm, VerifiedSignature};
use super::{PublicKey, Verifier, claims};
use crate::digest::sha256;
use crate::package::MAX_BUNDLE_BYTES;

/// The most log entries, timestamps and certificates of a bundle: each costs a verification, and one is usual.
const MAX_PARTS: usize = 8;

pub(super) fn verify(
    verifier: &Verifier,
    manifest: &Digest,
    json: &[u8],
) -> Result<VerifiedSignature, Rejection> {
    let bundle = parse(json)?;
    // What is signed, before who signed it: a bundle of another artifact is none of ours.
    let annotations = match &bundle.content {
        SignatureContent::DsseEnvelope(envelope) => claims::statement(
            &envelope.payload_type,
            envelope.payload.as_bytes(),
            manifest,
        )?,
        SignatureContent::MessageSignature(message) => message_claims(message, manifest)?,
        _ => return Err(Rejection::wrong("the bundle holds no signature")),
    };
    let (signer, time) = match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(_) => by_key(verifier, &bundle, manifest)?,
        VerificationMaterialContent::Certificate(_)
        | VerificationMaterialContent::X509CertificateChain { .. } => {
            keyless(verifier, &bundle, manifest)?
        }
        _ => {
            return Err(Rejection::wrong(
                "the bundle names neither a key nor a certificate",
            ));
        }
    };
    Ok(VerifiedSignature {
        signer,
        annotations,
        time,
        form: SignatureForm::Bundle,
    })
}

/// Reads a bundle (Sigstore protobuf-specs, `Bundle` v0.1 to v0.3) within bounds. `serde_json` bounds the depth, and the
/// type takes exactly one signature in an envelope.
pub(super) fn parse(json: &[u8]) -> Result<Bundle, Rejection> {
    if json.len() as u64 > MAX_BUNDLE_BYTES {
        return Err(Rejection::wrong(format!(
            "the bundle has {} bytes, and at most {MAX_BUNDLE_BYTES} are read",
            json.len()
        )));
    }
    let text = std::str::from_utf8(json).map_err(|_| Rejection::wrong("the bundle is not text"))?;
    let bundle = Bundle::from_json(text)
        .map_err(|error| Rejection::wrong(format!("the bundle cannot be read: {error}")))?;
    bounded(&bundle)?;
    Ok(bundle)
}

fn bounded(bundle: &Bundle) -> Result<(), Rejection> {
    let material = &bundle.verification_material;
    let certificates = match &material.content {
        VerificationMaterialContent::X509CertificateChain { certificates } => certificates.len(),
        _ => 1,
    };
    let timestamps = &material.timestamp_verification_data.rfc3161_timestamps;
    let parts = [
        ("log entries", material.tlog_entries.len()),
        ("timestamps", timestamps.len()),
        ("certificates", certificates),
    ];
    match parts.iter().find(|(_, count)| *count > MAX_PARTS) {
        None => Ok(()),
        Some((kind, count)) => Err(Rejection::wrong(format!(
            "the bundle has {count} {kind}, and at most {MAX_PARTS} are read"
        ))),
    }
}

/// A signature over the manifest's bytes themselves (`cosign sign-blob` of the manifest) says as much as a statement.
fn message_claims(
    message: &MessageSignature,
    manifest: &Digest,
) -> Result<BTreeMap<String, String>, Rejection> {
    let Some(digest) = &message.message_digest else {
        return Err(Rejection::wrong("the bundle does not say what it signs"));
    };
    if digest.algorithm != HashAlgorithm::Sha2256 {
        return Err(Rejection::wrong(format!(
            "the bundle signs a {} digest, and manifests have sha256",
            digest.algorithm
        )));
    }
    if digest.digest.as_bytes() != manifest.as_bytes() {
        return Err(Rejection::wrong("it signs another artifact"));
    }
    Ok(BTreeMap::new())
}

fn by_key(
    verifier: &Verifier,
    bundle: &Bundle,
    manifest: &Digest,
) -> Result<(Signer, Option<u64>), Rejection> {
    let (digest, signature) = signed(&bundle.content, manifest)?;
    // The hint is a stranger's word; what counts is the key that verifies.
    let key = verifier.key_that(|key| key.signed(&digest, signature))?;
    let time = match bundle.verification_material.tlog_entries.is_empty() {
        true => None,
        false => earliest(&logged(verifier, bundle, key, manifest)?),
    };
    let fingerprint = *key.fingerprint();
    Ok((Signer::Key { fingerprint }, time))
}

/// The SHA-256 of what the bundle's one signature is over, and the signature.
fn signed<'b>(
    content: &'b SignatureContent,
    manifest: &Digest,
) -> Result<(Digest, &'b [u8]), Rejection> {
    match content {
        SignatureContent::DsseEnvelope(envelope) => {
            let pae = claims::pae(&envelope.payload_type, envelope.payload.as_bytes());
            Ok((sha256(&pae), envelope.signature.sig.as_bytes()))
        }
        SignatureContent::MessageSignature(message) => {
            Ok((*manifest, message.signature.as_bytes()))
        }
        _ => Err(Rejection::wrong("the bundle holds no signature")),
    }
}

/// A key needs no log; where a bundle brings an entry, it has to be one of this signature in a log of the trust root.
fn logged(
    verifier: &Verifier,
    bundle: &Bundle,
    key: &PublicKey,
    manifest: &Digest,
) -> Result<VerificationResult, Rejection> {
    let policy = PublicKeyVerificationPolicy::new(DerPublicKey::new(key.spki().to_vec()));
    let artifact = artifact(manifest)?;
    let root = verifier.root.verifier()?;
    root.verify(artifact, bundle, &policy).map_err(rejection)
}

fn keyless(
    verifier: &Verifier,
    bundle: &Bundle,
    manifest: &Digest,
) -> Result<(Signer, Option<u64>), Rejection> {
    with_certificate(verifier, bundle, manifest)
}

/// Verifies a bundle with a certificate over what has the SHA-256 `signed`: chain, SCT, identity, log and time.
///
/// The certificate says who it is; the verification is then for exactly that name of that kind and that issuer. Whether a rule
/// names them is judged afterwards.
pub(super) fn with_certificate(
    verifier: &Verifier,
    bundle: &Bundle,
    signed: &Digest,
) -> Result<(Signer, Option<u64>), Rejection> {
    if bundle.verification_material.tlog_entries.is_empty() {
        return Err(Rejection::wrong(
            "it has a certificate and no entry of a transparency log",
        ));
    }
    let (signer, policy) = named(bundle)?;
    let root = verifier.root.verifier()?;
    let result = root
        .verify(artifact(signed)?, bundle, &policy)
        .map_err(rejection)?;
    let whole = result.certificate_verified()
        && result.sct_verified()
        && result.tlog_verified()
        && result.identity_policy_checked();
    match earliest(&result) {
        Some(time) if whole => Ok((signer, Some(time))),
        Some(_) | None => Err(Rejection::wrong("part of the proof was not verified")),
    }
}

fn named(bundle: &Bundle) -> Result<(Signer, VerificationPolicy), Rejection> {
    let certificate = bundle
        .signing_certificate()
        .ok_or_else(|| Rejection::wrong("the bundle has no certificate"))?;
    let certificate = sigstore_verify::crypto::parse_certificate_info(certificate)
        .map_err(|error| Rejection::wrong(format!("the certificate cannot be read: {error}")))?;
    let (san, matcher) = match certificate.identity {
        Some(SubjectAltName::Uri(uri)) => {
            (SubjectName::Uri(uri.clone()), IdentityMatcher::Uri(uri))
        }
        Some(SubjectAltName::Email(email)) => (
            SubjectName::Email(email.clone()),
            IdentityMatcher::Email(email),
        ),
        Some(_) | None => {
            return Err(Rejection::new(
                Reason::VerifyIdentity,
                "the certificate names neither a URI nor an e-mail address",
            ));
        }
    };
    let Some(issuer) = certificate.issuer else {
        return Err(Rejection::new(
            Reason::VerifyIdentity,
            "the certificate names no issuer",
        ));
    };
    let policy = VerificationPolicy::new(matcher, issuer.clone());
    let signer = Signer::identity(san, issuer)
        .map_err(|error| Rejection::new(Reason::VerifyIdentity, error.to_string()))?;
    Ok((signer, policy))
}

fn artifact(signed: &Digest) -> Result<Sha256Hash, Rejection> {
    Sha256Hash::from_hex(&signed.hex()).map_err(|error| Rejection::wrong(error.to_string()))
}

fn earliest(result: &VerificationResult) -> Option<u64> {
    let times = result.verified_timestamps().iter();
    times
        .filter_map(|time| u64::try_from(time.as_second()).ok())
        .min()
}

fn rejection(error: Error) -> Rejection {
    let reason = match &error {
        Error::IdentityMismatch { .. } | Error::IssuerMismatch { .. } => Reason::VerifyIdentity,
        Error::Certificate(
            CertificateError::Expired { .. }
            | CertificateError::NotYetValid { .. }
            | CertificateError::NoValidAuthority { .. },
        )
        | Error::TransparencyLog(TransparencyLogError::IntegratedTime(_))
        | Error::Timestamp(TimestampError::OutsideAuthorityValidity { .. }) => {
            Reason::VerifyExpired
        }
        // The chain is checked first, and says so in words only.
        Error::Certificate(CertificateError::ChainInvalid(why))
            if why.contains("CertExpired") || why.contains("CertNotValidYet") =>
        {
            Reason::VerifyExpired
        }
        _ => Reason::VerifySignature,
    };
    Rejection::new(reason, error.to_string())
}
