//! Sessions. A session adds opening, closing and a reason for its end to a heartbeat
//! [`Machine`](crate::heartbeat::Machine).
//!
//! [`ServerSession`](crate::ServerSession) and [`ClientSession`](crate::ClientSession) are driven in the same way.
//! Report events with the `handle_*` methods, each with the caller's time. Make requests with plain verbs such as
//! `close`. Take results from the `poll_*` methods. The methods may be called in any order.
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
//! [`end`](crate::ServerSession::end) returns it from then on.
//!
//! The caller's loop is the same on every runtime:
//!
//! 1. Read all that is ready. Decode it with [`packet`](crate::packet) or [`payload`](crate::payload), and pass every
//!    result to `handle_packet`.
//! 2. Only then call `handle_timeout`, if its time has come. Every packet that was handled before counts as a sign of
//!    life.
//! 3. Write the packets that `poll_transmit` returns, ahead of queued messages (but a [`Control::Close`] behind them).
//! 4. If `end` returns how the session ended, report it before any further write.
//! 5. Sleep until `poll_timeout`, or until something is ready.

// Rule 1: facts by `handle_*`, commands by plain verbs, results by `poll_*`, in any order.

mod lifecycle;
mod reason;

pub(crate) use lifecycle::Lifecycle;
pub use reason::{DisconnectReason, SessionEnd, Violation};

use core::fmt;
use core::time::Duration;

use crate::handshake::Handshake;
use crate::packet::{Data, Packet};

/// An event that a session reports to its application. It borrows the bytes that the caller passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionEvent<'a> {
    /// Client: the handshake arrived and the session is open.
    Opened(Handshake<'a>),
    /// The peer sent a message.
    Message(Data<'a>),
    /// The peer's heartbeat arrived: its ping, or its answer to this side's ping.
    Heartbeat {
        /// The round trip time, if this is the answer to this side's ping.
        rtt: Option<Duration>,
    },
}

/// A packet that the session itself wants to send. Its wire form is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a session sends no other packets of its own")]
pub enum Control {
    /// Write a ping.
    Ping,
    /// Write a pong. Pings that arrive before the pong is written share one pong.
    Pong,
    /// Tell the peer that the session ends: write the `close` packet on polling, or a close frame on WebSocket. After
    /// `close()`, write it behind the messages that are still queued, and then call `handle_closed`.
    Close,
}

impl Control {
    /// Returns the packet to write.
    #[must_use]
    pub const fn packet(self) -> Packet<'static> {
        match self {
            Self::Ping => Packet::PING,
            Self::Pong => Packet::PONG,
            Self::Close => Packet::CLOSE,
        }
    }

    /// Returns the text to write. It is the same in both revisions.
    #[must_use]
    pub const fn encoded(self) -> &'static str {
        match self {
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Close => "1",
        }
    }
}

/// Displays the name of the packet: `ping`, `pong` or `close`.
impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packet().packet_type.fmt(f)
    }
}

/// The reason why a message cannot be sent now. The caller keeps the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CheckSendError {
    /// The handshake has not arrived yet.
    #[error("the session is not open yet")]
    NotOpen,
    /// The session is closing or has ended.
    #[error("the session is closed")]
    Closed,
    /// The peer has been silent past its deadline. The session ends at the next `handle_timeout`.
    #[error("the peer has been silent past its deadline")]
    Expired,
}

/// How long a closing session waits until its messages and its `close` packet have been sent: 30 s, as in the reference
/// server.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;
    use crate::packet::{WebSocketMessage, v4};

    #[test]
    fn what_is_written_is_the_packet_and_what_is_displayed_its_name() {
        let controls = [(Control::Ping, "ping"), (Control::Pong, "pong"), (Control::Close, "close")];
        for (control, name) in controls {
            assert_eq!(v4::decode(WebSocketMessage::Text(control.encoded())), Ok(control.packet()));
            assert_eq!(control.to_string(), name);
        }
    }
}
