//! The client's side of a session: the WebSocket that it opens on or moves to, and its requests.

use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::handshake::Transport;
use eio_core::upgrade::UpgradeOutcome;
use eio_core::{ClientSession, Instant, Revision};

use crate::carrier::Carrier;
use crate::client::candidate::Candidate;
use crate::client::event::ClientEvent;
use crate::client::handshake::HandshakeInfo;
use crate::client::http::Dialer;
use crate::client::kind::{ClientKind, Knowledge, Peer, Session};
use crate::client::opening::{self, Opened, Opening};
use crate::client::polling::Polling;
use crate::session::driver::{self, Driver, Role};
use crate::session::engine::Engine;
use crate::session::happening::Happening;
use crate::session::shared::Shared;

/// The state of the client's side of a session.
pub(crate) struct ClientSide {
    /// The WebSocket that the session opens on.
    opening: Option<Opening>,
    polling: Polling,
    candidate: Option<Candidate>,
    /// Whether the session opens on polling and moves to a WebSocket if the server offers one.
    may_upgrade: bool,
}

/// Creates a session that opens within `open_timeout`, and the future that runs it.
pub(crate) fn start(
    dialer: Dialer,
    open_timeout: Duration,
) -> (Arc<Session>, impl Future<Output = ()> + Send + use<>) {
    let config = Arc::clone(&dialer.config);
    let now = dialer.clock.now();
    let mut session = match config.revision {
        Revision::V4 => ClientSession::eio4(open_timeout, now),
        Revision::V3 => ClientSession::eio3(open_timeout, now),
    };
    if let Some(at_most) = config.ping_timeout_at_most {
        session = session.with_ping_timeout_at_most(at_most);
    }
    let opening = (config.first == Transport::WebSocket)
        .then(|| -> Opening { Box::pin(opening::open(dialer.clone(), None)) });
    let shared = Arc::new(Shared::new(dialer, session.clone(), config.first, Knowledge::default()));
    let role = ClientSide {
        opening,
        polling: Polling::new(config.revision),
        candidate: None,
        may_upgrade: config.upgrade,
    };
    let peer = Peer { handshake: None, last_ping: now };
    let engine = Engine::new(Arc::clone(&shared), session, config.first, peer);
    // Outside of the future: a task that never runs drops it, which ends the session.
    let mut driver = Driver::new(role, engine);
    let running = async move {
        // Reported here, in the session's own task, before a connection is opened.
        driver.engine.tell_event(now, ClientEvent::Connecting);
        driver::run(driver).await;
    };
    (shared, running)
}

impl Role for ClientSide {
    type Kind = ClientKind;
    const RUNS_APPLICATION: bool = false;

    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        open_websocket(driver, cx, now);
        driver.role.polling.read(&mut driver.engine, cx, now);
        upgrade(driver, cx, now);
    }

    fn end_upgrade(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        upgrade(driver, cx, now);
    }

    fn write_polling(driver: &mut Driver<Self>, now: Instant) {
        let Driver { role, engine, .. } = driver;
        if engine.transport == Transport::Polling && !engine.has_ended() {
            let upgrade_pauses = role.candidate.as_ref().is_some_and(Candidate::wants_pause);
            role.polling.write(engine, now, upgrade_pauses);
        }
    }

    fn holds_back(driver: &Driver<Self>) -> bool {
        let Driver { role, engine, .. } = driver;
        engine.transport == Transport::Polling
            && (role.polling.is_posting() || role.candidate.as_ref().is_some_and(Candidate::wants_pause))
    }

    fn handle_ended(driver: &mut Driver<Self>, _: &mut Context<'_>, now: Instant) {
        driver.role.opening = None;
        if let Some(end) = driver.engine.session.end() {
            driver.role.polling.follow_end(&mut driver.engine, now, end.reason);
        }
        // The connections may take longer to close, but nobody waits for them any longer.
        if driver.engine.closing.by().is_some_and(|by| by <= now) {
            stop_waiting(&driver.engine);
        }
    }

    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, now: Instant) -> [Option<Instant>; 2] {
        let Driver { role, engine, .. } = driver;
        let upgrade = role.candidate.as_ref().and_then(Candidate::deadline);
        let waits_until = engine.closing.by().filter(|by| engine.has_ended() && now < *by);
        [session, [upgrade, role.polling.deadline(), waits_until].into_iter().flatten().min()]
    }

    fn is_done(driver: &Driver<Self>) -> bool {
        let role = &driver.role;
        driver.engine.has_ended()
            && role.candidate.is_none()
            && role.polling.is_done()
            && driver.departing.is_empty()
    }

    fn break_off(driver: &mut Driver<Self>) {
        driver.role.opening = None;
        driver.role.candidate = None;
        driver.role.polling.clear();
    }

    fn handle_dropped(driver: &mut Driver<Self>) {
        stop_waiting(&driver.engine);
    }
}

