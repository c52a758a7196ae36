use super::*;
use http_body::Frame;
use http_body_util::Full;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Some bytes, and then nothing for ever.
struct Endless(Option<Bytes>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

/// So many pieces of [`SMALL`] bytes, which do not say how many.
struct Pieces(usize);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; SMALL])))))
    }
}

fn status<T>(collected: Result<T, Refusal>) -> u16 {
    match collected {
        Ok(_) => 200,
        Err(refusal) => refusal.into_response().status().as_u16(),
    }
}

fn hasty() -> Bodies {
    Bodies {
        deadline: Duration::from_millis(50),
        ..Bodies::default()
    }
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_given_up_and_leaves_its_room() {
    let bodies = hasty();
    for length in [0, 10, SMALL + 1] {
        let endless = Endless(Some(Bytes::from(vec![b'x'; length])));
        assert_eq!(status(bodies.collect(endless).await), 408);
    }
    assert_eq!(bodies.room.available_permits(), ROOM);
}

#[tokio::test]
async fn large_bodies_wait_for_room_and_small_ones_do_not() {
    let bodies = hasty();
    let full = || Full::new(Bytes::from(vec![b'x'; MAX_BODY]));
    let one = bodies.collect(full()).await.ok().unwrap();
    let two = bodies.collect(full()).await.ok().unwrap();
    assert_eq!(one.bytes.len(), MAX_BODY);
    assert_eq!(bodies.room.available_permits(), 0);
    assert_eq!(status(bodies.collect(full()).await), 408);
    let small = Full::new(Bytes::from(vec![b'x'; SMALL]));
    assert_eq!(status(bodies.collect(small).await), 200);
    drop(two);
    assert_eq!(status(bodies.collect(full()).await), 200);
}

#[tokio::test]
async fn what_is_too_long_is_refused_however_it_comes() {
    let bodies = Bodies::default();
    let long = Full::new(Bytes::from(vec![b'x'; MAX_BODY + 1]));
    assert_eq!(status(bodies.collect(long).await), 413);
    let pieces = Pieces(MAX_BODY / SMALL + 1);
    assert_eq!(status(bodies.collect(pieces).await), 413);
    assert_eq!(bodies.room.available_permits(), ROOM);
}
