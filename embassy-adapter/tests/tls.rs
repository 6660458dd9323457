//! Sessions over TLS with OpenSSL, whose standard input and output are the server's end of the connection, and with our own
//! server: what holds over TCP holds over TLS, and TLS is closed as its rules ask.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test that goes wrong may panic"
)]

#[allow(dead_code, reason = "its main function")]
#[path = "../examples/tls.rs"]
mod example;

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use eio_core::DisconnectReason;
use eio_core::packet::{Data, WebSocketMessage};
use eio_core::ws::{self, Decoder, Item, Key};
use eio_embassy::tls::{
    Fault, OpenError, PinnedKeys, PublicKey, RecordBuffers, Refusal, SharedKey, TlsClient, TlsConnector,
    Trust,
};
use eio_embassy::{Buffers, Client, ClientSettings, Connector, Endpoint, IncomingMessage, Loss};
use eio_tokio::{Server, Socket, TlsCertificates, TlsListener};
use embassy_time::MockDriver;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

use rcgen::PublicKeyData as _;

use example::{HostHalf, HostTcp, host_random};

const KEY: [u8; 16] = *b"0123456789abcdef";
const SHARED: SharedKey<'_> = SharedKey { key: &KEY, identity: b"board-7" };
/// The periods that the server announces.
const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);
const OPEN: &str = r#"0{"sid":"x","upgrades":[],"pingInterval":300,"pingTimeout":200}"#;

/// embassy-time's mock clock is global: one test at a time has it, from zero.
fn clock() -> MutexGuard<'static, ()> {
    static CLOCK: Mutex<()> = Mutex::new(());
    let guard = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    MockDriver::get().reset();
    guard
}

fn advance(time: Duration) {
    let micros = u64::try_from(time.as_micros()).expect("a short time");
    MockDriver::get().advance(embassy_time::Duration::from_micros(micros));
}

/// Runs a future to its end, while the clock stands still.
#[expect(clippy::disallowed_methods, reason = "OpenSSL takes real time")]
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // Half a minute, in which OpenSSL does anything.
    for _ in 0..30_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it waits");
}

/// Polls a future once.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls a future as often as `patience` says, and drops it.
async fn impatient<F: Future>(future: F, patience: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..patience {
        if let Poll::Ready(value) = poll_once(future.as_mut()).await {
            return Some(value);
        }
    }
    None
}

