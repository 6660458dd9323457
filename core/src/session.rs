//! Sessions: what a heartbeat [`Machine`] becomes once it opens, closes and ends for a reason.
//!
//! [`ServerSession`](crate::ServerSession) and [`ClientSession`](crate::ClientSession) are driven alike. Facts come in by `handle_*`, each with the caller's
//! clock; wishes are plain verbs; results come out by `poll_*`. Any order of calls is legal.
//!
//! ```text
//!                 open packet           close()                 close packet written,
//!   ┌─────────┐  (client only)  ┌──────┐      ┌─────────┐       or the close timeout      ┌───────┐
//!   │ opening ├───────────────▶│ open ├─────▶│ closing ├────────────────────────────────▶│ ended │
//!   └────┬────┘                 └──┬───┘      └────┬────┘                                 └───────┘
//!        │ open timeout            │ ping timeout  │ ping timeout                              ▲
//!        │ bad handshake           │ close packet  │                                           │
//!        │                         │ violation     │                                           │
//!        └─────────────────────────┴───────────────┴───────────────────────────────────────────┘
//!                             the transport ended, in any state
//! ```
//!
//! A session that has not ended always has a deadline. The end is a state: the first cause wins, and
//! [`disconnect`](crate::ServerSession::disconnect) tells it for ever.
//!
//! The caller's loop, whatever the runtime:
//!
//! 1. Read all that is ready; decode it with [`packet`](crate::packet) or [`payload`](crate::payload); hand every
//!    result to `handle_packet`.
//! 2. Only then call `handle_timeout`, if its time has come: whatever was handled before counts.
//! 3. Write what `poll_transmit` yields, ahead of queued messages (a [`Control::Close`] behind them).
//! 4. If `disconnect` says so, report the end before any further write.
//! 5. Sleep until `poll_timeout`, or until something is ready.

use core::time::Duration;

use crate::handshake::{Handshake, HandshakeErrorKind};
use crate::heartbeat::{Due, Machine};
use crate::packet::{Data, DecodeErrorKind, Packet};
use crate::time::Instant;

/// What a session tells its application. Borrows the bytes that were handed in.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// Client: the handshake arrived and the session is open.
    Opened(Handshake<'a>),
    /// The peer sent a message.
    Message(Data<'a>),
    /// The peer's heartbeat: its ping, or the answer to ours.
    Heartbeat {
        /// The round trip, when this is the answer to a ping of ours.
        rtt: Option<Duration>,
    },
}

/// A packet that the session itself wants sent. Its wire form is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a session sends no other packets of its own")]
pub enum Control {
    /// Write a ping.
    Ping,
    /// Write a pong. Pings that came in faster than they were answered share one.
    Pong,
    /// Tell the peer that the session ends: the `close` packet on polling, a close frame on WebSocket. After
    /// `close()` it belongs behind the messages that are still queued; then call `handle_closed`.
    Close,
}

impl Control {
    /// The packet to write.
    #[must_use]
    pub const fn packet(self) -> Packet<'static> {
        match self {
            Self::Ping => Packet::PING,
            Self::Pong => Packet::PONG,
            Self::Close => Packet::CLOSE,
        }
    }

    /// The packet as text, which is its form in both revisions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Close => "1",
        }
    }
}

/// How the peer misbehaved, where only the transport can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Violation {
    /// A frame or request body above `max_payload`.
    #[error("payload too large")]
    PayloadTooLarge,
    /// A second poll, or a second request with data, while one was in flight.
    #[error("overlapping requests")]
    OverlappingRequests,
    /// A request body of a type that the revision does not have, such as `application/octet-stream` in revision 4.
    #[error("content type not supported")]
    ContentType,
    /// Bytes on a WebSocket that break RFC 6455.
    #[error("WebSocket protocol error")]
    WebSocket,
}

