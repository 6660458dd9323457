//! The server's side of a session: its application, its HTTP requests, and the WebSocket that it opens on or moves to.

use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::Instant;
use eio_core::handshake::Transport;
use eio_core::polling::{Limits, ServerPolling};
use eio_core::session::Violation;
use eio_core::upgrade::UpgradeOutcome;
use http::request::Parts;
use tracing::Span;

use crate::carrier::Carrier;
use crate::server::application::Application;
use crate::server::candidate::Candidate;
use crate::server::kind::tell_opened;
use crate::server::sessions::{ServerContext, ServerKind, Session};
use crate::server::slots::{Failure, Payload, PollAnswer};
use crate::server::websocket::Opening;
use crate::session::departing::Awaited;
use crate::session::driver::{self, Driver, Role};
use crate::session::engine::Engine;
use crate::session::happening::Happening;
use crate::session::span::SessionSpan;
use crate::web::head::Head;
use crate::wire::clock::Clock;
use crate::wire::outgoing::{Outgoing, total_len};
use crate::wire::targets;

/// The state of the server's side of a session.
pub(crate) struct ServerSide {
    application: Application,
    /// `None` for a session that has opened on a WebSocket.
    entry: Option<Box<Entry>>,
}

/// How a session has come.
enum Entry {
    Opening(Opening),
    Polling(PollingSide),
}

/// The state of a session that opened on polling.
struct PollingSide {
    /// What the session's HTTP requests have to wait for.
    requests: ServerPolling,
    candidate: Option<Candidate>,
}

/// Returns the span of a session's task. If a subscriber panics here, the session has not begun.
///
/// It has no parent, because it outlives the request that opens the session, and whatever that runs in.
pub(crate) fn span(session: &Session) -> SessionSpan {
    let span = tracing::info_span!(
        target: targets::SESSION,
        parent: None,
        "session",
        sid = %session.context.id.short(),
        peer = session.context.peer.map(tracing::field::display),
        transport = session.transport().as_str(),
        reason = tracing::field::Empty,
    );
    if !span.is_disabled() {
        span.follows_from(Span::current());
    }
    SessionSpan::new(span)
}

/// Runs a session that opened on polling. The answer to the opening request contains its `open` packet.
pub(crate) fn run_polling(
    engine: Engine<ServerKind>,
    span: SessionSpan,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    let ServerContext { revision, base64_only, .. } = *engine.context();
    let polling = PollingSide { requests: ServerPolling::new(revision, base64_only), candidate: None };
    run(engine, span, Entry::Polling(polling), request)
}

/// Runs a session that opens on a WebSocket, once that has opened.
pub(crate) fn run_websocket(
    engine: Engine<ServerKind>,
    span: SessionSpan,
    opening: Opening,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    run(engine, span, Entry::Opening(opening), request)
}

fn run(
    mut engine: Engine<ServerKind>,
    span: SessionSpan,
    entry: Entry,
    request: Parts,
) -> impl Future<Output = ()> + Send {
    let role = ServerSide { application: Application::new(Head::new(request)), entry: Some(Box::new(entry)) };
    engine.span = span;
    driver::run(Driver::new(role, engine))
}

impl ServerSide {
    fn polling(&mut self) -> Option<&mut PollingSide> {
        match self.entry.as_deref_mut() {
            Some(Entry::Polling(polling)) => Some(polling),
            _ => None,
        }
    }

    fn candidate(&self) -> Option<&Candidate> {
        match self.entry.as_deref() {
            Some(Entry::Polling(polling)) => polling.candidate.as_ref(),
            _ => None,
        }
    }

    /// Returns whether the session's WebSocket has not opened yet.
    fn is_opening(&self) -> bool {
        matches!(self.entry.as_deref(), Some(Entry::Opening(_)))
    }
}

impl Role for ServerSide {
    type Kind = ServerKind;
    const RUNS_APPLICATION: bool = true;

