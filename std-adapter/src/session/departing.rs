//! WebSockets that are closing because their session has ended.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::{DisconnectReason, Instant};

use crate::carrier::websocket::{Nothing, WebSocketIo};
use crate::wire::close_frame::CloseFrame;

/// How many WebSockets of one session may be closing. A further one drops the one that has been closing for longest.
const AT_ONCE: usize = 4;

/// How long a WebSocket may take to send its close frame and receive the peer's, if this side has not closed the session:
/// the close timeout has not begun.
pub(crate) const CLOSING_TIME: Duration = Duration::from_secs(5);

/// A WebSocket whose session has ended or never began.
///
/// It sends its close frame, then waits for the peer to close. A connection is reset if it is dropped with unread bytes, or
/// if the peer sends more, and the reset destroys what the peer has not read.
pub(crate) struct ClosingWebSocket {
    io: Box<WebSocketIo>,
    /// Whether everything has been written.
    written: bool,
    /// Whether this side is closed as well.
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
        until: Instant,
    ) -> Option<Self> {
        let has_peer_closed = io.peer_closed() || reason == DisconnectReason::PeerClose;
        match reason {
            // A silent peer will not read a close frame.
            DisconnectReason::PingTimeout => {
                io.reset_when_dropped();
                None
            }
            DisconnectReason::TransportReset | DisconnectReason::TransportError => None,
            DisconnectReason::TransportClosed if !has_peer_closed => None,
            _ => {
                io.close(frame);
                Self::new(io, has_peer_closed, until)
            }
        }
    }

    /// Creates one. Messages that have not been begun are no longer written, because they were reported as unsent. A message
    /// of which the kernel has a part was also reported as unsent, so it must not arrive: that connection is reset, unless
    /// the peer's close frame says that it takes no more messages.
    pub(crate) fn new(mut io: Box<WebSocketIo>, has_peer_closed: bool, until: Instant) -> Option<Self> {
        if !io.retract() && !has_peer_closed {
            io.reset_when_dropped();
            return None;
        }
        io.close(None);
        Some(Self { io, written: false, shut: false, until })
    }

    /// Ready once the connection has closed or its time is over. Drop it then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let closed = self.poll_close(cx);
        if closed.is_pending() && self.until <= now {
            self.give_up();
            return Poll::Ready(());
        }
        closed
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { io, .. } = self;
        if !self.shut {
            match io.poll_write(cx, &mut Nothing) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.written = true,
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

    /// Prepares the connection to be dropped before it has closed. If everything has been written, the kernel still delivers
    /// it. Otherwise the connection is reset, so that the kernel does not keep data for a peer that does not read.
    fn give_up(&self) {
        if !self.written {
            self.io.reset_when_dropped();
        }
    }
}

/// A future that is ready when nobody waits any longer. While it exists, somebody may.
pub(crate) type Awaited = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The WebSockets of one session that are closing. Without any, it owns no memory.
#[derive(Default)]
pub(crate) struct Departing(Option<Box<All>>);

#[derive(Default)]
struct All {
    websockets: Vec<ClosingWebSocket>,
    awaited: Option<Awaited>,
}

impl Departing {
    /// Closes a WebSocket that a session does not use.
    pub(crate) fn add(&mut self, io: Box<WebSocketIo>, now: Instant) {
        self.push(ClosingWebSocket::new(io, false, now.saturating_add(CLOSING_TIME)));
    }

    /// Closes the WebSocket of a session that has ended for `reason`, with this close frame unless a close frame of the peer
    /// must be answered. It takes until `until` at most.
    pub(crate) fn add_after(
        &mut self,
        io: Box<WebSocketIo>,
        reason: DisconnectReason,
        frame: Option<CloseFrame>,
        until: Instant,
    ) {
        self.push(ClosingWebSocket::after(io, reason, frame, until));
    }

    fn push(&mut self, websocket: Option<ClosingWebSocket>) {
        let Some(websocket) = websocket else { return };
        let websockets = &mut self.0.get_or_insert_default().websockets;
        if websockets.len() >= AT_ONCE {
            websockets.remove(0).give_up();
        }
        websockets.push(websocket);
    }

    /// Lets others wait until all of them have closed. When they wait no longer, the WebSockets are dropped.
    pub(crate) fn await_all(&mut self, begin: impl FnOnce() -> Option<Awaited>) {
        if let Some(all) = &mut self.0
            && all.awaited.is_none()
        {
            all.awaited = begin();
        }
    }

    /// Polls each of the WebSockets.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(all) = &mut self.0 else { return };
        all.websockets.retain_mut(|websocket| websocket.poll(cx, now).is_pending());
        if let Some(awaited) = &mut all.awaited
            && awaited.as_mut().poll(cx).is_ready()
        {
            all.websockets.drain(..).for_each(|websocket| websocket.give_up());
        }
        if all.websockets.is_empty() {
            self.0 = None;
        }
    }

    /// Returns the time at which the next one must be dropped.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref()?.websockets.iter().map(|websocket| websocket.until).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
