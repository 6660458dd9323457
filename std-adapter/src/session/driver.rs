//! The task of a session, for both roles. It owns the session and its transport, and runs without a lock.
//!
//! Each [pass](Driver::pass) reads everything that is ready, lets the application run, judges silence, and writes. It
//! awaits nothing in between, so a peer that does not read does not delay heartbeats, and a slow application does not
//! hide silence.
//!
//! How a ping timeout reaches the application, in five steps:
//! 1. [`run`] is woken by its timer at the session's deadline, and makes a pass.
//! 2. [`Driver::check_silence`] asks the socket for evidence that the runtime has not seen yet.
//! 3. The core's `handle_timeout` ends the session.
//! 4. [`Engine::show`](crate::session::engine::Engine::show) tells observers, then puts the end into the shared view and
//!    wakes the reader.
//! 5. [`Shared::poll_recv`](crate::session::shared::Shared::poll_recv) returns the end to the application's `recv`.

mod source;

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::Instant;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use self::source::SessionSource;
use crate::carrier::Carrier;
use crate::carrier::websocket::is_impossible;
use crate::session::departing::{Awaited, CLOSING_TIME, Departing};
use crate::session::engine::{Engine, Reacts};
use crate::session::kind::Kind as _;
use crate::session::machine::Machine as _;
use crate::session::progress::Written;
use crate::session::queue::Queue;
use crate::session::silence::SilenceCheck;
use crate::session::span::SessionSpan;
use crate::wire::message::Message;
use crate::wire::targets;

/// How many passes one poll makes before it lets other tasks run.
const MAX_PASSES: usize = 16;

/// A session, its transport, and the rest of the state that its task owns.
pub(crate) struct Driver<R: Role> {
    pub(crate) role: R,
    pub(crate) engine: Engine<R::Kind>,
    pub(crate) carrier: Carrier,
    /// WebSockets that are being closed.
    pub(crate) departing: Departing,
    silence: SilenceCheck,
}

/// One of the two sides of a session. The [`Driver`] calls these functions in the order in which [`Driver::pass`] lists
/// them, and never while a lock is held.
pub(crate) trait Role: Sized {
    type Kind: Reacts;

    /// Whether the application runs in the session's task.
    const RUNS_APPLICATION: bool;

    /// Returns whether a POST is still being received.
    fn is_receiving(_: &Engine<Self::Kind>) -> bool {
        false
    }

