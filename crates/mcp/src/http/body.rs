//! Bodies of requests, collected within bounds.

use super::reply::Refusal;
use crate::message::{Rejection, Scan};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Longest body, in bytes.
pub(super) const MAX_BODY: usize = 4 * 1024 * 1024;
/// Bytes of a body that is too long which are read nevertheless, and forgotten: a client that is
/// still writing would not see the answer.
const MAX_FORGOTTEN: usize = 32 * 1024 * 1024;
/// How long a body may take, waiting for room included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bodies up to this, in bytes, are read without asking for room.
const SMALL: usize = 64 * 1024;
/// Room for larger bodies, in units of [`SMALL`]: 8 MiB. A message takes many times its length once
/// it is built, so this bounds what all the connections together make this process hold.
const ROOM: usize = 128;

/// A whole body, and its room, which is free again when this is dropped.
pub(super) struct Collected {
    pub(super) bytes: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Room for the bodies of all connections.
pub(super) struct Bodies {
    room: Arc<Semaphore>,
    deadline: Duration,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(ROOM)),
            deadline: DEADLINE,
        }
    }
}

impl Bodies {
    /// Reads `body` to its end.
    ///
    /// # Errors
    ///
    /// 413 for one that is too long, with the id of the request where it can be found, 408 for one
    /// that takes too long, 400 for one that breaks off.
    pub(super) async fn collect<B>(&self, body: B) -> Result<Collected, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        match tokio::time::timeout(self.deadline, self.collected(body)).await {
            Ok(collected) => collected,
            Err(_elapsed) => Err(StatusCode::REQUEST_TIMEOUT.into()),
        }
    }

    async fn collected<B>(&self, mut body: B) -> Result<Collected, Refusal>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let announced = body.size_hint().lower();
        if announced > (MAX_BODY + MAX_FORGOTTEN) as u64 {
            return Err(too_long(Scan::default()));
        }
        let mut whole = BytesMut::new();
        let mut room = None;
        while let Some(data) = next(&mut body).await? {
            if whole.len() + data.len() > MAX_BODY {
                let mut scan = Scan::default();
                scan.feed(&whole);
                scan.feed(&data);
                drop((whole, data, room));
                return Err(forget(body, scan).await);
            }
            if room.is_none() && whole.len() + data.len() > SMALL {
                room = Some(
                    self.room(body.size_hint().upper(), whole.len() + data.len())
                        .await?,
                );
            }
            whole.extend_from_slice(&data);
        }
        Ok(Collected {
            bytes: whole.freeze(),
            room,
        })
    }

    /// Room for a body of `read` bytes and what is still to come, if that is known; asked for at
    /// once, since two bodies that grow could each wait for the other.
    async fn room(
        &self,
        to_come: Option<u64>,
        read: usize,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let to_come = to_come.and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = to_come.map_or(MAX_BODY, |bytes| bytes.saturating_add(read).min(MAX_BODY));
        let units = u32::try_from(bytes.div_ceil(SMALL)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(units).await;
        room.map_err(|_closed| StatusCode::SERVICE_UNAVAILABLE.into())
    }
}

/// The next data; `None` at the end.
async fn next<B>(body: &mut B) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| StatusCode::BAD_REQUEST)?;
        // Trailers say nothing here.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Reads on without keeping anything but the id, as long as that is bearable.
async fn forget<B>(mut body: B, mut scan: Scan) -> Refusal
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut forgotten = 0_usize;
    loop {
        match next(&mut body).await {
            Ok(Some(data)) => {
                forgotten = forgotten.saturating_add(data.len());
                if forgotten > MAX_FORGOTTEN {
                    return too_long(Scan::default());
                }
                scan.feed(&data);
            }
            Ok(None) => return too_long(scan),
            Err(refusal) => return refusal,
        }
    }
}

fn too_long(scan: Scan) -> Refusal {
    Refusal::Message(
        StatusCode::PAYLOAD_TOO_LARGE,
        Rejection::too_long(scan.id(), MAX_BODY),
    )
}

#[cfg(test)]
mod tests;
