//! Signatures under a `.sig` tag, as cosign made them until its version 3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casemate_policy::{Digest, Signer};
use serde::Deserialize;
use serde_json::json;

use super::outcome::{Rejection, SignatureForm, VerifiedSignature};
use super::{Verifier, bundle, claims};
use crate::digest::sha256;
use crate::package::{MAX_PAYLOAD_BYTES, SignatureItem};

/// The most certificates of a chain.
const MAX_CHAIN: usize = 8;

pub(super) fn verify(
    verifier: &Verifier,
    repository: &str,
    manifest: &Digest,
    item: &SignatureItem,
) -> Result<VerifiedSignature, Rejection> {
    let SignatureItem::Legacy {
        payload,
        signature,
        certificate,
        chain,
        bundle,
    } = item
    else {
        return Err(Rejection::wrong("not a signature of a .sig tag"));
    };
    if payload.len() as u64 > MAX_PAYLOAD_BYTES {
        return Err(Rejection::wrong("the payload is too large"));
    }
    let annotations = claims::simple_signing(payload, repository, manifest)?;
    let digest = sha256(payload);
    let (signer, time) = match certificate {
        // A log entry beside a key's signature proves nothing that is used: no time is taken from it.
        None => {
            let key = verifier.key_that(|key| key.signed(&digest, signature))?;
            let fingerprint = *key.fingerprint();
            (Signer::Key { fingerprint }, None)
        }
        Some(certificate) => {
            let json = as_bundle(
                &digest,
                signature,
                certificate,
                chain.as_deref(),
                bundle.as_deref(),
            )?;
            bundle::with_certificate(verifier, &bundle::parse(&json)?, &digest)?
        }
    };
    Ok(VerifiedSignature {
        signer,
        annotations,
        time,
        form: SignatureForm::Legacy,
    })
}

/// The annotation `dev.sigstore.cosign/bundle`: an entry of Rekor v1, with the promise to include it.
#[derive(Deserialize)]
struct LogBundle {
    #[serde(rename = "SignedEntryTimestamp")]
    promise: String,
    #[serde(rename = "Payload")]
    payload: LogPayload,
}

#[derive(Deserialize)]
struct LogPayload {
    body: String,
    #[serde(rename = "integratedTime")]
    time: u64,
    #[serde(rename = "logIndex")]
    index: u64,
    #[serde(rename = "logID")]
    log: String,
}

#[derive(Deserialize)]
struct EntryKind {
    kind: String,
    #[serde(rename = "apiVersion")]
    version: String,
}

/// Puts the annotations together as a bundle v0.1, in which a promise of the log stands for its proof.
fn as_bundle(
    digest: &Digest,
    signature: &[u8],
    certificate: &str,
    chain: Option<&str>,
    log: Option<&str>,
) -> Result<Vec<u8>, Rejection> {
    let log = log.ok_or_else(|| {
        Rejection::wrong("it has a certificate and no entry of a transparency log")
    })?;
    let unreadable = |what: &str| Rejection::wrong(format!("its {what} cannot be read"));
    let log: LogBundle = serde_json::from_str(log).map_err(|_| unreadable("log entry"))?;
    let body = STANDARD
        .decode(&log.payload.body)
        .map_err(|_| unreadable("log entry"))?;
    let entry: EntryKind = serde_json::from_slice(&body).map_err(|_| unreadable("log entry"))?;
    let log_id: Digest = format!("sha256:{}", log.payload.log)
        .parse()
        .map_err(|_| unreadable("log's name"))?;
    let mut certificates = certificates(certificate).ok_or_else(|| unreadable("certificate"))?;
    if certificates.len() != 1 {
        return Err(unreadable("certificate"));
    }
    if let Some(chain) = chain {
        certificates.extend(self::certificates(chain).ok_or_else(|| unreadable("chain"))?);
    }
    let certificates: Vec<_> = certificates
        .iter()
        .map(|der| json!({ "rawBytes": STANDARD.encode(der) }))
        .collect();
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": {
            "x509CertificateChain": { "certificates": certificates },
            "tlogEntries": [{
                "logIndex": log.payload.index.to_string(),
                "logId": { "keyId": STANDARD.encode(log_id.as_bytes()) },
                "kindVersion": { "kind": entry.kind, "version": entry.version },
                "integratedTime": log.payload.time.to_string(),
                "inclusionPromise": { "signedEntryTimestamp": log.promise },
                "canonicalizedBody": log.payload.body,
            }],
        },
        "messageSignature": {
            "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(digest.as_bytes()) },
            "signature": STANDARD.encode(signature),
        },
    });
    serde_json::to_vec(&bundle).map_err(|_| unreadable("annotations"))
}

/// The DER of each certificate of a PEM text, at most [`MAX_CHAIN`].
fn certificates(pem: &str) -> Option<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for block in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let (body, _) = block.split_once("-----END CERTIFICATE-----")?;
        let text: String = body.split_ascii_whitespace().collect();
        found.push(STANDARD.decode(text).ok()?);
        if found.len() > MAX_CHAIN {
            return None;
        }
    }
    (!found.is_empty()).then_some(found)
}
