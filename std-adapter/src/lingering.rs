//! WebSockets on their way out.

use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::Instant;
use eio_core::packet::Frame;
use eio_core::ws::CloseCode;

use crate::websocket::{FrameSink, WebSocketIo};

/// How long an ended session may take to say goodbye: to deliver its close frame, and to hear the peer's.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// A WebSocket whose session has ended, or never began.
///
/// It delivers its close frame, then waits for the peer to close: a connection that is dropped with unread bytes is
/// reset, and the reset may overtake the close frame.
pub(crate) struct Lingering {
    io: Box<WebSocketIo>,
    pub(crate) until: Instant,
}

impl Lingering {
    pub(crate) fn new(mut io: Box<WebSocketIo>, code: Option<CloseCode>, now: Instant) -> Self {
        io.close(code);
        Self { io, until: now.saturating_add(LINGER) }
    }

    /// Ready once there is nothing more to wait for.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if self.until <= now {
            return Poll::Ready(());
        }
        match self.io.poll_write(cx, || None) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) => {}
        }
        if self.io.peer_closed() || matches!(self.io.poll_shutdown(cx), Poll::Ready(Err(_))) {
            return Poll::Ready(());
        }
        self.io.poll_read(cx, &mut Deaf).map(drop)
    }
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
