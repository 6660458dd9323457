//! A WebSocket to which a session on polling may move.

use core::task::{Context, Poll};

use eio_core::Instant;
use eio_core::upgrade::{ClientUpgrade, UpgradeOutcome};

use crate::carrier::websocket::{FrameSource, WebSocketIo};
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::handshake::HandshakeInfo;
use crate::client::kind::ClientKind;
use crate::client::opening::{self, Opened, Opening};
use crate::session::engine::Engine;
use crate::session::upgrade;
use crate::wire::outgoing::ToWrite;

/// A WebSocket that may become the session's.
pub(crate) struct Candidate {
    opening: Option<Opening>,
    opened: Option<Opened>,
    upgrade: ClientUpgrade,
}

impl Candidate {
    /// Starts to open a WebSocket to which the session will move.
    pub(crate) fn start(engine: &mut Engine<ClientKind>, now: Instant) -> Self {
        let dialer = engine.context().clone();
        let upgrade = ClientUpgrade::new(dialer.config.upgrade_timeout, now);
        let sid = engine.peer.handshake.as_ref().map(|handshake| HandshakeInfo::sid(handshake).to_owned());
        engine.tell_event(now, ClientEvent::UpgradeStarted);
        Self { opening: Some(Box::pin(opening::open(dialer, sid))), opened: None, upgrade }
    }

    /// Does what can be done now. `polling_idle` says that no request of polling is in flight. Returns how the upgrade
    /// ended, if it has.
    pub(crate) fn drive(
        &mut self,
        cx: &mut Context<'_>,
        engine: &mut Engine<ClientKind>,
        now: Instant,
        polling_idle: bool,
    ) -> Option<UpgradeOutcome> {
        // A session that closes stays on its transport.
        if !engine.session.is_open() {
            self.upgrade.handle_session_ended();
        }
        if let Some(error) = self.open(cx) {
            engine.tell_event(now, ClientEvent::UpgradeFailed { error });
        }
        let io = self.opened.as_mut().map(|opened| &mut *opened.io);
        upgrade::read(io, cx, &mut self.upgrade, engine.context().config.revision, now);
        if self.upgrade.wants_pause() && polling_idle {
            self.upgrade.handle_polling_paused(now);
        }
        if let Some(Opened { io, .. }) = &mut self.opened
            && let Poll::Ready(Err(_)) = io.poll_write(cx, &mut ProbeSource(&mut self.upgrade))
        {
            self.upgrade.handle_transport_closed();
        }
        self.upgrade.outcome()
    }

    /// Takes up the WebSocket once it is open. Returns why it did not open, if it did not.
    fn open(&mut self, cx: &mut Context<'_>) -> Option<ConnectError> {
        let Poll::Ready(opened) = self.opening.as_mut()?.as_mut().poll(cx) else { return None };
        self.opening = None;
        match opened {
            Ok(opened) => {
                self.opened = Some(opened);
                None
            }
            Err(error) => {
                self.upgrade.handle_transport_closed();
                Some(error)
            }
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

    /// The WebSocket, if it opened.
    pub(crate) fn into_opened(self) -> Option<(Box<WebSocketIo>, Option<String>)> {
        self.opened.map(|Opened { io, protocol }| (io, protocol))
    }
}

/// Provides the packets of an upgrade for its candidate.
struct ProbeSource<'a>(&'a mut ClientUpgrade);

impl FrameSource for ProbeSource<'_> {
    fn next(&mut self) -> Option<ToWrite<'_>> {
        self.0.poll_transmit().map(|control| ToWrite::Control(control.encoded()))
    }

    fn written(&mut self, _: usize) {}
}