/// Gives the rest of the world a turn: OpenSSL, and the kernel between.
async fn turn() {
    let mut first = true;
    poll_fn(|_| if core::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// A folder with a server's key and its certificate.
struct Files {
    folder: PathBuf,
    public: PublicKey,
}

impl Files {
    /// A self-signed certificate for so many names of 15 bytes.
    fn with_names(names: usize) -> Self {
        static COUNT: Mutex<u32> = Mutex::new(0);
        let count = {
            let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count
        };
        let folder = std::env::temp_dir().join(format!("eio-embassy-tls-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let names: Vec<_> = (0..names).map(|number| format!("{number:07}.example")).collect();
        let certificate = rcgen::CertificateParams::new(names).and_then(|it| it.self_signed(&key));
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).expect("a file");
        std::fs::write(folder.join("cert.pem"), certificate.expect("a certificate").pem()).expect("a file");
        let public = PublicKey::from_der(&key.subject_public_key_info()).expect("a key on P-256");
        Self { folder, public }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Runs our own server, whose application sends these messages at once. Returns where it listens.
fn ours(files: &Files, messages: Vec<String>) -> String {
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| files.folder.join(name));
    let (sender, address) = std::sync::mpsc::channel();
    let serve = async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let certificates = TlsCertificates::from_pem_files(certificate, key).expect("usable files");
        let application = move |mut socket: Socket| {
            let messages = messages.clone();
            async move {
                for message in messages {
                    socket.try_send(message).expect("room");
                }
                while socket.recv().await.is_ok() {}
            }
        };
        let server = Server::builder(application).build().expect("a server");
        sender.send(listener.local_addr().expect("an address").to_string()).expect("somebody waits");
        server.serve(TlsListener::new(listener, certificates)).await
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(serve)
    });
    address.recv().expect("it listens")
}

/// A process of OpenSSL.
struct OpenSsl {
    process: Child,
    address: String,
    /// The files that it reads.
    _files: Option<Files>,
}

impl OpenSsl {
    /// A server that knows this key.
    fn with_shared_key(key: &[u8; 16]) -> Self {
        let key = u128::from_be_bytes(*key);
        Self::start(&["-nocert", "-psk", &format!("{key:032x}"), "-psk_identity", "board-7"], None)
    }

    /// A server with a certificate, and its public key.
    fn with_certificate() -> (Self, PublicKey) {
        Self::with_files(Files::with_names(1))
    }

    fn with_files(files: Files) -> (Self, PublicKey) {
        let public = files.public;
        (Self::start(&["-cert", "cert.pem", "-key", "key.pem"], Some(files)), public)
    }

    fn start(arguments: &[&str], files: Option<Files>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.expect("a free port").port();
        let process = Process::new("openssl")
            .args(["s_server", "-accept", &port.to_string(), "-tls1_3", "-quiet"])
            .args(arguments)
            .current_dir(files.as_ref().map_or(Path::new("."), |files| &files.folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        Self { process, address: format!("127.0.0.1:{port}"), _files: files }
    }

    /// What the client sends, and where the server's answers are written.
    fn ends(&mut self) -> (ChildStdout, ChildStdin) {
        let from = self.process.stdout.take().expect("piped");
        (from, self.process.stdin.take().expect("piped"))
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The line between the board and the server.
#[derive(Default)]
struct Line {
    /// How many more bytes pass, if there is a limit.
    inward: Cell<Option<usize>>,
    outward: Cell<Option<usize>>,
    /// Whether the next byte that arrives is another one.
    corrupt: Cell<bool>,
    /// Every byte that the board has sent.
    sent: RefCell<Vec<u8>>,
}

impl Line {
    /// Takes from a limit what may pass now, of so many bytes. Returns `None` if nothing may pass.
    fn pass(limit: &Cell<Option<usize>>, len: usize) -> Option<usize> {
        match limit.get() {
            None => Some(len),
            Some(0) => None,
            Some(left) => Some(len.min(left)),
        }
    }

    fn passed(limit: &Cell<Option<usize>>, len: usize) {
        limit.set(limit.get().map(|left| left - len));
    }

    /// The lengths of the records that the board has sent whole.
    fn records(&self) -> Vec<usize> {
        let (sent, mut lengths) = (self.sent.borrow(), Vec::new());
        let mut rest = &sent[..];
        while let [_, _, _, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(after) = after.get(len..) else { break };
            lengths.push(len);
            rest = after;
        }
        lengths
    }
}

struct Half<'l>(HostHalf, &'l Line);

impl ErrorType for Half<'_> {
    type Error = ErrorKind;
}

impl Read for Half<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let Self(half, line) = self;
        let Some(len) = Line::pass(&line.inward, buf.len()) else { return core::future::pending().await };
        let read = half.read(&mut buf[..len]).await?;
        Line::passed(&line.inward, read);
        if line.corrupt.get() && read > 5 {
            line.corrupt.set(false);
            buf[read - 1] ^= 1;
        }
        Ok(read)
    }
}

impl Write for Half<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let Self(half, line) = self;
        let Some(len) = Line::pass(&line.outward, buf.len()) else { return core::future::pending().await };
        let written = half.write(&buf[..len]).await?;
        Line::passed(&line.outward, written);
        line.sent.borrow_mut().extend(&buf[..written]);
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        panic!("a flush waits for the peer's acknowledgement: never on the heartbeat's path")
    }
}

/// TCP over a [`Line`].
struct Tcp<'l>(HostTcp, &'l Line);

impl<'l> Connector for Tcp<'l> {
    type Reader<'s> = Half<'l>;
    type Writer<'s> = Half<'l>;

    async fn connect(&mut self, session: impl AsyncFnOnce(Half<'l>, Half<'l>) -> Loss) -> Loss {
        let mut session = Some(session);
        loop {
            let line = self.1;
            let opened = self.0.connect(async |reader, writer| {
                let session = session.take().expect("one connection");
                session(Half(reader, line), Half(writer, line)).await
            });
            match opened.await {
                // OpenSSL does not say when it listens.
                Loss::Refused => turn().await,
                loss => return loss,
            }
        }
    }
}

