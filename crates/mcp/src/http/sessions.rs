//! Conversations of older clients, which the server has to remember.
//!
//! rmcp keeps them without a bound and under ids of 122 random bits, and lets two requests with one
//! id answer for each other. Here they are counted, have ids of 256 bits, which only this table can
//! lead to rmcp's, and each request id is open once.

use crate::message::{Ids, Rejection};
use http::HeaderValue;
use rmcp::model::RequestId;
use rmcp::transport::streamable_http_server::SessionId;
use rmcp::transport::streamable_http_server::SessionManager as _;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Conversations at once.
const MAX_SESSIONS: usize = 64;
/// How long a conversation may rest before it is given up.
const IDLE: Duration = Duration::from_secs(12 * 60 * 60);
/// How long one must have rested, without a response in progress, before it makes room for another.
const RESTED: Duration = Duration::from_secs(60);
/// How long a client may take from the first word of its handshake to the next.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Random bytes of an id.
const ID: usize = 32;

/// The conversations of a server.
pub(super) struct Sessions {
    local: Arc<LocalSessionManager>,
    table: Mutex<HashMap<String, Arc<Session>>>,
}

/// One conversation.
pub(super) struct Session {
    inner: SessionId,
    state: Mutex<State>,
}

struct State {
    ids: Ids,
    /// Responses in progress.
    open: usize,
    used: Instant,
}

impl Sessions {
    pub(super) fn new() -> Self {
        let mut local = LocalSessionManager::default();
        local.session_config.keep_alive = Some(IDLE);
        local.session_config.init_timeout = Some(HANDSHAKE);
        Self {
            local: Arc::new(local),
            table: Mutex::default(),
        }
    }

    /// Where rmcp keeps them.
    pub(super) fn local(&self) -> Arc<LocalSessionManager> {
        Arc::clone(&self.local)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The conversation that a client calls `id`.
    pub(super) fn named(&self, id: &str) -> Option<Arc<Session>> {
        self.table().get(id).cloned()
    }

    /// Makes room for one more, if need be by ending the one that has rested longest.
    ///
    /// # Errors
    ///
    /// Fails when all of them are in use.
    pub(super) async fn make_room(&self, request: &RequestId) -> Result<(), Rejection> {
        let rested = {
            // The ones that rmcp has ended.
            let live = self.local.sessions.read().await;
            let mut table = self.table();
            table.retain(|_, session| live.contains_key(&session.inner));
            if live.len() < MAX_SESSIONS {
                return Ok(());
            }
            let rested = table
                .iter()
                .filter_map(|(id, session)| session.rested().map(|since| (since, id)))
                .max_by_key(|(since, _)| *since)
                .map(|(_, id)| id.clone());
            rested.and_then(|id| table.remove(&id))
        };
        let Some(rested) = rested else {
            return Err(Rejection::busy(
                Some(request.clone()),
                format_args!(
                    "{MAX_SESSIONS} sessions are in use; end one, or use protocol 2026-07-28, which has none"
                ),
            ));
        };
        if let Err(error) = self.local.close_session(&rested.inner).await {
            tracing::debug!(%error, "a session was gone before it was ended");
        }
        Ok(())
    }

    /// Notes what rmcp calls `inner`, and gives it an id for its client.
    ///
    /// # Errors
    ///
    /// Fails when the system has no randomness.
    pub(super) fn adopt(&self, inner: SessionId) -> Result<HeaderValue, getrandom::Error> {
        let mut random = [0; ID];
        getrandom::fill(&mut random)?;
        let mut id = String::with_capacity(2 * ID);
        for byte in random {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        let value = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static(""));
        let session = Session {
            inner,
            state: Mutex::new(State {
                ids: Ids::default(),
                open: 0,
                used: Instant::now(),
            }),
        };
        self.table().insert(id, Arc::new(session));
        Ok(value)
    }

    /// Forgets the conversation that a client calls `id`.
    pub(super) fn forget(&self, id: &str) {
        self.table().remove(id);
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What rmcp calls it.
    pub(super) fn inner(&self) -> &str {
        &self.inner
    }

    /// For how long nothing has happened, if that is long enough to end it for another.
    fn rested(&self) -> Option<Duration> {
        let state = self.state();
        let rested = state.used.elapsed();
        (state.open == 0 && rested >= RESTED).then_some(rested)
    }

    /// Notes a response, to the request `id` if it is to one.
    ///
    /// # Errors
    ///
    /// Fails for an id of another request in progress.
    pub(super) fn enter(self: &Arc<Self>, id: Option<&RequestId>) -> Result<InUse, Rejection> {
        let mut state = self.state();
        if let Some(id) = id {
            state.ids.open(id)?;
        }
        state.open += 1;
        state.used = Instant::now();
        Ok(InUse {
            session: Arc::clone(self),
            id: id.cloned(),
        })
    }

    /// Notes that the client gave a request up.
    pub(super) fn take_back(&self, id: &RequestId) {
        self.state().ids.take_back(id);
    }
}

/// A response in progress, until it is dropped.
pub(super) struct InUse {
    session: Arc<Session>,
    /// Of the request, until it is answered.
    id: Option<RequestId>,
}

impl InUse {
    /// The response is whole: its id is free again.
    pub(super) fn answered(&mut self) {
        if let Some(id) = self.id.take() {
            self.session.state().ids.close(&id);
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.open -= 1;
        state.used = Instant::now();
        if let Some(id) = &self.id {
            // The call goes on, as the older protocol wants it, and its answer is still to come.
            state.ids.take_back(id);
        }
    }
}

#[cfg(test)]
mod tests;
