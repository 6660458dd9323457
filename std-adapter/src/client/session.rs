//! The client's side of a session: its opening, its events, and the state for its application.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::handshake::Handshake;
use eio_core::packet::Packet;
use eio_core::session::Violation;
use eio_core::{ClientSession, DisconnectReason, Heartbeat, Instant, Revision};
use tracing::Span;
use tracing::level_filters::LevelFilter;

use crate::carrier::Carrier;
use crate::client::candidate::{self, Candidate};
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::events;
use crate::client::handshake::{HandshakeInfo, ShortSid};
use crate::client::http::Dialer;
use crate::client::opening::{self, Opened};
use crate::client::polling::Polling;
use crate::session::driver::{self, Driver};
use crate::session::end::Disconnect;
use crate::session::engine::Engine;
use crate::session::guard::guarded;
use crate::session::mailbox::Limits;
use crate::session::role::{Happening, Role};
use crate::session::send::SendErrorKind;
use crate::session::shared::{Inner, Shared};
use crate::wire::clock::Clock;
use crate::wire::message::Message;
use crate::wire::transport::Transport;

/// One session of a client, as its task and its application share it.
pub(crate) type Session = Shared<ClientSide>;

/// A future that opens a WebSocket.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, ConnectError>> + Send>>;

/// The state that the application can read besides the session itself.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) handshake: Option<HandshakeInfo>,
    /// Why the session did not open, or the error of the request that ended it.
    pub(crate) failure: Option<Box<ConnectError>>,
    /// The subprotocol of the session's WebSocket.
    pub(crate) protocol: Option<Box<str>>,
    pub(crate) ended_at: Option<Instant>,
}

/// The state of the client's side of a session.
pub(crate) struct ClientSide {
    /// The WebSocket that the session opens on.
    opening: Option<Opening>,
    pub(crate) polling: Polling,
    pub(crate) candidate: Option<Candidate>,
    /// Whether the session opens on polling and moves to a WebSocket if the server offers one.
    pub(crate) may_upgrade: bool,
    pub(crate) handshake: Option<HandshakeInfo>,
    /// When the server's latest ping arrived, or the session opened.
    last_ping: Instant,
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
    let (opening, carrier): (Option<Opening>, _) = match config.first {
        Transport::WebSocket => (Some(Box::pin(opening::open(dialer.clone(), None))), Carrier::None),
        Transport::Polling => (None, Carrier::Polling),
    };
    let shared = Arc::new(Shared::new(dialer, session.clone(), config.first, Knowledge::default()));
    let role = ClientSide {
        opening,
        polling: Polling::new(),
        candidate: None,
        may_upgrade: config.upgrade,
        handshake: None,
        last_ping: now,
    };
    let engine = Engine::new(Arc::clone(&shared), session, config.first);
    let running = async move {
        let mut driver = Driver::new(role, engine, carrier);
        // Reported here, in the session's own task, before a connection is opened.
        let told = tell(&driver.engine, ClientEvent::Connecting);
        driver.engine.heed(now, told);
        driver::run(driver, Span::none()).await;
    };
    (shared, running)
}

impl Session {
    /// Waits for the handshake.
    pub(crate) fn opened(&self) -> impl Future<Output = Result<HandshakeInfo, ConnectError>> {
        self.until(|inner| match (&inner.slots.handshake, &inner.view.end) {
            (Some(handshake), _) => Some(Ok(handshake.clone())),
            (None, Some(end)) => Some(Err(inner.slots.connect_error(end))),
            (None, None) => None,
        })
    }
}

impl Knowledge {
    fn connect_error(&self, end: &Disconnect) -> ConnectError {
        match (&self.failure, end.reason) {
            (Some(failure), _) => ConnectError::clone(failure),
            (None, DisconnectReason::OpenTimeout) => ConnectError::Timeout,
            (None, _) => ConnectError::Session(end.clone()),
        }
    }
}

/// Reports an event. Returns `false` if a receiver panicked.
pub(crate) fn tell(engine: &Engine<ClientSide>, event: ClientEvent) -> bool {
    let handshake = engine.shared.lock().slots.handshake.clone();
    let sid = handshake.as_ref().map_or("", HandshakeInfo::sid);
    let told = events::tell(&event, sid, engine.context().config.on_event.as_ref());
    // The memory of a message, and its `Drop`, may belong to the application.
    guarded(|| drop(event)).is_ok() && told
}

impl Engine<ClientSide> {
    /// Reports an event. If a receiver panics, the session closes.
    pub(crate) fn tell_event(&mut self, now: Instant, event: ClientEvent) {
        let told = tell(self, event);
        self.heed(now, told);
    }

    /// Returns whether messages and heartbeats are reported to anybody.
    fn is_watched(&self) -> bool {
        self.context().config.on_event.is_some() || LevelFilter::current() >= LevelFilter::TRACE
    }

    /// Ends the session because a request failed.
    pub(crate) fn fail(&mut self, now: Instant, error: ConnectError) {
        let is_too_large = matches!(error, ConnectError::TooLarge { .. });
        if !self.session.has_ended() {
            let is_open = {
                let known = &mut self.shared.lock().slots;
                known.failure.get_or_insert_with(|| Box::new(error.clone()));
                known.handshake.is_some()
            };
            if is_open {
                self.tell_event(now, ClientEvent::RequestFailed { error });
            }
        }
        if is_too_large {
            self.session.handle_violation(now, Violation::PayloadTooLarge);
        } else {
            self.session.handle_transport_error(now);
        }
    }
}

