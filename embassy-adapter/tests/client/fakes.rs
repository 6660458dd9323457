//! Fakes: a server made of bytes, and a stream that can be slowed, cut and counted.

use core::cell::RefCell;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, ControlFrame, Decoder, Item, Key, MessageKind};
use eio_embassy::{Buffers, Client, ClientSettings, ConnectError, Endpoint};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

pub(crate) use crate::clock::{advance, clock, now};
pub(crate) use crate::stream::{Reader, Writer};

pub(crate) type TestClient = Client<'static, Reader, Writer>;

/// The handshake of most tests: I = 300 ms, T = 200 ms.
pub(crate) const OPEN: &str = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":100000}"#;

/// One direction of a stream.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "ways to fail, each on its own")]
struct Pipe {
    bytes: VecDeque<u8>,
    /// How many bytes it holds before a write waits.
    capacity: usize,
    /// At most so many bytes in one read or write.
    at_once: usize,
    closed: bool,
    failed: bool,
    waker: Option<Waker>,
    /// Makes every read or write wait once before it is done.
    stutters: bool,
    stuttered: bool,
}

#[derive(Clone)]
struct End(Rc<RefCell<Pipe>>);

impl End {
    fn new(capacity: usize) -> Self {
        Self(Rc::new(RefCell::new(Pipe { capacity, at_once: usize::MAX, ..Pipe::default() })))
    }

