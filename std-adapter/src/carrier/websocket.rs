//! The bytes of one WebSocket. They are read into a scratch buffer that all connections of a thread share, and decoded in
//! place. Large messages are read and written without a copy. An idle connection owns no buffer.

mod batch;
mod end;
mod limits;
mod partial;
mod read;
mod source;
mod stream;
mod write;

use core::cell::{Cell, RefCell};
use core::task::{Context, Poll};
use std::io;

use eio_core::ws::Decoder;
use eio_core::{BufferTooSmall, Revision};

use self::batch::Batch;
pub(crate) use self::end::ConnectionEnd;
use self::partial::Partial;
pub(crate) use self::stream::Stream;
#[cfg(feature = "client")]
use crate::carrier::dialed::Dialed;
pub(crate) use crate::carrier::frames::{FrameSink, FrameSource};
use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;

thread_local! {
    static SCRATCH_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static BATCH: Cell<Option<Box<Batch>>> = const { Cell::new(None) };
}

/// A source without frames.
pub(crate) struct Nothing;

impl FrameSource for Nothing {
    fn next(&mut self) -> Option<ToWrite<'_>> {
        None
    }

    fn written(&mut self, _: usize) {}
}

/// The state of this side's close frame.
#[derive(Clone, Copy, Debug)]
enum Closing {
    No,
    Queued,
    /// The frame is the last one in the batch, or the kernel has taken it.
    Written,
}

/// State that an idle connection does not have.
#[derive(Debug, Default)]
struct Rare {
    /// Received bytes of an incomplete header or control frame. At first, the bytes that hyper had read beyond the request.
    tail: Box<[u8]>,
    /// The payload of the pong for the peer's latest RFC 6455 ping.
    pong: Option<Box<[u8]>>,
    /// The content of this side's close frame.
    close_frame: Option<CloseFrame>,
}

/// The WebSocket of a session, or of a candidate for one.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct WebSocketIo {
    stream: Stream,
    decoder: Decoder,
    /// `None` on nearly every idle connection.
    rare: Option<Box<Rare>>,
    /// The pieces so far of an incomplete message.
    partial: Option<Box<Partial>>,
    /// Whether the last message was large. The next one probably is, too.
    expects_large: bool,
    /// The frames that the kernel has not taken yet.
    unwritten: Option<Box<Batch>>,
    closing: Closing,
    /// Whether frames are masked: those of a client are, those of a server are not (RFC 6455 section 5.3).
    masks: bool,
    revision: Revision,
    base64_only: bool,
    unread: bool,
    /// Whether the peer broke a rule, so that its bytes cannot be decoded any more.
    is_broken: bool,
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
        let rare = Rare { tail: tail.into_boxed_slice(), ..Rare::default() };
        Self {
            stream,
            decoder,
            rare: (!rare.tail.is_empty()).then(|| Box::new(rare)),
            partial: None,
            expects_large: false,
            unwritten: None,
            closing: Closing::No,
            masks: false,
            revision,
            base64_only: false,
            unread: false,
            is_broken: false,
        }
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
            self.closing = Closing::Queued;
            if frame.is_some() {
                self.rare().close_frame = frame;
            }
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Returns whether each write goes to the kernel itself.
    pub(crate) fn writes_to_kernel(&self) -> bool {
        self.stream.writes_to_kernel()
    }

    /// Returns whether the close frame has been written.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.closing, Closing::Written) && self.unwritten.is_none()
    }

    /// Returns whether the peer's close frame has arrived.
    pub(crate) fn peer_closed(&self) -> bool {
        self.decoder.is_closed()
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }

    /// Ends the data behind both close frames.
    pub(crate) fn poll_close_notify(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_close_notify(cx)
    }

    /// Lets the connection be reset when it is dropped, so that the kernel does not keep unsent data for a dead peer.
    pub(crate) fn reset_when_dropped(&self) {
        self.stream.reset_when_dropped();
    }
}

/// Returns whether a write failed because a frame was longer than it was measured, which should be impossible.
pub(crate) fn is_impossible(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(cause) if cause.is::<BufferTooSmall>())
}
