//! What a session's task reports of it.

use core::time::Duration;

use eio_core::BufferTooSmall;
use eio_core::upgrade::UpgradeOutcome;

use crate::session::end::Disconnect;
use crate::wire::message::Message;

/// An event that is reported to observers, the log and the metrics.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    Opened,
    /// This side's ping was passed to the transport.
    PingSent,
    /// This side's pong was passed to the transport.
    PongSent,
    /// The peer's heartbeat arrived, with the round trip time if it answers this side's ping.
    Heartbeat(Option<Duration>),
    Message(&'a Message),
    /// Messages were written completely.
    Sent {
        messages: usize,
        bytes: usize,
    },
    /// A message could not be copied, so the session ends.
    Undecodable(BufferTooSmall),
    Upgrade(UpgradeOutcome),
    Closed(&'a Disconnect),
}
