//! The client side of a session.

use core::time::Duration;

use crate::handshake::Handshake;
use crate::heartbeat::{Machine, Reaction};
use crate::packet::{Data, DecodeError, Packet, PacketType};
use crate::session::{
    CheckSendError, Control, DisconnectReason, Lifecycle, SessionEnd, SessionEvent, Violation, shared_verbs,
};
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
    pub fn handle_packet<'p>(
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
            PacketType::Open if lifecycle.machine.is_opening() => return self.handle_open(now, packet.data),
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
        match lifecycle.machine.handle_packet(now, packet.packet_type) {
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

    fn handle_open<'p>(&mut self, now: Instant, data: Data<'p>) -> Option<SessionEvent<'p>> {
        let Data::Text(json) = data else {
            self.lifecycle.end_by_peer(now, DisconnectReason::UnexpectedPacket);
            return None;
        };
        match Handshake::parse(json) {
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

    shared_verbs!();
}
