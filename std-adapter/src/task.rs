//! The one task of a session: its heartbeat, its WebSocket, a candidate for one, and its application.
//!
//! Each turn reads all that is ready, lets the application run, expires what is due, and writes. Nothing is awaited
//! in between, so a stalled writer delays no heartbeat and a slow application hides no silence.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use eio_core::packet::Frame;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::Close;
use eio_core::{DisconnectReason, Instant};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

use crate::candidate::Candidate;
use crate::clock::Clock;
use crate::close_frame::CloseFrame;
use crate::grace::{Grace, is_overdue};
use crate::head::Head;
use crate::lingering::{Departures, Lingering};
use crate::passes::{self, Pass};
use crate::socket::Socket;
use crate::state::{Inner, State};
use crate::websocket::{Carried as _, FrameSink, FrameSource, ToWrite, WebSocketIo};

/// The application of one session.
pub(crate) type Application = Pin<Box<dyn Future<Output = ()> + Send>>;

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
    /// The head of the opening request, until the application starts.
    head: Option<Box<Head>>,
    application: Option<Application>,
    grace: Grace,
}

/// Runs a session that opened on polling: its `open` packet is in the answer to the request.
pub(crate) fn run_polling(state: Arc<State>, request: Parts) -> impl Future<Output = ()> + Send {
    run(state, Io::Polling, request)
}

/// Runs a session that opens on WebSocket as soon as the 101 response has left.
pub(crate) fn run_websocket(
    state: Arc<State>,
    upgrade: OnUpgrade,
    open: String,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    run(state, Io::Opening(upgrade, open.into_boxed_str()), request)
}

/// What the future holds it holds for as long as the session lives: the task and its timer, and nothing else. The
/// arguments of an `async fn` would stay beside them.
fn run(state: Arc<State>, io: Io, request: Parts) -> impl Future<Output = ()> + Send {
    let mut task = Task {
        state,
        io,
        candidate: None,
        lingering: Departures::default(),
        head: Some(Box::new(Head::new(request))),
        application: None,
        grace: Grace::default(),
    };
    // What the application logs stands in it, too.
    let span = tracing::debug_span!("session", sid = %task.state.id.short());
    async move {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            span.in_scope(|| passes::poll(cx, timer.as_mut(), task.state.hub.clock, |cx| task.pass(cx)))
        })
        .await;
    }
}

impl Task {
    fn pass(&mut self, cx: &mut Context<'_>) -> Pass {
        self.state.lock().mail.begin_pass();
        let now = self.state.now();
        self.open(cx, now);
        // A candidate that succeeds brings frames behind its `5`: they are read in the same pass.
        self.drive_candidate(cx, now);
        self.read(cx, now);
        self.drive_application(cx);
        self.expire(now);
        self.write(cx, now);
        self.lingering.poll(cx, now);
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
                let mut io = Box::new(WebSocketIo::new(upgraded, &self.state));
                // A server masks nothing, so it needs no random bytes that could be missing.
                let _ = io.put_first(open);
                self.state.update(|inner, _| inner.restart(&self.state, now));
                self.io = Io::WebSocket(io);
            }
            Poll::Ready(Err(_)) => {
                self.state.update(|inner, now| inner.session.handle_transport_error(now));
                self.head = None;
                self.io = Io::Gone;
            }
            // A client that does not take the response is a silent one.
            Poll::Pending if self.state.lock().end().is_some() => {
                self.head = None;
                self.io = Io::Gone;
            }
            Poll::Pending => {}
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        self.state.update(|inner, _| {
            if let Poll::Ready(end) = io.poll_read(cx, &mut SessionSink { inner, state: &self.state, now }) {
                inner.session.connection_ended(now, end);
            }
        });
    }

    fn drive_application(&mut self, cx: &mut Context<'_>) {
        if let Io::Opening(..) = self.io {
            return;
        }
        let polled = panic::catch_unwind(AssertUnwindSafe(|| {
            if let Some(head) = self.head.take() {
                let socket = Socket::new(Arc::clone(&self.state), head);
                self.application = Some((self.state.hub.config.application)(socket));
            }
            self.application.as_mut().map(|application| application.as_mut().poll(cx))
        }));
        match polled {
            Ok(None | Some(Poll::Pending)) => return,
            Ok(Some(Poll::Ready(()))) => {}
            // It is never polled again, so nobody sees what it left half done.
            Err(_) => {
                tracing::error!(sid = %self.state.id.short(), "the application panicked: its session closes");
            }
        }
        self.application = None;
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
            self.state.update(|inner, _| inner.handle_timeout(now));
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        let end = self.state.lock().end().map(|end| end.reason);
        if let Some(reason) = end {
            return self.close_websocket(reason, now);
        }
        let made_room = self.state.update(|inner, _| {
            let before = inner.mail.outgoing();
            match io.poll_write(cx, &mut SessionSource { inner, state: &self.state }) {
                Poll::Ready(Ok(())) if io.is_closed() => inner.session.handle_closed(now),
                Poll::Ready(Err(error)) => {
                    let end = io.write_failed(&error, &mut SessionSink { inner, state: &self.state, now });
                    inner.session.connection_ended(now, end);
                }
                _ => {}
            }
            inner.mail.outgoing() < before
        });
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
        let upgraded = outcome == UpgradeOutcome::Upgraded;
        self.state.update(|inner, _| inner.end_upgrade(upgraded));
        self.state.hub.upgrade_ended(&self.state, outcome);
        match io {
            Some(io) if upgraded => self.io = Io::WebSocket(io),
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
        self.application.is_none()
            && self.head.is_none()
            && self.candidate.is_none()
            && self.lingering.is_empty()
            && self.state.lock().end().is_some()
    }
}

/// The runtime went away, or the application panicked: nobody must wait for this session any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.state.update(|inner, now| {
            inner.session.handle_transport_error(now);
            drop(inner.take_candidate());
        });
        if self.state.lock().mail.awaits_application() {
            self.state.abandon();
        }
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
        !self.inner.mail.is_paused() && self.inner.session.disconnect().is_none()
    }

    fn handle(&mut self, frame: Frame<'_>) {
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