/// Why a session ended. The first cause wins and never changes.
///
/// | variant | [`as_str`](Self::as_str) | who did it |
/// |---|---|---|
/// | `LocalClose` | `forced close` | this side called `close` |
/// | `PeerClose` | `transport close` | the peer sent `close` |
/// | `TransportClosed` | `transport close` | the connection ended in order |
/// | `TransportError` | `transport error` | the connection failed |
/// | `PingTimeout` | `ping timeout` | the peer was silent |
/// | `ParseError` | `parse error` | a client sent bytes that are no packet |
/// | `ServerError` | `transport error` | a server sent bytes that are no packet |
/// | `WrongDirection` | `transport error` | a client sent the server's heartbeat packet |
/// | `Violation` | `transport error` | see [`Violation`] |
/// | `OpenTimeout` | `open timeout` | the server sent no handshake |
/// | `BadHandshake` | `bad handshake` | the server's handshake cannot be used |
/// | `UnexpectedPacket` | `unexpected packet` | the server sent another packet before the handshake, or a second one |
/// | `ApplicationStalled` | `application stalled` | this side's application did not read |
///
/// The first five words are the reference implementations'; the last four have no counterpart there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DisconnectReason {
    /// `close` was called on this side.
    #[error("forced close: closed by this side")]
    LocalClose,
    /// The peer sent a `close` packet.
    #[error("transport close: the peer sent a close packet")]
    PeerClose,
    /// The transport ended in order, without a `close` packet.
    #[error("transport close: the connection ended")]
    TransportClosed,
    /// The transport failed.
    #[error("transport error: the connection failed")]
    TransportError,
    /// The peer gave no sign of life in time.
    #[error("ping timeout: the peer was silent")]
    PingTimeout,
    /// Server: the client sent something that is no packet.
    #[error("parse error: {0}")]
    ParseError(DecodeErrorKind),
    /// Client: the server sent something that is no packet.
    #[error("transport error: {0}")]
    ServerError(DecodeErrorKind),
    /// Server: the client sent a ping in revision 4, or a pong in revision 3.
    #[error("transport error: invalid heartbeat direction")]
    WrongDirection,
    /// The peer broke a rule of the transport.
    #[error("transport error: {0}")]
    Violation(Violation),
    /// Client: no `open` packet within the open timeout.
    #[error("open timeout: the server sent no handshake")]
    OpenTimeout,
    /// Client: the `open` packet cannot be used.
    #[error("bad handshake: {0}")]
    BadHandshake(HandshakeErrorKind),
    /// Client: a packet before the `open` packet, or a second `open` packet.
    #[error("unexpected packet: expected one open packet, first")]
    UnexpectedPacket,
    /// The application did not take what was read, for longer than the stall timeout.
    #[error("application stalled: it did not read")]
    ApplicationStalled,
}

impl DisconnectReason {
    /// The reference implementations' word for it, or our own where they have none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LocalClose => "forced close",
            Self::PeerClose | Self::TransportClosed => "transport close",
            Self::TransportError | Self::ServerError(_) | Self::WrongDirection | Self::Violation(_) => {
                "transport error"
            }
            Self::PingTimeout => "ping timeout",
            Self::ParseError(_) => "parse error",
            Self::OpenTimeout => "open timeout",
            Self::BadHandshake(_) => "bad handshake",
            Self::UnexpectedPacket => "unexpected packet",
            Self::ApplicationStalled => "application stalled",
        }
    }

    /// Whether the peer is to be told with a `close` packet, as far as it still listens. After a failed request it
    /// does: polling has another connection, and a peer that is not told keeps its session until its own timeout.
    const fn owes_close(self) -> bool {
        !matches!(self, Self::PeerClose | Self::TransportClosed)
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Disconnect {
    /// The first cause.
    pub reason: DisconnectReason,
    /// From the peer's last sign of life to the end.
    pub silent_for: Duration,
}

/// Why a message cannot be sent now. The caller still owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is still awaited.
    #[error("the session is not open yet")]
    NotOpen,
    /// The session closes or has ended.
    #[error("the session is closed")]
    Closed,
    /// The peer has been silent past its deadline: the session ends at the next `handle_timeout`.
    #[error("the peer is silent past its deadline")]
    Expired,
}