    fn is_receiving(engine: &Engine<ServerKind>) -> bool {
        engine.transport == Transport::Polling && engine.shared.lock().slots.is_receiving()
    }

    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        tell_opened(&mut driver.engine, now);
        open_websocket(driver, cx, now);
        let is_left = match driver.role.polling() {
            Some(polling) => read_requests(&mut polling.requests, &mut driver.engine, now),
            None => false,
        };
        drive_candidate(driver, cx, now);
        // After what the candidate has read: a client that moves there may leave its requests.
        if is_left && driver.engine.transport == Transport::Polling {
            driver.engine.session.handle_transport_error(now);
        }
    }

    fn end_upgrade(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        drive_candidate(driver, cx, now);
    }

    fn run_application(driver: &mut Driver<Self>, cx: &mut Context<'_>) {
        if !driver.role.is_opening() {
            driver.role.application.run(&mut driver.engine, cx);
        }
    }

    fn write_polling(driver: &mut Driver<Self>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if let Some(polling) = role.polling()
            && engine.transport == Transport::Polling
            && !engine.has_ended()
        {
            answer_poll(&mut polling.requests, engine, now);
        }
    }

    fn handle_ended(driver: &mut Driver<Self>, cx: &mut Context<'_>, _: Instant) {
        driver.role.application.drive_end(&driver.engine, cx);
    }

    /// A shutdown waits for them, until its limit.
    fn await_departing(engine: &Engine<ServerKind>) -> Option<Awaited> {
        Some(engine.context().server.await_connection())
    }

    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2] {
        let session = match driver.engine.transport {
            // One more wake-up costs little compared with a session's requests, and T begins when the ping is sent.
            Transport::Polling => session.map(|deadline| Clock::ahead_of(deadline, now)),
            _ => session,
        };
        [session, driver.role.candidate().and_then(Candidate::deadline)]
    }

    fn is_done(driver: &Driver<Self>) -> bool {
        driver.role.application.has_left() && driver.role.candidate().is_none() && driver.departing.is_empty()
    }

    fn break_off(driver: &mut Driver<Self>) {
        if let Some(polling) = driver.role.polling() {
            polling.candidate = None;
        } else {
            driver.role.entry = None;
        }
    }

    fn handle_dropped(driver: &mut Driver<Self>) {
        let candidate = driver.engine.shared.lock().slots.take_candidate();
        drop(candidate);
        if driver.engine.shared.lock().mail.awaits_application() {
            driver.engine.shared.abandon();
        }
        // In the session's span, which ends with the task.
        driver.role.application = Application::Left;
        driver.engine.context().sessions().application_ended(driver.engine.context().id);
    }
}

/// Opens the session's WebSocket once the 101 response and the `open` packet have been passed to the transport.
fn open_websocket(driver: &mut Driver<ServerSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, .. } = driver;
    let Some(Entry::Opening(opening)) = role.entry.as_deref_mut() else { return };
    let io = match opening.poll(cx, engine.context()) {
        Poll::Ready(io) => io,
        // A client that does not take the response counts as silent.
        Poll::Pending if engine.has_ended() => None,
        Poll::Pending => return,
    };
    role.entry = None;
    if let Some(io) = io {
        restart(engine, now);
        *carrier = Carrier::WebSocket(io);
    } else {
        engine.session.handle_transport_error(now);
        role.application.never_starts(engine);
    }
}

/// Restarts the heartbeat, which counts from the time at which the `open` packet is passed to the transport, unless the
/// session has ended.
fn restart(engine: &mut Engine<ServerKind>, now: Instant) {
    let sessions = engine.context().sessions();
    if let Some(first) = &sessions.config.initial_packet {
        engine.shared.lock().post_first(Outgoing::Message(first.clone()));
    }
    if engine.session.is_open() {
        let heartbeat = engine.session.heartbeat().unwrap_or(sessions.config.settings.heartbeat());
        engine.session = engine.context().session(heartbeat, now);
    }
}

/// Continues the upgrade from polling.
fn drive_candidate(driver: &mut Driver<ServerSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, departing, .. } = driver;
    let Some(PollingSide { requests, candidate }) = role.polling() else { return };
    if engine.transport == Transport::Polling
        && candidate.is_none()
        && let Some(opening) = engine.shared.lock().slots.take_candidate()
    {
        let timeout = engine.context().sessions().config.settings.upgrade_timeout();
        *candidate = Some(Candidate::new(opening, timeout, now));
    }
    let Some(open) = candidate else { return };
    let outcome = open.drive(cx, engine, now);
    if open.take_noop() {
        requests.release_poll();
    }
    let Some(outcome) = outcome else { return };
    let io = candidate.take().and_then(Candidate::into_io);
    match outcome {
        UpgradeOutcome::Upgraded => {
            requests.handle_upgraded(now, &mut engine.session);
            take_back_answer(engine);
        }
        UpgradeOutcome::Failed(_) => requests.handle_upgrade_failed(),
    }
    engine.is_close_due |= requests.close_pending();
    match io {
        Some(io) if outcome == UpgradeOutcome::Upgraded => {
            *carrier = Carrier::WebSocket(io);
            engine.transport = Transport::WebSocket;
        }
        Some(io) => departing.add(io, now),
        None => {}
    }
    // One that began when the end had been reported is not reported.
    if !engine.has_ended() {
        engine.tell(now, Happening::Upgrade(outcome));
    }
    engine.show(now);
    let mut inner = engine.shared.lock();
    inner.slots.end_upgrade();
    inner.slots.wake_requests();
}

