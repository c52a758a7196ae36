//! The streams of a process that a client has started.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// What a client sends. Behind a pointer, so that what serves it is compiled once for all kinds.
pub(crate) type Input = Box<dyn AsyncRead + Send + Unpin>;
/// What a client reads.
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Standard input and output, without a pool of blocking threads where they are pipes, or the
/// sockets that Node gives the processes it starts: a third of the cost of a call.
pub(crate) fn streams() -> (Input, Output) {
    let (input, output, errors) = (io::stdin(), io::stdout(), io::stderr());
    match sockets(input.as_fd(), output.as_fd(), errors.as_fd()) {
        Ok((input, output)) => (Box::new(input), Box::new(output)),
        Err(_) => {
            let (input, output) = rmcp::transport::stdio_pipes();
            (Box::new(input), Box::new(output))
        }
    }
}

/// The two as non-blocking sockets.
///
/// # Errors
///
/// Fails when one is no Unix socket, or when `errors` would become non-blocking with them: the log
/// writes there and does not expect that.
fn sockets(
    input: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    errors: BorrowedFd<'_>,
) -> io::Result<(UnixStream, UnixStream)> {
    let (input, output) = (socket(input)?, socket(output)?);
    let log = file(errors)?;
    if log == file(input.as_fd())? || log == file(output.as_fd())? {
        return Err(io::ErrorKind::Unsupported.into());
    }
    input.set_nonblocking(true)?;
    output.set_nonblocking(true)?;
    Ok((UnixStream::from_std(input)?, UnixStream::from_std(output)?))
}

fn socket(stream: BorrowedFd<'_>) -> io::Result<std::os::unix::net::UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(owned(stream)?);
    // Fails for whatever is no such socket.
    stream.local_addr()?;
    Ok(stream)
}

/// Which file a descriptor leads to: its device and its number there.
fn file(stream: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    let metadata = File::from(owned(stream)?).metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

fn owned(stream: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    stream.try_clone_to_owned()
}

#[cfg(test)]
mod tests;
