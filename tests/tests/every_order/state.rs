//! A server, a client, and links that delay and break: all that may happen next, and what must never be seen.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use eio_core::handshake::{Handshake, Sid};
use eio_core::packet::{Packet, PacketType};
use eio_core::session::{CLOSE_TIMEOUT, Control};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeOutcome};
use eio_core::{ClientSession, Heartbeat, Instant, Revision, ServerSession, SessionEvent};

/// The same call on either role.
macro_rules! either {
    ($session:expr, $inner:ident => $call:expr) => {
        match $session {
            Session::Server($inner) => $call,
            Session::Client($inner) => $call,
        }
    };
}

mod promises;
mod setting;
mod steps;

pub(crate) use setting::Setting;

/// Time is counted in ticks, which are as long as the pace of an upgrade's noops.
pub(crate) type Ticks = u32;

const MILLIS_PER_TICK: u32 = 100;

fn at(ticks: Ticks) -> Instant {
    Instant::from_micros(u64::from(ticks) * u64::from(MILLIS_PER_TICK) * 1_000)
}

fn lasting(ticks: Ticks) -> Duration {
    Duration::from_millis(u64::from(ticks * MILLIS_PER_TICK))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Server, Self::Client];

    fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing happens any more in this tick.
    Tick,
    /// The oldest packet under way to this side arrives.
    Deliver(Side),
    /// This side's session is woken.
    Wake(Side),
    /// This side sends a message.
    Say(Side),
    Close(Side),
    /// This side's machine loses its power; what it sent is still under way.
    Vanish(Side),
    /// Both directions go dead, with all that is under way.
    Cut,
    /// The client opens a WebSocket.
    OpenCandidate,
    DeliverOnCandidate(Side),
    WakeUpgrade(Side),
    /// The client's last poll is answered.
    PausePolling,
    /// The WebSocket is closed, or breaks, and a side that has not heard of it yet does now.
    CloseCandidate,
    /// The WebSocket swallows everything from now on.
    HangCandidate,
}

/// Packets under way, with the tick at which each was sent.
type Link<P> = VecDeque<(Ticks, P)>;

#[derive(Clone, Debug)]
enum Session {
    Server(ServerSession),
    Client(ClientSession),
}

/// An upgrade in progress, or over.
#[derive(Clone, Debug)]
struct Upgrade {
    server: ServerUpgrade,
    client: ClientUpgrade,
    to_server: Link<UpgradeControl>,
    to_client: Link<UpgradeControl>,
    candidate: Candidate,
    /// Since when the client is to stop polling.
    pausing_since: Option<Ticks>,
    /// The client's packets and the server's that wait for the upgrade.
    held: Vec<Control>,
    buffered: Vec<Control>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidate {
    Alive,
    /// One side gave it up and said so in this tick.
    Closing(Ticks),
    Hung,
    Closed,
}

/// Everything at one moment.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) now: Ticks,
    server: Session,
    client: Session,
    to_server: Link<Option<Control>>,
    to_client: Link<Option<Control>>,
    server_may_say: u8,
    client_may_say: u8,
    may_break: bool,
    may_close: bool,
    vanished: Option<Side>,
    /// Since when the two cannot reach each other, or one of them is gone.
    broken_since: Option<Ticks>,
    is_cut: bool,
    closed_since: Option<Ticks>,
    upgrade: Option<Upgrade>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?} ", self.now, self.server, self.client)?;
        write!(f, "{:?} {:?} {} ", self.to_server, self.to_client, self.server_may_say)?;
        write!(f, "{} {} {} ", self.client_may_say, self.may_break, self.may_close)?;
        write!(f, "{:?} {:?} {} ", self.vanished, self.broken_since, self.is_cut)?;
        write!(f, "{:?} {:?}", self.closed_since, self.upgrade)
    }
}

