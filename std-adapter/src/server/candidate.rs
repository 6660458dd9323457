//! A WebSocket to which a session on polling may move.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use eio_core::Instant;
use eio_core::upgrade::{ServerUpgrade, UpgradeControl, UpgradeOutcome};
use hyper::upgrade::OnUpgrade;

use crate::carrier::websocket::{FrameSource, WebSocketIo};
use crate::server::sessions::ServerKind;
use crate::server::websocket::websocket;
use crate::session::engine::Engine;
use crate::session::upgrade;
use crate::wire::outgoing::ToWrite;

/// A WebSocket that was requested with a session's sid. Its packets belong to the upgrade, until a `5` makes it the
/// session's transport.
pub(crate) struct Candidate {
    opening: Option<OnUpgrade>,
    io: Option<Box<WebSocketIo>>,
    upgrade: ServerUpgrade,
    owes_pong: bool,
    noop_pending: bool,
}

impl Candidate {
    pub(crate) fn new(opening: OnUpgrade, upgrade_timeout: Duration, now: Instant) -> Self {
        let upgrade = ServerUpgrade::new(upgrade_timeout, now);
        Self { opening: Some(opening), io: None, upgrade, owes_pong: false, noop_pending: false }
    }

    /// Continues the upgrade. Returns how it ended, if it has.
    pub(crate) fn drive(
        &mut self,
        cx: &mut Context<'_>,
        engine: &Engine<ServerKind>,
        now: Instant,
    ) -> Option<UpgradeOutcome> {
        self.open(cx, engine);
        // Also in this very pass: a session that has ended does not move.
        if engine.session.has_ended() {
            self.upgrade.handle_session_ended();
        }
        upgrade::read(self.io.as_deref_mut(), cx, &mut self.upgrade, engine.context().revision, now);
        while let Some(control) = self.upgrade.poll_transmit() {
            match control {
                UpgradeControl::PongProbe => self.owes_pong = true,
                UpgradeControl::Noop => self.noop_pending = true,
                UpgradeControl::PingProbe | UpgradeControl::Upgrade => {}
            }
        }
        if let Some(io) = &mut self.io
            && let Poll::Ready(Err(_)) = io.poll_write(cx, &mut ProbeAnswer(&mut self.owes_pong))
        {
            self.upgrade.handle_transport_closed();
        }
        self.upgrade.outcome()
    }

    fn open(&mut self, cx: &mut Context<'_>, engine: &Engine<ServerKind>) {
        let Some(opening) = &mut self.opening else { return };
        match Pin::new(opening).poll(cx) {
            Poll::Pending => return,
            Poll::Ready(Ok(upgraded)) => self.io = Some(Box::new(websocket(engine.context(), upgraded))),
            Poll::Ready(Err(_)) => self.upgrade.handle_transport_closed(),
        }
        self.opening = None;
    }

    /// Returns whether to answer the waiting poll with a noop, so that the client stops polling.
    pub(crate) fn take_noop(&mut self) -> bool {
        core::mem::take(&mut self.noop_pending)
    }

    /// Returns the time at which it must be driven again at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.upgrade.poll_timeout()
    }

    /// Returns the WebSocket if it opened.
    pub(crate) fn into_io(self) -> Option<Box<WebSocketIo>> {
        self.io
    }
}

/// Provides the answer to a probe, if one is pending.
struct ProbeAnswer<'a>(&'a mut bool);

impl FrameSource for ProbeAnswer<'_> {
    fn next(&mut self) -> Option<ToWrite<'_>> {
        core::mem::take(self.0).then_some(ToWrite::Control(UpgradeControl::PongProbe.encoded()))
    }

    fn written(&mut self, _: usize) {}
}
