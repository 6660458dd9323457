//! The methods of both roles that are the same, documentation included.

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

        /// The transport ended in order: the peer closed the connection. For a WebSocket that said so in a close frame
        /// there is [`handle_close_frame`](Self::handle_close_frame).
        pub fn handle_transport_closed(&mut self, now: Instant) {
            self.lifecycle.end(now, DisconnectReason::TransportClosed);
        }

        /// The peer's close frame came in, with a body or without one (RFC 6455 section 5.5.1). Takes what
        /// [`ws::Control::Close`](crate::ws::Control::Close) carries. It is a sign of life, and ends the session as
        /// [`DisconnectReason::TransportClosed`]. The code is kept for [`Disconnect::close_code`], the text is not.
        ///
        /// The caller still owes the WebSocket the answer, [`ws::Control::reply`](crate::ws::Control::reply).
        pub fn handle_close_frame(&mut self, now: Instant, close: Option<crate::ws::Close<'_>>) {
            self.lifecycle.handle_close_frame(now, close);
        }

        /// The connection was reset. Nobody is there to be told: no [`Control::Close`] is owed.
        pub fn handle_transport_reset(&mut self, now: Instant) {
            self.lifecycle.end(now, DisconnectReason::TransportReset);
        }

        /// The transport failed: an aborted request, a read or write that did not succeed. On polling the peer may
        /// still be reached by another request: [`Control::Close`] is owed, and dropped where nothing can carry it.
        /// For a connection that was reset there is [`handle_transport_reset`](Self::handle_transport_reset).
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

        /// The application panicked. The session closes as [`close`](Self::close) says, and its end tells
        /// [`DisconnectReason::ApplicationPanicked`], unless it was closing before.
        pub fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration) {
            self.lifecycle.handle_application_panicked(now, close_timeout);
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

        /// Whether the session has ended: [`disconnect`](Self::disconnect) says how.
        #[must_use]
        pub fn has_ended(&self) -> bool {
            self.lifecycle.machine.has_ended()
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
