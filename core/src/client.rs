//! The client side of a session.

use core::time::Duration;

use crate::handshake::Handshake;
use crate::heartbeat::{Machine, Reaction};
use crate::packet::{Data, DecodeError, Packet, PacketType};
use crate::session::{
    CheckSendError, Control, DisconnectReason, Lifecycle, SessionEnd, SessionEvent, Violation,
};
use crate::ws::Close;
use crate::{Heartbeat, Instant};

/// The client side of a session, from the moment the transport connects. It takes at most 64 bytes.
///
/// ```
/// use core::time::Duration;
/// use eio_core::packet::{WebSocketMessage, v4};
/// use eio_core::session::{Control, DisconnectReason, SessionEvent};
/// use eio_core::{ClientSession, Instant};
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let mut session = ClientSession::eio4(Duration::from_secs(10), at(0));
///
/// let open = r#"0{"sid":"Qd3cV1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
/// let Some(SessionEvent::Opened(handshake)) = session.handle_packet(at(40), v4::decode(WebSocketMessage::Text(open))) else {
///     panic!("a handshake");
/// };
/// assert_eq!(handshake.sid.as_str(), "Qd3cV1");
///
/// session.handle_packet(at(25_040), v4::decode(WebSocketMessage::Text("2")));
/// assert_eq!(session.poll_transmit(), Some(Control::Pong));
///
/// assert_eq!(session.poll_timeout(), Some(at(70_040))); // 45 s after the ping
/// session.handle_timeout(at(70_040));
/// assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::PingTimeout));
/// ```
#[derive(Clone, Debug)]
pub struct ClientSession {
    lifecycle: Lifecycle,
}

impl ClientSession {
    /// Creates a session of revision 4, in which the server pings. The session ends if no handshake arrives within
    /// `open_timeout`. The reference Engine.IO client has no such limit; the reference Socket.IO client waits 20 s.
    #[must_use]
    pub const fn eio4(open_timeout: Duration, now: Instant) -> Self {
        Self {
            lifecycle: Lifecycle::new(Machine::eio4_client_opening(now, now.saturating_add(open_timeout))),
        }
    }

    /// Creates a session of revision 3, in which this side pings. Otherwise it behaves as [`eio4`](Self::eio4) does.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::packet::{WebSocketMessage, v3};
    /// use eio_core::session::Control;
    /// use eio_core::{ClientSession, Instant};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ClientSession::eio3(Duration::from_secs(10), at(0));
    /// let open = r#"0{"sid":"x7","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#;
    /// session.handle_packet(at(40), v3::decode(WebSocketMessage::Text(open)));
    /// session.handle_timeout(at(25_040));
    /// assert_eq!(session.poll_transmit(), Some(Control::Ping));
    /// session.handle_packet(at(25_100), v3::decode(WebSocketMessage::Text("3")));
    /// assert_eq!(session.rtt(), Some(Duration::from_millis(60)));
    /// ```
    #[must_use]
    pub const fn eio3(open_timeout: Duration, now: Instant) -> Self {
        Self {
            lifecycle: Lifecycle::new(Machine::eio3_client_opening(now, now.saturating_add(open_timeout))),
        }
    }

    /// Limits the `pingTimeout` that the server announces to at most `ping_timeout`. The limit is rounded up to a whole
    /// millisecond and is at least 1 ms. If it is called more than once, the last call applies. It has no effect once
    /// the session is open.
    #[must_use]
    pub const fn with_ping_timeout_at_most(mut self, ping_timeout: Duration) -> Self {
        self.lifecycle.machine.cap_timeout(ping_timeout);
        self
    }

