//! Which request ids are in use.

use super::Rejection;
use crate::text::shown;
use rmcp::model::RequestId;
use std::collections::{HashSet, VecDeque};

/// Ids of requests that were taken back, kept so that none is used again while a late answer of
/// the old request could be taken for one of the new.
const MAX_TAKEN_BACK: usize = 1_024;
/// Characters of an id that are repeated in an error.
const MAX_ECHO: usize = 64;

/// The ids of one client.
#[derive(Default)]
pub(crate) struct Ids {
    open: HashSet<RequestId>,
    taken_back: VecDeque<RequestId>,
}

impl Ids {
    /// Notes a new request.
    ///
    /// # Errors
    ///
    /// Fails for an id of a request in progress. The error goes without the id: with it, the
    /// client would take it for the answer to the first.
    pub(crate) fn open(&mut self, id: &RequestId) -> Result<(), Rejection> {
        if self.taken_back.contains(id) || !self.open.insert(id.clone()) {
            let shown = shown(&id.to_string(), MAX_ECHO);
            return Err(Rejection::invalid_request(
                None,
                format!("the id {shown} is in use by another request"),
            ));
        }
        Ok(())
    }

    /// Whether every request is answered or taken back.
    pub(crate) fn are_closed(&self) -> bool {
        self.open.is_empty()
    }

    /// Notes that a request is answered.
    pub(crate) fn close(&mut self, id: &RequestId) {
        self.open.remove(id);
    }

    /// Notes that the client gave a request up; false when there is none.
    pub(crate) fn take_back(&mut self, id: &RequestId) -> bool {
        let Some(id) = self.open.take(id) else {
            return false;
        };
        if self.taken_back.len() == MAX_TAKEN_BACK {
            self.taken_back.pop_front();
        }
        self.taken_back.push_back(id);
        true
    }
}
