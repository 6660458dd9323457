//! Bytes of one WebSocket: read into a scratch buffer that all connections of a thread share, decoded in place, and
//! written without copies where that pays. An idle connection owns no buffer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use eio_core::packet::{Frame, Packet};
use eio_core::ws::{self, Close, CloseCode, Decoder, FrameHeader, Item, MessageKind, OpCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::client::Dialed;
use crate::mask_keys;
use crate::message::Message;
use crate::state::{Outgoing, Revision, State};

/// A masked close frame without a reason.
const MAX_CLOSE_FRAME: usize = 8;

/// How much one read takes at most; also what the scratch buffer of a thread holds.
const SCRATCH: usize = 64 * 1024;

/// How often a socket is read at most before the silence of its peer is judged: 16 MiB, more than a kernel holds.
/// What came in after that is not evidence that was there in time.
const MAX_READS: usize = 256;

/// How much is handed to the kernel at once. A heartbeat that becomes due waits for no more than this.
const CHUNK: usize = 16 * 1024;

/// Messages from this size on are written from where they are, not copied.
const LARGE: usize = 8 * 1024;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The connection under a WebSocket.
#[derive(Debug)]
enum Stream {
    /// The socket itself, which can be looked at past the runtime's cached readiness, and reset.
    Tcp(TcpStream),
    /// What a client has dialed.
    Dialed(Dialed),
    /// TLS, or whatever else the HTTP server ran on.
    Other(Box<Upgraded>),
}

/// Takes what was read.
pub(crate) trait FrameSink {
    /// Whether reading may go on.
    fn wants_more(&self) -> bool;
    /// One whole WebSocket message.
    fn handle(&mut self, frame: Frame<'_>);
    /// A piece of a message that is not whole yet.
    fn handle_activity(&mut self);
}

/// Gives what is to be written.
pub(crate) trait FrameSource {
    /// What comes next, if anything does.
    fn next(&mut self) -> Option<ToWrite>;
    /// So many of the messages that [`next`](Self::next) gave, the oldest ones, are with the kernel as a whole.
    fn written(&mut self, messages: usize);
}

/// Nothing more is to be written.
pub(crate) struct Nothing;

impl FrameSource for Nothing {
    fn next(&mut self) -> Option<ToWrite> {
        None
    }

    fn written(&mut self, _: usize) {}
}

/// Nobody listens any more.
struct Deaf;

impl FrameSink for Deaf {
    fn wants_more(&self) -> bool {
        true
    }

    fn handle(&mut self, _: Frame<'_>) {}

    fn handle_activity(&mut self) {}
}

/// What reading has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadEnd {
    /// The peer closed, with or without a close frame.
    Closed,
    /// The peer broke the framing.
    Violation(ws::Error),
}

/// A frame on its way to the kernel.
#[derive(Clone, Copy, Debug)]
struct Unwritten {
    /// Where it ends, from the start of its chunk.
    end: usize,
    is_message: bool,
}

/// How far our close frame has come.
#[derive(Clone, Copy, Debug)]
enum Closing {
    No,
    Queued(Option<CloseCode>),
    /// It is the last of the frames on their way, or the kernel has it.
    Written(Option<CloseCode>),
}

/// The WebSocket of a session, or of a candidate for one.
pub(crate) struct WebSocketIo {
    stream: Stream,
    decoder: Decoder,
    /// Received bytes that are no whole header or control frame yet. hyper's leftovers at first.
    tail: Vec<u8>,
    /// A message of which some pieces came in.
    partial: Vec<u8>,
    /// Encoded bytes that the kernel did not take yet.
    chunk: Bytes,
    /// A large payload that follows the chunk.
    large: Bytes,
    /// With what a client masks its large payload, piece by piece.
    large_mask: Mask,
    /// A client masks what it sends, a server does not (RFC 6455 section 5.3).
    masks: bool,
    /// The frames in chunk and large payload that the kernel did not take as a whole yet.
    frames: VecDeque<Unwritten>,
    /// How much of chunk and large payload the kernel has taken.
    taken: usize,
    /// A part of the first of the frames is with the kernel.
    mid_frame: bool,
    /// The answer that is owed to the peer's latest RFC 6455 ping.
    pong: Option<Vec<u8>>,
    closing: Closing,
    revision: Revision,
    base64_only: bool,
}

impl WebSocketIo {
    /// The server's end, once the 101 response has left.
    pub(crate) fn new(upgraded: Upgraded, state: &State) -> Self {
        let (stream, tail) = Stream::of(upgraded);
        let decoder = Decoder::server(state.hub.config.max_payload);
        Self { base64_only: state.base64_only, ..Self::with(stream, decoder, tail, state.revision) }
    }

    /// The client's end, once the 101 response was read; `received` came right behind it.
    pub(crate) fn client(stream: Dialed, received: &[u8], revision: Revision, max_message: u32) -> Self {
        let decoder = Decoder::client(max_message);
        Self { masks: true, ..Self::with(Stream::Dialed(stream), decoder, received.to_vec(), revision) }
    }

    fn with(stream: Stream, decoder: Decoder, tail: Vec<u8>, revision: Revision) -> Self {
        Self {
            stream,
            decoder,
            tail,
            partial: Vec::new(),
            chunk: Bytes::new(),
            large: Bytes::new(),
            large_mask: Mask::default(),
            masks: false,
            frames: VecDeque::new(),
            taken: 0,
            mid_frame: false,
            pong: None,
            closing: Closing::No,
            revision,
            base64_only: false,
        }
    }

    /// Hands over every frame that is ready, until `wants_more` says no or nothing is left to read.
    ///
    /// `Pending` means that all that was there has been handed over, or that no more is wanted.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, sink: &mut impl FrameSink) -> Poll<ReadEnd> {
        self.read_with(|stream, room| stream.poll_read(cx, room), sink)
    }

    /// Reads what still comes in, and forgets it. Ready once nothing can come any more.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.decoder.decode(&mut []).is_ok()
            && let ReadEnd::Closed = ready!(self.poll_read(cx, &mut Deaf))
        {
            return Poll::Ready(());
        }
        // What follows a broken frame cannot be decoded, but unread it would turn our close into a reset.
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH, 0);
        let end = loop {
            match self.stream.poll_read(cx, &mut scratch) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => break Poll::Ready(()),
                Poll::Ready(Ok(_)) => {}
            }
        };
        SCRATCH_BUFFER.set(scratch);
        end
    }

    /// The same, asking the socket itself instead of the runtime, which may not have looked for a while.
    ///
    /// `None` when the connection is not a plain socket.
    pub(crate) fn read_past_runtime(&mut self, sink: &mut impl FrameSink) -> Option<Poll<ReadEnd>> {
        self.stream.tcp()?;
        let mut reads = 0..MAX_READS;
        let read = |stream: &mut Stream, room: &mut [u8]| match reads.next() {
            Some(_) => stream.read_now(room),
            None => Poll::Pending,
        };
        Some(self.read_with(read, sink))
    }

    fn read_with(
        &mut self,
        mut read: impl FnMut(&mut Stream, &mut [u8]) -> Poll<io::Result<usize>>,
        sink: &mut impl FrameSink,
    ) -> Poll<ReadEnd> {
        // Out of its cell while in use: `handle` may run code that reads another connection.
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH.max(self.tail.len()), 0);
        let mut filled = self.untail(&mut scratch);
        let end = loop {
            // Bytes from before go first: they came with the HTTP request, or reading was paused.
            let mut at = 0;
            let mut end = None;
            while end.is_none() && at < filled && sink.wants_more() {
                match self.decode(scratch.get_mut(at..filled).unwrap_or_default(), sink) {
                    Ok((consumed, found)) => {
                        at += consumed;
                        if self.decoder.is_closed() {
                            end = Some(ReadEnd::Closed);
                        } else if !found {
                            break;
                        }
                    }
                    Err(error) => end = Some(ReadEnd::Violation(error)),
                }
            }
            if let Some(end) = end {
                filled = 0;
                break Poll::Ready(end);
            }
            scratch.copy_within(at..filled, 0);
            filled -= at;
            if !sink.wants_more() {
                break Poll::Pending;
            }
            match read(&mut self.stream, scratch.get_mut(filled..).unwrap_or_default()) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => break Poll::Ready(ReadEnd::Closed),
                Poll::Ready(Ok(len)) => filled += len,
            }
        };
        self.tail = scratch.get(..filled).unwrap_or_default().to_vec();
        SCRATCH_BUFFER.set(scratch);
        end
    }

    /// Puts what was left over at the front of `scratch`.
    fn untail(&mut self, scratch: &mut [u8]) -> usize {
        let tail = core::mem::take(&mut self.tail);
        match scratch.get_mut(..tail.len()) {
            Some(front) => front.copy_from_slice(&tail),
            None => debug_assert!(false, "the scratch buffer has room for the tail"),
        }
        tail.len()
    }

    /// Decodes up to the next item: how much was consumed, and whether there was one.
    fn decode(&mut self, input: &mut [u8], sink: &mut impl FrameSink) -> Result<(usize, bool), ws::Error> {
        let decoded = self.decoder.decode(input)?;
        match decoded.item {
            None => return Ok((decoded.consumed, false)),
            Some(Item::Message(frame)) => sink.handle(frame),
            Some(Item::Piece(piece)) => {
                self.partial.extend_from_slice(piece.bytes);
                sink.handle_activity();
                if piece.last {
                    let message = core::mem::take(&mut self.partial);
                    match piece.kind {
                        MessageKind::Binary => sink.handle(Frame::Binary(&message)),
                        // The decoder has checked the whole message.
                        MessageKind::Text => {
                            sink.handle(Frame::Text(core::str::from_utf8(&message).unwrap_or_default()));
                        }
                    }
                }
            }
            Some(Item::Control(ws::Control::Ping(payload))) => {
                // Only the latest of several is answered (RFC 6455 section 5.5.3).
                self.pong = Some(payload.to_vec());
            }
            Some(Item::Control(ws::Control::Pong(_) | ws::Control::Close(_))) => {}
        }
        Ok((decoded.consumed, true))
    }

    /// Writes what is left, then what `source` yields, until nothing is left or the kernel takes no more.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl FrameSource,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.chunk.is_empty() || !self.large.is_empty() {
                if self.masks && self.chunk.is_empty() {
                    self.chunk = self.large_mask.piece(&mut self.large);
                }
                let large: &[u8] = if self.masks { &[] } else { &self.large };
                let bufs = [io::IoSlice::new(&self.chunk), io::IoSlice::new(large)];
                let written = ready!(self.stream.poll_write(cx, &bufs))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                let of_chunk = written.min(self.chunk.len());
                self.chunk.advance(of_chunk);
                self.large.advance(written - of_chunk);
                source.written(self.count_messages(written));
            }
            self.clear();
            if let Closing::Written(_) = self.closing {
                return self.stream.poll_flush(cx);
            }
            let mut chunk = Vec::new();
            if let Some(payload) = self.pong.take() {
                self.put_frame(&mut chunk, OpCode::Pong, &payload)?;
                self.end_frame(&chunk, false);
            }
            while chunk.len() < CHUNK && self.large.is_empty() {
                let Some(item) = source.next() else { break };
                let is_message = matches!(item, ToWrite::Message(_));
                self.encode(item, &mut chunk)?;
                self.end_frame(&chunk, is_message);
            }
            if let Closing::Queued(code) = self.closing
                && chunk.len() < CHUNK
                && self.large.is_empty()
            {
                let mut frame = [0; MAX_CLOSE_FRAME];
                let close = ws::Control::Close(code.map(|code| Close { code, reason: "" }));
                let len = close.encode(self.key()?, &mut frame).unwrap_or_default();
                chunk.extend_from_slice(frame.get(..len).unwrap_or_default());
                self.end_frame(&chunk, false);
                self.closing = Closing::Written(code);
            }
            if chunk.is_empty() && self.large.is_empty() {
                return self.stream.poll_flush(cx);
            }
            self.chunk = chunk.into();
        }
    }

    /// What `chunk` and the large payload end with now is a frame.
    fn end_frame(&mut self, chunk: &[u8], is_message: bool) {
        self.frames.push_back(Unwritten { end: chunk.len() + self.large.len(), is_message });
    }

    /// The kernel took so many bytes more: how many messages were completed by them.
    fn count_messages(&mut self, written: usize) -> usize {
        let mut messages = 0;
        self.taken += written;
        self.mid_frame = true;
        while let Some(frame) = self.frames.front().filter(|frame| frame.end <= self.taken) {
            messages += usize::from(frame.is_message);
            self.mid_frame = frame.end < self.taken;
            self.frames.pop_front();
        }
        messages
    }

    /// Nothing is on its way, so nothing is kept for it.
    fn clear(&mut self) {
        self.chunk = Bytes::new();
        self.large = Bytes::new();
        self.frames = VecDeque::new();
        self.taken = 0;
    }

    /// Takes back every frame that has not begun, so that a close frame can follow. `false` when the kernel has a
    /// part of a frame: its rest has to follow first.
    pub(crate) fn retract(&mut self) -> bool {
        let Some(first) = self.frames.front().copied() else { return true };
        if let Closing::Written(code) = self.closing {
            self.closing = Closing::Queued(code);
        }
        if !self.mid_frame {
            self.clear();
            return true;
        }
        let left = first.end - self.taken;
        self.large.truncate(left.saturating_sub(self.chunk.len()));
        self.chunk.truncate(left);
        self.frames.truncate(1);
        false
    }

    fn encode(&mut self, item: ToWrite, chunk: &mut Vec<u8>) -> io::Result<()> {
        let message = match item {
            ToWrite::Control(text) => return self.put_frame(chunk, OpCode::Text, text.as_bytes()),
            ToWrite::Message(Outgoing::Prepared(prepared))
                if self.revision == Revision::V4 && !self.base64_only && !self.masks =>
            {
                if prepared.frame().len() < LARGE {
                    chunk.extend_from_slice(prepared.frame());
                } else {
                    self.large = prepared.frame().clone();
                }
                return Ok(());
            }
            ToWrite::Message(outgoing) => outgoing.into_message(),
        };
        let (opcode, prefix): (_, &[u8]) = match (&message, self.revision) {
            (Message::Binary(_), _) if self.base64_only => return self.put_base64(chunk, &message),
            (Message::Text(_), _) => (OpCode::Text, b"4"),
            (Message::Binary(_), Revision::V4) => (OpCode::Binary, b""),
            (Message::Binary(_), Revision::V3) => (OpCode::Binary, &[4]),
        };
        let key = self.key()?;
        put_header(chunk, opcode, prefix.len() + message.len(), key);
        let mut mask = Mask { key, offset: 0 };
        mask.put(chunk, prefix);
        if message.len() < LARGE {
            mask.put(chunk, message.as_bytes());
        } else {
            self.large = message.into_bytes();
            self.large_mask = mask;
        }
        Ok(())
    }

    fn put_base64(&self, chunk: &mut Vec<u8>, message: &Message) -> io::Result<()> {
        let packet = Packet::message(message.as_frame());
        let mut payload = vec![0; self.revision.encoded_len(&packet, false)];
        let encoded = self.revision.encode(&packet, false, &mut payload);
        debug_assert!(encoded.is_ok(), "the buffer has the length that was asked for");
        self.put_frame(chunk, OpCode::Text, &payload)
    }

    fn put_frame(&self, chunk: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) -> io::Result<()> {
        let key = self.key()?;
        put_header(chunk, opcode, payload.len(), key);
        Mask { key, offset: 0 }.put(chunk, payload);
        Ok(())
    }

    /// A fresh masking key for every frame of a client.
    fn key(&self) -> io::Result<Option<[u8; 4]>> {
        self.masks.then(mask_keys::next).transpose()
    }

    /// Goes out before anything else.
    ///
    /// # Errors
    /// For a client, when the system has no random bytes.
    pub(crate) fn put_first(&mut self, packet: &str) -> io::Result<()> {
        let mut chunk = Vec::new();
        self.put_frame(&mut chunk, OpCode::Text, packet.as_bytes())?;
        self.end_frame(&chunk, false);
        self.chunk = chunk.into();
        Ok(())
    }

    /// Ends the WebSocket with a close frame. Nothing is written after it.
    pub(crate) fn close(&mut self, code: Option<CloseCode>) {
        if let Closing::No = self.closing {
            self.closing = Closing::Queued(code);
        }
    }

    /// Whether the close frame has left.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Written(_)) && self.frames.is_empty()
    }

    /// Whether the peer's close frame came in.
    pub(crate) fn peer_closed(&self) -> bool {
        self.decoder.is_closed()
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    /// Drops the connection with a reset, so that the kernel does not keep unsent data for a dead peer.
    pub(crate) fn abort(self) {
        let socket = match &self.stream {
            Stream::Tcp(stream) => stream,
            Stream::Dialed(stream) => stream.socket(),
            Stream::Other(_) => return,
        };
        // Without it the connection closes in order, which is slower and no less correct.
        let _ = SockRef::from(socket).set_linger(Some(core::time::Duration::ZERO));
    }
}

