//! The one task of a session: its heartbeat, its WebSocket, a candidate for one, and its application.
//!
//! Each turn reads all that is ready, lets the application run, expires what is due, and writes. Nothing is awaited
//! in between, so a stalled writer delays no heartbeat and a slow application hides no silence.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::packet::WebSocketMessage;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::Close;
use eio_core::{DisconnectReason, Instant};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use crate::carrier::websocket::{Carried as _, FrameSink, FrameSource, WebSocketIo, is_impossible};
use crate::session::candidate::Candidate;
use crate::session::grace::{Grace, is_overdue};
use crate::session::guard::{Guarded, Panicked, guarded};
use crate::session::hub::Registered;
use crate::session::lingering::{Departures, Lingering};
use crate::session::passes::{self, Pass};
use crate::session::socket::{Sender, Socket};
use crate::session::state::{Inner, State};
use crate::web::head::Head;
use crate::wire::clock::Clock;
use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;

/// What carries the session.
enum Io {
    /// HTTP requests, which other tasks answer.
    Polling,
    /// The 101 response is on its way; then this goes first.
    Opening(OnUpgrade, Box<str>),
    WebSocket(Box<WebSocketIo>),
    Gone,
}

struct Task {
    state: Arc<State>,
    io: Io,
    candidate: Option<Box<Candidate>>,
    lingering: Departures,
    part: Part,
    grace: Grace,
}

/// The application's part of the session.
enum Part {
    /// The session has yet to open; the application gets the head of the opening request.
    ToStart(Box<Head>),
    Running(Guarded<()>),
    /// The application has returned, panicked or was cut off. Next is `on_disconnect`, once the session has ended.
    Over,
    /// `on_disconnect` runs.
    Leaving(Guarded<()>),
    Left,
}

/// Runs a session that opened on polling: its `open` packet is in the answer to the request.
pub(crate) fn run_polling(session: Registered, request: Parts) -> impl Future<Output = ()> + Send {
    run(session, Io::Polling, request)
}

/// Runs a session that opens on WebSocket as soon as the 101 response has left.
pub(crate) fn run_websocket(
    session: Registered,
    upgrade: OnUpgrade,
    open: String,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    run(session, Io::Opening(upgrade, open.into_boxed_str()), request)
}

/// What the future holds it holds for as long as the session lives: the task and its timer, and nothing else. The
/// arguments of an `async fn` would stay beside them.
fn run(session: Registered, io: Io, request: Parts) -> impl Future<Output = ()> + Send {
    // What the application logs stands in it, too. A subscriber that panics here finds the session not begun.
    let mut span = tracing::debug_span!("session", sid = %session.id.short());
    let mut task = Task {
        state: session.hand_over(),
        io,
        candidate: None,
        lingering: Departures::default(),
        part: Part::ToStart(Box::new(Head::new(request))),
        grace: Grace::default(),
    };
    async move {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            let timer = timer.as_mut();
            // Caught within the span, so that it is left in order.
            let passed = guarded(|| {
                span.in_scope(|| {
                    guarded(|| passes::poll(cx, timer, task.state.hub.clock, |cx| task.pass(cx)))
                })
            });
            match passed.and_then(|passed| passed) {
                Ok(poll) => poll,
                Err(panicked) => {
                    panicked.report("session", task.state.id.short());
                    if span.is_none() {
                        return Poll::Ready(());
                    }
                    // Once more, for the application's sake, and without the subscriber, which may be the cause.
                    span = tracing::Span::none();
                    task.break_off();
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        })
        .await;
    }
}

impl Task {
    fn pass(&mut self, cx: &mut Context<'_>) -> Pass {
        let notices = {
            let mut inner = self.state.lock();
            inner.mail.begin_pass();
            inner.take_notices()
        };
        self.state.tell(notices);
        let now = self.state.now();
        self.open(cx, now);
        // A candidate that succeeds brings frames behind its `5`: they are read in the same pass.
        self.drive_candidate(cx, now);
        self.read(cx, now);
        self.drive_application(cx);
        self.expire(now);
        self.write(cx, now);
        self.lingering.poll(cx, now);
        self.drive_end(cx);
        if self.is_done() {
            return Pass::Done;
        }
        if self.state.lock().mail.end_pass(cx).is_ready() {
            return Pass::Again;
        }
        Pass::Until(self.next_deadline(now))
    }