    /// Handles a decoded packet, or the error of decoding it. Pass it the results of the [`packet`](crate::packet) and
    /// [`payload`](crate::payload) decoders.
    ///
    /// The first packet must be the server's handshake, and a second handshake is not allowed. A `close` packet or an
    /// error ends the session, on any transport.
    #[inline]
    pub fn handle_packet<'p>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'p>, DecodeError>,
    ) -> Option<SessionEvent<'p>> {
        self.handle::<true>(now, packet)
    }

    /// Handles a packet like [`handle_packet`](Self::handle_packet), in a session that opened on a WebSocket and stays
    /// there. It ignores the names in the handshake's `upgrades`, which the event leaves empty. An image that contains only
    /// this function is about 150 bytes smaller.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::packet::{Packet, PacketType};
    /// use eio_core::{ClientSession, Instant, SessionEvent};
    ///
    /// let now = Instant::from_micros(0);
    /// let open = r#"{"sid":"x7","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}"#;
    /// let mut session = ClientSession::eio4(Duration::from_secs(10), now);
    /// let event = session.handle_websocket_packet(now, Ok(Packet::text(PacketType::Open, open)));
    /// let Some(SessionEvent::Opened(handshake)) = event else { unreachable!() };
    /// assert!(handshake.upgrades.is_empty());
    /// ```
    #[inline]
    pub fn handle_websocket_packet<'p>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'p>, DecodeError>,
    ) -> Option<SessionEvent<'p>> {
        self.handle::<false>(now, packet)
    }

    /// Handles a packet, and the names in the handshake's `upgrades` if wanted.
    fn handle<'p, const UPGRADES: bool>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'p>, DecodeError>,
    ) -> Option<SessionEvent<'p>> {
        let lifecycle = &mut self.lifecycle;
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                lifecycle.end_by_peer(now, DisconnectReason::ServerError(error.kind));
                return None;
            }
        };
        match packet.packet_type {
            PacketType::Close => {
                lifecycle.end_by_peer(now, DisconnectReason::PeerClose);
                return None;
            }
            PacketType::Open if lifecycle.machine.is_opening() => {
                return self.handle_open::<UPGRADES>(now, packet.data);
            }
            PacketType::Open => {
                lifecycle.end_by_peer(now, DisconnectReason::UnexpectedPacket);
                return None;
            }
            _ if lifecycle.machine.is_opening() => {
                lifecycle.end_by_peer(now, DisconnectReason::UnexpectedPacket);
                return None;
            }
            _ => {}
        }
        let counts_as = match packet.packet_type {
            // Its ping has not left, so it answers nothing. It is a packet like any other.
            PacketType::Pong if lifecycle.pending.ping => PacketType::Noop,
            packet_type => packet_type,
        };
        match lifecycle.machine.handle_packet(now, counts_as) {
            Reaction::Pong => {
                lifecycle.pending.pong = true;
                Some(SessionEvent::Heartbeat { rtt: None })
            }
            Reaction::Answered => Some(SessionEvent::Heartbeat { rtt: lifecycle.machine.rtt() }),
            Reaction::None if packet.packet_type == PacketType::Message && lifecycle.machine.is_running() => {
                Some(SessionEvent::Message(packet.data))
            }
            Reaction::None | Reaction::WrongDirection => None,
        }
    }

    fn handle_open<'p, const UPGRADES: bool>(
        &mut self,
        now: Instant,
        data: Data<'p>,
    ) -> Option<SessionEvent<'p>> {
        let Data::Text(json) = data else {
            self.lifecycle.end_by_peer(now, DisconnectReason::UnexpectedPacket);
            return None;
        };
        match Handshake::read::<UPGRADES>(json) {
            Ok(handshake) => {
                self.lifecycle.machine.open(now, handshake.heartbeat);
                Some(SessionEvent::Opened(handshake))
            }
            Err(error) => {
                self.lifecycle.end_by_peer(now, DisconnectReason::BadHandshake(error.kind));
                None
            }
        }
    }

    /// Reports that bytes arrived which are not a whole packet yet. They are a sign of life: they move
    /// [`last_seen`](Self::last_seen), but no deadline.
    pub fn handle_activity(&mut self, now: Instant) {
        self.lifecycle.machine.handle_activity(now);
    }

    /// Reports that the clock has moved. Queues the packets that are due, and ends the session if its deadline has
    /// passed. No other method ends a session for silence.
    ///
    /// Does nothing before the deadline that [`poll_timeout`](Self::poll_timeout) returns. After the call the session
    /// has ended, or its deadline is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.lifecycle.handle_timeout(now);
    }

    /// Reports that the server closed the connection cleanly. If a WebSocket sent a close frame, call
    /// [`handle_close_frame`](Self::handle_close_frame) instead.
    pub fn handle_transport_closed(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportClosed);
    }

    /// Handles the server's close frame, with or without a body (RFC 6455 section 5.5.1). Pass it the content of
    /// [`ControlFrame::Close`](crate::ws::ControlFrame::Close). The frame is a sign of life, and ends the session with
    /// [`DisconnectReason::TransportClosed`]. The code is kept for [`SessionEnd::close_code`]; the text is not kept.
    ///
    /// The caller must still answer on the WebSocket with [`ControlFrame::reply`](crate::ws::ControlFrame::reply).
    pub fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        self.lifecycle.handle_close_frame(now, close);
    }

    /// Reports that the connection was reset. The server can no longer be reached, so the session sends no
    /// [`Control::Close`].
    pub fn handle_transport_reset(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportReset);
    }

    /// Reports that the transport failed: a request was aborted, or a read or write failed. On polling another request
    /// may still reach the server, so [`poll_transmit`](Self::poll_transmit) returns a [`Control::Close`]. Drop it if
    /// no transport can carry it. For a connection that was reset, call
    /// [`handle_transport_reset`](Self::handle_transport_reset) instead.
    pub fn handle_transport_error(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportError);
    }

    /// Reports that the server broke a rule that only the transport can see.
    pub fn handle_violation(&mut self, now: Instant, violation: Violation) {
        self.lifecycle.end_by_peer(now, DisconnectReason::Violation(violation));
    }

    /// Reports that the caller stops reading, because the application does not take its messages. The server's silence
    /// does not count until [`handle_reading_resumed`](Self::handle_reading_resumed). After `stall_timeout` the session
    /// ends with [`DisconnectReason::ApplicationStalled`]. Repeating the call changes nothing. If the application takes a
    /// message and there is still no room, report that reading has resumed and pauses again: the timeout then counts anew.
    pub fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
        self.lifecycle.machine.handle_reading_paused(now, stall_timeout);
    }

    /// Reports that the caller reads again. The server's silence counts from now.
    pub fn handle_reading_resumed(&mut self, now: Instant) {
        self.lifecycle.machine.handle_reading_resumed(now);
    }

    /// Closes the session. No new message may be sent. Messages that are already queued may still go out, followed by
    /// the [`Control::Close`] that [`poll_transmit`](Self::poll_transmit) returns.
    ///
    /// The session ends when [`handle_closed`](Self::handle_closed) is called, after `close_timeout`
    /// ([`CLOSE_TIMEOUT`](crate::session::CLOSE_TIMEOUT) is the usual choice), or when the deadline for the server's
    /// silence passes, whichever comes first. A session that is still opening ends at once.
    pub fn close(&mut self, now: Instant, close_timeout: Duration) {
        self.lifecycle.close(now, close_timeout);
    }

    /// Closes the session because the application panicked. It closes as [`close`](Self::close) describes. The reason
    /// of the end is [`DisconnectReason::ApplicationPanicked`], unless the session was closing before.
    pub fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration) {
        self.lifecycle.handle_application_panicked(now, close_timeout);
    }

    /// Reports that the [`Control::Close`] of a closing session was handed to the transport. The session ends.
    pub fn handle_closed(&mut self, now: Instant) {
        self.lifecycle.handle_closed(now);
    }

    /// Returns the next packet that the session itself wants to send, or `None`. Each packet is returned once.
    ///
    /// Call it when the packet can leave: a pong answers a ping only if it comes after the ping was returned.
    ///
    /// After the end, at most one [`Control::Close`] remains to be sent.
    #[must_use = "a packet that is not written is lost"]
    pub fn poll_transmit(&mut self) -> Option<Control> {
        self.lifecycle.poll_transmit()
    }

    /// Takes [`Control::Close`] back, which [`poll_transmit`](Self::poll_transmit) has returned too early.
    pub(crate) const fn put_back_close(&mut self) {
        self.lifecycle.put_back_close();
    }

    /// Reports that the ping that is due leaves only now, because it had to wait until the server answered the post before
    /// it, until an upgrade was over, or until a WebSocket had taken what was written before: see
    /// [`Machine`](Machine::handle_ping_sent). The server may take the whole ping timeout from now to answer.
    ///
    /// [`ClientPolling`](crate::polling::ClientPolling) does this by itself. On a WebSocket the caller does it: take the ping
    /// by [`poll_transmit`](Self::poll_transmit) only when everything before it has left, and call this method then, before
    /// [`handle_timeout`](Self::handle_timeout). Only clients of revision 3 ping.
    pub fn handle_ping_sent(&mut self, now: Instant) {
        self.lifecycle.machine.handle_ping_sent(now);
    }

    /// Returns whether a ping is due that [`poll_transmit`](Self::poll_transmit) has not returned yet.
    #[must_use]
    pub const fn has_ping_to_send(&self) -> bool {
        self.lifecycle.pending.ping
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the session
    /// has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lifecycle.machine.poll_timeout()
    }

    /// Checks whether a message may be sent now.
    ///
    /// # Errors
    /// Returns a [`CheckSendError`] with the reason. [`CheckSendError::Expired`] means that the server has been silent
    /// past its deadline, for example after a suspend. The session is about to end, and the message would be lost.
    pub fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
        self.lifecycle.check_send(now)
    }

    /// Returns whether the server has run out of time: the deadline for its silence has passed, or the one for its
    /// handshake, and the session has not ended yet. A packet that is handled before
    /// [`handle_timeout`](Self::handle_timeout) still counts, so look for input once more before that call. Returns
    /// `false` if only a ping is due, while reading is [paused](Self::handle_reading_paused), and after the end.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::{ClientSession, DisconnectReason, Instant};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ClientSession::eio4(Duration::from_secs(20), at(0));
    /// assert!(!session.is_expired(at(19_999)));
    /// assert!(session.is_expired(at(20_000)));
    ///
    /// session.handle_timeout(at(20_000));
    /// assert_eq!(session.end().map(|end| end.reason), Some(DisconnectReason::OpenTimeout));
    /// assert!(!session.is_expired(at(20_000)));
    /// ```
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        self.lifecycle.machine.is_expired(now)
    }

    /// Returns how the session ended, or `None` if it has not ended. Once set, the value never changes.
    #[must_use]
    pub fn end(&self) -> Option<SessionEnd> {
        self.lifecycle.end()
    }

    /// Returns whether the session has ended. [`end`](Self::end) returns how it ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.lifecycle.machine.has_ended()
    }

    /// Returns whether the session is open: the handshake is done, and the session is neither closing nor ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lifecycle.machine.is_running()
    }

    /// Returns the heartbeat periods in force, or `None` before the handshake has arrived.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.lifecycle.machine.heartbeat()
    }

    /// Returns the latest round trip time of a ping that this side sent. Returns `None` before the first one, and always
    /// in revision 4, where the server pings.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.lifecycle.machine.rtt()
    }

    /// Returns the time of the server's last sign of life: a packet, other input that ended the session, or bytes
    /// reported by [`handle_activity`](Self::handle_activity). Returns the start of the session if there has been none.
    #[must_use]
    pub fn last_seen(&self) -> Instant {
        self.lifecycle.machine.last_seen()
    }
}
