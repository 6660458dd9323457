//! What a session ought to do, worked out anew from the facts of its story. It keeps facts, no timers: each deadline
//! is one formula over them. The world compares it with the session after every call.

use eio_core::packet::PacketType;
use eio_core::session::{CheckSendError, Control, DisconnectReason};
use eio_core::{Heartbeat, Liveness, Revision};

use super::clock::Reading;

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session has two ends")]
pub enum Role {
    /// It sends the handshake.
    Server,
    /// It opens the connection.
    Client,
}

/// When something happened: its time, and its place in the order of all that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    at: Reading,
    order: u64,
}

/// The longest round trip that a session tells apart, in microseconds.
const LONGEST_RTT: Reading = 0xffff_fffe;

/// The facts of one end's story.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    role: Role,
    revision: Revision,
    liveness: Liveness,
    interval: Reading,
    timeout: Reading,
    /// The client's own limit for the timeout.
    timeout_at_most: Reading,
    /// When a server's first ping is due, if before its interval.
    first_ping_after: Reading,
    now: Reading,
    order: u64,

    open_by: Reading,
    opened: Option<Fact>,
    /// The last ping of this side, and the first pong after it.
    pinged: Option<Fact>,
    answered: Option<Fact>,
    /// The last ping of the peer.
    peer_ping: Option<Fact>,
    /// The first packet other than a pong after our last ping.
    other_since_ping: Option<Fact>,
    /// The last packet of any type, or partial one.
    any: Option<Fact>,
    any_since_closing: bool,
    /// The last packet that a closing server got.
    heard_closing: Option<Fact>,
    resumed: Option<Fact>,
    stall_by: Option<Reading>,
    closing: Option<Closing>,
    last_seen: Reading,
    rtt: Option<Reading>,
    ended: Option<(Reading, DisconnectReason)>,
    owed: Vec<Control>,
}

#[derive(Clone, Copy, Debug)]
struct Closing {
    since: Fact,
    by: Reading,
    /// When the next ping would have been due.
    ping_due: Option<Reading>,
}

const fn reading(duration: core::time::Duration) -> Reading {
    super::micros(duration).cast_signed()
}

impl Oracle {
    pub(crate) fn server(revision: Revision, heartbeat: Heartbeat, liveness: Liveness, now: Reading) -> Self {
        let mut oracle = Self::new(Role::Server, revision, liveness, now);
        oracle.open(now, heartbeat);
        oracle
    }

    pub(crate) fn client(revision: Revision, open_by: Reading, now: Reading) -> Self {
        Self { open_by, ..Self::new(Role::Client, revision, Liveness::PongOnly, now) }
    }

    fn new(role: Role, revision: Revision, liveness: Liveness, now: Reading) -> Self {
        Self {
            role,
            revision,
            liveness,
            interval: 0,
            timeout: 0,
            timeout_at_most: Reading::MAX,
            first_ping_after: Reading::MAX,
            now,
            order: 0,
            open_by: now,
            opened: None,
            pinged: None,
            answered: None,
            peer_ping: None,
            other_since_ping: None,
            any: None,
            any_since_closing: false,
            heard_closing: None,
            resumed: None,
            stall_by: None,
            closing: None,
            last_seen: now,
            rtt: None,
            ended: None,
            owed: Vec::new(),
        }
    }

    pub(crate) fn limit_timeout(&mut self, at_most: core::time::Duration) {
        self.timeout_at_most = reading(at_most);
    }

    pub(crate) fn bring_first_ping_forward(&mut self, after: core::time::Duration) {
        self.first_ping_after = reading(after);
    }

    fn fact(&mut self, now: Reading) -> Fact {
        self.now = self.now.max(now);
        self.order += 1;
        Fact { at: self.now, order: self.order }
    }

    // What happens.

    /// The handshake is done.
    pub(crate) fn open(&mut self, now: Reading, heartbeat: Heartbeat) {
        let fact = self.fact(now);
        self.interval = reading(heartbeat.ping_interval());
        self.timeout = reading(heartbeat.ping_timeout()).min(self.timeout_at_most);
        self.opened = Some(fact);
        self.last_seen = fact.at;
    }

