//! Why and how a session ended.

use core::fmt;
use core::time::Duration;

use crate::handshake::HandshakeErrorKind;
use crate::packet::DecodeErrorKind;
use crate::ws::CloseCode;

/// A rule that the peer broke and that only the transport can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Violation {
    /// A message or request body was larger than `max_payload`.
    #[error("payload too large")]
    PayloadTooLarge,
    /// A second poll, or a second request with data, arrived while the first was in flight.
    #[error("overlapping requests")]
    OverlappingRequests,
    /// A request body had a content type that the revision does not allow, such as `application/octet-stream` in
    /// revision 4.
    #[error("content type not supported")]
    ContentType,
    /// Bytes on a WebSocket violated RFC 6455.
    #[error("WebSocket protocol error")]
    WebSocket,
}

/// The reason why a session ended. The first cause wins and never changes.
///
/// | variant | [`as_str`](Self::as_str) | what happened |
/// |---|---|---|
/// | `LocalClose` | `forced close` | this side called `close` |
/// | `ApplicationPanicked` | `forced close` | this side's application panicked |
/// | `PeerClose` | `transport close` | the peer sent `close` |
/// | `TransportClosed` | `transport close` | the peer closed the connection cleanly, with or without a close frame |
/// | `TransportReset` | `transport close` | the connection was reset |
/// | `TransportError` | `transport error` | the connection failed |
/// | `PingTimeout` | `ping timeout` | the peer was silent |
/// | `ParseError` | `parse error` | a client sent bytes that are not a valid packet |
/// | `ServerError` | `transport error` | a server sent bytes that are not a valid packet |
/// | `WrongDirection` | `transport error` | a client sent the heartbeat packet that only the server may send |
/// | `Violation` | `transport error` | see [`Violation`] |
/// | `OpenTimeout` | `open timeout` | the server sent no handshake |
/// | `BadHandshake` | `bad handshake` | the server's handshake cannot be used |
/// | `UnexpectedPacket` | `unexpected packet` | the server sent another packet before the handshake, or a second handshake |
/// | `ApplicationStalled` | `application stalled` | this side's application did not read |
///
/// The first five strings are those of the reference implementations. The last four have no counterpart there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This side called `close`.
    #[error("forced close: closed by this side")]
    LocalClose,
    /// This side's application panicked, or a callback that watches the session did.
    #[error("forced close: this side's application panicked")]
    ApplicationPanicked,
    /// The peer sent a `close` packet.
    #[error("transport close: the peer sent a close packet")]
    PeerClose,
    /// The transport closed cleanly, without a `close` packet. If a close frame (RFC 6455) ended it,
    /// [`SessionEnd::close_code`] holds the code of that frame.
    #[error("transport close: the connection ended")]
    TransportClosed,
    /// The connection was reset: the peer's process died or dropped it, or a device on the way dropped it. The
    /// reference uses the same string for this and for a clean close.
    #[error("transport close: the connection was reset")]
    TransportReset,
    /// The transport failed in another way: a request was aborted or refused, or a read or write failed.
    #[error("transport error: the connection failed")]
    TransportError,
    /// The peer gave no sign of life in time.
    #[error("ping timeout: the peer was silent")]
    PingTimeout,
    /// Server: the client sent bytes that are not a valid packet.
    #[error("parse error: {0}")]
    ParseError(DecodeErrorKind),
    /// Client: the server sent bytes that are not a valid packet.
    #[error("transport error: {0}")]
    ServerError(DecodeErrorKind),
    /// Server: the client sent a ping in revision 4, or a pong in revision 3.
    #[error("transport error: invalid heartbeat direction")]
    WrongDirection,
    /// The peer broke a rule of the transport.
    #[error("transport error: {0}")]
    Violation(Violation),
    /// Client: no `open` packet arrived within the open timeout.
    #[error("open timeout: the server sent no handshake")]
    OpenTimeout,
    /// Client: the `open` packet cannot be used.
    #[error("bad handshake: {0}")]
    BadHandshake(HandshakeErrorKind),
    /// Client: another packet arrived before the `open` packet, or a second `open` packet arrived.
    #[error("unexpected packet: expected exactly one open packet, as the first packet")]
    UnexpectedPacket,
    /// The application did not take its messages for longer than the stall timeout.
    #[error("application stalled: it did not read its messages")]
    ApplicationStalled,
}

impl DisconnectReason {
    /// Returns the string that the reference implementations use for this reason, or one of this crate's own where they
    /// have none.
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

    /// Returns whether an end for this reason sends a `close` packet to the peer. After a failed request it does:
    /// polling can use another connection, and without the packet the peer keeps its session until its own timeout.
    pub(super) const fn sends_close(self) -> bool {
        !matches!(self, Self::PeerClose | Self::TransportClosed | Self::TransportReset)
    }
}

/// How a session ended. It implements `Error`, for callers that only wait for messages. It displays as, for example,
/// `ping timeout: the peer was silent (after 45000 ms of silence)` or `transport close: the connection ended, close
/// code 4001 (after 0 ms of silence)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{reason}{} (after {} ms of silence)", WithCode(*close_code), whole_millis(*silent_for))]
#[non_exhaustive]
pub struct SessionEnd {
    /// The first cause of the end.
    pub reason: DisconnectReason,
    /// The time from the peer's last sign of life to the end.
    pub silent_for: Duration,
    /// The code of the peer's close frame, if one arrived before the end. It is [`CloseCode::NO_STATUS`] for a frame
    /// without a code. The frame's text is not kept here: [`ws::Close`](crate::ws::Close) borrows it while the frame is
    /// decoded.
    pub close_code: Option<CloseCode>,
}

/// Displays the close code as part of the sentence about the end.
struct WithCode(Option<CloseCode>);

impl fmt::Display for WithCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |code| write!(f, ", close code {}", code.as_u16()))
    }
}

/// Returns whole milliseconds as a `u64`, which is enough for any clock. A `u128` would cost a microcontroller a
/// kilobyte.
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
        let end = SessionEnd { reason: DisconnectReason::PingTimeout, silent_for, close_code: None };
        assert_eq!(end.to_string(), "ping timeout: the peer was silent (after 45000 ms of silence)");
    }

    #[test]
    fn an_end_by_a_close_frame_tells_its_code() {
        let end = SessionEnd {
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
