use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up_and_a_slow_one_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = TcpStream::connect(address).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = Socket::new(stream, Duration::from_millis(1_500));
    let megabyte = vec![0_u8; 1 << 20];
    // Read slowly, but read: more than the system holds back, over more than the patience.
    let reading = tokio::spawn(async move {
        let mut buffer = vec![0; 256 * 1024];
        for _ in 0..128 {
            client.read_exact(&mut buffer).await.unwrap();
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        client
    });
    for _ in 0..32 {
        socket.write_all(&megabyte).await.unwrap();
    }
    let _client = reading.await.unwrap();
    let error = loop {
        if let Err(error) = socket.write_all(&megabyte).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
