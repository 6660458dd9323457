//! A WebSocket to which a session on polling may move.

use core::task::{Context, Poll};

use eio_core::Instant;
use eio_core::upgrade::{ClientUpgrade, UpgradeOutcome};

use crate::carrier::Carrier;
use crate::carrier::websocket::{FrameSource, WebSocketIo};
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::handshake::HandshakeInfo;
use crate::client::opening::{self, Opened};
use crate::client::session::{ClientSide, Opening};
use crate::session::driver::Driver;
use crate::session::engine::Engine;
use crate::session::role::Happening;
use crate::session::upgrade::ProbeSink;
use crate::wire::outgoing::ToWrite;
use crate::wire::transport::Transport;

/// A WebSocket that may become the session's.
pub(crate) struct Candidate {
    opening: Option<Opening>,
    io: Option<Box<WebSocketIo>>,
    protocol: Option<Box<str>>,
    upgrade: ClientUpgrade,
}

/// Starts to open a WebSocket to which the session will move.
pub(crate) fn start(role: &mut ClientSide, engine: &mut Engine<ClientSide>, now: Instant) {
    let dialer = engine.context().clone();
    let upgrade = ClientUpgrade::new(dialer.config.upgrade_timeout, now);
    let sid = role.handshake.as_ref().map(|handshake| HandshakeInfo::sid(handshake).to_owned());
    let opening: Opening = Box::pin(opening::open(dialer, sid));
    engine.tell_event(now, ClientEvent::UpgradeStarted);
    role.candidate = Some(Candidate { opening: Some(opening), io: None, protocol: None, upgrade });
}

/// Continues the upgrade.
pub(crate) fn drive(driver: &mut Driver<ClientSide>, cx: &mut Context<'_>, now: Instant) {
    let Driver { role, engine, carrier, departing, .. } = driver;
    let Some(candidate) = &mut role.candidate else { return };
    // A session that closes stays on its transport.
    if !engine.session.is_open() {
        candidate.upgrade.handle_session_ended();
    }
    if let Some(error) = candidate.open(cx) {
        engine.tell_event(now, ClientEvent::UpgradeFailed { error });
    }
    candidate.read(cx, engine, now);
    candidate.upgrade.handle_timeout(now);
    if candidate.upgrade.wants_pause() && !role.polling.is_busy() {
        candidate.upgrade.handle_polling_paused(now);
    }
    candidate.write(cx);
    let Some(outcome) = candidate.upgrade.outcome() else { return };
    let protocol = candidate.protocol.take();
    let io = role.candidate.take().and_then(|candidate| candidate.io);
    match io {
        Some(io) if outcome == UpgradeOutcome::Upgraded => {
            role.polling.clear();
            *carrier = Carrier::WebSocket(io);
            engine.transport = Transport::WebSocket;
            if let Some(protocol) = protocol {
                engine.tell_event(
                    now,
                    ClientEvent::ProtocolChosen { protocol: protocol.clone().into_string() },
                );
                engine.shared.lock().slots.protocol = Some(protocol);
            }
        }
        Some(io) => departing.add(io, now),
        None => {}
    }
    engine.tell(now, Happening::Upgrade(outcome));
}

impl Candidate {
    /// Takes up the WebSocket once it is open. Returns why it did not open, if it did not.
    fn open(&mut self, cx: &mut Context<'_>) -> Option<ConnectError> {
        let Poll::Ready(opened) = self.opening.as_mut()?.as_mut().poll(cx) else { return None };
        self.opening = None;
        match opened {
            Ok(Opened { io, protocol }) => {
                self.io = Some(io);
                self.protocol = protocol.map(String::into_boxed_str);
                None
            }
            Err(error) => {
                self.upgrade.handle_transport_closed();
                Some(error)
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, engine: &Engine<ClientSide>, now: Instant) {
        let Some(io) = &mut self.io else { return };
        let revision = engine.context().config.revision;
        if io.poll_read(cx, &mut ProbeSink { upgrade: &mut self.upgrade, revision, now }).is_ready() {
            self.upgrade.handle_transport_closed();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        if let Some(io) = &mut self.io
            && let Poll::Ready(Err(_)) = io.poll_write(cx, &mut ProbeSource(&mut self.upgrade))
        {
            self.upgrade.handle_transport_closed();
        }
    }

    /// Returns the time at which it must be driven again at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.upgrade.poll_timeout()
    }

    /// Returns whether polling is paused, so that no new request may start.
    pub(crate) fn wants_pause(&self) -> bool {
        self.upgrade.wants_pause()
    }
}

/// Provides the packets of an upgrade for its candidate.
struct ProbeSource<'a>(&'a mut ClientUpgrade);

impl FrameSource for ProbeSource<'_> {
    fn next(&mut self) -> Option<ToWrite> {
        self.0.poll_transmit().map(|control| ToWrite::Control(control.encoded()))
    }

    fn written(&mut self, _: usize) {}
}
