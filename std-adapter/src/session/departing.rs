//! WebSockets that are closing because their session has ended.

use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::{DisconnectReason, Instant};

use crate::carrier::websocket::{Nothing, WebSocketIo};
use crate::wire::close_frame::CloseFrame;

/// How many WebSockets of one session may be closing. A further one drops the one that has been closing for longest.
const AT_ONCE: usize = 4;

/// How long a WebSocket may take to send its close frame and receive the peer's.
pub(crate) const CLOSING_TIME: Duration = Duration::from_secs(5);

/// A WebSocket whose session has ended or never began.
///
/// It sends its close frame, then waits for the peer to close. A connection that is dropped with unread bytes is reset, and
/// the reset may overtake the close frame.
pub(crate) struct ClosingWebSocket {
    io: Option<Box<WebSocketIo>>,
    /// Whether everything has been written and this side is closed.
    shut: bool,
    until: Instant,
}

impl ClosingWebSocket {
    /// Creates one for a session that has ended for `reason`, if there is still something to send: `frame`, unless a close
    /// frame of the peer must be answered.
    fn after(
        mut io: Box<WebSocketIo>,
        reason: DisconnectReason,
        frame: Option<CloseFrame>,
        now: Instant,
    ) -> Option<Self> {
        let has_peer_closed = io.peer_closed() || reason == DisconnectReason::PeerClose;
        match reason {
            // A silent peer will not read a close frame.
            DisconnectReason::PingTimeout => {
                io.abort();
                None
            }
            DisconnectReason::TransportReset | DisconnectReason::TransportError => None,
            DisconnectReason::TransportClosed if !has_peer_closed => None,
            _ => {
                io.close(frame);
                Self::new(io, has_peer_closed, now)
            }
        }
    }

    /// Creates one. Messages that have not been begun are no longer written, because they were reported as unsent. A message
    /// of which the kernel has a part was also reported as unsent, so it must not arrive: that connection is reset, unless
    /// the peer's close frame says that it takes no more messages.
    pub(crate) fn new(mut io: Box<WebSocketIo>, has_peer_closed: bool, now: Instant) -> Option<Self> {
        if !io.retract() && !has_peer_closed {
            io.abort();
            return None;
        }
        io.close(None);
        Some(Self { io: Some(io), shut: false, until: now.saturating_add(CLOSING_TIME) })
    }

    /// Ready once the connection has closed or its time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if self.until <= now {
            self.abort();
        }
        let Some(io) = &mut self.io else { return Poll::Ready(()) };
        if !self.shut {
            match io.poll_write(cx, &mut Nothing) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            if io.peer_closed() {
                return io.poll_close_notify(cx).map(drop);
            }
            match io.poll_shutdown(cx) {
                Poll::Pending => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.shut = true,
            }
        }
        io.poll_drain(cx)
    }

    fn abort(&mut self) {
        if let Some(io) = self.io.take() {
            io.abort();
        }
    }
}

/// The WebSockets of one session that are closing. Without any, it owns no memory.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "nearly every session has none for all of its life")]
pub(crate) struct Departing(Option<Box<Vec<ClosingWebSocket>>>);

impl Departing {
    /// Closes a WebSocket that a session does not use.
    pub(crate) fn add(&mut self, io: Box<WebSocketIo>, now: Instant) {
        self.push(ClosingWebSocket::new(io, false, now));
    }

    /// Closes the WebSocket of a session that has ended for `reason`, with this close frame unless a close frame of the peer
    /// must be answered.
    pub(crate) fn add_after(
        &mut self,
        io: Box<WebSocketIo>,
        reason: DisconnectReason,
        frame: Option<CloseFrame>,
        now: Instant,
    ) {
        self.push(ClosingWebSocket::after(io, reason, frame, now));
    }

    fn push(&mut self, websocket: Option<ClosingWebSocket>) {
        let Some(websocket) = websocket else { return };
        let websockets = self.0.get_or_insert_default();
        if websockets.len() >= AT_ONCE {
            websockets.remove(0).abort();
        }
        websockets.push(websocket);
    }

    /// Polls each of the WebSockets.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(websockets) = &mut self.0 else { return };
        websockets.retain_mut(|websocket| websocket.poll(cx, now).is_pending());
        if websockets.is_empty() {
            self.0 = None;
        }
    }

    /// Returns the time at which the next one must be dropped.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref()?.iter().map(|websocket| websocket.until).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
