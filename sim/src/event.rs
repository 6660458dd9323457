//! What a world tells an application.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::session::SessionEnd;

use crate::ids::SessionId;
use crate::message::Message;
use crate::side::Side;
use crate::time::Micros;

/// Something that the application on one side of a session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, since the world began.
    pub at: Duration,
    /// Which session.
    pub session: SessionId,
    /// Which side of it.
    pub side: Side,
    /// What.
    pub what: Happening,
}

/// What an application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A client that connects again begins; the session after which it does so has ended.
    Connects {
        /// The session that has ended.
        after: SessionId,
    },
    /// The session is open on this side.
    Opened,
    /// A message arrived.
    Message(Message),
    /// A heartbeat of the peer arrived.
    Heartbeat {
        /// The round trip, if it answers a ping of this side.
        rtt: Option<Duration>,
    },
    /// The session ended on this side.
    Ended(End),
}

/// How a session ended on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// When this side ended it, since the world began.
    pub at: Duration,
    /// Why.
    pub reason: DisconnectReason,
    /// How long the peer had been silent by this side's clock.
    pub silent_for: Duration,
}

impl End {
    pub(crate) const fn new(at: Micros, end: SessionEnd) -> Self {
        Self { at: Duration::from_micros(at), reason: end.reason, silent_for: end.silent_for }
    }
}
