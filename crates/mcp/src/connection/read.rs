//! Lines of bounded length.

use crate::message::Scan;
use bytes::BytesMut;
use rmcp::model::RequestId;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that one read asks for: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// What comes next.
pub(super) enum Next {
    /// A line, without its end.
    Line(BytesMut),
    /// A line that was longer than allowed and is gone, but for the id in it.
    TooLong { id: Option<RequestId> },
    /// Nothing any more.
    End,
}

/// Reads lines. Every await can be dropped and asked for again without loss.
pub(super) struct Lines<R> {
    reader: R,
    max: usize,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line end.
    searched: usize,
    /// The present line is too long; it is followed to its end for its id.
    long: Option<Scan>,
    ended: bool,
}

impl<R> Lines<R> {
    /// Lines of at most `max` bytes.
    pub(super) fn new(reader: R, max: usize) -> Self {
        Self {
            reader,
            max,
            buffer: BytesMut::new(),
            searched: 0,
            long: None,
            ended: false,
        }
    }

    /// The next line that is whole in the buffer.
    fn take(&mut self) -> Option<Next> {
        let fresh = self.buffer.get(self.searched..).unwrap_or_default();
        if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
            let mut line = self.buffer.split_to(self.searched + end + 1);
            line.truncate(line.len().saturating_sub(1));
            self.searched = 0;
            return Some(self.whole(line));
        }
        self.searched = self.buffer.len();
        if self.long.is_some() || self.searched > self.max {
            let scan = self.long.get_or_insert_default();
            scan.feed(&self.buffer);
            // Not cleared: that would keep its memory.
            self.buffer = BytesMut::new();
            self.searched = 0;
        }
        None
    }

    fn whole(&mut self, line: BytesMut) -> Next {
        match self.long.take() {
            Some(mut scan) => {
                scan.feed(&line);
                Next::TooLong { id: scan.id() }
            }
            None if line.len() > self.max => {
                let mut scan = Scan::default();
                scan.feed(&line);
                Next::TooLong { id: scan.id() }
            }
            None => Next::Line(line),
        }
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The next line. A last one without an end counts as one.
    ///
    /// # Errors
    ///
    /// Fails when the reader does.
    pub(super) async fn next(&mut self) -> io::Result<Next> {
        loop {
            if let Some(next) = self.take() {
                return Ok(next);
            }
            if self.ended {
                return Ok(Next::End);
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
                if !self.buffer.is_empty() || self.long.is_some() {
                    self.searched = 0;
                    let line = self.buffer.split();
                    return Ok(self.whole(line));
                }
            }
        }
    }
}
