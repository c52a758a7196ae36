//! HTTP/1.1 by hand, a thread for each connection: what is sent has to be wrong at will.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper-case, as in `GET`.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// Fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a field, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(own, _)| own == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The target without its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, with `%3A`, `%2F` and `%2C` decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value
                .replace("%3A", ":")
                .replace("%2F", "/")
                .replace("%2C", ",");
            (own == name).then_some(value)
        })
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A whole one, with its length and, unless the request was `HEAD`, its body.
    Http {
        /// The status.
        status: u16,
        /// Fields besides `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Arc<Vec<u8>>,
    },
    /// Anything, after which the connection is closed.
    Raw(Vec<Step>),
}

/// A part of a raw answer.
#[derive(Clone, Debug)]
pub enum Step {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes again and again.
    Repeat(Vec<u8>, u64),
    /// These bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Nothing, until the client or the registry goes away.
    Hang,
}

impl Reply {
    /// A whole answer without other fields.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Http {
            status,
            headers: Vec::new(),
            body: Arc::new(body.into()),
        }
    }

    /// The same with a field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Http { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, "").with("Location", location)
    }

    /// A head that announces `length` bytes, and then these steps.
    #[must_use]
    pub fn announcing(length: u64, mut steps: Vec<Step>) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        steps.insert(0, Step::Send(head.into_bytes()));
        Self::Raw(steps)
    }
}

/// Whether it is over, and who waits for that.
#[derive(Default)]
struct End {
    over: Mutex<bool>,
    told: Condvar,
}

impl End {
    fn wait(&self) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            over = self.told.wait(over).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn set(&self) {
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    end: Arc<End>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(
        config: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let end = Arc::new(End::default());
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let answer = Arc::new(answer);
        let accepting = std::thread::spawn({
            let (stop, end, open) = (Arc::clone(&stop), Arc::clone(&end), Arc::clone(&open));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let _ = stream.set_nodelay(true);
                    let Ok(copy) = stream.try_clone() else {
                        continue;
                    };
                    let closing = copy.try_clone();
                    open.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(copy);
                    let (answer, end, config) =
                        (Arc::clone(&answer), Arc::clone(&end), config.clone());
                    std::thread::spawn(move || {
                        // A client that goes away is no failure of the registry.
                        let _ = match config {
                            None => serve(stream, &*answer, &end),
                            Some(config) => ServerConnection::new(config)
                                .map_err(std::io::Error::other)
                                .and_then(|tls| {
                                    serve(StreamOwned::new(tls, stream), &*answer, &end)
                                }),
                        };
                        if let Ok(closing) = closing {
                            let _ = closing.shutdown(Shutdown::Both);
                        }
                    });
                }
            }
        });
        Self {
            address,
            stop,
            end,
            open,
            accepting: Some(accepting),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.end.set();
        let _ = TcpStream::connect(self.address);
        for stream in self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn serve<S: Read + Write>(
    stream: S,
    answer: &dyn Fn(&Request) -> Reply,
    end: &End,
) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(64 << 10, stream);
    loop {
        let Some(request) = read(&mut stream)? else {
            return Ok(());
        };
        let reply = answer(&request);
        if !write(stream.get_mut(), &request, &reply, end)? {
            return Ok(());
        }
    }
}

fn read<S: Read>(stream: &mut BufReader<S>) -> std::io::Result<Option<Request>> {
    // A client that begins with TLS would otherwise be waited for.
    if !stream
        .fill_buf()?
        .first()
        .is_some_and(u8::is_ascii_uppercase)
    {
        return Ok(None);
    }
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let method = parts.next().unwrap_or_default().to_owned();
    let target = parts.next().unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let mut request = Request {
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .and_then(|text| text.parse().ok());
    if let Some(length) = length {
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

/// Whether another request may follow.
fn write(
    stream: &mut impl Write,
    request: &Request,
    reply: &Reply,
    end: &End,
) -> std::io::Result<bool> {
    match reply {
        Reply::Http {
            status,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {status} Status\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            if !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes())?;
            if request.method != "HEAD" {
                stream.write_all(body)?;
            }
            stream.flush()?;
            Ok(true)
        }
        Reply::Raw(steps) => {
            for step in steps {
                match step {
                    Step::Send(bytes) => stream.write_all(bytes)?,
                    Step::Repeat(bytes, times) => {
                        for _ in 0..*times {
                            stream.write_all(bytes)?;
                        }
                    }
                    Step::Drip(bytes, pause) => {
                        for byte in bytes {
                            stream.write_all(&[*byte])?;
                            stream.flush()?;
                            std::thread::sleep(*pause);
                        }
                    }
                    Step::Hang => {
                        stream.flush()?;
                        end.wait();
                    }
                }
            }
            stream.flush()?;
            Ok(false)
        }
    }
}
