//! The server's side of a session: its application, its HTTP requests, and the WebSocket that it opens on or moves to.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::packet::Packet;
use eio_core::payload::{self, v3::Framing};
use eio_core::session::Violation;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::{Heartbeat, Instant, Revision, ServerSession};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;
use tracing::Span;

use crate::carrier::Carrier;
use crate::carrier::websocket::WebSocketIo;
use crate::server::application::Application;
use crate::server::candidate::Candidate;
use crate::server::events;
use crate::server::sessions::Sessions;
use crate::server::slots::{Failure, Payload, PollAnswer, Slots};
use crate::session::driver::{self, Driver};
use crate::session::end::Disconnect;
use crate::session::engine::Engine;
use crate::session::mailbox::Limits;
use crate::session::role::{Happening, Role};
use crate::session::shared::Shared;
use crate::web::head::Head;
use crate::web::upgraded::take_stream;
use crate::wire::clock::Clock;
use crate::wire::outgoing::Outgoing;
use crate::wire::session_id::SessionId;
use crate::wire::transport::Transport;

/// One session of a server, as its task, application, handles and requests share it.
pub(crate) type Session = Shared<ServerSide>;

/// The values that do not change while the session lives.
pub(crate) struct ServerContext {
    pub(crate) id: SessionId,
    pub(crate) revision: Revision,
    /// Whether this client receives binary messages as base64 (`b64=1`).
    pub(crate) base64_only: bool,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) sessions: Arc<Sessions>,
}

/// A session that opens on a WebSocket. It waits until the 101 response has been sent, and then sends its `open` packet.
struct Opening {
    upgrade: OnUpgrade,
    open_packet: Box<str>,
}

/// The state of the server's side of a session.
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct ServerSide {
    opening: Option<Box<Opening>>,
    candidate: Option<Box<Candidate>>,
    application: Application,
    /// Whether the session opened on polling, so that HTTP requests may be in flight.
    has_requests: bool,
    /// Whether the opening has been reported to observers.
    has_told_opened: bool,
    /// Whether the session was open at the last pass.
    was_open: bool,
    /// Whether the waiting poll is to be answered with a noop for an upgrade.
    noop_pending: bool,
    /// Whether the session began to close while no poll waited. The answer to the next poll then begins with a noop, as in
    /// the reference.
    closes_with_noop: bool,
}

impl ServerContext {
    /// Creates a session that opens on `transport`. `heartbeat` replaces the server's periods, if it is set.
    pub(crate) fn start(self, heartbeat: Option<Heartbeat>, transport: Transport) -> Engine<ServerSide> {
        let heartbeat = heartbeat.unwrap_or(self.sessions.config.settings.heartbeat());
        let session = self.session(heartbeat, self.sessions.clock.now());
        let shared = Arc::new(Shared::new(self, session.clone(), transport, Slots::default()));
        Engine::new(shared, session, transport)
    }

    /// Creates the core's session, whose heartbeat counts from `now`.
    pub(crate) fn session(&self, heartbeat: Heartbeat, now: Instant) -> ServerSession {
        let config = &self.sessions.config;
        match self.revision {
            Revision::V3 => ServerSession::eio3(heartbeat, config.settings.liveness(), now),
            Revision::V4 => {
                let session = ServerSession::eio4(heartbeat, config.settings.liveness(), now);
                match first_ping(heartbeat, config.first_ping_jitter) {
                    Some(delay) => session.with_first_ping_after(delay),
                    None => session,
                }
            }
        }
    }
}

/// Returns when the first ping is due, up to `jitter` before the end of the first interval. Returns `None` without jitter.
fn first_ping(heartbeat: Heartbeat, jitter: Duration) -> Option<Duration> {
    let random = if jitter.is_zero() { return None } else { getrandom::u32().ok()? };
    let earlier = jitter.mul_f64(f64::from(random) / f64::from(u32::MAX));
    Some(heartbeat.ping_interval().saturating_sub(earlier))
}

/// Returns the span of a session's task. If a subscriber panics here, the session has not begun.
pub(crate) fn span(session: &Session) -> Span {
    tracing::debug_span!("session", sid = %session.context.id.short())
}