    /// A packet came in. `None`: something that is not a packet.
    pub(crate) fn packet(&mut self, now: Reading, packet: PacketType) {
        let fact = self.fact(now);
        if self.ended.is_some() {
            return;
        }
        if self.role == Role::Client && (self.opened.is_none() || packet == PacketType::Open) {
            let reason = match packet {
                PacketType::Close => DisconnectReason::PeerClose,
                _ => DisconnectReason::UnexpectedPacket,
            };
            return self.end_by_peer(now, reason);
        }
        let closing = self.closing.is_some();
        if packet == PacketType::Close {
            return self.end_by_peer(now, DisconnectReason::PeerClose);
        }
        self.last_seen = fact.at;
        // To a closing server, each packet is a sign of life and nothing else.
        if closing && self.role == Role::Server {
            self.heard_closing = Some(fact);
            return;
        }
        let wrong = match self.revision {
            Revision::V4 => PacketType::Ping,
            Revision::V3 => PacketType::Pong,
        };
        if self.role == Role::Server && packet == wrong {
            return self.end(now, DisconnectReason::WrongDirection);
        }
        // No ping awaits a pong before it has left.
        let awaiting = self.awaiting() && !self.owed.contains(&Control::Ping);
        self.any = Some(fact);
        self.any_since_closing |= closing;
        if self.asks() {
            if packet != PacketType::Pong {
                self.other_since_ping = self.other_since_ping.or(Some(fact));
            } else if awaiting && !closing {
                self.answered = Some(fact);
                self.rtt = self.pinged.map(|ping| (fact.at - ping.at).min(LONGEST_RTT));
            }
        } else if packet == PacketType::Ping {
            self.peer_ping = Some(fact);
            if !closing && !self.owed.contains(&Control::Pong) {
                self.owed.insert(0, Control::Pong);
            }
        }
    }

    /// A part of a packet came in.
    pub(crate) fn activity(&mut self, now: Reading) {
        let fact = self.fact(now);
        if self.ended.is_none() {
            self.last_seen = fact.at;
        }
        if self.is_open() && self.liveness == Liveness::AnyPacket && self.role == Role::Server {
            self.any = Some(fact);
        }
    }

    /// The deadline's call.
    pub(crate) fn timeout(&mut self, now: Reading) {
        let fact = self.fact(now);
        if let Some((reason, _)) = self.overdue() {
            self.end(now, reason);
        } else if self.ping_due().is_some_and(|due| due <= fact.at) {
            self.pinged = Some(fact);
            self.other_since_ping = None;
            if !self.owed.contains(&Control::Ping) {
                self.owed.push(Control::Ping);
            }
        }
    }

    pub(crate) fn pause(&mut self, now: Reading, stall_timeout: Reading) {
        let fact = self.fact(now);
        if self.is_open() && self.stall_by.is_none() {
            self.stall_by = Some(fact.at + stall_timeout);
        }
    }

    pub(crate) fn resume(&mut self, now: Reading) {
        let fact = self.fact(now);
        if self.is_open() && self.stall_by.take().is_some() {
            self.resumed = Some(fact);
        }
    }

    pub(crate) fn close(&mut self, now: Reading, close_timeout: Reading) {
        if self.opened.is_none() {
            return self.end(now, DisconnectReason::LocalClose);
        }
        if !self.is_open() {
            return;
        }
        self.resume(now);
        let ping_due = self.ping_due();
        let since = self.fact(now);
        self.closing = Some(Closing { since, by: since.at.saturating_add(close_timeout), ping_due });
        self.owed.push(Control::Close);
    }

    pub(crate) fn closed(&mut self, now: Reading) {
        if self.closing.is_some() && self.ended.is_none() {
            self.end(now, DisconnectReason::LocalClose);
            self.owed.clear();
        }
    }

    /// What the peer sent is the cause. Broken or unwelcome, it is a sign of life.
    pub(crate) fn end_by_peer(&mut self, now: Reading, reason: DisconnectReason) {
        self.activity(now);
        self.end(now, reason);
    }

    pub(crate) fn end(&mut self, now: Reading, reason: DisconnectReason) {
        let now = self.fact(now).at;
        if self.ended.is_some() {
            return;
        }
        let listens = !matches!(
            reason,
            DisconnectReason::PeerClose
                | DisconnectReason::TransportClosed
                | DisconnectReason::TransportReset
        );
        let close = if self.closing.is_some() { self.owed.contains(&Control::Close) } else { true };
        self.owed = if listens && close { vec![Control::Close] } else { Vec::new() };
        let reason = match reason {
            _ if self.closing.is_none() => reason,
            DisconnectReason::PingTimeout => reason,
            _ => DisconnectReason::LocalClose,
        };
        self.ended = Some((now, reason));
    }

    pub(crate) fn written(&mut self, control: Control) {
        self.owed.retain(|owed| *owed != control);
    }

    // What follows.

    fn is_open(&self) -> bool {
        self.opened.is_some() && self.closing.is_none() && self.ended.is_none()
    }

    /// Whether this end is the one that pings.
    fn asks(&self) -> bool {
        (self.role == Role::Server) == (self.revision == Revision::V4)
    }

    fn awaiting(&self) -> bool {
        self.pinged.is_some() && self.pinged > self.answered
    }

    fn ping_due(&self) -> Option<Reading> {
        let opened = self.opened?;
        if !self.asks() || self.awaiting() || !self.is_open() {
            return None;
        }
        Some(match (self.pinged, self.answered) {
            (Some(pinged), Some(answered)) if self.revision == Revision::V4 => {
                let calm = answered.at + self.interval;
                let promised = pinged.at + self.interval + self.timeout / 2;
                calm.min(promised).max(answered.at)
            }
            (_, Some(answered)) => answered.at + self.interval,
            (_, None) => opened.at + self.interval.min(self.first_ping_after),
        })
    }

