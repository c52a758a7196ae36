//! Servers on the loopback that answer as they are told, well or badly.

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One side of a connection, plain or encrypted.
pub(crate) trait Wire: Read + Write {}
impl<W: Read + Write> Wire for W {}

/// A server that runs `serve` for each connection, and ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

/// What a server sees of one connection.
pub(crate) struct Visit<'a> {
    pub(crate) wire: &'a mut dyn Wire,
    heads: &'a Mutex<Vec<String>>,
}

impl Visit<'_> {
    /// Reads the head of the request and keeps it.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.wire.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.heads.lock().unwrap().push(head.clone());
        head
    }

    /// Reads the head of a request, unless the other side closes first.
    pub(crate) fn next_head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.wire.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Sends text; whether the other side still took it.
    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.wire.write_all(text.as_ref()).is_ok() && self.wire.flush().is_ok()
    }

    /// Reads until the other side closes; how much there was.
    pub(crate) fn drain(&mut self) -> usize {
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0;
        loop {
            match self.wire.read(&mut buffer) {
                Ok(0) | Err(_) => return total,
                Ok(read) => total += read,
            }
        }
    }
}

/// A whole response.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Server {
    pub(crate) fn plain(serve: impl Fn(&mut Visit<'_>) + Send + Sync + 'static) -> Self {
        Self::start(move |stream, heads| {
            let mut stream = stream;
            serve(&mut Visit {
                wire: &mut stream,
                heads,
            });
        })
    }

    /// A server that answers every request with this response.
    pub(crate) fn answering(response: impl Into<String>) -> Self {
        let response = response.into();
        Self::plain(move |visit| {
            visit.head();
            visit.say(&response);
        })
    }

    /// A server that takes connections and says nothing, until the other side closes.
    pub(crate) fn silent() -> Self {
        Self::plain(|visit| {
            visit.drain();
        })
    }

    pub(crate) fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<String>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            closed: Arc::default(),
            heads: Arc::default(),
            stop: Arc::default(),
        };
        let serve = Arc::new(serve);
        let (connections, closed) = (Arc::clone(&server.connections), Arc::clone(&server.closed));
        let (heads, stop) = (Arc::clone(&server.heads), Arc::clone(&server.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                // A server of a test that failed must not wait for ever.
                let patience = Some(Duration::from_secs(120));
                stream.set_read_timeout(patience).unwrap();
                stream.set_write_timeout(patience).unwrap();
                let (serve, heads, closed) =
                    (Arc::clone(&serve), Arc::clone(&heads), Arc::clone(&closed));
                std::thread::spawn(move || {
                    serve(stream, &heads);
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Heads of the requests that came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Waits until `count` connections have ended.
    pub(crate) fn wait_closed(&self, count: usize) {
        let begun = std::time::Instant::now();
        while self.closed.load(Ordering::SeqCst) < count {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{} of {count} connections are closed",
                self.closed.load(Ordering::SeqCst)
            );
            std::thread::yield_now();
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        if let Ok(stream) = TcpStream::connect(self.address) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A certification authority of a test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(crate) fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.0.as_ref().der().to_vec())
    }

    /// A server's certificate for these names and addresses, changed by `change`.
    pub(crate) fn certify(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> rustls::ServerConfig {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        configured(certificate.der().to_vec(), &key)
    }
}

/// A server's certificate that nobody else has signed.
pub(crate) fn self_signed(name: &str) -> rustls::ServerConfig {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    configured(certificate.der().to_vec(), &key)
}

fn configured(certificate: Vec<u8>, key: &KeyPair) -> rustls::ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The name that a client asked for, and the protocol that was agreed on.
pub(crate) type Hello = (Option<String>, Option<Vec<u8>>);

/// What clients said in their first message of TLS.
#[derive(Clone, Default)]
pub(crate) struct Hellos(Arc<Mutex<Vec<Hello>>>);

impl Hellos {
    pub(crate) fn all(&self) -> Vec<Hello> {
        self.0.lock().unwrap().clone()
    }
}

/// A TLS server that answers every request with this response, and those who shook hands.
pub(crate) fn tls(config: rustls::ServerConfig, response: String) -> (Server, Hellos) {
    tls_serving(config, move |visit| {
        if visit.next_head().is_some() {
            visit.say(&response);
        }
    })
}

/// A TLS server that runs `serve` for each connection, and those who shook hands.
pub(crate) fn tls_serving(
    config: rustls::ServerConfig,
    serve: impl Fn(&mut Visit<'_>) + Send + Sync + 'static,
) -> (Server, Hellos) {
    let config = Arc::new(config);
    let hellos = Hellos::default();
    let said = hellos.clone();
    let server = Server::start(move |stream, heads| {
        let mut stream = stream;
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        while connection.is_handshaking() {
            match connection.complete_io(&mut stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        let name = connection.server_name().map(str::to_owned);
        let protocol = connection.alpn_protocol().map(<[u8]>::to_vec);
        said.0.lock().unwrap().push((name, protocol));
        if connection.is_handshaking() {
            return;
        }
        let mut wire = rustls::StreamOwned::new(connection, stream);
        let mut visit = Visit {
            wire: &mut wire,
            heads,
        };
        serve(&mut visit);
        wire.conn.send_close_notify();
        let _ = wire.flush();
    });
    (server, hellos)
}