impl State {
    /// The session is open on both sides, the handshake having taken no time.
    pub(crate) fn new(setting: Setting) -> Self {
        let heartbeat = Heartbeat::from_millis(
            setting.ping_interval * MILLIS_PER_TICK,
            setting.ping_timeout * MILLIS_PER_TICK,
        )
        .expect("small periods");
        let mut buffer = [0; Handshake::MAX_LEN];
        let sid = Sid::new("lv_VI97HAXpY6yYWAAAC").expect("a sid");
        let handshake = Handshake::new(sid, heartbeat).encode(&mut buffer).expect("room");
        let (server, mut client) = match setting.revision {
            Revision::V4 => (
                ServerSession::eio4(heartbeat, setting.liveness, at(0)),
                ClientSession::eio4(lasting(1), at(0)),
            ),
            Revision::V3 => (
                ServerSession::eio3(heartbeat, setting.liveness, at(0)),
                ClientSession::eio3(lasting(1), at(0)),
            ),
        };
        let opened = client.handle_packet(at(0), Ok(Packet::text(PacketType::Open, handshake)));
        assert!(matches!(opened, Some(SessionEvent::Opened(_))));
        Self {
            now: 0,
            server: Session::Server(server),
            client: Session::Client(client),
            to_server: Link::new(),
            to_client: Link::new(),
            server_may_say: setting.messages,
            client_may_say: setting.messages,
            may_break: setting.breaks,
            may_close: setting.closes,
            vanished: None,
            broken_since: None,
            is_cut: false,
            closed_since: None,
            upgrade: None,
        }
    }

    /// Whether nothing is left to happen.
    pub(crate) fn is_over(&self, setting: Setting) -> bool {
        self.now == setting.horizon || Side::BOTH.into_iter().all(|side| !self.is_up(side))
    }

    /// How long after the break the last survivor gave up, if it has.
    pub(crate) fn noticed_after(&self) -> Option<Ticks> {
        let since = self.broken_since?;
        Side::BOTH.into_iter().all(|side| !self.is_up(side)).then(|| self.now - since)
    }

