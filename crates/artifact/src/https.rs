//! Files behind URLs: one request, the same guard as for registries, and the digest if one is pinned.

use http::StatusCode;

use crate::digest::{Hashed, Hashing};
use crate::fetch::FetchRequest;
use crate::oci::Rate;
use crate::reference::HttpsReference;
use crate::remote::RemoteError;
use crate::sources::Sources;
use crate::wire::redirect::follow;
use crate::wire::{Ask, Wire, place_of};

const WHAT: &str = "the file";

/// Fetches the file, of at most as many bytes as the request allows.
pub(crate) async fn get(
    sources: &Sources,
    reference: &HttpsReference,
    request: FetchRequest<'_>,
) -> Result<Hashed, RemoteError> {
    let reach = sources.network.as_ref().ok_or(RemoteError::NoNetwork)?;
    let deadlines = &sources.deadlines;
    let origin = place_of(reference.url()).map_err(|why| RemoteError::Redirect {
        place: reference.host().to_string(),
        why,
    })?;
    let mut wire = Wire::from(reach, deadlines, origin);
    let ask = Ask::get(reference.url().clone());
    let answer = wire.ask(&ask).await?;
    let mut answer = follow(&mut wire, ask, answer).await?;
    if answer.status != StatusCode::OK {
        return Err(answer.refusal(WHAT, deadlines).await);
    }
    let limit = request.limits.max_bytes;
    let too_large = || RemoteError::TooLarge {
        what: WHAT.to_owned(),
        limit,
    };
    let announced = answer.announced();
    if announced.is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let capacity = usize::try_from(announced.unwrap_or(0)).unwrap_or(0);
    let mut hashing = Hashing::with_capacity(capacity)
        .map_err(|_| RemoteError::Memory(announced.unwrap_or(0)))?;
    request.progress.started(announced.unwrap_or(0));
    let mut rate = Rate::begin(deadlines);
    while let Some(chunk) = answer.chunk(deadlines.idle).await? {
        rate.came(chunk.len(), &answer)?;
        if hashing.len() + chunk.len() as u64 > limit {
            return Err(too_large());
        }
        hashing.push(&chunk);
        request.progress.advanced(chunk.len() as u64);
    }
    let hashed = hashing.finish();
    match reference.digest() {
        Some(pinned) if *pinned != hashed.digest() => Err(RemoteError::Digest {
            what: WHAT.to_owned(),
            expected: *pinned,
            found: hashed.digest(),
        }),
        _ => {
            request.progress.finished();
            Ok(hashed)
        }
    }
}
