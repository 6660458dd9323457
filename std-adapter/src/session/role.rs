//! What differs between a server's sessions and a client's. Everything else is the [`Driver`]'s.

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

/// Something that observers, the log and the metrics are told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening<'a> {
    Opened,
    /// Our ping goes to the transport.
    PingSent,
    /// Our pong goes to the transport.
    PongSent,
    /// The peer's heartbeat came in, with the round trip if it answers our ping.
    Heartbeat(Option<Duration>),
    Message(&'a Message),
    /// A transport has taken messages completely.
    Sent {
        messages: usize,
        bytes: usize,
    },
    /// A message could not be copied: the session ends.
    Undecodable(BufferTooSmall),
    Upgrade(UpgradeOutcome),
    Closed(&'a Disconnect),
}

/// One of the two sides of a session. The [`Driver`] calls these functions from the session's own task, in the order in
/// which [`Driver::pass`] lists them, and never while a lock is held.
pub(crate) trait Role: Sized {
    /// The core's session.
    type Session: Machine;
    /// What does not change while a session lives.
    type Context: Send + Sync;
    /// What HTTP requests and handles share with the task, besides the mailbox.
    type Slots: Send;

    fn clock(context: &Self::Context) -> Clock;
    fn limits(context: &Self::Context) -> &Limits;
    fn revision(context: &Self::Context) -> Revision;
    fn close_timeout(context: &Self::Context) -> Duration;
    /// How long an application may leave its messages alone.
    fn stall_timeout(context: &Self::Context, heartbeat: Heartbeat) -> Duration;
    /// The session as the log may name it.
    fn log_name(engine: &Engine<Self>) -> String;

    /// The wakers of the HTTP requests that are to be woken, once the lock is released.
    fn take_woken(_: &mut Self::Slots) -> [Option<Waker>; 2] {
        [None, None]
    }

    /// The inbox has room again, or the session has ended: HTTP requests may go on.
    fn wake_requests(_: &mut Self::Slots) {}

    /// Whether a request with data is still coming in.
    fn is_receiving(_: &Engine<Self>) -> bool {
        false
    }

    /// Why the peer would not take a message, if it would not.
    fn why_not(_: &Inner<Self>, _: &Message, _: &Self::Context) -> Option<SendErrorKind> {
        None
    }

    /// Tells observers, log and metrics. Returns `false` if one of them panicked.
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

    /// Tells of the end, before anybody else sees it.
    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect);

    /// Everybody can see that the session has ended.
    fn handle_end_shown(_: &mut Engine<Self>) {}

    /// Goes on with opening the session, reads what came in on HTTP requests, and goes on with an upgrade.
    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Lets the application run, if it runs in the session's task.
    fn run_application(_: &mut Driver<Self>, _: &mut Context<'_>) {}

    /// Gives HTTP requests what they carry.
    fn write_polling(driver: &mut Driver<Self>, now: Instant);

    /// Does what is left to do once the session has ended.
    fn handle_ended(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// When to look again: at the `session`'s deadline or a little before, and for what else the role waits for.
    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2];

    /// Whether nothing is left to do.
    fn is_done(driver: &Driver<Self>) -> bool;

    /// Drops what the role owns of transports.
    fn break_off(driver: &mut Driver<Self>);

    /// The runtime has dropped the task.
    fn handle_dropped(_: &mut Driver<Self>) {}
}