/// Runs a session that opened on polling. The answer to the opening request contains its `open` packet.
pub(crate) fn run_polling(
    engine: Engine<ServerSide>,
    span: Span,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    run(engine, span, None, Carrier::Polling, request)
}

/// Runs a session that opens on a WebSocket as soon as the 101 response has been sent.
pub(crate) fn run_websocket(
    engine: Engine<ServerSide>,
    span: Span,
    upgrade: OnUpgrade,
    open_packet: String,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    let opening = Opening { upgrade, open_packet: open_packet.into_boxed_str() };
    run(engine, span, Some(Box::new(opening)), Carrier::None, request)
}

fn run(
    engine: Engine<ServerSide>,
    span: Span,
    opening: Option<Box<Opening>>,
    carrier: Carrier,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    let role = ServerSide {
        opening,
        candidate: None,
        application: Application::new(Head::new(request)),
        has_requests: matches!(carrier, Carrier::Polling),
        has_told_opened: false,
        was_open: true,
        noop_pending: false,
        closes_with_noop: false,
    };
    driver::run(Driver::new(role, engine, carrier), span)
}

impl Role for ServerSide {
    type Session = ServerSession;
    type Context = ServerContext;
    type Slots = Slots;

    fn clock(context: &ServerContext) -> Clock {
        context.sessions.clock
    }

    fn limits(context: &ServerContext) -> &Limits {
        &context.sessions.config.limits
    }

    fn revision(context: &ServerContext) -> Revision {
        context.revision
    }

    fn close_timeout(context: &ServerContext) -> Duration {
        context.sessions.config.settings.close_timeout()
    }

    /// The stall timeout follows the session's own periods, unless it has been set.
    fn stall_timeout(context: &ServerContext, heartbeat: Heartbeat) -> Duration {
        context.sessions.config.settings.with_heartbeat(heartbeat).app_stall_timeout()
    }

    fn log_name(engine: &Engine<Self>) -> String {
        engine.context().id.short().to_string()
    }

    fn take_woken(slots: &mut Slots) -> [Option<Waker>; 2] {
        slots.take_woken()
    }

    fn wake_requests(slots: &mut Slots) {
        slots.wake_requests();
    }

    fn is_receiving(engine: &Engine<Self>) -> bool {
        engine.transport == Transport::Polling && engine.shared.lock().slots.is_receiving()
    }

    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool {
        let context = engine.context();
        match happening {
            Happening::PongSent => true,
            Happening::PingSent | Happening::Message(_) if !context.sessions.is_watched() => true,
            Happening::Sent { .. } if !cfg!(feature = "metrics") => true,
            _ => events::tell(&engine.shared, happening),
        }
    }

    fn handle_heartbeat(
        &mut self,
        engine: &mut Engine<Self>,
        now: Instant,
        _: Option<Instant>,
        rtt: Option<Duration>,
    ) {
        if engine.context().sessions.is_watched() {
            engine.tell(now, Happening::Heartbeat(rtt));
        }
    }

