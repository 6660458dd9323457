//! The transport of a session: the bytes of a WebSocket, and the connection below it.

mod delegate;
#[cfg(feature = "client")]
pub(crate) mod dialed;
pub(crate) mod frames;
#[cfg(feature = "server")]
pub(crate) mod gate;
pub(crate) mod raw_socket;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod websocket;

use core::task::{Context, Poll};
use std::io;

use self::frames::{FrameSink, FrameSource};
use self::websocket::{ConnectionEnd, WebSocketIo};

/// What carries a session. The session's task knows only these methods: a new transport is a variant here, and a match
/// that does not know it does not compile.
#[derive(Default)]
pub(crate) enum Carrier {
    /// No connection of its own: HTTP requests carry the session, which other tasks answer, or a WebSocket is still opening,
    /// or the session has ended.
    #[default]
    None,
    WebSocket(Box<WebSocketIo>),
}

impl Carrier {
    /// Passes everything that has arrived to `sink`. Ready once the connection has ended.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl FrameSink,
    ) -> Poll<ConnectionEnd> {
        match self {
            Self::None => Poll::Pending,
            Self::WebSocket(io) => io.poll_read(cx, sink),
        }
    }

    /// Returns whether the last read stopped before it had read everything.
    pub(crate) fn has_unread(&self) -> bool {
        match self {
            Self::None => false,
            Self::WebSocket(io) => io.has_unread(),
        }
    }

    /// Reads from the socket itself, past the readiness that the runtime has cached. Returns `None` if there is no socket
    /// that can be asked.
    pub(crate) fn read_past_runtime(&mut self, sink: &mut impl FrameSink) -> Option<Poll<ConnectionEnd>> {
        match self {
            Self::None => None,
            Self::WebSocket(io) => io.read_past_runtime(sink),
        }
    }

    /// Returns whether [`poll_write`](Self::poll_write) takes messages.
    pub(crate) fn takes_messages(&self) -> bool {
        match self {
            Self::None => false,
            Self::WebSocket(_) => true,
        }
    }

    /// Returns whether each write goes to the kernel itself. Otherwise a stream above it, such as TLS, may keep bytes until it
    /// is flushed.
    pub(crate) fn writes_to_kernel(&self) -> bool {
        match self {
            Self::None => false,
            Self::WebSocket(io) => io.writes_to_kernel(),
        }
    }

    /// Writes what `source` provides. Ready once everything has been written.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl FrameSource,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::None => Poll::Pending,
            Self::WebSocket(io) => io.poll_write(cx, source),
        }
    }

    /// Returns how the connection ended after a failed write.
    pub(crate) fn write_failed(&mut self, error: &io::Error, sink: &mut impl FrameSink) -> ConnectionEnd {
        match self {
            Self::None => error.into(),
            Self::WebSocket(io) => io.write_failed(error, sink),
        }
    }

    /// Returns whether this side has closed the connection, behind everything that it wrote.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::None => false,
            Self::WebSocket(io) => io.is_closed(),
        }
    }

    /// Takes the connection of a session that has ended, for it to be closed. HTTP requests end by themselves.
    pub(crate) fn take_connection(&mut self) -> Option<Box<WebSocketIo>> {
        match core::mem::take(self) {
            Self::None => None,
            Self::WebSocket(io) => Some(io),
        }
    }
}
