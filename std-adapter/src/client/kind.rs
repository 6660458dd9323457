//! A client's sessions: what their application may know, and what happens to them.

use core::time::Duration;

use eio_core::handshake::{Handshake, Transport};
use eio_core::packet::Packet;
use eio_core::session::Violation;
use eio_core::{ClientSession, DisconnectReason, Heartbeat, Instant, Revision};
use tracing::level_filters::LevelFilter;

use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::events;
use crate::client::handshake::{HandshakeInfo, ShortSid};
use crate::client::http::Dialer;
use crate::session::end::Disconnect;
use crate::session::engine::{Engine, Reacts};
use crate::session::guard::guarded;
use crate::session::happening::Happening;
use crate::session::kind::Kind;
use crate::session::limits::Limits;
use crate::session::mailbox::Mailbox;
use crate::session::send::SendErrorKind;
use crate::session::shared::Shared;
use crate::wire::clock::Clock;
use crate::wire::message::Message;

/// One session of a client, as its task and its application share it.
pub(crate) type Session = Shared<ClientKind>;

/// The sessions of a client.
pub(crate) struct ClientKind;

/// What a session's task knows of the server.
pub(crate) struct Peer {
    pub(crate) handshake: Option<HandshakeInfo>,
    /// When the server's latest ping arrived, or the session opened.
    pub(crate) last_ping: Instant,
}

/// The state that the application can read besides the session itself.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) handshake: Option<HandshakeInfo>,
    /// Why the session did not open, or the error of the request that ended it.
    pub(crate) failure: Option<Box<ConnectError>>,
    /// The subprotocol of the session's WebSocket.
    pub(crate) protocol: Option<Box<str>>,
    pub(crate) ended_at: Option<Instant>,
    /// Whether the session's task has ended, and its connections have been closed, or the close timeout has come.
    pub(crate) is_over: bool,
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
pub(crate) fn tell(engine: &Engine<ClientKind>, event: ClientEvent) -> bool {
    let handshake = engine.shared.lock().slots.handshake.clone();
    let sid = handshake.as_ref().map_or("", HandshakeInfo::sid);
    let told = events::tell(&event, sid, engine.context().config.on_event.as_ref());
    // The memory of a message, and its `Drop`, may belong to the application.
    guarded(|| drop(event)).is_ok() && told
}

impl Engine<ClientKind> {
    /// Reports an event. If a receiver panics, the session closes.
    pub(crate) fn tell_event(&mut self, now: Instant, event: ClientEvent) {
        let told = tell(self, event);
        self.close_unless_told(now, told);
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

impl Kind for ClientKind {
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

    /// Returns the server's limit if the message is above it.
    fn why_not(
        dialer: &Dialer,
        known: &Knowledge,
        transport: Transport,
        message: &Message,
    ) -> Option<SendErrorKind> {
        let max_payload = known.handshake.as_ref()?.max_payload()?;
        let revision = dialer.config.revision;
        let packet = Packet::message(message.as_websocket_message());
        // An upgrade before the message is sent can only make the payload shorter.
        let binary_as_it_is = transport == Transport::WebSocket || revision == Revision::V3;
        let len = revision.encoded_len(&packet, binary_as_it_is);
        (u64::try_from(len).unwrap_or(u64::MAX) > u64::from(max_payload))
            .then_some(SendErrorKind::TooLarge { max_payload })
    }

    fn carries_now(dialer: &Dialer, _: &Knowledge, mail: &Mailbox, transport: Transport) -> bool {
        transport != Transport::Polling || mail.outbox.unsent() < dialer.config.max_packets_per_payload
    }

    /// Who closes a session wants to know when the server has everything. After every other end there is nothing to wait for.
    fn is_over(known: &Knowledge, end: &Disconnect) -> bool {
        known.is_over || end.reason != DisconnectReason::LocalClose
    }
}

impl Reacts for ClientKind {
    type Peer = Peer;

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

    fn is_watching(engine: &Engine<Self>) -> bool {
        engine.context().config.on_event.is_some() || LevelFilter::current() >= LevelFilter::TRACE
    }

    fn tell(engine: &Engine<Self>, happening: Happening<'_>) -> bool {
        let event = match happening {
            Happening::PingSent if Self::is_watching(engine) => ClientEvent::PingSent,
            Happening::PongSent if Self::is_watching(engine) => ClientEvent::PongSent,
            Happening::Message(message) => ClientEvent::Message(message.clone()),
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

    fn handle_opened(engine: &mut Engine<Self>, now: Instant, handshake: &Handshake<'_>) {
        let handshake = HandshakeInfo::new(handshake);
        engine.peer.last_ping = now;
        engine.peer.handshake = Some(handshake.clone());
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
        engine: &mut Engine<Self>,
        now: Instant,
        deadline: Option<Instant>,
        rtt: Option<Duration>,
    ) {
        let event = match engine.context().config.revision {
            Revision::V3 => ClientEvent::PongReceived { rtt },
            Revision::V4 => {
                let after = now.saturating_duration_since(engine.peer.last_ping);
                let interval = engine.session.heartbeat().map_or(Duration::ZERO, Heartbeat::ping_interval);
                let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
                engine.peer.last_ping = now;
                ClientEvent::PingReceived {
                    after,
                    late: after.saturating_sub(interval),
                    left: left.unwrap_or_default(),
                }
            }
        };
        if Self::is_watching(engine) {
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
}
