//! Why and how a session ended.

use core::fmt;
use core::time::Duration;

use crate::handshake::HandshakeErrorKind;
use crate::packet::DecodeErrorKind;
use crate::ws::CloseCode;

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
/// | `ApplicationPanicked` | `forced close` | this side's application panicked |
/// | `PeerClose` | `transport close` | the peer sent `close` |
/// | `TransportClosed` | `transport close` | the peer closed the connection in order, with or without a close frame |
/// | `TransportReset` | `transport close` | the connection was reset |
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
    /// This side's application panicked, or a callback that watches the session did.
    #[error("forced close: this side's application panicked")]
    ApplicationPanicked,
    /// The peer sent a `close` packet.
    #[error("transport close: the peer sent a close packet")]
    PeerClose,
    /// The transport ended in order, without a `close` packet. If a close frame of RFC 6455 ended it,
    /// [`Disconnect::close_code`] is what that said.
    #[error("transport close: the connection ended")]
    TransportClosed,
    /// The connection was reset: the peer's process died or dropped it, or something in between did. The reference has
    /// one word for this and for an orderly end.
    #[error("transport close: the connection was reset")]
    TransportReset,
    /// The transport failed otherwise: a request that was aborted or refused, a read or write that did not succeed.
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
            Self::LocalClose | Self::ApplicationPanicked => "forced close",
            Self::PeerClose | Self::TransportClosed | Self::TransportReset => "transport close",
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
    pub(super) const fn owes_close(self) -> bool {
        !matches!(self, Self::PeerClose | Self::TransportClosed | Self::TransportReset)
    }
}

/// How a session ended. For whoever only waits for messages it is an error, and tells itself as one:
/// `ping timeout: the peer was silent (after 45000 ms of silence)`, or
/// `transport close: the connection ended, close code 4001 (after 0 ms of silence)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{reason}{} (after {} ms of silence)", WithCode(*close_code), whole_millis(*silent_for))]
#[non_exhaustive]
pub struct Disconnect {
    /// The first cause.
    pub reason: DisconnectReason,
    /// From the peer's last sign of life to the end.
    pub silent_for: Duration,
    /// What the peer's close frame said, if one came in before the end: [`CloseCode::NO_STATUS`] for one without a
    /// code. The frame's text is not kept here: [`ws::Close`](crate::ws::Close) borrows it while the frame is decoded.
    pub close_code: Option<CloseCode>,
}

/// The close code in a sentence about the end.
struct WithCode(Option<CloseCode>);

impl fmt::Display for WithCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, ", close code {}", code.as_u16()))
    }
}

/// In 64 bits, which last longer than any clock: 128 cost a microcontroller a kilobyte.
const fn whole_millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn an_end_tells_its_reason_and_the_silence_before_it() {
        let silent_for = Duration::from_micros(45_000_999);
        let end = Disconnect { reason: DisconnectReason::PingTimeout, silent_for, close_code: None };
        assert_eq!(end.to_string(), "ping timeout: the peer was silent (after 45000 ms of silence)");
    }

    #[test]
    fn an_end_by_a_close_frame_tells_its_code() {
        let end = Disconnect {
            reason: DisconnectReason::TransportClosed,
            silent_for: Duration::ZERO,
            close_code: Some(CloseCode::new(4001)),
        };
        assert_eq!(
            end.to_string(),
            "transport close: the connection ended, close code 4001 (after 0 ms of silence)"
        );
    }
}
