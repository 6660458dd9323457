//! The methods that both of the core's sessions share.

use core::time::Duration;

use eio_core::packet::{DecodeError, Packet};
use eio_core::session::{CheckSendError, Control, SessionEnd, SessionEvent, Violation};
use eio_core::ws::Close;
use eio_core::{ClientSession, Heartbeat, Instant, ServerSession};

/// One of the core's sessions. The methods are those of the session with the same names.
pub(crate) trait Machine: Clone + Send {
    fn handle_packet<'p>(
        &mut self,
        now: Instant,
        packet: Result<Packet<'p>, DecodeError>,
    ) -> Option<SessionEvent<'p>>;
    fn handle_activity(&mut self, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn handle_transport_closed(&mut self, now: Instant);
    fn handle_transport_reset(&mut self, now: Instant);
    fn handle_transport_error(&mut self, now: Instant);
    fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>);
    fn handle_violation(&mut self, now: Instant, violation: Violation);
    fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration);
    fn handle_reading_resumed(&mut self, now: Instant);
    fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration);
    fn handle_closed(&mut self, now: Instant);
    fn close(&mut self, now: Instant, close_timeout: Duration);
    fn poll_transmit(&mut self) -> Option<Control>;
    fn handle_ping_sent(&mut self, now: Instant);
    fn has_ping_to_send(&self) -> bool;
    fn poll_timeout(&self) -> Option<Instant>;
    fn check_send(&self, now: Instant) -> Result<(), CheckSendError>;
    fn is_expired(&self, now: Instant) -> bool;
    fn end(&self) -> Option<SessionEnd>;
    fn has_ended(&self) -> bool;
    fn is_open(&self) -> bool;
    fn heartbeat(&self) -> Option<Heartbeat>;
}

macro_rules! machine {
    ($session:ty) => {
        impl Machine for $session {
            fn handle_packet<'p>(
                &mut self,
                now: Instant,
                packet: Result<Packet<'p>, DecodeError>,
            ) -> Option<SessionEvent<'p>> {
                self.handle_packet(now, packet)
            }

            fn handle_activity(&mut self, now: Instant) {
                self.handle_activity(now);
            }

            fn handle_timeout(&mut self, now: Instant) {
                self.handle_timeout(now);
            }

            fn handle_transport_closed(&mut self, now: Instant) {
                self.handle_transport_closed(now);
            }

            fn handle_transport_reset(&mut self, now: Instant) {
                self.handle_transport_reset(now);
            }

            fn handle_transport_error(&mut self, now: Instant) {
                self.handle_transport_error(now);
            }

            fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
                self.handle_close_frame(now, close);
            }

            fn handle_violation(&mut self, now: Instant, violation: Violation) {
                self.handle_violation(now, violation);
            }

            fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
                self.handle_reading_paused(now, stall_timeout);
            }

            fn handle_reading_resumed(&mut self, now: Instant) {
                self.handle_reading_resumed(now);
            }

            fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration) {
                self.handle_application_panicked(now, close_timeout);
            }

            fn handle_closed(&mut self, now: Instant) {
                self.handle_closed(now);
            }

            fn close(&mut self, now: Instant, close_timeout: Duration) {
                self.close(now, close_timeout);
            }

            fn poll_transmit(&mut self) -> Option<Control> {
                self.poll_transmit()
            }

            fn handle_ping_sent(&mut self, now: Instant) {
                self.handle_ping_sent(now);
            }

            fn has_ping_to_send(&self) -> bool {
                self.has_ping_to_send()
            }

            fn poll_timeout(&self) -> Option<Instant> {
                self.poll_timeout()
            }

            fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
                self.check_send(now)
            }

            fn is_expired(&self, now: Instant) -> bool {
                self.is_expired(now)
            }

            fn end(&self) -> Option<SessionEnd> {
                self.end()
            }

            fn has_ended(&self) -> bool {
                self.has_ended()
            }

            fn is_open(&self) -> bool {
                self.is_open()
            }

            fn heartbeat(&self) -> Option<Heartbeat> {
                self.heartbeat()
            }
        }
    };
}

machine!(ServerSession);
machine!(ClientSession);
