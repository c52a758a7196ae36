//! Sending blobs and manifests (OCI distribution spec 1.1, "Push").

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use http::{Method, StatusCode};
use url::Url;

use super::content::Blob;
use crate::oci::session::Session;
use crate::remote::RemoteError;
use crate::wire::answer::Answer;
use crate::wire::{Ask, place_of};

/// Says which digest the registry found.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Says that the registry keeps the referrers of a manifest by itself.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// Sends to one repository.
pub(super) struct Upload<'a> {
    pub(super) session: Session<'a>,
}

impl<'a> Upload<'a> {
    pub(super) fn new(session: Session<'a>) -> Upload<'a> {
        Upload { session }
    }

    /// Sends a blob, unless the registry has it; says whether it was sent.
    pub(super) async fn blob(&mut self, blob: &Blob) -> Result<bool, RemoteError> {
        let what = format!("the blob {}", blob.digest);
        let mut ask = Ask::get(self.session.url(&format!("blobs/{}", blob.digest))?);
        ask.method = Method::HEAD;
        // A registry may keep blobs elsewhere and send there.
        let answer = self.session.ask_following(ask).await?;
        if answer.status == StatusCode::OK && answer.announced() == Some(blob.bytes.len() as u64) {
            self.agrees(&answer, blob, &what)?;
            return Ok(false);
        }
        let location = self.begin(&what).await?;
        let mut ask = Ask::get(location);
        ask.method = Method::PUT;
        ask.url
            .query_pairs_mut()
            .append_pair("digest", &blob.digest.to_string());
        ask.headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        ask.body = Bytes::from(blob.bytes.clone());
        let answer = self.session.ask(ask).await?;
        if answer.status != StatusCode::CREATED {
            return Err(self.refusal(answer, &what).await);
        }
        self.agrees(&answer, blob, &what)?;
        Ok(true)
    }

    /// Begins an upload; where its bytes are to be sent.
    async fn begin(&mut self, what: &str) -> Result<Url, RemoteError> {
        let url = self.session.url("blobs/uploads/")?;
        let mut ask = Ask::get(url.clone());
        ask.method = Method::POST;
        let answer = self.session.ask(ask).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(self.refusal(answer, what).await);
        }
        let refuse = |why: &str| RemoteError::Redirect {
            place: self.session.place(),
            why: why.to_owned(),
        };
        let location = answer
            .field(&LOCATION)
            .ok_or_else(|| refuse("it takes an upload and does not say where"))?;
        let mut location = url
            .join(location)
            .map_err(|_| refuse("where it takes an upload is no URL"))?;
        location.set_fragment(None);
        // The bytes, and the login with them, stay with whom the person named.
        if place_of(&location).ok() != place_of(&url).ok() {
            return Err(refuse("it takes an upload at another host only"));
        }
        Ok(location)
    }

    /// Sends a manifest under a tag or its own digest; says whether the registry keeps its referrers.
    pub(super) async fn manifest(
        &mut self,
        name: &str,
        manifest: &Blob,
    ) -> Result<bool, RemoteError> {
        let what = format!("the manifest {name}");
        let url = self.session.url(&format!("manifests/{name}"))?;
        let mut ask = Ask::get(url);
        ask.method = Method::PUT;
        ask.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(manifest.media_type));
        ask.body = Bytes::from(manifest.bytes.clone());
        let answer = self.session.ask(ask).await?;
        if answer.status != StatusCode::CREATED {
            return Err(self.refusal(answer, &what).await);
        }
        self.agrees(&answer, manifest, &what)?;
        Ok(answer.headers.contains_key(&SUBJECT))
    }

    /// Compares the digest that the registry found, where it says one, with our own.
    fn agrees(&self, answer: &Answer, blob: &Blob, what: &str) -> Result<(), RemoteError> {
        let Some(stated) = answer.field(&CONTENT_DIGEST) else {
            return Ok(());
        };
        if stated == blob.digest.to_string() {
            return Ok(());
        }
        match stated.parse() {
            Ok(stated) => Err(RemoteError::LyingHeader {
                place: self.session.place(),
                what: what.to_owned(),
                stated,
                found: blob.digest,
            }),
            // Of another algorithm it cannot be compared.
            Err(_) if stated.starts_with("sha512:") => Ok(()),
            Err(_) => Err(RemoteError::Http {
                place: self.session.place(),
                why: "it names a digest that is none",
            }),
        }
    }

    /// What an answer means that is not the one expected.
    pub(super) async fn refusal(&self, answer: Answer, what: &str) -> RemoteError {
        answer.refusal(what, self.session.wire.deadlines).await
    }
}
