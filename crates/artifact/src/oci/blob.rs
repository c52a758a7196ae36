//! Blobs: exactly the stated bytes, hashed while they arrive, taken up again where a line broke.

use casemate_policy::Digest;
use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderName, HeaderValue, RANGE};
use tokio::time::Instant;

use crate::digest::{Hashed, Hashing};
use crate::oci::session::Session;
use crate::remote::{Phase, RemoteError};
use crate::sources::{FetchDeadlines, Progress};
use crate::wire::answer::Answer;
use crate::wire::{Ask, late};

/// The registry's own word for what it sends; checked, never believed.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// How often the rest of a blob is asked for again.
const MAX_RESUMES: u32 = 4;

/// A blob that a manifest speaks of.
#[derive(Clone, Debug)]
pub(super) struct Blob {
    /// What it is, for messages.
    pub(super) what: &'static str,
    pub(super) digest: Digest,
    /// Its size, which the caller has compared with what may be.
    pub(super) size: u64,
}

/// Fetches a blob.
pub(super) async fn fetch(
    session: &mut Session<'_>,
    blob: &Blob,
    progress: &dyn Progress,
) -> Result<Hashed, RemoteError> {
    let memory = |_| RemoteError::Memory(blob.size);
    let capacity = usize::try_from(blob.size).map_err(|_| RemoteError::Memory(blob.size))?;
    let mut sink = Sink {
        stated: blob.size,
        what: blob.what,
        hashing: Hashing::with_capacity(capacity).map_err(memory)?,
        progress,
    };
    progress.started(blob.size);
    let mut resumes = 0;
    loop {
        let at = sink.hashing.len();
        match part(session, blob, &mut sink).await {
            Ok(()) => break,
            Err(error) if resumes < MAX_RESUMES && is_broken(&error) => {
                // A server that gives nothing at all is not asked for ever.
                resumes += if sink.hashing.len() > at { 1 } else { 2 };
                tracing::debug!(%error, at = sink.hashing.len(), "asking for the rest of a blob");
                progress.resumed(sink.hashing.len());
            }
            Err(error) => return Err(error),
        }
    }
    let hashed = sink.hashing.finish();
    if hashed.digest() != blob.digest {
        return Err(RemoteError::Digest {
            what: blob.what.to_owned(),
            expected: blob.digest,
            found: hashed.digest(),
        });
    }
    progress.finished();
    Ok(hashed)
}

/// Whether the line broke, rather than the registry said something.
fn is_broken(error: &RemoteError) -> bool {
    matches!(
        error,
        RemoteError::Http { .. }
            | RemoteError::Timeout {
                phase: Phase::Idle,
                ..
            }
    )
}

/// Asks for what is missing and takes what comes.
async fn part(
    session: &mut Session<'_>,
    blob: &Blob,
    sink: &mut Sink<'_>,
) -> Result<(), RemoteError> {
    let at = sink.hashing.len();
    let mut ask = Ask::get(session.url(&format!("blobs/{}", blob.digest))?);
    if at > 0
        && let Ok(range) = HeaderValue::from_str(&format!("bytes={at}-"))
    {
        ask.headers.insert(RANGE, range);
    }
    let mut answer = session.ask_following(ask).await?;
    let deadlines = session.wire.deadlines;
    let mut skip = match answer.status {
        StatusCode::PARTIAL_CONTENT if at > 0 && begins_at(&answer, at) => 0,
        // It gives everything again; what is known already is passed over.
        StatusCode::OK => at,
        _ => return Err(answer.refusal(blob.what, deadlines).await),
    };
    if let Some(stated) = stated_digest(&answer).filter(|stated| *stated != blob.digest) {
        return Err(RemoteError::LyingHeader {
            place: answer.place.to_string(),
            what: blob.what.to_owned(),
            stated,
            found: blob.digest,
        });
    }
    let expected = blob.size - at + skip;
    if let Some(announced) = answer.announced()
        && announced != expected
    {
        return Err(sink.wrong_size(announced.saturating_add(at - skip)));
    }
    let mut rate = Rate::begin(deadlines);
    while let Some(chunk) = answer.chunk(deadlines.idle).await? {
        rate.came(chunk.len(), &answer)?;
        let known = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
        skip -= known as u64;
        sink.take(chunk.get(known..).unwrap_or_default())?;
    }
    match sink.hashing.len() == blob.size {
        true => Ok(()),
        false => Err(sink.wrong_size(sink.hashing.len())),
    }
}

/// `bytes FIRST-LAST/ALL` (RFC 9110, 14.4).
fn begins_at(answer: &Answer, at: u64) -> bool {
    let first = answer
        .field(&CONTENT_RANGE)
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .and_then(|(first, _)| first.parse().ok());
    first == Some(at)
}

/// The digest that the registry says its answer has; `None` for another algorithm's.
pub(super) fn stated_digest(answer: &Answer) -> Option<Digest> {
    answer.field(&CONTENT_DIGEST)?.parse().ok()
}

/// Where the bytes go.
struct Sink<'a> {
    stated: u64,
    what: &'static str,
    hashing: Hashing,
    progress: &'a dyn Progress,
}

impl Sink<'_> {
    fn take(&mut self, chunk: &[u8]) -> Result<(), RemoteError> {
        if self.hashing.len() + chunk.len() as u64 > self.stated {
            return Err(self.wrong_size(self.stated.saturating_add(1)));
        }
        self.hashing.push(chunk);
        self.progress.advanced(chunk.len() as u64);
        Ok(())
    }

    fn wrong_size(&self, found: u64) -> RemoteError {
        RemoteError::Size {
            what: self.what.to_owned(),
            stated: self.stated,
            found,
        }
    }
}

/// Whether enough comes in each window of time.
pub(crate) struct Rate<'a> {
    deadlines: &'a FetchDeadlines,
    since: Instant,
    bytes: u64,
}

impl<'a> Rate<'a> {
    pub(crate) fn begin(deadlines: &'a FetchDeadlines) -> Self {
        Self {
            deadlines,
            since: Instant::now(),
            bytes: 0,
        }
    }

    pub(crate) fn came(&mut self, bytes: usize, answer: &Answer) -> Result<(), RemoteError> {
        self.bytes += bytes as u64;
        if self.since.elapsed() < self.deadlines.window {
            return Ok(());
        }
        if self.bytes < self.deadlines.least {
            return Err(late(&answer.place, Phase::Rate, self.deadlines.window));
        }
        self.since = Instant::now();
        self.bytes = 0;
        Ok(())
    }
}
