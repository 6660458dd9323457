//! A server on pipes, and a client that sends exactly what a test tells it to.

mod bad_frames;
mod room;
mod traced;
mod turns;
mod watch;
mod websocket;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_core::Heartbeat;
use eio_core::ws::{Decoder, OpCode};
use eio_tokio::{Disconnect, Observer, Server, ServerBuilder, SessionId, Socket};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use eio_core::DisconnectReason as Reason;

pub(crate) use self::bad_frames::{bad_frames, frame};
pub(crate) use self::room::{NARROW, kilobyte};
pub(crate) use self::traced::traced;
pub(crate) use self::turns::give_way;
pub(crate) use self::watch::{Expected, Watch, watch_sessions};
pub(crate) use self::websocket::{Received, WebSocket};

/// A ping every 300 ms, answered within 200 ms.
pub(crate) const I: Duration = ms(300);
pub(crate) const T: Duration = ms(200);

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets everybody else have their turn, while time stands still.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// When a session ended, counted from the start of its harness, and how.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) at: Duration,
    pub(crate) disconnect: Disconnect,
}

/// A server, its clients' pipes, and what it reported.
pub(crate) struct Harness {
    pub(crate) server: Server,
    start: Instant,
    ends: mpsc::UnboundedReceiver<End>,
}

struct Ends {
    start: Instant,
    sender: mpsc::UnboundedSender<End>,
}

impl Observer for Ends {
    fn closed(&self, _: SessionId, disconnect: &Disconnect) {
        let _ = self.sender.send(End { at: self.start.elapsed(), disconnect: disconnect.clone() });
    }
}

/// A server whose application takes notes.
pub(crate) fn noting<R>(
    application: impl Fn(Socket, Journal) -> R + Send + Sync + 'static,
) -> (ServerBuilder, Journal)
where
    R: Future<Output = ()> + Send + 'static,
{
    let journal = Journal::default();
    let notes = journal.clone();
    (Server::builder(move |socket| application(socket, notes.clone())), journal)
}

/// A server whose sessions are handed out to the test.
pub(crate) fn handing_out(
    configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
) -> (Harness, mpsc::UnboundedReceiver<Socket>) {
    let (sender, sockets) = mpsc::unbounded_channel();
    let builder = Server::builder(move |socket| {
        let _ = sender.send(socket);
        async {}
    });
    (Harness::new(configure(builder)), sockets)
}

fn brisk(builder: ServerBuilder) -> ServerBuilder {
    builder.heartbeat(Heartbeat::new(I, T).unwrap()).eio3(true)
}

impl Harness {
    /// The heartbeat is `I` and `T`; revision 3 is served too.
    pub(crate) fn new(builder: ServerBuilder) -> Self {
        Self::patient(brisk(builder))
    }

    /// The same, with the default heartbeat: silence does not end a session within the time of a test.
    pub(crate) fn patient(builder: ServerBuilder) -> Self {
        let start = Instant::now();
        let (sender, ends) = mpsc::unbounded_channel();
        Self::running(builder.observer(Ends { start, sender }), start, ends)
    }

    /// The same, watched by nobody: its ends are not told.
    pub(crate) fn unobserved(builder: ServerBuilder) -> Self {
        Self::running(brisk(builder), Instant::now(), mpsc::unbounded_channel().1)
    }

    /// The same, watched by the test itself.
    pub(crate) fn with_observer(builder: ServerBuilder, observer: impl Observer + 'static) -> Self {
        Self::unobserved(builder.observer(observer))
    }

    fn running(builder: ServerBuilder, start: Instant, ends: mpsc::UnboundedReceiver<End>) -> Self {
        watch_sessions();
        Self { server: builder.build().unwrap(), start, ends }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) async fn at(&self, millis: u64) {
        tokio::time::sleep_until(self.start + ms(millis)).await;
    }

    /// A new connection to the server.
    pub(crate) fn connect(&self) -> Connection {
        self.connect_with_room(64 * 1024)
    }

