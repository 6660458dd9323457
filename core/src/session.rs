//! Sessions: what a heartbeat [`Machine`] becomes once it opens, closes and ends for a reason.
//!
//! [`ServerSession`](crate::ServerSession) and [`ClientSession`](crate::ClientSession) are driven alike. Facts come in by `handle_*`, each with the caller's
//! clock; wishes are plain verbs; results come out by `poll_*`. Any order of calls is legal.
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
//! [`disconnect`](crate::ServerSession::disconnect) tells it for ever.
//!
//! The caller's loop, whatever the runtime:
//!
//! 1. Read all that is ready; decode it with [`packet`](crate::packet) or [`payload`](crate::payload); hand every
//!    result to `handle_packet`.
//! 2. Only then call `handle_timeout`, if its time has come: whatever was handled before counts.
//! 3. Write what `poll_transmit` yields, ahead of queued messages (a [`Control::Close`] behind them).
//! 4. If `disconnect` says so, report the end before any further write.
//! 5. Sleep until `poll_timeout`, or until something is ready.

mod lifecycle;
mod reason;
mod verbs;

pub(crate) use lifecycle::Lifecycle;
pub use reason::{Disconnect, DisconnectReason, Violation};
pub(crate) use verbs::shared_verbs;

use core::time::Duration;

use crate::handshake::Handshake;
use crate::packet::{Data, Packet};

/// What a session tells its application. Borrows the bytes that were handed in.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Event<'a> {
    /// Client: the handshake arrived and the session is open.
    Opened(Handshake<'a>),
    /// The peer sent a message.
    Message(Data<'a>),
    /// The peer's heartbeat: its ping, or the answer to ours.
    Heartbeat {
        /// The round trip, when this is the answer to a ping of ours.
        rtt: Option<Duration>,
    },
}

/// A packet that the session itself wants sent. Its wire form is a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a session sends no other packets of its own")]
pub enum Control {
    /// Write a ping.
    Ping,
    /// Write a pong. Pings that came in faster than they were answered share one.
    Pong,
    /// Tell the peer that the session ends: the `close` packet on polling, a close frame on WebSocket. After
    /// `close()` it belongs behind the messages that are still queued; then call `handle_closed`.
    Close,
}

impl Control {
    /// The packet to write.
    #[must_use]
    pub const fn packet(self) -> Packet<'static> {
        match self {
            Self::Ping => Packet::PING,
            Self::Pong => Packet::PONG,
            Self::Close => Packet::CLOSE,
        }
    }

    /// The packet as text, which is its form in both revisions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "2",
            Self::Pong => "3",
            Self::Close => "1",
        }
    }
}

/// Why a message cannot be sent now. The caller still owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is still awaited.
    #[error("the session is not open yet")]
    NotOpen,
    /// The session closes or has ended.
    #[error("the session is closed")]
    Closed,
    /// The peer has been silent past its deadline: the session ends at the next `handle_timeout`.
    #[error("the peer is silent past its deadline")]
    Expired,
}

/// How long a closing session waits for its messages and its `close` packet to leave: 30 s, as the reference server.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Frame, v4};

    #[test]
    fn what_is_written_is_the_packet() {
        for control in [Control::Ping, Control::Pong, Control::Close] {
            assert_eq!(v4::decode(Frame::Text(control.as_str())), Ok(control.packet()));
        }
    }
}
