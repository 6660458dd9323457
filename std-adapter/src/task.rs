//! The one task of a session: its heartbeat, its WebSocket, a candidate for one, and its application.
//!
//! Each turn reads all that is ready, lets the application run, expires what is due, and writes. Nothing is awaited
//! in between, so a stalled writer delays no heartbeat and a slow application hides no silence.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::packet::Frame;
use eio_core::session::{SendError, Violation};
use eio_core::upgrade::{ServerUpgrade, UpgradeControl, UpgradeOutcome};
use eio_core::ws::CloseCode;
use eio_core::{DisconnectReason, Instant};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use tokio::time::Sleep;

use crate::socket::Socket;
use crate::state::{Inner, State};
use crate::websocket::{FrameSink, ReadEnd, ToWrite, WebSocketIo};

/// The application of one session.
pub(crate) type Application = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A wake-up this late means that the runtime was stalled: it may not know yet what is ready.
const LATE: Duration = Duration::from_millis(10);

/// How long a turn of grace is, for transports that cannot be asked directly.
const GRACE: Duration = Duration::from_millis(5);

/// How many turns of grace a late expiry is given.
const GRACE_TURNS: u8 = 4;

/// How long an ended WebSocket may take to deliver its close frame and to hear the peer's.
const LINGER: Duration = Duration::from_secs(5);

/// How many passes one poll makes before it lets others run.
const MAX_PASSES: usize = 16;

/// What carries the session.
enum Io {
    /// HTTP requests, which other tasks answer.
    Polling,
    /// The 101 response is on its way; then this goes first.
    Opening(OnUpgrade, String),
    WebSocket(Box<WebSocketIo>),
    Gone,
}

/// A WebSocket that is on its way out.
struct Lingering {
    io: Box<WebSocketIo>,
    until: Instant,
}

/// A WebSocket that may become the session's.
struct Candidate {
    opening: Option<OnUpgrade>,
    io: Option<Box<WebSocketIo>>,
    upgrade: ServerUpgrade,
    owes_pong: bool,
}

struct Task {
    state: Arc<State>,
    io: Io,
    candidate: Option<Candidate>,
    lingering: Vec<Lingering>,
    /// The head of the opening request, until the application starts.
    request: Option<Parts>,
    application: Option<Application>,
    grace_turns: u8,
    grace_until: Option<Instant>,
}

/// Runs a session that opened on polling: its `open` packet is in the answer to the request.
pub(crate) async fn run_polling(state: Arc<State>, request: Parts) {
    run(state, Io::Polling, request).await;
}

/// Runs a session that opens on WebSocket as soon as the 101 response has left.
pub(crate) async fn run_websocket(state: Arc<State>, upgrade: OnUpgrade, open: String, request: Parts) {
    run(state, Io::Opening(upgrade, open), request).await;
}

