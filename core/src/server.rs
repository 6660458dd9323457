//! The server side of a session.

use core::time::Duration;

use crate::heartbeat::{Machine, Reaction};
use crate::packet::{DecodeError, Packet, PacketType};
use crate::session::{
    CheckSendError, Control, DisconnectReason, Lifecycle, SessionEnd, SessionEvent, Violation,
};
use crate::ws::Close;
use crate::{Heartbeat, Instant, Liveness};

/// The server side of a session, from the `open` packet on. It takes at most 64 bytes. The caller keeps the sid.
///
/// ```
/// use core::time::Duration;
/// use eio_core::packet::{WebSocketMessage, v4};
/// use eio_core::session::{Control, DisconnectReason};
/// use eio_core::{Heartbeat, Instant, Liveness, ServerSession};
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let mut session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0));
///
/// session.handle_timeout(at(25_000));
/// assert_eq!(session.poll_transmit(), Some(Control::Ping));
/// session.handle_packet(at(25_080), v4::decode(WebSocketMessage::Text("3")));
/// assert_eq!(session.rtt(), Some(Duration::from_millis(80)));
///
/// session.handle_timeout(at(50_080));
/// assert_eq!(session.poll_transmit(), Some(Control::Ping)); // the client's battery is dead
/// session.handle_timeout(at(70_080));
/// let end = session.end().expect("20 s without a pong");
/// assert_eq!(end.reason, DisconnectReason::PingTimeout);
/// assert_eq!(end.silent_for, Duration::from_secs(45));
/// ```
#[derive(Clone, Debug)]
pub struct ServerSession {
    lifecycle: Lifecycle,
}

impl ServerSession {
    /// Creates a session of revision 4, in which this side pings. `now` is the time at which the `open` packet was
    /// handed to the transport.
    #[must_use]
    pub fn eio4(heartbeat: Heartbeat, liveness: Liveness, now: Instant) -> Self {
        Self { lifecycle: Lifecycle::new(Machine::eio4_server(heartbeat, liveness, now)) }
    }

    /// Creates a session of revision 3, in which the client pings. `now` is the time at which the `open` packet was
    /// handed to the transport.
    ///
    /// ```
    /// use eio_core::packet::{WebSocketMessage, v3};
    /// use eio_core::session::Control;
    /// use eio_core::{Heartbeat, Instant, Liveness, ServerSession};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ServerSession::eio3(Heartbeat::DEFAULT, Liveness::default(), at(0));
    /// session.handle_packet(at(25_000), v3::decode(WebSocketMessage::Text("2")));
    /// assert_eq!(session.poll_transmit(), Some(Control::Pong));
    /// assert_eq!(session.poll_timeout(), Some(at(70_000))); // 45 s after the ping
    /// ```
    #[must_use]
    pub fn eio3(heartbeat: Heartbeat, liveness: Liveness, now: Instant) -> Self {
        Self { lifecycle: Lifecycle::new(Machine::eio3_server(heartbeat, liveness, now)) }
    }

    /// Moves the first ping forward to `delay` from now, so that sessions that open together do not ping together. A
    /// `delay` longer than `ping_interval` has no effect. Revision 3 ignores the call, because the client pings there.
    /// Call it on a session that was just created.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::{Heartbeat, Instant, Liveness, ServerSession};
    ///
    /// let now = Instant::from_micros(0);
    /// let session = ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), now)
    ///     .with_first_ping_after(Duration::from_secs(7));
    /// assert_eq!(session.poll_timeout(), Some(Instant::from_micros(7_000_000)));
    /// ```
    #[must_use]
    pub fn with_first_ping_after(mut self, delay: Duration) -> Self {
        self.lifecycle.machine = self.lifecycle.machine.with_first_ping_after(delay);
        self
    }