    fn change(&self, change: impl FnOnce(&mut Pipe)) {
        let waker = {
            let mut pipe = self.0.borrow_mut();
            change(&mut pipe);
            pipe.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn wait<T>(&self, mut ready: impl FnMut(&mut Pipe) -> Option<T>) -> impl Future<Output = T> {
        core::future::poll_fn(move |cx| {
            let mut pipe = self.0.borrow_mut();
            if pipe.stutters && !pipe.stuttered {
                pipe.stuttered = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(value) = ready(&mut pipe) {
                pipe.stuttered = false;
                return Poll::Ready(value);
            }
            pipe.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// The halves of the stream itself. The client has [`Reader`] and [`Writer`], which may be others.
pub(crate) struct FarReader(End);
pub(crate) struct FarWriter(End);

impl ErrorType for FarReader {
    type Error = ErrorKind;
}

impl ErrorType for FarWriter {
    type Error = ErrorKind;
}

impl Read for FarReader {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0
            .wait(|pipe| {
                if !pipe.bytes.is_empty() {
                    let len = buf.len().min(pipe.bytes.len()).min(pipe.at_once);
                    for (slot, byte) in buf.iter_mut().zip(pipe.bytes.drain(..len)) {
                        *slot = byte;
                    }
                    return Some(Ok(len));
                }
                if pipe.failed {
                    return Some(Err(ErrorKind::ConnectionReset));
                }
                pipe.closed.then_some(Ok(0))
            })
            .await
    }
}

impl Write for FarWriter {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0
            .wait(|pipe| {
                if pipe.failed {
                    return Some(Err(ErrorKind::ConnectionReset));
                }
                let len = buf.len().min(pipe.capacity.saturating_sub(pipe.bytes.len())).min(pipe.at_once);
                if len == 0 {
                    return None;
                }
                pipe.bytes.extend(&buf[..len]);
                Some(Ok(len))
            })
            .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        panic!("a flush waits for the peer's acknowledgement: never on the heartbeat's path")
    }
}

/// The server's end, and the wire between.
pub(crate) struct Server {
    to_client: End,
    from_client: End,
    decoder: Decoder,
    unread: Vec<u8>,
    /// The fragments so far of a message.
    partial: Vec<u8>,
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

pub(crate) fn text(text: &str) -> Sent {
    Sent::Text(text.to_owned())
}

impl Server {
    pub(crate) fn new() -> (Self, Reader, Writer) {
        let (server, reader, writer) = Self::behind_a_stream();
        let (reader, writer) = crate::stream::halves(reader, writer);
        (server, reader, writer)
    }

    /// The server, and the halves of the stream itself.
    pub(crate) fn behind_a_stream() -> (Self, FarReader, FarWriter) {
        let (to_client, from_client) = (End::new(usize::MAX), End::new(4096));
        let (reader, writer) = (FarReader(to_client.clone()), FarWriter(from_client.clone()));
        let decoder = Decoder::server(1 << 20);
        (Self { to_client, from_client, decoder, unread: Vec::new(), partial: Vec::new() }, reader, writer)
    }

    /// Bytes on the wire.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.to_client.change(|pipe| pipe.bytes.extend(bytes));
    }

    /// A packet as a text message.
    pub(crate) fn text(&mut self, text: &str) {
        self.raw(&frame(WebSocketMessage::Text(text)));
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.raw(&frame(WebSocketMessage::Binary(bytes)));
    }

    pub(crate) fn control(&mut self, control: ControlFrame<'_>) {
        self.raw(&control_frame(control));
    }

    /// The end of the stream.
    pub(crate) fn hang_up(&mut self) {
        self.to_client.change(|pipe| pipe.closed = true);
    }

    /// A reset: reads and writes fail.
    pub(crate) fn reset(&mut self) {
        self.to_client.change(|pipe| pipe.failed = true);
        self.from_client.change(|pipe| pipe.failed = true);
    }

    /// Writes fail, and what was sent can still be read.
    pub(crate) fn refuse_writes(&mut self) {
        self.from_client.change(|pipe| pipe.failed = true);
    }

    /// How many bytes the stream takes from the client until somebody reads them.
    pub(crate) fn set_window(&mut self, capacity: usize) {
        self.from_client.change(|pipe| pipe.capacity = capacity);
    }

    /// At most so many bytes in one read or write of the client.
    pub(crate) fn set_at_once(&mut self, reads: usize, writes: usize) {
        self.to_client.change(|pipe| pipe.at_once = reads);
        self.from_client.change(|pipe| pipe.at_once = writes);
    }

    /// Every read and write of the client waits once before it is done.
    pub(crate) fn set_stutters(&mut self) {
        self.to_client.change(|pipe| pipe.stutters = true);
        self.from_client.change(|pipe| pipe.stutters = true);
    }

    /// The bytes that the client has not read.
    pub(crate) fn unread_by_client(&self) -> usize {
        self.to_client.0.borrow().bytes.len()
    }

    /// Whether bytes came from the client that nobody has taken.
    #[allow(dead_code, reason = "only some of the programs with these fakes ask for it")]
    pub(crate) fn has_bytes(&self) -> bool {
        !self.from_client.0.borrow().bytes.is_empty()
    }

    /// The bytes that came from the client.
    pub(crate) fn take_raw(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        self.from_client.change(|pipe| taken.extend(pipe.bytes.drain(..)));
        taken
    }

    /// What came from the client, decoded; every rule of RFC 6455 is checked on the way.
    pub(crate) fn take(&mut self) -> Vec<Sent> {
        let raw = self.take_raw();
        self.unread.extend(raw);
        let mut sent = Vec::new();
        let mut at = 0;
        loop {
            let decoded = self.decoder.decode(&mut self.unread[at..]).expect("a client that keeps the rules");
            at += decoded.consumed;
            match decoded.item {
                None => break,
                Some(Item::Message(WebSocketMessage::Text(text))) => sent.push(Sent::Text(text.to_owned())),
                Some(Item::Message(WebSocketMessage::Binary(data))) => sent.push(Sent::Binary(data.to_vec())),
                Some(Item::Piece(piece)) => {
                    self.partial.extend_from_slice(piece.bytes);
                    if piece.last {
                        let whole = core::mem::take(&mut self.partial);
                        sent.push(match piece.kind {
                            MessageKind::Text => Sent::Text(String::from_utf8(whole).expect("UTF-8")),
                            MessageKind::Binary => Sent::Binary(whole),
                        });
                    }
                }
                Some(Item::Control(ControlFrame::Ping(data))) => sent.push(Sent::Ping(data.to_vec())),
                Some(Item::Control(ControlFrame::Pong(data))) => sent.push(Sent::Pong(data.to_vec())),
                Some(Item::Control(ControlFrame::Close(close))) => {
                    sent.push(Sent::Close(close.map(|close| close.code().as_u16())));
                }
            }
        }
        self.unread.drain(..at);
        sent
    }

    /// Reads the request, and returns its text and the answer that switches protocols.
    pub(crate) fn request(&mut self) -> (String, String) {
        let request = self.take_raw();
        let answer = Self::answer_to(&request).expect("a whole request for a WebSocket");
        (String::from_utf8(request).expect("a request is text"), answer)
    }

    /// The answer to a request, once all of it is there.
    pub(crate) fn answer_to(request: &[u8]) -> Option<String> {
        let request = core::str::from_utf8(request).ok()?.strip_suffix("\r\n\r\n")?;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        let accept = Key::parse(key.as_bytes()).expect("a valid key").accept();
        let accept = core::str::from_utf8(&accept).expect("ASCII");
        Some(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
    }
}

pub(crate) fn frame(message: WebSocketMessage<'_>) -> Vec<u8> {
    let len = match message {
        WebSocketMessage::Text(text) => text.len(),
        WebSocketMessage::Binary(bytes) => bytes.len(),
    };
    let mut out = vec![0; len + ws::FrameHeader::MAX_LEN];
    let len = ws::encode_message(message, None, &mut out).expect("room");
    out.truncate(len);
    out
}

pub(crate) fn control_frame(control: ControlFrame<'_>) -> Vec<u8> {
    let mut out = vec![0; ControlFrame::MAX_LEN];
    let len = control.encode(None, &mut out).expect("room");
    out.truncate(len);
    out
}

/// Polls a future as often as `patience` says, and drops it.
pub(crate) fn impatient<F: Future>(future: F, patience: usize) -> Option<F::Output> {
    let task = Task::new();
    let mut future = pin!(future);
    for _ in 0..patience {
        if let Poll::Ready(value) = task.poll_once(future.as_mut()) {
            return Some(value);
        }
    }
    None
}

/// Polls futures and counts why.
pub(crate) struct Task(Arc<Wakes>);

#[derive(Default)]
struct Wakes {
    pending: AtomicUsize,
    total: AtomicUsize,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Polls once, and then as long as somebody wakes it.
    pub(crate) fn poll<F: Future + ?Sized>(&self, mut future: Pin<&mut F>) -> Poll<F::Output> {
        for _ in 0..100_000 {
            if let Poll::Ready(value) = self.poll_once(future.as_mut()) {
                return Poll::Ready(value);
            }
            if self.0.pending.swap(0, Ordering::Relaxed) == 0 {
                return Poll::Pending;
            }
        }
        panic!("it wakes itself for ever")
    }

    /// Polls once.
    pub(crate) fn poll_once<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.0.pending.store(0, Ordering::Relaxed);
        future.poll(&mut Context::from_waker(&Waker::from(self.0.clone())))
    }

    /// Whether somebody wants it polled again.
    pub(crate) fn is_woken(&self) -> bool {
        self.0.pending.load(Ordering::Relaxed) > 0
    }

    /// How often it was woken, ever.
    pub(crate) fn wakes(&self) -> usize {
        self.0.total.load(Ordering::Relaxed)
    }
}

/// Awaits a future that is polled only when something wakes it, for so many microseconds at most.
#[allow(dead_code, reason = "only some of the programs with these fakes ask for it")]
pub(crate) fn within<F: Future>(micros: u64, step: u64, future: F) -> F::Output {
    let task = Task::new();
    let mut future = pin!(future);
    let start = now();
    let mut polled = task.poll(future.as_mut());
    loop {
        if let Poll::Ready(output) = polled {
            return output;
        }
        assert!(now() - start <= micros, "it has no end");
        advance(step);
        if task.is_woken() {
            polled = task.poll(future.as_mut());
        }
    }
}

/// A future that must be done without anything happening meanwhile.
pub(crate) fn done<F: Future>(future: F) -> F::Output {
    match Task::new().poll(core::pin::pin!(future)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// A future that must still be waiting.
pub(crate) fn waits<F: Future>(future: F) {
    assert!(Task::new().poll(core::pin::pin!(future)).is_pending(), "it does not wait");
}

pub(crate) fn buffers(rx: usize, tx: usize) -> Buffers<'static> {
    Buffers { rx: vec![0; rx].leak(), tx: vec![0; tx].leak() }
}

/// Different for every call, the same in every run.
pub(crate) fn rng() -> &'static mut dyn FnMut() -> u32 {
    let mut state = 0x9e37_79b9_u32;
    Box::leak(Box::new(move || {
        state = state.wrapping_mul(0x915f_77f5).wrapping_add(1);
        state ^ state >> 15
    }))
}

/// A client that has connected.
pub(crate) async fn connect<R: Read, W: Write>(
    reader: R,
    writer: W,
    endpoint: &Endpoint<'_>,
    buffers: Buffers<'static>,
    rng: &'static mut dyn FnMut() -> u32,
    settings: &ClientSettings,
) -> Result<Client<'static, R, W>, ConnectError> {
    let mut client = Client::new(reader, writer, buffers, rng, Box::leak(Box::new(*settings)))?;
    client.connect(endpoint).await?;
    Ok(client)
}

/// What connecting to a server that answers like this leads to.
pub(crate) fn connect_with(
    settings: &ClientSettings,
    buffers: Buffers<'static>,
    answer: impl FnOnce(&mut Server, String),
) -> Result<(TestClient, Server), ConnectError> {
    let (mut server, reader, writer) = Server::new();
    let endpoint = Endpoint::engineio("host");
    let task = Task::new();
    let mut connect = Box::pin(connect(reader, writer, &endpoint, buffers, rng(), settings));
    if let Poll::Ready(result) = task.poll(connect.as_mut()) {
        return result.map(|client| (client, server));
    }
    let (_, switch) = server.request();
    answer(&mut server, switch);
    match task.poll(connect.as_mut()) {
        Poll::Ready(result) => result.map(|client| (client, server)),
        Poll::Pending => panic!("it waits"),
    }
}

/// An open session.
pub(crate) fn open_with(settings: &ClientSettings, rx: usize, tx: usize, open: &str) -> (TestClient, Server) {
    connect_with(settings, buffers(rx, tx), |server, switch| {
        server.raw(switch.as_bytes());
        server.text(open);
    })
    .expect("a session")
}

pub(crate) fn open() -> (TestClient, Server) {
    open_with(&ClientSettings::DEFAULT, 1024, 512, OPEN)
}

/// A message of the application, as the tests compare it.
pub(crate) fn received(event: eio_embassy::IncomingMessage<'_>) -> Sent {
    use eio_core::packet::Data;
    match event {
        eio_embassy::IncomingMessage::Whole(Data::Text(text)) => Sent::Text(text.to_owned()),
        eio_embassy::IncomingMessage::Whole(Data::Binary(bytes)) => Sent::Binary(bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}
