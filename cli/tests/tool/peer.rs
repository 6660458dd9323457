//! Minimal clients and servers on plain sockets.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.set_nodelay(true).expect("nodelay can be set");
    stream
}

/// Returns the whole answer to a GET, head and body.
pub(crate) fn get(address: &str, target: &str) -> String {
    get_with(address, target, &format!("Host: {address}\r\n"))
}

/// Returns the whole answer to a GET with these headers.
pub(crate) fn get_with(address: &str, target: &str, headers: &str) -> String {
    exchange(address, &format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"))
}

/// Returns the whole answer to a POST.
pub(crate) fn post(address: &str, target: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    exchange(address, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

/// Returns the first line of an answer, which may never end.
pub(crate) fn first_line(address: &str, target: &str, headers: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "GET {target} HTTP/1.1\r\n{headers}\r\n").expect("the server reads");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("the server answers");
    line
}

/// Returns the head of an answer whose connection stays open.
pub(crate) fn head(address: &str, target: &str) -> String {
    let mut stream = connect(address);
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("the server reads");
    read_head(&mut BufReader::new(stream))
}

/// Reads up to the empty line.
pub(crate) fn read_head(stream: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).expect("a head"), 0, "{head}");
    }
    head
}

/// Returns an open stream of server-sent events, and the head of its answer.
pub(crate) fn feed(address: &str) -> (BufReader<TcpStream>, String) {
    let mut stream = connect(address);
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("the server reads");
    let mut stream = BufReader::new(stream);
    let head = read_head(&mut stream);
    (stream, head)
}

/// Returns everything that a server sends until it closes the connection.
pub(crate) fn exchange(address: &str, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers and closes");
    answer
}

/// Returns the data of the first server-sent events.
pub(crate) fn events(address: &str, count: usize) -> Vec<String> {
    let lines = feed(address).0.lines().map(|line| line.expect("the server writes"));
    lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).take(count).collect()
}

/// Returns a request for a WebSocket.
fn request(address: &str, target: &str, header: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{header}\r\n"
    )
}

/// An Engine.IO client on WebSocket that sends only what the test tells it to.
pub(crate) struct WebSocket {
    stream: BufReader<TcpStream>,
    pub(crate) sid: String,
}

impl WebSocket {
    pub(crate) fn open(address: &str, eio: u8) -> Self {
        Self::open_at(address, "/engine.io/", eio)
    }

    pub(crate) fn open_at(address: &str, path: &str, eio: u8) -> Self {
        let mut stream = connect(address);
        let request = request(address, &format!("{path}?EIO={eio}&transport=websocket"), "");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut stream = BufReader::new(stream);
        skip_head(&mut stream);
        let mut client = Self { stream, sid: String::new() };
        let open = client.next().expect("an open packet");
        let handshake: serde_json::Value = serde_json::from_str(&open[1..]).expect("a handshake");
        handshake["sid"].as_str().expect("a sid").clone_into(&mut client.sid);
        client
    }

    /// Returns the head of the answer to a request for a WebSocket with one more header.
    pub(crate) fn asked(address: &str, target: &str, header: &str) -> String {
        let mut stream = BufReader::new(connect(address));
        let request = request(address, target, header);
        stream.get_mut().write_all(request.as_bytes()).expect("the server reads");
        read_head(&mut stream)
    }

    /// Returns the whole answer to a request for a WebSocket that is refused.
    pub(crate) fn refused(address: &str, target: &str) -> String {
        exchange(address, &request(address, target, ""))
    }

    /// Returns the next packet, or `None` after a close frame or the end of the connection.
    pub(crate) fn next(&mut self) -> Option<String> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).ok()?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length).ok()?;
                usize::from(u16::from_be_bytes(length))
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        (head[0] == 0x81).then(|| String::from_utf8(payload).expect("text"))
    }

    /// Returns the next message, which is binary.
    pub(crate) fn next_binary(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a frame");
        assert_eq!(head[0], 0x82, "a binary frame");
        let mut payload = vec![0; usize::from(head[1])];
        self.stream.read_exact(&mut payload).expect("its payload");
        payload
    }

    /// Sends a short binary message, masked with zeros.
    pub(crate) fn send_binary(&mut self, data: &[u8]) {
        let length = u8::try_from(data.len()).expect("a short message");
        let frame = [&[0x82, 0x80 | length, 0, 0, 0, 0], data].concat();
        self.stream.get_mut().write_all(&frame).expect("the server reads");
    }

    /// Closes with a code and a reason.
    pub(crate) fn close(&mut self, code: u16, words: &str) {
        let length = u8::try_from(2 + words.len()).expect("short words");
        let head = [0x88, 0x80 | length, 0, 0, 0, 0];
        let frame = [&head[..], &code.to_be_bytes(), words.as_bytes()].concat();
        self.stream.get_mut().write_all(&frame).expect("the server reads");
    }

    /// Sends a short packet, masked with zeros.
    pub(crate) fn send(&mut self, packet: &str) {
        let length = u8::try_from(packet.len()).expect("a short packet");
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], packet.as_bytes()].concat();
        self.stream.get_mut().write_all(&frame).expect("the server reads");
    }
}

/// A server that opens one session on WebSocket and sends only given packets. It never pings.
pub(crate) struct SilentServer {
    listener: TcpListener,
    open: String,
    says: Vec<String>,
    protocol: Option<&'static str>,
    later: Later,
    script: Box<dyn FnOnce(&mut OpenSession) + Send>,
}

/// What happens to connections that come later.
#[derive(Clone, Copy)]
enum Later {
    Answer,
    Reset,
    Ignore,
}