/// One thing to write.
#[derive(Debug)]
pub(crate) enum ToWrite {
    /// A packet of the session or of an upgrade.
    Control(&'static str),
    Message(Outgoing),
}

fn put_header(chunk: &mut Vec<u8>, opcode: OpCode, len: usize, mask: Option<[u8; 4]>) {
    let mut bytes = [0; FrameHeader::MAX_LEN];
    let header = FrameHeader { mask, ..FrameHeader::new(opcode, len) };
    let header_len = header.encode(&mut bytes).unwrap_or_default();
    chunk.extend_from_slice(bytes.get(..header_len).unwrap_or_default());
}

/// Where in a frame's payload masking has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Mask {
    key: Option<[u8; 4]>,
    offset: usize,
}

impl Mask {
    /// Appends the next bytes of the payload, masked if a key says so.
    fn put(&mut self, chunk: &mut Vec<u8>, payload: &[u8]) {
        let start = chunk.len();
        chunk.extend_from_slice(payload);
        if let Some(key) = self.key {
            ws::mask(chunk.get_mut(start..).unwrap_or_default(), key, self.offset);
            self.offset += payload.len();
        }
    }

    /// Takes the next piece of a large payload, masked.
    fn piece(&mut self, large: &mut Bytes) -> Bytes {
        let piece = large.split_to(large.len().min(CHUNK));
        let mut masked = Vec::with_capacity(piece.len());
        self.put(&mut masked, &piece);
        masked.into()
    }
}

