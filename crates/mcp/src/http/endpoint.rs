//! One request of HTTP, from its headers to the head of its response.

use super::access::{Access, only};
use super::body::{Bodies, Collected, MAX_BODY};
use super::reply::{Held, Refusal, Reply, guarded};
use super::sessions::{Session, Sessions};
use crate::guard::defect;
use crate::handler::Handler;
use crate::message::{self, Read, Rejection};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use rmcp::model::{ClientRequest, RequestId};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Values in one message. Fewer than on standard input, where a client keeps only itself waiting:
/// reading a message holds up the thread that serves all of them.
const MAX_VALUES: usize = 256 * 1024;
/// Streams without an end at once: of older clients, and subscriptions. Fewer than connections, so
/// that there is room for calls.
const MAX_STREAMS: usize = 128;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Headers that say what a request is. A proxy may read another one of two than rmcp does.
const SINGLE: [HeaderName; 6] = [
    CONTENT_TYPE,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("mcp-protocol-version"),
    SESSION,
];

/// What is at `/mcp`.
pub(super) struct Endpoint {
    access: Access,
    bodies: Bodies,
    sessions: Sessions,
    /// One handshake at a time, so that no two take the last place.
    handshake: tokio::sync::Mutex<()>,
    streams: Arc<Semaphore>,
    service: StreamableHttpService<Handler, LocalSessionManager>,
    stopped: CancellationToken,
}

impl Endpoint {
    /// `stopped` says that nothing more is served; `over` ends what still runs.
    pub(super) fn new(
        handler: Handler,
        address: SocketAddr,
        stopped: CancellationToken,
        over: CancellationToken,
    ) -> Self {
        let sessions = Sessions::new();
        let port = address.port();
        let hosts = ["localhost", "127.0.0.1", "[::1]", &host_of(address)].map(str::to_owned);
        // The same rules as `access`, should a request ever get past it.
        let origins = hosts.each_ref().map(|host| format!("http://{host}:{port}"));
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .enforce_origin_validation()
            .with_json_response(true)
            .with_max_request_body_bytes(MAX_BODY)
            .with_cancellation_token(over);
        let local = sessions.local();
        Self {
            access: Access::new(address),
            bodies: Bodies::default(),
            sessions,
            handshake: tokio::sync::Mutex::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            service: StreamableHttpService::new(move || Ok(handler.another()), local, config),
            stopped,
        }
    }