    /// When silence ends the session, by its rules; `None` while silence is not judged.
    fn silent_by(&self) -> Option<Reading> {
        let opened = self.opened?;
        if self.stall_by.is_some() || self.ended.is_some() {
            return None;
        }
        let both = self.interval + self.timeout;
        if let Some(fact) = self.heard_closing {
            return Some(fact.at + both);
        }
        // The ping that a closing session would have sent counts from its time.
        let unsent = self.closing.and_then(|closing| {
            let due = closing.ping_due?;
            Some((closing.since, due.max(closing.since.at) + self.timeout))
        });
        let pinged =
            self.pinged.filter(|_| self.awaiting()).map(|ping| (ping, ping.at + self.timeout)).or(unsent);
        // Silence counts anew from the end of a pause, and may last as long as before it.
        let resumed = self.resumed.map(|fact| {
            let asked = self.asks() && self.awaiting() && self.pinged > self.any.filter(|any| *any < fact);
            (fact, fact.at + if asked { self.timeout } else { both })
        });
        let newest =
            |facts: [Option<(Fact, Reading)>; 3]| facts.into_iter().flatten().max().map(|(_, by)| by);
        let counted = |fact: Option<Fact>| fact.map(|fact| (fact, fact.at + both));
        match (self.role, self.revision, self.liveness) {
            (Role::Server, Revision::V4, Liveness::PongOnly) => {
                let (_, by) = pinged?;
                Some(by.max(self.resumed.map_or(by, |fact| fact.at + self.timeout)))
            }
            (Role::Server, Revision::V4, Liveness::ExtendOnce) => {
                let (_, by) = pinged?;
                let later = [self.resumed, self.other_since_ping.filter(|_| self.awaiting())];
                later.into_iter().flatten().map(|fact| fact.at + self.timeout).chain([by]).max()
            }
            (Role::Server, Revision::V4, Liveness::AnyPacket) => newest([pinged, resumed, counted(self.any)]),
            (Role::Client, Revision::V3, _) => newest([
                pinged.filter(|_| !self.any_since_closing || self.awaiting()),
                resumed,
                counted(self.any),
            ]),
            (Role::Server, Revision::V3, Liveness::AnyPacket) => {
                newest([counted(Some(opened)), resumed, counted(self.any)])
            }
            (Role::Client, Revision::V4, _)
            | (Role::Server, Revision::V3, Liveness::PongOnly | Liveness::ExtendOnce) => {
                newest([counted(Some(opened)), resumed, counted(self.peer_ping)])
            }
            (Role::Server, _, other) => panic!("the oracle has no rule for the liveness policy {other}"),
        }
    }

    /// What ends the session next, and when, if nothing else happens before.
    fn ends_by(&self) -> Option<(DisconnectReason, Reading)> {
        if self.ended.is_some() {
            return None;
        }
        if self.opened.is_none() {
            return Some((DisconnectReason::OpenTimeout, self.open_by));
        }
        if let Some(by) = self.stall_by {
            return Some((DisconnectReason::ApplicationStalled, by));
        }
        let silent = self.silent_by().map(|by| (DisconnectReason::PingTimeout, by));
        match (self.closing, silent) {
            (Some(closing), Some((_, by))) if closing.by < by => {
                Some((DisconnectReason::LocalClose, closing.by))
            }
            (Some(closing), None) => Some((DisconnectReason::LocalClose, closing.by)),
            _ => silent,
        }
    }

    /// What has ended the session by now. A ping that is due comes before silence is judged.
    fn overdue(&self) -> Option<(DisconnectReason, Reading)> {
        let (reason, by) = self.ends_by().filter(|(_, by)| *by <= self.now)?;
        let asks_first =
            reason == DisconnectReason::PingTimeout && self.ping_due().is_some_and(|due| due <= self.now);
        (!asks_first).then_some((reason, by))
    }

    pub(crate) fn deadline(&self) -> Option<Reading> {
        self.ends_by().map(|(_, by)| by).into_iter().chain(self.ping_due()).min()
    }

    pub(crate) fn check_send(&self) -> Result<(), CheckSendError> {
        if self.ended.is_some() || self.closing.is_some() {
            Err(CheckSendError::Closed)
        } else if self.opened.is_none() {
            Err(CheckSendError::NotOpen)
        } else if self.ping_due().is_none() && self.silent_by().is_some_and(|by| by <= self.now) {
            Err(CheckSendError::Expired)
        } else {
            Ok(())
        }
    }

    pub(crate) fn ending(&self) -> Option<(DisconnectReason, Reading)> {
        self.ended.map(|(at, reason)| (reason, at - self.last_seen))
    }

    pub(crate) fn rtt(&self) -> Option<Reading> {
        self.rtt
    }

    pub(crate) fn last_seen(&self) -> Reading {
        self.last_seen
    }

    pub(crate) fn owed(&self) -> &[Control] {
        &self.owed
    }
}