/// What both roles are made of: a machine, what is owed to the peer, and the reason of the end.
#[derive(Clone, Debug)]
pub(crate) struct Lifecycle {
    pub(crate) machine: Machine,
    pub(crate) owed: Owed,
    reason: Option<DisconnectReason>,
}

/// Control packets that `poll_transmit` has yet to yield, at most one of each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owed {
    pub(crate) ping: bool,
    pub(crate) pong: bool,
    close: bool,
}

impl Lifecycle {
    pub(crate) const fn new(machine: Machine) -> Self {
        Self { machine, owed: Owed { ping: false, pong: false, close: false }, reason: None }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let closing = self.machine.is_closing();
        let reason = match self.machine.handle_timeout(now) {
            None => return,
            Some(Due::Ping) => {
                self.owed.ping = true;
                return;
            }
            Some(Due::PingTimeout) => DisconnectReason::PingTimeout,
            Some(Due::ApplicationStalled) => DisconnectReason::ApplicationStalled,
            Some(Due::OpenTimeout) => DisconnectReason::OpenTimeout,
            Some(Due::CloseTimeout) => DisconnectReason::LocalClose,
        };
        self.settle(reason, closing);
    }

    pub(crate) fn end(&mut self, now: Instant, reason: DisconnectReason) {
        let closing = self.machine.is_closing();
        self.machine.end(now);
        self.settle(reason, closing);
    }

    /// The first cause wins; once this side closes, that is the cause of any end but silence.
    fn settle(&mut self, reason: DisconnectReason, closing: bool) {
        if self.reason.is_some() {
            return;
        }
        self.owed.ping = false;
        self.owed.pong = false;
        if closing {
            // The close packet was owed since `close`, and is owed still if nobody took it.
            self.owed.close &= reason.owes_close();
            self.reason = Some(match reason {
                DisconnectReason::PingTimeout => reason,
                _ => DisconnectReason::LocalClose,
            });
        } else {
            self.owed.close = reason.owes_close();
            self.reason = Some(reason);
        }
    }

    /// What the peer sent is the cause. Broken or unwelcome, it is a sign of life.
    pub(crate) fn end_by_peer(&mut self, now: Instant, reason: DisconnectReason) {
        self.machine.handle_activity(now);
        self.end(now, reason);
    }

    pub(crate) fn close(&mut self, now: Instant, close_timeout: Duration) {
        if self.machine.is_opening() {
            self.end(now, DisconnectReason::LocalClose);
        } else {
            self.owed.close |= self.machine.is_running();
            self.machine.begin_close(now, close_timeout);
        }
    }