    /// A session that begins on WebSocket begins with the 101 response.
    fn open(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::Opening(upgrade, open) = &mut self.io else { return };
        match Pin::new(upgrade).poll(cx) {
            Poll::Ready(Ok(upgraded)) => {
                let mut io = Box::new(self.state.websocket(upgraded));
                if let Err(error) = io.put_first(open) {
                    // A server masks nothing, so it needs no random bytes that could be missing.
                    tracing::error!(sid = %self.state.id.short(), %error, "the open packet cannot be written");
                    self.state.update_and_tell(|inner, now| inner.session.handle_transport_error(now));
                    return self.never_opened();
                }
                self.state.update_and_tell(|inner, _| inner.restart(&self.state, now));
                self.io = Io::WebSocket(io);
            }
            Poll::Ready(Err(_)) => {
                self.state.update_and_tell(|inner, now| inner.session.handle_transport_error(now));
                self.never_opened();
            }
            // A client that does not take the response is a silent one.
            Poll::Pending if self.state.lock().end().is_some() => self.never_opened(),
            Poll::Pending => {}
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        self.state.update_and_tell(|inner, _| {
            if let Poll::Ready(end) = io.poll_read(cx, &mut SessionSink { inner, state: &self.state, now }) {
                inner.session.connection_ended(now, end);
            }
        });
    }

    /// The client never took the answer that opens the session: its application does not start.
    fn never_opened(&mut self) {
        self.io = Io::Gone;
        self.application_over(Ok(()));
    }

    fn drive_application(&mut self, cx: &mut Context<'_>) {
        if let Io::Opening(..) = self.io {
            return;
        }
        if let Part::ToStart(_) = self.part
            && let Part::ToStart(head) = core::mem::replace(&mut self.part, Part::Over)
        {
            let application = &self.state.hub.config.application;
            match guarded(|| application(Socket::new(Arc::clone(&self.state), head))) {
                Ok(application) => self.part = Part::Running(Guarded::new("application", application)),
                Err(panicked) => self.application_over(Err(panicked)),
            }
        }
        let Part::Running(application) = &mut self.part else { return };
        if self.state.hub.cuts_applications() && self.state.lock().end().is_some() {
            let dropped = application.end();
            self.application_over(dropped);
        } else if let Poll::Ready(outcome) = application.poll(cx) {
            self.application_over(outcome);
        }
    }

    fn application_over(&mut self, outcome: Result<(), Panicked>) {
        self.part = Part::Over;
        self.state.lock().application_over = true;
        if let Err(panicked) = outcome {
            panicked.report("application", self.state.id.short());
            self.state.application_panicked();
        }
    }

    /// The session has ended, and its application with it: `on_disconnect` runs, once.
    fn drive_end(&mut self, cx: &mut Context<'_>) {
        if let Part::Over = self.part
            && let Some(end) = self.state.lock().end().cloned()
        {
            self.part = Part::Left;
            if let Some(on_disconnect) = &self.state.hub.config.on_disconnect {
                let sender = Sender { state: Arc::clone(&self.state) };
                match guarded(|| on_disconnect(sender, end)) {
                    Ok(leaving) => self.part = Part::Leaving(Guarded::new("on_disconnect", leaving)),
                    Err(panicked) => panicked.report("on_disconnect", self.state.id.short()),
                }
            }
            if let Part::Left = self.part {
                self.state.hub.application_ended(self.state.id);
            }
        }
        let Part::Leaving(leaving) = &mut self.part else { return };
        if let Poll::Ready(outcome) = leaving.poll(cx) {
            self.part = Part::Left;
            if let Err(panicked) = outcome {
                panicked.report("on_disconnect", self.state.id.short());
            }
            self.state.hub.application_ended(self.state.id);
        }
    }

    /// Something panicked that nobody's callback was to blame for: the transport goes, the application stays.
    fn break_off(&mut self) {
        self.io = Io::Gone;
        self.candidate = None;
        self.lingering = Departures::default();
        self.state.application_panicked();
        self.state.update(|inner, now| inner.session.handle_transport_error(now));
    }

    /// Ends what has expired, and sends what is due. All that was ready has been read before.
    fn expire(&mut self, now: Instant) {
        let (deadline, overdue) = {
            let inner = self.state.lock();
            (inner.session.poll_timeout(), is_overdue(inner.session.check_send(now)))
        };
        let unread = matches!(&self.io, Io::WebSocket(io) if io.has_unread());
        let ask = || {
            let Io::WebSocket(io) = &mut self.io else { return None };
            self.state.update(|inner, _| {
                let mut sink = SessionSink { inner, state: &self.state, now };
                if let Poll::Ready(end) = io.read_past_runtime(&mut sink)? {
                    inner.session.connection_ended(now, end);
                }
                Some(is_overdue(inner.session.check_send(now)))
            })
        };
        if self.grace.permits(now, deadline, overdue, unread, ask) {
            self.state.update_and_tell(|inner, _| inner.handle_timeout(now));
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        let end = self.state.lock().end().map(|end| end.reason);
        if let Some(reason) = end {
            return self.close_websocket(reason, now);
        }
        let mut impossible = false;
        let made_room = self.state.update_and_tell(|inner, _| {
            let before = inner.mail.outgoing();
            match io.poll_write(cx, &mut SessionSource { inner, state: &self.state }) {
                Poll::Ready(Ok(())) if io.is_closed() => inner.session.handle_closed(now),
                Poll::Ready(Err(error)) => {
                    impossible = is_impossible(&error);
                    let end = io.write_failed(&error, &mut SessionSink { inner, state: &self.state, now });
                    inner.session.connection_ended(now, end);
                }
                _ => {}
            }
            inner.mail.outgoing() < before
        });
        if impossible {
            tracing::error!(sid = %self.state.id.short(), "a frame cannot be encoded: its session ends");
        }
        if made_room {
            self.state.changed.notify_waiters();
        }
        let end = self.state.lock().end().map(|end| end.reason);
        if let Some(reason) = end {
            self.close_websocket(reason, now);
        }
    }

    /// The session has ended and everybody knows: the connection follows.
    fn close_websocket(&mut self, reason: DisconnectReason, now: Instant) {
        let Io::WebSocket(io) = core::mem::replace(&mut self.io, Io::Gone) else { return };
        let frame = self.state.lock().take_close_frame();
        self.lingering.add(Lingering::after(io, reason, frame, now));
    }

    fn drive_candidate(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(opening) = self.state.lock().take_candidate() {
            let timeout = self.state.hub.config.settings.upgrade_timeout();
            self.candidate = Some(Box::new(Candidate::new(opening, timeout, now)));
        }
        let Some(candidate) = &mut self.candidate else { return };
        let Some(outcome) = candidate.drive(cx, &self.state, now) else { return };
        let io = self.candidate.take().and_then(|candidate| candidate.into_io());
        self.state.update_and_tell(|inner, _| inner.end_upgrade(outcome));
        match io {
            Some(io) if outcome == UpgradeOutcome::Upgraded => self.io = Io::WebSocket(io),
            Some(io) => self.lingering.add(Lingering::new(io, false, now)),
            None => {}
        }
    }

    fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let mut session = self.grace.put_off(self.state.lock().session.poll_timeout());
        if let Io::Polling = self.io {
            // Beside its requests a wake-up more is nothing, and T begins when the ping does.
            session = session.map(|deadline| Clock::ahead_of(deadline, now));
        }
        let upgrade = self.candidate.as_ref().and_then(|candidate| candidate.deadline());
        let lingering = self.lingering.deadline();
        [session, upgrade, lingering].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        matches!(self.part, Part::Left)
            && self.candidate.is_none()
            && self.lingering.is_empty()
            && !self.state.lock().has_notices()
    }
}

/// The runtime went away: nobody must wait for this session any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.state.update_and_tell(|inner, now| {
            inner.session.handle_transport_error(now);
            drop(inner.take_candidate());
        });
        if self.state.lock().mail.awaits_application() {
            self.state.abandon();
        }
        self.part = Part::Left;
        self.state.hub.application_ended(self.state.id);
    }
}