async fn run(state: Arc<State>, io: Io, request: Parts) {
    let mut task = Task {
        state,
        io,
        candidate: None,
        lingering: Vec::new(),
        request: Some(request),
        application: None,
        grace_turns: 0,
        grace_until: None,
    };
    let timer = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(timer);
    poll_fn(|cx| task.poll(cx, timer.as_mut())).await;
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        for _ in 0..MAX_PASSES {
            self.state.lock().begin_pass();
            let now = self.state.now();
            self.open(cx, now);
            self.read(cx, now);
            self.drive_candidate(cx, now);
            self.drive_application(cx);
            self.expire(now);
            self.write(cx, now);
            self.linger(cx, now);
            if self.is_done() {
                return Poll::Ready(());
            }
            if self.state.lock().end_pass(cx) {
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

    /// Starts what begins with the session: the WebSocket once it is there, and the application.
    fn open(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Io::Opening(upgrade, open) = &mut self.io {
            match Pin::new(upgrade).poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(upgraded)) => {
                    let mut io = Box::new(WebSocketIo::new(upgraded, &self.state));
                    // A server masks nothing, so it needs no random bytes that could be missing.
                    let _ = io.put_first(open);
                    self.state.update(|inner, _| inner.restart(&self.state, now));
                    self.io = Io::WebSocket(io);
                }
                Poll::Ready(Err(_)) => {
                    self.io = Io::Gone;
                    self.state.update(|inner, now| inner.session.handle_transport_error(now));
                }
            }
        }
        if let Some(request) = self.request.take() {
            let socket = Socket::new(Arc::clone(&self.state), request);
            self.application = Some((self.state.hub.config.application)(socket));
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
        if let Some(application) = &mut self.application
            && application.as_mut().poll(cx).is_ready()
        {
            self.application = None;
        }
    }

    /// Ends what has expired, and sends what is due. All that was ready has been read before; after a late wake-up
    /// that is not believed until the socket itself, or some turns of the runtime, have nothing to say.
    fn expire(&mut self, now: Instant) {
        if self.grace_until.is_some_and(|until| now < until) {
            return;
        }
        let (deadline, expired) = {
            let inner = self.state.lock();
            (inner.session.poll_timeout(), inner.session.check_send(now) == Err(SendError::Expired))
        };
        let Some(deadline) = deadline.filter(|deadline| *deadline <= now) else {
            self.grace_turns = 0;
            self.grace_until = None;
            return;
        };
        if expired && self.may_still_speak(now, now.saturating_duration_since(deadline)) {
            return;
        }
        self.grace_turns = 0;
        self.grace_until = None;
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
        if self.grace_turns == 0 && late <= LATE {
            return false;
        }
        if self.grace_until.is_some_and(|until| now.saturating_duration_since(until) <= LATE) {
            self.grace_turns += 1;
        }
        self.grace_until = Some(now.saturating_add(GRACE));
        if self.grace_turns == 0 {
            self.grace_turns = 1;
        }
        self.grace_turns <= GRACE_TURNS
    }

    fn write(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Io::WebSocket(io) = &mut self.io else { return };
        let end = self.state.lock().end().map(|end| end.reason);
        if let Some(reason) = end {
            self.close_websocket(reason, now);
            return;
        }
        let (written, made_room) = self.state.update(|inner, _| {
            let before = inner.outgoing();
            let mut written = io.poll_write(cx, || inner.next_to_write(&self.state));
            if matches!(written, Poll::Ready(Ok(()))) && inner.may_close() {
                io.close(None);
                written = io.poll_write(cx, || None);
            }
            match &written {
                Poll::Ready(Ok(())) if io.is_closed() => inner.session.handle_closed(now),
                Poll::Ready(Err(_)) => inner.session.handle_transport_error(now),
                _ => {}
            }
            (written, inner.outgoing() < before)
        });
        drop(written);
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
        let Io::WebSocket(mut io) = core::mem::replace(&mut self.io, Io::Gone) else { return };
        match reason {
            // Nobody is there to read a close frame.
            DisconnectReason::PingTimeout => io.abort(),
            DisconnectReason::TransportError => {}
            DisconnectReason::TransportClosed if !io.peer_closed() => {}
            _ => {
                io.close(None);
                self.lingering.push(Lingering { io, until: now.saturating_add(LINGER) });
            }
        }
    }

    /// Delivers close frames, then waits for the peer to close: a connection that is dropped with unread bytes is
    /// reset, and the reset may overtake the close frame.
    fn linger(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.lingering.retain_mut(|lingering| {
            if lingering.until <= now {
                return false;
            }
            match lingering.io.poll_write(cx, || None) {
                Poll::Pending => return true,
                Poll::Ready(Err(_)) => return false,
                Poll::Ready(Ok(())) => {}
            }
            if lingering.io.peer_closed() || matches!(lingering.io.poll_shutdown(cx), Poll::Ready(Err(_))) {
                return false;
            }
            lingering.io.poll_read(cx, &mut Deaf).is_pending()
        });
    }

    fn drive_candidate(&mut self, cx: &mut Context<'_>, now: Instant) {
        if let Some(opening) = self.state.lock().take_candidate() {
            let upgrade = ServerUpgrade::new(self.state.hub.config.upgrade_timeout, now);
            self.candidate = Some(Candidate { opening: Some(opening), io: None, upgrade, owes_pong: false });
        }
        let Some(candidate) = &mut self.candidate else { return };
        if let Some(opening) = &mut candidate.opening {
            match Pin::new(opening).poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(upgraded)) => {
                    candidate.opening = None;
                    candidate.io = Some(Box::new(WebSocketIo::new(upgraded, &self.state)));
                }
                Poll::Ready(Err(_)) => candidate.upgrade.handle_transport_closed(),
            }
        }
        if self.state.lock().end().is_some() {
            candidate.upgrade.handle_session_ended();
        }
        if let Some(io) = &mut candidate.io {
            let mut sink = CandidateSink { upgrade: &mut candidate.upgrade, state: &self.state, now };
            if io.poll_read(cx, &mut sink).is_ready() {
                candidate.upgrade.handle_transport_closed();
            }
        }
        candidate.upgrade.handle_timeout(now);
        while let Some(control) = candidate.upgrade.poll_transmit() {
            match control {
                UpgradeControl::PongProbe => candidate.owes_pong = true,
                UpgradeControl::Noop => self.state.lock().answer_with_noop(),
                UpgradeControl::PingProbe | UpgradeControl::Upgrade => {}
            }
        }
        if let Some(io) = &mut candidate.io {
            let written = io.poll_write(cx, || {
                core::mem::take(&mut candidate.owes_pong)
                    .then_some(ToWrite::Control(UpgradeControl::PongProbe.as_str()))
            });
            if matches!(written, Poll::Ready(Err(_))) {
                candidate.upgrade.handle_transport_closed();
            }
        }
        let Some(outcome) = candidate.upgrade.outcome() else { return };
        let io = self.candidate.take().and_then(|candidate| candidate.io);
        let upgraded = outcome == UpgradeOutcome::Upgraded;
        self.state.update(|inner, _| inner.end_upgrade(upgraded));
        self.state.hub.upgrade_ended(&self.state, outcome);
        match io {
            Some(io) if upgraded => {
                self.io = Io::WebSocket(io);
                // Frames behind the `5` are waiting in it.
                self.state.lock().wake_task();
            }
            Some(mut io) => {
                io.close(None);
                self.lingering.push(Lingering { io, until: now.saturating_add(LINGER) });
            }
            None => {}
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let session = self.state.lock().session.poll_timeout();
        let session = match (session, self.grace_until) {
            (Some(deadline), Some(grace)) => Some(deadline.max(grace)),
            (deadline, _) => deadline,
        };
        let upgrade = self.candidate.as_ref().and_then(|candidate| candidate.upgrade.poll_timeout());
        let lingering = self.lingering.iter().map(|lingering| lingering.until).min();
        [session, upgrade, lingering].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        self.application.is_none()
            && self.request.is_none()
            && self.candidate.is_none()
            && self.lingering.is_empty()
            && self.state.lock().end().is_some()
    }
}

/// The runtime went away, or the application panicked: nobody must wait for this session any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.state.update(|inner, now| inner.session.handle_transport_error(now));
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
        !self.inner.is_paused() && self.inner.session.disconnect().is_none()
    }

    fn handle(&mut self, frame: Frame<'_>) {
        let packet = self.state.revision.decode(frame);
        self.inner.handle_packet(self.now, packet, self.state);
    }

    fn handle_activity(&mut self) {
        self.inner.session.handle_activity(self.now);
    }
}

/// Frames of a candidate, up to the packet that decides.
struct CandidateSink<'a> {
    upgrade: &'a mut ServerUpgrade,
    state: &'a State,
    now: Instant,
}

impl FrameSink for CandidateSink<'_> {
    fn wants_more(&self) -> bool {
        self.upgrade.outcome().is_none()
    }

    fn handle(&mut self, frame: Frame<'_>) {
        self.upgrade.handle_packet(self.now, self.state.revision.decode(frame));
    }

    fn handle_activity(&mut self) {}
}

/// Nobody listens any more.
struct Deaf;

impl FrameSink for Deaf {
    fn wants_more(&self) -> bool {
        true
    }

    fn handle(&mut self, _: Frame<'_>) {}

    fn handle_activity(&mut self) {}
}