    /// A connection that holds so many bytes in each direction before its writer must wait.
    pub(crate) fn connect_with_room(&self, bytes: usize) -> Connection {
        let (near, far) = tokio::io::duplex(bytes);
        self.connect_over(near, far)
    }

    /// A connection of which the server has the end `far`.
    pub(crate) fn connect_over(
        &self,
        near: DuplexStream,
        far: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Connection {
        let service = TowerToHyperService::new(self.server.service());
        let task = tokio::spawn(async move {
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service);
            let _ = connection.with_upgrades().await;
        });
        Connection { pipe: near, received: Vec::new(), _task: task }
    }

    /// A connection from this address.
    pub(crate) fn connect_from(&self, peer: SocketAddr) -> Connection {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let server = self.server.clone();
        let task = tokio::spawn(async move { server.serve_connection(far, Some(peer)).await });
        Connection { pipe: near, received: Vec::new(), _task: task }
    }

    /// A session on WebSocket, its `open` packet received.
    pub(crate) async fn websocket(&self, revision: u8) -> WebSocket {
        let mut websocket = self.connect().upgrade(revision, None).await;
        assert!(websocket.text().await.starts_with("0{"));
        websocket
    }

    /// A session on polling, its `open` packet received.
    pub(crate) async fn polling(&self, revision: u8) -> Polling {
        let mut connection = self.connect();
        let (status, body) =
            connection.request("GET", &format!("EIO={revision}&transport=polling&b64=1"), b"").await;
        assert_eq!(status, 200, "{body}");
        let sid = body.split('"').nth(3).unwrap().to_owned();
        Polling { revision, sid, poll: connection, data: self.connect() }
    }

    /// A WebSocket that may take over this session.
    pub(crate) async fn candidate(&self, polling: &Polling) -> WebSocket {
        self.connect().upgrade(polling.revision, Some(&polling.sid)).await
    }

    /// A candidate, the answer to its probe received.
    pub(crate) async fn probed(&self, polling: &Polling) -> WebSocket {
        let mut websocket = self.candidate(polling).await;
        websocket.send("2probe").await;
        assert_eq!(websocket.text().await, "3probe");
        websocket
    }

    /// The next end of a session, which must come.
    pub(crate) async fn end(&mut self) -> End {
        tokio::time::timeout(Duration::from_mins(10), self.ends.recv()).await.expect("no end").unwrap()
    }

    /// No session has ended so far.
    pub(crate) fn assert_alive(&mut self) {
        if let Ok(end) = self.ends.try_recv() {
            panic!("{end:?}");
        }
        assert_ne!(self.server.len(), 0);
    }

    /// The next end is this one, at this time; afterwards the server knows of no session.
    pub(crate) async fn assert_ends(&mut self, at: u64, reason: Reason) -> Disconnect {
        let end = self.end().await;
        assert_eq!((end.at, end.disconnect.reason), (ms(at), reason), "{:?}", end.disconnect);
        assert_eq!(self.server.len(), 0);
        end.disconnect
    }
}

/// A connection that speaks HTTP until it is upgraded.
pub(crate) struct Connection {
    pipe: DuplexStream,
    received: Vec<u8>,
    _task: JoinHandle<()>,
}

impl Connection {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn send_request(&mut self, method: &str, query: &str, body: &[u8]) {
        let head = format!(
            "{method} /engine.io/?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.write(head.as_bytes()).await;
        self.write(body).await;
    }

    /// The next response: its status and its body. A connection that ends before is status 0.
    pub(crate) async fn response(&mut self) -> (u16, String) {
        let head_len = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.receive().await {
                return (0, String::new());
            }
        };
        let head = String::from_utf8(self.received.drain(..head_len).collect()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length = if status == 101 { 0 } else { length.map_or(0, |length| length.parse().unwrap()) };
        while self.received.len() < length {
            assert!(self.receive().await, "the body was cut short");
        }
        (status, String::from_utf8(self.received.drain(..length).collect()).unwrap())
    }

    pub(crate) async fn request(&mut self, method: &str, query: &str, body: &[u8]) -> (u16, String) {
        self.send_request(method, query, body).await;
        self.response().await
    }