/// Frames of the session itself.
struct SessionSink<'a> {
    inner: &'a mut Inner,
    state: &'a State,
    now: Instant,
}

impl FrameSink for SessionSink<'_> {
    fn wants_more(&self) -> bool {
        !self.inner.mail.is_paused() && self.inner.session.end().is_none()
    }

    fn handle(&mut self, frame: WebSocketMessage<'_>) {
        let packet = self.state.revision.decode(frame);
        self.inner.handle_packet(self.now, packet, self.state);
    }

    fn handle_activity(&mut self) {
        self.inner.session.handle_activity(self.now);
    }

    fn handle_close(&mut self, close: Option<Close<'_>>) {
        self.inner.handle_close_frame(self.now, close);
    }
}

/// What the session itself and its application send.
struct SessionSource<'a> {
    inner: &'a mut Inner,
    state: &'a State,
}

impl FrameSource for SessionSource<'_> {
    fn next(&mut self) -> Option<ToWrite> {
        self.inner.next_to_write(self.state)
    }

    fn written(&mut self, messages: usize) {
        self.inner.messages_written(messages);
    }

    fn is_over(&self) -> bool {
        self.inner.may_close()
    }

    fn close_frame(&self) -> Option<CloseFrame> {
        self.inner.close_frame()
    }
}