/// Wakes those who wait for the connections of an ended session to close.
fn stop_waiting(engine: &Engine<ClientKind>) {
    let mut inner = engine.shared.lock();
    if !core::mem::replace(&mut inner.slots.is_over, true) {
        inner.mail.wake_waiters();
    }
}

/// Takes over the WebSocket on which the session opens.
fn open_websocket(driver: &mut Driver<ClientSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, .. } = driver;
    let Some(opening) = &mut role.opening else { return };
    let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return };
    role.opening = None;
    match opened {
        Ok(Opened { io, protocol }) => {
            *carrier = Carrier::WebSocket(io);
            engine.shared.lock().slots.protocol = protocol.map(String::into_boxed_str);
        }
        Err(error) => engine.fail(now, error),
    }
}

/// Starts the upgrade from polling if the server offers it, and goes on with it.
fn upgrade(driver: &mut Driver<ClientSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, departing, .. } = driver;
    let is_offered = |handshake: &HandshakeInfo| handshake.upgrades().contains(Transport::WebSocket);
    if role.may_upgrade && engine.session.is_open() && engine.peer.handshake.as_ref().is_some_and(is_offered)
    {
        role.may_upgrade = false;
        role.candidate = Some(Candidate::start(engine, now));
    }
    let Some(candidate) = &mut role.candidate else { return };
    let Some(outcome) = candidate.drive(cx, engine, now, role.polling.is_idle()) else { return };
    let opened = role.candidate.take().and_then(Candidate::into_opened);
    match outcome {
        UpgradeOutcome::Upgraded => role.polling.handle_upgraded(engine, now),
        UpgradeOutcome::Failed(failure) => role.polling.handle_upgrade_failed(engine, now, failure),
    }
    match opened {
        Some((io, protocol)) if outcome == UpgradeOutcome::Upgraded => {
            *carrier = Carrier::WebSocket(io);
            engine.transport = Transport::WebSocket;
            if let Some(protocol) = protocol {
                engine.tell_event(now, ClientEvent::ProtocolChosen { protocol: protocol.clone() });
                engine.shared.lock().slots.protocol = Some(protocol.into_boxed_str());
            }
        }
        Some((io, _)) => departing.add(io, now),
        None => {}
    }
    engine.tell(now, Happening::Upgrade(outcome));
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::client::Client;

    #[tokio::test]
    async fn a_session_whose_task_is_dropped_before_it_runs_does_not_open() {
        let client = Client::builder("http://localhost").build().unwrap();
        let dialer = Dialer {
            config: Arc::clone(&client.config),
            clock: client.clock,
            reset: Arc::default(),
            cookies: Arc::default(),
        };
        let (shared, running) = start(dialer, Duration::from_secs(5));
        assert!(shared.opened().now_or_never().is_none());
        // So does a runtime that has been shut down, with each task that it gets.
        drop(running);
        assert!(matches!(shared.opened().now_or_never(), Some(Err(_))));
        assert!(shared.closed().now_or_never().is_some());
    }
}