/// Opens a session with the server at this address and lends it to `application`. Returns why it was lost.
async fn session(
    address: &str,
    line: &Line,
    trust: impl Trust,
    application: impl AsyncFnOnce(&mut TlsClient<'_, '_>) -> Loss,
) -> Loss {
    let (mut received, mut sent, mut rx, mut tx) = ([0; 1_285], [0; 1_024], [0; 512], [0; 512]);
    let records = RecordBuffers { received: &mut received, sent: &mut sent };
    let tcp = Tcp(HostTcp { address: address.to_owned() }, line);
    let mut random = host_random;
    let mut connector = TlsConnector::new(tcp, "server.example", trust, records, &mut random);
    connector
        .connect(async |reader, writer| {
            let buffers = Buffers { rx: &mut rx, tx: &mut tx };
            let mut masks = host_random;
            let client = Client::new(reader, writer, buffers, &mut masks, &ClientSettings::DEFAULT);
            let mut client = client.expect("room");
            if let Err(error) = client.connect(&Endpoint::engineio("server.example")).await {
                return error.into();
            }
            application(&mut client).await
        })
        .await
}

/// Reads until the bytes end as they should.
fn read_until(from: &mut ChildStdout, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !done(&bytes) {
        from.read_exact(&mut byte).expect("more bytes");
        bytes.extend(byte);
    }
    bytes
}

fn write_text(to: &mut ChildStdin, text: &str) {
    let mut frame = vec![0; text.len() + 16];
    let len = ws::encode_message(WebSocketMessage::Text(text), None, &mut frame).expect("room");
    to.write_all(&frame[..len]).and_then(|()| to.flush()).expect("openssl takes it");
}

