//! A name server on the loopback that answers as it is told, well or badly.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;

/// The longest answer by UDP; a longer one is cut off there, which sends the client to TCP.
const MAX_DATAGRAM: usize = 1_232;

/// One record of an answer: its name (empty: the one that was asked for), its type and its data on
/// the wire.
pub(crate) type Record = (&'static str, u16, Vec<u8>);

/// What a name server says to one question: a response code and records. `None` says nothing.
pub(crate) type Answer = Option<(u8, Vec<Record>)>;

/// A name server that notes what it is asked, by UDP and by TCP on the same port.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    questions: Arc<Mutex<Vec<(String, u16)>>>,
    by_tcp: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

pub(crate) fn a(name: &'static str, address: [u8; 4]) -> Record {
    (name, A, address.to_vec())
}

pub(crate) fn wire_name(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
        .collect();
    wire.push(0);
    wire
}

/// The name and type of the one question of a message, and where it ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut name = String::new();
    let mut at = 12;
    while message[at] != 0 {
        let length = usize::from(message[at]);
        name.push_str(std::str::from_utf8(&message[at + 1..=at + length]).unwrap());
        name.push('.');
        at += length + 1;
    }
    let kind = u16::from_be_bytes([message[at + 1], message[at + 2]]);
    (name, kind, at + 5)
}

/// A response to the question in `message`, which ends at `end`.
fn reply(message: &[u8], end: usize, code: u8, records: &[Record], cut: bool) -> Vec<u8> {
    let truncated = if cut { 0x02 } else { 0 };
    // Same id; a response with recursion; one question, so many answers.
    let mut reply = message[..2].to_vec();
    reply.extend([0x81 | truncated, 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    reply.extend([0, 0, 0, 0]);
    reply.extend(&message[12..end]);
    for (owner, kind, data) in records {
        match *owner {
            "" => reply.extend(&message[12..end - 4]),
            owner => reply.extend(wire_name(owner)),
        }
        reply.extend(kind.to_be_bytes());
        // Class IN, for a minute: whoever keeps it would be seen.
        reply.extend([0, 1, 0, 0, 0, 60]);
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}

/// What the threads of a server share.
struct Asked<F> {
    answer: F,
    questions: Arc<Mutex<Vec<(String, u16)>>>,
}

impl<F: Fn(&str, u16, usize) -> Answer> Asked<F> {
    fn reply(&self, message: &[u8], most: usize) -> Option<Vec<u8>> {
        let (name, kind, end) = question(message);
        let before = {
            let mut questions = self.questions.lock().unwrap();
            questions.push((name.clone(), kind));
            questions.len() - 1
        };
        let (code, records) = (self.answer)(&name, kind, before)?;
        let whole = reply(message, end, code, &records, false);
        if whole.len() > most {
            return Some(reply(message, end, code, &[], true));
        }
        Some(whole)
    }

    fn datagrams(&self, socket: &UdpSocket, stop: &AtomicBool) {
        let mut message = [0; 1_500];
        while let Ok((length, client)) = socket.recv_from(&mut message) {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            if let Some(reply) = self.reply(&message[..length], MAX_DATAGRAM) {
                let _ = socket.send_to(&reply, client);
            }
        }
    }

    /// Questions and answers of one connection, each behind its length (RFC 1035, 4.2.2).
    fn connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut message)?;
            if let Some(reply) = self.reply(&message, usize::from(u16::MAX)) {
                let length = u16::try_from(reply.len()).unwrap();
                stream.write_all(&[&length.to_be_bytes(), &reply[..]].concat())?;
            }
        }
    }
}

/// The same port for datagrams and connections.
fn bind() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            return (socket, listener);
        }
    }
    panic!("no port is free for UDP and TCP");
}

impl NameServer {
    /// Answers by `answer`, which is given the name with its final dot, the type, and how many
    /// questions there were before.
    pub(crate) fn start(
        answer: impl Fn(&str, u16, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (socket, listener) = bind();
        let server = Self {
            address: socket.local_addr().unwrap(),
            questions: Arc::default(),
            by_tcp: Arc::default(),
            stop: Arc::default(),
        };
        let asked = Arc::new(Asked {
            answer,
            questions: Arc::clone(&server.questions),
        });
        let (of_udp, stop) = (Arc::clone(&asked), Arc::clone(&server.stop));
        std::thread::spawn(move || of_udp.datagrams(&socket, &stop));
        let (by_tcp, stop) = (Arc::clone(&server.by_tcp), Arc::clone(&server.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                by_tcp.fetch_add(1, Ordering::SeqCst);
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || asked.connection(stream));
            }
        });
        server
    }

    /// Names and types in the order of their names, with types of one lookup in one order.
    pub(crate) fn questions(&self) -> Vec<(String, u16)> {
        let mut questions = self.questions.lock().unwrap().clone();
        for both in questions.chunks_mut(2) {
            both.sort_unstable();
        }
        questions
    }

    /// Connections by TCP so far.
    pub(crate) fn by_tcp(&self) -> usize {
        self.by_tcp.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(&[0; 32], self.address);
        }
        let _ = TcpStream::connect(self.address);
    }
}
