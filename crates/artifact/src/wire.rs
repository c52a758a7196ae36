//! HTTP/1.1 to registries and servers: one request at a time, each phase within a deadline, nothing
//! larger than the reader asked for.
//!
//! There is no proxy, no cookie, no decompression, and no redirect unless [`redirect`] is asked to
//! follow one.

pub(crate) mod answer;
pub(crate) mod redirect;

use std::time::Duration;

use bytes::Bytes;
use casemate_policy::HttpScheme;
use http::header::{ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use url::Url;

use crate::reference::host_of;
use crate::remote::{Phase, RemoteError};
use crate::sources::{FetchDeadlines, Place, Reach};
use crate::wire::answer::Answer;

/// Fields in the head of a response.
const MAX_HEADERS: usize = 100;
/// Bytes of the head of a response.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// Bytes of the buffer that a connection reads into.
const BUFFER: usize = 256 << 10;
/// How long a connection that was used may take to become free again.
const LINGER: Duration = Duration::from_millis(200);
/// What we call ourselves.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("casemate/", env!("CARGO_PKG_VERSION")));

/// Runs `work` on a thread and an event loop of its own, and waits for it no longer than everything
/// may take. With it end all of its connections. The caller may itself be on an event loop.
pub(crate) fn wait<T: Send, F: Future<Output = Result<T, RemoteError>>>(
    deadlines: &FetchDeadlines,
    origin: &str,
    work: impl FnOnce() -> F + Send,
) -> Result<T, RemoteError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| RemoteError::EventLoop(error.to_string()))?;
        runtime.block_on(async {
            timeout(deadlines.total, work())
                .await
                .unwrap_or_else(|_elapsed| {
                    Err(RemoteError::Timeout {
                        place: origin.to_owned(),
                        phase: Phase::Total,
                        limit: deadlines.total,
                    })
                })
        })
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("fetch".to_owned());
        let running = thread
            .spawn_scoped(scope, run)
            .map_err(|error| RemoteError::EventLoop(error.to_string()))?;
        running
            .join()
            .unwrap_or_else(|_panic| Err(RemoteError::EventLoop("it panicked".to_owned())))
    })
}

type Sender = SendRequest<Full<Bytes>>;

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Ask {
    pub(crate) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    fn may_repeat(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }
}

/// Conversations that began with one origin.
///
/// Other origins are reached only because that one sent there. They are held to more: their addresses
/// may not be special-use ones unless the origin's own is.
pub(crate) struct Wire<'a> {
    pub(crate) reach: &'a Reach,
    pub(crate) deadlines: &'a FetchDeadlines,
    pub(crate) origin: Place,
    origin_is_special: bool,
    kept: Option<(Place, Sender)>,
}

impl<'a> Wire<'a> {
    pub(crate) fn from(reach: &'a Reach, deadlines: &'a FetchDeadlines, origin: Place) -> Self {
        Self {
            reach,
            deadlines,
            origin,
            origin_is_special: false,
            kept: None,
        }
    }

    /// Asks, and waits for the head of the answer.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Result<Answer, RemoteError> {
        let place = place_of(&ask.url).map_err(|why| RemoteError::Redirect {
            place: self.origin.to_string(),
            why,
        })?;
        if let Some(sender) = self.take_kept(&place).await
            && ask.may_repeat()
        {
            match self.speak(sender, &place, ask).await {
                // The other side had closed it, as it may at any time.
                Err(RemoteError::Http { .. }) => {}
                spoken => return spoken,
            }
        }
        let sender = self.connect(&place).await?;
        self.speak(sender, &place, ask).await
    }

    /// The connection of an earlier request, if it leads there and its answer was read to the end.
    async fn take_kept(&mut self, place: &Place) -> Option<Sender> {
        let (to, mut sender) = self.kept.take()?;
        if to != *place {
            return None;
        }
        timeout(LINGER, sender.ready()).await.ok()?.ok()?;
        Some(sender)
    }

    async fn connect(&mut self, place: &Place) -> Result<Sender, RemoteError> {
        let at_origin = *place == self.origin;
        let special = at_origin || self.origin_is_special;
        let limit = self.deadlines.connect;
        let connecting = self.reach.connector.connect(place, special);
        let connected = timeout(limit, connecting)
            .await
            .map_err(|_elapsed| late(place, Phase::Connect, limit))?
            .map_err(|error| RemoteError::Connect {
                place: place.to_string(),
                error,
            })?;
        if at_origin {
            self.origin_is_special = connected.special;
        }
        let stream = TokioIo::new(connected.stream);
        #[expect(
            clippy::disallowed_methods,
            reason = "the connector judged where this leads; guests cannot come here"
        )]
        let mut builder = http1::Builder::new();
        builder
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(BUFFER);
        let (sender, connection) = builder
            .handshake(stream)
            .await
            .map_err(|_| broken(place, "the connection was closed at once"))?;
        // It ends with the sender, or with the event loop of this fetch.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a registry ended");
            }
        });
        Ok(sender)
    }

    async fn speak(
        &mut self,
        mut sender: Sender,
        place: &Place,
        ask: &Ask,
    ) -> Result<Answer, RemoteError> {
        let request = request(place, ask)?;
        let limit = self.head_limit(ask.body.len());
        let response = timeout(limit, sender.send_request(request))
            .await
            .map_err(|_elapsed| late(place, Phase::Head, limit))?
            .map_err(|error| broken(place, why(&error)))?;
        self.kept = Some((place.clone(), sender));
        Answer::of(place.clone(), response)
    }

    /// What is sent takes its time as well.
    fn head_limit(&self, sent: usize) -> Duration {
        let windows = (sent as u64) / self.deadlines.least.max(1);
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        self.deadlines
            .head
            .saturating_add(self.deadlines.window.saturating_mul(windows))
    }
}

fn request(place: &Place, ask: &Ask) -> Result<Request<Full<Bytes>>, RemoteError> {
    let target = match ask.url.query() {
        Some(query) => format!("{}?{query}", ask.url.path()),
        None => ask.url.path().to_owned(),
    };
    let cannot = |_| broken(place, "the request cannot be written");
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(target)
        .body(Full::new(ask.body.clone()))
        .map_err(|_| broken(place, "the request cannot be written"))?;
    let headers = request.headers_mut();
    headers.extend(ask.headers.clone());
    headers.insert(
        HOST,
        HeaderValue::try_from(place.authority()).map_err(cannot)?,
    );
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(request)
}

/// Where a URL leads; what is wrong with it otherwise.
pub(crate) fn place_of(url: &Url) -> Result<Place, String> {
    let scheme = match url.scheme() {
        "https" => HttpScheme::Https,
        "http" => HttpScheme::Http,
        _ => return Err("it is no address of HTTP".to_owned()),
    };
    let host = host_of(url).map_err(|_| "its host is not one, or it has a user name".to_owned())?;
    let port = url.port().unwrap_or_else(|| scheme.default_port());
    if port == 0 {
        return Err("its port is 0".to_owned());
    }
    Ok(Place { scheme, host, port })
}

pub(crate) fn late(place: &Place, phase: Phase, limit: Duration) -> RemoteError {
    RemoteError::Timeout {
        place: place.to_string(),
        phase,
        limit,
    }
}

pub(crate) fn broken(place: &Place, why: &'static str) -> RemoteError {
    RemoteError::Http {
        place: place.to_string(),
        why,
    }
}

/// What hyper complains of, in words that repeat nothing of what came.
pub(crate) fn why(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "its answer is not HTTP, or its head is too large"
    } else {
        "the connection broke before the end of its answer"
    }
}