    /// Handles the end of the session: requests cannot find it any more.
    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect) {
        engine.context().sessions.session_ended(engine.context().id);
        engine.tell(now, Happening::Closed(end));
    }

    fn handle_end_shown(engine: &mut Engine<Self>) {
        engine.context().sessions.wake_if_emptied();
    }

    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        if !core::mem::replace(&mut driver.role.has_told_opened, true) {
            driver.engine.tell(now, Happening::Opened);
        }
        open_websocket(driver, cx, now);
        if driver.role.has_requests {
            read_requests(&mut driver.role, &mut driver.engine, now);
        }
        drive_candidate(driver, cx, now);
    }

    fn run_application(driver: &mut Driver<Self>, cx: &mut Context<'_>) {
        if driver.role.opening.is_none() {
            driver.role.application.run(&mut driver.engine, cx);
        }
    }

    fn write_polling(driver: &mut Driver<Self>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if engine.transport != Transport::Polling || engine.has_ended() {
            return;
        }
        let has_poll = engine.shared.lock().slots.has_poll();
        if role.was_open && !engine.session.is_open() {
            role.was_open = false;
            role.closes_with_noop = !has_poll;
            engine.shared.lock().slots.wake_post();
        }
        if has_poll {
            answer_poll(role, engine, now);
        }
    }

    fn handle_ended(driver: &mut Driver<Self>, cx: &mut Context<'_>, _: Instant) {
        driver.role.application.drive_end(&driver.engine, cx);
    }

    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2] {
        let session = match driver.carrier {
            // One more wake-up costs little compared with a session's requests, and T begins when the ping is sent.
            Carrier::Polling => session.map(|deadline| Clock::ahead_of(deadline, now)),
            _ => session,
        };
        [session, driver.role.candidate.as_ref().and_then(|candidate| candidate.deadline())]
    }

    fn is_done(driver: &Driver<Self>) -> bool {
        driver.role.application.has_left() && driver.role.candidate.is_none() && driver.departing.is_empty()
    }

    fn break_off(driver: &mut Driver<Self>) {
        driver.role.opening = None;
        driver.role.candidate = None;
    }

    fn handle_dropped(driver: &mut Driver<Self>) {
        let candidate = driver.engine.shared.lock().slots.take_candidate();
        drop(candidate);
        if driver.engine.shared.lock().mail.awaits_application() {
            driver.engine.shared.abandon();
        }
        driver.engine.context().sessions.application_ended(driver.engine.context().id);
    }
}

/// Opens the session's WebSocket once the 101 response has been sent.
fn open_websocket(driver: &mut Driver<ServerSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, .. } = driver;
    let Some(opening) = &mut role.opening else { return };
    let opened = match Pin::new(&mut opening.upgrade).poll(cx) {
        Poll::Ready(Ok(upgraded)) => {
            let mut io = Box::new(websocket(engine.context(), upgraded));
            // Cannot fail for lack of random bytes: a server does not mask frames.
            io.put_first(&opening.open_packet).map(|()| io).map_err(|error| {
                let sid = engine.context().id.short();
                tracing::error!(%sid, %error, "the open packet cannot be written");
            })
        }
        Poll::Ready(Err(_)) => Err(()),
        // A client that does not take the response counts as silent.
        Poll::Pending if engine.has_ended() => Err(()),
        Poll::Pending => return,
    };
    role.opening = None;
    if let Ok(io) = opened {
        restart(engine, now);
        *carrier = Carrier::WebSocket(io);
    } else {
        engine.session.handle_transport_error(now);
        role.application.never_starts(engine);
    }
}

/// Restarts the heartbeat, which counts from the time at which the `open` packet is passed to the transport, unless the
/// session has ended.
fn restart(engine: &mut Engine<ServerSide>, now: Instant) {
    let sessions = &engine.context().sessions;
    if let Some(first) = &sessions.config.initial_packet {
        engine.shared.lock().mail.post_first(Outgoing::Message(first.clone()));
    }
    if engine.session.is_open() {
        let heartbeat = engine.session.heartbeat().unwrap_or(sessions.config.settings.heartbeat());
        engine.session = engine.context().session(heartbeat, now);
    }
}

/// Creates the server's end of a WebSocket.
pub(crate) fn websocket(context: &ServerContext, upgraded: hyper::upgrade::Upgraded) -> WebSocketIo {
    let (stream, received) = take_stream(upgraded);
    let max_message = context.sessions.config.settings.max_payload();
    WebSocketIo::server(stream, received, context.revision, context.base64_only, max_message)
}