/// Opens the session on the server's side.
fn accept(from: &mut ChildStdout, to: &mut ChildStdin) {
    let request = read_until(from, |bytes| bytes.ends_with(b"\r\n\r\n"));
    let request = String::from_utf8(request).expect("text");
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = Key::parse(key.as_bytes()).expect("a valid key").accept();
    let accept = core::str::from_utf8(&accept).expect("ASCII");
    write!(
        to,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .expect("openssl takes it");
    write_text(to, OPEN);
}

/// The server of the story: opens the session, pings, answers a message, closes.
fn serve(mut from: ChildStdout, mut to: ChildStdin) -> Vec<String> {
    accept(&mut from, &mut to);
    write_text(&mut to, "2");
    let mut decoder = Decoder::server(1_000);
    let (mut seen, mut message, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    while seen.len() < 2 {
        let mut byte = [0];
        from.read_exact(&mut byte).expect("more bytes");
        unread.extend(byte);
        let found = decoder.decode(&mut unread).expect("a client that keeps the rules");
        let last = match found.item {
            Some(Item::Message(WebSocketMessage::Text(text))) => {
                message.extend(text.as_bytes());
                true
            }
            Some(Item::Piece(piece)) => {
                message.extend(piece.bytes);
                piece.last
            }
            _ => false,
        };
        if last {
            seen.push(String::from_utf8(core::mem::take(&mut message)).expect("UTF-8"));
        }
        let consumed = found.consumed;
        unread.drain(..consumed);
    }
    write_text(&mut to, "4welcome");
    write_text(&mut to, "1");
    seen
}

/// Tells the story of a session, in which most of the client's futures are dropped while a record is on its way.
fn story(mut server: OpenSsl, trust: impl Trust) {
    let _clock = clock();
    let (from, to) = server.ends();
    let story = std::thread::spawn(move || serve(from, to));
    let message = "hello ".repeat(50);
    let mut received = Vec::new();
    let loss = block_on(session(&server.address, &Line::default(), trust, async |client| {
        let mut patience = 0;
        while impatient(client.send(WebSocketMessage::Text(&message)), patience).await.is_none() {
            patience += 1;
        }
        loop {
            match impatient(client.recv(), 3).await {
                None => turn().await,
                Some(Ok(IncomingMessage::Whole(Data::Text(text)))) => received.push(text.to_owned()),
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(end)) => return end.into(),
            }
        }
    }));
    let Loss::Session(end) = loss else { panic!("{loss:?}") };
    assert_eq!(end.reason, DisconnectReason::PeerClose);
    assert_eq!(received, ["welcome"]);
    let mut seen = story.join().expect("the server's story");
    seen.sort();
    assert_eq!(seen, ["3".to_owned(), format!("4{message}")]);
}

#[test]
fn a_session_with_a_shared_key_pings_talks_and_ends() {
    story(OpenSsl::with_shared_key(&KEY), SHARED);
}

#[test]
fn a_session_with_a_pinned_key_pings_talks_and_ends() {
    let (server, key) = OpenSsl::with_certificate();
    story(server, PinnedKeys::new(&[key]));
}

#[test]
fn a_server_without_the_key_is_refused_with_the_reason() {
    let _clock = clock();
    let never = async |_: &mut TlsClient<'_, '_>| panic!("no session");
    let (server, key) = OpenSsl::with_certificate();
    let (other, _) = OpenSsl::with_certificate();
    let loss = block_on(session(&other.address, &Line::default(), PinnedKeys::new(&[key]), never));
    assert_eq!(loss, Loss::Tls(OpenError::Refused(Refusal::UnknownKey)));
    assert_eq!(loss.to_string(), "the server was refused: the server's key is not a pinned key");

    let other = OpenSsl::with_shared_key(b"fedcba9876543210");
    let loss = block_on(session(&other.address, &Line::default(), SHARED, never));
    // OpenSSL finds that the board's proof of the key is none, and says so: `illegal_parameter`.
    assert_eq!(loss, Loss::Tls(OpenError::Tls(Fault::Alert { alert: 47 })));

    // Without the key, a certificate is worth nothing.
    let loss = block_on(session(&server.address, &Line::default(), SHARED, never));
    assert!(matches!(loss, Loss::Tls(OpenError::Tls(Fault::NotAuthentic))), "{loss:?}");
}

#[test]
fn our_server_puts_no_more_into_a_record_than_the_board_asks_for() {
    let _clock = clock();
    let files = Files::with_names(1);
    let burst: Vec<_> = (0..20).map(|number| format!("{number} {}", "x".repeat(300))).collect();
    let address = ours(&files, burst.clone());
    let mut received = Vec::new();
    let trust = PinnedKeys::new(core::slice::from_ref(&files.public));
    let loss = block_on(session(&address, &Line::default(), trust, async |client| {
        while received.len() < burst.len() {
            match client.recv().await {
                Ok(IncomingMessage::Whole(Data::Text(text))) => received.push(text.to_owned()),
                Ok(other) => panic!("{other:?}"),
                Err(end) => return end.into(),
            }
        }
        client.close().await.into()
    }));
    let Loss::Session(end) = loss else { panic!("{loss:?}") };
    assert_eq!((end.reason, received), (DisconnectReason::LocalClose, burst));
}

/// OpenSSL sends the certificate in several records, because the board asks for short ones, and our server in a long one.
#[test]
fn a_certificate_that_is_longer_than_a_record_of_the_board_is_told_as_such() {
    let _clock = clock();
    let never = async |_: &mut TlsClient<'_, '_>| panic!("no session");
    let (server, key) = OpenSsl::with_files(Files::with_names(150));
    let loss = block_on(session(&server.address, &Line::default(), PinnedKeys::new(&[key]), never));
    assert_eq!(loss, Loss::Tls(OpenError::Tls(Fault::CertificatesTooLong)));

    let files = Files::with_names(150);
    let address = ours(&files, Vec::new());
    let loss = block_on(session(&address, &Line::default(), PinnedKeys::new(&[files.public]), never));
    assert_eq!(loss, Loss::Tls(OpenError::Tls(Fault::RecordTooLong)));
}

/// Opens a session on both sides, and lends it to `application` with the line and the server's end of it.
fn opened(
    line: &Line,
    application: impl AsyncFnOnce(&mut TlsClient<'_, '_>, &mut ChildStdin) -> Loss,
) -> Loss {
    let mut server = OpenSsl::with_shared_key(&KEY);
    let (mut from, mut to) = server.ends();
    let accepted = std::thread::spawn(move || {
        accept(&mut from, &mut to);
        (from, to)
    });
    block_on(session(&server.address, line, SHARED, async |client| {
        let (_from, mut to) = accepted.join().expect("the server's side");
        application(client, &mut to).await
    }))
}

/// Waits for the end, which must come at this time of the clock and not a microsecond before.
async fn end_at(client: &mut TlsClient<'_, '_>, at: Duration) -> Loss {
    let now = Duration::from_micros(embassy_time::Instant::now().as_micros());
    advance(at.saturating_sub(now + Duration::from_micros(1)));
    for _ in 0..20 {
        assert!(impatient(client.recv(), 2).await.is_none(), "before its time");
        turn().await;
    }
    advance(Duration::from_micros(1));
    let end = impatient(client.recv(), 3).await.expect("on time").expect_err("an end");
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert_eq!(end.silent_for, INTERVAL + TIMEOUT);
    end.into()
}

#[test]
fn while_a_record_is_half_written_the_end_is_on_time_and_no_alert_follows() {
    let _clock = clock();
    let line = Line::default();
    let loss = opened(&line, async |client, _| {
        line.outward.set(Some(7));
        assert_eq!(client.send(WebSocketMessage::Text("stuck")).await, Ok(()));
        let loss = end_at(client, INTERVAL + TIMEOUT).await;
        assert_eq!(line.outward.get(), Some(0), "a part of the record is on its way");
        // From here on the line would take it. It would be encrypted with a nonce that is used up.
        line.outward.set(None);
        line.sent.borrow_mut().clear();
        loss
    });
    assert!(matches!(loss, Loss::Session(_)), "{loss:?}");
    assert!(line.sent.borrow().is_empty());
}

#[test]
fn while_a_record_is_half_read_the_end_is_on_time() {
    let _clock = clock();
    let line = Line::default();
    opened(&line, async |client, to| {
        advance(Duration::from_millis(100));
        line.inward.set(Some(10));
        write_text(to, "2");
        while line.inward.get() != Some(0) {
            assert!(impatient(client.recv(), 2).await.is_none());
            turn().await;
        }
        end_at(client, INTERVAL + TIMEOUT).await
    });
}

#[test]
fn a_close_notify_follows_the_close_frame() {
    let _clock = clock();
    let line = Line::default();
    let loss = opened(&line, async |client, _| client.close().await.into());
    let Loss::Session(end) = loss else { panic!("{loss:?}") };
    assert_eq!(end.reason, DisconnectReason::LocalClose);
    // Each has a byte for its type and a tag of 16: an alert of two bytes, behind an empty close frame of six.
    assert!(line.records().ends_with(&[6 + 17, 2 + 17]), "{:?}", line.records());
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_the_session_with_the_reason() {
    let _clock = clock();
    let line = Line::default();
    let loss = opened(&line, async |client, to| {
        line.corrupt.set(true);
        write_text(to, "4changed");
        let end = client.recv().await.expect_err("an end");
        assert_eq!(end.reason, DisconnectReason::TransportError);
        end.into()
    });
    assert_eq!(loss, Loss::TlsFault(Fault::NotAuthentic));
    assert_eq!(loss.to_string(), "the TLS connection failed: a TLS record is not authentic");
}

#[test]
fn a_handshake_that_hangs_is_given_up_in_time() {
    let _clock = clock();
    let (server, line) = (OpenSsl::with_shared_key(&KEY), Line::default());
    line.inward.set(Some(100));
    block_on(async {
        let never = async |_: &mut TlsClient<'_, '_>| panic!("no session");
        let mut opening = pin!(session(&server.address, &line, SHARED, never));
        while line.inward.get() != Some(0) {
            assert!(poll_once(opening.as_mut()).await.is_pending());
            turn().await;
        }
        advance(Duration::from_micros(19_999_999));
        assert!(poll_once(opening.as_mut()).await.is_pending());
        advance(Duration::from_micros(1));
        assert_eq!(poll_once(opening.as_mut()).await, Poll::Ready(Loss::Tls(OpenError::Timeout)));
    });
}

/// Keeps what is written, and ends when it is read.
struct Recorder<'r>(&'r RefCell<Vec<u8>>);

impl ErrorType for Recorder<'_> {
    type Error = ErrorKind;
}