    /// Cancelled when nothing more is served.
    pub(super) fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    /// The response to `request`. Dropped before it is there, the request is taken back.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Reply>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match self.served(request).await {
            Ok(response) => guarded(response),
            Err(refusal) => refusal.into_response(),
        }
    }

    async fn served<B>(&self, request: Request<B>) -> Result<Response<Reply>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        self.access.check(&request)?;
        if self.stopped.is_cancelled() {
            return Err(StatusCode::SERVICE_UNAVAILABLE.into());
        }
        let (parts, body) = request.into_parts();
        match parts.method {
            Method::POST => self.post(parts, body).await,
            Method::GET => self.listen(parts).await,
            Method::DELETE => self.delete(parts).await,
            _ => Err(StatusCode::METHOD_NOT_ALLOWED.into()),
        }
    }

    /// A message of a client.
    async fn post<B>(&self, mut parts: Parts, body: B) -> Result<Response<Reply>, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        not_encoded(&parts.headers)?;
        let Collected { bytes, room } = self.bodies.collect(body).await?;
        let text = message::text(&bytes)?;
        if text.is_empty() {
            return Err(Rejection::parse("the body is empty").into());
        }
        let text = bytes.slice_ref(text.as_bytes());
        let read = message::read(&text, MAX_VALUES)?;
        let id = match &read {
            Read::Request { id, .. } => Some(id),
            Read::Cancelled(..) | Read::Notification(_) | Read::Nothing => None,
        };
        single(&parts.headers, id)?;
        let session = self.session(&mut parts.headers)?;
        let mut held = Held {
            room,
            ..Held::default()
        };
        if let Some(session) = &session {
            if let Read::Cancelled(_, id) = &read {
                session.take_back(id);
            }
            held.in_use = Some(session.enter(id)?);
        }
        let request = Request::from_parts(parts, Full::new(text));
        match &read {
            Read::Request { id, request: asked } => match asked.as_ref() {
                ClientRequest::InitializeRequest(_) if session.is_none() => {
                    return self.begin(request, id).await;
                }
                ClientRequest::SubscriptionsListenRequest(_) => {
                    held.stream = Some(self.stream(Some(id))?);
                }
                _ => {}
            },
            Read::Cancelled(..) | Read::Notification(_) | Read::Nothing => {}
        }
        let id = id.cloned();
        // Half of what the message takes; rmcp reads it once more.
        drop(read);
        let response = self.service.handle(request).await;
        finished(response, held, id)
    }

    /// The handshake of an older client.
    async fn begin(
        &self,
        request: Request<Full<Bytes>>,
        id: &RequestId,
    ) -> Result<Response<Reply>, Refusal> {
        let _one = self.handshake.lock().await;
        self.sessions.make_room(id).await?;
        let mut response = self.service.handle(request).await;
        if let Some(inner) = response.headers_mut().remove(SESSION)
            && let Ok(inner) = inner.to_str()
        {
            let adopted = self.sessions.adopt(inner.into());
            let adopted = adopted.map_err(|error| {
                let defect = defect(&format!("no randomness for the id of a session: {error}"));
                Rejection::defect(Some(id.clone()), defect)
            })?;
            response.headers_mut().insert(SESSION, adopted);
        }
        finished(response, Held::default(), Some(id.clone()))
    }

    /// The stream of news to an older client.
    async fn listen(&self, mut parts: Parts) -> Result<Response<Reply>, Refusal> {
        single(&parts.headers, None)?;
        let mut held = Held::default();
        if let Some(session) = self.session(&mut parts.headers)? {
            held.in_use = Some(session.enter(None)?);
        }
        held.stream = Some(self.stream(None)?);
        let request = Request::from_parts(parts, Full::new(Bytes::new()));
        let response = self.service.handle(request).await;
        let response = finished(response, held, None)?;
        Ok(response.map(|reply| reply.until(self.stopped.clone())))
    }

    /// An older client's farewell.
    async fn delete(&self, mut parts: Parts) -> Result<Response<Reply>, Refusal> {
        single(&parts.headers, None)?;
        let named = only(&parts.headers, SESSION)?.map(str::to_owned);
        if named.is_some() && self.session(&mut parts.headers)?.is_none() {
            return Err(StatusCode::NOT_FOUND.into());
        }
        let request = Request::from_parts(parts, Full::new(Bytes::new()));
        let mut response = self.service.handle(request).await;
        if response.status().is_success() {
            // It is done, not merely accepted: Python's client takes 202 for a failure.
            *response.status_mut() = StatusCode::NO_CONTENT;
            if let Some(named) = named {
                self.sessions.forget(&named);
            }
        }
        finished(response, Held::default(), None)
    }

    /// The session that the headers name, put into them as rmcp knows it. One that is unknown stays
    /// unknown to rmcp too: it answers 404 where sessions mean something.
    fn session(&self, headers: &mut HeaderMap) -> Result<Option<Arc<Session>>, Refusal> {
        let Some(named) = only(headers, SESSION)? else {
            return Ok(None);
        };
        let session = self.sessions.named(named);
        let inner = session
            .as_ref()
            .map_or("unknown", |session| session.inner());
        let inner = HeaderValue::from_str(inner).map_err(|_| StatusCode::BAD_REQUEST)?;
        headers.insert(SESSION, inner);
        Ok(session)
    }

    fn stream(&self, id: Option<&RequestId>) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_full| {
            let message = format_args!("{MAX_STREAMS} streams are open");
            Rejection::busy(id.cloned(), message).into()
        })
    }
}

/// What rmcp answered, on its way out.
fn finished(
    response: Response<BoxBody<Bytes, Infallible>>,
    mut held: Held,
    id: Option<RequestId>,
) -> Result<Response<Reply>, Refusal> {
    // rmcp has logged why, and told the client too.
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return Err(Rejection::defect(id, defect("rmcp could not serve a request")).into());
    }
    let streams = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream");
    if !streams && let Some(in_use) = &mut held.in_use {
        in_use.answered();
    }
    Ok(response.map(|body| Reply::new(body, held)))
}

/// # Errors
///
/// 415 for a body that would have to be unpacked first.
fn not_encoded(headers: &HeaderMap) -> Result<(), Refusal> {
    let encodings = headers.get_all(CONTENT_ENCODING);
    let plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if encodings.iter().all(plain) {
        Ok(())
    } else {
        Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into())
    }
}

/// # Errors
///
/// Fails when one of [`SINGLE`] is there more than once.
fn single(headers: &HeaderMap, id: Option<&RequestId>) -> Result<(), Rejection> {
    for name in &SINGLE {
        if headers.get_all(name).iter().nth(1).is_some() {
            let message = format_args!("{name} is there more than once");
            return Err(Rejection::header_mismatch(id.cloned(), message));
        }
    }
    Ok(())
}

/// An address as a host in a URL.
fn host_of(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}