/// Continues the upgrade from polling.
fn drive_candidate(driver: &mut Driver<ServerSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, departing, .. } = driver;
    if engine.transport == Transport::Polling
        && role.candidate.is_none()
        && let Some(opening) = engine.shared.lock().slots.take_candidate()
    {
        let timeout = engine.context().sessions.config.settings.upgrade_timeout();
        role.candidate = Some(Box::new(Candidate::new(opening, timeout, now)));
    }
    let Some(candidate) = &mut role.candidate else { return };
    let outcome = candidate.drive(cx, engine, now);
    role.noop_pending |= candidate.take_noop();
    let Some(outcome) = outcome else { return };
    let io = role.candidate.take().and_then(|candidate| candidate.into_io());
    role.noop_pending = false;
    match io {
        Some(io) if outcome == UpgradeOutcome::Upgraded => {
            *carrier = Carrier::WebSocket(io);
            engine.transport = Transport::WebSocket;
        }
        Some(io) => departing.add(io, now),
        None => {}
    }
    engine.tell(now, Happening::Upgrade(outcome));
    engine.show(now);
    let mut inner = engine.shared.lock();
    inner.slots.end_upgrade();
    inner.slots.wake_requests();
}

/// Handles the payloads and failures of HTTP requests. A payload may still arrive after the session has moved to a
/// WebSocket.
fn read_requests(role: &mut ServerSide, engine: &mut Engine<ServerSide>, now: Instant) {
    let (failure, payload) = {
        let slots = &mut engine.shared.lock().slots;
        (slots.take_failure(), slots.take_payload())
    };
    if let Some(payload) = payload {
        handle_payload(role, engine, now, &payload);
    }
    match failure {
        None => {}
        Some(Failure::Overlap) => engine.session.handle_violation(now, Violation::OverlappingRequests),
        Some(Failure::ContentType) => engine.session.handle_violation(now, Violation::ContentType),
        Some(Failure::Aborted) => engine.session.handle_transport_error(now),
        Some(Failure::Panicked) => {
            engine.session.handle_application_panicked(now, Duration::ZERO);
            engine.session.handle_transport_error(now);
        }
    }
}

/// Handles the packets of a payload.
fn handle_payload(role: &mut ServerSide, engine: &mut Engine<ServerSide>, now: Instant, payload: &Payload) {
    let max_packets = engine.context().sessions.config.settings.max_packets();
    let max_packets = usize::try_from(max_packets).unwrap_or(usize::MAX);
    match engine.context().revision {
        Revision::V4 => {
            for packet in payload::v4::decode(&payload.bytes, max_packets) {
                engine.handle_packet(role, now, packet);
            }
        }
        Revision::V3 => {
            let framing = if payload.is_binary { Framing::Binary } else { Framing::Text };
            for packet in payload::v3::decode(framing, &payload.bytes, max_packets) {
                engine.handle_packet(role, now, packet);
            }
        }
    }
    let reason = engine.session.end().map(|end| end.reason);
    let accepted = reason.is_none_or(|reason| reason.as_str() != "parse error");
    engine.shared.lock().slots.handle_payload_done(accepted);
}

/// Answers the waiting poll, if there is something to send: heartbeats first, a close packet last. Messages that do not fit
/// wait for the next poll.
fn answer_poll(role: &mut ServerSide, engine: &mut Engine<ServerSide>, now: Instant) {
    let mut controls = Vec::new();
    while let Some(control) = engine.next_control(now) {
        controls.push(control.packet());
    }
    if engine.session.has_ended() {
        // An observer panicked, so none of these packets is sent.
        return;
    }
    let room = engine.context().sessions.config.max_packets_per_payload.saturating_sub(controls.len());
    let shared = Arc::clone(&engine.shared);
    let mut inner = shared.lock();
    let messages = inner.mail.take_outgoing(room);
    let room = room.saturating_sub(messages.len());
    if engine.closing.is_due {
        if core::mem::take(&mut role.closes_with_noop) && messages.is_empty() && room > 1 {
            controls.push(Packet::NOOP);
        }
        if room > 0 && inner.mail.unsent() == 0 {
            // A close packet always comes last: the messages are put before it.
            engine.closing.is_due = false;
            controls.push(Packet::CLOSE);
            engine.session.handle_closed(now);
        }
    } else if core::mem::take(&mut role.noop_pending) && controls.is_empty() && messages.is_empty() {
        controls.push(Packet::NOOP);
    }
    if !controls.is_empty() || !messages.is_empty() {
        inner.slots.answer_poll(PollAnswer { controls, messages });
    }
}