impl Read for Recorder<'_> {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(0)
    }
}

impl Write for Recorder<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl<'r> Connector for Recorder<'r> {
    type Reader<'s> = Recorder<'r>;
    type Writer<'s> = Recorder<'r>;

    async fn connect(&mut self, session: impl AsyncFnOnce(Recorder<'r>, Recorder<'r>) -> Loss) -> Loss {
        session(Recorder(self.0), Recorder(self.0)).await
    }
}

/// RFC 6066, section 3: literal addresses are not permitted in `server_name`.
#[test]
fn the_server_is_told_its_name_and_no_address() {
    let _clock = clock();
    for (name, told) in [
        ("server.example", true),
        ("10.example", true),
        ("cafe", true),
        ("192.0.2.1", false),
        ("2001:db8::cafe", false),
        ("[2001:db8::cafe]", false),
    ] {
        let written = RefCell::default();
        let (mut received, mut sent) = ([0; 1_285], [0; 1_024]);
        let records = RecordBuffers { received: &mut received, sent: &mut sent };
        let mut random = host_random;
        let mut connector = TlsConnector::new(Recorder(&written), name, SHARED, records, &mut random);
        let loss = block_on(connector.connect(async |_, _| panic!("no session")));
        assert!(matches!(loss, Loss::Tls(_)), "{name}: {loss:?}");
        let hello = written.take();
        assert_eq!(hello.first(), Some(&22), "{name}: a record of the handshake");
        let has_name = hello.windows(name.len()).any(|window| window == name.as_bytes());
        assert_eq!(has_name, told, "{name}: {}", hello.escape_ascii());
    }
}
