//! The bytes of one WebSocket. They are read into a scratch buffer that all connections of a thread share, decoded in
//! place, and written without a copy if they are large. An idle connection owns no buffer.

mod batch;
mod end;
mod stream;
mod write;

use core::cell::RefCell;
use core::task::{Context, Poll, ready};
use std::io;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, Decoder, Item, MessageKind};
use eio_core::{BufferTooSmall, Revision};

use self::batch::Batch;
pub(crate) use self::end::ConnectionEnd;
pub(crate) use self::stream::Stream;
#[cfg(feature = "client")]
use crate::carrier::dialed::Dialed;
pub(crate) use crate::carrier::frames::{FrameSink, FrameSource};
use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;

/// The largest number of bytes in one read, and the length of a thread's scratch buffer.
const SCRATCH: usize = 64 * 1024;

/// The largest number of bytes that are read before the session's other work gets its turn. Otherwise packets that never
/// fill the inbox could delay that work without limit.
const AT_ONCE: usize = 4 * SCRATCH;

/// The largest number of reads from a socket before the silence of its peer is judged. They amount to 16 MiB, which is
/// more than a kernel buffers, so later bytes had not arrived in time.
const MAX_READS: usize = 256;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static BATCH: RefCell<Batch> = RefCell::default();
}

/// A source without frames.
pub(crate) struct Nothing;

impl FrameSource for Nothing {
    fn next(&mut self) -> Option<ToWrite<'_>> {
        None
    }

    fn written(&mut self, _: usize) {}
}

/// A sink that discards frames.
struct DiscardFrames;

impl FrameSink for DiscardFrames {
    fn wants_more(&self) -> bool {
        true
    }

    fn handle(&mut self, _: WebSocketMessage<'_>) {}

    fn handle_activity(&mut self) {}
}

/// The state of this side's close frame.
#[derive(Clone, Debug)]
enum Closing {
    No,
    Queued(Option<CloseFrame>),
    /// The frame is the last one in the batch, or the kernel has taken it.
    Written(Option<CloseFrame>),
}

/// The WebSocket of a session, or of a candidate for one.
pub(crate) struct WebSocketIo {
    stream: Stream,
    decoder: Decoder,
    /// Received bytes of an incomplete header or control frame. At first, the bytes that hyper had read beyond the request.
    tail: Box<[u8]>,
    /// The pieces so far of an incomplete message.
    partial: Vec<u8>,
    /// The frames that the kernel has not taken yet.
    unwritten: Option<Box<Batch>>,
    /// The payload of the pong for the peer's latest RFC 6455 ping.
    pong: Option<Box<[u8]>>,
    closing: Closing,
    /// Whether frames are masked: those of a client are, those of a server are not (RFC 6455 section 5.3).
    masks: bool,
    revision: Revision,
    base64_only: bool,
    unread: bool,
}

impl WebSocketIo {
    /// Creates the server's end, once the 101 response has been sent. `received` are the bytes that the HTTP server had
    /// read beyond the request.
    #[cfg(feature = "server")]
    pub(crate) fn server(
        stream: Stream,
        received: Vec<u8>,
        revision: Revision,
        base64_only: bool,
        max_message: u32,
    ) -> Self {
        Self { base64_only, ..Self::with(stream, Decoder::server(max_message), received, revision) }
    }

    /// Creates the client's end, once the 101 response has been read. `received` are the bytes that followed it.
    #[cfg(feature = "client")]
    pub(crate) fn client(stream: Dialed, received: &[u8], revision: Revision, max_message: u32) -> Self {
        let decoder = Decoder::client(max_message);
        Self {
            masks: true,
            ..Self::with(Stream::Dialed(Box::new(stream)), decoder, received.to_vec(), revision)
        }
    }

    fn with(stream: Stream, decoder: Decoder, tail: Vec<u8>, revision: Revision) -> Self {
        Self {
            stream,
            decoder,
            tail: tail.into_boxed_slice(),
            partial: Vec::new(),
            unwritten: None,
            pong: None,
            closing: Closing::No,
            masks: false,
            revision,
            base64_only: false,
            unread: false,
        }
    }

    /// Passes every frame that is ready to `sink`. It stops when `wants_more` returns false, when nothing is left to read,
    /// or after [`AT_ONCE`] bytes, when it wakes the task again.
    ///
    /// `Pending` means that everything that had arrived was passed on, that the sink wants no more, or that there may be
    /// [more](Self::has_unread).
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl FrameSink,
    ) -> Poll<ConnectionEnd> {
        let mut budget = AT_ONCE;
        let mut exhausted = false;
        let read = |stream: &mut Stream, room: &mut [u8]| {
            if budget == 0 {
                exhausted = true;
                return Poll::Pending;
            }
            let at_once = room.len().min(budget);
            let room = room.get_mut(..at_once).unwrap_or_default();
            let read = ready!(stream.poll_read(cx, room));
            budget = budget.saturating_sub(*read.as_ref().unwrap_or(&0));
            Poll::Ready(read)
        };
        let end = self.read_with(read, sink);
        self.unread = exhausted;
        if exhausted {
            cx.waker().wake_by_ref();
        }
        end
    }

