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
use eio_core::session::{SendError, Violation};
use eio_core::upgrade::UpgradeOutcome;
use eio_core::ws::CloseCode;
use eio_core::{DisconnectReason, Instant};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use tokio::time::Sleep;

use crate::candidate::Candidate;
use crate::grace::{Backlog, Grace};
use crate::head::Head;
use crate::lingering::Lingering;
use crate::socket::Socket;
use crate::state::{Inner, State};
use crate::websocket::{FrameSink, FrameSource, Nothing, ReadEnd, ToWrite, WebSocketIo};

/// The application of one session.
pub(crate) type Application = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many passes one poll makes before it lets others run.
const MAX_PASSES: usize = 16;

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
    lingering: Vec<Lingering>,
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
        lingering: Vec::new(),
        head: Some(Box::new(Head::new(request))),
        application: None,
        grace: Grace::default(),
    };
    // What the application logs stands in it, too.
    let span = tracing::debug_span!("session", sid = %task.state.id);
    async move {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| span.in_scope(|| task.poll(cx, timer.as_mut()))).await;
    }
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        for _ in 0..MAX_PASSES {
            self.state.lock().mail.begin_pass();
            let now = self.state.now();
            self.open(cx, now);
            // A candidate that succeeds brings frames behind its `5`: they are read in the same pass.
            self.drive_candidate(cx, now);
            self.read(cx, now);
            self.drive_application(cx);
            self.expire(now);
            self.write(cx, now);
            self.linger(cx, now);
            if self.is_done() {
                return Poll::Ready(());
            }
            if self.state.lock().mail.end_pass(cx).is_ready() {
                // Something changed meanwhile: look again.
                continue;
            }
            let Some(wake_at) = self.next_deadline() else { return Poll::Pending };
            let wake_at = self.state.hub.clock.deadline(wake_at);
            if timer.deadline() != wake_at {
                timer.as_mut().reset(wake_at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
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
        let end = self.state.update(|inner, _| {
            let mut sink = SessionSink { inner, state: &self.state, now };
            io.poll_read(cx, &mut sink)
        });
        if let Poll::Ready(end) = end {
            self.read_ended(end);
        }
    }

    fn read_ended(&mut self, end: ReadEnd) {
        let Io::WebSocket(io) = &mut self.io else { return };
        self.state.update(|inner, now| match end {
            ReadEnd::Closed => inner.session.handle_transport_closed(now),
            ReadEnd::Violation(error) => {
                io.close(Some(error.close_code()));
                let too_large = error.close_code() == CloseCode::MESSAGE_TOO_BIG;
                let violation = if too_large { Violation::PayloadTooLarge } else { Violation::WebSocket };
                inner.session.handle_violation(now, violation);
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
            Err(_) => tracing::error!(sid = %self.state.id, "the application panicked: its session closes"),
        }
        self.application = None;
    }

    /// Ends what has expired, and sends what is due. All that was ready has been read before; after a late wake-up
    /// that is not believed until the socket itself, or some turns of the runtime, have nothing to say.
    fn expire(&mut self, now: Instant) {
        if self.grace.is_running(now) {
            return;
        }
        let (deadline, expired) = {
            let inner = self.state.lock();
            (inner.session.poll_timeout(), inner.session.check_send(now) == Err(SendError::Expired))
        };
        let Some(deadline) = deadline.filter(|deadline| *deadline <= now) else {
            return self.grace.end();
        };
        if expired && self.may_still_speak(now, now.saturating_duration_since(deadline)) {
            return;
        }
        self.grace.end();
        self.state.update(|inner, _| inner.handle_timeout(now));
    }

    /// Whether the verdict has to wait, or evidence was found that the runtime had not told of.
    fn may_still_speak(&mut self, now: Instant, late: Duration) -> bool {
        if let Io::WebSocket(io) = &mut self.io {
            let asked = self.state.update(|inner, _| {
                let mut sink = SessionSink { inner, state: &self.state, now };
                io.read_past_runtime(&mut sink)
            });
            if let Some(end) = asked {
                if let Poll::Ready(end) = end {
                    self.read_ended(end);
                }
                return self.state.lock().session.check_send(now).is_ok();
            }
        }
        self.grace.extend(now, late, Backlog::look())
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        let end = self.state.lock().end().map(|end| end.reason);
        if let Some(reason) = end {
            return self.close_websocket(reason, now);
        }
        let made_room = self.state.update(|inner, _| {
            let before = inner.mail.outgoing();
            let mut written = io.poll_write(cx, &mut SessionSource { inner, state: &self.state });
            if matches!(written, Poll::Ready(Ok(()))) && inner.may_close() {
                io.close(None);
                written = io.poll_write(cx, &mut Nothing);
            }
            match written {
                Poll::Ready(Ok(())) if io.is_closed() => inner.session.handle_closed(now),
                Poll::Ready(Err(_)) => inner.session.handle_transport_error(now),
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
        match reason {
            // Nobody is there to read a close frame.
            DisconnectReason::PingTimeout => io.abort(),
            DisconnectReason::TransportError => {}
            DisconnectReason::TransportClosed if !io.peer_closed() => {}
            _ => {
                let peer_said_goodbye =
                    matches!(reason, DisconnectReason::PeerClose | DisconnectReason::TransportClosed);
                self.lingering.extend(Lingering::new(io, None, peer_said_goodbye, now));
            }
        }
    }

    fn linger(&mut self, cx: &mut Context<'_>, now: Instant) {
        if !self.lingering.is_empty() {
            self.lingering.retain_mut(|lingering| lingering.poll(cx, now).is_pending());
        }
    }

    fn drive_candidate(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(opening) = self.state.lock().take_candidate() {
            let timeout = self.state.hub.config.upgrade_timeout;
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
            Some(io) => self.lingering.extend(Lingering::new(io, None, false, now)),
            None => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let session = self.state.lock().session.poll_timeout();
        let session = match (session, self.grace.until()) {
            (Some(deadline), Some(grace)) => Some(deadline.max(grace)),
            (deadline, _) => deadline,
        };
        let upgrade = self.candidate.as_ref().and_then(|candidate| candidate.deadline());
        let lingering = self.lingering.iter().map(|lingering| lingering.until).min();
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
}