/// The server's end of an open session on WebSocket.
pub(crate) struct OpenSession(BufReader<TcpStream>);

impl OpenSession {
    /// Sends a short packet.
    pub(crate) fn say(&mut self, packet: &str) {
        let length = u8::try_from(packet.len()).expect("a short packet");
        self.0.get_mut().write_all(&[&[0x81, length], packet.as_bytes()].concat()).expect("the client reads");
    }

    /// Sends the beginning of a binary message of this length.
    pub(crate) fn begin_message(&mut self, length: u64) {
        self.0
            .get_mut()
            .write_all(&[&[0x82, 127], &length.to_be_bytes()[..]].concat())
            .expect("the client reads");
    }

    /// Ends the connection without a word.
    pub(crate) fn cut(&mut self) {
        self.0.get_ref().shutdown(std::net::Shutdown::Both).expect("it is open");
    }

    /// Reads a short packet. Returns `None` at a close frame.
    pub(crate) fn hear(&mut self) -> Option<String> {
        let mut head = [0; 6];
        self.0.read_exact(&mut head).expect("a frame");
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        self.0.read_exact(&mut payload).expect("its payload");
        eio_core::ws::mask(&mut payload, [head[2], head[3], head[4], head[5]], 0);
        (head[0] == 0x81).then(|| String::from_utf8(payload).expect("text"))
    }
}

impl SilentServer {
    pub(crate) fn start(ping_interval: u32, ping_timeout: u32) -> Self {
        let open = format!(
            "0{{\"sid\":\"silent\",\"upgrades\":[],\"pingInterval\":{ping_interval},\
             \"pingTimeout\":{ping_timeout},\"maxPayload\":1000000}}"
        );
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self {
            listener,
            open,
            says: Vec::new(),
            protocol: None,
            later: Later::Answer,
            script: Box::new(|_| {}),
        }
    }

    pub(crate) fn saying(mut self, packets: &[&str]) -> Self {
        self.says = packets.iter().map(ToString::to_string).collect();
        self
    }

    /// Chooses this subprotocol.
    pub(crate) fn choosing(mut self, protocol: &'static str) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Resets the connections that come later.
    pub(crate) fn resetting(mut self) -> Self {
        self.later = Later::Reset;
        self
    }

    /// Does not answer the connections that come later.
    pub(crate) fn ignoring(mut self) -> Self {
        self.later = Later::Ignore;
        self
    }

    /// Does this as soon as the session is open.
    pub(crate) fn doing(mut self, script: impl FnOnce(&mut OpenSession) + Send + 'static) -> Self {
        self.script = Box::new(script);
        self
    }

    /// Starts to serve, and returns the URL.
    pub(crate) fn url(self) -> String {
        let url = format!("ws://{}", self.listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            let (stream, _) = self.listener.accept().expect("a client");
            let mut stream = BufReader::new(stream);
            let key = skip_head(&mut stream).expect("a key");
            let key = eio_core::ws::Key::parse(key.as_bytes()).expect("a key");
            let accept = key.accept();
            let mut answer =
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                               Sec-WebSocket-Accept: "
                    .to_vec();
            answer.extend_from_slice(&accept);
            if let Some(protocol) = self.protocol {
                answer.extend_from_slice(format!("\r\nSec-WebSocket-Protocol: {protocol}").as_bytes());
            }
            answer.extend_from_slice(b"\r\n\r\n");
            for packet in [&self.open].into_iter().chain(&self.says) {
                let length = u16::try_from(packet.len()).expect("a short packet").to_be_bytes();
                answer.extend_from_slice(&[0x81]);
                match length {
                    [0, length] if length < 126 => answer.push(length),
                    [high, low] => answer.extend_from_slice(&[126, high, low]),
                }
                answer.extend_from_slice(packet.as_bytes());
            }
            stream.get_mut().write_all(&answer).expect("the client reads");
            let mut session = OpenSession(stream);
            (self.script)(&mut session);
            // Reads until the client closes.
            let _ = session.0.read_to_end(&mut Vec::new());
            let mut ignored = Vec::new();
            for stream in self.listener.incoming().flatten() {
                match self.later {
                    Later::Answer => {
                        let mut stream = BufReader::new(stream);
                        skip_head(&mut stream);
                        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
                        let _ = stream.get_mut().write_all(answer);
                    }
                    // A connection that is closed with unread bytes is reset.
                    Later::Reset => drop(stream.peek(&mut [0])),
                    Later::Ignore => ignored.push(stream),
                }
            }
        });
        url
    }
}

/// Starts a server that opens a session on polling with `open`, and answers all its other requests with `then`. Returns
/// the URL.
pub(crate) fn polling(open: &str, then: &str) -> String {
    let open =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{open}", open.len());
    answering(open, then.to_owned())
}

/// Starts a server that answers every request with this. Returns the URL.
pub(crate) fn redirecting(answer: &str) -> String {
    answering(answer.to_owned(), answer.to_owned())
}

/// Answers requests without a sid, and those with one. Each has a connection of its own.
fn answering(open: String, then: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.expect("a client"));
            let mut line = String::new();
            stream.read_line(&mut line).expect("a request");
            skip_head(&mut stream);
            let answer = if line.contains("sid=") { &then } else { &open };
            stream.get_mut().write_all(answer.as_bytes()).expect("the client reads");
        }
    });
    url
}

/// Reads up to the empty line. Returns the key of a WebSocket request.
fn skip_head(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut key = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a head");
        let line = line.trim_end();
        if line.is_empty() {
            return key;
        }
        let header = line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
        if let Some((_, value)) = header {
            key = Some(value.to_owned());
        }
    }
}
