//! An answer, read within bounds.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::time::{Instant, timeout, timeout_at};

use crate::remote::{Phase, RemoteError};
use crate::sources::{FetchDeadlines, Place};
use crate::wire::{broken, late, why};

/// Most of an error's body that is looked at, in bytes.
const MAX_ERROR_BYTES: u64 = 4 << 10;

/// The codes that a registry's error may have (OCI distribution spec, "Error codes"; the last two are
/// older). Another word is not repeated.
const CODES: [&str; 16] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
    "TAG_INVALID",
    "UNKNOWN",
];

/// The head of an answer, and its body to be read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) place: Place,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

impl Answer {
    pub(crate) fn of(
        place: Place,
        response: http::Response<Incoming>,
    ) -> Result<Self, RemoteError> {
        let (head, body) = response.into_parts();
        let encoded = head
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
        if encoded {
            return Err(broken(
                &place,
                "its answer is compressed, which was not asked for",
            ));
        }
        Ok(Self {
            place,
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// The text of a field, if it is there once and is ASCII.
    pub(crate) fn field(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        match values.next() {
            None => value.to_str().ok(),
            Some(_) => None,
        }
    }

    /// The announced number of bytes.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.field(&CONTENT_LENGTH)?.parse().ok()
    }

    /// The next bytes of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, RemoteError> {
        loop {
            let frame = timeout(idle, self.body.frame())
                .await
                .map_err(|_elapsed| late(&self.place, Phase::Idle, idle))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(broken(&self.place, why(&error))),
                Some(Ok(frame)) => {
                    // Trailers mean nothing here.
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn small(
        mut self,
        what: &str,
        limit: u64,
        deadlines: &FetchDeadlines,
    ) -> Result<Vec<u8>, RemoteError> {
        let too_large = || RemoteError::TooLarge {
            what: what.to_owned(),
            limit,
        };
        if self.announced().is_some_and(|announced| announced > limit) {
            return Err(too_large());
        }
        let place = self.place.clone();
        let reading = async {
            let mut bytes = Vec::new();
            while let Some(chunk) = self.chunk(deadlines.idle).await? {
                if bytes.len() as u64 + chunk.len() as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        timeout(deadlines.small, reading)
            .await
            .map_err(|_elapsed| late(&place, Phase::Small, deadlines.small))?
    }

    /// What an answer that is none of those expected means; `what` was asked for.
    pub(crate) async fn refusal(mut self, what: &str, deadlines: &FetchDeadlines) -> RemoteError {
        let place = self.place.to_string();
        match self.status {
            StatusCode::NOT_FOUND => RemoteError::NotFound {
                place,
                what: what.to_owned(),
            },
            status if status.is_redirection() => RemoteError::Redirect {
                place,
                why: format!("{what} is asked for at the registry itself only"),
            },
            status => RemoteError::Status {
                place,
                status: status.as_u16(),
                code: self.code(deadlines).await,
            },
        }
    }

    /// The registry's code for an error, if it is a known one.
    async fn code(&mut self, deadlines: &FetchDeadlines) -> Option<&'static str> {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<ErrorItem>,
        }
        #[derive(Deserialize)]
        struct ErrorItem {
            code: String,
        }
        let end = Instant::now() + deadlines.idle.min(deadlines.small);
        let mut bytes = Vec::new();
        while let Ok(Ok(Some(chunk))) = timeout_at(end, self.chunk(deadlines.idle)).await {
            if bytes.len() as u64 + chunk.len() as u64 > MAX_ERROR_BYTES {
                return None;
            }
            bytes.extend_from_slice(&chunk);
        }
        let errors: Errors = serde_json::from_slice(&bytes).ok()?;
        let code = &errors.errors.first()?.code;
        CODES.into_iter().find(|known| known == code)
    }
}