    /// Whether the server still takes bytes, of which it makes nothing: a WebSocket's pong.
    pub(crate) async fn is_taken(&mut self) -> bool {
        self.pipe.write_all(&WebSocket::frame(OpCode::Pong, b"")).await.is_ok()
    }

    async fn receive(&mut self) -> bool {
        let mut chunk = vec![0; 16 * 1024];
        let len = self.pipe.read(&mut chunk).await.unwrap_or(0);
        self.received.extend_from_slice(&chunk[..len]);
        len > 0
    }

    pub(crate) async fn send_upgrade(&mut self, revision: u8, sid: Option<&str>) {
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        let head = format!(
            "GET /engine.io/?EIO={revision}&transport=websocket{sid} HTTP/1.1\r\nhost: x\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.write(head.as_bytes()).await;
    }

    /// Becomes a WebSocket: of a new session, or a candidate for one that exists.
    pub(crate) async fn upgrade(mut self, revision: u8, sid: Option<&str>) -> WebSocket {
        self.send_upgrade(revision, sid).await;
        let (status, body) = self.response().await;
        assert_eq!(status, 101, "{body}");
        self.into_websocket()
    }

    pub(crate) fn into_websocket(self) -> WebSocket {
        WebSocket {
            connection: self,
            decoder: Decoder::client(u32::MAX),
            message: Vec::new(),
            close_reason: String::new(),
        }
    }
}

/// A polling client that does nothing by itself.
pub(crate) struct Polling {
    pub(crate) revision: u8,
    pub(crate) sid: String,
    pub(crate) poll: Connection,
    pub(crate) data: Connection,
}

impl Polling {
    pub(crate) fn query(&self) -> String {
        format!("EIO={}&transport=polling&b64=1&sid={}", self.revision, self.sid)
    }

    /// Packets in the payload format of the revision.
    pub(crate) fn payload(&self, packets: &[&str]) -> String {
        if self.revision == 4 {
            packets.join("\u{1e}")
        } else {
            packets.iter().flat_map(|packet| [packet.len().to_string(), format!(":{packet}")]).collect()
        }
    }

    pub(crate) async fn begin_poll(&mut self) {
        let query = self.query();
        self.poll.send_request("GET", &query, b"").await;
        settle().await;
    }

    /// A whole poll: the packets of its answer.
    pub(crate) async fn poll(&mut self) -> Vec<String> {
        self.begin_poll().await;
        self.poll_answer().await
    }

    pub(crate) async fn poll_answer(&mut self) -> Vec<String> {
        let (status, body) = self.poll.response().await;
        assert_eq!(status, 200, "{body}");
        if self.revision == 4 {
            body.split('\u{1e}').map(str::to_owned).collect()
        } else {
            let mut rest = body.as_str();
            let mut packets = Vec::new();
            while let Some((len, tail)) = rest.split_once(':') {
                let (packet, tail) = tail.split_at(len.parse().unwrap());
                packets.push(packet.to_owned());
                rest = tail;
            }
            packets
        }
    }

    pub(crate) async fn post(&mut self, packets: &[&str]) -> (u16, String) {
        let (query, payload) = (self.query(), self.payload(packets));
        self.data.request("POST", &query, payload.as_bytes()).await
    }
}

/// What the application of a test received, and how its sessions ended.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// An application that notes every message and the end.
pub(crate) async fn follow(mut socket: Socket, journal: Journal) {
    loop {
        match socket.recv().await {
            Ok(message) => journal.note(String::from_utf8_lossy(message.as_bytes())),
            Err(end) => return journal.note(format!("end: {}", end.reason.as_str())),
        }
    }
}

/// The same, reading nothing at first.
pub(crate) async fn follow_later(socket: Socket, journal: Journal) {
    tokio::time::sleep(ms(100)).await;
    follow(socket, journal).await;
}

/// An application that reads and says nothing.
pub(crate) async fn listen(mut socket: Socket) {
    while socket.recv().await.is_ok() {}
}