/// Takes back the answer to a poll that its connection has not taken before the session moved. The client may have left
/// that connection, so what the answer holds goes over the WebSocket, before what is sent later.
fn take_back_answer(engine: &mut Engine<ServerKind>) {
    let mut inner = engine.shared.lock();
    if let Some(answer) = inner.slots.take_back_answer() {
        inner.put_back(answer);
    }
    engine.owed = inner.slots.take_owed();
}

/// Handles the payloads and failures of HTTP requests. A payload may still arrive after the session has moved to a
/// WebSocket. Returns whether a client has left a request, which ends a session that stays on polling.
fn read_requests(polling: &mut ServerPolling, engine: &mut Engine<ServerKind>, now: Instant) -> bool {
    let mut inner = engine.shared.lock();
    let slots = &mut inner.slots;
    let (failure, payload) = (slots.take_failure(), slots.take_payload());
    let (is_poll_over, poll, is_released) = (slots.is_poll_over(), slots.take_poll(), slots.take_release());
    drop(inner);
    if is_poll_over {
        polling.handle_poll_answered();
    }
    if let Some(payload) = payload {
        handle_payload(polling, engine, now, &payload);
    }
    match failure {
        None | Some(Failure::Aborted) => {}
        Some(Failure::Panicked) => {
            engine.session.handle_application_panicked(now, Duration::ZERO);
            engine.session.handle_transport_error(now);
        }
        // A request that failed while the session moved. It no longer matters.
        Some(_) if engine.transport != Transport::Polling => {}
        Some(Failure::Overlap) => engine.session.handle_violation(now, Violation::OverlappingRequests),
        Some(Failure::ContentType) => engine.session.handle_violation(now, Violation::ContentType),
        Some(Failure::AnswerLost) => engine.session.handle_transport_error(now),
    }
    if let Some(jsonp) = poll {
        // A session that has ended or moved answers the poll without its task.
        let _ = polling.handle_poll(now, &mut engine.session, jsonp);
    }
    if is_released {
        polling.release_poll();
    }
    failure == Some(Failure::Aborted)
}

/// Handles the packets of a payload.
fn handle_payload(
    polling: &mut ServerPolling,
    engine: &mut Engine<ServerKind>,
    now: Instant,
    payload: &Payload,
) {
    // A session that has ended or moved takes no packet, but its client gets an answer.
    let _ = polling.handle_post(now, &mut engine.session, payload.framing);
    let max_packets = engine.context().sessions().config.settings.max_packets();
    let max_packets = usize::try_from(max_packets).unwrap_or(usize::MAX);
    engine.receive(now, |receiver| {
        for packet in polling.format().decode(payload.framing, &payload.bytes, max_packets) {
            receiver.handle_packet(packet);
        }
    });
    polling.handle_post_received();
    // The request itself waits for room in the inbox.
    let refused = matches!(polling.post_answer(&engine.session, true), Some(Err(_)));
    engine.shared.lock().slots.handle_payload_done(!refused);
}

/// Answers the poll that waits, if there is something to say.
fn answer_poll(polling: &mut ServerPolling, engine: &mut Engine<ServerKind>, now: Instant) {
    let limits = Limits::DEFAULT.with_max_packets(engine.context().sessions().config.max_packets_per_payload);
    let mut inner = engine.shared.lock();
    let queue = inner.mail.outbox.packets();
    let Some(batch) = polling.poll_answer(now, &mut engine.session, queue, &limits) else { return };
    let messages = inner.mail.take_outgoing(batch.messages());
    drop(inner);
    engine.handle_heartbeats_sent(now, &batch);
    engine.tell_sent(now, messages.len(), total_len(messages.iter()));
    let mut inner = engine.shared.lock();
    if let Err(answer) = inner.slots.answer_poll(PollAnswer::Batch(batch, messages)) {
        // The next pass hears that the client went away.
        inner.put_back(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::driver::Task;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_task_of_a_session_fits_into_three_of_the_blocks_that_tokio_allocates() {
        // Blocks of 128 bytes on x86-64, of which tokio itself takes 104.
        assert!(size_of::<Task<ServerSide>>() <= 3 * 128 - 104, "{}", size_of::<Task<ServerSide>>());
    }
}