    /// Returns whether the last [`poll_read`](Self::poll_read) stopped at its limit, so that there may be more to read.
    pub(crate) fn has_unread(&self) -> bool {
        self.unread
    }

    /// Reads and discards incoming bytes. Ready once no more bytes can come.
    pub(crate) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.decoder.decode(&mut []).is_ok()
            && !matches!(ready!(self.poll_read(cx, &mut DiscardFrames)), ConnectionEnd::Violation(_))
        {
            return Poll::Ready(());
        }
        // The bytes after a broken frame cannot be decoded. But if they stayed unread, closing would become a reset.
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH, 0);
        let mut end = None;
        for _ in 0..AT_ONCE / SCRATCH {
            end = match self.stream.poll_read(cx, &mut scratch) {
                Poll::Pending => Some(Poll::Pending),
                Poll::Ready(Ok(0) | Err(_)) => Some(Poll::Ready(())),
                Poll::Ready(Ok(_)) => continue,
            };
            break;
        }
        SCRATCH_BUFFER.set(scratch);
        end.unwrap_or_else(|| {
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }

    /// Reads like [`poll_read`](Self::poll_read), but from the socket itself, because the runtime's record of its readiness
    /// may be old.
    ///
    /// Returns `None` if the connection is not a plain socket.
    pub(crate) fn read_past_runtime(&mut self, sink: &mut impl FrameSink) -> Option<Poll<ConnectionEnd>> {
        self.stream.socket()?;
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
    ) -> Poll<ConnectionEnd> {
        // Taken out of its cell while in use, because `handle` may run code that reads another connection.
        let mut scratch = SCRATCH_BUFFER.take();
        scratch.resize(SCRATCH.max(self.tail.len()), 0);
        let tail = core::mem::take(&mut self.tail);
        let mut filled = tail.len();
        scratch[..filled].copy_from_slice(&tail);
        let end = loop {
            // Earlier bytes come first: they arrived with the HTTP request, or while reading was paused.
            let mut at = 0;
            let mut end = None;
            while end.is_none() && at < filled && sink.wants_more() {
                match self.decode(scratch.get_mut(at..filled).unwrap_or_default(), sink) {
                    Ok((consumed, found)) => {
                        at += consumed;
                        if self.decoder.is_closed() {
                            end = Some(ConnectionEnd::Closed);
                        } else if !found {
                            break;
                        }
                    }
                    Err(error) => {
                        // The close frame tells the peer, if it has not been sent yet.
                        self.close(CloseFrame::new(error.close_code(), "").ok());
                        end = Some(error.into());
                    }
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
                Poll::Ready(Ok(0)) => break Poll::Ready(ConnectionEnd::Closed),
                Poll::Ready(Ok(len)) => filled += len,
                Poll::Ready(Err(error)) => break Poll::Ready((&error).into()),
            }
        };
        self.tail = scratch.get(..filled).unwrap_or_default().into();
        SCRATCH_BUFFER.set(scratch);
        end
    }

    /// Decodes up to the next item. Returns the number of consumed bytes, and whether there was an item.
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
                        MessageKind::Binary => sink.handle(WebSocketMessage::Binary(&message)),
                        // Cannot fail: the decoder has checked the whole message.
                        MessageKind::Text => {
                            let text = core::str::from_utf8(&message).map_err(|_| ws::Error::InvalidUtf8)?;
                            sink.handle(WebSocketMessage::Text(text));
                        }
                    }
                }
            }
            Some(Item::Control(ws::ControlFrame::Ping(payload))) => {
                // Only the latest of several pings is answered (RFC 6455 section 5.5.3).
                self.pong = Some(Box::from(payload));
            }
            Some(Item::Control(ws::ControlFrame::Pong(_))) => {}
            Some(Item::Control(ws::ControlFrame::Close(close))) => {
                // The answer has the same code (RFC 6455 section 5.5.1).
                self.close(close.and_then(|close| CloseFrame::new(close.code(), "").ok()));
                sink.handle_close(close);
            }
        }
        Ok((decoded.consumed, true))
    }

    /// Returns how the connection ended after a failed write. Bytes that arrived before, such as a close frame, say more
    /// than the error of the write.
    pub(crate) fn write_failed(&mut self, error: &io::Error, sink: &mut impl FrameSink) -> ConnectionEnd {
        match self.read_past_runtime(sink) {
            Some(Poll::Ready(end)) => end,
            _ => error.into(),
        }
    }

    /// Ends the WebSocket with a close frame, unless one is already due or written. No frame follows it.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        if let Closing::No = self.closing {
            self.closing = Closing::Queued(frame);
        }
    }

    /// Returns whether the close frame has been written.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Written(_)) && self.unwritten.is_none()
    }

    /// Returns whether the peer's close frame has arrived.
    pub(crate) fn peer_closed(&self) -> bool {
        self.decoder.is_closed()
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    /// Drops the connection with a reset, so that the kernel does not keep unsent data for a dead peer.
    pub(crate) fn abort(self) {
        self.stream.abort();
    }
}

/// Returns whether a write failed because a frame was longer than it was measured, which should be impossible.
pub(crate) fn is_impossible(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(cause) if cause.is::<BufferTooSmall>())
}