impl Stream {
    /// The connection that was an HTTP server's, and what that had read beyond the request.
    fn of(upgraded: Upgraded) -> (Self, Vec<u8>) {
        // Servers that choose between HTTP/1.1 and HTTP/2, axum's and our own among them, wrap the socket once more.
        let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => return (Self::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
            Err(upgraded) => (Self::Other(Box::new(upgraded)), Vec::new()),
        }
    }

    /// The socket, if nothing is between it and the frames.
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Dialed(stream) => stream.tcp(),
            Self::Other(_) => None,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => {
                let mut buf = tokio::io::ReadBuf::new(room);
                ready!(AsyncRead::poll_read(Pin::new(stream), cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
            Self::Dialed(stream) => {
                let mut buf = tokio::io::ReadBuf::new(room);
                ready!(AsyncRead::poll_read(Pin::new(stream), cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
            Self::Other(stream) => {
                let mut buf = hyper::rt::ReadBuf::new(room);
                ready!(hyper::rt::Read::poll_read(Pin::new(stream), cx, buf.unfilled()))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
        }
    }

    /// Reads from the socket itself. `Pending` when nothing is there.
    fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = self.tcp() else { return Poll::Pending };
        let socket = SockRef::from(stream);
        match (&*socket).read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => AsyncWrite::poll_write_vectored(Pin::new(stream), cx, bufs),
            Self::Dialed(stream) => AsyncWrite::poll_write_vectored(Pin::new(stream), cx, bufs),
            Self::Other(stream) => hyper::rt::Write::poll_write_vectored(Pin::new(stream), cx, bufs),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Dialed(stream) => AsyncWrite::poll_flush(Pin::new(stream), cx),
            Self::Other(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => AsyncWrite::poll_shutdown(Pin::new(stream), cx),
            Self::Dialed(stream) => AsyncWrite::poll_shutdown(Pin::new(stream), cx),
            Self::Other(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use http::{Request, Response, StatusCode};
    use hyper::body::Incoming;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// Upgrades a connection whose client sends a frame without waiting, and returns what the session gets of it.
    async fn upgraded(any_http: bool) -> (Stream, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let client = tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nframe";
            client.write_all(head.as_bytes()).await.unwrap();
            let _ = client.read(&mut [0; 512]).await;
            client
        });
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(hyper::upgrade::on(&mut request).await.unwrap()).await });
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            async move { Ok::<_, Infallible>(response) }
        });
        let io = TokioIo::new(listener.accept().await.unwrap().0);
        if any_http {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(io, service)
                .await
                .unwrap();
        } else {
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(io, service).with_upgrades().await.unwrap();
        }
        drop(client.await);
        Stream::of(receiver.recv().await.unwrap())
    }

    #[tokio::test]
    async fn the_socket_is_found_under_both_of_hypers_servers_with_what_was_read_of_it() {
        for any_http in [true, false] {
            let (stream, tail) = upgraded(any_http).await;
            assert!(matches!(stream, Stream::Tcp(_)), "{stream:?}");
            assert_eq!(tail, b"frame");
        }
    }
}