    /// Whether an upgrade has succeeded on both sides.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgrade.as_ref().is_some_and(|upgrade| {
            upgrade.server.outcome() == Some(UpgradeOutcome::Upgraded)
                && upgrade.client.outcome() == Some(UpgradeOutcome::Upgraded)
        })
    }

    /// Returns the state after `step`, or which promise it breaks.
    pub(crate) fn after(&self, setting: Setting, step: Step) -> Result<Self, String> {
        let mut state = self.clone();
        state.take(setting, step);
        state.check(setting, step)?;
        Ok(state)
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each step of the world")]
    fn take(&mut self, setting: Setting, step: Step) {
        let now = at(self.now);
        match step {
            Step::Tick => self.now += 1,
            Step::Deliver(side) => {
                let Some((_, packet)) = self.link_mut(side).pop_front() else { return };
                if self.vanished == Some(side) {
                    return;
                }
                let packet = packet.map_or(Packet::text(PacketType::Message, "hello"), Control::packet);
                either!(self.session_mut(side), session => {
                    let _ = session.handle_packet(now, Ok(packet));
                });
                self.flush(side);
            }
            Step::Wake(side) => {
                either!(self.session_mut(side), session => session.handle_timeout(now));
                self.flush(side);
            }
            Step::Say(side) => {
                match side {
                    Side::Server => self.server_may_say -= 1,
                    Side::Client => self.client_may_say -= 1,
                }
                // A message that is held back for an upgrade can wait here as well.
                if either!(self.session(side), session => session.check_send(now)).is_ok() {
                    self.send(side, None);
                }
            }
            Step::Close(side) => {
                self.may_close = false;
                self.closed_since = Some(self.now);
                either!(self.session_mut(side), session => session.close(now, CLOSE_TIMEOUT));
                self.flush(side);
            }
            Step::Vanish(side) => {
                self.vanished = Some(side);
                self.break_down();
                if let Some(upgrade) = &mut self.upgrade {
                    upgrade.candidate = Candidate::Hung;
                    match side {
                        Side::Server => upgrade.buffered.clear(),
                        Side::Client => upgrade.held.clear(),
                    }
                }
            }
            Step::Cut => self.cut(),
            Step::OpenCandidate => {
                let (servers, clients) = setting.upgrade_timeouts.expect("upgrades are allowed");
                self.upgrade = Some(Upgrade {
                    server: ServerUpgrade::new(lasting(servers), now),
                    client: ClientUpgrade::new(lasting(clients), now),
                    to_server: Link::new(),
                    to_client: Link::new(),
                    candidate: Candidate::Alive,
                    pausing_since: None,
                    held: Vec::new(),
                    buffered: Vec::new(),
                });
                self.flush_upgrade();
            }
            Step::DeliverOnCandidate(side) => {
                let vanished = self.vanished == Some(side);
                let Some(upgrade) = &mut self.upgrade else { return };
                let link = match side {
                    Side::Server => &mut upgrade.to_server,
                    Side::Client => &mut upgrade.to_client,
                };
                let Some((_, packet)) = link.pop_front() else { return };
                match side {
                    _ if vanished => {}
                    Side::Server => upgrade.server.handle_packet(now, Ok(packet.packet())),
                    Side::Client => upgrade.client.handle_packet(now, Ok(packet.packet())),
                }
                self.flush_upgrade();
            }
            Step::WakeUpgrade(side) => {
                let Some(upgrade) = &mut self.upgrade else { return };
                match side {
                    Side::Server => upgrade.server.handle_timeout(now),
                    Side::Client => upgrade.client.handle_timeout(now),
                }
                self.flush_upgrade();
            }
            Step::PausePolling => {
                let Some(upgrade) = &mut self.upgrade else { return };
                upgrade.client.handle_polling_paused(now);
                self.flush_upgrade();
            }
            Step::CloseCandidate => self.close_candidate(),
            Step::HangCandidate => {
                let Some(upgrade) = &mut self.upgrade else { return };
                upgrade.candidate = Candidate::Hung;
                upgrade.to_server.clear();
                upgrade.to_client.clear();
                // The session had moved, or was about to: the client does not poll any more.
                if upgrade.client.outcome() == Some(UpgradeOutcome::Upgraded) {
                    self.cut();
                }
            }
        }
    }

    fn close_candidate(&mut self) {
        let now = at(self.now);
        let Some(upgrade) = &mut self.upgrade else { return };
        upgrade.candidate = Candidate::Closed;
        upgrade.to_server.clear();
        upgrade.to_client.clear();
        let server_moved = upgrade.server.outcome() == Some(UpgradeOutcome::Upgraded);
        let client_moved = upgrade.client.outcome() == Some(UpgradeOutcome::Upgraded);
        upgrade.server.handle_transport_closed();
        upgrade.client.handle_transport_closed();
        self.flush_upgrade();
        if client_moved {
            self.cut();
            either!(&mut self.client, session => session.handle_transport_closed(now));
        }
        if server_moved {
            either!(&mut self.server, session => session.handle_transport_closed(now));
        }
    }

    fn break_down(&mut self) {
        self.may_break = false;
        self.broken_since.get_or_insert(self.now);
    }

    fn cut(&mut self) {
        self.break_down();
        self.is_cut = true;
        self.to_server.clear();
        self.to_client.clear();
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.to_server.clear();
            upgrade.to_client.clear();
            if upgrade.candidate == Candidate::Alive {
                upgrade.candidate = Candidate::Hung;
            }
        }
    }

    /// Writes what a session wants written.
    fn flush(&mut self, side: Side) {
        while let Some(control) = either!(self.session_mut(side), session => session.poll_transmit()) {
            self.send(side, Some(control));
            if control == Control::Close {
                let now = at(self.now);
                either!(self.session_mut(side), session => session.handle_closed(now));
            }
        }
        if !self.is_up(side)
            && let Some(upgrade) = &mut self.upgrade
        {
            match side {
                Side::Server => upgrade.server.handle_session_ended(),
                Side::Client => upgrade.client.handle_session_ended(),
            }
            self.flush_upgrade();
        }
    }

    /// Sends by polling or by WebSocket, or keeps the packet until one of them is there. `None` is a message.
    fn send(&mut self, from: Side, packet: Option<Control>) {
        if let (Some(upgrade), Some(control)) = (&mut self.upgrade, packet) {
            let client_moved = upgrade.client.outcome() == Some(UpgradeOutcome::Upgraded);
            let server_moved = upgrade.server.outcome() == Some(UpgradeOutcome::Upgraded);
            if from == Side::Client && upgrade.client.wants_pause() {
                upgrade.held.push(control);
                return;
            }
            // Without a poll the server has nowhere to write.
            if from == Side::Server && (upgrade.client.wants_pause() || client_moved) && !server_moved {
                upgrade.buffered.push(control);
                return;
            }
        }
        if !self.is_cut {
            let now = self.now;
            self.link_mut(from.other()).push_back((now, packet));
        }
    }

    /// Writes what the two ends of the upgrade want written, and lets go of what waited for it.
    fn flush_upgrade(&mut self) {
        let now = self.now;
        let is_cut = self.is_cut;
        let Some(upgrade) = &mut self.upgrade else { return };
        let works = upgrade.candidate == Candidate::Alive && !is_cut;
        while let Some(control) = upgrade.server.poll_transmit() {
            // A noop only ends a poll.
            if works && control != UpgradeControl::Noop {
                upgrade.to_client.push_back((now, control));
            }
        }
        while let Some(control) = upgrade.client.poll_transmit() {
            if works {
                upgrade.to_server.push_back((now, control));
            }
        }
        if upgrade.client.wants_pause() {
            upgrade.pausing_since.get_or_insert(now);
        } else {
            for control in upgrade.held.drain(..) {
                if !is_cut {
                    self.to_server.push_back((now, Some(control)));
                }
            }
        }
        let server_moved = upgrade.server.outcome() == Some(UpgradeOutcome::Upgraded);
        let polls =
            upgrade.client.outcome() != Some(UpgradeOutcome::Upgraded) && !upgrade.client.wants_pause();
        if server_moved || polls {
            for control in upgrade.buffered.drain(..) {
                if !is_cut {
                    self.to_client.push_back((now, Some(control)));
                }
            }
        }
        let is_failed = |outcome| matches!(outcome, Some(UpgradeOutcome::Failed(_)));
        if works && (is_failed(upgrade.server.outcome()) || is_failed(upgrade.client.outcome())) {
            upgrade.candidate = Candidate::Closing(now);
        }
        // The client went to a WebSocket that does not carry anything.
        if upgrade.client.outcome() == Some(UpgradeOutcome::Upgraded) && !works && !is_cut {
            self.cut();
        }
    }

    fn both_open(&self) -> bool {
        Side::BOTH.into_iter().all(|side| either!(self.session(side), session => session.is_open()))
    }

    /// Neither gone nor ended.
    fn is_up(&self, side: Side) -> bool {
        self.vanished != Some(side) && either!(self.session(side), session => session.end()).is_none()
    }

    fn may_say(&self, side: Side) -> u8 {
        match side {
            Side::Server => self.server_may_say,
            Side::Client => self.client_may_say,
        }
    }

    fn session(&self, side: Side) -> &Session {
        match side {
            Side::Server => &self.server,
            Side::Client => &self.client,
        }
    }

    fn session_mut(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Server => &mut self.server,
            Side::Client => &mut self.client,
        }
    }

    fn link(&self, to: Side) -> &Link<Option<Control>> {
        match to {
            Side::Server => &self.to_server,
            Side::Client => &self.to_client,
        }
    }

    fn link_mut(&mut self, to: Side) -> &mut Link<Option<Control>> {
        match to {
            Side::Server => &mut self.to_server,
            Side::Client => &mut self.to_client,
        }
    }
}