    /// Continues to open the session, reads the payloads of HTTP requests, and continues an upgrade.
    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Ends the upgrade of a session that has ended, before the end of the session is reported.
    fn end_upgrade(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Lets the application run, if it [runs](Self::RUNS_APPLICATION) in the session's task.
    fn run_application(_: &mut Driver<Self>, _: &mut Context<'_>) {}

    /// Passes packets and messages to HTTP requests.
    fn write_polling(driver: &mut Driver<Self>, now: Instant);

    /// Returns whether messages have to wait for HTTP requests that are in flight, or for an upgrade.
    fn holds_back(_: &Driver<Self>) -> bool {
        false
    }

    /// Does the remaining work of a session that has ended.
    fn handle_ended(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant);

    /// Lets others wait for the closing WebSockets of a session that has ended.
    fn await_departing(_: &Engine<Self::Kind>) -> Option<Awaited> {
        None
    }

    /// Returns when to make the next pass: at the `session`'s deadline or a little before, and at the role's own deadline.
    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2];

    /// Returns whether no work is left.
    fn is_done(driver: &Driver<Self>) -> bool;

    /// Drops the role's transports.
    fn break_off(driver: &mut Driver<Self>);

    /// Handles that the task is over: it has ended, or the runtime has dropped it.
    fn handle_dropped(_: &mut Driver<Self>) {}
}

/// The result of one pass.
enum Pass {
    /// The session has ended, and nothing is left to do.
    Done,
    /// Something changed during the pass, so another pass is due now.
    Again,
    /// Another pass is due when something happens, or at this time.
    Until(Option<Instant>),
}

pin_project! {
    #[project = TaskProjection]
    /// Runs a session to its end. This future is the largest part of an idle session, so it holds nothing twice.
    pub(crate) struct Task<R: Role> {
        driver: Driver<R>,
        #[pin]
        timer: Sleep,
    }
}

/// Returns the future that runs a session to its end.
pub(crate) fn run<R: Role>(driver: Driver<R>) -> Task<R> {
    Task { driver, timer: tokio::time::sleep(Duration::ZERO) }
}

impl<R: Role> Future for Task<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let TaskProjection { driver, timer } = self.project();
        let span = driver.engine.span.clone();
        span.run(|| driver.poll(cx, timer)).unwrap_or_else(|panicked| {
            panicked.report("session", R::Kind::log_name(&driver.engine));
            if core::mem::replace(&mut driver.engine.is_broken, true) {
                return Poll::Ready(());
            }
            // Poll once more, so that the application sees the end. Leave out the subscriber, which may be the cause.
            driver.engine.span = SessionSpan::default();
            driver.break_off();
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

impl<R: Role> Driver<R> {
    pub(crate) fn new(role: R, engine: Engine<R::Kind>) -> Self {
        Self {
            role,
            engine,
            carrier: Carrier::None,
            departing: Departing::default(),
            silence: SilenceCheck::default(),
        }
    }

    /// Makes passes until there is nothing to do now. `timer` wakes the task when the next pass is due.
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        let clock = R::Kind::clock(self.engine.context());
        let mut is_on_time = false;
        for _ in 0..MAX_PASSES {
            let wake_at = match self.pass(cx, is_on_time) {
                Pass::Done => return Poll::Ready(()),
                Pass::Again => continue,
                Pass::Until(None) => return Poll::Pending,
                Pass::Until(Some(wake_at)) => clock.deadline(wake_at),
            };
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            is_on_time = true;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Makes one pass. `is_on_time` says that the timer has fired.
    fn pass(&mut self, cx: &mut Context<'_>, is_on_time: bool) -> Pass {
        let now = self.engine.now();
        self.engine.begin_pass(now, R::RUNS_APPLICATION);
        // After the `5` of a successful upgrade, more packets may have arrived. They are read in the same pass.
        R::advance(self, cx, now);
        let messages = self.read(cx, now);
        self.show(cx, now, messages);
        R::run_application(self, cx);
        self.engine.take_requests(now, self.carrier.takes_messages());
        self.check_silence(cx, now, is_on_time);
        if self.engine.session.has_ended() {
            // Rule 7: the end is reported before anything is written.
            self.show(cx, now, Queue::default());
        }
        let mut written = self.write(cx, now);
        R::write_polling(self, now);
        written.is_stuck |= R::holds_back(self);
        if self.engine.session.has_ended() {
            // Before the end, so that it finds the messages that were still written.
            self.engine.shared.lock().note_written(core::mem::take(&mut written));
            self.show(cx, now, Queue::default());
            self.follow_end(now);
            R::handle_ended(self, cx, now);
        }
        self.departing.poll(cx, now);
        if R::is_done(self) {
            return Pass::Done;
        }
        match self.engine.finish_pass(cx, written) {
            Poll::Ready(()) => Pass::Again,
            Poll::Pending => Pass::Until(self.next_deadline(now)),
        }
    }

    /// Copies the session's state into the shared view, with received messages. Nothing is reported behind the end of a
    /// session, so its upgrade ends before.
    fn show(&mut self, cx: &mut Context<'_>, now: Instant, messages: Queue<Message>) {
        if self.engine.session.has_ended() && !self.engine.has_ended() {
            R::end_upgrade(self, cx, now);
        }
        self.engine.show_received(now, messages);
    }

    /// Reads everything that is ready. Returns the messages that are not in the inbox yet.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant) -> Queue<Message> {
        let Self { engine, carrier, .. } = self;
        let (end, messages) = engine.receive_undelivered(now, |receiver| carrier.poll_read(cx, receiver));
        if let Poll::Ready(end) = end {
            engine.handle_connection_end(now, end);
        }
        messages
    }

    /// Writes a ping that has waited until the session expired, if the peer has made room for it. That is its heartbeat
    /// (rule 6), so it comes before silence is judged.
    fn write_overdue_ping(&mut self, cx: &mut Context<'_>, now: Instant) {
        let session = &self.engine.session;
        if self.carrier.takes_messages() && session.is_expired(now) && session.has_ping_to_send() {
            let written = self.write(cx, now);
            self.engine.shared.lock().note_written(written);
        }
    }

    /// Ends the session if it has expired, and queues packets that are due. Everything that was ready has been read (rule 5).
    fn check_silence(&mut self, cx: &mut Context<'_>, now: Instant, is_on_time: bool) {
        let is_early = self.engine.session.poll_timeout().is_none_or(|deadline| now < deadline);
        if self.silence.is_idle() && is_early {
            return;
        }
        self.engine.put_off_stall(now);
        self.write_overdue_ping(cx, now);
        let Self { engine, carrier, silence, .. } = self;
        let deadline = engine.session.poll_timeout();
        let is_expired = engine.session.is_expired(now);
        if is_expired && !is_on_time && R::is_receiving(engine) {
            // What is on its way may be evidence, and the timer's tick is not over.
            return;
        }
        let has_unread = carrier.has_unread();
        let ask = || {
            if let Poll::Ready(end) = engine.receive(now, |receiver| carrier.read_past_runtime(receiver))? {
                engine.handle_connection_end(now, end);
            }
            let is_expired = engine.session.is_expired(now);
            // A stalled runtime may not know yet that the peer has made room for a ping that waits.
            (!is_expired || !engine.session.has_ping_to_send()).then_some(is_expired)
        };
        if silence.permits(now, deadline, is_expired, has_unread, ask) {
            engine.session.handle_timeout(now);
        }
    }

    /// Writes what is due. Returns which messages a WebSocket has written.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> Written {
        let Self { engine, carrier, .. } = self;
        if engine.has_ended() {
            return Written::default();
        }
        let mut source = SessionSource { engine, now, written: Written::default() };
        let result = carrier.poll_write(cx, &mut source);
        let is_complete = matches!(result, Poll::Ready(Ok(())));
        let mut written = source.written;
        if is_complete || carrier.writes_to_kernel() {
            written.flushed = Some(written.messages);
        }
        written.is_stuck = !is_complete && carrier.takes_messages();
        match result {
            Poll::Ready(Ok(())) if carrier.is_closed() => engine.session.handle_closed(now),
            Poll::Ready(Err(error)) => {
                if is_impossible(&error) {
                    let sid = R::Kind::log_name(engine);
                    tracing::error!(
                        target: targets::SESSION,
                        sid,
                        "a frame cannot be encoded: its session ends"
                    );
                }
                let end = engine.receive(now, |receiver| carrier.write_failed(&error, receiver));
                engine.handle_connection_end(now, end);
            }
            _ => {}
        }
        written
    }

    /// Closes the WebSocket of a session whose end has been reported.
    fn follow_end(&mut self, now: Instant) {
        if let Some(io) = self.carrier.take_connection()
            && let Some(end) = self.engine.session.end()
        {
            let closing = &self.engine.closing;
            let until = closing.by().unwrap_or_else(|| now.saturating_add(CLOSING_TIME));
            self.departing.add_after(io, end.reason, closing.own_frame(), until);
        }
        // Before the application's end, so that there is always something to wait for.
        self.departing.await_all(|| R::await_departing(&self.engine));
    }

    /// Drops the transport after a panic outside of a callback. The application keeps running.
    fn break_off(&mut self) {
        let now = self.engine.now();
        self.carrier = Carrier::None;
        self.departing = Departing::default();
        R::break_off(self);
        self.engine.application_panicked(now);
        self.engine.session.handle_transport_error(now);
    }

    /// Does the last work of the task, which has ended or which the runtime has dropped. In the latter case the session ends,
    /// so that no caller waits for it.
    fn handle_dropped(&mut self) {
        let now = self.engine.now();
        self.engine.session.handle_transport_error(now);
        self.engine.show(now);
        R::handle_dropped(self);
    }

    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let session = self.silence.put_off(self.engine.session.poll_timeout());
        let [session, more] = R::next_deadline(self, session, now);
        earliest(session, earliest(more, self.departing.deadline()))
    }
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl<R: Role> Drop for Driver<R> {
    fn drop(&mut self) {
        let span = self.engine.span.clone();
        let mut is_entered = false;
        let dropped = span.run(|| {
            is_entered = true;
            self.handle_dropped();
        });
        if let Err(panicked) = dropped {
            panicked.report("session", R::Kind::log_name(&self.engine));
        }
        if !is_entered {
            self.handle_dropped();
        }
    }
}
