use super::*;
use std::os::unix::net::UnixStream as Socket;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn sockets_are_served_without_blocking() {
    let (to_us, our_input) = Socket::pair().unwrap();
    let (from_us, our_output) = Socket::pair().unwrap();
    let (_theirs, errors) = Socket::pair().unwrap();
    let (mut input, mut output) =
        sockets(our_input.as_fd(), our_output.as_fd(), errors.as_fd()).unwrap();
    for socket in [&to_us, &from_us] {
        socket.set_nonblocking(true).unwrap();
    }
    let (mut to_us, mut from_us) = (
        UnixStream::from_std(to_us).unwrap(),
        UnixStream::from_std(from_us).unwrap(),
    );
    to_us.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes).await.unwrap();
    output.write_all(&bytes).await.unwrap();
    from_us.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    drop(to_us);
    assert_eq!(input.read(&mut bytes).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_no_socket_or_holds_the_log_is_left_as_it_is() {
    let (_theirs, socket) = Socket::pair().unwrap();
    let (_other, errors) = Socket::pair().unwrap();
    let null = File::open("/dev/null").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for other in [null.as_fd(), listener.as_fd()] {
        assert!(sockets(other, socket.as_fd(), errors.as_fd()).is_err());
        assert!(sockets(socket.as_fd(), other, errors.as_fd()).is_err());
    }
    assert!(sockets(socket.as_fd(), socket.as_fd(), socket.as_fd()).is_err());
    // Still one that waits.
    let timeout = std::time::Duration::from_millis(50);
    socket.set_read_timeout(Some(timeout)).unwrap();
    let started = std::time::Instant::now();
    assert!(std::io::Read::read(&mut &socket, &mut [0; 1]).is_err());
    assert!(started.elapsed() >= timeout);
}