    /// Handles a decoded packet, or the error of decoding it. Pass it the results of the [`packet`](crate::packet) and
    /// [`payload`](crate::payload) decoders.
    ///
    /// A `close` packet or an error ends the session, on any transport. `open`, `upgrade` and `noop` packets are
    /// ignored, as the reference server does. The `upgrade` packet that completes a transport upgrade goes to
    /// [`ServerUpgrade`](crate::upgrade::ServerUpgrade), not to this method.
    pub fn handle_packet<'p>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'p>, DecodeError>,
    ) -> Option<SessionEvent<'p>> {
        let lifecycle = &mut self.lifecycle;
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                lifecycle.end_by_peer(now, DisconnectReason::ParseError(error.kind));
                return None;
            }
        };
        if packet.packet_type == PacketType::Close {
            lifecycle.end_by_peer(now, DisconnectReason::PeerClose);
            return None;
        }
        if packet.packet_type == PacketType::Pong && lifecycle.pending.ping {
            lifecycle.handle_early_pong(now);
            return None;
        }
        match lifecycle.machine.handle_packet(now, packet.packet_type) {
            Reaction::WrongDirection => {
                lifecycle.end_because(now, DisconnectReason::WrongDirection);
                None
            }
            Reaction::Pong => {
                lifecycle.pending.pong = true;
                Some(SessionEvent::Heartbeat { rtt: None })
            }
            Reaction::Answered => Some(SessionEvent::Heartbeat { rtt: lifecycle.machine.rtt() }),
            Reaction::None if packet.packet_type == PacketType::Message && lifecycle.machine.is_running() => {
                Some(SessionEvent::Message(packet.data))
            }
            Reaction::None => None,
        }
    }

    /// Reports that bytes arrived which are not a whole packet yet. They are a sign of life. Under
    /// [`Liveness::AnyPacket`] they count as a packet.
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

    /// Reports that the client closed the connection cleanly. If a WebSocket sent a close frame, call
    /// [`handle_close_frame`](Self::handle_close_frame) instead.
    pub fn handle_transport_closed(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportClosed);
    }

    /// Handles the client's close frame, with or without a body (RFC 6455 section 5.5.1). Pass it the content of
    /// [`ControlFrame::Close`](crate::ws::ControlFrame::Close). The frame is a sign of life, and ends the session with
    /// [`DisconnectReason::TransportClosed`]. The code is kept for [`SessionEnd::close_code`]; the text is not kept.
    ///
    /// The caller must still answer on the WebSocket with [`ControlFrame::reply`](crate::ws::ControlFrame::reply).
    pub fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        self.lifecycle.handle_close_frame(now, close);
    }

    /// Reports that the connection was reset. The client can no longer be reached, so the session sends no
    /// [`Control::Close`].
    pub fn handle_transport_reset(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportReset);
    }

    /// Reports that the transport failed: a request was aborted, or a read or write failed. On polling another request
    /// may still reach the client, so [`poll_transmit`](Self::poll_transmit) returns a [`Control::Close`]. Drop it if
    /// no transport can carry it. For a connection that was reset, call
    /// [`handle_transport_reset`](Self::handle_transport_reset) instead.
    pub fn handle_transport_error(&mut self, now: Instant) {
        self.lifecycle.end_because(now, DisconnectReason::TransportError);
    }

    /// Reports that the client broke a rule that only the transport can see.
    pub fn handle_violation(&mut self, now: Instant, violation: Violation) {
        self.lifecycle.end_by_peer(now, DisconnectReason::Violation(violation));
    }

    /// Reports that the caller stops reading, because the application does not take its messages. The client's silence
    /// does not count until [`handle_reading_resumed`](Self::handle_reading_resumed). After `stall_timeout` the session
    /// ends with [`DisconnectReason::ApplicationStalled`]. Repeating the call changes nothing. If the application takes a
    /// message and there is still no room, report that reading has resumed and pauses again: the timeout then counts anew.
    pub fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
        self.lifecycle.machine.handle_reading_paused(now, stall_timeout);
    }

    /// Reports that the caller reads again. The client's silence counts from now.
    pub fn handle_reading_resumed(&mut self, now: Instant) {
        self.lifecycle.machine.handle_reading_resumed(now);
    }

    /// Closes the session. No new message may be sent. Messages that are already queued may still go out, followed by
    /// the [`Control::Close`] that [`poll_transmit`](Self::poll_transmit) returns.
    ///
    /// The session ends when [`handle_closed`](Self::handle_closed) is called, after `close_timeout`
    /// ([`CLOSE_TIMEOUT`](crate::session::CLOSE_TIMEOUT) is the usual choice), or when the deadline for the client's
    /// silence passes, whichever comes first.
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

    /// Reports that the ping that is due leaves only now, because it had to wait until the client polled, or until a
    /// WebSocket had taken what was written before: see [`Machine`](Machine::handle_ping_sent). The client may take the whole
    /// ping timeout from now to answer.
    ///
    /// [`ServerPolling`](crate::polling::ServerPolling) and [`ServerTransports`](crate::transports::ServerTransports) do this
    /// by themselves. A caller with a transport of its own calls it when that takes the ping: take the ping by
    /// [`poll_transmit`](Self::poll_transmit) only when everything before it has left, and call this method then, before
    /// [`handle_timeout`](Self::handle_timeout).
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
    /// Returns a [`CheckSendError`] with the reason. [`CheckSendError::Expired`] means that the client has been silent
    /// past its deadline, for example after a suspend. The session is about to end, and the message would be lost.
    pub fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
        self.lifecycle.check_send(now)
    }

    /// Returns whether the client has run out of time: the deadline for its silence has passed, and the session has not
    /// ended yet. A packet that is handled before [`handle_timeout`](Self::handle_timeout) still counts, so look for
    /// input once more before that call. Returns `false` if only a ping is due, while reading is
    /// [paused](Self::handle_reading_paused), and after the end.
    ///
    /// ```
    /// use eio_core::packet::Packet;
    /// use eio_core::{Heartbeat, Instant, Liveness, ServerSession};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut session = ServerSession::eio3(Heartbeat::DEFAULT, Liveness::default(), at(0));
    /// assert!(!session.is_expired(at(44_999)));
    /// assert!(session.is_expired(at(45_000)));
    ///
    /// session.handle_packet(at(45_001), Ok(Packet::PING));
    /// assert!(!session.is_expired(at(45_001)));
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

    /// Returns whether the session is open: it is neither closing nor ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lifecycle.machine.is_running()
    }

    /// Returns the heartbeat periods in force. A server's session always has them.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        self.lifecycle.machine.heartbeat()
    }

    /// Returns the latest round trip time of a ping that this side sent. Returns `None` before the first one, and always
    /// in revision 3, where the client pings.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.lifecycle.machine.rtt()
    }

    /// Returns the time of the client's last sign of life: a packet, other input that ended the session, or bytes
    /// reported by [`handle_activity`](Self::handle_activity). Returns the start of the session if there has been none.
    #[must_use]
    pub fn last_seen(&self) -> Instant {
        self.lifecycle.machine.last_seen()
    }
}
