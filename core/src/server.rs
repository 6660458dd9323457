//! The server side of a session.

use core::time::Duration;

use crate::heartbeat::{Machine, Reaction};
use crate::packet::{DecodeError, Packet, PacketType};
use crate::session::{
    CheckSendError, Control, DisconnectReason, Lifecycle, SessionEnd, SessionEvent, Violation, shared_verbs,
};
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

    shared_verbs!();
}
