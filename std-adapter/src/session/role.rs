//! The differences between a server's sessions and a client's. The [`Driver`] does everything else.

use core::task::{Context, Waker};
use core::time::Duration;

use eio_core::handshake::Handshake;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::{BufferTooSmall, Heartbeat, Instant, Revision};

use crate::session::driver::Driver;
use crate::session::end::Disconnect;
use crate::session::engine::Engine;
use crate::session::machine::Machine;
use crate::session::mailbox::Limits;
use crate::session::send::SendErrorKind;
use crate::session::shared::Inner;
use crate::wire::clock::Clock;
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

/// One of the two sides of a session. The [`Driver`] calls these functions from the session's own task, in the order in
/// which [`Driver::pass`] lists them, and never while a lock is held.
pub(crate) trait Role: Sized {
    /// The core's session.
    type Session: Machine;
    /// The values that do not change while a session lives.
    type Context: Send + Sync;
    /// The state that HTTP requests and handles share with the task, besides the mailbox.
    type Slots: Send;

    fn clock(context: &Self::Context) -> Clock;
    fn limits(context: &Self::Context) -> &Limits;
    fn revision(context: &Self::Context) -> Revision;
    fn close_timeout(context: &Self::Context) -> Duration;
    /// Returns how long an application may leave its messages unread.
    fn stall_timeout(context: &Self::Context, heartbeat: Heartbeat) -> Duration;
    /// Returns the session's name for the log, without secrets.
    fn log_name(engine: &Engine<Self>) -> String;

    /// Takes the wakers of the HTTP requests to wake once the lock is released.
    fn take_woken(_: &mut Self::Slots) -> [Option<Waker>; 2] {
        [None, None]
    }

    /// Marks the HTTP requests to be woken, because the inbox has room again or the session has ended.
    fn wake_requests(_: &mut Self::Slots) {}

    /// Returns whether a POST is still being received.
    fn is_receiving(_: &Engine<Self>) -> bool {
        false
    }

    /// Returns why the peer would refuse a message, or `None` if it would not.
    fn why_not(_: &Inner<Self>, _: &Message, _: &Self::Context) -> Option<SendErrorKind> {
        None
    }

    /// Reports an event to observers, log and metrics. Returns `false` if one of them panicked.
    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool;

    /// Handles the handshake of a server.
    fn handle_opened(&mut self, _: &mut Engine<Self>, _: Instant, _: &Handshake<'_>) {}

    /// Handles the peer's heartbeat. `deadline` is when the session would have ended.
    fn handle_heartbeat(
        &mut self,
        engine: &mut Engine<Self>,
        now: Instant,
        deadline: Option<Instant>,
        rtt: Option<Duration>,
    );

    /// Reports the end, before it is visible elsewhere.
    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect);

    /// Handles that the end is now visible everywhere.
    fn handle_end_shown(_: &mut Engine<Self>) {}

    /// Continues to open the session, reads the payloads of HTTP requests, and continues an upgrade.
    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Lets the application run, if it runs in the session's task.
    fn run_application(_: &mut Driver<Self>, _: &mut Context<'_>) {}

    /// Passes packets and messages to HTTP requests.
    fn write_polling(driver: &mut Driver<Self>, now: Instant);

    /// Does the remaining work of a session that has ended.
    fn handle_ended(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Returns when to make the next pass: at the `session`'s deadline or a little before, and at the role's own deadline.
    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2];

    /// Returns whether no work is left.
    fn is_done(driver: &Driver<Self>) -> bool;

    /// Drops the role's transports.
    fn break_off(driver: &mut Driver<Self>);

    /// Handles that the runtime has dropped the task.
    fn handle_dropped(_: &mut Driver<Self>) {}
}