impl Role for ClientSide {
    type Session = ClientSession;
    type Context = Dialer;
    type Slots = Knowledge;

    fn clock(dialer: &Dialer) -> Clock {
        dialer.clock
    }

    fn limits(dialer: &Dialer) -> &Limits {
        &dialer.config.limits
    }

    fn revision(dialer: &Dialer) -> Revision {
        dialer.config.revision
    }

    fn close_timeout(dialer: &Dialer) -> Duration {
        dialer.config.close_timeout
    }

    fn stall_timeout(dialer: &Dialer, heartbeat: Heartbeat) -> Duration {
        dialer.config.app_stall_timeout(heartbeat)
    }

    fn log_name(engine: &Engine<Self>) -> String {
        let inner = engine.shared.lock();
        inner
            .slots
            .handshake
            .as_ref()
            .map_or_else(|| "-".to_owned(), |handshake| ShortSid(handshake.sid()).to_string())
    }

    /// Returns the server's limit if the message is above it.
    fn why_not(inner: &Inner<Self>, message: &Message, dialer: &Dialer) -> Option<SendErrorKind> {
        let max_payload = inner.slots.handshake.as_ref()?.max_payload()?;
        let revision = dialer.config.revision;
        let packet = Packet::message(message.as_websocket_message());
        // An upgrade before the message is sent can only make the payload shorter.
        let binary_as_it_is = inner.view.transport == Transport::WebSocket || revision == Revision::V3;
        let len = revision.encoded_len(&packet, binary_as_it_is);
        (u64::try_from(len).unwrap_or(u64::MAX) > u64::from(max_payload))
            .then_some(SendErrorKind::TooLarge { max_payload })
    }

    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool {
        let event = match happening {
            Happening::PingSent if engine.is_watched() => ClientEvent::PingSent,
            Happening::PongSent if engine.is_watched() => ClientEvent::PongSent,
            Happening::Message(message) if engine.is_watched() => ClientEvent::Message(message.clone()),
            Happening::Undecodable(error) => {
                ClientEvent::RequestFailed { error: ConnectError::io(std::io::Error::other(error)) }
            }
            Happening::Upgrade(outcome) => ClientEvent::UpgradeEnded(outcome),
            Happening::Closed(end) => ClientEvent::Closed(end.clone()),
            // The opening and heartbeats are reported elsewhere, with details that only a client has.
            _ => return true,
        };
        tell(engine, event)
    }

    fn handle_opened(&mut self, engine: &mut Engine<Self>, now: Instant, handshake: &Handshake<'_>) {
        let handshake = HandshakeInfo::new(handshake);
        self.last_ping = now;
        self.handshake = Some(handshake.clone());
        let protocol = engine.shared.lock().slots.protocol.as_deref().map(str::to_owned);
        if let Some(protocol) = protocol {
            engine.tell_event(now, ClientEvent::ProtocolChosen { protocol });
        }
        let transport = engine.transport;
        engine.tell_event(now, ClientEvent::Opened { handshake: handshake.clone(), transport });
        // The application may send as soon as it sees the handshake, so the session must be open by then.
        let mut inner = engine.shared.lock();
        inner.slots.handshake = Some(handshake);
        inner.view.session.clone_from(&engine.session);
        inner.mail.wake_waiters();
    }

    fn handle_heartbeat(
        &mut self,
        engine: &mut Engine<Self>,
        now: Instant,
        deadline: Option<Instant>,
        rtt: Option<Duration>,
    ) {
        let event = match engine.context().config.revision {
            Revision::V3 => ClientEvent::PongReceived { rtt },
            Revision::V4 => {
                let after = now.saturating_duration_since(self.last_ping);
                let interval = engine.session.heartbeat().map_or(Duration::ZERO, Heartbeat::ping_interval);
                let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
                self.last_ping = now;
                ClientEvent::PingReceived {
                    after,
                    late: after.saturating_sub(interval),
                    left: left.unwrap_or_default(),
                }
            }
        };
        if engine.is_watched() {
            engine.tell_event(now, event);
        }
    }

    fn handle_end(engine: &mut Engine<Self>, now: Instant, end: &Disconnect) {
        let failed = {
            let known = &mut engine.shared.lock().slots;
            known.ended_at = Some(now);
            known.handshake.is_none().then(|| known.connect_error(end))
        };
        match failed {
            Some(error) => engine.tell_event(now, ClientEvent::ConnectFailed { error }),
            None => engine.tell(now, Happening::Closed(end)),
        }
    }

    fn advance(driver: &mut Driver<Self>, cx: &mut Context<'_>, now: Instant) {
        open_websocket(driver, cx, now);
        Polling::read(driver, cx, now);
        candidate::drive(driver, cx, now);
    }

    fn write_polling(driver: &mut Driver<Self>, now: Instant) {
        Polling::write(driver, now);
    }

    fn handle_ended(driver: &mut Driver<Self>, _: &mut Context<'_>, now: Instant) {
        driver.role.opening = None;
        Polling::follow_end(driver, now);
    }

    fn next_deadline(driver: &Driver<Self>, session: Option<Instant>, _: Instant) -> [Option<Instant>; 2] {
        let role = &driver.role;
        let upgrade = role.candidate.as_ref().and_then(Candidate::deadline);
        [session, [upgrade, role.polling.deadline()].into_iter().flatten().min()]
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
