//! The roots of Sigstore: certificate authorities, logs and timestamp authorities.
//!
//! There is no TUF client: the root is part of the release, or a file that a person gives. Both are used as they are; what
//! TUF would notice (an older root, too few signatures on it) is for whoever hands the file over to notice.

use std::path::Path;

use sigstore_verify::trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot};

use super::error::{RootError, TrustError};
use super::outcome::Rejection;
use crate::protected::read_policy_path;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot";

/// A trust root, or why there is none: then keyless signatures do not hold, and keys are not concerned.
pub(super) struct TrustRoot(Result<sigstore_verify::Verifier, String>);

impl TrustRoot {
    /// The root that Casemate was built with. When it has expired, everything but keyless signatures still works.
    pub(super) fn pinned(now: u64) -> Self {
        Self(
            parse(SIGSTORE_PRODUCTION_TRUSTED_ROOT, now).map_err(|error| {
                format!("the trust root of this release of Casemate cannot be used: {error}")
            }),
        )
    }

    /// The root in a file that a person named: one that cannot be used is an error at once.
    pub(super) fn read(path: &Path, now: u64) -> Result<Self, TrustError> {
        let file = read_policy_path(path)?.ok_or_else(|| TrustError::Missing {
            path: path.to_owned(),
        })?;
        let root = parse(&file.text, now).map_err(|source| TrustError::Root {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self(Ok(root)))
    }

    pub(super) fn verifier(&self) -> Result<&sigstore_verify::Verifier, Rejection> {
        self.0.as_ref().map_err(Rejection::wrong)
    }
}

/// Reads a `trusted_root.json` (Sigstore protobuf-specs, `TrustedRoot`) as of `now`, in seconds since 1970.
pub(super) fn parse(json: &str, now: u64) -> Result<sigstore_verify::Verifier, RootError> {
    let content = |error: &dyn std::fmt::Display| {
        RootError::Content(super::outcome::plain(&error.to_string()))
    };
    let root = TrustedRoot::from_json(json).map_err(|error| content(&error))?;
    if !root.media_type.starts_with(MEDIA_TYPE) {
        return Err(content(&format!("its media type is {:?}", root.media_type)));
    }
    let authorities = root.certificate_authorities.iter();
    usable(
        "certificate authority",
        authorities.map(|authority| end(authority.valid_for)),
        now,
    )?;
    usable(
        "transparency log",
        root.tlogs.iter().map(|log| end(log.public_key.valid_for)),
        now,
    )?;
    usable(
        "certificate transparency log",
        root.ctlogs.iter().map(|log| end(log.public_key.valid_for)),
        now,
    )?;
    let certificates_end = root
        .certificate_authorities
        .iter()
        .filter_map(|authority| authority.cert_chain.certificates.first())
        .filter_map(|certificate| {
            sigstore_verify::crypto::parse_certificate_info(&certificate.raw_bytes).ok()
        })
        .map(|certificate| Some(certificate.not_after.as_second()));
    usable("certificate authority", certificates_end, now)?;
    sigstore_verify::Verifier::new(&root).map_err(|error| content(&error))
}

fn end(window: Option<sigstore_verify::trust_root::TimeRange>) -> Option<i64> {
    window
        .and_then(|window| window.end)
        .map(|end| end.as_second())
}

/// One authority of a kind has to be valid still: the rest is there for signatures of their time.
fn usable(
    kind: &'static str,
    ends: impl Iterator<Item = Option<i64>>,
    now: u64,
) -> Result<(), RootError> {
    let mut ends = ends.peekable();
    if ends.peek().is_none() {
        return Err(RootError::Incomplete(kind));
    }
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    match ends.any(|end| end.is_none_or(|end| end >= now)) {
        true => Ok(()),
        false => Err(RootError::Expired(kind)),
    }
}

#[cfg(test)]
mod tests;
