//! The methods that both roles share, with their documentation.

/// Defines the methods that both roles share. They need a field `lifecycle`.
macro_rules! shared_verbs {
    () => {
        /// Reports that bytes arrived which are not a whole packet yet. They are a sign of life. For a server with
        /// [`Liveness::AnyPacket`](crate::Liveness::AnyPacket) they count as a packet.
        pub fn handle_activity(&mut self, now: Instant) {
            self.lifecycle.machine.handle_activity(now);
        }

        /// Reports that the clock has moved. Queues the packets that are due, and ends the session if its deadline has
        /// passed. No other method ends a session for silence.
        ///
        /// Does nothing before the deadline that [`poll_timeout`](Self::poll_timeout) returns. After the call the
        /// session has ended, or its deadline is later than `now`.
        pub fn handle_timeout(&mut self, now: Instant) {
            self.lifecycle.handle_timeout(now);
        }

        /// Reports that the peer closed the connection cleanly. If a WebSocket sent a close frame, call
        /// [`handle_close_frame`](Self::handle_close_frame) instead.
        pub fn handle_transport_closed(&mut self, now: Instant) {
            self.lifecycle.end_because(now, DisconnectReason::TransportClosed);
        }

        /// Handles the peer's close frame, with or without a body (RFC 6455 section 5.5.1). Pass it the content of
        /// [`ws::ControlFrame::Close`](crate::ws::ControlFrame::Close). The frame is a sign of life, and ends the session with
        /// [`DisconnectReason::TransportClosed`]. The code is kept for [`SessionEnd::close_code`]; the text is not
        /// kept.
        ///
        /// The caller must still answer on the WebSocket with [`ws::ControlFrame::reply`](crate::ws::ControlFrame::reply).
        pub fn handle_close_frame(&mut self, now: Instant, close: Option<crate::ws::Close<'_>>) {
            self.lifecycle.handle_close_frame(now, close);
        }

        /// Reports that the connection was reset. The peer can no longer be reached, so the session sends no
        /// [`Control::Close`].
        pub fn handle_transport_reset(&mut self, now: Instant) {
            self.lifecycle.end_because(now, DisconnectReason::TransportReset);
        }

        /// Reports that the transport failed: a request was aborted, or a read or write failed. On polling another
        /// request may still reach the peer, so [`poll_transmit`](Self::poll_transmit) returns a [`Control::Close`].
        /// Drop it if no transport can carry it. For a connection that was reset, call
        /// [`handle_transport_reset`](Self::handle_transport_reset) instead.
        pub fn handle_transport_error(&mut self, now: Instant) {
            self.lifecycle.end_because(now, DisconnectReason::TransportError);
        }

        /// Reports that the peer broke a rule that only the transport can see.
        pub fn handle_violation(&mut self, now: Instant, violation: Violation) {
            self.lifecycle.end_by_peer(now, DisconnectReason::Violation(violation));
        }

        /// Reports that the caller stops reading, because the application does not take its messages. The peer's
        /// silence does not count until [`handle_reading_resumed`](Self::handle_reading_resumed). After `stall_timeout`
        /// the session ends with [`DisconnectReason::ApplicationStalled`]. Repeating the call changes nothing.
        pub fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
            self.lifecycle.machine.handle_reading_paused(now, stall_timeout);
        }

        /// Reports that the caller reads again. The peer's silence counts from now.
        pub fn handle_reading_resumed(&mut self, now: Instant) {
            self.lifecycle.machine.handle_reading_resumed(now);
        }

        /// Closes the session. No new message may be sent. Messages that are already queued may still go out, followed
        /// by the [`Control::Close`] that [`poll_transmit`](Self::poll_transmit) returns.
        ///
        /// The session ends when [`handle_closed`](Self::handle_closed) is called, after `close_timeout`
        /// ([`CLOSE_TIMEOUT`](crate::session::CLOSE_TIMEOUT) is the usual choice), or when the peer's deadline for
        /// silence passes, whichever comes first. A session that is still opening ends at once.
        pub fn close(&mut self, now: Instant, close_timeout: Duration) {
            self.lifecycle.close(now, close_timeout);
        }

        /// Closes the session because the application panicked. It closes as [`close`](Self::close) describes. The
        /// reason of the end is [`DisconnectReason::ApplicationPanicked`], unless the session was closing before.
        pub fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration) {
            self.lifecycle.handle_application_panicked(now, close_timeout);
        }

        /// Reports that the [`Control::Close`] of a closing session was handed to the transport. The session ends.
        pub fn handle_closed(&mut self, now: Instant) {
            self.lifecycle.handle_closed(now);
        }

        /// Returns the next packet that the session itself wants to send, or `None`. Each packet is returned once.
        ///
        /// After the end, at most one [`Control::Close`] remains to be sent.
        #[must_use = "a packet that is not written is lost"]
        pub fn poll_transmit(&mut self) -> Option<Control> {
            self.lifecycle.poll_transmit()
        }

        /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the
        /// session has ended.
        #[must_use]
        pub fn poll_timeout(&self) -> Option<Instant> {
            self.lifecycle.machine.poll_timeout()
        }

        /// Checks whether a message may be sent now.
        ///
        /// # Errors
        /// Returns a [`CheckSendError`] with the reason. [`CheckSendError::Expired`] means that the peer has been silent past its
        /// deadline, for example after a suspend. The session is about to end, and the message would be lost.
        pub fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
            self.lifecycle.check_send(now)
        }

        /// Returns whether the peer has run out of time: the deadline for its silence has passed, or the deadline for
        /// its handshake. The session has not ended yet. A packet that is handled before
        /// [`handle_timeout`](Self::handle_timeout) still counts, so look for input once more before that call. Returns
        /// `false` if only a ping is due, while reading is [paused](Self::handle_reading_paused), and after the end.
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

        /// Returns the latest round trip time of a ping that this side sent.
        #[must_use]
        pub fn rtt(&self) -> Option<Duration> {
            self.lifecycle.machine.rtt()
        }

        /// Returns the time of the peer's last sign of life: a packet, other input that ended the session, or bytes
        /// reported by [`handle_activity`](Self::handle_activity). Returns the start of the session if there has been
        /// none.
        #[must_use]
        pub fn last_seen(&self) -> Instant {
            self.lifecycle.machine.last_seen()
        }
    };
}
pub(crate) use shared_verbs;