    pub(crate) fn handle_closed(&mut self, now: Instant) {
        self.machine.handle_clock(now);
        if self.machine.is_closing() {
            self.end(now, DisconnectReason::LocalClose);
            self.owed.close = false;
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Control> {
        let owed = &mut self.owed;
        for (flag, control) in [
            (&mut owed.pong, Control::Pong),
            (&mut owed.ping, Control::Ping),
            (&mut owed.close, Control::Close),
        ] {
            if core::mem::take(flag) {
                return Some(control);
            }
        }
        None
    }

    pub(crate) fn check_send(&self, now: Instant) -> Result<(), SendError> {
        if self.machine.is_opening() {
            Err(SendError::NotOpen)
        } else if !self.machine.is_running() {
            Err(SendError::Closed)
        } else if self.machine.is_expired(now) {
            Err(SendError::Expired)
        } else {
            Ok(())
        }
    }

    pub(crate) fn disconnect(&self) -> Option<Disconnect> {
        let ended_at = self.machine.ended_at()?;
        let silent_for = ended_at.saturating_duration_since(self.machine.last_seen());
        Some(Disconnect { reason: self.reason?, silent_for })
    }
}

/// The verbs that both roles share, over a field `lifecycle`.
macro_rules! shared_verbs {
    () => {
        /// Bytes came in that are not a whole packet yet. A sign of life; for a server with
        /// [`Liveness::AnyPacket`](crate::Liveness::AnyPacket) it counts as a packet.
        pub fn handle_activity(&mut self, now: Instant) {
            self.lifecycle.machine.handle_activity(now);
        }

        /// The clock has moved: sends what is due, ends what has expired. Nothing else ends a session for silence.
        ///
        /// Does nothing before the deadline of [`poll_timeout`](Self::poll_timeout). Afterwards the session has ended
        /// or its deadline is later than `now`.
        pub fn handle_timeout(&mut self, now: Instant) {
            self.lifecycle.handle_timeout(now);
        }

        /// The transport ended in order: the peer closed the connection.
        pub fn handle_transport_closed(&mut self, now: Instant) {
            self.lifecycle.end(now, DisconnectReason::TransportClosed);
        }

        /// The transport failed: a reset, an aborted request, a write that did not succeed. On polling the peer may
        /// still be reached by another request: [`Control::Close`] is owed, and dropped where nothing can carry it.
        pub fn handle_transport_error(&mut self, now: Instant) {
            self.lifecycle.end(now, DisconnectReason::TransportError);
        }

        /// The peer broke a rule that only the transport can see.
        pub fn handle_violation(&mut self, now: Instant, violation: Violation) {
            self.lifecycle.end_by_peer(now, DisconnectReason::Violation(violation));
        }

        /// The application does not take what was read, so the caller stops reading. Silence is not judged until
        /// [`handle_reading_resumed`](Self::handle_reading_resumed); after `stall_timeout` the session ends with
        /// [`DisconnectReason::ApplicationStalled`]. Repeating the call changes nothing.
        pub fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
            self.lifecycle.machine.handle_reading_paused(now, stall_timeout);
        }

        /// The caller reads again. The peer's silence counts from now.
        pub fn handle_reading_resumed(&mut self, now: Instant) {
            self.lifecycle.machine.handle_reading_resumed(now);
        }

        /// Closes the session: no message goes out any more, those already queued may, then the
        /// [`Control::Close`] that [`poll_transmit`](Self::poll_transmit) yields.
        ///
        /// The session ends with [`handle_closed`](Self::handle_closed), after `close_timeout`
        /// ([`CLOSE_TIMEOUT`](crate::session::CLOSE_TIMEOUT) is the usual choice), or when the peer's deadline for
        /// silence comes, whichever is first. A session that is still opening ends at once.
        pub fn close(&mut self, now: Instant, close_timeout: Duration) {
            self.lifecycle.close(now, close_timeout);
        }

        /// The [`Control::Close`] of a closing session was handed to the transport: the session ends.
        pub fn handle_closed(&mut self, now: Instant) {
            self.lifecycle.handle_closed(now);
        }

        /// The next packet that the session itself wants written, until there is none. Each is yielded once.
        ///
        /// After the end at most one [`Control::Close`] remains.
        #[must_use = "a packet that is not written is lost"]
        pub fn poll_transmit(&mut self) -> Option<Control> {
            self.lifecycle.poll_transmit()
        }

        /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` only when the session has ended.
        #[must_use]
        pub fn poll_timeout(&self) -> Option<Instant> {
            self.lifecycle.machine.poll_timeout()
        }

        /// Whether a message may be sent now.
        ///
        /// # Errors
        /// [`SendError`] says why not. [`SendError::Expired`] means that the peer has been silent past its deadline,
        /// as after a suspend: the end is about to be reported, and the message would be lost.
        pub fn check_send(&self, now: Instant) -> Result<(), SendError> {
            self.lifecycle.check_send(now)
        }

        /// How the session ended, if it has. Readable for ever; it never changes.
        #[must_use]
        pub fn disconnect(&self) -> Option<Disconnect> {
            self.lifecycle.disconnect()
        }

        /// Whether the handshake is done and nothing has closed or ended the session.
        #[must_use]
        pub fn is_open(&self) -> bool {
            self.lifecycle.machine.is_running()
        }

        /// The periods in force; `None` while the handshake is awaited.
        #[must_use]
        pub fn heartbeat(&self) -> Option<Heartbeat> {
            self.lifecycle.machine.heartbeat()
        }

        /// The latest round trip of a ping of this side.
        #[must_use]
        pub fn rtt(&self) -> Option<Duration> {
            self.lifecycle.machine.rtt()
        }

        /// When the peer last gave a sign of life: any packet, anything else that it sent and that ended the session,
        /// or bytes reported by [`handle_activity`](Self::handle_activity). The start, if it never did.
        #[must_use]
        pub fn last_seen(&self) -> Instant {
            self.lifecycle.machine.last_seen()
        }
    };
}
pub(crate) use shared_verbs;

/// How long a closing session waits for its messages and its `close` packet to leave: 30 s, as the reference server.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{DecodeError, PacketType};
    use crate::{ClientSession, Heartbeat, Liveness, ServerSession};

    fn at(millis: u64) -> Instant {
        Instant::from_micros(0).saturating_add(Duration::from_millis(millis))
    }

    fn server() -> ServerSession {
        ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0))
    }

    #[test]
    fn what_a_peer_breaks_a_rule_with_is_its_last_sign_of_life() {
        let garbage = || Err(DecodeError { at: 0, kind: DecodeErrorKind::Empty });
        let silent_for = |end: Option<Disconnect>| end.map(|end| end.silent_for);

        let mut session = server();
        let _ = session.handle_packet(at(7), garbage());
        assert_eq!(silent_for(session.disconnect()), Some(Duration::ZERO));

        let mut session = server();
        session.handle_violation(at(7), Violation::PayloadTooLarge);
        assert_eq!(silent_for(session.disconnect()), Some(Duration::ZERO));

        for packet in
            [garbage(), Ok(Packet::NOOP), Ok(Packet::text(PacketType::Open, "{}")), Ok(Packet::CLOSE)]
        {
            let mut session = ClientSession::eio4(Duration::from_secs(10), at(0));
            let _ = session.handle_packet(at(7), packet);
            assert_eq!(silent_for(session.disconnect()), Some(Duration::ZERO), "{packet:?}");
        }
    }

    #[test]
    fn a_session_that_closes_in_vain_says_so_once() {
        for close_timeout in [Duration::from_secs(1), Duration::from_mins(1)] {
            let mut session = server();
            session.close(at(0), close_timeout);
            assert_eq!(session.poll_transmit(), Some(Control::Close));
            session.handle_timeout(at(60_000));
            assert!(session.disconnect().is_some());
            assert_eq!(session.poll_transmit(), None);
        }
    }

    #[test]
    fn bytes_are_a_sign_of_life_in_a_closing_session_too() {
        let mut session = server();
        session.close(at(1), CLOSE_TIMEOUT);
        session.handle_activity(at(2));
        assert_eq!(session.last_seen(), at(2));
    }

    #[test]
    fn a_call_without_effect_still_moves_the_clock() {
        let mut session = server();
        session.handle_closed(at(30_000));
        session.handle_timeout(at(25_000));
        assert_eq!(session.poll_timeout(), Some(at(50_000)));
    }

    #[test]
    fn a_peer_that_may_still_listen_is_told_of_a_failed_request() {
        let now = Instant::from_micros(0);
        let mut failed = ClientSession::eio4(Duration::from_secs(20), now);
        failed.handle_transport_error(now);
        assert_eq!(failed.poll_transmit(), Some(Control::Close));
        assert_eq!(failed.poll_transmit(), None);

        let mut closed = ClientSession::eio4(Duration::from_secs(20), now);
        closed.handle_transport_closed(now);
        assert_eq!(closed.poll_transmit(), None);
    }
}
